//! Opened tables, kept for a moment: hundreds of callers ask for the same ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sluice_core::name::TableRef;
use sluice_core::uri::layout;

use super::{QueryLimits, ServeError};
use crate::delta::{Bound, HistoryEntry, OpenTable, open_version, version_at};
use crate::error::LakeError;
use crate::lake::Lake;

/// How long the newest version of a table is taken for the newest.
const NEWEST_KEPT: Duration = Duration::from_secs(2);
/// From when on the newest version is opened again while callers still get the one that is kept: opened only when its time is
/// up, it has hundreds of them wait, every two seconds.
const RENEWED_AFTER: Duration = Duration::from_secs(1);
/// How long an opened table is kept. The newest version is opened again as long as it is asked for. An older one is not kept
/// for longer either: a lake that was set back gives its number to other rows.
const KEPT: Duration = Duration::from_secs(30);
/// Most tables that a server of many callers keeps. When it is reached, the one that was opened first is dropped.
const MAX_KEPT: usize = 128;
/// Most of them that are kept at an older version: a caller may ask for any number of versions.
const MAX_OLDER: usize = 8;

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

/// A table, and the version where it is not the newest.
type Key = (TableRef, Option<u64>);
/// An opened table. Whoever opens it holds the lock, unless it is being renewed.
type Slot = Arc<tokio::sync::Mutex<Option<Opened>>>;
type Histories = Arc<Mutex<HashMap<TableRef, History>>>;

#[derive(Debug, Clone)]
struct Opened {
    /// Since when it is as new as it says.
    at: Instant,
    table: Arc<OpenTable>,
    /// Somebody is opening its newest version.
    is_being_renewed: bool,
}

/// The tables that are kept.
#[derive(Debug, Default)]
struct Slots(HashMap<Key, Kept>);

#[derive(Debug)]
struct Kept {
    slot: Slot,
    /// Since when: when the table was opened, or else when somebody began to.
    since: Instant,
}

/// The history of a table up to a version.
#[derive(Debug)]
struct History {
    version: u64,
    entries: Arc<Vec<HistoryEntry>>,
    read_at: Instant,
}

impl Slots {
    /// The slot for a table. There are at most so many.
    fn slot(&mut self, key: &Key, most: usize, now: Instant) -> Slot {
        self.0.retain(|_, kept| now.saturating_duration_since(kept.since) < KEPT);
        if let Some(kept) = self.0.get(key) {
            return kept.slot.clone();
        }
        self.make_room(most, |_| true);
        if key.1.is_some() {
            self.make_room(MAX_OLDER, |(_, version)| version.is_some());
        }
        let slot = Slot::default();
        self.0.insert(key.clone(), Kept { slot: slot.clone(), since: now });
        slot
    }

    /// Drops what was opened first of the tables that count, until one more is within `most`.
    fn make_room(&mut self, most: usize, counts: impl Fn(&Key) -> bool) {
        while self.0.keys().filter(|key| counts(key)).count() >= most {
            let first = self.0.iter().filter(|(key, _)| counts(key)).min_by_key(|(_, kept)| kept.since);
            let Some(key) = first.map(|(key, _)| key.clone()) else { return };
            self.0.remove(&key);
        }
    }
}

