//! The sections of a script, in the order in which Spark runs them.

use std::fmt::Write as _;

use sluice_core::columns::{StoredColumn, silver_columns};
use sluice_core::name::TableRef;
use sluice_core::pipeline::{SilverTable, WriteMode};
use sluice_core::run::PlannedWork;
use sluice_core::uri::layout;

use super::audit::{self, RowRules};
use super::files::null_of;
use super::gold::Gold;
use super::silver::{Counted, Silver, delta_table, metric_lines};
use super::text::{name, text};
use super::{ReadRows, SparkError, TableFiles, sql, tables};

/// A plan as Spark SQL: one readable script for `spark-sql -f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkScript {
    /// The statements, with comments.
    pub text: String,
}

/// Settings that decide what the script reads and writes, in addition to those of its SQL; each with its reason.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("spark.sql.caseSensitive", "true", "columns of tables may differ in case alone"),
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS", "what Delta stores"),
    ("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED", "one calendar, also before 1582"),
    ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED", "one calendar, also before 1582"),
    ("spark.sql.parquet.compression.codec", "zstd", "as the other engine writes"),
    ("parquet.block.size", "16777216", "small row groups: whoever reads holds several of them (bytes)"),
    ("spark.sql.files.maxRecordsPerFile", "8000000", "as the other engine writes"),
    ("spark.sql.sources.partitionOverwriteMode", "static", "a stage holds what this attempt wrote, and nothing else"),
    ("spark.sql.adaptive.enabled", "true", "partitions of a size that fits the data"),
];

/// Writes the script of one plan, section by section.
pub(super) struct Compiler<'a> {
    rows: ReadRows<'a>,
    script: String,
    /// Queries of metric lines.
    metrics: Vec<String>,
}

impl<'a> Compiler<'a> {
    /// A compiler for what was read of a plan.
    pub(super) fn new(rows: ReadRows<'a>) -> Self {
        Self { rows, script: String::new(), metrics: Vec::new() }
    }

    /// The whole script.
    ///
    /// # Errors
    /// [`SparkError`] naming the part that is not executed.
    pub(super) fn compile(mut self) -> Result<SparkScript, SparkError> {
        self.heading();
        let ReadRows { plan, read, .. } = self.rows;
        for (table, number) in plan.pipeline.silver.iter().zip(1..) {
            if changes(plan, table) {
                let files = read.of(&table.table).ok_or_else(|| SparkError::NotExecuted {
                    what: format!("table `{}`", table.table),
                    hint: "what was read of the run says nothing of it; plan the run again".to_owned(),
                })?;
                self.silver(table, files, number)?;
            }
        }
        self.gold()?;
        self.write_metrics();
        Ok(SparkScript { text: self.script })
    }

    fn statement(&mut self, text: &str) {
        self.script.push_str(text.trim_end());
        self.script.push_str("\n\n");
    }

    fn section(&mut self, title: &str) {
        self.statement(&format!("-- ==== {title}"));
    }

    fn heading(&mut self) {
        let run = self.rows.plan.run;
        self.statement(&format!(
            "-- Run {} of pipeline {}, attempt {}.\n\
             -- Combines the rows that were read, and stages Parquet files that no reader can see; another step audits and \
             commits them.",
            run.run_id, run.pipeline, run.attempt
        ));
        let settings: Vec<String> = sql::SETTINGS
            .iter()
            .chain(SETTINGS)
            .map(|(key, value, why)| format!("-- {why}\nSET {key}={value};"))
            .collect();
        self.statement(&settings.join("\n"));
    }

    fn silver(&mut self, table: &SilverTable, read: &TableFiles, number: usize) -> Result<(), SparkError> {
        self.section(&format!("{}", table.table));
        let silver = Silver { rows: self.rows, table, read, number };
        let statements = silver.statements()?;
        self.statement(&statements);
        let after = self.after(&table.table, &silver_columns(table), Some(number));
        self.statement(&after);
        self.metrics.extend(silver.counts());
        let row_rules = match read.audited {
            Some(_) if !table.mode.merges() => RowRules::ByParts,
            _ => RowRules::ByScript,
        };
        self.metrics.extend(audit::of_contract(&table.table, &table.contract, row_rules)?);
        Ok(())
    }

