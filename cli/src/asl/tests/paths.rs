//! Reference paths, payload templates and intrinsic functions.

use serde_json::{Value, json};

use super::super::path::ReferencePath;
use super::super::template::Template;

fn data() -> Value {
    json!({ "a": { "b": { "c": [10, { "d": null }] } }, "x y": "spaced", "it's": 7, "größe": 3, "t": true })
}

#[test]
fn a_path_finds_one_node() {
    let data = data();
    let cases = [
        ("$", Some(data.clone())),
        ("$.a.b['c'][0]", Some(json!(10))),
        ("$.a.b.c[1].d", Some(Value::Null)),
        ("$['x y']", Some(json!("spaced"))),
        ("$['it\\'s']", Some(json!(7))),
        ("$[\"a\"][\"b\"].c[0]", Some(json!(10))),
        ("$.größe", Some(json!(3))),
        ("$.a.b.c[2]", None),
        ("$.a.b.c.d", None),
        ("$.a[0]", None),
        ("$.missing", None),
        ("$$.Execution.Name", Some(json!("run-1"))),
        ("$$.Execution.Input.deep[0]", Some(json!("in"))),
    ];
    let context = json!({ "Execution": { "Name": "run-1", "Input": { "deep": ["in"] } } });
    for (text, expected) in cases {
        let path: ReferencePath = text.parse().unwrap();
        assert_eq!(path.find(&data, &context), expected.as_ref(), "{text}");
        assert_eq!(path.to_string(), text);
    }
}

#[test]
fn text_that_names_no_single_node_is_refused() {
    let texts = [
        "",
        "a",
        "$a",
        "$.",
        "$.a.",
        "$..a",
        "$.*",
        "$.a[*]",
        "$[0:2]",
        "$[0,1]",
        "$[-1]",
        "$[",
        "$['a",
        "$['a'",
        "$[a]",
        "$.a b",
        "$.a-b",
        "$.a?",
        "$[99999999999999999999]",
        "$$",
        "$$.",
        "$$.Execution",
        "$$.Execution.RoleArn",
        "$$.Map.Item",
    ];
    for text in texts {
        let error = text.parse::<ReferencePath>().expect_err(text);
        assert_eq!(error.path, text);
    }
}

#[test]
fn placing_creates_objects_but_never_replaces_other_nodes() {
    let cases = [
        ("$", json!({ "a": 1 }), Some(json!("new"))),
        ("$", json!(3), Some(json!("new"))),
        ("$.b", json!({ "a": 1 }), Some(json!({ "a": 1, "b": "new" }))),
        ("$.a", json!({ "a": { "deep": 1 } }), Some(json!({ "a": "new" }))),
        ("$.b.c.d", json!({ "a": 1 }), Some(json!({ "a": 1, "b": { "c": { "d": "new" } } }))),
        ("$.l[1]", json!({ "l": [1, 2] }), Some(json!({ "l": [1, "new"] }))),
        ("$.l[2]", json!({ "l": [1, 2] }), None),
        ("$.a.b", json!({ "a": 1 }), None),
        ("$.a.b", json!({ "a": null }), None),
        ("$.a", json!([1]), None),
        ("$.a", json!("text"), None),
    ];
    for (path, base, expected) in cases {
        let path: ReferencePath = path.parse().unwrap();
        assert_eq!(path.place(base.clone(), json!("new")), expected, "{path} in {base}");
    }
}

fn check_fill(template: &Value, expected: Result<Value, &str>) {
    let context = json!({ "Execution": { "Name": "run-1" } });
    let filled = Template::parse(template).unwrap().fill(&data(), &context);
    let filled = filled.map_err(|missing| format!("{} {}", missing.field, missing.path));
    assert_eq!(filled, expected.map_err(str::to_owned), "{template}");
}

#[test]
fn templates_take_values_from_paths() {
    check_fill(&json!({}), Ok(json!({})));
    check_fill(&json!({ "k": [1, "two", null] }), Ok(json!({ "k": [1, "two", null] })));
    check_fill(&json!({ "k.$": "$.a.b.c[0]", "l": { "m.$": "$.t" } }), Ok(json!({ "k": 10, "l": { "m": true } })));
    check_fill(&json!([{ "k.$": "$$.Execution.Name" }]), Ok(json!([{ "k": "run-1" }])));
    check_fill(&json!({ "k": { "m.$": "$.none" } }), Err("m $.none"));
    check_fill(&json!({ "price": "$5", "$": 1 }), Ok(json!({ "price": "$5", "$": 1 })));
}

#[test]
fn intrinsic_functions_give_text() {
    let cases = [
        ("States.Format('plain')", "plain"),
        ("States.Format('{}-{}', $.t, $['x y'])", "true-spaced"),
        ("States.Format( '{}, {}' , 'it\\'s', 1.5 )", "it's, 1.5"),
        ("States.Format('\\{\\} {} \\\\', null)", "{} null \\"),
        ("States.Format('{}', $['it\\'s'])", "7"),
        ("States.Format('{}', $.a)", "{b={c=[10, {d=null}]}}"),
        ("States.JsonToString($.a)", r#"{"b":{"c":[10,{"d":null}]}}"#),
        ("States.JsonToString('x')", r#""x""#),
        ("States.Format('plan {}', States.JsonToString($.a.b.c[1]))", r#"plan {"d":null}"#),
        ("States.Format('{}', '{}')", "{}"),
        ("States.Format('{}', 'a, b) c')", "a, b) c"),
    ];
    for (call, expected) in cases {
        check_fill(&json!({ "k.$": call }), Ok(json!({ "k": expected })));
    }
    check_fill(&json!({ "k.$": "States.Format('{}', $.none)" }), Err("k $.none"));
}

#[test]
fn malformed_intrinsic_calls_are_refused() {
    let calls = [
        "States.Format",
        "States.Format(",
        "States.Format()",
        "States.Format('a'",
        "States.Format('a)",
        "States.Format('a') b",
        "States.Format('a' 'b')",
        "States.Format('{')",
        "States.Format('{} {}', 1)",
        "States.Format('a', 1)",
        "States.Format(1)",
        "States.Format('{}', word)",
        "States.Format('\\n')",
        "States.JsonToString()",
        "States.JsonToString(1, 2)",
        "States.MathAdd(1, 2)",
        "States.Format('{}', $.a[*])",
    ];
    for call in calls {
        Template::parse(&json!({ "k.$": call })).expect_err(call);
    }
}
