//! What the run did to its tables.

use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, EarlierCommit, RowCounts, SnapshotRows, TableChange};

use super::list::{Cell, table};
use crate::facts::RunFacts;
use crate::html::Html;
use crate::units::count;

/// What the run did, or wanted to do, to a table.
pub(super) struct TableEnd<'a> {
    /// The table.
    pub(super) table: &'a TableRef,
    /// How it was changed.
    pub(super) kind: ChangeKind,
    /// Where the rows went.
    pub(super) rows: RowCounts,
    /// Rows in the table afterwards.
    pub(super) table_rows: u64,
    /// The committed version; `None` when nothing was committed.
    pub(super) version: Option<u64>,
}

impl TableEnd<'_> {
    /// The rows that it got: of a table that was computed again there is no such number.
    pub(super) fn added(&self) -> String {
        match self.kind {
            ChangeKind::Overwrite => "recomputed".to_owned(),
            ChangeKind::Append | ChangeKind::Rewrite => count(self.rows.staged.saturating_sub(self.rows.replaced)),
        }
    }
}

/// The tables of all attempts.
pub(super) fn table_ends(facts: &RunFacts) -> Vec<TableEnd<'_>> {
    let changes: Vec<&TableChange> = facts.changeset.iter().flat_map(|changeset| &changeset.tables).collect();
    let is_earlier = |earlier: &&EarlierCommit| changes.iter().all(|change| change.table != earlier.committed.table);
    let earlier = facts.plan.iter().flat_map(|plan| &plan.earlier.tables).filter(is_earlier);
    let mut ends: Vec<TableEnd<'_>> = earlier
        .map(|EarlierCommit { committed, kind, rows }| TableEnd {
            table: &committed.table,
            kind: *kind,
            rows: *rows,
            table_rows: committed.rows,
            version: Some(committed.version),
        })
        .collect();
    let version = |table: &TableRef| {
        let receipt = facts.receipt.as_ref()?;
        receipt.tables.iter().find(|done| done.table == *table).map(|done| done.version)
    };
    ends.extend(changes.iter().map(|change| TableEnd {
        table: &change.table,
        kind: change.kind,
        rows: change.rows,
        table_rows: change.table_rows,
        version: version(&change.table),
    }));
    ends
}

/// The tables with their rows, and gold tables that wait.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let ends = table_ends(facts);
    let waiting = facts.plan.as_ref().map(|plan| &plan.waiting).filter(|waiting| !waiting.is_empty());
    if ends.is_empty() && waiting.is_none() {
        return None;
    }
    let mut html = Html::default();
    if !ends.is_empty() {
        let titles = [
            "Table",
            ">Read",
            ">Added",
            ">Replaced",
            ">Quarantined",
            ">Collapsed",
            ">Deleted",
            ">Rows now",
            ">Version",
        ];
        table(&mut html, "Rows by table", &titles, ends.len() as u64, ends.iter().map(row));
        html.markup(
            "<p>Collapsed rows lost to a newer row of their key, or were in the table already. A dash in the last column: \
             nothing was committed.</p>\n",
        );
    }
    let snapshots = ends.iter().filter_map(|end| Some((end.table, end.rows.snapshot?))).collect::<Vec<_>>();
    if !snapshots.is_empty() {
        let rows = snapshots.iter().map(|(name, snapshot)| {
            let SnapshotRows { added, changed, removed, unchanged, .. } = *snapshot;
            let numbers = [added, changed, removed, unchanged].map(|number| Cell::Number(count(number)));
            std::iter::once(Cell::text(name)).chain(numbers).collect::<Vec<Cell>>()
        });
        let titles = ["Table", ">Added", ">Changed", ">Removed", ">Unchanged"];
        table(&mut html, "Keys of full snapshots", &titles, snapshots.len() as u64, rows);
    }
    if let Some(waiting) = waiting {
        let rows = waiting.iter().map(|(name, reason)| vec![Cell::text(name), Cell::text(reason)]);
        table(&mut html, "Tables that were not computed", &["Table", "Why"], waiting.len() as u64, rows);
    }
    Some(html)
}

fn row(end: &TableEnd<'_>) -> Vec<Cell> {
    let rows = &end.rows;
    let number = |number: u64| Cell::Number(count(number));
    vec![
        Cell::text(end.table),
        number(rows.source),
        Cell::Number(end.added()),
        number(rows.replaced),
        number(rows.quarantined),
        number(rows.collapsed),
        number(rows.deleted),
        number(end.table_rows),
        Cell::Number(end.version.map_or_else(|| "–".to_owned(), |version| version.to_string())),
    ]
}

/// What changed in the columns of tables.
pub(super) fn schema_section(facts: &RunFacts) -> Option<Html> {
    let changeset = facts.changeset.as_ref()?;
    let changes: Vec<(&TableRef, &String)> = changeset
        .tables
        .iter()
        .flat_map(|change| change.schema_changes.iter().map(move |words| (&change.table, words)))
        .collect();
    let missing = &changeset.missing_keys;
    if changes.is_empty() && missing.is_empty() {
        return None;
    }
    let mut html = Html::default();
    if !changes.is_empty() {
        let rows = changes.iter().map(|(name, words)| vec![Cell::text(name), Cell::text(words)]);
        table(&mut html, "Changes of columns", &["Table", "Change"], changes.len() as u64, rows);
    }
    if !missing.is_empty() {
        let rows = missing.iter().map(|name| vec![Cell::text(name)]);
        let caption = "Mapped columns that no object of the run has: they are null";
        table(&mut html, caption, &["Column"], missing.len() as u64, rows);
    }
    Some(html)
}
