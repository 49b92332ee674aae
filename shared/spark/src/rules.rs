//! Row rules as conditions in Spark SQL: which staged rows break them.

use sluice_core::contract::{Column, ColumnType, RowCheck, RowRule, TableContract};
use sluice_core::uri::layout::NULL_PARTITION;

use super::SparkError;
use super::regex;
use super::sql;
use super::text::{canonical, literal, name, text};

/// A row rule ready to run.
pub(super) struct RowTest {
    /// The rule's id.
    pub(super) id: String,
    /// Boolean, never null: whether the row breaks the rule.
    pub(super) broken: String,
}

/// The row rules for rows that are stored.
///
/// # Errors
/// [`SparkError`] by rule.
pub(super) fn of_stored(contract: &TableContract) -> Result<Vec<RowTest>, SparkError> {
    let mut tests = Vec::with_capacity(contract.row_rules.len());
    for rule in &contract.row_rules {
        if let Some(broken) = broken(contract, rule)? {
            // "Unknown" is "not broken".
            tests.push(RowTest { id: rule.id.clone(), broken: format!("coalesce({broken}, FALSE)") });
        }
    }
    Ok(tests)
}

/// Whether a row breaks a rule; `None` for rules about texts from which stored values were read.
fn broken(contract: &TableContract, rule: &RowRule) -> Result<Option<String>, SparkError> {
    if let RowCheck::Predicate { sql: predicate } = &rule.check {
        let columns: Vec<_> = contract.columns.iter().map(|c| (c.name.to_string(), c.column_type.clone())).collect();
        let broken = sql::predicate(predicate, &columns);
        return broken.map(Some).map_err(|source| SparkError::Rule { rule: rule.id.clone(), source });
    }
    let problem = |what: &str| SparkError::NotExecuted {
        what: format!("rule `{}`", rule.id),
        hint: format!("{what}; correct the contract"),
    };
    let column_name = rule.column.as_ref().ok_or_else(|| problem("it names no column"))?;
    let column = contract.column(column_name.as_str()).ok_or_else(|| problem("its column is unknown"))?;
    let value = name(column_name.as_str());
    let shown = canonical(column.name.as_str(), &column.column_type);
    Ok(match &rule.check {
        // What is inside lists and objects was read, too.
        RowCheck::Readable | RowCheck::PartReadable { .. } | RowCheck::PartRequired { .. } => None,
        RowCheck::Required => Some(format!("{value} IS NULL")),
        RowCheck::NotMissing { values } => {
            Some(format!("{value} IS NULL OR coalesce({}, FALSE)", is_one_of(&shown, values)))
        }
        check => Some(broken_value(column, &shown, check)?),
    })
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
        RowCheck::Readable
        | RowCheck::Required
        | RowCheck::PartReadable { .. }
        | RowCheck::PartRequired { .. }
        | RowCheck::NotMissing { .. }
        | RowCheck::Predicate { .. } => "FALSE".to_owned(),
    })
}
