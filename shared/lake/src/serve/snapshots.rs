//! Opened tables, kept for a moment: hundreds of callers ask for the same ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sluice_core::name::TableRef;

use super::ServeError;
use crate::delta::{Bound, HistoryEntry, OpenTable, open_version, version_at};
use crate::error::LakeError;
use crate::lake::Lake;

/// How long the newest version of a table is taken for the newest.
const NEWEST_KEPT: Duration = Duration::from_secs(2);
/// Most tables that a server of many callers keeps. When it is reached, all are dropped and opened again.
const MAX_KEPT: usize = 128;

/// Which version of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The newest.
    Newest,
    /// This one.
    At(u64),
    /// The newest that was committed at this instant or before.
    AsOf(Timestamp),
}

type Slots = Arc<Mutex<HashMap<(TableRef, Option<u64>), Slot>>>;
type Histories = Arc<Mutex<HashMap<(TableRef, u64), Arc<Vec<HistoryEntry>>>>>;
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Arc<OpenTable>)>>>;

/// Opens the tables of a lake for readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshots {
    lake: Lake,
    most: usize,
    slots: Slots,
    histories: Histories,
}

impl Snapshots {
    /// Tables of this lake.
    pub fn new(lake: Lake) -> Self {
        Self::keeping(lake, MAX_KEPT)
    }

    /// Tables of this lake, of which at most so many are kept.
    pub fn keeping(lake: Lake, most: usize) -> Self {
        Self { lake, most, slots: Arc::default(), histories: Arc::default() }
    }

    /// The table at this version. The newest may be two seconds old.
    ///
    /// # Errors
    /// [`ServeError::NoTable`], [`ServeError::NoVersion`], [`ServeError::NothingThen`], [`ServeError::VersionGone`]; faults of the lake.
    pub async fn open(&self, table: &TableRef, version: Version) -> Result<Arc<OpenTable>, ServeError> {
        let version = match version {
            Version::Newest => None,
            Version::At(version) => Some(version),
            Version::AsOf(instant) => {
                let found = version_at(&self.lake, table, instant, Bound::AtOrBefore).await.map_err(serve_error)?;
                if found.is_none() {
                    // A table that does not exist has no version either, but its error has another name.
                    let _ = Box::pin(self.open(table, Version::Newest)).await?;
                    return Err(ServeError::NothingThen);
                }
                found
            }
        };
        let slot = self.slot(table, version);
        // Whoever comes first opens the table, the others wait for it.
        let mut kept = slot.lock().await;
        if let Some((at, open)) = &*kept
            && (version.is_some() || at.elapsed() < NEWEST_KEPT)
        {
            return Ok(open.clone());
        }
        if let Some(asked) = version {
            let newest = Box::pin(self.open(table, Version::Newest)).await?.version();
            if asked > newest {
                return Err(ServeError::NoVersion { asked, newest });
            }
        }
        let open = open_version(&self.lake, table, version).await.map_err(serve_error)?.ok_or(ServeError::NoTable)?;
        let open = Arc::new(open);
        *kept = Some((Instant::now(), open.clone()));
        Ok(open)
    }

    /// The table at a version that exists: whoever asks for it has opened it.
    pub(super) async fn exactly(&self, table: &TableRef, version: u64) -> Result<Arc<OpenTable>, ServeError> {
        let newest = self.slot(table, None).lock().await.clone();
        if let Some((_, open)) = newest
            && open.version() == version
        {
            return Ok(open);
        }
        let slot = self.slot(table, Some(version));
        let mut kept = slot.lock().await;
        if let Some((_, open)) = &*kept {
            return Ok(open.clone());
        }
        let open = open_version(&self.lake, table, Some(version)).await.map_err(serve_error)?;
        let open = Arc::new(open.ok_or(ServeError::NoTable)?);
        *kept = Some((Instant::now(), open.clone()));
        Ok(open)
    }

    /// The newest versions up to that of an opened table, the newest first. Read once for each version of each table.
    ///
    /// # Errors
    /// Faults of the lake.
    pub async fn history(&self, open: &OpenTable, limit: usize) -> Result<Arc<Vec<HistoryEntry>>, ServeError> {
        let key = (open.reference().clone(), open.version());
        let known = |histories: &Histories| histories.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(history) = known(&self.histories) {
            return Ok(history);
        }
        let history = Arc::new(open.history(limit).await?);
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        if histories.len() >= self.most {
            histories.clear();
        }
        histories.insert(key, history.clone());
        Ok(history)
    }

    fn slot(&self, table: &TableRef, version: Option<u64>) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= self.most {
            slots.clear();
        }
        slots.entry((table.clone(), version)).or_default().clone()
    }
}

fn serve_error(error: LakeError) -> ServeError {
    match error {
        LakeError::VersionGone { version, .. } => ServeError::VersionGone { version },
        other => other.into(),
    }
}
