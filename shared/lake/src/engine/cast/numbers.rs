//! Numbers and booleans from text: exactly what is written, or nothing.

use std::borrow::Cow;

/// An integer: `[+-]?digits`, in range.
pub(in crate::engine) fn integer<N: std::str::FromStr>(text: &str) -> Option<N> {
    // The standard library reads exactly this grammar for integers, and reports overflow.
    text.parse().ok()
}

/// A decimal as a multiple of 10^-`scale` with at most `precision` digits: `[+-]?digits[.digits]`, one side of the point
/// may be empty. More digits after the point than the scale has are accepted only when they are zeros.
pub(in crate::engine) fn decimal(text: &str, precision: u32, scale: usize) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let point = memchr::memchr(b'.', digits);
    let (whole, fraction) = match point {
        Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(scale));
    if dropped.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let padding = u32::try_from(scale - kept.len()).ok()?;
    let magnitude = if whole.len() + scale <= 18 {
        // At most 18 digits fit a u64 with room, which is far faster than 128 bits.
        let value = digits_u64(kept, digits_u64(whole, 0)?)?;
        u128::from(value * 10_u64.pow(padding))
    } else {
        let value = digits_u128(kept, digits_u128(whole, 0)?)?;
        value.checked_mul(10_u128.checked_pow(padding)?)?
    };
    if magnitude >= 10_u128.checked_pow(precision)? {
        return None;
    }
    let value = i128::try_from(magnitude).ok()?;
    Some(if negative { -value } else { value })
}

fn digits_u64(digits: &[u8], start: u64) -> Option<u64> {
    let mut value = start;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

fn digits_u128(digits: &[u8], start: u128) -> Option<u128> {
    let mut value = start;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u128::from(digit))?;
    }
    Some(value)
}

/// A double: plain or exponent notation, finite.
pub(in crate::engine) fn double(text: &str) -> Option<f64> {
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.as_bytes().iter().all(plain) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// `true` or `false`, in any case.
pub(in crate::engine) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A number with other signs as the readers above take it: with `.` before the fraction and without thousands signs.
/// `decimal` is the sign before the fraction, `None` for whole numbers.
///
/// Where the whole part has a separator, it is in groups of three digits: one in another place may be a decimal sign
/// that the spec does not know, so such a text is not a number.
pub(in crate::engine) fn plain(text: &str, decimal: Option<char>, thousands: Option<char>) -> Option<Cow<'_, str>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if are_digits(digits) {
        return Some(Cow::Borrowed(text));
    }
    let sign = text.get(..text.len() - digits.len())?;
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let (whole, fraction) = match decimal.and_then(|decimal| mantissa.split_once(decimal)) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let mut read = String::with_capacity(text.len());
    read.push_str(sign);
    let mut groups = thousands.into_iter().flat_map(|thousands| whole.split(thousands)).peekable();
    let first = groups.next().unwrap_or(whole);
    let is_grouped = groups.peek().is_some();
    if is_grouped && !(1..=3).contains(&first.len()) || !are_digits(first) {
        return None;
    }
    read.push_str(first);
    for group in groups {
        if group.len() != 3 || !are_digits(group) {
            return None;
        }
        read.push_str(group);
    }
    if let Some(fraction) = fraction {
        if !are_digits(fraction) {
            return None;
        }
        read.push('.');
        read.push_str(fraction);
    }
    read.push_str(exponent);
    Some(Cow::Owned(read))
}

