//! Columns, keys and the rules of declarations.

use super::super::{Column, ColumnType, RowCheck, Severity};
use super::*;

const ID: &str = "- {name: id, logicalType: string}";

#[test]
fn documents_that_are_not_contracts_are_refused() {
    let check = |yaml: &str, expected: &str| {
        let error = Contract::parse(yaml, "f.yaml").unwrap_err();
        let text =
            format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
        assert!(text.starts_with("f.yaml: ") && text.contains(expected), "{text}");
    };
    check("a: [", "not a YAML document");
    check("", "/: ");
    check("[]", "is not of type \"object\"");
    check("kind: DataContract\nkind: DataContract\n", "duplicate");
    check(&contract(ID, "").replace("v3.2.0", "v2.2.2"), "/apiVersion: 'v2.2.2' is not executed");
    check(&contract(ID, "").replace("id: c", "id: c\nextra: 1"), "'extra' was unexpected");
    check(&contract("- {name: id, colour: red}", ""), "/schema/0/properties/0: ");
    check(&contract("- {name: id, logicalType: string, logicalTypeOptions: {minimum: 1}}", ""), "'minimum'");
    check(&format!("{}\n---\n{}", contract(ID, ""), contract(ID, "")), "not a YAML document");
    let bomb = format!("{}x", "[".repeat(200));
    check(&bomb, "not a YAML document");
}

