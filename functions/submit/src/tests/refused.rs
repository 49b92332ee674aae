use serde_json::json;
use sluice_executions::ports::{ExecutionFault, ExecutionStatus as S};

use super::*;

#[tokio::test]
async fn bad_requests_are_refused_by_name() {
    let world = World::new();
    let check = async |query: &str, key: Option<&str>, body: &str, code: &str, text: &str| {
        let (status, problem, response) = world.send(process(query, key, body)).await;
        assert!(status.is_client_error(), "{status} {problem}");
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status.as_u16())), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(problem["requestId"], response.headers()["x-request-id"].to_str().unwrap());
    };
    let bad = "invalid-request";
    let retail = r#"{"pipeline": "retail"}"#;
    let large = format!(r#"{{"pipeline": "retail", "prefix": "{}"}}"#, "x".repeat(300_000));
    let many = json!({"pipeline": "retail", "objects": vec!["retail/a.csv"; 1001]}).to_string();
    let long = json!({"pipeline": "retail", "objects": (0..900).map(|n| format!("retail/{n}{}", "x".repeat(230))).collect::<Vec<_>>()});
    check("", None, "{", bad, "EOF").await;
    check("", None, "[]", bad, "body is wrong").await;
    check("", None, r#"{"pipeline": "retail"} x"#, bad, "text after its end").await;
    check("", None, "{}", bad, "missing field `pipeline`").await;
    check("", None, r#"{"pipeline": "retail", "perfix": "x"}"#, bad, "unknown field `perfix`").await;
    check("", None, r#"{"pipeline": 7}"#, bad, "`pipeline`").await;
    check("", None, r#"{"pipeline": "../retail"}"#, bad, "no pipeline name").await;
    check("", None, r#"{"pipeline": "retail", "engine": "polars"}"#, bad, "`engine`").await;
    check("", None, r#"{"pipeline": "retail", "prefix": "../x"}"#, bad, "path '../x'").await;
    check("", None, r#"{"pipeline": "retail", "prefix": "/etc"}"#, bad, "path '/etc'").await;
    check("", None, r#"{"pipeline": "retail", "prefix": "s3://b/x/"}"#, bad, "not in the folder of the run").await;
    check("", None, r#"{"pipeline": "retail", "prefix": "http://b/x/"}"#, bad, "no object address").await;
    check("", None, r#"{"pipeline": "retail", "objects": []}"#, bad, "0 names").await;
    check("", None, &many, bad, "1001 names").await;
    check("", None, r#"{"pipeline": "retail", "objects": ["retail/a.csv", "../b.csv"]}"#, bad, "objects[1]").await;
    check("", None, r#"{"pipeline": "retail", "objects": ["s3://b/a.csv"]}"#, bad, "objects[0]").await;
    let lake = format!("file://{}", world.folder.path().display());
    for prefix in [
        "file:///etc/",
        "payroll",
        "retailer",
        &format!("{lake}/serve/"),
        &format!("{lake}/landing/"),
        &format!("{lake}/landing/retail/../../serve/"),
        &format!("{lake}/landing/retail/%2e%2e/payroll/"),
        &format!("{lake}/landing/retail/..%2f..%2fserve/"),
    ] {
        let body = json!({"pipeline": "retail", "prefix": prefix}).to_string();
        check("", None, &body, bad, "not in the folder of the run: name what is in `landing/retail/`").await;
    }
    for object in ["payroll/a.csv", &format!("{lake}/serve/secret.json"), "file:///etc/passwd"] {
        let body = json!({"pipeline": "retail", "objects": [object]}).to_string();
        check("", None, &body, bad, "not in the folder of the run").await;
    }
    let elsewhere = json!({"pipeline": "retail", "prefix": "retail/one", "objects": ["retail/two/a.csv"]}).to_string();
    check("", None, &elsewhere, bad, "`objects[0]` is 'retail/two/a.csv'").await;
    check("", None, r#"{"pipeline": "retail", "parameters": {"day": 1}}"#, bad, "no parameter `day`").await;
    check("?wait=26", None, retail, bad, "`wait` is 26").await;
    check("?wait=-1", None, retail, bad, "wait").await;
    check("?wate=1", None, retail, bad, "unknown field `wate`").await;
    check("", Some("a b"), retail, bad, "Idempotency-Key").await;
    check("", Some(&"k".repeat(256)), retail, bad, "1 to 255").await;
    check("", None, &large, "body-too-large", "bytes").await;
    check("", None, &long.to_string(), "body-too-large", "fewer `objects`").await;
    check("", None, r#"{"pipeline": "unknown"}"#, "not-found", "pipelines/unknown/pipeline.yaml").await;
    assert_eq!(world.executions.starts(), 0);
}

#[tokio::test]
async fn other_media_types_and_routes_are_problems() {
    let world = World::new();
    let check = async |method: &str, uri: &str, status: StatusCode, code: &str| {
        let (found, problem) = world.call(method, uri).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{method} {uri}: {problem}");
    };
    check("POST", "/process", StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type").await;
    check("GET", "/process", StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed").await;
    check("GET", "/nowhere", StatusCode::NOT_FOUND, "not-found").await;
    check("GET", "/runs/a%20b", StatusCode::NOT_FOUND, "not-found").await;
    check("GET", "/runs/none", StatusCode::NOT_FOUND, "not-found").await;
    check("GET", "/runs?limit=0", StatusCode::BAD_REQUEST, "invalid-request").await;
    check("GET", "/runs?limit=101", StatusCode::BAD_REQUEST, "invalid-request").await;
    check("GET", "/runs?pipeline=Retail", StatusCode::BAD_REQUEST, "invalid-request").await;
    check("GET", "/runs?cursor=nonsense", StatusCode::BAD_REQUEST, "invalid-cursor").await;
    // `{"pipeline":null,"token":"x"}`
    let forged = "eyJwaXBlbGluZSI6bnVsbCwidG9rZW4iOiJ4In0";
    check("GET", &format!("/runs?cursor={forged}"), StatusCode::BAD_REQUEST, "invalid-cursor").await;
    check("GET", &format!("/runs?pipeline=retail&cursor={forged}"), StatusCode::BAD_REQUEST, "invalid-cursor").await;
}

#[tokio::test]
async fn behind_the_gateway_only_iam_callers_get_in() {
    let world = World::with(FakeExecutions::default(), Callers::of_gateway());
    for (method, uri) in
        [("POST", "/process"), ("GET", "/runs"), ("GET", "/runs/r"), ("DELETE", "/runs/r"), ("POST", "/runs/r/redrive")]
    {
        let (status, problem) = world.call(method, uri).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")), "{method} {uri}");
    }
    let mut request = process("", None, r#"{"pipeline": "retail"}"#);
    request.extensions_mut().insert(sluice_http::caller::GatewayCaller { arn: ANN.to_owned() });
    assert_eq!(world.send(request).await.0, StatusCode::ACCEPTED);
}

/// What no answer may show: a value of a document, and what a service or store says.
const NOT_FOR_CALLERS: &str = "PAYROLLNAME";

#[tokio::test]
async fn faults_of_documents_and_executions_are_answered_without_their_messages() {
    let world = World::new();
    let check = async |method: &str, uri: &str, status: u16, code: &str| {
        let (found, problem) = world.call(method, uri).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{method} {uri}: {problem}");
        let lake = world.folder.path().display().to_string();
        let text = problem.to_string();
        assert!(!text.contains(NOT_FOR_CALLERS) && !text.contains(&lake), "{method} {uri}: {problem}");
    };
    world.executions.put("r", "retail", S::Succeeded, 0);
    world.write("runs/retail/r/report.json", &json!({ "outcome": NOT_FOR_CALLERS }));
    check("GET", "/runs/r", 500, "internal").await;
    world.write("requests/s.json", &json!({ "run_id": NOT_FOR_CALLERS.repeat(20) }));
    check("GET", "/runs/s", 500, "internal").await;
    let doing = || format!("read {NOT_FOR_CALLERS}");
    let message = || format!("'{NOT_FOR_CALLERS}' is no number");
    let faults = [
        (ExecutionFault::Throttled { doing: doing(), message: message() }, 429, "too-many-requests"),
        (ExecutionFault::Unavailable { doing: doing(), message: message() }, 503, "unavailable"),
        (ExecutionFault::Denied { doing: doing(), message: message() }, 500, "internal"),
        (ExecutionFault::Missing { doing: doing(), message: message() }, 500, "internal"),
        (ExecutionFault::Unexpected { doing: doing(), message: message() }, 500, "internal"),
    ];
    for (fault, status, code) in faults {
        world.executions.break_run("r", fault);
        for (method, uri) in [("GET", "/runs/r"), ("DELETE", "/runs/r"), ("POST", "/runs/r/redrive")] {
            check(method, uri, status, code).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_kept_is_refused_without_what_is_kept() {
    let world = World::new();
    let first = world.process("", Some("k"), r#"{"pipeline": "retail"}"#).await.1;
    let path = format!("requests/{}.json", first["run_id"].as_str().unwrap());
    world.write(&path, &json!({ "run_id": NOT_FOR_CALLERS.repeat(20) }));
    let (status, problem) = world.process("", Some("k"), r#"{"pipeline": "retail"}"#).await;
    assert_eq!((status.as_u16(), &problem["code"]), (500, &json!("internal")), "{problem}");
    assert!(!problem.to_string().contains(NOT_FOR_CALLERS), "{problem}");
}
