//! Process: the plan's objects become staged Parquet files and a changeset that says what to do with them. Where the plan
//! has parts, they were read by calls of their own, and process combines what these staged. Where Spark combines, process says
//! what there is to combine.

mod parts;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use sluice_core::cost::PartsUsage;
use sluice_core::engine::{Engine, EngineChoice};
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, SilverTable};
use sluice_core::run::{
    Changeset, PartRef, Plan, PlanStatus, ReadPart, ReadRun, ReadTable, RunAction, RunRef, TableChange,
};
use sluice_core::source::{SourceId, SourceObject};
use sluice_core::uri::layout;
use sluice_documents::usage;
use tokio::runtime::Handle;

use super::blame::{Fault, Search, is_of_values, own_objects};
use super::changes::{in_order, open_planned};
use super::gold::GoldChanges;
use super::refused::{Refusals, hold_lacking};
use super::snapshots::snapshot_order;
use super::stages::{Landed, Landing, Stages};
use super::stored::{Others, StoredRows};
use crate::delta::OpenTable;
use crate::engine::{BronzeStage, SilverChanges, SilverContext, SilverStage, gone};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{AT_ONCE, blocking};
use crate::runs;

/// How long typed rows of a part are counted on: a lifecycle rule takes them away after 15 days, reading a part takes less than
/// an hour, and Spark may read them nine hours later. An execution lasts at most a day, and can be redriven for 14 days after
/// it has ended.
const TYPED_ROWS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 10);

/// What process left of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processed {
    /// The changes of all tables.
    Changeset(Changeset),
    /// What was read, for Spark to combine.
    Read(Box<ReadRun>),
}

impl Processed {
    /// The changes of all tables; `None` where Spark has to combine first.
    pub fn changeset(self) -> Option<Changeset> {
        match self {
            Self::Changeset(changeset) => Some(changeset),
            Self::Read(_) => None,
        }
    }
}

/// Stages what the plan says, or finds what an earlier call left.
///
/// # Errors
/// [`LakeError::SourceChanged`] when an object is not what the plan saw, and [`LakeError::Refused`] when objects cannot be
/// read, or their rows not be staged (they are held then): plan again. [`LakeError::Conflict`] when a table is gone since
/// the plan.
pub async fn process(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Processed, LakeError> {
    let documents = lake.documents().of(run);
    let plan: Plan = documents.require().await?;
    if let Some(left) = left_by_earlier_call(lake, now, &plan).await? {
        return Ok(left);
    }
    if plan.status != PlanStatus::Planned {
        return Err(LakeError::Invalid { message: format!("run `{}` has nothing to process", run.run_id) });
    }
    check_cuts(&plan)?;
    let tables = open_planned(lake, &plan).await?;
    let parts = read_parts(lake, &plan).await?;
    let worker = Worker::new(lake, plan, tables, parts, now);
    Ok(match blocking(move || worker.process()).await? {
        Processed::Changeset(changeset) => Processed::Changeset(documents.settle(changeset).await?),
        Processed::Read(read) => Processed::Read(Box::new(documents.settle(*read).await?)),
    })
}

/// What an earlier call left of a plan.
///
/// # Errors
/// [`LakeError::Conflict`] where Spark cannot combine it.
async fn left_by_earlier_call(lake: &Lake, now: Timestamp, plan: &Plan) -> Result<Option<Processed>, LakeError> {
    let documents = lake.documents().of(&plan.run);
    if let Some(changeset) = documents.get().await? {
        return Ok(Some(Processed::Changeset(changeset)));
    }
    match documents.get::<ReadRun>().await? {
        Some(read) => {
            check_kept(&plan.pipeline, now, read.read_at, &read.tables)?;
            Ok(Some(Processed::Read(Box::new(read))))
        }
        // An earlier version had Spark read the objects.
        None if plan.engine.engine == Engine::Emr && lake.documents().exists(&layout::script(&plan.run)).await? => {
            Err(of_earlier_version(plan))
        }
        None => Ok(None),
    }
}

/// Whether the parts of a plan are those that this version would read.
///
/// # Errors
/// [`LakeError::Conflict`]: plan again.
pub(super) fn check_cuts(plan: &Plan) -> Result<(), LakeError> {
    if plan.is_cut_right() { Ok(()) } else { Err(of_earlier_version(plan)) }
}

fn of_earlier_version(plan: &Plan) -> LakeError {
    let detail = "the run was planned by an earlier version of Sluice, which read otherwise".to_owned();
    LakeError::Conflict { table: plan.pipeline.source.bronze.clone(), detail }
}

/// Keys that a source lacks, as people know them: of several sources, with the name of the source.
fn named_keys(pipeline: &Pipeline, keys: BTreeSet<String>) -> BTreeSet<String> {
    match &pipeline.source.name {
        Some(name) => keys.into_iter().map(|key| format!("{name}: {key}")).collect(),
        None => keys,
    }
}

/// Rows that wait to be merged must not be gone.
///
/// # Errors
/// [`LakeError::Conflict`]: they are read again.
fn check_kept(pipeline: &Pipeline, now: Timestamp, read_at: Timestamp, tables: &[ReadTable]) -> Result<(), LakeError> {
    if now.duration_since(read_at) < TYPED_ROWS_ARE_KEPT {
        return Ok(());
    }
    let waits = |(table, of): (&SilverTable, &ReadTable)| table.mode.merges() && !of.accepted_files.is_empty();
    match pipeline.silver.iter().zip(tables).find(|pair| waits(*pair)) {
        Some((table, _)) => Err(gone(table)),
        None => Ok(()),
    }
}

/// What is known of the parts of a plan, in their order.
async fn read_parts(lake: &Lake, plan: &Plan) -> Result<Vec<Option<ReadPart>>, LakeError> {
    let parts = plan.cuts.numbers().map(|part| PartRef::first(&plan.run, part));
    let read = |of: PartRef| async move { Ok::<_, LakeError>(lake.documents().of(&of).get::<ReadPart>().await?) };
    let read: Vec<Option<ReadPart>> = stream::iter(parts).map(read).buffered(AT_ONCE).try_collect().await?;
    if !plan.cuts.is_whole() {
        let used = read.iter().map(|part| part.as_ref().and_then(|part| part.usage.as_ref()));
        usage::note_parts(used.fold(PartsUsage::default(), PartsUsage::and));
    }
    Ok(read)
}

/// What was read of a run.
struct Rows<'a> {
    /// Of each source, in their order.
    stages: Vec<Stages<'a>>,
    /// The mapped columns that no object of the run has (of JSON, no record), and the paths that no row has.
    missing_keys: BTreeSet<String>,
    /// Who combines the rows, where that was chosen after they were counted; otherwise the plan says it.
    engine: Option<EngineChoice>,
}

