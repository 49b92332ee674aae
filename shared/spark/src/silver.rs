//! A silver table in Spark SQL: the rows that reading has staged, brought into the table.

use sluice_core::columns::{UNCHANGED, accepted_columns, delete_columns, is_lineage, silver_columns, stored};
use sluice_core::contract::ColumnType;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{SilverTable, Versioned, WriteMode};
use sluice_core::uri::{FolderUri, LakePath, layout};

use super::files::{StagedRows, null_of};
use super::history::{Versions, last_of, recalled};
use super::tables::{Stage, columns_of, stage_name, stage_view};
use super::text::{canonical, name, names, text};
use super::{ReadRows, RowsFile, SparkError, TableFiles};

/// The statements of one silver table.
pub(super) struct Silver<'a> {
    /// What the script is for.
    pub(super) rows: ReadRows<'a>,
    /// The table.
    pub(super) table: &'a SilverTable,
    /// What reading has staged for it.
    pub(super) read: &'a TableFiles,
    /// Number of the table, from 1.
    pub(super) number: usize,
}

impl Silver<'_> {
    /// Everything up to the staged rows of the table.
    ///
    /// # Errors
    /// [`SparkError`] for a table that cannot be staged.
    pub(super) fn statements(&self) -> Result<String, SparkError> {
        let (by, history) = match &self.table.mode {
            WriteMode::Append | WriteMode::Replace => return Ok(self.staged_by_reading()),
            WriteMode::Merge(by) => (by, false),
            WriteMode::Scd2(by) if self.table.snapshot.is_none() => (by, true),
            WriteMode::Scd2(_) | WriteMode::Snapshot(_) => return Err(self.not_of_spark()),
        };
        let stage = self.stage()?;
        let mut script = self.good();
        script.push_str(&self.deletes());
        script.push_str(&self.existing(by, history)?);
        let kept = if history {
            let has_deletes = self.table.delete_when.is_some();
            let versions = Versions { number: self.number, columns: &accepted_columns(self.table), by, has_deletes };
            script.push_str(&versions.statements());
            versions.view()
        } else {
            self.newest(by)
        };
        script.push_str(&stage.create());
        script.push_str(&stage.insert(&kept));
        Ok(script)
    }

    /// A plan never says so, because such tables are combined by lambda.
    fn not_of_spark(&self) -> SparkError {
        SparkError::NotExecuted {
            what: format!("table `{}`, whose snapshots are compared with its rows,", self.table.table),
            hint: "run it with `--engine lambda`".to_owned(),
        }
    }

    /// Where nothing is merged, the files that reading has staged are those of the table.
    fn staged_by_reading(&self) -> String {
        let view = stage_view(&self.table.table);
        let (folder, columns) = (layout::table(&self.table.table), silver_columns(self.table));
        let (lake, files) = (self.rows.lake, self.read.accepted_files.as_slice());
        let partition_by = &self.table.contract.partition_by;
        StagedRows { view: &view, lake, folder: &folder, files, columns: &columns, partition_by }.statements()
    }

    /// The typed rows of the run.
    fn good(&self) -> String {
        let view = format!("good_{}", self.number);
        let folder = layout::typed(self.rows.plan.run, &self.table.table);
        let (lake, files) = (self.rows.lake, self.read.accepted_files.as_slice());
        let columns = accepted_columns(self.table);
        StagedRows { view: &view, lake, folder: &folder, files, columns: &columns, partition_by: &[] }.statements()
    }

    /// The delete events of the run, and the keys that it brings; nothing where the table has no such events.
    fn deletes(&self) -> String {
        let Some((deletes, by)) = self.table.deletes() else { return String::new() };
        let number = self.number;
        let columns = delete_columns(&self.table.contract, by);
        let staged = |view: &str, folder: &LakePath, files: &[RowsFile]| {
            StagedRows { view, lake: self.rows.lake, folder, files, columns: &columns, partition_by: &[] }.statements()
        };
        let keys = names(by.keys.iter().map(|key| key.as_str()));
        let fresh = staged(&format!("new_deletes_{number}"), &layout::table(&deletes), &self.read.delete_files);
        let typed = layout::typed(self.rows.plan.run, &deletes);
        let stored = staged(&format!("stored_deletes_{number}"), &typed, &self.read.stored_delete_files);
        format!(
            "{fresh}{stored}CREATE OR REPLACE TEMPORARY VIEW deletes_{number} AS\n\
             SELECT * FROM new_deletes_{number}\nUNION ALL\nSELECT * FROM stored_deletes_{number};\n\n\
             CREATE OR REPLACE TEMPORARY VIEW keys_{number} AS\n\
             SELECT {keys} FROM good_{number}\nUNION ALL\nSELECT {keys} FROM deletes_{number};\n\n"
        )
    }

    /// The delete events of the keys that the run brings, those of the run and those that are stored, as further
    /// candidates; nothing where the table has no such events.
    fn ends(&self, history: bool) -> String {
        let Some((deletes, by)) = self.table.deletes() else { return String::new() };
        let number = self.number;
        let shown: Vec<String> = accepted_columns(self.table)
            .iter()
            .map(|column| {
                let is_stored = by.decides(&column.name) || is_lineage(&column.name);
                if is_stored { format!("d.{}", name(&column.name)) } else { null_of(column) }
            })
            .collect();
        let select = |is_new: &str, from: &str| {
            let marks = if history {
                format!(
                    ", {is_new} AS _is_new, CAST(NULL AS TIMESTAMP) AS _stored_valid_to, CAST(NULL AS STRING) AS \
                     _unchanged"
                )
            } else {
                String::new()
            };
            format!("\nUNION ALL\nSELECT {}{marks}, TRUE AS _is_delete FROM {from}", shown.join(", "))
        };
        let of_run = select("TRUE", &format!("deletes_{number} AS d"));
        let planned = self.rows.plan.table(&deletes);
        let Some(version) = planned.and_then(|table| table.read_version) else { return of_run };
        let stored = format!(
            "(SELECT * FROM {}) AS d\nLEFT SEMI JOIN keys_{number} AS k ON {}",
            delta_table(self.rows.lake, &deletes, version),
            same_key(by, "d", "k")
        );
        of_run + &select("FALSE", &stored)
    }

    fn stage(&self) -> Result<Stage, SparkError> {
        Stage::new(
            self.rows.lake,
            self.rows.plan.run,
            &self.table.table,
            silver_columns(self.table),
            &self.table.contract.partition_by,
        )
    }

    fn scratch(&self) -> String {
        self.rows.lake.object(&layout::scratch(self.rows.plan.run)).hadoop_path()
    }

    /// The accepted rows, together with the rows of those files of the table that hold a key of an accepted row. Those of
    /// a history say whether they are new, and until when they are valid as the table has it; those of a table with
    /// delete events, whether they are one.
    fn existing(&self, by: &Versioned, history: bool) -> Result<String, SparkError> {
        let number = self.number;
        let incoming = columns_of(&accepted_columns(self.table));
        let (new, stored_rows, stored_end) = if history {
            let new =
                ", TRUE AS _is_new, CAST(NULL AS TIMESTAMP) AS _stored_valid_to, CAST(NULL AS STRING) AS _unchanged";
            (new, ", FALSE AS _is_new, _stored_valid_to, _unchanged", ", e._valid_to AS _stored_valid_to")
        } else {
            ("", "", "")
        };
        let has_deletes = self.table.delete_when.is_some();
        let (live, keys) = if has_deletes { (", FALSE AS _is_delete", "keys") } else { ("", "good") };
        let ends = self.ends(history);
        let planned = self.rows.plan.table(&self.table.table);
        let Some((table, version)) = planned.and_then(|table| Some((table, table.read_version?))) else {
            return Ok(format!(
                "CREATE OR REPLACE TEMPORARY VIEW candidates_{number} AS SELECT {incoming}{new}{live} FROM \
                 good_{number}{ends};\n\n"
            ));
        };
        let delta = delta_table(self.rows.lake, &self.table.table, version);
        let known = |column: &str| table.columns.iter().any(|stored| stored.name == column);
        let old: Vec<String> = accepted_columns(self.table)
            .iter()
            // A column that the contract has gained since: the rows there do not have it.
            .map(|column| if known(&column.name) { format!("e.{}", name(&column.name)) } else { null_of(column) })
            .collect();
        // A history of an earlier version remembers nothing.
        let remembered = match (history, known(UNCHANGED)) {
            (false, _) => "",
            (true, true) => ", e._unchanged",
            (true, false) => ", CAST(NULL AS STRING) AS _unchanged",
        };
        let touched =
            Stage::aside(&format!("touched_{number}"), &self.scratch(), vec![stored("file", ColumnType::Text)]);
        let met = format!(
            "(\n  SELECT DISTINCT e.file FROM (SELECT *, _metadata.file_path AS file FROM {delta}) AS e\n  \
             LEFT SEMI JOIN {keys}_{number} AS g ON {}\n)",
            same_key(by, "e", "g")
        );
        Ok(format!(
            "-- Files of the table that hold a key of an accepted row: they are rewritten, the others stay.\n\
             {create}{fill}\
             CREATE OR REPLACE TEMPORARY VIEW replaced_{number} AS\n\
             SELECT {old}{stored_end}{remembered} FROM (SELECT *, _metadata.file_path AS file FROM {delta}) AS e\n\
             LEFT SEMI JOIN touched_{number} AS t ON e.file = t.file;\n\n\
             CREATE OR REPLACE TEMPORARY VIEW candidates_{number} AS\n\
             SELECT {incoming}{new}{live} FROM good_{number}\nUNION ALL\n\
             SELECT {incoming}{stored_rows}{live} FROM replaced_{number}{ends};\n\n",
            create = touched.create(),
            fill = touched.insert(&met),
            old = old.join(", "),
        ))
    }

    /// The newest row of each key.
    fn newest(&self, by: &Versioned) -> String {
        let keys: Vec<&str> = by.keys.iter().map(|key| key.as_str()).collect();
        let kept = if self.table.delete_when.is_some() { " AND NOT _is_delete" } else { "" };
        last_of(&accepted_columns(self.table), &keys, by, &format!("candidates_{}", self.number), kept)
    }

    /// What was counted on the way, as queries of metric lines; none where nothing is replaced.
    pub(super) fn counts(&self) -> Option<String> {
        if !self.table.mode.merges() {
            return None;
        }
        let (number, table) = (self.number, &self.table.table);
        let replaced = |from: &str| metric_lines(table, &[("replaced_rows", None, Counted::Rows)], from);
        let mut counts = match &self.table.mode {
            WriteMode::Scd2(by) => {
                let recalled = recalled(number, &stage_name(table), by);
                vec![metric_lines(table, &[("recalled_rows", None, Counted::Rows)], &recalled)]
            }
            _ => Vec::new(),
        };
        if self.rows.plan.table(table).is_none_or(|planned| planned.read_version.is_none()) {
            counts.push(replaced("(SELECT 1 WHERE FALSE)"));
            return Some(counts.join("\nUNION ALL\n"));
        }
        counts.push(format!(
            "{}\nUNION ALL\nSELECT {} AS table, 'removed_file' AS metric, CAST(NULL AS STRING) AS rule, file AS value FROM touched_{number}",
            replaced(&format!("replaced_{number}")),
            text(&table.to_string())
        ));
        Some(counts.join("\nUNION ALL\n"))
    }
}

