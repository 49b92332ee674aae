//! How the texts of one column are read, where a spec says more than the contract.

use serde::{Deserialize, Serialize};

use crate::contract::{Column, ColumnType, strftime_of};
use crate::origin::{AddressPart, Origin, OriginError};
use crate::path::{ColumnPath, PathError};
use crate::spec::{ColumnSource, ReadSpec};

/// How the texts of one column are read, checked against the column's type. The default adds nothing to the contract.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Always with a step inside the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<ColumnPath>,
    /// Only of a column that is read from the address of the row's object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<AddressPart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    null_words: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decimal: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thousands: Option<char>,
    /// Never without `false_words`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    true_words: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    false_words: Vec<String>,
    /// `strftime` patterns, as in [`TextFormat`](crate::contract::TextFormat).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    formats: Vec<String>,
}

/// Why a column cannot be read as a spec says.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadingError {
    /// An option that the column's type cannot have.
    #[error("{option} is an option of {fits}, and the type of the column is {column_type}; take it out")]
    OtherType {
        /// The option.
        option: &'static str,
        /// Columns that can have it.
        fits: &'static str,
        /// The type of this one.
        column_type: ColumnType,
    },
    /// An option for texts of a column that is read from a value which is not a text.
    #[error("{option} is an option for texts, and `{from}` is a {found}; take it out")]
    NotAText {
        /// The option.
        option: &'static str,
        /// The value about the origin of the row.
        from: &'static str,
        /// Its type.
        found: ColumnType,
    },
    /// A value about the origin of a row that the column cannot hold.
    #[error("`{from}` is a {found}, and the type of the column is {column_type}; make it {fits}")]
    OtherOrigin {
        /// The value about the origin of the row.
        from: &'static str,
        /// Its type.
        found: ColumnType,
        /// The type of the column.
        column_type: ColumnType,
        /// Types of columns that can hold it.
        fits: &'static str,
    },
    /// A value about the origin of a row that does not exist.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// A path that cannot be one.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A list without an entry.
    #[error("{option} has no entry; write at least one, or take it out")]
    NoEntry {
        /// The option.
        option: &'static str,
    },
    /// A word that no text can be.
    #[error("{option}: '{word}' is empty, or begins or ends with white space; write the word alone")]
    NotAWord {
        /// The option.
        option: &'static str,
        /// The word.
        word: String,
    },
    /// A word or pattern that a list has already.
    #[error("{option} has '{entry}' twice; take one out")]
    Twice {
        /// The option.
        option: &'static str,
        /// The word or pattern.
        entry: String,
    },
    /// A word of two lists.
    #[error("'{word}' is one of {first} and of {second}; take it out of one of them")]
    TwoMeanings {
        /// The word.
        word: String,
        /// The option that has it.
        first: &'static str,
        /// The other option that has it.
        second: &'static str,
    },
    /// A null word that is `true` or `false` in a column that has no other words for them.
    #[error(
        "null_words has '{word}', which is a value of a boolean; give this column null_words without it, or true_words \
         and false_words"
    )]
    NullIsValue {
        /// The word.
        word: String,
    },
    /// Words for one truth value alone.
    #[error("true_words and false_words replace `true` and `false` together; write both")]
    OneTruthValue,
    /// A sign that can be another part of a number.
    #[error("{option}: '{}' cannot be this sign of a number; write one such as ',' or '.'", sign.escape_default())]
    NotASign {
        /// The option.
        option: &'static str,
        /// The sign.
        sign: char,
    },
    /// One sign for two parts of a number.
    #[error("'{sign}' is the thousands sign and the decimal sign, which is '.' by default; write two different signs")]
    SameSign {
        /// The sign.
        sign: char,
    },
    /// A pattern that is not executed.
    #[error("formats: {message}")]
    Format {
        /// What is wrong with it, and where.
        message: String,
    },
}

