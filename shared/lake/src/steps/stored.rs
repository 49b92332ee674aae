//! Rows that bronze has already, on their way to the silver tables that lack them.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::name::TableRef;
use sluice_core::pipeline::{MappedNames, Pipeline};
use sluice_core::run::{ByteRange, Plan, PlannedObject, ReadFrom};
use sluice_core::source::{SourceId, SourceObject};

use super::blame::{is_of_values, is_own, of_earlier_rows};
use super::refused::Refusals;
use super::stages::{Stages, as_mapped, missing_from, push_all, with_absent};
use crate::delta::OpenTable;
use crate::engine::{BronzeStage, Missing, check_sources, reread_bronze};
use crate::error::LakeError;

/// The bronze table of a plan, and what the plan wants of it.
#[derive(Clone, Copy)]
pub(super) struct StoredRows<'a> {
    pub(super) plan: &'a Plan,
    /// The table as the plan saw it; `None` where it does not exist.
    pub(super) bronze: Option<&'a OpenTable>,
}

/// By silver table, the mapped columns that rows were given nulls for.
pub(super) type Absent = BTreeMap<TableRef, BTreeSet<String>>;

/// Who may bring a mapped column that bronze does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// Nobody: all of the run was read before.
    Read,
    /// Records of other parts, where only records show which columns an object has.
    MayBring,
}

impl<'a> StoredRows<'a> {
    /// Takes those of these objects that bronze has to the silver tables that lack them; of an object of which a part has a
    /// `range`, the rows whose `_source_row` is in it, whatever it says of them. A column that came to bronze after
    /// an object is null for it; one that bronze does not have is missing, and the table says so, unless others may bring
    /// it: then it is null, and in the answer. An object of the run whose values cannot be computed or stored is held alone.
    ///
    /// # Errors
    /// Faults for which no object of the run is to blame.
    pub(super) fn read(
        self,
        objects: &[PlannedObject],
        range: Option<ByteRange>,
        stages: &mut Stages<'_>,
        others: Others,
        refusals: &mut Refusals<'_>,
    ) -> Result<Absent, LakeError> {
        let behind = objects.iter().filter(|planned| planned.read_from == ReadFrom::Bronze);
        let behind: Vec<SourceObject> = behind.map(|planned| planned.object.clone()).collect();
        let Some(bronze) = self.bronze.filter(|_| !behind.is_empty()) else { return Ok(Absent::new()) };
        let pipeline = &self.plan.pipeline;
        let names = MappedNames::of(pipeline);
        let known = known_columns(&names, &stages.bronze);
        let may_bring = pipeline.source.format.has_documents() && others == Others::MayBring;
        let mut absent = Absent::new();
        let mut refused: BTreeSet<SourceId> = BTreeSet::new();
        reread_bronze(bronze, &behind, range, |object, rows| {
            // Those after it are examined all the same, so that all of them are held at once.
            if refused.contains(&object.id()) {
                return Ok(());
            }
            let missing = missing_from(self.plan, object);
            if may_bring {
                note_absent(&mut absent, pipeline, &missing, &known);
            }
            let rows = as_mapped(rows, &names)?;
            let rows = with_absent(&rows, pipeline, |source| may_bring || known.contains(source))?;
            match push_all(&mut stages.silver, &missing, &rows) {
                Err(error) if is_of_values(&error) && is_own(&self.plan.objects, object) => {
                    refused.insert(object.id());
                    refusals.hold([object], &BTreeSet::new(), &error)
                }
                Err(error) if is_of_values(&error) => Err(of_earlier_rows(object, error)),
                pushed => pushed,
            }
        })?;
        Ok(absent)
    }
}

/// Whether the run has brought every column that rows from bronze were given nulls for.
///
/// # Errors
/// [`LakeError::Violation`] naming the table and the first column that nobody has.
pub(super) fn check_absent(pipeline: &Pipeline, bronze: &BronzeStage, absent: &Absent) -> Result<(), LakeError> {
    if absent.is_empty() {
        return Ok(());
    }
    let known = known_columns(&MappedNames::of(pipeline), bronze);
    for table in &pipeline.silver {
        let Some(absent) = absent.get(&table.table) else { continue };
        check_sources(table, |source| !absent.contains(source) || known.contains(source), || &known)?;
    }
    Ok(())
}

/// The source columns that bronze will have, under the names that silver tables read.
fn known_columns(names: &MappedNames<'_>, bronze: &BronzeStage) -> BTreeSet<String> {
    let columns = bronze.source_columns();
    columns.iter().map(|name| names.mapped(name).to_owned()).collect()
}

/// Notes the columns of the tables that lack an object which nobody has brought yet.
fn note_absent(absent: &mut Absent, pipeline: &Pipeline, missing: &[Missing], known: &BTreeSet<String>) {
    let lacking = pipeline.silver.iter().zip(missing).filter(|(_, missing)| missing.silver || missing.quarantine);
    for (table, _) in lacking {
        let unknown: BTreeSet<String> =
            table.of_source().map(|(_, source)| source).filter(|source| !known.contains(*source)).cloned().collect();
        if !unknown.is_empty() {
            absent.entry(table.table.clone()).or_default().extend(unknown);
        }
    }
}
