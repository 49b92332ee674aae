//! A run as events of OpenLineage 2-0-2 (<https://openlineage.io>), which catalogues of data read.
//!
//! [`events`] makes them of what the steps of a run have left, after the run has ended: each with the time at which
//! what it says happened. The same documents always give the same events, with the same ids of runs, so sending them
//! again adds nothing.
//!
//! A run is several jobs: `<pipeline>` for the run as a whole, without datasets; `<pipeline>.<layer>.<domain>.<table>`
//! for each table that it changed, with what the table was computed from; and `<pipeline>.quality_check`, whose inputs
//! are the tables that were audited. All but the first have it as their parent.
//!
//! Values of cells are in no event. Messages of errors that may quote a row are replaced by their meaning
//! ([`FailureName::message_for_callers`](crate::failure::FailureName::message_for_callers)), the number that a SQL
//! rule of a contract observed is left out, because it may be a value, and of statistics only counts are kept.
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sluice_core::openlineage::{RunFacts, events};
//! use sluice_core::run::Report;
//! use sluice_core::uri::FolderUri;
//!
//! let lake: FolderUri = "s3://my-lake/prod".parse()?;
//! let report: Report = serde_json::from_str(
//!     r#"{"pipeline": "retail", "run_id": "day-1", "attempt": 0, "outcome": "failed",
//!         "ended_at": "2026-01-05T06:00:00Z", "sources": [], "rows": {}, "committed": [], "broken_rules": [],
//!         "error": {"Error": "Stopped", "Cause": "stopped by ann"}}"#,
//! )?;
//! let facts = RunFacts { plan: None, changeset: None, verdict: None, report: &report };
//! let lines: Vec<String> = events(&lake, &facts).iter().map(|event| event.to_json()).collect();
//! assert_eq!(lines.len(), 2);
//! assert!(lines[0].contains(r#""eventType":"START""#) && lines[1].contains(r#""eventType":"ABORT""#));
//! assert!(lines[1].contains(r#""namespace":"s3://my-lake/prod","name":"retail""#));
//! # Ok(())
//! # }
//! ```

mod columns;
mod dataset_facets;
mod datasets;
mod facet;
mod facts;
mod job_facets;
mod model;
mod names;
mod quality;
mod quality_facets;
mod run_facets;
mod story;
mod table_jobs;
mod target;
#[cfg(test)]
mod tests;

pub use self::facet::PRODUCER;
pub use self::facts::{LineagePlan, LineageRequest, RunFacts};
pub use self::model::RunEvent;
pub use self::story::events;
pub use self::target::{Target, TargetError};
