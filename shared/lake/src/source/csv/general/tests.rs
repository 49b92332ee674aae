use super::*;

fn general(json: &str) -> General {
    General::new(&serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}")))
}

/// The values of the records; `None` is null.
fn values(dialect: &General, text: &str) -> Vec<Vec<Option<String>>> {
    let mut parser = GeneralParser::new(dialect);
    let (mut records, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let record = parser.next(text.as_bytes(), at);
        assert!(!record.text_after_quote && record.open_quote.is_none(), "{text:?}");
        let value = |field: &Field| {
            let raw = &text[field.start..field.end];
            let mut value = raw.to_owned();
            if matches!(field.kind, FieldKind::Escaped | FieldKind::EscapedPlain) {
                dialect.unescape(field.kind, raw, &mut value);
            }
            (!field.is_null()).then_some(value)
        };
        records.push(parser.fields.iter().map(value).collect());
        at = record.next;
    }
    records
}

#[test]
fn records_are_split_as_the_dialect_says() {
    let check = |json: &str, text: &str, expected: &[&[Option<&str>]]| {
        let values = values(&general(json), text);
        let expected: Vec<Vec<Option<String>>> =
            expected.iter().map(|record| record.iter().map(|value| value.map(str::to_owned)).collect()).collect();
        assert_eq!(values, expected, "{json}: {text:?}");
    };
    let bars = r#"{"delimiter": "||"}"#;
    check(bars, "a||b|c||\r\n\"x||\ny\"||\"\"\n", &[&[Some("a"), Some("b|c"), None], &[Some("x||\ny"), Some("")]]);
    check(bars, "\"a\"\"b\"||c", &[&[Some("a\"b"), Some("c")]]);
    check(
        r#"{"delimiter": "~|~", "record_end": "~\n"}"#,
        "a~|~b\nc~\n~|~~\n",
        &[&[Some("a"), Some("b\nc")], &[None, None]],
    );
    check(r#"{"quote": "none"}"#, "\"a,b\"\n\"\n", &[&[Some("\"a"), Some("b\"")], &[Some("\"")]]);
    check(r#"{"record_end": "\r"}"#, "a,b\r\"1\r\",\n2\r", &[&[Some("a"), Some("b")], &[Some("1\r"), Some("\n2")]]);
    check(r#"{"record_end": "\u001e"}"#, "a\n,b\u{1e}c", &[&[Some("a\n"), Some("b")], &[Some("c")]]);
    check(r#"{"record_end": "\r\n"}"#, "a\n,b\r\nc\n", &[&[Some("a\n"), Some("b")], &[Some("c\n")]]);
    check(r#"{"delimiter": "§"}"#, "ä§b\n", &[&[Some("ä"), Some("b")]]);
    check(r#"{"delimiter": "||", "trailing_delimiter": true}"#, "a||b||\n||\n", &[&[Some("a"), Some("b")], &[None]]);
}

#[test]
fn escapes_make_signs_text_and_are_text_before_anything_else() {
    let check = |json: &str, text: &str, expected: &[Option<&str>]| {
        let records = values(&general(json), text);
        let expected: Vec<Option<String>> = expected.iter().map(|value| value.map(str::to_owned)).collect();
        assert_eq!(records, [expected], "{json}: {text:?}");
    };
    let signs = r#"{"escape": "\\"}"#;
    check(signs, r#""a\"b\\","C:\new""#, &[Some(r#"a"b\"#), Some(r"C:\new")]);
    check(signs, r#""a""b",c"#, &[Some("a\"b"), Some("c")]);
    check(signs, "a\\,b,c\\\nd,\\\"e", &[Some("a,b"), Some("c\nd"), Some("\"e")]);
    check(signs, "a\\\r\nb,c\\", &[Some("a\r\nb"), Some("c\\")]);
    check(r#"{"escape": "\\", "quote": "none", "delimiter": "||"}"#, "a\\||b||\\|c", &[Some("a||b"), Some("\\|c")]);
    let copy = r#"{"delimiter": "\t", "quote": "none", "escapes": "copy"}"#;
    check(copy, "\\N\t\t\\t\\n\\\\N\t\\é", &[None, Some(""), Some("\t\n\\N"), Some("é")]);
    check(copy, "a\\\tb\tc\\\nd", &[Some("a\tb"), Some("c\nd")]);
}

#[test]
fn a_code_that_means_nothing_is_found() {
    let check = |text: &str, expected: Option<(char, char)>| {
        let dialect = general(r#"{"delimiter": "\t", "quote": "none", "escapes": "copy"}"#);
        let mut parser = GeneralParser::new(&dialect);
        let _ = parser.next(text.as_bytes(), 0);
        assert_eq!(parser.bad_escape, expected, "{text:?}");
    };
    check("a\\tb\t\\N", None);
    check("a\\Nb", Some(('\\', 'N')));
    check("\\x41", Some(('\\', 'x')));
    check("a\t\\0", Some(('\\', '0')));
    check("\\\\x", None);
}

#[test]
fn cuts_are_where_records_end() {
    let check = |json: &str, text: &str, at_end: bool, expected: Cut| {
        let limits = ReadLimits { chunk_bytes: 1, record_bytes: 1000, workers: 1, piece_bytes: 1, guess_bytes: 1 };
        assert_eq!(general(json).cut(text.as_bytes(), at_end, usize::MAX, &limits), expected, "{json}: {text:?}");
    };
    let bars = r##"{"delimiter": "||", "comment": "#"}"##;
    check(bars, "a||b\nc", false, Cut::Ends(vec![5]));
    check(bars, "a||b\nc", true, Cut::Ends(vec![6]));
    check(bars, "a||\"b\n", false, Cut::More);
    check(bars, "a||\"b\n", true, Cut::Unclosed(3));
    check(bars, "a||\"b\n\"\nc", false, Cut::Ends(vec![8]));
    check(bars, "#\"\na\n#", false, Cut::Ends(vec![5]));
    check(r#"{"quote": "none"}"#, "a,\"b\nc", false, Cut::Ends(vec![5]));
    check(r#"{"quote": "none", "record_end": "~\n"}"#, "a\nb~\nc~", false, Cut::Ends(vec![5]));
    check(r#"{"escape": "\\"}"#, "a\\\nb\nc", false, Cut::Ends(vec![5]));
}

#[test]
fn a_begin_is_guessed_where_the_next_records_look_like_records() {
    let check = |json: &str, text: &str, expected: Option<usize>| {
        let dialect = general(json);
        let limits = ReadLimits { guess_bytes: 4, record_bytes: 1000, ..ReadLimits::default() };
        let guess = GeneralGuess { dialect: &dialect, columns: 2, pad: false, limits };
        assert_eq!(guess.begin(text.as_bytes(), true), expected, "{json}: {text:?}");
    };
    let bars = r#"{"delimiter": "||"}"#;
    check(bars, "1||2\n3||4\n", Some(5));
    check(bars, "\n3||4\n", Some(1));
    check(bars, "x\ny\"||2\n3||4\n5||6\n", Some(8));
    check(bars, "x", Some(1));
    check(r#"{"quote": "none"}"#, "x\ny\n", Some(2));
    check(r#"{"record_end": "~\n"}"#, "~\n3,4~\n5,6~\n", Some(2));
}
