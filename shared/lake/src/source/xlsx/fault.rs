//! What can be wrong with a workbook.

use std::error::Error;
use std::io;
use std::sync::Arc;

use calamine::XlsxError;
use sluice_core::source::Codec;

use crate::source::columns::shown;
use crate::source::parquet::is_of_the_system;

/// Why a workbook cannot be read. The object's name is in the error around it.
#[derive(Debug, thiserror::Error)]
pub enum XlsxFault {
    /// It is something else.
    #[error("it is no zip archive, as workbooks are: correct source.format, or save it as .xlsx")]
    NotZip,
    /// The workbook as a whole is compressed.
    #[error("it is packed with {codec}; a workbook is packed in itself, so deliver it as it is")]
    Packed {
        /// Compression recognised by its first bytes.
        codec: Codec,
    },
    /// It is encrypted.
    #[error("it is protected with a password; save it without one")]
    Protected,
    /// It is a file of another program, or of an earlier one.
    #[error("it is {what}; save it as .xlsx")]
    Other {
        /// What it is.
        what: &'static str,
    },
    /// The directory of the archive cannot be read.
    #[error("its zip directory {problem}; it is cut off or damaged, so deliver it again")]
    Directory {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It would take too much memory or time.
    #[error(
        "it is too large ({what} of {} bytes, and at most {limit_bytes} are read); split it, or export the sheet as CSV \
         or Parquet",
        if *is_least { format!("more than {size_bytes}") } else { size_bytes.to_string() }
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Their size.
        size_bytes: u64,
        /// Whether they are even larger.
        is_least: bool,
        /// Most bytes that are read.
        limit_bytes: u64,
    },
    /// It announces more shared texts than it can have.
    #[error("its shared texts are announced as {announced}, which is more than fit into them; save it again")]
    SharedTexts {
        /// The number that it announces.
        announced: u64,
    },
    /// It has no such sheet.
    #[error("sheet {sheet} is missing; it has {}. Correct source.xlsx.sheet, or the workbook", listed(sheets))]
    NoSheet {
        /// The sheet that is wanted.
        sheet: String,
        /// Those that it has.
        sheets: Vec<String>,
    },
    /// The sheet has no cell with a value.
    #[error(
        "sheet '{}' has no value{}; fill it, or name another in source.xlsx.sheet (the workbook has {})",
        shown(sheet),
        place.as_ref().map_or_else(String::new, |place| format!(" in {place}")),
        listed(sheets)
    )]
    EmptySheet {
        /// The sheet.
        sheet: String,
        /// Where it was sought, if not in the whole sheet.
        place: Option<String>,
        /// The sheets of the workbook.
        sheets: Vec<String>,
    },
    /// The spec has another number of names.
    #[error(
        "the header in row {row} has {found} column{}, and source.xlsx.names {named}; name each column of the table, in \
         its order",
        if *found == 1 { "" } else { "s" }
    )]
    NameCount {
        /// Row of the sheet.
        row: u64,
        /// Names in the spec.
        named: usize,
        /// Columns of the header.
        found: usize,
    },
    /// A name that a silver table reads is that of two columns.
    #[error(
        "the header in row {row} has '{name}' as column {position}, and '{first_name}' as column {first_position} (spaces \
         around and case do not count), and a silver table reads it; rename one in the workbook, or name the columns by \
         position in source.xlsx.names"
    )]
    Ambiguous {
        /// Row of the sheet.
        row: u64,
        /// Position of the second, from 1.
        position: usize,
        /// Name of the second.
        name: String,
        /// Position of the first, from 1.
        first_position: usize,
        /// Name of the first.
        first_name: String,
    },
    /// Its cells are not in the order of the sheet, or outside of it.
    #[error(
        "sheet '{}': cell {cell} is not behind the one before it, or no sheet has it; save the workbook again",
        shown(sheet)
    )]
    Unordered {
        /// The sheet.
        sheet: String,
        /// The cell.
        cell: String,
    },
    /// The library cannot read the workbook.
    #[error("its parts cannot be read; save it again")]
    Workbook {
        /// What the library said.
        #[source]
        source: Box<XlsxError>,
    },
    /// The library cannot read the sheet.
    #[error("sheet '{}' cannot be read behind row {row}; save the workbook again", shown(sheet))]
    Sheet {
        /// The sheet.
        sheet: String,
        /// The last row that was read; 0 before the first.
        row: u64,
        /// What the library said.
        #[source]
        source: Box<XlsxError>,
    },
}

impl XlsxFault {
    /// Whether the file could not be read because of the machine: the file may be good, and a later run may read it.
    pub(crate) fn is_of_the_system(&self) -> bool {
        let (Self::Workbook { source } | Self::Sheet { source, .. }) = self else { return false };
        // The library has them as they are, or within those of the archive or of its XML.
        let mut next: Option<&(dyn Error + 'static)> = Some(&**source);
        while let Some(error) = next {
            let shared = error.downcast_ref::<Arc<io::Error>>().map(|shared| &**shared);
            if error.downcast_ref::<io::Error>().or(shared).is_some_and(is_of_the_system) {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// Sheets for people: all of them, or the first of very many.
fn listed(sheets: &[String]) -> String {
    const NAMED: usize = 20;
    let mut named: Vec<String> = sheets.iter().take(NAMED).map(|sheet| shown(sheet)).collect();
    match sheets.len().checked_sub(NAMED) {
        _ if sheets.is_empty() => return "no worksheet".to_owned(),
        Some(more @ 1..) => named.push(format!("and {more} more")),
        _ => {}
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_machine_are_not_those_of_the_workbook() {
        let check = |error: io::Error, expected: bool| {
            let kind = error.kind();
            let fault = XlsxFault::Sheet { sheet: "a".to_owned(), row: 1, source: Box::new(XlsxError::Io(error)) };
            assert_eq!(fault.is_of_the_system(), expected, "{kind}");
        };
        // A disk that fails.
        check(io::Error::from_raw_os_error(5), true);
        check(io::ErrorKind::UnexpectedEof.into(), false);
        check(io::Error::other("a wrong checksum"), false);
        assert!(!XlsxFault::NotZip.is_of_the_system());
    }
}
