//! Makes a lake that is the copy of another know the objects that the other took in.
//!
//! A ledger holds ids of objects, and an id is made of address and etag. In a copy in another bucket every delivered file has another
//! address, so the copy's tables would take all of them in again. So the copy's ledgers get the new ids in addition to the old ones.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use sluice_core::name::TableRef;
use sluice_core::run::{DocumentKind, Plan};
use sluice_core::source::{SourceId, SourceObject};
use sluice_core::uri::{FolderUri, ObjectUri, layout};

use crate::delta::{commit_adoption, open_table};
use crate::error::LakeError;
use crate::inspect;
use crate::lake::Lake;
use crate::landing::list_landing;

/// What was adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// Delivered files of the copy.
    pub objects: usize,
    /// Ids that were added, by table.
    pub added: BTreeMap<TableRef, usize>,
}

/// Adds to every ledger the ids that the landing folder's objects have here, for those objects that the lake at `was` took in. Doing it
/// again adds nothing.
///
/// An object is the same when its path in the lake and its etag are. Some stores give a copy another etag; then it is the one that a plan
/// of the other lake names by that path with that size.
///
/// # Errors
/// Faults of the store; [`LakeError::Conflict`] when somebody else writes meanwhile.
pub async fn adopt(lake: &Lake, was: &FolderUri, now: Timestamp) -> Result<Adopted, LakeError> {
    let landing = lake.root().object(&layout::landing());
    let landing: FolderUri =
        landing.as_str().parse().map_err(|error| LakeError::Invalid { message: format!("{error}") })?;
    let here = list_landing(lake, &landing, None).await?.objects;
    let planned = planned_objects(lake).await?;
    let mut aliases: BTreeMap<SourceId, SourceId> = BTreeMap::new();
    for object in &here {
        let Some(old) = moved(object, lake.root(), was) else { continue };
        aliases.insert(old.id(), object.id());
        for etag in planned.get(&(old.uri.clone(), old.size_bytes)).into_iter().flatten() {
            aliases.insert(SourceId::of(&old.uri, etag), object.id());
        }
    }
    let mut added = BTreeMap::new();
    for table in inspect::tables_there(lake).await? {
        let Some(open) = open_table(lake, &table, None).await? else { continue };
        let ledger = open.ledger().await?;
        let new: BTreeSet<SourceId> =
            ledger.sources().filter_map(|old| aliases.get(&old).cloned()).filter(|id| !ledger.has_source(id)).collect();
        if !new.is_empty() {
            commit_adoption(&open, &new, now).await?;
            added.insert(table, new.len());
        }
    }
    Ok(Adopted { objects: here.len(), added })
}

/// The object as it was in the other lake.
fn moved(object: &SourceObject, root: &FolderUri, was: &FolderUri) -> Option<SourceObject> {
    let below = object.uri.as_str().strip_prefix(root.as_url().as_str())?;
    let uri: ObjectUri = format!("{was}{below}").parse().ok()?;
    Some(SourceObject { uri, ..object.clone() })
}

/// Etags of the objects that plans name, by address and size.
async fn planned_objects(lake: &Lake) -> Result<BTreeMap<(ObjectUri, u64), BTreeSet<String>>, LakeError> {
    let mut found: BTreeMap<(ObjectUri, u64), BTreeSet<String>> = BTreeMap::new();
    for path in lake.documents().list(&layout::all_runs()).await? {
        let Some((run, DocumentKind::Plan)) = layout::attempt_of(&path) else { continue };
        let Some(plan) = lake.documents().of(&run).get::<Plan>().await? else { continue };
        for planned in plan.objects {
            let object = planned.object;
            found.entry((object.uri, object.size_bytes)).or_default().insert(object.etag);
        }
    }
    Ok(found)
}
