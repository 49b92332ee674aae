//! The verdict: every rule, the broken ones first.

use std::cmp::Reverse;

use sluice_core::contract::Severity;
use sluice_core::name::{Layer, TableRef};
use sluice_core::run::RuleResult;

use super::list::{Cell, table};
use crate::facts::RunFacts;
use crate::html::Html;
use crate::units::{count, counted};

/// The rules of the verdict, and the rules that rows broke.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let mut html = Html::default();
    if let Some(verdict) = &facts.verdict {
        let mut rules: Vec<(&TableRef, &RuleResult)> =
            verdict.tables.iter().flat_map(|of| of.rules.iter().map(move |rule| (&of.table, rule))).collect();
        rules.sort_by_key(|(_, rule)| rank(rule));
        let broken = rules.iter().filter(|(_, rule)| !rule.passed).count() as u64;
        let holding = (rules.len() as u64).saturating_sub(broken);
        let (broken, holding) =
            (counted(broken, "rule is broken", "rules are broken"), counted(holding, "holds", "hold"));
        html.element("p", &format!("{broken}, {holding}.")).markup("\n");
        let titles = ["Rule", "Table", "Result", "What is measured", ">Observed", ">Limit"];
        table(&mut html, "Rules of the quality gate", &titles, rules.len() as u64, rules.iter().map(row));
    }
    let mut broken: Vec<(u64, &TableRef, &String)> = facts
        .changeset
        .iter()
        .flat_map(|changeset| &changeset.tables)
        // The rows are counted with the table that refused them.
        .filter(|change| change.table.layer() != Layer::Quarantine)
        .flat_map(|change| change.broken_rules.iter().map(move |(rule, rows)| (*rows, &change.table, rule)))
        .collect();
    if !broken.is_empty() {
        broken.sort_by_key(|(rows, _, _)| Reverse(*rows));
        let rows = broken
            .iter()
            .map(|(rows, name, rule)| vec![Cell::text(rule), Cell::text(name), Cell::Number(count(*rows))]);
        let titles = ["Rule", "Table", ">Rows"];
        table(&mut html, "Rules that rows of this run broke", &titles, broken.len() as u64, rows);
    }
    (!html.is_empty()).then_some(html)
}

/// Broken error rules, then broken warnings, then what holds.
fn rank(rule: &RuleResult) -> u8 {
    match (rule.passed, rule.severity) {
        (false, Severity::Error) => 0,
        (false, Severity::Warning) => 1,
        (true, _) => 2,
    }
}

fn row((name, rule): &(&TableRef, &RuleResult)) -> Vec<Cell> {
    let result = match (rule.passed, rule.severity) {
        (true, _) => Cell::Good("holds".to_owned()),
        (false, Severity::Error) => Cell::Bad("broken".to_owned()),
        (false, Severity::Warning) => Cell::Warning("warning".to_owned()),
    };
    vec![
        Cell::text(&rule.rule),
        Cell::text(name),
        result,
        Cell::text(&rule.description),
        Cell::Number(rule.observed.clone()),
        Cell::Number(rule.expected.clone()),
    ]
}
