//! The one place that writes a Delta log.

use std::collections::{BTreeSet, HashMap};

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Metadata, MetadataExt, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTableBuilder, DeltaTableError, TableProperty};
use jiff::Timestamp;
use serde_json::json;
use sluice_core::error::with_sources;
use sluice_core::name::TableRef;
use sluice_core::run::{ChangeKind, RunRef, TableChange};
use sluice_core::source::SourceId;
use sluice_core::uri::FolderUri;

use super::{Ledger, OpenTable, ledger, open_table, schema};
use crate::error::LakeError;
use crate::lake::Lake;

/// Times an append is rebased over other appends before the run plans again. Each time is one log read and one
/// conditional PUT; with 8 writers at once an append needs at most 8.
const APPEND_RETRIES: usize = 15;
/// Commits between two checkpoints.
const CHECKPOINT_INTERVAL: &str = "10";

/// A commit that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The version that holds it.
    pub version: u64,
    /// Whether an earlier call had made it.
    pub already: bool,
}

/// Commits a change to its table: exactly once, however often it is called.
///
/// `inputs` are the versions of the tables that a gold table was computed from.
///
/// # Errors
/// [`LakeError::Conflict`] when another writer changed the table since the plan in a way that matters: the run has to
/// plan again. Other faults leave the table as it was.
pub async fn commit(
    lake: &Lake,
    run: &RunRef,
    change: &TableChange,
    inputs: &[(TableRef, u64)],
    now: Timestamp,
) -> Result<Committed, LakeError> {
    let table = open_with_ledger(lake, change).await?;
    if let Some(done) = already_committed(table.as_ref(), run).await? {
        return Ok(done);
    }
    check_unmoved(table.as_ref(), change)?;
    let transactions = transactions(run, change, inputs, now)?;
    let outcome = match &table {
        None => {
            let folder = lake.table_folder(&change.table)?;
            create(lake, &folder, run, change, transactions).await.map_err(commit_error(&change.table))
        }
        Some((table, _)) => append(table, run, change, transactions, now).await,
    };
    let failure = match outcome {
        Ok(version) => return Ok(Committed { version, already: false }),
        Err(failure) => failure,
    };
    // The answer to a commit can be lost after it landed: the table's own record says whether it did.
    let table = open_with_ledger(lake, change).await?;
    if let Some(done) = already_committed(table.as_ref(), run).await? {
        return Ok(Committed { already: false, ..done });
    }
    if change.read_version.is_none() {
        // Another writer may have created the table first. The library says so in an error whose type it does not export, and the
        // table says it, too.
        check_unmoved(table.as_ref(), change)?;
    }
    Err(failure)
}

async fn open_with_ledger(lake: &Lake, change: &TableChange) -> Result<Option<(OpenTable, Ledger)>, LakeError> {
    let Some(table) = open_table(lake, &change.table, None).await? else { return Ok(None) };
    let ledger = table.ledger().await?;
    Ok(Some((table, ledger)))
}

async fn already_committed(table: Option<&(OpenTable, Ledger)>, run: &RunRef) -> Result<Option<Committed>, LakeError> {
    let Some((table, _)) = table.filter(|(_, ledger)| ledger.has_run(run)) else { return Ok(None) };
    // The version that holds the commit is in the history unless the log was cleaned up since; then the newest is near.
    let history = table.history(HISTORY_LIMIT).await?;
    let version = history.iter().find(|h| h.run_id.as_deref() == Some(run.run_id.as_str())).map(|h| h.version);
    Ok(Some(Committed { version: version.unwrap_or(table.version()), already: true }))
}

/// Commits looked through for the version of an earlier call.
const HISTORY_LIMIT: usize = 100;

/// Whether the change still fits the table.
fn check_unmoved(table: Option<&(OpenTable, Ledger)>, change: &TableChange) -> Result<(), LakeError> {
    let conflict = |detail: String| LakeError::Conflict { table: change.table.clone(), detail };
    match (table, change.read_version) {
        (None, None) => Ok(()),
        (None, Some(version)) => Err(conflict(format!("version {version} was read and the table is gone"))),
        (Some((table, _)), None) => Err(conflict(format!("another writer created it (version {})", table.version()))),
        // It replaces what was read, also objects that it brings again.
        (Some((table, _)), Some(read)) if change.kind != ChangeKind::Append && table.version() == read => Ok(()),
        (Some((table, ledger)), Some(read)) => {
            if let Some(source) = change.sources.iter().find(|source| ledger.has_source(source)) {
                return Err(conflict(format!("another run has brought source object {source} in")));
            }
            if change.kind != ChangeKind::Append && table.version() != read {
                let detail = format!("it moved from version {read} to {} since the plan", table.version());
                return Err(conflict(detail));
            }
            Ok(())
        }
    }
}

