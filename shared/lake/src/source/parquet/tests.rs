use std::path::Path;

use polars::prelude::*;
use sluice_core::spec::{CsvSpec, SourceFormat};

use super::stretches;
use crate::source::chunk::ReadLimits;
use crate::source::testing::{Table, good, table};
use crate::source::{SourceError, SourceInput, read_columns, read_with_limits};

fn write(folder: &Path, frame: &mut DataFrame) -> std::path::PathBuf {
    // A name with everything that a path pattern or a partition could be mistaken for.
    let path = folder.join("a=1 [x]*%20é.parquet");
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file).with_row_group_size(Some(2)).finish(frame).unwrap();
    path
}

fn read(path: &Path, limits: ReadLimits) -> Result<Table, SourceError> {
    let mut frames = Vec::new();
    let input = SourceInput::File(path.to_owned());
    let summary = read_with_limits(SourceFormat::Parquet, CsvSpec::default(), input, "data", limits, &mut |batch| {
        frames.push(batch.frame);
        Ok(())
    })?;
    Ok(table(&frames, summary))
}

fn check(column: Column, expected: &[Option<&str>]) {
    let folder = tempfile::tempdir().unwrap();
    let name = column.name().to_string();
    let mut frame = DataFrame::new(column.len(), vec![column]).unwrap();
    let path = write(folder.path(), &mut frame);
    let table = read(&path, ReadLimits::default()).unwrap();
    assert_eq!(table.columns, [name.as_str()]);
    let expected: Vec<_> = expected.iter().zip(1..).map(|(text, row)| good(row, &[*text])).collect();
    assert_eq!(table.rows, expected, "{name}");
}

#[test]
fn plain_types_become_their_shortest_text() {
    check(
        Column::new("int".into(), [Some(-1i64), None, Some(i64::MAX)]),
        &[Some("-1"), None, Some("9223372036854775807")],
    );
    check(Column::new("small".into(), [Some(7i32), None]), &[Some("7"), None]);
    check(Column::new("text".into(), [Some(" é\n\""), Some(""), None]), &[Some(" é\n\""), Some(""), None]);
    check(Column::new("bool".into(), [Some(true), Some(false), None]), &[Some("true"), Some("false"), None]);
    let floats = Column::new("float".into(), [0.1, 17850.0, 1e300, -0.0, f64::NAN, f64::NEG_INFINITY]);
    check(floats, &[Some("0.1"), Some("17850.0"), Some("1e+300"), Some("-0.0"), Some("NaN"), Some("-inf")]);
    check(Column::new("f32".into(), [0.1f32, 2.55]), &[Some("0.1"), Some("2.55")]);
}

#[test]
fn decimals_are_plain_and_keep_their_scale() {
    let texts = Column::new("decimal".into(), [Some("1.5"), Some("-0.001"), None, Some("12345678901234.000")]);
    let decimals = texts.cast(&DataType::Decimal(20, 3)).unwrap();
    check(decimals, &[Some("1.500"), Some("-0.001"), None, Some("12345678901234.000")]);
}

#[test]
fn dates_and_times_become_iso_text() {
    let days = Column::new("date".into(), [Some(14_944i32), None]).cast(&DataType::Date).unwrap();
    check(days, &[Some("2010-12-01"), None]);
    let micros = Column::new("ts".into(), [Some(1_291_191_960_000_001i64), None]);
    let local = micros.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    check(local, &[Some("2010-12-01T08:26:00.000001"), None]);
    let zone = TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap();
    let zoned = micros.cast(&DataType::Datetime(TimeUnit::Microseconds, zone)).unwrap();
    check(zoned, &[Some("2010-12-01T08:26:00.000001Z"), None]);
    let nanos = Column::new("ns".into(), [1_000i64, 1_001]);
    let nanos = nanos.cast(&DataType::Datetime(TimeUnit::Nanoseconds, None)).unwrap();
    check(nanos, &[Some("1970-01-01T00:00:00.000001"), Some("1970-01-01T00:00:00.000001001")]);
    let times = Column::new("time".into(), [Some(30_360_000_000_000i64), None]).cast(&DataType::Time).unwrap();
    check(times, &[Some("08:26:00.000000"), None]);
}

