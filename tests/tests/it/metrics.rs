//! `/metrics` of a real server: read by the readers of Prometheus, by two callers of whom each may know something else.

use std::path::PathBuf;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::files::repository;
use sluice_tests::judges::Judges;
use sluice_tests::lab::{Lab, Sample};
use sluice_tests::served::Served;
use sluice_tests::sluice::Run;

/// A lake with one run of retail, whose runs `owner` may read.
fn lake() -> Lab {
    let lab = Lab::new();
    lab.edit_pipeline("pipeline.yaml", "'recipient:ops'", "'recipient:owner'");
    let sample = Sample { start: "2026-01-05", days: 1, rows: 200, dirt: "0.05" };
    let _ = lab.sample(&lab.landing(), &sample);
    let _ = lab.run().expect(Outcome::Published);
    let mut deploy = lab.command(["deploy"]);
    deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
    let _ = Run::of(deploy).expect_code(0);
    lab
}

fn token(lab: &Lab, served: &Served, recipient: &str) -> String {
    let file = lab.folder().join(format!("{recipient}.share"));
    let mut create = lab.command(["share", "create", "--recipient", recipient, "--json"]);
    create.arg("--lake").arg(lab.lake()).args(["--endpoint", served.endpoint()]).arg("--out").arg(&file);
    let _ = Run::of(create).expect_code(0);
    let profile: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    profile["bearerToken"].as_str().unwrap().to_owned()
}

/// The value of a sample, by the beginning of its line.
fn value(text: &str, sample: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

#[test]
fn a_scrape_has_what_its_caller_may_know_and_paths_of_nobody() {
    let lab = lake();
    let served = Served::new(&lab, None);
    let owner = token(&lab, &served, "owner");
    let _ = served.get("/files/a-name-of-somebody", Some(&owner));
    let _ = served.get("/nowhere/a-name-of-somebody", None).expect(404);
    let answer = served.get("/metrics", Some(&owner)).expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(!text.contains("a-name-of-somebody") && !text.contains("owner"), "{text}");
    let rows = |kind: &str| {
        value(&text, &format!("sluice_pipeline_last_run_rows{{pipeline=\"retail\",kind=\"{kind}\"}}")).unwrap()
    };
    assert!(rows("source") >= 200 && rows("quarantined") > 0 && rows("staged") > 0, "{text}");
    let published = "sluice_pipeline_last_published_timestamp_seconds{pipeline=\"retail\"}";
    let age = jiff::Timestamp::now().as_second() - value(&text, published).unwrap();
    assert!((0..600).contains(&age), "published {age} s ago");
    let unmatched = "sluice_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}";
    assert_eq!(value(&text, unmatched), Some(1), "{text}");
    assert!(text.contains("route=\"/files/{id}\""), "{text}");
    if cfg!(target_os = "linux") {
        assert!(value(&text, "process_resident_memory_bytes").is_some_and(|bytes| bytes > 1_000_000), "{text}");
    }

    let stranger = token(&lab, &served, "stranger");
    let refused = served.get("/metrics", Some(&stranger)).expect(403);
    assert_eq!(refused.problem(), "forbidden");
    assert!(!refused.text().contains("retail"), "{refused}");
    assert_eq!(served.get("/metrics", None).expect(401).problem(), "unauthenticated");
    let scrapes: Vec<String> = served
        .audit()
        .iter()
        .filter(|event| event["operation"] == "metrics")
        .map(|event| format!("{} {}", event["caller"].as_str().unwrap(), event["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(scrapes, ["recipient:owner allowed", "recipient:stranger denied", "anonymous denied"]);
}

#[test]
fn the_readers_of_prometheus_and_grafana_take_scrapes_and_dashboards() {
    let test = "metrics::the_readers_of_prometheus_and_grafana_take_scrapes_and_dashboards";
    let Some(judges) = Judges::or_skip(test) else { return };
    let lab = lake();
    let served = Served::new(&lab, Some("recipient:owner"));
    let _ = served.get("/data-products", None).expect(200);
    let _ = served.get("/nowhere", None).expect(404);
    let text = served.get("/metrics", None).expect(200).text();
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let answer = served.send(served.request("GET", "/metrics").header("accept", accept)).expect(200);
    let media_type = answer.header("content-type").unwrap();
    assert!(media_type.starts_with("application/openmetrics-text; version=1.0.0"), "{media_type}");
    let write = |name: &str, text: &str| {
        let file = lab.folder().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (text, open_metrics) = (write("text", &text), write("openmetrics", &answer.text()));
    let dashboard = |name: &str| -> PathBuf { repository().join("dashboards").join(name) };
    let dashboards = [dashboard("grafana-prometheus.json"), dashboard("grafana-cloudwatch.json")];
    let judged = judges.judge_metrics(&text, &open_metrics, &dashboards);
    assert_eq!(judged["problems"], serde_json::json!([]), "{judged:#}");
    // The judge can fail: it finds every fault that is put into these very texts.
    let caught = judged["caught"].as_object().unwrap();
    assert!(caught.len() == 9 && caught.values().all(|found| found == true), "{judged:#}");
    // The page has the metrics of the code, which a test of data-product compares.
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let found = judged["families"].as_object().unwrap();
    let mut count = 0;
    for line in page.lines().filter(|line| line.starts_with("| `sluice_") || line.starts_with("| `process_")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (name, kind) = (cells.next().unwrap().trim_matches('`'), cells.next().unwrap());
        assert_eq!(found[name.strip_suffix("_total").unwrap_or(name)], kind, "{name}");
        count += 1;
    }
    assert_eq!(found.len(), count, "{found:?}");
}
