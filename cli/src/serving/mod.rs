//! Code that only `sluice serve` needs.

pub(crate) mod audit;
pub mod executions;
mod places;
mod wire;
pub(crate) mod worker;
pub(crate) mod workers;
