//! A silver table in Spark SQL: rows read as the contract says, projected, checked, split, and brought into the table.

use super::SparkError;
use super::cast;
use super::rules::{self, RowTest};
use super::sql::{self, Relation, SparkQuery};
use super::tables::{Stage, columns_of};
use super::text::{canonical, name, names, text, type_name};
use crate::columns::{CORRUPT, NEWER, accepted_columns, lineage_names, quarantine_columns, silver_columns, stored};
use crate::contract::{ColumnType, Severity};
use crate::name::TableRef;
use crate::pipeline::{SilverTable, Versioned, WriteMode};
use crate::run::PlannedWork;
use crate::uri::{FolderUri, layout};

/// What decides where a row goes, in addition to its values.
const FLAGS: [&str; 3] = ["_raw", "_lacks_silver", "_lacks_quarantine"];

/// The statements of one silver table and its quarantine.
pub(super) struct Silver<'a> {
    /// The lake's root.
    pub(super) lake: &'a FolderUri,
    /// The plan's work.
    pub(super) plan: PlannedWork<'a>,
    /// The table.
    pub(super) table: &'a SilverTable,
    /// Number of the table, from 1.
    pub(super) number: usize,
}

impl Silver<'_> {
    /// Everything up to the staged files of both tables; the tests are given to the audit.
    ///
    /// # Errors
    /// [`SparkError`] for a contract or SQL that is not executed.
    pub(super) fn statements(&self, from: &str) -> Result<(String, Vec<RowTest>), SparkError> {
        let number = self.number;
        let projected = self.projection()?;
        let tests = rules::of_source(self.table)?;
        let mut script = self.typed_view(from)?;
        script.push_str(&format!("CREATE OR REPLACE TEMPORARY VIEW projected_{number} AS\n{};\n\n", projected.text));
        script.push_str(&format!(
            "-- Every row with the verdict of its own rules.\n\
             CREATE OR REPLACE TEMPORARY VIEW checked_{number} AS\nSELECT *,\n  ({})\n  AS _bad\nFROM projected_{number};\n\n",
            rules::any_error(&tests)
        ));
        script.push_str(&self.accept(&projected)?);
        script.push_str(&self.refuse(&tests)?);
        Ok((script, tests))
    }

    fn carried(&self) -> Vec<String> {
        let flags = self.table.columns.iter().map(|(column, _)| cast::unreadable_name(column.as_str()));
        let fixed = lineage_names().into_iter().chain(CORRUPT).chain(FLAGS).map(str::to_owned);
        fixed.chain(flags).collect()
    }

    fn projection(&self) -> Result<SparkQuery, SparkError> {
        let mut columns = Vec::new();
        for (column, _) in &self.table.columns {
            let typed = self.table.contract.column(column.as_str()).map(|c| c.column_type.clone());
            columns.push((column.to_string(), typed.unwrap_or(ColumnType::Text)));
        }
        let bronze = Relation { name: format!("typed_{}", self.number), columns };
        let statement = self.table.projection().map_err(|source| self.sql_error(source))?;
        let carried = self.carried();
        let carried: Vec<&str> = carried.iter().map(String::as_str).collect();
        sql::projection(&statement, &bronze, &carried).map_err(|source| self.sql_error(source))
    }

    fn sql_error(&self, source: crate::sql::SqlError) -> SparkError {
        SparkError::Sql { table: self.table.table.clone(), source }
    }

    /// The mapped columns read as the contract's types, with the texts that could not be read.
    fn typed_view(&self, from: &str) -> Result<String, SparkError> {
        let fixed = || lineage_names().into_iter().chain(CORRUPT).chain(FLAGS).map(name);
        let (mut given, mut typed) = (fixed().collect::<Vec<_>>(), fixed().collect::<Vec<_>>());
        let mut shown = typed.clone();
        for (column, source) in &self.table.columns {
            let Some(contracted) = self.table.contract.column(column.as_str()) else { continue };
            let own = column.as_str();
            let (given_name, text_name) = (name(&cast::given_name(own)), name(&cast::trimmed_name(own)));
            given.push(format!("{} AS {given_name}", name(source)));
            given.push(format!("{} AS {text_name}", cast::trimmed(source)));
            typed.extend([given_name, text_name, format!("{} AS {}", cast::typed(contracted)?, name(own))]);
            let unreadable = name(&cast::unreadable_name(own));
            shown.extend([name(own), format!("{} AS {unreadable}", cast::unreadable(contracted))]);
        }
        Ok(format!(
            "-- Source text as the contract's types; what cannot be read is null, with the text kept in a column next to it.\n\
             CREATE OR REPLACE TEMPORARY VIEW typed_{number} AS\nSELECT {shown}\nFROM (\nSELECT {typed}\nFROM (\nSELECT {given}\nFROM (\n{from}\n)));\n\n",
            number = self.number,
            shown = shown.join(",\n  "),
            typed = typed.join(",\n  "),
            given = given.join(",\n  "),
        ))
    }

    fn stage(&self) -> Result<Stage, SparkError> {
        Stage::new(
            self.lake,
            self.plan.run,
            &self.table.table,
            silver_columns(self.table),
            &self.table.contract.partition_by,
        )
    }

    /// Rows that break no error rule, in the contract's types, brought into the table by its mode.
    fn accept(&self, projected: &SparkQuery) -> Result<String, SparkError> {
        let number = self.number;
        let good = SparkQuery {
            text: format!("SELECT * FROM checked_{number} WHERE NOT _bad AND _lacks_silver"),
            columns: projected.columns.clone(),
        };
        let lineage = lineage_names();
        let conformed = sql::conform(&good, &self.table.contract, &lineage)
            .map_err(|source| SparkError::Conform { table: self.table.table.clone(), source })?;
        let stage = self.stage()?;
        let (by, history) = match &self.table.mode {
            WriteMode::Append | WriteMode::Replace => {
                return Ok(format!("{}{}", stage.create(), stage.insert(&format!("(\n{conformed}\n)"))));
            }
            WriteMode::Merge(by) => (by, false),
            WriteMode::Scd2(by) => (by, true),
        };
        let good = Stage::aside(&format!("good_{number}"), &self.scratch(), accepted_columns(self.table));
        let mut script = format!(
            "-- Accepted rows, kept aside because they are read several times.\n{}{}",
            good.create(),
            good.insert(&format!("(\n{conformed}\n)"))
        );
        script.push_str(&self.existing(by, history)?);
        script.push_str(&stage.create());
        script.push_str(&stage.insert(&if history { self.versions(by) } else { self.newest(by) }));
        Ok(script)
    }

    fn scratch(&self) -> String {
        self.lake.object(&layout::scratch(self.plan.run)).hadoop_path()
    }

    /// The accepted rows, together with the rows of those files of the table that hold a key of an accepted row. Those of
    /// a history say whether they are new, and until when they are valid as the table has it.
    fn existing(&self, by: &Versioned, history: bool) -> Result<String, SparkError> {
        let number = self.number;
        let incoming = columns_of(&accepted_columns(self.table));
        let (new, stored_rows, stored_end) = if history {
            let new = ", TRUE AS _is_new, CAST(NULL AS TIMESTAMP) AS _stored_valid_to";
            (new, ", FALSE AS _is_new, _stored_valid_to", ", e._valid_to AS _stored_valid_to")
        } else {
            ("", "", "")
        };
        let planned = self.plan.table(&self.table.table);
        let Some((table, version)) = planned.and_then(|table| Some((table, table.read_version?))) else {
            return Ok(format!(
                "CREATE OR REPLACE TEMPORARY VIEW candidates_{number} AS SELECT {incoming}{new} FROM good_{number};\n\n"
            ));
        };
        let delta = delta_table(self.lake, &self.table.table, version);
        let same_key = |left: &str, right: &str| {
            let keys = by.keys.iter().map(|key| {
                let key = name(key.as_str());
                format!("{left}.{key} <=> {right}.{key}")
            });
            keys.collect::<Vec<_>>().join(" AND ")
        };
        let known = |column: &str| table.columns.iter().any(|stored| stored.name == column);
        let old: Vec<String> = accepted_columns(self.table)
            .iter()
            .map(|column| {
                let shown = name(&column.name);
                // A column that the contract has gained since: the rows there do not have it.
                if known(&column.name) {
                    format!("e.{shown}")
                } else {
                    format!("CAST(NULL AS {}) AS {shown}", type_name(&column.column_type))
                }
            })
            .collect();
        let touched =
            Stage::aside(&format!("touched_{number}"), &self.scratch(), vec![stored("file", ColumnType::Text)]);
        let met = format!(
            "(\n  SELECT DISTINCT e.file FROM (SELECT *, _metadata.file_path AS file FROM {delta}) AS e\n  \
             LEFT SEMI JOIN good_{number} AS g ON {}\n)",
            same_key("e", "g")
        );
        Ok(format!(
            "-- Files of the table that hold a key of an accepted row: they are rewritten, the others stay.\n\
             {create}{fill}\
             CREATE OR REPLACE TEMPORARY VIEW replaced_{number} AS\n\
             SELECT {old}{stored_end} FROM (SELECT *, _metadata.file_path AS file FROM {delta}) AS e\n\
             LEFT SEMI JOIN touched_{number} AS t ON e.file = t.file;\n\n\
             CREATE OR REPLACE TEMPORARY VIEW candidates_{number} AS\n\
             SELECT {incoming}{new} FROM good_{number}\nUNION ALL\nSELECT {incoming}{stored_rows} FROM replaced_{number};\n\n",
            create = touched.create(),
            fill = touched.insert(&met),
            old = old.join(", "),
        ))
    }

    /// The newest row of each key: by the business column, then as [`NEWER`] says.
    fn newest(&self, by: &Versioned) -> String {
        let keys: Vec<&str> = by.keys.iter().map(|key| key.as_str()).collect();
        self.last_of(&keys, by, "")
    }

    /// The last row of each identity; `further` are columns next to those of the table.
    fn last_of(&self, identity: &[&str], by: &Versioned, further: &str) -> String {
        let number = self.number;
        let order: Vec<String> = std::iter::once(by.latest_by.as_str())
            .chain(NEWER)
            .map(|column| format!("{} DESC NULLS LAST", name(column)))
            .collect();
        format!(
            "(\n  SELECT {columns}{further} FROM (\n    SELECT *, row_number() OVER (PARTITION BY {identity} ORDER BY {order}) AS _place\n    \
             FROM candidates_{number}\n  ) WHERE _place = 1\n)",
            columns = columns_of(&accepted_columns(self.table)),
            identity = names(identity.iter().copied()),
            order = order.join(", "),
        )
    }

    /// Every version of each key, with the time it was valid. Of a key that has a new version, all are read; of
    /// others, which stand in a file with such a key, there may be more in other files: they stay as they are.
    fn versions(&self, by: &Versioned) -> String {
        let keys: Vec<&str> = by.keys.iter().map(|key| key.as_str()).collect();
        let identity: Vec<&str> = keys.iter().copied().chain([by.latest_by.as_str()]).collect();
        let (latest, keys) = (name(by.latest_by.as_str()), names(keys));
        let columns = columns_of(&accepted_columns(self.table));
        format!(
            "(\n  SELECT {columns}, _valid_from, _valid_to, _valid_to IS NULL AS _is_current FROM (\n    \
             SELECT {columns}, CAST({latest} AS TIMESTAMP) AS _valid_from,\n      \
             IF(max(_is_new) OVER (PARTITION BY {keys}),\n        \
             lead(CAST({latest} AS TIMESTAMP)) OVER (PARTITION BY {keys} ORDER BY {latest} ASC NULLS FIRST),\n        \
             _stored_valid_to) AS _valid_to\n    \
             FROM {}\n  )\n)",
            self.last_of(&identity, by, ", _is_new, _stored_valid_to")
        )
    }

    /// Rows that break an error rule, with every rule they broke.
    fn refuse(&self, tests: &[RowTest]) -> Result<String, SparkError> {
        let number = self.number;
        let stage = Stage::new(self.lake, self.plan.run, &self.table.quarantine, quarantine_columns(), &[])?;
        let lineage = names(lineage_names());
        let insert = stage.insert(&format!(
            "(\n  SELECT {lineage},\n    {} AS _broken_rules,\n    _raw\n  FROM checked_{number} WHERE _bad AND _lacks_quarantine\n)",
            rules::broken_rules(tests)
        ));
        Ok(format!("{}{insert}", stage.create()))
    }

    /// What was counted on the way, as a query of metric lines.
    pub(super) fn counts(&self, tests: &[RowTest]) -> String {
        let number = self.number;
        let mut measured = vec![
            ("source_rows", None, "count_if(_lacks_silver)".to_owned()),
            ("accepted_rows", None, "count_if(_lacks_silver AND NOT _bad)".to_owned()),
            ("quarantined_rows", None, "count_if(_lacks_silver AND _bad)".to_owned()),
        ];
        for test in tests {
            let (id, broken) = (Some(test.id.as_str()), &test.broken);
            measured.push(match test.severity {
                Severity::Warning => ("broken_rule", id, format!("count_if(_lacks_silver AND NOT _bad AND {broken})")),
                Severity::Error => ("broken_rule", id, format!("count_if(_lacks_quarantine AND _bad AND {broken})")),
            });
        }
        let merges = matches!(self.table.mode, WriteMode::Merge(_) | WriteMode::Scd2(_));
        let exists = self.plan.table(&self.table.table).is_some_and(|table| table.read_version.is_some());
        if merges && !exists {
            measured.push(("replaced_rows", None, "CAST(0 AS BIGINT)".to_owned()));
        }
        let mut lines = metric_lines(&self.table.table, &measured, &format!("checked_{number}"));
        if merges && exists {
            let measured = [("replaced_rows", None, "count(*)".to_owned())];
            lines.push_str("\nUNION ALL\n");
            lines.push_str(&metric_lines(&self.table.table, &measured, &format!("replaced_{number}")));
            lines.push_str(&format!(
                "\nUNION ALL\nSELECT {} AS table, 'removed_file' AS metric, CAST(NULL AS STRING) AS rule, file AS value FROM touched_{number}",
                text(&self.table.table.to_string())
            ));
        }
        lines
    }
}

