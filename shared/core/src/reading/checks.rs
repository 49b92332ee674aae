//! Which options of a reading fit each other, and the type of the column.

use super::ReadingError;
use crate::contract::{Column, ColumnType, is_zone};
use crate::origin::Origin;
use crate::spec::{Minus, Percent, ReadSpec};

/// Checks that no null word is a value of a boolean that is written as `true` or `false`. Of numbers and times any text
/// may stand for a value that is missing: `-999`, `00.00.0000`.
pub(super) fn check_values(null_words: &[String], column_type: &ColumnType) -> Result<(), ReadingError> {
    let is_value = |word: &&String| word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false");
    match null_words.iter().find(is_value) {
        Some(word) if *column_type == ColumnType::Boolean => Err(ReadingError::NullIsValue { word: word.clone() }),
        _ => Ok(()),
    }
}

/// Checks that the column can hold the value about the origin of the row, and has no options that only texts have.
pub(super) fn check_origin(origin: &Origin, spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    use ColumnType::{Date, Decimal, Double, Int32, Int64, Text, Timestamp};
    let (is_fit, fits) = match origin.column_type() {
        Timestamp => (matches!(column_type, Timestamp | Date | Text), "a timestamp, a date (the day in UTC) or a text"),
        Int64 => (matches!(column_type, Int32 | Int64 | Decimal { .. } | Double | Text), "a number or a text"),
        _ => (!column_type.is_nested(), "a type of plain values, such as a text"),
    };
    let (from, found) = (origin.column(), origin.column_type().clone());
    if !is_fit {
        return Err(ReadingError::OtherOrigin { from, found, column_type: column_type.clone(), fits });
    }
    if found == Text {
        return Ok(());
    }
    let options = [
        ("null_words", spec.null_words.is_some()),
        ("decimal", spec.decimal.is_some()),
        ("thousands", spec.thousands.is_some()),
        ("currency", spec.currency.is_some()),
        ("percent", spec.percent.is_some()),
        ("minus", spec.minus.is_some()),
        ("true_words", spec.true_words.is_some()),
        ("false_words", spec.false_words.is_some()),
        ("formats", spec.formats.is_some()),
        ("midnight", spec.midnight.is_some()),
        ("zone", spec.zone.is_some()),
    ];
    match options.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(ReadingError::NotAText { option, from, found }),
        None => Ok(()),
    }
}

/// Checks that the column can have each option that the spec gives it.
pub(super) fn check_type(spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    use ColumnType::{Boolean, Date, Decimal, Double, Int32, Int64, Timestamp};
    let is_fraction = matches!(column_type, Decimal { .. } | Double);
    let is_number = is_fraction || matches!(column_type, Int32 | Int64);
    let is_boolean = matches!(column_type, Boolean);
    let is_time = matches!(column_type, Date | Timestamp);
    let options = [
        ("decimal", spec.decimal.is_some(), is_fraction, "decimals and doubles"),
        ("thousands", spec.thousands.is_some(), is_number, "numbers"),
        ("currency", spec.currency.is_some(), is_number, "numbers"),
        ("percent", spec.percent.is_some(), is_number, "numbers"),
        ("minus", spec.minus.is_some(), is_number, "numbers"),
        ("true_words", spec.true_words.is_some(), is_boolean, "booleans"),
        ("false_words", spec.false_words.is_some(), is_boolean, "booleans"),
        ("formats", spec.formats.is_some(), is_time, "dates and timestamps"),
        ("midnight", spec.midnight.is_some(), matches!(column_type, Date), "dates"),
        ("zone", spec.zone.is_some(), matches!(column_type, Timestamp), "timestamps"),
    ];
    for (option, is_given, is_possible, fits) in options {
        if is_given && !is_possible {
            return Err(ReadingError::OtherType { option, fits, column_type: column_type.clone() });
        }
    }
    Ok(())
}

