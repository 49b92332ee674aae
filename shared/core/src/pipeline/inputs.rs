//! Pipelines that read tables of each other: what is a circle, and which comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::{GoldTable, Pipeline};
use crate::name::TableRef;

impl Pipeline {
    /// Whether gold of this pipeline reads a table that the other writes.
    fn reads_from(&self, other: &Self) -> bool {
        let written = other.tables();
        self.inputs.iter().any(|input| written.contains(&input.table))
    }
}

/// Gold tables that read each other in a circle through several pipelines, each before the one that it reads; `None` where
/// none do. Each publication of one would start the next for ever.
pub fn circle<'p>(pipelines: impl IntoIterator<Item = &'p Pipeline>) -> Option<Vec<TableRef>> {
    let gold = pipelines.into_iter().flat_map(|pipeline| &pipeline.gold);
    let reads: BTreeMap<&TableRef, &BTreeSet<TableRef>> =
        gold.map(|GoldTable { table, inputs, .. }| (table, inputs)).collect();
    let mut left: BTreeSet<&TableRef> = reads.keys().copied().collect();
    loop {
        let waits = |table: &&TableRef| reads.get(*table).is_some_and(|inputs| inputs.iter().any(|i| left.contains(i)));
        let still: BTreeSet<&TableRef> = left.iter().copied().filter(waits).collect();
        if still.len() == left.len() {
            break;
        }
        left = still;
    }
    let mut path: Vec<&TableRef> = Vec::new();
    let mut next = left.first().copied()?;
    loop {
        if let Some(begin) = path.iter().position(|met| *met == next) {
            return Some(path.into_iter().skip(begin).cloned().collect());
        }
        path.push(next);
        next = reads.get(next)?.iter().find(|input| left.contains(input))?;
    }
}

/// The pipelines, each after those whose tables it reads. Where two read tables of each other, the first stays first.
pub fn in_order_of_reading<T: AsRef<Pipeline>>(pipelines: &[T]) -> Vec<&T> {
    let mut waiting: Vec<&T> = pipelines.iter().collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |pipeline: &&T| {
            let others = waiting.iter().filter(|other| !std::ptr::eq(**other, *pipeline));
            others.into_iter().all(|other| !(*pipeline).as_ref().reads_from((*other).as_ref()))
        };
        let ready = waiting.iter().position(is_ready).unwrap_or_default();
        ordered.push(waiting.remove(ready));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::spec::PipelineSpec;

    /// A pipeline with silver table `s`, and one gold table `g` that reads these tables.
    fn pipeline(name: &str, reads: &[&str]) -> Pipeline {
        let contract = |table: &str| {
            format!(
                "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: {table}\n    \
                 properties: [{{name: x, logicalType: string}}]\n"
            )
        };
        let inputs: String =
            reads.iter().map(|table| format!("  - {{ table: {table}, contract: {}.yaml }}\n", &table[..1])).collect();
        let inputs = if reads.is_empty() { String::new() } else { format!("inputs:\n{inputs}") };
        let from: Vec<String> =
            reads.iter().map(|table| format!("SELECT x FROM {}", table.replace('/', "."))).collect();
        let sql = if from.is_empty() { "SELECT x FROM silver.s".to_owned() } else { from.join(" UNION ALL ") };
        let spec = format!(
            "pipeline: {name}\ndomain: {name}\nsource: {{ prefix: landing/{name}, format: csv }}\nbronze: {{ table: s }}\n{inputs}\
             silver:\n  - {{ table: s, contract: s.yaml, columns: {{ x: X }}, mode: append }}\n\
             gold:\n  - {{ table: g, contract: g.yaml, sql: '{sql}' }}\n"
        );
        let contracts = ["s", "g"].map(|table| (format!("{table}.yaml").parse().unwrap(), contract(table)));
        let spec = PipelineSpec::parse(&spec, "pipeline.yaml").unwrap_or_else(|error| panic!("{error}\n{spec}"));
        Pipeline::resolve_untyped(&spec, &BTreeMap::from(contracts)).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    impl AsRef<Pipeline> for Pipeline {
        fn as_ref(&self) -> &Pipeline {
            self
        }
    }

    #[test]
    fn gold_that_reads_itself_through_other_pipelines_is_a_circle() {
        let check = |pipelines: &[(&str, &[&str])], expected: &[&str]| {
            let pipelines: Vec<Pipeline> = pipelines.iter().map(|(name, reads)| pipeline(name, reads)).collect();
            let found: Vec<String> = circle(&pipelines).unwrap_or_default().iter().map(ToString::to_string).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        check(&[("a", &[]), ("b", &["gold/a/g"])], &[]);
        check(&[("a", &["silver/b/s"]), ("b", &["silver/a/s"])], &[]);
        check(&[("a", &["gold/b/g"]), ("b", &["gold/a/g"])], &["gold/a/g", "gold/b/g"]);
        let three: &[(&str, &[&str])] =
            &[("a", &["gold/b/g"]), ("b", &["gold/c/g", "silver/a/s"]), ("c", &["gold/d/g"]), ("d", &["gold/b/g"])];
        check(three, &["gold/b/g", "gold/c/g", "gold/d/g"]);
    }

    #[test]
    fn a_pipeline_comes_after_those_that_it_reads() {
        let check = |pipelines: &[(&str, &[&str])], expected: &[&str]| {
            let pipelines: Vec<Pipeline> = pipelines.iter().map(|(name, reads)| pipeline(name, reads)).collect();
            let ordered = in_order_of_reading(&pipelines);
            let names: Vec<&str> = ordered.iter().map(|pipeline| pipeline.name.as_str()).collect();
            assert_eq!(names, expected);
        };
        check(&[("a", &["gold/c/g"]), ("b", &["silver/a/s"]), ("c", &[])], &["c", "a", "b"]);
        check(&[("a", &["silver/b/s"]), ("b", &["silver/a/s"])], &["a", "b"]);
    }

    #[test]
    fn a_table_with_other_columns_than_an_input_relies_on_is_at_fault() {
        let input = pipeline("b", &["gold/a/g"]).inputs.remove(0);
        let check = |column: (&str, crate::contract::ColumnType), expected: Option<&str>| {
            let columns = [crate::columns::stored(column.0, column.1)];
            let fault = input.fault(&columns);
            assert_eq!(fault.is_some(), expected.is_some(), "{fault:?}");
            assert!(fault.unwrap_or_default().contains(expected.unwrap_or_default()));
        };
        check(("x", crate::contract::ColumnType::Text), None);
        check(("x", crate::contract::ColumnType::Date), Some("column `x` of table `gold/a/g` is"));
        check(("y", crate::contract::ColumnType::Text), Some("has no column `x`"));
    }
}
