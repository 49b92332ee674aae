//! Row rules as conditions in Spark SQL: which rows break them, and with what value.
//!
//! They read the same helper columns as the rules of the other engine: `_unreadable_<column>` next to every mapped
//! column, and `_corrupt_record` with `_corrupt_reason` for records that could not be split into fields.

use super::SparkError;
use super::cast::unreadable_name;
use super::regex;
use super::sql;
use super::text::{canonical, literal, name, text};
use crate::contract::{Column, ColumnType, RowCheck, RowRule, Severity, TableContract};
use crate::name::ColumnName;
use crate::pipeline::SilverTable;
use crate::uri::layout::NULL_PARTITION;

/// The rule that a corrupt record breaks.
const CORRUPT_RECORD_RULE: &str = "corrupt_record";

/// A row rule ready to run.
pub(super) struct RowTest {
    /// The rule's id.
    pub(super) id: String,
    /// The column tested, where the rule is about one.
    pub(super) column: Option<String>,
    /// What a broken rule leads to.
    pub(super) severity: Severity,
    /// Boolean, never null: whether the row breaks the rule.
    pub(super) broken: String,
    /// The offending value as text.
    pub(super) value: String,
}

const NO_VALUE: &str = "CAST(NULL AS STRING)";

/// The row rules for rows that are stored.
///
/// # Errors
/// [`SparkError`] by rule.
pub(super) fn of_stored(contract: &TableContract) -> Result<Vec<RowTest>, SparkError> {
    Rules { contract, mapped: None }.tests()
}

/// The row rules for rows on their way from a source; that of corrupt records first.
///
/// # Errors
/// [`SparkError`] by rule.
pub(super) fn of_source(table: &SilverTable) -> Result<Vec<RowTest>, SparkError> {
    let mut tests = vec![RowTest {
        id: CORRUPT_RECORD_RULE.to_owned(),
        column: None,
        severity: Severity::Error,
        broken: "`_corrupt_record` IS NOT NULL".to_owned(),
        value: "`_corrupt_reason`".to_owned(),
    }];
    tests.extend(Rules { contract: &table.contract, mapped: Some(&table.columns) }.tests()?);
    Ok(tests)
}

struct Rules<'a> {
    contract: &'a TableContract,
    /// The mapped columns of rows from a source; `None` for stored rows.
    mapped: Option<&'a [(ColumnName, String)]>,
}

impl Rules<'_> {
    fn tests(&self) -> Result<Vec<RowTest>, SparkError> {
        let mut tests = Vec::with_capacity(self.contract.row_rules.len());
        for rule in &self.contract.row_rules {
            if let Some((broken, value)) = self.test(rule)? {
                // "Unknown" is "not broken", and a torn record breaks its own rule alone.
                let whole = if self.mapped.is_some() { " AND `_corrupt_record` IS NULL" } else { "" };
                tests.push(RowTest {
                    id: rule.id.clone(),
                    column: rule.column.as_ref().map(ToString::to_string),
                    severity: rule.severity,
                    broken: format!("(coalesce({broken}, FALSE){whole})"),
                    value,
                });
            }
        }
        Ok(tests)
    }

    fn test(&self, rule: &RowRule) -> Result<Option<(String, String)>, SparkError> {
        if let RowCheck::Predicate { sql: predicate } = &rule.check {
            let columns: Vec<_> =
                self.contract.columns.iter().map(|c| (c.name.to_string(), c.column_type.clone())).collect();
            let broken = sql::predicate(predicate, &columns)
                .map_err(|source| SparkError::Rule { rule: rule.id.clone(), source })?;
            let value = rule.column.as_ref().and_then(|name| self.contract.column(name.as_str()));
            return Ok(Some((broken, value.map_or_else(|| NO_VALUE.to_owned(), |column| self.shown(column)))));
        }
        let problem = |what: &str| SparkError::NotExecuted {
            what: format!("rule `{}`", rule.id),
            hint: format!("{what}; correct the contract"),
        };
        let column_name = rule.column.as_ref().ok_or_else(|| problem("it names no column"))?;
        let column = self.contract.column(column_name.as_str()).ok_or_else(|| problem("its column is unknown"))?;
        let value = name(column_name.as_str());
        let shown = self.shown(column);
        let unreadable = self.unreadable(column_name);
        // A value that is missing because its text could not be read breaks `readable` alone.
        let missing = match &unreadable {
            Some(unreadable) => format!("{value} IS NULL AND {unreadable} IS NULL"),
            None => format!("{value} IS NULL"),
        };
        Ok(match &rule.check {
            RowCheck::Readable => unreadable.map(|text| (format!("{text} IS NOT NULL"), text)),
            RowCheck::Required => Some((missing, NO_VALUE.to_owned())),
            RowCheck::NotMissing { values } => {
                Some((format!("({missing}) OR coalesce({}, FALSE)", is_one_of(&shown, values)), shown))
            }
            check => Some((broken_value(column, &shown, check)?, shown)),
        })
    }

    /// The text of a column that could not be read, where the column is read from text.
    fn unreadable(&self, column: &ColumnName) -> Option<String> {
        let mapped = self.mapped?.iter().any(|(mapped, _)| mapped == column);
        mapped.then(|| name(&unreadable_name(column.as_str())))
    }

    /// A column as text, by the kind of its contract type.
    fn shown(&self, column: &Column) -> String {
        canonical(column.name.as_str(), &column.column_type)
    }
}

