//! Comparison operators of Choice states.

use serde_json::{Value, json};

use super::super::choice::ChoiceRule;
use super::support::merged;

/// Whether a rule with this condition holds for `data`; the error is the missing path.
fn holds(condition: Value, data: &Value) -> Result<bool, String> {
    let rule = merged(condition, json!({ "Next": "Done" }));
    let rule = ChoiceRule::parse(rule.as_object().unwrap().clone()).unwrap();
    rule.holds(data, &json!({ "State": { "Name": "S" } })).map_err(|path| path.to_string())
}

fn check(operator: &str, operand: &Value, value: &Value, expected: bool) {
    let condition = json!({ "Variable": "$.v", operator: operand });
    assert_eq!(holds(condition, &json!({ "v": value })), Ok(expected), "{value} {operator} {operand}");
    if !operator.starts_with("Is") && operator != "StringMatches" {
        let by_path = json!({ "Variable": "$.v", format!("{operator}Path"): "$.w" });
        let data = json!({ "v": value, "w": operand });
        assert_eq!(holds(by_path, &data), Ok(expected), "{value} {operator}Path {operand}");
    }
}

#[test]
fn ordered_operators_compare_less_equal_and_greater() {
    let expectations = [
        ("Equals", [false, true, false]),
        ("LessThan", [true, false, false]),
        ("LessThanEquals", [true, true, false]),
        ("GreaterThan", [false, false, true]),
        ("GreaterThanEquals", [false, true, true]),
    ];
    let values = [
        ("String", json!("b"), [json!("B"), json!("b"), json!("ba")]),
        ("Numeric", json!(2), [json!(1.5), json!(2.0), json!(3)]),
        (
            "Numeric",
            json!(9_007_199_254_740_993_u64),
            [json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_994_u64)],
        ),
        (
            "Timestamp",
            json!("2026-11-20T08:00:00Z"),
            [json!("2026-11-20T08:59:59.9+01:00"), json!("2026-11-20T09:00:00+01:00"), json!("2026-11-20T08:00:00.1Z")],
        ),
    ];
    for (operator, expected) in expectations {
        for (kind, operand, candidates) in &values {
            for (value, expected) in candidates.iter().zip(expected) {
                check(&format!("{kind}{operator}"), operand, value, expected);
            }
        }
    }
}

#[test]
fn values_of_another_type_compare_as_false() {
    check("StringEquals", &json!("1"), &json!(1), false);
    check("NumericEquals", &json!(1), &json!("1"), false);
    check("NumericLessThan", &json!(1), &Value::Null, false);
    check("BooleanEquals", &json!(true), &json!("true"), false);
    check("TimestampLessThan", &json!("2026-11-20T08:00:00Z"), &json!("2026-11-19"), false);
    check("StringMatches", &json!("*"), &json!(1), false);
}

#[test]
fn type_presence_and_pattern_operators_answer_as_the_service_does() {
    let cases = [
        ("BooleanEquals", json!(true), json!(true), true),
        ("BooleanEquals", json!(false), json!(true), false),
        ("StringMatches", json!("log-*.txt"), json!("log-a\nb.txt"), true),
        ("StringMatches", json!("log-*.txt"), json!("log-.txtx"), false),
        ("StringMatches", json!("a.c"), json!("abc"), false),
        ("StringMatches", json!("a\\*\\\\*"), json!("a*\\tail"), true),
        ("StringMatches", json!("a\\*"), json!("ab"), false),
        ("IsNull", json!(true), Value::Null, true),
        ("IsNull", json!(false), json!(0), true),
        ("IsNumeric", json!(true), json!(1.5), true),
        ("IsNumeric", json!(true), json!("1.5"), false),
        ("IsString", json!(true), json!(""), true),
        ("IsBoolean", json!(true), json!(false), true),
        ("IsBoolean", json!(false), json!(false), false),
        ("IsTimestamp", json!(true), json!("2026-11-20T08:00:00Z"), true),
        ("IsTimestamp", json!(true), json!("2026-11-20t08:00:00z"), false),
        ("IsTimestamp", json!(true), json!("2026-11-20"), false),
        ("IsPresent", json!(true), Value::Null, true),
        ("IsPresent", json!(false), json!(1), false),
    ];
    for (operator, operand, value, expected) in cases {
        check(operator, &operand, &value, expected);
    }
}

#[test]
fn a_missing_variable_is_an_error_except_for_is_present() {
    let data = json!({ "v": 1 });
    assert_eq!(holds(json!({ "Variable": "$.none", "IsPresent": false }), &data), Ok(true));
    assert_eq!(holds(json!({ "Variable": "$.none", "IsNull": true }), &data), Err("$.none".to_owned()));
    assert_eq!(holds(json!({ "Variable": "$.v", "NumericEqualsPath": "$.gone" }), &data), Err("$.gone".to_owned()));
    assert_eq!(holds(json!({ "Variable": "$$.State.Name", "StringEquals": "S" }), &data), Ok(true));
}

#[test]
fn connectives_stop_at_the_first_answer() {
    let data = json!({ "v": 1 });
    let yes = json!({ "Variable": "$.v", "NumericEquals": 1 });
    let no = json!({ "Variable": "$.v", "NumericEquals": 2 });
    let error = json!({ "Variable": "$.none", "NumericEquals": 1 });
    let cases = [
        (json!({ "And": [yes, yes] }), Ok(true)),
        (json!({ "And": [yes, no] }), Ok(false)),
        (json!({ "And": [no, error] }), Ok(false)),
        (json!({ "And": [yes, error] }), Err("$.none".to_owned())),
        (json!({ "Or": [no, yes] }), Ok(true)),
        (json!({ "Or": [yes, error] }), Ok(true)),
        (json!({ "Or": [no, no] }), Ok(false)),
        (json!({ "Not": no }), Ok(true)),
        (json!({ "Not": { "Or": [{ "And": [yes, { "Not": no }] }, error] } }), Ok(false)),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition.clone(), &data), expected, "{condition}");
    }
}
