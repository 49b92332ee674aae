//! The state machine, the functions' error names and events, and the published schemas are consistent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Map, Value, json};
use sluice_cli::asl::StateMachine;
use sluice_core::error::ErrorName;
use sluice_tests::files::{entries, repository};

/// The errors of the services that our definition names.
const OF_AWS: [&str; 10] = [
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.ALL",
    "States.TaskFailed",
    "States.Timeout",
];

fn definition() -> Value {
    let text = fs::read_to_string(repository().join("statemachines/pipeline.asl.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The tasks of the definition, those of its item processor included.
fn tasks() -> BTreeMap<String, Map<String, Value>> {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    let inner = states.values().filter_map(|state| state["ItemProcessor"]["States"].as_object()).flatten();
    let tasks = states.iter().chain(inner).filter(|(_, state)| state["Type"] == "Task");
    tasks.map(|(name, state)| (name.clone(), state.as_object().unwrap().clone())).collect()
}

/// The rules of a task's `Retry` or `Catch`, each with the errors it matches.
fn rules<'a>(task: &'a Map<String, Value>, field: &str) -> Vec<(BTreeSet<&'a str>, &'a Value)> {
    let list = task.get(field).and_then(Value::as_array).into_iter().flatten();
    let errors = |rule: &'a Value| rule["ErrorEquals"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    list.map(|rule| (errors(rule).collect(), rule)).collect()
}

/// The state that an error of a task leads to when it is no longer retried; `None` when it ends the execution.
fn caught_by(task: &Map<String, Value>, error: ErrorName) -> Option<&str> {
    let matches = |names: &BTreeSet<&str>| names.contains(error.as_str()) || names.contains("States.ALL");
    let caught = rules(task, "Catch").into_iter().find(|(names, _)| matches(names));
    caught.map(|(_, rule)| rule["Next"].as_str().unwrap())
}

#[test]
fn every_error_that_the_definition_names_exists() {
    let known: BTreeSet<&str> = ErrorName::ALL.into_iter().map(ErrorName::as_str).chain(OF_AWS).collect();
    let mut seen = BTreeSet::new();
    for (name, task) in &tasks() {
        for (errors, _) in rules(task, "Retry").into_iter().chain(rules(task, "Catch")) {
            for error in errors {
                assert!(known.contains(error), "{name} matches {error}, which no function or service returns");
                seen.insert(error.to_owned());
            }
        }
    }
    eprintln!("{} error names are matched: {seen:?}", seen.len());
    assert!(seen.len() > 8, "{seen:?}");
}

/// Where an error of a step leads: a retry, a new plan, or a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Retry,
    Replan(&'static [&'static str]),
    Fail,
}

/// The decision for every name; a new name does not compile until it has one.
fn answer(error: ErrorName) -> Answer {
    match error {
        ErrorName::Throttled | ErrorName::Unavailable => Answer::Retry,
        ErrorName::SourceChanged => Answer::Replan(&["Process", "QualityCheck"]),
        ErrorName::ObjectsHeld => Answer::Replan(&["Process", "QualityCheck"]),
        ErrorName::CommitConflict => Answer::Replan(&["Process", "QualityCheck", "Publish"]),
        ErrorName::InvalidInput
        | ErrorName::ContractViolation
        | ErrorName::NotFound
        | ErrorName::ClusterFailed
        | ErrorName::EtlFailed
        | ErrorName::AccessDenied
        | ErrorName::TableUnreadable
        | ErrorName::VersionGone
        | ErrorName::Internal => Answer::Fail,
    }
}

/// Where a failed task leads; `None` when it ends the execution, which a redrive then continues with this task.
fn failing(task: &str) -> Option<&'static str> {
    match task {
        "StartEmr" | "RunEtl" => Some("TerminateAfterFailure"),
        "TerminateAfterFailure" => Some("ReplanAfterFailure"),
        "TerminateEmr" => Some("QualityCheck"),
        // Process reads the part again, and fails with the error under its own name.
        "ReadPart" => Some("LeftToProcess"),
        _ => None,
    }
}

#[test]
fn every_error_name_leads_to_the_decided_state() {
    let tasks = tasks();
    for error in ErrorName::ALL {
        let wanted = answer(error);
        assert_eq!(wanted == Answer::Retry, error.is_retryable(), "{error}");
        for (name, task) in &tasks {
            let retried = rules(task, "Retry").iter().any(|(names, _)| names.contains(error.as_str()));
            assert_eq!(retried, wanted == Answer::Retry, "{name}: retry of {error}");
            let next = caught_by(task, error);
            match wanted {
                Answer::Replan(steps) if steps.contains(&name.as_str()) => {
                    assert_eq!(next, Some("Replan"), "{name}: {error}");
                }
                // What Spark staged wrongly has to be staged again.
                Answer::Fail if error == ErrorName::EtlFailed && name == "QualityCheck" => {
                    assert_eq!(next, Some("ReplanAfterFailure"), "{name}: {error}");
                }
                // A failure while a cluster may exist first ends the cluster; a cluster that cannot be ended does not fail the run.
                _ => assert_eq!(next, failing(name), "{name}: {error}"),
            }
        }
    }
}