impl Reading {
    /// How the texts of a column are read: as the spec says about the column, and with the null words of the source
    /// where it has none of its own. Those of the source are checked once for all columns. They are about what is written
    /// in its files, and not about names of folders, of which one may be that of Namibia.
    ///
    /// # Errors
    /// [`ReadingError`] for options that contradict each other or do not fit the column's type.
    pub fn new(source: &ColumnSource, source_null_words: &[String], column: &Column) -> Result<Self, ReadingError> {
        let plain = ReadSpec::default();
        let spec = source.read().unwrap_or(&plain);
        if let Some(origin) = source.origin()? {
            check_origin(&origin, spec, &column.column_type)?;
            return Ok(Self { part: origin.part().cloned(), ..Self::of_texts(spec, &[], &column.column_type)? });
        }
        let path = source.path()?.filter(|path| !path.steps().is_empty());
        Ok(Self { path, ..Self::of_texts(spec, source_null_words, &column.column_type)? })
    }

    /// How the texts are read, wherever they are.
    fn of_texts(spec: &ReadSpec, source_null_words: &[String], column_type: &ColumnType) -> Result<Self, ReadingError> {
        check_type(spec, column_type)?;
        check_null_words(spec.null_words.as_deref().unwrap_or_default())?;
        let null_words = spec.null_words.clone().unwrap_or_else(|| source_null_words.to_vec());
        check_signs(spec, column_type)?;
        let (true_words, false_words) = truth_words(spec, &null_words)?;
        if true_words.is_empty() {
            check_values(&null_words, column_type)?;
        }
        let formats = formats(spec, column_type)?;
        let (decimal, thousands) = (spec.decimal, spec.thousands);
        Ok(Self { null_words, decimal, thousands, true_words, false_words, formats, ..Self::default() })
    }

    /// Whether it adds nothing to the contract.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The way to the value inside the source column; `None` where the whole column is read.
    pub fn path(&self) -> Option<&ColumnPath> {
        self.path.as_ref()
    }

    /// The part of the address of the row's object that is read; `None` where no part of it is.
    pub fn part(&self) -> Option<&AddressPart> {
        self.part.as_ref()
    }

    /// Texts that are null, exactly as they are written.
    pub fn null_words(&self) -> &[String] {
        &self.null_words
    }

    /// The sign before the fraction of a number; `None` where it is `.`.
    pub fn decimal(&self) -> Option<char> {
        self.decimal
    }

    /// The sign between groups of three digits of a number; `None` where it has none.
    pub fn thousands(&self) -> Option<char> {
        self.thousands
    }

    /// The words for true and for false, where they are not `true` and `false`.
    pub fn truth_words(&self) -> Option<(&[String], &[String])> {
        (!self.true_words.is_empty()).then_some((self.true_words.as_slice(), self.false_words.as_slice()))
    }

    /// `strftime` patterns of dates and timestamps, which are tried in turn; empty where that of the contract counts.
    pub fn formats(&self) -> &[String] {
        &self.formats
    }
}

/// Checks that each of these words can be a text, and occurs once.
///
/// # Errors
/// [`ReadingError`] of `null_words`.
pub(crate) fn check_null_words(words: &[String]) -> Result<(), ReadingError> {
    check_words("null_words", words)
}

fn check_words(option: &'static str, words: &[String]) -> Result<(), ReadingError> {
    for (index, word) in words.iter().enumerate() {
        if word.is_empty() || word.trim_ascii() != word {
            return Err(ReadingError::NotAWord { option, word: word.clone() });
        }
        if words.iter().take(index).any(|earlier| earlier == word) {
            return Err(ReadingError::Twice { option, entry: word.clone() });
        }
    }
    Ok(())
}

/// Checks that no null word is a value of a boolean that is written as `true` or `false`. Of numbers and times any text
/// may stand for a value that is missing: `-999`, `00.00.0000`.
fn check_values(null_words: &[String], column_type: &ColumnType) -> Result<(), ReadingError> {
    let is_value = |word: &&String| word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false");
    match null_words.iter().find(is_value) {
        Some(word) if *column_type == ColumnType::Boolean => Err(ReadingError::NullIsValue { word: word.clone() }),
        _ => Ok(()),
    }
}

