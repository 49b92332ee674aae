//! Mode replace: of several full snapshots that wait, the newest replaces the table, whichever run takes them in.
//!
//! A table holds the objects that its newest snapshot has in the landing folder. A part that comes in a later run
//! therefore takes the others along: the run reads their rows again from bronze, because the table is replaced as a
//! whole. So the table does not depend on how a delivery is split into runs. A part that was taken out of the folder
//! leaves the table with the next part, as if all parts were taken in again.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::error::ErrorName;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, WriteMode};
use sluice_core::run::PlannedObject;
use sluice_core::source::{SourceId, SourceObject};
use sluice_core::spec::SnapshotSpec;
use sluice_core::uri::{FolderUri, ObjectUri};

use super::plan::Standing;
use crate::engine::source_objects;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{AT_ONCE, blocking, bucket_and_key};

/// What a run does to a table of mode replace.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    /// Objects that the table passes by, because it has a newer snapshot, or gets one in the same run.
    pub(super) superseded: BTreeSet<SourceId>,
    /// Objects of the newest snapshot that the table has taken in already: they are read again next to its new ones.
    pub(super) again: Vec<SourceObject>,
}

/// What is known when the snapshots of a run are compared.
pub(super) struct Deliveries<'a> {
    pub(super) lake: &'a Lake,
    pub(super) landing: &'a FolderUri,
    pub(super) pipeline: &'a Pipeline,
    pub(super) standing: &'a Standing,
    /// The objects of the run.
    pub(super) objects: &'a [PlannedObject],
    /// All objects of the landing folder.
    pub(super) listed: &'a [SourceObject],
}

