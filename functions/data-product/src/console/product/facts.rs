//! What the pages of products are made of.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use sluice_core::access::{AccessPath, Treatment};
use sluice_core::columns::StoredColumn;
use sluice_core::lineage::ColumnRef;
use sluice_core::name::Layer;
use sluice_core::pipeline::WriteMode;
use sluice_core::product::ServiceLevel;
use sluice_core::run::{Report, Verdict};
use sluice_core::uri::layout;
use sluice_http::{Caller, Problem};
use sluice_lake::serve::{Governed, ServeError, Version, read_type};
use sluice_pages::RunPoint;
use sluice_pages::lineage::LineageFacts;
use sluice_pages::port::{
    AuditFacts, ColumnLine, Dependent, KEPT_DAYS, KeptFacts, PortFacts, RuleLine, RunPointer, VersionLine, Ways,
};
use sluice_pages::product::{AgePromise, QualityLine, TableState};

use crate::catalogue::{audit, newest_verdicts};
use crate::console::{lineage, sources};
use crate::problem::problem_of;
use crate::{Access, App};

/// Versions of a table that are listed.
const VERSIONS: usize = 10;
/// Published runs among which the newest audit of a table is looked for: others may not have changed it.
const AUDITED_RUNS: usize = 5;
/// Reports of runs that are read: for the chart, and where a promise about the age of data is judged.
const REPORTS: usize = 30;
const JUDGED_REPORTS: usize = 120;

/// The state of a table.
pub(super) async fn table_state(app: &App, access: &Access) -> Result<TableState, Problem> {
    Ok(opened(app, access).await?.map_or(TableState::Empty, |(state, ..)| state))
}

/// The state of a table, its versions, and the folder of its files where the caller may read them as they are; `None`
/// before it has data.
async fn opened(
    app: &App,
    access: &Access,
) -> Result<Option<(TableState, Vec<VersionLine>, Vec<StoredColumn>)>, Problem> {
    let open = match app.snapshots.open(&access.port.table, Version::Newest).await {
        Ok(open) => open,
        Err(ServeError::NoTable) => return Ok(None),
        Err(error) => return Err(problem_of(&error, "port")),
    };
    let history = app.snapshots.history(&open, VERSIONS).await.map_err(|error| problem_of(&error, "port"))?;
    let columns = open.columns().to_vec();
    let governed = Governed::new(open, access.table.clone(), app.mask_key(&access.product));
    let versions: Vec<VersionLine> = history
        .iter()
        .map(|entry| VersionLine { version: entry.version, at: entry.committed_at, run: entry.run_id.clone() })
        .collect();
    let state = TableState::Published {
        version: governed.table().version(),
        at: versions.first().and_then(|newest| newest.at),
        rows: if governed.has_row_filter() { None } else { governed.rows() },
    };
    Ok(Some((state, versions, columns)))
}

/// The promise about the age of a table's data, and whether it is kept.
pub(super) fn promise_line(app: &App, access: &Access, state: TableState) -> Option<AgePromise> {
    let (level, most) = age_promise(access)?;
    let at = match state {
        TableState::Published { at, .. } => at,
        TableState::Empty | TableState::NotOpened => None,
    };
    let age = at.map(|at| app.now().duration_since(at).as_secs_f64());
    Some(AgePromise { words: level_words(level), is_kept: age.map(|age| age <= most) })
}

/// The promise about the age of a table's data, with the greatest age in seconds.
fn age_promise(access: &Access) -> Option<(&ServiceLevel, f64)> {
    access.port.sla.iter().find_map(|level| Some((level, level.oldest()?.as_secs_f64())))
}

fn level_words(level: &ServiceLevel) -> String {
    match &level.unit {
        Some(unit) => format!("{} {unit}", level.value),
        None => level.value.clone(),
    }
}

