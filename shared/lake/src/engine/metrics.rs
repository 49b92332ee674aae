//! The audit's numbers, and what they are judged by.
//!
//! Row rules are counted on the staged files, all in one scan, by the audit or by the part that has staged them.
//! Dataset rules are about the table as it will be: those that count rows share one scan of it; duplicate keys are
//! looked for hash bucket by hash bucket, and each SQL metric is a query of its own. Every scan reads only the columns
//! it needs, on the streaming engine.

use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, LazyFrame, PlSmallStr, Schema, all_horizontal, col, len, lit,
};
use sluice_core::contract::{Column, DatasetRule, Metric, MetricUnit, RowRule, TableContract};
use sluice_core::decimal::DecimalNumber;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::name::ColumnName;
use sluice_core::run::{AuditedRows, RuleResult};
use sluice_core::sql::MetricSql;

use super::rules::{RowTest, compile, is_one_of};
use super::spill::{KEY_HASH, key_hash};
use super::types::{canonical_text, polars_type};
use super::{EngineError, collect_streaming, sql};

/// Rows whose key hashes are grouped at once: about 200 MB in the streaming engine.
const BUCKET_ROWS: u64 = 4_000_000;
/// Characters kept of the reason why a rule has no number: the engine may quote a whole query.
const MAX_FAULT_CHARS: usize = 300;

/// What was observed for one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleObservation {
    /// The rule's id.
    pub(crate) rule: String,
    /// The number, in the rule's unit; `None` where a SQL metric answers null, or no number.
    pub(crate) observed: Option<DecimalNumber>,
    /// Rows examined.
    pub(crate) of: u64,
    /// Why the rows of the table have no number for the rule.
    pub(crate) fault: Option<String>,
}

/// What a rule answers in its unit, or why not, and the rows examined.
type Answer = (Result<Option<DecimalNumber>, EngineError>, u64);

/// What was observed in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    rows: u64,
    observations: Vec<RuleObservation>,
}

impl Audit {
    /// An audit of numbers that another engine has counted: `rows` are those of the staged files. Numbers of dataset rules
    /// are rows, or what a rule's SQL answers, each with the rows that a share would be of; shares are made of them here.
    ///
    /// # Errors
    /// As [`observe`].
    pub(crate) fn counted(
        rows: u64,
        row_rules: Vec<(String, u64)>,
        dataset_rules: Vec<(&DatasetRule, Option<DecimalNumber>, u64)>,
    ) -> Result<Self, EngineError> {
        let row = |(rule, broken): (String, u64)| of_row_rule(rule, broken, rows);
        let mut observations: Vec<RuleObservation> = row_rules.into_iter().map(row).collect();
        for (rule, answer, of) in dataset_rules {
            observations.push(of_dataset_rule(rule, (in_unit(rule, answer, of), of))?);
        }
        Ok(Self { rows, observations })
    }

