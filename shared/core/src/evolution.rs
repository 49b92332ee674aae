//! What a changed spec or contract means for the tables that exist.

use crate::columns::{SCD2, StoredColumn, delete_columns, is_lineage, silver_columns};
use crate::contract::TableContract;
use crate::name::{ColumnName, TableRef};
use crate::pipeline::{GoldTable, Pipeline, SilverTable, Source, WriteMode};

/// A table as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Existing<'a> {
    /// Its columns.
    pub columns: &'a [StoredColumn],
    /// Its partition columns, in order.
    pub partition_by: &'a [String],
}

impl Existing<'_> {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|stored| stored.name == column)
    }

    fn is_history(&self) -> bool {
        SCD2.iter().all(|(name, _)| self.has(name))
    }
}

/// Why a run refuses to write to a silver table: each problem with the fix. Empty where it goes on.
pub fn refusals_of_silver(silver: &SilverTable, existing: Existing<'_>) -> Vec<String> {
    let is_history = matches!(silver.mode, WriteMode::Scd2(_));
    if existing.is_history() != is_history {
        let (table, spec) = if is_history { ("no history", "is") } else { ("a history", "is not") };
        return vec![format!(
            "the table is {table} and mode {} {spec} one; keep the mode, or write to a new table",
            mode_name(&silver.mode)
        )];
    }
    let mut refused = Vec::new();
    let wanted = silver_columns(silver);
    for stored in existing.columns {
        let Some(column) = wanted.iter().find(|column| column.name == stored.name) else {
            refused.push(format!(
                "contract drops column `{}` that the table has; keep it, or write to a new table",
                stored.name
            ));
            continue;
        };
        if column.column_type != stored.column_type {
            refused.push(format!(
                "contract makes column `{}` {} but the table has {}; keep the type, or write to a new table",
                stored.name, column.column_type, stored.column_type
            ));
        }
    }
    for column in silver.contract.columns.iter().filter(|column| column.required && !existing.has(column.name.as_str()))
    {
        refused.push(format!(
            "contract adds required column `{}`, which the rows there do not have; make it optional first",
            column.name
        ));
    }
    refused.extend(other_partitions(&silver.contract, existing));
    refused
}

/// Why a run refuses to write to the table of a silver table's delete events: each problem with the fix. Events that
/// were stored by other keys could not be met with the rows that they end.
pub fn refusals_of_deletes(silver: &SilverTable, existing: Existing<'_>) -> Vec<String> {
    let Some((_, by)) = silver.deletes() else { return Vec::new() };
    let wanted = delete_columns(&silver.contract, by);
    let is_same = wanted.iter().all(|column| existing.columns.contains(column))
        && existing.columns.iter().all(|stored| wanted.contains(stored));
    if is_same {
        return Vec::new();
    }
    let stored: Vec<&str> =
        existing.columns.iter().map(|column| column.name.as_str()).filter(|name| !is_lineage(name)).collect();
    vec![format!(
        "it has delete events by [{}], and keys and latest_by of `{}` are other columns or have other types now; keep \
         them, or write to a new table",
        stored.join(", "),
        silver.table
    )]
}

/// Why a run refuses to write to a gold table. It is computed from scratch, so its columns may change.
pub fn refusals_of_gold(gold: &GoldTable, existing: Existing<'_>) -> Vec<String> {
    other_partitions(&gold.contract, existing).into_iter().collect()
}

fn other_partitions(contract: &TableContract, existing: Existing<'_>) -> Option<String> {
    let wanted: Vec<&str> = contract.partition_by.iter().map(|column| column.as_str()).collect();
    (existing.partition_by != wanted).then(|| {
        format!(
            "contract partitions by {wanted:?} but the table by {:?}; keep the partitions, or write to a new table",
            existing.partition_by
        )
    })
}

