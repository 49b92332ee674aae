//! Where a row comes from, as values that a silver table can read: the file that it was in, the folders above it, and the
//! run that took it in.
//!
//! | a mapping reads | value |
//! |---|---|
//! | the name of a lineage column, such as `_source_file` | what the tables have in it |
//! | `_source_file.name` | the last step of the address |
//! | `_source_file.folder[-1]` | the folder that the file is in; `[-2]` the one above it |
//! | `_source_file.folder.dt` | `2026-01-05` of a folder `dt=2026-01-05`, as Hive and Spark name them |
//!
//! Every value is made of the lineage of the row alone, so that a row of bronze or quarantine has the one that it had when
//! its object was read. That is why folders are counted from the file: where the landing folder begins is nothing that a
//! row knows.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::columns::{LINEAGE, SOURCE_FILE, folded_name, is_own_of_bronze, lineage_names};
use crate::contract::ColumnType;
use crate::path::{ColumnPath, PathStep};
use crate::text::serde_as_text;

/// Value in the name of a folder that stands for null, as Hive and Spark write it.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Why a text names nothing about the origin of a row, although it begins like it.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum OriginError {
    /// A part that addresses do not have.
    #[error(
        "'_source_file.{part}' is not a part of an address: write _source_file.name, _source_file.folder[-1] (the folder \
         that the file is in, [-2] for the one above it) or _source_file.folder.dt (for a folder such as \
         dt=2026-01-05); a column of this name is written $['_source_file.{part}']"
    )]
    Part {
        /// What was written behind the point.
        part: String,
    },
    /// A column that Sluice adds to bronze, and that says nothing about the origin of a row.
    #[error(
        "`{name}` is kept for columns that Sluice adds to bronze; of these a mapping can read {}, written like this",
        lineage_names().join(", ")
    )]
    NotLineage {
        /// The name as written.
        name: String,
    },
}

/// A value about the origin of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    column: &'static str,
    column_type: ColumnType,
    part: Option<AddressPart>,
}

impl Origin {
    /// The value that is meant where the name of a source column stands; `None` where it is that of a source column.
    ///
    /// # Errors
    /// [`OriginError`] for a text that begins like such a value and is not one.
    pub fn meant(text: &str) -> Result<Option<Self>, OriginError> {
        if let Some(part) = text.strip_prefix(SOURCE_FILE).and_then(|rest| rest.strip_prefix('.')) {
            return Ok(Some(Self { column: SOURCE_FILE, column_type: ColumnType::Text, part: Some(part.parse()?) }));
        }
        if let Some((column, column_type)) = LINEAGE.into_iter().find(|(name, _)| *name == text) {
            return Ok(Some(Self { column, column_type, part: None }));
        }
        if is_own_of_bronze(&folded_name(text)) {
            return Err(OriginError::NotLineage { name: text.to_owned() });
        }
        Ok(None)
    }

    /// The lineage column that it is made of.
    pub fn column(&self) -> &'static str {
        self.column
    }

    /// The type of that column.
    pub fn column_type(&self) -> &ColumnType {
        &self.column_type
    }

    /// The part of the address; `None` where the whole column is read.
    pub fn part(&self) -> Option<&AddressPart> {
        self.part.as_ref()
    }
}

/// A part of the address of an object.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::origin::AddressPart;
///
/// let address = "s3://lake/landing/dt=2026-01-05/day%20one.csv";
/// let of = |part: &str| part.parse::<AddressPart>().map(|part| part.of(address).map(String::from));
/// assert_eq!(of("name")?.as_deref(), Some("day one.csv"));
/// assert_eq!(of("folder.dt")?.as_deref(), Some("2026-01-05"));
/// assert_eq!(of("folder[-2]")?.as_deref(), Some("landing"));
/// assert_eq!(of("folder.hour")?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressPart {
    /// The last step.
    Name,
    /// The folder that is so many steps before the name: 1 for the one that the file is in.
    Folder(usize),
    /// The value of the folder `<key>=<value>` that is nearest to the file.
    Key(String),
}

impl AddressPart {
    /// This part of an address, without the encoding of the address, and of a key without that of Hive. `None` where the
    /// address has no such folder, and where the key has no value.
    pub fn of<'a>(&self, address: &'a str) -> Option<Cow<'a, str>> {
        let (_, path) = address.split_once("://")?.1.split_once('/')?;
        let mut steps = path.rsplit('/').map(decoded);
        match self {
            Self::Name => steps.next(),
            Self::Folder(number) => steps.nth(*number),
            Self::Key(key) => {
                let value = steps.skip(1).find_map(|folder| value_of(&folder, key));
                value.filter(|value| !value.is_empty() && value != NULL_PARTITION).map(Cow::Owned)
            }
        }
    }
}

/// The value in the name of a folder `<key>=<value>`; `None` for other folders.
fn value_of(folder: &str, key: &str) -> Option<String> {
    let (name, value) = folder.split_once('=')?;
    (decoded(name) == key).then(|| decoded(value).into_owned())
}

/// A text without percent-encoding; as it is where that would not be text.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

impl FromStr for AddressPart {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let refused = || OriginError::Part { part: text.to_owned() };
        if text == "name" {
            return Ok(Self::Name);
        }
        if let Some(digits) = text.strip_prefix("folder[-").and_then(|rest| rest.strip_suffix(']')) {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse::<usize>().ok().filter(|number| is_number && *number > 0);
            return number.map(Self::Folder).ok_or_else(refused);
        }
        // A key has the signs, and the brackets, that the keys of paths have.
        let path: ColumnPath = format!("$.{text}").parse().map_err(|_| refused())?;
        match (path.column(), path.steps()) {
            ("folder", [PathStep::Key(key)]) if !key.is_empty() => Ok(Self::Key(key.clone())),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for AddressPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Folder(number) => write!(f, "folder[-{number}]"),
            Self::Key(key) => write!(f, "folder{}", PathStep::Key(key.clone())),
        }
    }
}

serde_as_text!(AddressPart);

#[cfg(test)]
mod tests;
