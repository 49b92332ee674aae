//! The log of a table: its files, its entries, its versions by time, and what each version changed.

mod changes;
mod entry;
mod name;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_core::name::TableRef;
use sluice_core::uri::{LakePath, layout};

use super::{OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;

pub use changes::{VersionChanges, changes};
pub(crate) use entry::{Action, LogEntry, Transaction};
pub(crate) use name::{LogFile, newest_checkpoint};

/// Log entries that are read at once.
pub(super) const READ_AT_ONCE: usize = 8;

/// The log of a table of a lake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log<'a> {
    lake: &'a Lake,
    table: &'a TableRef,
}

impl<'a> Log<'a> {
    /// The log of this table, which may have none.
    pub(crate) fn of(lake: &'a Lake, table: &'a TableRef) -> Self {
        Self { lake, table }
    }

    /// The table.
    pub(crate) fn table(&self) -> &'a TableRef {
        self.table
    }

    /// The files that belong to versions, the oldest version first.
    ///
    /// # Errors
    /// [`LakeError::Store`].
    pub(crate) async fn files(&self) -> Result<Vec<LogFile>, LakeError> {
        let folder = layout::log(self.table);
        let key = self.lake.documents().key(&folder)?;
        let failed = |source| LakeError::Store { doing: "list", location: folder.to_string(), source };
        let listed: Vec<_> = self.lake.documents().objects().list(Some(&key)).try_collect().await.map_err(failed)?;
        let mut files = Vec::new();
        for object in listed {
            let mut below = object.location.prefix_match(&key).into_iter().flatten();
            // Folders in the log, such as that of the sidecars of checkpoints, hold nothing that has a version.
            if let (Some(name), None) = (below.next(), below.next()) {
                files.extend(LogFile::parse(name.as_ref()));
            }
        }
        files.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
        Ok(files)
    }

    /// The versions that have their entry, the oldest first.
    ///
    /// # Errors
    /// [`LakeError::Store`].
    pub(crate) async fn versions(&self) -> Result<Vec<u64>, LakeError> {
        let files = self.files().await?;
        Ok(files.iter().filter(|file| file.is_commit()).map(|file| file.version).collect())
    }

    /// The entry of a version; `None` when it is not there.
    ///
    /// # Errors
    /// [`LakeError::Store`].
    pub(crate) async fn find_entry(&self, version: u64) -> Result<Option<LogEntry>, LakeError> {
        let found = self.find(&layout::log_entry(self.table, version)).await?;
        Ok(found.map(|(text, written_at)| LogEntry { version, text, written_at }))
    }

    /// The entry of a version, which was there.
    ///
    /// # Errors
    /// [`LakeError::VersionGone`] when it is not any more; [`LakeError::Store`].
    pub(crate) async fn entry(&self, version: u64) -> Result<LogEntry, LakeError> {
        let gone = || LakeError::VersionGone { table: self.table.clone(), version };
        self.find_entry(version).await?.ok_or_else(gone)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`LakeError::VersionGone`] when it is not there any more; [`LakeError::Store`].
    pub(crate) async fn bytes(&self, file: &LogFile) -> Result<Bytes, LakeError> {
        let gone = || LakeError::VersionGone { table: self.table.clone(), version: file.version };
        let (bytes, _) = self.find(&layout::log_file(self.table, &file.name)).await?.ok_or_else(gone)?;
        Ok(bytes)
    }

    /// Bytes of an object and when it was written.
    async fn find(&self, path: &LakePath) -> Result<Option<(Bytes, Timestamp)>, LakeError> {
        let key = self.lake.documents().key(path)?;
        let failed = |source| LakeError::Store { doing: "read", location: path.to_string(), source };
        match self.lake.documents().objects().get(&key).await {
            Ok(object) => {
                let written_at = Timestamp::from_millisecond(object.meta.last_modified.timestamp_millis());
                let written_at = written_at.unwrap_or(Timestamp::UNIX_EPOCH);
                Ok(Some((object.bytes().await.map_err(failed)?, written_at)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
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

/// Opens a table as [`open_table`] does, and tells a version that was cleaned up from other faults.
///
/// # Errors
/// Those of [`open_table`]; [`LakeError::VersionGone`].
pub async fn open_version(lake: &Lake, table: &TableRef, version: Option<u64>) -> Result<Option<OpenTable>, LakeError> {
    let opened = open_table(lake, table, version).await;
    let (Err(LakeError::Delta { .. }), Some(version)) = (&opened, version) else { return opened };
    // The version is not newer than the table, or the answer were another. A version needs its own entry.
    if lake.documents().exists(&layout::log_entry(table, version)).await? {
        opened
    } else {
        Err(LakeError::VersionGone { table: table.clone(), version })
    }
}

/// The version that an instant means; `None` when there is none on that side.
///
/// # Errors
/// [`LakeError::Store`] and [`LakeError::Internal`] when the log cannot be read.
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
