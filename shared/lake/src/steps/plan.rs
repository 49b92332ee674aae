//! Validate: what is new, where the tables stand, and what the run is going to do about it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use jiff::Timestamp;
use sluice_core::columns::has_contract_columns;
use sluice_core::engine::{TableMeasure, estimate};
use sluice_core::name::{Layer, RunId, TableRef};
use sluice_core::pipeline::{Pipeline, WriteMode};
use sluice_core::run::{
    Decision, Earlier, MAX_ATTEMPTS, Plan, PlanStatus, PlannedObject, PlannedTable, PlannedWork, ReadFrom, RunAction,
    RunKey, RunRef, RunRequest, Verdict,
};
use sluice_core::source::{PassedBy, PassedByList, SourceId, SourceObject};
use sluice_core::uri::FolderUri;

use super::choose::{choose_engine, workload};
use super::named::Named;
use super::publish::committed_so_far;
use super::snapshots;
use super::sniff::{Looked, refuse_unreadable};
use crate::check;
use crate::delta::{Ledger, OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::landing::{Landing, list_landing};
use crate::runs;

/// Plans a run, or finds the newest plan that it has.
///
/// # Errors
/// [`LakeError::Spec`] and [`LakeError::Invalid`] for specs and source objects that cannot be read (the objects are held,
/// so that they do not stop the runs after this one); [`LakeError::Violation`] for a contract that breaks its table.
pub async fn validate(lake: &Lake, now: Timestamp, run_id: RunId, request: RunRequest) -> Result<Plan, LakeError> {
    if let RunAction::Accept { run_id: rejected } = &request.action {
        return accepted(lake, RunKey { pipeline: request.pipeline.clone(), run_id: rejected.clone() }).await;
    }
    let run = RunKey { pipeline: request.pipeline.clone(), run_id };
    if let Some(plan) = newest_plan(lake, &run).await? {
        return Ok(plan);
    }
    let run = run.attempt(1);
    make_plan(lake, now, Attempt { run, request, only: None, earlier: Earlier::default() }).await
}

/// Plans the next attempt of a run that met another writer or a changed source object.
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
    let only = match runs::acceptance(lake, run).await? {
        Some(_) => Some(before.objects.iter().map(|planned| planned.object.id()).collect()),
        None => None,
    };
    let earlier = committed_so_far(lake, &before).await?;
    make_plan(lake, now, Attempt { run: next, request: before.request, only, earlier }).await
}

/// What is to be planned.
struct Attempt {
    run: RunRef,
    request: RunRequest,
    /// The only objects to take, when a person's word is for these.
    only: Option<BTreeSet<SourceId>>,
    /// What the attempts before have committed.
    earlier: Earlier,
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
    let Attempt { run, request, only, earlier } = attempt;
    let pipeline = check::load_pipeline(lake, &request).await?;
    check::check_pipeline(&pipeline)?;
    let standing = Standing::read(lake, &pipeline).await?;
    standing.check_schemas(&pipeline)?;
    let replay = request.action == RunAction::Replay;
    if replay && request.objects.is_some() {
        let message = "a replay takes what is in quarantine: leave `objects` out".to_owned();
        return Err(LakeError::Invalid { message });
    }
    let Found { objects, held, mut passed_by } =
        if replay { Found::default() } else { find_objects(lake, &run, &request, &pipeline, &standing, only).await? };
    let Looked { objects, measures, passed_by: unread } =
        refuse_unreadable(lake, now, &run, &pipeline, objects).await?;
    passed_by.extend(unread);
    let refresh = standing.stale_gold(&pipeline, !objects.is_empty() || replay);
    let work = if replay { standing.has_quarantine(&pipeline)? } else { !objects.is_empty() || !refresh.is_empty() };
    // A run that has committed something is not one that had nothing to do, even if others did the rest meanwhile.
    let status = if work || !earlier.is_empty() { PlanStatus::Planned } else { PlanStatus::Skipped };
    let landing = landing_folder(lake, &request, &pipeline)?;
    let lacks = |table: &TableRef, id: &SourceId| !standing.has(table, id);
    let superseded =
        snapshots::superseded(lake, &landing, &pipeline, &objects, lacks, |table| standing.open(table)).await?;
    let tables = standing.planned_tables(&pipeline, &objects, &superseded);
    let work = PlannedWork {
        run: &run,
        request: &request,
        planned_at: now,
        pipeline: &pipeline,
        objects: &objects,
        tables: &tables,
        refresh: &refresh,
    };
    let estimate = estimate(&workload(work, measures, |table| standing.measure(table))?);
    let engine = choose_engine(lake, status, work, &estimate)?;
    let plan = Plan {
        run: run.clone(),
        request,
        planned_at: now,
        status,
        engine,
        estimate: Some(estimate),
        pipeline,
        objects,
        tables,
        refresh,
        held,
        passed_by: PassedByList::from(passed_by),
        earlier,
    };
    Ok(lake.documents().of(&run).settle(plan).await?)
}

