//! Which rows of a key are written, and what that does to the table.

use polars::prelude::{
    BooleanChunked, DataFrame, DataType, Expr, IdxCa, IdxSize, Int64Chunked, IntoColumn, IntoLazy, NamedFrom,
    PlSmallStr, PolarsResult, Schema, Series, SortMultipleOptions, col, lit,
};
use sluice_core::columns::UNCHANGED;
use sluice_core::pipeline::Versioned;
use sluice_core::run::SnapshotRows;
use sluice_core::spec::DeletedLimit;

use super::{FILE, IS_CURRENT, PLACE, SNAPSHOT, SnapshotOrder, StoredFile, VALID_FROM};
use crate::engine::history::instant;
use crate::engine::merge::last_of;
use crate::error::LakeError;

const VALID_TO: &str = "_valid_to";

/// What the snapshots do, counted row by row.
#[derive(Debug, Default)]
pub(super) struct Totals {
    rows: SnapshotRows,
    /// Keys that each state has: the table, then each snapshot.
    present: Vec<u64>,
    /// Keys that the state before has and this one lacks.
    missing: Vec<u64>,
}

impl Totals {
    fn add(counts: &mut Vec<u64>, number: i64) {
        let Ok(index) = usize::try_from(number) else { return };
        if counts.len() <= index {
            counts.resize(index + 1, 0);
        }
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }

    /// The counts of so many snapshots, with those of the worst one: of those that lack more keys than the limit allows,
    /// or else of all, the one that lacks the largest share of the keys before it. A single missing key may be a larger
    /// share than many, and be allowed.
    pub(super) fn finish(self, snapshots: i64, limit: DeletedLimit) -> SnapshotRows {
        let mut rows = self.rows;
        // The keys of the last one are before no other.
        let states = self.present.iter().take(usize::try_from(snapshots).unwrap_or(usize::MAX));
        for (index, before) in states.enumerate() {
            let missing = self.missing.get(index + 1).copied().unwrap_or_default();
            let is_refused = |missing: u64, before: u64| !limit.allows(missing, before);
            // Shares are compared without division.
            let share = u128::from(missing) * u128::from(rows.lacked_of.max(1));
            let worst_share = u128::from(rows.lacked) * u128::from((*before).max(1));
            let worst = (is_refused(rows.lacked, rows.lacked_of), worst_share);
            if rows.lacked_of == 0 || (is_refused(missing, *before), share) > worst {
                (rows.lacked, rows.lacked_of) = (missing, *before);
            }
        }
        rows
    }
}

/// What decides which rows are written.
pub(super) struct Comparison<'a> {
    /// The snapshots of the run.
    pub(super) order: &'a SnapshotOrder,
    /// The keys; that the newest delivery counts.
    pub(super) by: &'a Versioned,
    /// The columns that make a change.
    pub(super) compared: &'a [String],
    /// Whether what is gone stays with the end of its time.
    pub(super) history: bool,
    /// Columns of the table.
    pub(super) columns: &'a Schema,
}

/// The rows of a group in the order of their keys and snapshots.
struct Ordered {
    rows: DataFrame,
    snapshot: Int64Chunked,
    file: Int64Chunked,
    place: Int64Chunked,
    /// When rows of a history began to be valid that the table has.
    valid_from: Option<Int64Chunked>,
    /// Whether a row has the key of the one before it.
    same_key: BooleanChunked,
    /// Whether it has its values.
    same_values: BooleanChunked,
}

impl Ordered {
    fn snapshot(&self, index: usize) -> i64 {
        self.snapshot.get(index).unwrap_or_default()
    }

    /// Whether a row is in the snapshot after that of the row before it, with the same key.
    fn follows(&self, index: usize) -> bool {
        let Some(before) = index.checked_sub(1) else { return false };
        let is_beyond = index >= self.rows.height();
        !is_beyond && self.same_key.get(index) == Some(true) && self.snapshot(index) == self.snapshot(before) + 1
    }

