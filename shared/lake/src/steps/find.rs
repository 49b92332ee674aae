//! What a landing folder, and bronze, have for a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{PlannedObject, Positions, ReadFrom, RunRef, RunRequest};
use sluice_core::source::{HeldObject, Hold, PassedBy, PassedByReason, SourceId, SourceObject};
use sluice_core::uri::{FolderUri, LakePath, UriError};

use super::changing::Changing;
use super::copied::{BronzeRows, Copied};
use super::named::Named;
use super::ranges::positions;
use super::standing::Standing;
use crate::engine::source_objects;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::landing::{Landing, list_landing};
use crate::objects::blocking;
use crate::runs::Held;

/// The folder that a run takes objects of a source from; `pipeline` is that of the source. Of a folder that the request
/// names, a source with a name has the folder of its name.
pub(super) fn landing_folder(lake: &Lake, request: &RunRequest, pipeline: &Pipeline) -> Result<FolderUri, LakeError> {
    let invalid = |error: UriError| LakeError::Invalid { message: format!("source prefix: {error}") };
    match (&request.landing, &pipeline.source.name) {
        (Some(folder), Some(name)) => Ok(folder.folder(&name.as_str().parse::<LakePath>().map_err(invalid)?)),
        (Some(folder), None) => Ok(folder.clone()),
        (None, _) => lake.root().object(&pipeline.source.prefix).as_str().parse().map_err(invalid),
    }
}

/// What the landing folder of a source has for a run.
#[derive(Default)]
pub(super) struct Found {
    /// Objects that are missing from bronze or a silver table, under the addresses that their rows have or get.
    pub(super) objects: Vec<PlannedObject>,
    /// Ids in this lake of those that bronze knows under the address of another lake, by the id that they had there.
    pub(super) ids_here: BTreeMap<SourceId, SourceId>,
    /// All objects of the folder.
    pub(super) listed: Vec<SourceObject>,
    /// Those that the run would take if they were not held.
    pub(super) held: Vec<SourceObject>,
    /// Those that are held, whether or not the run would take them.
    pub(super) all_held: Vec<SourceObject>,
    /// Those that earlier attempts of the run have held.
    pub(super) held_by_run: Vec<HeldObject>,
    /// The columns that these have.
    pub(super) held_columns: BTreeSet<String>,
    /// What cannot be a source object, and what is still being written, or may be.
    pub(super) passed_by: Vec<PassedBy>,
}

/// What a run asks its landing folder for.
pub(super) struct Wanted<'a> {
    pub(super) run: &'a RunRef,
    pub(super) request: &'a RunRequest,
    /// That of the source.
    pub(super) pipeline: &'a Pipeline,
    /// Its folder, as [`landing_folder`] says.
    pub(super) landing: &'a FolderUri,
    /// What the tables of the pipeline have.
    pub(super) standing: &'a Standing,
    /// The only objects to take, when a person's word is for these.
    pub(super) only: Option<&'a BTreeSet<SourceId>>,
    /// The objects to leave out, because they changed while the attempts before read them.
    pub(super) changing: &'a Changing,
    /// All held objects of the pipeline, whatever their source.
    pub(super) held: &'a [Held],
    /// When the run is planned.
    pub(super) now: Timestamp,
}

impl Wanted<'_> {
    /// Why an object that bronze lacks is left to a later run; `None` where this one may take it.
    fn reason_to_wait(&self, object: &SourceObject) -> Option<PassedByReason> {
        if self.changing.has(object) {
            return Some(PassedByReason::Changing);
        }
        // A person has accepted it as it is.
        if self.only.is_some_and(|only| only.contains(&object.id())) {
            return None;
        }
        self.pipeline.source.files.judge_completeness(object, self.now).err()
    }
}

