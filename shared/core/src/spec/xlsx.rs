//! Which cells of a workbook are the table.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ColumnCase;
use super::csv::{CsvHeader, MAX_COLUMNS, MAX_SKIPPED_LINES, generated_position, is_default, names_problem};
use crate::text::serde_as_text;

#[cfg(test)]
mod tests;

/// Rows of a sheet.
const MAX_ROWS: u32 = 1_048_576;
/// Columns of a sheet.
const MAX_SHEET_COLUMNS: u32 = 16_384;

/// Which cells of a workbook are the table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XlsxSpec {
    /// The sheet: its name, or its number from 1 among the worksheets of the workbook, hidden ones too. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<SheetChoice>,
    /// The cells of the sheet: `A3:H` (columns A to H, from row 3 to the end), `A3:H90` or `A:H`. Default: from A1 to the
    /// last column of the header, or of the first record where no header is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<CellRange>,
    /// Whether the first row with a value has the names of the columns. Default `present`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub header: CsvHeader,
    /// Names of the columns by position. With a header they replace its names, and their number must be that of the
    /// header. Without a header and names, the columns are `column_1`, `column_2` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// Rows of the sheet, or of the range, before the header, or before the first record where no header is present,
    /// that are not read: 0 to 1000.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_lines: u32,
}

/// A sheet of a workbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "the name of a sheet, or its number from 1")]
pub enum SheetChoice {
    /// Its number from 1 among the worksheets.
    Number(u32),
    /// Its name; case counts.
    Name(String),
}

impl fmt::Display for SheetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "'{name}'"),
        }
    }
}

impl XlsxSpec {
    /// What contradicts itself or cannot be used, with the fix.
    pub(crate) fn problem(&self) -> Option<String> {
        match &self.sheet {
            Some(SheetChoice::Number(0)) => {
                return Some("sheet is 0, and sheets are numbered from 1; write 1 for the first".to_owned());
            }
            Some(SheetChoice::Name(name)) if name.trim().is_empty() => {
                return Some("sheet is blank; write the name of a sheet, or leave it out for the first".to_owned());
            }
            _ => {}
        }
        if self.skip_lines > MAX_SKIPPED_LINES {
            let lines = self.skip_lines;
            return Some(format!("skip_lines is {lines}, and at most {MAX_SKIPPED_LINES} lines are skipped"));
        }
        if let Some(range) = self.range {
            if range.rows().is_some_and(|rows| rows <= self.skip_lines) {
                return Some(format!(
                    "skip_lines is {}, and the range {range} has no row behind them; leave skip_lines out, and let the \
                     range begin where the table does",
                    self.skip_lines
                ));
            }
            if range.columns() > MAX_COLUMNS {
                return Some(format!(
                    "the range {range} has {} columns, and an object has at most {MAX_COLUMNS}; let it end where the \
                     table does",
                    range.columns()
                ));
            }
            if let Some(names) = &self.names
                && names.len() != range.columns()
            {
                return Some(format!(
                    "names has {} names, and the range {range} has {} columns; name each of them",
                    names.len(),
                    range.columns()
                ));
            }
        }
        self.names.as_deref().and_then(|names| names_problem("names", names))
    }

    /// Whether an object can have a column of this name; where case does not count, one that differs in case alone.
    pub(crate) fn may_have(&self, name: &str, case: ColumnCase) -> bool {
        let name = case.compared(name);
        match (&self.names, self.header) {
            (Some(names), _) => names.iter().any(|known| case.compared(known) == name),
            (None, CsvHeader::Absent) => generated_position(&name)
                .is_some_and(|position| self.range.is_none_or(|range| position <= range.columns())),
            (None, CsvHeader::Present) => true,
        }
    }

    /// The names that objects have, in words.
    pub(crate) fn names_in_words(&self) -> &'static str {
        match self.names {
            Some(_) => "source.xlsx.names does not have; add it there, or map one of its names",
            None => {
                "no object has: without a header and source.xlsx.names, columns are called column_1, column_2 and so \
                 on; map one of these, or write source.xlsx.names"
            }
        }
    }
}

