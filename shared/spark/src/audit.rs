//! What is counted in the staged files and in the tables as they will be: the numbers that the gate judges.

use sluice_core::contract::{Column, DatasetRule, Metric, TableContract};
use sluice_core::name::{ColumnName, TableRef};
use sluice_core::sql::MetricSql;

use super::SparkError;
use super::rules::{self, RowTest, is_one_of, matches};
use super::silver::{Counted, metric_lines, shown};
use super::sql::{self, Relation, SqlType};
use super::tables::{after_name, stage_name};
use super::text::{name, names, text};

/// Who counts the staged rows that break the row rules of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowRules {
    /// The script.
    ByScript,
    /// The parts of the run that have staged the rows, each its own: they have done so.
    ByParts,
}

/// The metric lines of a staged table with a contract: rows, row rules on the staged files, dataset rules on the table
/// after the run. Rows are counted whoever counts the row rules: their number must be that of the files' footers.
///
/// # Errors
/// [`SparkError`] for a rule that is not executed.
pub(super) fn of_contract(
    table: &TableRef,
    contract: &TableContract,
    row_rules: RowRules,
) -> Result<Vec<String>, SparkError> {
    let tests = match row_rules {
        RowRules::ByScript => rules::of_stored(contract)?,
        RowRules::ByParts => Vec::new(),
    };
    let mut staged = vec![("staged_rows", None, Counted::Rows)];
    let broken = |test: &RowTest| Counted::RowsThat(test.broken.clone());
    staged.extend(tests.iter().map(|test| ("row_rule", Some(test.id.as_str()), broken(test))));
    let mut whole = vec![("table_rows", None, Counted::Rows)];
    let mut queries = Vec::new();
    for rule in &contract.dataset_rules {
        if let Some(key) = rule.share_of_keys() {
            whole.push(("share_rows", Some(rule.id.as_str()), Counted::RowsThat(known(key))));
        }
        match measured(table, rule, contract)? {
            Measured::InScan(number) => whole.push(("dataset_rule", Some(rule.id.as_str()), number)),
            Measured::ByQuery(query) => queries.push(format!(
                "SELECT {} AS table, 'dataset_rule' AS metric, {} AS rule, (\n{query}\n) AS value",
                text(&table.to_string()),
                text(&rule.id)
            )),
        }
    }
    let mut lines =
        vec![metric_lines(table, &staged, &stage_name(table)), metric_lines(table, &whole, &after_name(table))];
    lines.extend(queries);
    Ok(lines)
}

/// How the number of a rule is found.
enum Measured {
    /// Counted in one scan with those of other rules.
    InScan(Counted),
    /// A query of its own.
    ByQuery(String),
}

fn measured(table: &TableRef, rule: &DatasetRule, contract: &TableContract) -> Result<Measured, SparkError> {
    let column = |wanted: &ColumnName| -> Result<&Column, SparkError> {
        contract.column(wanted.as_str()).ok_or_else(|| SparkError::NotExecuted {
            what: format!("rule `{}`", rule.id),
            hint: format!("its column `{wanted}` is not in the contract"),
        })
    };
    let null = |column: &Column| format!("{} IS NULL", name(column.name.as_str()));
    Ok(Measured::InScan(match &rule.metric {
        Metric::RowCount => Counted::Rows,
        Metric::NullValues { column: wanted } => Counted::RowsThat(null(column(wanted)?)),
        Metric::MissingValues { column: wanted, values } => {
            let column = column(wanted)?;
            let is_missing = is_one_of(&shown(column), values);
            Counted::RowsThat(format!("{} OR coalesce({is_missing}, FALSE)", null(column)))
        }
        Metric::InvalidValues { column: wanted, valid_values, regex } => {
            let column = column(wanted)?;
            let mut invalid = Vec::new();
            if let Some(values) = valid_values {
                invalid.push(format!("NOT ({})", is_one_of(&shown(column), values)));
            }
            if let Some(regex) = regex {
                invalid.push(format!("NOT ({})", matches(&shown(column), regex)?));
            }
            let invalid = if invalid.is_empty() { "FALSE".to_owned() } else { invalid.join(" OR ") };
            Counted::RowsThat(format!("coalesce({invalid}, FALSE)"))
        }
        Metric::DuplicateValues { columns } => return Ok(Measured::ByQuery(duplicates_query(table, columns))),
        Metric::Sql { query } => return Ok(Measured::ByQuery(metric_query(table, rule, query, contract)?)),
    }))
}

/// The number of rows whose key other rows have, too.
fn duplicates_query(table: &TableRef, columns: &[ColumnName]) -> String {
    let keys = names(columns.iter().map(ColumnName::as_str));
    format!(
        "SELECT CAST(coalesce(sum(_rows), 0) AS STRING) FROM (\n  \
         SELECT count(*) AS _rows FROM {} WHERE {} GROUP BY {keys} HAVING count(*) > 1\n)",
        after_name(table),
        known(columns)
    )
}

/// Whether no column of a key is null.
fn known(key: &[ColumnName]) -> String {
    let known: Vec<String> = key.iter().map(|column| format!("{} IS NOT NULL", name(column.as_str()))).collect();
    known.join(" AND ")
}

/// The one number of a SQL rule as text: doubles with twelve places, everything else as it is.
fn metric_query(
    table: &TableRef,
    rule: &DatasetRule,
    query: &MetricSql,
    contract: &TableContract,
) -> Result<String, SparkError> {
    let columns = contract.columns.iter().map(|c| (c.name.to_string(), c.column_type.clone())).collect();
    let object = Relation { name: after_name(table), columns };
    let answered = sql::metric(query, &object).map_err(|source| SparkError::Rule { rule: rule.id.clone(), source })?;
    let [(_, column_type)] = answered.columns.as_slice() else {
        return Err(SparkError::NotExecuted {
            what: format!("rule `{}`", rule.id),
            hint: "its query must select one number".to_owned(),
        });
    };
    // Its one expression need not have a name of its own.
    let shown = match column_type {
        // Of null it would make the text `null`.
        SqlType::Double => "CASE WHEN answer IS NOT NULL THEN format_string('%.12f', answer) END",
        _ => "CAST(answer AS STRING)",
    };
    Ok(format!("SELECT {shown} FROM (\n{}\n) AS answered (answer)", answered.text))
}
