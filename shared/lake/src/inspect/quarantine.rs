//! Quarantined rows: how many, why, and what they look like.

use std::collections::BTreeMap;

use polars::prelude::{DataType, SortMultipleOptions, col, len, lit};
use serde::{Deserialize, Serialize};
use sluice_core::name::{Layer, TableRef};

use super::Cell;
use super::tables::{cells, existing, summary, tables_of_layer};
use crate::delta::open_table;
use crate::engine::collect_streaming;
use crate::engine::rules::CORRUPT_RECORD_RULE;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::blocking;

/// A quarantine table in one line, with the rules that were broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineSummary {
    /// The quarantine table.
    pub table: TableRef,
    /// Its version.
    pub version: u64,
    /// Rows that wait in it.
    pub rows: u64,
    /// Rows by rule; a row that broke several rules counts for each.
    pub rules: BTreeMap<String, u64>,
}

/// A quarantined row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantinedRow {
    /// The rules it broke.
    pub rules: Vec<String>,
    /// Address of the source object.
    pub source_file: String,
    /// Number of the record in the source object, as bronze has it.
    pub source_row: Option<i64>,
    /// The run that read it.
    pub run_id: String,
    /// The source record.
    pub raw: String,
}

/// Records in a quarantine table that cannot be split into columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CorruptRecords {
    /// The quarantine table.
    pub table: TableRef,
    /// How many it has.
    pub rows: u64,
    /// What is wrong with one of them, with its place.
    pub reason: String,
}

/// The records in a quarantine table that cannot be split into columns; `None` where it has none, or does not exist.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::Polars`] when the table cannot be read.
pub async fn corrupt_records(lake: &Lake, table: &TableRef) -> Result<Option<CorruptRecords>, LakeError> {
    let Some(open) = open_table(lake, table, None).await? else { return Ok(None) };
    let rules = col("_broken_rules");
    let corrupt = open.scan()?.filter(rules.clone().str().contains_literal(lit(corrupt_rule())));
    let counted = corrupt.select([len().cast(DataType::Int64).alias("rows"), rules.min()]);
    let doing = format!("count corrupt records of table `{table}`");
    let frame = {
        let doing = doing.clone();
        blocking(move || collect_streaming(counted).map_err(LakeError::polars(doing))).await?
    };
    let counted = cells(&frame).map_err(LakeError::polars(doing))?;
    let Some([Cell::Integer(rows @ 1..), example]) = counted.first().map(Vec::as_slice) else { return Ok(None) };
    let rows = u64::try_from(*rows).unwrap_or_default();
    Ok(Some(CorruptRecords { table: table.clone(), rows, reason: corrupt_reason(&example.to_string()) }))
}