#[test]
fn nested_types_are_json() {
    let list = Series::new(
        "list".into(),
        [Series::new("".into(), [Some(1i64), None]), Series::new_empty("".into(), &DataType::Int64)],
    );
    check(list.into_column(), &[Some("[1,null]"), Some("[]")]);
    let fields = [
        Series::new("s".into(), [Some("a\""), None]),
        Series::new("f".into(), [0.5, f64::NAN]),
        Series::new("d".into(), [0i32, 1]).cast(&DataType::Date).unwrap(),
    ];
    let structs = StructChunked::from_series("struct".into(), 2, fields.iter()).unwrap();
    let expected = [r#"{"s":"a\"","f":0.5,"d":"1970-01-01"}"#, r#"{"s":null,"f":"NaN","d":"1970-01-02"}"#];
    check(structs.into_column(), &expected.map(Some));
}

#[test]
fn batches_do_not_change_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<i64> = (0..1000).collect();
    let mut frame = DataFrame::new(1000, vec![Column::new("n".into(), numbers)]).unwrap();
    let path = write(folder.path(), &mut frame);
    let limits = ReadLimits { chunk_bytes: 300, ..ReadLimits::default() };
    assert_eq!(read(&path, limits).unwrap(), read(&path, ReadLimits::default()).unwrap());
    let input = SourceInput::File(path);
    assert_eq!(read_columns(SourceFormat::Parquet, CsvSpec::default(), input, "data").unwrap(), ["n"]);
}

#[test]
fn row_groups_are_read_a_few_at_a_time() {
    let check =
        |groups: &[usize], expected: &[(usize, usize)]| assert_eq!(stretches(groups, 10), expected, "{groups:?}");
    check(&[], &[]);
    check(&[0], &[]);
    check(&[3], &[(0, 3)]);
    check(&[4, 4, 4, 4], &[(0, 12), (12, 4)]);
    check(&[25, 10, 9], &[(0, 25), (25, 10), (35, 9)]);
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<i64> = (0..1000).collect();
    let mut frame = DataFrame::new(1000, vec![Column::new("n".into(), numbers)]).unwrap();
    let path = folder.path().join("groups.parquet");
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file).with_row_group_size(Some(70)).finish(&mut frame).unwrap();
    let limits = ReadLimits { chunk_bytes: 16 * 100, ..ReadLimits::default() };
    assert_eq!(read(&path, limits).unwrap(), read(&write(folder.path(), &mut frame), limits).unwrap());
}

#[test]
fn an_unreadable_object_is_refused_by_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let path = folder.path().join("x.parquet");
        std::fs::write(&path, bytes).unwrap();
        read(&path, ReadLimits::default()).expect_err("refused")
    };
    assert!(matches!(refused(b""), SourceError::EmptyObject { .. }));
    assert!(matches!(refused(b"\x1f\x8b\x08\0"), SourceError::ParquetPacked { .. }));
    assert!(matches!(refused(b"a,b\n1,2\n"), SourceError::Parquet { .. }));
    let missing = read(&folder.path().join("none"), ReadLimits::default()).expect_err("missing");
    assert_eq!(missing.name(), sluice_core::error::ErrorName::NotFound);

    let binary = Column::new("blob".into(), [b"\xFF".as_slice()]);
    let path = write(folder.path(), &mut DataFrame::new(1, vec![binary]).unwrap());
    let error = read(&path, ReadLimits::default()).expect_err("binary");
    assert!(error.to_string().starts_with("object 'data': column `blob` is binary, which has no text form"), "{error}");

    let ours = Column::new("_run_id".into(), [1i64]);
    let path = write(folder.path(), &mut DataFrame::new(1, vec![ours]).unwrap());
    assert!(matches!(read(&path, ReadLimits::default()), Err(SourceError::Columns { .. })));

    let stream = SourceInput::Stream(Box::new(std::io::empty()));
    let error = read_columns(SourceFormat::Parquet, CsvSpec::default(), stream, "data").expect_err("stream");
    assert!(matches!(error, SourceError::ParquetStream { .. }));
}
