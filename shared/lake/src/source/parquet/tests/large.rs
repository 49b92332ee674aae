//! Files whose values take far more memory than the file has bytes.

use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use polars::prelude::DataFrame;
use sluice_core::spec::SourceFormat;

use super::{Write, Written, read, write_by_hand};
use crate::source::chunk::ReadLimits;
use crate::source::testing::WHOLE;
use crate::source::{SourceInput, SourceOptions, read_with_limits};

const MIB: usize = 1 << 20;

/// Bytes of all texts of a batch.
fn text_bytes(frame: &DataFrame) -> usize {
    let texts = frame.columns().iter().filter_map(|column| column.str().ok());
    texts.map(|texts| texts.iter().flatten().map(str::len).sum::<usize>()).sum()
}

/// Rows and bytes of the batches of a file, and the texts of its columns `n` and `b` as one line per row.
fn batches(schema: &str, leaves: &[&dyn Write], chunk_bytes: usize) -> (Vec<(usize, usize)>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_by_hand(&path, schema, leaves);
    let limits = ReadLimits { chunk_bytes, workers: 2, ..ReadLimits::default() };
    let (mut batches, mut lines) = (Vec::new(), Vec::new());
    let input = SourceInput::File(path);
    read_with_limits(SourceFormat::Parquet, &SourceOptions::default(), input, "data", WHOLE, limits, &mut |batch| {
        let frame = batch.frame;
        batches.push((frame.height(), text_bytes(&frame)));
        let column = |name: &str| frame.column(name).unwrap().str().unwrap().clone();
        let (numbers, texts) = (column("n"), column("b"));
        for (number, text) in numbers.iter().zip(texts.iter()) {
            lines.push(format!("{} {}", number.unwrap(), text.unwrap().len()));
        }
        Ok(())
    })
    .unwrap();
    (batches, lines)
}

#[test]
fn a_batch_is_bounded_by_its_texts_and_not_by_the_file() {
    // 5,000 records of one text of 20 kB: 100 MB of text in a file of some 60 kB.
    let text = ByteArray::from("x".repeat(20_000).as_str());
    let (batches, lines) = batches(
        "required int64 n; required binary b (UTF8);",
        &[
            &Written::<Int64Type>((0..5_000).collect(), &[], &[]),
            &Written::<ByteArrayType>(vec![text; 5_000], &[], &[]),
        ],
        MIB,
    );
    assert!(batches.iter().all(|(_, bytes)| *bytes <= 2 * MIB), "{batches:?}");
    let expected: Vec<String> = (0..5_000).map(|n| format!("{n} 20000")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_batch_stays_bounded_when_values_suddenly_grow() {
    let (small, large) = (ByteArray::from("x"), ByteArray::from("x".repeat(30_000).as_str()));
    let texts = [vec![small; 6_000], vec![large; 300]].concat();
    let (batches, lines) = batches(
        "required int64 n; required binary b (UTF8);",
        &[&Written::<Int64Type>((0..6_300).collect(), &[], &[]), &Written::<ByteArrayType>(texts, &[], &[])],
        MIB,
    );
    assert!(batches.iter().all(|(_, bytes)| *bytes <= 2 * MIB), "{batches:?}");
    // It learns: the first batch is small, and the ones after it grow while the values are small.
    assert_eq!(batches.first().map(|(rows, _)| *rows), Some(1_024));
    assert!(batches.iter().any(|(rows, _)| *rows == 4_096), "{batches:?}");
    let expected: Vec<String> = (0..6_300).map(|n| format!("{n} {}", if n < 6_000 { 1 } else { 30_000 })).collect();
    assert_eq!(lines, expected);
}

/// What is said of a file with these limits of a record; `None` if it is read.
fn refused(schema: &str, leaf: &dyn Write, record_bytes: usize) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_by_hand(&path, schema, &[leaf]);
    let error = read(&path, ReadLimits { record_bytes, ..ReadLimits::default() }).err()?;
    assert!(error.is_refusal(), "{error:?}");
    Some(sluice_core::error::with_sources(&error))
}

#[test]
fn a_record_that_is_too_large_is_refused_by_name() {
    const LIST: &str = "required group l (LIST) { repeated group list { required binary element (UTF8); } }";
    let texts = |lengths: &[usize]| -> Vec<ByteArray> {
        lengths.iter().map(|length| ByteArray::from("x".repeat(*length).as_str())).collect()
    };
    let check = |schema: &str, leaf: &dyn Write, column: &str| {
        let said = refused(schema, leaf, 200).unwrap_or_default();
        assert!(said.contains(&format!("column `{column}`, record 2: larger than 200 bytes")), "{schema}: {said}");
    };
    let text = "required binary b (UTF8);";
    assert_eq!(refused(text, &Written::<ByteArrayType>(texts(&[200]), &[], &[]), 200), None);
    check(text, &Written::<ByteArrayType>(texts(&[200, 201]), &[], &[]), "b");
    // Few elements, large together.
    check(LIST, &Written::<ByteArrayType>(texts(&[1, 90, 90, 90]), &[1, 1, 1, 1], &[0, 0, 1, 1]), "l");
    // Many small ones.
    let many = Written::<ByteArrayType>(texts(&[1; 14]), &[1; 14], &[0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    check(LIST, &many, "l");
}

#[test]
fn a_list_of_millions_of_nulls_is_refused_before_it_is_read() {
    let entries = 5 * MIB;
    let mut repetition = vec![1_i16; entries];
    repetition[0] = 0;
    let leaf = Written::<Int32Type>(Vec::new(), vec![1_i16; entries].leak(), repetition.leak());
    let schema = "required group l (LIST) { repeated group list { optional int32 element; } }";
    let said = refused(schema, &leaf, ReadLimits::default().record_bytes).unwrap_or_default();
    assert!(said.contains("column `l`, record 1: larger than 67108864 bytes"), "{said}");
}