fn transactions(
    run: &RunRef,
    change: &TableChange,
    inputs: &[(TableRef, u64)],
    now: Timestamp,
) -> Result<Vec<Transaction>, LakeError> {
    let at = now.as_millisecond();
    let of = |app_id: String, version: i64| Transaction::new_with_last_update(app_id, version, Some(at));
    let sources = change.sources.iter().map(|source| of(ledger::source_app_id(source), 1));
    let mut all: Vec<Transaction> = sources.chain([of(ledger::run_app_id(run), 1)]).collect();
    for (input, version) in inputs {
        let version = i64::try_from(*version).map_err(|_| LakeError::Internal {
            message: format!("table `{input}` has version {version}, above the largest that Delta knows"),
        })?;
        all.push(of(ledger::input_app_id(input), version));
    }
    Ok(all)
}

fn properties(run: &RunRef, transactions: Vec<Transaction>, retries: usize) -> CommitProperties {
    CommitProperties::default()
        .with_application_transactions(transactions)
        .with_max_retries(retries)
        // No version is forgotten as long as its files are kept, and publish needs no right to delete a log.
        .with_cleanup_expired_logs(Some(false))
        .with_metadata([
            ("sluice.pipeline".to_owned(), json!(run.pipeline.as_str())),
            ("sluice.run_id".to_owned(), json!(run.run_id.as_str())),
            ("sluice.attempt".to_owned(), json!(run.attempt)),
        ])
}

fn adds(change: &TableChange, now_ms: i64) -> impl Iterator<Item = Action> + '_ {
    change.adds.iter().map(move |file| {
        Action::Add(Add {
            path: file.path.clone(),
            partition_values: file.partition_values.clone().into_iter().collect::<HashMap<_, _>>(),
            size: i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
            modification_time: now_ms,
            data_change: true,
            stats: Some(file.stats.clone()),
            ..Default::default()
        })
    })
}

async fn create(
    lake: &Lake,
    folder: &FolderUri,
    run: &RunRef,
    change: &TableChange,
    transactions: Vec<Transaction>,
) -> Result<u64, DeltaTableError> {
    if let (true, Ok(path)) = (folder.is_local(), folder.as_url().to_file_path()) {
        std::fs::create_dir_all(&path)?;
    }
    let table = DeltaTableBuilder::from_url(folder.as_url().clone())?
        .with_storage_options(lake.options().clone().into_iter().collect())
        .build()?;
    let now_ms = transactions.first().and_then(|t| t.last_updated).unwrap_or_default();
    let created = table
        .create()
        .with_table_name(change.table.to_string())
        .with_columns(schema::delta_fields(&change.columns)?)
        .with_partition_columns(change.partition_by.clone())
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_configuration_property(TableProperty::CheckpointInterval, Some(CHECKPOINT_INTERVAL))
        .with_actions(adds(change, now_ms))
        .with_commit_properties(properties(run, transactions, 0))
        .await?;
    Ok(created.version().unwrap_or_default())
}

