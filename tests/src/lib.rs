//! The harness of the integration tests: a workspace, the real `sluice` binary, and independent judges.
//!
//! Tests act as a user does, through the binary. The library reads the result from the lake, and independent programs
//! (`tests/judges`) check it if they are installed; if they are not, the test says so and is listed as skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a harness stops at the first surprise, with all the details"
)]

pub mod content;
pub mod data;
pub mod files;
pub mod judges;
pub mod lab;
pub mod parity;
pub mod random;
pub mod served;
pub mod sluice;
pub mod wire;

use std::fs::OpenOptions;
use std::io::Write;

/// Says that a test cannot run on this machine, and why: on standard error, and as a line of the file that the
/// environment variable `SLUICE_SKIPS` names, because the test runner hides the output of a passing test.
pub fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}");
    eprintln!("SKIPPED {line}");
    if let Some(list) = std::env::var_os("SLUICE_SKIPS") {
        let mut list = OpenOptions::new().create(true).append(true).open(&list).expect("SLUICE_SKIPS names a file");
        // A single write, so that the lines of parallel tests are not mixed.
        list.write_all(format!("{line}\n").as_bytes()).expect("the list of skipped tests can be written");
    }
}
