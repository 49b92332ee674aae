//! What the audit found, as facets of the tables that were audited.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::facet::Facet;
use super::quality_facets::{Assertion, Assertions, ColumnMetrics, Metrics};
use crate::contract::{Metric, RowCheck, Severity, TableContract};
use crate::run::{RuleResult, StagedFile, TableVerdict};

/// The rules of a table, and whether they hold.
pub(super) fn assertions(verdict: &TableVerdict, contract: Option<&TableContract>) -> Facet<Assertions> {
    Facet::of(Assertions { assertions: verdict.rules.iter().map(|rule| assertion(rule, contract)).collect() })
}

/// The description is left out: that of a held object has a reason, which may quote the object.
fn assertion(rule: &RuleResult, contract: Option<&TableContract>) -> Assertion {
    let known = contract.and_then(|contract| known_rule(&rule.rule, contract));
    let Known { kind, column, is_count } = known.unwrap_or(Known { kind: &rule.rule, column: None, is_count: true });
    Assertion {
        assertion: kind.to_owned(),
        success: rule.passed,
        column: column.map(str::to_owned),
        severity: match rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warn",
        },
        name: rule.rule.clone(),
        expected: rule.expected.clone(),
        // What a SQL rule computes may be the value of a cell, such as the greatest price.
        actual: is_count.then(|| rule.observed.clone()),
    }
}

/// What a contract says of a rule.
struct Known<'a> {
    kind: &'a str,
    column: Option<&'a str>,
    /// Whether a number of rows or a share of them is observed.
    is_count: bool,
}

/// The rule of a contract with this id; `None` for the rules of Sluice itself.
fn known_rule<'a>(id: &str, contract: &'a TableContract) -> Option<Known<'a>> {
    if let Some(rule) = contract.row_rules.iter().find(|rule| rule.id == id) {
        let column = rule.column.as_ref().map(|column| column.as_str());
        return Some(Known { kind: row_kind(&rule.check), column, is_count: true });
    }
    let rule = contract.dataset_rules.iter().find(|rule| rule.id == id)?;
    let (kind, column, is_count) = match &rule.metric {
        Metric::RowCount => ("row_count", None, true),
        Metric::NullValues { column } => ("not_null", Some(column.as_str()), true),
        Metric::MissingValues { column, .. } => ("not_missing", Some(column.as_str()), true),
        Metric::InvalidValues { column, .. } => ("accepted_values", Some(column.as_str()), true),
        // The facet has room for one column; the id of the rule names a key of several.
        Metric::DuplicateValues { columns } => match columns.as_slice() {
            [column] => ("unique", Some(column.as_str()), true),
            _ => ("unique", None, true),
        },
        Metric::Sql { .. } => ("custom_sql", None, false),
    };
    Some(Known { kind, column, is_count })
}

fn row_kind(check: &RowCheck) -> &'static str {
    match check {
        RowCheck::Readable | RowCheck::PartReadable { .. } => "readable",
        RowCheck::Required | RowCheck::PartRequired { .. } => "not_null",
        RowCheck::NotMissing { .. } => "not_missing",
        RowCheck::Pattern { .. } => "pattern",
        RowCheck::OneOf { .. } => "accepted_values",
        RowCheck::Minimum { .. } => "minimum",
        RowCheck::Maximum { .. } => "maximum",
        RowCheck::MinLength { .. } => "min_length",
        RowCheck::MaxLength { .. } => "max_length",
        RowCheck::FolderName { .. } => "folder_name",
        RowCheck::MultipleOf { .. } => "multiple_of",
        RowCheck::Predicate { .. } => "custom_sql",
    }
}

/// What the statistics of the staged files count. A column that a file has no count for is left out.
pub(super) fn metrics(files: &[StagedFile]) -> Facet<Metrics> {
    let mut nulls: Option<BTreeMap<String, u64>> = None;
    for file in files {
        let found = null_counts(file);
        nulls = Some(match nulls {
            None => found,
            Some(before) => {
                let both = before.into_iter().filter_map(|(column, count)| {
                    let more = found.get(&column)?;
                    Some((column, count.saturating_add(*more)))
                });
                both.collect()
            }
        });
    }
    let columns = nulls.unwrap_or_default().into_iter();
    Facet::of(Metrics {
        row_count: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.size_bytes).sum(),
        file_count: files.len(),
        column_metrics: columns.map(|(column, null_count)| (column, ColumnMetrics { null_count })).collect(),
    })
}

/// The null values of each column of a file that is no list or object, as the Delta log will have them.
fn null_counts(file: &StagedFile) -> BTreeMap<String, u64> {
    #[derive(Default, Deserialize)]
    struct Statistics {
        #[serde(rename = "nullCount", default)]
        null_count: BTreeMap<String, serde_json::Value>,
    }
    // Statistics are an aid: files of other writers may have none, or others.
    let statistics: Statistics = serde_json::from_str(&file.stats).unwrap_or_default();
    statistics.null_count.into_iter().filter_map(|(column, count)| Some((column, count.as_u64()?))).collect()
}
