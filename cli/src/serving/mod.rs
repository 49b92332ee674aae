//! Code that only `sluice serve` needs.

pub mod executions;
mod places;
mod wire;
pub(crate) mod worker;
pub(crate) mod workers;
