//! Silver: source rows become typed, checked rows; the ones that break an error rule go to quarantine.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{BooleanChunked, DataFrame, Expr, IntoColumn, IntoLazy, NamedFrom, Series, StringChunked, col};
use serde_json::{Map, Value};
use sluice_core::columns::{CORRUPT, accepted_columns, lineage_names, quarantine_columns, silver_columns};
use sluice_core::contract::Severity;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{SilverTable, WriteMode};
use sluice_core::run::{ReadTable, RowCounts, RunRef};
use sluice_core::source::SourceId;
use sluice_core::uri::layout;

use super::bronze::source_columns;
use super::combine::Combine;
use super::judge::{Judged, RowJudge};
use super::merge::Merged;
use super::reread::QUARANTINED_RAW;
use super::rules;
use super::rules::RowTest;
use super::snapshot::SnapshotOrder;
use super::stage::StageWriter;
use super::typed::read_typed;
use crate::delta::OpenTable;
use crate::delta::schema::polars_schema;
use crate::error::LakeError;
use crate::lake::Lake;

mod audited;
mod change;
mod delete_events;

use self::audited::{CountedParts, count_staged};
pub(crate) use self::change::{SilverChanges, SilverOutcome, whole};
use self::delete_events::{DeleteFiles, DeleteStage};

/// What a silver stage works on.
pub(crate) struct SilverContext<'a> {
    /// The lake.
    pub(crate) lake: &'a Lake,
    /// The run.
    pub(crate) run: &'a RunRef,
    /// The table's definition.
    pub(crate) table: &'a SilverTable,
    /// The table as it is now.
    pub(crate) existing: Option<&'a OpenTable>,
    /// Its quarantine as it is now.
    pub(crate) quarantine: Option<&'a OpenTable>,
    /// The table of its delete events as it is now.
    pub(crate) deletes: Option<&'a OpenTable>,
    /// The rows come from the quarantine itself, which is replaced by those that are still refused.
    pub(crate) replay: bool,
    /// The snapshots that the run brings, where the table is compared with snapshots.
    pub(crate) snapshots: SnapshotOrder,
}

/// Stages the rows of one silver table and its quarantine.
pub(crate) struct SilverStage<'a> {
    context: SilverContext<'a>,
    judge: RowJudge<'a>,
    writer: StageWriter,
    quarantine: StageWriter,
    /// `None` where the table has no delete events.
    deletes: Option<DeleteStage>,
    merge: Option<Combine>,
    /// Positions already in the table, when a replay must not bring them again.
    present: Option<BTreeSet<(String, String, i64)>>,
    rows: RowCounts,
    accepted: u64,
    broken: BTreeMap<String, u64>,
    counted: CountedParts,
    /// Whether a replay brings other rows than those that quarantine has.
    replaces_quarantine: bool,
}

/// Which of the tables the rows of a batch are missing from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// From the silver table.
    pub(crate) silver: bool,
    /// From its quarantine.
    pub(crate) quarantine: bool,
    /// From the table of its delete events.
    pub(crate) deletes: bool,
}

impl<'a> SilverStage<'a> {
    /// Begins a stage.
    ///
    /// # Errors
    /// [`LakeError::Engine`] when the contract or the SQL cannot be executed.
    pub(crate) fn new(context: SilverContext<'a>) -> Result<Self, LakeError> {
        let table = context.table;
        let (columns, partition_by) = (silver_columns(table), partition_by(table));
        let incoming = accepted_columns(table);
        let deletes = DeleteStage::new(context.lake, context.run, table);
        let meets_files = context.existing.or(context.deletes).is_some();
        let present = match (&table.mode, context.replay, context.existing) {
            (WriteMode::Append, true, Some(existing)) => Some(positions(existing)?),
            _ => None,
        };
        Ok(Self {
            judge: RowJudge::new(table)?,
            writer: StageWriter::new(context.lake, context.run, &table.table, &columns, &partition_by),
            quarantine: StageWriter::new(context.lake, context.run, &table.quarantine, &quarantine_columns(), &[]),
            deletes,
            merge: Combine::new(table, polars_schema(&incoming), meets_files, context.snapshots.clone()),
            present,
            rows: RowCounts::default(),
            accepted: 0,
            broken: BTreeMap::new(),
            counted: CountedParts::default(),
            replaces_quarantine: false,
            context,
        })
    }

