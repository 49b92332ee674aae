//! Dialects of files as people export them: titles, legends, escapes, texts of `COPY`.

use super::written;

fn check(text: &str, expected: &str) {
    let csv = serde_json::to_value(written(text).csv.expect("CSV")).expect("JSON");
    let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
    let mut all = serde_json::json!({ "delimiter": ",", "quote": "\"" });
    for (key, value) in expected.as_object().expect("an object") {
        all[key] = value.clone();
    }
    assert_eq!(csv, all, "{text:?}");
}

#[test]
fn a_title_that_is_filled_up_with_delimiters_is_no_header() {
    check("Title of all,,\nid,name,v\n1,a,2\n2,b,3\n3,c,4\n", r#"{"skip_lines": 1}"#);
    check("Title,,\n,,\nid,name,v\n1,a,2\n2,b,3\n", r#"{"skip_lines": 2}"#);
    check("Title;\nid;v\n1;2\n2;3\n", r#"{"delimiter": ";", "skip_lines": 1}"#);
    check("Title,,\ncity,country,note\nBonn,DE,x\nUlm,DE,y\n", r#"{"skip_lines": 1}"#);
    // A header that lacks names, and records that lack values.
    check("id,,\n1,a,2\n2,b,3\n", "{}");
    check("city,\nBonn,a\nUlm,b\n", "{}");
    check("1,,\n2,a,b\n3,c,d\n", r#"{"header": "absent"}"#);
}

#[test]
fn lines_behind_a_blank_one_at_the_end_are_no_rows() {
    let days: String = (1..=5).map(|day| format!("2016010{day}:0010,{day},2{day}\n")).collect();
    check(
        &format!("{days}\na: irradiance\nPVGIS (c) EU, 2001-2021\n"),
        r#"{"header": "absent", "skip_last_lines": 2, "last_lines_begin": "a:"}"#,
    );
    check(
        &format!("time,p,t\r\n{}\r\na: irradiance\r\n", days.replace('\n', "\r\n")),
        r#"{"skip_last_lines": 1, "last_lines_begin": "a:"}"#,
    );
    // Of a long file, too.
    let many: String = (1..=3000).map(|id| format!("{id},x{id},y\n")).collect();
    check(&format!("id,x,y\n{many}\nSource: none\n"), r#"{"skip_last_lines": 1, "last_lines_begin": "Source:"}"#);
    // Short records may be lines of the table, which are not filled up.
    check("id,a,b\n1,2,3\n2,3,4\n\n7\n", "{}");
    // Records are as long as the others; a field in quotes has a blank line.
    check("id,a\n1,2\n2,3\n\n3,4\n", "{}");
    check("id,a\n1,x\n2,\"y\n\nz: z\"\n", "{}");
}

#[test]
fn a_backslash_before_quotes_is_an_escape_where_it_mends_records() {
    let escape = r#"{"escape": "\\"}"#;
    check("id,note\n1,\"say \\\"hi\\\", ok\"\n2,\"b\"\n", escape);
    let single = r#"{"quote": "'", "escape": "\\"}"#;
    check("id,note\n1,'it\\'s, ok'\n2,'b'\n3,'c'\n", single);
    check("id,note\n1,\"\\\"a\\\", b\"\n2,\"\\\"c\\\", \\\"d\\\", e\"\n", escape);
    check("id,note\n1,\"C:\\\"\n2,\"b\"\n", "{}");
    check("id,note\n1,\"a \"\"b\"\"\"\n", "{}");
}

#[test]
fn nulls_of_copy_outweigh_a_field_in_quotes() {
    let copy = r#"{"delimiter": "\t", "quote": "none", "escapes": "copy", "header": "absent"}"#;
    check("1\tabc\tline 1\\nline 2\t\\N\n2\txyz\tb\\tc\td\n3\ta\t\"quoted\"\te\n", copy);
    let quoted = r#"{"delimiter": "\t", "header": "absent"}"#;
    check("1\t\"a\"\t\\N\n2\t\"b\"\tx\n", quoted);
    check("1\t\"a\"\tx\n2\tb\ty\n", quoted);
}

#[test]
fn a_value_behind_the_last_delimiter_of_a_later_record_is_one_of_a_column() {
    let records = |last: &str| {
        let empty: String = (1..=1500).map(|id| format!("{id},a{id},\n")).collect();
        format!("{empty}1501,b,{last}\n")
    };
    check(&format!("id,name,\n{}", records("x")), "{}");
    check(&format!("id,name,\n{}", records("")), r#"{"trailing_delimiter": true}"#);
    // A header without the field says that it is no column.
    check(&format!("id,name\n{}", records("x")), r#"{"trailing_delimiter": true}"#);
}
