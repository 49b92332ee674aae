//! The features that cases covered, read from their plans and documents, so that a feature that is no longer generated is noticed.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::contract::{Column, ColumnType, Metric, MetricUnit, RowCheck, Severity, TableContract};
use sluice_core::pipeline::WriteMode;
use sluice_core::run::Plan;

use super::run::{Ending, Outcome};

/// All features that a suite must cover, each in at least one case.
pub const EXPECTED: &[&str] = &[
    "format csv",
    "format parquet",
    "format ndjson",
    "format json",
    "gzip",
    "quoted field",
    "doubled quote",
    "empty text in quotes",
    "line break in quotes",
    "CRLF",
    "file without rows",
    "file with other columns",
    "torn: field missing",
    "torn: field too many",
    "torn: bad UTF-8",
    "torn: text after quote",
    "mode append",
    "mode replace",
    "mode merge",
    "mode scd2",
    "type STRING",
    "type INT",
    "type BIGINT",
    "type DOUBLE",
    "type DECIMAL",
    "type DECIMAL of 38 digits",
    "type BOOLEAN",
    "type DATE",
    "type TIMESTAMP",
    "time format",
    "time zone",
    "partition STRING",
    "partition DATE",
    "partition INT",
    "partition BOOLEAN",
    "primary key",
    "silver SQL",
    "silver SQL that fails for rows",
    "gold aggregate",
    "gold over gold",
    "gold join",
    "gold union",
    "gold CTE",
    "check readable",
    "check required",
    "check not_missing",
    "check pattern",
    "check minimum",
    "check maximum",
    "check min_length",
    "check one_of",
    "broken one_of",
    "check max_length",
    "check multiple_of",
    "check predicate",
    "check warning",
    "broken readable",
    "broken required",
    "broken pattern",
    "broken minimum",
    "broken maximum",
    "broken predicate",
    "metric rowCount",
    "metric nullValues",
    "metric missingValues",
    "metric invalidValues",
    "metric duplicateValues",
    "metric sql",
    "metric percent",
    "metric error",
    "metric warning",
    "quarantined_percent_below",
    "second run published",
    "run rejected",
    "rows collapsed",
    "rows quarantined",
    "delete_when",
    "rows deleted",
];

/// Cases by feature.
pub type Coverage = BTreeMap<String, u64>;

/// Features of a case with these runs.
pub fn features(tags: &BTreeSet<&'static str>, outcomes: &[Outcome]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    if let Some(plan) = outcomes.iter().find_map(|outcome| outcome.plan.as_ref()) {
        of_plan(plan, &mut found);
    }
    let published = outcomes.iter().filter(|outcome| outcome.ending == Ending::Published).count();
    if published > 1 {
        found.insert("second run published".to_owned());
    }
    for outcome in outcomes {
        match outcome.ending {
            Ending::Rejected => {
                found.insert("run rejected".to_owned());
            }
            Ending::Failed(step) => {
                found.insert(format!("run failed in {step}"));
            }
            _ => {}
        }
        of_outcome(outcome, &mut found);
    }
    found
}

fn of_plan(plan: &Plan, found: &mut BTreeSet<String>) {
    let format = serde_json::to_value(plan.pipeline.source.format).expect("a format is JSON");
    found.insert(format!("format {}", format.as_str().unwrap_or_default()));
    for silver in &plan.pipeline.silver {
        found.insert(format!(
            "mode {}",
            match silver.mode {
                WriteMode::Append => "append",
                WriteMode::Replace => "replace",
                WriteMode::Merge(_) => "merge",
                WriteMode::Scd2(_) => "scd2",
                WriteMode::Snapshot(_) => "snapshot",
            }
        ));
        if silver.quarantined_percent_below.percent_below().is_some() {
            found.insert("quarantined_percent_below".to_owned());
        }
        if silver.delete_when.is_some() {
            found.insert("delete_when".to_owned());
        }
        of_contract(&silver.contract, found);
    }
    for gold in &plan.pipeline.gold {
        of_contract(&gold.contract, found);
    }
}

fn of_contract(contract: &TableContract, found: &mut BTreeSet<String>) {
    for column in &contract.columns {
        of_column(column, found);
        if contract.partition_by.contains(&column.name) {
            found.insert(format!("partition {}", column.column_type));
        }
    }
    if !contract.primary_key.is_empty() {
        found.insert("primary key".to_owned());
    }
    for rule in &contract.row_rules {
        found.insert(format!("check {}", check_name(&rule.check)));
        if rule.severity == Severity::Warning {
            found.insert("check warning".to_owned());
        }
    }
    for rule in &contract.dataset_rules {
        found.insert(format!(
            "metric {}",
            match rule.metric {
                Metric::RowCount => "rowCount",
                Metric::NullValues { .. } => "nullValues",
                Metric::MissingValues { .. } => "missingValues",
                Metric::InvalidValues { .. } => "invalidValues",
                Metric::DuplicateValues { .. } => "duplicateValues",
                Metric::Sql { .. } => "sql",
            }
        ));
        if rule.unit == MetricUnit::Percent {
            found.insert("metric percent".to_owned());
        }
        let severity = if rule.severity == Severity::Error { "error" } else { "warning" };
        found.insert(format!("metric {severity}"));
    }
}

fn of_column(column: &Column, found: &mut BTreeSet<String>) {
    match column.column_type {
        ColumnType::Decimal { precision, .. } => {
            found.insert("type DECIMAL".to_owned());
            if precision == 38 {
                found.insert("type DECIMAL of 38 digits".to_owned());
            }
        }
        _ => {
            found.insert(format!("type {}", column.column_type));
        }
    }
    if column.format.strftime.is_some() {
        found.insert("time format".to_owned());
    }
    if column.format.default_timezone.is_some() {
        found.insert("time zone".to_owned());
    }
}

fn check_name(check: &RowCheck) -> String {
    // The name in the documents.
    match serde_json::to_value(check).expect("a check is JSON") {
        serde_json::Value::String(name) => name,
        serde_json::Value::Object(object) => object.keys().next().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

fn of_outcome(outcome: &Outcome, found: &mut BTreeSet<String>) {
    for change in outcome.changeset.iter().flat_map(|changeset| &changeset.tables) {
        if change.rows.collapsed > 0 {
            found.insert("rows collapsed".to_owned());
        }
        if change.rows.quarantined > 0 {
            found.insert("rows quarantined".to_owned());
        }
        if change.rows.deleted > 0 {
            found.insert("rows deleted".to_owned());
        }
        let silver = outcome.plan.as_ref().and_then(|plan| plan.pipeline.silver_table(&change.table));
        for rule in silver.iter().flat_map(|silver| &silver.contract.row_rules) {
            if change.broken_rules.get(&rule.id).is_some_and(|rows| *rows > 0) {
                found.insert(format!("broken {}", check_name(&rule.check)));
            }
        }
    }
}
