//! A page of rows of one table.

use std::collections::BTreeSet;
use std::ops::Range;

use polars::prelude::{DataFrame, Engine, Expr, IntoLazy, LazyFrame, PolarsResult, SortMultipleOptions, col};
use serde::{Deserialize, Serialize};
use sluice_core::sql::Predicate;
use sluice_spark::sql::check_condition;

use super::governed::FILE;
use super::{Governed, ServeError};
use crate::delta::DataFile;
use crate::engine::shown::is_nested;
use crate::engine::{collect_streaming, sql};

/// Most rows that are put in order for one page, or copied under a row filter; they are in memory while that is done.
const MAX_HELD_ROWS: u64 = 5_000_000;
/// One more shows that there are too many.
const HELD_AND_ONE_MORE: u32 = 5_000_001;
/// Name of the column with the number of a row among those that fit, while rows are put in order.
const NUMBER: &str = "__sluice_number";

/// What is asked of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsQuestion {
    /// Columns, in this order; all that the caller sees when left out.
    pub columns: Option<Vec<String>>,
    /// Only rows for which this is true.
    pub filter: Option<Predicate>,
    /// Columns to order by, each with whether it descends. Nulls come last.
    pub order: Vec<(String, bool)>,
    /// Most rows of the page.
    pub limit: u32,
    /// Where the page begins; at the first row when left out.
    pub from: Option<Position>,
}

impl RowsQuestion {
    /// The columns that it names: to be given, in its filter and in its order.
    pub fn named(&self) -> BTreeSet<String> {
        let filtered = self.filter.iter().flat_map(Predicate::columns);
        let ordered = self.order.iter().map(|(column, _)| column.clone());
        self.columns.iter().flatten().cloned().chain(filtered).chain(ordered).collect()
    }
}

/// A place in the answer to a question about one version of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Number of the file in the order of paths; 0 for ordered answers.
    pub file: u32,
    /// Rows of the answer to pass by, from that file on.
    pub rows: u64,
}

/// A page of rows.
pub(super) struct Page {
    /// The rows.
    pub(super) rows: DataFrame,
    /// Where the next page begins; none after the last one.
    pub(super) next: Option<Position>,
    /// Files that could hold rows of the answer, by their statistics, and files of the table.
    pub(super) files: (u64, u64),
}

/// All rows of a table that the caller may read, in memory, and how many files were read, of how many.
pub(super) fn whole(table: &Governed) -> Result<(DataFrame, (u64, u64)), ServeError> {
    let mut rows = table.scan()?;
    if table.has_row_filter() {
        // Sizes of files would count rows that are held back, so the rows themselves are counted.
        rows = rows.limit(HELD_AND_ONE_MORE);
    }
    let rows = collect_streaming(rows).map_err(|error| ServeError::running(table.table().reference(), error))?;
    if table.has_row_filter() && rows.height() as u64 > MAX_HELD_ROWS {
        let what =
            format!("your part of the table has more than the {MAX_HELD_ROWS} rows that are copied: read its rows");
        return Err(ServeError::TooLarge { what });
    }
    let files = table.files()?.len() as u64;
    Ok((rows, (files, files)))
}

/// The page asked for.
pub(super) fn page(table: &Governed, question: &RowsQuestion) -> Result<Page, ServeError> {
    let files = table.files()?;
    let from = question.from.unwrap_or(Position { file: 0, rows: 0 });
    let first = usize::try_from(from.file).unwrap_or(usize::MAX);
    let wanted = table.wanted(files.get(first..).unwrap_or_default(), question.filter.as_ref());
    // Rows to pass by are counted from the first file that the question reads; files that hold none of them do not change that.
    let (rows, next) = if question.order.is_empty() {
        in_file_order(table, question, &files, &wanted, from)?
    } else {
        in_order(table, question, &wanted, from)?
    };
    Ok(Page { rows, next, files: (wanted.len() as u64, files.len() as u64) })
}

/// The rows that fit, not planned any further.
fn fitting(
    table: &Governed,
    question: &RowsQuestion,
    files: &[&DataFile],
    with_file: bool,
) -> Result<LazyFrame, ServeError> {
    let paths = files.iter().map(|file| file.path.as_str());
    let Some(filter) = &question.filter else { return table.scan_files(paths, None, with_file) };
    check_condition(filter, &table.typed_columns()).map_err(|error| ServeError::refusing(&error))?;
    let fits = sql::predicate_over(filter, &table.schema()).map_err(|error| ServeError::planning(&error))?;
    Ok(table.scan_files(paths, table.early(&fits), with_file)?.filter(fits))
}

/// The columns asked for, each of which must be there for the caller.
fn selected(table: &Governed, question: &RowsQuestion) -> Result<Vec<String>, ServeError> {
    let there = table.schema();
    let named = |column: &String| {
        if there.contains(column) { Ok(()) } else { Err(ServeError::NoColumn { column: column.clone() }) }
    };
    for (column, _) in &question.order {
        named(column)?;
        if there.get(column).is_some_and(is_nested) {
            let message = format!("`{column}` is a list or an object, which has no order: order by another column");
            return Err(ServeError::DoesNotFit { message });
        }
    }
    match &question.columns {
        Some(columns) => {
            columns.iter().try_for_each(named)?;
            Ok(columns.clone())
        }
        None => Ok(there.iter_names().map(ToString::to_string).collect()),
    }
}