    /// Rows in the staged files.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

/// Observes every rule of a contract.
///
/// `staged` is what was counted in the files that the run wrote (see [`count_row_rules`]), `whole` are the rows of the
/// table once they are published, `table_rows` their number as the changeset has it. `tests` are the compiled row rules
/// (see [`compile`]). A dataset rule whose number cannot be computed is observed without one, which breaks it.
///
/// # Errors
/// [`EngineError`] when the rows cannot be read; [`EngineError::Rule`] for a row rule that was not counted.
pub(crate) fn observe(
    staged: &AuditedRows,
    whole: &LazyFrame,
    contract: &TableContract,
    tests: &[RowTest],
    table_rows: u64,
) -> Result<Audit, EngineError> {
    let mut observations = Vec::with_capacity(tests.len() + contract.dataset_rules.len());
    for test in tests {
        let broken = staged.broken.get(&test.id).ok_or_else(|| EngineError::Rule {
            rule: test.id.clone(),
            problem: "the rows that break it were not counted".to_owned(),
        })?;
        observations.push(of_row_rule(test.id.clone(), *broken, staged.rows));
    }
    for (rule, answer) in contract.dataset_rules.iter().zip(observe_dataset(whole, contract, table_rows)?) {
        observations.push(of_dataset_rule(rule, answer)?);
    }
    Ok(Audit { rows: staged.rows, observations })
}

/// Counts staged rows, and those of them that break each of these row rules, in one scan.
///
/// # Errors
/// [`EngineError`] when the rows cannot be read.
pub(crate) fn count_row_rules(staged: LazyFrame, tests: &[RowTest]) -> Result<AuditedRows, EngineError> {
    let broken = tests.iter().map(|test| test.broken.clone()).collect();
    let (rows, counts) = count(staged, broken, "counting broken rows")?;
    Ok(AuditedRows { rows, broken: tests.iter().map(|test| test.id.clone()).zip(counts).collect() })
}

/// What the dataset rules of a contract answer for the rows of a table, in their order.
fn observe_dataset(whole: &LazyFrame, contract: &TableContract, table_rows: u64) -> Result<Vec<Answer>, EngineError> {
    let mut conditions = Vec::new();
    for rule in &contract.dataset_rules {
        conditions.push(counted(rule, contract)?);
    }
    let present: Vec<Expr> = conditions.iter().flatten().cloned().collect();
    let (rows, counts) = match present.is_empty() {
        true => (table_rows, Vec::new()),
        false => count(whole.clone(), present, "counting rows of metrics")?,
    };
    let mut counts = counts.into_iter();
    let mut answers = Vec::with_capacity(contract.dataset_rules.len());
    for (rule, condition) in contract.dataset_rules.iter().zip(&conditions) {
        let counted = condition.as_ref().and_then(|_| counts.next());
        let (number, of) = match &rule.metric {
            Metric::DuplicateValues { columns } => {
                (Ok(Some(duplicates(whole, columns, table_rows)?.into())), counted.unwrap_or(rows))
            }
            Metric::Sql { query } => (answer(whole, &rule.id, query), rows),
            Metric::RowCount => (Ok(Some(table_rows.into())), rows),
            Metric::NullValues { .. } | Metric::MissingValues { .. } | Metric::InvalidValues { .. } => {
                (Ok(counted.map(DecimalNumber::from)), rows)
            }
        };
        answers.push((number.and_then(|number| in_unit(rule, number, of)), of));
    }
    Ok(answers)
}

/// The observation of a row rule.
fn of_row_rule(rule: String, broken: u64, of: u64) -> RuleObservation {
    RuleObservation { rule, observed: Some(broken.into()), of, fault: None }
}

/// The observation of a dataset rule. The pipeline was checked before the run, so what fails here fails for the rows.
fn of_dataset_rule(rule: &DatasetRule, (answer, of): Answer) -> Result<RuleObservation, EngineError> {
    let (observed, fault) = match answer {
        Ok(observed) => (observed, None),
        Err(error) if is_of_rows(&error) => (None, Some(fault_words(&error))),
        Err(error) => return Err(error),
    };
    Ok(RuleObservation { rule: rule.id.clone(), observed, of, fault })
}

/// Why the query of a rule has no answer for these rows; `None` where it has one, and for a rule without a query.
pub(crate) fn why_no_answer(rows: &LazyFrame, rule: &DatasetRule) -> Option<String> {
    let Metric::Sql { query } = &rule.metric else { return None };
    answer(rows, &rule.id, query).err().filter(is_of_rows).map(|error| fault_words(&error))
}

/// Whether other rows would have an answer. All else is a fault of the table, the store or ours.
fn is_of_rows(error: &EngineError) -> bool {
    matches!(error.name(), ErrorName::ContractViolation | ErrorName::InvalidInput)
}

/// Why a rule has no number, in one line and without the rule's name.
fn fault_words(error: &EngineError) -> String {
    let words = match error {
        EngineError::RuleSql { source, .. } => with_sources(&**source),
        EngineError::Rule { problem, .. } => problem.clone(),
        other => with_sources(other),
    };
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_FAULT_CHARS).collect()
}

/// The number of a rule in its unit.
fn in_unit(rule: &DatasetRule, count: Option<DecimalNumber>, rows: u64) -> Result<Option<DecimalNumber>, EngineError> {
    match (rule.unit, count) {
        (MetricUnit::Percent, Some(count)) => share(rule, count, rows),
        (_, count) => Ok(count),
    }
}

/// A whole number of rows as a share of all.
fn share(rule: &DatasetRule, count: DecimalNumber, rows: u64) -> Result<Option<DecimalNumber>, EngineError> {
    let whole = count.to_string().parse::<u64>().map_err(|_| EngineError::Rule {
        rule: rule.id.clone(),
        problem: format!("{count} is no number of rows, so it has no share; use unit rows"),
    })?;
    Ok(Some(DecimalNumber::percent(whole, rows)))
}

/// Rows in all, and rows where each of the conditions is true, in one scan.
fn count(rows: LazyFrame, conditions: Vec<Expr>, doing: &str) -> Result<(u64, Vec<u64>), EngineError> {
    // Added to the rows first: a condition that reads no column would count once.
    let name = |number: usize| format!("_counted_{number}");
    let mut selected: Vec<Expr> = (0..conditions.len()).map(|number| col(name(number)).sum()).collect();
    selected.push(len().alias("rows"));
    let numbered = conditions.into_iter().enumerate();
    let marks: Vec<Expr> = numbered.map(|(number, c)| c.fill_null(lit(false)).alias(name(number))).collect();
    let counted = rows.with_columns(marks).select(selected);
    let counts = collect_streaming(counted).map_err(EngineError::while_running(doing))?;
    let mut numbers = counts
        .columns()
        .iter()
        .map(|column| column.get(0).ok().and_then(|value| value.extract::<u64>()).unwrap_or_default());
    let total = numbers.next_back().unwrap_or_default();
    Ok((total, numbers.collect()))
}

