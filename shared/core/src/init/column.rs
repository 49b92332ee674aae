//! The type of a column, and how its texts are read.

use std::collections::BTreeSet;

use super::numbers::{Number, SIGNS, Signs, number, occurring};
use super::times::{self, Order};
use super::{hints, signs, words};
use crate::contract::ColumnType;
use crate::name::ColumnName;

/// Digits that a DOUBLE keeps of every number.
const DOUBLE_DIGITS: usize = 17;
/// Digits of decimals, unless they need more.
const DECIMAL_DIGITS: usize = 18;
/// Digits that a decimal can have.
const MOST_DIGITS: usize = 38;
/// Values from which on a constant number of digits is no chance, also where none of them is a zero at the end.
const FIXED_FROM: usize = 30;
/// Values from which the patterns of dates are taken.
const PATTERN_VALUES: usize = 3;

/// One column of all samples.
pub(super) struct Column<'a> {
    /// Name in the files.
    pub(super) source: &'a str,
    /// Name in the contract.
    pub(super) name: ColumnName,
    /// One for each record of all files.
    pub(super) cells: Vec<Option<&'a str>>,
    /// Files that lack it.
    pub(super) missing_in: Vec<&'a str>,
    /// Whether some of its values are long digits in quotes of JSON, as ids are written.
    pub(super) has_digit_strings: bool,
}

/// What other columns of the files prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Proof {
    /// The sign before fractions.
    pub(super) decimal: Option<char>,
    /// The order of day and month.
    pub(super) order: Option<Order>,
}

/// How the texts of a column are read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) column_type: ColumnType,
    pub(super) decimal: Option<char>,
    pub(super) thousands: Option<char>,
    pub(super) truths: Option<(Vec<String>, Vec<String>)>,
    pub(super) formats: Vec<String>,
    /// Words of the column that mean null in it.
    pub(super) nulls: BTreeSet<String>,
    /// Rows whose text cannot be read.
    pub(super) refused: Vec<usize>,
    pub(super) range: Option<(String, String)>,
    pub(super) proof: Proof,
    pub(super) notes: Vec<String>,
    /// Whether it has instants without an offset from UTC.
    pub(super) is_local: bool,
}

impl Read {
    fn of(column_type: ColumnType) -> Self {
        Self {
            column_type,
            decimal: None,
            thousands: None,
            truths: None,
            formats: Vec::new(),
            nulls: BTreeSet::new(),
            refused: Vec::new(),
            range: None,
            proof: Proof::default(),
            notes: Vec::new(),
            is_local: false,
        }
    }

    fn text(notes: impl IntoIterator<Item = String>) -> Self {
        Self { notes: notes.into_iter().collect(), ..Self::of(ColumnType::Text) }
    }
}

/// The texts of a column that are no words for null, each with its row.
struct Values<'a> {
    name: &'a str,
    texts: Vec<(usize, &'a str)>,
    /// Most values that a type may refuse.
    allowed: usize,
    proof: Proof,
    has_digit_strings: bool,
}

/// Says how a column is read. `is_strict`: no value may be refused, so that the column is text rather.
pub(super) fn read(column: &Column<'_>, proof: Proof, is_strict: bool) -> Read {
    let cells = column.cells.iter().enumerate().filter_map(|(row, cell)| Some((row, (*cell)?.trim_ascii())));
    let (nulls, texts): (Vec<_>, Vec<_>) =
        cells.filter(|(_, text)| !text.is_empty()).partition(|(_, text)| words::may_be_null(text));
    let allowed = if is_strict { 0 } else { texts.len() / 50 };
    let (name, has_digit_strings) = (column.name.as_str(), column.has_digit_strings);
    let values = Values { name, texts, allowed, proof, has_digit_strings };
    if values.texts.is_empty() {
        return Read::text([]);
    }
    let read = typed(&values);
    if read.column_type == ColumnType::Text {
        return read;
    }
    let nulls = nulls.into_iter().map(|(_, text)| text.to_owned()).chain(read.nulls);
    Read { nulls: nulls.collect(), ..read }
}

fn typed(values: &Values<'_>) -> Read {
    let texts: Vec<&str> = values.texts.iter().map(|(_, text)| *text).collect();
    if hints::is_code(values.name) || hints::are_cards(values.name, &texts) {
        return Read::text([]);
    }
    let found = truth(values, &texts)
        .or_else(|| iso_times(values))
        .or_else(|| counted_times(values))
        .or_else(|| numbers(values))
        .or_else(|| written_times(values));
    let found = found.unwrap_or_else(|| Read::text(signs::note(&texts)));
    if values.has_digit_strings && found.column_type == ColumnType::Int64 {
        return Read::text(["long digits in quotes of JSON, as ids are written".to_owned()]);
    }
    found
}

