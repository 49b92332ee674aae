//! Executions of AWS Step Functions.

mod convert;

use std::error::Error;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_sfn::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::failure::MachineError;
use sluice_core::name::RunId;
use sluice_core::run::RunRequest;
use sluice_executions::history::{PassedState, take};
use sluice_executions::ports::{
    Execution, ExecutionFault, ExecutionPage, Executions, ListedExecution, Redriven, Started,
};

use crate::env::StateMachineArn;
use crate::fault::name_of;

/// Tries of one call: 3 of at most 10 s, within the 25 s of an operation. Every call may be made twice: a start has a name,
/// a redrive a token, and a stop stops what it stops.
const TRIES: u32 = 3;
/// Events per page of a history: the most that the service gives.
const PAGE_EVENTS: i32 = 1000;
/// Most pages of a history: an execution has 25,000 events at most, in pages of 1000.
const MAX_PAGES: usize = 25;
/// Largest page of a list that the service gives.
const MAX_LISTED: usize = 1000;
/// Longest cause that a stopped execution takes.
const MAX_CAUSE_CHARS: usize = 1000;

/// The executions of one state machine.
#[derive(Debug, Clone)]
pub struct StateMachineExecutions {
    client: Client,
    machine: StateMachineArn,
}

impl StateMachineExecutions {
    /// The executions of `machine`, reached as `config` says. Nothing is called yet.
    pub fn new(config: &SdkConfig, machine: StateMachineArn) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(TRIES);
        let client = Client::from_conf(aws_sdk_sfn::config::Builder::from(config).retry_config(retry).build());
        Self { client, machine }
    }

    /// What an existing execution of that name means to a start with this request.
    async fn existing(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        let doing = || format!("start run {run}");
        let there = self.describe(run).await?;
        // The service shows an execution a little later than it refuses its name.
        let there = there.ok_or_else(|| ExecutionFault::Unavailable {
            doing: doing(),
            message: "an execution of that name exists and is not shown yet".to_owned(),
        })?;
        let asked = serde_json::to_value(request).map_err(|error| unexpected(doing(), error.to_string()))?;
        Ok(if there.input != asked {
            Started::Conflicting
        } else if there.ended_at.is_none() {
            Started::Running
        } else {
            Started::Ended
        })
    }
}

impl Executions for StateMachineExecutions {
    async fn start(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        let doing = || format!("start run {run}");
        let input = serde_json::to_string(request).map_err(|error| unexpected(doing(), error.to_string()))?;
        let call = self.client.start_execution().state_machine_arn(self.machine.as_str());
        // While an execution of the same name with the same input runs, the service answers that execution.
        match call.name(run.as_str()).input(input).send().await {
            Ok(_) => Ok(Started::Running),
            Err(error) if code_of(&error) == Some("ExecutionAlreadyExists") => self.existing(run, request).await,
            Err(error) => Err(fault(doing(), &error)),
        }
    }

    async fn describe(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        let doing = || format!("describe run {run}");
        let arn = self.machine.execution(run.as_str());
        match self.client.describe_execution().execution_arn(arn).send().await {
            Ok(answer) => convert::execution(run, answer).map(Some).map_err(|message| unexpected(doing(), message)),
            Err(error) if is_unknown(&error) => Ok(None),
            Err(error) => Err(fault(doing(), &error)),
        }
    }

    async fn history(&self, run: &RunId) -> Result<Option<Vec<PassedState>>, ExecutionFault> {
        let doing = || format!("read the history of run {run}");
        let (mut states, mut token) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let call = self.client.get_execution_history().execution_arn(self.machine.execution(run.as_str()));
            let call = call.max_results(PAGE_EVENTS).include_execution_data(false).set_next_token(token);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if is_unknown(&error) => return Ok(None),
                Err(error) => return Err(fault(doing(), &error)),
            };
            for event in page.events {
                if let Some(transition) = convert::transition(event).map_err(|message| unexpected(doing(), message))? {
                    take(&mut states, transition);
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(states));
            }
        }
        Err(unexpected(doing(), format!("it has more than {MAX_PAGES} pages")))
    }

    async fn list(&self, limit: usize, token: Option<&str>) -> Result<ExecutionPage, ExecutionFault> {
        let doing = || "list runs".to_owned();
        let limit = i32::try_from(limit.clamp(1, MAX_LISTED)).unwrap_or(PAGE_EVENTS);
        let call = self.client.list_executions().state_machine_arn(self.machine.machine()).max_results(limit);
        let page = match call.set_next_token(token.map(str::to_owned)).send().await {
            Ok(page) => page,
            Err(error) if code_of(&error) == Some("InvalidToken") => {
                let message = words(&error);
                return Err(ExecutionFault::UnknownToken { doing: doing(), message });
            }
            Err(error) => return Err(fault(doing(), &error)),
        };
        let mut executions = Vec::new();
        for item in page.executions {
            let started_at = convert::time(item.start_date).map_err(|message| unexpected(doing(), message))?;
            // People may start executions under names that are not run ids; those are not runs of Sluice.
            if let Ok(run_id) = item.name.parse() {
                executions.push(ListedExecution { run_id, started_at });
            }
        }
        Ok(ExecutionPage { executions, next: page.next_token })
    }

    async fn redrive(&self, run: &RunId) -> Result<Redriven, ExecutionFault> {
        let arn = self.machine.execution(run.as_str());
        match self.client.redrive_execution().execution_arn(arn).send().await {
            Ok(_) => Ok(Redriven::Running),
            Err(error) if code_of(&error) == Some("ExecutionNotRedrivable") => {
                Ok(Redriven::Refused { reason: words(&error) })
            }
            Err(error) => Err(fault(format!("redrive run {run}"), &error)),
        }
    }

    async fn stop(&self, run: &RunId, cause: &str) -> Result<(), ExecutionFault> {
        let cause: String = cause.chars().take(MAX_CAUSE_CHARS).collect();
        let call = self.client.stop_execution().execution_arn(self.machine.execution(run.as_str()));
        match call.error(MachineError::Stopped.as_str()).cause(cause).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_unknown(&error) => Ok(()),
            Err(error) => Err(fault(format!("stop run {run}"), &error)),
        }
    }
}

fn unexpected(doing: String, message: impl Into<String>) -> ExecutionFault {
    ExecutionFault::Unexpected { doing, message: message.into() }
}

fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    let SdkError::ServiceError(failure) = error else { return None };
    failure.err().code()
}

fn is_unknown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some("ExecutionDoesNotExist")
}

/// The service's code and words.
fn words<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    let SdkError::ServiceError(failure) = error else { return "no answer".to_owned() };
    let code = failure.err().code().unwrap_or_default();
    match failure.err().message() {
        Some(words) => format!("{code}: {words}"),
        None => format!("{code} (status {})", failure.raw().status().as_u16()),
    }
}

/// The SDK's error by what the caller does next.
fn fault<E>(doing: String, error: &SdkError<E, HttpResponse>) -> ExecutionFault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let message = match error {
        SdkError::ServiceError(_) => words(error),
        _ => with_sources(error),
    };
    match name_of(error) {
        ErrorName::Throttled => ExecutionFault::Throttled { doing, message },
        ErrorName::Unavailable => ExecutionFault::Unavailable { doing, message },
        ErrorName::AccessDenied => ExecutionFault::Denied { doing, message },
        ErrorName::NotFound => ExecutionFault::Missing { doing, message },
        ErrorName::InvalidInput => ExecutionFault::Refused { doing, message },
        _ => ExecutionFault::Unexpected { doing, message },
    }
}

#[cfg(test)]
mod tests;