/// Checks that the column can hold the value about the origin of the row, and has no options that only texts have.
fn check_origin(origin: &Origin, spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    use ColumnType::{Date, Decimal, Double, Int32, Int64, Text, Timestamp};
    let (is_fit, fits) = match origin.column_type() {
        Timestamp => (matches!(column_type, Timestamp | Date | Text), "a timestamp, a date (the day in UTC) or a text"),
        Int64 => (matches!(column_type, Int32 | Int64 | Decimal { .. } | Double | Text), "a number or a text"),
        _ => return Ok(()),
    };
    let (from, found) = (origin.column(), origin.column_type().clone());
    if !is_fit {
        return Err(ReadingError::OtherOrigin { from, found, column_type: column_type.clone(), fits });
    }
    let options = [
        ("null_words", spec.null_words.is_some()),
        ("decimal", spec.decimal.is_some()),
        ("thousands", spec.thousands.is_some()),
        ("true_words", spec.true_words.is_some()),
        ("false_words", spec.false_words.is_some()),
        ("formats", spec.formats.is_some()),
    ];
    match options.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(ReadingError::NotAText { option, from, found }),
        None => Ok(()),
    }
}

/// Checks that the column can have each option that the spec gives it.
fn check_type(spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
    use ColumnType::{Boolean, Date, Decimal, Double, Int32, Int64, Timestamp};
    let is_fraction = matches!(column_type, Decimal { .. } | Double);
    let is_number = is_fraction || matches!(column_type, Int32 | Int64);
    let is_boolean = matches!(column_type, Boolean);
    let is_time = matches!(column_type, Date | Timestamp);
    let options = [
        ("decimal", spec.decimal.is_some(), is_fraction, "decimals and doubles"),
        ("thousands", spec.thousands.is_some(), is_number, "numbers"),
        ("true_words", spec.true_words.is_some(), is_boolean, "booleans"),
        ("false_words", spec.false_words.is_some(), is_boolean, "booleans"),
        ("formats", spec.formats.is_some(), is_time, "dates and timestamps"),
    ];
    for (option, is_given, is_possible, fits) in options {
        if is_given && !is_possible {
            return Err(ReadingError::OtherType { option, fits, column_type: column_type.clone() });
        }
    }
    Ok(())
}

fn check_signs(spec: &ReadSpec, column_type: &ColumnType) -> Result<(), ReadingError> {
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

fn truth_words(spec: &ReadSpec, null_words: &[String]) -> Result<(Vec<String>, Vec<String>), ReadingError> {
    let (yes, no) = match (&spec.true_words, &spec.false_words) {
        (None, None) => return Ok((Vec::new(), Vec::new())),
        (Some(yes), Some(no)) => (yes.as_slice(), no.as_slice()),
        _ => return Err(ReadingError::OneTruthValue),
    };
    for (option, words) in [("true_words", yes), ("false_words", no)] {
        if words.is_empty() {
            return Err(ReadingError::NoEntry { option });
        }
        check_words(option, words)?;
    }
    let lists = [
        ("true_words", yes, "false_words", no),
        ("null_words", null_words, "true_words", yes),
        ("null_words", null_words, "false_words", no),
    ];
    for (first, words, second, others) in lists {
        if let Some(word) = words.iter().find(|word| others.contains(word)) {
            return Err(ReadingError::TwoMeanings { word: word.clone(), first, second });
        }
    }
    Ok((yes.to_vec(), no.to_vec()))
}

fn formats(spec: &ReadSpec, column_type: &ColumnType) -> Result<Vec<String>, ReadingError> {
    let Some(formats) = &spec.formats else { return Ok(Vec::new()) };
    let option = "formats";
    if formats.is_empty() {
        return Err(ReadingError::NoEntry { option });
    }
    let mut patterns: Vec<String> = Vec::with_capacity(formats.len());
    for format in formats {
        let pattern = strftime_of(format, column_type).map_err(|message| ReadingError::Format { message })?;
        if patterns.contains(&pattern) {
            return Err(ReadingError::Twice { option, entry: format.clone() });
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests;
