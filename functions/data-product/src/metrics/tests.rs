use std::fs;

use sluice_core::run::RunKey;
use sluice_pages::RunLine;

use super::*;
use crate::console::recent::RunRows;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
const DASHBOARDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dashboards");

fn run(name: &str, state: LineState, at: &str, rows: Option<RunRows>) -> ReadRun {
    let at: Timestamp = at.parse().expect("time");
    let (pipeline, run_id) = ("retail".parse().expect("name"), name.parse().expect("run"));
    let ended_at = (state != LineState::Running).then_some(at);
    let line = RunLine { pipeline, run_id, state, began_at: at, ended_at, held: 0, reason: None, cost: None };
    ReadRun { line, rows }
}

fn written(facts: Facts) -> String {
    let mut text = Exposition::new(Format::Text);
    write_pipelines(&mut text, &BTreeMap::from([("retail".parse().expect("name"), facts)]));
    let text = text.finished();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    samples.join("\n")
}

#[test]
fn a_pipeline_has_the_ends_of_its_newest_runs_and_the_rows_of_the_newest_report() {
    let rows = |source: u64| Some(RunRows { source, staged: source - 1, quarantined: 1 });
    let runs = vec![
        run("day-4", LineState::Running, "1970-01-01T00:00:40Z", None),
        run("day-3", LineState::Rejected, "1970-01-01T00:00:30Z", rows(20)),
        run("day-2", LineState::Published, "1970-01-01T00:00:20Z", rows(10)),
        run("day-1", LineState::Published, "1970-01-01T00:00:10Z", rows(10)),
    ];
    let published_at = "1970-01-01T00:00:21Z".parse().ok();
    let expected = "sluice_pipeline_last_end_timestamp_seconds{pipeline=\"retail\",outcome=\"published\"} 20
sluice_pipeline_last_end_timestamp_seconds{pipeline=\"retail\",outcome=\"rejected\"} 30
sluice_pipeline_last_published_timestamp_seconds{pipeline=\"retail\"} 21
sluice_pipeline_last_run_rows{pipeline=\"retail\",kind=\"source\"} 20
sluice_pipeline_last_run_rows{pipeline=\"retail\",kind=\"staged\"} 19
sluice_pipeline_last_run_rows{pipeline=\"retail\",kind=\"quarantined\"} 1
sluice_pipeline_held_objects{pipeline=\"retail\"} 2
sluice_pipeline_runs_waiting{pipeline=\"retail\"} 1
sluice_pipeline_runs_running{pipeline=\"retail\"} 1";
    assert_eq!(written(Facts { published_at, held: 2, runs }), expected);
}

#[test]
fn of_a_pipeline_that_never_ran_only_counts_are_known() {
    let expected = "sluice_pipeline_held_objects{pipeline=\"retail\"} 0
sluice_pipeline_runs_waiting{pipeline=\"retail\"} 0
sluice_pipeline_runs_running{pipeline=\"retail\"} 0";
    assert_eq!(written(Facts::default()), expected);
}

#[test]
fn a_scrape_reads_a_bounded_number_of_runs_of_the_callers_pipelines() {
    let at = Timestamp::UNIX_EPOCH;
    let listed = |pipeline: &str, number: usize| ListedRun {
        run: RunKey { pipeline: pipeline.parse().expect("name"), run_id: format!("r-{number}").parse().expect("run") },
        began_at: at,
        changed_at: at,
        reported_at: Some(at),
        published_at: None,
    };
    let of = |pipeline: &str| (0..30).map(|number| listed(pipeline, number)).collect::<Vec<_>>();
    let lake = Listed { runs: [of("hidden"), of("retail")].concat(), ..Listed::default() };
    let mut names: BTreeSet<PipelineName> = BTreeSet::from(["retail".parse().expect("name")]);
    let runs = newest(&lake, &names);
    assert_eq!(runs.len(), RUNS);
    assert!(runs.iter().all(|run| run.run.pipeline.as_str() == "retail"));
    names.extend((1..500).map(|number| format!("other{number}").parse::<PipelineName>().expect("name")));
    assert_eq!(newest(&lake, &names).len(), MAX_RUNS / 500);
    assert_eq!(newest(&lake, &BTreeSet::new()).len(), 0);
}

/// As `docs/metrics.md` has a metric.
fn documented(family: &Family) -> String {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |", family.name, family.kind.as_str(), labels.join(", "), family.help)
}

#[test]
fn the_page_has_every_metric_and_no_other() {
    let page = fs::read_to_string(PAGE).expect("docs/metrics.md");
    let lines: BTreeSet<&str> = page.lines().collect();
    for family in families() {
        let line = documented(&family);
        assert!(lines.contains(line.as_str()), "docs/metrics.md lacks the line: {line}");
    }
    let named = page.lines().filter(|line| line.starts_with("| `sluice_") || line.starts_with("| `process_"));
    assert_eq!(named.count(), families().len(), "docs/metrics.md has metrics that the code lacks");
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    let mut names = BTreeSet::new();
    for family in families() {
        let name = family.name;
        assert!(names.insert(name), "two metrics are called {name}");
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_plain(name) && family.labels.iter().all(|label| is_plain(label) && *label != "le"), "{name}");
        assert!(name.starts_with("sluice_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('|'), "{name}");
    }
}

/// The words of a query that name metrics, without the suffixes of a histogram's series.
fn metrics_of(query: &str) -> Vec<String> {
    let words = query.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let named = words.filter(|word| word.starts_with("sluice_") || word.starts_with("process_"));
    let family = |word: &str| {
        let suffixes = ["_bucket", "_sum", "_count"];
        suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned()
    };
    named.map(family).collect()
}

/// The queries of a dashboard, wherever they are.
fn queries(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(|query| query.as_str()).map(str::to_owned));
            fields.values().for_each(|value| queries(value, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_of_prometheus_asks_for_metrics_that_are_written() {
    let text = fs::read_to_string(format!("{DASHBOARDS}/grafana-prometheus.json")).expect("the dashboard");
    let mut found = Vec::new();
    queries(&serde_json::from_str(&text).expect("JSON"), &mut found);
    let asked: BTreeSet<String> = found.iter().flat_map(|query| metrics_of(query)).collect();
    let known: BTreeSet<String> = families().iter().map(|family| family.name.to_owned()).collect();
    assert_eq!(asked.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "unknown metrics");
    assert!(found.len() >= 10 && found.iter().all(|query| !metrics_of(query).is_empty()), "{found:?}");
}
