//! Quality check: audits exactly the files that publish would commit, and decides.

use std::collections::BTreeSet;

use jiff::Timestamp;
use polars::prelude::LazyFrame;
use sluice_core::contract::{Severity, TableContract};
use sluice_core::decimal::DecimalNumber;
use sluice_core::engine::Engine;
use sluice_core::name::Layer;
use sluice_core::pipeline::{SilverTable, WriteMode};
use sluice_core::run::{
    AuditedRows, Changeset, Decision, Plan, ReadRun, RowCounts, RuleResult, RunAction, RunRef, SnapshotRows,
    TableChange, TableVerdict, Verdict,
};
use sluice_core::source::SourceObject;
use sluice_spark::metrics::{EtlMetrics, MetricName};

use super::assemble::{assemble, number, numbers, read_metrics};
use super::blame::own_objects;
use super::changes::open_planned;
use super::footers::prove_rows;
use super::gold::rows_after;
use super::spoilt::RejectedRun;
use crate::delta::{OpenTable, open_table, scan_table_files};
use crate::engine::metrics::Audit;
use crate::engine::rules::RowTest;
use crate::engine::{metrics, rules};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::blocking;
use crate::runs;

/// Held objects whose faults the verdict has.
const NAMED_OBJECTS: usize = 5;

/// Audits the changeset of an attempt, or finds the verdict that an earlier call made. A rejection holds the source
/// objects of the run, so that the runs after it pass them by. Where only some of them spoil the run, these are
/// held, and the others are planned again.
///
/// Row rules that the parts of the run have counted on the rows that they staged are not counted again: the footers
/// prove that the files are still the same.
///
/// Where Spark did the work, this step first assembles the changeset from what Spark left, and judges by what Spark
/// counted: the data is not read again.
///
/// # Errors
/// [`LakeError::Refused`] where some objects are held now; [`LakeError`] when a staged file cannot be read or is not
/// the one that was staged; those of [`assemble`]. A broken rule is a result, not an error.
pub async fn quality_check(lake: &Lake, now: Timestamp, run: &RunRef) -> Result<Verdict, LakeError> {
    let documents = lake.documents().of(run);
    let plan: Plan = documents.require().await?;
    let verdict = match documents.get().await? {
        Some(verdict) => verdict,
        None => documents.settle(make_verdict(lake, now, run, &plan).await?).await?,
    };
    if verdict.decision == Decision::Rejected {
        let broken: Vec<String> = verdict
            .broken()
            .into_iter()
            .map(|(name, rule)| format!("{name}: observed {}, expected {}", rule.observed, rule.expected))
            .collect();
        // Also those that bronze has already: their silver rows were refused, and would be again by every run after this.
        // Not those of earlier runs that a snapshot takes along: their rows were good, and are in the table.
        for object in own_objects(&plan) {
            runs::hold(lake, run, object, &broken.join("; "), now).await?;
        }
    }
    Ok(verdict)
}

async fn make_verdict(lake: &Lake, now: Timestamp, run: &RunRef, plan: &Plan) -> Result<Verdict, LakeError> {
    let documents = lake.documents().of(run);
    let changeset: Changeset = match documents.get().await? {
        Some(changeset) => changeset,
        None if plan.engine.engine == Engine::Emr || documents.get::<ReadRun>().await?.is_some() => {
            documents.settle(assemble(lake, now, plan).await?).await?
        }
        None => documents.require().await?,
    };
    let spark = changeset.engine(plan).engine == Engine::Emr;
    let counted = if spark { Some(read_metrics(lake, run).await?) } else { None };
    let mut tables = Vec::new();
    for change in &changeset.tables {
        tables.extend(audit_change(lake, plan, change, counted.as_ref()).await?);
    }
    tables.extend(of_bronze(plan, &changeset));
    let acceptance = runs::acceptance(lake, run).await?;
    let has_acceptance = acceptance.is_some();
    let mut verdict =
        Verdict { run: run.clone(), audited_at: now, decision: Decision::Passed, tables, acceptance: None };
    let broken: BTreeSet<String> = verdict.broken().into_iter().map(|(name, _)| name).collect();
    if !broken.is_empty() {
        // The acceptance is for the rules that the person saw; a rule that broke since then still rejects.
        verdict.acceptance = acceptance.filter(|word| broken.is_subset(&word.rules));
        verdict.decision = if verdict.acceptance.is_some() { Decision::Accepted } else { Decision::Rejected };
    }
    // What a person has accepted is not taken apart, nor is a replay, which has no objects.
    if verdict.decision == Decision::Rejected && !has_acceptance && plan.request.action != RunAction::Replay {
        go_on_without_spoilt_objects(lake, now, plan, changeset, verdict.tables.clone()).await?;
    }
    Ok(verdict)
}

