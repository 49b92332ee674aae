//! Row rules as Polars expressions: which rows break them, and with what value.
//!
//! In the frame that the silver SQL answers, every mapped column has a companion named by [`unreadable_name`] with the
//! source text that could not be read, and `_corrupt_record` holds the records that could not be split into fields, with
//! their place and fault in `_corrupt_reason`. A value that is missing because its text could not be read breaks
//! `readable` and not also `required`; so it is with a value that the silver SQL computes, where the text of a helper
//! could not be read. A corrupt record breaks [`CORRUPT_RECORD_RULE`] alone. A value that the silver SQL could not compute
//! breaks `computed` and no other rule of its column.

use polars::prelude::{
    Column as PolarsColumn, DataType, Expr, Field, IntoColumn, Literal, NULL, NamedFrom, PolarsResult, Series,
    StringChunked, col, lit, map_multiple, when,
};
use serde_json::json;
use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, IS_DELETE};
use sluice_core::contract::{Column, ColumnType, RowCheck, RowRule, Severity, TableContract};
use sluice_core::decimal::DecimalNumber;
use sluice_core::name::ColumnName;
use sluice_core::pipeline::{SilverTable, Versioned};
use sluice_core::uri::layout::NULL_PARTITION;

use super::cast::{literal, units, unreadable_name};
use super::types::canonical_text;
use super::{EngineError, inside, sql};

/// The rule that a corrupt record breaks.
pub(crate) const CORRUPT_RECORD_RULE: &str = "corrupt_record";

/// The rule that a value breaks which the silver SQL cannot compute, behind the name of its column.
const COMPUTED: &str = "computed";
/// The rule about rows of which nobody can say whether they are delete events.
const DELETES_COMPUTED: &str = "delete_when.computed";

/// A row rule ready to run.
#[derive(Debug, Clone)]
pub(crate) struct RowTest {
    /// The rule's id.
    pub(crate) id: String,
    /// The column tested, where the rule is about one.
    pub(crate) column: Option<String>,
    /// What a broken rule leads to.
    pub(crate) severity: Severity,
    /// Boolean, never null: whether the row breaks the rule.
    pub(crate) broken: Expr,
    /// The offending value as text, where there is one; null where the value is.
    pub(crate) value: Option<Expr>,
}

/// Compiles the row rules for rows that are stored: what was read is readable, so `readable` needs no test.
///
/// # Errors
/// [`EngineError::Rule`] and [`EngineError::RuleSql`], by rule id.
pub(crate) fn compile(contract: &TableContract) -> Result<Vec<RowTest>, EngineError> {
    let source = Source { mapped: None };
    tests(contract, &source)
}

/// Compiles the row rules of a silver table for rows on their way from its source. Any text can be read as text, so the
/// contract has no rule `readable` for such a column; where it is read by a path that may not fit, it gets one. So does
/// a helper, which the contract does not know.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_table(table: &SilverTable) -> Result<Vec<RowTest>, EngineError> {
    let mut all = compile_source(&table.contract, &table.columns)?;
    for (name, _) in &table.columns {
        let is_text = table.column(name.as_str()).is_some_and(|column| column.column_type == ColumnType::Text);
        let is_helper = table.contract.column(name.as_str()).is_none();
        let has_path = table.readings.get(name).is_some_and(|reading| reading.path().is_some());
        let has_no_rule = if is_text { has_path } else { is_helper };
        if has_no_rule {
            let unreadable = col(unreadable_name(name.as_str()));
            all.push(RowTest {
                id: format!("{name}.readable"),
                column: Some(name.to_string()),
                severity: Severity::Error,
                broken: unreadable.clone().is_not_null().and(col(CORRUPT_RECORD).is_null()),
                value: Some(unreadable),
            });
        }
    }
    Ok(all)
}

/// Compiles the row rules for rows on their way from a source, whose contract columns are read from source columns as
/// `mapped` says. The first test is that of [`CORRUPT_RECORD_RULE`].
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_source(
    contract: &TableContract,
    mapped: &[(ColumnName, String)],
) -> Result<Vec<RowTest>, EngineError> {
    let source = Source { mapped: Some(mapped) };
    let corrupt = RowTest {
        id: CORRUPT_RECORD_RULE.to_owned(),
        column: None,
        severity: Severity::Error,
        broken: col(CORRUPT_RECORD).is_not_null(),
        value: Some(col(CORRUPT_REASON)),
    };
    let mut all = vec![corrupt];
    all.extend(tests(contract, &source)?);
    Ok(all)
}