impl Deliveries<'_> {
    /// What the run does to each table of mode replace that lacks one of its objects.
    ///
    /// # Errors
    /// [`LakeError::Invalid`] for a folder of several objects when the spec does not say what a snapshot is;
    /// [`LakeError::S3`] and [`LakeError::Io`] when the store does not say when an object was modified;
    /// [`LakeError::Polars`] when the table cannot be read.
    pub(super) async fn replacements(&self) -> Result<BTreeMap<TableRef, Replacement>, LakeError> {
        let mut replacements = BTreeMap::new();
        for silver in self.pipeline.silver.iter().filter(|silver| silver.mode == WriteMode::Replace) {
            let waiting = self.waiting(&silver.table);
            if waiting.is_empty() {
                continue;
            }
            let rule = self.rule(&silver.table, silver.snapshot, &waiting)?;
            let listed: BTreeSet<SourceId> = self.listed.iter().map(SourceObject::id).collect();
            let history = History {
                gone: waiting.iter().map(SourceObject::id).filter(|id| !listed.contains(id)).collect(),
                waiting: self.with_times(waiting).await?,
                taken: self.taken(&silver.table),
                shown: self.with_times(self.shown(&silver.table).await?).await?,
            };
            replacements.insert(silver.table.clone(), history.replacement(self.landing, rule));
        }
        Ok(replacements)
    }

    /// What a snapshot of a table is. Where the spec does not say, each object is one, and a folder of several objects
    /// is refused: they may be parts of one delivery or deliveries of several days.
    fn rule(
        &self,
        table: &TableRef,
        spec: Option<SnapshotSpec>,
        waiting: &[SourceObject],
    ) -> Result<SnapshotSpec, LakeError> {
        if let Some(rule) = spec {
            return Ok(rule);
        }
        let mut folders: BTreeMap<&str, BTreeSet<&ObjectUri>> = BTreeMap::new();
        for object in waiting.iter().chain(self.listed) {
            if let Some(folder) = folder_below(self.landing, &object.uri) {
                folders.entry(folder).or_default().insert(&object.uri);
            }
        }
        let mut waits = waiting.iter().filter_map(|object| folder_below(self.landing, &object.uri));
        match waits.find(|folder| folders.get(*folder).is_some_and(|objects| objects.len() > 1)) {
            None => Ok(SnapshotSpec::Object),
            Some(folder) => Err(LakeError::Invalid {
                message: format!(
                    "table `{table}` has mode replace, and {folder}/ has several objects: write `snapshot: folder` for \
                     the table if they are the parts of one snapshot, or `snapshot: object` if each of them is one"
                ),
            }),
        }
    }

    fn waiting(&self, table: &TableRef) -> Vec<SourceObject> {
        let objects = self.objects.iter().map(|planned| &planned.object);
        objects.filter(|object| !self.standing.has(table, &object.id())).cloned().collect()
    }

    /// Objects of the landing folder that a table has taken in, with rows or without, and whose rows the run can read.
    fn taken(&self, table: &TableRef) -> Vec<SourceObject> {
        let planned: BTreeSet<SourceId> = self.objects.iter().map(|planned| planned.object.id()).collect();
        let is_taken = |object: &&SourceObject| {
            let id = object.id();
            self.standing.has(table, &id) && (self.standing.has(&self.pipeline.bronze, &id) || planned.contains(&id))
        };
        self.listed.iter().filter(is_taken).cloned().collect()
    }

    /// The objects whose rows a table has. The rows say when these were modified, because the objects may have been
    /// removed since; in tables of older versions, the store has to.
    async fn shown(&self, table: &TableRef) -> Result<Vec<SourceObject>, LakeError> {
        let Some(open) = self.standing.open(table).cloned() else { return Ok(Vec::new()) };
        blocking(move || source_objects(&open)).await
    }

    /// The objects with their times, as far as the store knows those that are missing.
    async fn with_times(&self, objects: Vec<SourceObject>) -> Result<Vec<SourceObject>, LakeError> {
        let lake = self.lake;
        stream::iter(objects)
            .map(|object| async move {
                let known = match object.modified_at {
                    Some(time) => Some(time),
                    None => modified_at(lake, &object.uri).await?,
                };
                Ok::<_, LakeError>(SourceObject { modified_at: known, ..object })
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// The objects of one table of mode replace.
struct History {
    /// Those of the run that the table lacks.
    waiting: Vec<SourceObject>,
    /// Those of them that the landing folder no longer has: only bronze has their rows.
    gone: BTreeSet<SourceId>,
    /// Those of the landing folder that the table has taken in.
    taken: Vec<SourceObject>,
    /// Those whose rows the table has.
    shown: Vec<SourceObject>,
}

impl History {
    fn replacement(&self, landing: &FolderUri, rule: SnapshotSpec) -> Replacement {
        let snapshots = Snapshots::of(landing, rule, self.waiting.iter().chain(&self.taken).chain(&self.shown));
        let outdated = self.outdated();
        let current: Vec<&SourceObject> =
            self.waiting.iter().filter(|object| !outdated.contains(&object.id())).collect();
        // A table without a row still has the snapshot that it took in last.
        let present = if self.shown.is_empty() { &self.taken } else { &self.shown };
        let newest = current.iter().copied().chain(present).map(|object| snapshots.snapshot(object)).max();
        let is_newest = |object: &SourceObject| Some(snapshots.snapshot(object)) == newest;
        let brought: BTreeSet<SourceId> =
            current.into_iter().filter(|object| is_newest(object)).map(SourceObject::id).collect();
        let superseded = self.waiting.iter().map(SourceObject::id).filter(|id| !brought.contains(id)).collect();
        let again = self.taken.iter().filter(|object| !brought.is_empty() && is_newest(object));
        Replacement { superseded, again: again.cloned().collect() }
    }

    /// Waiting objects of which the table has a later version: the run that took them in died after bronze.
    fn outdated(&self) -> BTreeSet<SourceId> {
        let taken: BTreeSet<&ObjectUri> = self.taken.iter().map(|object| &object.uri).collect();
        let mut shown: BTreeMap<&ObjectUri, Option<Timestamp>> = BTreeMap::new();
        for object in &self.shown {
            let newest = shown.entry(&object.uri).or_default();
            *newest = (*newest).max(object.modified_at);
        }
        let is_outdated = |object: &&SourceObject| {
            taken.contains(&object.uri) || shown.get(&object.uri).is_some_and(|newest| *newest > object.modified_at)
        };
        let gone = self.waiting.iter().filter(|object| self.gone.contains(&object.id()));
        gone.filter(is_outdated).map(SourceObject::id).collect()
    }
}

/// A full snapshot and when it came; a greater one is newer. A time that nobody knows is older than all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Snapshot<'a> {
    /// When the newest of its objects was modified.
    modified_at: Option<Timestamp>,
    name: &'a str,
}

/// The snapshots that objects belong to.
struct Snapshots<'a> {
    landing: &'a FolderUri,
    rule: SnapshotSpec,
    times: BTreeMap<&'a str, Option<Timestamp>>,
}

impl<'a> Snapshots<'a> {
    fn of(landing: &'a FolderUri, rule: SnapshotSpec, objects: impl Iterator<Item = &'a SourceObject>) -> Self {
        let mut times: BTreeMap<&'a str, Option<Timestamp>> = BTreeMap::new();
        for object in objects {
            let newest = times.entry(snapshot_name(landing, rule, &object.uri)).or_default();
            *newest = (*newest).max(object.modified_at);
        }
        Self { landing, rule, times }
    }

    fn snapshot(&self, object: &'a SourceObject) -> Snapshot<'a> {
        let name = snapshot_name(self.landing, self.rule, &object.uri);
        Snapshot { modified_at: self.times.get(name).copied().flatten(), name }
    }
}

/// The snapshot that an object belongs to: the folder directly above it with all objects in that folder, or the object
/// alone.
fn snapshot_name<'a>(landing: &FolderUri, rule: SnapshotSpec, object: &'a ObjectUri) -> &'a str {
    match (rule, folder_below(landing, object)) {
        (SnapshotSpec::Folder, Some(folder)) => folder,
        (SnapshotSpec::Folder, None) | (SnapshotSpec::Object, _) => object.as_str(),
    }
}

/// The folder directly above an object; `None` where this is the landing folder itself, or no folder below it.
fn folder_below<'a>(landing: &FolderUri, object: &'a ObjectUri) -> Option<&'a str> {
    let address = object.as_str();
    let below = address.strip_prefix(landing.as_url().as_str())?;
    let (folder, _) = address.rsplit_once('/').filter(|_| below.contains('/'))?;
    Some(folder)
}

/// When an object was last modified; `None` when it is gone, or when the run may not ask.
async fn modified_at(lake: &Lake, object: &ObjectUri) -> Result<Option<Timestamp>, LakeError> {
    if let Ok(path) = object.as_url().to_file_path() {
        return match std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(time) => Ok(Timestamp::try_from(time).ok()),
            Err(error) if is_unknown(error.kind()) => Ok(None),
            Err(source) => Err(LakeError::Io { doing: "check", path, source }),
        };
    }
    let (bucket, key) = bucket_and_key(object.as_url())?;
    match lake.s3(object)?.head(bucket, key.as_ref()).await {
        Ok(head) => Ok(head.and_then(|head| head.modified_at)),
        // Also what S3 answers for a key that does not exist, to whoever may not list the bucket.
        Err(error) if error.name() == ErrorName::AccessDenied => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a fault of the file system says only that nothing can be known of one file.
fn is_unknown(fault: std::io::ErrorKind) -> bool {
    matches!(fault, std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests;