/// The verdict about one change, by what Spark has counted where Spark did the work; `None` for a table without a
/// contract.
async fn audit_change(
    lake: &Lake,
    plan: &Plan,
    change: &TableChange,
    counted: Option<&EtlMetrics>,
) -> Result<Option<TableVerdict>, LakeError> {
    let Some((contract, silver)) = contract_of(plan, change) else { return Ok(None) };
    if let Some(audited) = &change.audited {
        prove_rows(lake, change, audited).await?;
    }
    if let Some(counted) = counted {
        let audited = counted_by_spark(&plan.run, change, contract, counted)?;
        return table_verdict(change, contract, silver, &audited, false).map(Some);
    }
    let existing = match change.read_version {
        Some(version) => open_table(lake, &change.table, Some(version)).await?,
        None => None,
    };
    let (lake, change, contract, silver) = (lake.clone(), change.clone(), contract.clone(), silver.cloned());
    let replay = plan.request.action == RunAction::Replay;
    let judged = blocking(move || audit(&lake, &change, &contract, silver.as_ref(), existing.as_ref(), replay));
    judged.await.map(Some)
}

/// # Errors
/// [`LakeError::Refused`] where some objects of the run spoil it: they are held now, and the run is planned again without
/// them. As for [`make_verdict`].
async fn go_on_without_spoilt_objects(
    lake: &Lake,
    now: Timestamp,
    plan: &Plan,
    changeset: Changeset,
    verdicts: Vec<TableVerdict>,
) -> Result<(), LakeError> {
    let tables = open_planned(lake, plan).await?;
    let (lake, plan) = (lake.clone(), plan.clone());
    let refused = blocking(move || {
        let run = RejectedRun { lake: &lake, plan: &plan, changeset: &changeset, verdicts: &verdicts, tables: &tables };
        run.hold_spoilt(now)
    });
    refused.await?.map_or(Ok(()), Err)
}

/// The contract a change is audited against; bronze, quarantine and delete events have none.
fn contract_of<'a>(plan: &'a Plan, change: &TableChange) -> Option<(&'a TableContract, Option<&'a SilverTable>)> {
    match change.table.layer() {
        Layer::Silver => plan.pipeline.silver_table(&change.table).map(|table| (&table.contract, Some(table))),
        Layer::Gold => plan.pipeline.gold_table(&change.table).map(|table| (&table.contract, None)),
        Layer::Bronze | Layer::Quarantine | Layer::Deletes => None,
    }
}

fn audit(
    lake: &Lake,
    change: &TableChange,
    contract: &TableContract,
    silver: Option<&SilverTable>,
    existing: Option<&OpenTable>,
    replay: bool,
) -> Result<TableVerdict, LakeError> {
    let failed = LakeError::engine(&change.table);
    let tests = rules::compile(contract).map_err(&failed)?;
    let staged = match counted_by_parts(change, &tests) {
        Some(counted) => counted.clone(),
        None => metrics::count_row_rules(staged_rows(lake, change)?, &tests).map_err(&failed)?,
    };
    let whole = rows_after(lake, change, existing)?;
    let audited = metrics::observe(&staged, &whole, contract, &tests, change.table_rows).map_err(&failed)?;
    table_verdict(change, contract, silver, &audited, replay)
}

/// What the parts of a run have counted in the staged files of a change. `None` where the audit has to count: the table
/// was not read in parts, or a part was read by a version that counted nothing, or knew a rule less.
fn counted_by_parts<'c>(change: &'c TableChange, tests: &[RowTest]) -> Option<&'c AuditedRows> {
    let has_rules = |counted: &&AuditedRows| tests.iter().all(|test| counted.broken.contains_key(&test.id));
    change.audited.as_ref().filter(has_rules)
}

