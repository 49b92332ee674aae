//! `quality` rules: which metric, which bound, and whether rows or the table are judged.

use serde_json::Value;

use super::document::Quality;
use super::error::{Problems, Refusal, refuse};
use super::literal::{self, Literal};
use super::model::{Bound, Column, ColumnType, Metric, MetricUnit, RowCheck, Severity};
use super::pattern;
use super::quality_sql::{self, SqlRule};
use super::rules::{RuleText, Rules, Subject, slug};
use crate::name::ColumnName;

/// A rule as far as every type of rule shares it.
struct Frame<'a> {
    quality: &'a Quality,
    unit: MetricUnit,
    bound: Bound,
    text: RuleText,
}

impl Frame<'_> {
    fn tolerates_none(&self) -> bool {
        self.bound.allows_only_zero(self.unit)
    }
}

/// Compiles a list of rules; problems are noted with the rule's id, name or number.
pub(super) fn compile(list: &[Quality], subject: &Subject<'_>, rules: &mut Rules, problems: &mut Problems) {
    for (index, quality) in list.iter().enumerate() {
        let name = quality.id.as_ref().or(quality.name.as_ref());
        let rule = name.map_or_else(|| format!("quality rule {}", index + 1), |name| format!("quality rule `{name}`"));
        let place = match subject.column {
            Some(column) => format!("column `{}`: {rule}", column.name),
            None => rule,
        };
        problems.take(&place, one(quality, subject, rules));
    }
}

fn one(quality: &Quality, subject: &Subject<'_>, rules: &mut Rules) -> Result<(), Refusal> {
    let kind = quality.kind.as_deref().unwrap_or("library");
    if kind == "text" {
        return documentation(quality);
    }
    if kind == "custom" {
        let engine = quality.engine.as_deref().unwrap_or_default();
        refuse!("type custom (engine {engine}) is not executed; write it as library or sql");
    }
    if quality.schedule.is_some() || quality.scheduler.is_some() {
        refuse!("schedule and scheduler are not executed: every rule runs before each publish; remove them");
    }
    if !quality.custom_properties.is_empty() {
        refuse!("customProperties of an executed rule are not executed; remove them");
    }
    let text = RuleText {
        severity: severity(quality.severity.as_deref())?,
        dimension: quality.dimension.clone(),
        description: quality.description.clone(),
    };
    let unit = match quality.unit.as_deref() {
        None | Some("rows") => MetricUnit::Rows,
        Some("percent") => MetricUnit::Percent,
        Some(other) => refuse!("unit {other} is not executed; use rows or percent"),
    };
    let frame = Frame { quality, unit, bound: bound(quality)?, text };
    match kind {
        "library" => library(&frame, subject, rules),
        "sql" => sql(&frame, subject, rules),
        other => refuse!("type {other} is not executed"),
    }
}

/// A rule in words: nothing to execute, so nothing in it may ask for execution.
fn documentation(quality: &Quality) -> Result<(), Refusal> {
    if quality.metric.is_some() || quality.query.is_some() || quality.engine.is_some() {
        refuse!("type text is documentation; a rule with metric, query or engine needs type library, sql or custom");
    }
    Ok(())
}

fn severity(word: Option<&str>) -> Result<Severity, Refusal> {
    match word {
        None | Some("error") => Ok(Severity::Error),
        Some("warning" | "info") => Ok(Severity::Warning),
        Some(other) => refuse!("severity {other} is unknown; use error, warning or info"),
    }
}

/// The one operator; the JSON Schema has made sure that there is exactly one.
fn bound(quality: &Quality) -> Result<Bound, Refusal> {
    type Make = fn(crate::decimal::DecimalNumber) -> Bound;
    let single: [(&str, &Option<Value>, Make); 6] = [
        ("mustBe", &quality.must_be, Bound::Be),
        ("mustNotBe", &quality.must_not_be, Bound::NotBe),
        ("mustBeGreaterThan", &quality.must_be_greater_than, Bound::GreaterThan),
        ("mustBeGreaterOrEqualTo", &quality.must_be_greater_or_equal_to, Bound::GreaterOrEqualTo),
        ("mustBeLessThan", &quality.must_be_less_than, Bound::LessThan),
        ("mustBeLessOrEqualTo", &quality.must_be_less_or_equal_to, Bound::LessOrEqualTo),
    ];
    let number = |key: &str, value: &Value| {
        literal::number(value).map_err(|Refusal(message)| Refusal(format!("{key}: {message}")))
    };
    for (key, value, make) in single {
        if let Some(value) = value {
            return Ok(make(number(key, value)?));
        }
    }
    let (key, pair) = match (&quality.must_be_between, &quality.must_not_be_between) {
        (Some(pair), _) => ("mustBeBetween", pair),
        (None, Some(pair)) => ("mustNotBeBetween", pair),
        (None, None) => refuse!("has no operator, such as mustBe: 0"),
    };
    let [low, high] = pair.as_slice() else { refuse!("{key} takes two numbers") };
    let (low, high) = (number(key, low)?, number(key, high)?);
    if low > high {
        refuse!("{key} takes the smaller number first");
    }
    Ok(if key == "mustBeBetween" { Bound::Between(low, high) } else { Bound::NotBetween(low, high) })
}

