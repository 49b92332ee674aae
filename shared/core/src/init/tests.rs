//! Dialects and proposals as a whole.

mod dialects;

use super::*;
use crate::files::FileSelection;
use crate::spec::{CsvHeader, EscapeCodes};

fn written(text: impl AsRef<[u8]>) -> Written {
    recognise("a.csv", text.as_ref(), true).unwrap_or_else(|error| panic!("{error}"))
}

/// A table of one column with these texts; an empty one is missing.
fn column(name: &str, texts: &[&str]) -> SampleTable {
    table(&[(name, texts)])
}

fn table(columns: &[(&str, &[&str])]) -> SampleTable {
    let value = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    let column = |(name, texts): &(&str, &[&str])| SampleColumn {
        name: (*name).to_owned(),
        values: texts.iter().map(value).collect(),
    };
    let rows = columns.first().map_or(0, |(_, texts)| texts.len());
    SampleTable {
        file: "a.csv".to_owned(),
        columns: columns.iter().map(column).collect(),
        records: (1..).take(rows).collect(),
        ..SampleTable::default()
    }
}

fn proposal(table: SampleTable) -> Proposal {
    propose(&[table]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn dialects_are_found() {
    let check = |text: &str, expected: &str| {
        let csv = serde_json::to_value(written(text).csv.expect("CSV")).expect("JSON");
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        let mut all = serde_json::json!({ "delimiter": ",", "quote": "\"" });
        for (key, value) in expected.as_object().expect("an object") {
            all[key] = value.clone();
        }
        assert_eq!(csv, all, "{text:?}");
    };
    check("id,name\n1,a\n2,b\n", "{}");
    check("Nr;Betrag\n1;1,50\n2;2,50\n", r#"{"delimiter": ";"}"#);
    check("a\tb\n1\tx, y\n", r#"{"delimiter": "\t"}"#);
    check("a|b\n1|2\n", r#"{"delimiter": "|"}"#);
    check("sep=;\r\nNr;Betrag\r\n1;2,50\r\n2;3,75\r\n", r#"{"delimiter": ";", "skip_lines": 1}"#);
    check("\"sep=,\"\na,b,c\n1,2,3\n", r#"{"skip_lines": 1}"#);
    check("id,'name'\n'1','a,b'\n", r#"{"quote": "'"}"#);
    check("1,a\n2,b\n", r#"{"header": "absent"}"#);
    check("Report\n\nid,name\n1,a\n2,b\n", r#"{"skip_lines": 2}"#);
    check("# x\n# y\nid,name\n1,a\n# z\n", r##"{"comment": "#"}"##);
    check(
        "# x\n# id,day\n1,2024-01-05\n2,2024-01-06\n",
        r##"{"comment": "#", "header": "absent", "names": ["id", "day"]}"##,
    );
    check("id;name;\n1;a;\n2;b;\n", r#"{"delimiter": ";", "trailing_delimiter": true}"#);
    check("id;name\n1;a;\n2;b;\n", r#"{"delimiter": ";", "trailing_delimiter": true}"#);
    check("id,a,b\n1,2,3\n2\n3,4,5\n", r#"{"ragged": "pad"}"#);
    check("id,a,a\n1,2,3\n", r#"{"names": ["id", "a", "a_3"]}"#);
    check(",id\n0,1\n1,2\n", "{}");
    check(
        "\"x\",\"y\"\n\"1\",5,a\n\"2\",6,b\n",
        r#"{"header": "absent", "skip_lines": 1, "names": ["row_name", "x", "y"]}"#,
    );
    check("movie,genres\n1,A|B\n2,A|C\n3,B|C\n4,A|D\n", "{}");
    check("one\na b\n", "{}");
    check("id,name\n1,a,x\n2,b\n3,c\n", "{}");
    check("id;note\n1;a, b, c\n2;d, e, f\n", r#"{"delimiter": ";"}"#);
    check("\"order\nid\",n\n1,2\n", "{}");
    check(
        "1,2,3\n2\n3,4,5\n",
        r#"{"header": "absent", "ragged": "pad", "names": ["column_1", "column_2", "column_3"]}"#,
    );
    // Tables as database shells print them.
    check(" id | name \n----+------\n  1 | a\n  2 | b\n2 rows\n", r#"{"delimiter": "|", "comment": "-"}"#);
    check(
        " id | name \n----+------\n  1 | a\n  2 | b\n(2 rows)\n\n",
        r#"{"delimiter": "|", "comment": "-", "skip_last_lines": 1, "last_lines_begin": "("}"#,
    );
    check("id,n\r1,2\r3,4\r", r#"{"record_end": "\r"}"#);
    check(
        "id;n\r1;2\r3;4\r(2 rows affected)\r",
        r#"{"delimiter": ";", "record_end": "\r", "skip_last_lines": 1, "last_lines_begin": "("}"#,
    );
    // Texts of COPY.
    let copy = r#"{"delimiter": "\t", "quote": "none", "escapes": "copy"}"#;
    check("id\tnote\n1\ta\\tb\n2\tc\\\\d\n", copy);
    check("id\tnote\n1\ta\n2\t\\N\n", copy);
    check("id\tnote\n1\ta\\tb\n2\tc\n", r#"{"delimiter": "\t"}"#);
    check("id\tnote\n1\tC:\\\\Users\n2\tC:\\Users\n", r#"{"delimiter": "\t"}"#);
    check("id\tnote\n1\t\"a\"\n2\t\\N\n", r#"{"delimiter": "\t"}"#);
    check("id\tnote\tn\n1\t\\N\t\n2\ta\t5\n", r#"{"delimiter": "\t"}"#);
    check(
        "+--+--+\n|id| n|\n+--+--+\n| 1| 2|\n+--+--+\n",
        r#"{"delimiter": "|", "comment": "+", "trailing_delimiter": true}"#,
    );
    check("id,name\n--,----\n1,a\n", r#"{"header": "absent", "skip_lines": 2, "names": ["id", "name"]}"#);
    check("id,n\n1,2\n3,4\n2 rows selected.\n", "{}");
    check("Report:;2024\nid;amount\n1;2\n3;4\n", r#"{"delimiter": ";", "skip_lines": 1}"#);
    // A header that names no names of rows, above texts alone.
    check(
        "city,country\nx,Bonn,DE\ny,Ulm,AT\n",
        r#"{"header": "absent", "skip_lines": 1, "names": ["row_name", "city", "country"]}"#,
    );
}

#[test]
fn formats_are_found() {
    let check = |text: &str, format: SourceFormat| assert_eq!(written(text).format, format, "{text}");
    check("{\"a\": 1}\n{\"a\": 2}\n", SourceFormat::Ndjson);
    check("{\"a\": 1}", SourceFormat::Ndjson);
    check("[{\"a\": 1},\n {\"a\": 2}]", SourceFormat::Json);
    check("{\n  \"a\": 1\n}\n", SourceFormat::Json);
    check("{\"a\": 1}{\"a\": 2}\n{\"a\": 3}\n", SourceFormat::Json);
    check("{\"a\": 1}\n{\"a\": 2}{\"a\": 3}\n", SourceFormat::Json);
    check("{\"a\": 1}\nnull\n{\"a\": 2}\n", SourceFormat::Ndjson);
    check("null\n\n{\"a\": 1}\n", SourceFormat::Ndjson);
    check("{\"a\": 1\n{\"a\": 2}\n", SourceFormat::Ndjson);
    check("null\n1\n", SourceFormat::Csv);
    check("[section],b\n1,2\n", SourceFormat::Csv);
    check("PAR1....", SourceFormat::Parquet);
    check("PK\u{3}\u{4}.... xl/workbook.xml", SourceFormat::Xlsx);
    check("Obj\u{1}....", SourceFormat::Avro);
    check("<?xml version='1.0'?>\n<a><b x='1'/><b x='2'/></a>\n", SourceFormat::Xml);
    check("<DATE>,<OPEN>\n1,2\n3,4\n", SourceFormat::Csv);
}

#[test]
fn the_list_of_records_in_a_document_is_found() {
    let check = |text: &str, expected: Option<&str>, says: &str| {
        let written = written(text);
        let found = written.records.as_ref().map(ToString::to_string);
        assert_eq!((found.as_deref(), written.format), (expected, SourceFormat::Json), "{text}");
        assert!(written.evidence.join("\n").contains(says), "{text}: {:?}", written.evidence);
    };
    check("{\"Records\": [{\"a\": 1}]}", Some("$.Records[*]"), "records $.Records[*]");
    check("{\n\"next\": 1,\n\"data\": [{\"a\": 1}]\n}\n", Some("$.data[*]"), "not stored: next");
    check("{\n\"a\": [{\"x\": 1}],\n\"b\": [{\"x\": 1}]\n}\n", None, "one of $.a[*], $.b[*]");
    check("{\n\"a\": 1\n}\n", None, "several lines");
}

#[test]
fn files_that_are_no_table_are_refused_with_the_fix() {
    let check = |bytes: &[u8], says: &str| {
        let error = recognise("a", bytes, true).expect_err("a refusal").to_string();
        assert!(error.contains(says), "{bytes:?}: {error}");
    };
    check(b"", "is empty");
    check(b"\n \n", "is empty");
    check(b"PK\x03\x04\0\0", "no workbook of Excel");
    check(b"\xD0\xCF\x11\xE0\0", "without a password");
    check(b"\0\x01\x02\x03\xff\0", "binary data");
    check(b"a,b\r1,2\r\n3,4\r5,6\r", "carriage returns alone, and others");
    check(b"BZh91AY&SY", "packed with bzip2");
    check(b"<?xml version='1.0'?>\n<a/>\n", "XML");
    check(b"<!DOCTYPE html>\n<html></html>\n", "HTML");
    check(b"/*\n * x\n */\n\n{\"id\":1}\n{\"id\":2}\n", "JSON behind a comment");
    check(b"// x\n{\"id\":1,\"n\":2}\n{\"id\":2,\"n\":3}\n", "JSON behind a comment");
    check(b"id   name  n\n1    ann   2\n2    bob   3\n3    eve   4\n", "format: fixed_width");
    check(b"id~n\n1~2\n2~3\n", "fields with `~` between them");
}

#[test]
fn xml_whose_records_nothing_shows_is_refused_with_how_to_name_them() {
    let error = recognise("a.xml", b"<r><x>1</x><x>2</x></r>", true).expect_err("a refusal").to_string();
    for says in ["no element that has attributes or elements inside repeats", "such as `records: /orders/order`"] {
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn archives_agree_on_the_members_that_are_read() {
    let archive = |include: Option<&str>| {
        let members = include.map(|pattern| FileSelection::including(vec![pattern.parse().expect(pattern)]));
        let archive = Some(ArchiveSpec { members: members.unwrap_or_default() });
        ("f.zip".to_owned(), Written { archive, ..written("a,b\n1,x\n") })
    };
    let agreed = |files: &[Option<&str>]| {
        let files: Vec<(String, Written)> = files.iter().map(|include| archive(*include)).collect();
        agree(&files).map(|written| written.archive)
    };
    let (csv, both) = (Some("**/*.csv"), archive(Some("**/*.csv")).1.archive);
    for files in [[None, csv], [csv, None], [csv, csv]] {
        assert_eq!(agreed(&files), Ok(both.clone()), "{files:?}");
    }
    let error = agreed(&[csv, Some("a/*.csv")]).expect_err("a refusal").to_string();
    assert!(error.contains("members **/*.csv and a/*.csv of archives"), "{error}");
}

#[test]
fn files_have_to_agree() {
    let agreed = |files: &[&[u8]]| {
        let files: Vec<(String, Written)> = files.iter().map(|bytes| ("f".to_owned(), written(bytes))).collect();
        agree(&files)
    };
    let encoding = |files: &[&[u8]]| {
        let agreed = agreed(files).unwrap_or_else(|error| panic!("{error}"));
        String::from(agreed.csv.expect("CSV").encoding)
    };
    assert_eq!(encoding(&[b"a,b\n1,x\n", b"a,b\n1,\xf6\n"]), "windows-1252");
    assert_eq!(encoding(&[b"a,b\n1,x\n", b"\xef\xbb\xbfa,b\n1,x\n"]), "utf-8");
    let refusal = |files: &[&[u8]]| agreed(files).expect_err("a refusal").to_string();
    assert!(refusal(&[b"a,b\n1,x\n", b"a;b\n1;x\n"]).contains("delimiter `,` and `;`"));
    assert!(refusal(&[b"a,b\n1,x\n", b"{\"a\": 1}\n"]).contains("is NDJSON"));
    assert!(refusal(&[b"{\"a\":[{\"x\":1}]}", b"{\"b\":[{\"x\":1}]}"]).contains("records in `$.a[*]` and `$.b[*]`"));
    // A file without nulls and escapes does not show that others have them.
    let (copy, plain): (&[u8], &[u8]) = (b"a\tb\n1\t\\N\n", b"a\tb\n1\tx\n");
    for files in [[copy, plain], [plain, copy]] {
        let csv = agreed(&files).unwrap_or_else(|error| panic!("{error}")).csv.expect("CSV");
        assert_eq!((csv.escapes, csv.quote.sign()), (EscapeCodes::Copy, None));
    }
    assert!(refusal(&[copy, b"a\tb\n1\t\"x\"\n"]).contains("quote"));
    assert!(refusal(&[b"a,b\n1,x\n", b"a,b\r1,x\r"]).contains("carriage returns alone"));
    assert!(refusal(&[b"a,b\n1,x\n", b"a,b\n1,x\n(1 row)\n"]).contains("a last line"));
    // A list without elements does not show where the records are.
    let (full, empty): (&[u8], &[u8]) = (b"{\"a\":[{\"x\":1}]}", b"{\"a\":[]}");
    for files in [[full, empty], [empty, full]] {
        let agreed = agreed(&files).unwrap_or_else(|error| panic!("{error}"));
        let records = agreed.records.map(|records| records.to_string());
        assert_eq!((agreed.format, records.as_deref()), (SourceFormat::Json, Some("$.a[*]")));
    }
}

#[test]
fn columns_have_the_type_of_their_values() {
    let check = |name: &str, texts: &[&str], column_type: &str, source: &str| {
        let proposal = proposal(column(name, texts));
        let found = &proposal.columns[0];
        let expected: serde_json::Value = serde_json::from_str(source).expect("JSON");
        let mut read = serde_json::to_value(&found.source).expect("JSON");
        if let Some(map) = read.as_object_mut() {
            map.remove("from");
        } else {
            read = serde_json::json!({});
        }
        assert_eq!((found.column_type.to_string().as_str(), &read), (column_type, &expected), "{texts:?}");
    };
    check("n", &["1", "-2", " 3 "], "BIGINT", "{}");
    check("n", &["1", ""], "BIGINT", "{}");
    check("n", &["1.50", "2.25"], "DECIMAL(18,2)", "{}");
    check("price", &["1.5", "2", "3.25"], "DECIMAL(18,2)", "{}");
    check("t", &["21.5", "3.125", "4"], "DOUBLE", "{}");
    check("t", &["1e5", "2.5"], "DOUBLE", "{}");
    // Of few values the digits are no proof: the next one may have more.
    check("lat", &["48.40123", "9.99432"], "DOUBLE", "{}");
    check("n", &["48.40123"; 30], "DECIMAL(18,5)", "{}");
    check("n", &["0.012345678901234567", "1.5"], "DOUBLE", "{}");
    check("n", &["52.111111111111111112", "52.111111111111111113"], "DECIMAL(24,18)", "{}");
    check("n", &["52.111111111111111112", "1e3"], "STRING", "{}");
    check("part", &["12E3", "34E5"], "STRING", "{}");
    check("n", &["1e3", "2E+5", "1.5E7"], "DOUBLE", "{}");
    check("app_version", &["1.1", "1.10"], "STRING", "{}");
    check("n", &["1.299,99", "0,50"], "DECIMAL(18,2)", r#"{"decimal": ",", "thousands": "."}"#);
    check("n", &["1 234 567", "12"], "BIGINT", r#"{"thousands": " "}"#);
    check("n", &["1,234"], "STRING", "{}");
    check("n", &["1,234", "12,345,678"], "BIGINT", r#"{"thousands": ","}"#);
    check("n", &["007", "12"], "STRING", "{}");
    check("n", &["1", "2", "3", "007", "5", "6", "7", "8"], "STRING", "{}");
    // One value with a comma in it is no number with a decimal comma; several may be.
    check("minor", &["2", "0", "2,2", "3", "2"], "STRING", "{}");
    check("menge", &["1", "2", "1,5"], "DOUBLE", r#"{"decimal": ","}"#);
    check("menge", &["1", "2", "3", "4", "1.001,5"], "DOUBLE", r#"{"decimal": ",", "thousands": "."}"#);
    check("n", &["9223372036854775808"], "STRING", "{}");
    check("phone", &["4930123456"], "STRING", "{}");
    check("n", &["1.234,50-"], "STRING", "{}");
    check("b", &["true", "FALSE"], "BOOLEAN", "{}");
    check("b", &["Y", "N"], "BOOLEAN", r#"{"true_words": ["Y"], "false_words": ["N"]}"#);
    check("is_open", &["1", "0"], "BOOLEAN", r#"{"true_words": ["1"], "false_words": ["0"]}"#);
    check("n", &["1", "0"], "BIGINT", "{}");
    check("year", &["2019", "2020"], "BIGINT", "{}");
    check("date", &["2019", "2020"], "BIGINT", "{}");
    check("n", &["5%", "7%"], "STRING", "{}");
    check("n", &["$1.50", "$2"], "STRING", "{}");
    check("d", &["2024-01-05", ""], "DATE", "{}");
    check("d", &["2024-01-05", "0000-00-00"], "DATE", r#"{"null_words": ["0000-00-00"]}"#);
    check("d", &["31.01.2024"], "DATE", r#"{"formats": ["%d.%m.%Y"]}"#);
    check("d", &["13/01/2024", "02/01/2024"], "DATE", r#"{"formats": ["%d/%m/%Y"]}"#);
    check("d", &["01/02/2024"], "STRING", "{}");
    check("order_date", &["20240105"], "DATE", r#"{"formats": ["%Y%m%d"]}"#);
    check("n", &["20240105"], "BIGINT", "{}");
    check("at", &["2024-01-05 10:11:12.123+00"], "TIMESTAMP", "{}");
    check("at", &["2024-01-05T10:11:12.000+0000"], "TIMESTAMP", "{}");
    check("at", &["5.1.2024 8:05"], "TIMESTAMP", r#"{"formats": ["%-d.%-m.%Y %-H:%M"]}"#);
    check("created", &["1704449472"], "TIMESTAMP", r#"{"formats": ["epoch_seconds"]}"#);
    check("ts_ms", &["1704449472000"], "TIMESTAMP", r#"{"formats": ["epoch_milliseconds"]}"#);
    check("n", &["1704449472"], "BIGINT", "{}");
    check("n", &["1", "-"], "BIGINT", r#"{"null_words": ["-"]}"#);
    check("x", &["", ""], "STRING", "{}");
}

#[test]
fn words_for_null_count_where_they_stand() {
    let proposal = proposal(table(&[("t", &["1.5", "NA"]), ("land", &["DE", "NA"]), ("note", &["NA", "x y"])]));
    assert_eq!(proposal.null_words, ["NA"]);
    // `NA` is Namibia in a list of countries.
    let own = |index: usize| proposal.columns[index].source.read().and_then(|read| read.null_words.clone());
    assert_eq!((own(0), own(1), own(2)), (None, Some(Vec::new()), None));
    assert_eq!(proposal.columns.iter().map(|column| column.nulls).collect::<Vec<_>>(), [1, 0, 1]);
    assert!(proposal.columns[1].notes.join("").contains("a code here"), "{proposal:?}");
}

#[test]
fn values_that_stay_texts_are_said_to() {
    let check = |texts: &[&str], says: &str| {
        let notes = proposal(column("n", texts)).columns[0].notes.join("");
        assert!(notes.contains(says), "{texts:?}: {notes}");
    };
    check(&["5%", "7 %"], "a percent sign; text until you decide");
    check(&["$1.50", "€2"], "`currency: [\"$\", \"€\"]`");
    check(&["1.234,50-"], "a minus behind; text");
    check(&["2", "0", "2,2", "3", "2"], "in a list");
    check(&["01/02/2024"], "either order");
    check(&["9223372036854775808"], "64 bits");
    check(&["", ""], "no value in the sample");
}

#[test]
fn other_columns_of_the_file_decide_what_one_leaves_open() {
    let types = |columns: &[(&str, &[&str])]| {
        let proposal = proposal(table(columns));
        proposal.columns.iter().map(|column| column.column_type.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(types(&[("a", &["1,5"]), ("b", &["1,234"])]), ["DOUBLE", "DOUBLE"]);
    assert_eq!(types(&[("a", &["1,5"]), ("b", &["1.234"])]), ["DOUBLE", "BIGINT"]);
    assert_eq!(types(&[("a", &["31/01/2024"]), ("b", &["01/02/2024"])]), ["DATE", "DATE"]);
    assert_eq!(types(&[("a", &["5.15", "1.5", "2"]), ("b", &["1", "2", "1,5"])]), ["DOUBLE", "STRING"]);
    assert_eq!(types(&[("a", &["5,15", "1,5", "2,25"]), ("b", &["1", "2", "3"])]), ["DOUBLE", "BIGINT"]);
}

#[test]
fn a_few_values_of_another_kind_are_counted_and_many_make_a_text() {
    let mut texts = vec!["1.50"; 99];
    texts.push("n/a?");
    let few = proposal(column("amount", &texts));
    let refused = few.columns[0].refused.as_ref().expect("one value");
    assert_eq!((refused.count, refused.of, refused.record, refused.example.as_str()), (1, 100, 100, "n/a?"));
    assert_eq!(few.refused_records, 1);
    texts.extend(["x"; 10]);
    let many = proposal(column("amount", &texts));
    assert_eq!((many.columns[0].column_type.clone(), many.refused_records), (ColumnType::Text, 0));
}

#[test]
fn keys_are_unique_whole_and_named_like_one() {
    let key = |columns: &[(&str, &[&str])]| {
        proposal(table(columns)).key.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(key(&[("OrderID", &["1", "2"]), ("n", &["1", "2"])]), ["order_id"]);
    assert_eq!(key(&[("order_id", &["1", "1"]), ("line", &["1", "2"])]), ["order_id", "line"]);
    assert!(key(&[("id", &["1", ""]), ("n", &["1", "2"])]).is_empty());
    assert!(key(&[("id", &["1", "1"]), ("n", &["1", "2"])]).is_empty());
}

#[test]
fn columns_that_a_file_lacks_are_optional_and_no_key() {
    let (first, second) = (table(&[("id", &["1", "2"]), ("a", &["x", "y"])]), table(&[("a", &["z"])]));
    let proposal = propose(&[first, second]).unwrap_or_else(|error| panic!("{error}"));
    assert!(proposal.key.is_empty() && proposal.columns[0].notes[0].contains("optional"), "{proposal:?}");
    let error = propose(&[column("a", &["1"]), column("b", &["1"])]).expect_err("nothing in common");
    assert!(error.to_string().contains("no column in common"), "{error}");
}

#[test]
fn pages_without_records_lack_no_column() {
    let page = SampleTable { file: "2.json".to_owned(), ..SampleTable::default() };
    let proposal = propose(&[column("id", &["1", "2"]), page]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((proposal.key.len(), proposal.columns[0].notes.len()), (1, 0), "{proposal:?}");
}

#[test]
fn long_digits_in_quotes_of_json_stay_text() {
    let types = |quoted: &str| {
        let texts: &[&str] = &["1234567890", "1234567891"];
        let mut table = table(&[("id", texts), ("$.owner.id", texts), ("$['my a']['b c']", texts)]);
        let _ = table.digit_strings.insert(quoted.to_owned());
        let columns = proposal(table).columns;
        columns.iter().map(|column| column.column_type.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(types("id"), ["STRING", "STRING", "BIGINT"]);
    assert_eq!(types("b c"), ["BIGINT", "BIGINT", "STRING"]);
    assert_eq!(types("other"), ["BIGINT", "BIGINT", "BIGINT"]);
}

#[test]
fn tombstones_make_no_broken_file() {
    let with = |tombstones: usize, corrupt: usize| {
        propose(&[SampleTable { tombstones, corrupt, ..column("id", &["1", "2"]) }])
    };
    let proposal = with(5, 5).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((proposal.tombstones, proposal.refused_records), (5, 5));
    assert!(proposal.notes.iter().any(|note| note.contains("5 records of a.csv are `null`")), "{proposal:?}");
    assert!(with(4, 5).is_err(), "one record is broken");
}

#[test]
fn footers_make_no_broken_file() {
    let with = |drawn: usize, corrupt: usize| propose(&[SampleTable { drawn, corrupt, ..column("id", &["1", "2"]) }]);
    let proposal = with(1, 1).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((proposal.drawn, proposal.refused_records), (1, 1));
    assert!(proposal.notes.iter().any(|note| note.contains("1 line of a.csv draws or counts")), "{proposal:?}");
    assert!(with(1, 2).is_err(), "one record is broken");
}

#[test]
fn columns_without_name_and_value_are_left_out() {
    let left = |columns: &[(&str, &[&str])]| {
        let proposal = proposal(table(columns));
        let names: Vec<String> = proposal.columns.iter().map(|column| column.source.name().to_owned()).collect();
        assert_eq!(names.len() < columns.len(), proposal.notes.join("").contains("left out"), "{proposal:?}");
        names
    };
    assert_eq!(left(&[("column_1", &["", ""]), ("id", &["1", "2"])]), ["id"]);
    assert_eq!(left(&[("column_1", &["x", ""]), ("id", &["1", "2"])]), ["column_1", "id"]);
    assert_eq!(left(&[("id", &["1", "2"]), ("note", &["", ""])]), ["id", "note"]);
    assert_eq!(left(&[("column_1", &["", ""])]), ["column_1"]);
}

#[test]
fn tables_without_columns_or_with_too_many_are_refused() {
    let refusal = |table: SampleTable| propose(&[table]).expect_err("a refusal").to_string();
    let without = SampleTable { file: "a.json".to_owned(), records: vec![1, 2], ..SampleTable::default() };
    assert!(refusal(without).contains("a.json have no keys"));
    let many: Vec<String> = (0..=MAX_COLUMNS).map(|column| format!("c{column}")).collect();
    let many: Vec<(&str, &[&str])> = many.iter().map(|name| (name.as_str(), &["1"][..])).collect();
    assert!(refusal(table(&many)).contains("2001 columns"));
    // A file without columns says nothing about the others.
    let empty = SampleTable { file: "b.json".to_owned(), ..SampleTable::default() };
    assert!(propose(&[empty, column("a", &["1"])]).is_ok());
}

#[test]
fn tables_without_records_are_refused() {
    let error = propose(&[column("a", &[])]).expect_err("only a header");
    assert!(error.to_string().contains("has a header and no record"), "{error}");
    let broken = SampleTable { corrupt: 3, corrupt_reason: Some("line 2".to_owned()), ..column("a", &["1", "2"]) };
    let error = propose(&[broken]).expect_err("no table");
    assert!(error.to_string().contains("3 of 5 records of a.csv cannot be split"), "{error}");
}

#[test]
fn a_file_without_header_is_said_to_have_none() {
    let csv = written("1,2\n3,4\n").csv.expect("CSV");
    assert_eq!(csv.header, CsvHeader::Absent);
}