/// Rows that cannot be computed or stored.
struct Unfinished<'a> {
    /// The plan of the source that they are of: objects of the others are not to blame.
    of: &'a Plan,
    error: LakeError,
}

struct Worker {
    lake: Lake,
    plan: Plan,
    /// The plans of its sources, in their order; none where the plan is that of its only one.
    of_sources: Vec<Plan>,
    tables: BTreeMap<TableRef, OpenTable>,
    /// What is known of the parts, in their order; none where the run has no parts.
    parts: Vec<Option<ReadPart>>,
    now: Timestamp,
}

impl Worker {
    fn new(
        lake: &Lake,
        plan: Plan,
        tables: BTreeMap<TableRef, OpenTable>,
        parts: Vec<Option<ReadPart>>,
        now: Timestamp,
    ) -> Self {
        let of_sources = if plan.pipeline.other_sources.is_empty() {
            Vec::new()
        } else {
            plan.pipeline.sources().map(|source| plan.of_source(source.name.as_ref()).into_owned()).collect()
        };
        Self { lake: lake.clone(), plan, of_sources, tables, parts, now }
    }

    /// The plan of each source, in their order.
    fn by_source(&self) -> &[Plan] {
        if self.of_sources.is_empty() { std::slice::from_ref(&self.plan) } else { &self.of_sources }
    }

    fn sources(&self, table: &TableRef) -> BTreeSet<SourceId> {
        self.plan.table(table).map(|planned| planned.sources.clone()).unwrap_or_default()
    }

    /// Reads the run, and combines it unless that is left to Spark.
    fn process(&self) -> Result<Processed, LakeError> {
        let began = Instant::now();
        let mut refusals = Refusals::new(&self.lake, &self.plan.run, self.now);
        let read = self.read(&mut refusals)?;
        match read.engine.as_ref().unwrap_or(&self.plan.engine).engine {
            Engine::Lambda => Ok(Processed::Changeset(self.combine(read, began, refusals)?)),
            Engine::Emr => Ok(Processed::Read(Box::new(self.leave_to_spark(read)?))),
        }
    }

