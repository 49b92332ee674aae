//! What the parser refuses about Map states, and that the message names the cause and its state.

use serde_json::{Value, json};

use super::maps::{map, processor, working};
use super::support::{parse, refusal, task, with_state};

fn check_refused(state: Value, named: &[&str]) {
    let refusal = refusal(&with_state(state));
    for name in named {
        assert!(refusal.contains(name), "`{refusal}` does not name `{name}`");
    }
}

#[test]
fn fields_that_are_not_supported_are_named() {
    let fields = [
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "Iterator",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "Parameters",
        "Items",
        "Assign",
        "TimeoutSeconds",
        "Retry",
        "Catch",
    ];
    for field in fields {
        check_refused(map(json!({ field: 1 })), &["state `S`", &format!("unknown field `{field}`")]);
    }
    let with = |field: &str, value: Value| {
        let mut processor = working(json!({}));
        processor[field] = value;
        map(json!({ "ItemProcessor": processor }))
    };
    check_refused(with("Comment", json!("")), &["state `S`", "unknown field `Comment`"]);
    check_refused(with("TimeoutSeconds", json!(1)), &["state `S`", "unknown field `TimeoutSeconds`"]);
    let config = |config: Value| with("ProcessorConfig", config);
    check_refused(config(json!({ "Mode": "DISTRIBUTED" })), &["missing field `ExecutionType`"]);
    check_refused(config(json!({ "ExecutionType": "STANDARD" })), &["missing field `Mode`"]);
    check_refused(config(json!({ "Mode": "INLINE", "ExecutionType": "STANDARD" })), &["`INLINE`", "`DISTRIBUTED`"]);
    check_refused(config(json!({ "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" })), &["`EXPRESS`", "`STANDARD`"]);
    check_refused(json!({ "Type": "Map", "Next": "Done" }), &["missing field `ItemProcessor`"]);
}

#[test]
fn values_that_no_map_can_have_are_named() {
    let cases = [
        (json!({ "MaxConcurrency": 1, "MaxConcurrencyPath": "$.n" }), "exclude each other"),
        (json!({ "MaxConcurrency": 10_001 }), "`MaxConcurrency` is 10001"),
        (json!({ "MaxConcurrency": -1 }), "-1"),
        (json!({ "ItemsPath": "$.items[*]" }), "`ItemsPath`"),
        (json!({ "ItemsPath": null }), "null"),
        (json!({ "ItemSelector": 1 }), "`ItemSelector` must be an object"),
        (json!({ "ItemSelector": { "x": "$.x" } }), "write the key as `x.$`"),
        (json!({ "Label": "" }), "`Label`"),
        (json!({ "Label": "two words" }), "`two words`"),
        (json!({ "Label": "l".repeat(41) }), "1 to 40"),
        (json!({ "End": true }), "exactly one of `Next` and `End: true`"),
        // Only ItemSelector knows the item.
        (json!({ "ResultSelector": { "x.$": "$$.Map.Item.Index" } }), "$$.Map.Item.Index"),
        (json!({ "ItemsPath": "$$.Map.Item.Value" }), "`ItemsPath`"),
        (json!({ "ItemSelector": { "x.$": "$$.Map.Item" } }), "has only"),
    ];
    for (more, named) in cases {
        check_refused(map(more), &["state `S`", named]);
    }
}

#[test]
fn the_states_of_a_processor_are_checked_as_those_of_a_machine() {
    let check = |start_at: &str, states: Value, named: &[&str]| {
        let state = map(json!({ "ItemProcessor": processor(start_at, &states) }));
        check_refused(state, &[named, &["state `S`", "`ItemProcessor`"]].concat());
    };
    let done = json!({ "Type": "Succeed" });
    let to = |next: &str| json!({ "Type": "Pass", "Next": next });
    check("A", json!({ "A": { "Type": "Parallel" } }), &["state `A`", "type `Parallel`"]);
    check("A", json!({ "A": { "Type": "Succeed", "End": true } }), &["state `A`", "unknown field `End`"]);
    check("X", json!({ "A": done }), &["`StartAt`", "`X`"]);
    check("A", json!({ "A": to("B") }), &["state `A`", "`B`"]);
    // A state of the machine is not one of the processor.
    check("A", json!({ "A": to("Done") }), &["state `A`", "`Done`, which does not exist"]);
    check("A", json!({ "A": done, "B": done }), &["`B` cannot be reached"]);
    check("A", json!({ "A": to("B"), "B": to("A") }), &["no terminal state"]);
    let within = processor("B", &json!({ "B": done }));
    check("A", json!({ "A": { "Type": "Map", "ItemProcessor": within, "End": true } }), &["state `A`", "is a Map"]);
    let item = json!({ "Type": "Pass", "Parameters": { "x.$": "$$.Map.Item.Value" }, "End": true });
    check("A", json!({ "A": item }), &["state `A`", "$$.Map.Item.Value"]);
}

#[test]
fn a_name_is_that_of_one_state_in_the_whole_definition() {
    let succeed = json!({ "Type": "Succeed" });
    for name in ["S", "Done"] {
        let state = map(json!({ "ItemProcessor": processor(name, &json!({ name: succeed })) }));
        let refusal = refusal(&with_state(state));
        assert!(refusal.contains(&format!("two states are called `{name}`")), "{refusal}");
    }
    let mut two = with_state(map(json!({ "Next": "T" })));
    two["States"]["T"] = map(json!({}));
    assert!(refusal(&two).contains("two states are called `Work`"), "{}", refusal(&two));
}

#[test]
fn an_outer_state_cannot_go_into_a_processor() {
    let refusal = refusal(&with_state(map(json!({ "Next": "Worked" }))));
    assert!(refusal.contains("state `S` names state `Worked`, which does not exist"), "{refusal}");
}

#[test]
fn what_a_processor_has_is_listed() {
    let check = |task: Value, functions: &[&str]| {
        let states = json!({ "Work": task, "Worked": { "Type": "Succeed" } });
        let machine = parse(&with_state(map(json!({ "ItemProcessor": processor("Work", &states) }))));
        assert_eq!(machine.state_names(), ["Done", "S", "Work", "Worked"]);
        assert_eq!(machine.functions(), functions);
    };
    check(task(json!({ "Next": "Worked" })), &["work"]);
    check(json!({ "Type": "Pass", "Next": "Worked" }), &[]);
}
