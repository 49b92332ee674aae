//! SQL over several tables, within limits.

use polars::prelude::{DataFrame, Engine, Expr, PolarsError};
use sluice_core::name::TableRef;
use sluice_core::sql::{Predicate, ProductSql};
use sluice_spark::sql::{Relation, check_statement};

use super::{Governed, QueryLimits, ServeError};
use crate::engine::{collect_streaming, sql};

/// The statement's rows, and how many files of its tables were read, of how many. Faults of the engine are named by the first table.
pub(super) fn statement(
    statement: &ProductSql,
    tables: &[(String, Governed)],
    first: &TableRef,
    limits: QueryLimits,
) -> Result<(DataFrame, (u64, u64)), ServeError> {
    check(statement, tables)?;
    let filter = statement.only_filter();
    let (mut frames, mut read, mut total, mut bytes) = (Vec::new(), 0, 0, 0_u64);
    for (name, table) in tables {
        let files = table.files()?;
        let wanted = table.wanted(&files, filter);
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
    Ok((rows, (read, total)))
}

/// Refuses what the tables of a pipeline may not have either, as a comparison of values of two kinds, before the engine
/// reads it in some way of its own.
fn check(statement: &ProductSql, tables: &[(String, Governed)]) -> Result<(), ServeError> {
    let relation = |(name, table): &(String, Governed)| Relation { name: name.clone(), columns: table.typed_columns() };
    let relations: Vec<Relation> = tables.iter().map(relation).collect();
    check_statement(statement, &relations).map_err(|error| ServeError::refusing(&error))
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