fn in_file_order(
    table: &Governed,
    question: &RowsQuestion,
    files: &[DataFile],
    wanted: &[&DataFile],
    from: Position,
) -> Result<(DataFrame, Option<Position>), ServeError> {
    let columns = selected(table, question)?;
    let limit = question.limit;
    let taken = columns.iter().map(col).chain([col(FILE)]).collect::<Vec<_>>();
    let offset = i64::try_from(from.rows).unwrap_or(i64::MAX);
    // One more row shows whether a next page exists.
    let page = fitting(table, question, wanted, true)?.slice(offset, limit.saturating_add(1)).select(taken);
    let failed = |error| ServeError::running(table.table().reference(), error);
    let page = collect_streaming(page).map_err(failed)?;
    let count = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if page.height() > count { Some(next_position(table, &page, files, count, from)?) } else { None };
    Ok((page.head(Some(count)).select(columns).map_err(failed)?, next))
}

/// Where the page after the first `count` rows begins: in the file of the last of them, so that files before it are not read again.
fn next_position(
    table: &Governed,
    page: &DataFrame,
    files: &[DataFile],
    count: usize,
    from: Position,
) -> Result<Position, ServeError> {
    let failed = |error| ServeError::running(table.table().reference(), error);
    let addresses = page.column(FILE).and_then(|column| column.str().cloned()).map_err(failed)?;
    let last = addresses.get(count.saturating_sub(1)).unwrap_or_default();
    let of_last = (0..count).rev().take_while(|row| addresses.get(*row) == Some(last)).count() as u64;
    let path = table.table().path_of(last)?;
    let number = files.iter().position(|file| file.path == path).unwrap_or_default();
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    // When all rows are of one file, it may be the one that the page began in, some of whose rows were passed by.
    let passed =
        if of_last == count as u64 && began_in(table, page, files, from) == Some(number) { from.rows } else { 0 };
    Ok(Position { file: number, rows: passed + of_last })
}

/// Number of the file whose rows were counted to begin the page: the one of the position, if the first row is of it.
fn began_in(table: &Governed, page: &DataFrame, files: &[DataFile], from: Position) -> Option<u32> {
    let addresses = page.column(FILE).ok()?.str().ok()?.clone();
    let path = table.table().path_of(addresses.get(0)?).ok()?;
    let number = u32::try_from(files.iter().position(|file| file.path == path)?).ok()?;
    (number == from.file).then_some(number)
}

fn in_order(
    table: &Governed,
    question: &RowsQuestion,
    wanted: &[&DataFile],
    from: Position,
) -> Result<(DataFrame, Option<Position>), ServeError> {
    let columns = selected(table, question)?;
    let rows: Option<u64> = wanted.iter().map(|file| file.rows).sum();
    if !table.has_row_filter() && rows.is_none_or(|rows| rows > MAX_HELD_ROWS) {
        let what = format!(
            "the files that the filter leaves have more than {MAX_HELD_ROWS} rows, which are too many to put in order: narrow \
             the filter to ranges that files are laid out by, or leave the order out"
        );
        return Err(ServeError::TooLarge { what });
    }
    let mut needed = columns.clone();
    needed.extend(question.order.iter().map(|(column, _)| column.clone()));
    needed.sort_unstable();
    needed.dedup();
    let needed: Vec<_> = needed.iter().map(col).collect();
    // The number decides between equals, so that the order is total and pages do not overlap.
    let by: Vec<_> = question.order.iter().map(|(column, _)| col(column)).chain([col(NUMBER)]).collect();
    let descending: Vec<bool> = question.order.iter().map(|(_, descending)| *descending).chain([false]).collect();
    let options = SortMultipleOptions::default().with_order_descending_multi(descending).with_nulls_last(true);
    let failed = |error| ServeError::running(table.table().reference(), error);
    let mut numbered = fitting(table, question, wanted, false)?.select(needed).with_row_index(NUMBER, None);
    if table.has_row_filter() {
        // Rows of files would count those that are held back, so the rows themselves are counted.
        numbered = numbered.limit(HELD_AND_ONE_MORE);
    }
    let numbered = collect_streaming(numbered).map_err(failed)?;
    if numbered.height() as u64 > MAX_HELD_ROWS {
        let what = format!(
            "more than {MAX_HELD_ROWS} rows fit, which are too many to put in order: narrow the filter, or leave the order out"
        );
        return Err(ServeError::TooLarge { what });
    }
    // In memory: the streaming engine's top rows fail on decimals.
    let sorted = sorted(numbered, by, options).map_err(failed)?;
    let Range { start, end } = from.rows..from.rows.saturating_add(u64::from(question.limit));
    let page = sorted.slice(i64::try_from(start).unwrap_or(i64::MAX), question.limit as usize);
    let next = (end < sorted.height() as u64).then_some(Position { file: 0, rows: end });
    Ok((page.select(columns).map_err(failed)?, next))
}

/// Rows in memory, put in order there.
fn sorted(rows: DataFrame, by: Vec<Expr>, options: SortMultipleOptions) -> PolarsResult<DataFrame> {
    let sorted = rows.lazy().sort_by_exprs(by, options);
    sorted.collect_with_engine(Engine::InMemory).map(|result| result.unwrap_single())
}