pub(super) fn check_signs(spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    for (option, sign) in [("decimal", spec.decimal), ("thousands", spec.thousands)] {
        let Some(sign) = sign else { continue };
        // White space around a text is passed over, so that a fraction could lose its sign.
        let is_space = option == "decimal" && sign.is_whitespace();
        if sign.is_alphanumeric() || sign.is_control() || matches!(sign, '+' | '-') || is_space {
            return Err(ReadingError::NotASign { option, sign });
        }
    }
    // Whole numbers have no decimal sign.
    let is_whole = matches!(column_type, ColumnType::Int32 | ColumnType::Int64);
    match spec.thousands {
        Some(sign) if !is_whole && spec.decimal.unwrap_or('.') == sign => Err(ReadingError::SameSign { sign }),
        _ => Ok(()),
    }
}

/// Checks what may stand around a number.
pub(super) fn check_marks(spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    let is_whole = matches!(column_type, ColumnType::Int32 | ColumnType::Int64);
    if spec.percent == Some(Percent::Fraction) && is_whole {
        return Err(ReadingError::PercentOfWhole { column_type: column_type.clone() });
    }
    let minus = spec.minus.as_deref();
    let currency = spec.currency.as_deref();
    let lists =
        [("minus", minus.is_some_and(<[Minus]>::is_empty)), ("currency", currency.is_some_and(<[String]>::is_empty))];
    if let Some((option, _)) = lists.into_iter().find(|(_, is_empty)| *is_empty) {
        return Err(ReadingError::NoEntry { option });
    }
    for (entry, way) in [("parentheses", Minus::Parentheses), ("behind", Minus::Behind)] {
        if minus.unwrap_or_default().iter().filter(|given| **given == way).count() > 1 {
            return Err(ReadingError::Twice { option: "minus", entry: entry.to_owned() });
        }
    }
    let signs = [Some(spec.decimal.unwrap_or('.')), spec.thousands];
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '(' | ')' | '%');
    for (index, text) in currency.unwrap_or_default().iter().enumerate() {
        let is_sign = signs.into_iter().flatten().any(|sign| text.chars().eq([sign]));
        if text.is_empty() || text.trim() != text || text.contains(is_part) || is_sign {
            return Err(ReadingError::NotACurrency { text: text.clone() });
        }
        if currency.unwrap_or_default().iter().take(index).any(|earlier| earlier == text) {
            return Err(ReadingError::Twice { option: "currency", entry: text.clone() });
        }
    }
    Ok(())
}

/// Checks that the patterns of the column leave open what `midnight` and `zone` say.
pub(super) fn check_times(spec: &ReadSpec, formats: &[String], column: &Column) -> Result<(), ReadingError> {
    if let Some(zone) = spec.zone.as_ref().filter(|zone| !is_zone(zone)) {
        return Err(ReadingError::NotAZone { zone: zone.clone() });
    }
    let of_contract: Vec<String> = column.format.strftime.iter().cloned().collect();
    let patterns: &[String] = if formats.is_empty() { &of_contract } else { formats };
    if patterns.is_empty() {
        return Ok(());
    }
    let has_one_of = |pattern: &String, fields: &[&str]| fields.iter().any(|field| pattern.contains(*field));
    let is_excel = |pattern: &String| pattern.starts_with("excel_");
    let has_time = |pattern: &String| {
        is_excel(pattern) || pattern.starts_with("%s") || has_one_of(pattern, &["%H", "%-H", "%I", "%-I"])
    };
    if spec.midnight == Some(true) && !patterns.iter().any(has_time) {
        let why = "no format of the column has a time of the day";
        return Err(ReadingError::NoUse { option: "midnight", why });
    }
    let has_offset = |pattern: &String| pattern.starts_with("%s") || has_one_of(pattern, &["%z", "%:z", "%#z"]);
    if spec.zone.is_some() && patterns.iter().all(has_offset) {
        let why = "every text has its offset from UTC";
        return Err(ReadingError::NoUse { option: "zone", why });
    }
    Ok(())
}
