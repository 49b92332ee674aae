//! The engine of a plan: what the run would need, measured where the plan is made, and the choice.

use std::collections::BTreeMap;

use sluice_core::engine::{
    Divisible, Engine, EngineChoice, Estimate, ObjectMeasure, PartsMeasure, TableMeasure, Workload, choose,
    choose_combining, cut, estimate,
};
use sluice_core::name::{SourceName, TableRef};
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Cuts, PlanStatus, PlannedObject, PlannedWork, Positions, ReadTable, RunAction};
use sluice_core::spec::SourceFormat;

use crate::delta::OpenTable;
use crate::error::LakeError;

/// The parts that a run is read in, and what they weigh. `measures` are those of its objects, in the same order. A part
/// has objects of one source.
pub(super) fn cut_objects(
    pipeline: &Pipeline,
    objects: &[PlannedObject],
    measures: &[ObjectMeasure],
) -> (Cuts, Option<PartsMeasure>) {
    let formats: BTreeMap<Option<&SourceName>, SourceFormat> =
        pipeline.sources().map(|source| (source.name.as_ref(), source.format)).collect();
    let mut divisible: Vec<Divisible> = Vec::with_capacity(objects.len());
    let mut before = objects.first().map(|planned| planned.source.as_ref());
    for (planned, measure) in objects.iter().zip(measures) {
        let source = planned.source.as_ref();
        let weight = measure.weight(formats.get(&source) == Some(&SourceFormat::Parquet));
        let object = match planned.positions {
            Positions::Numbers => Divisible::no(weight),
            Positions::Bytes => Divisible::into_ranges(weight, planned.object.size_bytes),
        };
        let is_of_other = before.replace(source).is_some_and(|before| before != source);
        divisible.push(if is_of_other { object.beginning_a_part() } else { object });
    }
    cut(&divisible, pipeline.parts.size_bytes())
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
        // Of mixed sources, Parquet is what takes more than its size says.
        parquet: work.pipeline.sources().any(|source| source.format == SourceFormat::Parquet),
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
            if let Some((deletes, _)) = silver.deletes() {
                workload.merged.extend(existing(&deletes)?);
            }
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
    let is_replay = work.request.action == RunAction::Replay;
    if let (Some(table), false) = (work.pipeline.lambda_only(), is_replay) {
        let reason =
            format!("table `{}` is compared with full snapshots, which lambda does: always lambda", table.table);
        return EngineChoice { engine: Engine::Lambda, reason };
    }
    choose(work.wanted_engine(), &work.pipeline.lambda_limits, estimate, is_replay)
}

/// Who combines the rows that the parts of a plan have brought to each silver table, by what was counted of them. `existing` returns size and rows of a table as it is.
///
/// # Errors
/// Those of `existing`.
pub(super) fn choose_combining_engine(
    work: PlannedWork<'_>,
    tables: &[Vec<ReadTable>],
    existing: impl Fn(&TableRef) -> Result<Option<TableMeasure>, LakeError>,
) -> Result<EngineChoice, LakeError> {
    // The rows of every table are combined, one table after the other.
    let counted = work.pipeline.silver.iter().zip(tables).map(|(silver, parts)| {
        let files =
            parts.iter().flat_map(|of| of.accepted_files.iter().chain(&of.delete_files).chain(&of.stored_delete_files));
        let size_bytes = files.map(|file| file.size_bytes).sum();
        let rows = parts.iter().map(|of| of.accepted + of.deleted()).sum();
        ObjectMeasure::counted(size_bytes, rows, silver.contract.columns.len() as u64)
    });
    // Each part has rows of the tables of one source.
    let count = tables.iter().map(|parts| parts.len() as u64).max().unwrap_or_default();
    let parts = PartsMeasure { count, largest_bytes: 0 };
    let workload = workload(work, counted.collect(), Some(parts), existing)?;
    let estimate = estimate(&Workload { parquet: true, ..workload });
    Ok(choose_combining(&work.pipeline.lambda_limits, &estimate))
}

/// Size and rows of a table. Rows that its log does not count are guessed from the size.
///
/// # Errors
/// Those of its log.
pub(super) fn measure_table(table: &OpenTable) -> Result<TableMeasure, LakeError> {
    /// Bytes of a row in a file: fewer than the narrowest tables have with their lineage.
    const ROW_BYTES: u64 = 10;
    let mut measure = TableMeasure::default();
    for file in table.files()? {
        measure.size_bytes += file.size_bytes;
        measure.rows += file.rows.unwrap_or(file.size_bytes / ROW_BYTES);
    }
    Ok(measure)
}

#[cfg(test)]
mod tests;