/// These tests for rows of which some columns could not be computed: why is in the columns named by
/// [`failure_name`](sql::failure_name).
pub(super) fn with_computed(tests: &[RowTest], failing: &[String]) -> Vec<RowTest> {
    let failure = |column: &str| col(sql::failure_name(column));
    let certain = |broken: Expr| broken.and(col(CORRUPT_RECORD).is_null());
    let computed = failing.iter().map(|column| RowTest {
        id: if column == IS_DELETE { DELETES_COMPUTED.to_owned() } else { format!("{column}.{COMPUTED}") },
        column: (column != IS_DELETE).then(|| column.clone()),
        severity: Severity::Error,
        broken: certain(failure(column).is_not_null()),
        value: Some(failure(column)),
    });
    let declared = tests.iter().map(|test| match &test.column {
        Some(column) if failing.contains(column) => {
            RowTest { broken: test.broken.clone().and(failure(column).is_null()), ..test.clone() }
        }
        _ => test.clone(),
    });
    declared.chain(computed).collect()
}

/// These tests for rows of which some are delete events, as the column [`IS_DELETE`] says, which is never null. Of them
/// only the columns are tested that decide what they delete, and those of which the SQL computes one, as `is_behind`
/// says: these must be readable. What decides must have a value, whatever the contract says: without a key or a time an
/// event ends nothing that anybody could name.
pub(super) fn with_deletes(tests: &[RowTest], by: &Versioned, is_behind: impl Fn(&str) -> bool) -> Vec<RowTest> {
    let is_for_all = |test: &RowTest| match &test.column {
        Some(column) if by.decides(column) => true,
        Some(column) => test.id == format!("{column}.readable") && is_behind(column),
        None => test.id == CORRUPT_RECORD_RULE || test.id == DELETES_COMPUTED,
    };
    let spared = tests.iter().map(|test| match is_for_all(test) {
        true => test.clone(),
        false => RowTest { broken: test.broken.clone().and(col(IS_DELETE).not()), ..test.clone() },
    });
    let required = by.keys.iter().chain(&by.latest_by).map(|name| {
        let is_missing = col(IS_DELETE).and(col(name.as_str()).is_null()).and(col(CORRUPT_RECORD).is_null());
        // Where another rule says why the value is missing, that one is enough, unless it only warns.
        let others = tests.iter().filter(|test| test.severity == Severity::Error);
        let others = others.filter(|test| test.column.as_deref() == Some(name.as_str()));
        RowTest {
            id: format!("{name}.required"),
            column: Some(name.to_string()),
            severity: Severity::Error,
            broken: others.fold(is_missing, |missing, test| missing.and(test.broken.clone().not())),
            value: None,
        }
    });
    spared.chain(required).collect()
}

/// Where the rows come from.
struct Source<'a> {
    /// The mapped columns of rows from a source; `None` for stored rows.
    mapped: Option<&'a [(ColumnName, String)]>,
}

impl Source<'_> {
    /// The text of a column that could not be read, where the column is read from text.
    fn unreadable(&self, column: &ColumnName) -> Option<Expr> {
        let mapped = self.mapped?.iter().any(|(name, _)| name == column);
        mapped.then(|| col(unreadable_name(column.as_str())))
    }

    /// The texts that could not be read for which a value of this column may be missing: its own; of a column that is
    /// not mapped but computed, those of all helpers, because any of them may be part of it.
    fn unreadable_behind(&self, column: &ColumnName, contract: &TableContract) -> Vec<Expr> {
        if let Some(own) = self.unreadable(column) {
            return vec![own];
        }
        let mapped = self.mapped.into_iter().flatten();
        let helpers = mapped.filter(|(name, _)| contract.column(name.as_str()).is_none());
        helpers.map(|(name, _)| col(unreadable_name(name.as_str()))).collect()
    }

    /// The test for whole records only, which takes "unknown" for "not broken".
    fn certain(&self, broken: Expr) -> Expr {
        let certain = broken.fill_null(lit(false));
        match self.mapped {
            Some(_) => certain.and(col(CORRUPT_RECORD).is_null()),
            None => certain,
        }
    }
}

fn tests(contract: &TableContract, source: &Source<'_>) -> Result<Vec<RowTest>, EngineError> {
    let mut tests = Vec::with_capacity(contract.row_rules.len());
    for rule in &contract.row_rules {
        if let Some((broken, value)) = test(rule, contract, source)? {
            tests.push(RowTest {
                id: rule.id.clone(),
                column: rule.column.as_ref().map(ToString::to_string),
                severity: rule.severity,
                broken: source.certain(broken),
                value,
            });
        }
    }
    Ok(tests)
}