    fn goes_on(&self, index: usize) -> bool {
        self.follows(index) && self.same_values.get(index) == Some(true)
    }
}

/// A row that is written, and the time it is valid.
#[derive(Default)]
struct Written {
    places: Vec<IdxSize>,
    from: Vec<Option<i64>>,
    until: Vec<Option<i64>>,
    is_current: Vec<bool>,
}

impl Comparison<'_> {
    /// The rows to write of some keys; rows of the table that stay are marked in their files.
    ///
    /// # Errors
    /// [`LakeError::Polars`].
    pub(super) fn group(
        &self,
        rows: DataFrame,
        files: &mut [StoredFile],
        totals: &mut Totals,
    ) -> Result<DataFrame, LakeError> {
        let failed = || LakeError::polars("comparing snapshots with the table");
        let ordered = self.ordered(rows).map_err(failed())?;
        let height = ordered.rows.height();
        let mut written = Written::default();
        let mut begin = 0;
        while begin < height {
            let mut end = begin;
            while end + 1 < height && ordered.goes_on(end + 1) {
                end += 1;
            }
            self.run(&ordered, begin..=end, files, totals, &mut written)?;
            begin = end + 1;
        }
        for index in 0..height {
            Totals::add(&mut totals.present, ordered.snapshot(index));
        }
        self.written(&ordered.rows, written).map_err(failed())
    }

    /// Rows of one key with the same values in snapshots one after the other.
    fn run(
        &self,
        ordered: &Ordered,
        rows: std::ops::RangeInclusive<usize>,
        files: &mut [StoredFile],
        totals: &mut Totals,
        written: &mut Written,
    ) -> Result<(), LakeError> {
        let (begin, end) = rows.into_inner();
        let (first, last) = (ordered.snapshot(begin), ordered.snapshot(end));
        let (is_stored, is_current) = (first == 0, last == self.order.count());
        if !is_current && !ordered.follows(end + 1) {
            totals.rows.removed += 1;
            Totals::add(&mut totals.missing, last + 1);
        }
        match (is_stored, is_current) {
            (true, true) => {
                totals.rows.unchanged += 1;
                return stay(ordered, begin, files);
            }
            // What is gone leaves the table; in a history it stays with the end of its time.
            (true, false) if !self.history => return Ok(()),
            (true, false) => {}
            (false, _) if ordered.follows(begin) => totals.rows.changed += 1,
            (false, _) => totals.rows.added += 1,
        }
        let place = IdxSize::try_from(begin)
            .map_err(|_| LakeError::Internal { message: format!("a group of rows has more than {begin}") })?;
        let stored_from = ordered.valid_from.as_ref().and_then(|from| from.get(begin));
        written.places.push(place);
        written.from.push(if is_stored { stored_from } else { self.order.time(first) });
        written.until.push(if is_current { None } else { self.order.time(last + 1) });
        written.is_current.push(is_current);
        Ok(())
    }

    fn ordered(&self, rows: DataFrame) -> PolarsResult<Ordered> {
        let keys = self.by.keys.iter().map(|key| key.as_str());
        let identity: Vec<&str> = keys.clone().chain([SNAPSHOT]).collect();
        let rows = last_of(rows, &identity, self.by)?.sort(identity.clone(), SortMultipleOptions::default())?;
        let same_key = as_before(keys).alias("_same_key");
        let same_values = as_before(self.compared.iter().map(String::as_str)).alias("_same_values");
        let rows = rows.lazy().with_columns([same_key, same_values]).collect()?;
        let integers =
            |name: &str| -> PolarsResult<Int64Chunked> { rows.column(name)?.cast(&DataType::Int64)?.i64().cloned() };
        let booleans = |name: &str| -> PolarsResult<BooleanChunked> { rows.column(name)?.bool().cloned() };
        Ok(Ordered {
            snapshot: integers(SNAPSHOT)?,
            file: integers(FILE)?,
            place: integers(PLACE)?,
            valid_from: if self.history { Some(integers(VALID_FROM)?) } else { None },
            same_key: booleans("_same_key")?,
            same_values: booleans("_same_values")?,
            rows,
        })
    }

    fn written(&self, rows: &DataFrame, written: Written) -> PolarsResult<DataFrame> {
        let mut found = rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, written.places))?;
        if self.history {
            for (name, times) in [(VALID_FROM, written.from), (VALID_TO, written.until)] {
                let times = Series::new(name.into(), times).cast(&instant())?;
                let _ = found.with_column(times.into_column())?;
            }
            let _ = found.with_column(Series::new(IS_CURRENT.into(), written.is_current).into_column())?;
            let nothing = vec![None::<&str>; found.height()];
            let _ = found.with_column(Series::new(UNCHANGED.into(), nothing).into_column())?;
        }
        found.lazy().select(self.columns.iter_names().map(|name| col(name.clone())).collect::<Vec<_>>()).collect()
    }
}

