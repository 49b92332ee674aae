mod aside;
mod large;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType as Physical, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use polars::prelude::*;
use sluice_core::spec::SourceFormat;

use crate::source::chunk::ReadLimits;
use crate::source::testing::{Table, WHOLE, good, table};
use crate::source::{SourceBatch, SourceError, SourceInput, SourceOptions, read_columns, read_with_limits};

fn write(folder: &Path, frame: &mut DataFrame) -> PathBuf {
    // A name with everything that a path pattern or a partition could be mistaken for.
    let path = folder.join("a=1 [x]*%20é.parquet");
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file).with_row_group_size(Some(2)).finish(frame).unwrap();
    path
}

fn read(path: &Path, limits: ReadLimits) -> Result<Table, SourceError> {
    let mut frames = Vec::new();
    let input = SourceInput::File(path.to_owned());
    let mut sink = |batch: SourceBatch| {
        frames.push(batch.frame);
        Ok(())
    };
    let (format, options) = (SourceFormat::Parquet, SourceOptions::default());
    let summary = read_with_limits(format, &options, input, "data", WHOLE, limits, &mut sink)?;
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
    check(Column::new("unsigned".into(), [Some(u64::MAX), None]), &[Some("18446744073709551615"), None]);
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
    let lists: Vec<Series> = (0..1000i64).map(|n| Series::new("".into(), (0..n % 4).collect::<Vec<_>>())).collect();
    let columns = vec![Column::new("n".into(), numbers), Series::new("l".into(), lists).into_column()];
    let mut frame = DataFrame::new(1000, columns).unwrap();
    let path = write(folder.path(), &mut frame);
    let whole = read(&path, ReadLimits::default()).unwrap();
    assert_eq!(whole.rows.len(), 1000);
    assert_eq!(whole.rows[7], good(8, &[Some("7"), Some("[0,1,2]")]));
    for (chunk_bytes, workers) in [(300, 1), (1, 3), (7_000, 2)] {
        let limits = ReadLimits { chunk_bytes, workers, ..ReadLimits::default() };
        assert_eq!(read(&path, limits).unwrap(), whole, "{chunk_bytes} bytes, {workers} workers");
    }
    let input = SourceInput::File(path);
    assert_eq!(read_columns(SourceFormat::Parquet, &SourceOptions::default(), input, "data").unwrap(), ["n", "l"]);
}

/// A leaf of a hand-made file: values that are not null, definition and repetition levels.
struct Written<T: Physical>(Vec<T::T>, &'static [i16], &'static [i16]);

/// Appends a leaf to a row group.
trait Write {
    fn write(&self, group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, std::fs::File>);
}

impl<T: Physical> Write for Written<T> {
    fn write(&self, group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, std::fs::File>) {
        let mut column = group.next_column().unwrap().unwrap();
        let levels = |levels: &'static [i16]| (!levels.is_empty()).then_some(levels);
        column.typed::<T>().write_batch(&self.0, levels(self.1), levels(self.2)).unwrap();
        column.close().unwrap();
    }
}

/// Writes a file of one row group by its schema and leaves, as no writer of data frames would.
fn write_by_hand(path: &Path, schema: &str, leaves: &[&dyn Write]) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let mut file = SerializedFileWriter::new(std::fs::File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    leaves.iter().for_each(|leaf| leaf.write(&mut group));
    group.close().unwrap();
    file.close().unwrap();
}

fn by_hand(schema: &str, leaves: &[&dyn Write]) -> Result<Table, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_by_hand(&path, schema, leaves);
    read(&path, ReadLimits::default())
}

fn check_by_hand(schema: &str, leaves: &[&dyn Write], expected: &[Option<&str>]) {
    let table = by_hand(schema, leaves).unwrap();
    let expected: Vec<_> = expected.iter().zip(1..).map(|(text, row)| good(row, &[*text])).collect();
    assert_eq!(table.rows, expected, "{schema}");
}

