//! Two lakes that must hold the same: documents field by field, tables row by row and value by value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sluice_core::contract::ColumnType;
use sluice_core::error::StepError;
use sluice_core::name::{Layer, TableRef};
use sluice_core::run::{Changeset, Receipt, TableChange, TableVerdict, Verdict};
use sluice_lake::inspect::{self, Cell, TableDetails};
use sluice_lake::{Lake, LakeError};

use super::run::Outcome;
use crate::content::{json_content, wait};

/// Number of differing rows that are shown of each side.
const SHOWN_ROWS: usize = 3;
/// Sums of doubles depend on their order: engines may differ by this share.
const DOUBLE_SHARE: f64 = 1e-9;

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Number of compared tables, counting every comparison.
    pub tables: u64,
    /// Number of compared rows.
    pub rows: u64,
    /// Rows of quarantine tables among them.
    pub quarantined: u64,
    /// Differences, in words.
    pub differences: Vec<String>,
}

impl Comparison {
    fn equal<T: PartialEq + Debug>(&mut self, what: impl FnOnce() -> String, left: &T, right: &T) {
        if left != right {
            self.differences.push(format!("{}:\n  left  {left:?}\n  right {right:?}", what()));
        }
    }

    /// Compares the outcomes of two runs and their documents.
    pub fn outcomes(&mut self, left: &Outcome, right: &Outcome) {
        let described = |outcome: &Outcome| match outcome.message.as_str() {
            "" => format!("{:?}", outcome.ending),
            message => format!("{:?}: {message}", outcome.ending),
        };
        if left.ending != right.ending {
            self.differences.push(format!("ending:\n  left  {}\n  right {}", described(left), described(right)));
            return;
        }
        if let (Some(left), Some(right)) = (&left.changeset, &right.changeset) {
            self.changesets(left, right);
        }
        if let (Some(left), Some(right)) = (&left.verdict, &right.verdict) {
            self.verdicts(left, right);
        }
        let versions = |receipt: &Receipt| -> Vec<(TableRef, u64, u64)> {
            receipt.tables.iter().map(|table| (table.table.clone(), table.version, table.rows)).collect()
        };
        self.equal(
            || "receipt".to_owned(),
            &left.receipt.as_ref().map(versions),
            &right.receipt.as_ref().map(versions),
        );
    }

    fn changesets(&mut self, left: &Changeset, right: &Changeset) {
        let names = |changeset: &Changeset| changeset.tables.iter().map(|t| t.table.clone()).collect::<Vec<_>>();
        self.equal(|| "tables of the changeset".to_owned(), &names(left), &names(right));
        for change in &left.tables {
            let Some(other) = right.tables.iter().find(|other| other.table == change.table) else { continue };
            self.changes(change, other);
        }
    }

    fn changes(&mut self, left: &TableChange, right: &TableChange) {
        let what = |field: &'static str| {
            let table = left.table.clone();
            move || format!("{field} of the change of {table}")
        };
        self.equal(what("read version"), &left.read_version, &right.read_version);
        self.equal(what("kind"), &left.kind, &right.kind);
        self.equal(what("columns"), &left.columns, &right.columns);
        self.equal(what("partition columns"), &left.partition_by, &right.partition_by);
        self.equal(what("sources"), &left.sources, &right.sources);
        self.equal(what("inputs"), &left.inputs, &right.inputs);
        self.equal(what("rows"), &left.rows, &right.rows);
        self.equal(what("table rows"), &left.table_rows, &right.table_rows);
        self.equal(what("broken rules"), &left.broken_rules, &right.broken_rules);
        self.equal(what("schema changes"), &left.schema_changes, &right.schema_changes);
        let partitions = |change: &TableChange| {
            change.adds.iter().map(|file| file.partition_values.clone()).collect::<BTreeSet<_>>()
        };
        self.equal(what("partition values"), &partitions(left), &partitions(right));
    }

    fn verdicts(&mut self, left: &Verdict, right: &Verdict) {
        self.equal(|| "decision".to_owned(), &left.decision, &right.decision);
        let names = |verdict: &Verdict| verdict.tables.iter().map(|table| table.table.clone()).collect::<Vec<_>>();
        self.equal(|| "tables of the verdict".to_owned(), &names(left), &names(right));
        for table in &left.tables {
            let Some(other) = right.tables.iter().find(|other| other.table == table.table) else { continue };
            let name = &table.table;
            self.equal(|| format!("contract of {name}"), &table.contract, &other.contract);
            self.equal(|| format!("score of {name}"), &table.score, &other.score);
            let rules = |verdict: &TableVerdict| verdict.rules.iter().map(|r| r.rule.clone()).collect::<Vec<_>>();
            self.equal(|| format!("rules of {name}"), &rules(table), &rules(other));
            for rule in &table.rules {
                if let Some(second) = other.rules.iter().find(|second| second.rule == rule.rule) {
                    self.equal(|| format!("rule {} of {name}", rule.rule), rule, second);
                }
            }
        }
    }

    /// Compares all tables of two lakes.
    pub fn lakes(&mut self, left: &Lake, right: &Lake) {
        let names = |lake: &Lake| -> Vec<TableRef> {
            let tables = wait(inspect::tables(lake)).expect("the tables can be listed");
            tables.into_iter().map(|table| table.table).collect()
        };
        let (left_names, right_names) = (names(left), names(right));
        self.equal(|| "tables of the lake".to_owned(), &left_names, &right_names);
        for table in left_names.iter().filter(|name| right_names.contains(name)) {
            match (Content::read(left, table), Content::read(right, table)) {
                (Ok(left), Ok(right)) => self.contents(table, &left, &right),
                (left, right) => {
                    let errors =
                        [left.err(), right.err()].map(|error| error.map(|error| StepError::from(error).to_string()));
                    self.differences.push(format!("{table} cannot be read: {errors:?}"));
                }
            }
        }
    }

    fn contents(&mut self, table: &TableRef, left: &Content, right: &Content) {
        self.tables += 1;
        self.rows += left.rows.len() as u64;
        if table.layer() == Layer::Quarantine {
            self.quarantined += left.rows.len() as u64;
        }
        self.equal(|| format!("columns of {table}"), &left.details.columns, &right.details.columns);
        self.equal(|| format!("partition columns of {table}"), &left.details.partition_by, &right.details.partition_by);
        for (side, content) in [("left", left), ("right", right)] {
            let counted = Some(content.rows.len() as u64);
            self.equal(
                || format!("rows of {table} in the log and in the files, {side}"),
                &content.details.summary.rows,
                &counted,
            );
        }
        let (missing, surplus) = (left.without(right), right.without(left));
        if missing.is_empty() && surplus.is_empty() {
            return;
        }
        let mut described =
            format!("{table}: {} rows on the left and {} on the right differ", missing.len(), surplus.len());
        for index in 0..SHOWN_ROWS.min(missing.len().max(surplus.len())) {
            described.push_str(&side_by_side(&left.columns, missing.get(index).copied(), surplus.get(index).copied()));
        }
        self.differences.push(described);
    }
}