#[test]
fn tables_are_found_by_name_or_by_being_the_only_one() {
    let one = contract(ID, "");
    let two = format!("{one}  - name: u\n    properties:\n      {ID}\n");
    let check = |yaml: &str, name: Option<&str>, expected: Result<&str, &str>| {
        let found = Contract::parse(yaml, "f").unwrap().table(name);
        match (found, expected) {
            (Ok(table), Ok(expected)) => assert_eq!(table.name, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    };
    check(&one, None, Ok("t"));
    check(&two, Some("u"), Ok("u"));
    check(&two, None, Err("name one schema object of the contract; it has: t, u"));
    check(&one, Some("x"), Err("no schema object `x`; it has: t"));
    check("{apiVersion: v3.2.0, kind: DataContract, id: c, version: '1'}", None, Err("it has: none"));
}

#[test]
fn all_problems_are_reported_at_once_with_their_columns() {
    let error = refusal(
        "- {name: Amount, logicalType: number}\n- {name: a, logicalType: array}\n- {name: b, logicalType: string}\n\
         - {name: b, logicalType: string}",
        "- {metric: nullValues, mustBe: 0}",
    );
    let lines: Vec<&str> = error.lines().collect();
    let expected = [
        "contract `t` (t.odcs.yaml): column `Amount`: 'Amount' is no column name",
        "contract `t` (t.odcs.yaml): column `a`: logicalType array has no items",
        "contract `t` (t.odcs.yaml): column `b`: is declared twice",
        "contract `t` (t.odcs.yaml): quality rule 1: metric nullValues belongs to a column",
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn what_is_not_executed_is_refused_by_name() {
    let check = |properties: &str, expected: &str| {
        let error = refusal(properties, "");
        assert!(error.contains(expected), "{error}");
    };
    check("- {name: a, logicalType: string, physicalName: A}", "column `a`: physicalName `A`");
    check("- {name: a, logicalType: number, semanticType: measure}", "column `a`: semanticType measure");
    check("- {name: a, logicalType: string, relationships: [{to: u.id}]}", "column `a`: relationships");
    check(
        "- {name: a, logicalType: boolean, logicalTypeOptions: {format: x}}",
        "logicalTypeOptions.format is no option",
    );
    check("- {name: a, logicalType: number, logicalTypeOptions: {format: f32}}", "logicalTypeOptions.format \"f32\"");
    check("- {name: a, logicalType: string, logicalTypeOptions: {format: uri}}", "logicalTypeOptions.format uri");
    check("- {name: a, logicalType: string, logicalTypeOptions: {pattern: 'a(?=b)'}}", "lookahead");
    check(
        "- {name: a, logicalType: number, logicalTypeOptions: {multipleOf: 2}}",
        "multipleOf is not exact for DOUBLE",
    );
    check(
        "- {name: a, logicalType: integer, logicalTypeOptions: {multipleOf: 0.5}}",
        "multipleOf 0.5 is no step of BIGINT",
    );
    check("- {name: '${TABLE}', logicalType: string}", "/schema/0/properties/0/name: the variable ${TABLE}");
    check("- {name: a, logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 2}}", "minLength 3");
    check(
        "- {name: a, physicalType: VARCHAR(5), logicalType: string, logicalTypeOptions: {maxLength: 6}}",
        "contradicts",
    );
    check("- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 5, exclusiveMaximum: 5}}", "no value lies");
    check("- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 0.5}}", "logicalTypeOptions.minimum: 0.5");
    check("- {name: a, logicalType: date, logicalTypeOptions: {format: dd-MM-yy}}", "yy at position 7");
    check("- {name: a, logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Mars}}", "'Mars' is no IANA");
    check("- {name: a, logicalType: timestamp, logicalTypeOptions: {timezone: true}}", "timezone true needs a format");
    check("- {name: a, logicalType: string, enum: [{value: 1}]}", "enum: 1 is no text");
    check(
        "- {name: a, logicalType: timestamp, enum: [{value: '2020-01-01'}, {value: '2020-01-01 00:00'}]}",
        "enum: the value 2020-01-01T00:00:00Z is listed twice",
    );
    check("- {name: a, logicalType: integer, enum: [{value: null}]}", "enum: null is no number");
    check("- {name: a, logicalType: string, partitioned: true}", "every column is partitioned");
    check("- {name: a, logicalType: string, primaryKeyPosition: 1}", "primaryKey is not true");
}

#[test]
fn variables_in_documentation_do_no_harm() {
    assert!(compile("- {name: a, logicalType: string, description: 'from ${SOURCE}'}", "").is_ok());
}

#[test]
fn key_positions_order_the_key() {
    let key = |properties: &str| {
        compile(properties, "").map(|table| table.primary_key.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let a = |rest: &str| format!("- {{name: a, logicalType: string, primaryKey: true{rest}}}\n");
    let b = |rest: &str| format!("- {{name: b, logicalType: string, primaryKey: true{rest}}}\n");
    let positioned = a(", primaryKeyPosition: 2") + &b(", primaryKeyPosition: 1");
    assert_eq!(key(&positioned).unwrap(), ["b", "a"]);
    assert_eq!(key(&(a("") + &b(", primaryKeyPosition: -1"))).unwrap(), ["a", "b"]);
    for (properties, expected) in [
        (a(", primaryKeyPosition: 1") + &b(""), "on some primaryKey columns"),
        (a(", primaryKeyPosition: 1") + &b(", primaryKeyPosition: 1"), "used once"),
        (a(", primaryKeyPosition: 0"), "must be 1 or more"),
    ] {
        let error = key(&properties).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn declarations_make_rules_with_stable_ids() {
    let table = compile(
        "- {name: id, logicalType: integer, primaryKey: true}\n\
         - {name: code, physicalType: VARCHAR(9), unique: true, logicalType: string, logicalTypeOptions: {minLength: 2, pattern: '^\\d+$'}}\n\
         - {name: price, logicalType: number, physicalType: 'DECIMAL(8,2)', logicalTypeOptions: {exclusiveMinimum: 0, maximum: 99.5, multipleOf: 0.25}}\n\
         - {name: day, logicalType: date, required: true, logicalTypeOptions: {format: dd/MM/yyyy, minimum: '2020-01-01'}}\n\
         - {name: level, logicalType: integer, logicalTypeOptions: {format: u8}, enum: [{value: 1}, {value: 2}]}",
        "",
    )
    .unwrap();
    let rules: Vec<(String, RowCheck)> =
        table.row_rules.iter().map(|rule| (rule.id.clone(), rule.check.clone())).collect();
    let minimum = |bound: &str, exclusive| RowCheck::Minimum { bound: bound.to_owned(), exclusive };
    let maximum = |bound: &str, exclusive| RowCheck::Maximum { bound: bound.to_owned(), exclusive };
    let expected = [
        ("id.readable", RowCheck::Readable),
        ("id.required", RowCheck::Required),
        ("code.min_length", RowCheck::MinLength { characters: 2 }),
        ("code.max_length", RowCheck::MaxLength { characters: 9 }),
        ("code.pattern", RowCheck::Pattern { regex: "^[0-9]+$".to_owned() }),
        ("price.readable", RowCheck::Readable),
        ("price.multiple_of", RowCheck::MultipleOf { step: "0.25".parse().unwrap() }),
        ("price.exclusive_minimum", minimum("0.00", true)),
        ("price.maximum", maximum("99.50", false)),
        ("day.readable", RowCheck::Readable),
        ("day.required", RowCheck::Required),
        ("day.minimum", minimum("2020-01-01", false)),
        ("level.readable", RowCheck::Readable),
        ("level.format_minimum", minimum("0", false)),
        ("level.format_maximum", maximum("255", false)),
        ("level.enum", RowCheck::OneOf { values: vec!["1".to_owned(), "2".to_owned()] }),
    ];
    assert_eq!(rules, expected.map(|(id, check)| (id.to_owned(), check)));
    assert!(table.row_rules.iter().all(|rule| rule.severity == Severity::Error && rule.column.is_some()));
    let dataset: Vec<String> =
        table.dataset_rules.iter().map(|r| format!("{}: {} {}", r.id, r.metric, r.bound)).collect();
    assert_eq!(dataset, ["code.unique: duplicate values of code = 0", "primary_key: duplicate values of id = 0"]);
    assert_eq!(table.column("day").unwrap().format.strftime.as_deref(), Some("%d/%m/%Y"));
    assert_eq!(table.column("level").unwrap().column_type, ColumnType::Int32);
}

#[test]
fn columns_keep_what_readers_need() {
    let table = compile(
        "- {name: at, logicalType: timestamp, required: true, description: When, classification: secret, \
         logicalTypeOptions: {format: 'yyyy-MM-dd HH:mm', defaultTimezone: Europe/Berlin}}",
        "",
    )
    .unwrap();
    let [Column { name, column_type, format, required, description, classification }] = table.columns.as_slice() else {
        panic!("{:?}", table.columns)
    };
    assert_eq!((name.as_str(), column_type, *required), ("at", &ColumnType::Timestamp, true));
    assert_eq!(format.default_timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((description.as_deref(), classification.as_deref()), (Some("When"), Some("secret")));
}
