//! Rows that are in the lake already and are taken through silver again: from bronze after a crash or for a new table,
//! from quarantine after a contract or spec has changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use polars::error::PolarsResult;
use polars::prelude::{
    Column, DataFrame, DataType, Expr, IdxCa, IdxSize, IntoColumn, IntoLazy, NamedFrom, Series, col, lit,
};
use serde_json::Value;
use sluice_core::columns::{
    CORRUPT, SOURCE_MODIFIED_AT, SOURCE_ROW, StoredColumn, is_own_of_bronze, lineage_names, missing_lineage,
};
use sluice_core::run::ByteRange;
use sluice_core::source::SourceObject;

use super::collect_streaming;
use super::documents::Documents;
use super::types::polars_type;
use crate::delta::{DataFile, FileStatistics, OpenTable};
use crate::error::LakeError;

/// Rows read at a time.
const READ_ROWS: u32 = 250_000;

/// All source objects whose rows are in a table of bronze or silver, each with the time that its rows have. Reads three
/// columns of the whole table.
///
/// # Errors
/// [`LakeError::Polars`]; [`LakeError::Internal`] for an address that Sluice did not write.
pub(crate) fn source_objects(table: &OpenTable) -> Result<Vec<SourceObject>, LakeError> {
    let failed = || LakeError::polars(format!("source objects of table `{}`", table.reference()));
    // A table of an older version lacks the column.
    let has_times = table.columns().iter().any(|column| column.name == SOURCE_MODIFIED_AT);
    let newest = if has_times { col(SOURCE_MODIFIED_AT).max() } else { lit(1) };
    let groups = table.scan()?.group_by([col("_source_file"), col("_source_etag")]).agg([newest.alias("newest")]);
    let groups = collect_streaming(groups).map_err(failed())?;
    let text = |name: &str| groups.column(name).and_then(|c| c.str().cloned()).map_err(failed());
    let (files, etags) = (text("_source_file")?, text("_source_etag")?);
    let times: Vec<Option<i64>> = if has_times {
        let micros = groups.column("newest").and_then(|c| c.cast(&DataType::Int64)).and_then(|c| c.i64().cloned());
        micros.map_err(failed())?.iter().collect()
    } else {
        vec![None; groups.height()]
    };
    let mut objects = Vec::new();
    for ((file, etag), micros) in files.iter().zip(etags.iter()).zip(times) {
        if let (Some(file), Some(etag)) = (file, etag) {
            let uri = file.parse().map_err(|error| LakeError::Internal {
                message: format!("table `{}`: _source_file '{file}': {error}", table.reference()),
            })?;
            let modified_at = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
            objects.push(SourceObject { uri, etag: etag.to_owned(), size_bytes: 0, modified_at });
        }
    }
    Ok(objects)
}

