//! Where the tables of a pipeline stand before a run: their versions, what they have taken in, and how large they are.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use sluice_core::columns::{BronzeNames, has_contract_columns};
use sluice_core::engine::TableMeasure;
use sluice_core::name::{Layer, TableRef};
use sluice_core::pipeline::{MappedNames, Pipeline};
use sluice_core::source::SourceId;

use super::choose::measure_table;
use super::stages::mapped_columns;
use crate::check;
use crate::delta::{Ledger, OpenTable, open_table};
use crate::error::LakeError;
use crate::lake::Lake;

/// Where every table of a pipeline stands.
pub(super) struct Standing {
    tables: BTreeMap<TableRef, (OpenTable, Ledger)>,
}

impl Standing {
    pub(super) async fn read(lake: &Lake, pipeline: &Pipeline) -> Result<Self, LakeError> {
        let inputs = pipeline.inputs.iter().map(|input| input.table.clone());
        let (deletes, others): (Vec<_>, Vec<_>) =
            pipeline.tables().into_iter().chain(inputs).partition(|table| table.layer() == Layer::Deletes);
        let open = |table: TableRef| async move {
            match open_table(lake, &table, None).await? {
                Some(open) => {
                    let ledger = open.ledger().await?;
                    Ok::<_, LakeError>(Some((table, (open, ledger))))
                }
                None => Ok(None),
            }
        };
        let mut opened = try_join_all(others.into_iter().map(open)).await?;
        // Last: a run that publishes meanwhile commits delete events first, so these have all that silver has met.
        opened.extend(try_join_all(deletes.into_iter().map(open)).await?);
        Ok(Self { tables: opened.into_iter().flatten().collect() })
    }

    pub(super) fn open(&self, table: &TableRef) -> Option<&OpenTable> {
        self.tables.get(table).map(|(open, _)| open)
    }

    pub(super) fn table(&self, table: &TableRef) -> Option<&(OpenTable, Ledger)> {
        self.tables.get(table)
    }

    pub(super) fn version(&self, table: &TableRef) -> Option<u64> {
        self.tables.get(table).map(|(open, _)| open.version())
    }

    /// Size and rows of a table; `None` when it does not exist.
    pub(super) fn measure(&self, table: &TableRef) -> Result<Option<TableMeasure>, LakeError> {
        self.tables.get(table).map(|(open, _)| measure_table(open)).transpose()
    }

    /// Whether a table has taken this source object in.
    pub(super) fn has(&self, table: &TableRef, source: &SourceId) -> bool {
        self.tables.get(table).is_some_and(|(_, ledger)| ledger.has_source(source))
    }

    /// Whether a silver table has not taken this source object in.
    pub(super) fn is_behind(&self, pipeline: &Pipeline, source: &SourceId) -> bool {
        pipeline.silver.iter().any(|silver| !self.has(&silver.table, source))
    }

    /// The mapped columns that bronze has.
    pub(super) fn known_columns(&self, pipeline: &Pipeline) -> BTreeSet<String> {
        let stored =
            self.open(&pipeline.source.bronze).map(|open| BronzeNames::of_table(open.columns())).unwrap_or_default();
        mapped_columns(&MappedNames::of(pipeline), stored.source_columns())
    }

    /// A breaking change of a contract or mode is refused by name.
    pub(super) fn check_schemas(&self, pipeline: &Pipeline) -> Result<(), LakeError> {
        for (table, (open, _)) in &self.tables {
            let refusals = check::refusals(pipeline, open)?;
            if !refusals.is_empty() {
                return Err(LakeError::Violation { table: table.clone(), message: refusals.join("; ") });
            }
        }
        Ok(())
    }

    /// The gold tables that cannot be computed, because a table of another pipeline is not as they need it, and why.
    pub(super) fn waiting_gold(&self, pipeline: &Pipeline) -> BTreeMap<TableRef, String> {
        let faults = pipeline
            .inputs
            .iter()
            .filter_map(|input| Some((&input.table, check::input_fault(input, self.open(&input.table))?)));
        let faults: BTreeMap<&TableRef, String> = faults.collect();
        let waiting = pipeline.gold.iter().filter_map(|gold| {
            let fault = gold.inputs.iter().find_map(|input| faults.get(input))?;
            Some((gold.table.clone(), fault.clone()))
        });
        waiting.collect()
    }

    /// Gold tables whose inputs have moved, or will by this run, and that do not wait.
    pub(super) fn stale_gold(
        &self,
        pipeline: &Pipeline,
        silver_changes: bool,
        waiting: &BTreeMap<TableRef, String>,
    ) -> BTreeSet<TableRef> {
        let mut stale: BTreeSet<TableRef> = BTreeSet::new();
        for gold in pipeline.gold.iter().filter(|gold| !waiting.contains_key(&gold.table)) {
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

    /// Whether a replay has rows to take. Where the pipeline has several sources, one that delivers full snapshots does not
    /// keep the others from being replayed.
    pub(super) fn has_quarantine(&self, pipeline: &Pipeline) -> Result<bool, LakeError> {
        let mut refused = None;
        for silver in &pipeline.silver {
            let Some((open, _)) = self.tables.get(&silver.quarantine) else { continue };
            if open.rows()? != Some(0) {
                if silver.takes_snapshots() {
                    let error = LakeError::Invalid {
                        message: format!(
                            "table `{}` takes full snapshots: its quarantined rows belong to a state that is gone; deliver \
                             them again",
                            silver.table
                        ),
                    };
                    if pipeline.other_sources.is_empty() {
                        return Err(error);
                    }
                    refused.get_or_insert(error);
                    continue;
                }
                return Ok(true);
            }
        }
        refused.map_or(Ok(false), Err)
    }
}
