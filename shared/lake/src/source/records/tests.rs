use std::io::{self, Cursor, Read};

use sluice_core::spec::SourceFormat;

use crate::source::SourceError;
use crate::source::error::Place;
use crate::source::testing::{Bounded, ReadTest, Row, SMALL, WHOLE, corrupt, good, table};

/// A stream that gives so many bytes at a time.
struct Drip {
    bytes: Cursor<Vec<u8>>,
    at_once: usize,
}

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.at_once);
        self.bytes.read(&mut buffer[..wanted])
    }
}

fn read(format: SourceFormat, path: &str, text: &str) -> ReadTest {
    ReadTest::new(format, text.as_bytes()).records(path)
}

/// The rows of a document, as JSON and as a line of NDJSON, whatever the stream gives at a time.
fn check(path: &str, document: &str, expected: &[Row]) {
    for format in [SourceFormat::Json, SourceFormat::Ndjson] {
        for at_once in [1, 2, 3, 7, document.len()] {
            let drip = Drip { bytes: Cursor::new(document.as_bytes().to_vec()), at_once };
            let test = read(format, path, document);
            let (frames, summary) = test.read_from(Box::new(drip), WHOLE).expect(document);
            let found = table(&frames, summary);
            assert_eq!(found.rows, expected, "{format:?} {path} {document} by {at_once}");
        }
    }
}

fn two() -> [Row; 2] {
    [good(1, &[Some("1")]), good(2, &[Some("2")])]
}

