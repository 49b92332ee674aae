//! Process, where a run was read in parts: takes what they have staged, in their order, and reads those that nobody has
//! read.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::engine::EngineChoice;
use sluice_core::name::TableRef;
use sluice_core::run::{PartNumber, PartRef, Plan, PlannedPart, ReadPart, ReadTable, Reading};
use tokio::runtime::Handle;

use super::{Rows, Worker, check_kept, named_keys};
use crate::engine::BronzeStage;
use crate::error::LakeError;
use crate::steps::choose::{choose_combining_engine, measure_table};
use crate::steps::ranges::{ReadRanges, landing_range};
use crate::steps::read::{Before, stage_part};
use crate::steps::refused::{Refusals, RunKeys, hold_lacking};
use crate::steps::stages::{Landing, Stages};
use crate::steps::stored::{Absent, check_absent};

/// What the parts so far have brought.
struct Taken<'a> {
    bronze: BronzeStage,
    /// Of each silver table, what the parts bring to it.
    tables: Vec<Vec<ReadTable>>,
    keys: RunKeys<'a>,
    absent: Absent,
    /// Those of them that are ranges of the object of the last one.
    ranges: ReadRanges,
    /// Faults that were met before the first of them.
    refused_before: usize,
}

/// What the parts of a source have brought.
struct TakenParts {
    bronze: BronzeStage,
    /// Of each silver table of the source, what the parts bring to it.
    tables: Vec<Vec<ReadTable>>,
}

