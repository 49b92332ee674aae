//! Columns that the SQL of a silver table computes.

use serde_json::{Value, json};

use super::field::Field;
use super::value::Kind;
use crate::random::Random;

/// A computed column.
#[derive(Debug, Clone)]
pub(super) struct Computed {
    /// Name in the table.
    pub(super) name: String,
    /// Expression over the mapped columns.
    pub(super) sql: String,
    /// The property of the contract.
    pub(super) property: Value,
}

/// Expressions over texts `{a}` and `{b}`, and their types.
const OF_TEXT: &[(&str, &str)] = &[
    ("LENGTH({a})", "BIGINT"),
    ("UPPER({a})", "STRING"),
    ("LOWER({a})", "STRING"),
    ("LEFT({a}, 3)", "STRING"),
    ("RIGHT({a}, 2)", "STRING"),
    ("SUBSTR({a}, 2, 3)", "STRING"),
    ("SUBSTRING({a}, 3)", "STRING"),
    ("REPLACE({a}, 'a', 'é')", "STRING"),
    ("{a} || '-' || {b}", "STRING"),
    ("{a} LIKE '%e_'", "BOOLEAN"),
    ("{a} NOT LIKE 'A-%'", "BOOLEAN"),
    ("{a} IN ('x', 'A-1') OR {a} IS NULL", "BOOLEAN"),
    ("COALESCE(NULLIF(TRIM({a}), ''), 'none')", "STRING"),
    ("CASE WHEN {a} IS NULL THEN 'null' WHEN {a} = '' THEN 'empty' ELSE LTRIM(RTRIM({a})) END", "STRING"),
    ("{a} < 'm'", "BOOLEAN"),
    ("CASE {a} WHEN 'x' THEN 1 WHEN 'A-1' THEN 2 ELSE 3 END", "BIGINT"),
];
/// Of 32-bit integers.
const OF_INTEGER: &[(&str, &str)] = &[
    ("{a} + 1", "BIGINT"),
    ("{a} * 2 - 3", "BIGINT"),
    ("{a} % 7", "BIGINT"),
    ("{a} / NULLIF({b}, 0)", "DOUBLE"),
    ("ABS(CAST({a} AS BIGINT))", "BIGINT"),
    ("SIGN({a})", "BIGINT"),
    ("GREATEST({a}, {b}, 0)", "BIGINT"),
    ("LEAST({a}, 10)", "BIGINT"),
    ("CAST({a} AS DECIMAL(20, 2)) / 3", "DOUBLE"),
    ("ROUND({a} * 1.15, 1)", "DECIMAL(38,2)"),
    ("CAST({a} AS STRING)", "STRING"),
    ("{a} BETWEEN -5 AND 50", "BOOLEAN"),
    ("{a} NOT IN (1, 2, 3)", "BOOLEAN"),
    ("CAST({a} AS DOUBLE) * 0.5", "DOUBLE"),
    ("CAST({a} AS BIGINT) * -1", "BIGINT"),
    ("CASE WHEN {a} > 0 THEN {a} ELSE 0.5 END", "DECIMAL(20,1)"),
];
/// Of decimals of at most 12 digits.
const OF_DECIMAL: &[(&str, &str)] = &[
    ("ROUND({a} * {b}, 2)", "DECIMAL(38,8)"),
    ("ROUND({a}, 1)", "DECIMAL(38,4)"),
    ("{a} + {b}", "DECIMAL(38,4)"),
    ("{a} - 0.5", "DECIMAL(38,4)"),
    ("{a} / NULLIF({b}, 0)", "DOUBLE"),
    ("CAST({a} AS DECIMAL(20, 1))", "DECIMAL(20,1)"),
    ("CEIL({a})", "DECIMAL(38,4)"),
    ("FLOOR({a})", "DECIMAL(38,4)"),
    ("ABS({a})", "DECIMAL(38,4)"),
    ("SIGN({a})", "DOUBLE"),
    ("{a} % 3", "DECIMAL(38,4)"),
    ("CAST({a} AS DOUBLE) / 7", "DOUBLE"),
    ("CAST({a} AS STRING)", "STRING"),
    ("{a} > 12.5", "BOOLEAN"),
    ("ROUND({a} / 7, 3)", "DECIMAL(38,3)"),
    ("COALESCE({a}, 0)", "DECIMAL(38,4)"),
];
/// Of days and instants.
const OF_TIME: &[(&str, &str)] = &[
    ("EXTRACT(YEAR FROM {a})", "BIGINT"),
    ("EXTRACT(MONTH FROM {a})", "BIGINT"),
    ("EXTRACT(DAY FROM {a})", "BIGINT"),
    ("DATEDIFF({a}, DATE '2024-01-01')", "BIGINT"),
    ("CAST({a} AS DATE)", "DATE"),
    ("CAST({a} AS TIMESTAMP)", "TIMESTAMP"),
    ("CAST({a} AS DATE) < DATE '2024-02-15'", "BOOLEAN"),
    ("CAST({a} AS TIMESTAMP) >= TIMESTAMP '2024-02-15 08:00:00'", "BOOLEAN"),
    ("DATEDIFF({b}, {a})", "BIGINT"),
];
/// Of instants only.
const OF_INSTANT: &[(&str, &str)] =
    &[("EXTRACT(HOUR FROM {a})", "BIGINT"), ("EXTRACT(MINUTE FROM {a})", "BIGINT"), ("{a} = {b}", "BOOLEAN")];
