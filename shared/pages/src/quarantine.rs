//! The rows of a pipeline that broke a rule: how many, which, and what to do. Never a value of theirs.

use std::collections::BTreeMap;

use sluice_core::contract::{RowCheck, RowRule, Severity};
use sluice_core::name::{PipelineName, TableRef};
use sluice_core::uri::FolderUri;

use crate::address;
use crate::frame::Content;
use crate::grid::{Cell, Link, command, facts, links, paragraph, section, shell_word, table};
use crate::html::Html;
use crate::units::count;

/// What the page is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineFacts {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The lake that the commands name.
    pub lake: FolderUri,
    /// The only run whose rows are shown; all runs where none is named.
    pub run: Option<String>,
    /// The quarantine tables of the pipeline.
    pub tables: Vec<QuarantineTable>,
}

/// A quarantine table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineTable {
    /// The table.
    pub table: TableRef,
    /// The clean table that the rows were refused by.
    pub silver: TableRef,
    /// Rows in it, of all runs.
    pub rows: u64,
    /// Rows by run and rule; a row that broke several rules counts for each.
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
    /// The rules of the clean table.
    pub rules: Vec<RowRule>,
    /// Some rows, those of the newest runs first.
    pub places: Vec<RowPlace>,
}

/// Where a quarantined row comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// The rules that it broke.
    pub rules: Vec<String>,
    /// Address of its source object.
    pub object: String,
    /// The position of its record.
    pub position: Option<i64>,
    /// The run that read it.
    pub run: String,
}

/// The page of quarantined rows.
pub fn page(of: &QuarantineFacts) -> Content {
    let pipeline = &of.pipeline;
    let mut body = Html::default();
    let mut places =
        vec![Link::new("Runs", address::runs(pipeline)), Link::new("Source objects", address::sources(pipeline))];
    if of.run.is_some() {
        places.push(Link::new("Quarantined rows of all runs", address::quarantine(pipeline)));
    }
    links(&mut body, "Of this pipeline", &places);
    let found: Vec<&QuarantineTable> = of.tables.iter().filter(|table| table.has_rows_of(of.run.as_deref())).collect();
    if found.is_empty() {
        let of_what = of.run.as_ref().map_or_else(|| "this pipeline".to_owned(), |run| format!("run {run}"));
        paragraph(&mut body, &format!("No row of {of_what} is in quarantine: every row that was read kept the rules."));
    } else {
        next_steps(&mut body, of);
        for table in found {
            table.write(&mut body, of);
        }
    }
    let mut above = vec![("Runs".to_owned(), "runs".to_owned()), (pipeline.to_string(), address::runs(pipeline))];
    if of.run.is_some() {
        above.push(("Quarantined rows".to_owned(), address::quarantine(pipeline)));
    }
    let title = match &of.run {
        Some(run) => format!("Quarantined rows of {pipeline}, run {run}"),
        None => format!("Quarantined rows of {pipeline}"),
    };
    Content { title, above, body }
}

fn next_steps(body: &mut Html, of: &QuarantineFacts) {
    section(body, "next", "What to do next");
    let QuarantineFacts { pipeline, lake, .. } = of;
    body.markup("<ul>\n<li>The file is wrong: deliver it again, corrected. The next run reads it.</li>\n");
    body.markup("<li>The contract or the spec is wrong: correct and deploy it, then have the rows checked again. ");
    body.markup("Those that keep the rules now go to their table.<br>");
    body.element("code", &format!("sluice quarantine replay pipelines/{pipeline} --lake {lake}"));
    body.markup(
        "</li>\n</ul>\n<p>Values of rows are not on this page. Who may read the lake itself sees them with the ",
    );
    body.markup("commands below.</p>\n");
}

impl QuarantineTable {
    fn has_rows_of(&self, run: Option<&str>) -> bool {
        run.map_or(self.rows > 0, |run| self.counts.contains_key(run))
    }

    fn write(&self, body: &mut Html, of: &QuarantineFacts) {
        // Two tables of a pipeline have two names, but a section needs an id of this program.
        body.markup("<h2>").text(&format!("Rows refused by {}", self.silver)).markup("</h2>\n");
        let entries = [
            ("Quarantine", Some(Cell::text(&self.table))),
            ("Rows in it", Some(Cell::Number(count(self.rows)))),
            ("Clean table", Some(Cell::link(&self.silver, address::lineage(&self.silver)))),
        ];
        facts(body, &entries);
        self.rules(body, of.run.as_deref());
        if of.run.is_none() {
            self.runs(body, &of.pipeline);
        }
        self.rows(body, of);
    }