/// What is broken, with the value shown; `None` where the rule holds by construction.
fn test(
    rule: &RowRule,
    contract: &TableContract,
    source: &Source<'_>,
) -> Result<Option<(Expr, Option<Expr>)>, EngineError> {
    if let RowCheck::Predicate { sql: predicate } = &rule.check {
        let within = |error: EngineError| EngineError::RuleSql { rule: rule.id.clone(), source: Box::new(error) };
        let judged = sql::judged_predicate(predicate, contract).map_err(within)?;
        let value = rule.column.as_ref().and_then(|name| contract.column(name.as_str())).map(shown);
        // A row for which the predicate cannot be computed breaks it; the reason is its value.
        return Ok(Some(match judged.failure {
            Some(failure) => {
                let broken = judged.holds.fill_null(lit(false)).or(failure.clone().is_not_null());
                let value = value.unwrap_or_else(|| lit(NULL).cast(DataType::String));
                (broken, Some(when(failure.clone().is_not_null()).then(failure).otherwise(value)))
            }
            None => (judged.holds, value),
        }));
    }
    let name = rule.column.as_ref().ok_or_else(|| problem(rule, "it names no column; its check needs one"))?;
    let column = contract
        .column(name.as_str())
        .ok_or_else(|| problem(rule, format!("column `{name}` is not in the contract")))?;
    let value = || col(name.as_str());
    let is_nested = column.column_type.is_nested();
    let part_fault = |text: Expr, fault: String| {
        let prefix = inside::fault_prefix(&fault);
        let broken = text.clone().str().starts_with(lit(prefix.clone()));
        (broken, Some(text.str().strip_prefix(lit(prefix))))
    };
    let missing = |missing: Expr| {
        let behind = source.unreadable_behind(name, contract);
        behind.into_iter().fold(missing, |missing, unreadable| missing.and(unreadable.is_null()))
    };
    Ok(match &rule.check {
        RowCheck::Readable if is_nested => {
            source.unreadable(name).map(|text| part_fault(text, inside::unreadable_at("")))
        }
        RowCheck::Readable => source.unreadable(name).map(|text| (text.clone().is_not_null(), Some(text))),
        RowCheck::PartReadable { place } => {
            source.unreadable(name).map(|text| part_fault(text, inside::unreadable_at(place)))
        }
        RowCheck::PartRequired { place } => {
            source.unreadable(name).map(|text| (part_fault(text, inside::missing_at(place)).0, None))
        }
        RowCheck::Required => Some((missing(value().is_null()), None)),
        RowCheck::NotMissing { values } => {
            let listed = is_one_of(shown(column), values).fill_null(lit(false));
            Some((missing(value().is_null()).or(listed), Some(shown(column))))
        }
        check => Some((broken_value(rule, column, check)?, Some(shown(column)))),
    })
}

/// Whether a value breaks a check; null where the value is null.
fn broken_value(rule: &RowRule, column: &Column, check: &RowCheck) -> Result<Expr, EngineError> {
    let value = col(column.name.as_str());
    let bound = |text: &str| {
        literal(&column.column_type, text)
            .ok_or_else(|| problem(rule, format!("'{text}' is no {}", column.column_type)))
    };
    Ok(match check {
        RowCheck::Pattern { regex } => shown(column).str().contains(lit(regex.as_str()), true).not(),
        RowCheck::OneOf { values } => is_one_of(shown(column), values).not(),
        RowCheck::Minimum { bound: text, exclusive: false } => value.lt(bound(text)?),
        RowCheck::Minimum { bound: text, exclusive: true } => value.lt_eq(bound(text)?),
        RowCheck::Maximum { bound: text, exclusive: false } => value.gt(bound(text)?),
        RowCheck::Maximum { bound: text, exclusive: true } => value.gt_eq(bound(text)?),
        RowCheck::MinLength { characters } => characters_of(column).lt(lit(*characters)),
        RowCheck::MaxLength { characters } => characters_of(column).gt(lit(*characters)),
        RowCheck::FolderName { max_bytes } => {
            folder_bytes(column).gt(lit(*max_bytes)).or(shown(column).eq(lit(NULL_PARTITION)))
        }
        RowCheck::MultipleOf { step } => no_multiple(rule, column, *step)?,
        RowCheck::Readable
        | RowCheck::Required
        | RowCheck::PartReadable { .. }
        | RowCheck::PartRequired { .. }
        | RowCheck::NotMissing { .. }
        | RowCheck::Predicate { .. } => lit(false),
    })
}

