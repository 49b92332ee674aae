//! Rows that are in the lake already and are taken through silver again: from bronze after a crash or for a new table,
//! from quarantine after a contract or spec has changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use polars::prelude::{Column, DataFrame, DataType, Expr, IntoColumn, IntoLazy, NamedFrom, Series, col, lit};
use serde_json::Value;
use sluice_core::columns::{
    CORRUPT, SOURCE_MODIFIED_AT, SOURCE_ROW, StoredColumn, is_own_of_bronze, lineage_names, missing_lineage,
};
use sluice_core::run::ByteRange;
use sluice_core::source::SourceObject;

use super::collect_streaming;
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
fn may_hold_rows(statistics: Option<&str>, range: ByteRange) -> bool {
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

/// The rows of a quarantine table in bronze shape, a batch at a time. `columns` are the source columns wanted, and `named`
/// the name that a source column is wanted under; the answer is the source columns that at least one row has.
///
/// # Errors
/// As `take`; [`LakeError::Internal`] for raw text that is no JSON object.
pub(crate) fn reread_quarantine(
    quarantine: &OpenTable,
    columns: &[&str],
    named: impl Fn(&str) -> String,
    mut take: impl FnMut(&DataFrame) -> Result<(), LakeError>,
) -> Result<BTreeSet<String>, LakeError> {
    let mut found = BTreeSet::new();
    for file in quarantine.files()? {
        slices(quarantine, &file, |rows| take(&bronze_shape(quarantine, &rows, columns, &named, &mut found)?))?;
    }
    Ok(found)
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

/// Adds to `found` the source columns that the rows have.
fn bronze_shape(
    table: &OpenTable,
    rows: &DataFrame,
    wanted: &[&str],
    named: impl Fn(&str) -> String,
    found: &mut BTreeSet<String>,
) -> Result<DataFrame, LakeError> {
    let failed = || LakeError::polars(format!("rows of table `{}`", table.reference()));
    let raw = rows.column("_raw").and_then(|c| c.str().cloned()).map_err(failed())?;
    let mut objects = Vec::with_capacity(rows.height());
    let mut names = BTreeSet::new();
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for text in raw.iter() {
        let object: BTreeMap<String, Value> = serde_json::from_str(text.unwrap_or("{}")).map_err(|error| {
            LakeError::Internal { message: format!("table `{}`: _raw is no JSON object: {error}", table.reference()) }
        })?;
        let renamed = object.into_iter().map(|(key, value)| {
            let name = aliases.entry(key).or_insert_with_key(|key| named(key));
            (name.clone(), value)
        });
        let object: BTreeMap<String, Value> = renamed.collect();
        names.extend(object.keys().cloned());
        objects.push(object);
    }
    found.extend(names.iter().filter(|name| !is_own_of_bronze(name)).cloned());
    names.extend(wanted.iter().map(|name| (*name).to_owned()));
    names.extend(CORRUPT.map(str::to_owned));
    let mut columns: Vec<Column> = Vec::new();
    for name in &names {
        let values: Vec<Option<String>> = objects
            .iter()
            .map(|object| match object.get(name) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        columns.push(Series::new(name.as_str().into(), values).into());
    }
    for name in lineage_names() {
        columns.push(rows.column(name).map_err(failed())?.clone());
    }
    columns.push(raw.with_name(QUARANTINED_RAW.into()).into_column());
    DataFrame::new(rows.height(), columns).map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;

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