/// What a text of broken rules has where one of them is that of corrupt records. No value has it: in JSON its quotes
/// would be escaped.
fn corrupt_rule() -> String {
    format!(r#""rule":"{CORRUPT_RECORD_RULE}""#)
}

/// The reason in a text of broken rules that has the rule of corrupt records.
fn corrupt_reason(text: &str) -> String {
    let rules: Vec<BrokenRule> = serde_json::from_str(text).unwrap_or_default();
    let broken = rules.into_iter().find(|broken| broken.rule == CORRUPT_RECORD_RULE);
    broken.and_then(|broken| broken.value).unwrap_or_else(|| "it cannot be split into columns".to_owned())
}

/// Every quarantine table of the lake.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::Polars`] when a table cannot be read.
pub async fn quarantines(lake: &Lake) -> Result<Vec<QuarantineSummary>, LakeError> {
    let mut found = Vec::new();
    for table in tables_of_layer(lake, Layer::Quarantine).await? {
        let Some(open) = open_table(lake, &table, None).await? else { continue };
        let counts = open.scan()?.group_by([col("_broken_rules")]).agg([len().cast(DataType::Int64)]);
        let doing = format!("count rows of table `{table}`");
        let frame = {
            let doing = doing.clone();
            blocking(move || counts.collect().map_err(LakeError::polars(doing))).await?
        };
        let (mut rows, mut rules) = (0, BTreeMap::new());
        for row in cells(&frame).map_err(LakeError::polars(doing))? {
            let [broken, Cell::Integer(count)] = row.as_slice() else { continue };
            let count = u64::try_from(*count).unwrap_or_default();
            rows += count;
            for rule in rule_names(broken) {
                *rules.entry(rule).or_default() += count;
            }
        }
        found.push(QuarantineSummary { version: summary(&open)?.version, table, rows, rules });
    }
    Ok(found)
}

/// The rows of a quarantine table in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuarantineCounts {
    /// Rows that wait in it.
    pub rows: u64,
    /// Rows by run and rule; a row that broke several rules counts for each.
    pub by_run: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The rows of a quarantine table by run and rule; `None` where it does not exist.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::Polars`] when the table cannot be read.
pub async fn quarantine_counts(lake: &Lake, table: &TableRef) -> Result<Option<QuarantineCounts>, LakeError> {
    let Some(open) = open_table(lake, table, None).await? else { return Ok(None) };
    let keys = [col("_run_id"), col("_broken_rules")];
    let counted = open.scan()?.group_by(keys).agg([len().cast(DataType::Int64)]);
    let doing = format!("count rows of table `{table}`");
    let frame = {
        let doing = doing.clone();
        blocking(move || collect_streaming(counted).map_err(LakeError::polars(doing))).await?
    };
    let mut counts = QuarantineCounts::default();
    for row in cells(&frame).map_err(LakeError::polars(doing))? {
        let [run, broken, Cell::Integer(rows)] = row.as_slice() else { continue };
        let rows = u64::try_from(*rows).unwrap_or_default();
        counts.rows += rows;
        let of_run = counts.by_run.entry(run.to_string()).or_default();
        for rule in rule_ids(broken) {
            *of_run.entry(rule).or_default() += rows;
        }
    }
    Ok(Some(counts))
}

/// Where a quarantined row comes from, without a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedPlace {
    /// The rules it broke.
    pub rules: Vec<String>,
    /// Address of the source object.
    pub source_file: String,
    /// Number of the record in the source object, as bronze has it.
    pub source_row: Option<i64>,
    /// The run that read it.
    pub run_id: String,
}

/// Where at most `limit` rows of a quarantine table come from, of one run or of all: those of the newest runs first,
/// whose ids begin with their time. Of a table that does not exist, none.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::Polars`] when the table cannot be read.
pub async fn quarantine_places(
    lake: &Lake,
    table: &TableRef,
    run: Option<&str>,
    limit: u32,
) -> Result<Vec<QuarantinedPlace>, LakeError> {
    let Some(open) = open_table(lake, table, None).await? else { return Ok(Vec::new()) };
    let mut rows = open.scan()?.select(["_broken_rules", "_source_file", "_source_row", "_run_id"].map(col));
    if let Some(run) = run {
        rows = rows.filter(col("_run_id").eq(lit(run.to_owned())));
    }
    let newest_first = SortMultipleOptions::default().with_order_descending(true);
    let rows = rows.sort_by_exprs(vec![col("_run_id")], newest_first).limit(limit);
    let doing = format!("read rows of table `{table}`");
    let frame = {
        let doing = doing.clone();
        // In a stream: a table may be larger than the memory, of which only the first rows are kept.
        blocking(move || collect_streaming(rows).map_err(LakeError::polars(doing))).await?
    };
    let place = |row: &Vec<Cell>| {
        let [rules, source_file, source_row, run_id] = row.as_slice() else { return None };
        Some(QuarantinedPlace {
            rules: rule_ids(rules),
            source_file: source_file.to_string(),
            source_row: if let Cell::Integer(number) = source_row { Some(*number) } else { None },
            run_id: run_id.to_string(),
        })
    };
    Ok(cells(&frame).map_err(LakeError::polars(doing))?.iter().filter_map(place).collect())
}

