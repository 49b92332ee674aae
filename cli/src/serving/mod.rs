//! Code that only `sluice serve` needs.

pub mod executions;
