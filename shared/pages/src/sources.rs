//! What a pipeline was delivered: the source objects of its newest runs, what it holds, and what it passes by.

use jiff::Timestamp;
use sluice_core::name::PipelineName;
use sluice_core::run::{Outcome, Report};
use sluice_core::source::{FirstOf, PassedBy, SourceId};
use sluice_core::uri::FolderUri;

use crate::address;
use crate::frame::Content;
use crate::grid::{Cell, Link, OF_CONSOLE, bounded_table, command, facts, links, paragraph, section, table};
use crate::html::Html;
use crate::units::{count, instant, size};

/// What the page is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcesFacts {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The lake that the commands name.
    pub lake: FolderUri,
    /// Where files arrive, below the lake.
    pub prefixes: Vec<String>,
    /// Objects that are held.
    pub held: Vec<HeldLine>,
    /// What the newest run that listed the folder passed by.
    pub passed_by: FirstOf<PassedBy>,
    /// Reports of the newest runs, the newest first.
    pub reports: Vec<Report>,
}

/// A held object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLine {
    /// Its id.
    pub id: SourceId,
    /// Its address; like the next two, `None` where the document of its hold is damaged.
    pub object: Option<String>,
    /// The run that held it.
    pub run: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// The page of source objects.
pub fn page(of: &SourcesFacts) -> Content {
    let pipeline = &of.pipeline;
    let mut body = Html::default();
    let places =
        [Link::new("Runs", address::runs(pipeline)), Link::new("Quarantined rows", address::quarantine(pipeline))];
    links(&mut body, "Of this pipeline", &places);
    let held = match of.held.len() {
        0 => Cell::Good("nothing".to_owned()),
        held => Cell::Bad(count(held as u64)),
    };
    let entries = [("Files arrive in", Some(Cell::Text(of.prefixes.join(", ")))), ("Held", Some(held))];
    facts(&mut body, &entries);
    held_section(&mut body, of);
    deliveries(&mut body, of);
    passed_by(&mut body, of);
    let above = vec![("Runs".to_owned(), "runs".to_owned()), (pipeline.to_string(), address::runs(pipeline))];
    Content { title: format!("Source objects of {pipeline}"), above, body }
}

fn held_section(body: &mut Html, of: &SourcesFacts) {
    if of.held.is_empty() {
        return;
    }
    section(body, "held", "Held");
    body.markup("<p>Runs go on without these objects. If a file is wrong, deliver it again, corrected: a file with ");
    body.markup("other content needs no release. If the contract or the spec was wrong, correct and deploy it, and ");
    body.markup("release the object; the next run reads it.</p>\n");
    let row = |held: &HeldLine| {
        let run = held.run.as_ref().map(|run| Link::new(run, address::run(&of.pipeline, run)));
        vec![
            Cell::Text(
                held.object.clone().unwrap_or_else(|| "not known: the document of the hold is damaged".to_owned()),
            ),
            Cell::Text(held.at.map_or_else(|| "–".to_owned(), instant)),
            Cell::Links(run.into_iter().collect()),
            Cell::text(&held.reason),
            Cell::Code(format!("sluice source release {} --lake {}", held.id, of.lake)),
        ]
    };
    let rows: Vec<Vec<Cell>> = of.held.iter().map(row).collect();
    table(body, "Held source objects", &["Object", "Since", "By run", "Why", "Release"], &rows);
}

fn deliveries(body: &mut Html, of: &SourcesFacts) {
    section(body, "deliveries", "Deliveries");
    if of.reports.is_empty() {
        paragraph(body, "No run has ended yet. Files that are in the folder are read by the next one.");
        let (pipeline, lake) = (&of.pipeline, &of.lake);
        command(body, "To run it now:", &format!("sluice run pipelines/{pipeline} --lake {lake}"));
        return;
    }
    let rows: Vec<Vec<Cell>> = of.reports.iter().map(|report| report_row(&of.pipeline, report)).collect();
    let titles = ["Run", "Ended", "How", ">Objects", ">Size", ">Rows read", ">Held"];
    table(body, "Newest runs", &titles, &rows);
    let objects = of.reports.iter().flat_map(|report| report.sources.iter().map(move |object| (report, object)));
    let row = |(report, object): (&Report, &sluice_core::source::SourceObject)| {
        vec![
            Cell::text(&object.uri),
            Cell::Number(size(object.size_bytes)),
            Cell::Text(object.modified_at.map_or_else(|| "–".to_owned(), instant)),
            Cell::link(&report.run_id, address::run(&of.pipeline, &report.run_id)),
        ]
    };
    let total: u64 = of.reports.iter().map(|report| report.sources.len() as u64).sum();
    if total == 0 {
        paragraph(body, "These runs took no source object.");
    } else {
        let titles = ["Object", ">Size", "Modified", "Run"];
        bounded_table(body, OF_CONSOLE, ("Source objects of these runs", &titles), total, objects.map(row));
    }
}

