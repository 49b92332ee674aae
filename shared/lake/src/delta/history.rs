//! The versions of a table, and which of them an instant means.

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use sluice_core::name::TableRef;
use sluice_core::uri::layout;

use super::log::{Log, READ_AT_ONCE};
use super::{OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;

/// A version in a table's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The version.
    pub version: u64,
    /// When it was committed; unknown when its writer did not say.
    pub committed_at: Option<Timestamp>,
    /// What the writer called it, such as `WRITE`.
    pub operation: Option<String>,
    /// The run that made it, when Sluice did.
    pub run_id: Option<String>,
}

impl OpenTable {
    /// Versions of the table up to the one opened, newest first, at most `limit`. A version is the number in the name of its log entry:
    /// entries cannot be counted, because older ones may have been cleaned up.
    ///
    /// # Errors
    /// [`LakeError::Store`] and [`LakeError::Unreadable`] when the log cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, LakeError> {
        let log = Log::of(&self.lake, &self.reference);
        let mut versions = log.versions().await?;
        versions.retain(|version| *version <= self.version());
        let found: Vec<Option<HistoryEntry>> = futures::stream::iter(versions.into_iter().rev().take(limit))
            .map(|version| HistoryEntry::find(log, version))
            .buffered(READ_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl HistoryEntry {
    /// What the log says of a version; `None` when its entry was cleaned up since it was listed.
    async fn find(log: Log<'_>, version: u64) -> Result<Option<Self>, LakeError> {
        let Some(entry) = log.find_entry(version).await? else { return Ok(None) };
        let info = entry.commit_info().map_err(entry.unreadable(log.table()))?.unwrap_or_default();
        let committed_at = info.committed_at();
        Ok(Some(Self { version, committed_at, operation: info.operation, run_id: info.run_id }))
    }
}

/// Which version an instant means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The newest that was committed at the instant or before.
    AtOrBefore,
    /// The oldest that was committed at the instant or after.
    AtOrAfter,
}

/// Opens a table as [`open_table`] does, and distinguishes a version that was cleaned up from other faults.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::VersionGone`].
pub async fn open_version(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<Option<OpenTable>, LakeError> {
    let opened = open_table(lake, table, version).await;
    let (Err(LakeError::Log { .. }), Some(version)) = (&opened, version) else { return opened };
    // A version newer than the table is another error, so this one has existed. A version needs its own entry.
    if lake.documents().exists(&layout::log_entry(table, version)).await? {
        opened
    } else {
        Err(LakeError::VersionGone { table: table.clone(), version })
    }
}

/// The version that an instant means; `None` when no version was committed on that side of it.
///
/// # Errors
/// [`LakeError::Store`] and [`LakeError::Unreadable`] when the log cannot be read.
pub async fn version_at(
    lake: &Lake,
    table: &TableRef,
    instant: Timestamp,
    bound: Bound,
) -> Result<Option<u64>, LakeError> {
    let log = Log::of(lake, table);
    let versions = log.versions().await?;
    // Commits follow each other in time, so a few entries are enough. The first `low` versions are before the instant.
    let (mut low, mut high) = (0, versions.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(version) = versions.get(middle) else { break };
        let entry = log.entry(*version).await?;
        let info = entry.commit_info().map_err(entry.unreadable(table))?;
        let committed_at = info.and_then(|info| info.committed_at()).unwrap_or(entry.written_at);
        let is_before = match bound {
            Bound::AtOrBefore => committed_at <= instant,
            Bound::AtOrAfter => committed_at < instant,
        };
        if is_before { low = middle + 1 } else { high = middle }
    }
    let index = match bound {
        Bound::AtOrBefore => low.checked_sub(1),
        Bound::AtOrAfter => Some(low),
    };
    Ok(index.and_then(|index| versions.get(index)).copied())
}
