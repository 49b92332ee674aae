//! Source objects that spoil a run which the gate would reject: one spoilt delivery costs itself. It is held, and the run
//! is planned again without it. Where all objects of a run are to blame, or none is by itself, the gate rejects the run as
//! a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use jiff::Timestamp;
use polars::prelude::{DataType, LazyFrame, col, len};
use sluice_core::columns::is_own_of_bronze;
use sluice_core::contract::{DatasetRule, Severity};
use sluice_core::engine::Engine;
use sluice_core::name::{SourceName, TableRef};
use sluice_core::pipeline::SilverTable;
use sluice_core::run::{Changeset, Plan, PlannedObject, ReadFrom, TableChange, TableVerdict};
use sluice_core::source::{SourceId, SourceObject};

use super::audit::staged_rows;
use super::blame::{Search, others, own_objects};
use super::gold::{VERSION, rows_after, without_rows};
use super::refused::Refusals;
use crate::delta::OpenTable;
use crate::engine::metrics::why_no_answer;
use crate::engine::{broken_ids, collect_streaming};
use crate::error::LakeError;
use crate::lake::Lake;

/// Rows of a run that are counted by object: two columns of each, in some ten seconds. A larger run is rejected as a whole.
const MAX_COUNTED_ROWS: u64 = 200_000_000;
/// Quarantined rows of a run that are read for the rules that they break.
const SAMPLED_ROWS: u32 = 10_000;
/// Rules that the reason of a held object names.
const NAMED_RULES: usize = 3;

/// Rows by the version of the object that they are from: address and etag.
type RowsOf = BTreeMap<(String, String), u64>;

/// Objects that spoil the run, each with the first fault that was found.
type Spoilt<'a> = BTreeMap<SourceId, (&'a SourceObject, LakeError)>;

/// A run that the gate would reject.
pub(super) struct RejectedRun<'a> {
    pub(super) lake: &'a Lake,
    pub(super) plan: &'a Plan,
    /// What it would do to the tables.
    pub(super) changeset: &'a Changeset,
    /// What the audit found.
    pub(super) verdicts: &'a [TableVerdict],
    /// The tables that exist, as the plan saw them.
    pub(super) tables: &'a BTreeMap<TableRef, OpenTable>,
}

impl<'a> RejectedRun<'a> {
    /// Holds the objects that spoil the run, if it has others. The answer is the error that names them. Blocking.
    ///
    /// # Errors
    /// [`LakeError`] when rows cannot be read or an object not be held.
    pub(super) fn hold_spoilt(&self, now: Timestamp) -> Result<Option<LakeError>, LakeError> {
        let all = own_objects(self.plan).len();
        let own = self.own_without_snapshots();
        if all < 2 || own.is_empty() {
            return Ok(None);
        }
        let mut spoilt = self.over_limit(&own)?;
        if spoilt.is_empty() {
            spoilt = self.without_answer(&own)?;
        }
        if spoilt.is_empty() || spoilt.len() == all {
            return Ok(None);
        }
        let mut refusals = Refusals::new(self.lake, &self.plan.run, now);
        for source in self.plan.pipeline.sources() {
            let bronze = self.change(&source.bronze).map(|change| &change.columns);
            let names = bronze.into_iter().flatten().map(|column| &column.name);
            let columns: BTreeSet<String> = names.filter(|name| !is_own_of_bronze(name)).cloned().collect();
            let of_source = self.plan.objects.iter().filter(|planned| planned.source == source.name);
            for (object, fault) in of_source.filter_map(|planned| spoilt.get(&planned.object.id())) {
                refusals.hold([*object], &columns, fault)?;
            }
        }
        Ok(refusals.error())
    }

