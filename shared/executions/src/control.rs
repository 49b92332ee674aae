//! Redriving and stopping, safe to repeat.

use sluice_core::name::RunId;

use crate::ports::{Execution, ExecutionFault, ExecutionStatus, Executions, Redriven};

/// What came of redriving or stopping.
#[derive(Debug, Clone, PartialEq)]
pub enum Controlled {
    /// The execution is on its way there; this is how it was before.
    Done(Execution),
    /// It was there before.
    Already(Execution),
    /// There is no such execution.
    Unknown,
    /// It cannot be done to an execution like this.
    Refused {
        /// Why, and what to do instead.
        reason: String,
    },
}

/// Redrives an execution that failed, timed out or was stopped.
///
/// An execution that runs because somebody redrove it already is as good: the same call twice redrives once.
///
/// # Errors
/// An [`ExecutionFault`].
pub async fn redrive(executions: &impl Executions, run: &RunId) -> Result<Controlled, ExecutionFault> {
    let Some(before) = executions.describe(run).await? else { return Ok(Controlled::Unknown) };
    if !before.status.is_redrivable() {
        return Ok(not_redrivable(before, None));
    }
    // It ended in a Fail state, which a redrive enters again: Step Functions would accept it, and it would fail again.
    if let Some(final_error) = before.error.as_ref().map(|error| &error.error).filter(|error| !error.is_redrivable()) {
        let reason = format!("it ended with {final_error}; {}", final_error.next_step());
        return Ok(not_redrivable(before, Some(reason)));
    }
    match executions.redrive(run).await? {
        Redriven::Running => Ok(Controlled::Done(before)),
        // Another caller may have been faster.
        Redriven::Refused { reason } => Ok(match executions.describe(run).await? {
            Some(now) => not_redrivable(now, Some(reason)),
            None => Controlled::Unknown,
        }),
    }
}

fn not_redrivable(execution: Execution, refusal: Option<String>) -> Controlled {
    let run = execution.run_id.clone();
    let reason = match execution.status {
        ExecutionStatus::Running if execution.redrives > 0 => return Controlled::Already(execution),
        ExecutionStatus::Running => format!("run `{run}` still runs: wait for its end"),
        ExecutionStatus::Succeeded => {
            format!("run `{run}` did not fail: start another run, which takes what is new")
        }
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => format!(
            "run `{run}` cannot be redriven ({}): start another run, which heals what this one began",
            refusal.unwrap_or_default()
        ),
    };
    Controlled::Refused { reason }
}

/// Stops an execution. One that has ended is left as it is.
///
/// # Errors
/// An [`ExecutionFault`].
pub async fn stop(executions: &impl Executions, run: &RunId, cause: &str) -> Result<Controlled, ExecutionFault> {
    let Some(before) = executions.describe(run).await? else { return Ok(Controlled::Unknown) };
    if before.status != ExecutionStatus::Running {
        return Ok(Controlled::Already(before));
    }
    executions.stop(run, cause).await?;
    Ok(Controlled::Done(before))
}
