//! The signs between fields, around them and between records.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsciiChar;

/// Most characters between two fields or records.
const MOST: usize = 8;
/// What the quote is called where fields have none.
const NO_QUOTE: &str = "none";

/// Why a text cannot stand between fields, around them or between records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignsError {
    /// Nothing, or too much.
    #[error("{option} '{}' has {found} characters; write 1 to 8", .text.escape_debug())]
    Length {
        /// The option.
        option: &'static str,
        /// What was written.
        text: String,
        /// Its characters.
        found: usize,
    },
    /// A character that has another meaning.
    #[error(
        "{option} has '{}', which it cannot have; choose a sign such as ';' or '|', or several of them",
        .sign.escape_default()
    )]
    Sign {
        /// The option.
        option: &'static str,
        /// The character.
        sign: char,
    },
    /// Neither one character nor `none`.
    #[error("quote is '{}'; write one printable ASCII character, or none", .text.escape_debug())]
    Quote {
        /// What was written.
        text: String,
    },
}

/// What stands between two fields: 1 to 8 characters, among them no line end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Delimiter(String);

impl Delimiter {
    /// It as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its byte, where it is one ASCII character.
    pub fn byte(&self) -> Option<u8> {
        match self.0.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        }
    }
}

impl FromStr for Delimiter {
    type Err = SignsError;

    fn from_str(text: &str) -> Result<Self, SignsError> {
        check("delimiter", text, &['\0', '\r', '\n'])?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Delimiter {
    type Error = SignsError;

    fn try_from(text: String) -> Result<Self, SignsError> {
        text.parse()
    }
}

impl From<AsciiChar> for Delimiter {
    fn from(sign: AsciiChar) -> Self {
        Self(char::from(sign).to_string())
    }
}

impl From<Delimiter> for String {
    fn from(delimiter: Delimiter) -> Self {
        delimiter.0
    }
}

/// What stands around fields that have other signs in them: one printable ASCII character, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Quote(Option<AsciiChar>);

impl Quote {
    /// The character; `None` where no field is quoted.
    pub fn sign(self) -> Option<AsciiChar> {
        self.0
    }
}

impl FromStr for Quote {
    type Err = SignsError;

    fn from_str(text: &str) -> Result<Self, SignsError> {
        if text == NO_QUOTE {
            return Ok(Self(None));
        }
        let mut characters = text.chars();
        let sign = match (characters.next(), characters.next()) {
            (Some(sign), None) => AsciiChar::try_from(sign).ok(),
            _ => None,
        };
        sign.map(Self::from).ok_or_else(|| SignsError::Quote { text: text.to_owned() })
    }
}

impl TryFrom<String> for Quote {
    type Error = SignsError;

    fn try_from(text: String) -> Result<Self, SignsError> {
        text.parse()
    }
}

impl From<AsciiChar> for Quote {
    fn from(sign: AsciiChar) -> Self {
        Self(Some(sign))
    }
}

impl From<Quote> for String {
    fn from(quote: Quote) -> Self {
        quote.0.map_or_else(|| NO_QUOTE.to_owned(), |sign| char::from(sign).to_string())
    }
}

/// What stands behind a record: 1 to 8 characters. A line feed stands for one with or without a carriage return before
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RecordEnd(String);

impl RecordEnd {
    /// It as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a line feed, before which a carriage return may stand.
    pub fn is_line_feed(&self) -> bool {
        self.0 == "\n"
    }
}

impl Default for RecordEnd {
    fn default() -> Self {
        Self("\n".to_owned())
    }
}

impl FromStr for RecordEnd {
    type Err = SignsError;

    fn from_str(text: &str) -> Result<Self, SignsError> {
        check("record_end", text, &['\0'])?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RecordEnd {
    type Error = SignsError;

    fn try_from(text: String) -> Result<Self, SignsError> {
        text.parse()
    }
}

impl From<RecordEnd> for String {
    fn from(end: RecordEnd) -> Self {
        end.0
    }
}

fn check(option: &'static str, text: &str, without: &[char]) -> Result<(), SignsError> {
    let found = text.chars().count();
    if !(1..=MOST).contains(&found) {
        return Err(SignsError::Length { option, text: text.to_owned(), found });
    }
    match text.chars().find(|sign| without.contains(sign)) {
        Some(sign) => Err(SignsError::Sign { option, sign }),
        None => Ok(()),
    }
}