/// Numbers of one scan as metric lines.
pub(super) fn metric_lines(table: &TableRef, measured: &[(&str, Option<&str>, String)], from: &str) -> String {
    let numbers: Vec<String> =
        measured.iter().enumerate().map(|(index, (.., number))| format!("{number} AS n{index}")).collect();
    let lines: Vec<String> = measured
        .iter()
        .enumerate()
        .map(|(index, (metric, rule, _))| {
            let rule = rule.map_or_else(|| "CAST(NULL AS STRING)".to_owned(), text);
            format!("'{metric}', {rule}, CAST(n{index} AS STRING)")
        })
        .collect();
    format!(
        "SELECT {} AS table, stack({}, {}) AS (metric, rule, value)\nFROM (SELECT {} FROM {from})",
        text(&table.to_string()),
        lines.len(),
        lines.join(",\n  "),
        numbers.join(",\n  ")
    )
}

/// A table at a version, for `FROM`.
pub(super) fn delta_table(lake: &FolderUri, table: &TableRef, version: u64) -> String {
    format!("delta.{} VERSION AS OF {version}", name(&lake.object(&layout::table(table)).hadoop_path()))
}

/// A column as text, for rules about stored rows.
pub(super) fn shown(column: &crate::contract::Column) -> String {
    canonical(column.name.as_str(), &column.column_type)
}
