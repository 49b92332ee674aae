//! Lineage as people read it: a tree for each column, and what decides which rows each table has.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::lineage::{ColumnRef, Edge, Kind, Lineage};
use sluice_core::name::TableRef;

/// Widest line, in characters.
const WIDTH: usize = 100;
/// A name is never cut below this.
const SHORTEST_NAME: usize = 20;

/// Lines under a title.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// What they are about.
    pub(super) title: String,
    /// The lines.
    pub(super) lines: Vec<String>,
}

/// The sections about these columns and whole tables.
pub(super) fn sections(lineage: &Lineage, roots: &[ColumnRef], downstream: bool) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut edges = BTreeSet::new();
    for root in roots {
        let whole = lineage.columns_of(root.table()).filter(|_| root.column().is_none());
        let columns: Vec<&ColumnRef> = whole.chain([root].into_iter().filter(|root| root.column().is_some())).collect();
        for column in columns {
            sections.push(Section { title: cut(&column.to_string(), WIDTH), lines: tree(lineage, column, downstream) });
        }
        let part = if downstream { lineage.downstream(root) } else { lineage.upstream(root) };
        edges.extend(part.edges().cloned());
    }
    if downstream {
        sections.extend(changed_tables(&edges));
    } else {
        sections.extend(rows_of_tables(&edges));
    }
    sections
}

/// Something that a column leads to, and the value inside it that is read.
type Step = (ColumnRef, Option<String>);

fn steps<'a>(
    edges: impl Iterator<Item = &'a Edge>,
    end: impl Fn(&'a Edge) -> &'a ColumnRef,
) -> BTreeMap<Step, Vec<Kind>> {
    let mut steps: BTreeMap<Step, Vec<Kind>> = BTreeMap::new();
    for edge in edges {
        let step = (end(edge).clone(), edge.path().map(str::to_owned));
        steps.entry(step).or_default().push(edge.kind());
    }
    steps
}

struct Tree<'a> {
    lineage: &'a Lineage,
    downstream: bool,
    shown: BTreeSet<ColumnRef>,
    lines: Vec<String>,
}

fn tree(lineage: &Lineage, of: &ColumnRef, downstream: bool) -> Vec<String> {
    let mut tree = Tree { lineage, downstream, shown: BTreeSet::from([of.clone()]), lines: Vec::new() };
    tree.grow(of, "");
    if tree.lines.is_empty() {
        let nothing = if downstream { "nothing is computed from it" } else { "it is computed from no column" };
        tree.lines.push(format!("└─ {nothing}"));
    }
    tree.lines
}

impl Tree<'_> {
    fn steps_from(&self, of: &ColumnRef) -> BTreeMap<Step, Vec<Kind>> {
        if self.downstream {
            steps(self.lineage.edges_from(of), Edge::to)
        } else {
            steps(self.lineage.edges_to(of), Edge::from)
        }
    }

    fn grow(&mut self, of: &ColumnRef, indent: &str) {
        let steps = self.steps_from(of);
        let last = steps.len().saturating_sub(1);
        for (place, ((column, path), kinds)) in steps.into_iter().enumerate() {
            let (branch, below) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            // The way goes on once; rows are shown in a section of their own.
            let goes_on = column.column().is_some() && !self.steps_from(&column).is_empty();
            let is_new = self.shown.insert(column.clone());
            let above = if goes_on && !is_new { " (above)" } else { "" };
            let how = format!("  {}{above}", texts(&kinds));
            self.lines.push(line(&format!("{indent}{branch}"), &name(&column, path.as_deref()), &how));
            if goes_on && is_new {
                self.grow(&column, &format!("{indent}{below}"));
            }
        }
    }
}

/// For each table on the way, what decides which rows it has; the last layer first.
fn rows_of_tables(edges: &BTreeSet<Edge>) -> Vec<Section> {
    let of_rows = |edge: &&Edge| edge.to().column().is_none();
    let tables: BTreeSet<&TableRef> = edges.iter().filter(of_rows).map(|edge| edge.to().table()).collect();
    let section = |table: &TableRef| {
        let of_table = edges.iter().filter(of_rows).filter(|edge| edge.to().table() == table);
        let steps: Vec<(Step, Vec<Kind>)> = steps(of_table, Edge::from).into_iter().collect();
        let line = |((column, path), kinds): &(Step, Vec<Kind>)| {
            (name(column, path.as_deref()), format!("  {}", texts(kinds)))
        };
        let title = cut(&format!("rows of {table}"), WIDTH);
        Section { title, lines: branches(steps.iter().map(line).collect()) }
    };
    tables.into_iter().rev().map(section).collect()
}

/// The tables in which something changes.
fn changed_tables(edges: &BTreeSet<Edge>) -> Option<Section> {
    let tables: BTreeSet<&TableRef> = edges.iter().map(|edge| edge.to().table()).collect();
    let texts: Vec<(String, String)> = tables.into_iter().map(|table| (table.to_string(), String::new())).collect();
    let title = "tables that change with it".to_owned();
    (!texts.is_empty()).then(|| Section { title, lines: branches(texts) })
}

fn branches(texts: Vec<(String, String)>) -> Vec<String> {
    let last = texts.len().saturating_sub(1);
    let branch = |place: usize| if place == last { "└─ " } else { "├─ " };
    texts.into_iter().enumerate().map(|(place, (name, how))| line(branch(place), &name, &how)).collect()
}

fn name(column: &ColumnRef, path: Option<&str>) -> String {
    let rows = if column.column().is_none() { "rows of " } else { "" };
    let path = path.map(|path| format!(" {path}")).unwrap_or_default();
    format!("{rows}{column}{path}")
}

fn texts(kinds: &[Kind]) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A line that fits, if need be with a shortened name: its kinds are always shown.
fn line(branch: &str, name: &str, how: &str) -> String {
    let taken = branch.chars().count() + how.chars().count();
    format!("{branch}{}{how}", cut(name, WIDTH.saturating_sub(taken).max(SHORTEST_NAME)))
}

/// A text of at most so many characters. The end of a name says more than its begin.
fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let end: String = text.chars().skip(count + 1 - most).collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_at_most_100_characters_wide_and_always_says_the_kind() {
        let check = |name: &str, expected: &str| {
            let line = line("├─ ", name, "  direct identity");
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert_eq!(line, expected);
        };
        check("silver/sales/orders.amount", "├─ silver/sales/orders.amount  direct identity");
        let long = "x".repeat(200);
        check(&long, &format!("├─ …{}  direct identity", "x".repeat(79)));
    }

    #[test]
    fn the_last_branch_is_another_one() {
        let texts = ["a", "b"].map(|name| (name.to_owned(), String::new())).to_vec();
        assert_eq!(branches(texts), ["├─ a", "└─ b"]);
    }
}