/// Where every table of a pipeline stands.
struct Standing {
    tables: BTreeMap<TableRef, (OpenTable, Ledger)>,
}

impl Standing {
    async fn read(lake: &Lake, pipeline: &Pipeline) -> Result<Self, LakeError> {
        let opened = try_join_all(pipeline.tables().into_iter().map(|table| async move {
            match open_table(lake, &table, None).await? {
                Some(open) => {
                    let ledger = open.ledger().await?;
                    Ok::<_, LakeError>(Some((table, (open, ledger))))
                }
                None => Ok(None),
            }
        }))
        .await?;
        Ok(Self { tables: opened.into_iter().flatten().collect() })
    }

    fn open(&self, table: &TableRef) -> Option<&OpenTable> {
        self.tables.get(table).map(|(open, _)| open)
    }

    fn version(&self, table: &TableRef) -> Option<u64> {
        self.tables.get(table).map(|(open, _)| open.version())
    }

    /// Size and rows of a table; `None` when it does not exist. Rows that its log does not count are guessed from the size.
    fn measure(&self, table: &TableRef) -> Result<Option<TableMeasure>, LakeError> {
        /// Bytes of a row in a file: fewer than the narrowest tables have with their lineage.
        const ROW_BYTES: u64 = 10;
        let Some((open, _)) = self.tables.get(table) else { return Ok(None) };
        let mut measure = TableMeasure::default();
        for file in open.files()? {
            measure.size_bytes += file.size_bytes;
            measure.rows += file.rows.unwrap_or(file.size_bytes / ROW_BYTES);
        }
        Ok(Some(measure))
    }

    fn has(&self, table: &TableRef, source: &SourceId) -> bool {
        self.tables.get(table).is_some_and(|(_, ledger)| ledger.has_source(source))
    }

    /// A breaking change of a contract or mode is refused by name.
    fn check_schemas(&self, pipeline: &Pipeline) -> Result<(), LakeError> {
        for (table, (open, _)) in &self.tables {
            let refusals = check::refusals(pipeline, open)?;
            if !refusals.is_empty() {
                return Err(LakeError::Violation { table: table.clone(), message: refusals.join("; ") });
            }
        }
        Ok(())
    }

    /// Gold tables whose inputs have moved, or will by this run.
    fn stale_gold(&self, pipeline: &Pipeline, silver_changes: bool) -> BTreeSet<TableRef> {
        let mut stale: BTreeSet<TableRef> = BTreeSet::new();
        for gold in &pipeline.gold {
            let known = self.tables.get(&gold.table);
            let behind = gold.inputs.iter().any(|input| {
                let recorded = known.and_then(|(_, ledger)| ledger.input_version(input));
                stale.contains(input) || (self.version(input).is_some() && recorded != self.version(input))
            });
            let changed = known.is_some_and(|(open, _)| !has_contract_columns(open.columns(), &gold.contract));
            if silver_changes || behind || changed {
                stale.insert(gold.table.clone());
            }
        }
        stale
    }

