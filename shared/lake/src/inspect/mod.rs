//! A look into the lake: its tables, runs and quarantine. Everything here only reads.
//!
//! Nothing is remembered between calls: every answer is what the Delta logs and the run documents say now.

mod cell;
mod listing;
mod quarantine;
mod reader;
mod record;
mod runs;
mod tables;

pub use cell::Cell;
pub use listing::{ListedRun, held_objects, listed_runs};
pub use quarantine::{
    CorruptRecords, QuarantineCounts, QuarantineSummary, QuarantinedPlace, QuarantinedRow, corrupt_records,
    quarantine_counts, quarantine_places, quarantine_rows, quarantines,
};
pub use reader::{StoredBy, record_of_document, stored_by};
pub use record::{SourceRecord, record};
pub use runs::{
    DamagedPlan, NewestIngestion, RunDetails, RunState, RunSummary, find_run, held_pipelines, newest_ingestion,
    newest_plan, newest_runs, pipelines_of_run, pipelines_with_runs, run_details, runs,
};
pub use tables::{
    HeadRows, TableDetails, TableSummary, TableVersion, head, history, table_details, tables, tables_there,
};

pub(crate) use tables::existing;

use object_store::ObjectStore;
use sluice_core::uri::LakePath;

use crate::error::LakeError;
use crate::lake::Lake;

/// Names of the folders directly below a folder of the lake, sorted. A folder that does not exist has none.
async fn folders(lake: &Lake, folder: &LakePath) -> Result<Vec<String>, LakeError> {
    let key = lake.documents().key(folder)?;
    let listed = lake.documents().objects().list_with_delimiter(Some(&key)).await;
    let listed = listed.map_err(|source| LakeError::Store { doing: "list", location: folder.to_string(), source })?;
    let mut names: Vec<String> =
        listed.common_prefixes.iter().filter_map(|prefix| prefix.filename().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}
