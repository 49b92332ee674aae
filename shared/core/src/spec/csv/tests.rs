use super::*;

fn spec(yaml: &str) -> CsvSpec {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

#[test]
fn a_spec_without_options_is_written_as_earlier_versions_write_it() {
    let written = serde_json::to_string(&CsvSpec::default()).unwrap();
    assert_eq!(written, r#"{"delimiter":",","quote":"\""}"#);
    assert_eq!(serde_json::from_str::<CsvSpec>(&written).unwrap(), CsvSpec::default());
    let all = spec(
        "{ delimiter: ';', header: absent, names: [a, b], skip_lines: 3, comment: '#', trailing_delimiter: true, \
         ragged: pad, encoding: latin1, quote: none, escape: '!', record_end: \"\\r\", header_lines: { count: 2, join: _ }, \
         skip_last_lines: 1, last_lines_begin: Total }",
    );
    let written = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<CsvSpec>(&written).unwrap(), all, "{written}");
    assert!(written.contains(r#""encoding":"windows-1252""#), "{written}");
}

#[test]
fn options_that_cannot_be_used_together_are_refused_with_the_fix() {
    let check = |yaml: &str, says: &str| {
        let problem = spec(yaml).problem();
        assert!(problem.as_deref().is_some_and(|problem| problem.contains(says)), "{yaml}: {problem:?}");
    };
    check("{ delimiter: '\"' }", "delimiter and quote are the same character");
    check("{ comment: ',' }", "comment and delimiter are the same character");
    check("{ quote: \"'\", comment: \"'\" }", "comment and quote are the same character");
    for comment in ["C", "r", "1"] {
        check(&format!("{{ comment: '{comment}' }}"), &format!("comment is '{comment}'"));
    }
    check("{ delimiter: 't' }", "delimiter is 't'");
    check("{ quote: 'Q' }", "quote is 'Q'");
    check("{ header: absent, ragged: pad }", "write names");
    check(&format!("{{ names: [{}] }}", "a, ".repeat(10_001)), "names has 10001 names");
    check("{ skip_lines: 1001 }", "at most 1000 lines");
    check("{ names: [] }", "names is empty");
    check("{ names: [a, ' '] }", "name 2 of names is blank");
    check("{ names: [a, ' b'] }", "name 2 of names, ' b', has spaces around it");
    check("{ names: [a, b, A] }", "names has `A` more than once");
    check("{ names: [_source_row] }", "`_source_row`, is kept for lineage");
    check("{ names: [\"a\\0b\"] }", "control character");
    check("{ header: absent, header_names: strict }", "no header is present; leave header_names out");
    check("{ names: [a], header_names: strict }", "`names` replaces the names of the header");
    check("{ delimiter: '~\"~' }", "delimiter is '~\\\"~', and \" is the quote");
    check("{ delimiter: '#|', comment: '#' }", "begins with the comment #");
    check("{ delimiter: '|a' }", "delimiter is '|a'");
    check("{ record_end: 'EOR' }", "record_end is 'EOR'");
    check("{ escape: '\"' }", "leave escape out");
    check("{ escape: ',' }", "which delimiter has, too");
    check("{ escape: '#', comment: '#' }", "which comment has, too");
    check("{ escape: '~', record_end: \"~\\n\" }", "which record_end has, too");
    check("{ escape: '!', escapes: copy }", "where COPY has \\");
    check("{ delimiter: '\\', escapes: copy }", "which delimiter has, too");
    check("{ delimiter: '|', record_end: \"|\\n\" }", "trailing_delimiter: true");
    check("{ delimiter: '~|', record_end: '|' }", "one has the other in it");
    check("{ record_end: \"'\\n\", quote: \"'\" }", "' is the quote");
    check("{ record_end: '#', comment: '#' }", "# is the comment");
    check("{ skip_last_lines: 1001 }", "at most 1000 lines");
    check("{ last_lines_begin: Total }", "write skip_last_lines, too");
    check("{ last_lines_begin: '', skip_last_lines: 1 }", "last_lines_begin is empty");
    check("{ last_lines_begin: '\"Total', skip_last_lines: 1 }", "begins with the quote");
    check("{ last_lines_begin: \"To\\ntal\", skip_last_lines: 1 }", "a line end or control character");
    check("{ last_lines_begin: 'To~tal', skip_last_lines: 1, record_end: '~' }", "last_lines_begin is 'To~tal'");
    check("{ header_lines: { count: 2 } }", "neither join");
    check("{ header_lines: { count: 2, join: _, take: 1 } }", "both join and take");
    check("{ header_lines: { count: 1, join: _ } }", "write 2 to 10");
    check("{ header_lines: { count: 2, take: 3 } }", "the records 1 to 2");
    check("{ header_lines: { count: 2, join: \"\\t\" } }", "a control character");
    check("{ header_lines: { count: 2, join: _ }, header: absent }", "header is absent");
    check("{ header_lines: { count: 2, join: _ }, names: [a] }", "leave header_lines.join and take out");
    for good in [
        "{}",
        "{ delimiter: '||' }",
        "{ delimiter: '~|~', record_end: \"~\\n\", escape: '\\' }",
        "{ delimiter: \"\\x01\", quote: none, record_end: \"\\x1e\" }",
        "{ delimiter: \"\\t\", quote: none, escapes: copy }",
        "{ escapes: copy, escape: '\\' }",
        "{ header_lines: { count: 3, take: 2 } }",
        "{ header_lines: { count: 2 }, names: [a, b] }",
        "{ skip_last_lines: 2, last_lines_begin: Total }",
        "{ header: absent }",
        "{ header: absent, names: [a, b] }",
        "{ header: absent, names: [a, b], ragged: pad }",
        "{ names: [a, b], ragged: pad }",
        "{ header: absent, trailing_delimiter: true }",
        "{ names: ['Größe', 'two words'], skip_lines: 1000, comment: '#' }",
        "{ header_names: strict, trailing_delimiter: true, ragged: pad, encoding: utf-16 }",
    ] {
        assert_eq!(spec(good).problem(), None, "{good}");
    }
}

#[test]
fn signs_are_texts_of_some_characters() {
    let check = |yaml: &str, says: &str| {
        let error = serde_saphyr::from_str::<CsvSpec>(yaml).unwrap_err().to_string();
        assert!(error.contains(says), "{yaml}: {error}");
    };
    check("{ delimiter: '' }", "delimiter '' has 0 characters; write 1 to 8");
    check("{ delimiter: '#########' }", "has 9 characters");
    check("{ delimiter: \"|\\n\" }", "delimiter has '\\n', which it cannot have");
    check("{ record_end: \"\\0\" }", "record_end has");
    check("{ quote: '||' }", "quote is '||'; write one printable ASCII character, or none");
    check("{ quote: '' }", "or none");
    assert_eq!(spec("{ quote: none }").quote.sign(), None);
    assert!(spec("{ record_end: \"\\n\" }").record_end.is_line_feed());
}

#[test]
fn what_is_decoded_or_has_last_lines_is_not_divided() {
    let check = |yaml: &str, expected: bool| assert_eq!(spec(yaml).is_divisible(), expected, "{yaml}");
    check("{}", true);
    check("{ delimiter: '||', quote: none, escapes: copy, record_end: \"\\r\", skip_lines: 1 }", true);
    check("{ header_lines: { count: 2, join: _ } }", true);
    check("{ encoding: utf-16 }", false);
    check("{ skip_last_lines: 1 }", false);
}

#[test]
fn columns_that_no_object_can_have_are_known() {
    let may_have = |yaml: &str, name: &str, case: ColumnCase, expected: bool| {
        assert_eq!(spec(yaml).may_have(name, case), expected, "{yaml}: {name}, {case:?}");
    };
    let check = |yaml: &str, name: &str, expected: bool| may_have(yaml, name, ColumnCase::Exact, expected);
    check("{}", "anything", true);
    check("{ names: [a, b] }", "b", true);
    check("{ names: [a, b] }", "B", false);
    check("{ header: absent, names: [a, b] }", "column_1", false);
    check("{ header: absent }", "column_1", true);
    check("{ header: absent }", "column_10000", true);
    check("{ header: absent }", "column_10001", false);
    for other in ["column_0", "column_01", "column_", "column_x", "Column_1", "id"] {
        check("{ header: absent }", other, false);
    }
    let ignoring = |yaml: &str, name: &str, expected: bool| may_have(yaml, name, ColumnCase::Ignore, expected);
    ignoring("{}", "anything", true);
    ignoring("{ names: [a, Größe] }", "A", true);
    ignoring("{ names: [a, Größe] }", "GRÖßE", true);
    ignoring("{ names: [a, Größe] }", "b", false);
    ignoring("{ header: absent }", "Column_1", true);
    ignoring("{ header: absent }", "COLUMN_01", false);
}

#[test]
fn encodings_are_known_by_the_labels_that_people_write() {
    let check = |label: &str, expected: &str| {
        let encoding = TextEncoding::try_from(label.to_owned()).unwrap();
        assert_eq!(String::from(encoding), expected, "{label}");
    };
    check("utf-8", "utf-8");
    check("UTF8", "utf-8");
    check("utf-16", "utf-16le");
    check("UTF-16BE", "utf-16be");
    check("windows-1252", "windows-1252");
    check("cp1252", "windows-1252");
    check("ISO-8859-1", "windows-1252");
    check("iso-8859-15", "iso-8859-15");
    check("shift_jis", "shift_jis");
    for unknown in ["", "klingon", "utf-7", "iso-2022-kr"] {
        let error = TextEncoding::try_from(unknown.to_owned()).unwrap_err();
        assert!(error.to_string().contains("windows-1252, iso-8859-1"), "{error}");
    }
}
