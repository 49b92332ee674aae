//! The columns that a rule is about, for those who may not read them all.

use std::collections::BTreeSet;

use super::{DatasetRule, Metric, RowCheck, RowRule, TableContract};

/// What a rule's measurement depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern<'a> {
    /// On these columns alone; on the number of rows alone when it is empty.
    Columns(BTreeSet<&'a str>),
    /// On any column: the rule is not in this contract, so it was in an older one.
    Unknown,
}

impl TableContract {
    /// What the measurement of the rule of this id depends on.
    pub fn concern(&self, rule: &str) -> Concern<'_> {
        let row_rule = self.row_rules.iter().find(|known| known.id == rule).map(|known| self.of_row_rule(known));
        let dataset_rule = || self.dataset_rules.iter().find(|known| known.id == rule);
        row_rule
            .or_else(|| dataset_rule().map(|known| self.of_dataset_rule(known)))
            .map_or(Concern::Unknown, Concern::Columns)
    }

    fn of_row_rule<'a>(&'a self, rule: &'a RowRule) -> BTreeSet<&'a str> {
        let mut columns: BTreeSet<&str> = rule.column.iter().map(AsRef::as_ref).collect();
        if let RowCheck::Predicate { sql } = &rule.check {
            let named = sql.columns();
            columns.extend(self.names().filter(|name| named.contains(*name)));
        }
        columns
    }

    fn of_dataset_rule<'a>(&'a self, rule: &'a DatasetRule) -> BTreeSet<&'a str> {
        match &rule.metric {
            Metric::RowCount => BTreeSet::new(),
            Metric::NullValues { column }
            | Metric::MissingValues { column, .. }
            | Metric::InvalidValues { column, .. } => BTreeSet::from([column.as_str()]),
            Metric::DuplicateValues { columns } => columns.iter().map(AsRef::as_ref).collect(),
            Metric::Sql { query } => {
                let mentions = query.mentions();
                self.names().filter(|name| mentions.includes(name)).collect()
            }
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Contract;
    use super::*;

    const CONTRACT: &str = "apiVersion: v3.2.0
kind: DataContract
id: pay
version: 1.0.0
status: active
schema:
  - name: pay
    properties:
      - { name: id, logicalType: integer, required: true, unique: true }
      - name: salary
        logicalType: integer
        quality:
          - { id: plausible, metric: invalidValues, arguments: { validValues: [1] }, mustBeLessThan: 9 }
      - { name: bonus, logicalType: integer }
    quality:
      - { id: many, metric: rowCount, mustBeGreaterThan: 0 }
      - { id: top, type: sql, query: 'SELECT MAX(t.salary) FROM {object} AS t', mustBeLessThan: 9 }
      - { id: no_gift, type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE bonus > salary', mustBe: 0 }
      - { id: every, type: sql, query: 'SELECT COUNT(*) FROM (SELECT * FROM {object}) AS x', mustBeLessThan: 9 }
";

    #[test]
    fn a_measurement_depends_on_the_columns_that_its_rule_reads() {
        let contract = Contract::parse(CONTRACT, "pay.odcs.yaml").and_then(|read| read.table(None)).expect("contract");
        let check = |rule: &str, expected: Option<&[&str]>| {
            let columns = match contract.concern(rule) {
                Concern::Columns(columns) => Some(columns.into_iter().collect::<Vec<_>>()),
                Concern::Unknown => None,
            };
            assert_eq!(columns.as_deref(), expected, "{rule}");
        };
        check("id.required", Some(&["id"]));
        check("id.unique", Some(&["id"]));
        check("plausible", Some(&["salary"]));
        check("many", Some(&[]));
        check("top", Some(&["salary"]));
        check("no_gift", Some(&["bonus", "salary"]));
        check("every", Some(&["bonus", "id", "salary"]));
        check("of_an_older_contract", None);
    }
}