    /// Begins a stage of one part of the run: rows that are to be merged are typed and kept until all parts are read.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of_part(context: SilverContext<'a>) -> Result<Self, LakeError> {
        let (lake, run, table) = (context.lake, context.run, context.table);
        let mut stage = Self::new(context)?;
        if stage.merge.take().is_some() {
            let folder = layout::typed(run, &table.table);
            stage.writer = StageWriter::new(lake, run, &table.table, &accepted_columns(table), &[]).with_folder(folder);
        }
        Ok(stage)
    }

    /// Takes a batch in bronze shape.
    ///
    /// # Errors
    /// [`LakeError::Engine`] when the SQL fails; [`LakeError::Violation`] when a mapped source column is missing; the
    /// writer's.
    pub(crate) fn push(&mut self, batch: &DataFrame, missing: Missing) -> Result<(), LakeError> {
        let table = self.context.table;
        check_sources(table, |source| batch.column(source).is_ok(), || source_columns(batch))?;
        let judged = self.judge.judge(batch)?;
        if missing.silver {
            self.rows.source += batch.height() as u64;
            self.rows.quarantined += u64::from(judged.bad.sum().unwrap_or_default());
            self.accept(&judged, missing.deletes)?;
        }
        if missing.quarantine && judged.bad.any() {
            self.refuse(batch, &judged)?;
        }
        Ok(())
    }

    fn failed(&self, doing: &str) -> impl FnOnce(polars::prelude::PolarsError) -> LakeError + use<> {
        LakeError::polars(format!("{doing} of table `{}`", self.context.table.table))
    }

    /// Takes the good rows of a batch. `are_new` says whether its delete events are not stored yet.
    fn accept(&mut self, judged: &Judged, are_new: bool) -> Result<(), LakeError> {
        self.count_warnings(judged)?;
        let mut rows = judged.accepted.clone();
        if let Some(present) = &self.present {
            let before = rows.height();
            rows = without_present(&rows, present).map_err(self.failed("comparing positions"))?;
            self.rows.collapsed += (before - rows.height()) as u64;
        }
        self.accepted += rows.height() as u64;
        if let (Some(stage), Some(events)) = (&mut self.deletes, &judged.deletes) {
            self.rows.deleted += events.height() as u64;
            stage.take(events, are_new, self.merge.as_mut())?;
        }
        match &mut self.merge {
            Some(merge) => merge.push(rows),
            None => self.writer.write(&rows),
        }
    }

    /// Counts the broken rules of severity `warning` of the rows that are accepted.
    fn count_warnings(&mut self, judged: &Judged) -> Result<(), LakeError> {
        let is_warning = |test: &&RowTest| test.severity == Severity::Warning;
        let counts: Vec<Expr> = judged
            .tests
            .iter()
            .filter(is_warning)
            .map(|test| test.broken.clone().sum().alias(test.id.as_str()))
            .collect();
        if counts.is_empty() {
            return Ok(());
        }
        let good = judged.rows.filter(&!&judged.bad).map_err(self.failed("filter"))?;
        let counts = good.lazy().select(counts).collect().map_err(self.failed("warnings"))?;
        for column in counts.columns() {
            let count = column.get(0).ok().and_then(|value| value.extract::<u64>()).unwrap_or_default();
            if count > 0 {
                *self.broken.entry(column.name().to_string()).or_default() += count;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, batch: &DataFrame, judged: &Judged) -> Result<(), LakeError> {
        let doing = format!("quarantine of table `{}`", self.context.table.table);
        let failed = || LakeError::polars(doing.clone());
        let lineage: Vec<Expr> = lineage_names().map(col).to_vec();
        let mut refused = judged
            .rows
            .filter(&judged.bad)
            .map_err(failed())?
            .lazy()
            .select([lineage, vec![rules::broken_rules_expr(&judged.tests).alias("_broken_rules")]].concat())
            .collect()
            .map_err(failed())?;
        let batch = batch.filter(&judged.bad).map_err(failed())?;
        let raw = match batch.column(QUARANTINED_RAW) {
            Ok(kept) => kept.clone().with_name("_raw".into()),
            Err(_) => raw_json(&batch).map_err(failed())?.into_column(),
        };
        refused.with_column(raw).map_err(failed())?;
        let rules = refused.column("_broken_rules").and_then(|c| c.str().cloned()).map_err(failed())?;
        for text in rules.iter().flatten() {
            for id in broken_ids(text) {
                *self.broken.entry(id).or_default() += 1;
            }
        }
        self.quarantine.write(&refused)
    }

    /// Says that the rows of a replay are others than those that quarantine has, as many as they may be.
    pub(crate) fn replace_quarantine(&mut self) {
        self.replaces_quarantine = true;
    }

    /// Whether somebody said so.
    pub(crate) fn replaces_quarantine(&self) -> bool {
        self.replaces_quarantine
    }

    /// Takes what the parts of the run have staged for the table.
    ///
    /// # Errors
    /// Those of reading rows that are to be merged.
    pub(crate) fn take_parts(&mut self, parts: impl IntoIterator<Item = ReadTable>) -> Result<(), LakeError> {
        let (mut waiting, mut events) = (Vec::new(), DeleteFiles::default());
        for part in parts {
            self.rows.deleted += part.deleted();
            events.add(part.delete_files, part.stored_delete_files);
            self.rows.source += part.source;
            self.rows.quarantined += part.quarantined;
            self.accepted += part.accepted;
            for (rule, rows) in part.broken_rules {
                *self.broken.entry(rule).or_default() += rows;
            }
            self.judge.add_paths_met(part.paths_met);
            self.quarantine.take(part.quarantine_files);
            self.counted.take(part.accepted_files.len(), part.audited);
            match self.merge {
                None => self.writer.take(part.accepted_files),
                Some(_) => waiting.extend(part.accepted_files),
            }
        }
        let (lake, run, table) = (self.context.lake, self.context.run, self.context.table);
        if let Some(merge) = &mut self.merge {
            events.read(lake, run, table, |events| merge.push_deletes(&events))?;
            read_typed(lake, run, table, &waiting, |rows| merge.push(rows))?;
        }
        if let Some(stage) = &mut self.deletes {
            stage.take_files(events);
        }
        Ok(())
    }

    /// The paths of the table's columns that no row has, although some row has the object or list where they end: they
    /// are misspelt, or rare.
    pub(crate) fn missing_paths(&self) -> impl Iterator<Item = String> {
        let readings = &self.context.table.readings;
        let missing = self.judge.paths_met().iter().filter(|(_, is_met)| !**is_met);
        missing.filter_map(move |(column, _)| readings.get(column)?.path().map(ToString::to_string))
    }

    /// Ends the stage of a part. Rows that stay where they are staged are counted here, where they are at hand: the one
    /// call that audits the run would have to read those of all parts.
    ///
    /// # Errors
    /// The writer's, and those of reading the staged files.
    pub(crate) fn into_part(self) -> Result<ReadTable, LakeError> {
        let (lake, table) = (self.context.lake, self.context.table);
        let mut part = self.into_read()?;
        if !table.mode.merges() {
            part.audited = Some(count_staged(lake, table, &part.accepted_files)?);
        }
        Ok(part)
    }

    /// Ends the stage of rows that are left to Spark.
    ///
    /// # Errors
    /// The writer's.
    pub(crate) fn into_read(self) -> Result<ReadTable, LakeError> {
        let accepted_files = self.writer.finish()?;
        let deletes = self.deletes.map(DeleteStage::finish).transpose()?.unwrap_or_default();
        Ok(ReadTable {
            table: self.context.table.table.clone(),
            audited: self.counted.of(&accepted_files),
            accepted_files,
            quarantine_files: self.quarantine.finish()?,
            delete_files: deletes.fresh,
            stored_delete_files: deletes.stored,
            source: self.rows.source,
            quarantined: self.rows.quarantined,
            accepted: self.accepted,
            broken_rules: self.broken,
            paths_met: self.judge.paths_met().clone(),
        })
    }

    /// Ends the stage: the changes of the silver table, of its quarantine and of its delete events.
    ///
    /// # Errors
    /// The writer's, and those of reading files that are merged with.
    pub(crate) fn finish(
        mut self,
        silver_sources: BTreeSet<SourceId>,
        quarantine_sources: BTreeSet<SourceId>,
    ) -> Result<SilverChanges, LakeError> {
        let table = self.context.table;
        let merged = match self.merge.take() {
            Some(merge) => merge.finish(self.context.existing, self.context.deletes, &mut self.writer)?,
            None if table.mode == WriteMode::Replace && !silver_sources.is_empty() => whole(self.context.existing)?,
            None => Merged::default(),
        };
        let adds = self.writer.finish()?;
        let outcome = SilverOutcome {
            audited: self.counted.of(&adds),
            adds,
            merged,
            source: self.rows.source,
            quarantined: self.rows.quarantined,
            present: self.rows.collapsed,
            deleted: self.rows.deleted,
            accepted: self.accepted,
            broken_rules: self.broken.clone(),
        };
        let silver = self.context.silver_change(outcome, silver_sources)?;
        let quarantine = self.context.quarantine_change(self.quarantine.finish()?, quarantine_sources, self.broken)?;
        let deletes = self.deletes.map(DeleteStage::finish).transpose()?.unwrap_or_default();
        let deletes = self.context.deletes_change(deletes.fresh)?;
        Ok(SilverChanges { silver, quarantine, deletes })
    }
}

/// The columns that a silver table is partitioned by, in order.
fn partition_by(table: &SilverTable) -> Vec<String> {
    table.contract.partition_by.iter().map(ToString::to_string).collect()
}

/// Whether every source column that a table is mapped to exists.
///
/// # Errors
/// [`LakeError::Violation`] naming the first that does not, with those that do.
pub(crate) fn check_sources<C: std::fmt::Debug>(
    table: &SilverTable,
    exists: impl Fn(&str) -> bool,
    present: impl FnOnce() -> C,
) -> Result<(), LakeError> {
    match table.columns.iter().find(|(_, source)| !exists(source)) {
        None => Ok(()),
        Some((column, source)) => Err(LakeError::Violation {
            table: table.table.clone(),
            message: format!("source column '{source}' (for `{column}`) is missing; the source has {:?}", present()),
        }),
    }
}

/// The source columns of each row as JSON text; a corrupt record as its raw text with its place and fault.
fn raw_json(batch: &DataFrame) -> polars::prelude::PolarsResult<Series> {
    let texts = |names: Vec<String>| -> polars::prelude::PolarsResult<Vec<(String, StringChunked)>> {
        names.into_iter().map(|name| batch.column(&name)?.str().cloned().map(|column| (name, column))).collect()
    };
    let (fields, corrupt) = (texts(source_columns(batch))?, texts(CORRUPT.map(str::to_owned).to_vec())?);
    let rows: Vec<String> = (0..batch.height())
        .map(|row| {
            let is_corrupt = corrupt.iter().any(|(_, column)| column.get(row).is_some());
            let shown = if is_corrupt { &corrupt } else { &fields };
            let object: Map<String, Value> = shown
                .iter()
                .map(|(name, column)| (name.clone(), column.get(row).map_or(Value::Null, Value::from)))
                .collect();
            Value::Object(object).to_string()
        })
        .collect();
    Ok(Series::new("_raw".into(), rows))
}

/// Rule ids of a `_broken_rules` text.
pub(crate) fn broken_ids(text: &str) -> Vec<String> {
    let parsed: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    parsed.iter().filter_map(|rule| rule.get("rule")?.as_str().map(str::to_owned)).collect()
}

/// Source positions of a table's rows.
fn positions(table: &OpenTable) -> Result<BTreeSet<(String, String, i64)>, LakeError> {
    let failed = || LakeError::polars(format!("positions of table `{}`", table.reference()));
    let rows =
        super::collect_streaming(table.scan()?.select([col("_source_file"), col("_source_etag"), col("_source_row")]))
            .map_err(failed())?;
    position_rows(&rows).map_err(failed())
}

fn position_rows<C: FromIterator<(String, String, i64)>>(rows: &DataFrame) -> polars::prelude::PolarsResult<C> {
    let (file, etag, row) =
        (rows.column("_source_file")?.str()?, rows.column("_source_etag")?.str()?, rows.column("_source_row")?.i64()?);
    let all = file.iter().zip(etag.iter()).zip(row.iter());
    Ok(all
        .map(|((f, e), r)| (f.unwrap_or_default().to_owned(), e.unwrap_or_default().to_owned(), r.unwrap_or_default()))
        .collect())
}

fn without_present(
    rows: &DataFrame,
    present: &BTreeSet<(String, String, i64)>,
) -> polars::prelude::PolarsResult<DataFrame> {
    let here: Vec<(String, String, i64)> = position_rows(rows)?;
    let mask: BooleanChunked = here.iter().map(|position| Some(!present.contains(position))).collect();
    rows.filter(&mask)
}

/// The table a silver stage is for, for messages.
impl std::fmt::Debug for SilverStage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table: &TableRef = &self.context.table.table;
        f.debug_struct("SilverStage").field("table", table).finish_non_exhaustive()
    }
}