/// Whether a row has the values of the row before it in these columns.
fn as_before<'c>(columns: impl Iterator<Item = &'c str>) -> Expr {
    let same = columns.map(|column| col(column).eq_missing(col(column).shift(lit(1))));
    same.reduce(Expr::and).unwrap_or_else(|| lit(true))
}

/// Marks a row of the table that stays.
fn stay(ordered: &Ordered, index: usize, files: &mut [StoredFile]) -> Result<(), LakeError> {
    let number = |column: &Int64Chunked| column.get(index).and_then(|number| usize::try_from(number).ok());
    let file = number(&ordered.file).and_then(|file| files.get_mut(file));
    let stays = file.zip(number(&ordered.place)).and_then(|(file, place)| file.stays.get_mut(place));
    match stays {
        Some(stays) => {
            *stays = true;
            Ok(())
        }
        None => Err(LakeError::Internal { message: "a row of the table has no place in a file".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_snapshots_that_lack_too_many_keys_the_one_that_lacks_the_largest_share_counts() {
        // By state, the table first: the keys that it has, and those of the state before that it lacks.
        let check = |limit: &str, present: &[u64], missing: &[u64], expected: (u64, u64)| {
            let limit: DeletedLimit = limit.parse().expect(limit);
            let (snapshots, rows) = (i64::try_from(present.len()).expect("few") - 1, SnapshotRows::default());
            let totals = Totals { rows, present: present.to_vec(), missing: missing.to_vec() };
            let found = totals.finish(snapshots, limit);
            assert_eq!((found.lacked, found.lacked_of), expected, "{limit}: {present:?} {missing:?}");
            // What is judged breaks the limit where one of the snapshots does.
            let mut pairs = present.iter().zip(missing.iter().skip(1)).take(present.len() - 1);
            let is_allowed = pairs.all(|(before, missing)| limit.allows(*missing, *before));
            assert_eq!(limit.allows(found.lacked, found.lacked_of), is_allowed, "{limit}: {present:?} {missing:?}");
        };
        for limit in ["default", "none", "20"] {
            check(limit, &[0, 5], &[], (0, 0));
            check(limit, &[4, 4], &[], (0, 4));
            check(limit, &[4, 3], &[0, 2], (2, 4));
            check(limit, &[4, 2, 3], &[0, 2, 1], (2, 4));
            check(limit, &[4, 2, 1], &[0, 1, 2], (2, 2));
            check(limit, &[0, 4, 0], &[0, 0, 4], (4, 4));
        }
        // One key is spared by default, and hides no snapshot that lacks more.
        check("default", &[1, 9, 4], &[0, 1, 5], (5, 9));
        check("default", &[9, 1, 0], &[0, 8, 1], (8, 9));
        check("none", &[1, 9, 4], &[0, 1, 5], (1, 1));
        check("60", &[1, 9, 4], &[0, 1, 5], (1, 1));
        check("default", &[1, 9, 8], &[0, 1, 1], (1, 1));
    }
}
