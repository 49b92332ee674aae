use serde_json::{Value, json};
use sluice_executions::ports::ExecutionStatus;

use super::*;
use crate::endpoint::{Endpoint, is_judged, silent, without_credentials};

const OK: &str = "200 OK";
const BAD: &str = "400 Bad Request";
const EXECUTION: &str = "arn:aws:states:eu-central-1:123456789012:execution:sluice:api-1";
const MACHINE: &str = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice";
/// Starts go by the alias, everything else by the machine: an execution belongs to it, whatever started it.
const ALIAS: &str = "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:live";

fn executions(config: &SdkConfig) -> StateMachineExecutions {
    StateMachineExecutions::new(config, ALIAS.parse().expect("ARN"))
}

fn run() -> RunId {
    "api-1".parse().expect("id")
}

fn request() -> RunRequest {
    serde_json::from_value(json!({"pipeline": "retail"})).expect("request")
}

/// What was called and with what, of the only request to this endpoint.
fn sent(endpoint: &Endpoint) -> (String, Value) {
    let request = endpoint.requests().into_iter().next().expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: AWSStepFunctions."));
    (target.expect("a target").to_owned(), serde_json::from_str(body).expect("JSON"))
}

#[tokio::test]
async fn a_start_is_sent_in_full() {
    let endpoint = Endpoint::answering(OK, r#"{"executionArn": "a", "startDate": 1767592800.5}"#).await;
    assert_eq!(executions(&endpoint.config).start(&run(), &request()).await, Ok(Started::Running));
    let (target, body) = sent(&endpoint);
    assert_eq!(target, "StartExecution");
    let input = r#"{"pipeline":"retail","action":"ingest"}"#;
    assert_eq!(body, json!({"stateMachineArn": ALIAS, "name": "api-1", "input": input}));
    is_judged(&target, &body);
}

#[tokio::test]
async fn executions_are_described_in_our_words() {
    let check = async |answer: Value, status: ExecutionStatus, ended: bool, error: Option<(&str, &str)>| {
        let mut whole = json!({
            "executionArn": EXECUTION, "stateMachineArn": MACHINE, "startDate": 1767592800.5,
            "input": "{\"pipeline\": \"retail\"}", "redriveCount": 1,
        });
        whole.as_object_mut().expect("object").extend(answer.as_object().expect("object").clone());
        let endpoint = Endpoint::answering(OK, whole.to_string().leak()).await;
        let found = executions(&endpoint.config).describe(&run()).await.expect("answer").expect("execution");
        assert_eq!((found.status, found.ended_at.is_some(), found.redrives), (status, ended, 1), "{whole}");
        let error = error.map(|(error, cause)| (error.to_owned(), cause.to_owned()));
        assert_eq!(found.error.map(|found| (found.error.to_string(), found.cause)), error, "{whole}");
        assert_eq!(found.input, json!({"pipeline": "retail"}));
        let (target, body) = sent(&endpoint);
        assert_eq!((target.as_str(), &body), ("DescribeExecution", &json!({"executionArn": EXECUTION})));
        is_judged(&target, &body);
    };
    check(json!({"status": "RUNNING"}), ExecutionStatus::Running, false, None).await;
    check(json!({"status": "RUNNING", "stopDate": 1.0}), ExecutionStatus::Running, false, None).await;
    check(json!({"status": "SUCCEEDED", "stopDate": 1767592900.0}), ExecutionStatus::Succeeded, true, None).await;
    check(
        json!({"status": "FAILED", "stopDate": 1767592900.0, "error": "NotFound", "cause": "no table"}),
        ExecutionStatus::Failed,
        true,
        Some(("NotFound", "no table")),
    )
    .await;
    let timed_out = json!({"status": "TIMED_OUT", "stopDate": 1767592900.0});
    check(timed_out, ExecutionStatus::TimedOut, true, Some(("States.Timeout", ""))).await;
    let aborted = json!({"status": "ABORTED", "stopDate": 1767592900.0, "error": "Stopped", "cause": "by ann"});
    check(aborted, ExecutionStatus::Aborted, true, Some(("Stopped", "by ann"))).await;
}

#[tokio::test]
async fn histories_are_the_states_passed() {
    let answer = r#"{"events": [
        {"id": 1, "timestamp": 1767592800.0, "type": "ExecutionStarted", "previousEventId": 0},
        {"id": 2, "timestamp": 1767592801.0, "type": "PassStateEntered", "stateEnteredEventDetails": {"name": "Receive"}},
        {"id": 3, "timestamp": 1767592802.0, "type": "PassStateExited", "stateExitedEventDetails": {"name": "Receive"}},
        {"id": 4, "timestamp": 1767592803.0, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Validate"}}
    ]}"#;
    let endpoint = Endpoint::answering(OK, answer).await;
    let states = executions(&endpoint.config).history(&run()).await.expect("answer").expect("history");
    let found: Vec<_> = states.iter().map(|state| (state.name.as_str(), state.exited_at.is_some())).collect();
    assert_eq!(found, [("Receive", true), ("Validate", false)]);
    let expected = json!({"executionArn": EXECUTION, "maxResults": 1000, "includeExecutionData": false});
    let (target, body) = sent(&endpoint);
    assert_eq!((target.as_str(), &body), ("GetExecutionHistory", &expected));
    is_judged(&target, &body);
}

