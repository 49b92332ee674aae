use proptest::prelude::*;
use sluice_core::contract::{ObjectField, PartFormat};

use super::super::cast::testing::{column, reading};
use super::super::shown::json_texts;
use super::*;

fn field(name: &str, column_type: ColumnType) -> ObjectField {
    ObjectField { name: name.to_owned(), column_type }
}

fn list(items: ColumnType) -> ColumnType {
    ColumnType::Array(Box::new(items))
}

/// A list of objects with a list inside.
fn lines() -> ColumnType {
    list(ColumnType::Object(vec![
        field("n", ColumnType::Int64),
        field("text", ColumnType::Text),
        field("price", ColumnType::Decimal { precision: 9, scale: 2 }),
        field("flags", list(ColumnType::Boolean)),
    ]))
}

/// What these texts are read as, as JSON, and what is wrong with them.
fn read(column: &Column, null_words: &[&str], texts: &[Option<&str>]) -> Vec<(Option<String>, Option<String>)> {
    read_from((column, false), null_words, texts)
}

/// The same, of a column of XML or not.
fn read_from(
    (column, is_of_elements): (&Column, bool),
    null_words: &[&str],
    texts: &[Option<&str>],
) -> Vec<(Option<String>, Option<String>)> {
    let spec = format!(r#"{{"from":"x","null_words":{}}}"#, serde_json::json!(null_words));
    let reading = if null_words.is_empty() { Reading::default() } else { reading(column, &spec) };
    let root = Part::of(&column.column_type, String::new(), (column, is_of_elements), &reading).expect("a reading");
    let null_words = reading.null_words().to_vec();
    let inside = InsideColumn { name: "v".to_owned(), texts: "t".to_owned(), misfits: None, null_words, root };
    let rows = DataFrame::new(texts.len(), vec![Series::new("t".into(), texts).into_column()]).expect("rows");
    let (values, faults) = inside.read(&rows).expect("values");
    assert_eq!(*values.dtype(), super::super::types::polars_type(&column.column_type));
    let shown = json_texts(&values).expect("texts");
    let shown = shown.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>();
    let faults = faults.into_iter().map(|fault| fault.map(|fault| fault.replace(BEHIND_FAULT, " ")));
    shown.into_iter().zip(faults).collect()
}

#[test]
fn values_are_read_and_nulls_and_empty_lists_are_different() {
    let column = column(lines());
    let check = |text: Option<&str>, expected: Option<&str>| {
        assert_eq!(read(&column, &[], &[text]), [(expected.map(str::to_owned), None)], "{text:?}");
    };
    check(None, None);
    check(Some(" "), None);
    check(Some("null"), None);
    check(Some("[]"), Some("[]"));
    check(Some("[null]"), Some("[null]"));
    let nulls = r#"[{"n":null,"text":null,"price":null,"flags":null}]"#;
    check(Some("[{}]"), Some(nulls));
    check(Some(r#"[{"unknown":[1,{}],"n":null}]"#), Some(nulls));
    check(
        Some(r#"[{"n": "7", "text": 1.50, "price": 2, "flags": []}, {"flags": [true, null, "FALSE"]}]"#),
        Some(concat!(
            r#"[{"n":7,"text":"1.50","price":"2.00","flags":[]},"#,
            r#"{"n":null,"text":null,"price":null,"flags":[true,null,false]}]"#
        )),
    );
}

#[test]
fn a_fault_names_the_place_and_the_text_found_there() {
    let mut column = column(lines());
    let required = PartFormat { required: true, ..PartFormat::default() };
    column.format.parts.extend([("[].n".to_owned(), required.clone()), ("[].flags[]".to_owned(), required)]);
    let check = |text: &str, expected: &str| {
        let found = read(&column, &[], &[Some(text), Some("[]")]);
        let [(_, fault), (Some(after), None)] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!((fault.as_deref(), after.as_str()), (Some(expected), "[]"), "{text}");
    };
    check("[", ".readable [");
    check("x", ".readable x");
    check(r#"{"n":1}"#, r#".readable {"n":1}"#);
    check("[1]", "[].readable 1");
    check(r#"[{"n":"x"}]"#, "[].n.readable x");
    check(r#"[{"n":1,"n":2}]"#, r#"[].readable {"n":1,"n":2}"#);
    check(r#"[{"n":[1]}]"#, "[].n.readable [1]");
    check(r#"[{"n":1,"text":{}}]"#, "[].text.readable {}");
    check(r#"[{"n":1,"price":1.999}]"#, "[].price.readable 1.999");
    check(r#"[{"n":1,"flags":true}]"#, "[].flags.readable true");
    check(r#"[{"n":1,"flags":[1]}]"#, "[].flags[].readable 1");
    check(r#"[{"n":1,"flags":[null]}]"#, "[].flags[].required ");
    check(r#"[{"text":"no n"}]"#, "[].n.required ");
    check(r#"[{"n":" "}]"#, "[].n.required ");
}

#[test]
fn an_element_of_xml_in_the_place_of_a_list_is_a_list_of_one() {
    let texts = column(list(ColumnType::Text));
    let check = |column: &Column, text: &str, expected: Option<&str>| {
        let found = read_from((column, true), &[], &[Some(text)]);
        assert_eq!(found, [(expected.map(str::to_owned), None)], "{text}");
    };
    check(&texts, "say \"x\"", Some(r#"["say \"x\""]"#));
    check(&texts, r#"["a","b"]"#, Some(r#"["a","b"]"#));
    check(&texts, "", None);
    let lines = column(lines());
    let one = r#"[{"n":7,"text":null,"price":null,"flags":[true]}]"#;
    check(&lines, r#" {"n":"7","flags":"true"} "#, Some(one));
    let fault = |text: &str| read_from((&lines, true), &[], &[Some(text)])[0].1.clone();
    assert_eq!(fault("x").as_deref(), Some("[].readable \"x\""));
    assert_eq!(read(&texts, &[], &[Some("x")])[0].1.as_deref(), Some(".readable x"), "of JSON");
}

#[test]
fn null_words_count_for_cells_and_for_values_inside() {
    let column = column(list(ColumnType::Int64));
    let found = read(&column, &["NA"], &[Some("NA"), Some(r#"["NA",1]"#)]);
    assert_eq!(found, [(None, None), (Some("[null,1]".to_owned()), None)]);
}

fn nullable(value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![1 => Just("null".to_owned()), 4 => value].boxed()
}

fn json_list(items: BoxedStrategy<String>) -> BoxedStrategy<String> {
    nullable(proptest::collection::vec(items, 0..4).prop_map(|items| format!("[{}]", items.join(","))))
}

/// JSON texts of [`lines`], as they are printed.
fn line_texts() -> BoxedStrategy<String> {
    let number = nullable(any::<i64>().prop_map(|number| number.to_string()));
    let text = nullable(any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()));
    let price = nullable((0..9_999_999_u32, 0..100_u32).prop_map(|(whole, part)| format!("\"{whole}.{part:02}\"")));
    let flags = json_list(nullable(any::<bool>().prop_map(|flag| flag.to_string())));
    let object = (number, text, price, flags).prop_map(|(number, text, price, flags)| {
        format!("{{\"n\":{number},\"text\":{text},\"price\":{price},\"flags\":{flags}}}")
    });
    json_list(nullable(object))
}

proptest! {
    #[test]
    fn printed_values_are_read_back_equal(texts in proptest::collection::vec(line_texts(), 0..6)) {
        let given: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        let expected: Vec<(Option<String>, Option<String>)> =
            texts.iter().map(|text| (Some(text.clone()).filter(|text| text != "null"), None)).collect();
        prop_assert_eq!(read(&column(lines()), &[], &given), expected);
    }
}
