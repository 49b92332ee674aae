//! Which files of a landing folder are source objects: patterns on their names, and when they are complete.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::{PassedByReason, SourceObject};

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
    complete_after_minutes: u32,
    min_bytes: u64,
}

/// Most minutes that a file may have to wait: 31 days. More is likelier a slip than a plan.
const MAX_COMPLETE_AFTER_MINUTES: u32 = 31 * 24 * 60;

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
    /// Minutes for which a file must have stayed as it is before a run takes it: 0 to 44640 (31 days). A younger one is
    /// passed by, and a later run takes it. Default 0: none has to wait.
    // Wider than what is meant, so that a number outside of it is refused with its own limits.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(with = "u32")]
    complete_after_minutes: i64,
    /// Bytes, as stored, that a file must have before a run takes it. A smaller one is passed by, and a later run takes
    /// it when it has grown. Default 0: files of any size are taken.
    #[serde(default, skip_serializing_if = "is_default")]
    min_bytes: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_include() -> Vec<FilePattern> {
    FileSelection::default().include
}

fn default_exclude() -> Vec<FilePattern> {
    FileSelection::default().exclude
}

/// Why a selection cannot be meant.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FileSelectionError {
    /// It takes nothing.
    #[error("include is an empty list, so no file would be taken: leave it out to take all")]
    NothingIncluded,
    /// Files would wait for longer than anyone means, or for less than no time.
    #[error(
        "complete_after_minutes is {minutes}, and files wait at most 44640 minutes (31 days), and at least 0: \
         write how long a file may be written for, such as 5"
    )]
    WaitsTooLong {
        /// As written.
        minutes: i64,
    },
}

impl TryFrom<FilesSpec> for FileSelection {
    type Error = FileSelectionError;

    fn try_from(spec: FilesSpec) -> Result<Self, FileSelectionError> {
        let FilesSpec { include, exclude, complete_after_minutes, min_bytes } = spec;
        if include.is_empty() {
            return Err(FileSelectionError::NothingIncluded);
        }
        let minutes = u32::try_from(complete_after_minutes).ok();
        let Some(minutes) = minutes.filter(|minutes| *minutes <= MAX_COMPLETE_AFTER_MINUTES) else {
            return Err(FileSelectionError::WaitsTooLong { minutes: complete_after_minutes });
        };
        Ok(Self { include, exclude, complete_after_minutes: minutes, min_bytes })
    }
}

impl From<FileSelection> for FilesSpec {
    fn from(selection: FileSelection) -> Self {
        let FileSelection { include, exclude, complete_after_minutes, min_bytes } = selection;
        Self { include, exclude, complete_after_minutes: complete_after_minutes.into(), min_bytes }
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
            complete_after_minutes: 0,
            min_bytes: 0,
        }
    }
}

impl FileSelection {
    /// The files that one of these patterns matches, without those that are left out by default.
    pub fn including(include: Vec<FilePattern>) -> Self {
        Self { include, ..Self::default() }
    }

    /// The patterns of the files that are taken.
    pub fn include(&self) -> &[FilePattern] {
        &self.include
    }

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

    /// Whether a file that is taken by its name counts as complete for a run that is planned at `now`. A time of
    /// modification after `now` is that of a clock which is ahead, so the file is as young as one of this moment. A file
    /// whose time is not known has no age to judge, and counts as old enough.
    ///
    /// # Errors
    /// The reason why it has to wait.
    pub fn judge_completeness(&self, object: &SourceObject, now: Timestamp) -> Result<(), PassedByReason> {
        if object.size_bytes < self.min_bytes {
            return Err(PassedByReason::TooSmall { size_bytes: object.size_bytes, min_bytes: self.min_bytes });
        }
        let wait = SignedDuration::from_mins(i64::from(self.complete_after_minutes));
        match object.modified_at {
            Some(modified_at) if !wait.is_zero() && now.duration_since(modified_at) < wait => {
                let complete_after_minutes = self.complete_after_minutes;
                Err(PassedByReason::TooYoung { modified_at, complete_after_minutes })
            }
            _ => Ok(()),
        }
    }

    /// Whether files may have to wait for a later run.
    pub fn can_wait(&self) -> bool {
        self.complete_after_minutes > 0 || self.min_bytes > 0
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
