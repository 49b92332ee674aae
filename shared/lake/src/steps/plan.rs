//! Validate: what is new, where the tables stand, and what the run is going to do about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_core::engine::{EnginePreference, ObjectMeasure, estimate};
use sluice_core::name::{RunId, SourceName, TableRef};
use sluice_core::pipeline::{MappedNames, Pipeline, Source};
use sluice_core::run::{
    Decision, Earlier, MAX_ATTEMPTS, Plan, PlanStatus, PlannedObject, PlannedWork, ReadFrom, RunAction, RunKey, RunRef,
    RunRequest, Verdict,
};
use sluice_core::source::{FirstOf, HeldObject, PassedBy, PassedByList, SourceId, SourceObject};

use super::brought::Brought;
use super::changing::Changing;
use super::choose::{choose_engine, cut_objects, workload};
use super::copied::Copied;
use super::find::{Found, Wanted, find_objects, landing_folder};
use super::named::Named;
use super::publish::committed_so_far;
use super::ranges::positions;
use super::snapshots::{Deliveries, Replacement};
use super::sniff::{Looked, refuse_unreadable};
use super::stages::mapped_columns;
use super::standing::Standing;
use crate::check;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::runs;

/// Plans a run, or finds the newest plan that it has.
///
/// # Errors
/// [`LakeError::Spec`] and [`LakeError::Invalid`] for specs that cannot be read; [`LakeError::Violation`] for a contract
/// that breaks its table. Source objects that cannot be read are held, and the plan has the others.
pub async fn validate(lake: &Lake, now: Timestamp, run_id: RunId, request: RunRequest) -> Result<Plan, LakeError> {
    if let RunAction::Accept { run_id: rejected } = &request.action {
        return accepted(lake, RunKey { pipeline: request.pipeline.clone(), run_id: rejected.clone() }).await;
    }
    let run = RunKey { pipeline: request.pipeline.clone(), run_id };
    if let Some(plan) = newest_plan(lake, &run).await? {
        return Ok(plan);
    }
    let run = run.attempt(1);
    let attempt = Attempt { run, request, only: None, earlier: Earlier::default(), changing: Changing::default() };
    make_plan(lake, now, attempt).await
}