/// How the newest of these verdicts about the table ended, over the rules that the caller may see.
pub(super) fn quality_line(access: &Access, verdicts: &[Verdict]) -> Option<QualityLine> {
    let audit = verdicts.iter().find_map(|verdict| audit(verdict, access))?;
    // Where rows are held back, nothing is said of how rules end.
    audit.score.as_ref()?;
    let broken = audit.rules.iter().filter(|rule| rule.passed == Some(false)).count();
    Some(QualityLine { rules: audit.rules.len() as u64, broken: broken as u64 })
}

/// What the page of a table is made of, for a caller who may find it.
pub(super) async fn port_facts(app: &App, caller: &Caller, access: &Access) -> Result<PortFacts, Problem> {
    let rights = app.console.pipelines.rights_or_none(caller).await?;
    let pipeline = &access.product.pipeline;
    let reads_runs = rights.may_read(pipeline);
    let (state, versions, stored) = opened(app, access).await?.unwrap_or((TableState::Empty, Vec::new(), Vec::new()));
    let promised = age_promise(access);
    let most = if promised.is_some() { JUDGED_REPORTS } else { REPORTS };
    let reports = sources::reports(app, pipeline, most).await?;
    let verdicts = newest_verdicts(app, pipeline, AUDITED_RUNS).await?;
    let is_recomputed = is_recomputed(app, access).await?;
    let has_row_filter = access.table.rows.is_some();
    let newest = reports.first().filter(|_| reads_runs);
    let ways = ways(app, caller, access, &stored);
    Ok(PortFacts {
        product: access.product.product.clone(),
        port: access.port.name.clone(),
        description: access.port.description.clone(),
        table: access.port.table.clone(),
        pipeline: reads_runs.then(|| pipeline.clone()),
        contract: (access.port.contract.contract_id.clone(), access.port.contract.contract_version.clone()),
        columns: columns(access),
        has_row_filter,
        state,
        versions,
        promise: promise_line(app, access, state),
        kept: promised.and_then(|(_, seconds)| kept(app, access, &reports, seconds)),
        others_promised: others_promised(access),
        newest_run: newest
            .map(|report| (RunPointer { run: report.run_id.to_string(), at: report.ended_at }, report.outcome)),
        audit: newest_audit(access, &verdicts),
        past: if has_row_filter { Vec::new() } else { past(access, &reports, is_recomputed) },
        may_sample: ways.rows,
        ways,
        downstream: downstream(&lineage::facts(app, caller).await?, access),
        sample: None,
        now: app.now(),
    })
}

/// The columns that exist for the caller, as they read them.
fn columns(access: &Access) -> Vec<ColumnLine> {
    let visible = access.table.columns.iter().filter(|column| column.treatment != Treatment::Hide);
    let line = |column: &sluice_core::access::ColumnAccess| {
        let described = access.port.contract.column(&column.name)?;
        let stored = StoredColumn { name: column.name.clone(), column_type: described.column_type.clone() };
        Some(ColumnLine {
            name: column.name.clone(),
            column_type: read_type(&stored, column.treatment).to_string(),
            description: described.description.clone(),
            class: column.classification,
            treatment: column.treatment,
        })
    };
    visible.filter_map(line).collect()
}

/// Whether each run computes the table again as a whole, so that nobody can say how many rows one has added.
async fn is_recomputed(app: &App, access: &Access) -> Result<bool, Problem> {
    let table = &access.port.table;
    if table.layer() == Layer::Gold {
        return Ok(true);
    }
    let deployed = app.deployed.all().await?;
    let deployed = deployed.pipelines.get(&access.product.pipeline);
    let silver = deployed.and_then(|deployed| deployed.pipeline.silver_table(table));
    Ok(silver.is_some_and(|silver| silver.mode == WriteMode::Replace))
}

