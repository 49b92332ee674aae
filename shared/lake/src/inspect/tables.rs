//! Tables: what there is, what is in it, how it came about.

use jiff::Timestamp;
use polars::prelude::DataFrame;
use serde::Serialize;
use sluice_core::columns::StoredColumn;
use sluice_core::name::{DomainName, Layer, TableRef};
use sluice_core::uri::layout;

use super::{Cell, folders};
use crate::delta::{OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::blocking;

/// A table in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSummary {
    /// The table.
    pub table: TableRef,
    /// The version described.
    pub version: u64,
    /// Rows, when the log's statistics have the number.
    pub rows: Option<u64>,
    /// Data files.
    pub files: u64,
    /// Size of the data files in bytes.
    pub size_bytes: u64,
}

/// A table and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDetails {
    /// The table in one line.
    #[serde(flatten)]
    pub summary: TableSummary,
    /// Address of its folder.
    pub location: String,
    /// Partition columns in order.
    pub partition_by: Vec<String>,
    /// All columns, in table order.
    pub columns: Vec<StoredColumn>,
}

/// A version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableVersion {
    /// The version.
    pub version: u64,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    /// What the writer called it, such as `WRITE`.
    pub operation: Option<String>,
    /// The run that made it, when Sluice did.
    pub run_id: Option<String>,
    /// Rows of the table at this version; `None` when the log does not say, or what it needs of the log was cleaned up.
    pub rows: Option<u64>,
}

/// Rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadRows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; every row has one cell per column.
    pub rows: Vec<Vec<Cell>>,
}

/// Every table of the lake, in the order of layers, then by name.
///
/// # Errors
/// Those of [`open_table`] and of listing the layers' folders.
pub async fn tables(lake: &Lake) -> Result<Vec<TableSummary>, LakeError> {
    let mut found = Vec::new();
    for table in tables_there(lake).await? {
        if let Some(open) = open_table(lake, &table, None).await? {
            found.push(summary(&open)?);
        }
    }
    Ok(found)
}

/// The folders that are named like tables, whether or not their logs can be read.
///
/// # Errors
/// Those of listing the layers' folders.
pub async fn tables_there(lake: &Lake) -> Result<Vec<TableRef>, LakeError> {
    let mut found = Vec::new();
    for layer in Layer::ALL {
        found.extend(tables_of_layer(lake, layer).await?);
    }
    found.sort();
    Ok(found)
}

/// Folders of a layer that are named like a table. Others are not Sluice's.
pub(super) async fn tables_of_layer(lake: &Lake, layer: Layer) -> Result<Vec<TableRef>, LakeError> {
    let mut found = Vec::new();
    for domain in folders(lake, &layout::layer(layer)).await? {
        let Ok(domain) = domain.parse::<DomainName>() else { continue };
        for table in folders(lake, &layout::domain(layer, &domain)).await? {
            found.extend(table.parse().ok().map(|table| TableRef::new(layer, domain.clone(), table)));
        }
    }
    Ok(found)
}

/// A table with its columns, at its newest version or at the one given.
///
/// # Errors
/// [`LakeError::NotFound`] where there is no such table or version.
pub async fn table_details(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<TableDetails, LakeError> {
    let open = existing(lake, table, version).await?;
    Ok(TableDetails {
        summary: summary(&open)?,
        location: lake.table_folder(table)?.to_string(),
        partition_by: open.partition_by()?,
        columns: open.columns().to_vec(),
    })
}

/// The newest versions of a table, newest first, at most `limit`.
///
/// # Errors
/// [`LakeError::NotFound`] where there is no such table.
pub async fn history(lake: &Lake, table: &TableRef, limit: usize) -> Result<Vec<TableVersion>, LakeError> {
    let mut versions = Vec::new();
    for entry in existing(lake, table, None).await?.history(limit).await? {
        let rows = match open_table(lake, table, Some(entry.version)).await {
            Ok(open) => open.map(|open| open.rows()).transpose()?.flatten(),
            // Its own entry exists, but older ones were cleaned up and no checkpoint sums them up, or one is damaged.
            Err(LakeError::Log { .. } | LakeError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        let (version, committed_at) = (entry.version, entry.committed_at);
        versions.push(TableVersion { version, committed_at, operation: entry.operation, run_id: entry.run_id, rows });
    }
    Ok(versions)
}

/// At most `limit` rows of a table, at its newest version or at the one given, in no particular order.
///
/// # Errors
/// [`LakeError::NotFound`] where there is no such table or version.
pub async fn head(lake: &Lake, table: &TableRef, version: Option<u64>, limit: u32) -> Result<HeadRows, LakeError> {
    let open = existing(lake, table, version).await?;
    let rows = open.scan()?.limit(limit);
    let doing = format!("read rows of table `{table}`");
    let frame = blocking(move || rows.collect().map_err(LakeError::polars(doing))).await?;
    Ok(HeadRows {
        columns: frame.get_column_names().iter().map(|name| name.to_string()).collect(),
        rows: cells(&frame).map_err(LakeError::polars(format!("read rows of table `{table}`")))?,
    })
}

/// The table at this version, which must exist.
pub(crate) async fn existing(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<OpenTable, LakeError> {
    open_table(lake, table, version)
        .await?
        .ok_or_else(|| LakeError::NotFound { what: format!("table `{table}` does not exist in {}", lake.root()) })
}

/// The rows of a frame.
pub(super) fn cells(frame: &DataFrame) -> Result<Vec<Vec<Cell>>, polars::prelude::PolarsError> {
    let row =
        |index: usize| frame.columns().iter().map(|column| column.get(index).map(|value| Cell::of(&value))).collect();
    (0..frame.height()).map(row).collect()
}

pub(super) fn summary(open: &OpenTable) -> Result<TableSummary, LakeError> {
    let files = open.files()?;
    Ok(TableSummary {
        table: open.reference().clone(),
        version: open.version(),
        rows: files.iter().map(|file| file.rows).sum(),
        files: files.len() as u64,
        size_bytes: files.iter().map(|file| file.size_bytes).sum(),
    })
}