    /// Combines what was read. Objects that are to blame for a fault are held, and the run is planned again without all of
    /// them.
    fn combine(&self, read: Rows<'_>, began: Instant, mut refusals: Refusals<'_>) -> Result<Changeset, LakeError> {
        let Rows { mut stages, missing_keys, engine } = read;
        if self.plan.request.action == RunAction::Replay {
            for (plan, stages) in self.by_source().iter().zip(&mut stages) {
                self.replay(plan, stages)?;
            }
        }
        let columns: Vec<BTreeSet<String>> = stages.iter().map(|stages| stages.bronze.source_columns()).collect();
        let gold = GoldChanges { lake: &self.lake, plan: &self.plan, tables: &self.tables };
        let (to_blame, error) = match self.finish(stages) {
            Ok(changes) => match gold.after(&changes) {
                Ok(more) => {
                    let (run, tables) = (self.plan.run.clone(), [changes, more].concat());
                    return Ok(Changeset { run, staged_at: self.now, tables, missing_keys, engine });
                }
                Err(error) => match gold.fault(error, &changes) {
                    Fault::OfRows(error) => (gold.to_blame(&changes, Search::new(began, &self.plan.run))?, error),
                    Fault::Other(error) => return Err(error),
                },
            },
            Err(Unfinished { of, error }) if is_of_values(&error) => (own_objects(of), error),
            Err(Unfinished { error, .. }) => return Err(error),
        };
        // What a person has accepted is not taken apart: planned again, it would be the same.
        let is_accepted = || Handle::current().block_on(runs::acceptance(&self.lake, &self.plan.run));
        if to_blame.is_empty() || is_accepted()?.is_some() {
            return Err(error);
        }
        // Each with the columns of its own source, which other objects of that may lack.
        for (plan, columns) in self.by_source().iter().zip(&columns) {
            let ids: BTreeSet<SourceId> = plan.objects.iter().map(|planned| planned.object.id()).collect();
            let of_source: Vec<&SourceObject> =
                to_blame.iter().copied().filter(|object| ids.contains(&object.id())).collect();
            if !of_source.is_empty() {
                refusals.hold(of_source, columns, &error)?;
            }
        }
        Err(refusals.error().unwrap_or(error))
    }

    /// Merges nothing: typed rows wait where those of parts do.
    fn leave_to_spark(&self, read: Rows<'_>) -> Result<ReadRun, LakeError> {
        let Rows { stages, missing_keys, engine } = read;
        let (mut changes, mut tables) = (Vec::new(), Vec::new());
        for (plan, Stages { bronze, silver }) in self.by_source().iter().zip(stages) {
            changes.push(bronze.finish(self.sources(&plan.pipeline.source.bronze))?);
            for stage in silver {
                tables.push(stage.into_read()?);
            }
        }
        let place = |of: &ReadTable| self.plan.pipeline.silver.iter().position(|silver| silver.table == of.table);
        tables.sort_by_key(place);
        let mut changes = changes.into_iter();
        let bronze = changes
            .next()
            .ok_or_else(|| LakeError::Internal { message: "a pipeline without a source was read".to_owned() })?;
        Ok(ReadRun {
            run: self.plan.run.clone(),
            read_at: self.parts.iter().flatten().map(|part| part.read_at).min().unwrap_or(self.now),
            bronze,
            other_bronze: changes.collect(),
            tables,
            missing_keys,
            engine,
        })
    }

