//! Which files of a landing folder are source objects: patterns on their names.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::PassedByReason;

mod pattern;
#[cfg(test)]
mod tests;

pub use self::pattern::{FilePattern, FilePatternError};

/// What is left out when the spec does not say otherwise: notes of people, and what tools call files that they have not
/// written to their end. `*_$folder$` is how older Hadoop marks a folder on S3.
const DEFAULT_EXCLUDE: [&str; 8] = [
    "**/*.[mM][dD]",
    "**/*.tmp",
    "**/*.part",
    "**/*.partial",
    "**/*.filepart",
    "**/*._COPYING_",
    "**/*_$folder$",
    "**/{Thumbs.db,desktop.ini}",
];

/// Whether names whose parts begin with `.` or `_` are matched by signs that stand for other characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HiddenNames {
    /// Only where the pattern itself begins the part with `.` or `_`.
    Literally,
    /// As all others.
    AsOthers,
}

/// Which files of a landing folder a pipeline takes, by their names below it.
///
/// A file is taken when at least one pattern of `include` matches its name and no pattern of `exclude` does. Names of
/// which a part begins with `.` or `_` are how other tools mark unfinished and internal files: only a pattern that
/// writes this sign takes them. Folders of partitions such as `_day=2026-01-05` are no such names, as for Spark.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::files::FileSelection;
///
/// let files: FileSelection = serde_json::from_str(r#"{ "include": ["orders/**/*.csv"] }"#)?;
/// assert!(files.judge("orders/2026/01.csv").is_ok());
/// assert!(files.judge("returns/2026/01.csv").is_err());
/// assert!(files.judge("orders/_archive/01.csv").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FilesSpec", into = "FilesSpec")]
pub struct FileSelection {
    include: Vec<FilePattern>,
    exclude: Vec<FilePattern>,
}

/// Which files of the folder are taken, by their names below it. Signs of patterns: `*` and `?` for characters of one
/// part of the name, `[a-z]` and `[!a-z]` for one of them, `**` as a whole part for any number of folders, `{a,b}` for
/// one of these, `\` before a sign that is meant literally. A pattern must match the whole name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileSelection")]
struct FilesSpec {
    /// Files that are taken. Default: `**`, all of them. Names with a part that begins with `.` or `_` are taken only by
    /// a pattern that writes this sign.
    #[serde(default = "default_include")]
    #[schemars(length(min = 1))]
    include: Vec<FilePattern>,
    /// Files that are left out all the same. When given, it replaces the default: notes (`*.md`) and what tools call
    /// unfinished files (`*.tmp`, `*.part`, `*.partial`, `*.filepart`, `*._COPYING_`, `*_$folder$`), in every folder.
    #[serde(default = "default_exclude")]
    exclude: Vec<FilePattern>,
}

fn default_include() -> Vec<FilePattern> {
    FileSelection::default().include
}

fn default_exclude() -> Vec<FilePattern> {
    FileSelection::default().exclude
}

/// Why a selection takes nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("include is an empty list, so no file would be taken: leave it out to take all")]
pub struct NothingIncluded;

impl TryFrom<FilesSpec> for FileSelection {
    type Error = NothingIncluded;

    fn try_from(FilesSpec { include, exclude }: FilesSpec) -> Result<Self, NothingIncluded> {
        if include.is_empty() { Err(NothingIncluded) } else { Ok(Self { include, exclude }) }
    }
}

impl From<FileSelection> for FilesSpec {
    fn from(FileSelection { include, exclude }: FileSelection) -> Self {
        Self { include, exclude }
    }
}

impl JsonSchema for FileSelection {
    fn schema_name() -> Cow<'static, str> {
        FilesSpec::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        FilesSpec::json_schema(generator)
    }
}

impl Default for FileSelection {
    fn default() -> Self {
        let parsed = |text: &&str| text.parse().ok();
        Self {
            include: ["**"].iter().filter_map(parsed).collect(),
            exclude: DEFAULT_EXCLUDE.iter().filter_map(parsed).collect(),
        }
    }
}

impl FileSelection {
    /// Whether this is what a spec without `files` takes.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a file of this name below the landing folder is taken.
    ///
    /// # Errors
    /// The reason why it is not.
    pub fn judge(&self, name: &str) -> Result<(), PassedByReason> {
        let included = |hidden| self.include.iter().any(|pattern| pattern.matches(name, hidden));
        if !included(HiddenNames::Literally) {
            let hidden = included(HiddenNames::AsOthers);
            return Err(if hidden { PassedByReason::Hidden } else { PassedByReason::NotIncluded });
        }
        match self.exclude.iter().find(|pattern| pattern.matches(name, HiddenNames::AsOthers)) {
            None => Ok(()),
            Some(pattern) => Err(PassedByReason::Excluded { pattern: pattern.to_string() }),
        }
    }

    /// Whether a pattern could take files in folders whose names begin with `.` or `_`.
    pub fn takes_hidden(&self) -> bool {
        self.include.iter().any(FilePattern::names_hidden)
    }
}

/// Whether a part of a name begins as other tools begin the names of unfinished and internal files.
pub fn is_hidden(part: &str) -> bool {
    part.starts_with('.') || (part.starts_with('_') && !part.contains('='))
}

/// The folder with its final slash, or the file, at which a name becomes hidden; `None` where no part of it is.
pub fn hidden_part(name: &str) -> Option<&str> {
    let mut end = 0;
    for part in name.split('/') {
        end += part.len();
        if is_hidden(part) {
            let slash = usize::from(name.len() > end);
            return name.get(..end + slash);
        }
        end += 1;
    }
    None
}