/// Whether a text is one of these; null where it is null.
pub(super) fn is_one_of(shown: &str, values: &[String]) -> String {
    let list: Vec<String> = values.iter().map(|value| text(value)).collect();
    if list.is_empty() {
        format!("(FALSE AND {shown} IS NOT NULL)")
    } else {
        format!("{shown} IN ({})", list.join(", "))
    }
}

/// Whether a text matches a contract's expression; null where it is null.
///
/// # Errors
/// [`SparkError::NotExecuted`] for an expression that Java cannot say.
pub(super) fn matches(shown: &str, regex: &str) -> Result<String, SparkError> {
    Ok(format!("{shown} RLIKE {}", text(&regex::java(regex)?)))
}

/// Whether a value breaks a check; null where the value is null.
fn broken_value(column: &Column, shown: &str, check: &RowCheck) -> Result<String, SparkError> {
    let value = name(column.name.as_str());
    let bound = |text: &str| literal(&column.column_type, text);
    Ok(match check {
        RowCheck::Pattern { regex } => format!("NOT ({})", matches(shown, regex)?),
        RowCheck::OneOf { values } => format!("NOT ({})", is_one_of(shown, values)),
        RowCheck::Minimum { bound: text, exclusive: false } => format!("{value} < {}", bound(text)),
        RowCheck::Minimum { bound: text, exclusive: true } => format!("{value} <= {}", bound(text)),
        RowCheck::Maximum { bound: text, exclusive: false } => format!("{value} > {}", bound(text)),
        RowCheck::Maximum { bound: text, exclusive: true } => format!("{value} >= {}", bound(text)),
        RowCheck::MinLength { characters } => format!("char_length({shown}) < {characters}"),
        RowCheck::MaxLength { characters } => format!("char_length({shown}) > {characters}"),
        RowCheck::FolderName { max_bytes } => format!(
            "octet_length({shown}) + 2 * octet_length(regexp_replace({shown}, '[A-Za-z0-9._-]', '')) > {max_bytes} \
             OR {shown} = {}",
            text(NULL_PARTITION)
        ),
        RowCheck::MultipleOf { step } => {
            let step_type = match &column.column_type {
                ColumnType::Int32 | ColumnType::Int64 => ColumnType::Int64,
                other => other.clone(),
            };
            format!("{value} % {} <> 0", literal(&step_type, &step.to_string()))
        }
        RowCheck::Readable | RowCheck::Required | RowCheck::NotMissing { .. } | RowCheck::Predicate { .. } => {
            "FALSE".to_owned()
        }
    })
}

/// Whether the row breaks any rule of severity `error`.
pub(super) fn any_error(tests: &[RowTest]) -> String {
    let errors: Vec<&str> =
        tests.iter().filter(|test| test.severity == Severity::Error).map(|test| test.broken.as_str()).collect();
    if errors.is_empty() { "FALSE".to_owned() } else { errors.join("\n    OR ") }
}

/// The broken rules of severity `error` as JSON text.
pub(super) fn broken_rules(tests: &[RowTest]) -> String {
    let errors = tests.iter().filter(|test| test.severity == Severity::Error);
    let entries: Vec<String> = errors
        .map(|test| {
            let column = test.column.as_deref().map_or_else(|| NO_VALUE.to_owned(), text);
            let (broken, rule, value) = (&test.broken, text(&test.id), &test.value);
            format!("CASE WHEN {broken} THEN named_struct('rule', {rule}, 'column', {column}, 'value', {value}) END")
        })
        .collect();
    format!(
        "to_json(filter(array(\n      {}), rule -> rule IS NOT NULL), map('ignoreNullFields', 'false'))",
        entries.join(",\n      ")
    )
}
