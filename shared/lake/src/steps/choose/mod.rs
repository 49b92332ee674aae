//! The engine of a plan: what the run would need, measured where the plan is made, and the choice.

use sluice_core::engine::{
    Engine, EngineChoice, Estimate, ObjectMeasure, PartsMeasure, TableMeasure, Workload, choose, cut,
};
use sluice_core::name::TableRef;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Cuts, PlanStatus, PlannedWork, RunAction};
use sluice_core::spec::SourceFormat;

use crate::error::LakeError;

/// The parts that a run is read in, and what they weigh. `measures` are those of its objects.
pub(super) fn cut_objects(pipeline: &Pipeline, measures: &[ObjectMeasure]) -> (Cuts, Option<PartsMeasure>) {
    let parquet = pipeline.source_format == SourceFormat::Parquet;
    let weights: Vec<u64> = measures.iter().map(|measure| measure.weight(parquet)).collect();
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
        let merges = silver.mode.merges();
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

/// The engine of planned work, by what is wanted and what the run would need.
pub(super) fn choose_engine(status: PlanStatus, work: PlannedWork<'_>, estimate: &Estimate) -> EngineChoice {
    if status != PlanStatus::Planned {
        return EngineChoice { engine: Engine::Lambda, reason: "there is nothing to do".to_owned() };
    }
    let preference = work.request.engine.unwrap_or(work.pipeline.engine);
    let is_replay = work.request.action == RunAction::Replay;
    choose(preference, &work.pipeline.lambda_limits, estimate, is_replay)
}

#[cfg(test)]
mod tests;
