//! What a run is going to do.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ByteRange, Cuts, Earlier, PartNumber, RunRef, RunRequest};
use crate::columns::StoredColumn;
use crate::engine::{Engine, EnginePreference, Estimate};
use crate::name::{SourceName, TableRef};
use crate::pipeline::Pipeline;
use crate::source::{FirstOf, HeldObject, PassedByList, Positions, SourceId, SourceObject};

/// What validate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// There is work.
    Planned,
    /// Nothing is new.
    Skipped,
    /// A rejected changeset was accepted and can be published as it is.
    Accepted,
}

/// Where the rows of a planned object are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// From the object itself; its rows are new to bronze.
    Landing,
    /// From the bronze table, which has them already.
    Bronze,
}

/// A source object of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// The object.
    pub object: SourceObject,
    /// The source that it is from; `None` where the pipeline has one source without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// Where its rows are read.
    pub read_from: ReadFrom,
    /// Whether it is read only because it is part of the snapshot that replaces a table, which has taken it in already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// What reading its beginning showed; `None` for objects that were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<SourceShape>,
    /// What `_source_row` says of its records. Objects whose records are found by bytes may be divided into ranges.
    #[serde(default, skip_serializing_if = "Positions::are_numbers")]
    pub positions: Positions,
}

/// What reading the beginning of a source object shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceShape {
    /// Names of the header or schema, in order; empty for formats that have none.
    pub columns: Vec<String>,
}

/// Where a table stands, and which objects the run brings to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTable {
    /// The table.
    pub table: TableRef,
    /// Version the plan was made on; `None` where the table does not exist yet.
    pub read_version: Option<u64>,
    /// Objects whose rows are missing from the table; where it takes full snapshots also the other parts of the newest,
    /// because they are read again.
    pub sources: BTreeSet<SourceId>,
    /// Objects that count as taken in without a row: because a newer snapshot replaces the table, or because bronze has
    /// their rows under the addresses of the lake that this one is a copy of, and the table takes them in under these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub superseded: BTreeSet<SourceId>,
    /// The columns it has at that version; none where it does not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<StoredColumn>,
}

/// The engine of a run and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineChoice {
    /// The engine.
    pub engine: Engine,
    /// Why, in words.
    pub reason: String,
}

/// What a run is going to do. Written by validate, once per attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The attempt planned.
    pub run: RunRef,
    /// What was asked for.
    pub request: RunRequest,
    /// When the plan was made; also the `_ingested_at` of the run's rows.
    pub planned_at: Timestamp,
    /// The decision.
    pub status: PlanStatus,
    /// The engine.
    pub engine: EngineChoice,
    /// What the run would need on lambda; `None` in plans of versions that did not estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// The pipeline as resolved for this run, so that a redrive does not see another spec.
    pub pipeline: Pipeline,
    /// Objects to read, by source and address.
    pub objects: Vec<PlannedObject>,
    /// How they are divided into parts, each of which is read by a call of its own.
    #[serde(default, skip_serializing_if = "Cuts::is_whole")]
    pub cuts: Cuts,
    /// Where every table of the pipeline and each of its inputs stands.
    pub tables: Vec<PlannedTable>,
    /// Gold tables to compute again.
    pub refresh: BTreeSet<TableRef>,
    /// Gold tables that are left as they are, because a table of another pipeline is not as they need it, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<TableRef, String>,
    /// Objects left out because they are held.
    pub held: Vec<SourceObject>,
    /// Objects that this run holds, because they are at fault. The run goes on without them.
    #[serde(default, skip_serializing_if = "FirstOf::is_empty")]
    pub held_by_run: FirstOf<HeldObject>,
    /// The columns that these have: other objects of the run may lack them. Of a pipeline with several sources, those of
    /// the first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held_columns: BTreeSet<String>,
    /// The same for the sources after the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_held_columns: BTreeMap<SourceName, BTreeSet<String>>,
    /// What else of the landing folder was left out.
    #[serde(default, skip_serializing_if = "PassedByList::is_empty")]
    pub passed_by: PassedByList,
    /// What earlier attempts of the run committed, before another table's conflict made it plan again.
    #[serde(default, skip_serializing_if = "Earlier::is_empty")]
    pub earlier: Earlier,
}

/// What a part of a plan has to read.
#[derive(Debug, Clone, Copy)]
pub struct PlannedPart<'a> {
    /// Its objects.
    pub objects: &'a [PlannedObject],
    /// Which records of its only object it has, where it does not have all of them.
    pub range: Option<ByteRange>,
}

