//! Histories in Spark SQL: the versions of each key, and the events that changed nothing, as the other engine finds them.

use sluice_core::columns::{IS_DELETE, NEWER, SOURCE_FILE, SOURCE_MODIFIED_AT, SOURCE_ROW, StoredColumn, stored};
use sluice_core::contract::ColumnType;
use sluice_core::pipeline::Versioned;

use super::tables::columns_of;
use super::text::{name, names, text, type_name};

/// What a version remembers of an event that changed nothing, next to its time (`at`), in the order in which it is
/// written: the field, its type, and the column that it is of. Times are microseconds of Unix time.
const REMEMBERED: [(&str, &str, &str); 6] = [
    ("file", "STRING", SOURCE_FILE),
    ("etag", "STRING", "_source_etag"),
    ("modified_at", "BIGINT", SOURCE_MODIFIED_AT),
    ("row", "BIGINT", SOURCE_ROW),
    ("ingested_at", "BIGINT", "_ingested_at"),
    ("run_id", "STRING", "_run_id"),
];

/// The versions of a history, from the rows in `candidates_<number>`.
pub(super) struct Versions<'a> {
    /// Number of the table.
    pub(super) number: usize,
    /// Columns of accepted rows.
    pub(super) columns: &'a [StoredColumn],
    /// What is a key, when a row was true, and what makes a version.
    pub(super) by: &'a Versioned,
    /// Whether some of the rows are delete events, as their column [`IS_DELETE`] says.
    pub(super) has_deletes: bool,
}

