//! The versions of a table.

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::OpenTable;
use super::log::{Log, READ_AT_ONCE};
use crate::error::LakeError;

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
    /// [`LakeError::Store`] and [`LakeError::Internal`] when the log cannot be read.
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
