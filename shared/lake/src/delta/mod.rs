//! Delta tables: opening, reading and the one place that commits.

mod commit;
mod file;
mod footer;
mod history;
mod ledger;
pub(crate) mod log;
pub(crate) mod schema;
mod stats;

use std::sync::Arc;

use deltalake::{DeltaTable, DeltaTableBuilder};
use polars::prelude::cloud::CloudOptions;
use polars::prelude::{
    CloudScheme, DataFrame, DataType, HiveOptions, IntoLazy, LazyFrame, PlRefPath, ScanArgsParquet, Schema, col,
};
use sluice_core::columns::StoredColumn;
use sluice_core::error::ErrorName;
use sluice_core::name::TableRef;
use sluice_core::uri::{FolderUri, layout};
use sluice_documents::usage;

pub(crate) use commit::commit_adoption;
pub use commit::{Committed, commit};
pub use file::DataFile;
pub(crate) use footer::{FileColumn, Footer};
pub use history::{Bound, HistoryEntry, open_version, version_at};
pub(crate) use ledger::input_of;
pub use ledger::{Ledger, run_app_id, source_app_id};
pub use log::{VersionChanges, changes};
pub use stats::{FileStatistics, staged_file};

use self::log::Log;
use crate::error::LakeError;
use crate::lake::{Lake, StoreOptions};
use crate::spread::{spread, spread_behind};

/// A Delta table at one version.
#[derive(Debug, Clone)]
pub struct OpenTable {
    reference: TableRef,
    lake: Lake,
    folder: FolderUri,
    table: DeltaTable,
    columns: Vec<StoredColumn>,
}

