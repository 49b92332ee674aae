//! What the parser refuses, and that the message names the cause and its state.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::StateMachine;
use super::support::{merged, parse, refusal, task, with_state};

fn check_refused(definition: &Value, named: &[&str]) {
    let refusal = refusal(definition);
    for name in named {
        assert!(refusal.contains(name), "`{refusal}` does not name `{name}`");
    }
}

#[test]
fn unknown_fields_are_named_with_their_state() {
    let pass = json!({ "Type": "Pass", "Next": "Done" });
    let cases = [
        (merged(pass.clone(), json!({ "Comments": "" })), "Comments"),
        (merged(pass.clone(), json!({ "Assign": {} })), "Assign"),
        (merged(pass.clone(), json!({ "QueryLanguage": "JSONata" })), "QueryLanguage"),
        (merged(pass, json!({ "TimeoutSeconds": 1 })), "TimeoutSeconds"),
        (task(json!({ "HeartbeatSeconds": 1 })), "HeartbeatSeconds"),
        (task(json!({ "TimeoutSecondsPath": "$.t" })), "TimeoutSecondsPath"),
        (task(json!({ "Credentials": {} })), "Credentials"),
        (task(json!({ "Retry": [{ "ErrorEquals": ["E"], "MaxDelaySecond": 3 }] })), "MaxDelaySecond"),
        (task(json!({ "Catch": [{ "ErrorEquals": ["E"], "Next": "Done", "OutputPath": "$" }] })), "OutputPath"),
        (
            task(json!({ "Parameters": { "FunctionName": "f", "Payload": {}, "InvocationType": "Event" } })),
            "InvocationType",
        ),
        (json!({ "Type": "Choice", "Choices": [], "Next": "Done" }), "Next"),
        (json!({ "Type": "Wait", "Second": 1, "Next": "Done" }), "Second"),
        (json!({ "Type": "Succeed", "End": true }), "End"),
        (json!({ "Type": "Fail", "OutputPath": "$" }), "OutputPath"),
    ];
    for (state, field) in cases {
        check_refused(&with_state(state), &["state `S`", &format!("unknown field `{field}`")]);
    }
    let top = merged(with_state(json!({ "Type": "Pass", "Next": "Done" })), json!({ "TimeoutSecond": 3 }));
    check_refused(&top, &["top level", "unknown field `TimeoutSecond`"]);
}

#[test]
fn unsupported_things_are_named() {
    let choice = |rule: Value| json!({ "Type": "Choice", "Choices": [rule], "Default": "Done" });
    let pass = |parameters: Value| json!({ "Type": "Pass", "Parameters": parameters, "Next": "Done" });
    let cases = [
        (json!({ "Type": "Parallel", "Branches": [] }), "type `Parallel`"),
        (json!({ "Type": "Maps" }), "type `Maps`"),
        (json!({ "Next": "Done" }), "missing field `Type`"),
        (task(json!({ "Resource": "arn:aws:states:::sns:publish" })), "resource `arn:aws:states:::sns:publish`"),
        (task(json!({ "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken" })), "waitForTaskToken"),
        (pass(json!({ "id.$": "States.UUID()" })), "intrinsic `States.UUID`"),
        (pass(json!({ "x.$": "States.Format('{} {}', $.a)" })), "2 gaps for 1 values"),
        (pass(json!({ "x.$": "States.Format($.template, $.a)" })), "quoted text"),
        (pass(json!({ "x.$": "plain" })), "neither a path nor an intrinsic"),
        (pass(json!({ "x.$": 1 })), "`x.$`"),
        (pass(json!({ "x": 1, "x.$": "$.x" })), "the same field"),
        (pass(json!({ "deep": [{ "x": "$.a" }] })), "write the key as `x.$`"),
        (pass(json!({ "x.$": "$.rows[*]" })), "$.rows[*]"),
        (pass(json!({ "x.$": "$..id" })), "$..id"),
        (pass(json!({ "x.$": "$.rows[?(@.a)]" })), "$.rows[?(@.a)]"),
        (pass(json!({ "x.$": "$.a-b" })), "['name']"),
        (pass(json!({ "x.$": "$$.Task.Token" })), "$$.Task.Token"),
        (pass(json!({ "x.$": "$$.Map.Item.Value" })), "$$.Map.Item.Value"),
        (choice(json!({ "Variable": "$.a", "StringEqual": "x", "Next": "Done" })), "operator `StringEqual`"),
        (choice(json!({ "Variable": "$.a", "StringMatchesPath": "$.b", "Next": "Done" })), "`StringMatchesPath`"),
        (choice(json!({ "Variable": "$.a", "NumericEquals": "1", "Next": "Done" })), "`NumericEquals`"),
        (choice(json!({ "Variable": "$.a", "TimestampEquals": "2026-01-01", "Next": "Done" })), "RFC 3339"),
        (
            choice(json!({ "Variable": "$.a", "IsNull": true, "IsString": true, "Next": "Done" })),
            "exactly one operator",
        ),
        (choice(json!({ "StringEquals": "x", "Next": "Done" })), "missing field `Variable`"),
        (choice(json!({ "Variable": "$.a", "IsNull": true })), "missing field `Next`"),
        (choice(json!({ "Not": { "Variable": "$.a", "IsNull": true, "Next": "S" }, "Next": "Done" })), "inside `Not`"),
        (choice(json!({ "And": [], "Next": "Done" })), "`And`"),
    ];
    for (state, named) in cases {
        check_refused(&with_state(state), &["state `S`", named]);
    }
}