#[test]
fn elements_keep_their_types() {
    check_by_hand(
        "optional group l (LIST) { repeated group list { optional int32 element (DECIMAL(9,2)); } }",
        &[&Written::<Int32Type>(vec![150, -5], &[3, 2, 1, 0, 3], &[0, 1, 0, 0, 0])],
        &[Some("[1.50,null]"), Some("[]"), None, Some("[-0.05]")],
    );
    check_by_hand(
        "optional group l (LIST) { repeated group list { optional group element {
           optional int64 at (TIMESTAMP(MICROS,true)); required binary name (UTF8); } } }",
        &[
            &Written::<Int64Type>(vec![1], &[4, 3, 2], &[0, 1, 1]),
            &Written::<ByteArrayType>(vec!["a".into(), "b\"".into()], &[3, 3, 2], &[0, 1, 1]),
        ],
        &[Some(r#"[{"at":"1970-01-01T00:00:00.000001Z","name":"a"},{"at":null,"name":"b\""},null]"#)],
    );
    check_by_hand(
        "required group m (MAP) { repeated group entries { required binary k (UTF8); optional int32 v (DATE); } }",
        &[
            &Written::<ByteArrayType>(vec!["a".into(), "b".into()], &[1, 1, 0], &[0, 1, 0]),
            &Written::<Int32Type>(vec![1], &[2, 1, 0], &[0, 1, 0]),
        ],
        &[Some(r#"[{"key":"a","value":"1970-01-02"},{"key":"b","value":null}]"#), Some("[]")],
    );
    check_by_hand(
        "optional group l (LIST) { repeated group list { optional group element (LIST) {
           repeated group list { optional boolean element; } } } }",
        &[&Written::<BoolType>(vec![true, false, true], &[5, 5, 2, 3, 5, 4], &[0, 2, 1, 1, 0, 2])],
        &[Some("[[true,false],null,[]]"), Some("[[true,null]]")],
    );
}