/// Opens a table, at its newest version or at the one given. `None` where there is no table.
///
/// # Errors
/// [`LakeError::Unreadable`] naming the file of the log that is damaged, [`LakeError::Log`] when the log cannot be read for
/// another reason; [`LakeError::NotFound`] when the version does not exist; [`LakeError::Violation`] when another engine
/// gave the table columns or features that Sluice does not read.
pub async fn open_table(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<Option<OpenTable>, LakeError> {
    match load_table(lake, table, version).await {
        // A fault of the store says itself what is wrong.
        Err(error @ LakeError::Log { .. })
            if matches!(error.name(), ErrorName::TableUnreadable | ErrorName::NotFound) =>
        {
            Err(damage(lake, table, version).await.unwrap_or(error))
        }
        opened => opened,
    }
}

/// The error that names the damaged file of a log that the library cannot read; the library names none. The newest
/// version is read before another one.
async fn damage(lake: &Lake, table: &TableRef, version: Option<u64>) -> Option<LakeError> {
    let log = Log::of(lake, table);
    for version in [Some(u64::MAX), version].into_iter().flatten() {
        // A fault of the store while the file is searched says less than the library did.
        if let Ok(Some(damage)) = log.damage(version).await {
            return Some(damage);
        }
    }
    None
}

async fn load_table(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<Option<OpenTable>, LakeError> {
    let folder = lake.table_folder(table)?;
    let failed = LakeError::log(table);
    if folder.is_local() {
        // The library refuses a local folder that does not exist, where S3 just has no objects.
        match folder.as_url().to_file_path() {
            Ok(path) if path.join(layout::LOG_FOLDER).is_dir() => {}
            _ => return Ok(None),
        }
    }
    let builder = DeltaTableBuilder::from_url(folder.as_url().clone())
        .map_err(&failed)?
        .with_storage_options(lake.options().clone().into_iter().collect());
    let mut opened = builder.build().map_err(&failed)?;
    if !opened.verify_deltatable_existence().await.map_err(&failed)? {
        return Ok(None);
    }
    opened.load().await.map_err(&failed)?;
    if let Some(version) = version {
        if opened.version().is_none_or(|newest| version > newest) {
            let newest = opened.version().unwrap_or_default();
            return Err(LakeError::NotFound {
                what: format!("table `{table}` has no version {version}; its newest is {newest}"),
            });
        }
        opened.load_version(version).await.map_err(&failed)?;
    }
    OpenTable::new(table.clone(), lake.clone(), folder, opened).map(Some)
}

impl OpenTable {
    fn new(reference: TableRef, lake: Lake, folder: FolderUri, table: DeltaTable) -> Result<Self, LakeError> {
        let snapshot = table.snapshot().map_err(LakeError::log(&reference))?;
        // Files are read by the names of the table's columns: all of them would seem to be missing, which is null.
        let mapping = snapshot.metadata().configuration().get("delta.columnMapping.mode");
        if mapping.is_some_and(|mode| mode != "none") {
            let message =
                "its columns have other names in the files (column mapping), which is not read yet".to_owned();
            return Err(LakeError::Violation { table: reference, message });
        }
        let schema = snapshot.schema();
        let columns = schema
            .fields()
            .map(|field| {
                schema::stored_column(field).ok_or_else(|| LakeError::Violation {
                    table: reference.clone(),
                    message: format!(
                        "column `{}` has type {} that Sluice does not read; another engine must have changed the table",
                        field.name(),
                        field.data_type()
                    ),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { reference, lake, folder, table, columns })
    }

    /// The table.
    pub fn reference(&self) -> &TableRef {
        &self.reference
    }

    /// The version opened.
    pub fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    /// All columns, in table order.
    pub fn columns(&self) -> &[StoredColumn] {
        &self.columns
    }

    /// The table's id.
    ///
    /// # Errors
    /// [`LakeError::Log`].
    pub fn id(&self) -> Result<String, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::log(&self.reference))?;
        Ok(snapshot.metadata().id().to_owned())
    }

    /// Partition columns in order.
    pub fn partition_by(&self) -> Result<Vec<String>, LakeError> {
        let snapshot = self.table.snapshot().map_err(LakeError::log(&self.reference))?;
        Ok(snapshot.metadata().partition_columns().to_vec())
    }

    /// All rows of this version.
    ///
    /// # Errors
    /// As [`Self::files`]; [`LakeError::Violation`] for a partitioned table whose folders do not hold its values.
    pub(crate) fn scan(&self) -> Result<LazyFrame, LakeError> {
        let files = self.files()?;
        self.scan_files(files.iter().map(|file| file.path.as_str()))
    }

    /// The rows of these files of the table.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub(crate) fn scan_files<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Result<LazyFrame, LakeError> {
        self.scan_files_as(paths, None)
    }

    /// The rows of these files of the table, in the order of the files and of the rows in them; with the address of each row's
    /// file in a column of this name, when one is given.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub(crate) fn scan_files_as<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a str>,
        file_column: Option<&str>,
    ) -> Result<LazyFrame, LakeError> {
        let partition_by = self.partition_by()?;
        let (folder, options) = (&self.folder, self.lake.options());
        scan_files_as(&self.reference, folder, options, &self.columns, &partition_by, paths, file_column)
    }

    /// So many rows of a file of the table, from this one on. The rows before it are not read.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub(crate) fn scan_slice(&self, path: &str, offset: i64, rows: u32) -> Result<LazyFrame, LakeError> {
        let partition_by = self.partition_by()?;
        let (folder, options) = (&self.folder, self.lake.options());
        let scan = scan_unspread(&self.reference, folder, options, &self.columns, &partition_by, [path], None)?;
        Ok(spread(scan.slice(offset, rows)))
    }

    /// The path below the table's folder of a file whose address a scan returned.
    pub(crate) fn path_of<'a>(&self, address: &'a str) -> Result<&'a str, LakeError> {
        let base = polars_folder(&self.folder)?;
        let outside = || LakeError::Internal {
            message: format!("table `{}`: a scan returned a file outside its folder", self.reference),
        };
        address.strip_prefix(base.as_str()).and_then(|path| path.strip_prefix('/')).ok_or_else(outside)
    }

    /// The record of what is in the table.
    ///
    /// # Errors
    /// [`LakeError::Log`] or [`LakeError::Store`].
    pub async fn ledger(&self) -> Result<Ledger, LakeError> {
        Ledger::read(&Log::of(&self.lake, &self.reference), self.version()).await
    }
}

/// Options of the cloud store for Polars; none for local files.
pub(crate) fn cloud_options(folder: &FolderUri, options: &StoreOptions) -> Result<Option<CloudOptions>, LakeError> {
    if folder.is_local() {
        return Ok(None);
    }
    let pairs = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    CloudOptions::from_untyped_config(CloudScheme::from_path(folder.as_url().as_str()), pairs)
        .map(Some)
        .map_err(LakeError::polars(format!("store options for {folder}")))
}