    /// Rows by rule, of one run or of all.
    fn rules(&self, body: &mut Html, run: Option<&str>) {
        let mut by_rule: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, rules) in self.counts.iter().filter(|(name, _)| run.is_none_or(|run| run == name.as_str())) {
            for (rule, rows) in rules {
                *by_rule.entry(rule).or_default() += rows;
            }
        }
        let mut by_rule: Vec<(&str, u64)> = by_rule.into_iter().collect();
        by_rule.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        let row = |(rule, rows): &(&str, u64)| {
            let known = self.rules.iter().find(|known| known.id == *rule);
            vec![
                Cell::text(*rule),
                Cell::Number(count(*rows)),
                Cell::Text(known.map_or_else(|| meaning_of_id(rule).to_owned(), meaning)),
                Cell::Text(known.map_or_else(|| fix_of_id(rule), |known| fix(&known.check)).to_owned()),
            ]
        };
        let rows: Vec<Vec<Cell>> = by_rule.iter().map(row).collect();
        let titles = ["Rule", ">Rows", "What it says", "How to fix it"];
        table(body, &format!("Rows of {} by rule", self.table), &titles, &rows);
        paragraph(body, "A row that broke several rules counts for each of them.");
    }

    /// Rows by run, the newest first: ids of runs begin with their time.
    fn runs(&self, body: &mut Html, pipeline: &PipelineName) {
        let row = |(run, rules): (&String, &BTreeMap<String, u64>)| {
            let words = rules.iter().map(|(rule, rows)| format!("{rule}: {}", count(*rows)));
            vec![
                Cell::Links(vec![
                    Link::new(run, address::quarantine_of_run(pipeline, run)),
                    Link::new("report", address::run(pipeline, run)),
                ]),
                Cell::Text(words.collect::<Vec<_>>().join(", ")),
            ]
        };
        let rows: Vec<Vec<Cell>> = self.counts.iter().rev().map(row).collect();
        table(body, &format!("Rows of {} by run", self.table), &["Run", "Rows by rule"], &rows);
    }

    /// The places of some rows.
    fn rows(&self, body: &mut Html, of: &QuarantineFacts) {
        let row = |place: &RowPlace| {
            let position = place.position.map_or_else(|| "–".to_owned(), |position| position.to_string());
            vec![
                Cell::text(&place.object),
                Cell::Number(position),
                Cell::Text(place.rules.join(", ")),
                Cell::link(&place.run, address::run(&of.pipeline, &place.run)),
            ]
        };
        let rows: Vec<Vec<Cell>> = self.places.iter().map(row).collect();
        let titles = ["Source object", ">Position", "Broken rules", "Run"];
        table(body, &format!("Some rows of {}, those of the newest runs first", self.table), &titles, &rows);
        paragraph(
            body,
            "A position is the number of the record, or, in a large file of lines, the byte at which it begins.",
        );
        let lake = &of.lake;
        let example = self.places.iter().find_map(|place| Some((&place.object, place.position?)));
        if let Some((object, position)) = example {
            let object = shell_word(object);
            let words = "The source record of a row, such as the first one:";
            command(body, words, &format!("sluice source show {object} --at {position} --lake {lake}"));
        }
        let show = format!("sluice quarantine show {} --rows 1000 --lake {lake}", self.table);
        command(body, "More rows, with their text:", &show);
    }
}

/// What a rule says: the contract's own words, or else what it checks.
fn meaning(rule: &RowRule) -> String {
    let warning = if rule.severity == Severity::Warning { " (a warning)" } else { "" };
    let column = rule.column.as_ref().map_or("the row", |column| column.as_str());
    let words = rule.description.clone().unwrap_or_else(|| match &rule.check {
        RowCheck::Readable | RowCheck::PartReadable { .. } => format!("{column} can be read as its type"),
        RowCheck::Required | RowCheck::PartRequired { .. } | RowCheck::NotMissing { .. } => {
            format!("{column} has a value")
        }
        RowCheck::Pattern { regex } => format!("{column} matches {regex}"),
        RowCheck::OneOf { values } => format!("{column} is one of {}", values.join(", ")),
        RowCheck::Minimum { bound, exclusive: true } => format!("{column} is more than {bound}"),
        RowCheck::Minimum { bound, .. } => format!("{column} is at least {bound}"),
        RowCheck::Maximum { bound, exclusive: true } => format!("{column} is less than {bound}"),
        RowCheck::Maximum { bound, .. } => format!("{column} is at most {bound}"),
        RowCheck::MinLength { characters } => format!("{column} has at least {characters} characters"),
        RowCheck::MaxLength { characters } => format!("{column} has at most {characters} characters"),
        RowCheck::FolderName { .. } => format!("{column} can be the name of a partition's folder"),
        RowCheck::MultipleOf { step } => format!("{column} is a multiple of {step}"),
        RowCheck::Predicate { .. } => "a condition over the columns of the row".to_owned(),
    });
    format!("{words}{warning}")
}

