//! The log of a table: its files, its entries, and what each version changed.

mod changes;
mod entry;
mod name;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_core::name::TableRef;
use sluice_core::uri::{LakePath, layout};

use super::Footer;
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

    /// The error for the first file that is damaged, of those that a reader of this version reads: the entries after the
    /// newest checkpoint, and the checkpoint. `None` when all entries can be parsed and the checkpoint has its footers.
    ///
    /// # Errors
    /// [`LakeError::Store`].
    pub(crate) async fn damage(&self, version: u64) -> Result<Option<LakeError>, LakeError> {
        let files = self.files().await?;
        let checkpoint = newest_checkpoint(&files, version);
        let summed_up = checkpoint.first().map(|part| part.version);
        let is_read = |file: &&LogFile| {
            file.is_commit() && file.version <= version && summed_up.is_none_or(|summed_up| file.version > summed_up)
        };
        for file in files.iter().filter(is_read) {
            let Some(entry) = self.find_entry(file.version).await? else { continue };
            if let Err(damage) = entry.check(self.table) {
                return Ok(Some(damage));
            }
        }
        for part in checkpoint {
            let key = self.lake.documents().key(&layout::log_file(self.table, &part.name))?;
            match Footer::read(self.lake.documents().objects(), key).await {
                Ok(_) => {}
                Err(LakeError::Unreadable { what }) => {
                    return Ok(Some(LakeError::Unreadable { what: format!("table `{}`: {what}", self.table) }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
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