fn decode<T: serde::de::DeserializeOwned>(text: &str) -> Result<(), String> {
    serde_json::from_str::<T>(text).map(drop).map_err(|error| error.to_string())
}

const FUNCTIONS: [&str; 8] =
    ["validate", "process", "quality-check", "publish", "notify", "start-emr", "run-etl", "terminate"];

/// An event by the function that its file is named after.
fn decode_event(name: &str, text: &str) -> Result<(), String> {
    let function = FUNCTIONS
        .into_iter()
        .find(|function| name.strip_prefix(function).is_some_and(|rest| rest.starts_with(['-', '.'])));
    match function {
        Some("validate") => decode::<sluice_validate::Input>(text),
        Some("process") => decode::<sluice_process::Input>(text),
        Some("quality-check") => decode::<sluice_quality_check::Input>(text),
        Some("publish") => decode::<sluice_publish::Input>(text),
        Some("notify") => decode::<sluice_notify::Input>(text),
        Some("start-emr") => decode::<sluice_start_emr::Input>(text),
        Some("run-etl") => decode::<sluice_run_etl::Input>(text),
        Some("terminate") => decode::<sluice_terminate::Input>(text),
        _ => Err("is not named after a function".to_owned()),
    }
}

#[test]
fn every_sample_event_decodes() {
    let mut functions = BTreeSet::new();
    let events = entries(&repository().join("events"));
    for path in events.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        // Requests of API Gateway, which have tests of their own.
        if ["submit-", "data-product-", "authorize"].iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        decode_event(name, &text).unwrap_or_else(|error| panic!("events/{name}: {error}"));
        functions.insert(name.split(['-', '.']).next().unwrap().to_owned());
        let mut wrong: Value = serde_json::from_str(&text).unwrap();
        wrong.as_object_mut().unwrap().insert("surprise".to_owned(), json!(1));
        if wrong.get("detail-type").is_some() {
            // EventBridge may add fields to its events at any time; clusters must be ended, and people notified, anyway.
            decode_event(name, &wrong.to_string()).unwrap_or_else(|error| panic!("events/{name}: {error}"));
            continue;
        }
        assert!(decode_event(name, &wrong.to_string()).is_err(), "events/{name} with an unknown field decodes");
    }
    assert_eq!(functions.len(), FUNCTIONS.len(), "{functions:?}");
}

fn substitutions() -> BTreeMap<String, String> {
    let names = ["Validate", "Process", "QualityCheck", "Publish", "Notify", "StartEmr", "RunEtl", "Terminate"];
    names.iter().map(|name| (format!("{name}FunctionArn"), name.to_lowercase())).collect()
}

/// Asserts that the definition with an additional field at this path is refused with the name of the field.
fn check_refused(path: &str, field: &str) {
    let mut definition = definition();
    let place = definition.pointer_mut(path).unwrap_or_else(|| panic!("nothing at {path}"));
    place.as_object_mut().unwrap().insert(field.to_owned(), json!("x"));
    let error = StateMachine::parse(&definition.to_string(), &substitutions()).expect_err(path).to_string();
    eprintln!("refused: {error}");
    assert!(error.contains(field), "{path}: {error}");
}

#[test]
fn the_interpreter_accepts_the_definition_and_refuses_unknown_fields_by_name() {
    StateMachine::parse(&definition().to_string(), &substitutions()).expect("the definition as it is");
    check_refused("", "QueryLanguage");
    check_refused("/States/Receive", "Assign");
    check_refused("/States/Process", "HeartbeatSeconds");
    check_refused("/States/Process/Parameters", "Qualifier");
    check_refused("/States/Process/Retry/0", "Jitter");
    check_refused("/States/Process/Catch/0", "Output");
    check_refused("/States/Read", "ItemReader");
    check_refused("/States/Read", "ToleratedFailureCount");
    check_refused("/States/Read/ItemProcessor", "QueryLanguage");
    check_refused("/States/Read/ItemProcessor/ProcessorConfig", "Concurrency");
    check_refused("/States/Read/ItemProcessor/States/ReadPart", "HeartbeatSeconds");
    check_refused("/States/Gate", "ResultPath");
    check_refused("/States/Published", "Next");
    check_refused("/States/PlanNotUnderstood", "Retries");
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    published_schema("pipeline.schema.json", &sluice_core::spec::json_schema().into());
    published_schema("policy.schema.json", &sluice_core::access::json_schema().into());
}

fn published_schema(name: &str, schema: &Value) {
    let path = repository().join("pipelines").join(name);
    if std::env::var_os("SLUICE_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, serde_json::to_string_pretty(schema).unwrap() + "\n").unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    let parsed: Value = serde_json::from_str(&published).unwrap_or_default();
    // The order of keys is irrelevant, and depends on which features are compiled in.
    assert!(
        parsed == *schema,
        "pipelines/{name} differs from the schema of the types: `SLUICE_UPDATE=1 cargo test -p sluice-tests --test it \
         the_published_schemas` writes it again"
    );
    assert_eq!(parsed["additionalProperties"], false, "the schema of {name} refuses unknown keys as the types do");
}
