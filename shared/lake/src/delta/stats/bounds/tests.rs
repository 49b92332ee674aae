use super::*;

/// The bounds of a column that holds nothing but these two values, in any order of its row groups.
#[expect(clippy::needless_pass_by_value, reason = "the cases below are read more easily")]
fn bounds(low: Stored, high: Stored, column_type: ColumnType) -> (String, String) {
    let shown = |bound: Option<String>| bound.unwrap_or_else(|| "none".to_owned());
    (shown(lower(&low, &column_type)), shown(upper(&high, &column_type)))
}

fn decimals(scale: u8) -> ColumnType {
    ColumnType::Decimal { precision: 38, scale }
}

#[test]
fn every_type_has_bounds() {
    let check = |low: Stored, high: Stored, column_type: ColumnType, expected: (&str, &str)| {
        let found = bounds(low.clone(), high.clone(), column_type.clone());
        assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{low:?} {high:?} {column_type}");
    };
    let integer = Stored::Integer;
    check(Stored::Boolean(false), Stored::Boolean(true), ColumnType::Boolean, ("false", "true"));
    check(integer(-1), integer(i32::MAX.into()), ColumnType::Int32, ("-1", "2147483647"));
    check(
        integer(i64::MIN.into()),
        integer(i64::MAX.into()),
        ColumnType::Int64,
        ("-9223372036854775808", "9223372036854775807"),
    );
    check(Stored::Double(-1.5), Stored::Double(0.1), ColumnType::Double, ("-1.5", "0.1"));
    check(Stored::Double(f64::NEG_INFINITY), Stored::Double(f64::INFINITY), ColumnType::Double, ("none", "none"));
    let most = 10_i128.pow(38) - 1;
    check(
        integer(-most),
        integer(most),
        decimals(12),
        ("-99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
    );
    check(integer(-5), integer(0), decimals(2), ("-0.05", "0.00"));
    check(integer(-7), integer(7), decimals(0), ("-7", "7"));
    check(integer(-719_162), integer(2_932_896), ColumnType::Date, ("\"0001-01-01\"", "\"9999-12-31\""));
    check(integer(-719_163), integer(2_932_897), ColumnType::Date, ("none", "none"));
    check(
        Stored::Text("a\"\u{0}".to_owned()),
        Stored::Text("é".to_owned()),
        ColumnType::Text,
        (r#""a\"\u0000""#, "\"é\""),
    );
    check(Stored::Boolean(true), Stored::Boolean(true), ColumnType::Text, ("none", "none"));
}

#[test]
fn instants_are_rounded_outwards_to_milliseconds() {
    let check = |micros: i128, low: &str, high: &str| {
        let found = bounds(Stored::Integer(micros), Stored::Integer(micros), ColumnType::Timestamp);
        let quoted = |text: &str| if text == "none" { text.to_owned() } else { format!("\"{text}\"") };
        assert_eq!(found, (quoted(low), quoted(high)), "{micros}");
    };
    check(0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z");
    check(1_500, "1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.002Z");
    check(-1_500, "1969-12-31T23:59:59.998Z", "1969-12-31T23:59:59.999Z");
    check(253_402_214_400_000_000, "9999-12-31T00:00:00.000Z", "9999-12-31T00:00:00.000Z");
    check(253_402_300_799_999_999, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
    check(253_402_300_800_000_000, "none", "none");
    check(-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z");
    check(-62_135_596_800_000_001, "none", "0001-01-01T00:00:00.000Z");
}

#[test]
fn long_texts_are_cut_outwards() {
    let check = |text: &str, low: &str, high: &str| {
        let found = bounds(Stored::Text(text.to_owned()), Stored::Text(text.to_owned()), ColumnType::Text);
        let quoted = |text: &str| if text == "none" { text.to_owned() } else { format!("\"{text}\"") };
        assert_eq!(found, (quoted(low), quoted(high)), "{text}");
    };
    let a31 = "a".repeat(31);
    let [z30, z32] = [30, 32].map(|count| "z".repeat(count));
    check(&z32, &z32, &z32);
    check(&format!("{a31}bc"), &format!("{a31}b"), &format!("{}b", "a".repeat(30)));
    check(&format!("{z32}z"), &z32, &format!("{z30}{{"));
    let last = char::MAX.to_string();
    check(&format!("é{}", last.repeat(40)), &format!("é{}", last.repeat(31)), "ê");
    check(&last.repeat(33), &last.repeat(32), "none");
    check(&format!("{z30}\u{d7ff}{z32}"), &format!("{z30}\u{d7ff}z"), &format!("{z30}\u{e000}"));
}

#[test]
fn wide_decimals_keep_their_sign() {
    assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
    assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
    assert_eq!(big_endian(&[]), None);
}
