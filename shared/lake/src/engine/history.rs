//! Histories: the versions of each key, and the events that changed nothing.
//!
//! A version begins with an event that differs from the one before it. The events after it that change nothing make no
//! row; the version remembers when and where they were, in [`UNCHANGED`]. A late event between two of them makes the
//! second one a version, and a late event that takes the difference away makes a version one of them. So stored versions
//! hold every event, and are the same whichever way the events came.
//!
//! A delete event ends the version before it and is no row; the event after it begins a version, whatever its values: a
//! key that was gone is another thing than one that stayed. Delete events are stored in a table of their own, and a
//! late one makes a version of the event after it that was remembered until then.

use polars::prelude::{
    DataFrame, DataType, Expr, IdxCa, IdxSize, Int64Chunked, IntoColumn, IntoLazy, NamedFrom, PlSmallStr, PolarsResult,
    Series, SortMultipleOptions, StringChunked, col, lit,
};
use serde::{Deserialize, Serialize};
use sluice_core::columns::{IS_DELETE, SOURCE_FILE, SOURCE_MODIFIED_AT, SOURCE_ROW, UNCHANGED};
use sluice_core::contract::ColumnType;
use sluice_core::pipeline::Versioned;

use super::merge::{last_of, without_deletes};
use super::spill::KEY_HASH;
use crate::error::LakeError;

/// Whether a row of a history is new to the table.
pub(super) const IS_NEW: &str = "_is_new";
/// Until when a row of a history is valid that the table has.
pub(super) const STORED_VALID_TO: &str = "_stored_valid_to";
/// Whether a row is an event that a version remembered.
pub(super) const IS_RECALLED: &str = "_is_recalled";
/// Whether the key of a row has a new row.
const IS_MET: &str = "_is_met";
/// Bytes of remembered events that become rows at once, some 250,000 of them.
const PIECE_BYTES: usize = 64 << 20;
/// Characters of a text that a message shows.
const SHOWN_CHARACTERS: usize = 200;
/// Whether a row changes nothing.
const REPEATS: &str = "_repeats";

/// The versions of some keys.
pub(super) struct Versions {
    /// Their rows, with the columns of the table.
    pub(super) rows: DataFrame,
    /// Those of them that were events without a row before.
    pub(super) recalled: u64,
}

/// An event that changed nothing, as the version before it remembers it. Times are microseconds of Unix time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event<Text> {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingested_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<Text>,
}

/// The type of the times between which a row of a history is valid.
pub(super) fn instant() -> DataType {
    crate::engine::types::polars_type(&ColumnType::Timestamp)
}

fn failed() -> impl FnOnce(polars::prelude::PolarsError) -> LakeError {
    LakeError::polars("finding the versions of each key")
}

/// Every version of each key, with the time it was valid: until the next version or delete event; from versions, the
/// events that they remember, and delete events. Of a key that has a new row or delete event, all of these are read; of
/// others, which stand in a file with such a key, there may be more in files that are not read: they stay as they are.
///
/// # Errors
/// [`LakeError::Polars`].
pub(super) fn versions(rows: DataFrame, by: &Versioned) -> Result<Versions, LakeError> {
    let stored: Vec<String> = rows.get_column_names().into_iter().map(ToString::to_string).collect();
    let (others, met) = divided(rows, by).map_err(failed())?;
    let begun = begun(met, by)?;
    let is_recalled = begun.column(IS_RECALLED).and_then(|column| Ok(column.bool()?.sum())).map_err(failed())?;
    let own = [IS_NEW, STORED_VALID_TO, IS_RECALLED, IS_DELETE, UNCHANGED, KEY_HASH];
    let accepted = stored.iter().map(String::as_str).filter(|name| !own.contains(name));
    let shown: Vec<Expr> = accepted.chain(["_valid_from", "_valid_to", "_is_current", UNCHANGED]).map(col).collect();
    let rows = || -> PolarsResult<DataFrame> {
        let partition: Vec<Expr> = by.keys.iter().map(|key| col(key.as_str())).collect();
        let from = col(by.time()).cast(instant());
        let next = col("_valid_from").shift(lit(-1)).over(partition)?;
        let of = |rows: DataFrame, until: Expr| -> PolarsResult<DataFrame> {
            let rows = rows.lazy().with_column(from.clone().alias("_valid_from"));
            let rows = rows.with_column(until.alias("_valid_to"));
            let rows = rows.with_column(col("_valid_to").is_null().alias("_is_current")).collect()?;
            // Only now: a delete event is the end of the version before it.
            without_deletes(rows)?.lazy().select(shown.clone()).collect()
        };
        let all = of(begun, next)?.vstack(&of(others, col(STORED_VALID_TO))?)?;
        all.sort(identity(by), SortMultipleOptions::default())
    };
    Ok(Versions { rows: rows().map_err(failed())?, recalled: u64::from(is_recalled.unwrap_or_default()) })
}

