//! Polars and Delta: reads source objects, stages Parquet, audits it, publishes it and reads the tables.
//!
//! The steps of a run are in [`steps`]; each is idempotent, because every document is written by the first who gets
//! there and every commit carries the identifiers of what it brings.

pub mod check;
mod counted;
pub mod delta;
mod engine;
pub mod error;
pub mod init;
pub mod inspect;
pub mod lake;
mod landing;
pub mod objects;
mod overlap;
pub mod profile;
mod progress;
pub mod restore;
pub mod runs;
pub mod serve;
mod source;
mod spread;
pub mod steps;

pub use engine::EngineError;
pub use error::LakeError;
pub use lake::{Lake, StoreOptions};
pub use progress::Progress;
pub use source::SourceError;
