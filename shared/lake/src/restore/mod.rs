//! Sets the tables of a damaged lake back to a point that they had together.
//!
//! Log entries after that point are moved out of the tables' logs, newest first, so that a log is a log at any instant. Data files stay
//! where they are. What the tables lack then is taken from the landing folder by the next run, whose plan compares the landing folder with
//! the tables' own ledgers. Nobody else may write meanwhile: the caller stops what starts runs.

mod adopt;
mod history;
mod torn;

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sluice_core::name::TableRef;
use sluice_core::restore::{SetBack, consistent_point};
use sluice_core::uri::layout;

pub use adopt::{Adopted, adopt};

use self::history::Files;
use crate::delta::log::Log;
use crate::error::LakeError;
use crate::inspect;
use crate::lake::Lake;

/// What is done to the tables of a lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// Its name, which is the folder that entries are moved to.
    pub id: String,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// Every table of the lake, those that stay as they are included.
    pub tables: Vec<SetBack>,
}

impl Restoration {
    /// The tables that are set back.
    pub fn set_back(&self) -> impl Iterator<Item = &SetBack> {
        self.tables.iter().filter(|table| table.to != Some(table.from))
    }

    /// The newest instant of which every table has everything: the oldest newest version among those kept. `None` when a table
    /// keeps no version.
    pub fn point(&self) -> Option<Timestamp> {
        self.set_back().map(|table| table.to_committed_at).min().flatten()
    }
}

/// Checks every version of every table and the files that each version needs, and finds the newest point that all tables can be set
/// back to together. Nothing is changed. A restoration that was begun is returned until it is finished.
///
/// # Errors
/// [`LakeError::Invalid`] for a log that does not begin at version 0, which nothing of ours does; faults of the store.
pub async fn plan(lake: &Lake, at: Option<Timestamp>, now: Timestamp) -> Result<Restoration, LakeError> {
    if let Some(begun) = lake.documents().read(&layout::pending_restoration()).await? {
        return Ok(begun);
    }
    let tables = inspect::tables_there(lake).await?;
    let mut files = Vec::new();
    for table in tables {
        files.push(Files::of(lake, table).await?);
    }
    let torn = torn::runs(lake, &files).await?;
    loop {
        let histories = files.iter().map(Files::history).collect::<Result<Vec<_>, _>>()?;
        let tables = consistent_point(&histories, &torn, at);
        // Files of the right size may still be no files: those that are kept are opened. Each that cannot be is found once.
        let mut found = false;
        for set_back in &tables {
            if let (Some(version), Some(files)) =
                (set_back.to, files.iter_mut().find(|files| files.table() == &set_back.table))
            {
                found |= files.find_broken(lake, version).await?;
            }
        }
        if !found {
            let id = now.strftime("%Y%m%dT%H%M%SZ").to_string();
            return Ok(Restoration { id, planned_at: now, tables });
        }
    }
}

/// Does what was planned. A call that dies is finished by the next one, whatever it is asked.
///
/// # Errors
/// Faults of the store.
pub async fn apply(lake: &Lake, planned: Restoration) -> Result<Restoration, LakeError> {
    let pending = layout::pending_restoration();
    let planned = lake.documents().create_or_read(&pending, planned).await?;
    for table in planned.set_back() {
        cut(lake, &planned.id, table).await?;
    }
    lake.documents().write(&layout::restoration(&planned.id), &planned).await?;
    lake.documents().delete(&pending).await?;
    Ok(planned)
}

/// Moves the log's entries and checkpoints after the kept version away, newest first.
async fn cut(lake: &Lake, id: &str, table: &SetBack) -> Result<(), LakeError> {
    let mut late = Log::of(lake, &table.table).files().await?;
    late.retain(|file| table.to.is_none_or(|to| file.version > to));
    // It may name a checkpoint that goes; readers find the others without it.
    lake.documents().delete(&layout::last_checkpoint(&table.table)).await?;
    for file in late.iter().rev() {
        let path = layout::log_file(&table.table, &file.name);
        let to = layout::moved(id, &table.table, &file.name);
        let (from, to) = (lake.documents().key(&path)?, lake.documents().key(&to)?);
        let failed = |source| LakeError::Store { doing: "move", location: path.to_string(), source };
        match lake.documents().objects().copy(&from, &to).await {
            Ok(()) => lake.documents().delete(&path).await?,
            // Somebody else does the same.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(failed(source)),
        }
    }
    Ok(())
}

/// Paths and sizes of all objects of a table's folder but those of its log.
async fn listed(lake: &Lake, table: &TableRef) -> Result<BTreeSet<(String, u64)>, LakeError> {
    let folder = lake.documents().key(&layout::table(table))?;
    let failed = |source| LakeError::Store { doing: "list", location: table.to_string(), source };
    let objects: Vec<_> = lake.documents().objects().list(Some(&folder)).try_collect().await.map_err(failed)?;
    let below = |object: object_store::ObjectMeta| {
        let path = object.location.as_ref().strip_prefix(folder.as_ref())?.trim_start_matches('/').to_owned();
        (path.split('/').next() != Some(layout::LOG_FOLDER)).then_some((path, object.size))
    };
    Ok(objects.into_iter().filter_map(below).collect())
}