impl Values<'_> {
    /// Rows whose text is not one of these, where they are few enough and not all.
    fn refused(&self, is_one: impl Fn(&str) -> bool) -> Option<Vec<usize>> {
        let mut refused = Vec::new();
        for &(row, text) in &self.texts {
            if is_one(text) {
                continue;
            }
            if refused.len() == self.allowed {
                return None;
            }
            refused.push(row);
        }
        (refused.len() < self.texts.len()).then_some(refused)
    }
}

fn truth(values: &Values<'_>, texts: &[&str]) -> Option<Read> {
    let is_word = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    if let Some(refused) = values.refused(is_word) {
        return Some(Read { refused, ..Read::of(ColumnType::Boolean) });
    }
    let mut distinct: Vec<&str> = Vec::new();
    for text in texts {
        if !distinct.contains(text) {
            distinct.push(text);
        }
        // Words for two values, in a few spellings.
        if distinct.len() > 6 {
            return None;
        }
    }
    let truths = words::truths(&distinct, hints::is_flag(values.name))?;
    Some(Read { truths: Some(truths), ..Read::of(ColumnType::Boolean) })
}

fn iso_times(values: &Values<'_>) -> Option<Read> {
    let refused = values.refused(|text| times::is_iso_instant(text) || words::is_null_date(text))?;
    let dates = || values.texts.iter().map(|(_, text)| *text).filter(|text| times::is_iso_instant(text));
    let nulls: BTreeSet<String> = null_dates(values);
    let (least, greatest) = (dates().min()?, dates().max()?);
    if dates().all(times::is_iso_day) {
        let range = Some((least.to_owned(), greatest.to_owned()));
        return Some(Read { refused, nulls, range, ..Read::of(ColumnType::Date) });
    }
    let has_offset = |text: &str| text.get(10..).is_some_and(|time| time.contains(['Z', '+', '-']));
    let is_local = !dates().all(has_offset);
    Some(Read { refused, nulls, is_local, ..Read::of(ColumnType::Timestamp) })
}

fn null_dates(values: &Values<'_>) -> BTreeSet<String> {
    let nulls = values.texts.iter().filter(|(_, text)| words::is_null_date(text));
    nulls.map(|(_, text)| (*text).to_owned()).collect()
}

/// Days as eight digits, and counts since 1970: only where the name and all values say so.
fn counted_times(values: &Values<'_>) -> Option<Read> {
    let all = |is_one: &dyn Fn(&str) -> bool| values.texts.iter().all(|&(_, text)| is_one(text));
    let is_year = |text: &str| text.starts_with("19") || text.starts_with("20");
    let is_eight_digits = |text: &str| text.len() == 8 && is_year(text) && times::reads("%Y%m%d", text);
    if hints::is_day(values.name) && all(&is_eight_digits) {
        return Some(Read { formats: vec!["%Y%m%d".to_owned()], ..Read::of(ColumnType::Date) });
    }
    if !hints::is_time(values.name) {
        return None;
    }
    // The years 2000 to 2099.
    let (from, to) = (946_684_800_i128, 4_102_444_800_i128);
    let units = [
        ("epoch_seconds", 1),
        ("epoch_milliseconds", 1000),
        ("epoch_microseconds", 1_000_000),
        ("epoch_nanoseconds", 1_000_000_000),
    ];
    let is_count = |text: &str, unit: i128| {
        text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<i128>().is_ok_and(|count| (from * unit..to * unit).contains(&count))
            // A timestamp keeps microseconds.
            && (unit < 1_000_000_000 || text.ends_with("000"))
    };
    let (format, _) = units.into_iter().find(|(_, unit)| all(&|text: &str| is_count(text, *unit)))?;
    let notes = vec![format!("{format}: the name and all values say so")];
    Some(Read { formats: vec![format.to_owned()], notes, ..Read::of(ColumnType::Timestamp) })
}

/// The decimal comma in `SIGNS`, and the ways to write numbers with one.
const COMMA: usize = 2;
const COMMAS: std::ops::RangeInclusive<usize> = 2..=6;

/// Rows that each of `SIGNS` refuses; `None` where these are too many. A sign between thousands that occurs in no text
/// changes nothing, so that most ways need not be tried.
fn refusals(values: &Values<'_>) -> Vec<Option<Vec<usize>>> {
    let met = occurring(values.texts.iter().map(|(_, text)| *text));
    let mut found: Vec<Option<Vec<usize>>> = Vec::with_capacity(SIGNS.len());
    for (signs, is_met) in SIGNS.into_iter().zip(met) {
        let same = if signs.decimal == ',' { COMMA } else { 0 };
        let refused = match found.get(same) {
            Some(refused) if !is_met => refused.clone(),
            _ => values.refused(|text| number(text, signs).is_some()),
        };
        found.push(refused);
    }
    found
}

