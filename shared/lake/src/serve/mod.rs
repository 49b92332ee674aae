//! Tables as consumers read them: governed, bounded, at one version.
//!
//! [`Snapshots`] opens tables, [`Governed`] applies what the caller's access says before anything of the caller's own is planned.
//! A [`Question`] is a read as one value: [`answer`] answers it where it is called, and [`Answers`] is who does so for many callers.

mod encode;
mod error;
mod governed;
mod in_process;
mod mask;
mod query;
mod question;
mod rows;
mod snapshots;

pub use encode::RowFormat;
pub use error::ServeError;
pub use governed::{Governed, VisibleColumn};
pub use in_process::Queries;
pub use mask::{MaskKey, read_type};
pub use question::{Answer, Answering, Answers, Held, QueryLimits, Question, TableForm, answer};
pub use rows::{Position, RowsQuestion};
pub use snapshots::{Snapshots, Version};
