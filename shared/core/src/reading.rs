//! How the texts of one column are read, where a spec says more than the contract.

use serde::{Deserialize, Serialize};

use crate::contract::{Column, ColumnType, strftime_of};
use crate::origin::{AddressPart, OriginError};
use crate::path::{ColumnPath, PathError};
use crate::spec::{ColumnSource, Minus, Percent, ReadSpec};

mod checks;

use self::checks::{check_marks, check_origin, check_signs, check_times, check_type, check_values};

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    currency: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<Percent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    minus: Vec<Minus>,
    /// Never without `false_words`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    true_words: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    false_words: Vec<String>,
    /// `strftime` patterns, as in [`TextFormat`](crate::contract::TextFormat).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    formats: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    midnight: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
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
    /// A text that can be another part of a number.
    #[error(
        "currency: '{text}' cannot stand around a number: it is empty or a sign of numbers, has spaces around it, or has \
         digits, minus signs, parentheses or percent signs; write one such as '$' or 'EUR'"
    )]
    NotACurrency {
        /// The text.
        text: String,
    },
    /// Percents of a whole number.
    #[error(
        "percent is fraction, and a {column_type} has none; make the column a decimal or a double, or write number"
    )]
    PercentOfWhole {
        /// The type of the column.
        column_type: ColumnType,
    },
    /// A zone that does not exist.
    #[error("zone '{zone}' is not an IANA time zone, such as Europe/Berlin")]
    NotAZone {
        /// What was written.
        zone: String,
    },
    /// An option that changes nothing with the patterns of the column.
    #[error("{option} changes nothing, because {why}; take it out, or write other formats")]
    NoUse {
        /// The option.
        option: &'static str,
        /// Why no text is read in another way.
        why: &'static str,
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
            return Ok(Self { part: origin.part().cloned(), ..Self::of_texts(spec, &[], column)? });
        }
        let path = source.path()?.filter(|path| !path.steps().is_empty());
        Ok(Self { path, ..Self::of_texts(spec, source_null_words, column)? })
    }

    /// How the texts are read, wherever they are.
    fn of_texts(spec: &ReadSpec, source_null_words: &[String], column: &Column) -> Result<Self, ReadingError> {
        let column_type = &column.column_type;
        check_type(spec, column_type)?;
        check_null_words(spec.null_words.as_deref().unwrap_or_default())?;
        let null_words = spec.null_words.clone().unwrap_or_else(|| source_null_words.to_vec());
        check_signs(spec, column_type)?;
        check_marks(spec, column_type)?;
        let (true_words, false_words) = truth_words(spec, &null_words)?;
        if true_words.is_empty() {
            check_values(&null_words, column_type)?;
        }
        let formats = formats(spec, column_type)?;
        check_times(spec, &formats, column)?;
        Ok(Self {
            null_words,
            decimal: spec.decimal,
            thousands: spec.thousands,
            currency: spec.currency.clone().unwrap_or_default(),
            percent: spec.percent,
            minus: spec.minus.clone().unwrap_or_default(),
            true_words,
            false_words,
            formats,
            midnight: spec.midnight == Some(true),
            zone: spec.zone.clone(),
            ..Self::default()
        })
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

    /// Texts before or behind a number that are passed over.
    pub fn currency(&self) -> &[String] {
        &self.currency
    }

    /// What a number with a percent sign behind it is; `None` where none has one.
    pub fn percent(&self) -> Option<Percent> {
        self.percent
    }

    /// How a number says that it is below zero, other than by a minus sign before it.
    pub fn minus(&self) -> &[Minus] {
        &self.minus
    }

    /// The words for true and for false, where they are not `true` and `false`.
    pub fn truth_words(&self) -> Option<(&[String], &[String])> {
        (!self.true_words.is_empty()).then_some((self.true_words.as_slice(), self.false_words.as_slice()))
    }

    /// `strftime` patterns of dates and timestamps, which are tried in turn; empty where that of the contract counts.
    pub fn formats(&self) -> &[String] {
        &self.formats
    }

    /// Whether instants at midnight are dates.
    pub fn midnight(&self) -> bool {
        self.midnight
    }

    /// The zone of timestamps without an offset; `None` where that of the contract counts.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
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
        let pattern = strftime_of(format, column_type)
            .or_else(|message| match spec.midnight {
                // An instant that is a date.
                Some(true) => strftime_of(format, &ColumnType::Timestamp),
                _ => Err(message),
            })
            .map_err(|message| ReadingError::Format { message })?;
        if patterns.contains(&pattern) {
            return Err(ReadingError::Twice { option, entry: format.clone() });
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests;
