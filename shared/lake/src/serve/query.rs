//! SQL over several tables, within limits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use polars::prelude::{Engine, Expr, PolarsError};
use sluice_core::pruning::FileFacts;
use sluice_core::sql::{Predicate, ProductSql};
use tokio::sync::Semaphore;

use super::{Governed, Rows, ServeError};
use crate::delta::DataFile;
use crate::engine::{collect_streaming, sql};
use crate::error::LakeError;

/// What one question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Most rows of an answer.
    pub rows: u32,
    /// Most bytes of files that may be read, as they are stored.
    pub read_bytes: u64,
    /// Longest time for the answer, waiting for a place included.
    pub time: Duration,
}

impl Default for QueryLimits {
    /// 10,000 rows, 2 GiB, and 25 s: within the 29 s that API Gateway gives a function.
    fn default() -> Self {
        Self { rows: 10_000, read_bytes: 2 << 30, time: Duration::from_secs(25) }
    }
}

/// Places for questions: so many are worked on at once. One that was given up keeps its place until the engine is done with it,
/// because the engine cannot be stopped; so given-up questions cannot pile up.
#[derive(Debug, Clone)]
pub struct Queries {
    places: Arc<Semaphore>,
    limits: QueryLimits,
}

impl Queries {
    /// So many places.
    pub fn new(places: usize, limits: QueryLimits) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), limits }
    }

    /// The limits.
    pub fn limits(&self) -> QueryLimits {
        self.limits
    }

    /// Does the work on a thread of its own, when there is a place.
    ///
    /// # Errors
    /// [`ServeError::TooBusy`] without a place in time, [`ServeError::TooSlow`] without an answer in time; those of the work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let until = tokio::time::Instant::now() + self.limits.time;
        let place = tokio::time::timeout_at(until, self.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| ServeError::TooBusy)?.map_err(|_| ServeError::TooBusy)?;
        let working = tokio::task::spawn_blocking(move || {
            let done = std::panic::catch_unwind(AssertUnwindSafe(work));
            drop(place);
            done
        });
        let defect = |message: &str| ServeError::Lake(LakeError::Internal { message: message.to_owned() });
        match tokio::time::timeout_at(until, working).await {
            Err(_) => Err(ServeError::TooSlow { seconds: self.limits.time.as_secs() }),
            Ok(Err(_)) => Err(defect("a worker thread died")),
            Ok(Ok(Err(_))) => Err(defect("the engine panicked on a question")),
            Ok(Ok(Ok(result))) => result,
        }
    }
}

/// The answer to a statement.
#[derive(Debug)]
pub struct Answer {
    /// The rows.
    pub rows: Rows,
    /// Files that could hold rows of the answer, by their statistics.
    pub files_read: u64,
    /// Files of the tables.
    pub files_total: u64,
}

/// Answers a statement over these tables, each under the name that the statement calls it by.
///
/// # Errors
/// [`ServeError`]: a statement that does not fit, limits, time.
pub async fn query(
    queries: &Queries,
    statement: ProductSql,
    tables: Vec<(String, Governed)>,
) -> Result<Answer, ServeError> {
    let limits = queries.limits();
    queries.run(move || answer(&statement, &tables, limits)).await
}

fn answer(statement: &ProductSql, tables: &[(String, Governed)], limits: QueryLimits) -> Result<Answer, ServeError> {
    let Some((_, first)) = tables.first() else {
        return Err(ServeError::DoesNotFit { message: "the statement reads no table".to_owned() });
    };
    let first = first.table().reference();
    let filter = statement.only_filter();
    let (mut frames, mut read, mut total, mut bytes) = (Vec::new(), 0, 0, 0_u64);
    for (name, table) in tables {
        let files = table.files()?;
        let pruned_by = table.pruning(filter);
        let may_hold = |file: &&DataFile| {
            pruned_by.may_hold(FileFacts { stats: file.stats.as_deref(), partition_values: &file.partition_values })
        };
        let wanted: Vec<&DataFile> = files.iter().filter(may_hold).collect();
        read += wanted.len() as u64;
        total += files.len() as u64;
        // Bytes of files count rows that are held back, too: under a row filter time and memory are the limits.
        if !table.has_row_filter() {
            bytes += wanted.iter().map(|file| file.size_bytes).sum::<u64>();
        }
        let early = filter.and_then(|filter| early(table, filter));
        frames.push((name.clone(), table.scan_files(wanted.iter().map(|file| file.path.as_str()), early, false)?));
    }
    if bytes > limits.read_bytes {
        let megabytes = limits.read_bytes >> 20;
        let what =
            format!("the statement reads more than {megabytes} MiB of files: narrow it, or read by Delta Sharing");
        return Err(ServeError::TooLarge { what });
    }
    let planned = sql::run(statement.engine_query(), frames).map_err(|error| ServeError::planning(&error))?;
    // One more row shows that there are too many.
    let planned = planned.limit(limits.rows.saturating_add(1));
    let failed = |error: PolarsError| ServeError::running(first, error);
    let rows = if statement.is_ordered() {
        // In memory: the streaming engine's top rows fail on decimals.
        planned.collect_with_engine(Engine::InMemory).map(|result| result.unwrap_single()).map_err(failed)?
    } else {
        collect_streaming(planned).map_err(failed)?
    };
    if rows.height() > limits.rows as usize {
        let what = format!("the answer has more than {} rows: add LIMIT, or page through /rows", limits.rows);
        return Err(ServeError::TooLarge { what });
    }
    Ok(Answer { rows: Rows::new(rows), files_read: read, files_total: total })
}

/// The part of a statement's WHERE that may be evaluated before the masks; `None` when it does not fit, which planning the statement
/// reports.
fn early(table: &Governed, filter: &Predicate) -> Option<Expr> {
    // Planning costs, and most callers read nothing masked.
    if !table.has_masks_alone() {
        return None;
    }
    table.early(&sql::predicate_over(filter, &table.schema()).ok()?)
}