/// The condition of a metric that counts rows, or of the rows that its share is of; `None` for the others.
fn counted(rule: &DatasetRule, contract: &TableContract) -> Result<Option<Expr>, EngineError> {
    let column = |name: &ColumnName| {
        contract.column(name.as_str()).ok_or_else(|| EngineError::Rule {
            rule: rule.id.clone(),
            problem: format!("column `{name}` is not in the contract"),
        })
    };
    let text = |column: &Column| canonical_text(column.name.as_str(), &column.column_type);
    Ok(match &rule.metric {
        Metric::NullValues { column: name } => Some(col(column(name)?.name.as_str()).is_null()),
        Metric::MissingValues { column: name, values } => {
            let column = column(name)?;
            let listed = is_one_of(text(column), values).fill_null(lit(false));
            Some(col(column.name.as_str()).is_null().or(listed))
        }
        Metric::InvalidValues { column: name, valid_values, regex } => {
            let column = column(name)?;
            let unlisted = valid_values.as_ref().map(|values| is_one_of(text(column), values).not());
            let unmatched = regex.as_ref().map(|regex| text(column).str().contains(lit(regex.as_str()), true).not());
            let invalid = unlisted.into_iter().chain(unmatched).reduce(Expr::or);
            // Null is not invalid: what it compares to is null, and null counts as false.
            Some(invalid.unwrap_or_else(|| lit(false)))
        }
        Metric::DuplicateValues { .. } => rule.share_of_keys().map(is_known).transpose()?,
        Metric::RowCount | Metric::Sql { .. } => None,
    })
}

/// Whether no column of a key is null.
fn is_known(key: &[ColumnName]) -> Result<Expr, EngineError> {
    let known: Vec<Expr> = key.iter().map(|name| col(name.as_str()).is_not_null()).collect();
    Ok(all_horizontal(known)?)
}

/// Number of rows whose key other rows have, too. Keys are grouped by their hash first, a bucket of hashes at a time; only
/// keys whose hash occurs more than once are compared themselves. One scan of the key columns per 4 million rows, and
/// a second where there are candidates.
fn duplicates(whole: &LazyFrame, columns: &[ColumnName], rows: u64) -> Result<u64, EngineError> {
    let keys: Vec<Expr> = columns.iter().map(|name| col(name.as_str())).collect();
    let known = is_known(columns)?;
    let hashed = || key_hash(columns.iter().map(ColumnName::as_str));
    let buckets = rows.div_ceil(BUCKET_ROWS).max(1);
    let several = || len().gt(lit(1));
    let failed = || EngineError::while_running("looking for duplicate keys");
    let mut duplicated = 0;
    for bucket in 0..buckets {
        let mut rows = whole.clone().select(keys.clone()).filter(known.clone()).with_column(hashed());
        if buckets > 1 {
            rows = rows.filter((col(KEY_HASH) % lit(buckets)).eq(lit(bucket)));
        }
        let grouped = rows.clone().select([col(KEY_HASH)]).group_by([col(KEY_HASH)]).agg([several().alias("_several")]);
        let candidates = collect_streaming(grouped.filter(col("_several")).select([col(KEY_HASH)])).map_err(failed())?;
        if candidates.height() == 0 {
            continue;
        }
        let candidates = candidates.column(KEY_HASH)?.as_materialized_series().clone();
        let suspects = rows.filter(col(KEY_HASH).is_in(polars::prelude::Literal::lit(candidates).implode(true), false));
        let exact = suspects.group_by(keys.clone()).agg([len().alias("_rows")]).filter(col("_rows").gt(lit(1)));
        let found = collect_streaming(exact.select([col("_rows").cast(DataType::UInt64).sum()])).map_err(failed())?;
        duplicated += found.column("_rows")?.u64()?.get(0).unwrap_or_default();
    }
    Ok(duplicated)
}