    fn has_quarantine(&self, pipeline: &Pipeline) -> Result<bool, LakeError> {
        for silver in &pipeline.silver {
            let Some((open, _)) = self.tables.get(&silver.quarantine) else { continue };
            if open.rows()? != Some(0) {
                if silver.mode == WriteMode::Replace {
                    return Err(LakeError::Invalid {
                        message: format!(
                            "table `{}` has mode replace: its quarantined rows belong to a state that is gone; deliver them again",
                            silver.table
                        ),
                    });
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn planned_tables(
        &self,
        pipeline: &Pipeline,
        objects: &[PlannedObject],
        superseded: &BTreeMap<TableRef, BTreeSet<SourceId>>,
    ) -> Vec<PlannedTable> {
        let missing = |table: &TableRef, from: Option<ReadFrom>| -> BTreeSet<SourceId> {
            let wanted = objects.iter().filter(|planned| from.is_none_or(|from| planned.read_from == from));
            wanted.map(|planned| planned.object.id()).filter(|id| !self.has(table, id)).collect()
        };
        let passed_by = |silver: &TableRef| superseded.get(silver).cloned().unwrap_or_default();
        let of = |table: TableRef| {
            let sources = match table.layer() {
                Layer::Bronze => missing(&table, Some(ReadFrom::Landing)),
                Layer::Silver => &missing(&table, None) - &passed_by(&table),
                // Quarantine is committed before silver, so an object in silver has its refused rows there already.
                Layer::Quarantine => {
                    let silver = TableRef::new(Layer::Silver, table.domain().clone(), table.table().clone());
                    let missing = &missing(&table, None) - &passed_by(&silver);
                    missing.into_iter().filter(|id| !self.has(&silver, id)).collect()
                }
                Layer::Gold => BTreeSet::new(),
            };
            PlannedTable {
                superseded: passed_by(&table),
                read_version: self.version(&table),
                columns: self.tables.get(&table).map(|(open, _)| open.columns().to_vec()).unwrap_or_default(),
                table,
                sources,
            }
        };
        pipeline.tables().into_iter().map(of).collect()
    }
}

/// The folder that a run takes objects from.
fn landing_folder(lake: &Lake, request: &RunRequest, pipeline: &Pipeline) -> Result<FolderUri, LakeError> {
    match &request.landing {
        Some(folder) => Ok(folder.clone()),
        None => lake
            .root()
            .object(&pipeline.source_prefix)
            .as_str()
            .parse()
            .map_err(|error| LakeError::Invalid { message: format!("source prefix: {error}") }),
    }
}

/// What a landing folder has for a run.
#[derive(Default)]
struct Found {
    /// Objects that are missing from bronze or a silver table.
    objects: Vec<PlannedObject>,
    /// Those that are held.
    held: Vec<SourceObject>,
    /// What is no source object.
    passed_by: Vec<PassedBy>,
}

async fn find_objects(
    lake: &Lake,
    run: &RunRef,
    request: &RunRequest,
    pipeline: &Pipeline,
    standing: &Standing,
    only: Option<BTreeSet<SourceId>>,
) -> Result<Found, LakeError> {
    let folder = landing_folder(lake, request, pipeline)?;
    let Landing { objects: listed, passed_by } = list_landing(&folder, Some(&pipeline.files), lake.options()).await?;
    let named = Named::of(request);
    named.check(&listed, &passed_by, &folder)?;
    let holds = runs::held(lake, &run.pipeline).await?;
    let is_held = |id: &SourceId| {
        holds.iter().any(|hold| &hold.object.id() == id && !(only.is_some() && hold.run_id == run.run_id))
    };
    let everywhere = |id: &SourceId| {
        standing.has(&pipeline.bronze, id) && pipeline.silver.iter().all(|silver| standing.has(&silver.table, id))
    };
    let mut objects = BTreeMap::new();
    let mut held = Vec::new();
    for object in listed.into_iter().filter(|object| named.takes(object)) {
        let id = object.id();
        if everywhere(&id) || only.as_ref().is_some_and(|only| !only.contains(&id)) {
            continue;
        }
        if is_held(&id) {
            held.push(object);
            continue;
        }
        let read_from = if standing.has(&pipeline.bronze, &id) { ReadFrom::Bronze } else { ReadFrom::Landing };
        objects.insert(object.uri.clone(), PlannedObject { object, read_from, shape: None });
    }
    for object in behind_bronze(pipeline, standing).await?.into_iter().filter(|object| named.takes(object)) {
        let id = object.id();
        if !is_held(&id) && only.as_ref().is_none_or(|only| only.contains(&id)) {
            let planned = PlannedObject { object, read_from: ReadFrom::Bronze, shape: None };
            // A newer version of the object may be planned under the same address.
            objects.entry(planned.object.uri.clone()).or_insert(planned);
        }
    }
    Ok(Found { objects: objects.into_values().collect(), held, passed_by })
}

/// Objects that bronze has and a silver table lacks: a run died between the two commits, or the silver table is new.
async fn behind_bronze(pipeline: &Pipeline, standing: &Standing) -> Result<Vec<SourceObject>, LakeError> {
    let Some((bronze, ledger)) = standing.tables.get(&pipeline.bronze) else { return Ok(Vec::new()) };
    let lacking: BTreeSet<SourceId> =
        ledger.sources().filter(|id| pipeline.silver.iter().any(|silver| !standing.has(&silver.table, id))).collect();
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let bronze = bronze.clone();
    crate::objects::blocking(move || {
        let found = crate::engine::bronze_objects(&bronze)?;
        Ok(found.into_iter().filter(|object| lacking.contains(&object.id())).collect())
    })
    .await
}