#[test]
fn every_element_of_the_list_is_a_record() {
    check("$.Records[*]", r#"{"next":null,"Records":[{"a":1},{"a":2}],"of":{"Records":[{"a":9}]}}"#, &two());
    check("$.data.items[*]", r#"{"items":[{"a":9}],"data":{"n":[[]],"items":[{"a":1},{"a":2}]}}"#, &two());
    check("$[*]", r#"[{"a":1},{"a":2}]"#, &two());
    check("$.pages[1].items[*]", r#"{"pages":[{"items":[{"a":9}]},{"items":[{"a":1},{"a":2}]},7]}"#, &two());
    check("$['a b']['x.y'][*]", r#"{"a b":{"x.y":[{"a":1},{"a":2}]},"a":{"b":[]}}"#, &two());
    check("$.Records[*]", r#"{"\u0052ecords" : [ {"a":1} , {"a":2} ] }"#, &two());
}

#[test]
fn lists_within_lists_give_their_elements_one_after_the_other() {
    let document = r#"{"orders":[{"items":[{"a":1}]},{"id":2},{"items":null},{"items":[]},{"items":[{"a":2}]}]}"#;
    check("$.orders[*].items[*]", document, &two());
    let document = r#"{"orders":[null,{"items":[{"a":1}]},{"id":2},null,{"items":[{"a":2}]}]}"#;
    check("$.orders[*].items[*]", document, &two());
    check("$[*][*]", r#"[[{"a":1}],[],null,[{"a":2}]]"#, &two());
    check("$[*].R[*]", r#"[{"R":[{"a":1}]},{"R":[{"a":2}]}]"#, &two());
}

#[test]
fn brackets_and_quotes_in_texts_end_nothing() {
    let document = r#"{"x":"]}\"[{","data":[{"a":"]}\"[","b":{"c":"\\"}},{"a":"\\\""}],"y":"}"}"#;
    let expected = [good(1, &[Some("]}\"["), Some(r#"{"c":"\\"}"#)]), good(2, &[Some("\\\""), None])];
    check("$.data[*]", document, &expected);
}

#[test]
fn lists_without_elements_have_no_records() {
    for (path, document) in [
        ("$.Records[*]", r#"{"Records":[]}"#),
        ("$.Records[*]", r#"{"next":1,"Records":null}"#),
        ("$.data.items[*]", r#"{"data":null}"#),
        ("$.orders[*].items[*]", r#"{"orders":[]}"#),
        ("$.orders[*].items[*]", r#"{"orders":[{"items":[]},{"id":1}]}"#),
        ("$.orders[*].items[*]", r#"{"orders":[{"items":null},{"id":1}]}"#),
        ("$.orders[*].items[*]", r#"{"orders":[null]}"#),
        ("$[*].items[*]", "[null]"),
        ("$[*]", "[]"),
    ] {
        check(path, document, &[]);
    }
}

#[test]
fn elements_that_are_no_rows_are_set_aside() {
    let document = r#"{"R":[{"a":1},5,{"b":1,"b":2},[{"a":3}],null,{"a":2}]}"#;
    let expected = [
        good(1, &[Some("1")]),
        corrupt(2, 1, "5"),
        corrupt(3, 1, r#"{"b":1,"b":2}"#),
        corrupt(4, 1, r#"[{"a":3}]"#),
        corrupt(5, 1, "null"),
        good(6, &[Some("2")]),
    ];
    check("$.R[*]", document, &expected);
}

#[test]
fn a_path_that_leads_nowhere_is_named_with_the_keys_of_the_document() {
    let check = |path: &str, document: &str, says: &str| {
        let error = read(SourceFormat::Json, path, document).error();
        let expected = format!("object 'data' document 1: {says}; correct source.records, or the file");
        assert_eq!(error.to_string(), expected, "{path} {document}");
        assert!(error.is_refusal());
        let found = read(SourceFormat::Ndjson, path, document).table();
        assert_eq!(found.rows, [corrupt(1, 0, document)], "{path}");
        assert_eq!(found.reasons, [format!("line 1 (record 1) has no records at source.records: {says}")]);
    };
    check("$.Records[*]", r#"{"data":[{"a":1}],"next":1}"#, "`$.Records` is missing: `$` has data, next");
    check("$.data.items[*]", r#"{"data":{"value":[]}}"#, "`$.data.items` is missing: `$.data` has value");
    check("$.Records[*]", "{}", "`$.Records` is missing: `$` has no key");
    let typo = r#"{"orders":[{"items":[{"a":1}]}]}"#;
    check("$.orders[*].itmes[*]", typo, "`$.orders[*].itmes` is missing: `$.orders[*]` has items");
    // What is null or empty on the way hides no wrong path.
    for document in [r#"{"orders":[null,{"items":[{"a":1}]}]}"#, r#"{"orders":[{"items":[{"a":1}]},null]}"#] {
        check("$.orders[*].itmes[*]", document, "`$.orders[*].itmes` is missing: `$.orders[*]` has items");
    }
    for before in ["[]", "null", "[null]"] {
        let document = format!(r#"{{"days":[{{"orders":{before}}},{{"orders":[{{"items":[{{"a":1}}]}}]}}]}}"#);
        let says = "`$.days[*].orders[*].itmes` is missing: `$.days[*].orders[*]` has items";
        check("$.days[*].orders[*].itmes[*]", &document, says);
    }
    let page = r#"{"pages":[{"items":[]}]}"#;
    check("$.pages[1].items[*]", page, "`$.pages[1]` is missing: `$.pages` has 1 element");
    let list = "and the path needs a list there";
    check("$.R[*]", r#"{"R":{"a":1}}"#, &format!("`$.R` is an object, {list}"));
    check("$.R[*]", r#"{"R":"none"}"#, &format!("`$.R` is a text, {list}"));
    check("$.R[*]", r#"{"R":17}"#, &format!("`$.R` is a number, {list}"));
    check("$.R[*]", r#"{"R":false}"#, &format!("`$.R` is true or false, {list}"));
    check("$[*]", r#"{"a":1}"#, &format!("`$` is an object, {list}"));
    check("$[*]", "null", &format!("`$` is null, {list}"));
    check("$.R[*]", r#"[{"R":[]}]"#, "`$` is a list, and the path needs an object there");
    check("$.R[*]", r#"{"R":[{"a":1}],"R":[]}"#, "`$.R` occurs more than once");
    let many: String = (0..25).map(|n| format!("\"k{n}\":{n},")).collect();
    let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let document = format!("{{{}}}", many.trim_end_matches(','));
    check("$.R[*]", &document, &format!("`$.R` is missing: `$` has {} and others", keys.join(", ")));
}

#[test]
fn each_document_has_its_own_list() {
    let found = read(SourceFormat::Json, "$.R[*]", "{\"R\":[{\"a\":1}]}{\"R\":[]}\n {\"R\":[{\"a\":2}]}").table();
    assert_eq!(found.rows, two());
    let error = read(SourceFormat::Json, "$.R[*]", r#"{"R":[{"a":1}]}{"error":"later"}"#).error();
    assert!(error.to_string().contains("document 2: `$.R` is missing: `$` has error"), "{error}");
    assert!(error.is_behind_a_record());

    let lines = [r#"{"R":[{"a":1},{"a":2}]}"#, "", "{\"R\":[]}\r", r#"{"R":[{"a":"#, "x", r#"{"R":[{"a":5}]} {}"#];
    let lines = format!("{}\n{{\"R\":[{{\"a\":6}}]}}\n", lines.join("\n"));
    let found = read(SourceFormat::Ndjson, "$.R[*]", &lines).table();
    let [first, second] = two();
    let expected = [
        first,
        second,
        corrupt(3, 1, "{\"R\":[{\"a\":"),
        corrupt(4, 1, "x"),
        corrupt(5, 1, "{\"R\":[{\"a\":5}]} {}"),
        good(6, &[Some("6")]),
    ];
    assert_eq!(found.rows, expected);
    assert!(found.reasons[0].starts_with("line 4 (record 3) is not JSON: "), "{:?}", found.reasons);
}

#[test]
fn only_an_object_without_a_document_is_empty() {
    for format in [SourceFormat::Json, SourceFormat::Ndjson] {
        let error = read(format, "$.R[*]", " \n\n").error();
        assert!(matches!(error, SourceError::EmptyObject { .. }), "{format:?}: {error}");
        assert_eq!(read(format, "$.R[*]", "{\"R\":[]}\n").table().summary.rows, 0, "{format:?}");
    }
}

#[test]
fn a_document_of_any_size_is_read_and_a_record_is_not() {
    let pad = "x".repeat(1 << 20);
    let records: String = (0..5000).map(|n| format!("{{\"a\":{n}}},")).collect();
    let document = format!(r#"{{"pad":"{pad}","R":[{records}{{"a":1}}],"more":["{pad}"]}}"#);
    let found = read(SourceFormat::Json, "$.R[*]", &document).limits(SMALL).table();
    assert_eq!(found.summary.rows, 5001);

    let document = format!(r#"{{"R":[{{"a":1}},{{"a":"{pad}"}}]}}"#);
    let error = read(SourceFormat::Json, "$.R[*]", &document).limits(SMALL).error();
    let expected = Place::Record { row: 2, line: None };
    assert!(matches!(&error, SourceError::RecordTooLarge { place, .. } if *place == expected), "{error:?}");
    // A key is kept, too.
    let document = format!(r#"{{"{pad}":1,"R":[]}}"#);
    let error = read(SourceFormat::Json, "$.R[*]", &document).limits(SMALL).error();
    assert!(matches!(error, SourceError::RecordTooLarge { .. }), "{error:?}");
}

#[test]
fn brackets_that_are_never_closed_are_refused_in_what_is_passed_over() {
    for brackets in ["[", "{\"x\":"] {
        let begin = Cursor::new(format!("{{\"x\":{}", brackets.repeat(1000)));
        let endless: Box<dyn Read + Send> = Box::new(begin.chain(io::repeat(b'[')));
        let test = read(SourceFormat::Json, "$.R[*]", "").limits(SMALL);
        let error = test.read_from(endless, WHOLE).expect_err(brackets);
        assert!(matches!(error, SourceError::RecordTooLarge { .. }), "{brackets}: {error:?}");
    }
}

#[test]
fn any_number_of_lists_without_records_is_read() {
    let orders = vec![r#"{"items":[]}"#; 60].join(",");
    let nulls = vec!["null"; 200].join(",");
    for (path, document) in [
        ("$.R[*]", r#"{"R":[]}"#.repeat(60)),
        ("$.R[*]", r#"{"R":null} "#.repeat(60)),
        ("$.orders[*].items[*]", format!(r#"{{"orders":[{orders}]}}"#)),
        ("$.orders[*].items[*]", format!(r#"{{"orders":[{nulls}]}}"#)),
    ] {
        assert!(document.len() > 2 * SMALL.record_bytes + 7, "{path}");
        let found = read(SourceFormat::Json, path, &document).limits(SMALL).table();
        assert_eq!(found.summary.rows, 0, "{document}");
    }
}

/// What is examined of an object before a run ends early where its records come late or never.
#[test]
fn no_more_than_the_beginning_of_an_object_is_examined() {
    const READ: usize = 8 << 20;
    let pad = "x".repeat(1000);
    let late = format!(r#"{{"pad":"{}","R":[{{"a":1}}]}}"#, "x".repeat(READ));
    let never = format!("{{\"pad\":\"{pad}\",\"R\":[]}}\n").repeat(READ / pad.len());
    for (format, document) in
        [(SourceFormat::Json, &late), (SourceFormat::Json, &never), (SourceFormat::Ndjson, &never)]
    {
        let bounded = Bounded { bytes: Cursor::new(document.clone().into_bytes()), left: READ + 16 };
        let columns = read(format, "$.R[*]", "").columns_from(Box::new(bounded));
        assert_eq!(columns.expect("no fault"), Vec::<String>::new(), "{format:?}");
        assert!(document.len() > READ + 16);
    }
    // One that is shorter is examined to its end.
    for format in [SourceFormat::Json, SourceFormat::Ndjson] {
        let whole = Box::new(Cursor::new(b"{\"R\":[{\"a\":1}]}\n{\"R\":[{\"b\":2}]}\n".to_vec()));
        assert_eq!(read(format, "$.R[*]", "").columns_from(whole).expect("columns"), ["a", "b"], "{format:?}");
    }
    let torn = Box::new(Cursor::new(b"{\"R\":[{\"a\":1}]".to_vec()));
    let error = read(SourceFormat::Json, "$.R[*]", "").columns_from(torn).expect_err("torn");
    assert!(matches!(error, SourceError::Json { .. }), "{error:?}");
}

#[test]
fn syntax_errors_refuse_a_document_with_their_place() {
    for rest in ["", "]", "],\"b\":tru}", ",]}"] {
        let document = format!("{{\"R\":[{{\"a\":1}}{rest}");
        let error = read(SourceFormat::Json, "$.R[*]", &document).error();
        assert!(matches!(error, SourceError::Json { rows: 1, .. }), "{document}: {error:?}");
    }
}
