//! What Spark counted: lines of JSON in the metrics folder of an attempt, written by the last statement of its script.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::decimal::DecimalNumber;
use sluice_core::name::TableRef;

/// One line: one number, or one name, about one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricLine {
    /// The table.
    pub table: TableRef,
    /// What was measured.
    pub metric: MetricName,
    /// The rule, for metrics of rules.
    #[serde(default)]
    pub rule: Option<String>,
    /// The number, or the name; null where a SQL rule answers null.
    #[serde(default)]
    pub value: Option<String>,
}

/// What a line measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricName {
    /// Rows of replaced files, read to be merged with.
    ReplacedRows,
    /// Staged rows of a history that were events without a row before.
    RecalledRows,
    /// Rows in the staged files, counted in the files.
    StagedRows,
    /// Rows in the table after the run, counted in its files.
    TableRows,
    /// Staged rows that break a row rule.
    RowRule,
    /// The number of a dataset rule over the table after the run: rows, or what its SQL answers.
    DatasetRule,
    /// Rows that the share of a dataset rule is of, where these are not all of the table.
    ShareRows,
    /// Path of a file of the table that the staged rows replace, as Spark writes it.
    RemovedFile,
}

/// What Spark counted for one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableMetrics {
    /// Single numbers.
    numbers: BTreeMap<&'static str, u64>,
    /// Staged rows that break row rules, by rule id.
    pub row_rules: BTreeMap<String, u64>,
    /// Numbers of dataset rules, by rule id; `None` where the SQL answers null.
    pub dataset_rules: BTreeMap<String, Option<DecimalNumber>>,
    /// Rows that shares of dataset rules are of, by rule id, where these are not all of the table.
    pub share_rows: BTreeMap<String, u64>,
    /// Files that the staged rows replace.
    pub removed_files: Vec<String>,
}

/// What Spark counted for every table it staged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EtlMetrics {
    tables: BTreeMap<TableRef, TableMetrics>,
}

/// Why metrics cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A line is not one that a script writes.
    #[error("line {line} of the metrics is not one that a script writes")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A line lacks its rule, or has a value that is no number.
    #[error(
        "table `{table}`: metric {metric:?} has the value {value:?} for rule {rule:?}, which is not a number of it"
    )]
    Value {
        /// The table.
        table: TableRef,
        /// The metric.
        metric: MetricName,
        /// The rule as written.
        rule: Option<String>,
        /// The value as written.
        value: Option<String>,
    },
    /// A number that every script writes is missing.
    #[error("table `{table}`: the metrics have no {metric:?}; the Spark step did not run to its end")]
    Missing {
        /// The table.
        table: TableRef,
        /// The metric.
        metric: MetricName,
    },
}

impl EtlMetrics {
    /// Reads the lines of all metrics files of an attempt, in any order.
    ///
    /// # Errors
    /// [`MetricsError::Line`] and [`MetricsError::Value`].
    pub fn parse(text: &str) -> Result<Self, MetricsError> {
        let mut metrics = Self::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line: MetricLine =
                serde_json::from_str(line).map_err(|source| MetricsError::Line { line: index + 1, source })?;
            metrics.add(&line)?;
        }
        Ok(metrics)
    }

    /// What was counted for a table; `None` where nothing was.
    pub fn table(&self, table: &TableRef) -> Option<&TableMetrics> {
        self.tables.get(table)
    }

    fn add(&mut self, line: &MetricLine) -> Result<(), MetricsError> {
        let table = self.tables.entry(line.table.clone()).or_default();
        let wrong = |line: &MetricLine| MetricsError::Value {
            table: line.table.clone(),
            metric: line.metric,
            rule: line.rule.clone(),
            value: line.value.clone(),
        };
        let count = || line.value.as_deref().and_then(|value| value.parse::<u64>().ok());
        match (line.metric, &line.rule, &line.value) {
            (MetricName::RemovedFile, None, Some(path)) => table.removed_files.push(path.clone()),
            (MetricName::DatasetRule, Some(rule), value) => {
                let number = value.as_deref().map(str::parse).transpose().map_err(|_| wrong(line))?;
                table.dataset_rules.insert(rule.clone(), number);
            }
            (MetricName::ShareRows, Some(rule), _) => {
                table.share_rows.insert(rule.clone(), count().ok_or_else(|| wrong(line))?);
            }
            (MetricName::RowRule, Some(rule), _) => {
                table.row_rules.insert(rule.clone(), count().ok_or_else(|| wrong(line))?);
            }
            (metric, None, _) if metric.is_number() => {
                table.numbers.insert(metric.as_str(), count().ok_or_else(|| wrong(line))?);
            }
            _ => return Err(wrong(line)),
        }
        Ok(())
    }
}

impl TableMetrics {
    /// A number that was counted.
    pub fn number(&self, metric: MetricName) -> Option<u64> {
        self.numbers.get(metric.as_str()).copied()
    }
}

impl MetricName {
    /// As lines write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplacedRows => "replaced_rows",
            Self::RecalledRows => "recalled_rows",
            Self::StagedRows => "staged_rows",
            Self::TableRows => "table_rows",
            Self::RowRule => "row_rule",
            Self::DatasetRule => "dataset_rule",
            Self::ShareRows => "share_rows",
            Self::RemovedFile => "removed_file",
        }
    }

    fn is_number(self) -> bool {
        !matches!(self, Self::RowRule | Self::DatasetRule | Self::ShareRows | Self::RemovedFile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_lines_become_the_measurements_of_their_tables() {
        let text = r#"
{"table":"silver/sales/t","metric":"replaced_rows","rule":null,"value":"7"}
{"table":"silver/sales/t","metric":"row_rule","rule":"a.required","value":"0"}
{"table":"silver/sales/t","metric":"dataset_rule","rule":"mean","value":"1.5"}
{"table":"silver/sales/t","metric":"dataset_rule","rule":"nothing","value":null}
{"table":"silver/sales/t","metric":"share_rows","rule":"mean","value":"6"}
{"table":"silver/sales/t","metric":"removed_file","value":"file:/x/a.parquet"}
"#;
        let metrics = EtlMetrics::parse(text).expect("metrics");
        let table = metrics.table(&"silver/sales/t".parse().expect("table")).expect("there");
        assert_eq!(table.number(MetricName::ReplacedRows), Some(7));
        assert_eq!(table.number(MetricName::StagedRows), None);
        assert_eq!(table.dataset_rules["mean"].expect("number").to_string(), "1.5");
        assert_eq!(table.dataset_rules["nothing"], None);
        assert_eq!(table.share_rows["mean"], 6);
        assert_eq!(table.removed_files, ["file:/x/a.parquet"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        let check = |line: &str, expected: &str| {
            let error = EtlMetrics::parse(line).expect_err(line).to_string();
            assert!(error.contains(expected), "{line}: {error}");
        };
        check("{", "line 1");
        check(r#"{"table":"silver/sales/t","metric":"speed","value":"1"}"#, "line 1");
        check(r#"{"table":"silver/sales/t","metric":"replaced_rows","value":"-1"}"#, "ReplacedRows");
        check(r#"{"table":"silver/sales/t","metric":"row_rule","value":"1"}"#, "RowRule");
        check(r#"{"table":"silver/sales/t","metric":"dataset_rule","rule":"r","value":"x"}"#, "`silver/sales/t`");
    }
}
