use serde_json::json;
use sluice_executions::ports::ExecutionStatus as S;

use super::*;

const RETAIL: &str = r#"{"pipeline": "retail"}"#;

/// A world with a failed run of each of three pipelines; nobody has rights on those of `payroll`.
fn world() -> World {
    let world = World::new();
    for pipeline in ["retail", "weather", "payroll"] {
        world.executions.put(&format!("{pipeline}-1"), pipeline, S::Failed, 0);
    }
    world
}

fn call(method: &str, uri: &str) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn each_right_on_runs_is_given_by_the_spec_of_the_pipeline() {
    let check = async |role: &str, expected: [u16; 5]| {
        let world = world();
        let requests = [
            call("GET", "/runs"),
            call("GET", "/runs/retail-1"),
            process("", None, RETAIL),
            call("POST", "/runs/retail-1/redrive"),
            call("DELETE", "/runs/retail-1"),
        ];
        for (request, status) in requests.into_iter().zip(expected) {
            let asked = format!("{role}: {} {}", request.method(), request.uri());
            let request = if role == "ann" { request } else { of_role(request, role, "s") };
            let (found, answer, _) = world.send(request).await;
            assert_eq!(found.as_u16(), status, "{asked}: {answer}");
            let events = world.events();
            let decision = if status < 400 { "allowed" } else { "denied" };
            assert_eq!(events.len(), 1, "{asked}: {events:?}");
            assert_eq!(events[0]["decision"], decision, "{asked}: {events:?}");
        }
    };
    check("ann", [200, 200, 202, 202, 202]).await;
    check("loader", [200, 200, 202, 403, 403]).await;
    check("reader", [200, 200, 403, 403, 403]).await;
    check("former", [403, 403, 403, 403, 403]).await;
    check("stranger", [403, 403, 403, 403, 403]).await;
}

#[tokio::test]
async fn a_run_of_another_pipeline_is_like_one_that_is_not_there() {
    let world = world();
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/redrive")] {
        let (status, there) = world.call(method, &format!("/runs/payroll-1{path}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {there}");
        let (_, missing) = world.call(method, &format!("/runs/payroll-2{path}")).await;
        assert_eq!(there["detail"].as_str().unwrap().replace("payroll-1", "payroll-2"), missing["detail"], "{method}");
    }
    assert_eq!(world.executions.status("payroll-1"), S::Failed);
    let (_, listed) = world.call("GET", "/runs").await;
    let runs: Vec<&str> =
        listed["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap()).collect();
    assert_eq!(runs, ["weather-1", "retail-1"]);
    assert_eq!(world.call("GET", "/runs?pipeline=payroll").await.1["runs"], json!([]));
    let start = async |pipeline: &str| {
        let (status, problem) = world.process("", None, &json!({ "pipeline": pipeline }).to_string()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
        problem["detail"].as_str().unwrap().replace(pipeline, "PIPELINE")
    };
    assert_eq!(start("payroll").await, start("unknown").await);
    assert_eq!(start("broken").await, start("unknown").await);
}

#[tokio::test]
async fn every_access_to_runs_leaves_one_event_with_what_it_was_about() {
    let world = world();
    let check = async |request: Request<Body>, expected: Value| {
        let asked = format!("{} {}", request.method(), request.uri());
        let _ = world.send(request).await;
        let events = world.events();
        assert_eq!(events.len(), 1, "{asked}: {events:?}");
        assert_eq!(events[0]["door"], "runs", "{asked}");
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&events[0][field], value, "{asked}: {field} of {events:?}");
        }
    };
    let ann = json!({ "operation": "list", "caller": ANN, "decision": "allowed" });
    check(call("GET", "/runs"), ann).await;
    check(call("GET", "/runs?limit=0"), json!({ "decision": "failed", "reason": "invalid-request" })).await;
    let shown = json!({ "operation": "show", "run": "retail-1", "pipeline": "retail", "rule": "operators", "purpose": "operations" });
    check(call("GET", "/runs/retail-1"), shown).await;
    check(call("GET", "/runs/none"), json!({ "decision": "failed", "reason": "not-found", "run": "none" })).await;
    let denied = json!({ "decision": "denied", "run": "payroll-1", "pipeline": "payroll" });
    check(call("GET", "/runs/payroll-1"), denied).await;
    let redriven = json!({ "operation": "redrive", "decision": "allowed", "run": "retail-1" });
    check(call("POST", "/runs/retail-1/redrive"), redriven).await;
    check(call("DELETE", "/runs/retail-1"), json!({ "operation": "stop", "decision": "allowed" })).await;
    check(process("", None, "{"), json!({ "operation": "start", "decision": "failed", "caller": ANN })).await;
    check(process("", None, RETAIL), json!({ "decision": "allowed", "pipeline": "retail" })).await;
    let session = of_role(call("GET", "/runs"), "reader", "ann@x.org");
    check(session, json!({ "caller": "arn:aws:iam::123456789012:role/reader" })).await;
    let gateway = World::with(FakeExecutions::default(), Callers::of_gateway());
    let _ = gateway.call("GET", "/runs").await;
    let events = gateway.events();
    assert_eq!((&events[0]["caller"], &events[0]["decision"]), (&json!("anonymous"), &json!("denied")), "{events:?}");
}

#[tokio::test]
async fn an_error_that_may_quote_a_file_is_not_shown_to_callers() {
    let world = World::new();
    let shown = async |name: &str| {
        let report = json!({
            "pipeline": "retail", "run_id": name, "attempt": 1, "outcome": "failed", "ended_at": "2026-01-05T09:00:00Z",
            "sources": [], "committed": [], "rows": {}, "broken_rules": [],
            "error": { "Error": name, "Cause": "column 'a' is missing (it has: a-key-that-is-secret)" },
        });
        world.write(&format!("runs/retail/{name}/report.json"), &report);
        world.write(
            &format!("requests/{name}.json"),
            &json!({
                "run_id": name, "caller": "x", "accepted_at": "2026-01-05T09:00:00Z", "digest": "",
                "request": { "pipeline": "retail", "action": "ingest" },
            }),
        );
        let (status, run) = world.call("GET", &format!("/runs/{name}")).await;
        assert_eq!((status, &run["error"]["name"]), (StatusCode::OK, &json!(name)), "{run}");
        run.to_string()
    };
    for name in ["InvalidInput", "ContractViolation", "Internal"] {
        let text = shown(name).await;
        assert!(!text.contains("a-key-that-is-secret") && text.contains("sluice runs show"), "{text}");
    }
    assert!(shown("NotFound").await.contains("is missing"));
}
