//! The server as its clients see it: by HTTP.

mod client;
mod clusters;
mod faults;
mod spark;
mod steps;