/// What a run goes on with although the spec says something else than at the run before: the rows that are stored stay
/// as they were written.
pub fn changes_of_meaning(before: &Pipeline, now: &Pipeline) -> Vec<(TableRef, String)> {
    let mut changes = Vec::new();
    for silver in &now.silver {
        let Some(old) = before.silver_table(&silver.table) else { continue };
        if let Some(change) = change_of_mode(&old.mode, &silver.mode) {
            changes.push((silver.table.clone(), change));
        }
        if let Some(change) = change_of_source(before.source_of(&old.table), now.source_of(&silver.table)) {
            changes.push((silver.table.clone(), change));
        }
        if let Some(change) = change_of_snapshots(old, silver).or_else(|| change_of_deletes(old, silver)) {
            changes.push((silver.table.clone(), change));
        }
    }
    changes
}

/// What it means for a table that it reads another source. A source is what its raw table has: its name may change.
fn change_of_source(old: Option<&Source>, new: Option<&Source>) -> Option<String> {
    let (old, new) = (old?, new?);
    let has_name = old.name.is_some() || new.name.is_some();
    (has_name && old.bronze != new.bronze).then(|| {
        format!(
            "its rows came from `{}` at the last run, and come from `{}` now; the table keeps those of the one and \
             gets those of the other: write to a new table if they do not belong together",
            old.bronze, new.bronze
        )
    })
}

/// What it means for a history that its deliveries are full snapshots now, or no longer.
fn change_of_snapshots(old: &SilverTable, new: &SilverTable) -> Option<String> {
    let (WriteMode::Scd2(_), WriteMode::Scd2(_)) = (&old.mode, &new.mode) else { return None };
    match (old.takes_snapshots(), new.takes_snapshots()) {
        (false, true) => Some(
            "snapshot is new; keys that the next delivery lacks end, also those that events brought, and deliveries \
             that come late change nothing: take it out if the deliveries are not full extracts"
                .to_owned(),
        ),
        (true, false) => Some(
            "snapshot was there at the last run and is gone; keys that a delivery lacks no longer end, and an event \
             that comes late may begin a key before the end that a snapshot gave it: put it back, or write to a new \
             table"
                .to_owned(),
        ),
        (true, true) | (false, false) => None,
    }
}

/// What another `delete_when` means for rows and events that are stored, where both modes merge rows.
fn change_of_deletes(old: &SilverTable, new: &SilverTable) -> Option<String> {
    let merges = |mode: &WriteMode| mode.versioned().is_some();
    if !(merges(&old.mode) && merges(&new.mode)) {
        return None;
    }
    match (&old.delete_when, &new.delete_when) {
        (None, Some(_)) => Some(
            "delete_when is new; delete events of earlier runs are in the table as rows, and end nothing: write to a \
             new table to have them end what was before them"
                .to_owned(),
        ),
        (Some(_), None) => Some(
            "delete_when was there at the last run and is gone; delete events become rows, and those of earlier runs \
             no longer end rows that come late: put it back, or write to a new table"
                .to_owned(),
        ),
        (Some(old), Some(new)) if old != new => Some(format!(
            "delete_when was {old} at the last run and is {new} now; rows and delete events that are stored stay what \
             they were: write to a new table to have all of them by the new condition"
        )),
        _ => None,
    }
}

fn change_of_mode(old: &WriteMode, new: &WriteMode) -> Option<String> {
    if mode_name(old) != mode_name(new) {
        return Some(format!(
            "mode was {} at the last run and is {} now; rows that are stored stay as they were written: write to a new \
             table to have all of them in the new mode",
            mode_name(old),
            mode_name(new)
        ));
    }
    if let (Some(old), Some(new)) = (old.keys(), new.keys())
        && old != new
    {
        return Some(format!(
            "keys were {} at the last run and are {} now; rows that are stored were merged by the old keys, so there may be \
             several of one new key: write to a new table",
            names(old),
            names(new)
        ));
    }
    let ((WriteMode::Merge(old), WriteMode::Merge(new)) | (WriteMode::Scd2(old), WriteMode::Scd2(new))) = (old, new)
    else {
        return None;
    };
    if old.latest_by != new.latest_by {
        return Some(format!(
            "latest_by was `{}` at the last run and is `{}` now; rows that were newest by the old column stay until their \
             keys come again",
            old.time(),
            new.time()
        ));
    }
    (old.track != new.track).then(|| {
        format!(
            "{} made a version at the last run, and {} makes one now; versions that are stored stay until their keys come \
             again",
            tracked(&old.track),
            tracked(&new.track)
        )
    })
}