#[tokio::test]
async fn lists_leave_out_names_that_are_not_run_ids() {
    let answer = r#"{"executions": [
        {"executionArn": "a", "stateMachineArn": "m", "name": "api-1", "status": "RUNNING", "startDate": 1767592800.0},
        {"executionArn": "a", "stateMachineArn": "m", "name": "by hand!", "status": "RUNNING", "startDate": 1767592800.0}
    ], "nextToken": "more"}"#;
    let endpoint = Endpoint::answering(OK, answer).await;
    let page = executions(&endpoint.config).list(7, Some("t")).await.expect("page");
    assert_eq!(page.executions.iter().map(|listed| listed.run_id.as_str()).collect::<Vec<_>>(), ["api-1"]);
    assert_eq!(page.next.as_deref(), Some("more"));
    let expected = json!({"stateMachineArn": MACHINE, "maxResults": 7, "nextToken": "t"});
    let (target, body) = sent(&endpoint);
    assert_eq!((target.as_str(), &body), ("ListExecutions", &expected));
    is_judged(&target, &body);
}

#[tokio::test]
async fn a_redrive_has_a_token_so_that_it_may_be_sent_twice() {
    let endpoint = Endpoint::answering(OK, r#"{"redriveDate": 1767592800.5}"#).await;
    assert_eq!(executions(&endpoint.config).redrive(&run()).await, Ok(Redriven::Running));
    let (target, mut body) = sent(&endpoint);
    let token = body["clientToken"].as_str().expect("a token");
    assert!((1..=64).contains(&token.len()), "{token}");
    // Another one for each redrive.
    body["clientToken"] = json!("00000000-0000-4000-8000-000000000000");
    let expected = json!({"executionArn": EXECUTION, "clientToken": "00000000-0000-4000-8000-000000000000"});
    assert_eq!((target.as_str(), &body), ("RedriveExecution", &expected));
    is_judged(&target, &body);
}

#[tokio::test]
async fn a_stop_has_its_cause_as_far_as_the_service_takes_it() {
    let check = async |cause: &str, expected: &str| {
        let endpoint = Endpoint::answering(OK, r#"{"stopDate": 1767592800.5}"#).await;
        assert_eq!(executions(&endpoint.config).stop(&run(), cause).await, Ok(()));
        let (target, body) = sent(&endpoint);
        let expected = json!({"executionArn": EXECUTION, "error": "Stopped", "cause": expected});
        assert_eq!((target.as_str(), &body), ("StopExecution", &expected));
        body
    };
    check("stopped by ann", "stopped by ann").await;
    // The longest one: the bed finds whether the service takes it.
    let longest = "x".repeat(MAX_CAUSE_CHARS);
    is_judged("StopExecution", &check(&format!("{longest}y"), &longest).await);
}

#[tokio::test]
async fn refusals_are_distinguished() {
    let error = |code: &str| -> &'static str { json!({"__type": code, "message": "words"}).to_string().leak() };
    let endpoint = Endpoint::answering(BAD, error("ExecutionDoesNotExist")).await;
    let unknown = executions(&endpoint.config);
    assert_eq!(unknown.describe(&run()).await, Ok(None));
    assert_eq!(unknown.history(&run()).await, Ok(None));
    assert_eq!(unknown.stop(&run(), "cause").await, Ok(()));
    let endpoint = Endpoint::answering(BAD, error("InvalidToken")).await;
    let page = executions(&endpoint.config).list(1, Some("x")).await;
    assert!(matches!(page, Err(ExecutionFault::UnknownToken { .. })), "{page:?}");
    let endpoint = Endpoint::answering(BAD, error("ExecutionNotRedrivable")).await;
    let redriven = executions(&endpoint.config).redrive(&run()).await;
    assert_eq!(redriven, Ok(Redriven::Refused { reason: "ExecutionNotRedrivable: words".to_owned() }));
}

#[tokio::test]
async fn faults_are_named_by_what_the_caller_does_next() {
    let check = async |status: &'static str, code: &str, expected: ErrorName| {
        let body: &'static str = json!({"__type": code, "message": "words"}).to_string().leak();
        let endpoint = Endpoint::answering(status, body).await;
        let fault = executions(&endpoint.config).start(&run(), &request()).await.expect_err(code);
        assert_eq!(fault.name(), expected, "{fault}");
        assert!(fault.to_string().starts_with("cannot start run api-1: "), "{fault}");
    };
    check(BAD, "ThrottlingException", ErrorName::Throttled).await;
    check(BAD, "ExecutionLimitExceeded", ErrorName::Throttled).await;
    check("503 Service Unavailable", "ServiceUnavailable", ErrorName::Unavailable).await;
    check("500 Oops", "InternalFailure", ErrorName::Unavailable).await;
    for code in [
        "AccessDeniedException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "KmsAccessDeniedException",
    ] {
        check(BAD, code, ErrorName::AccessDenied).await;
    }
    check("403 Forbidden", "IncompleteSignature", ErrorName::AccessDenied).await;
    check(BAD, "StateMachineDoesNotExist", ErrorName::NotFound).await;
    check(BAD, "StateMachineDeleting", ErrorName::NotFound).await;
    check(BAD, "ValidationException", ErrorName::InvalidInput).await;
    check(BAD, "InvalidExecutionInput", ErrorName::InvalidInput).await;
    // We make the names: one that is refused is a defect.
    check(BAD, "InvalidName", ErrorName::Internal).await;
    let fault = executions(&silent()).start(&run(), &request()).await.expect_err("nobody listens");
    assert_eq!(fault.name(), ErrorName::Unavailable, "{fault}");
    let fault = executions(&without_credentials()).start(&run(), &request()).await.expect_err("no credentials");
    assert_eq!(fault.name(), ErrorName::AccessDenied, "{fault}");
}