/// What to do about a broken rule.
fn fix(check: &RowCheck) -> &'static str {
    match check {
        RowCheck::Readable | RowCheck::PartReadable { .. } => {
            "Correct the file, or say under silver.columns of the spec how the text is written."
        }
        RowCheck::Required | RowCheck::PartRequired { .. } | RowCheck::NotMissing { .. } => {
            "Have the value delivered, or take `required` out of the contract if rows without it are right."
        }
        RowCheck::OneOf { .. } => "Correct the value, or add it to the allowed values of the contract.",
        RowCheck::Minimum { .. } | RowCheck::Maximum { .. } | RowCheck::MultipleOf { .. } => {
            "Correct the number, or move the limit in the contract if it is right."
        }
        RowCheck::Pattern { .. }
        | RowCheck::MinLength { .. }
        | RowCheck::MaxLength { .. }
        | RowCheck::FolderName { .. } => "Correct the text, or the rule in the contract if the text is right.",
        RowCheck::Predicate { .. } => "Read the rule in the contract; correct the file, or the rule.",
    }
}

/// What a rule says that is not in the contract: one of the engine, or of an older contract.
fn meaning_of_id(rule: &str) -> &'static str {
    if rule == "corrupt_record" { "the record can be split into columns" } else { "not in the contract as it is now" }
}

fn fix_of_id(rule: &str) -> &'static str {
    if rule == "corrupt_record" {
        "Correct the record in the file: a quote or a separator is missing, or one is too many."
    } else {
        "Replay the rows: the rule may be gone, or have another name."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>'\"&";

    fn facts(text: &str, run: Option<&str>) -> QuarantineFacts {
        let rule = |id: &str, check: RowCheck| RowRule {
            id: id.to_owned(),
            column: Some("amount".parse().unwrap()),
            check,
            severity: Severity::Error,
            dimension: None,
            description: None,
        };
        let counts = |rows: u64| BTreeMap::from([("amount.readable".to_owned(), rows), (text.to_owned(), 1)]);
        QuarantineFacts {
            pipeline: "retail".parse().unwrap(),
            lake: "s3://lake".parse().unwrap(),
            run: run.map(str::to_owned),
            tables: vec![QuarantineTable {
                table: "quarantine/sales/orders".parse().unwrap(),
                silver: "silver/sales/orders".parse().unwrap(),
                rows: 12,
                counts: BTreeMap::from([("day-1".to_owned(), counts(5)), ("day-2".to_owned(), counts(7))]),
                rules: vec![rule("amount.readable", RowCheck::Readable)],
                places: vec![RowPlace {
                    rules: vec![text.to_owned()],
                    object: format!("s3://lake/landing/{text}.csv"),
                    position: Some(17),
                    run: "day-2".to_owned(),
                }],
            }],
        }
    }

    fn body(facts: &QuarantineFacts) -> String {
        page(facts).body.into_string()
    }

    #[test]
    fn rows_are_counted_by_rule_and_run() {
        let check = |run: Option<&str>, rows: &str, lists_runs: bool| {
            let body = body(&facts("text", run));
            let expected = format!("<th scope=\"row\">amount.readable</th><td class=\"n\">{rows}</td>");
            assert!(body.contains(&expected), "{run:?}: {body}");
            assert_eq!(body.contains("href=\"/console/quarantine/retail/day-1\""), lists_runs, "{run:?}");
            assert!(body.contains("sluice quarantine replay pipelines/retail --lake s3://lake/"), "{body}");
            assert!(body.contains("sluice source show &#39;s3://lake/landing/text.csv&#39; --at 17"), "{body}");
        };
        check(None, "12", true);
        check(Some("day-1"), "5", false);
        check(Some("day-2"), "7", false);
    }

    #[test]
    fn an_empty_quarantine_is_said() {
        let mut none = facts("text", None);
        none.tables.clear();
        for facts in [none, facts("text", Some("day-3"))] {
            let body = body(&facts);
            assert!(
                body.contains("is in quarantine: every row that was read kept") && !body.contains("<table"),
                "{body}"
            );
        }
    }

    #[test]
    fn hostile_names_are_escaped() {
        let body = body(&facts(HOSTILE, None));
        assert!(!body.contains("<script") && body.contains("&lt;script&gt;"), "{body}");
    }

    #[test]
    fn rules_are_explained_in_words() {
        let check = |check: RowCheck, expected: &str| {
            let mut facts = facts("text", None);
            facts.tables[0].rules[0].check = check;
            let body = body(&facts);
            assert!(body.contains(&format!("<td>{expected}</td>")), "{expected}: {body}");
        };
        check(RowCheck::Readable, "amount can be read as its type");
        check(RowCheck::Required, "amount has a value");
        check(RowCheck::Minimum { bound: "0".into(), exclusive: true }, "amount is more than 0");
        check(RowCheck::Maximum { bound: "9".into(), exclusive: false }, "amount is at most 9");
        check(RowCheck::OneOf { values: vec!["a".into(), "b".into()] }, "amount is one of a, b");
        assert!(body(&facts("corrupt_record", None)).contains("the record can be split into columns"));
    }
}
