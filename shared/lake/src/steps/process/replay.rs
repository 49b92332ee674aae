//! Process, where a run is a replay: takes quarantined rows through silver again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sluice_core::columns::is_own_of_bronze;
use sluice_core::name::RunId;
use sluice_core::pipeline::{MappedNames, Pipeline, SilverTable, Source, WriteMode};
use sluice_core::run::{Plan, RunKey};
use sluice_core::spec::SourceFormat;
use tokio::runtime::Handle;

use super::Worker;
use crate::engine::{Documents, DocumentsInTable, Missing, RunReading, check_sources, reread_quarantine};
use crate::error::LakeError;
use crate::runs;
use crate::source::SourceOptions;
use crate::steps::stages::Stages;

impl Worker {
    /// Takes quarantined rows of a source through silver again. A mapped column is null for rows that lack it, if other
    /// quarantined rows or bronze have it.
    pub(super) fn replay(&self, plan: &Plan, Stages { bronze, silver }: &mut Stages<'_>) -> Result<(), LakeError> {
        let names = MappedNames::of(&plan.pipeline);
        let named = |name: &str| names.mapped(name).to_owned();
        let known: BTreeSet<String> = bronze.source_columns().iter().map(|name| named(name)).collect();
        let (options, asked) = (SourceOptions::of(&plan.pipeline), RefCell::new(BTreeMap::new()));
        let source = &plan.pipeline.source;
        for (stage, table) in silver.iter_mut().zip(&plan.pipeline.silver) {
            if self.stays_quarantined(table) {
                continue;
            }
            let Some(quarantine) = self.tables.get(&table.quarantine) else { continue };
            let reading_of = |run: &str| self.reading_of(table, run, &asked);
            let columns: Vec<&str> = table.of_source().map(|(_, source)| source.as_str()).collect();
            let documents =
                Documents::new(&options, source.format, &reading_of).with_records_in(self.documents_in(source, table)?);
            let reread = reread_quarantine(quarantine, &columns, named, &documents, |rows| {
                stage.push(rows, Missing { silver: true, quarantine: true, deletes: true })
            })?;
            if reread.is_other {
                stage.replace_quarantine();
            }
            let mut found = reread.columns;
            // Records that could not be split into fields have no columns that could be missing.
            if !found.is_empty() {
                found.extend(known.iter().cloned());
                check_sources(table, |source| found.contains(source) || is_own_of_bronze(source), || &found)?;
            }
        }
        Ok(())
    }

    /// Whether a replay leaves the quarantine of this table as it is: rows of a full snapshot belong to a state that is gone,
    /// and the other sources are replayed without them.
    pub(super) fn stays_quarantined(&self, table: &SilverTable) -> bool {
        table.takes_snapshots() && !self.of_sources.is_empty()
    }

    /// The documents of which a table has records that count as present by their places. Tables with keys compare rows.
    fn documents_in(&self, source: &Source, table: &SilverTable) -> Result<DocumentsInTable, LakeError> {
        let has_documents = matches!(source.format, SourceFormat::Ndjson | SourceFormat::Json);
        match (&table.mode, self.tables.get(&table.table)) {
            (WriteMode::Append, Some(existing)) if has_documents => DocumentsInTable::read(existing),
            _ => Ok(DocumentsInTable::default()),
        }
    }

    /// How a run of the pipeline has read the source of a silver table, by its plan: the source may have had another name
    /// then, or the table another source. `asked` has the pipelines so far.
    fn reading_of(
        &self,
        table: &SilverTable,
        run: &str,
        asked: &RefCell<BTreeMap<String, Option<Pipeline>>>,
    ) -> Result<Option<RunReading>, LakeError> {
        let known = asked.borrow().get(run).cloned();
        let pipeline = match (known, run.parse::<RunId>()) {
            (Some(known), _) => known,
            (None, Ok(run_id)) => {
                let key = RunKey { pipeline: self.plan.run.pipeline.clone(), run_id };
                let plan = Handle::current().block_on(runs::plan_of(&self.lake, &key))?;
                asked.borrow_mut().entry(run.to_owned()).or_insert(plan.map(|plan| plan.pipeline)).clone()
            }
            (None, Err(_)) => None,
        };
        Ok(pipeline.map(|pipeline| {
            let Source { format, records, .. } = pipeline.source_of(&table.table).unwrap_or(&pipeline.source);
            RunReading { format: *format, records: records.clone() }
        }))
    }
}
