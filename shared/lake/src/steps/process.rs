//! Process: the plan's objects become staged Parquet files and a changeset that says what to do with them. Where the plan
//! has parts, they were read by calls of their own, and process combines what these staged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use polars::prelude::DataFrame;
use sluice_core::columns::is_own_of_bronze;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, SilverTable, WriteMode};
use sluice_core::run::{
    Changeset, PartRef, Plan, PlanStatus, ReadFrom, ReadPart, ReadTable, Reading, RunAction, RunRef, TableChange,
};
use sluice_core::source::{SourceId, SourceObject};
use tokio::runtime::Handle;

use super::blame::{Fault, Search, is_of_values, is_own, of_earlier_rows, own_objects};
use super::changes::{in_order, open_planned};
use super::gold::GoldChanges;
use super::read::stage_part;
use super::refused::{Refusals, hold_lacking};
use super::stages::{Landing, Stages, mapped_name, missing_from, push_all, with_absent};
use crate::delta::OpenTable;
use crate::engine::{
    BronzeStage, Missing, SilverContext, SilverStage, check_sources, gone, reread_bronze, reread_quarantine,
};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{AT_ONCE, blocking};
use crate::runs;

/// How long typed rows of a part are counted on: a lifecycle rule takes them away after 15 days, and reading a part takes
/// less than an hour. An execution lasts at most a day, and can be redriven for 14 days after it has ended.
const TYPED_ROWS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// Stages what the plan says, or finds the changeset that an earlier call staged.
///
/// # Errors
/// [`LakeError::SourceChanged`] when an object is not what the plan saw, and [`LakeError::Refused`] when objects cannot be
/// read, or their rows not be staged (they are held then): plan again. [`LakeError::Conflict`] when a table is gone since
/// the plan.
pub async fn process(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Changeset, LakeError> {
    let documents = lake.documents().of(run);
    if let Some(changeset) = documents.get().await? {
        return Ok(changeset);
    }
    let plan: Plan = documents.require().await?;
    if plan.status != PlanStatus::Planned {
        return Err(LakeError::Invalid { message: format!("run `{}` has nothing to process", run.run_id) });
    }
    let tables = open_planned(lake, &plan).await?;
    let parts = read_parts(lake, &plan).await?;
    let worker = Worker { lake: lake.clone(), plan, tables, parts, now };
    let (tables, missing_keys) = blocking(move || worker.stage()).await?;
    let changeset = Changeset { run: run.clone(), staged_at: now, tables, missing_keys };
    Ok(documents.settle(changeset).await?)
}

/// What is known of the parts of a plan, in their order.
async fn read_parts(lake: &Lake, plan: &Plan) -> Result<Vec<Option<ReadPart>>, LakeError> {
    let parts = plan.cuts.numbers().map(|part| PartRef::first(&plan.run, part));
    let read = |of: PartRef| async move { Ok::<_, LakeError>(lake.documents().of(&of).get::<ReadPart>().await?) };
    stream::iter(parts).map(read).buffered(AT_ONCE).try_collect().await
}

struct Worker {
    lake: Lake,
    plan: Plan,
    tables: BTreeMap<TableRef, OpenTable>,
    /// What is known of the parts, in their order; none where the run has no parts.
    parts: Vec<Option<ReadPart>>,
    now: Timestamp,
}

impl Worker {
    fn sources(&self, table: &TableRef) -> BTreeSet<SourceId> {
        self.plan.table(table).map(|planned| planned.sources.clone()).unwrap_or_default()
    }

    /// Stages the run. Objects that are to blame for a fault are held, and the run is planned again without all of them.
    fn stage(&self) -> Result<(Vec<TableChange>, BTreeSet<String>), LakeError> {
        let began = Instant::now();
        let mut refusals = Refusals::new(&self.lake, &self.plan.run, self.now);
        let read =
            if self.plan.cuts.is_whole() { self.read_whole(&mut refusals) } else { self.take_parts(&mut refusals) };
        // The run is planned again without refused objects, whatever else was met after them.
        if let Some(refused) = refusals.error() {
            return Err(refused);
        }
        let (mut stages, missing_keys) = read?;
        self.add_stored(&mut stages, &mut refusals)?;
        let columns = stages.bronze.source_columns();
        let gold = GoldChanges { lake: &self.lake, plan: &self.plan, tables: &self.tables };
        let (to_blame, error) = match self.finish(stages) {
            Ok(changes) => match gold.after(&changes) {
                Ok(more) => return Ok(([changes, more].concat(), missing_keys)),
                Err(error) => match gold.fault(error, &changes) {
                    Fault::OfRows(error) => (gold.to_blame(&changes, Search::new(began, &self.plan.run))?, error),
                    Fault::Other(error) => return Err(error),
                },
            },
            Err(error) if is_of_values(&error) => (own_objects(&self.plan), error),
            Err(error) => return Err(error),
        };
        // What a person has accepted is not taken apart: planned again, it would be the same.
        let is_accepted = || Handle::current().block_on(runs::acceptance(&self.lake, &self.plan.run));
        if to_blame.is_empty() || is_accepted()?.is_some() {
            return Err(error);
        }
        refusals.hold(to_blame, &columns, &error)?;
        Err(refusals.error().unwrap_or(error))
    }

    /// Reads all landing objects of the run.
    fn read_whole(&self, refusals: &mut Refusals<'_>) -> Result<(Stages<'_>, BTreeSet<String>), LakeError> {
        let landing = Landing::new(&self.lake, &self.plan);
        let (stages, keys) = landing.read(self.plan.landing(), || self.stages(&landing), refusals)?;
        let missing_keys = hold_lacking(keys, refusals)?;
        Ok((stages, missing_keys))
    }

    /// Takes what the parts of the run have staged. A part that was not read yet, or failed when it was, is read here.
    fn take_parts(&self, refusals: &mut Refusals<'_>) -> Result<(Stages<'_>, BTreeSet<String>), LakeError> {
        let landing = Landing::new(&self.lake, &self.plan);
        let mut stages = self.stages(&landing)?;
        let mut keys = landing.keys(&stages);
        for (part, known) in self.plan.cuts.numbers().zip(&self.parts) {
            let first = match known {
                Some(known) => Some(known.clone()),
                None => self.read_here(&landing, &PartRef::first(&self.plan.run, part), &[], refusals)?,
            };
            // Where an object was refused, the run is planned again: the other parts are only read to find more of them.
            let Some(first) = first.filter(|_| refusals.count() == 0) else { continue };
            let read = if stages.bronze.fits(&first.columns) {
                first
            } else {
                let again = PartRef { reading: Reading::Again, ..PartRef::first(&self.plan.run, part) };
                let names: Vec<String> = stages.bronze.source_columns().into_iter().collect();
                let Some(again) = self.read_here(&landing, &again, &names, refusals)? else { continue };
                again
            };
            self.check_kept(&read)?;
            keys.take_part(read.keys, read.lacking);
            stages.bronze.take_part(read.bronze_files, &read.columns);
            for (stage, table) in stages.silver.iter_mut().zip(read.tables) {
                stage.take_part(table)?;
            }
        }
        let missing_keys = hold_lacking(keys, refusals)?;
        Ok((stages, missing_keys))
    }

    /// Reads a part in this call, unless somebody has; `None` where objects of it are refused. `names` are columns that the
    /// parts before it have brought to bronze.
    fn read_here(
        &self,
        landing: &Landing<'_>,
        of: &PartRef,
        names: &[String],
        refusals: &mut Refusals<'_>,
    ) -> Result<Option<ReadPart>, LakeError> {
        let documents = self.lake.documents().of(of);
        if let Some(read) = Handle::current().block_on(documents.get())? {
            return Ok(Some(read));
        }
        match stage_part(landing, of.part, names, self.now, refusals)? {
            Some(read) => Ok(Some(Handle::current().block_on(documents.settle(read))?)),
            None => Ok(None),
        }
    }

    /// Rows that wait to be merged must not be gone.
    ///
    /// # Errors
    /// [`LakeError::Conflict`]: the parts are read again.
    fn check_kept(&self, read: &ReadPart) -> Result<(), LakeError> {
        if self.now.duration_since(read.read_at) < TYPED_ROWS_ARE_KEPT {
            return Ok(());
        }
        let waits = |(table, of): (&SilverTable, &ReadTable)| {
            matches!(table.mode, WriteMode::Merge(_) | WriteMode::Scd2(_)) && !of.accepted_files.is_empty()
        };
        let mut tables = self.plan.pipeline.silver.iter().zip(&read.tables);
        match tables.find(|pair| waits(*pair)) {
            Some((table, _)) => Err(gone(table)),
            None => Ok(()),
        }
    }

    fn stages(&self, landing: &Landing<'_>) -> Result<Stages<'_>, LakeError> {
        let replay = self.plan.request.action == RunAction::Replay;
        let mut bronze = self.bronze_stage()?;
        bronze.announce(landing.columns());
        Ok(Stages { bronze, silver: self.silver_stages(replay)? })
    }

    /// Adds the rows that are in the lake already.
    fn add_stored(
        &self,
        Stages { bronze, silver }: &mut Stages<'_>,
        refusals: &mut Refusals<'_>,
    ) -> Result<(), LakeError> {
        let known = bronze.source_columns();
        self.reread(silver, &known, refusals)?;
        if self.plan.request.action == RunAction::Replay {
            self.replay(silver, &known)?;
        }
        Ok(())
    }

    /// Ends the stages: the changes of bronze, silver and quarantine.
    fn finish(&self, Stages { bronze, silver }: Stages<'_>) -> Result<Vec<TableChange>, LakeError> {
        let pipeline = &self.plan.pipeline;
        let bronze = bronze.finish(self.sources(&pipeline.bronze))?;
        let mut accepted = Vec::with_capacity(silver.len());
        for (stage, table) in silver.into_iter().zip(&pipeline.silver) {
            accepted.push(stage.finish(self.sources(&table.table), BTreeSet::new())?);
        }
        Ok(in_order(&self.plan, bronze, accepted))
    }

    fn bronze_stage(&self) -> Result<BronzeStage, LakeError> {
        let table = &self.plan.pipeline.bronze;
        BronzeStage::new(&self.lake, &self.plan.run, table, self.tables.get(table), self.plan.planned_at)
    }

    fn silver_stages(&self, replay: bool) -> Result<Vec<SilverStage<'_>>, LakeError> {
        let stage = |table| {
            SilverStage::new(SilverContext {
                lake: &self.lake,
                run: &self.plan.run,
                table,
                existing: self.tables.get(&table.table),
                quarantine: self.tables.get(&table.quarantine),
                replay,
            })
        };
        self.plan.pipeline.silver.iter().map(stage).collect()
    }

    /// Takes objects that bronze has to the silver tables that lack them. A column that came to bronze after an object is
    /// null for it; one that bronze does not have is missing, and the table says so. An object of the run whose values
    /// cannot be computed or stored is held alone.
    fn reread(
        &self,
        silver: &mut [SilverStage<'_>],
        known: &BTreeSet<String>,
        refusals: &mut Refusals<'_>,
    ) -> Result<(), LakeError> {
        let behind: Vec<SourceObject> = self
            .plan
            .objects
            .iter()
            .filter(|planned| planned.read_from == ReadFrom::Bronze)
            .map(|planned| planned.object.clone())
            .collect();
        let pipeline = &self.plan.pipeline;
        let Some(bronze) = self.tables.get(&pipeline.bronze).filter(|_| !behind.is_empty()) else { return Ok(()) };
        let known: BTreeSet<&str> = known.iter().map(|name| mapped_name(pipeline, name)).collect();
        let mut refused: BTreeSet<SourceId> = BTreeSet::new();
        reread_bronze(bronze, &behind, |object, rows| {
            // Those after it are examined all the same, so that all of them are held at once.
            if refused.contains(&object.id()) {
                return Ok(());
            }
            let rows = with_absent(&as_mapped(rows, pipeline)?, pipeline, |source| known.contains(source))?;
            match push_all(silver, &missing_from(&self.plan, object), &rows) {
                Err(error) if is_of_values(&error) && is_own(&self.plan.objects, object) => {
                    refused.insert(object.id());
                    refusals.hold([object], &BTreeSet::new(), &error)
                }
                Err(error) if is_of_values(&error) => Err(of_earlier_rows(object, error)),
                pushed => pushed,
            }
        })?;
        refusals.error().map_or(Ok(()), Err)
    }

    /// Takes quarantined rows through silver again. A mapped column is null for rows that lack it, if other quarantined rows
    /// or bronze have it.
    fn replay(&self, silver: &mut [SilverStage<'_>], known: &BTreeSet<String>) -> Result<(), LakeError> {
        for (stage, table) in silver.iter_mut().zip(&self.plan.pipeline.silver) {
            let Some(quarantine) = self.tables.get(&table.quarantine) else { continue };
            let columns: Vec<&str> = table.columns.iter().map(|(_, source)| source.as_str()).collect();
            let mut found = reread_quarantine(quarantine, &columns, |rows| {
                stage.push(rows, Missing { silver: true, quarantine: true })
            })?;
            // Records that could not be split into fields have no columns that could be missing.
            if !found.is_empty() {
                found.extend(known.iter().cloned());
                check_sources(table, |source| found.contains(source) || is_own_of_bronze(source), || &found)?;
            }
        }
        Ok(())
    }
}

/// Bronze rows with the source columns under the names that the silver tables read: bronze may have got the column
/// first under a name of another case.
fn as_mapped(rows: &DataFrame, pipeline: &Pipeline) -> Result<DataFrame, LakeError> {
    let names: Vec<&str> = rows.get_column_names().into_iter().map(|name| mapped_name(pipeline, name)).collect();
    let mut renamed = rows.clone();
    renamed.set_column_names(&names).map_err(LakeError::polars("names of bronze columns"))?;
    Ok(renamed)
}
