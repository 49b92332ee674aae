//! The sections of a script, in the order in which Spark runs them.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::gold::Gold;
use super::silver::{Silver, delta_table, metric_lines};
use super::source::{self, ObjectGroup};
use super::tables::{self, Stage};
use super::text::{self, name, text};
use super::{SparkError, audit, sql};
use crate::columns::{
    BronzeNames, CORRUPT, SOURCE_MODIFIED_AT, SOURCE_ROW, StoredColumn, is_own_of_bronze, lineage_names,
    missing_lineage, silver_columns,
};
use crate::name::TableRef;
use crate::pipeline::{SilverTable, WriteMode};
use crate::run::{PlannedWork, ReadFrom};
use crate::uri::{FolderUri, layout};

/// A plan as Spark SQL: one readable script for `spark-sql -f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkScript {
    /// The statements, with comments.
    pub text: String,
}

/// Settings that decide what the script reads and writes, in addition to those of its SQL; each with its reason.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("spark.sql.caseSensitive", "true", "source columns may differ in case alone"),
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS", "what Delta stores"),
    ("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED", "one calendar, also before 1582"),
    ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED", "one calendar, also before 1582"),
    ("spark.sql.parquet.compression.codec", "zstd", "as the other engine writes"),
    ("parquet.block.size", "16777216", "small row groups: whoever reads holds several of them (bytes)"),
    ("spark.sql.files.maxRecordsPerFile", "8000000", "as the other engine writes"),
    ("spark.sql.sources.partitionOverwriteMode", "static", "a stage holds what this attempt wrote, and nothing else"),
    ("spark.sql.adaptive.enabled", "true", "partitions of a size that fits the data"),
];

/// What every record has in addition to the columns of its object.
const RECORD: [&str; 6] =
    ["_source_file", "_source_etag", SOURCE_MODIFIED_AT, SOURCE_ROW, "_corrupt_record", "_corrupt_reason"];

/// Writes the script of one plan, section by section.
pub(super) struct Compiler<'a> {
    lake: &'a FolderUri,
    plan: PlannedWork<'a>,
    groups: Vec<ObjectGroup<'a>>,
    script: String,
    /// Queries of metric lines.
    metrics: Vec<String>,
}

impl<'a> Compiler<'a> {
    /// A compiler for a plan.
    ///
    /// # Errors
    /// [`SparkError::NotExecuted`] naming an object that Spark would read otherwise.
    pub(super) fn new(lake: &'a FolderUri, plan: PlannedWork<'a>) -> Result<Self, SparkError> {
        Ok(Self { lake, plan, groups: source::groups(plan)?, script: String::new(), metrics: Vec::new() })
    }

