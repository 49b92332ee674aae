//! What Spark counted, read from the metrics folder of an attempt.

use object_store::ObjectStoreExt;
use sluice_core::name::TableRef;
use sluice_core::run::RunRef;
use sluice_core::uri::{LakePath, layout};
use sluice_spark::metrics::{EtlMetrics, MetricName, MetricsError, TableMetrics};

use crate::error::LakeError;
use crate::lake::Lake;

/// Marker that Spark writes once all files of a folder are complete.
const COMPLETE: &str = "_SUCCESS";
/// Most bytes of metrics that are read. A line has some 200 bytes: that is 300 000 replaced files.
const MAX_METRICS_BYTES: usize = 64 << 20;

/// Reads what Spark counted in an attempt.
///
/// # Errors
/// [`LakeError::EtlFailed`] when the folder is missing, incomplete or holds what no script writes.
pub(in crate::steps) async fn read_metrics(lake: &Lake, run: &RunRef) -> Result<EtlMetrics, LakeError> {
    let failed = |problem: String| LakeError::EtlFailed { run: run.clone(), problem };
    let folder = layout::metrics(run);
    let mut paths = lake.documents().list(&folder).await?;
    let below = |path: &LakePath| path.as_str().strip_prefix(folder.as_str()).map(str::to_owned).unwrap_or_default();
    if paths.is_empty() {
        return Err(failed(format!("there are no metrics in {folder}: its step did not run to its end")));
    }
    if !paths.iter().any(|path| below(path) == format!("/{COMPLETE}")) {
        return Err(failed(format!("the metrics in {folder} have no {COMPLETE}: its step did not run to its end")));
    }
    paths.retain(|path| below(path).starts_with("/part-") && path.as_str().ends_with(".json"));
    let mut text = String::new();
    for path in &paths {
        let store = |source| LakeError::Store { doing: "read", location: path.to_string(), source };
        let key = lake.documents().key(path)?;
        let bytes = lake.documents().objects().get(&key).await.map_err(store)?.bytes().await.map_err(store)?;
        if text.len() + bytes.len() > MAX_METRICS_BYTES {
            return Err(failed(format!("the metrics in {folder} have more than {MAX_METRICS_BYTES} bytes")));
        }
        let lines = std::str::from_utf8(&bytes).map_err(|_| failed(format!("{path} is not UTF-8 text")))?;
        text.push_str(lines);
        text.push('\n');
    }
    EtlMetrics::parse(&text).map_err(|error| failed(in_words(folder.as_str(), &error)))
}

/// What was counted for a table.
///
/// # Errors
/// [`LakeError::EtlFailed`] when nothing was.
pub(in crate::steps) fn numbers<'a>(
    run: &RunRef,
    metrics: &'a EtlMetrics,
    table: &TableRef,
) -> Result<&'a TableMetrics, LakeError> {
    metrics.table(table).ok_or_else(|| LakeError::EtlFailed {
        run: run.clone(),
        problem: format!("the metrics say nothing of table `{table}`"),
    })
}

/// One number of a table, which every script counts.
///
/// # Errors
/// [`LakeError::EtlFailed`] when it is missing.
pub(in crate::steps) fn number(
    run: &RunRef,
    metrics: &EtlMetrics,
    table: &TableRef,
    metric: MetricName,
) -> Result<u64, LakeError> {
    numbers(run, metrics, table)?.number(metric).ok_or_else(|| LakeError::EtlFailed {
        run: run.clone(),
        problem: MetricsError::Missing { table: table.clone(), metric }.to_string(),
    })
}

fn in_words(folder: &str, error: &MetricsError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("metrics in {folder}: {error}: {cause}"),
        None => format!("metrics in {folder}: {error}"),
    }
}