/// What a plan gives an engine to do. It is known before the engine is chosen, because the choice depends on it.
#[derive(Debug, Clone, Copy)]
pub struct PlannedWork<'a> {
    /// The attempt planned.
    pub run: &'a RunRef,
    /// What was asked for.
    pub request: &'a RunRequest,
    /// The pipeline as resolved for this run.
    pub pipeline: &'a Pipeline,
    /// Where every table stands.
    pub tables: &'a [PlannedTable],
    /// Gold tables to compute again.
    pub refresh: &'a BTreeSet<TableRef>,
}

impl<'a> PlannedWork<'a> {
    /// Where this table stands. `None` for tables the pipeline neither writes nor reads.
    pub fn table(&self, table: &TableRef) -> Option<&'a PlannedTable> {
        self.tables.iter().find(|planned| &planned.table == table)
    }

    /// The engine that was asked for.
    pub fn wanted_engine(&self) -> EnginePreference {
        self.request.engine.unwrap_or(self.pipeline.engine)
    }
}

impl Plan {
    /// Whether the rows are counted before it is chosen who combines them.
    pub fn chooses_after_reading(&self) -> bool {
        let may_choose = self.work().wanted_engine() == EnginePreference::Auto && self.pipeline.lambda_only().is_none();
        !self.cuts.is_whole() && may_choose
    }

    /// What the engine is given to do.
    pub fn work(&self) -> PlannedWork<'_> {
        PlannedWork {
            run: &self.run,
            request: &self.request,
            pipeline: &self.pipeline,
            tables: &self.tables,
            refresh: &self.refresh,
        }
    }

    /// The source objects of the run: of this attempt, and of those before that committed something.
    pub fn all_objects(&self) -> impl Iterator<Item = &SourceObject> {
        self.earlier.and(&self.objects)
    }

    /// The objects that are read from the landing folder, by address.
    pub fn landing(&self) -> impl Iterator<Item = &PlannedObject> {
        self.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing)
    }

    /// Whether the parts have every object. Earlier versions cut the landing objects of a plan alone.
    pub fn is_cut_right(&self) -> bool {
        self.cuts.is_whole() || self.cuts.objects() == self.objects.len()
    }

    /// What a part has to read; `None` where the plan has no such part.
    pub fn part(&self, part: PartNumber) -> Option<PlannedPart<'_>> {
        let cut = self.cuts.part(part)?;
        Some(PlannedPart { objects: self.objects.get(cut.objects)?, range: cut.range })
    }

    /// Where this table stands. `None` for tables the pipeline neither writes nor reads.
    pub fn table(&self, table: &TableRef) -> Option<&PlannedTable> {
        self.work().table(table)
    }

    /// The plan of one source: its objects, its silver tables and the columns that held objects of it have. It has no
    /// parts. Where the pipeline has one source, it is the plan itself.
    pub fn of_source(&self, name: Option<&SourceName>) -> Cow<'_, Self> {
        if self.pipeline.other_sources.is_empty() {
            return Cow::Borrowed(self);
        }
        let is_first = self.pipeline.source.name.as_ref() == name;
        let of_other = || name.and_then(|name| self.other_held_columns.get(name)).cloned().unwrap_or_default();
        let objects = self.objects.iter().filter(|planned| planned.source.as_ref() == name);
        Cow::Owned(Self {
            run: self.run.clone(),
            request: self.request.clone(),
            planned_at: self.planned_at,
            status: self.status,
            engine: self.engine.clone(),
            estimate: self.estimate,
            pipeline: self.pipeline.of_source(name).into_owned(),
            objects: objects.cloned().collect(),
            cuts: Cuts::default(),
            tables: self.tables.clone(),
            refresh: self.refresh.clone(),
            waiting: self.waiting.clone(),
            held: self.held.clone(),
            held_by_run: self.held_by_run.clone(),
            held_columns: if is_first { self.held_columns.clone() } else { of_other() },
            other_held_columns: BTreeMap::new(),
            passed_by: self.passed_by.clone(),
            earlier: self.earlier.clone(),
        })
    }

    /// The source of a part's objects; `None` where the pipeline has one source without a name. A part has objects of one
    /// source.
    pub fn source_of_part(&self, part: PartNumber) -> Option<&SourceName> {
        self.part(part)?.objects.first()?.source.as_ref()
    }
}