    /// The view of a table as it will be after the run. `touched`: the number of the silver table whose staged rows stand
    /// for the files in `touched_<number>`.
    fn after(&self, table: &TableRef, columns: &[StoredColumn], staged: Option<usize>) -> String {
        let planned = self.rows.plan.table(table);
        let existing = planned.and_then(|table| Some((&table.columns, table.read_version?)));
        let mode = self.rows.plan.pipeline.silver_table(table).map(|table| &table.mode);
        let mut parts = Vec::new();
        if staged.is_some() {
            parts.push(format!("SELECT {} FROM {}", tables::columns_of(columns), tables::stage_name(table)));
        }
        let has_rows = planned.is_some_and(|table| !table.sources.is_empty());
        let replaced = has_rows && matches!(mode, Some(WriteMode::Replace));
        if let Some((stored, version)) = existing.filter(|_| !replaced) {
            let shown: Vec<String> = columns
                .iter()
                .map(|column| {
                    if stored.iter().any(|stored| stored.name == column.name) {
                        format!("e.{}", name(&column.name))
                    } else {
                        null_of(column)
                    }
                })
                .collect();
            let delta = delta_table(self.rows.lake, table, version);
            let merges = mode.is_some_and(WriteMode::merges);
            parts.push(match staged.filter(|_| merges) {
                Some(number) => format!(
                    "SELECT {} FROM (SELECT *, _metadata.file_path AS file FROM {delta}) AS e\nLEFT ANTI JOIN touched_{number} AS t ON e.file = t.file",
                    shown.join(", ")
                ),
                None => format!("SELECT {} FROM (SELECT * FROM {delta}) AS e", shown.join(", ")),
            });
        }
        format!(
            "CREATE OR REPLACE TEMPORARY VIEW {} AS\n{};\n\n",
            name(&tables::read_name(self.rows.plan.pipeline, table)),
            parts.join("\nUNION ALL\n")
        )
    }

    /// Computes the gold tables that are due and whose inputs exist.
    fn gold(&mut self) -> Result<(), SparkError> {
        let plan = self.rows.plan;
        let mut computed: Vec<TableRef> = Vec::new();
        for gold in plan.pipeline.gold.iter().filter(|gold| plan.refresh.contains(&gold.table)) {
            let silver_changes =
                |input: &TableRef| plan.pipeline.silver_table(input).is_some_and(|table| changes(plan, table));
            let exists = |input: &TableRef| plan.table(input).is_some_and(|table| table.read_version.is_some());
            if !gold.inputs.iter().all(|input| computed.contains(input) || silver_changes(input) || exists(input)) {
                continue;
            }
            self.section(&format!("{}", gold.table));
            for input in &gold.inputs {
                let is_ready = computed.contains(input) || silver_changes(input);
                let columns = plan.table(input).map(|table| table.columns.clone()).unwrap_or_default();
                if !is_ready {
                    let after = self.after(input, &columns, None);
                    self.statement(&after);
                }
            }
            let statements = Gold { lake: self.rows.lake, plan, gold }.statements()?;
            self.statement(&statements);
            self.metrics.extend(audit::of_contract(&gold.table, &gold.contract, RowRules::ByScript)?);
            computed.push(gold.table.clone());
        }
        Ok(())
    }

    /// Writes every number as lines of JSON, last: where they are, the step ran to its end.
    fn write_metrics(&mut self) {
        self.section("What was counted");
        if self.metrics.is_empty() {
            let table = &self.rows.plan.pipeline.source.bronze;
            self.metrics.push(metric_lines(table, &[("staged_rows", None, Counted::Rows)], "(SELECT 1 WHERE FALSE)"));
        }
        let folder = text(&self.rows.lake.object(&layout::metrics(self.rows.plan.run)).hadoop_path());
        let mut statement = String::new();
        let _ = write!(
            statement,
            "INSERT OVERWRITE DIRECTORY {folder} USING json\nSELECT table, metric, rule, value FROM (\n{}\n);",
            self.metrics.join("\nUNION ALL\n")
        );
        self.statement(&statement);
    }
}

/// Whether a run brings something to a silver table, if only the knowledge that it has objects already.
fn changes(plan: PlannedWork<'_>, table: &SilverTable) -> bool {
    plan.table(&table.table).is_some_and(|planned| !planned.sources.is_empty() || !planned.superseded.is_empty())
}
