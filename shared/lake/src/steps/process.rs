//! Process: the plan's objects become staged Parquet files and a changeset that says what to do with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use jiff::Timestamp;
use polars::prelude::{Column, DataFrame, DataType};
use sluice_core::columns::is_own_of_bronze;
use sluice_core::name::TableRef;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Changeset, Plan, PlanStatus, ReadFrom, RunAction, RunRef, TableChange};
use sluice_core::source::{SourceId, SourceObject};
use sluice_core::spec::SourceFormat;
use tokio::runtime::Handle;

use super::blame::{Fault, Search, is_of_values, is_own, is_refusal, of_earlier_rows, own_objects};
use super::changes::{in_order, open_planned};
use super::gold::GoldChanges;
use super::refused::{Refusals, RunKeys};
use crate::delta::OpenTable;
use crate::engine::{
    BronzeStage, Missing, SilverContext, SilverStage, check_sources, reread_bronze, reread_quarantine, scratch_folder,
    source_columns,
};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{ObjectBytes, VersionCheck, blocking};
use crate::overlap::overlapped;
use crate::runs;
use crate::source::{SourceBatch, SourceError, SourceInput, read_source};

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
    let worker = Worker { lake: lake.clone(), plan, tables, now };
    let (tables, missing_keys) = blocking(move || worker.stage()).await?;
    let changeset = Changeset { run: run.clone(), staged_at: now, tables, missing_keys };
    Ok(documents.settle(changeset).await?)
}

/// The stages that rows from objects go to.
struct Stages<'a> {
    bronze: BronzeStage,
    silver: Vec<SilverStage<'a>>,
    /// See [`Changeset::missing_keys`].
    missing_keys: BTreeSet<String>,
}

struct Worker {
    lake: Lake,
    plan: Plan,
    tables: BTreeMap<TableRef, OpenTable>,
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
        let stages = self.read_objects(&mut refusals);
        // The run is planned again without refused objects, whatever else was met after them.
        if let Some(refused) = refusals.error() {
            return Err(refused);
        }
        let mut stages = stages?;
        let missing_keys = std::mem::take(&mut stages.missing_keys);
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

    /// Reads the landing objects to their end. One that is refused does not keep the others from being examined: it
    /// takes the stages with it, and those after it get stages of their own, so that its rows count for no other
    /// object. That costs what a run without a fault costs.
    fn read_objects(&self, refusals: &mut Refusals<'_>) -> Result<Stages<'_>, LakeError> {
        let pipeline = &self.plan.pipeline;
        let mut stages = self.stages()?;
        let known = stages.bronze.source_columns();
        let known = known.iter().chain(&self.plan.held_columns);
        let known = known.map(|name| mapped_name(pipeline, name).to_owned()).collect();
        let mut keys = RunKeys::new(pipeline, known);
        for planned in self.plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing) {
            // An object without a record brings the columns of its header all the same.
            stages.bronze.announce(planned.shape.iter().flat_map(|shape| &shape.columns));
            let mut columns = BTreeSet::new();
            match self.read(&planned.object, &mut stages, &mut columns) {
                Ok(Some(found)) => keys.take(&planned.object, found),
                Ok(None) => {}
                Err(error) if is_refusal(&error) => {
                    refusals.hold([&planned.object], &columns, &error)?;
                    stages = self.stages()?;
                }
                Err(error) => return Err(error),
            }
        }
        // A refused object may have a key that the others lack. The next attempt asks again.
        if refusals.error().is_none() {
            stages.missing_keys = keys.missing().into_iter().collect();
            let found = keys.found();
            for (object, fault) in keys.lacking() {
                refusals.hold([&object], &found, &fault)?;
            }
        }
        Ok(stages)
    }

