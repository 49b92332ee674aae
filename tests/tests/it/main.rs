//! The integration tests of the whole system: one binary, because each of them would link Polars and Delta.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests stop at the first surprise, and print what they measured"
)]

mod alerts;
mod apis;
mod bad_input;
mod concurrency;
mod console;
mod cost;
mod docs;
mod exactly_once;
mod gate;
mod gate_replay;
mod golden;
mod init;
mod inputs;
mod judges;
mod kill;
mod lineage;
mod metrics;
mod modes;
mod old_lakes;
mod openlineage;
mod oracle;
mod parity;
mod parts;
mod people;
mod profile;
mod restore;
mod run_report;
mod several;
mod small;
mod source_show;
mod state_machine;
mod words;
#[path = "../../../shared/lake/src/source/xlsx/tests/workbook.rs"]
#[expect(dead_code, reason = "tests of the reader use the rest of it")]
mod workbook;
