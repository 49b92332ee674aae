//! The engine of a plan: what the run would need, measured where the plan is made, and the choice.

use sluice_core::engine::{
    Engine, EngineChoice, EngineFacts, EnginePreference, Estimate, ObjectMeasure, PartsMeasure, TableMeasure, Workload,
    choose, cut, fits,
};
use sluice_core::error::with_sources;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{Pipeline, WriteMode};
use sluice_core::run::{Cuts, PlanStatus, PlannedObject, PlannedWork, ReadFrom, RunAction};
use sluice_core::spark;
use sluice_core::spec::SourceFormat;

use crate::error::LakeError;
use crate::lake::Lake;

/// The parts that the landing objects of a run are read in, and what they weigh. `measures` are those of all its objects.
pub(super) fn cut_objects(
    pipeline: &Pipeline,
    objects: &[PlannedObject],
    measures: &[ObjectMeasure],
) -> (Cuts, Option<PartsMeasure>) {
    let parquet = pipeline.source_format == SourceFormat::Parquet;
    let landing = objects.iter().zip(measures).filter(|(planned, _)| planned.read_from == ReadFrom::Landing);
    let weights: Vec<u64> = landing.map(|(_, measure)| measure.weight(parquet)).collect();
    let cuts = cut(&weights, pipeline.parts.size_bytes());
    let measured = PartsMeasure::of(&cuts, &weights);
    (cuts, measured)
}

/// What a planned run has to read; `existing` returns size and rows of a table as it is.
///
/// # Errors
/// Those of `existing`.
pub(super) fn workload(
    work: PlannedWork<'_>,
    measures: Vec<ObjectMeasure>,
    parts: Option<PartsMeasure>,
    existing: impl Fn(&TableRef) -> Result<Option<TableMeasure>, LakeError>,
) -> Result<Workload, LakeError> {
    let mut workload = Workload {
        objects: measures,
        parquet: work.pipeline.source_format == SourceFormat::Parquet,
        parts,
        rows_meet: !work.refresh.is_empty(),
        ..Workload::default()
    };
    for silver in &work.pipeline.silver {
        let merges = matches!(silver.mode, WriteMode::Merge(_) | WriteMode::Scd2(_));
        let gets_rows = work.table(&silver.table).is_some_and(|planned| !planned.sources.is_empty());
        workload.rows_meet |= gets_rows && (merges || !silver.contract.dataset_rules.is_empty());
        if merges && gets_rows {
            workload.merged.push(existing(&silver.table)?.unwrap_or_default());
        }
    }
    for gold in work.pipeline.gold.iter().filter(|gold| work.refresh.contains(&gold.table)) {
        for input in &gold.inputs {
            workload.aggregated.extend(existing(input)?);
        }
    }
    Ok(workload)
}

/// The engine of planned work, by what is wanted, what the run would need and what Spark can do.
///
/// # Errors
/// [`LakeError::Invalid`] when Spark is asked for and cannot do the run.
pub(super) fn choose_engine(
    lake: &Lake,
    status: PlanStatus,
    work: PlannedWork<'_>,
    estimate: &Estimate,
) -> Result<EngineChoice, LakeError> {
    if status != PlanStatus::Planned {
        return Ok(EngineChoice { engine: Engine::Lambda, reason: "there is nothing to do".to_owned() });
    }
    let preference = work.request.engine.unwrap_or(work.pipeline.engine);
    let limits = &work.pipeline.lambda_limits;
    let replay = work.request.action == RunAction::Replay;
    let may_be_spark = !replay
        && match preference {
            EnginePreference::Lambda => false,
            EnginePreference::Emr => true,
            EnginePreference::Auto => !fits(limits, estimate),
        };
    let spark_obstacle = if may_be_spark { obstacle(lake, work) } else { None };
    choose(preference, limits, estimate, &EngineFacts { replay, spark_obstacle })
        .map_err(|refusal| LakeError::Invalid { message: refusal.to_string() })
}

/// Why Spark cannot do planned work, with the object or table and the fix.
fn obstacle(lake: &Lake, work: PlannedWork<'_>) -> Option<String> {
    let error = spark::script(lake.root(), work).err()?;
    Some(with_sources(&error))
}

#[cfg(test)]
mod tests;