/// The number that a SQL metric answers; `None` where it answers null.
fn answer(whole: &LazyFrame, rule: &str, query: &MetricSql) -> Result<Option<DecimalNumber>, EngineError> {
    let within = |error: EngineError| EngineError::RuleSql { rule: rule.to_owned(), source: Box::new(error) };
    let collect = |planned: LazyFrame| {
        collect_streaming(planned).map_err(|error| within(EngineError::while_running("the query")(error)))
    };
    let (statement, tables) = (query.engine_query(), vec![("object".to_owned(), whole.clone())]);
    let answered = collect(sql::run(statement.clone(), tables.clone()).map_err(within)?).or_else(|error| {
        // It may have failed in a branch of CASE that no row takes.
        match sql::run_by_branches(statement, tables).map_err(within)? {
            Some(planned) => collect(planned),
            None => Err(error),
        }
    })?;
    let refuse = |problem: String| EngineError::Rule { rule: rule.to_owned(), problem };
    let [column] = answered.columns() else {
        return Err(refuse(format!("its query answers {} columns; select one", answered.width())));
    };
    if column.len() != 1 {
        return Err(refuse(format!("its query answers {} rows; select one number", column.len())));
    }
    if !column.dtype().is_numeric() && !column.dtype().is_decimal() && *column.dtype() != DataType::Null {
        return Err(refuse(format!("its query answers a {}, which is no number", column.dtype())));
    }
    // Doubles have noise beyond some 15 digits, and bounds do not; 12 places are enough for both. The shortest text that
    // reads back as the number is rounded, as every engine can.
    let text = match column.dtype() {
        DataType::Float32 | DataType::Float64 => {
            column.cast(&DataType::Float64)?.f64()?.get(0).map(|value| sql::round_double(value, 12).to_string())
        }
        _ => column.cast(&DataType::String)?.str()?.get(0).map(str::to_owned),
    };
    text.map(|text| text.parse().map_err(|error| refuse(format!("its query answers {error}")))).transpose()
}

/// Judges what was observed: row rules of stored rows must be broken by none, dataset rules must satisfy their bound.
///
/// # Errors
/// [`EngineError::Rule`] for an observation of a rule that the contract does not have.
pub(crate) fn judge(audit: &Audit, contract: &TableContract) -> Result<Vec<RuleResult>, EngineError> {
    let result = |observation: &RuleObservation| {
        let row = contract.row_rules.iter().find(|rule| rule.id == observation.rule);
        let dataset = contract.dataset_rules.iter().find(|rule| rule.id == observation.rule);
        match (row, dataset) {
            (Some(rule), _) => Ok(judge_rows(rule, observation)),
            (None, Some(rule)) => Ok(judge_dataset(rule, observation)),
            (None, None) => Err(EngineError::Rule {
                rule: observation.rule.clone(),
                problem: "it was observed but is not in the contract".to_owned(),
            }),
        }
    };
    audit.observations.iter().map(result).collect()
}

fn judge_rows(rule: &RowRule, observation: &RuleObservation) -> RuleResult {
    RuleResult {
        rule: rule.id.clone(),
        description: rule.description.clone().unwrap_or_else(|| "rows that break the rule".to_owned()),
        severity: rule.severity,
        dimension: rule.dimension.clone(),
        observed: shown(observation, MetricUnit::Rows),
        expected: "= 0".to_owned(),
        passed: observation.observed.is_some_and(DecimalNumber::is_zero),
    }
}

fn judge_dataset(rule: &DatasetRule, observation: &RuleObservation) -> RuleResult {
    let unit = match rule.unit {
        MetricUnit::Rows => "",
        MetricUnit::Percent => " %",
    };
    RuleResult {
        rule: rule.id.clone(),
        description: rule.description.clone().unwrap_or_else(|| rule.metric.to_string()),
        severity: rule.severity,
        dimension: rule.dimension.clone(),
        observed: shown(observation, rule.unit),
        expected: format!("{}{unit}", rule.bound),
        passed: observation.observed.is_some_and(|observed| rule.bound.holds(observed)),
    }
}

/// The number for people, or why it is missing.
fn shown(observation: &RuleObservation, unit: MetricUnit) -> String {
    match &observation.fault {
        Some(fault) => format!("none ({fault})"),
        None => printed(observation.observed, unit),
    }
}

/// The number for people: shares cut to four digits after the point, so that none looks like a bound it does not reach.
fn printed(observed: Option<DecimalNumber>, unit: MetricUnit) -> String {
    let Some(observed) = observed else { return "null".to_owned() };
    let text = observed.to_string();
    match (unit, text.split_once('.')) {
        (MetricUnit::Rows, _) => text,
        (MetricUnit::Percent, Some((whole, fraction))) => {
            format!("{whole}.{} %", fraction.chars().take(4).collect::<String>())
        }
        (MetricUnit::Percent, None) => format!("{text} %"),
    }
}

/// Plans every rule of a contract on an empty table, so that a rule that cannot run is found before any data is.
///
/// # Errors
/// [`EngineError`] when a rule does not fit the table.
pub(crate) fn check(contract: &TableContract) -> Result<(), EngineError> {
    let fields = contract.columns.iter().map(|c| (PlSmallStr::from(c.name.as_str()), polars_type(&c.column_type)));
    let empty = DataFrame::empty_with_schema(&fields.collect::<Schema>()).lazy();
    count_row_rules(empty.clone(), &compile(contract)?)?;
    for (answer, _) in observe_dataset(&empty, contract, 0)? {
        answer?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
