use serde_json::json;
use sluice_executions::ports::{ExecutionFault, ExecutionStatus as S};

use super::*;

#[tokio::test]
async fn runs_are_redriven_and_stopped_by_their_state() {
    let check = async |status: S, redrives: u32, redriven: u16, stopped: (u16, S)| {
        let world = World::new();
        world.executions.put("r", "retail", status, redrives);
        let (found, answer) = world.call("POST", "/runs/r/redrive").await;
        assert_eq!(found.as_u16(), redriven, "{status:?}: {answer}");
        if redriven == 202 {
            assert_eq!(answer["state"], "running");
            // Twice is once.
            let (again, answer) = world.call("POST", "/runs/r/redrive").await;
            assert_eq!((again.as_u16(), &answer["redrives"]), (202, &json!(1)), "{answer}");
        } else {
            assert_eq!(answer["code"], "conflict");
        }
        let world = World::new();
        world.executions.put("r", "retail", status, redrives);
        let (found, answer) = world.call("DELETE", "/runs/r").await;
        assert_eq!((found.as_u16(), world.executions.status("r")), stopped, "{status:?}: {answer}");
        let (again, answer) = world.call("DELETE", "/runs/r").await;
        assert_eq!((again.as_u16(), world.executions.status("r")), (200, stopped.1), "{answer}");
    };
    check(S::Running, 0, 409, (202, S::Aborted)).await;
    check(S::Running, 1, 202, (202, S::Aborted)).await;
    check(S::Succeeded, 0, 409, (200, S::Succeeded)).await;
    check(S::Failed, 0, 202, (200, S::Failed)).await;
    check(S::TimedOut, 0, 202, (200, S::TimedOut)).await;
    check(S::Aborted, 0, 202, (200, S::Aborted)).await;
    let world = World::new();
    for (method, uri) in [("POST", "/runs/none/redrive"), ("DELETE", "/runs/none")] {
        assert_eq!(world.call(method, uri).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_run_that_ended_in_a_fail_state_is_not_redriven() {
    let world = World::new();
    world.executions.put_failed_delivery("r", "retail", "VerdictNotUnderstood");
    let (status, answer) = world.call("POST", "/runs/r/redrive").await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("conflict")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("VerdictNotUnderstood; deploy the functions"), "{answer}");
    assert_eq!(world.executions.status("r"), S::Failed);
}

#[tokio::test]
async fn a_run_that_a_delivery_started_has_its_pipeline() {
    let world = World::new();
    world.executions.put_failed_delivery("r", "retail", "Throttled");
    assert_eq!(world.call("GET", "/runs/r").await.1["pipeline"], "retail");
    let (_, page) = world.call("GET", "/runs?pipeline=retail").await;
    assert_eq!(page["runs"][0]["run_id"], "r", "{page}");
}

#[tokio::test]
async fn pages_have_every_run_once_newest_first() {
    let world = World::new();
    for n in 0..7 {
        let pipeline = if n % 2 == 0 { "retail" } else { "weather" };
        world.executions.put(&format!("r{n}"), pipeline, S::Running, 0);
    }
    let check = async |question: &str, expected: &[&str]| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..10 {
            let (status, page) = world.call("GET", &format!("/runs?{question}{cursor}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            found.extend(page["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, expected, "{question}");
    };
    check("limit=3", &["r6", "r5", "r4", "r3", "r2", "r1", "r0"]).await;
    check("limit=100", &["r6", "r5", "r4", "r3", "r2", "r1", "r0"]).await;
    check("limit=1&pipeline=retail", &["r6", "r4", "r2", "r0"]).await;
    check("limit=2&pipeline=weather", &["r5", "r3", "r1"]).await;
    check("limit=2&pipeline=other", &[]).await;
}

#[tokio::test]
async fn a_run_is_described_from_its_execution_and_its_documents() {
    let world = World::new();
    let report = |outcome: &str| {
        json!({
            "pipeline": "retail", "run_id": "r", "attempt": 1, "outcome": outcome, "ended_at": "2026-01-05T09:00:00Z",
            "sources": [], "committed": [{"table": "silver/sales/orders", "version": 4, "rows": 9, "files_added": 1, "files_removed": 0}],
            "rows": {"silver/sales/orders": {"source": 5, "replaced": 0, "staged": 3, "quarantined": 2, "collapsed": 0}},
            "broken_rules": [],
        })
    };
    let check = async |status: S, outcome: &str, state: &str, error: Option<&str>| {
        let world = World::new();
        world.executions.put("r", "retail", status, 0);
        world.write("runs/retail/r/report.json", &report(outcome));
        let (found, run) = world.call("GET", "/runs/r").await;
        assert_eq!((found, &run["state"]), (StatusCode::OK, &json!(state)), "{run}");
        assert_eq!(run["error"]["name"].as_str(), error, "{run}");
        assert_eq!(run["rows"]["silver/sales/orders"]["quarantined"], 2);
        assert_eq!(run["states"][0]["name"], "Receive");
    };
    check(S::Succeeded, "published", "published", None).await;
    check(S::Failed, "failed", "failed", Some("NotFound")).await;
    check(S::Aborted, "failed", "stopped", None).await;
    check(S::Running, "failed", "running", None).await;
    // Rejected and skipped runs are recognised by their report in lists.
    world.executions.put("r", "retail", S::Succeeded, 0);
    world.write("runs/retail/r/report.json", &report("rejected"));
    assert_eq!(world.call("GET", "/runs").await.1["runs"][0]["state"], "rejected");
}

#[tokio::test]
async fn a_run_that_cannot_be_read_keeps_no_other_from_the_list() {
    let world = World::new();
    for run in ["r0", "r1", "r2"] {
        world.executions.put(run, "retail", S::Succeeded, 0);
    }
    let (doing, message) = ("find run r1".to_owned(), "it exists in payroll, too".to_owned());
    world.executions.break_run("r1", ExecutionFault::Unexpected { doing: doing.clone(), message: message.clone() });
    world.write("runs/retail/r2/report.json", &json!({ "outcome": "unknown" }));
    let (status, page) = world.call("GET", "/runs").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let runs: Vec<&str> = page["runs"].as_array().unwrap().iter().filter_map(|run| run["run_id"].as_str()).collect();
    assert_eq!(runs, ["r0"]);
    // What is about the store or service is about every run.
    world.executions.break_run("r1", ExecutionFault::Unavailable { doing, message });
    assert_eq!(world.call("GET", "/runs").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_short_page_reads_few_lists_of_executions() {
    let world = World::new();
    world.executions.put("r", "retail", S::Running, 0);
    for n in 0..300 {
        world.executions.put(&format!("p{n}"), "payroll", S::Running, 0);
    }
    let (status, page) = world.call("GET", "/runs?limit=1").await;
    assert_eq!((status, &page["runs"]), (StatusCode::OK, &json!([])), "{page}");
    assert!(page["next_cursor"].is_string() && world.executions.lists() <= 20, "{}", world.executions.lists());
}