fn report_row(pipeline: &PipelineName, report: &Report) -> Vec<Cell> {
    let how = match report.outcome {
        Outcome::Published => Cell::Good("published".to_owned()),
        Outcome::Skipped => Cell::text("nothing new"),
        Outcome::Rejected => Cell::Bad("rejected".to_owned()),
        Outcome::Failed => Cell::Bad("failed".to_owned()),
    };
    let bytes = report.sources.iter().map(|object| object.size_bytes).fold(0, u64::saturating_add);
    let rows = report.rows.values().map(|rows| rows.source).max().unwrap_or(0);
    vec![
        Cell::link(&report.run_id, address::run(pipeline, &report.run_id)),
        Cell::Text(instant(report.ended_at)),
        how,
        Cell::Number(count(report.sources.len() as u64)),
        Cell::Number(size(bytes)),
        Cell::Number(count(rows)),
        Cell::Number(count(report.held.count)),
    ]
}

fn passed_by(body: &mut Html, of: &SourcesFacts) {
    if of.passed_by.is_empty() {
        return;
    }
    section(body, "passed", "Passed by");
    let row = |passed: &PassedBy| vec![Cell::text(&passed.uri), Cell::text(&passed.reason)];
    let rows: Vec<Vec<Cell>> = of.passed_by.named.iter().map(row).collect();
    table(
        body,
        "What the newest run did not take for a source object",
        &["File or folder", "Why, and what to do"],
        &rows,
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "<script>'\"&";

    fn facts(text: &str) -> SourcesFacts {
        let report = json!({
            "pipeline": "retail", "run_id": "day-1", "attempt": 1, "outcome": "rejected",
            "ended_at": "2026-01-05T06:00:00Z",
            "sources": [{"uri": "s3://lake/landing/retail/a.csv", "etag": "e", "size_bytes": 1_234_567}],
            "rows": {"silver/sales/orders":
                {"source": 1200, "replaced": 0, "staged": 0, "quarantined": 7, "collapsed": 0}},
            "committed": [], "broken_rules": [],
        });
        SourcesFacts {
            pipeline: "retail".parse().unwrap(),
            lake: "s3://lake".parse().unwrap(),
            prefixes: vec![text.to_owned()],
            held: vec![HeldLine {
                id: "d".repeat(32).parse().unwrap(),
                object: Some(text.to_owned()),
                run: Some("day-1".to_owned()),
                at: Some(Timestamp::UNIX_EPOCH),
                reason: text.to_owned(),
            }],
            passed_by: serde_json::from_value(json!({
                "count": 1, "named": [{"uri": text, "reason": {"excluded": {"pattern": text}}}],
            }))
            .unwrap(),
            reports: vec![serde_json::from_value(report).unwrap()],
        }
    }

    fn body(facts: &SourcesFacts) -> String {
        page(facts).body.into_string()
    }

    #[test]
    fn what_is_held_has_its_reason_and_its_release() {
        let body = body(&facts("text"));
        let release = format!("<code>sluice source release {} --lake s3://lake/</code>", "d".repeat(32));
        for part in [
            release.as_str(),
            "<td class=\"bad\">rejected</td>",
            "<td class=\"n\">1.2 MB</td>",
            "<td class=\"n\">1,200</td>",
            "<a href=\"/console/runs/retail/day-1\">day-1</a>",
            "<span class=\"badge bad\">1</span>",
        ] {
            assert!(body.contains(part), "{part} is missing in {body}");
        }
    }

    #[test]
    fn a_pipeline_without_runs_says_how_to_run_it() {
        let mut facts = facts("text");
        (facts.reports, facts.held, facts.passed_by) = (Vec::new(), Vec::new(), FirstOf::default());
        let body = body(&facts);
        assert!(body.contains("sluice run pipelines/retail --lake s3://lake/"), "{body}");
        assert!(!body.contains("<table"), "{body}");
    }

    #[test]
    fn hostile_names_are_escaped() {
        let body = body(&facts(HOSTILE));
        assert!(!body.contains("<script") && body.contains("&lt;script&gt;"), "{body}");
    }

    #[test]
    fn many_objects_are_bounded() {
        let mut facts = facts("text");
        facts.reports = vec![facts.reports[0].clone(); 20];
        for report in &mut facts.reports {
            report.sources = vec![report.sources[0].clone(); 1000];
        }
        let body = body(&facts);
        assert!(body.len() < 500_000 && body.contains("19,500 more are not listed here"), "{}", body.len());
    }
}
