//! What people do about runs: see what is held, put it back, accept what the gate refused.

use jiff::Timestamp;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{Acceptance, Decision, Plan, RunKey, RunRef, Verdict};
use sluice_core::source::{Hold, SourceId, SourceObject};
use sluice_core::uri::layout;

use crate::error::LakeError;
use crate::lake::Lake;

/// All holds of a pipeline, by address.
///
/// # Errors
/// [`LakeError::Document`].
pub async fn held(lake: &Lake, pipeline: &PipelineName) -> Result<Vec<Hold>, LakeError> {
    let mut holds = Vec::new();
    for path in lake.documents().list(&layout::holds(pipeline)).await? {
        // Released by somebody since it was listed: no longer held.
        if let Some(hold) = lake.read_document::<Hold>(&path).await? {
            holds.push(hold);
        }
    }
    holds.sort_by(|a, b| a.object.uri.cmp(&b.object.uri));
    Ok(holds)
}

/// Holds an object, unless it is held already.
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
    let hold = Hold { object: object.clone(), run_id: run.run_id.clone(), held_at: now, reason: reason.to_owned() };
    let path = layout::hold(&run.pipeline, &object.id());
    lake.settle_document(&path, hold).await.map(drop)
}

/// Puts a held object back: the next run takes it again.
///
/// # Errors
/// [`LakeError::NotFound`] when it is not held.
pub async fn release(lake: &Lake, pipeline: &PipelineName, source: &SourceId) -> Result<Hold, LakeError> {
    let path = layout::hold(pipeline, source);
    let hold = lake.read_document::<Hold>(&path).await?.ok_or_else(|| LakeError::NotFound {
        what: format!("pipeline `{pipeline}` holds no source object {source}; `sluice source list` shows what is held"),
    })?;
    lake.documents().delete(&path).await?;
    Ok(hold)
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
