//! What a script needs to know of the rows that were read: an excerpt of the document that process leaves.

use serde::Deserialize;
use sluice_core::document::StepDocument;
use sluice_core::name::TableRef;
use sluice_core::run::{AuditedRows, DocumentKind, ReadRun, RunRef};

/// The files with the accepted rows of a run, by silver table.
///
/// Of a run with a hundred thousand files, the document has their statistics as well, some hundred megabytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadFiles {
    /// The silver tables.
    pub tables: Vec<TableFiles>,
}

/// The files with the accepted rows of one silver table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableFiles {
    /// The table.
    pub table: TableRef,
    /// Its files: those of the table itself, or, where rows are merged, those of the typed rows.
    pub accepted_files: Vec<RowsFile>,
    /// Files of the table of its delete events.
    #[serde(default)]
    pub delete_files: Vec<RowsFile>,
    /// Files of delete events that the table of such has already, next to those of the typed rows.
    #[serde(default)]
    pub stored_delete_files: Vec<RowsFile>,
    /// What parts have counted in them: then Spark need not count row rules.
    #[serde(default)]
    pub audited: Option<AuditedRows>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RowsFile {
    /// Path below the folder of the table or of the typed rows, as the store has it.
    pub path: String,
    /// Rows.
    pub rows: u64,
}

impl StepDocument for ReadFiles {
    type Of = RunRef;
    const KIND: DocumentKind = ReadRun::KIND;
}

impl ReadFiles {
    /// The files of a table.
    pub fn of(&self, table: &TableRef) -> Option<&TableFiles> {
        self.tables.iter().find(|files| &files.table == table)
    }
}