/// Whether two rows have one key.
fn same_key(by: &Versioned, left: &str, right: &str) -> String {
    let keys = by.keys.iter().map(|key| {
        let key = name(key.as_str());
        format!("{left}.{key} <=> {right}.{key}")
    });
    keys.collect::<Vec<_>>().join(" AND ")
}

/// What is counted in a scan.
pub(super) enum Counted {
    /// All rows.
    Rows,
    /// The rows that meet a condition.
    RowsThat(String),
}

/// Numbers of one scan as metric lines.
pub(super) fn metric_lines(table: &TableRef, measured: &[(&str, Option<&str>, Counted)], from: &str) -> String {
    let (mut numbers, mut conditions) = (Vec::new(), Vec::new());
    for (index, (.., counted)) in measured.iter().enumerate() {
        numbers.push(match counted {
            Counted::Rows => format!("count(*) AS n{index}"),
            Counted::RowsThat(condition) => {
                conditions.push(format!("{condition} AS c{index}"));
                format!("count_if(c{index}) AS n{index}")
            }
        });
    }
    // Computed for each row before they are counted: a text of a double needs `reflect`, which Spark has outside of
    // aggregates alone.
    let from = match conditions.as_slice() {
        [] => from.to_owned(),
        conditions => format!("(SELECT {} FROM {from})", conditions.join(",\n  ")),
    };
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
pub(super) fn shown(column: &sluice_core::contract::Column) -> String {
    canonical(column.name.as_str(), &column.column_type)
}
