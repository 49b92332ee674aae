//! Presets of change feeds: what a tool delivers, as the columns, the condition and the SQL that a person would write.

use std::borrow::Cow;

use super::Resolver;
use crate::contract::{Column, ColumnType, TableContract};
use crate::name::ColumnName;
use crate::path::{ColumnPath, PathStep};
use crate::spec::{ColumnSource, FeedSpec, ReadSpec, SilverSpec, SourceFormat, SpecError, WriteModeSpec};

/// The column that says what kind of event a row is. A helper, unless the contract has it.
const OP: &str = "op";

/// The words of a feed for the kinds of its events.
#[derive(Debug, Clone, Copy)]
struct Kinds {
    /// Of rows that are inserted or updated.
    stored: &'static [&'static str],
    /// Of rows that are deleted.
    deleted: &'static str,
}

/// Those of AWS DMS: inserts, also those of a full load with `IncludeOpForFullLoad`, and updates.
const DMS_KINDS: Kinds = Kinds { stored: &["I", "U"], deleted: "D" };
/// Those of Debezium: inserts, updates, and reads of a snapshot. Truncations (`t`) and messages (`m`) have no row.
const DEBEZIUM_KINDS: Kinds = Kinds { stored: &["c", "u", "r"], deleted: "d" };

impl Kinds {
    /// Which rows are delete events. For a row of another kind, or of none, it cannot be computed, so that the row goes
    /// to quarantine: nobody could say what it does to the table.
    fn condition(self) -> String {
        let stored: Vec<String> = self.stored.iter().map(|kind| format!("'{kind}'")).collect();
        let (deleted, words) = (self.deleted, self.stored.join(", "));
        format!(
            "CASE WHEN {OP} = '{deleted}' THEN TRUE WHEN {OP} IN ({}) THEN FALSE \
             ELSE CAST(COALESCE({OP}, 'nothing') || ' is not {words} or {deleted}' AS BOOLEAN) END",
            stored.join(", ")
        )
    }
}

impl Resolver<'_> {
    /// The table with its feed written out; as it is where it has none.
    ///
    /// # Errors
    /// [`SpecError::Table`] for options that do not go with the feed.
    pub(super) fn written_out<'s>(
        &self,
        spec: &'s SilverSpec,
        contract: &TableContract,
    ) -> Result<Cow<'s, SilverSpec>, SpecError> {
        let Some(feed) = spec.feed else { return Ok(Cow::Borrowed(spec)) };
        let refused = |problem: String| self.problem(&spec.table, format!("feed {}{problem}", feed.as_str()));
        if let Some(problem) = feed_problem(spec, feed, self.source_named(spec.source.as_ref())?.format) {
            return Err(refused(problem));
        }
        let mut written = SilverSpec { feed: None, ..spec.clone() };
        let outcome = match feed.envelope() {
            None => write_events(&mut written, contract, "Op", DMS_KINDS),
            Some(root) => write_envelopes(&mut written, contract, root)
                .and_then(|()| write_events(&mut written, contract, &format!("{root}.op"), DEBEZIUM_KINDS)),
        };
        outcome.map_err(refused)?;
        Ok(Cow::Owned(written))
    }
}

/// Which option does not go with a feed, with the fix.
fn feed_problem(spec: &SilverSpec, feed: FeedSpec, format: SourceFormat) -> Option<String> {
    if !matches!(spec.mode, WriteModeSpec::Merge | WriteModeSpec::Scd2) || spec.snapshot.is_some() {
        let problem = " belongs to modes merge and scd2 without snapshot: the others do not follow inserts, updates and \
                       deletes; write `mode: merge`, or take feed out";
        return Some(problem.to_owned());
    }
    if spec.delete_when.is_some() {
        let problem = " says itself which rows are delete events, and delete_when is given, too; take one of them out";
        return Some(problem.to_owned());
    }
    let format_name = format.as_str();
    if feed.envelope().is_none() {
        let is_possible = matches!(format, SourceFormat::Csv | SourceFormat::Parquet);
        return (!is_possible).then(|| {
            format!(
                " is what AWS DMS writes to S3, CSV or Parquet, and source.format is {format_name}; correct it, or take \
                 feed out and write delete_when"
            )
        });
    }
    if format.is_flat() {
        return Some(format!(
            " has values inside values, and columns of {format_name} have none; correct source.format, or, where a \
             connector flattens the events, take feed out and write delete_when"
        ));
    }
    spec.sql.is_some().then(|| {
        " takes each key from both sides of an event with an sql of its own; take sql out, or take feed out and write \
         columns, sql and delete_when as docs/tables/change-feeds.md shows"
            .to_owned()
    })
}