async fn append(
    table: &OpenTable,
    run: &RunRef,
    change: &TableChange,
    transactions: Vec<Transaction>,
    now: Timestamp,
) -> Result<u64, LakeError> {
    let failed = commit_error(&change.table);
    let snapshot = table.table.snapshot().map_err(&failed)?;
    let mut actions = Vec::new();
    if changes_columns(table, change) {
        actions.push(new_columns(snapshot.metadata(), change).map_err(&failed)?);
    }
    let removed: BTreeSet<&str> = change.removes.iter().map(String::as_str).collect();
    let mut found = 0_usize;
    for file in snapshot.log_data().iter() {
        if removed.contains(file.path().as_ref()) {
            found += 1;
            actions.push(Action::Remove(file.remove_action(true)));
        }
    }
    if found != removed.len() {
        let detail =
            format!("{} of {} files to replace are no longer in the table", removed.len() - found, removed.len());
        return Err(LakeError::Conflict { table: change.table.clone(), detail });
    }
    actions.extend(adds(change, now.as_millisecond()));
    let (operation, retries) = match change.kind {
        ChangeKind::Append => {
            (DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None }, APPEND_RETRIES)
        }
        // Computed from the whole table as it was read: any commit in between makes it wrong, so none is rebased over.
        ChangeKind::Rewrite => (
            DeltaOperation::Merge {
                predicate: None,
                merge_predicate: None,
                matched_predicates: vec![],
                not_matched_predicates: vec![],
                not_matched_by_source_predicates: vec![],
            },
            0,
        ),
        ChangeKind::Overwrite => {
            (DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None }, 0)
        }
    };
    let done = CommitBuilder::from(properties(run, transactions, retries))
        .with_actions(actions)
        .build(Some(snapshot), table.table.log_store(), operation)
        .await
        .map_err(&failed)?;
    Ok(done.version())
}

/// Whether a table gets other columns by a change. Rows that are only added leave it those that it has got since they
/// were planned.
fn changes_columns(table: &OpenTable, change: &TableChange) -> bool {
    match change.kind {
        ChangeKind::Append => change.columns.iter().any(|column| !table.columns().contains(column)),
        ChangeKind::Rewrite | ChangeKind::Overwrite => table.columns() != change.columns,
    }
}

/// The action that gives a table the columns of a change.
fn new_columns(metadata: &Metadata, change: &TableChange) -> Result<Action, DeltaTableError> {
    let schema = StructType::try_new(schema::delta_fields(&change.columns)?)?;
    Ok(Action::Metadata(metadata.clone().with_schema(&schema)?))
}

/// Records these source objects in a table that has their rows already, under ids that it does not know.
///
/// # Errors
/// [`LakeError::Conflict`] when somebody else writes to the table.
pub(crate) async fn commit_adoption(
    table: &OpenTable,
    sources: &BTreeSet<SourceId>,
    now: Timestamp,
) -> Result<u64, LakeError> {
    let failed = commit_error(table.reference());
    let at = now.as_millisecond();
    let transactions = sources
        .iter()
        .map(|source| Transaction::new_with_last_update(ledger::source_app_id(source), 1, Some(at)))
        .collect();
    let properties = CommitProperties::default()
        .with_application_transactions(transactions)
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false));
    let snapshot = table.table.snapshot().map_err(&failed)?;
    let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    let done = CommitBuilder::from(properties).build(Some(snapshot), table.table.log_store(), operation).await;
    Ok(done.map_err(&failed)?.version())
}

/// The error for a commit that failed: a conflict when another writer came first, else a fault of the log or the store.
fn commit_error(table: &TableRef) -> impl Fn(DeltaTableError) -> LakeError {
    let table = table.clone();
    move |error| match error {
        DeltaTableError::VersionAlreadyExists(_)
        | DeltaTableError::Transaction {
            source:
                TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
                | TransactionError::MaxCommitAttempts(_),
        } => LakeError::Conflict { table: table.clone(), detail: with_sources(&error) },
        error => LakeError::delta(&table)(error),
    }
}

#[cfg(test)]
mod tests {
    use deltalake::kernel::transaction::CommitConflictError;

    use super::*;

    #[test]
    fn another_writer_is_recognised_by_the_type_of_the_error() {
        let check = |error: DeltaTableError, is_conflict: bool| {
            let text = error.to_string();
            let found = commit_error(&"silver/sales/t".parse().expect("table"))(error);
            assert_eq!(matches!(found, LakeError::Conflict { .. }), is_conflict, "{text}");
        };
        check(DeltaTableError::VersionAlreadyExists(3), true);
        check(DeltaTableError::Transaction { source: TransactionError::VersionAlreadyExists(3) }, true);
        check(DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(15) }, true);
        check(TransactionError::from(CommitConflictError::ConcurrentAppend).into(), true);
        check(DeltaTableError::Transaction { source: TransactionError::DeltaTableAppendOnly }, false);
        check(DeltaTableError::Generic("version 3 already exists".to_owned()), false);
    }
}
