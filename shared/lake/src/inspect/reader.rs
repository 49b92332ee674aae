//! Which run's plan says how a source object is read: the one that has stored its rows, whatever the spec says since.

use polars::prelude::{IntoLazy, SortMultipleOptions, col, lit};
use sluice_core::columns::{DocumentRow, SOURCE_FILE};
use sluice_core::name::RunId;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Plan, Positions, RunKey};
use sluice_core::uri::ObjectUri;

use super::Cell;
use super::record::{SourceRecord, record};
use crate::delta::{FileStatistics, OpenTable, open_table};
use crate::engine::collect_streaming;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::blocking;
use crate::runs::plan_of;
use crate::source::{DocumentRecord, SourceOptions, split_documents};

/// The run whose rows of a source object bronze has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBy {
    /// The run; the newest of several.
    pub run_id: RunId,
    /// Its plan; `None` where it is gone or cannot be read.
    pub plan: Option<Plan>,
}

/// The run that has stored the rows of a source object in the bronze table of `pipeline`; `None` where it has none.
///
/// # Errors
/// Those of [`open_table`], of the store, and [`LakeError::Polars`] when the table cannot be read.
pub async fn stored_by(lake: &Lake, pipeline: &Pipeline, uri: &ObjectUri) -> Result<Option<StoredBy>, LakeError> {
    let Some(bronze) = open_table(lake, &pipeline.source.bronze, None).await? else { return Ok(None) };
    let file = uri.as_str().to_owned();
    let Some(run) = blocking(move || newest_run(&bronze, &file)).await? else { return Ok(None) };
    let run_id = run.parse::<RunId>().map_err(|error| LakeError::Internal {
        message: format!("table `{}`: _run_id '{run}': {error}", pipeline.source.bronze),
    })?;
    let plan = plan_of(lake, &RunKey { pipeline: pipeline.name.clone(), run_id: run_id.clone() }).await?;
    Ok(Some(StoredBy { run_id, plan }))
}

/// The newest run of the rows that a table has of this object.
fn newest_run(bronze: &OpenTable, uri: &str) -> Result<Option<String>, LakeError> {
    let files = bronze.files()?;
    let may_hold = |stats: Option<&str>| FileStatistics::parse(stats).may_hold_text(SOURCE_FILE, uri, uri);
    let paths: Vec<&str> =
        files.iter().filter(|file| may_hold(file.stats.as_deref())).map(|file| file.path.as_str()).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let failed = || LakeError::polars(format!("finding rows of {uri} in table `{}`", bronze.reference()));
    let rows = bronze.scan_files(paths)?.filter(col(SOURCE_FILE).eq(lit(uri)));
    let runs = rows.group_by([col("_run_id")]).agg([col("_ingested_at").max()]);
    let runs = collect_streaming(runs).map_err(failed())?;
    let newest_first = SortMultipleOptions::default().with_order_descending(true);
    let runs = runs.lazy().sort(["_ingested_at", "_run_id"], newest_first).collect().map_err(failed())?;
    let runs = runs.column("_run_id").and_then(|column| column.str().cloned()).map_err(failed())?;
    Ok(runs.iter().next().flatten().map(str::to_owned))
}

/// A record that a replay has split out of a document. The document is read as `stored` says, and its records are found
/// as `split` says.
///
/// # Errors
/// As [`record`]; [`LakeError::NotFound`] also where the document has no such record by the path of `split`.
pub async fn record_of_document(
    lake: &Lake,
    (stored, split): (&Pipeline, &Pipeline),
    uri: &ObjectUri,
    place: DocumentRow,
    positions: Option<Positions>,
) -> Result<SourceRecord, LakeError> {
    let document = record(lake, stored, uri, place.document(), positions).await?;
    let (name, options) = (uri.to_string(), SourceOptions::of(split));
    let text = document.raw.clone();
    let records = blocking(move || match text {
        Some(text) => split_documents(&options, &name, &[text.as_str()]).map_err(LakeError::from),
        None => Ok(Vec::new()),
    });
    let records: Vec<DocumentRecord> = records.await?.into_iter().flatten().collect();
    let wanted = usize::try_from(place.index()).ok().and_then(|index| records.into_iter().nth(index));
    let position = u64::try_from(place.source_row()).unwrap_or_default();
    let found = SourceRecord { position, raw: None, reason: None, values: Vec::new(), ..document };
    match wanted {
        Some(DocumentRecord::Good { names, texts }) => {
            let cell = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
            let values = names.iter().cloned().zip(texts.into_iter().map(cell)).collect();
            Ok(SourceRecord { values, ..found })
        }
        Some(DocumentRecord::Corrupt { raw, reason }) => {
            Ok(SourceRecord { raw: Some(raw), reason: Some(reason), ..found })
        }
        None => {
            let (document, number) = (place.document(), place.index() + 1);
            let what = format!(
                "a replay has split record {number} out of document {document} of {uri}, and by the newest spec the \
                 document has no such record; ask for position {document} to see all of it"
            );
            Err(LakeError::NotFound { what })
        }
    }
}