    /// The whole script.
    ///
    /// # Errors
    /// [`SparkError`] naming the part that is not executed.
    pub(super) fn compile(mut self) -> Result<SparkScript, SparkError> {
        self.heading();
        if !self.plan.objects.is_empty() {
            self.section("Source objects");
            let objects = source::objects(self.plan, &self.groups);
            self.statement(&objects);
            self.bronze()?;
            let silver = self.plan.pipeline.silver.iter().zip(1..).filter(|(table, _)| changes(self.plan, table));
            for (table, number) in silver.collect::<Vec<_>>() {
                self.silver(table, number)?;
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
        let run = self.plan.run;
        self.statement(&format!(
            "-- Run {} of pipeline {}, attempt {}.\n\
             -- Stages Parquet files that no reader can see; another step audits and commits them.",
            run.run_id, run.pipeline, run.attempt
        ));
        let settings: Vec<String> = sql::SETTINGS
            .iter()
            .chain(SETTINGS)
            .map(|(key, value, why)| format!("-- {why}\nSET {key}={value};"))
            .collect();
        self.statement(&settings.join("\n"));
    }

    /// The source columns of the bronze table after the run.
    fn bronze_names(&self) -> BronzeNames {
        let bronze = self.plan.table(&self.plan.pipeline.bronze);
        let mut names = bronze.map(|table| BronzeNames::of_table(&table.columns)).unwrap_or_default();
        for column in source::all_columns(&self.groups) {
            names.add(column);
        }
        names
    }

    /// Reads the objects that are new to bronze and stages their rows.
    fn bronze(&mut self) -> Result<(), SparkError> {
        if self.groups.is_empty() {
            return Ok(());
        }
        let pipeline = self.plan.pipeline;
        self.section(&format!("{}: every record as text", pipeline.bronze));
        let scratch = self.lake.object(&layout::scratch(self.plan.run)).hadoop_path();
        let (format, csv) = (pipeline.source_format, pipeline.csv);
        let records: Vec<String> =
            self.groups.iter().map(|group| source::records(group, format, csv, &scratch)).collect();
        records.iter().for_each(|statements| self.statement(statements));
        let names = self.bronze_names();
        let columns = names.columns();
        let stage = Stage::of_bronze(self.lake, self.plan.run, &pipeline.bronze, columns.clone());
        let day = self.plan.planned_at.to_zoned(TimeZone::UTC).date();
        let micros = self.plan.planned_at.as_microsecond();
        let selects: Vec<String> = self
            .groups
            .iter()
            .map(|group| {
                let of_group: HashMap<&str, &str> =
                    group.columns.iter().filter_map(|column| Some((names.stored(column)?, column.as_str()))).collect();
                let shown = columns.iter().map(|column| match column.name.as_str() {
                    "_ingested_at" => format!("timestamp_micros({micros}L) AS _ingested_at"),
                    "_run_id" => format!("{} AS _run_id", text(self.plan.run.run_id.as_str())),
                    "_ingestion_date" => format!("DATE'{day}' AS _ingestion_date"),
                    read if RECORD.contains(&read) => name(read),
                    stored => match of_group.get(stored) {
                        Some(column) => as_name(column, stored),
                        None => format!("CAST(NULL AS STRING) AS {}", name(stored)),
                    },
                });
                format!("  SELECT {} FROM records_{}", shown.collect::<Vec<_>>().join(", "), group.number)
            })
            .collect();
        let statements =
            format!("{}{}", stage.create(), stage.insert(&format!("(\n{}\n)", selects.join("\n  UNION ALL\n"))));
        self.statement(&statements);
        let all_read = source::all_read(&self.groups, self.plan, &tables::stage_name(&pipeline.bronze));
        self.statement(&all_read);
        self.metrics.push(audit::of_plain(&pipeline.bronze, &["source_rows", "staged_rows"]));
        Ok(())
    }

    fn silver(&mut self, table: &SilverTable, number: usize) -> Result<(), SparkError> {
        self.section(&format!("{}", table.table));
        let silver = Silver { lake: self.lake, plan: self.plan, table, number };
        let (statements, tests) = silver.statements(&self.rows_for(table, number)?)?;
        self.statement(&statements);
        let after = self.after(&table.table, &silver_columns(table), Some(number));
        self.statement(&after);
        self.metrics.push(silver.counts(&tests));
        self.metrics.push(audit::of_plain(&table.quarantine, &["staged_rows"]));
        self.metrics.extend(audit::of_contract(&table.table, &table.contract)?);
        Ok(())
    }

    /// The rows that a silver table or its quarantine lack: from this run's bronze rows, and from those of earlier runs.
    fn rows_for(&self, table: &SilverTable, number: usize) -> Result<String, SparkError> {
        let mut sources: Vec<&str> = table.columns.iter().map(|(_, source)| source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut fixed = sources.clone();
        fixed.extend(CORRUPT);
        fixed.extend(lineage_names());
        let names = self.bronze_names();
        let select = |from: &str, raw: &str, absent: &[StoredColumn]| {
            let columns: Vec<String> = fixed
                .iter()
                .map(|column| match absent.iter().find(|absent| absent.name == *column) {
                    Some(absent) => null_of(absent),
                    None => format!("b.{}", as_name(names.stored(column).unwrap_or(column), column)),
                })
                .collect();
            format!(
                "  SELECT {},\n    {raw} AS _raw,\n    o.lacks_silver_{number} AS _lacks_silver, o.lacks_quarantine_{number} AS _lacks_quarantine\n  \
                 FROM {from} AS b JOIN objects AS o ON o.source_file = b._source_file AND o.source_etag = b._source_etag\n  \
                 WHERE o.lacks_silver_{number} OR o.lacks_quarantine_{number}",
                columns.join(", ")
            )
        };
        let mut parts = Vec::new();
        if !self.groups.is_empty() {
            let layouts = self.groups.iter().map(|group| {
                let columns =
                    group.columns.iter().map(|column| (column.as_str(), names.stored(column).unwrap_or(column)));
                format!("WHEN {} THEN {}", group.number, raw_json(columns))
            });
            let raw = format!("CASE o.layout {} END", layouts.collect::<Vec<_>>().join("\n      "));
            parts.push(select(&tables::stage_name(&self.plan.pipeline.bronze), &raw, &[]));
        }
        let rereads = self.plan.objects.iter().any(|planned| planned.read_from == ReadFrom::Bronze);
        let bronze = self.plan.table(&self.plan.pipeline.bronze);
        if let Some((bronze, version)) = bronze.and_then(|table| Some((table, table.read_version?))).filter(|_| rereads)
        {
            let known: Vec<&str> = bronze.columns.iter().map(|column| column.name.as_str()).collect();
            let existing = BronzeNames::of_table(&bronze.columns);
            if let Some(missing) = sources.iter().find(|source| existing.stored(source).is_none()) {
                return Err(SparkError::NotExecuted {
                    what: format!("table `{}`: source column '{missing}'", table.table),
                    hint: format!("bronze does not have it; it has {}", known.join(", ")),
                });
            }
            let raw =
                raw_json(known.iter().filter(|column| !is_own_of_bronze(column)).map(|column| (*column, *column)));
            let absent: Vec<StoredColumn> = missing_lineage(&bronze.columns).collect();
            parts.push(select(
                &format!("(SELECT * FROM {})", delta_table(self.lake, &self.plan.pipeline.bronze, version)),
                &raw,
                &absent,
            ));
        }
        Ok(parts.join("\n  UNION ALL\n"))
    }

    /// The view of a table as it will be after the run. `touched`: the number of the silver table whose staged rows stand
    /// for the files in `touched_<number>`.
    fn after(&self, table: &TableRef, columns: &[StoredColumn], staged: Option<usize>) -> String {
        let planned = self.plan.table(table);
        let existing = planned.and_then(|table| Some((&table.columns, table.read_version?)));
        let mode = self.plan.pipeline.silver_table(table).map(|table| &table.mode);
        let mut parts = Vec::new();
        if staged.is_some() {
            parts.push(format!("SELECT {} FROM {}", tables::columns_of(columns), tables::stage_name(table)));
        }
        let replaced = staged.is_some() && matches!(mode, Some(WriteMode::Replace));
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
            let delta = delta_table(self.lake, table, version);
            let merges = matches!(mode, Some(WriteMode::Merge(_) | WriteMode::Scd2(_)));
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
            name(&tables::after_name(table)),
            parts.join("\nUNION ALL\n")
        )
    }

    /// Computes the gold tables that are due and whose inputs exist.
    fn gold(&mut self) -> Result<(), SparkError> {
        let plan = self.plan;
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
            let statements = Gold { lake: self.lake, plan, gold }.statements()?;
            self.statement(&statements);
            self.metrics.extend(audit::of_contract(&gold.table, &gold.contract)?);
            computed.push(gold.table.clone());
        }
        Ok(())
    }

    /// Writes every number as lines of JSON, last: where they are, the step ran to its end.
    fn write_metrics(&mut self) {
        self.section("What was counted");
        if self.metrics.is_empty() {
            let table = &self.plan.pipeline.bronze;
            self.metrics.push(metric_lines(
                table,
                &[("source_rows", None, "count(*)".to_owned())],
                "(SELECT 1 WHERE FALSE)",
            ));
        }
        let folder = text(&self.lake.object(&layout::metrics(self.plan.run)).hadoop_path());
        let mut statement = String::new();
        let _ = write!(
            statement,
            "INSERT OVERWRITE DIRECTORY {folder} USING json\nSELECT table, metric, rule, value FROM (\n{}\n);",
            self.metrics.join("\nUNION ALL\n")
        );
        self.statement(&statement);
    }
}

/// Whether a run brings rows to a silver table.
fn changes(plan: PlannedWork<'_>, table: &SilverTable) -> bool {
    plan.table(&table.table).is_some_and(|planned| !planned.sources.is_empty())
}

/// A column under another name, where it is another.
fn as_name(column: &str, shown: &str) -> String {
    if column == shown { name(column) } else { format!("{} AS {}", name(column), name(shown)) }
}

/// A column that the rows there do not have.
fn null_of(column: &StoredColumn) -> String {
    format!("CAST(NULL AS {}) AS {}", text::type_name(&column.column_type), name(&column.name))
}

/// Source columns as JSON text, each with the column of bronze that has it; of a torn record its text and fault.
fn raw_json<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let columns: Vec<(&str, &str)> = columns.collect();
    let object = |columns: &[(&str, &str)]| {
        let fields: Vec<String> =
            columns.iter().map(|(column, stored)| format!("{}, b.{}", text(column), name(stored))).collect();
        format!("to_json(named_struct({}), map('ignoreNullFields', 'false'))", fields.join(", "))
    };
    format!(
        "CASE WHEN b._corrupt_record IS NOT NULL OR b._corrupt_reason IS NOT NULL THEN {} ELSE {} END",
        object(&CORRUPT.map(|column| (column, column))),
        object(&columns)
    )
}