impl Worker {
    /// Takes what the parts of the run have staged. A part that was not read yet, or failed when it was, is read here.
    pub(super) fn take_parts(&self, refusals: &mut Refusals<'_>) -> Result<Rows<'_>, LakeError> {
        let (mut all, mut missing_keys) = (Vec::new(), BTreeSet::new());
        for plan in self.by_source() {
            let (taken, missing) = self.take_parts_of(plan, refusals)?;
            missing_keys.extend(named_keys(&plan.pipeline, missing));
            all.push((plan, taken));
        }
        let engine = self.engine_of(&all)?;
        let combines = engine.as_ref().unwrap_or(&self.plan.engine).engine;
        let mut stages = Vec::with_capacity(all.len());
        for (plan, TakenParts { bronze, tables }) in all {
            let mut silver = self.silver_stages(plan, combines)?;
            let mut missing_paths = BTreeSet::new();
            for (stage, parts) in silver.iter_mut().zip(tables) {
                stage.take_parts(parts)?;
                missing_paths.extend(stage.missing_paths());
            }
            missing_keys.extend(named_keys(&plan.pipeline, missing_paths));
            stages.push(Stages { bronze, silver });
        }
        Ok(Rows { stages, missing_keys, engine })
    }

    /// What the parts bring to each silver table, in the order of the pipeline.
    fn in_order_of_tables(&self, all: &[(&Plan, TakenParts)]) -> Vec<Vec<ReadTable>> {
        let mut by_table: BTreeMap<&TableRef, &Vec<ReadTable>> = BTreeMap::new();
        for (plan, taken) in all {
            by_table.extend(plan.pipeline.silver.iter().map(|silver| &silver.table).zip(&taken.tables));
        }
        let silver = self.plan.pipeline.silver.iter();
        silver.map(|silver| by_table.get(&silver.table).map(|parts| (*parts).clone()).unwrap_or_default()).collect()
    }

    /// Takes the parts of one source, and says which mapped columns no object of it has.
    fn take_parts_of(
        &self,
        plan: &Plan,
        refusals: &mut Refusals<'_>,
    ) -> Result<(TakenParts, BTreeSet<String>), LakeError> {
        let refused_before = refusals.count();
        let landing = Landing::new(&self.lake, plan);
        let bronze = self.bronze_stage(plan, &landing)?;
        let keys = landing.keys(&bronze);
        let tables = plan.pipeline.silver.iter().map(|_| Vec::new()).collect();
        let (absent, ranges) = (Absent::new(), ReadRanges::default());
        let mut taken = Taken { bronze, tables, keys, absent, ranges, refused_before };
        for (number, known) in self.plan.cuts.numbers().zip(&self.parts) {
            let Some(part) = self.plan.part(number) else {
                return Err(LakeError::Internal { message: format!("the plan has no part {number}") });
            };
            if self.plan.source_of_part(number) != plan.pipeline.source.name.as_ref() {
                continue;
            }
            // Once an object is held, nobody knows where its later ranges begin, and it is not held twice.
            if part.range.is_some() && part.objects.iter().any(|planned| refusals.has(&planned.object)) {
                continue;
            }
            if part.range.is_some_and(|range| range.begin() == 0) {
                taken.ranges = ReadRanges::default();
            }
            let Some(read) = self.read_part(&landing, number, part, known.as_ref(), &taken, refusals)? else {
                continue;
            };
            if let Some((object, range)) = landing_range(part) {
                taken.ranges.take(object, range, &read)?;
                if let Some(fault) = taken.ranges.fault(&plan.pipeline, object, range, read.keys.as_ref()) {
                    refusals.hold([object], &taken.ranges.keys(), &fault)?;
                }
            }
            // Where an object was refused, the run is planned again: the other parts are only read to find more of
            // them.
            if refusals.count() == refused_before {
                self.take_part(plan, read, &mut taken)?;
            }
        }
        let Taken { bronze, tables, keys, absent, .. } = taken;
        let missing_keys = &hold_lacking(keys, refused_before, refusals)? | &landing.missing_columns();
        if refusals.count() == refused_before {
            check_absent(&plan.pipeline, &bronze, &absent)?;
        }
        Ok((TakenParts { bronze, tables }, missing_keys))
    }

    fn take_part(&self, plan: &Plan, read: ReadPart, taken: &mut Taken<'_>) -> Result<(), LakeError> {
        check_kept(&plan.pipeline, self.now, read.read_at, &read.tables)?;
        taken.keys.take_part(read.keys, read.lacking);
        for (table, columns) in read.absent {
            taken.absent.entry(table).or_default().extend(columns);
        }
        taken.bronze.take_part(read.bronze_files, &read.columns);
        for (parts, table) in taken.tables.iter_mut().zip(read.tables) {
            parts.push(table);
        }
        Ok(())
    }

    /// Who combines what the parts have brought; `None` where somebody has asked for an engine. It follows from documents
    /// that do not change, so every call of process comes to the same.
    fn engine_of(&self, all: &[(&Plan, TakenParts)]) -> Result<Option<EngineChoice>, LakeError> {
        if !self.plan.chooses_after_reading() {
            return Ok(None);
        }
        let tables = self.in_order_of_tables(all);
        let existing = |table: &TableRef| self.tables.get(table).map(measure_table).transpose();
        choose_combining_engine(self.plan.work(), &tables, existing).map(Some)
    }

    /// A part as it can be taken after those before it: as it was read first, or, where it has other names for their
    /// columns or has guessed wrongly where its records begin, as it is read again. Both readings are kept, and each
    /// follows from the parts before it alone, so every call of process takes the same.
    fn read_part(
        &self,
        landing: &Landing<'_>,
        number: PartNumber,
        part: PlannedPart<'_>,
        known: Option<&ReadPart>,
        taken: &Taken<'_>,
        refusals: &mut Refusals<'_>,
    ) -> Result<Option<ReadPart>, LakeError> {
        let first = PartRef::first(&self.plan.run, number);
        let before = Before::Read { names: &[], ranges: &taken.ranges };
        let read = match known {
            Some(known) => Some(known.clone()),
            None => self.read_here(landing, &first, before, refusals)?,
        };
        let Some(read) = read else { return Ok(None) };
        let is_proven = landing_range(part).is_none() || taken.ranges.prove(&read);
        let fits = refusals.count() > taken.refused_before || taken.bronze.fits(&read.columns);
        if is_proven && fits {
            return Ok(Some(read));
        }
        let names: Vec<String> = taken.bronze.source_columns().into_iter().collect();
        let again = PartRef { reading: Reading::Again, ..first };
        self.read_here(landing, &again, Before::Read { names: &names, ranges: &taken.ranges }, refusals)
    }

    /// Reads a part in this call, unless somebody has; `None` where objects of it are refused.
    fn read_here(
        &self,
        landing: &Landing<'_>,
        of: &PartRef,
        before: Before<'_>,
        refusals: &mut Refusals<'_>,
    ) -> Result<Option<ReadPart>, LakeError> {
        let documents = self.lake.documents().of(of);
        if let Some(read) = Handle::current().block_on(documents.get())? {
            return Ok(Some(read));
        }
        let planned = self
            .plan
            .part(of.part)
            .ok_or_else(|| LakeError::Internal { message: format!("the plan has no part {}", of.part) })?;
        let stored = self.stored(landing.plan);
        match stage_part(landing, stored, (of.part, planned), before, self.now, refusals)? {
            Some(read) => Ok(Some(Handle::current().block_on(documents.settle(read))?)),
            None => Ok(None),
        }
    }
}
