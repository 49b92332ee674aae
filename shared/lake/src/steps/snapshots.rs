//! Full snapshots: of several that wait, the newest decides what a table holds, whichever run takes them in. In mode
//! replace its rows take the place of all others; in mode snapshot they are compared with them; a history takes each one
//! that is newer than what it has.
//!
//! A table holds the objects that its newest snapshot has in the landing folder. A part that comes in a later run
//! therefore takes the others along: the run reads their rows again from bronze, because the table is replaced as a
//! whole. So the table does not depend on how a delivery is split into runs. A part that was taken out of the folder
//! leaves the table with the next part, as if all parts were taken in again. A folder with a part that is held, still
//! changes, is not complete yet or cannot be read would be half a snapshot: it waits, and the table keeps what it has.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::error::ErrorName;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, SilverTable, WriteMode};
use sluice_core::run::{Plan, PlannedObject};
use sluice_core::source::{PassedBy, PassedByReason, SourceId, SourceObject};
use sluice_core::spec::SnapshotSpec;
use sluice_core::uri::{FolderUri, ObjectUri};

use super::copied::{BronzeRows, Copied};
use super::find::landing_folder;
use super::standing::Standing;
use crate::engine::{SnapshotOrder, source_objects};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{AT_ONCE, blocking, bucket_and_key};

/// What a run does to a table that takes full snapshots.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    /// Objects that the table passes by, because it has a newer snapshot, or gets one in the same run.
    pub(super) superseded: BTreeSet<SourceId>,
    /// Objects of the newest snapshot that the table has taken in already: they are read again next to its new ones.
    pub(super) again: Vec<SourceObject>,
    /// Objects that wait for another part of their snapshot, which is held, still changes, is not complete
    /// yet or cannot be read.
    pub(super) kept_back: BTreeSet<SourceId>,
    /// The folders of these.
    pub(super) incomplete: Vec<PassedBy>,
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
    /// Those of them that are held.
    pub(super) held: &'a [SourceObject],
    /// What else of the landing folder the run does not take.
    pub(super) passed_by: &'a [PassedBy],
    /// Finds objects of the lake that this one is a copy of. All are compared under their addresses in this lake.
    pub(super) copied: &'a Copied<'a>,
}