/// A rectangle of cells that may have no last row: `A3:H`.
///
/// # Example
///
/// ```
/// use sluice_core::spec::CellRange;
///
/// let range: CellRange = "a3:h".parse()?;
/// assert_eq!((range.columns(), range.first_row(), range.last_row()), (8, 2, None));
/// assert_eq!(range.to_string(), "A3:H");
/// assert!("H:A".parse::<CellRange>().is_err());
/// # Ok::<(), sluice_core::spec::CellRangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct CellRange {
    first_column: u32,
    last_column: u32,
    first_row: u32,
    last_row: Option<u32>,
}

serde_as_text!(CellRange);

/// Why a text is no [`CellRange`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a range of cells: {problem}; write it as `A3:H`, `A3:H90` or `A:H`", .text.escape_debug())]
pub struct CellRangeError {
    /// The refused text.
    pub text: String,
    problem: &'static str,
}

impl CellRange {
    /// Its first column, from 0.
    pub fn first_column(&self) -> u32 {
        self.first_column
    }

    /// Its last column, from 0.
    pub fn last_column(&self) -> u32 {
        self.last_column
    }

    /// Its first row, from 0.
    pub fn first_row(&self) -> u32 {
        self.first_row
    }

    /// Its last row, from 0; `None` where it goes to the end of the sheet.
    pub fn last_row(&self) -> Option<u32> {
        self.last_row
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        usize::try_from(self.last_column - self.first_column).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// How many rows it has, where it has a last one.
    fn rows(&self) -> Option<u32> {
        self.last_row.map(|last| last - self.first_row + 1)
    }

    /// The letters of a column, which is counted from 0.
    pub fn letters(column: u32) -> String {
        let mut letters = Vec::new();
        let mut left = column.saturating_add(1);
        while left > 0 {
            let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
            letters.push(char::from(b'A' + digit));
            left = (left - 1) / 26;
        }
        letters.iter().rev().collect()
    }
}

impl FromStr for CellRange {
    type Err = CellRangeError;

    fn from_str(text: &str) -> Result<Self, CellRangeError> {
        let refused = |problem| CellRangeError { text: text.to_owned(), problem };
        let (first, last) = text.split_once(':').ok_or_else(|| refused("it has no `:`"))?;
        let (first_column, first_row) = corner(first).map_err(refused)?;
        let (last_column, last_row) = corner(last).map_err(refused)?;
        let first_row = first_row.unwrap_or_default();
        if last_column < first_column || last_row.is_some_and(|last| last < first_row) {
            return Err(refused("it ends before it begins"));
        }
        Ok(Self { first_column, last_column, first_row, last_row })
    }
}

impl fmt::Display for CellRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::letters(self.first_column))?;
        if self.first_row > 0 || self.last_row.is_some() {
            write!(f, "{}", self.first_row + 1)?;
        }
        write!(f, ":{}", Self::letters(self.last_column))?;
        match self.last_row {
            Some(last) => write!(f, "{}", last + 1),
            None => Ok(()),
        }
    }
}

/// Column and row of a corner, from 0.
fn corner(text: &str) -> Result<(u32, Option<u32>), &'static str> {
    let text = text.trim();
    let letters = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let digits = text.get(letters.len()..).unwrap_or_default();
    if letters.is_empty() || letters.len() > 3 || !letters.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        return Err("each corner begins with the letters of a column");
    }
    let column =
        letters.bytes().fold(0_u32, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    if column > MAX_SHEET_COLUMNS {
        return Err("the last column of a sheet is XFD");
    }
    if digits.is_empty() {
        return Ok((column - 1, None));
    }
    match digits.parse::<u32>() {
        Ok(row @ 1..=MAX_ROWS) => Ok((column - 1, Some(row - 1))),
        _ => Err("rows are numbered from 1 to 1048576"),
    }
}
