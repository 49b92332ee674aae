//! What Step Functions answers, in our words.

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionStatus as SdkStatus, HistoryEvent};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde_json::Value;
use sluice_core::failure::MachineError;
use sluice_core::name::RunId;
use sluice_core::run::ReportedError;
use sluice_executions::history::Transition;
use sluice_executions::ports::{Execution, ExecutionStatus};

pub(super) fn time(time: DateTime) -> Result<Timestamp, String> {
    let nanos = i32::try_from(time.subsec_nanos()).map_err(|error| error.to_string())?;
    Timestamp::new(time.secs(), nanos).map_err(|error| format!("time {}: {error}", time.secs()))
}

fn status(status: &SdkStatus) -> Result<ExecutionStatus, String> {
    match status {
        // Waits for parts of itself to be redriven: it has not ended.
        SdkStatus::Running | SdkStatus::PendingRedrive => Ok(ExecutionStatus::Running),
        SdkStatus::Succeeded => Ok(ExecutionStatus::Succeeded),
        SdkStatus::Failed => Ok(ExecutionStatus::Failed),
        SdkStatus::TimedOut => Ok(ExecutionStatus::TimedOut),
        SdkStatus::Aborted => Ok(ExecutionStatus::Aborted),
        other => Err(format!("status {} is unknown", other.as_str())),
    }
}

pub(super) fn execution(run: &RunId, answer: DescribeExecutionOutput) -> Result<Execution, String> {
    let status = status(&answer.status)?;
    // An input that is encrypted with a key of the account is not shown to everybody.
    let input = match answer.input {
        Some(text) => serde_json::from_str(&text).map_err(|error| format!("the input is not JSON: {error}"))?,
        None => Value::Null,
    };
    let (error, cause) = (answer.error.unwrap_or_default(), answer.cause.unwrap_or_default());
    let error = match status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded => None,
        // The service gives these two ends no name.
        ExecutionStatus::TimedOut if error.is_empty() => {
            Some(ReportedError { error: MachineError::TimedOut.into(), cause })
        }
        ExecutionStatus::Aborted if error.is_empty() => {
            Some(ReportedError { error: MachineError::Stopped.into(), cause })
        }
        _ => Some(ReportedError { error: error.into(), cause }),
    };
    // A redriven execution keeps the time of its first end while it runs.
    let stopped = answer.stop_date.filter(|_| status != ExecutionStatus::Running);
    Ok(Execution {
        run_id: run.clone(),
        status,
        started_at: time(answer.start_date)?,
        ended_at: stopped.map(time).transpose()?,
        redrives: answer.redrive_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        input,
        error,
    })
}

pub(super) fn transition(event: HistoryEvent) -> Result<Option<Transition>, String> {
    let at = time(event.timestamp)?;
    Ok(match (event.state_entered_event_details, event.state_exited_event_details) {
        (Some(entered), _) => Some(Transition::Entered { name: entered.name, at }),
        (None, Some(exited)) => Some(Transition::Exited { name: exited.name, at }),
        (None, None) => None,
    })
}
