//! What stands around the digits of a number: currencies, percent signs, and minus signs in other places.

use std::borrow::Cow;

use sluice_core::reading::Reading;
use sluice_core::spec::{Minus, Percent};

use super::numbers;

/// What may stand around the digits of the numbers in a column.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// The longest first: one may end with another.
    currency: Vec<String>,
    percent: Option<Percent>,
    parentheses: bool,
    minus_behind: bool,
}

impl Marks {
    /// Those that a reading has; `None` where it has none.
    pub(super) fn of(reading: &Reading) -> Option<Self> {
        let mut currency = reading.currency().to_vec();
        let (percent, minus) = (reading.percent(), reading.minus());
        if currency.is_empty() && percent.is_none() && minus.is_empty() {
            return None;
        }
        currency.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let (parentheses, minus_behind) = (minus.contains(&Minus::Parentheses), minus.contains(&Minus::Behind));
        Some(Self { currency, percent, parentheses, minus_behind })
    }

    /// A number as [`numbers::plain`] gives it, with `-` before it alone. Each mark may be there once, in any order and with
    /// white space between them; of the ways to say that it is below zero, one.
    pub(super) fn plain<'t>(
        &self,
        text: &'t str,
        decimal: Option<char>,
        thousands: Option<char>,
    ) -> Option<Cow<'t, str>> {
        let mut rest = text;
        let (mut is_negative, mut has_currency, mut has_percent) = (None, false, false);
        loop {
            let length = rest.len();
            if is_negative.is_none()
                && let Some((sign, inner)) = self.without_sign(rest)
            {
                (is_negative, rest) = (Some(sign), inner);
            }
            if !has_currency && let Some(inner) = self.without_currency(rest) {
                (has_currency, rest) = (true, inner);
            }
            if !has_percent
                && self.percent.is_some()
                && let Some(inner) = rest.strip_suffix('%')
            {
                (has_percent, rest) = (true, inner);
            }
            rest = rest.trim();
            if rest.len() == length {
                break;
            }
        }
        // What `plain` takes for a sign would be a second one.
        if rest.starts_with(['+', '-']) || !rest.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut number = numbers::plain(rest, decimal, thousands)?;
        if has_percent && self.percent == Some(Percent::Fraction) {
            number = Cow::Owned(hundredth(&number)?);
        }
        Some(if is_negative == Some(true) { Cow::Owned(format!("-{number}")) } else { number })
    }

    /// The text without its sign, and whether that is one of numbers below zero.
    fn without_sign<'t>(&self, text: &'t str) -> Option<(bool, &'t str)> {
        if let Some(inner) = text.strip_prefix('-') {
            return Some((true, inner));
        }
        if let Some(inner) = text.strip_prefix('+') {
            return Some((false, inner));
        }
        let behind = text.strip_suffix('-').filter(|_| self.minus_behind);
        let within = || text.strip_prefix('(')?.strip_suffix(')');
        behind.or_else(|| within().filter(|_| self.parentheses)).map(|inner| (true, inner))
    }

    fn without_currency<'t>(&self, text: &'t str) -> Option<&'t str> {
        let without =
            |currency: &String| text.strip_prefix(currency.as_str()).or_else(|| text.strip_suffix(currency.as_str()));
        self.currency.iter().find_map(without)
    }
}

/// A hundredth of a number of digits with or without `.`; `None` for one with an exponent.
fn hundredth(number: &str) -> Option<String> {
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = format!("{whole:0>3}");
    let (before, behind) = whole.split_at_checked(whole.len().checked_sub(2)?)?;
    Some(format!("{before}.{behind}{fraction}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks(percent: Percent) -> Marks {
        let currency = ["US$", "$", "€", "kr."].map(str::to_owned).to_vec();
        Marks { currency, percent: Some(percent), parentheses: true, minus_behind: true }
    }

    fn plain(percent: Percent, text: &str) -> Option<String> {
        marks(percent).plain(text, Some('.'), Some(',')).map(Cow::into_owned)
    }

    #[test]
    fn marks_around_a_number_are_read() {
        let check = |text: &str, expected: &str| {
            assert_eq!(plain(Percent::Number, text).as_deref(), Some(expected), "{text:?}");
        };
        check("$1,234.50", "1234.50");
        check("-$1,234.50", "-1234.50");
        check("$-1,234.50", "-1234.50");
        check("($1,234.50)", "-1234.50");
        check("$(1,234.50)", "-1234.50");
        check("( 12 ) €", "-12");
        check("1,234.50 US$", "1234.50");
        check("12 kr.", "12");
        check("12-", "-12");
        check("12- €", "-12");
        check("12\u{a0}€", "12");
        check("12 %", "12");
        check("(12%)", "-12");
        check("(12)%", "-12");
        check("+12", "12");
        check("12", "12");
        check(".5", ".5");
    }

    #[test]
    fn a_percent_is_a_hundredth_where_the_reading_says_so() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(plain(Percent::Fraction, text).as_deref(), expected, "{text:?}");
        };
        check("12 %", Some("0.12"));
        check("12.5%", Some("0.125"));
        check("-7%", Some("-0.07"));
        check("1,250 %", Some("12.50"));
        check("0%", Some("0.00"));
        check("12", Some("12"));
        check("1e3%", None);
    }

    #[test]
    fn what_is_written_twice_is_not_a_number() {
        for text in
            ["--1", "-(1)", "(-1)", "-1-", "(1)-", "$$1", "$1€", "1%%", "$", "%", "()", "-", "", "(1", "1)", "£1"]
        {
            assert_eq!(plain(Percent::Number, text), None, "{text:?}");
        }
        let none = Marks { currency: Vec::new(), percent: None, parentheses: false, minus_behind: false };
        for text in ["(1)", "1-", "1%", "$1"] {
            assert_eq!(none.plain(text, Some('.'), None), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_read_what_they_print_with_any_marks(
            cents in -10_000_000_000_i64..10_000_000_000,
            currency in prop::sample::select(vec!["", "$", "US$", " €", "€ ", "kr. "]),
            behind in any::<bool>(),
            way in 0_usize..3,
            outside in any::<bool>(),
        ) {
            let magnitude = cents.unsigned_abs();
            let number = format!("{}.{:02}", magnitude / 100, magnitude % 100);
            let signed = |text: String| match (cents < 0, way) {
                (false, _) => text,
                (true, 0) => format!("-{text}"),
                (true, 1) => format!("({text})"),
                (true, _) => format!("{text}-"),
            };
            let marked = |text: String| if behind { format!("{text}{currency}") } else { format!("{currency}{text}") };
            let printed = if outside { marked(signed(number)) } else { signed(marked(number)) };
            let read = plain(Percent::Number, &printed).and_then(|text| numbers::decimal(&text, 20, 2));
            prop_assert_eq!(read, Some(i128::from(cents)), "{}", printed);
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,20}", numeric in "[-+0-9.,$€()% ]{0,20}") {
            for text in [text, numeric] {
                let _ = (plain(Percent::Fraction, &text), plain(Percent::Number, &text));
            }
        }
    }
}
