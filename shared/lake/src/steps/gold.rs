//! Gold after the other changes of a run, and which source objects are to blame where it cannot be computed.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, IntoLazy, JoinType, LazyFrame, col, df};
use sluice_core::columns::{contract_columns, has_contract_columns, is_provenance};
use sluice_core::name::{Layer, RunId, TableRef};
use sluice_core::pipeline::GoldTable;
use sluice_core::run::{Plan, RunAction, RunRef, TableChange};
use sluice_core::source::SourceObject;
use tokio::runtime::Handle;

use super::blame::{Fault, Search, is_of_values, others, own_objects};
use super::changes::has_inputs;
use crate::delta::{Ledger, OpenTable, scan_table_files};
use crate::engine::{GoldInput, same_gold, stage_gold};
use crate::error::LakeError;
use crate::lake::Lake;

/// The version of an object, as its rows have it.
pub(super) const VERSION: [&str; 2] = ["_source_file", "_source_etag"];

/// Stages the gold tables of a plan. Blocking.
pub(super) struct GoldChanges<'a> {
    pub(super) lake: &'a Lake,
    pub(super) plan: &'a Plan,
    /// The tables that exist, as the plan saw them.
    pub(super) tables: &'a BTreeMap<TableRef, OpenTable>,
}

impl<'a> GoldChanges<'a> {
    /// The changes of gold once these changes are made.
    ///
    /// # Errors
    /// [`LakeError::Engine`] when a statement fails or its columns are not the contract's; the writer's.
    pub(super) fn after(&self, changes: &[TableChange]) -> Result<Vec<TableChange>, LakeError> {
        self.without(&[], changes)
    }

    /// Whose fault it is that gold failed once after these changes.
    pub(super) fn fault(&self, error: LakeError, changes: &[TableChange]) -> Fault {
        if own_objects(self.plan).is_empty() {
            return Fault::Other(error);
        }
        Fault::of_gold(error, || self.after(changes).map(drop), || self.after(&[]).map(drop))
    }

