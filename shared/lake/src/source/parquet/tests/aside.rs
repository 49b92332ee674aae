//! Values that have no text of their column's type.

use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type};

use super::{Written, by_hand};
use crate::source::testing::{corrupt, good};

#[test]
fn a_value_without_text_sets_its_record_aside_and_no_other() {
    let day = 86_400_000_000;
    let texts = vec!["é".into(), "b".into(), ByteArray::from(vec![b'c', 0xFF]), "d".into()];
    let table = by_hand(
        "required int64 t (TIME_MICROS); required binary b (UTF8); required int32 n (INTEGER(8,true));",
        &[
            &Written::<Int64Type>(vec![0, day + 1, -1, day], &[], &[]),
            &Written::<ByteArrayType>(texts, &[], &[]),
            &Written::<Int32Type>(vec![1, 2, 3, 128], &[], &[]),
        ],
    )
    .unwrap();
    let expected = [
        good(1, &[Some("00:00:00.000000"), Some("é"), Some("1")]),
        corrupt(2, 3, r#"{"t":"86400000001","b":"b","n":"2"}"#),
        corrupt(3, 3, "{\"t\":\"-1\",\"b\":\"c\u{FFFD}\",\"n\":\"3\"}"),
        corrupt(4, 3, r#"{"t":"24:00:00.000000","b":"d","n":"128"}"#),
    ];
    assert_eq!(table.rows, expected);
    let reason = |row: u32, column: &str, problem: &str| {
        format!("record {row} has a value in column `{column}` that {problem}; correct it at the source")
    };
    let expected = [
        reason(2, "t", "is not a time between 00:00 and 24:00"),
        reason(3, "t", "is not a time between 00:00 and 24:00"),
        reason(4, "n", "leaves the range of its column's type"),
    ];
    assert_eq!(table.reasons, expected);
}

#[test]
fn a_nested_value_without_text_sets_its_record_aside() {
    let table = by_hand(
        "repeated fixed_len_byte_array(3) u (DECIMAL(6,2)); repeated binary b (UTF8);",
        &[
            &Written::<FixedLenByteArrayType>(
                vec![FixedLenByteArray::from(vec![0, 0, 150]), FixedLenByteArray::from(vec![0, 0, 1])],
                &[1, 1],
                &[0, 0],
            ),
            &Written::<ByteArrayType>(
                vec!["a".into(), ByteArray::from(vec![0xFF]), "b".into()],
                &[1, 1, 1],
                &[0, 1, 0],
            ),
        ],
    )
    .unwrap();
    let expected = [
        corrupt(1, 2, "{\"u\":\"[1.50]\",\"b\":\"[\\\"a\\\",\\\"\u{FFFD}\\\"]\"}"),
        good(2, &[Some("[0.01]"), Some(r#"["b"]"#)]),
    ];
    assert_eq!(table.rows, expected);
    assert!(table.reasons[0].contains("column `b` that is not UTF-8"), "{:?}", table.reasons);
}