fn library(frame: &Frame<'_>, subject: &Subject<'_>, rules: &mut Rules) -> Result<(), Refusal> {
    let quality = frame.quality;
    let Some(metric) = quality.metric.as_deref() else { refuse!("has no metric, such as nullValues") };
    if let Some(rule) = quality.rule.as_deref().filter(|rule| *rule != metric) {
        refuse!("rule {rule} contradicts metric {metric}; remove the deprecated rule");
    }
    let arguments: &[&str] = match (metric, subject.column) {
        ("nullValues", Some(_)) => &[],
        ("missingValues", Some(_)) => &["missingValues"],
        ("invalidValues", Some(_)) => &["validValues", "pattern"],
        ("duplicateValues", Some(_)) => &[],
        ("duplicateValues", None) => &["properties"],
        ("rowCount", None) => &[],
        ("rowCount", Some(_)) => refuse!("metric rowCount belongs to the table, not to a column"),
        (_, None) => refuse!("metric {metric} belongs to a column, not to the table"),
        (_, Some(_)) => refuse!("metric {metric} is not executed"),
    };
    if let Some(column) = subject.column.filter(|column| column.column_type.is_nested() && metric != "nullValues") {
        refuse!(
            "metric {metric} is not executed for {}; use nullValues, or read a value inside into a column of its own",
            column.column_type
        );
    }
    if let Some(key) = quality.arguments.keys().find(|key| !arguments.contains(&key.as_str())) {
        refuse!("arguments.{key} is no argument of metric {metric} here");
    }
    match (metric, subject.column) {
        ("nullValues", Some(column)) => {
            let metric = Metric::NullValues { column: column.name.clone() };
            add(frame, subject, "null_values", &[("", RowCheck::Required)], metric, rules);
        }
        ("missingValues", Some(column)) => {
            let values = values(quality, "missingValues", column)?;
            let Some(values) = values else {
                refuse!("metric missingValues needs arguments.missingValues; for nulls alone use nullValues");
            };
            let check = RowCheck::NotMissing { values: values.clone() };
            let metric = Metric::MissingValues { column: column.name.clone(), values };
            add(frame, subject, "missing_values", &[("", check)], metric, rules);
        }
        ("invalidValues", Some(column)) => invalid_values(frame, column, subject, rules)?,
        ("duplicateValues", column) => {
            let columns = match column {
                Some(column) => vec![column.name.clone()],
                None => key_columns(quality, subject)?,
            };
            add(frame, subject, "duplicate_values", &[], Metric::DuplicateValues { columns }, rules);
        }
        _ => {
            if frame.unit == MetricUnit::Percent {
                refuse!("metric rowCount has no percent: a table is always all of its rows");
            }
            add(frame, subject, "row_count", &[], Metric::RowCount, rules);
        }
    }
    Ok(())
}

fn invalid_values(frame: &Frame<'_>, column: &Column, subject: &Subject<'_>, rules: &mut Rules) -> Result<(), Refusal> {
    let valid_values = values(frame.quality, "validValues", column)?;
    let regex = match frame.quality.arguments.get("pattern") {
        None => None,
        Some(Value::String(pattern)) if column.column_type == ColumnType::Text => Some(pattern::translate(pattern)?),
        Some(Value::String(_)) => refuse!("arguments.pattern is for text, and the column is {}", column.column_type),
        Some(other) => refuse!("arguments.pattern: {other} is no text"),
    };
    let one_of = valid_values.clone().map(|values| RowCheck::OneOf { values });
    let pattern = regex.clone().map(|regex| RowCheck::Pattern { regex });
    let checks = match (one_of, pattern) {
        (Some(one_of), Some(pattern)) => vec![("_values", one_of), ("_pattern", pattern)],
        (Some(check), None) | (None, Some(check)) => vec![("", check)],
        (None, None) => refuse!("metric invalidValues needs arguments.validValues or arguments.pattern"),
    };
    let metric = Metric::InvalidValues { column: column.name.clone(), valid_values, regex };
    add(frame, subject, "invalid_values", &checks, metric, rules);
    Ok(())
}