/// Maps the kind of event, and says which kind deletes.
fn write_events(written: &mut SilverSpec, contract: &TableContract, from: &str, kinds: Kinds) -> Result<(), String> {
    let mapped = written.columns.iter().find(|(name, _)| is_op(name));
    match mapped {
        Some((_, source)) if source.name() == from => {}
        Some((name, source)) => {
            return Err(format!(
                ": `{name}` is mapped to `{}`, and the feed reads the kind of an event from `{from}` as `{OP}`; give the \
                 column another name, or map it to `{from}`",
                source.name()
            ));
        }
        None if contract.columns.iter().any(|column| is_op(&column.name)) => {
            return Err(format!(
                ": the contract has a column `{OP}`, which columns does not map, and the feed reads the kind of an event \
                 as `{OP}`; map it to `{from}`, or give the column another name"
            ));
        }
        None => {
            let name = OP.parse::<ColumnName>().map_err(|error| format!(": {error}"))?;
            written.columns.insert(name, ColumnSource::Name(from.to_owned()));
        }
    }
    written.delete_when = Some(kinds.condition());
    Ok(())
}

/// Reads columns from the row after the change, and keys also from the row before it: a delete event has no other.
fn write_envelopes(written: &mut SilverSpec, contract: &TableContract, root: &str) -> Result<(), String> {
    write_time(written, contract, root)?;
    if let Some(column) = contract.columns.iter().find(|column| !written.columns.contains_key(&column.name)) {
        return Err(format!(
            ": column `{}` of contract {} is not listed in columns; map it to the name that it has in the rows of the \
             feed",
            column.name, written.contract
        ));
    }
    for (name, source) in &mut written.columns {
        let is_key = written.keys.contains(name) && contract.column(name.as_str()).is_some();
        if is_key && is_of_side(source, root) {
            return Err(format!(
                ": the key `{name}` is mapped to `{}`, which is one side of an event, and an insert or a delete event \
                 has the other one alone; map it to the name that it has in the row, which is read from both",
                source.name()
            ));
        }
        if is_of_row(source) && !is_key {
            *source = read_from(source, side(root, "after", source.name()));
        }
    }
    let mut selected = Vec::new();
    for column in &contract.columns {
        let key = written.columns.get(&column.name).filter(|source| is_of_row(source)).cloned();
        match key {
            Some(source) => selected.push(write_key(written, contract, column, (&source, root))?),
            None => selected.push(column.name.to_string()),
        }
    }
    written.sql = Some(format!("SELECT {} FROM bronze", selected.join(", ")));
    Ok(())
}

/// Reads a key from both sides, and says what SQL makes of them.
fn write_key(
    written: &mut SilverSpec,
    contract: &TableContract,
    column: &Column,
    (source, root): (&ColumnSource, &str),
) -> Result<String, String> {
    let key = &column.name;
    if source.read().is_some_and(|read| read.column_type.is_some()) {
        return Err(format!(": `{key}` has its type from contract {}; take type out", written.contract));
    }
    written.columns.remove(key);
    for name in ["before", "after"] {
        let helper = format!("{key}_{name}").parse::<ColumnName>().map_err(|error| format!(": {error}"))?;
        if contract.column(helper.as_str()).is_some() || written.columns.contains_key(&helper) {
            return Err(format!(
                " reads the key `{key}` as `{key}_before` and `{key}_after`, and the table has a column `{helper}`; give \
                 it another name"
            ));
        }
        let from = side(root, name, source.name());
        let read = ReadSpec { from, ..source.read().cloned().unwrap_or_default() };
        written.columns.insert(helper, ColumnSource::Read(Box::new(as_contract(read, column))));
    }
    Ok(format!("COALESCE({key}_after, {key}_before) AS {key}"))
}