/// What commas in some values prove about all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commas {
    /// They stand before fractions.
    Proven,
    /// They seem to; this column alone does not prove it to others.
    Likely,
    /// They may as well stand in a list.
    Open,
    /// The other columns have a decimal point, or it is one value.
    Odd,
}

fn commas(values: &Values<'_>) -> Commas {
    let with = values.texts.iter().filter(|(_, text)| text.contains(',')).count();
    let has_both = |text: &str| {
        let reads =
            |sign: char| text.contains(sign) && number(text, Signs { decimal: ',', thousands: Some(sign) }).is_some();
        text.contains(',') && ['.', ' '].into_iter().any(reads)
    };
    let is_clear = with == 0 || with * 2 >= values.texts.len();
    match values.proof.decimal {
        _ if is_clear || values.texts.iter().any(|(_, text)| has_both(text)) => Commas::Proven,
        Some(',') => Commas::Likely,
        Some(_) => Commas::Odd,
        None if with * 4 > values.texts.len() => Commas::Likely,
        None if with == 1 => Commas::Odd,
        None => Commas::Open,
    }
}

fn numbers(values: &Values<'_>) -> Option<Read> {
    let refusals = refusals(values);
    let count = |index: usize| refusals.get(index).and_then(|refused| refused.as_ref()).map(Vec::len);
    let best = (0..SIGNS.len()).filter_map(|index| Some((count(index)?, index))).min()?;
    let (mut fewest, mut chosen) = best;
    let commas = if COMMAS.contains(&chosen) { commas(values) } else { Commas::Proven };
    if matches!(commas, Commas::Open | Commas::Odd) {
        // As a number with a decimal point, the value with a comma is refused, and not another number.
        match count(0).filter(|_| commas == Commas::Odd) {
            Some(refused) => (fewest, chosen) = (refused, 0),
            None => return Some(Read::text([comma_in_few()])),
        }
    }
    let reads_as_many = |index: usize| count(index) == Some(fewest);
    let mut notes = Vec::new();
    // The order of `SIGNS`: 0 is `1.5`, 1 is `1,234.5`, 2 is `1,5` and 3 is `1.234,5`.
    if chosen == 1 && reads_as_many(2) {
        match values.proof.decimal {
            Some(',') => chosen = 2,
            Some(_) => {}
            None => return Some(Read::text([comma_in_either()])),
        }
        notes.push("the comma is read as in other columns of the file".to_owned());
    }
    let has_point = values.texts.iter().any(|(_, text)| text.contains('.'));
    if chosen == 0 && has_point && values.proof.decimal == Some(',') && reads_as_many(3) {
        chosen = 3;
        notes.push("the point is read as a thousands sign, because other columns have decimal commas".to_owned());
    }
    let signs = *SIGNS.get(chosen)?;
    let refused = refusals.get(chosen)?.clone()?;
    let read: Vec<Number> = values.texts.iter().filter_map(|(_, text)| number(text, signs)).collect();
    let mut decided = type_of(values.name, &read, signs)?;
    let has_fraction = read.iter().any(|number| number.fraction > 0);
    let decimal = match signs.decimal {
        _ if !has_fraction => None,
        ',' if commas == Commas::Proven && !reads_as_many(0) && !reads_as_many(1) => Some(','),
        '.' if !reads_as_many(3) => Some('.'),
        _ => None,
    };
    if decided.column_type == ColumnType::Text {
        return Some(decided);
    }
    decided.thousands = signs.thousands.filter(|sign| values.texts.iter().any(|(_, text)| text.contains(*sign)));
    decided.notes.extend(notes);
    decided.refused = refused;
    decided.proof.decimal = decimal;
    Some(decided)
}

fn comma_in_either() -> String {
    "numbers whose comma may stand before a fraction or between thousands; text until you decide: make it a number \
     with `decimal` or `thousands`"
        .to_owned()
}

fn comma_in_few() -> String {
    "numbers, few of them with a comma, which may stand before a fraction or in a list; text until you decide: make it \
     a number with `decimal`"
        .to_owned()
}