    fn stages(&self) -> Result<Stages<'_>, LakeError> {
        let replay = self.plan.request.action == RunAction::Replay;
        let (bronze, silver) = (self.bronze_stage()?, self.silver_stages(replay)?);
        Ok(Stages { bronze, silver, missing_keys: BTreeSet::new() })
    }

    /// Adds the rows that are in the lake already.
    fn add_stored(
        &self,
        Stages { bronze, silver, .. }: &mut Stages<'_>,
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
    fn finish(&self, Stages { bronze, silver, .. }: Stages<'_>) -> Result<Vec<TableChange>, LakeError> {
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

    /// Which tables lack the rows of an object, in the order of the silver tables.
    fn missing(&self, object: &SourceObject) -> Vec<Missing> {
        let id = object.id();
        let of = |table: &TableRef| self.plan.table(table).is_some_and(|planned| planned.sources.contains(&id));
        let silver = &self.plan.pipeline.silver;
        silver.iter().map(|t| Missing { silver: of(&t.table), quarantine: of(&t.quarantine) }).collect()
    }

    /// Reads an object into the stages, and notes the columns that its rows have. The answer is the keys of its records,
    /// where the format is one of JSON and it has a good record.
    fn read(
        &self,
        object: &SourceObject,
        stages: &mut Stages<'_>,
        columns: &mut BTreeSet<String>,
    ) -> Result<Option<Vec<String>>, LakeError> {
        let pipeline = &self.plan.pipeline;
        let Stages { bronze, silver, .. } = stages;
        let missing = self.missing(object);
        let (input, check, _scratch) = self.open(object)?;
        let (format, csv, name) = (pipeline.source_format, pipeline.csv, object.uri.as_str());
        // The next batch is read while this one is staged.
        let is_json = matches!(format, SourceFormat::Ndjson | SourceFormat::Json);
        let outcome: Result<_, LakeError> = overlapped(
            |put| read_source(format, csv, input, name, &mut |batch| Ok(put(batch)?)),
            |batch: SourceBatch| {
                refuse_other_case(pipeline, object, &batch.frame)?;
                columns.extend(source_columns(&batch.frame));
                let frame = bronze.push(object, batch)?;
                // A key that this batch lacks may come in the next one.
                push_all(silver, &missing, &with_absent(&frame, pipeline, |_| is_json)?)
            },
        );
        // What was read may be torn because the object was replaced meanwhile: then that is the fault.
        check.finish()?;
        let summary = outcome?;
        Ok((is_json && summary.rows > summary.corrupt_rows).then_some(summary.columns))
    }

    fn open(&self, object: &SourceObject) -> Result<(SourceInput, VersionCheck, Option<tempfile::TempDir>), LakeError> {
        let bytes = Handle::current().block_on(ObjectBytes::open(object, self.lake.options()))?;
        let (mut reader, check) = bytes.into_parts();
        if self.plan.pipeline.source_format != SourceFormat::Parquet {
            return Ok((SourceInput::Stream(reader), check, None));
        }
        // Parquet is read from its end: it has to be a file.
        let scratch = scratch_folder()?;
        let path = scratch.path().join("source.parquet");
        let io = |source| LakeError::Io { doing: "copy source object to", path: path.clone(), source };
        let mut file = std::fs::File::create(&path).map_err(io)?;
        std::io::copy(&mut reader, &mut file).map_err(io)?;
        Ok((SourceInput::File(path.clone()), check, Some(scratch)))
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
            match push_all(silver, &self.missing(object), &rows) {
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

/// Refuses an object with a column that differs in case alone from one that a silver table reads.
fn refuse_other_case(pipeline: &Pipeline, object: &SourceObject, frame: &DataFrame) -> Result<(), LakeError> {
    match pipeline.other_case(frame.get_column_names().into_iter().map(|name| name.as_str())) {
        None => Ok(()),
        Some((column, mapped)) => Err(LakeError::Source(SourceError::OtherCase {
            object: object.uri.to_string(),
            column: column.to_owned(),
            mapped: mapped.to_owned(),
        })),
    }
}

/// The name under which silver tables read a source column.
fn mapped_name<'a>(pipeline: &'a Pipeline, name: &'a str) -> &'a str {
    pipeline.other_case([name]).map_or(name, |(_, mapped)| mapped)
}

/// Bronze rows with the source columns under the names that the silver tables read: bronze may have got the column
/// first under a name of another case.
fn as_mapped(rows: &DataFrame, pipeline: &Pipeline) -> Result<DataFrame, LakeError> {
    let names: Vec<&str> = rows.get_column_names().into_iter().map(|name| mapped_name(pipeline, name)).collect();
    let mut renamed = rows.clone();
    renamed.set_column_names(&names).map_err(LakeError::polars("names of bronze columns"))?;
    Ok(renamed)
}

fn push_all(silver: &mut [SilverStage<'_>], missing: &[Missing], frame: &DataFrame) -> Result<(), LakeError> {
    for (stage, missing) in silver.iter_mut().zip(missing) {
        if missing.silver || missing.quarantine {
            stage.push(frame, *missing)?;
        }
    }
    Ok(())
}

/// The rows with a null for every mapped column that they lack and may lack.
fn with_absent(
    frame: &DataFrame,
    pipeline: &Pipeline,
    may_lack: impl Fn(&str) -> bool,
) -> Result<DataFrame, LakeError> {
    let mut complete = frame.clone();
    for (_, source) in pipeline.silver.iter().flat_map(|silver| &silver.columns) {
        if may_lack(source) && complete.column(source).is_err() {
            let absent = Column::full_null(source.as_str().into(), frame.height(), &DataType::String);
            complete.with_column(absent).map_err(LakeError::polars(format!("column {source} that rows lack")))?;
        }
    }
    Ok(complete)
}