    /// The objects whose rows make gold fail after these changes.
    ///
    /// # Errors
    /// Those of [`Self::after`] that are not of values.
    pub(super) fn to_blame(
        &self,
        changes: &[TableChange],
        mut search: Search,
    ) -> Result<Vec<&'a SourceObject>, LakeError> {
        let own = own_objects(self.plan);
        let fails = |some: &[&SourceObject]| match self.without(&others(&own, some), changes) {
            Ok(_) => Ok(false),
            Err(error) if is_of_values(&error) => Ok(true),
            Err(error) => Err(error),
        };
        // Rows that they took the place of are gone as well: where gold fails without both, nobody can say who is to blame.
        if fails(&[])? { Ok(own.clone()) } else { search.blamed(&own, fails) }
    }

    /// As [`Self::after`], as if these objects had brought no rows.
    fn without(&self, left_out: &[&SourceObject], changes: &[TableChange]) -> Result<Vec<TableChange>, LakeError> {
        let mut all = changes.to_vec();
        let mut computed: BTreeMap<TableRef, DataFrame> = BTreeMap::new();
        for gold in &self.plan.pipeline.gold {
            if !self.plan.refresh.contains(&gold.table) {
                continue;
            }
            let exists = |input: &TableRef| self.tables.contains_key(input);
            if !has_inputs(gold, exists, &all) || !self.needs_refresh(gold, &all)? {
                continue;
            }
            if let Some(existing) = self.unchanged(gold, &all)? {
                all.push(same_gold(gold, existing)?);
                continue;
            }
            let (change, rows) = stage_gold(self.lake, &self.plan.run, gold, self.tables.get(&gold.table), |input| {
                match computed.get(input) {
                    Some(rows) => Ok(GoldInput::computed(rows)),
                    None => self.input(input, &all, left_out),
                }
            })?;
            computed.insert(gold.table.clone(), rows);
            all.push(change);
        }
        Ok(all.split_off(changes.len()))
    }

    /// Whether a planned refresh is due after all: a replay that frees no row may leave gold as it is.
    fn needs_refresh(&self, gold: &GoldTable, changes: &[TableChange]) -> Result<bool, LakeError> {
        let Some(existing) = self.tables.get(&gold.table) else { return Ok(true) };
        let is_new = |input: &TableRef| changes.iter().any(|change| &change.table == input);
        if self.plan.request.action != RunAction::Replay || gold.inputs.iter().any(is_new) {
            return Ok(true);
        }
        let ledger = Handle::current().block_on(existing.ledger())?;
        let moved = |input: &TableRef| ledger.input_version(input) != self.tables.get(input).map(OpenTable::version);
        Ok(gold.inputs.iter().any(moved) || !has_contract_columns(existing.columns(), &gold.contract))
    }

    /// A gold table whose query is as it was, and whose inputs get no other row by this run, such as by a snapshot that
    /// changes nothing: then it only takes note of their versions. Where Spark may combine a run, gold is computed in any
    /// case, so that both engines do the same.
    fn unchanged(&self, gold: &GoldTable, changes: &[TableChange]) -> Result<Option<&'a OpenTable>, LakeError> {
        let Some(existing) = self.tables.get(&gold.table) else { return Ok(None) };
        let may_skip = self.plan.pipeline.lambda_only().is_some() && self.plan.request.action != RunAction::Replay;
        if !may_skip || !has_contract_columns(existing.columns(), &gold.contract) {
            return Ok(None);
        }
        let ledger = Handle::current().block_on(existing.ledger())?;
        let is_same = |input: &TableRef| {
            let version = self.tables.get(input).map(OpenTable::version);
            let gets_rows = |change: &TableChange| !change.adds.is_empty() || !change.removes.is_empty();
            let changes = changes.iter().any(|change| &change.table == input && gets_rows(change));
            version.is_some() && ledger.input_version(input) == version && !changes
        };
        let stays = gold.inputs.iter().all(is_same) && self.is_of_query(gold, existing, &ledger)?;
        Ok(stays.then_some(existing))
    }

    /// Whether the newest version of a gold table is of a run that had the query and the contract that the spec has now.
    /// Where the plan of that run is gone, nobody can say.
    fn is_of_query(&self, gold: &GoldTable, existing: &OpenTable, ledger: &Ledger) -> Result<bool, LakeError> {
        let runtime = Handle::current();
        let newest = runtime.block_on(existing.history(1))?.pop();
        let Some(run_id) = newest.and_then(|entry| entry.run_id?.parse::<RunId>().ok()) else { return Ok(false) };
        let Some(attempt) = ledger.newest_attempt(&run_id) else { return Ok(false) };
        let run = RunRef { pipeline: self.plan.run.pipeline.clone(), run_id, attempt };
        match runtime.block_on(self.lake.documents().of(&run).get::<Plan>()) {
            Ok(plan) => Ok(plan.is_some_and(|plan| plan.pipeline.gold_table(&gold.table) == Some(gold))),
            Err(fault) if fault.is_damaged() => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A table as it will be after the run, with the columns that SQL may use.
    fn input(
        &self,
        table: &TableRef,
        changes: &[TableChange],
        left_out: &[&SourceObject],
    ) -> Result<GoldInput, LakeError> {
        let change = changes.iter().find(|change| &change.table == table);
        let existing = self.tables.get(table);
        let (scan, rows) = match (change, existing) {
            (None, Some(existing)) => (existing.scan()?, existing.rows()?.unwrap_or_default()),
            (None, None) => return Err(LakeError::NotFound { what: format!("table `{table}` does not exist yet") }),
            (Some(change), existing) => {
                (without_rows(rows_after(self.lake, change, existing)?, left_out)?, change.table_rows)
            }
        };
        let hidden = |name: &str| table.layer() == Layer::Silver && is_provenance(name);
        let columns = match (change, existing) {
            (Some(change), _) => change.columns.clone(),
            (None, Some(existing)) => existing.columns().to_vec(),
            (None, None) => Vec::new(),
        };
        let shown: Vec<_> = match self.plan.pipeline.input(table) {
            Some(input) => contract_columns(&input.contract).map(|column| col(column.name)).collect(),
            None => columns.iter().filter(|c| !hidden(&c.name)).map(|c| col(c.name.as_str())).collect(),
        };
        Ok(GoldInput { scan: scan.select(shown), rows })
    }
}

/// Rows of a table as they will be once a change is committed.
pub(super) fn rows_after(
    lake: &Lake,
    change: &TableChange,
    existing: Option<&OpenTable>,
) -> Result<LazyFrame, LakeError> {
    let mut paths: Vec<String> = match existing {
        Some(table) => {
            table.files()?.into_iter().map(|file| file.path).filter(|p| !change.removes.contains(p)).collect()
        }
        None => Vec::new(),
    };
    paths.extend(change.adds.iter().map(|file| file.path.clone()));
    let folder = lake.table_folder(&change.table)?;
    let paths = paths.iter().map(String::as_str);
    scan_table_files(&change.table, &folder, lake.options(), &change.columns, &change.partition_by, paths)
}

/// The rows of a table that are not from these objects.
pub(super) fn without_rows(rows: LazyFrame, left_out: &[&SourceObject]) -> Result<LazyFrame, LakeError> {
    if left_out.is_empty() {
        return Ok(rows);
    }
    let files: Vec<&str> = left_out.iter().map(|object| object.uri.as_str()).collect();
    let etags: Vec<&str> = left_out.iter().map(|object| object.etag.as_str()).collect();
    let left_out = df!(VERSION[0] => files, VERSION[1] => etags).map_err(LakeError::polars("objects to leave out"))?;
    Ok(rows.join(left_out.lazy(), VERSION.map(col), VERSION.map(col), JoinType::Anti.into()))
}