/// The type of numbers.
fn type_of(name: &str, read: &[Number], signs: Signs) -> Option<Read> {
    let is_code =
        |number: &Number| number.is_whole() && number.is_code && (!number.plain.starts_with('+') || number.whole >= 7);
    if read.iter().any(is_code) {
        return Some(Read::text(["digits with zeros or a plus in front, as codes have them".to_owned()]));
    }
    // `12E3` is a part number more often than 12000: programs write signs into exponents, or a fraction before them.
    if read.iter().all(|number| number.has_exponent && number.fraction == 0 && !number.plain.contains(['e', '+', '-']))
    {
        return Some(Read::text(["digits with an E between them, as codes have them".to_owned()]));
    }
    let is_whole = read.iter().all(Number::is_whole);
    if !is_whole && name.to_lowercase().contains("version") {
        return Some(Read::text(["versions are texts: 1.10 is another one than 1.1".to_owned()]));
    }
    let least = read.iter().min_by(|a, b| a.value().total_cmp(&b.value()))?;
    let greatest = read.iter().max_by(|a, b| a.value().total_cmp(&b.value()))?;
    let range = Some((least.plain.clone(), greatest.plain.clone()));
    if is_whole {
        if !read.iter().all(Number::fits_64_bits) {
            return Some(Read::text(["digits that a whole number of 64 bits cannot hold".to_owned()]));
        }
        return Some(Read { range, ..Read::of(ColumnType::Int64) });
    }
    let decimal = (signs.decimal != '.').then_some(signs.decimal);
    let fractions: BTreeSet<usize> = read.iter().map(|number| number.fraction).filter(|digits| *digits > 0).collect();
    let (places, whole) = (fractions.last().copied().unwrap_or(0), read.iter().map(|number| number.whole).max()?);
    let has_exponent = read.iter().any(|number| number.has_exponent);
    let ends_with_zero = read.iter().any(|number| number.fraction > 0 && number.plain.ends_with('0'));
    let is_fixed = ends_with_zero || read.len() >= FIXED_FROM;
    let is_regular = is_fixed && fractions.len() == 1 && (2..=6).contains(&places);
    let is_long = read.iter().any(|number| number.significant_digits() > DOUBLE_DIGITS);
    let is_exact = is_regular || is_long || (hints::is_money(name) && places <= 6);
    let scale = places.max(2);
    if is_long && (has_exponent || whole + scale > MOST_DIGITS) {
        return Some(Read::text([format!("more than {DOUBLE_DIGITS} digits, which a DOUBLE cannot hold")]));
    }
    if !is_exact || has_exponent || whole + scale > MOST_DIGITS {
        return Some(Read { range, decimal, ..Read::of(ColumnType::Double) });
    }
    let digits = DECIMAL_DIGITS.max(whole + scale + 4).min(MOST_DIGITS);
    let (precision, scale) = (u8::try_from(digits).ok()?, u8::try_from(scale).ok()?);
    Some(Read { range, decimal, ..Read::of(ColumnType::Decimal { precision, scale }) })
}

/// Days and instants in other patterns than ISO 8601.
fn written_times(values: &Values<'_>) -> Option<Read> {
    let mut patterns: Vec<String> = Vec::new();
    let dates = values.texts.iter().filter(|(_, text)| !words::is_null_date(text));
    for (_, text) in dates.take(PATTERN_VALUES) {
        patterns.extend(times::patterns_of(text));
    }
    let mut found: Vec<(Vec<usize>, String)> = Vec::new();
    let mut seen = BTreeSet::new();
    for pattern in patterns {
        if seen.insert(pattern.clone())
            && let Some(refused) = values.refused(|text| times::reads(&pattern, text) || words::is_null_date(text))
        {
            found.push((refused, pattern));
        }
    }
    let fewest = found.iter().map(|(refused, _)| refused.len()).min()?;
    found.retain(|(refused, _)| refused.len() == fewest);
    let mut orders: Vec<Order> = found.iter().filter_map(|(_, pattern)| times::order(pattern)).collect();
    orders.dedup();
    let is_open = orders.contains(&Order::DayFirst) && orders.contains(&Order::MonthFirst);
    let mut notes = Vec::new();
    if is_open {
        let Some(order) = values.proof.order else {
            return Some(Read::text([
                "dates whose day and month may be in either order, because no number is above 12; text until you \
                 decide: make it a date with `formats`"
                    .to_owned(),
            ]));
        };
        found.retain(|(_, pattern)| times::order(pattern) == Some(order));
        notes.push("day and month are in the order that another column of the file proves".to_owned());
    }
    let proof = Proof { decimal: None, order: orders.first().copied().filter(|_| !is_open) };
    let (refused, pattern) = found.into_iter().next()?;
    let column_type = if times::has_time(&pattern) { ColumnType::Timestamp } else { ColumnType::Date };
    let is_local = column_type == ColumnType::Timestamp && !pattern.contains("%#z");
    let nulls = null_dates(values);
    Some(Read { refused, nulls, notes, proof, is_local, formats: vec![pattern], ..Read::of(column_type) })
}
