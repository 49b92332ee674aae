//! Tables as consumers read them: governed, bounded, at one version.
//!
//! [`Snapshots`] opens tables, [`Governed`] applies what the caller's access says before anything of the caller's own is planned,
//! [`rows`] and [`query`] answer, [`encode`] writes the answer.

mod encode;
mod error;
mod governed;
mod mask;
mod query;
mod rows;
mod snapshots;

pub use polars::prelude::{DataFrame, PolarsError};

pub use encode::{RowFormat, encode};
pub use error::ServeError;
pub use governed::{Governed, VisibleColumn};
pub use mask::{MaskKey, read_type};
pub use query::{Answer, Queries, QueryLimits, query};
pub use rows::{Page, Position, RowsQuestion, rows, whole};
pub use snapshots::{Snapshots, Version};
