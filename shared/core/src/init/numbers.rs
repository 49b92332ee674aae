//! Numbers as people and programs write them: the grammar of the engine, for every pair of signs.

/// The signs of a way to write numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// Before the fraction.
    pub(super) decimal: char,
    /// Between groups of three digits.
    pub(super) thousands: Option<char>,
}

/// The ways to write numbers, the usual first: of two that read the same texts, the first is meant.
pub(super) const SIGNS: [Signs; 11] = [
    signs('.', None),
    signs('.', Some(',')),
    signs(',', None),
    signs(',', Some('.')),
    signs(',', Some(' ')),
    signs(',', Some('\u{a0}')),
    signs(',', Some('\u{202f}')),
    signs('.', Some(' ')),
    signs('.', Some('\u{a0}')),
    signs('.', Some('\'')),
    signs('.', Some('’')),
];

const fn signs(decimal: char, thousands: Option<char>) -> Signs {
    Signs { decimal, thousands }
}

/// For each of [`SIGNS`], whether its sign between thousands occurs in one of the texts.
pub(super) fn occurring<'t>(texts: impl Iterator<Item = &'t str>) -> [bool; SIGNS.len()] {
    let mut met = [false; SIGNS.len()];
    for text in texts {
        for (signs, is_met) in SIGNS.iter().zip(&mut met) {
            *is_met = *is_met || signs.thousands.is_some_and(|sign| text.contains(sign));
        }
    }
    met
}

/// What a text is as a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number {
    /// With `.` before the fraction and without thousands signs.
    pub(super) plain: String,
    /// Digits before the fraction, without zeros that mean nothing.
    pub(super) whole: usize,
    /// Digits of the fraction.
    pub(super) fraction: usize,
    /// Whether it has an exponent.
    pub(super) has_exponent: bool,
    /// Whether it begins with a zero that means nothing, or with `+`, as codes do.
    pub(super) is_code: bool,
}

impl Number {
    /// For comparisons.
    pub(super) fn value(&self) -> f64 {
        self.plain.parse().unwrap_or(f64::NAN)
    }

    /// Whether it is whole, without point and exponent.
    pub(super) fn is_whole(&self) -> bool {
        !self.has_exponent && !self.plain.contains('.')
    }

    /// Its digits, from the first that is not zero on.
    pub(super) fn significant_digits(&self) -> usize {
        let mantissa = self.plain.split(['e', 'E']).next().unwrap_or_default();
        mantissa.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0').count()
    }

    /// Whether a whole number of 64 bits holds it.
    pub(super) fn fits_64_bits(&self) -> bool {
        self.plain.parse::<i64>().is_ok()
    }
}

/// Reads a whole text as a number.
pub(super) fn number(text: &str, signs: Signs) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.get(..text.len() - digits.len())?;
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let (whole, fraction) = match mantissa.split_once(signs.decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = ungrouped(whole, signs.thousands)?;
    let fraction_digits = fraction.unwrap_or_default();
    let has_digits = !(whole.is_empty() && fraction_digits.is_empty());
    if !has_digits || !are_digits(fraction_digits) || !is_exponent(exponent) {
        return None;
    }
    let mut plain = format!("{sign}{whole}");
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    plain.push_str(exponent);
    let has_exponent = !exponent.is_empty();
    if has_exponent && !plain.parse::<f64>().is_ok_and(f64::is_finite) {
        return None;
    }
    let is_code = sign == "+" || (whole.len() > 1 && whole.starts_with('0'));
    let whole = whole.trim_start_matches('0').len();
    Some(Number { plain, whole, fraction: fraction_digits.len(), has_exponent, is_code })
}

/// Digits without the signs between groups of three.
fn ungrouped(whole: &str, thousands: Option<char>) -> Option<String> {
    let Some(sign) = thousands.filter(|sign| whole.contains(*sign)) else {
        return are_digits(whole).then(|| whole.to_owned());
    };
    let mut read = String::with_capacity(whole.len());
    for (index, group) in whole.split(sign).enumerate() {
        let fits = if index == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 };
        if !fits || !are_digits(group) {
            return None;
        }
        read.push_str(group);
    }
    Some(read)
}

fn is_exponent(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return text.is_empty() };
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    !digits.is_empty() && are_digits(digits)
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_own_signs() {
        let check = |text: &str, decimal: char, thousands: Option<char>, expected: Option<&str>| {
            let read = number(text, Signs { decimal, thousands });
            assert_eq!(read.as_ref().map(|number| number.plain.as_str()), expected, "{text}");
        };
        check("12", '.', None, Some("12"));
        check("-1.50", '.', None, Some("-1.50"));
        check(".5", '.', None, Some(".5"));
        check("5.", '.', None, Some("5."));
        check("1e-3", '.', None, Some("1e-3"));
        check("1.299,99", ',', Some('.'), Some("1299.99"));
        check("1299,99", ',', Some('.'), Some("1299.99"));
        check("1,234,567", '.', Some(','), Some("1234567"));
        check("1.23,4", ',', Some('.'), None);
        check("1,2,3", ',', None, None);
        for text in ["", "-", ".", "1.2.3", "1e", "e5", "0x1", "1 000", "12-", "inf", "1e999", "٣"] {
            check(text, '.', None, None);
        }
    }

    #[test]
    fn thousands_signs_that_occur_are_known() {
        let check = |texts: &[&str], expected: &str| {
            let met = SIGNS.iter().zip(occurring(texts.iter().copied())).filter(|(_, is_met)| *is_met);
            let found: String = met.filter_map(|(signs, _)| signs.thousands).collect();
            assert_eq!(found, expected, "{texts:?}");
        };
        check(&["1.5", "2"], ".");
        check(&["1,5", "1 000"], ",  ");
        check(&["12"], "");
    }

    #[test]
    fn zeros_in_front_and_a_plus_are_those_of_codes() {
        let check = |text: &str, is_code: bool, whole: usize, fraction: usize| {
            let read = number(text, signs('.', None)).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.is_code, read.whole, read.fraction), (is_code, whole, fraction), "{text}");
        };
        check("0", false, 0, 0);
        check("007", true, 1, 0);
        check("0.50", false, 0, 2);
        check("+4912345", true, 7, 0);
        check("-12.5", false, 2, 1);
        assert!(!number("9223372036854775808", signs('.', None)).is_some_and(|number| number.fits_64_bits()));
    }
}