impl Versions<'_> {
    /// The view with the versions.
    pub(super) fn view(&self) -> String {
        format!("versions_{}", self.number)
    }

    fn keys(&self) -> String {
        names(self.by.keys.iter().map(|key| key.as_str()))
    }

    /// Events of a key in their order.
    fn in_order(&self) -> String {
        format!("PARTITION BY {} ORDER BY {} ASC NULLS FIRST", self.keys(), name(self.by.time()))
    }

    /// The columns of an event: those of a row, and whether it is a delete event.
    fn event_columns(&self) -> Vec<StoredColumn> {
        let is_delete = self.has_deletes.then(|| stored(IS_DELETE, ColumnType::Boolean));
        self.columns.iter().cloned().chain(is_delete).collect()
    }

    /// The views up to [`Self::view`]. Of a key that has a new row or delete event, all versions and events are read; of
    /// others, which stand in a file with such a key, there may be more in other files: they stay as they are.
    pub(super) fn statements(&self) -> String {
        format!("{}{}{}", self.events(), self.compared(), self.versions())
    }

    /// The events of keys that have a new row. Those that changed nothing are rows again: a late one may have come
    /// between.
    fn events(&self) -> String {
        let (number, columns, keys) = (self.number, columns_of(&self.event_columns()), self.keys());
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW met_{number} AS\n\
             SELECT *, max(_is_new) OVER (PARTITION BY {keys}) AS _is_met FROM candidates_{number};\n\n\
             -- Events that changed nothing are rows again: a late one may have come between.\n\
             CREATE OR REPLACE TEMPORARY VIEW events_{number} AS\n\
             SELECT {columns} FROM met_{number} WHERE _is_met\nUNION ALL\n\
             SELECT {recalled}{live} FROM (\n  \
             SELECT *, explode({events}) AS _event FROM met_{number} WHERE _is_met AND _unchanged IS NOT NULL\n);\n\n",
            recalled = self.recalled_columns(),
            live = if self.has_deletes { ", FALSE AS _is_delete" } else { "" },
            events = remembered(),
        )
    }

    /// The events with the number of the version that they belong to.
    fn compared(&self) -> String {
        let number = self.number;
        let identity: Vec<&str> = self.by.keys.iter().map(|key| key.as_str()).chain([self.by.time()]).collect();
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW compared_{number} AS\n\
             SELECT *, sum(IF(_repeats, 0, 1)) OVER (\n  \
             {in_order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW\n) AS _version FROM (\n  \
             SELECT *, {repeats} AS _repeats FROM {latest}\n);\n\n",
            in_order = self.in_order(),
            repeats = self.repeats(),
            latest = last_of(&self.event_columns(), &identity, self.by, &format!("events_{number}"), ""),
        )
    }

    /// The versions, with what each remembers and the time it was valid: until the next version or delete event.
    fn versions(&self) -> String {
        let (number, columns, time) = (self.number, columns_of(self.columns), name(self.by.time()));
        let events = columns_of(&self.event_columns());
        let kept = if self.has_deletes { " WHERE NOT _is_delete" } else { "" };
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW {view} AS\n\
             SELECT {columns}, _valid_from, _valid_to, _valid_to IS NULL AS _is_current, _unchanged FROM (\n  \
             SELECT {events}, _valid_from, lead(_valid_from) OVER ({in_order}) AS _valid_to,\n    \
             IF(size(_events) > 0, to_json(_events), NULL) AS _unchanged FROM (\n    \
             SELECT *, CAST({time} AS TIMESTAMP) AS _valid_from, collect_list(IF(_repeats, {event}, NULL)) OVER (\n      \
             PARTITION BY {keys}, _version ORDER BY {time} ASC NULLS FIRST\n      \
             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING\n    ) AS _events FROM compared_{number}\n  \
             ) WHERE NOT _repeats\n  UNION ALL\n  \
             SELECT {events}, CAST({time} AS TIMESTAMP) AS _valid_from, _stored_valid_to AS _valid_to, _unchanged\n  \
             FROM met_{number} WHERE NOT _is_met\n){kept};\n\n",
            view = self.view(),
            in_order = self.in_order(),
            event = self.event(),
            keys = self.keys(),
        )
    }

    /// Whether an event has the values of the one before it, and neither is a delete event.
    fn repeats(&self) -> String {
        if self.by.track.is_empty() {
            return "FALSE".to_owned();
        }
        let values = format!("struct({})", names(self.by.track.iter().map(|column| column.as_str())));
        let in_order = self.in_order();
        let live = if self.has_deletes {
            format!(" AND NOT _is_delete AND NOT lag(_is_delete, 1, TRUE) OVER ({in_order})")
        } else {
            String::new()
        };
        format!("{values} <=> lag({values}) OVER ({in_order}){live}")
    }

    /// The columns of a remembered event: those of its version, with its own time and lineage.
    fn recalled_columns(&self) -> String {
        let shown = |column: &StoredColumn| {
            let own = REMEMBERED.iter().find(|(.., of)| *of == column.name).map(|(field, ..)| *field);
            let field = if column.name == self.by.time() { Some("at") } else { own };
            let Some(field) = field else { return name(&column.name) };
            let value = format!("_event.{}", name(field));
            let value = match &column.column_type {
                ColumnType::Timestamp => format!("timestamp_micros({value})"),
                ColumnType::Date => format!("CAST(timestamp_micros({value}) AS DATE)"),
                other => format!("CAST({value} AS {})", type_name(other)),
            };
            format!("{value} AS {}", name(&column.name))
        };
        self.columns.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// An event as its version remembers it.
    fn event(&self) -> String {
        let micros = |column: &str| format!("unix_micros(CAST({} AS TIMESTAMP))", name(column));
        let mut fields = vec![format!("'at', {}", micros(self.by.time()))];
        for (field, _, column) in REMEMBERED {
            let is_time = [SOURCE_MODIFIED_AT, "_ingested_at"].contains(&column);
            let value = if is_time { micros(column) } else { name(column) };
            fields.push(format!("{}, {value}", text(field)));
        }
        format!("named_struct({})", fields.join(", "))
    }
}

/// What a version remembers, as a list. A text that nobody wrote so fails the run.
fn remembered() -> String {
    let fields: Vec<String> = [("at", "BIGINT", "")]
        .into_iter()
        .chain(REMEMBERED)
        .map(|(field, field_type, _)| format!("{}: {field_type}", name(field)))
        .collect();
    let schema = text(&format!("ARRAY<STRUCT<{}>>", fields.join(", ")));
    format!("from_json(_unchanged, {schema}, map('mode', 'FAILFAST'))")
}

/// The staged rows of a history that were no rows before: neither new, nor in the files that they replace.
pub(super) fn recalled(number: usize, stage: &str, by: &Versioned) -> String {
    let event = by.keys.iter().map(|key| key.as_str()).chain([by.time()]);
    let same = event.chain(REMEMBERED.map(|(.., column)| column)).map(|column| {
        let column = name(column);
        format!("s.{column} <=> c.{column}")
    });
    format!(
        "(\n  SELECT s.* FROM {stage} AS s LEFT ANTI JOIN candidates_{number} AS c ON {}\n)",
        same.collect::<Vec<_>>().join(" AND ")
    )
}