    /// The objects that are new to the run, of sources without full snapshots: a snapshot of which a part is held is not
    /// complete, so it is rejected as a whole, and may be accepted so.
    fn own_without_snapshots(&self) -> Vec<&'a SourceObject> {
        let plan = self.plan;
        let snapshots = plan.pipeline.silver.iter().filter(|table| table.takes_snapshots());
        let replaces: BTreeSet<Option<&SourceName>> = snapshots.map(|table| table.source.as_ref()).collect();
        let is_own = |planned: &&PlannedObject| !planned.again && !replaces.contains(&planned.source.as_ref());
        plan.objects.iter().filter(is_own).map(|planned| &planned.object).collect()
    }

    fn change(&self, table: &TableRef) -> Option<&'a TableChange> {
        self.changeset.tables.iter().find(|change| &change.table == table)
    }

    /// The objects that are over the limit of quarantined rows of a silver table, each taken alone.
    fn over_limit(&self, own: &[&'a SourceObject]) -> Result<Spoilt<'a>, LakeError> {
        let mut rows: Option<RowsOf> = None;
        let mut spoilt = Spoilt::new();
        for table in &self.plan.pipeline.silver {
            let (Some(change), Some(refused)) = (self.change(&table.table), self.change(&table.quarantine)) else {
                continue;
            };
            let is_within = table.quarantined_percent_below.allows(change.rows.quarantined, change.rows.source);
            if is_within || change.rows.source > MAX_COUNTED_ROWS {
                continue;
            }
            let rows = match &mut rows {
                Some(rows) => rows,
                none => none.insert(self.source_rows()?),
            };
            spoilt.extend(self.over_limit_of(table, refused, own, rows)?);
        }
        Ok(spoilt)
    }

    fn over_limit_of(
        &self,
        table: &SilverTable,
        refused: &TableChange,
        own: &[&'a SourceObject],
        rows: &RowsOf,
    ) -> Result<Spoilt<'a>, LakeError> {
        let staged = || staged_rows(self.lake, refused);
        let limit = table.quarantined_percent_below;
        let quarantined = count(staged()?, refused)?;
        let of = |counts: &RowsOf, object: &SourceObject| counts.get(&version(object)).copied().unwrap_or_default();
        let over: Vec<_> = own
            .iter()
            .map(|object| (*object, of(&quarantined, object), of(rows, object)))
            // Of an object without known rows, nobody can say what share they are.
            .filter(|(_, bad, all)| *all > 0 && !limit.allows(*bad, *all))
            .collect();
        let versions: BTreeSet<(String, String)> = over.iter().map(|(object, ..)| version(object)).collect();
        let rules = if over.is_empty() { BTreeMap::new() } else { frequent_rules(staged()?, refused, &versions)? };
        let below = limit.percent_below().map(|percent| percent.to_string()).unwrap_or_default();
        let faulty = over.into_iter().map(|(object, bad, all)| {
            let rules = rules.get(&version(object)).map(|names| format!(" ({names})")).unwrap_or_default();
            let message = format!(
                "{bad} of the {all} rows of '{}' are quarantined{rules}, and below {below} % may be",
                object.uri
            );
            (object.id(), (object, LakeError::Violation { table: table.table.clone(), message }))
        });
        Ok(faulty.collect())
    }

    /// The objects for whose rows a rule has no answer. Only where this function reads the rows anyway: not after Spark.
    fn without_answer(&self, own: &[&'a SourceObject]) -> Result<Spoilt<'a>, LakeError> {
        let mut spoilt = Spoilt::new();
        if self.changeset.engine(self.plan).engine == Engine::Emr {
            return Ok(spoilt);
        }
        let mut search = Search::new(Instant::now(), &self.plan.run);
        for table in &self.plan.pipeline.silver {
            let Some(change) = self.change(&table.table) else { continue };
            let rows = rows_after(self.lake, change, self.tables.get(&table.table))?;
            for rule in table.contract.dataset_rules.iter().filter(|rule| self.is_broken(&table.table, rule)) {
                let Some(fault) = why_no_answer(&rows, rule) else { continue };
                let fails = |some: &[&SourceObject]| {
                    let rows = without_rows(rows.clone(), &others(own, some))?;
                    Ok::<_, LakeError>(why_no_answer(&rows, rule).is_some())
                };
                // What has no answer without the run either is no fault of its objects.
                if fails(&[])? {
                    continue;
                }
                for object in search.blamed(own, fails)? {
                    let message = format!("rule `{}` has no answer for rows of '{}': {fault}", rule.id, object.uri);
                    let fault = LakeError::Violation { table: table.table.clone(), message };
                    spoilt.entry(object.id()).or_insert((object, fault));
                }
            }
        }
        Ok(spoilt)
    }

    /// Whether the audit found that a rule rejects the run.
    fn is_broken(&self, table: &TableRef, rule: &DatasetRule) -> bool {
        let of_table = self.verdicts.iter().filter(|verdict| &verdict.table == table);
        let mut results = of_table.flat_map(|verdict| &verdict.rules);
        rule.severity == Severity::Error && results.any(|result| result.rule == rule.id && !result.passed)
    }

    /// Rows that the objects of the run brought: those that are staged for bronze, and those that bronze has already.
    fn source_rows(&self) -> Result<RowsOf, LakeError> {
        let mut rows = RowsOf::new();
        for source in self.plan.pipeline.sources() {
            if let Some(change) = self.change(&source.bronze) {
                rows.extend(count(staged_rows(self.lake, change)?, change)?);
            }
            let is_behind =
                |planned: &&PlannedObject| planned.source == source.name && planned.read_from == ReadFrom::Bronze;
            let behind: Vec<&SourceObject> =
                self.plan.objects.iter().filter(is_behind).map(|planned| &planned.object).collect();
            if let Some(bronze) = self.tables.get(&source.bronze).filter(|_| !behind.is_empty()) {
                let stored = count_rows(bronze.scan()?, bronze.reference())?;
                rows.extend(behind.iter().filter_map(|object| Some((version(object), *stored.get(&version(object))?))));
            }
        }
        Ok(rows)
    }
}

fn version(object: &SourceObject) -> (String, String) {
    (object.uri.to_string(), object.etag.clone())
}

/// Rows by object.
fn count(rows: LazyFrame, change: &TableChange) -> Result<RowsOf, LakeError> {
    if change.adds.is_empty() { Ok(RowsOf::new()) } else { count_rows(rows, &change.table) }
}

fn count_rows(rows: LazyFrame, table: &TableRef) -> Result<RowsOf, LakeError> {
    let failed = || LakeError::polars(format!("rows by source object of table `{table}`"));
    let groups = rows.group_by(VERSION.map(col)).agg([len().cast(DataType::UInt64).alias("rows")]);
    let groups = collect_streaming(groups).map_err(failed())?;
    let text = |name: &str| groups.column(name).and_then(|column| column.str().cloned()).map_err(failed());
    let (files, etags) = (text(VERSION[0])?, text(VERSION[1])?);
    let counts = groups.column("rows").and_then(|column| column.u64().cloned()).map_err(failed())?;
    let all = files.iter().zip(etags.iter()).zip(counts.iter());
    let known = all.filter_map(|((file, etag), rows)| Some(((file?.to_owned(), etag?.to_owned()), rows?)));
    Ok(known.collect())
}

/// The names of the rules that rows of these objects break most, as the first quarantined rows of the run show.
fn frequent_rules(
    rows: LazyFrame,
    change: &TableChange,
    of: &BTreeSet<(String, String)>,
) -> Result<BTreeMap<(String, String), String>, LakeError> {
    let failed = || LakeError::polars(format!("broken rules of table `{}`", change.table));
    let sample = rows.select([col(VERSION[0]), col(VERSION[1]), col("_broken_rules")]).limit(SAMPLED_ROWS);
    let sample = collect_streaming(sample).map_err(failed())?;
    let text = |name: &str| sample.column(name).and_then(|column| column.str().cloned()).map_err(failed());
    let (files, etags, broken) = (text(VERSION[0])?, text(VERSION[1])?, text("_broken_rules")?);
    let mut counts: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
    for ((file, etag), rules) in files.iter().zip(etags.iter()).zip(broken.iter()) {
        let (Some(file), Some(etag), Some(rules)) = (file, etag, rules) else { continue };
        let version = (file.to_owned(), etag.to_owned());
        if of.contains(&version) {
            let counts = counts.entry(version).or_default();
            broken_ids(rules).into_iter().for_each(|rule| *counts.entry(rule).or_default() += 1);
        }
    }
    let most = |counts: BTreeMap<String, u64>| {
        let mut rules: Vec<(String, u64)> = counts.into_iter().collect();
        rules.sort_by(|(_, one), (_, other)| other.cmp(one));
        rules.truncate(NAMED_RULES);
        rules.into_iter().map(|(rule, _)| format!("`{rule}`")).collect::<Vec<_>>().join(", ")
    };
    Ok(counts.into_iter().map(|(version, counts)| (version, most(counts))).collect())
}