/// Of booleans.
const OF_BOOLEAN: &[(&str, &str)] = &[
    ("NOT {a}", "BOOLEAN"),
    ("{a} IS TRUE", "BOOLEAN"),
    ("{a} IS NOT FALSE", "BOOLEAN"),
    ("{a} AND {b}", "BOOLEAN"),
    ("{a} OR {b} IS NULL", "BOOLEAN"),
    ("CASE WHEN {a} THEN 1 ELSE 0 END", "BIGINT"),
    ("{a} = TRUE", "BOOLEAN"),
];

/// Expressions that fail for some rows.
const FAILING: &[(&str, &str)] = &[
    ("CASE WHEN {a} LIKE '%-1' THEN CAST({a} AS BIGINT) ELSE 0 END", "BIGINT"),
    ("CASE WHEN {a} LIKE '%-1' THEN CAST({a} AS DECIMAL(6,2)) ELSE 0.00 END", "DECIMAL(6,2)"),
    ("CASE WHEN {a} = 'c-3' THEN CAST({a} AS DATE) ELSE DATE '2024-01-01' END", "DATE"),
];

/// Expressions that fit a kind.
fn expressions(kind: &Kind, random: &mut Random) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Text(_) => OF_TEXT,
        Kind::Int32 => OF_INTEGER,
        Kind::Decimal { precision: 0..=12, .. } => OF_DECIMAL,
        Kind::Timestamp(..) if random.happens(30) => OF_INSTANT,
        Kind::Date(_) | Kind::Timestamp(..) => OF_TIME,
        Kind::Boolean => OF_BOOLEAN,
        _ => &[],
    }
}

/// A column computed from the fields, if one of them is suitable.
pub(super) fn drawn(index: usize, fields: &[Field], random: &mut Random) -> Option<Computed> {
    let field = random.pick(fields);
    let expressions = expressions(&field.kind, random);
    if expressions.is_empty() {
        return None;
    }
    let (template, stored) = *random.pick(expressions);
    let alike: Vec<&Field> = fields
        .iter()
        .filter(|other| std::mem::discriminant(&other.kind) == std::mem::discriminant(&field.kind))
        .collect();
    let other = match &field.kind {
        Kind::Decimal { .. } => field,
        _ => random.pick(&alike),
    };
    let name = format!("x{index}");
    let sql = template.replace("{a}", &field.name).replace("{b}", &other.name);
    let mut property = json!({ "name": name, "physicalType": stored });
    if random.happens(15) {
        property["required"] = json!(true);
    }
    if random.happens(15) && stored == "BIGINT" {
        property["logicalType"] = json!("integer");
        property["logicalTypeOptions"] = json!({ "maximum": 5000, "minimum": -5000 });
    }
    Some(Computed { name, sql, property })
}

/// A column of a text that cannot be computed for some rows.
pub(super) fn failing(text: &Field, random: &mut Random) -> Computed {
    let (template, stored) = *random.pick(FAILING);
    let property = json!({ "name": "failing", "physicalType": stored });
    Computed { name: "failing".to_owned(), sql: template.replace("{a}", &text.name), property }
}

/// A column as the SQL passes it on: unchanged, or changed without changing its type.
pub(super) fn passed(field: &Field, random: &mut Random) -> String {
    let name = &field.name;
    let templates: &[&str] = match &field.kind {
        Kind::Text(_) => &["TRIM({a})", "NULLIF({a}, '')", "COALESCE({a}, '?')", "REPLACE({a}, ' ', '_')"],
        Kind::Int32 | Kind::Int64 => &["NULLIF({a}, 13)", "COALESCE({a}, 0)"],
        Kind::Decimal { precision: 0..=12, .. } => &["COALESCE({a}, 0)", "{a} * 1"],
        _ => &[],
    };
    if templates.is_empty() || field.narrow || random.happens(75) {
        return name.clone();
    }
    format!("{} AS {name}", random.pick(templates).replace("{a}", name))
}
