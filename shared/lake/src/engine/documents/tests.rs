//! What becomes of documents in quarantine.

use polars::prelude::{IntoColumn, NamedFrom, Series};

use super::*;

/// Rows of a quarantine table that have these texts, all of one object and at the positions from 1 on.
fn table(count: i64) -> DataFrame {
    let places: Vec<i64> = (1..=count).collect();
    let text = |text: &str| vec![text.to_owned(); places.len()];
    let columns = vec![
        Series::new(SOURCE_FILE.into(), text("file:///a")).into_column(),
        Series::new("_source_etag".into(), text("etag-1")).into_column(),
        Series::new("_run_id".into(), text("run-1")).into_column(),
        Series::new(SOURCE_ROW.into(), places.as_slice()).into_column(),
    ];
    DataFrame::new(places.len(), columns).expect("a frame")
}

/// What becomes of corrupt records with these texts and reasons: places and texts.
fn split(path: Option<&str>, took_lines: bool, records: &[(&str, &str)]) -> (Vec<(Option<i64>, String)>, bool) {
    let format = if took_lines { SourceFormat::Ndjson } else { SourceFormat::Json };
    let reading_of = |run: &str| {
        assert_eq!(run, "run-1");
        Ok(Some(RunReading { format, records: None }))
    };
    split_by(path, &reading_of, DocumentsInTable::default(), records)
}

fn split_by(
    path: Option<&str>,
    reading_of: ReadingOf<'_>,
    in_table: DocumentsInTable,
    records: &[(&str, &str)],
) -> (Vec<(Option<i64>, String)>, bool) {
    let options = SourceOptions::of_records(path.map(|path| path.parse().expect(path)));
    let documents = Documents::new(&options, SourceFormat::Ndjson, reading_of).with_records_in(in_table);
    let rows = records.iter().enumerate().map(|(row, (raw, reason))| corrupt(raw, reason, row, None)).collect();
    let count = i64::try_from(records.len()).expect("few");
    let (rows, is_other) = documents.split(&table(count), rows, str::to_owned).expect("rows");
    let text = |of: &Quarantined<'_>| (of.source_row, of.raw.as_deref().unwrap_or_default().to_owned());
    (rows.iter().map(text).collect(), is_other)
}

fn place(document: i64, index: usize) -> Option<i64> {
    DocumentRow::new(document, index).map(DocumentRow::source_row)
}

const MISSED: &str = "line 2 (record 1) has no records at source.records: `$.rows` is missing: `$` has items";

#[test]
fn a_document_becomes_its_records_each_with_a_place_of_its_own() {
    let documents = [
        (r#"{"items":[{"a":1},5]}"#, MISSED),
        (r#"{"items":[]}"#, MISSED),
        (r#"{"items":[{"a":"x"}]}"#, "byte 77 has no records at source.records: `$.rows` is missing: `$` has items"),
    ];
    let (rows, is_other) = split(Some("$.items[*]"), false, &documents);
    assert!(is_other);
    let reason = "line 2 (record 1), record 2 in it, is no JSON object";
    let expected = [
        (place(1, 0), r#"{"a":"1"}"#.to_owned()),
        (place(1, 1), format!(r#"{{"_corrupt_reason":"{reason}","_corrupt_record":"5"}}"#)),
        (place(3, 0), r#"{"a":"x"}"#.to_owned()),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn without_a_path_a_document_is_the_record_of_its_place() {
    let (rows, is_other) = split(None, false, &[(r#"{"items":[1]}"#, MISSED)]);
    assert_eq!((rows, is_other), (vec![(None, r#"{"items":"[1]"}"#.to_owned())], true));
}

#[test]
fn a_document_that_still_has_no_records_says_why_now_and_stays() {
    let document = r#"{"items":[{"a":1}]}"#;
    let (rows, is_other) = split(Some("$.other[*]"), false, &[(document, MISSED)]);
    let reason = "line 2 (record 1) has no records at source.records: `$.other` is missing: `$` has items";
    assert!(is_other && rows.len() == 1 && rows[0].0.is_none() && rows[0].1.contains(reason), "{rows:?}");
    assert!(!split(Some("$.other[*]"), false, &[(document, reason)]).1, "nothing is new the second time");
}

#[test]
fn other_corrupt_records_stay_as_they_are() {
    let check = |raw: &str, reason: &str, took_lines: bool, expected: bool| {
        assert_eq!(split(Some("$[*]"), took_lines, &[(raw, reason)]).1, expected, "{reason}");
    };
    let list = r#"[{"a":1}]"#;
    check(list, "line 1 (record 1) is no JSON object", true, true);
    // An element of a list that was read as a record: nobody has asked for the records in it.
    check(list, "line 1 (record 1) is no JSON object", false, false);
    check(list, "line 1 (record 1) is not UTF-8; deliver the file as UTF-8", true, false);
    let key = "line 1 (record 1) has the key 'has no records at source.records' more than once, or blank";
    check(list, key, true, false);
    check(list, "line 1 (record 1), record 2 in it, is no JSON object", true, false);
}

#[test]
fn a_document_stays_whole_where_the_table_has_records_of_it_by_another_path() {
    let check = |path: Option<&str>, by: Option<Option<&str>>, says: Option<&str>| {
        let reading_of = |run: &str| {
            assert_eq!(run, "killed-1");
            let records: Option<Option<RecordPath>> = by.map(|path| path.map(|path| path.parse().expect(path)));
            Ok(records.map(|records| RunReading { format: SourceFormat::Ndjson, records }))
        };
        let key = |row| DocumentKey { file: "file:///a".to_owned(), etag: "etag-1".to_owned(), row };
        let in_table = || DocumentsInTable::of([(key(2), "killed-1".parse().ok())]);
        let document = r#"{"items":[{"a":1}],"rows":[{"a":2}]}"#;
        let (rows, _) = split_by(path, &reading_of, in_table(), &[(document, MISSED), (document, MISSED)]);
        assert_eq!(rows.len(), 2, "{path:?} after {by:?}: {rows:?}");
        assert_eq!(rows[0].0.is_some(), path.is_some(), "the table has no record of the first");
        match says {
            None => assert!(!rows[1].1.contains("_corrupt"), "{path:?} after {by:?}: {rows:?}"),
            Some(says) => {
                assert!(rows[1].0.is_none() && rows[1].1.contains(says), "{path:?} after {by:?}: {rows:?}");
                let raw: BTreeMap<String, String> = serde_json::from_str(&rows[1].1).expect("an object");
                let again = [(document, MISSED), (document, raw[CORRUPT_REASON].as_str())];
                let (again, _) = split_by(path, &reading_of, in_table(), &again);
                assert_eq!(again[1].1, rows[1].1, "nothing is new the second time");
            }
        }
    };
    let (items, rows) = (Some("$.items[*]"), Some("$.rows[*]"));
    check(rows, Some(rows), None);
    check(rows, Some(items), Some("write `$.items[*]` there and replay again"));
    check(rows, None, Some("its path is not known any more"));
    check(None, Some(items), Some("replay killed-1 has brought records of it into the table"));
}

#[test]
fn a_line_with_more_records_than_have_places_stays_whole() {
    let count = usize::try_from(DocumentRow::MAX_RECORDS).expect("small") + 1;
    let document = format!(r#"{{"items":[{}]}}"#, vec!["{}"; count].join(","));
    let (rows, is_other) = split(Some("$.items[*]"), false, &[(&document, MISSED)]);
    assert!(is_other && rows.len() == 1 && rows[0].1.contains("at most 262144 records"), "{} rows", rows.len());
}
