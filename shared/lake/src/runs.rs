//! What people do about runs: see what is held, put it back, accept what the gate refused.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sluice_core::error::with_sources;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{Acceptance, Changeset, Decision, Plan, RunKey, RunRef, Verdict};
use sluice_core::source::{Hold, SourceId, SourceObject};
use sluice_core::uri::{ObjectUri, layout};

use crate::error::LakeError;
use crate::lake::Lake;

/// A source object that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Its hold says why.
    Known(Hold),
    /// The document of its hold is damaged. The document's name is the id of the object, which is enough to leave the
    /// object out and to release it.
    Damaged {
        /// The id of the object.
        source: SourceId,
        /// What is wrong with the document, with its address.
        fault: String,
    },
}

impl Held {
    /// The id of the object.
    pub fn source(&self) -> SourceId {
        match self {
            Self::Known(hold) => hold.object.id(),
            Self::Damaged { source, .. } => source.clone(),
        }
    }

    /// The run that held it; `None` when the document does not say.
    pub fn run_id(&self) -> Option<&RunId> {
        match self {
            Self::Known(hold) => Some(&hold.run_id),
            Self::Damaged { .. } => None,
        }
    }

    /// The hold; `None` when its document is damaged.
    pub fn known(self) -> Option<Hold> {
        match self {
            Self::Known(hold) => Some(hold),
            Self::Damaged { .. } => None,
        }
    }

    /// Its address; `None` when the document does not say.
    pub fn uri(&self) -> Option<&ObjectUri> {
        match self {
            Self::Known(hold) => Some(&hold.object.uri),
            Self::Damaged { .. } => None,
        }
    }
}

/// All held objects of a pipeline, by address; those whose documents are damaged first. A file in the folder of the
/// holds that is not named as a hold holds nothing.
///
/// # Errors
/// Faults of the store.
pub async fn held(lake: &Lake, pipeline: &PipelineName) -> Result<Vec<Held>, LakeError> {
    let mut found = Vec::new();
    for path in lake.documents().list(&layout::holds(pipeline)).await? {
        let Some(source) = layout::held_source(&path) else { continue };
        match lake.documents().read::<Hold>(&path).await {
            Ok(Some(hold)) => found.push(Held::Known(hold)),
            // Released by somebody since it was listed: no longer held.
            Ok(None) => {}
            Err(fault) if fault.is_damaged() => found.push(Held::Damaged { source, fault: with_sources(&fault) }),
            Err(fault) => return Err(fault.into()),
        }
    }
    found.sort_by(|a, b| a.uri().cmp(&b.uri()));
    Ok(found)
}

