//! What the listings of a lake say of its runs and holds, without a document read.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{DocumentKind, RunKey};
use sluice_core::uri::{LakePath, layout};

use crate::error::LakeError;
use crate::lake::Lake;

/// A run as the listing of its documents has it. Times are those of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRun {
    /// The run.
    pub run: RunKey,
    /// When its first document was written.
    pub began_at: Timestamp,
    /// When its newest document was written.
    pub changed_at: Timestamp,
    /// When its report was written; `None` of a run without one.
    pub reported_at: Option<Timestamp>,
    /// When its newest receipt was written; `None` of a run that has published nothing.
    pub published_at: Option<Timestamp>,
}

/// All runs, newest first: by the time of their first document, as [`super::runs`] has them.
///
/// # Errors
/// [`LakeError::Store`] when runs cannot be listed.
pub async fn listed_runs(lake: &Lake) -> Result<Vec<ListedRun>, LakeError> {
    let folder = layout::all_runs();
    let mut found: BTreeMap<(PipelineName, RunId), ListedRun> = BTreeMap::new();
    for (below, at) in listed(lake, &folder).await? {
        let mut names = below.split('/');
        let (Some(Ok(pipeline)), Some(Ok(run_id))) = (names.next().map(str::parse), names.next().map(str::parse))
        else {
            continue;
        };
        let (pipeline, run_id): (PipelineName, RunId) = (pipeline, run_id);
        if names.next().is_none() {
            continue;
        }
        let run = RunKey { pipeline: pipeline.clone(), run_id: run_id.clone() };
        let path: Option<LakePath> = format!("{folder}/{below}").parse().ok();
        let is_report = path.as_ref() == Some(&layout::run_document(&run, DocumentKind::Report));
        let kind = path.as_ref().and_then(layout::attempt_of).map(|(_, kind)| kind);
        let fresh = || ListedRun { run, began_at: at, changed_at: at, reported_at: None, published_at: None };
        let listed = found.entry((pipeline, run_id)).or_insert_with(fresh);
        (listed.began_at, listed.changed_at) = (listed.began_at.min(at), listed.changed_at.max(at));
        if is_report {
            listed.reported_at = Some(at);
        }
        if kind == Some(DocumentKind::Receipt) {
            listed.published_at = listed.published_at.max(Some(at));
        }
    }
    let mut runs: Vec<ListedRun> = found.into_values().collect();
    runs.sort_by(|a, b| b.place().cmp(&a.place()));
    Ok(runs)
}

impl ListedRun {
    /// What lists of runs are ordered by.
    pub fn place(&self) -> (Timestamp, &RunId, &PipelineName) {
        (self.began_at, &self.run.run_id, &self.run.pipeline)
    }
}

/// How many source objects each pipeline holds; pipelines that hold none are left out.
///
/// # Errors
/// [`LakeError::Store`] when holds cannot be listed.
pub async fn held_objects(lake: &Lake) -> Result<BTreeMap<PipelineName, u64>, LakeError> {
    let folder = layout::all_holds();
    let mut held = BTreeMap::new();
    for (below, _) in listed(lake, &folder).await? {
        let path = format!("{folder}/{below}").parse::<LakePath>().ok();
        let is_hold = path.is_some_and(|path| layout::held_source(&path).is_some());
        let pipeline = below.split('/').next().and_then(|name| name.parse::<PipelineName>().ok());
        if let Some(pipeline) = pipeline.filter(|_| is_hold) {
            *held.entry(pipeline).or_default() += 1;
        }
    }
    Ok(held)
}

/// The objects below a folder: their paths below it, and when they were written.
async fn listed(lake: &Lake, folder: &LakePath) -> Result<Vec<(String, Timestamp)>, LakeError> {
    let prefix = lake.documents().key(folder)?;
    let listed = lake.documents().objects().list(Some(&prefix)).try_collect::<Vec<_>>().await;
    let listed = listed.map_err(|source| LakeError::Store { doing: "list", location: folder.to_string(), source })?;
    let object = |object: object_store::ObjectMeta| {
        let below = object.location.as_ref().strip_prefix(prefix.as_ref())?.trim_start_matches('/').to_owned();
        let at = Timestamp::from_microsecond(object.last_modified.timestamp_micros()).ok()?;
        Some((below, at))
    };
    Ok(listed.into_iter().filter_map(object).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn runs_and_holds_are_known_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let lake =
            Lake::open(&format!("file://{}/", folder.path().display()).parse().unwrap(), &BTreeMap::new()).unwrap();
        assert!(listed_runs(&lake).await.unwrap().is_empty() && held_objects(&lake).await.unwrap().is_empty());
        let hold = "holds/retail/0123456789abcdef0123456789abcdef.json";
        for path in [
            "runs/retail/one/plan-1.json",
            "runs/retail/one/receipt-1.json",
            "runs/retail/one/report.json",
            "runs/retail/two/plan-1.json",
            "runs/retail/two/scratch-1/receipt-1.json",
            "runs/notes.txt",
            hold,
            "holds/retail/notes.json",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let runs = listed_runs(&lake).await.unwrap();
        let found = |name: &str| runs.iter().find(|listed| listed.run.run_id.as_str() == name).unwrap();
        assert_eq!(runs.len(), 2);
        assert!(found("one").published_at.is_some() && found("one").reported_at.is_some());
        assert!(found("two").published_at.is_none() && found("two").reported_at.is_none());
        assert!(runs.iter().all(|listed| listed.began_at <= listed.changed_at));
        let held: Vec<(String, u64)> =
            held_objects(&lake).await.unwrap().into_iter().map(|(name, held)| (name.to_string(), held)).collect();
        assert_eq!(held, [("retail".to_owned(), 1)]);
    }
}