/// The columns by which an event is one event: of those that are equal in them, the newest delivery counts.
fn identity(by: &Versioned) -> Vec<&str> {
    by.keys.iter().map(|key| key.as_str()).chain([by.time()]).collect()
}

/// The versions of keys without a new row, and the versions and events of keys with one.
fn divided(rows: DataFrame, by: &Versioned) -> PolarsResult<(DataFrame, DataFrame)> {
    let partition: Vec<Expr> = by.keys.iter().map(|key| col(key.as_str())).collect();
    let is_met = col(IS_NEW).any(true).over(partition)?.alias(IS_MET);
    let marked = rows.lazy().with_column(is_met).collect()?;
    let is_met = marked.column(IS_MET)?.bool()?.clone();
    let is_version = !marked.column(IS_RECALLED)?.bool()?;
    Ok((marked.filter(&(&is_version & &!&is_met))?, marked.filter(&is_met)?))
}

/// How many rows of a file to read after these, at most `most`: so many that what they remember is about [`PIECE_BYTES`].
///
/// # Errors
/// [`LakeError::Polars`].
pub(super) fn next_height(rows: &DataFrame, most: u32) -> Result<u32, LakeError> {
    let texts = rows.column(UNCHANGED).and_then(|column| column.str().cloned()).map_err(failed())?;
    let bytes: usize = texts.iter().flatten().map(str::len).sum();
    let fitting = rows.height().saturating_mul(PIECE_BYTES) / bytes.max(1);
    Ok(u32::try_from(fitting).unwrap_or(most).clamp(1, most))
}

/// Gives rows of the table, each with the events that it remembers as further rows, which have its values. The pieces are
/// small enough that a row with many events needs no more memory than the events would as rows of the table.
///
/// # Errors
/// [`LakeError::Invalid`] for remembered events that nobody can read; [`LakeError::Polars`]; those of `take`.
pub(super) fn for_each_recalled(
    rows: &DataFrame,
    by: &Versioned,
    mut take: impl FnMut(DataFrame) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let texts = rows.column(UNCHANGED).and_then(|column| column.str().cloned()).map_err(failed())?;
    let (mut begin, mut bytes) = (0, 0);
    let mut pieces = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        bytes += text.map_or(0, str::len);
        if bytes > PIECE_BYTES {
            pieces.push((begin, place + 1 - begin));
            (begin, bytes) = (place + 1, 0);
        }
    }
    pieces.push((begin, rows.height().saturating_sub(begin)));
    for (begin, height) in pieces {
        let offset = i64::try_from(begin)
            .map_err(|_| LakeError::Internal { message: format!("a frame has more than {begin} rows") })?;
        take(with_recalled(&rows.slice(offset, height), by)?)?;
    }
    Ok(())
}

/// Rows of the table, and the events that they remember.
fn with_recalled(rows: &DataFrame, by: &Versioned) -> Result<DataFrame, LakeError> {
    let texts = rows.column(UNCHANGED).and_then(|column| column.str().cloned()).map_err(failed())?;
    let (mut places, mut events) = (Vec::<IdxSize>::new(), Vec::<Event<String>>::new());
    for (place, text) in (0..).zip(texts.iter()) {
        for event in text.map(read_events).transpose()?.unwrap_or_default() {
            places.push(place);
            events.push(event);
        }
    }
    if places.is_empty() {
        return Ok(rows.clone());
    }
    let recalled = || -> PolarsResult<DataFrame> {
        let mut recalled = rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, places))?;
        put_times(&mut recalled, SOURCE_MODIFIED_AT, events.iter().map(|event| event.modified_at))?;
        put_times(&mut recalled, "_ingested_at", events.iter().map(|event| event.ingested_at))?;
        put_times(&mut recalled, by.time(), events.iter().map(|event| event.at))?;
        put_texts(&mut recalled, SOURCE_FILE, events.iter().map(|event| event.file.as_deref()))?;
        put_texts(&mut recalled, "_source_etag", events.iter().map(|event| event.etag.as_deref()))?;
        put_texts(&mut recalled, "_run_id", events.iter().map(|event| event.run_id.as_deref()))?;
        put_texts(&mut recalled, UNCHANGED, events.iter().map(|_| None))?;
        let numbers: Vec<Option<i64>> = events.iter().map(|event| event.row).collect();
        let _ = recalled.with_column(Series::new(SOURCE_ROW.into(), numbers).into_column())?;
        let marks = vec![true; recalled.height()];
        let _ = recalled.with_column(Series::new(IS_RECALLED.into(), marks).into_column())?;
        rows.vstack(&recalled)
    };
    recalled().map_err(failed())
}