/// What the runs of these reports did to the table, the oldest first.
fn past(access: &Access, reports: &[Report], is_recomputed: bool) -> Vec<RunPoint> {
    let table = &access.port.table;
    let point = |report: &Report| {
        let rows = report.rows.get(&table.to_string())?;
        let committed = report.committed.iter().find(|committed| committed.table == *table);
        Some(RunPoint {
            run: report.run_id.clone(),
            at: report.ended_at,
            source: rows.source,
            added: (!is_recomputed).then(|| rows.staged.saturating_sub(rows.replaced)),
            quarantined: rows.quarantined,
            rows: committed.map(|committed| committed.rows),
        })
    };
    let mut points: Vec<RunPoint> = reports.iter().filter_map(point).take(REPORTS).collect();
    points.reverse();
    points
}

/// When the table was published lately, against the greatest age that is promised.
fn kept(app: &App, access: &Access, reports: &[Report], promised: f64) -> Option<KeptFacts> {
    let promised_seconds = Duration::try_from_secs_f64(promised).ok()?.as_secs();
    let hours = i64::try_from(KEPT_DAYS).ok()?.checked_mul(24)?;
    let since = app.now().checked_sub(SignedDuration::from_hours(hours)).ok()?;
    let published = |report: &&Report| {
        report.ended_at >= since && report.committed.iter().any(|committed| committed.table == access.port.table)
    };
    let mut published: Vec<_> = reports.iter().filter(published).map(|report| report.ended_at).collect();
    published.sort_unstable();
    Some(KeptFacts { promised_seconds, published, now: app.now() })
}

/// What the contract promises that is not about the age of data.
fn others_promised(access: &Access) -> Vec<String> {
    let others = access.port.sla.iter().filter(|level| level.oldest().is_none());
    others.map(|level| format!("{} {}", level.property, level_words(level))).collect()
}

/// The newest audit of the table, as far as the caller may see it.
fn newest_audit(access: &Access, verdicts: &[Verdict]) -> Option<AuditFacts> {
    verdicts.iter().find_map(|verdict| {
        let audit = audit(verdict, access)?;
        let rules = audit.rules.into_iter().map(|rule| RuleLine {
            rule: rule.rule,
            description: rule.description,
            passed: rule.passed,
            observed: rule.observed,
            expected: rule.expected,
        });
        Some(AuditFacts {
            run: RunPointer { run: audit.run_id, at: verdict.audited_at },
            score: audit.score,
            rules: rules.collect(),
            hidden: audit.hidden_rules as u64,
        })
    })
}

/// The ways that the caller may read the table by.
fn ways(app: &App, caller: &Caller, access: &Access, stored: &[StoredColumn]) -> Ways {
    let by = |path: AccessPath| {
        app.accesses(caller, &access.product, path).into_iter().find(|one| one.port.name == access.port.name)
    };
    let rows = by(AccessPath::Rows);
    let is_whole = rows.as_ref().is_some_and(|rows| !stored.is_empty() && rows.table.is_whole(stored));
    Ways {
        endpoint: app.settings.endpoint.clone(),
        rows: rows.is_some(),
        query: by(AccessPath::Query).is_some(),
        sharing: by(AccessPath::Sharing).is_some(),
        files: is_whole.then(|| app.lake.root().folder(&layout::table(&access.port.table)).to_string()),
    }
}

/// The tables and products that are made of the table, as far as the caller may know of them.
fn downstream(facts: &LineageFacts, access: &Access) -> Vec<Dependent> {
    let table = &access.port.table;
    let downstream = facts.lineage.downstream(&ColumnRef::rows(table.clone()));
    let made = downstream.edges().map(|edge| edge.to().table()).filter(|made| *made != table);
    let tables: BTreeSet<_> = made.cloned().collect();
    let products: BTreeSet<_> = facts
        .products
        .iter()
        .filter(|offered| tables.contains(&offered.table) && offered.product != access.product.product)
        .map(|offered| offered.product.clone())
        .collect();
    let tables = tables.into_iter().map(Dependent::Table);
    tables.chain(products.into_iter().map(Dependent::Product)).collect()
}
