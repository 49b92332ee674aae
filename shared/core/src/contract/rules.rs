//! The rules of one table while they are gathered, and their ids.

use std::collections::BTreeSet;

use super::model::{Bound, Column, DatasetRule, Metric, MetricUnit, RowCheck, RowRule, Severity};
use crate::decimal::DecimalNumber;
use crate::name::ColumnName;

/// What the rules of a list are about.
pub(super) struct Subject<'a> {
    /// Name of the schema object.
    pub table: &'a str,
    /// Every column of the table.
    pub names: &'a [ColumnName],
    /// The column that holds the rules; `None` for rules of the table.
    pub column: Option<&'a Column>,
}

/// What a `quality` entry says about its rule beyond what is measured.
#[derive(Debug, Clone)]
pub(super) struct RuleText {
    pub severity: Severity,
    pub dimension: Option<String>,
    pub description: Option<String>,
}

impl Default for RuleText {
    fn default() -> Self {
        Self { severity: Severity::Error, dimension: None, description: None }
    }
}

/// Rules with unique ids.
#[derive(Debug, Default)]
pub(super) struct Rules {
    ids: BTreeSet<String>,
    pub row: Vec<RowRule>,
    pub dataset: Vec<DatasetRule>,
}

impl Rules {
    /// Adds a rule on rows.
    pub(super) fn add_row(&mut self, id: &str, column: Option<&ColumnName>, check: RowCheck, text: &RuleText) {
        let RuleText { severity, dimension, description } = text.clone();
        let id = self.unique(id);
        self.row.push(RowRule { id, column: column.cloned(), check, severity, dimension, description });
    }

    /// Adds the rule that a column's declaration makes: `<column>.<kind>`, always an error.
    pub(super) fn add_declared(&mut self, column: &ColumnName, kind: &str, check: RowCheck) {
        self.add_row(&format!("{column}.{kind}"), Some(column), check, &RuleText::default());
    }

    /// Adds a rule on the table.
    pub(super) fn add_dataset(&mut self, id: &str, metric: Metric, unit: MetricUnit, bound: Bound, text: &RuleText) {
        let RuleText { severity, dimension, description } = text.clone();
        let id = self.unique(id);
        self.dataset.push(DatasetRule { id, metric, unit, bound, severity, dimension, description });
    }

    /// Adds the rule that these columns hold no value twice.
    pub(super) fn add_key(&mut self, id: &str, columns: Vec<ColumnName>) {
        let metric = Metric::DuplicateValues { columns };
        self.add_dataset(id, metric, MetricUnit::Rows, Bound::Be(DecimalNumber::ZERO), &RuleText::default());
    }

    fn unique(&mut self, id: &str) -> String {
        let mut unique = id.to_owned();
        let mut number = 2;
        while !self.ids.insert(unique.clone()) {
            unique = format!("{id}_{number}");
            number += 1;
        }
        unique
    }
}

/// A name as an id: lower case, `_` for every run of other characters; `None` where nothing is left.
pub(super) fn slug(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    let out = out.trim_end_matches('_');
    (!out.is_empty()).then(|| out.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_have_only_lower_case_letters_digits_and_underscores() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(slug(name).as_deref(), expected, "{name}");
        check("quantity_not_zero", Some("quantity_not_zero"));
        check("Quantity is NOT zero!", Some("quantity_is_not_zero"));
        check("--a--", Some("a"));
        check("…", None);
    }

    #[test]
    fn second_rules_get_a_number() {
        let mut rules = Rules::default();
        let column: ColumnName = "a".parse().unwrap();
        for _ in 0..3 {
            rules.add_declared(&column, "required", RowCheck::Required);
        }
        let ids: Vec<&str> = rules.row.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["a.required", "a.required_2", "a.required_3"]);
    }
}
