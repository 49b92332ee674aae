use std::io::{self, Cursor};

use proptest::prelude::*;
use sluice_core::spec::SourceFormat;

use super::*;
use crate::source::testing::{ReadTest, SMALL, corrupt, good};

fn read(path: &str, text: impl AsRef<[u8]>) -> ReadTest {
    ReadTest::new(SourceFormat::Xml, text.as_ref()).records(path)
}

/// Limits that a record of a few fields keeps.
const FEW: ReadLimits = ReadLimits { record_bytes: 1000, ..SMALL };

/// The message of an error, with those of its sources.
fn message(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[test]
fn elements_become_columns_by_the_table() {
    let check = |record: &str, expected: &[(&str, Option<&str>)]| {
        let table = read("/r/o", format!("<r>{record}</r>")).table();
        let (columns, cells): (Vec<&str>, Vec<Option<&str>>) = expected.iter().copied().unzip();
        assert_eq!(table.columns, columns, "{record}");
        assert_eq!(table.rows, [good(1, &cells)], "{record}");
    };
    check("<o><a>1</a><b> x </b></o>", &[("a", Some("1")), ("b", Some(" x "))]);
    check("<o id='7' n=\"ä\"/>", &[("@id", Some("7")), ("@n", Some("ä"))]);
    check("<o><a/><b></b></o>", &[("a", Some("")), ("b", Some(""))]);
    check("<o>text</o>", &[("#text", Some("text"))]);
    check("<o>\n <a>1</a>\n</o>", &[("a", Some("1"))]);
    check("<o><a>1</a><b>x</b><a>2</a></o>", &[("a", Some(r#"["1","2"]"#)), ("b", Some("x"))]);
    check("<o><a><c>1</c></a></o>", &[("a", Some(r#"{"c":"1"}"#))]);
    check("<o><a u='kg'>1</a></o>", &[("a", Some(r##"{"@u":"kg","#text":"1"}"##))]);
    check("<o><a u='kg'/></o>", &[("a", Some(r##"{"@u":"kg","#text":""}"##))]);
    check("<o><a> x <c>1</c> y </a></o>", &[("a", Some(r##"{"c":"1","#text":"x  y"}"##))]);
    check("<o xmlns:i='u'><a i:nil='true'/><b i:nil='false'>1</b></o>", &[("a", None), ("b", Some("1"))]);
    check("<o xmlns:i='u'><a i:nil='1' u='x'/></o>", &[("a", Some(r##"{"@u":"x","#text":null}"##))]);
    check("<p:o xmlns:p='u' xmlns='v' p:id='1'><p:a>2</p:a></p:o>", &[("@id", Some("1")), ("a", Some("2"))]);
    check("<o><a>&lt;&amp;&gt;&quot;&apos;&#65;&#x20AC;</a></o>", &[("a", Some("<&>\"'A€"))]);
    check("<o><a>x<![CDATA[<b> & ]]>y<!-- no --><?pi no?>z</a></o>", &[("a", Some("x<b> & yz"))]);
    check("<o><a>1\r\n2\r3&#13;</a></o>", &[("a", Some("1\n2\n3\r"))]);
    check("<o a='1\r\n2\t3&#10;'/>", &[("@a", Some("1 2 3\n"))]);
    check("<o/>", &[]);
}

#[test]
fn elements_that_a_column_reads_by_number_are_lists_also_alone() {
    let lists: &[&[&str]] = &[&["lines", "line"], &["tag"]];
    let text = "<r><o><lines><line>1</line><tag>x</tag></lines><tag>y</tag><line>z</line></o></r>";
    let table = read("/r/o", text).lists(lists).table();
    assert_eq!(table.columns, ["lines", "tag", "line"]);
    let cells = [Some(r#"{"line":["1"],"tag":"x"}"#), Some(r#"["y"]"#), Some("z")];
    assert_eq!(table.rows, [good(1, &cells)]);
}

#[test]
fn case_counts_in_the_column_of_a_list_as_it_counts_in_columns() {
    let text = "<r><o><Tags><tag>x</tag></Tags></o></r>";
    let cell = |test: ReadTest| test.table().rows[0].1[0].clone();
    let lists: &[&[&str]] = &[&["tags", "tag"]];
    assert_eq!(cell(read("/r/o", text).lists_in_any_case(lists)).as_deref(), Some(r#"{"tag":["x"]}"#));
    assert_eq!(cell(read("/r/o", text).lists(lists)).as_deref(), Some(r#"{"tag":"x"}"#));
    let german = "<r><o><STÄDTE><tag>x</tag></STÄDTE></o></r>";
    let towns: &[&[&str]] = &[&["städte", "tag"]];
    assert_eq!(cell(read("/r/o", german).lists_in_any_case(towns)).as_deref(), Some(r#"{"tag":["x"]}"#));
    let inner: &[&[&str]] = &[&["Tags", "TAG"]];
    assert_eq!(cell(read("/r/o", text).lists_in_any_case(inner)).as_deref(), Some(r#"{"tag":"x"}"#));
}

#[test]
fn the_path_says_which_elements_are_records() {
    let text = "<?xml version='1.0'?>\n<!DOCTYPE r>\n<!-- c -->\n<r>\n<h><a>0</a></h><o><a>1</a><o><a>9</a></o></o>\
                <p:o><a>2</a></p:o><x><o><a>8</a></o></x></r>\n<!-- end -->\n";
    let column = |path: &str, name: &str| {
        let table = read(path, text).table();
        let place = table.columns.iter().position(|column| column == name).expect("a column");
        table.rows.into_iter().map(|(_, cells, _)| cells[place].clone()).collect::<Vec<_>>()
    };
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(column("/r/o", "a"), some(&["1", "2"]));
    assert_eq!(column("/r/x/o", "a"), some(&["8"]));
    assert_eq!(column("/r/*/a", "#text"), some(&["0", "1", "2"]));
    assert_eq!(column("/*/h", "a"), some(&["0"]));
    assert_eq!(read("/r", text).table().rows.len(), 1);
}

#[test]
fn a_path_that_leads_nowhere_holds_the_object_and_an_empty_parent_does_not() {
    let check = |path: &str, text: &str, says: &str| {
        let error = message(&read(path, text).error());
        assert!(error.contains(says), "{error}");
    };
    check("/r/order", "<r><a/><b/><a/></r>", "`/r/order` is missing: `/r` has a, b; correct source.records");
    check("/rows/o", "<r><o/></r>", "`/rows` is missing: `/` has r");
    check("/r/list/o", "<r/>", "`/r/list` is missing: `/r` has no element");
    assert!(read("/r/o", "<r> </r>").table().rows.is_empty());
    assert!(read("/r/list/o", "<r><list/><x/></r>").table().rows.is_empty());
}

#[test]
fn what_is_not_well_formed_refuses_the_object_with_its_line() {
    let check = |text: &str, says: &str| {
        let error = read("/r/o", text).error();
        let found = message(&error);
        assert!(error.is_refusal() && found.contains(says), "{text}: {found}");
    };
    check("<r>\n<o><a>1</a></o>\n<o><a>2</b></o></r>", "line 3: not readable as XML after 1 good records");
    check("<r><o><a>1</a></o>", "the file ends inside of its root element");
    check("<r><o><a>1</a></o></r", "not closed");
    check("<r><o a='1", "not closed");
    check("<r/><r/>", "a second root element `r`");
    check("<r/>x", "text stands outside");
    check("x<r/>", "text stands outside");
    check("id,name\n1,2\n", "text stands outside");
    check(" <?xml version='1.0'?><r/>", "stands at the very beginning");
    check("<r></r></r>", "does not match any open tag");
    check("<r><o>a & b</o></r>", "not closed");
    check("<r><o>&#0;</o></r>", "U+0000");
    check("<r><o>&#xD800;</o></r>", "U+D800");
    check("<r><o>\u{1}</o></r>", "U+0001");
    check("<r><o a='\u{1F}'/></r>", "U+001F");
    check("<r><o a='<'/></r>", "`&lt;`");
    check("<r><o a='1' a='2'/></r>", "an attribute");
    check("<r><o a=1/></r>", "an attribute");
    check("<r><1a/></r>", "`1a` is not a name");
    check("<? x?><r/>", "`` is not a name");
    check("<r><?XML x?></r>", "`xml` is not a name of an instruction");
    check(&format!("<r><{}/></r>", "a".repeat(1025)), "a name has more than 1024 bytes");
    check(&format!("<r><a {}='1'/></r>", "a".repeat(1025)), "a name has more than 1024 bytes");
    check("<r><o>]]></o></r>", "`]]&gt;`");
    check("<!-- only -->", "it has no element");
    check(&"<r>".repeat(61), "nested more than 60 deep");
    let many: String = (0..1001).map(|n| format!(" a{n}='1'")).collect();
    check(&format!("<r><o{many}/></r>"), "more than 1000 attributes");
    for text in ["", " \n "] {
        assert!(matches!(read("/r/o", text).error(), SourceError::EmptyObject { .. }), "{text:?}");
    }
}

#[test]
fn definitions_and_entities_are_refused_and_never_expanded() {
    let check = |text: &str, says: &str| {
        let found = message(&read("/r/o", text).error());
        assert!(found.contains(says), "{found}");
    };
    let bomb = "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><r><o>&b;</o></r>";
    check(bomb, "definitions in brackets");
    check("<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><o>&x;</o></r>", "definitions in brackets");
    check("<r><o>&nbsp;</o></r>", "the entity `&nbsp;`");
    check("<r><o a='&x;'/></r>", "the entity `&x;`");
    check("<!DOCTYPE r SYSTEM 'r.dtd'><r><o>&x;</o></r>", "the entity `&x;`");
    assert_eq!(read("/r/o", "<!DOCTYPE r SYSTEM 'r.dtd'><r><o/></r>").table().rows.len(), 1);
}

#[test]
fn encodings_are_those_of_the_mark_or_the_declaration() {
    let check = |bytes: &[u8]| {
        assert_eq!(read("/r/o", bytes).table().rows, [good(1, &[Some("größe")])], "{bytes:?}");
    };
    let text = "<r><o><a>größe</a></o></r>";
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    check(text.as_bytes());
    check(&[b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat());
    check(&[b"\xFF\xFE".to_vec(), utf16(text)].concat());
    check(&utf16(&format!("<?xml version='1.0' encoding='UTF-16'?>{text}")));
    check(b"<?xml version='1.0' encoding='ISO-8859-1'?><r><o><a>gr\xF6\xDFe</a></o></r>");
    check(&zstd::encode_all(text.as_bytes(), 1).expect("zstd"));
    let refused = |bytes: &[u8], says: &str| {
        let error = read("/r/o", bytes).error();
        assert!(error.is_refusal() && message(&error).contains(says), "{}", message(&error));
    };
    refused(b"<r>\n<o><a>\xF6</a></o></r>", "line 2: not readable");
    refused(b"<r><o><a>\xF6</a></o></r>", "bytes here are not UTF-8");
    refused(b"<?xml version='1.0' encoding='shift_jis'?><r><o>\xFF</o></r>", "not Shift_JIS, although");
    refused(b"<?xml version='1.0' encoding='klingon'?><r/>", "'klingon', which is not known");
}

#[test]
fn records_that_cannot_be_rows_are_set_aside_with_their_line() {
    let table = read("/r/o", "<r>\n<o><a>1</a></o>\n<o><b>1</b><B>2</B></o></r>").table();
    assert_eq!(table.columns, ["a"]);
    assert_eq!(table.rows, [good(1, &[Some("1")]), corrupt(2, 1, r#"{"b":"1","B":"2"}"#)]);
    assert!(table.reasons[0].starts_with("line 3 (record 2) has the keys 'b' and 'B'"), "{:?}", table.reasons);
}

#[test]
fn a_huge_record_is_refused_before_it_is_in_memory() {
    for inside in ["x".repeat(1 << 20), "<a/>".repeat(1 << 16), format!("<!--{}-->", "x".repeat(1 << 20))] {
        let text = format!("<r><o><a>1</a></o><o>{inside}</o></r>");
        let error = read("/r/o", &text).limits(FEW).error();
        let is_second = matches!(error, SourceError::RecordTooLarge { place: Place::Record { row: 2, .. }, .. });
        assert!(is_second, "{error:?}");
    }
    // An endless one ends too.
    let endless = Read::chain(Cursor::new("<r><o><a>"), io::repeat(b'x'));
    let mut options = SourceOptions::default();
    options.set_records("/r/o".parse().expect("a path"));
    let input = SourceInput::Stream(Box::new(endless));
    let outcome = super::read(&options, input, "data", SMALL, &mut |_| Ok(()));
    assert!(matches!(outcome, Err(SourceError::RecordTooLarge { .. })));
}

#[test]
fn what_is_not_a_record_may_have_any_size() {
    let text = format!("<r>{}<o><a>1</a></o></r>", "<x y='z'>text</x>".repeat(1000));
    assert_eq!(read("/r/o", &text).limits(FEW).table().rows, [good(1, &[Some("1")])]);
}

/// How a text is written.
#[derive(Debug, Clone, Copy)]
enum Writing {
    Escaped,
    Numbers,
    CData,
    Apart,
}

fn written(text: &str, writing: Writing) -> String {
    let escaped = |c: char| match c {
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '&' => "&amp;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\r' => "&#13;".to_owned(),
        '\n' => "&#xA;".to_owned(),
        '\t' => "&#9;".to_owned(),
        other => other.to_string(),
    };
    match writing {
        Writing::Escaped => text.chars().map(escaped).collect(),
        Writing::Numbers => text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect(),
        Writing::CData if !text.contains('\r') => {
            format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
        }
        Writing::CData | Writing::Apart => text.chars().map(|c| format!("<!-- - -->{}<?x y?>", escaped(c))).collect(),
    }
}

fn writing() -> impl Strategy<Value = Writing> {
    prop_oneof![Just(Writing::Escaped), Just(Writing::Numbers), Just(Writing::CData), Just(Writing::Apart)]
}

fn text() -> impl Strategy<Value = String> {
    "[a-z<>&\"' \\]\r\n\tä€🚀]{0,8}"
}

proptest! {
    #[test]
    fn printed_records_are_read_back_whatever_the_writing(
        records in prop::collection::vec((text(), text(), writing(), any::<bool>()), 1..6),
        is_small in any::<bool>(),
    ) {
        let mut document = String::from("<?xml version=\"1.0\"?><p:r xmlns:p='urn:x'>\n");
        for (attribute, value, writing, has_prefix) in &records {
            let prefix = if *has_prefix { "p:" } else { "" };
            let (attribute, value) = (written(attribute, Writing::Escaped), written(value, *writing));
            let open = format!("<{prefix}o  id = \"{attribute}\" >");
            document.push_str(&format!("{open}<{prefix}v>{value}</{prefix}v ></{prefix}o >\n"));
        }
        document.push_str("</p:r>");
        let limits = if is_small { ReadLimits { record_bytes: 4096, ..SMALL } } else { ReadLimits::default() };
        let table = read("/r/o", &document).limits(limits).table();
        prop_assert_eq!(&table.columns, &["@id", "v"]);
        for (row, (attribute, value, ..)) in table.rows.iter().zip(&records) {
            prop_assert_eq!(&row.1, &vec![Some(attribute.clone()), Some(value.clone())], "{}", document);
        }
        prop_assert_eq!(table.rows.len(), records.len());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(<|>|/|r|o|&|;|#|x|'|\"|=|!|-|\\[|\\]|\\?| |CDATA|DOCTYPE){0,40}") {
        let outcome = read("/r/o", &text).run();
        let is_defect = matches!(outcome, Err(SourceError::Reader { .. } | SourceError::Extent { .. }));
        prop_assert!(!is_defect, "{}", text);
    }
}