/// The bronze rows of these objects, a batch at a time, each batch of one object; those whose `_source_row` is in
/// `range`, where one is given. Each file is read once, however many of the objects have rows in it; parts of a run
/// with rows in one file read it once each.
///
/// # Errors
/// As `take`; [`LakeError::Polars`] when a file cannot be read.
pub(crate) fn reread_bronze(
    bronze: &OpenTable,
    objects: &[SourceObject],
    range: Option<ByteRange>,
    mut take: impl FnMut(&SourceObject, &DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    for file in bronze.files()? {
        let statistics = FileStatistics::parse(file.stats.as_deref());
        let inside: Vec<&SourceObject> = objects.iter().filter(|object| may_hold(&statistics, object)).collect();
        if inside.is_empty() || range.is_some_and(|range| !may_hold_rows(file.stats.as_deref(), range)) {
            continue;
        }
        slices(bronze, &file, |rows| {
            let rows = rows.drop("_ingestion_date").map_err(LakeError::polars("choosing bronze columns"))?;
            for &object in &inside {
                let chosen = rows
                    .clone()
                    .lazy()
                    .filter(is_wanted(object, range))
                    .collect()
                    .map_err(LakeError::polars("choosing an object's rows"))?;
                if chosen.height() > 0 {
                    take(object, &chosen)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Whether a row is one of the object, and its place in the range.
fn is_wanted(object: &SourceObject, range: Option<ByteRange>) -> Expr {
    let of_object =
        col("_source_file").eq(lit(object.uri.as_str())).and(col("_source_etag").eq(lit(object.etag.as_str())));
    let Some(range) = range else { return of_object };
    let place = |byte: u64| lit(i64::try_from(byte).unwrap_or(i64::MAX));
    let wanted = of_object.and(col(SOURCE_ROW).gt_eq(place(range.begin())));
    match range.end() {
        Some(end) => wanted.and(col(SOURCE_ROW).lt(place(end))),
        None => wanted,
    }
}

/// Whether a file with these statistics may hold rows whose place is in the range. A run that is read in ranges writes
/// files that each have a range of the places: without this, every range would read all of them.
pub(super) fn may_hold_rows(statistics: Option<&str>, range: ByteRange) -> bool {
    let parsed = statistics.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let bound = |key: &str| parsed.as_ref()?.get(key)?.get(SOURCE_ROW)?.as_u64();
    match (bound("minValues"), bound("maxValues")) {
        (Some(lowest), Some(highest)) => range.begin() <= highest && range.end().is_none_or(|end| lowest < end),
        _ => true,
    }
}

/// Whether a file with these statistics may hold rows of an object.
fn may_hold(statistics: &FileStatistics, object: &SourceObject) -> bool {
    let (uri, etag) = (object.uri.as_str(), object.etag.as_str());
    statistics.may_hold_text("_source_file", uri, uri) && statistics.may_hold_text("_source_etag", etag, etag)
}

/// What was read of a quarantine table.
#[derive(Debug, Default)]
pub(crate) struct Reread {
    /// The source columns that at least one row has.
    pub(crate) columns: BTreeSet<String>,
    /// Whether rows are not those that the table has: documents were split into their records, or say for another reason
    /// why not.
    pub(crate) is_other: bool,
}

/// The rows of a quarantine table in bronze shape, a batch at a time. `columns` are the source columns wanted, and `named`
/// the name that a source column is wanted under. `documents` says which of them are split into several.
///
/// # Errors
/// As `take`; [`LakeError::Internal`] for raw text that is no JSON object.
pub(crate) fn reread_quarantine(
    quarantine: &OpenTable,
    columns: &[&str],
    named: impl Fn(&str) -> String,
    documents: &Documents<'_>,
    mut take: impl FnMut(&DataFrame) -> Result<(), LakeError>,
) -> Result<Reread, LakeError> {
    let mut reread = Reread::default();
    for file in quarantine.files()? {
        slices(quarantine, &file, |rows| {
            let failed = || LakeError::polars(format!("rows of table `{}`", quarantine.reference()));
            for rows in by_size(&rows, RAW_BYTES).map_err(failed())? {
                let shaped = bronze_shape(quarantine, &rows, columns, &named, documents, &mut reread)?;
                if shaped.height() > 0 {
                    take(&shaped)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(reread)
}

/// Most bytes of raw texts that are taken at a time, unless one row has more: documents become many rows, and all of a
/// file's at once may not fit into memory.
const RAW_BYTES: usize = 32 << 20;

/// The rows of a quarantine table in slices that have at most so many bytes of raw texts, or one row.
fn by_size(rows: &DataFrame, most_bytes: usize) -> PolarsResult<Vec<DataFrame>> {
    let slice = |begin: usize, end: usize| rows.slice(i64::try_from(begin).unwrap_or(i64::MAX), end - begin);
    let (mut slices, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (row, text) in rows.column("_raw")?.str()?.iter().enumerate() {
        let more = text.map_or(0, str::len);
        if row > begin && bytes + more > most_bytes {
            slices.push(slice(begin, row));
            (begin, bytes) = (row, 0);
        }
        bytes += more;
    }
    slices.push(slice(begin, rows.height()));
    Ok(slices)
}

/// The rows of a file, a batch at a time. Lineage that the table lacks, because an older version made it, is null.
fn slices(
    table: &OpenTable,
    file: &DataFile,
    mut take: impl FnMut(DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let mut offset: i64 = 0;
    loop {
        let failed = || LakeError::polars(format!("reading {} of table `{}`", file.path, table.reference()));
        let mut rows = table.scan_slice(&file.path, offset, READ_ROWS)?.collect().map_err(failed())?;
        if rows.height() == 0 {
            return Ok(());
        }
        offset += i64::try_from(rows.height()).unwrap_or(i64::MAX);
        for StoredColumn { name, column_type } in missing_lineage(table.columns()) {
            let absent = Column::full_null(name.as_str().into(), rows.height(), &polars_type(&column_type));
            rows.with_column(absent).map_err(failed())?;
        }
        take(rows)?;
    }
}

/// Column of re-read rows with the text they have in quarantine, so that rows refused again keep it letter by letter.
pub(crate) const QUARANTINED_RAW: &str = "_quarantined_raw";

/// A quarantined row on its way through silver again.
pub(super) struct Quarantined<'r> {
    /// Its source columns, by the names that they are wanted under; or text and fault of a corrupt record.
    pub(super) object: BTreeMap<String, Value>,
    /// What quarantine keeps of it where it is refused again.
    pub(super) raw: Option<Cow<'r, str>>,
    /// Its index among the rows of the table; that of its document, where it was split out of one.
    pub(super) row: usize,
    /// Its `_source_row`, where it was split out of a document.
    pub(super) source_row: Option<i64>,
}

/// Notes in `reread` what the rows have.
fn bronze_shape(
    table: &OpenTable,
    rows: &DataFrame,
    wanted: &[&str],
    named: impl Fn(&str) -> String,
    documents: &Documents<'_>,
    reread: &mut Reread,
) -> Result<DataFrame, LakeError> {
    let failed = || LakeError::polars(format!("rows of table `{}`", table.reference()));
    let raw = rows.column("_raw").and_then(|c| c.str().cloned()).map_err(failed())?;
    let quarantined = parsed(table, raw.iter(), &named)?;
    let (quarantined, is_other) = documents.split(rows, quarantined, &named)?;
    reread.is_other |= is_other;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    names.extend(quarantined.iter().flat_map(|of| of.object.keys()).map(String::as_str));
    reread.columns.extend(names.iter().filter(|name| !is_own_of_bronze(name)).map(|name| (*name).to_owned()));
    names.extend(wanted);
    names.extend(CORRUPT);
    let mut columns: Vec<Column> = Vec::new();
    for name in names {
        let values: Vec<Option<String>> = quarantined
            .iter()
            .map(|of| match of.object.get(name) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        columns.push(Series::new(name.into(), values).into());
    }
    for name in lineage_names() {
        let column = rows.column(name).map_err(failed())?;
        columns.push(if is_other { lineage_of(column, &quarantined).map_err(failed())? } else { column.clone() });
    }
    columns.push(if is_other {
        let kept: Vec<Option<&str>> = quarantined.iter().map(|of| of.raw.as_deref()).collect();
        Series::new(QUARANTINED_RAW.into(), kept).into()
    } else {
        raw.clone().with_name(QUARANTINED_RAW.into()).into_column()
    });
    DataFrame::new(quarantined.len(), columns).map_err(failed())
}

/// The rows of a quarantine table with these texts.
fn parsed<'r>(
    table: &OpenTable,
    texts: impl Iterator<Item = Option<&'r str>>,
    named: impl Fn(&str) -> String,
) -> Result<Vec<Quarantined<'r>>, LakeError> {
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    let mut rows = Vec::new();
    for (row, text) in texts.enumerate() {
        let object: BTreeMap<String, Value> = serde_json::from_str(text.unwrap_or("{}")).map_err(|error| {
            LakeError::Internal { message: format!("table `{}`: _raw is no JSON object: {error}", table.reference()) }
        })?;
        let renamed = object.into_iter().map(|(key, value)| {
            let name = aliases.entry(key).or_insert_with_key(|key| named(key));
            (name.clone(), value)
        });
        rows.push(Quarantined { object: renamed.collect(), raw: text.map(Cow::Borrowed), row, source_row: None });
    }
    Ok(rows)
}

/// A lineage column of the table for these rows.
fn lineage_of(column: &Column, rows: &[Quarantined<'_>]) -> PolarsResult<Column> {
    if column.name().as_str() == SOURCE_ROW {
        let places = column.i64()?;
        let places: Vec<Option<i64>> = rows.iter().map(|of| of.source_row.or_else(|| places.get(of.row))).collect();
        return Ok(Series::new(SOURCE_ROW.into(), places).into());
    }
    let indexes = rows.iter().map(|of| IdxSize::try_from(of.row).unwrap_or(IdxSize::MAX)).collect();
    column.take(&IdxCa::from_vec(column.name().clone(), indexes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_long_texts_are_taken_a_few_at_a_time() {
        let check = |lengths: &[usize], expected: &[usize]| {
            let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let raw = Series::new("_raw".into(), texts.as_slice()).into_column();
            let rows = DataFrame::new(texts.len(), vec![raw]).expect("a frame");
            let heights: Vec<usize> = by_size(&rows, 10).expect("slices").iter().map(DataFrame::height).collect();
            assert_eq!(heights, expected, "{lengths:?}");
        };
        check(&[1, 0, 3], &[3]);
        check(&[5, 5, 1], &[2, 1]);
        check(&[11, 1, 11], &[1, 1, 1]);
    }

    #[test]
    fn files_without_a_row_in_the_range_are_not_read() {
        let check = |statistics: Option<&str>, begin: u64, end: Option<u64>, expected: bool| {
            let range = ByteRange::new(begin, end).expect("a range");
            assert_eq!(may_hold_rows(statistics, range), expected, "{statistics:?}: {range:?}");
        };
        let known = Some(r#"{"minValues":{"_source_row":10},"maxValues":{"_source_row":20}}"#);
        check(known, 0, Some(10), false);
        check(known, 0, Some(11), true);
        check(known, 20, None, true);
        check(known, 21, None, false);
        check(known, 12, Some(13), true);
        for unknown in [None, Some("{"), Some("{}"), Some(r#"{"minValues":{"_source_row":10}}"#)] {
            check(unknown, 0, Some(5), true);
        }
    }
}