#[test]
fn values_out_of_range_are_named() {
    let retry = |rule: Value| task(json!({ "Retry": [merged(json!({ "ErrorEquals": ["E"] }), rule)] }));
    let catch = |errors: Value| task(json!({ "Catch": [{ "ErrorEquals": errors, "Next": "Done" }] }));
    let cases = [
        (retry(json!({ "IntervalSeconds": 0 })), "`IntervalSeconds` is 0"),
        (retry(json!({ "BackoffRate": 0.5 })), "`BackoffRate` is 0.5"),
        (retry(json!({ "IntervalSeconds": 5, "MaxDelaySeconds": 5 })), "`MaxDelaySeconds` is 5"),
        (retry(json!({ "JitterStrategy": "HALF" })), "HALF"),
        (retry(json!({ "MaxAttempts": null })), "null"),
        (catch(json!([])), "`ErrorEquals` is empty"),
        (catch(json!(["E", "States.ALL"])), "must be alone"),
        (catch(json!(["States.Runtime"])), "`States.Runtime`"),
        (catch(json!(["States.DataLimitExceeded"])), "`States.DataLimitExceeded`"),
        (catch(json!(["States.Timeuot"])), "`States.Timeuot`"),
        // Of a Map, which has no Catch here.
        (catch(json!(["States.ExceedToleratedFailureThreshold"])), "`States.ExceedToleratedFailureThreshold`"),
        (
            task(json!({ "Catch": [
                { "ErrorEquals": ["States.ALL"], "Next": "Done" }, { "ErrorEquals": ["E"], "Next": "Done" },
            ] })),
            "`Catch[0]`: `States.ALL` must be in the last rule",
        ),
        (task(json!({ "TimeoutSeconds": 0 })), "`TimeoutSeconds` is 0"),
        (task(json!({ "ResultPath": "$$.State.Name" })), "context object"),
        (task(json!({ "End": true })), "exactly one of `Next` and `End: true`"),
        (json!({ "Type": "Pass", "End": false }), "exactly one of `Next` and `End: true`"),
        (json!({ "Type": "Pass", "Next": null }), "null"),
        (json!({ "Type": "Pass", "Result": 1, "Parameters": {}, "Next": "Done" }), "exclude each other"),
        (json!({ "Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "Next": "Done" }), "exactly one of `Seconds`"),
        (json!({ "Type": "Wait", "Next": "Done" }), "exactly one of `Seconds`"),
        (json!({ "Type": "Fail", "Cause": "a", "CausePath": "$.b" }), "`Cause` and `CausePath`"),
    ];
    for (state, named) in cases {
        check_refused(&with_state(state), &["state `S`", named]);
    }
}

#[test]
fn broken_graphs_are_refused() {
    let done = json!({ "Type": "Succeed" });
    let to = |next: &str| json!({ "Type": "Pass", "Next": next });
    let cases = [
        (json!({ "StartAt": "X", "States": { "A": done } }), vec!["`StartAt`", "`X`"]),
        (json!({ "StartAt": "A", "States": { "A": to("B") } }), vec!["state `A`", "`B`"]),
        (json!({ "StartAt": "A", "States": { "A": done, "B": done } }), vec!["`B` cannot be reached"]),
        (json!({ "StartAt": "A", "States": { "A": to("B"), "B": to("A") } }), vec!["no terminal state"]),
        (json!({ "StartAt": "A", "Version": "2.0", "States": { "A": done } }), vec!["`Version`"]),
        (json!({ "StartAt": "A", "TimeoutSeconds": 0, "States": { "A": done } }), vec!["`TimeoutSeconds`"]),
        (json!({ "States": { "A": done } }), vec!["missing field `StartAt`"]),
    ];
    for (definition, named) in cases {
        check_refused(&definition, &named);
    }
    let trap = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Choice", "Choices": [{ "Variable": "$.x", "IsPresent": true, "Next": "B" }], "Default": "C" },
        "B": to("B"), "C": done,
    } });
    check_refused(&trap, &["state `B` leads to no terminal state"]);
    let dangling_rule = with_state(json!({ "Type": "Choice",
        "Choices": [{ "Variable": "$.x", "IsPresent": true, "Next": "Gone" }], "Default": "Done" }));
    check_refused(&dangling_rule, &["state `S`", "`Gone`"]);
    let dangling_catch = with_state(task(json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Gone" }] })));
    check_refused(&dangling_catch, &["state `S`", "`Gone`"]);
}

#[test]
fn duplicate_keys_and_other_json_are_refused() {
    let cases = [
        (r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Fail"}}}"#, "key `A` is written twice"),
        (r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":${Wait},"Next":"A"}}}"#, "not plain JSON"),
        (r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}} trailing"#, "not plain JSON"),
    ];
    for (text, named) in cases {
        let refusal = StateMachine::parse(text, &BTreeMap::new()).unwrap_err().to_string();
        assert!(refusal.contains(named), "`{refusal}` does not name `{named}`");
    }
}

#[test]
fn placeholders_fit_the_substitutions_exactly() {
    let with_function =
        |name: &str| with_state(task(json!({ "Parameters": { "FunctionName": name, "Payload": {} } }))).to_string();
    let given = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "a\"b".to_owned())).collect();
    let refusal = |text: &str, names: &[&str]| StateMachine::parse(text, &given(names)).unwrap_err().to_string();

    let machine = StateMachine::parse(&with_function("${Work}-${Work}"), &given(&["Work"])).unwrap();
    assert_eq!(machine.functions(), ["a\"b-a\"b"]);
    assert!(refusal(&with_function("${Work}"), &[]).contains("`${Work}` has no substitution"));
    assert!(refusal(&with_function("work"), &["Work"]).contains("`Work` is used by no placeholder"));
    assert!(refusal(&with_function("${Work"), &["Work"]).contains("not a placeholder"));
    assert!(refusal(&with_function("${Wo rk}"), &["Work"]).contains("not a placeholder"));
    let in_key = with_state(json!({ "Type": "Pass", "Result": { "${Work}": 1 }, "Next": "Done" })).to_string();
    assert!(refusal(&in_key, &["Work"]).contains("key `${Work}`"));
}

#[test]
fn names_of_states_and_functions_are_listed() {
    let machine = parse(&with_state(task(json!({}))));
    assert_eq!(machine.state_names(), ["Done", "S"]);
    assert_eq!(machine.functions(), ["work"]);
    let long = "x".repeat(81);
    let definition = json!({ "StartAt": long, "States": { long: { "Type": "Succeed" } } });
    check_refused(&definition, &["1 to 80 characters"]);
}