/// What Spark counted of a table, as the audit that observes the files has it; where the parts of the run have counted
/// row rules, these are theirs.
///
/// # Errors
/// [`LakeError::EtlFailed`] naming the table and the rule that has no number.
fn counted_by_spark(
    run: &RunRef,
    change: &TableChange,
    contract: &TableContract,
    counted: &EtlMetrics,
) -> Result<Audit, LakeError> {
    let table = numbers(run, counted, &change.table)?;
    let missing = |rule: &str| LakeError::EtlFailed {
        run: run.clone(),
        problem: format!("the metrics have no number for rule `{rule}` of table `{}`", change.table),
    };
    let failed = LakeError::engine(&change.table);
    let by_parts = change.audited.as_ref();
    let mut row_rules = Vec::new();
    for test in rules::compile(contract).map_err(&failed)? {
        let broken = by_parts.and_then(|counted| counted.broken.get(&test.id));
        let broken = broken.or_else(|| table.row_rules.get(&test.id)).ok_or_else(|| missing(&test.id))?;
        row_rules.push((test.id, *broken));
    }
    let mut dataset_rules = Vec::new();
    for rule in &contract.dataset_rules {
        let answer = table.dataset_rules.get(&rule.id).ok_or_else(|| missing(&rule.id))?;
        let of = match rule.share_of_keys() {
            Some(_) => *table.share_rows.get(&rule.id).ok_or_else(|| missing(&rule.id))?,
            None => change.table_rows,
        };
        dataset_rules.push((rule, *answer, of));
    }
    let staged = match by_parts {
        Some(counted) => counted.rows,
        None => number(run, counted, &change.table, MetricName::StagedRows)?,
    };
    Audit::counted(staged, row_rules, dataset_rules).map_err(&failed)
}

/// The judgement of what was observed in a table, or counted.
fn table_verdict(
    change: &TableChange,
    contract: &TableContract,
    silver: Option<&SilverTable>,
    audited: &Audit,
    replay: bool,
) -> Result<TableVerdict, LakeError> {
    let failed = LakeError::engine(&change.table);
    let mut results = metrics::judge(audited, contract).map_err(&failed)?;
    if let Some(silver) = silver {
        results.push(control_total(&change.rows, silver, audited.rows()));
        // A replay reads only rows that were refused before: their share says nothing about a delivery.
        results.extend(quarantined_share(&change.rows, silver).filter(|_| !replay));
        if let Some(snapshot) = &change.rows.snapshot {
            results.extend(deleted_share(snapshot, silver));
            results.extend(snapshot_total(change, snapshot, silver));
        }
    }
    let passed = results.iter().filter(|rule| rule.passed).count() as u64;
    Ok(TableVerdict {
        table: change.table.clone(),
        contract: format!("{} {}", contract.contract_id, contract.contract_version),
        score: shortened(DecimalNumber::percent(passed, results.len() as u64)),
        rules: results,
    })
}

pub(super) fn staged_rows(lake: &Lake, change: &TableChange) -> Result<LazyFrame, LakeError> {
    let folder = lake.table_folder(&change.table)?;
    let paths = change.adds.iter().map(|file| file.path.as_str());
    scan_table_files(&change.table, &folder, lake.options(), &change.columns, &change.partition_by, paths)
}

/// The judgement of what was delivered, as one of the bronze table; `None` where nothing is to be said.
fn of_bronze(plan: &Plan, changeset: &Changeset) -> Option<TableVerdict> {
    let rules: Vec<RuleResult> = held_objects(plan).into_iter().chain(missing_keys(changeset)).collect();
    let passed = rules.iter().filter(|rule| rule.passed).count() as u64;
    let score = shortened(DecimalNumber::percent(passed, rules.len() as u64));
    let (table, contract) = (plan.pipeline.source.bronze.clone(), String::new());
    (!rules.is_empty()).then_some(TableVerdict { table, contract, score, rules })
}

/// Whether the run may go on without the objects that it holds. One whose every object is at fault is rejected, whatever
/// the limit.
fn held_objects(plan: &Plan) -> Option<RuleResult> {
    let held = plan.held_by_run.count;
    if held == 0 {
        return None;
    }
    // With those that attempts before this one have committed, unless they are held since.
    let earlier = plan.earlier.objects.iter().filter(|object| {
        let is_same = |other: &SourceObject| other.is_same_version(object);
        !plan.held.iter().any(is_same) && !plan.objects.iter().any(|planned| is_same(&planned.object))
    });
    let taken = (own_objects(plan).len() + earlier.count()) as u64;
    let all = held + taken;
    let below = plan.pipeline.held_objects_below.map_or(all, |limit| limit.get().min(all));
    let named: Vec<&str> = plan.held_by_run.named.iter().take(NAMED_OBJECTS).map(|held| held.reason.as_str()).collect();
    Some(RuleResult {
        rule: "held_objects".to_owned(),
        description: format!("{held} of the run's {all} source objects are held: {}", named.join("; ")),
        severity: Severity::Error,
        dimension: Some("completeness".to_owned()),
        observed: held.to_string(),
        expected: format!("< {below}"),
        passed: held < below,
    })
}

