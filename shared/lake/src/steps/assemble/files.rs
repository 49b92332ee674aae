//! The Parquet files that Spark staged for a table: found, looked into and compared with what the table must have.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::percent_decode_str;
use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;
use sluice_core::name::TableRef;
use sluice_core::run::{RunRef, StagedFile};
use sluice_core::uri::{LakePath, layout};

use crate::delta::{DataFile, FileColumn, Footer};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::AT_ONCE;

/// The folder where Spark staged the files of one table in one attempt.
pub(super) struct StageFolder<'a> {
    lake: &'a Lake,
    run: &'a RunRef,
    table: TableRef,
    path: LakePath,
}

/// A staged file, with the columns of its footer.
pub(super) struct FoundFile {
    pub(super) file: StagedFile,
    pub(super) columns: Vec<FileColumn>,
}

impl<'a> StageFolder<'a> {
    pub(super) fn new(lake: &'a Lake, run: &'a RunRef, table: &TableRef) -> Self {
        Self { lake, run, path: layout::spark_stage(table, run), table: table.clone() }
    }

    fn failed(&self, problem: &str) -> LakeError {
        LakeError::EtlFailed { run: self.run.clone(), problem: format!("table `{}`: {problem}", self.table) }
    }

    /// The Parquet files of the folder, by path, with what their footers say.
    ///
    /// # Errors
    /// [`LakeError::EtlFailed`] naming a file that lies in no folder of these partitions, or is no Parquet file.
    pub(super) async fn find(&self, partition_by: &[String]) -> Result<Vec<FoundFile>, LakeError> {
        let mut wanted = Vec::new();
        for path in self.lake.documents().list(&self.path).await? {
            if let Some(below) = path.as_str().strip_prefix(self.path.as_str()).filter(|below| is_data(below)) {
                wanted.push((self.partition(below, partition_by)?, path));
            }
        }
        stream::iter(wanted).map(|(partition, path)| self.look(partition, path)).buffered(AT_ONCE).try_collect().await
    }

    async fn look(&self, partition: BTreeMap<String, Option<String>>, path: LakePath) -> Result<FoundFile, LakeError> {
        let documents = self.lake.documents();
        let below_table = format!("{}/", layout::table(&self.table));
        let name = path.as_str().strip_prefix(&below_table).unwrap_or(path.as_str()).to_owned();
        let footer = match Footer::read(documents.objects(), documents.key(&path)?).await {
            Ok(footer) => footer,
            Err(LakeError::Unreadable { what }) => return Err(self.failed(&what)),
            Err(error) => return Err(error),
        };
        Ok(FoundFile { columns: footer.columns(), file: footer.staged_file(name, partition)? })
    }

    /// Partition values of a file, from the folders between the stage folder and the file.
    fn partition(&self, below: &str, partition_by: &[String]) -> Result<BTreeMap<String, Option<String>>, LakeError> {
        let mut folders: Vec<&str> = below.trim_start_matches('/').split('/').collect();
        folders.pop();
        let wrong = || {
            let expected: Vec<String> = partition_by.iter().map(|column| format!("{column}=…")).collect();
            let expected = if expected.is_empty() { "no folder".to_owned() } else { expected.join("/") };
            self.failed(&format!("staged file {}{below} is in the wrong place; expected {expected}", self.path))
        };
        if folders.len() != partition_by.len() {
            return Err(wrong());
        }
        partition_by
            .iter()
            .zip(folders)
            .map(|(column, folder)| match folder.split_once('=') {
                Some((name, value)) if &percent_decoded(name) == column => {
                    // Spark writes an empty text as null, too.
                    Ok((column.clone(), (value != layout::NULL_PARTITION).then(|| percent_decoded(value))))
                }
                _ => Err(wrong()),
            })
            .collect()
    }

    /// Compares the columns of files with those that the table must have.
    ///
    /// # Errors
    /// [`LakeError::EtlFailed`] naming file, column, what was expected and what was found.
    pub(super) fn check(
        &self,
        files: &[FoundFile],
        columns: &[StoredColumn],
        partition_by: &[String],
    ) -> Result<(), LakeError> {
        let expected: BTreeMap<&str, &ColumnType> = columns
            .iter()
            .filter(|column| !partition_by.contains(&column.name))
            .map(|column| (column.name.as_str(), &column.column_type))
            .collect();
        for FoundFile { file, columns } in files {
            let mut found = BTreeSet::new();
            for FileColumn { name, column_type } in columns {
                found.insert(name.as_str());
                let is = match column_type {
                    Ok(column_type) => column_type.to_string(),
                    Err(words) => words.clone(),
                };
                match expected.get(name.as_str()) {
                    Some(wanted) if column_type.as_ref() == Ok(*wanted) => {}
                    Some(wanted) => return Err(self.differs(file, name, &wanted.to_string(), &is)),
                    None => return Err(self.differs(file, name, "no such column", &is)),
                }
            }
            if let Some((name, wanted)) = expected.iter().find(|(name, _)| !found.contains(*name)) {
                return Err(self.differs(file, name, &wanted.to_string(), "no such column"));
            }
        }
        Ok(())
    }

    fn differs(&self, file: &StagedFile, column: &str, expected: &str, found: &str) -> LakeError {
        self.failed(&format!("staged file {}: column `{column}`: expected {expected}, found {found}", file.path))
    }
}

/// The files that hold rows; Spark writes a file without rows where there was nothing to write.
pub(super) fn with_rows(files: Vec<FoundFile>) -> Vec<StagedFile> {
    files.into_iter().map(|found| found.file).filter(|file| file.rows > 0).collect()
}

/// The entries of a table's log that Spark names by their addresses, in the order of the log.
///
/// # Errors
/// The address that is not one of the table's files.
pub(super) fn entries_of<'a>(
    entries: &'a [DataFile],
    table: &TableRef,
    addresses: &[String],
) -> Result<Vec<&'a DataFile>, String> {
    let paths: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    let folder = format!("/{table}/");
    let mut named = BTreeSet::new();
    for address in addresses {
        // Spark writes addresses percent-encoded, and names of partition folders hold percent signs themselves.
        let literal = address.rsplit_once(&folder).map(|(_, path)| path.to_owned());
        let decoded = literal.as_deref().map(percent_decoded);
        let known = [decoded, literal].into_iter().flatten().find_map(|path| paths.get(path.as_str()).copied());
        named.insert(known.ok_or_else(|| address.clone())?);
    }
    Ok(entries.iter().filter(|entry| named.contains(entry.path.as_str())).collect())
}

/// Whether a path below a stage folder is a data file. As Spark does, names that start with `_` or `.` are passed by
/// (`_SUCCESS`, `_temporary/…`, `.part-….crc`), except partition folders.
fn is_data(below: &str) -> bool {
    let hidden = |segment: &str| segment.starts_with(['_', '.']) && !segment.contains('=');
    below.ends_with(".parquet") && !below.split('/').any(hidden)
}

/// The text as it was: so Spark escapes what a folder name must not have, and so addresses are written.
fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