/// Adds row rules when no violating row is tolerated and rows can be judged one by one, else one rule on the table.
fn add(
    frame: &Frame<'_>,
    subject: &Subject<'_>,
    kind: &str,
    checks: &[(&str, RowCheck)],
    metric: Metric,
    rules: &mut Rules,
) {
    let id = rule_id(frame.quality, subject, kind);
    if checks.is_empty() || !frame.tolerates_none() {
        rules.add_dataset(&id, metric, frame.unit, frame.bound.clone(), &frame.text);
        return;
    }
    for (suffix, check) in checks {
        let column = subject.column.map(|column| &column.name);
        rules.add_row(&format!("{id}{suffix}"), column, check.clone(), &frame.text);
    }
}

fn sql(frame: &Frame<'_>, subject: &Subject<'_>, rules: &mut Rules) -> Result<(), Refusal> {
    let Some(query) = frame.quality.query.as_deref() else { refuse!("type sql needs a query") };
    if frame.quality.metric.is_some() || frame.quality.rule.is_some() || !frame.quality.arguments.is_empty() {
        refuse!("type sql has a query; remove metric, rule and arguments");
    }
    if frame.unit == MetricUnit::Percent {
        refuse!("unit percent is not executed for type sql: let the query compute the share");
    }
    let id = rule_id(frame.quality, subject, "sql");
    match quality_sql::read(query, subject, frame.tolerates_none())? {
        SqlRule::Row { predicate } => {
            let column = subject.column.map(|column| &column.name);
            rules.add_row(&id, column, RowCheck::Predicate { sql: predicate }, &frame.text);
        }
        SqlRule::Table { query } => {
            rules.add_dataset(&id, Metric::Sql { query }, frame.unit, frame.bound.clone(), &frame.text);
        }
    }
    Ok(())
}

fn rule_id(quality: &Quality, subject: &Subject<'_>, kind: &str) -> String {
    let own = quality.id.as_deref().and_then(slug).or_else(|| quality.name.as_deref().and_then(slug));
    own.unwrap_or_else(|| match subject.column {
        Some(column) => format!("{}.{kind}", column.name),
        None => kind.to_owned(),
    })
}

/// A list of values in canonical form. Null in it says nothing: null is always missing and never invalid.
fn values(quality: &Quality, key: &str, column: &Column) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = quality.arguments.get(key) else {
        return Ok(None);
    };
    let Value::Array(items) = value else { refuse!("arguments.{key} must be a list of values") };
    let zone = column.format.default_timezone.as_deref();
    let mut values: Vec<String> = Vec::new();
    for item in items.iter().filter(|item| !item.is_null()) {
        let literal = Literal::read(item, &column.column_type, zone)
            .map_err(|Refusal(message)| Refusal(format!("arguments.{key}: {message}")))?;
        let canonical = literal.canonical(&column.column_type);
        if !values.contains(&canonical) {
            values.push(canonical);
        }
    }
    if items.is_empty() {
        refuse!("arguments.{key} is empty");
    }
    Ok(Some(values))
}

fn key_columns(quality: &Quality, subject: &Subject<'_>) -> Result<Vec<ColumnName>, Refusal> {
    let Some(Value::Array(items)) = quality.arguments.get("properties") else {
        refuse!("metric duplicateValues of a table needs arguments.properties, a list of columns");
    };
    let mut columns: Vec<ColumnName> = Vec::new();
    for item in items {
        let found = item.as_str().and_then(|text| subject.names.iter().find(|name| name.as_str() == text));
        let Some(name) = found else { refuse!("arguments.properties: {item} is no column of the table") };
        if columns.contains(name) {
            refuse!("arguments.properties: {name} is listed twice");
        }
        columns.push(name.clone());
    }
    if columns.is_empty() {
        refuse!("arguments.properties is empty");
    }
    Ok(columns)
}