fn problem(rule: &RowRule, problem: impl Into<String>) -> EngineError {
    EngineError::Rule { rule: rule.id.clone(), problem: problem.into() }
}

fn shown(column: &Column) -> Expr {
    canonical_text(column.name.as_str(), &column.column_type)
}

fn characters_of(column: &Column) -> Expr {
    shown(column).str().len_chars().cast(DataType::UInt64)
}

/// Bytes of a text in the name of a partition's folder, as the stage writer encodes it.
fn folder_bytes(column: &Column) -> Expr {
    let bytes = |text: Expr| text.str().len_bytes().cast(DataType::UInt64);
    let encoded = shown(column).str().replace_all(lit("[A-Za-z0-9._-]"), lit(""), false);
    bytes(shown(column)) + bytes(encoded) * lit(2_u64)
}

/// Whether a text is one of these; null where it is null.
pub(super) fn is_one_of(text: Expr, values: &[String]) -> Expr {
    let set = Series::new("values".into(), values);
    text.is_in(set.lit().implode(true), false)
}

/// Whether a number is no whole multiple of the step, exactly: decimals count in units of their last place.
fn no_multiple(rule: &RowRule, column: &Column, step: DecimalNumber) -> Result<Expr, EngineError> {
    let step = units(&column.column_type, &step.to_string())
        .filter(|step| *step > 0)
        .ok_or_else(|| problem(rule, format!("{step} is no step of {}", column.column_type)))?;
    let rest = move |column: PolarsColumn| {
        let units = match column.dtype() {
            DataType::Decimal(..) => column.decimal()?.physical().clone(),
            _ => column.cast(&DataType::Int128)?.i128()?.clone(),
        };
        let broken: polars::prelude::BooleanChunked =
            polars::prelude::arity::unary_elementwise(&units, |value: Option<i128>| {
                value.map(|value| value % step != 0)
            });
        Ok(broken.with_name(column.name().clone()).into_column())
    };
    let boolean = |_: &polars::prelude::Schema, field: &Field| Ok(Field::new(field.name().clone(), DataType::Boolean));
    Ok(col(column.name.as_str()).map(rest, boolean))
}

/// Whether the row breaks any rule of severity `error`. Boolean, never null.
pub(crate) fn any_error_expr(tests: &[RowTest]) -> Expr {
    let errors = tests.iter().filter(|test| test.severity == Severity::Error).map(|test| test.broken.clone());
    errors.reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// The broken rules of severity `error` as JSON text: `[{"rule":…,"column":…,"value":…}]`, with null for a rule
/// without a column or a missing value.
///
/// It examines row after row: use it on the rows that [`any_error_expr`] finds.
pub(crate) fn broken_rules_expr(tests: &[RowTest]) -> Expr {
    let errors: Vec<&RowTest> = tests.iter().filter(|test| test.severity == Severity::Error).collect();
    if errors.is_empty() {
        return lit("[]");
    }
    let names: Vec<(String, Option<String>)> =
        errors.iter().map(|test| (test.id.clone(), test.column.clone())).collect();
    let no_value = || lit(polars::prelude::NULL).cast(DataType::String);
    let columns: Vec<Expr> =
        errors.iter().flat_map(|test| [test.broken.clone(), test.value.clone().unwrap_or_else(no_value)]).collect();
    map_multiple(
        move |columns| broken_rules(&names, columns),
        columns,
        |_, _| Ok(Field::new("_broken_rules".into(), DataType::String)),
    )
}

fn broken_rules(names: &[(String, Option<String>)], columns: &[PolarsColumn]) -> PolarsResult<PolarsColumn> {
    // A column of one constant has one row. The other columns have the number of rows, which may be zero.
    let height = columns.iter().map(PolarsColumn::len).find(|length| *length != 1).unwrap_or(1);
    let mut rules: Vec<Vec<serde_json::Value>> = vec![Vec::new(); height];
    for ((id, column), pair) in names.iter().zip(columns.chunks_exact(2)) {
        let [broken, value] = pair else { continue };
        let (broken, value) = (broken.bool()?, value.str()?);
        let at = |length: usize, row: usize| if length == 1 { 0 } else { row };
        for (row, rules) in rules.iter_mut().enumerate() {
            if broken.get(at(broken.len(), row)) == Some(true) {
                rules.push(json!({ "rule": id, "column": column, "value": value.get(at(value.len(), row)) }));
            }
        }
    }
    let texts: StringChunked =
        rules.into_iter().map(|rules| Some(serde_json::Value::Array(rules).to_string())).collect();
    Ok(texts.with_name("_broken_rules".into()).into_column())
}

#[cfg(test)]
mod tests;
