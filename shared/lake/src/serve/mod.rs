//! Tables as consumers read them: governed, bounded, at one version.
//!
//! [`Snapshots`] opens tables, [`Governed`] applies what the caller's access says before anything of the caller's own is planned,
//! [`rows`] and [`query`] answer, [`Rows::encode`] writes the answer.

mod encode;
mod error;
mod governed;
mod mask;
mod query;
mod rows;
mod snapshots;

pub use encode::{EncodeError, RowFormat, Rows};
pub use error::ServeError;
pub use governed::{Governed, VisibleColumn};
pub use mask::{MaskKey, read_type};
pub use query::{Answer, Queries, QueryLimits, query};
pub use rows::{Page, Position, RowsQuestion, rows, whole};
pub use snapshots::{Snapshots, Version};