fn read_events(text: &str) -> Result<Vec<Event<String>>, LakeError> {
    serde_json::from_str(text).map_err(|error| LakeError::Invalid {
        message: format!(
            "a row of a history has '{}' in `{UNCHANGED}`, which this version did not write ({error}): restore the \
             table to a version that only Sluice wrote, or write to a new one",
            text.chars().take(SHOWN_CHARACTERS).collect::<String>()
        ),
    })
}

/// Puts times into a column, in its own type.
fn put_times(rows: &mut DataFrame, name: &str, times: impl Iterator<Item = Option<i64>>) -> PolarsResult<()> {
    let data_type = rows.column(name)?.dtype().clone();
    let times = Series::new(name.into(), times.collect::<Vec<_>>()).cast(&instant())?.cast(&data_type)?;
    rows.with_column(times.into_column()).map(|_| ())
}

fn put_texts<'t>(rows: &mut DataFrame, name: &str, texts: impl Iterator<Item = Option<&'t str>>) -> PolarsResult<()> {
    let texts = Series::new(name.into(), texts.collect::<Vec<_>>());
    rows.with_column(texts.into_column()).map(|_| ())
}

/// The events that begin a version, each with those after it that change nothing, and the delete events.
fn begun(events: DataFrame, by: &Versioned) -> Result<DataFrame, LakeError> {
    let identity = identity(by);
    let ordered = || -> PolarsResult<DataFrame> {
        let same = |column: &str| col(column).eq_missing(col(column).shift(lit(1)));
        let compared = by.keys.iter().chain(&by.track).map(|column| same(column.as_str())).reduce(Expr::and);
        let mut repeats = compared.filter(|_| !by.track.is_empty()).unwrap_or_else(|| lit(false));
        if events.column(IS_DELETE).is_ok() {
            // Neither a delete event nor what comes after one changes nothing.
            let is_delete = col(IS_DELETE);
            repeats = repeats.and(is_delete.clone().or(is_delete.shift(lit(1))).not());
        }
        let events = last_of(events, &identity, by)?.sort(identity.clone(), SortMultipleOptions::default())?;
        events.lazy().with_column(repeats.alias(REPEATS)).collect()
    };
    let events = ordered().map_err(failed())?;
    let seen = SeenEvents::of(&events, by).map_err(failed())?;
    let repeats = events.column(REPEATS).and_then(|column| column.bool().cloned()).map_err(failed())?;
    let (mut begins, mut remembered) = (Vec::<IdxSize>::new(), Vec::<Vec<Event<&str>>>::new());
    for (place, (index, repeats)) in (0..).zip(repeats.iter().enumerate()) {
        match remembered.last_mut() {
            Some(events) if repeats == Some(true) => events.push(seen.event(index)),
            // Nothing is before the first one.
            _ => {
                begins.push(place);
                remembered.push(Vec::new());
            }
        }
    }
    let texts = remembered.iter().map(|events| written(events)).collect::<Result<Vec<_>, _>>()?;
    let begun = || -> PolarsResult<DataFrame> {
        let mut begun = events.take(&IdxCa::from_vec(PlSmallStr::EMPTY, begins))?;
        put_texts(&mut begun, UNCHANGED, texts.iter().map(Option::as_deref))?;
        Ok(begun)
    };
    begun().map_err(failed())
}

fn written(events: &[Event<&str>]) -> Result<Option<String>, LakeError> {
    if events.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(events);
    text.map(Some).map_err(|error| LakeError::Internal { message: format!("events of a history as JSON: {error}") })
}

/// When and where the events of a frame were.
struct SeenEvents {
    at: Int64Chunked,
    file: StringChunked,
    etag: StringChunked,
    modified_at: Int64Chunked,
    row: Int64Chunked,
    ingested_at: Int64Chunked,
    run_id: StringChunked,
}

impl SeenEvents {
    fn of(events: &DataFrame, by: &Versioned) -> PolarsResult<Self> {
        let times = |name: &str| -> PolarsResult<Int64Chunked> {
            events.column(name)?.cast(&instant())?.cast(&DataType::Int64)?.i64().cloned()
        };
        let texts = |name: &str| -> PolarsResult<StringChunked> { events.column(name)?.str().cloned() };
        Ok(Self {
            at: times(by.time())?,
            file: texts(SOURCE_FILE)?,
            etag: texts("_source_etag")?,
            modified_at: times(SOURCE_MODIFIED_AT)?,
            row: events.column(SOURCE_ROW)?.i64().cloned()?,
            ingested_at: times("_ingested_at")?,
            run_id: texts("_run_id")?,
        })
    }

    fn event(&self, index: usize) -> Event<&str> {
        Event {
            at: self.at.get(index),
            file: self.file.get(index),
            etag: self.etag.get(index),
            modified_at: self.modified_at.get(index),
            row: self.row.get(index),
            ingested_at: self.ingested_at.get(index),
            run_id: self.run_id.get(index),
        }
    }
}