/// The last row of each identity in a view: by the business column, if any, then as [`NEWER`] says. `kept` is a further
/// condition on it, which begins with `AND`.
pub(super) fn last_of(columns: &[StoredColumn], identity: &[&str], by: &Versioned, view: &str, kept: &str) -> String {
    let order: Vec<String> = by
        .latest_by
        .iter()
        .map(|column| column.as_str())
        .chain(NEWER)
        .map(|column| format!("{} DESC NULLS LAST", name(column)))
        .collect();
    format!(
        "(\n  SELECT {columns} FROM (\n    SELECT *, row_number() OVER (PARTITION BY {identity} ORDER BY {order}) AS _place\n    \
         FROM {view}\n  ) WHERE _place = 1{kept}\n)",
        columns = columns_of(columns),
        identity = names(identity.iter().copied()),
        order = order.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_where_a_tracked_column_changes() {
        let check = |latest_by: Option<&str>, track: &[&str], expected: &[&str]| {
            let names = |all: &[&str]| all.iter().map(|name| name.parse().expect("name")).collect();
            let by = Versioned {
                keys: names(&["id"]),
                latest_by: latest_by.map(|name| name.parse().expect("name")),
                track: names(track),
            };
            let columns = [
                stored("id", ColumnType::Int64),
                stored("day", ColumnType::Date),
                stored(SOURCE_FILE, ColumnType::Text),
                stored(SOURCE_MODIFIED_AT, ColumnType::Timestamp),
            ];
            let script = |has_deletes| Versions { number: 3, columns: &columns, by: &by, has_deletes }.statements();
            for has_deletes in [false, true] {
                let script = script(has_deletes);
                for part in expected {
                    assert!(script.contains(part), "{part}: {script}");
                }
                assert_eq!(script.contains("_is_delete"), has_deletes, "{script}");
            }
        };
        check(
            Some("day"),
            &["a", "b"],
            &[
                "struct(`a`, `b`) <=> lag(struct(`a`, `b`)) OVER (PARTITION BY `id` ORDER BY `day` ASC NULLS FIRST)",
                "CAST(timestamp_micros(_event.`at`) AS DATE) AS `day`, CAST(_event.`file` AS STRING) AS `_source_file`",
                "timestamp_micros(_event.`modified_at`) AS `_source_modified_at`",
                "ORDER BY `day` DESC NULLS LAST, `_source_modified_at` DESC NULLS LAST",
                "'ARRAY<STRUCT<`at`: BIGINT, `file`: STRING,",
            ],
        );
        check(
            None,
            &[],
            &[
                "FALSE AS _repeats",
                "ORDER BY `_source_modified_at` ASC NULLS FIRST",
                "`day`, CAST(_event.`file` AS STRING)",
                "timestamp_micros(_event.`at`) AS `_source_modified_at`",
            ],
        );
    }

    #[test]
    fn a_delete_event_ends_a_version_and_is_none() {
        let name = |name: &str| name.parse().expect("name");
        let by = Versioned { keys: vec![name("id")], latest_by: Some(name("day")), track: vec![name("a")] };
        let columns = [stored("id", ColumnType::Int64), stored("day", ColumnType::Date)];
        let script = Versions { number: 3, columns: &columns, by: &by, has_deletes: true }.statements();
        for part in [
            // Two equal events with a delete event between them are two versions.
            "AND NOT _is_delete AND NOT lag(_is_delete, 1, TRUE) OVER (PARTITION BY `id` ORDER BY `day` ASC NULLS FIRST)",
            // What a version remembered is no delete event.
            "FALSE AS _is_delete FROM (\n  SELECT *, explode(",
            // Delete events go through the search of the last event of a time, and are in it when ends are found.
            "SELECT `id`, `day`, `_is_delete` FROM met_3 WHERE _is_met",
            "SELECT `id`, `day`, `_is_delete`, _valid_from, lead(_valid_from) OVER (",
            "FROM met_3 WHERE NOT _is_met\n) WHERE NOT _is_delete;",
        ] {
            assert!(script.contains(part), "{part}: {script}");
        }
    }
}
