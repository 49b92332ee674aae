//! Which characters of a line are which column.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ColumnCase;
use super::csv::{AsciiChar, MAX_SKIPPED_LINES, TextEncoding, is_default, names_problem};

#[cfg(test)]
mod tests;

/// Most characters of a line that columns can take.
const MAX_CHARACTERS: usize = 1_000_000;

/// Which characters of a line are which column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedWidthSpec {
    /// The columns, in the order of the line. Characters between and before them are not read.
    pub columns: Vec<FixedColumn>,
    /// Lines before the first record that are not read: 0 to 1000.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_lines: u32,
    /// Lines that begin with this ASCII character are skipped and not counted as records. A letter or digit cannot be
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<AsciiChar>,
    /// Encoding of the text, by its label: `utf-8` (default), `utf-16`, `windows-1252`, `iso-8859-1` and others. UTF-16
    /// with a byte order mark is recognised in any case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encoding: TextEncoding,
}

/// A column of lines of fixed width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedColumn {
    /// Its name.
    pub name: String,
    /// Its first character in the line, from 1. Default: the one after the column before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
    /// How many characters it has: of the text, and not bytes.
    pub width: u32,
}

impl FixedWidthSpec {
    /// The columns with the characters of the line that they have, from 0: from the first one to the one behind the
    /// last.
    pub fn spans(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let mut behind = 0_usize;
        self.columns.iter().map(move |column| {
            let begin = column.start.map_or(behind, |start| size(start).saturating_sub(1));
            behind = begin.saturating_add(size(column.width));
            (column.name.as_str(), begin, behind)
        })
    }

    /// What contradicts itself or cannot be used, with the fix.
    pub(crate) fn problem(&self) -> Option<String> {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        if let Some(problem) = names_problem("columns", &names) {
            return Some(problem);
        }
        for column in &self.columns {
            let name = &column.name;
            if column.width == 0 {
                return Some(format!("column `{name}` has the width 0; write how many characters it has"));
            }
            if column.start == Some(0) {
                return Some(format!("column `{name}` has the start 0, and characters are counted from 1"));
            }
        }
        let mut before: Option<(&str, usize)> = None;
        for (name, begin, end) in self.spans() {
            if let Some((earlier, behind)) = before.filter(|(_, behind)| begin < *behind) {
                return Some(format!(
                    "column `{name}` starts at character {}, and column `{earlier}` before it ends at {behind}; list the \
                     columns in the order of the line, each behind the one before",
                    begin + 1
                ));
            }
            if end > MAX_CHARACTERS {
                return Some(format!(
                    "column `{name}` ends at character {end}, and lines have at most {MAX_CHARACTERS}"
                ));
            }
            before = Some((name, end));
        }
        if self.skip_lines > MAX_SKIPPED_LINES {
            let lines = self.skip_lines;
            return Some(format!("skip_lines is {lines}, and at most {MAX_SKIPPED_LINES} lines are skipped"));
        }
        let sign = self.comment.filter(|sign| sign.byte().is_ascii_alphanumeric() || *sign == AsciiChar::SPACE)?;
        Some(format!("comment is '{}', with which records may begin; choose a sign", char::from(sign)))
    }

    /// Whether an object can have a column of this name; where case does not count, one that differs in case alone.
    pub(crate) fn may_have(&self, name: &str, case: ColumnCase) -> bool {
        let name = case.compared(name);
        self.columns.iter().any(|column| case.compared(&column.name) == name)
    }
}
