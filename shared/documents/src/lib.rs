//! Small JSON documents below the lake's root: plans, verdicts, reports, holds.
//!
//! A step writes its document with [`RunDocuments::settle`]: the first writer wins and every later or concurrent call
//! of the same step gets the winner's document. This crate links neither Polars nor Delta nor the AWS SDK, so the
//! functions that only read and write documents stay small.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use object_store::memory::InMemory;
//! use sluice_core::run::{Changeset, RunRef};
//! use sluice_core::uri::FolderUri;
//! use sluice_documents::DocumentStore;
//!
//! let root: FolderUri = "s3://bucket/lake".parse()?;
//! let store = DocumentStore::over(&root, Arc::new(InMemory::new()))?;
//! let run = RunRef { pipeline: "retail".parse()?, run_id: "day-1".parse()?, attempt: 1 };
//! let first = Changeset {
//!     run: run.clone(),
//!     staged_at: "2026-01-05T10:00:00Z".parse()?,
//!     tables: vec![],
//!     missing_keys: [].into(),
//!     engine: None,
//! };
//! let second = Changeset { staged_at: "2026-01-05T10:00:07Z".parse()?, ..first.clone() };
//!
//! let documents = store.of(&run);
//! assert_eq!(documents.settle(first.clone()).await?, first);
//! assert_eq!(documents.settle(second).await?, first);
//! assert_eq!(documents.get::<Changeset>().await?, Some(first));
//! # Ok(())
//! # }
//! ```

pub mod ended;
mod error;
pub mod event;
mod run;
mod s3;
mod store;
pub mod trigger;
pub mod usage;

pub use error::{DocumentError, classify, object_refusal};
pub use run::{Attempts, RunDocuments};
pub use s3::{S3Answer, S3Error, S3Object, S3Objects};
pub use store::{Created, DocumentStore, DocumentVersion};
