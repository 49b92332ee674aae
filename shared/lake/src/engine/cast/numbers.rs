//! Numbers and booleans from text: exactly what is written, or nothing.

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        fn nothing_panics(text in "\\PC{0,45}", numeric in "[-+0-9.eE]{0,45}", scale in 0_usize..=38) {
            for text in [text, numeric] {
                let (_, _, _) = (decimal(&text, 38, scale), integer::<i64>(&text), double(&text));
            }
        }
    }
}