/// The folder as Polars wants it: a plain path or an s3:// address, without a final slash.
pub(crate) fn polars_folder(folder: &FolderUri) -> Result<String, LakeError> {
    let text = if folder.is_local() {
        let path = folder
            .as_url()
            .to_file_path()
            .map_err(|()| LakeError::Invalid { message: format!("{folder} is no local folder") })?;
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| LakeError::Invalid { message: format!("{folder} is not UTF-8") })?
    } else {
        folder.as_url().as_str().to_owned()
    };
    Ok(text.trim_end_matches('/').to_owned())
}

/// Rows of Parquet files below a table's folder, committed or staged, with the columns of the table.
///
/// Columns that a file lacks are null; partition values come from the hive-style folders.
///
/// # Errors
/// [`LakeError::Violation`] for a partitioned table whose folders do not hold its values.
pub(crate) fn scan_table_files<'a>(
    table: &TableRef,
    folder: &FolderUri,
    options: &StoreOptions,
    columns: &[StoredColumn],
    partition_by: &[String],
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<LazyFrame, LakeError> {
    scan_files_as(table, folder, options, columns, partition_by, paths, None)
}

/// So many rows of a file below this folder, from this one on. The rows before it are not read.
///
/// # Errors
/// As [`scan_table_files`].
pub(crate) fn scan_file_slice(
    table: &TableRef,
    folder: &FolderUri,
    options: &StoreOptions,
    columns: &[StoredColumn],
    path: &str,
    offset: i64,
    rows: u32,
) -> Result<LazyFrame, LakeError> {
    Ok(spread(scan_unspread(table, folder, options, columns, &[], [path], None)?.slice(offset, rows)))
}

/// The rows of these files, for conditions of all kinds.
fn scan_files_as<'a>(
    table: &TableRef,
    folder: &FolderUri,
    options: &StoreOptions,
    columns: &[StoredColumn],
    partition_by: &[String],
    paths: impl IntoIterator<Item = &'a str>,
    file_column: Option<&str>,
) -> Result<LazyFrame, LakeError> {
    let rows = scan_unspread(table, folder, options, columns, partition_by, paths, file_column)?;
    // Where a condition over a partition column is null, Polars takes the partition's rows or not by what stands under
    // the null (polars-mem-engine 0.55, `scan_predicate/functions.rs`): it is computed row by row.
    Ok(if partition_by.is_empty() { spread(rows) } else { spread_behind(rows) })
}

fn scan_unspread<'a>(
    table: &TableRef,
    folder: &FolderUri,
    options: &StoreOptions,
    columns: &[StoredColumn],
    partition_by: &[String],
    paths: impl IntoIterator<Item = &'a str>,
    file_column: Option<&str>,
) -> Result<LazyFrame, LakeError> {
    let mut all = schema::polars_schema(columns);
    let (mut in_file, mut in_folder) = (Schema::default(), Schema::default());
    for (name, dtype) in all.iter() {
        let target = if partition_by.iter().any(|p| p == name.as_str()) { &mut in_folder } else { &mut in_file };
        target.insert(name.clone(), dtype.clone());
    }
    let base = polars_folder(folder)?;
    let mut full_paths = Vec::new();
    for path in paths {
        if let Some(missing) = partition_by.iter().find(|column| file::folder_value(path, column).is_none()) {
            return Err(LakeError::Violation {
                table: table.clone(),
                message: format!("file {path} is not below a {missing}=… folder; another engine laid the table out"),
            });
        }
        full_paths.push(PlRefPath::new(format!("{base}/{path}")));
    }
    if let Some(name) = file_column {
        all.insert(name.into(), DataType::String);
    }
    if full_paths.is_empty() {
        return Ok(DataFrame::empty_with_schema(&all).lazy());
    }
    usage::count_scanned(full_paths.len());
    let partitioned = !partition_by.is_empty();
    let arguments = ScanArgsParquet {
        glob: false,
        cloud_options: cloud_options(folder, options)?,
        schema: Some(Arc::new(in_file)),
        hive_options: HiveOptions {
            enabled: Some(partitioned),
            hive_start_idx: base.len(),
            schema: partitioned.then(|| Arc::new(in_folder)),
            // Else partitions by day would be text.
            try_parse_dates: true,
        },
        allow_missing_columns: true,
        include_file_paths: file_column.map(Into::into),
        ..Default::default()
    };
    let rows = LazyFrame::scan_parquet_files(full_paths.into(), arguments)
        .map_err(LakeError::polars(format!("scan of table `{table}`")))?;
    Ok(rows.select(all.iter_names().map(|name| col(name.clone())).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