/// The newest plan of a run; `None` where it has none, or one that cannot be read.
///
/// # Errors
/// Faults of the store.
pub(crate) async fn plan_of(lake: &Lake, run: &RunKey) -> Result<Option<Plan>, LakeError> {
    let attempts = lake.documents().of(run).attempts().await?;
    let Some(newest) = attempts.newest_attempt::<Plan>() else { return Ok(None) };
    match lake.documents().of(&newest).get::<Plan>().await {
        Ok(plan) => Ok(plan),
        Err(fault) if fault.is_damaged() => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Holds an object, unless it is held already, also by a document that is damaged.
///
/// # Errors
/// [`LakeError::Document`].
pub async fn hold(
    lake: &Lake,
    run: &RunRef,
    object: &SourceObject,
    reason: &str,
    now: Timestamp,
) -> Result<(), LakeError> {
    hold_read(lake, run, object, reason, now, BTreeSet::new()).await
}

/// As [`hold`], for an object whose rows had these columns before its fault.
///
/// # Errors
/// [`LakeError::Document`].
pub(crate) async fn hold_read(
    lake: &Lake,
    run: &RunRef,
    object: &SourceObject,
    reason: &str,
    now: Timestamp,
    columns: BTreeSet<String>,
) -> Result<(), LakeError> {
    let (object, run_id, reason) = (object.clone(), run.run_id.clone(), reason.to_owned());
    let hold = Hold { object, run_id, held_at: now, reason, columns };
    let path = layout::hold(&run.pipeline, &hold.object.id());
    lake.documents().create(&path, &hold).await.map(drop)?;
    Ok(())
}

/// Puts a held object back: the next run takes it again. The document of the hold is not read, and may be damaged.
///
/// # Errors
/// [`LakeError::NotFound`] when it is not held.
pub async fn release(lake: &Lake, pipeline: &PipelineName, source: &SourceId) -> Result<(), LakeError> {
    let path = layout::hold(pipeline, source);
    if !lake.documents().exists(&path).await? {
        let what =
            format!("pipeline `{pipeline}` holds no source object {source}; `sluice source list` shows what is held");
        return Err(LakeError::NotFound { what });
    }
    Ok(lake.documents().delete(&path).await?)
}

/// Lets go of an object that was published.
pub(crate) async fn let_go(lake: &Lake, pipeline: &PipelineName, source: &SourceId) -> Result<(), LakeError> {
    Ok(lake.documents().delete(&layout::hold(pipeline, source)).await?)
}

/// Records a person's word for a rejected run, in its verdict. Publishing is then the state machine's work.
///
/// # Errors
/// [`LakeError::NotFound`] without such a run or verdict; [`LakeError::Invalid`] when it was not rejected.
pub async fn accept(
    lake: &Lake,
    pipeline: &PipelineName,
    run_id: &RunId,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Verdict, LakeError> {
    if reason.trim().is_empty() || by.trim().is_empty() {
        return Err(LakeError::Invalid { message: "an acceptance needs a reason and a name".to_owned() });
    }
    let run = RunKey { pipeline: pipeline.clone(), run_id: run_id.clone() };
    let attempts = lake.documents().of(&run).attempts().await?;
    let newest = attempts.newest_attempt::<Plan>().ok_or_else(|| no_run(&run))?;
    // Planned again after a word was given, a run has no verdict yet for its newest attempt.
    let audited = attempts.newest_attempt::<Verdict>().ok_or_else(|| LakeError::NotFound {
        what: format!("run `{run_id}` has no verdict; there is nothing to accept"),
    })?;
    let verdict: Verdict = lake.documents().of(&audited).require().await?;
    match verdict.decision {
        Decision::Accepted => return Ok(verdict),
        Decision::Passed if acceptance(lake, &newest).await?.is_some() => return Ok(verdict),
        Decision::Passed => {
            return Err(LakeError::Invalid {
                message: format!("run `{run_id}` passed the gate; there is nothing to accept"),
            });
        }
        Decision::Rejected => {}
    }
    let changeset: Changeset = lake.documents().of(&audited).require().await?;
    if changeset.tables.is_empty() {
        let message =
            format!("run `{run_id}` has staged nothing, for all its source objects are held; nothing is to accept");
        return Err(LakeError::Invalid { message });
    }
    let rules = verdict.broken().into_iter().map(|(name, _)| name).collect();
    let acceptance = Acceptance { by: by.to_owned(), at: now, reason: reason.to_owned(), rules };
    let accepted = Verdict { decision: Decision::Accepted, acceptance: Some(acceptance), ..verdict };
    lake.documents().of(&audited).replace(&accepted).await?;
    Ok(accepted)
}

/// No attempt of the run was ever planned.
pub(crate) fn no_run(RunKey { pipeline, run_id }: &RunKey) -> LakeError {
    LakeError::NotFound { what: format!("pipeline `{pipeline}` has no run `{run_id}`") }
}

/// The newest word for a run, of this attempt or an earlier one.
pub(crate) async fn acceptance(lake: &Lake, run: &RunRef) -> Result<Option<Acceptance>, LakeError> {
    for attempt in (1..=run.attempt).rev() {
        let earlier = RunRef { attempt, ..run.clone() };
        if let Some(Verdict { acceptance: Some(acceptance), .. }) = lake.documents().of(&earlier).get().await? {
            return Ok(Some(acceptance));
        }
    }
    Ok(None)
}

/// Days for which what parts have left is kept, as the lifecycle rule of a deployment's bucket has it.
const PARTS_ARE_KEPT: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// Removes what the parts of a run have left, once the run has ended well, and what those of runs have left that ended long
/// ago or never. On a lake of this machine alone: in a bucket, a lifecycle rule does it. Blocking.
///
/// # Errors
/// [`LakeError::Io`] naming the folder that cannot be removed.
pub fn remove_parts(lake: &Lake, run: &RunKey) -> Result<(), LakeError> {
    let Some(folder) = lake.local_folder(&layout::parts_of_runs(&run.pipeline))? else { return Ok(()) };
    let io = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| LakeError::Io { doing, path, source }
    };
    let entries = match std::fs::read_dir(&folder) {
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io("list folder", &folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io("list folder", &folder))?;
        let of_run = entry.path();
        let is_old = || entry.metadata().and_then(|data| data.modified()).is_ok_and(is_not_kept);
        if entry.file_name() != run.run_id.as_str() && !is_old() {
            continue;
        }
        match std::fs::remove_dir_all(&of_run) {
            // Another run has ended, too.
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(io("remove folder", &of_run))?,
        }
    }
    Ok(())
}

fn is_not_kept(modified: SystemTime) -> bool {
    modified.elapsed().is_ok_and(|age| age > PARTS_ARE_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::StoreOptions;

    #[tokio::test]
    async fn a_damaged_hold_holds_its_object_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let root = format!("file://{}", folder.path().display()).parse().unwrap();
        let lake = Lake::open(&root, &StoreOptions::new()).unwrap();
        let run = RunRef { pipeline: "retail".parse().unwrap(), run_id: "day1".parse().unwrap(), attempt: 1 };
        let object = |name: &str| {
            let uri = format!("s3://b/{name}").parse().unwrap();
            SourceObject { uri, etag: "1".to_owned(), size_bytes: 1, modified_at: None }
        };
        let (whole, damaged) = (object("a.csv"), object("b.csv"));
        hold(&lake, &run, &whole, "it is empty", Timestamp::UNIX_EPOCH).await.unwrap();
        std::fs::write(folder.path().join("holds/retail/notes.txt"), "not a hold").unwrap();
        let path = folder.path().join(layout::hold(&run.pipeline, &damaged.id()).as_str());
        for damage in ["", "garbage", "{}"] {
            std::fs::write(&path, damage).unwrap();
            hold(&lake, &run, &damaged, "it is empty", Timestamp::UNIX_EPOCH).await.unwrap();
            let found = held(&lake, &run.pipeline).await.unwrap();
            let ids: Vec<SourceId> = found.iter().map(Held::source).collect();
            assert_eq!(ids, [damaged.id(), whole.id()], "{damage}");
            let fault = match &found[0] {
                Held::Damaged { fault, .. } => fault,
                known => panic!("{damage}: {known:?}"),
            };
            assert!(fault.contains(damaged.id().as_str()), "{damage}: {fault}");
        }
        release(&lake, &run.pipeline, &damaged.id()).await.unwrap();
        let left: Vec<SourceId> = held(&lake, &run.pipeline).await.unwrap().iter().map(Held::source).collect();
        assert_eq!(left, [whole.id()]);
        let again = release(&lake, &run.pipeline, &damaged.id()).await;
        assert!(matches!(again, Err(LakeError::NotFound { .. })), "{again:?}");
    }
}
