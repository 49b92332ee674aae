//! Read: one part of a plan becomes staged Parquet files and a document that says what they are. No part knows another, and of
//! the tables it knows bronze alone, at the version of the plan.

use jiff::Timestamp;
use sluice_core::run::{PartNumber, PartRef, Plan, PlanStatus, PlannedPart, ReadFrom, ReadPart, RunRef};

use super::changes::open_one;
use super::process::check_cuts;
use super::ranges::{LandingRange, ReadRanges, landing_range};
use super::refused::Refusals;
use super::stages::{Landed, Landing, Stages};
use super::stored::{Others, StoredRows};
use crate::engine::{BronzeStage, SilverContext, SilverStage, SnapshotOrder};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::blocking;

/// Reads a part of a plan and stages its rows, or finds the document of an earlier call.
///
/// # Errors
/// [`LakeError::Invalid`] where the plan has no such part. As [`super::process()`], which reads a part again that failed.
pub async fn read_part(lake: &Lake, now: Timestamp, run: &RunRef, part: PartNumber) -> Result<ReadPart, LakeError> {
    let of = PartRef::first(run, part);
    if let Some(read) = lake.documents().of(&of).get().await? {
        return Ok(read);
    }
    let plan: Plan = lake.documents().of(run).require().await?;
    if plan.status != PlanStatus::Planned || plan.part(part).is_none() {
        let (run_id, attempt, parts) = (&run.run_id, run.attempt, plan.cuts.count());
        let message = format!("attempt {attempt} of run `{run_id}` has {parts} parts to read, and no part {part}");
        return Err(LakeError::Invalid { message });
    }
    check_cuts(&plan)?;
    let worker = lake.clone();
    let pipeline = plan.pipeline.of_source(plan.source_of_part(part));
    let bronze = match plan.table(&pipeline.source.bronze).filter(|_| reads_bronze(&plan, part)) {
        Some(planned) => open_one(lake, planned).await?,
        None => None,
    };
    drop(pipeline);
    let read = blocking(move || {
        let mut refusals = Refusals::new(&worker, &plan.run, now);
        let Some(planned) = plan.part(part) else {
            return Err(LakeError::Internal { message: format!("the plan has no part {part}") });
        };
        let of_source = plan.of_source(plan.source_of_part(part));
        let stored = StoredRows { plan: &of_source, bronze: bronze.as_ref() };
        let landing = Landing::new(&worker, &of_source);
        let read = stage_part(&landing, stored, (part, planned), Before::Unknown, now, &mut refusals);
        // The run is planned again without refused objects, whatever else was met after them.
        if let Some(refused) = refusals.error() {
            return Err(refused);
        }
        read?.ok_or_else(|| LakeError::Internal { message: format!("part {part} was neither read nor refused") })
    });
    Ok(lake.documents().of(&of).settle(read.await?).await?)
}

fn reads_bronze(plan: &Plan, part: PartNumber) -> bool {
    plan.part(part).is_some_and(|part| part.objects.iter().any(|planned| planned.read_from == ReadFrom::Bronze))
}

/// What whoever reads a part knows of those before it.
#[derive(Clone, Copy)]
pub(super) enum Before<'b> {
    /// Nothing: all parts are read at the same time.
    Unknown,
    /// What was read of them.
    Read {
        /// Columns that they have brought to bronze.
        names: &'b [String],
        /// Those that are ranges of the same object.
        ranges: &'b ReadRanges,
    },
}

/// Reads a part and stages its rows; `None` where objects of it are refused, which are held then. `landing` and `stored`
/// are those of its source. Blocking.
///
/// # Errors
/// Faults for which no object is to blame, and all of a byte range where the ranges before it are unknown.
pub(super) fn stage_part<'a>(
    landing: &Landing<'a>,
    stored: StoredRows<'_>,
    (part, planned): (PartNumber, PlannedPart<'a>),
    before: Before<'_>,
    now: Timestamp,
    refusals: &mut Refusals<'_>,
) -> Result<Option<ReadPart>, LakeError> {
    let plan = landing.plan;
    let (names, ranges): (&[String], Option<&ReadRanges>) = match before {
        Before::Unknown => (&[], None),
        Before::Read { names, ranges } => (names, Some(ranges)),
    };
    let refused_before = refusals.count();
    let from_landing = planned.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing);
    let range = landing_range(planned).map(|(_, bytes)| LandingRange { bytes, before: ranges });
    let landed = landing.read(from_landing, range, || begin_part(landing, names), refusals)?;
    let Landed { mut stages, keys, found } = landed;
    if refusals.count() > refused_before {
        return Ok(None);
    }
    let absent = stored.read(planned.objects, planned.range, &mut stages, Others::MayBring, refusals)?;
    if refusals.count() > refused_before {
        return Ok(None);
    }
    let (bronze_files, columns) = stages.bronze.into_part()?;
    let tables = stages.silver.into_iter().map(SilverStage::into_part).collect::<Result<_, _>>()?;
    let (keys, lacking) = keys.into_part();
    let (run, source) = (plan.run.clone(), plan.pipeline.source.name.clone());
    Ok(Some(ReadPart {
        run,
        part,
        source,
        read_at: now,
        bronze_files,
        columns,
        tables,
        keys,
        lacking,
        absent,
        found,
        usage: None,
    }))
}

/// The stages of a part. They know no table: the rows that tables have already are met when the parts are combined.
fn begin_part<'a>(landing: &Landing<'a>, names: &[String]) -> Result<Stages<'a>, LakeError> {
    let (lake, plan) = (landing.lake, landing.plan);
    let table = &plan.pipeline.source.bronze;
    let planned = plan.table(table).ok_or_else(|| LakeError::Internal {
        message: format!("the plan does not say where table `{table}` stands"),
    })?;
    let mut bronze = BronzeStage::of_part(lake, &plan.run, planned, plan.planned_at);
    bronze.announce(names);
    bronze.announce(landing.columns());
    let stage = |table| {
        let (existing, quarantine, deletes, snapshots) = (None, None, None, SnapshotOrder::default());
        let (run, replay) = (&plan.run, false);
        SilverStage::of_part(SilverContext { lake, run, table, existing, quarantine, deletes, replay, snapshots })
    };
    let silver = plan.pipeline.silver.iter().map(stage).collect::<Result<_, _>>()?;
    Ok(Stages { bronze, silver })
}
