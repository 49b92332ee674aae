//! What every implementation of [`Executions`] holds.
//!
//! Tests of the implementations call [`check`]; it is not a test itself, so that it can be run against any of them.

use std::time::Duration;

use sluice_core::name::RunId;
use sluice_core::run::RunRequest;

use crate::ports::{ExecutionStatus, Executions, Redriven, Started};

/// How often the end of an execution is looked for: 600 × 0.1 s = one minute, far longer than a small run takes.
const LOOKS: u32 = 600;
/// Time between two reads.
const PAUSE: Duration = Duration::from_millis(100);

/// Two requests for runs that end by themselves, the first of them with success.
#[derive(Debug, Clone)]
pub struct Samples {
    /// Ends with success.
    pub good: RunRequest,
    /// Ends with failure.
    pub bad: RunRequest,
}

/// Checks the contract. `pause` waits for the time it is given.
///
/// # Errors
/// What does not hold, in words.
pub async fn check<E: Executions>(
    executions: &E,
    samples: &Samples,
    pause: impl AsyncFn(Duration),
) -> Result<(), String> {
    let id = |text: &str| text.parse::<RunId>().map_err(|error| error.to_string());
    let (good, bad) = (id("contract-good")?, id("contract-bad")?);
    check_unknown(executions, &id("contract-none")?).await?;
    let started = executions.start(&good, &samples.good).await.map_err(words)?;
    same(&started, &Started::Running, "the first start")?;
    let ended = ended(executions, &good, &pause).await?;
    same(&ended, &ExecutionStatus::Succeeded, "the good run")?;
    let again = executions.start(&good, &samples.good).await.map_err(words)?;
    same(&again, &Started::Ended, "the same start after its end")?;
    let other = executions.start(&good, &samples.bad).await.map_err(words)?;
    same(&other, &Started::Conflicting, "the same name with other input")?;
    let states = executions.history(&good).await.map_err(words)?.unwrap_or_default();
    let first = states.first().map(|state| (state.name.as_str(), state.exited_at.is_some()));
    same(&first, &Some(("Receive", true)), "the first state")?;
    let refused = executions.redrive(&good).await.map_err(words)?;
    if refused == Redriven::Running {
        return Err("a run that succeeded was redriven".to_owned());
    }
    check_failure(executions, &bad, samples, &pause).await?;
    check_pages(executions, &[bad, good]).await
}

async fn check_unknown<E: Executions>(executions: &E, none: &RunId) -> Result<(), String> {
    same(&executions.describe(none).await.map_err(words)?, &None, "an unknown run")?;
    same(&executions.history(none).await.map_err(words)?, &None, "the history of an unknown run")?;
    executions.stop(none, "contract").await.map_err(words)
}

async fn check_failure<E: Executions>(
    executions: &E,
    bad: &RunId,
    samples: &Samples,
    pause: &impl AsyncFn(Duration),
) -> Result<(), String> {
    same(&executions.start(bad, &samples.bad).await.map_err(words)?, &Started::Running, "the start of the bad run")?;
    same(&ended(executions, bad, pause).await?, &ExecutionStatus::Failed, "the bad run")?;
    let before = executions.describe(bad).await.map_err(words)?;
    if before.as_ref().is_none_or(|execution| execution.error.is_none() || execution.ended_at.is_none()) {
        return Err(format!("a failed run has no error or no end: {before:?}"));
    }
    same(&executions.redrive(bad).await.map_err(words)?, &Redriven::Running, "the redrive")?;
    same(&ended(executions, bad, pause).await?, &ExecutionStatus::Failed, "the redriven run")?;
    let redrives = executions.describe(bad).await.map_err(words)?.map(|execution| execution.redrives);
    same(&redrives, &Some(1), "the number of redrives")?;
    // Stopping what has ended changes nothing.
    executions.stop(bad, "contract").await.map_err(words)?;
    same(&ended(executions, bad, pause).await?, &ExecutionStatus::Failed, "the run stopped after its end")
}

/// The list has these runs, newest first, one on a page.
async fn check_pages<E: Executions>(executions: &E, expected: &[RunId]) -> Result<(), String> {
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..=expected.len() {
        let page = executions.list(1, token.as_deref()).await.map_err(words)?;
        found.extend(page.executions.into_iter().map(|listed| listed.run_id));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    same(&found.as_slice(), &expected, "the list")?;
    match executions.list(1, Some("no token of ours")).await {
        Err(crate::ports::ExecutionFault::UnknownToken { .. }) => Ok(()),
        other => Err(format!("an unknown token is answered with {other:?}")),
    }
}

async fn ended<E: Executions>(
    executions: &E,
    run: &RunId,
    pause: &impl AsyncFn(Duration),
) -> Result<ExecutionStatus, String> {
    for _ in 0..LOOKS {
        match executions.describe(run).await.map_err(words)? {
            Some(execution) if execution.status != ExecutionStatus::Running => return Ok(execution.status),
            Some(_) => pause(PAUSE).await,
            None => return Err(format!("run `{run}` was started and does not exist")),
        }
    }
    Err(format!("run `{run}` does not end"))
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} is not {expected:?}")) }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn words(fault: crate::ports::ExecutionFault) -> String {
    fault.to_string()
}