#[test]
fn lists_of_old_writers_are_lists() {
    let numbers = Written::<Int32Type>(vec![1, 2, 3], &[1, 1, 0, 1], &[0, 1, 0, 0]);
    check_by_hand("repeated int32 n;", &[&numbers], &[Some("[1,2]"), Some("[]"), Some("[3]")]);
    check_by_hand(
        "required group l (LIST) { repeated int32 array; }",
        &[&numbers],
        &[Some("[1,2]"), Some("[]"), Some("[3]")],
    );
    for name in ["array", "l_tuple"] {
        check_by_hand(
            &format!("required group l (LIST) {{ repeated group {name} {{ required int32 x; }} }}"),
            &[&numbers],
            &[Some(r#"[{"x":1},{"x":2}]"#), Some("[]"), Some(r#"[{"x":3}]"#)],
        );
    }
    check_by_hand(
        "required group l (LIST) { repeated group array (LIST) { repeated int32 array; } }",
        &[&Written::<Int32Type>(vec![1, 2, 3], &[2, 2, 2, 1], &[0, 2, 1, 0])],
        &[Some("[[1,2],[3]]"), Some("[[]]")],
    );
    check_by_hand(
        "repeated group g { required int32 a; repeated binary b (UTF8); }",
        &[
            &Written::<Int32Type>(vec![1, 2], &[1, 1], &[0, 1]),
            &Written::<ByteArrayType>(vec!["x".into(), "y".into()], &[2, 2, 1], &[0, 2, 1]),
        ],
        &[Some(r#"[{"a":1,"b":["x","y"]},{"a":2,"b":[]}]"#)],
    );
    check_by_hand(
        "required group m (MAP) { repeated group entries { required int32 k; } }",
        &[&numbers],
        &[Some("[1,2]"), Some("[]"), Some("[3]")],
    );
}

#[test]
fn instants_keep_their_zone_and_their_range() {
    let at = Written::<Int64Type>(vec![1], &[], &[]);
    check_by_hand("required int64 t (TIMESTAMP_MICROS);", &[&at], &[Some("1970-01-01T00:00:00.000001Z")]);
    check_by_hand("required int64 t (TIMESTAMP_MILLIS);", &[&at], &[Some("1970-01-01T00:00:00.001000Z")]);
    check_by_hand("required int64 t (TIMESTAMP(NANOS,false));", &[&at], &[Some("1970-01-01T00:00:00.000000001")]);
    check_by_hand(
        "required group s { required int64 t (TIMESTAMP(MILLIS,true)); }",
        &[&at],
        &[Some(r#"{"t":"1970-01-01T00:00:00.001000Z"}"#)],
    );
    let int96 = |day, nanos: u64| {
        let mut value = Int96::new();
        value.set_data(u32::try_from(nanos & 0xFFFF_FFFF).unwrap(), u32::try_from(nanos >> 32).unwrap(), day);
        value
    };
    // The last one is how Spark writes its last instants: the day is beyond what its 64 bits hold.
    let wrapped = int96((-105_862_232_i32).cast_unsigned(), 0_u64.wrapping_sub(32_509_551_616_000));
    let far = vec![int96(5_373_484, 86_399_999_999_000), int96(1_721_426, 0), int96(2_440_588, 1), wrapped];
    let expected = [
        "9999-12-31T23:59:59.999999",
        "0001-01-01T00:00:00.000000",
        "1970-01-01T00:00:00.000000001",
        "+290000-12-30T23:00:00.000000",
    ];
    check_by_hand("required int96 t;", &[&Written::<Int96Type>(far, &[], &[])], &expected.map(Some));
}

#[test]
fn values_of_few_bytes_are_exact() {
    let bytes = |bytes: &[u8]| FixedLenByteArray::from(bytes.to_vec());
    check_by_hand(
        "optional fixed_len_byte_array(2) h (FLOAT16);",
        &[&Written::<FixedLenByteArrayType>(vec![bytes(&[0, 0x3E]), bytes(&[0, 0x7E])], &[1, 0, 1], &[])],
        &[Some("1.5"), None, Some("NaN")],
    );
    check_by_hand(
        "required fixed_len_byte_array(16) u (UUID);",
        &[&Written::<FixedLenByteArrayType>(vec![bytes(b"0123456789abcdef")], &[], &[])],
        &[Some("30313233-3435-3637-3839-616263646566")],
    );
    check_by_hand(
        "required binary d (DECIMAL(20,2));",
        &[&Written::<ByteArrayType>(vec![ByteArray::from(vec![0xFF, 0x6A]), ByteArray::from(vec![0; 20])], &[], &[])],
        &[Some("-1.50"), Some("0.00")],
    );
    check_by_hand(
        "required int32 n (INTEGER(32,false));",
        &[&Written::<Int32Type>(vec![-1], &[], &[])],
        &[Some("4294967295")],
    );
}

#[test]
fn types_without_text_are_refused_by_name() {
    let binary = Written::<ByteArrayType>(vec!["a".into()], &[], &[]);
    let check = |schema: &str, leaf: &dyn Write, says: &str| {
        let error = by_hand(schema, &[leaf]).unwrap_err();
        assert!(error.is_refusal(), "{schema}: {error:?}");
        assert!(
            error.to_string().starts_with("object 'data': column `") && error.to_string().contains(says),
            "{error}"
        );
    };
    check("required binary b;", &binary, "`b` is binary, which has no text form; write it as a string");
    check("required binary b (BSON);", &binary, "`b` is BSON");
    check("required group s { required binary b; }", &binary, "`s.b` is binary");
    check("required binary d (DECIMAL(39,0));", &binary, "`d` is a decimal of 39 digits");
    let twelve = Written::<FixedLenByteArrayType>(vec![FixedLenByteArray::from(vec![0; 12])], &[], &[]);
    check("required fixed_len_byte_array(12) i (INTERVAL);", &twelve, "`i` is an interval");
    let two = Written::<Int32Type>(vec![1], &[], &[]);
    check("required group l (LIST) { required int32 x; }", &two, "`l` is a list without a repeated field");
}

/// Writes a file of three numbers whose footer `change` has changed.
fn with_footer(path: &Path, change: impl FnOnce(ParquetMetaData) -> ParquetMetaData) {
    write_by_hand(path, "required int64 n;", &[&Written::<Int64Type>(vec![1, 2, 3], &[], &[])]);
    let mut bytes = std::fs::read(path).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&std::fs::File::open(path).unwrap()).unwrap();
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap());
    bytes.truncate(bytes.len() - 8 - usize::try_from(length).unwrap());
    ParquetMetaDataWriter::new(&mut bytes, &change(metadata)).finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_footer_that_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    with_footer(&path, |metadata| metadata);
    assert_eq!(read(&path, ReadLimits::default()).unwrap().rows.len(), 3, "the file itself is right");
    let rows = |metadata: ParquetMetaData, rows| {
        let file = metadata.file_metadata();
        let schema = file.schema_descr_ptr();
        let file = FileMetaData::new(file.version(), rows, None, None, schema, file.column_orders().cloned());
        ParquetMetaData::new(file, metadata.row_groups().to_vec())
    };
    for announced in [0_u8, 2, 4] {
        // The library writes the sum of the row groups, so the number is replaced in the file: Thrift's field 3 of 64 bits, in zigzag,
        // before the list of row groups.
        with_footer(&path, |metadata| metadata);
        let mut bytes = std::fs::read(&path).unwrap();
        let place = bytes.windows(3).position(|window| window == [0x16, 6, 0x19]).expect("the number of rows");
        bytes[place + 1] = 2 * announced;
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path, ReadLimits::default()).unwrap_err();
        let expected = format!("its footer announces {announced} rows, but its row groups have 3");
        assert!(error.is_refusal() && error.to_string().contains(&expected), "{error}");
        let input = SourceInput::File(path.clone());
        assert!(read_columns(SourceFormat::Parquet, &SourceOptions::default(), input, "data").is_err(), "known before");
    }
    // More and fewer rows than the pages have, and footer and row group agree.
    for announced in [2, 4] {
        with_footer(&path, |metadata| {
            let metadata = rows(metadata, announced);
            let groups = metadata.row_groups().iter().cloned();
            let groups = groups.map(|group| group.into_builder().set_num_rows(announced).build().unwrap()).collect();
            ParquetMetaData::new(metadata.file_metadata().clone(), groups)
        });
        let error = read(&path, ReadLimits::default()).unwrap_err();
        assert!(error.is_refusal() && matches!(error, SourceError::Parquet { .. }), "{announced}: {error:?}");
    }
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

    let ours = Column::new("_run_id".into(), [1i64]);
    let path = write(folder.path(), &mut DataFrame::new(1, vec![ours]).unwrap());
    assert!(matches!(read(&path, ReadLimits::default()), Err(SourceError::Columns { .. })));

    let spans = Column::new("d".into(), [1i64]).cast(&DataType::Duration(TimeUnit::Microseconds)).unwrap();
    let path = write(folder.path(), &mut DataFrame::new(1, vec![spans]).unwrap());
    let error = read(&path, ReadLimits::default()).expect_err("a duration");
    assert!(error.to_string().contains("column `d` is a duration, which has no text form"), "{error}");

    let stream = SourceInput::Stream(Box::new(std::io::empty()));
    let error = read_columns(SourceFormat::Parquet, &SourceOptions::default(), stream, "data").expect_err("stream");
    assert!(matches!(error, SourceError::ParquetStream { .. }));
}

/// Every byte of a small file, changed: the file is read or refused, whatever the library does.
#[test]
fn damage_anywhere_ends_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_by_hand(
        &path,
        "optional group l (LIST) { repeated group list { optional group element {
           optional int64 at (TIMESTAMP(MICROS,true)); required binary name (UTF8); } } }",
        &[
            &Written::<Int64Type>(vec![1], &[4, 3, 2, 0, 1], &[0, 1, 1, 0, 0]),
            &Written::<ByteArrayType>(vec!["a".into(), "b".into()], &[3, 3, 2, 0, 1], &[0, 1, 1, 0, 0]),
        ],
    );
    let good = std::fs::read(&path).unwrap();
    let (mut refused, mut read_all) = (0, 0);
    for index in 0..good.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = good.clone();
            bytes[index] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            match read(&path, ReadLimits { workers: 1, ..ReadLimits::default() }) {
                Ok(_) => read_all += 1,
                Err(error) => {
                    assert!(error.is_refusal(), "byte {index}: {error:?}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > good.len() && read_all > 0, "{refused} refused, {read_all} read");
}