/// Plans the next attempt of a run that met another writer or a changed source object, or holds some of its objects.
///
/// # Errors
/// As [`validate`]; [`LakeError::ConflictsWithoutEnd`] after [`MAX_ATTEMPTS`].
pub async fn replan(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Plan, LakeError> {
    if run.attempt >= MAX_ATTEMPTS {
        return Err(LakeError::ConflictsWithoutEnd { run: run.run_id.to_string(), attempts: run.attempt });
    }
    let before: Plan = lake.documents().of(run).require().await?;
    let next = RunRef { attempt: run.attempt + 1, ..run.clone() };
    if let Some(plan) = lake.documents().of(&next).get().await? {
        return Ok(plan);
    }
    // A person's acceptance is for the objects of the rejected attempt, not for whatever has arrived since.
    let only: Option<BTreeSet<SourceId>> = match runs::acceptance(lake, run).await? {
        Some(_) => Some(before.objects.iter().map(|planned| planned.object.id()).collect()),
        None => None,
    };
    let earlier = committed_so_far(lake, &before).await?;
    let second_last = if only.is_none() { plan_before(lake, run).await? } else { None };
    let changing = Changing::of(&before, second_last.as_ref(), &earlier);
    make_plan(lake, now, Attempt { run: next, request: before.request, only, earlier, changing }).await
}

/// The plan of the attempt before this one.
async fn plan_before(lake: &Lake, run: &RunRef) -> Result<Option<Plan>, LakeError> {
    if run.attempt <= 1 {
        return Ok(None);
    }
    let before = RunRef { attempt: run.attempt - 1, ..run.clone() };
    Ok(lake.documents().of(&before).get().await?)
}

/// What is to be planned.
struct Attempt {
    run: RunRef,
    request: RunRequest,
    /// The only objects to take, when a person's word is for these.
    only: Option<BTreeSet<SourceId>>,
    /// What the attempts before have committed.
    earlier: Earlier,
    /// The objects to leave out, because they changed while the attempts before read them.
    changing: Changing,
}

/// The newest plan of a run.
async fn newest_plan(lake: &Lake, run: &RunKey) -> Result<Option<Plan>, LakeError> {
    match lake.documents().of(run).attempts().await?.newest_attempt::<Plan>() {
        Some(newest) => Ok(lake.documents().of(&newest).get().await?),
        None => Ok(None),
    }
}

async fn accepted(lake: &Lake, rejected: RunKey) -> Result<Plan, LakeError> {
    let plan = newest_plan(lake, &rejected).await?.ok_or_else(|| runs::no_run(&rejected))?;
    if runs::acceptance(lake, &plan.run).await?.is_none() {
        let run_id = rejected.run_id;
        return Err(LakeError::Invalid {
            message: format!("run `{run_id}` was not accepted by anyone; `sluice runs accept` records who and why"),
        });
    }
    // What was accepted can be published as it is, unless it was planned again since and has not come to the gate.
    let verdict: Option<Verdict> = lake.documents().of(&plan.run).get().await?;
    let passed_by_word = verdict.is_some_and(|verdict| verdict.decision != Decision::Rejected);
    Ok(if passed_by_word { Plan { status: PlanStatus::Accepted, ..plan } } else { plan })
}

/// Refuses a request that the pipeline cannot do.
fn check_request(request: &RunRequest, pipeline: &Pipeline) -> Result<(), LakeError> {
    if request.action == RunAction::Replay && request.objects.is_some() {
        let message = "a replay takes what is in quarantine: leave `objects` out".to_owned();
        return Err(LakeError::Invalid { message });
    }
    if let (Some(table), Some(EnginePreference::Emr)) = (pipeline.lambda_only(), request.engine) {
        let message = format!(
            "engine emr was asked for, and table `{}` is compared with full snapshots, which lambda does: leave the engine \
             out, or ask for lambda",
            table.table
        );
        return Err(LakeError::Invalid { message });
    }
    Ok(())
}

async fn make_plan(lake: &Lake, now: Timestamp, attempt: Attempt) -> Result<Plan, LakeError> {
    let pipeline = check::load_pipeline(lake, &attempt.request).await?;
    check::check_pipeline(&pipeline)?;
    let standing = Standing::read(lake, &pipeline).await?;
    standing.check_schemas(&pipeline)?;
    check_request(&attempt.request, &pipeline)?;
    let replay = attempt.request.action == RunAction::Replay;
    let taken = take_sources(lake, now, &attempt, (&pipeline, &standing)).await?;
    let Attempt { run, request, earlier, .. } = attempt;
    let Taken {
        objects,
        measures,
        ids_here,
        held,
        held_by_run,
        held_columns,
        other_held_columns,
        mut passed_by,
        replacements,
        ..
    } = taken;
    passed_by.extend(replacements.values().flat_map(|found| found.incomplete.iter().cloned()));
    let brought =
        Brought { pipeline: &pipeline, standing: &standing, replacements: &replacements, ids_here: &ids_here };
    let (objects, measures) = brought.without_kept_back(objects, measures);
    let waiting = standing.waiting_gold(&pipeline);
    let refresh = standing.stale_gold(&pipeline, replay || brought.change_silver(&objects), &waiting);
    let work = if replay { standing.has_quarantine(&pipeline)? } else { !objects.is_empty() || !refresh.is_empty() };
    // A run that has committed something is not one that had nothing to do, even if others did the rest meanwhile; nor is
    // one whose objects are all at fault, which the gate rejects.
    let status =
        if work || !earlier.is_empty() || !held_by_run.is_empty() { PlanStatus::Planned } else { PlanStatus::Skipped };
    let tables = brought.planned_tables(&objects);
    let (objects, measures) = with_again(&pipeline, objects, measures, &replacements);
    let work = PlannedWork { run: &run, request: &request, pipeline: &pipeline, tables: &tables, refresh: &refresh };
    let (cuts, parts) = cut_objects(&pipeline, &objects, &measures);
    let estimate = estimate(&workload(work, measures, parts, |table| standing.measure(table))?);
    let engine = choose_engine(status, work, &estimate);
    let plan = Plan {
        run: run.clone(),
        request,
        planned_at: now,
        status,
        engine,
        estimate: Some(estimate),
        pipeline,
        objects,
        cuts,
        tables,
        refresh,
        waiting,
        held,
        held_by_run: FirstOf::from(held_by_run),
        held_columns,
        other_held_columns,
        passed_by: PassedByList::from(passed_by),
        earlier,
    };
    Ok(lake.documents().of(&run).settle(plan).await?)
}

/// What the sources of a pipeline have for a run, together.
#[derive(Default)]
struct Taken {
    objects: Vec<PlannedObject>,
    measures: Vec<ObjectMeasure>,
    ids_here: BTreeMap<SourceId, SourceId>,
    held: Vec<SourceObject>,
    held_by_run: Vec<HeldObject>,
    /// Whether this attempt has held one of them.
    holds_now: bool,
    /// The columns of objects of the first source that the run holds.
    held_columns: BTreeSet<String>,
    /// Those of the other sources.
    other_held_columns: BTreeMap<SourceName, BTreeSet<String>>,
    passed_by: Vec<PassedBy>,
    replacements: BTreeMap<TableRef, Replacement>,
    /// Why the first object may not be read, of those that may not be read.
    denied: Option<LakeError>,
}

impl Taken {
    /// Adds what one more source has.
    fn take(&mut self, of: TakenOfSource, source: &Source, pipeline: &Pipeline) {
        let TakenOfSource { found, looked, replacements } = of;
        self.objects.extend(looked.objects);
        self.measures.extend(looked.measures);
        self.ids_here.extend(found.ids_here);
        self.held.extend(found.held);
        self.holds_now |= !looked.held.is_empty();
        self.held_by_run.extend(found.held_by_run);
        self.held_by_run.extend(looked.held);
        let columns = &found.held_columns | &looked.held_columns;
        match &source.name {
            Some(name) if pipeline.source.name.as_ref() != Some(name) => {
                if !columns.is_empty() {
                    self.other_held_columns.insert(name.clone(), columns);
                }
            }
            _ => self.held_columns = columns,
        }
        self.passed_by.extend(found.passed_by);
        self.replacements.extend(replacements);
        if let Some(denied) = looked.denied {
            self.denied.get_or_insert(denied);
        }
    }

    /// Where the run has no object that it may read, its rights are wrong.
    fn check_rights(&mut self) -> Result<(), LakeError> {
        match self.denied.take() {
            Some(denied) if self.objects.is_empty() && !self.holds_now => Err(denied),
            _ => Ok(()),
        }
    }
}

/// Finds what each source has for a run.
async fn take_sources(
    lake: &Lake,
    now: Timestamp,
    attempt: &Attempt,
    (pipeline, standing): (&Pipeline, &Standing),
) -> Result<Taken, LakeError> {
    let Attempt { run, request, only, changing, .. } = attempt;
    let replay = request.action == RunAction::Replay;
    let mut folders = Vec::new();
    for source in pipeline.sources() {
        folders.push(landing_folder(lake, request, &pipeline.of_source(source.name.as_ref()))?);
    }
    if pipeline.has_named_sources() {
        Named::of(request).check_folders(&folders)?;
    }
    // Read once: each source would read all of them again.
    let held = if replay { Vec::new() } else { runs::held(lake, &run.pipeline).await? };
    let mut taken = Taken::default();
    for (source, landing) in pipeline.sources().zip(&folders) {
        let of_source = pipeline.of_source(source.name.as_ref());
        let (only, held) = (only.as_ref(), held.as_slice());
        let wanted = Wanted { run, request, pipeline: &of_source, landing, standing, only, changing, held, now };
        taken.take(take_source(lake, &wanted).await?, source, pipeline);
    }
    taken.check_rights()?;
    Ok(taken)
}

/// What one source has for a run.
struct TakenOfSource {
    /// Without the objects, which are in `looked`; `passed_by` has what either left out.
    found: Found,
    looked: Looked,
    replacements: BTreeMap<TableRef, Replacement>,
}

/// Finds what a source has for a run, reads the beginning of its new objects, and compares its snapshots.
async fn take_source(lake: &Lake, wanted: &Wanted<'_>) -> Result<TakenOfSource, LakeError> {
    let Wanted { run, request, pipeline, landing, standing, now, .. } = *wanted;
    let replay = request.action == RunAction::Replay;
    let mut found = if replay { Found::default() } else { find_objects(lake, wanted).await? };
    let objects = std::mem::take(&mut found.objects);
    let known = &standing.known_columns(pipeline) | &mapped_columns(&MappedNames::of(pipeline), &found.held_columns);
    let mut looked = refuse_unreadable(lake, now, run, pipeline, known, objects).await?;
    found.passed_by.append(&mut looked.passed_by);
    found.all_held.append(&mut looked.refused);
    let deliveries = Deliveries {
        lake,
        landing,
        pipeline,
        standing,
        objects: &looked.objects,
        listed: &found.listed,
        held: &found.all_held,
        passed_by: &found.passed_by,
        copied: &Copied::new(lake, &found.listed),
    };
    let replacements = deliveries.replacements().await?;
    Ok(TakenOfSource { found, looked, replacements })
}

/// The objects of a run by source and address, with those that are read again for tables of mode replace, and what is in
/// each.
fn with_again(
    pipeline: &Pipeline,
    objects: Vec<PlannedObject>,
    measures: Vec<ObjectMeasure>,
    replacements: &BTreeMap<TableRef, Replacement>,
) -> (Vec<PlannedObject>, Vec<ObjectMeasure>) {
    let mut ids: BTreeSet<SourceId> = objects.iter().map(|planned| planned.object.id()).collect();
    let mut measured: Vec<(PlannedObject, ObjectMeasure)> = objects.into_iter().zip(measures).collect();
    for (table, replacement) in replacements {
        let source = pipeline.source_of(table).and_then(|source| source.name.clone());
        let of_source = pipeline.of_source(source.as_ref());
        for object in &replacement.again {
            if ids.insert(object.id()) {
                let positions = positions(&of_source, object.size_bytes);
                let (object, source, read_from) = (object.clone(), source.clone(), ReadFrom::Bronze);
                let planned = PlannedObject { object, source, read_from, again: true, shape: None, positions };
                let measure = ObjectMeasure::unseen(planned.object.size_bytes);
                measured.push((planned, measure));
            }
        }
    }
    let place = |planned: &PlannedObject| pipeline.place_of(planned.source.as_ref());
    measured.sort_by(|(a, _), (b, _)| (place(a), &a.object.uri).cmp(&(place(b), &b.object.uri)));
    measured.into_iter().unzip()
}
