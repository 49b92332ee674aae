//! The server as its clients see it: over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    reason = "a test stops where it finds a fault"
)]

mod client;
mod clusters;
mod faults;
mod spark;
mod steps;