/// The rows of a table, sorted.
struct Content {
    details: TableDetails,
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// A row: the values that must be equal, and the doubles that may differ by [`DOUBLE_SHARE`]; both in the order of the columns.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    exact: Vec<String>,
    near: Vec<Option<f64>>,
}

impl Content {
    fn read(lake: &Lake, table: &TableRef) -> Result<Self, LakeError> {
        let details = wait(inspect::table_details(lake, table, None))?;
        let head = wait(inspect::head(lake, table, None, u32::MAX))?;
        let gold = table.layer() == Layer::Gold;
        let is_near: Vec<bool> = head
            .columns
            .iter()
            .map(|name| gold && details.columns.iter().any(|c| &c.name == name && c.column_type == ColumnType::Double))
            .collect();
        let mut rows: Vec<Row> = head.rows.iter().map(|cells| Row::of(&head.columns, &is_near, cells)).collect();
        rows.sort_by(|a, b| a.exact.cmp(&b.exact).then_with(|| near_order(&a.near, &b.near)));
        let exact = head.columns.iter().zip(&is_near).filter(|(_, near)| !**near);
        let near = head.columns.iter().zip(&is_near).filter(|(_, near)| **near);
        let columns = exact.chain(near).map(|(name, _)| name.clone()).collect();
        Ok(Self { details, columns, rows })
    }

    /// Rows that the other side lacks. Both are sorted.
    fn without(&self, other: &Self) -> Vec<&Row> {
        let mut by_exact: BTreeMap<&[String], Vec<&Row>> = BTreeMap::new();
        for row in &other.rows {
            by_exact.entry(&row.exact).or_default().push(row);
        }
        let mut lacking = Vec::new();
        for row in &self.rows {
            let candidates = by_exact.get_mut(row.exact.as_slice());
            let found = candidates.and_then(|rows| {
                let place = rows.iter().position(|candidate| is_near(&row.near, &candidate.near))?;
                Some(rows.remove(place))
            });
            if found.is_none() {
                lacking.push(row);
            }
        }
        lacking
    }
}

impl Row {
    fn of(columns: &[String], near: &[bool], cells: &[Cell]) -> Self {
        let mut row = Self { exact: Vec::new(), near: Vec::new() };
        for ((name, near), cell) in columns.iter().zip(near).zip(cells) {
            match (near, cell) {
                (true, Cell::Number(number)) => row.near.push(Some(*number)),
                (true, _) => row.near.push(None),
                (false, cell) => row.exact.push(text(name, cell)),
            }
        }
        row
    }

    fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.exact.iter().cloned().chain(self.near.iter().map(|number| format!("{number:?}")))
    }
}

/// A value as text that is different for different values: JSON documents by their content, doubles by their bits.
fn text(column: &str, cell: &Cell) -> String {
    match (column, cell) {
        ("_raw" | "_broken_rules", Cell::Text(text)) => json_content(text),
        (_, Cell::Number(number)) => format!("{number:e} ({:016x})", number.to_bits()),
        (_, Cell::Text(text)) => format!("{text:?}"),
        (_, cell) => format!("{cell:?}"),
    }
}

fn near_order(left: &[Option<f64>], right: &[Option<f64>]) -> std::cmp::Ordering {
    let number = |value: &Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
    left.iter()
        .zip(right)
        .map(|(a, b)| number(a).total_cmp(&number(b)))
        .find(|o| o.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

fn is_near(left: &[Option<f64>], right: &[Option<f64>]) -> bool {
    left.iter().zip(right).all(|pair| match pair {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a - b).abs() <= DOUBLE_SHARE * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    })
}

/// A row of each side, one column per line, with differing columns marked.
fn side_by_side(columns: &[String], left: Option<&Row>, right: Option<&Row>) -> String {
    let texts = |row: Option<&Row>| -> Vec<String> { row.map(|row| row.texts().collect()).unwrap_or_default() };
    let (left, right) = (texts(left), texts(right));
    let mut described = String::from("\n  ---");
    for (index, column) in columns.iter().enumerate() {
        let (a, b) = (left.get(index).map_or("", String::as_str), right.get(index).map_or("", String::as_str));
        let mark = if a == b { ' ' } else { '!' };
        described.push_str(&format!("\n  {mark} {column}: {a}"));
        if a != b {
            described.push_str(&format!("   <>   {b}"));
        }
    }
    described
}
