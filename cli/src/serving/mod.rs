//! What `sluice serve` needs that the commands do not.

pub mod executions;
