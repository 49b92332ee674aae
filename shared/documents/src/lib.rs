//! Small JSON documents below the lake's root: plans, verdicts, reports, holds.
//!
//! A step writes its document with [`RunDocuments::settle`]: the first writer wins and every later or concurrent call
//! of the same step gets the winner's document. This crate links neither Polars nor Delta nor the AWS SDK, so the
//! functions that only read and write documents stay small.

mod error;
mod run;
mod store;
pub mod trigger;

pub use error::{DocumentError, classify};
pub use run::{Attempts, RunDocuments};
pub use store::{Created, DocumentStore};
