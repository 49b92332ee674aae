//! Clusters of the large engine: what Sluice asks of Amazon EMR, and how it asks so that nothing is started twice and
//! nothing is left running.
//!
//! - [`settings`]: what an operator decides, parsed before anything is called;
//! - [`request`]: the whole of a cluster and of a step, as data;
//! - [`ports`]: what is needed of EMR; `sluice-aws` has it over the SDK;
//! - [`start`], [`etl`], [`terminate`]: the calls of the three functions. Each can be made again, and twice at once;
//! - [`documents`]: the marks that these calls leave in the folder of the run.
//!
//! Links neither Polars nor Delta nor the AWS SDK, and has no clock of its own.

pub mod documents;
mod error;
pub mod etl;
pub mod ports;
pub mod request;
pub mod settings;
pub mod start;
pub mod terminate;

pub use error::ClusterError;

#[cfg(test)]
mod tests;