/// Mapped columns that bronze has, and no object of this run (of JSON, no record), and paths that no row has: renamed
/// at the source, rare, or misspelt.
fn missing_keys(changeset: &Changeset) -> Option<RuleResult> {
    let keys: Vec<String> = changeset.missing_keys.iter().map(|key| format!("'{key}'")).collect();
    (!keys.is_empty()).then(|| RuleResult {
        rule: "missing_keys".to_owned(),
        description: format!("no source object of the run has the mapped column {}: it is null", keys.join(", ")),
        severity: Severity::Warning,
        dimension: Some("completeness".to_owned()),
        observed: keys.len().to_string(),
        expected: "= 0".to_owned(),
        passed: false,
    })
}

/// Every row that was read or recalled is staged, quarantined, collapsed or a delete event: counted at the source, and
/// again in the staged files.
fn control_total(rows: &RowCounts, silver: &SilverTable, staged: u64) -> RuleResult {
    let replaced = if silver.mode == WriteMode::Replace { 0 } else { rows.replaced };
    let accounted = staged + rows.quarantined + rows.collapsed + rows.deleted;
    let expected = rows.source + replaced + rows.recalled;
    let places = match &silver.delete_when {
        Some(_) => "staged, quarantined, collapsed and deleted rows",
        None => "staged, quarantined and collapsed rows",
    };
    RuleResult {
        rule: "control_total".to_owned(),
        description: format!("{places}, against source, replaced and recalled rows"),
        severity: Severity::Error,
        dimension: Some("completeness".to_owned()),
        observed: accounted.to_string(),
        expected: format!("= {expected}"),
        passed: accounted == expected,
    }
}

fn quarantined_share(rows: &RowCounts, silver: &SilverTable) -> Option<RuleResult> {
    let limit = silver.quarantined_percent_below;
    let percent = limit.percent_below()?;
    let observed = DecimalNumber::percent(rows.quarantined, rows.source);
    Some(RuleResult {
        rule: "quarantined_share".to_owned(),
        description: format!("{} of the run's {} rows are quarantined", rows.quarantined, rows.source),
        severity: Severity::Error,
        dimension: Some("conformity".to_owned()),
        observed: format!("{} %", shortened(observed)),
        expected: format!("< {percent} %{}", if limit.spares_one() { ", or one row" } else { "" }),
        passed: limit.allows(rows.quarantined, rows.source),
    })
}

/// Whether a snapshot lacks no more of the keys of its table than the spec allows.
fn deleted_share(snapshot: &SnapshotRows, silver: &SilverTable) -> Option<RuleResult> {
    let limit = silver.deleted_percent_below;
    let percent = limit.percent_below()?;
    let (missing, before) = (snapshot.lacked, snapshot.lacked_of);
    let observed = DecimalNumber::percent(missing, before);
    Some(RuleResult {
        rule: "deleted_share".to_owned(),
        description: format!("the snapshot lacks {missing} of the {before} keys that the table has"),
        severity: Severity::Error,
        dimension: Some("completeness".to_owned()),
        observed: format!("{} %", shortened(observed)),
        expected: format!("< {percent} %{}", if limit.spares_one() { ", or one key" } else { "" }),
        passed: limit.allows(missing, before),
    })
}

/// A table of mode snapshot has exactly the keys that were added, changed and unchanged.
fn snapshot_total(change: &TableChange, snapshot: &SnapshotRows, silver: &SilverTable) -> Option<RuleResult> {
    if matches!(silver.mode, WriteMode::Scd2(_)) {
        return None;
    }
    let SnapshotRows { added, changed, unchanged, .. } = snapshot;
    let keys = added + changed + unchanged;
    Some(RuleResult {
        rule: "snapshot_total".to_owned(),
        description: "rows of the table, against the keys that are added, changed and unchanged".to_owned(),
        severity: Severity::Error,
        dimension: Some("completeness".to_owned()),
        observed: change.table_rows.to_string(),
        expected: format!("= {keys}"),
        passed: change.table_rows == keys,
    })
}

/// A number with at most two digits after the point, for people; never rounded up to a bound it does not reach.
fn shortened(number: DecimalNumber) -> String {
    let text = number.to_string();
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 2 => {
            format!("{whole}.{}", fraction.chars().take(2).collect::<String>())
        }
        _ => text,
    }
}