/// Helpers know nothing of the contract: what it says of the column is written out.
fn as_contract(read: ReadSpec, column: &Column) -> ReadSpec {
    let formats = column.format.strftime.as_deref().map(|pattern| {
        let name = match pattern {
            "%s" => "epoch_seconds",
            "%s%3f" => "epoch_milliseconds",
            "%s%6f" => "epoch_microseconds",
            "%s%9f" => "epoch_nanoseconds",
            pattern => pattern,
        };
        vec![name.to_owned()]
    });
    let zone = column.format.default_timezone.clone().filter(|_| column.column_type == ColumnType::Timestamp);
    ReadSpec {
        column_type: Some(column.column_type.to_string()),
        formats: read.formats.or(formats),
        zone: read.zone.or(zone),
        ..read
    }
}

/// Reads `latest_by` from the time at which the connector met the change, unless `columns` says where it is.
fn write_time(written: &mut SilverSpec, contract: &TableContract, root: &str) -> Result<(), String> {
    let from = format!("{root}.ts_ms");
    let mapped = || written.columns.iter().find(|(_, source)| source.name() == from).map(|(name, _)| name.clone());
    let Some(latest_by) = written.latest_by.clone().or_else(mapped) else {
        return Err(format!(
            " needs latest_by: name the column of contract {} that has the time of a change; where columns does not map \
             it, it is read from `{from}`",
            written.contract
        ));
    };
    let given = written.columns.get(&latest_by);
    if given.is_some_and(|source| is_of_row(source) || is_of_side(source, root)) {
        return Err(format!(
            ": latest_by `{latest_by}` is read from the row inside an event, and a delete event has no row after the \
             change, so that nobody could say when it was; map `{latest_by}` to a time or number of the event, such as \
             `{from}`"
        ));
    }
    let is_plain = match given {
        None => true,
        Some(source) => source.read().is_none() && source.name() == from,
    };
    // A column that the contract lacks is refused with the mode.
    if let Some(column) = contract.column(latest_by.as_str()).filter(|_| is_plain) {
        let counts = column.column_type == ColumnType::Timestamp && column.format.strftime.is_none();
        let source = if counts {
            let formats = Some(vec!["epoch_milliseconds".to_owned()]);
            ColumnSource::Read(Box::new(ReadSpec { from, formats, ..ReadSpec::default() }))
        } else {
            ColumnSource::Name(from)
        };
        written.columns.insert(latest_by.clone(), source);
    }
    written.latest_by = Some(latest_by);
    Ok(())
}

fn is_op(name: &ColumnName) -> bool {
    name.as_str().eq_ignore_ascii_case(OP)
}

/// Whether a column is read from the row inside the event: neither from a path, which begins at the event, nor from the
/// origin of the event.
fn is_of_row(source: &ColumnSource) -> bool {
    !ColumnPath::is_meant(source.name()) && matches!(source.origin(), Ok(None))
}

/// Whether a column is read from a path into the row before or after the change.
fn is_of_side(source: &ColumnSource, root: &str) -> bool {
    let below = |side: &str| {
        let rest = source.name().strip_prefix(root)?.strip_prefix('.')?.strip_prefix(side)?;
        Some(rest.is_empty() || rest.starts_with(['.', '[']))
    };
    ["before", "after"].into_iter().any(|side| below(side) == Some(true))
}

/// The path of a column of the row before or after the change.
fn side(root: &str, side: &str, name: &str) -> String {
    format!("{root}.{side}{}", PathStep::Key(name.to_owned()))
}

fn read_from(source: &ColumnSource, from: String) -> ColumnSource {
    match source.read() {
        None => ColumnSource::Name(from),
        Some(read) => ColumnSource::Read(Box::new(ReadSpec { from, ..read.clone() })),
    }
}

#[cfg(test)]
mod tests;
