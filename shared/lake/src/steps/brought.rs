//! What the objects of a run bring to the tables.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::engine::ObjectMeasure;
use sluice_core::name::{Layer, TableRef};
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{PlannedObject, PlannedTable, ReadFrom};
use sluice_core::source::{SourceId, SourceObject};

use super::snapshots::Replacement;
use super::standing::Standing;

/// What the objects of a run bring to the tables.
pub(super) struct Brought<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) standing: &'a Standing,
    pub(super) replacements: &'a BTreeMap<TableRef, Replacement>,
    /// Ids in this lake of objects that the run knows under the address of another lake, by the id that they had there.
    pub(super) ids_here: &'a BTreeMap<SourceId, SourceId>,
}

impl Brought<'_> {
    fn is_kept_back(&self, silver: &TableRef, id: &SourceId) -> bool {
        self.replacements.get(silver).is_some_and(|found| found.kept_back.contains(id))
    }

    pub(super) fn change_silver(&self, objects: &[PlannedObject]) -> bool {
        objects.iter().any(|planned| self.is_for_silver(planned))
    }

    /// Whether a silver table of its source takes this object in, with or without a row.
    fn is_for_silver(&self, planned: &PlannedObject) -> bool {
        let id = &planned.object.id();
        let lacks = |table: &TableRef, id: &SourceId| !self.standing.has(table, id);
        let takes = |table: &TableRef| {
            let lacks_here = || self.ids_here.get(id).is_some_and(|here| lacks(table, here));
            !self.is_kept_back(table, id) && (lacks(table, id) || lacks_here())
        };
        self.pipeline.silver.iter().any(|silver| silver.source == planned.source && takes(&silver.table))
    }

    /// The objects that bronze or a silver table takes in, and what is in each.
    pub(super) fn without_kept_back(
        &self,
        objects: Vec<PlannedObject>,
        measures: Vec<ObjectMeasure>,
    ) -> (Vec<PlannedObject>, Vec<ObjectMeasure>) {
        let is_brought =
            |planned: &PlannedObject| planned.read_from == ReadFrom::Landing || self.is_for_silver(planned);
        objects.into_iter().zip(measures).filter(|(planned, _)| is_brought(planned)).unzip()
    }

    pub(super) fn planned_tables(&self, objects: &[PlannedObject]) -> Vec<PlannedTable> {
        let own = self.pipeline.tables().into_iter().map(|table| self.planned_table(table, objects));
        own.chain(self.pipeline.inputs.iter().map(|input| self.planned_input(&input.table))).collect()
    }

    /// Where a table of another pipeline stands. It takes in no object of this one.
    fn planned_input(&self, table: &TableRef) -> PlannedTable {
        PlannedTable {
            table: table.clone(),
            read_version: self.standing.version(table),
            sources: BTreeSet::new(),
            superseded: BTreeSet::new(),
            columns: self.standing.open(table).map(|open| open.columns().to_vec()).unwrap_or_default(),
        }
    }

    /// The objects of the source whose rows come to this table.
    fn of_source<'o>(&self, table: &TableRef, objects: &'o [PlannedObject]) -> impl Iterator<Item = &'o PlannedObject> {
        let source = self.pipeline.source_of(table);
        objects.iter().filter(move |planned| source.is_some_and(|source| source.name == planned.source))
    }

    fn planned_table(&self, table: TableRef, objects: &[PlannedObject]) -> PlannedTable {
        let sources = match table.layer() {
            Layer::Bronze => {
                let of_source = self.of_source(&table, objects);
                let landed = of_source.filter(|planned| planned.read_from == ReadFrom::Landing);
                let landed = landed.map(|planned| planned.object.id());
                landed.filter(|id| !self.standing.has(&table, id)).collect()
            }
            Layer::Silver => &self.missing(&table, &table, objects) | &self.again(&table),
            // Quarantine and delete events are committed before silver, so an object in silver has its refused rows and
            // events there already, unless it was passed by: then it has none there, and gets them when it is read
            // again.
            Layer::Quarantine | Layer::Deletes => {
                let silver = TableRef::new(Layer::Silver, table.domain().clone(), table.table().clone());
                let missing = self.missing(&table, &silver, objects).into_iter();
                let missing = missing.filter(|id| !self.standing.has(&silver, id));
                let again = self.again(&silver).into_iter().filter(|id| !self.standing.has(&table, id));
                missing.chain(again).collect()
            }
            Layer::Gold => BTreeSet::new(),
        };
        PlannedTable {
            superseded: self.without_rows(&table, objects),
            read_version: self.standing.version(&table),
            columns: self.standing.open(&table).map(|open| open.columns().to_vec()).unwrap_or_default(),
            table,
            sources,
        }
    }

    /// The objects whose rows the run brings to this table, which is a silver table or one next to it.
    fn missing(&self, table: &TableRef, silver: &TableRef, objects: &[PlannedObject]) -> BTreeSet<SourceId> {
        let superseded = self.replacements.get(silver).map(|found| &found.superseded);
        let is_missing = |id: &SourceId| {
            let is_superseded = superseded.is_some_and(|superseded| superseded.contains(id));
            !self.standing.has(table, id) && !is_superseded && !self.is_kept_back(silver, id)
        };
        self.of_source(table, objects).map(|planned| planned.object.id()).filter(is_missing).collect()
    }

    fn again(&self, silver: &TableRef) -> BTreeSet<SourceId> {
        self.replacements.get(silver).into_iter().flat_map(|found| &found.again).map(SourceObject::id).collect()
    }

    /// The objects that a silver table takes in without a row: those of older snapshots, and those whose rows it takes in
    /// under the address of another lake.
    fn without_rows(&self, table: &TableRef, objects: &[PlannedObject]) -> BTreeSet<SourceId> {
        let mut ids: BTreeSet<SourceId> =
            self.replacements.get(table).map(|found| found.superseded.clone()).unwrap_or_default();
        if table.layer() == Layer::Silver {
            let of_source = self.of_source(table, objects);
            let taken = of_source.map(|planned| planned.object.id()).filter(|id| !self.is_kept_back(table, id));
            let here = taken.filter_map(|id| self.ids_here.get(&id)).filter(|here| !self.standing.has(table, here));
            ids.extend(here.cloned());
        }
        ids
    }
}
