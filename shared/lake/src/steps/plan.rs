//! Validate: what is new, where the tables stand, and what the run is going to do about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sluice_core::engine::{EnginePreference, ObjectMeasure, estimate};
use sluice_core::name::{RunId, TableRef};
use sluice_core::pipeline::{MappedNames, Pipeline};
use sluice_core::run::{
    Decision, Earlier, MAX_ATTEMPTS, Plan, PlanStatus, PlannedObject, PlannedWork, ReadFrom, RunAction, RunKey, RunRef,
    RunRequest, Verdict,
};
use sluice_core::source::{FirstOf, PassedByList, SourceId};

use super::brought::Brought;
use super::changing::Changing;
use super::choose::{choose_engine, cut_objects, workload};
use super::copied::Copied;
use super::find::{Found, Wanted, find_objects, landing_folder};
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

async fn make_plan(lake: &Lake, now: Timestamp, attempt: Attempt) -> Result<Plan, LakeError> {
    let Attempt { run, request, only, earlier, changing } = attempt;
    let pipeline = check::load_pipeline(lake, &request).await?;
    check::check_pipeline(&pipeline)?;
    let standing = Standing::read(lake, &pipeline).await?;
    standing.check_schemas(&pipeline)?;
    let replay = request.action == RunAction::Replay;
    if replay && request.objects.is_some() {
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
    let (only, changing) = (only.as_ref(), &changing);
    let wanted = Wanted { run: &run, request: &request, pipeline: &pipeline, standing: &standing, only, changing, now };
    let found = if replay { Found::default() } else { find_objects(lake, &wanted).await? };
    let Found { objects, ids_here, listed, held, mut all_held, mut held_by_run, held_columns, mut passed_by } = found;
    let known = &standing.known_columns(&pipeline) | &mapped_columns(&MappedNames::of(&pipeline), &held_columns);
    let looked = refuse_unreadable(lake, now, &run, &pipeline, known, objects).await?;
    let Looked { objects, measures, passed_by: unread, refused, held: held_now, held_columns: of_held } = looked;
    let held_columns = &held_columns | &of_held;
    passed_by.extend(unread);
    all_held.extend(refused);
    held_by_run.extend(held_now);
    let landing = landing_folder(lake, &request, &pipeline)?;
    let deliveries = Deliveries {
        lake,
        landing: &landing,
        pipeline: &pipeline,
        standing: &standing,
        objects: &objects,
        listed: &listed,
        held: &all_held,
        passed_by: &passed_by,
        copied: &Copied::new(lake, &listed),
    };
    let replacements = deliveries.replacements().await?;
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
        passed_by: PassedByList::from(passed_by),
        earlier,
    };
    Ok(lake.documents().of(&run).settle(plan).await?)
}

/// The objects of a run by address, with those that are read again for tables of mode replace, and what is in each.
fn with_again(
    pipeline: &Pipeline,
    objects: Vec<PlannedObject>,
    measures: Vec<ObjectMeasure>,
    replacements: &BTreeMap<TableRef, Replacement>,
) -> (Vec<PlannedObject>, Vec<ObjectMeasure>) {
    let mut ids: BTreeSet<SourceId> = objects.iter().map(|planned| planned.object.id()).collect();
    let mut measured: Vec<(PlannedObject, ObjectMeasure)> = objects.into_iter().zip(measures).collect();
    for object in replacements.values().flat_map(|replacement| &replacement.again) {
        if ids.insert(object.id()) {
            let positions = positions(pipeline, object.size_bytes);
            let (object, read_from) = (object.clone(), ReadFrom::Bronze);
            let planned = PlannedObject { object, read_from, again: true, shape: None, positions };
            let measure = ObjectMeasure::unseen(planned.object.size_bytes);
            measured.push((planned, measure));
        }
    }
    measured.sort_by(|(a, _), (b, _)| a.object.uri.cmp(&b.object.uri));
    measured.into_iter().unzip()
}
