//! The engine: Polars turns source batches into staged Parquet files.
//!
//! Source batches are pushed through bronze and every silver table in one pass, with memory bounded by the batch; what
//! has to be deduplicated waits in memory or, beyond a limit, in hash buckets on local disk.

pub(crate) mod cast;
pub(crate) mod metrics;
pub(crate) mod rules;
pub(crate) mod shown;
pub(crate) mod sql;
pub(crate) mod types;

mod bronze;
mod combine;
mod documents;
mod gold;
mod history;
mod in_table;
mod inside;
mod judge;
mod merge;
mod nested;
mod origin;
mod passes;
mod projection;
mod reread;
mod silver;
mod snapshot;
mod spill;
mod stage;
mod typed;

pub(crate) use bronze::BronzeStage;
pub(crate) use bronze::source_columns;
pub(crate) use documents::{Documents, RunReading};
pub(crate) use gold::{GoldInput, gold_change, gold_columns, same_gold, stage_gold};
pub(crate) use in_table::DocumentsInTable;
pub(crate) use merge::Merged;
pub(crate) use projection::plan_projection;
pub(crate) use reread::{reread_bronze, reread_quarantine, source_objects};
pub(crate) use silver::{Missing, SilverContext, SilverStage};
pub(crate) use silver::{SilverChanges, SilverOutcome, broken_ids, check_sources, whole};
pub(crate) use snapshot::SnapshotOrder;
pub(crate) use stage::scratch_copy;
pub(crate) use typed::gone;
pub use types::EngineError;

use polars::prelude::{DataFrame, Engine, LazyFrame, PolarsResult};

/// Runs a query on the streaming engine.
pub(crate) fn collect_streaming(query: LazyFrame) -> PolarsResult<DataFrame> {
    // One query gives one result; several come only from several sinks.
    query.collect_with_engine(Engine::Streaming).map(|result| result.unwrap_single())
}
