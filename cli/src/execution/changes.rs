//! What a run did to the tables and which rules it broke, as data and as text.

use serde::Serialize;
use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, EarlierCommit, RowCounts, RuleResult, SnapshotRows, TableChange};
use sluice_lake::inspect::RunDetails;

use crate::grid::{Grid, count};

/// What a run did to a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableEnd {
    /// The table.
    pub table: TableRef,
    /// Rows read for it.
    pub rows_read: u64,
    /// Rows added, minus rows replaced, 0 where fewer are left; `None` when the whole table was recomputed.
    pub rows_added: Option<u64>,
    /// Rows that broke an error rule.
    pub rows_quarantined: u64,
    /// Rows that lost to a newer row or delete event with the same key, or that the table already had.
    pub rows_collapsed: u64,
    /// Rows that are delete events.
    pub rows_deleted: u64,
    /// What full snapshots did to the keys of the table, where it is compared with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRows>,
    /// Rows in the table afterwards.
    pub rows: u64,
    /// The committed version; `None` when nothing was committed.
    pub version: Option<u64>,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenRule {
    /// Table and rule, as `<table>: <rule>`.
    pub rule: String,
    /// What is measured.
    pub description: String,
    /// What was observed.
    pub observed: String,
    /// What was expected.
    pub expected: String,
}

/// What a run did, or wanted to do, to its tables: all its attempts together.
pub fn table_ends(details: &RunDetails) -> Vec<TableEnd> {
    let committed = |table: &TableRef| {
        let receipt = details.receipt.as_ref()?;
        receipt.tables.iter().find(|done| done.table == *table).map(|done| done.version)
    };
    let changes: Vec<&TableChange> = details.changeset.iter().flat_map(|changeset| &changeset.tables).collect();
    let is_earlier = |earlier: &&EarlierCommit| changes.iter().all(|change| change.table != earlier.committed.table);
    let earlier = details.plan.iter().flat_map(|plan| &plan.earlier.tables).filter(is_earlier);
    let earlier = earlier.map(|EarlierCommit { committed, kind, rows }| {
        table_end(&committed.table, *kind, *rows, committed.rows, Some(committed.version))
    });
    let newest = changes
        .iter()
        .map(|change| table_end(&change.table, change.kind, change.rows, change.table_rows, committed(&change.table)));
    earlier.chain(newest).collect()
}

fn table_end(table: &TableRef, kind: ChangeKind, rows: RowCounts, table_rows: u64, version: Option<u64>) -> TableEnd {
    TableEnd {
        table: table.clone(),
        rows_read: rows.source,
        rows_added: match kind {
            ChangeKind::Overwrite => None,
            ChangeKind::Append | ChangeKind::Rewrite => Some(rows.staged.saturating_sub(rows.replaced)),
        },
        rows_quarantined: rows.quarantined,
        rows_collapsed: rows.collapsed,
        rows_deleted: rows.deleted,
        snapshot: rows.snapshot,
        rows: table_rows,
        version,
    }
}

/// The tables of a run as text.
pub fn tables_text(tables: &[TableEnd]) -> String {
    // Most pipelines have no delete events.
    let has_deletes = tables.iter().any(|table| table.rows_deleted > 0);
    let titles = ["=table", ">read", ">added", ">quarantined", ">collapsed"].into_iter();
    let titles = titles.chain(has_deletes.then_some(">deleted")).chain([">rows now", ">version"]);
    let mut grid = Grid::new(titles).without_if_narrow(&["version", "read", "collapsed"]);
    for table in tables {
        let mut row = vec![
            table.table.to_string(),
            count(table.rows_read),
            table.rows_added.map_or_else(|| "recomputed".to_owned(), count),
            count(table.rows_quarantined),
            count(table.rows_collapsed),
        ];
        row.extend(has_deletes.then(|| count(table.rows_deleted)));
        row.push(count(table.rows));
        row.push(table.version.map_or_else(|| "-".to_owned(), |version| version.to_string()));
        grid.row(row);
    }
    let mut text = grid.text();
    for (table, snapshot) in tables.iter().filter_map(|end| Some((&end.table, end.snapshot?))) {
        let SnapshotRows { added, changed, removed, unchanged, .. } = snapshot;
        text.push_str(&format!(
            "\nsnapshot of {table}: {} added, {} changed, {} removed, {} unchanged",
            count(added),
            count(changed),
            count(removed),
            count(unchanged),
        ));
    }
    text
}

impl From<(String, &RuleResult)> for BrokenRule {
    fn from((rule, result): (String, &RuleResult)) -> Self {
        Self {
            rule,
            description: result.description.clone(),
            observed: result.observed.clone(),
            expected: result.expected.clone(),
        }
    }
}

/// The error rules that a run broke.
pub(super) fn broken_rules(details: &RunDetails) -> Vec<BrokenRule> {
    details.verdict.iter().flat_map(|verdict| verdict.broken()).map(BrokenRule::from).collect()
}

/// The warning rules that a run broke.
pub(super) fn warnings(details: &RunDetails) -> Vec<BrokenRule> {
    details.verdict.iter().flat_map(|verdict| verdict.warnings()).map(BrokenRule::from).collect()
}

/// The rules that a run broke as text, errors first; empty when it broke none.
pub fn broken_rules_text(details: &RunDetails) -> String {
    let kinds = [("broken rule", broken_rules(details)), ("warning", warnings(details))];
    let kinds = kinds.iter().filter(|(_, rules)| !rules.is_empty());
    kinds.map(|(title, rules)| rules_text(title, rules)).collect::<Vec<_>>().join("\n\n")
}

/// Rules as a table, whose first column has this title.
pub(super) fn rules_text(title: &str, rules: &[BrokenRule]) -> String {
    let mut grid = Grid::new([title, "what", ">observed", ">expected"]);
    for rule in rules {
        grid.row([rule.rule.clone(), rule.description.clone(), rule.observed.clone(), rule.expected.clone()]);
    }
    grid.text()
}