    /// All rows of the run, on their way to the tables.
    fn read(&self, refusals: &mut Refusals<'_>) -> Result<Rows<'_>, LakeError> {
        let read = if self.plan.cuts.is_whole() { self.read_whole(refusals) } else { self.take_parts(refusals) };
        // The run is planned again without refused objects, whatever else was met after them.
        refusals.error().map_or(read, Err)
    }

    /// Reads all objects of the run, source by source.
    fn read_whole(&self, refusals: &mut Refusals<'_>) -> Result<Rows<'_>, LakeError> {
        let mut rows = Rows { stages: Vec::new(), missing_keys: BTreeSet::new(), engine: None };
        for plan in self.by_source() {
            let (stages, missing_keys) = self.read_source(plan, refusals)?;
            rows.stages.push(stages);
            rows.missing_keys.extend(named_keys(&plan.pipeline, missing_keys));
        }
        Ok(rows)
    }

    /// Reads all objects of a source. Where objects are refused, those of the other sources are read all the same.
    fn read_source<'a>(
        &'a self,
        plan: &'a Plan,
        refusals: &mut Refusals<'_>,
    ) -> Result<(Stages<'a>, BTreeSet<String>), LakeError> {
        let refused_before = refusals.count();
        let landing = Landing::new(&self.lake, plan);
        let landed = landing.read(plan.landing(), None, || self.stages(plan, &landing), refusals)?;
        let Landed { mut stages, keys, found: _ } = landed;
        let mut missing_keys = &hold_lacking(keys, refused_before, refusals)? | &landing.missing_columns();
        if refusals.count() == refused_before {
            self.stored(plan).read(&plan.objects, None, &mut stages, Others::Read, refusals)?;
        }
        for stage in &stages.silver {
            missing_keys.extend(stage.missing_paths());
        }
        Ok((stages, missing_keys))
    }

    fn stored<'a>(&'a self, plan: &'a Plan) -> StoredRows<'a> {
        StoredRows { plan, bronze: self.tables.get(&plan.pipeline.source.bronze) }
    }

    fn stages<'a>(&'a self, plan: &'a Plan, landing: &Landing<'_>) -> Result<Stages<'a>, LakeError> {
        let bronze = self.bronze_stage(plan, landing)?;
        Ok(Stages { bronze, silver: self.silver_stages(plan, self.plan.engine.engine)? })
    }

    /// Ends the stages of all sources: the changes of bronze, silver and quarantine.
    fn finish(&self, stages: Vec<Stages<'_>>) -> Result<Vec<TableChange>, Unfinished<'_>> {
        let (mut landed, mut accepted) = (Vec::new(), Vec::new());
        for (of, stages) in self.by_source().iter().zip(stages) {
            let (bronze, silver) = self.finish_source(of, stages).map_err(|error| Unfinished { of, error })?;
            landed.push(bronze);
            accepted.extend(silver);
        }
        Ok(in_order(&self.plan, landed, accepted))
    }

    /// Ends the stages of one source.
    fn finish_source(
        &self,
        plan: &Plan,
        Stages { bronze, silver }: Stages<'_>,
    ) -> Result<(TableChange, Vec<SilverChanges>), LakeError> {
        let landed = bronze.finish(self.sources(&plan.pipeline.source.bronze))?;
        let mut accepted = Vec::new();
        for (stage, table) in silver.into_iter().zip(&plan.pipeline.silver) {
            let is_other = stage.replaces_quarantine();
            let changes = stage.finish(self.sources(&table.table), BTreeSet::new())?;
            // A replay that frees no row, and changes none, leaves the tables at their version.
            let refused = &changes.quarantine.rows;
            let is_same = changes.silver.adds.is_empty() && refused.staged == refused.replaced && !is_other;
            let stays = self.plan.request.action == RunAction::Replay && (is_same || self.stays_quarantined(table));
            if !stays {
                accepted.push(changes);
            }
        }
        Ok((landed, accepted))
    }

    fn bronze_stage(&self, plan: &Plan, landing: &Landing<'_>) -> Result<BronzeStage, LakeError> {
        let table = &plan.pipeline.source.bronze;
        let existing = self.tables.get(table);
        let mut bronze = BronzeStage::new(&self.lake, &self.plan.run, table, existing, self.plan.planned_at)?;
        bronze.announce(landing.columns());
        Ok(bronze)
    }

    /// The stages of silver; where Spark combines, rows that are to be merged wait in them.
    fn silver_stages<'a>(&'a self, plan: &'a Plan, engine: Engine) -> Result<Vec<SilverStage<'a>>, LakeError> {
        let stage = |table| {
            let context = SilverContext {
                lake: &self.lake,
                run: &self.plan.run,
                table,
                existing: self.tables.get(&table.table),
                quarantine: self.tables.get(&table.quarantine),
                deletes: table.deletes().and_then(|(deletes, _)| self.tables.get(&deletes)),
                replay: self.plan.request.action == RunAction::Replay,
                snapshots: snapshot_order(&self.lake, plan, table)?,
            };
            match engine {
                Engine::Lambda => SilverStage::new(context),
                Engine::Emr => SilverStage::of_part(context),
            }
        };
        plan.pipeline.silver.iter().map(stage).collect()
    }
}