/// Lists the landing folder and finds what a table lacks.
///
/// # Errors
/// Faults of the store; [`LakeError::NotFound`] for a named object that is not there.
pub(super) async fn find_objects(lake: &Lake, wanted: &Wanted<'_>) -> Result<Found, LakeError> {
    let Wanted { run, request, pipeline, landing, standing, only, held, .. } = *wanted;
    let Landing { objects: listed, mut passed_by } = list_landing(lake, landing, Some(&pipeline.source.files)).await?;
    let named = Named::of(request).below(landing, pipeline);
    named.check(&listed, &passed_by, landing)?;
    // A person's word is for the objects of the attempt that was rejected, which the run held then, and not for those that
    // it had held before. A damaged hold does not say whose it is.
    let is_accepted = |held: &Held| {
        only.is_some_and(|only| only.contains(&held.source()))
            && held.run_id().is_none_or(|holder| *holder == run.run_id)
    };
    let holds: Vec<&Held> = held.iter().filter(|held| !is_accepted(held)).collect();
    let own = holds.iter().filter(|held| held.run_id() == Some(&run.run_id));
    let own = own.filter_map(|held| Held::known((*held).clone()));
    // A version that was replaced since is no object of the run any more.
    let is_listed = |hold: &Hold| listed.iter().any(|object| object.is_same_version(&hold.object));
    let own: Vec<Hold> =
        own.filter(|hold| is_listed(hold) || standing.has(&pipeline.source.bronze, &hold.object.id())).collect();
    let holds: BTreeSet<SourceId> = holds.iter().map(|held| held.source()).collect();
    let stored = in_bronze(pipeline, standing).await?;
    let copied = Copied::new(lake, &listed);
    let rows = BronzeRows::new(&copied, &stored);
    let is_held = |object: &SourceObject| holds.contains(&object.id()) || holds.contains(&copied.here(object).id());
    let is_meant = |object: &SourceObject| only.is_none_or(|only| only.contains(&object.id()));
    // By address in this lake: of two versions at one address, the older one is left to a later run.
    let mut objects = BTreeMap::new();
    let (mut held, mut all_held) = (Vec::new(), Vec::new());
    for object in &listed {
        let is_in_bronze = standing.has(&pipeline.source.bronze, &object.id());
        if is_in_bronze && !standing.is_behind(pipeline, &object.id()) {
            continue;
        }
        let read_from = if is_in_bronze { ReadFrom::Bronze } else { ReadFrom::Landing };
        // Where nobody can say which rows are those of the object, the rows are found below, as those of no file here.
        let found = if is_in_bronze { rows.of(object) } else { Some(object.clone()) };
        let is_found = found.is_some();
        let planned = found.unwrap_or_else(|| object.clone());
        let is_taken = named.takes(object) && is_meant(&planned);
        if is_held(&planned) {
            all_held.push(object.clone());
            held.extend(is_taken.then(|| object.clone()));
        } else if !is_in_bronze && let Some(reason) = wanted.reason_to_wait(object) {
            passed_by.push(PassedBy { uri: object.uri.to_string(), reason });
        } else if is_taken && is_found {
            // Those of the landing folder have to be read first: they may be packed.
            let positions = if is_in_bronze { positions(pipeline, planned.size_bytes) } else { Positions::Numbers };
            let source = pipeline.source.name.clone();
            let planned = PlannedObject { object: planned, source, read_from, again: false, shape: None, positions };
            objects.insert(object.uri.clone(), planned);
        }
    }
    for object in stored {
        let (id, here) = (object.id(), copied.here(&object));
        let is_behind = standing.has(&pipeline.source.bronze, &id) && standing.is_behind(pipeline, &id);
        if !is_behind || !named.takes(&here) || !is_meant(&object) {
            continue;
        }
        if is_held(&object) {
            held.extend((!objects.contains_key(&here.uri) && !held.contains(&here)).then_some(object));
        } else {
            let (read_from, positions) = (ReadFrom::Bronze, positions(pipeline, object.size_bytes));
            let source = pipeline.source.name.clone();
            let planned = PlannedObject { object, source, read_from, again: false, shape: None, positions };
            objects.entry(here.uri).or_insert(planned);
        }
    }
    let objects: Vec<PlannedObject> = objects.into_values().collect();
    let ids = objects.iter().map(|planned| (planned.object.id(), copied.here(&planned.object).id()));
    let ids_here = ids.filter(|(id, here)| id != here && standing.has(&pipeline.source.bronze, here)).collect();
    let held_columns = own.iter().flat_map(|hold| hold.columns.iter().cloned()).collect();
    let held_by_run = own.into_iter().map(HeldObject::from).collect();
    Ok(Found { objects, ids_here, listed, held, all_held, held_by_run, held_columns, passed_by })
}

/// The objects that bronze has rows of, where a silver table lacks one of them: a run died between the two commits, a
/// snapshot waits for another part, or the silver table is new.
async fn in_bronze(pipeline: &Pipeline, standing: &Standing) -> Result<Vec<SourceObject>, LakeError> {
    let Some((bronze, ledger)) = standing.table(&pipeline.source.bronze) else { return Ok(Vec::new()) };
    if !ledger.sources().any(|id| standing.is_behind(pipeline, &id)) {
        return Ok(Vec::new());
    }
    let bronze = bronze.clone();
    blocking(move || source_objects(&bronze)).await
}