/// What makes a version, in words: a run of an earlier version of Sluice compared nothing.
fn tracked(columns: &[ColumnName]) -> String {
    match columns {
        [] => "every event".to_owned(),
        columns => format!("a change of {}", names(columns)),
    }
}

fn names(columns: &[ColumnName]) -> String {
    format!("[{}]", columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn mode_name(mode: &WriteMode) -> &'static str {
    match mode {
        WriteMode::Append => "append",
        WriteMode::Replace => "replace",
        WriteMode::Merge(_) => "merge",
        WriteMode::Scd2(_) => "scd2",
        WriteMode::Snapshot(_) => "snapshot",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::columns::{UNCHANGED, lineage_names, stored};
    use crate::contract::ColumnType;
    use crate::spec::PipelineSpec;

    /// A pipeline whose silver table has this mode and these columns, as YAML.
    fn pipeline(mode: &str, columns: &[&str]) -> Pipeline {
        let spec = format!(
            "pipeline: p\ndomain: d\nsource: {{ prefix: landing/p, format: csv }}\nbronze: {{ table: t }}\nsilver:\n  \
             - {{ table: t, contract: t.yaml, columns: {{ id: id, at: at, v: v }}, {mode} }}\n"
        );
        let properties: String = columns.iter().map(|column| format!("      - {{ {column} }}\n")).collect();
        let contract = format!(
            "apiVersion: v3.2.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    \
             properties:\n{properties}"
        );
        let spec = PipelineSpec::parse(&spec, "pipeline.yaml").unwrap();
        let contracts = BTreeMap::from([("t.yaml".parse().unwrap(), contract)]);
        Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    const COLUMNS: [&str; 3] = [
        "name: id, logicalType: string, required: true",
        "name: at, logicalType: date, required: true",
        "name: v, logicalType: string",
    ];
    const MERGE: &str = "mode: merge, keys: [id], latest_by: at";
    const HISTORY: &str = "mode: scd2, keys: [id], latest_by: at";

    #[test]
    fn a_table_goes_on_with_its_own_spec_and_is_refused_with_one_that_breaks_it() {
        let check = |before: &str, now: Pipeline, says: &[&str]| {
            let before = pipeline(before, &COLUMNS);
            let columns = silver_columns(&before.silver[0]);
            let refused = refusals_of_silver(&now.silver[0], Existing { columns: &columns, partition_by: &[] });
            assert_eq!(refused.len(), says.len(), "{refused:?}");
            for (refused, says) in refused.iter().zip(says) {
                assert!(refused.contains(says) && refused.contains("; "), "{refused}");
            }
        };
        let changed = |place: usize, column: &'static str| {
            let mut columns = COLUMNS;
            columns[place] = column;
            pipeline("mode: append", &columns)
        };
        for mode in ["mode: append", "mode: replace", MERGE, HISTORY] {
            check(mode, pipeline(mode, &COLUMNS), &[]);
        }
        check("mode: append", pipeline(MERGE, &COLUMNS), &[]);
        check("mode: append", pipeline(HISTORY, &COLUMNS), &["the table is no history and mode scd2 is one"]);
        check(HISTORY, pipeline(MERGE, &COLUMNS), &["the table is a history and mode merge is not one"]);
        check(
            "mode: append",
            changed(2, "name: v, logicalType: date"),
            &["makes column `v` DATE but the table has STRING"],
        );
        let partitioned = changed(2, "name: v, logicalType: string, partitioned: true, partitionKeyPosition: 1");
        check("mode: append", partitioned, &["partitions by [\"v\"] but the table by []"]);
    }

    #[test]
    fn columns_that_come_and_go_are_refused_where_rows_cannot_have_them() {
        let now = pipeline("mode: append", &COLUMNS);
        let refused =
            |columns: &[StoredColumn]| refusals_of_silver(&now.silver[0], Existing { columns, partition_by: &[] });
        let mut columns = silver_columns(&now.silver[0]);
        columns.push(stored("old", ColumnType::Text));
        assert_eq!(
            refused(&columns),
            ["contract drops column `old` that the table has; keep it, or write to a new table"]
        );
        columns.retain(|column| !["old", "v", "at"].contains(&column.name.as_str()));
        assert_eq!(refused(&columns).len(), 1, "`v` is optional");
        assert!(refused(&columns)[0].contains("adds required column `at`"), "{:?}", refused(&columns));
    }

    /// Its table has no column for what versions remember, and each event is a row.
    #[test]
    fn a_history_of_a_version_that_compared_nothing_goes_on_and_is_noted() {
        let now = pipeline(HISTORY, &COLUMNS);
        let mut columns = silver_columns(&now.silver[0]);
        columns.retain(|column| column.name != UNCHANGED);
        let existing = Existing { columns: &columns, partition_by: &[] };
        assert_eq!(refusals_of_silver(&now.silver[0], existing), Vec::<String>::new());
        let mut before = now.clone();
        let WriteMode::Scd2(by) = &mut before.silver[0].mode else { panic!("no history") };
        by.track.clear();
        let changes = changes_of_meaning(&before, &now);
        let says = "every event made a version at the last run, and a change of [v] makes one now";
        assert!(changes.len() == 1 && changes[0].1.contains(says), "{changes:?}");
    }

    #[test]
    fn delete_events_by_other_keys_are_refused() {
        let feed = |mode: &str| pipeline(&format!("{mode}, delete_when: \"v = 'D'\""), &COLUMNS);
        let before = feed(MERGE);
        let tables: Vec<String> = before.tables().iter().map(ToString::to_string).collect();
        assert_eq!(tables, ["bronze/d/t", "quarantine/d/t", "deletes/d/t", "silver/d/t"]);
        let (_, by) = before.silver[0].deletes().unwrap();
        let columns = delete_columns(&before.silver[0].contract, by);
        let check = |mode: &str, says: Option<&str>| {
            let existing = Existing { columns: &columns, partition_by: &[] };
            let refused = refusals_of_deletes(&feed(mode).silver[0], existing);
            assert_eq!(refused.len(), usize::from(says.is_some()), "{mode}: {refused:?}");
            assert!(refused.iter().all(|refused| says.is_some_and(|says| refused.contains(says))), "{refused:?}");
        };
        check(MERGE, None);
        check(HISTORY, None);
        check("mode: merge, keys: [id, v], latest_by: at", Some("delete events by [id, at]"));
        check("mode: merge, keys: [v], latest_by: at", Some("keep them, or write to a new table"));
        check("mode: merge, keys: [id], latest_by: v", Some("silver/d/t"));
        check("mode: merge, keys: [id]", Some("delete events by [id, at]"));
    }

    /// Without `latest_by`, the time of an event is in the lineage, which the table of delete events has anyhow.
    #[test]
    fn delete_events_by_the_time_of_files_are_stored_with_keys_and_lineage() {
        let feed = |mode: &str| pipeline(&format!("{mode}, delete_when: \"v = 'D'\""), &COLUMNS);
        for mode in ["mode: merge, keys: [id]", "mode: scd2, keys: [id]"] {
            let now = feed(mode);
            let (_, by) = now.silver[0].deletes().unwrap();
            let columns = delete_columns(&now.silver[0].contract, by);
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(names, [&["id"][..], &lineage_names()[..]].concat(), "{mode}");
            let existing = Existing { columns: &columns, partition_by: &[] };
            assert_eq!(refusals_of_deletes(&now.silver[0], existing), Vec::<String>::new());
            let by_day = feed(&format!("{mode}, latest_by: at"));
            let refused = refusals_of_deletes(&by_day.silver[0], existing);
            assert!(refused[0].contains("delete events by [id]"), "{refused:?}");
        }
    }

    #[test]
    fn changed_keys_and_modes_are_noted() {
        let check = |before: &str, now: &str, says: Option<&str>| {
            let changes = changes_of_meaning(&pipeline(before, &COLUMNS), &pipeline(now, &COLUMNS));
            assert_eq!(changes.len(), usize::from(says.is_some()), "{before} to {now}: {changes:?}");
            assert!(changes.iter().all(|(table, change)| {
                table.to_string() == "silver/d/t" && says.is_some_and(|says| change.contains(says))
            }));
        };
        check(MERGE, MERGE, None);
        check("mode: append", MERGE, Some("mode was append at the last run and is merge now"));
        check(MERGE, "mode: merge, keys: [v], latest_by: at", Some("keys were [id] at the last run and are [v] now"));
        check(HISTORY, "mode: scd2, keys: [id, v], latest_by: at", Some("are [id, v] now"));
        check(MERGE, "mode: merge, keys: [id], latest_by: v", Some("latest_by was `at`"));
        let feed = |condition: &str| format!("{MERGE}, delete_when: \"{condition}\"");
        check(&feed("v = 'D'"), &feed("v = 'D'"), None);
        check(MERGE, &feed("v = 'D'"), Some("delete_when is new; delete events of earlier runs are in the table"));
        check(&feed("v = 'D'"), MERGE, Some("no longer end rows that come late"));
        check(&feed("v = 'D'"), &feed("v = 'X'"), Some("delete_when was v = 'D' at the last run and is v = 'X' now"));
        check("mode: append", &feed("v = 'D'"), Some("mode was append at the last run and is merge now"));
        check(MERGE, "mode: merge, keys: [id]", Some("is `_source_modified_at` now"));
        check("mode: snapshot, keys: [id]", "mode: snapshot, keys: [id, v]", Some("are [id, v] now"));
        check(MERGE, "mode: snapshot, keys: [id]", Some("mode was merge at the last run and is snapshot now"));
        check(&feed("v = 'D'"), "mode: snapshot, keys: [id]", Some("is snapshot now"));
    }

    #[test]
    fn a_history_that_begins_or_ceases_to_take_full_snapshots_is_noted() {
        let events = "mode: scd2, keys: [id]";
        let feed = "mode: scd2, keys: [id], delete_when: \"v = 'D'\"";
        let snapshots = "mode: scd2, keys: [id], snapshot: object";
        let check = |before: &str, now: &str, says: Option<&str>| {
            let changes = changes_of_meaning(&pipeline(before, &COLUMNS), &pipeline(now, &COLUMNS));
            assert_eq!(changes.len(), usize::from(says.is_some()), "{before} to {now}: {changes:?}");
            assert!(changes.iter().all(|(_, change)| says.is_some_and(|says| change.contains(says))), "{changes:?}");
        };
        check(snapshots, snapshots, None);
        check(snapshots, "mode: scd2, keys: [id], snapshot: folder", None);
        check(events, snapshots, Some("snapshot is new; keys that the next delivery lacks end"));
        check(feed, snapshots, Some("snapshot is new; keys that the next delivery lacks end"));
        check(snapshots, events, Some("keys that a delivery lacks no longer end"));
        check(snapshots, feed, Some("keys that a delivery lacks no longer end"));
    }
}