impl Deliveries<'_> {
    /// What the run does to each table that takes full snapshots and lacks one of its objects.
    ///
    /// # Errors
    /// [`LakeError::Invalid`] for a folder of several objects when the spec does not say what a snapshot is, and for an
    /// object that is to be read again when nobody can say which rows of bronze are its own; [`LakeError::S3`] and
    /// [`LakeError::Io`] when the store does not say when an object was modified; [`LakeError::Polars`] when the table
    /// cannot be read.
    pub(super) async fn replacements(&self) -> Result<BTreeMap<TableRef, Replacement>, LakeError> {
        let mut replacements = BTreeMap::new();
        for silver in self.pipeline.silver.iter().filter(|silver| silver.takes_snapshots()) {
            let mut waiting = self.waiting(&silver.table);
            let (kept_back, incomplete) = self.keep_back(silver, &mut waiting);
            let found =
                if waiting.is_empty() { Replacement::default() } else { self.replacement(silver, waiting).await? };
            replacements.insert(silver.table.clone(), Replacement { kept_back, incomplete, ..found });
        }
        Ok(replacements)
    }

    /// What the objects that wait do to the table.
    async fn replacement(&self, silver: &SilverTable, waiting: Vec<SourceObject>) -> Result<Replacement, LakeError> {
        let rule = self.rule(&silver.table, silver.snapshot, &waiting)?;
        let listed: BTreeSet<SourceId> = self.listed.iter().map(SourceObject::id).collect();
        let history = History {
            gone: waiting.iter().map(SourceObject::id).filter(|id| !listed.contains(id)).collect(),
            waiting: self.with_times(waiting).await?,
            taken: self.taken(&silver.table),
            shown: self.with_times(self.shown(&silver.table).await?).await?,
        };
        let Replacement { superseded, again, .. } = if silver.compares_snapshots() {
            history.comparison(self.landing, rule, matches!(silver.mode, WriteMode::Scd2(_)))
        } else {
            history.replacement(self.landing, rule)
        };
        let again = self.as_in_bronze(&silver.table, again).await?;
        Ok(Replacement { superseded: self.planned_ids(&superseded), again, ..Replacement::default() })
    }

    /// Takes the objects out whose folder lacks a part: their ids in the plan, and the folders.
    fn keep_back(&self, silver: &SilverTable, waiting: &mut Vec<SourceObject>) -> (BTreeSet<SourceId>, Vec<PassedBy>) {
        let parts = self.missing_parts(silver);
        let (mut kept_back, mut folders) = (BTreeSet::new(), BTreeMap::new());
        waiting.retain(|object| {
            let folder = folder_below(self.landing, object.uri.as_str());
            let Some((folder, part)) = folder.and_then(|folder| parts.get_key_value(folder)) else { return true };
            kept_back.insert(object.id());
            folders.insert(*folder, *part);
            false
        });
        let passed_by = |(folder, part): (&str, &str)| PassedBy {
            uri: format!("{folder}/"),
            reason: PassedByReason::Incomplete { table: silver.table.clone(), part: part.to_owned() },
        };
        (self.planned_ids(&kept_back), folders.into_iter().map(passed_by).collect())
    }

    /// The folders of which a part that the table lacks is held, still changes, is not complete yet or cannot be read,
    /// each with such a part, where the table takes a folder as one snapshot.
    fn missing_parts(&self, silver: &SilverTable) -> BTreeMap<&str, &str> {
        if silver.snapshot != Some(SnapshotSpec::Folder) {
            return BTreeMap::new();
        }
        let held = self.held.iter().filter(|object| !self.standing.has(&silver.table, &object.id()));
        let is_unread = |by: &&PassedBy| {
            by.reason.is_incomplete_file()
                || matches!(by.reason, PassedByReason::Unreadable { .. } | PassedByReason::Changing)
        };
        let unread = self.passed_by.iter().filter(is_unread);
        let parts = held.map(|object| object.uri.as_str()).chain(unread.map(|passed| passed.uri.as_str()));
        parts.filter_map(|part| Some((folder_below(self.landing, part)?, part))).collect()
    }

    /// The ids that the plan has for objects with these ids in this lake.
    fn planned_ids(&self, ids: &BTreeSet<SourceId>) -> BTreeSet<SourceId> {
        let objects = self.objects.iter().map(|planned| &planned.object);
        objects.filter(|object| ids.contains(&self.copied.here(object).id())).map(SourceObject::id).collect()
    }

    /// The objects under the addresses that their rows in bronze have.
    async fn as_in_bronze(&self, table: &TableRef, again: Vec<SourceObject>) -> Result<Vec<SourceObject>, LakeError> {
        let bronze = &self.pipeline.source.bronze;
        let Some(open) = self.standing.open(bronze).cloned().filter(|_| !again.is_empty()) else { return Ok(again) };
        let rows = BronzeRows::new(self.copied, &blocking(move || source_objects(&open)).await?);
        let found = |object: SourceObject| {
            // Those that bronze lacks are read by this run, from the landing folder.
            if !self.standing.has(bronze, &object.id()) {
                return Ok(object);
            }
            rows.of(&object).ok_or_else(|| LakeError::Invalid {
                message: format!(
                    "table `{table}` needs the rows of '{}' again, and table `{bronze}` has rows of another version, from \
                     the lake that this one is a copy of: deliver the whole snapshot again, in another folder",
                    object.uri
                ),
            })
        };
        again.into_iter().map(found).collect()
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
            if let Some(folder) = folder_below(self.landing, object.uri.as_str()) {
                folders.entry(folder).or_default().insert(&object.uri);
            }
        }
        let mut waits = waiting.iter().filter_map(|object| folder_below(self.landing, object.uri.as_str()));
        match waits.find(|folder| folders.get(*folder).is_some_and(|objects| objects.len() > 1)) {
            None => Ok(SnapshotSpec::Object),
            Some(folder) => Err(LakeError::Invalid {
                message: format!(
                    "table `{table}` takes full snapshots, and {folder}/ has several objects: write `snapshot: folder` for \
                     the table if they are the parts of one snapshot, or `snapshot: object` if each of them is one"
                ),
            }),
        }
    }

    /// The objects of the run that a table lacks.
    fn waiting(&self, table: &TableRef) -> Vec<SourceObject> {
        let objects = self.objects.iter().map(|planned| &planned.object);
        let lacking = objects.filter(|object| !self.standing.has(table, &object.id()));
        lacking.map(|object| self.copied.here(object)).collect()
    }

    /// Objects of the landing folder that a table has taken in, with rows or without, and whose rows the run can read.
    fn taken(&self, table: &TableRef) -> Vec<SourceObject> {
        let planned: BTreeSet<SourceId> = self.objects.iter().map(|planned| planned.object.id()).collect();
        let is_taken = |object: &&SourceObject| {
            let id = object.id();
            self.standing.has(table, &id)
                && (self.standing.has(&self.pipeline.source.bronze, &id) || planned.contains(&id))
        };
        self.listed.iter().filter(is_taken).cloned().collect()
    }

    /// The objects whose rows a table has. The rows say when these were modified, because the objects may have been
    /// removed since; in tables of older versions, the store has to.
    async fn shown(&self, table: &TableRef) -> Result<Vec<SourceObject>, LakeError> {
        let Some(open) = self.standing.open(table).cloned() else { return Ok(Vec::new()) };
        let shown = blocking(move || source_objects(&open)).await?;
        Ok(shown.iter().map(|object| self.copied.here(object)).collect())
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

/// The objects of one table that takes full snapshots.
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
        Replacement { superseded, again: again.cloned().collect(), ..Replacement::default() }
    }

    /// As [`Self::replacement`], of a table that is compared with snapshots. Rows that did not change are still those of
    /// older ones, so what it took in last is known by the landing folder as well. With `each`, it takes every snapshot
    /// that is newer, and not the newest alone; of several of one time, that of the greatest name, because no time is left
    /// in which the others were true.
    fn comparison(&self, landing: &FolderUri, rule: SnapshotSpec, each: bool) -> Replacement {
        let snapshots = Snapshots::of(landing, rule, self.waiting.iter().chain(&self.taken).chain(&self.shown));
        let outdated = self.outdated();
        let current = self.waiting.iter().filter(|object| !outdated.contains(&object.id()));
        let present = self.taken.iter().chain(&self.shown).map(|object| snapshots.snapshot(object)).max();
        let newest = current.clone().map(|object| snapshots.snapshot(object)).max().max(present);
        let least = if each { present } else { newest };
        let mut brought: Vec<&SourceObject> =
            current.filter(|object| Some(snapshots.snapshot(object)) >= least).collect();
        let mut newest_at: BTreeMap<Option<Timestamp>, &str> = BTreeMap::new();
        for object in &brought {
            let Snapshot { modified_at, name } = snapshots.snapshot(object);
            let newest = newest_at.entry(modified_at).or_insert(name);
            *newest = (*newest).max(name);
        }
        brought.retain(|object| {
            let Snapshot { modified_at, name } = snapshots.snapshot(object);
            newest_at.get(&modified_at) == Some(&name)
        });
        let names: BTreeSet<&str> = brought.iter().map(|object| snapshots.snapshot(object).name).collect();
        let ids: BTreeSet<SourceId> = brought.iter().map(|object| object.id()).collect();
        let superseded = self.waiting.iter().map(SourceObject::id).filter(|id| !ids.contains(id)).collect();
        let again = self.taken.iter().filter(|object| names.contains(snapshots.snapshot(object).name));
        Replacement { superseded, again: again.cloned().collect(), ..Replacement::default() }
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

/// The snapshots that a run brings to a table that is compared with them, in the order in which they are.
///
/// # Errors
/// [`LakeError::Invalid`] for a landing folder that has no address.
pub(super) fn snapshot_order(lake: &Lake, plan: &Plan, silver: &SilverTable) -> Result<SnapshotOrder, LakeError> {
    let sources = plan.table(&silver.table).map(|planned| &planned.sources);
    let Some(sources) = sources.filter(|sources| silver.compares_snapshots() && !sources.is_empty()) else {
        return Ok(SnapshotOrder::default());
    };
    let (WriteMode::Scd2(_), Some(rule)) = (&silver.mode, silver.snapshot) else { return Ok(SnapshotOrder::one()) };
    let landing = landing_folder(lake, &plan.request, &plan.pipeline)?;
    let mut by_name: BTreeMap<&str, (Option<Timestamp>, Vec<String>)> = BTreeMap::new();
    for object in plan.objects.iter().map(|planned| &planned.object).filter(|object| sources.contains(&object.id())) {
        let (newest, objects) = by_name.entry(snapshot_name(&landing, rule, &object.uri)).or_default();
        *newest = (*newest).max(object.modified_at);
        objects.push(object.uri.to_string());
    }
    // Of two with one time, the one of the greater name is the newer, and the other is passed by.
    let by_time: BTreeMap<Option<Timestamp>, Vec<String>> = by_name.into_values().collect();
    Ok(SnapshotOrder::of(by_time.into_iter().map(|(time, objects)| (time.map(|time| time.as_microsecond()), objects))))
}

/// The snapshot that an object belongs to: the folder directly above it with all objects in that folder, or the object
/// alone.
fn snapshot_name<'a>(landing: &FolderUri, rule: SnapshotSpec, object: &'a ObjectUri) -> &'a str {
    match (rule, folder_below(landing, object.as_str())) {
        (SnapshotSpec::Folder, Some(folder)) => folder,
        (SnapshotSpec::Folder, None) | (SnapshotSpec::Object, _) => object.as_str(),
    }
}

/// The folder directly above an address; `None` where this is the landing folder itself, or no folder below it.
fn folder_below<'a>(landing: &FolderUri, address: &'a str) -> Option<&'a str> {
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