/// Whether a text has no sign but digits; one side of a decimal sign may be empty.
fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_the_signs_that_their_column_says() {
        let check = |signs: &str, text: &str, expected: Option<&str>| {
            let mut signs = signs.chars();
            let plain = plain(text, signs.next(), signs.next());
            assert_eq!(plain.as_deref(), expected, "{text:?}");
        };
        check(",.", "1.299,99", Some("1299.99"));
        check(",.", "-1.234.567,80", Some("-1234567.80"));
        check(",.", "1299,99", Some("1299.99"));
        check(",.", "+5", Some("+5"));
        check(",.", ",5", Some(".5"));
        check(",.", "5,", Some("5."));
        check(",.", "1.000", Some("1000"));
        check(",.", "1,5e3", Some("1.5e3"));
        check(".,", "100,000.00", Some("100000.00"));
        check(".'", "1'000'000", Some("1000000"));
        check(",\u{a0}", "1\u{a0}000,5", Some("1000.5"));
        check(",", "1,5", Some("1.5"));
        for text in ["1.23.4", "1.2", "1.2345,6", "1234.567,8", ".123", "1.", "1..000", "1.000.", "1.000,0.0", "1,2,3"]
        {
            check(",.", text, None);
        }
        for text in ["1.5", "1.000,5", "1 000,5", "abc", "--1", "1-000"] {
            check(",", text, None);
        }
    }

    #[test]
    fn whole_numbers_have_no_decimal_sign() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(plain(text, None, Some('.')).as_deref(), expected, "{text:?}");
        };
        check("1.234.567", Some("1234567"));
        check("1234", Some("1234"));
        check("1.5", None);
        check("1,5", None);
    }

    #[test]
    fn integers_are_digits_in_range() {
        let check = |text: &str, expected: Option<i32>| assert_eq!(integer(text), expected, "{text:?}");
        check("0", Some(0));
        check("-0012", Some(-12));
        check("+7", Some(7));
        check("2147483647", Some(i32::MAX));
        check("-2147483648", Some(i32::MIN));
        for text in ["2147483648", "1,000", "1.0", "1e3", "", "-", "+", "- 1", "0x10", "1_000", "١", "--1", "1 "] {
            check(text, None);
        }
    }

    #[test]
    fn decimals_are_exact_or_unreadable() {
        let check = |text: &str, expected: Option<i128>| assert_eq!(decimal(text, 5, 2), expected, "{text:?}");
        check("1", Some(100));
        check("-1.5", Some(-150));
        check("+1.50", Some(150));
        check("1.500000", Some(150));
        check(".5", Some(50));
        check("5.", Some(500));
        check("999.99", Some(99_999));
        check("-999.99", Some(-99_999));
        check("000000000000000000000000000000000000000000000000001.25", Some(125));
        check("0", Some(0));
        for text in [
            "1000",
            "999.991",
            "1.005",
            "1,5",
            "1.000,5",
            "1e2",
            "",
            ".",
            "-",
            "-.",
            "+",
            "1.2.3",
            "abc",
            "1 000",
            "NaN",
            "inf",
            "0x1",
            "1.٢",
            "100000000000000000000000000000000000000000",
        ] {
            check(text, None);
        }
        assert_eq!(decimal(&"9".repeat(38), 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(decimal(&"9".repeat(39), 38, 0), None);
        assert_eq!(decimal("0.00000000000000000000000000000000000001", 38, 38), Some(1));
    }

    #[test]
    fn doubles_are_finite_numbers() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(double(text), expected, "{text:?}");
        check("1.5", Some(1.5));
        check("-1e3", Some(-1000.0));
        check("1E-2", Some(0.01));
        for text in ["inf", "-Infinity", "nan", "1e999", "1,5", "", ".", "e5", "1f", "0x1p3"] {
            check(text, None);
        }
    }

    #[test]
    fn booleans_are_two_words() {
        let check = |text: &str, expected: Option<bool>| assert_eq!(boolean(text), expected, "{text:?}");
        check("true", Some(true));
        check("FALSE", Some(false));
        for text in ["1", "0", "yes", "t", "", "tru", "wahr"] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn decimals_read_what_they_print(value in -10_i128.pow(38) + 1..10_i128.pow(38), scale in 0_usize..=38) {
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let sign = if value < 0 { "-" } else { "" };
            prop_assert_eq!(decimal(&format!("{sign}{whole}.{fraction}"), 38, scale), Some(value));
        }

        #[test]
        fn numbers_read_what_they_print_with_any_signs(
            value in -10_i128.pow(30)..10_i128.pow(30),
            scale in 0_usize..=12,
            signs in prop::sample::select(vec![(',', '.'), ('.', ','), (',', ' '), ('.', '\''), (',', '\u{202f}')]),
            grouped in any::<bool>(),
        ) {
            let (decimal_sign, thousands) = signs;
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let mut printed = if value < 0 { "-".to_owned() } else { String::new() };
            for (index, digit) in whole.chars().enumerate() {
                if grouped && index > 0 && (whole.len() - index).is_multiple_of(3) {
                    printed.push(thousands);
                }
                printed.push(digit);
            }
            printed.push(decimal_sign);
            printed.push_str(fraction);
            let plain = plain(&printed, Some(decimal_sign), Some(thousands));
            prop_assert_eq!(plain.and_then(|text| decimal(&text, 38, scale)), Some(value), "{}", printed);
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,45}", numeric in "[-+0-9.eE]{0,45}", scale in 0_usize..=38) {
            for text in [text, numeric] {
                let (_, _, _) = (decimal(&text, 38, scale), integer::<i64>(&text), double(&text));
                let (_, _) = (plain(&text, Some(','), Some('.')), plain(&text, Some('.'), Some('\u{a0}')));
            }
        }
    }
}