/// At most `limit` rows of a quarantine table, those that broke `rule` only when one is given.
///
/// # Errors
/// [`LakeError::NotFound`] where there is no such table; [`LakeError::Invalid`] for a table of another layer.
pub async fn quarantine_rows(
    lake: &Lake,
    table: &TableRef,
    rule: Option<&str>,
    limit: usize,
) -> Result<Vec<QuarantinedRow>, LakeError> {
    if table.layer() != Layer::Quarantine {
        return Err(LakeError::Invalid { message: format!("table `{table}` is no quarantine table") });
    }
    let open = existing(lake, table, None).await?;
    let mut rows = open.scan()?.select(["_broken_rules", "_source_file", "_source_row", "_run_id", "_raw"].map(col));
    if let Some(rule) = rule {
        // Rules are filtered exactly below; this keeps the other rows out of memory.
        rows = rows.filter(col("_broken_rules").str().contains_literal(lit(rule)));
    } else {
        rows = rows.limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
    let doing = format!("read rows of table `{table}`");
    let frame = {
        let doing = doing.clone();
        blocking(move || rows.collect().map_err(LakeError::polars(doing))).await?
    };
    let rows = cells(&frame).map_err(LakeError::polars(doing))?;
    let of_rule = |row: &QuarantinedRow| rule.is_none_or(|rule| row.rules.iter().any(|broken| broken == rule));
    Ok(rows.iter().filter_map(|row| quarantined(row)).filter(of_rule).take(limit).collect())
}

fn quarantined(row: &[Cell]) -> Option<QuarantinedRow> {
    let [rules, source_file, source_row, run_id, raw] = row else { return None };
    Some(QuarantinedRow {
        rules: rule_names(rules),
        source_file: source_file.to_string(),
        source_row: if let Cell::Integer(number) = source_row { Some(*number) } else { None },
        run_id: run_id.to_string(),
        raw: raw.to_string(),
    })
}

/// What stands in the place of rules that cannot be read.
const UNREADABLE: &str = "(unreadable)";

/// What the engine writes of a broken rule.
#[derive(Deserialize)]
struct BrokenRule {
    rule: String,
    #[serde(default)]
    value: Option<String>,
}

/// The rules of a row: a JSON array of objects with the rule's id. Another text is shown as it is, rather than lost.
fn rule_names(cell: &Cell) -> Vec<String> {
    let text = cell.to_string();
    match serde_json::from_str::<Vec<BrokenRule>>(&text) {
        Ok(rules) => rules.into_iter().map(|broken| broken.rule).collect(),
        Err(_) => vec![text],
    }
}

/// The ids of the rules of a row, for readers who must see no value. Another text may have some, so that it is not shown.
fn rule_ids(cell: &Cell) -> Vec<String> {
    let rules = serde_json::from_str::<Vec<BrokenRule>>(&cell.to_string());
    rules.map_or_else(|_| vec![UNREADABLE.to_owned()], |rules| rules.into_iter().map(|broken| broken.rule).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_rules_are_no_values() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(rule_ids(&Cell::Text(text.to_owned())), expected, "{text}");
        check(r#"[{"rule":"price.minimum","value":"secret"}]"#, &["price.minimum"]);
        check("[]", &[]);
        check(r#"{"value":"secret"}"#, &[UNREADABLE]);
    }

    #[test]
    fn rules_are_read_as_the_engine_writes_them() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(rule_names(&Cell::Text(text.to_owned())), expected, "{text}");
        check(
            r#"[{"rule":"quantity.readable","column":"quantity"},{"rule":"price.minimum"}]"#,
            &["quantity.readable", "price.minimum"],
        );
        check("[]", &[]);
        check("something else", &["something else"]);
    }

    #[test]
    fn the_reason_of_a_corrupt_record_is_found_among_its_rules() {
        // As the engine writes them: keys in the order of the alphabet.
        let text = |rule: &str, value: Option<&str>| {
            serde_json::json!([{ "rule": rule, "column": null, "value": value }]).to_string()
        };
        let check = |value: Option<&str>, expected: &str| {
            let text = text(CORRUPT_RECORD_RULE, value);
            assert!(text.contains(&corrupt_rule()), "{text}");
            assert_eq!(corrupt_reason(&text), expected, "{text}");
        };
        check(Some("line 2 is torn"), "line 2 is torn");
        check(None, "it cannot be split into columns");
        for value in ["corrupt_record", r#""rule":"corrupt_record""#, r#"{"rule":"corrupt_record"}"#] {
            let text = text("name.pattern", Some(value));
            assert!(!text.contains(&corrupt_rule()), "{text}");
        }
    }
}