/// Opens the tables of a lake for readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshots {
    lake: Lake,
    most: usize,
    slots: Arc<Mutex<Slots>>,
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
    /// [`ServeError::NoTable`], [`ServeError::NoVersion`], [`ServeError::NothingThen`], [`ServeError::VersionGone`]; faults of the
    /// lake; [`ServeError::TooSlow`] after the time that a question may take.
    pub async fn open(&self, table: &TableRef, version: Version) -> Result<Arc<OpenTable>, ServeError> {
        let time = QueryLimits::default().time;
        let opened = tokio::time::timeout(time, self.opened(table, version)).await;
        opened.map_err(|_| ServeError::TooSlow { seconds: time.as_secs() })?
    }

    async fn opened(&self, table: &TableRef, version: Version) -> Result<Arc<OpenTable>, ServeError> {
        match version {
            Version::Newest => self.newest(table).await,
            Version::At(asked) => {
                let open = self.newest(table).await?;
                let newest = open.version();
                if asked == newest {
                    return Ok(open);
                }
                // A newer one was committed in the last two seconds, or never.
                if asked > newest && !self.has_entry(table, asked).await? {
                    return Err(ServeError::NoVersion { asked, newest });
                }
                self.older(table, asked).await
            }
            Version::AsOf(instant) => {
                match version_at(&self.lake, table, instant, Bound::AtOrBefore).await.map_err(serve_error)? {
                    Some(version) => self.exactly(table, version).await,
                    // A table that does not exist has no version either, but its error has another name.
                    None => self.newest(table).await.and(Err(ServeError::NothingThen)),
                }
            }
        }
    }

    /// The table at a version that exists: whoever asks for it has found it.
    pub(super) async fn exactly(&self, table: &TableRef, version: u64) -> Result<Arc<OpenTable>, ServeError> {
        let newest = self.slots().0.get(&(table.clone(), None)).map(|kept| kept.slot.clone());
        if let Some(newest) = newest {
            let kept = newest.lock().await.clone();
            if let Some(opened) = kept.filter(|opened| opened.table.version() == version) {
                return Ok(opened.table);
            }
        }
        self.older(table, version).await
    }

    /// The newest version. Whoever comes first opens it, the others wait for that; as long as it is asked for, it is opened
    /// again before its time is up, and nobody waits.
    async fn newest(&self, table: &TableRef) -> Result<Arc<OpenTable>, ServeError> {
        let key = (table.clone(), None);
        let slot = self.slot(&key);
        let mut kept = slot.lock().await;
        let Some(opened) = kept.as_mut().filter(|opened| opened.at.elapsed() < NEWEST_KEPT) else {
            return self.fill(&key, &mut kept).await;
        };
        if opened.at.elapsed() >= RENEWED_AFTER && !opened.is_being_renewed {
            opened.is_being_renewed = true;
            tokio::spawn(self.clone().renew(key, slot.clone()));
        }
        Ok(opened.table.clone())
    }

    /// Opens the newest version of a table that is kept. Where that fails, the next caller after its time opens it, and gets
    /// the error.
    async fn renew(self, key: Key, slot: Slot) {
        let began = Instant::now();
        let opening = open_version(&self.lake, &key.0, None);
        let opened = tokio::time::timeout(QueryLimits::default().time, opening).await;
        let Ok(Ok(Some(table))) = opened else { return };
        let mut kept = slot.lock().await;
        // Whoever waited for longer than it is kept has opened it since.
        if kept.as_ref().is_some_and(|opened| opened.is_being_renewed && opened.at < began) {
            *kept = Some(Opened { at: began, table: Arc::new(table), is_being_renewed: false });
            if let Some(kept) = self.slots().0.get_mut(&key) {
                kept.since = began;
            }
        }
    }

    /// A version that exists and need not be the newest.
    async fn older(&self, table: &TableRef, version: u64) -> Result<Arc<OpenTable>, ServeError> {
        let key = (table.clone(), Some(version));
        let slot = self.slot(&key);
        let mut kept = slot.lock().await;
        match &*kept {
            Some(opened) => Ok(opened.table.clone()),
            None => self.fill(&key, &mut kept).await,
        }
    }

    /// Opens a table into its slot. A slot that stays empty is not kept.
    async fn fill(&self, key: &Key, kept: &mut Option<Opened>) -> Result<Arc<OpenTable>, ServeError> {
        let (table, version) = key;
        let opened = open_version(&self.lake, table, *version).await.map_err(serve_error);
        let mut slots = self.slots();
        match opened.and_then(|open| open.ok_or(ServeError::NoTable)) {
            Ok(open) => {
                let (table, at) = (Arc::new(open), Instant::now());
                *kept = Some(Opened { at, table: table.clone(), is_being_renewed: false });
                if let Some(kept) = slots.0.get_mut(key) {
                    kept.since = at;
                }
                Ok(table)
            }
            Err(error) => {
                slots.0.remove(key);
                Err(error)
            }
        }
    }

    async fn has_entry(&self, table: &TableRef, version: u64) -> Result<bool, ServeError> {
        let entry = layout::log_entry(table, version);
        Ok(self.lake.documents().exists(&entry).await.map_err(LakeError::from)?)
    }

    /// The newest versions up to that of an opened table, the newest first. Read once for each version of each table.
    ///
    /// # Errors
    /// Faults of the lake.
    pub async fn history(&self, open: &OpenTable, limit: usize) -> Result<Arc<Vec<HistoryEntry>>, ServeError> {
        let (table, version) = (open.reference(), open.version());
        let known = self.histories().get(table).map(|history| (history.version, history.entries.clone()));
        if let Some((_, entries)) = known.filter(|(known, _)| *known == version) {
            return Ok(entries);
        }
        let entries = Arc::new(open.history(limit).await?);
        let mut histories = self.histories();
        if histories.len() >= self.most {
            let first = histories.iter().min_by_key(|(_, history)| history.read_at);
            if let Some(table) = first.map(|(table, _)| table.clone()) {
                histories.remove(&table);
            }
        }
        histories.insert(table.clone(), History { version, entries: entries.clone(), read_at: Instant::now() });
        Ok(entries)
    }

    fn slot(&self, key: &Key) -> Slot {
        self.slots().slot(key, self.most, Instant::now())
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Every change is complete before the lock is released.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<TableRef, History>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve_error(error: LakeError) -> ServeError {
    match error {
        LakeError::VersionGone { version, .. } => ServeError::VersionGone { version },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests;
