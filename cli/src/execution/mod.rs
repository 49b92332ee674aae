//! One execution of the state machine in this process: the definition and the handlers that the deployment has.

mod activity;
mod changes;
mod clusters;
mod ending;
mod functions;
mod openlineage;
mod page;
mod remote;
mod trace;
mod view;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::error::with_sources;
use sluice_core::name::RunId;
use sluice_core::run::{RunKey, RunRequest};
use sluice_lake::{Lake, runs};
use sluice_notify::openlineage::{Destination, LineageEvents};
use uuid::Uuid;

pub use activity::Activity;
pub use changes::{BrokenRule, TableEnd, broken_rules_text, table_ends, tables_text};
pub use ending::{EndOutcome, Ended};
pub use functions::{Function, Functions};
pub use openlineage::{destination, run_events};
pub use page::{page_text, stored_page};
pub use remote::RemoteFunctions;
pub use trace::Trace;
pub use view::View;

use crate::asl::{
    ExecutionEvent, ExecutionResult, LocalTimer, Observer, Place, StateMachine, TaskHandler, Timer, WallTimer, execute,
    redrive,
};

/// The state machine, as deployed.
pub const DEFINITION: &str = include_str!("../../../statemachines/pipeline.asl.json");

/// A run about to be executed.
#[derive(Debug)]
pub struct Execution {
    machine: StateMachine,
    lake: Lake,
    handlers: Handlers,
    input: Value,
    request: RunRequest,
    run_id: RunId,
    started_at: Timestamp,
    /// Where it goes on, when it is redriven.
    from: Option<Place>,
}

impl Execution {
    /// An execution named like the run.
    ///
    /// # Errors
    /// When the interpreter does not support the embedded definition: a defect.
    pub fn new(lake: &Lake, request: RunRequest, run_id: &RunId) -> Result<Self> {
        Ok(Self {
            machine: state_machine()?,
            lake: lake.clone(),
            handlers: Handlers::Here(Functions::new(lake.clone(), run_id)),
            input: serde_json::to_value(&request)?,
            request,
            run_id: run_id.clone(),
            started_at: Timestamp::now(),
            from: None,
        })
    }

    /// Redriven from the state that ended it.
    #[must_use]
    pub fn redriven(self, from: Place) -> Self {
        Self { from: Some(from), ..self }
    }

    /// With this input in place of the request itself: the event that the request was read from.
    #[must_use]
    pub fn with_input(self, input: Value) -> Self {
        Self { input, ..self }
    }

    /// With functions that run elsewhere.
    #[must_use]
    pub fn with_functions(self, functions: RemoteFunctions) -> Self {
        Self { handlers: Handlers::Remote(functions), ..self }
    }

    /// With events of OpenLineage for this destination, where one is given. Functions that run elsewhere have a setting of
    /// their own.
    #[must_use]
    pub fn with_lineage(self, destination: Option<Destination>) -> Self {
        let handlers = match (self.handlers, destination) {
            (Handlers::Here(functions), Some(destination)) => {
                let events = LineageEvents::new(self.lake.documents().clone(), destination);
                Handlers::Here(functions.with_lineage(events))
            }
            (handlers, _) => handlers,
        };
        Self { handlers, ..self }
    }

    /// Executes to the end; `view` and `trace` receive every event.
    ///
    /// # Errors
    /// When the documents of the ended run cannot be read.
    pub async fn run(&self, view: &View, trace: Option<&Trace>) -> Result<Ended> {
        let result = self.observed(&(view, trace)).await;
        Ended::of(self, &result).await
    }

    /// Executes to the end; `observer` receives every event. The caller reads what the run left in the lake.
    pub async fn observed(&self, observer: &impl Observer) -> ExecutionResult {
        match &self.handlers {
            Handlers::Here(functions) => {
                let result = self.executed(functions, &LocalTimer::default(), observer).await;
                functions.stop().await;
                if matches!(result, ExecutionResult::Succeeded { .. }) {
                    self.remove_parts().await;
                }
                result
            }
            Handlers::Remote(functions) => self.executed(functions, &WallTimer, observer).await,
        }
    }

    /// Removes the rows that waited to be combined, as the bucket of a deployment does later. What stays does no harm.
    async fn remove_parts(&self) {
        let run = RunKey { pipeline: self.request.pipeline.clone(), run_id: self.run_id.clone() };
        let (lake, run_id) = (self.lake.clone(), run.run_id.clone());
        let removed = tokio::task::spawn_blocking(move || runs::remove_parts(&lake, &run)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%run_id, error = with_sources(&error), "what parts have left cannot be removed");
        }
    }

    async fn executed(
        &self,
        functions: &impl TaskHandler,
        timer: &impl Timer,
        observer: &impl Observer,
    ) -> ExecutionResult {
        let (machine, name, input) = (&self.machine, self.run_id.as_str(), self.input.clone());
        let result = match self.from.clone() {
            None => execute(machine, name, input, functions, timer, observer).await,
            Some(place) => redrive(machine, name, input, place, functions, timer, observer).await,
        };
        if let ExecutionResult::Failed { error, cause, .. } = &result {
            self.report_failure(error, cause, functions, timer, observer).await;
        }
        result
    }

    /// Does what the deployment's rule for ended executions does: notify gets the event, and writes the report.
    async fn report_failure(
        &self,
        error: &str,
        cause: &str,
        functions: &impl TaskHandler,
        timer: &impl Timer,
        observer: &impl Observer,
    ) {
        let ended_at = timer.now();
        let event = json!({
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "time": ended_at.to_string(),
            "resources": [],
            "detail": {
                "name": self.run_id.as_str(), "status": "FAILED", "stopDate": ended_at.as_millisecond(),
                "input": self.input.to_string(), "error": error, "cause": cause,
            },
        });
        if let Err(failure) = functions.invoke(Function::Notify.arn(), event).await {
            let (name, at) = (Function::Notify.name().to_owned(), timer.now());
            let (error, cause) = (failure.error, failure.cause);
            observer.on(&ExecutionEvent::TaskFailed { name, error, cause, attempt: 1, at });
        }
    }

    /// What its functions are reading now; `None` where they run elsewhere.
    pub fn activity(&self) -> Option<Arc<Activity>> {
        match &self.handlers {
            Handlers::Here(functions) => Some(Arc::clone(functions.activity())),
            Handlers::Remote(_) => None,
        }
    }

    /// Why events of OpenLineage were not sent, once.
    pub fn lineage_fault(&self) -> Option<String> {
        match &self.handlers {
            Handlers::Here(functions) => functions.lineage_fault(),
            Handlers::Remote(_) => None,
        }
    }

    /// Why alerts were not sent, once.
    pub fn alert_fault(&self) -> Option<String> {
        match &self.handlers {
            Handlers::Here(functions) => functions.alert_fault(),
            Handlers::Remote(_) => None,
        }
    }

    /// Ends the programs that a cancelled execution left running on this machine.
    pub async fn stop(&self) {
        if let Handlers::Here(functions) = &self.handlers {
            functions.stop().await;
        }
    }

    /// Time since the start.
    fn elapsed(&self) -> Duration {
        Duration::try_from(Timestamp::now().duration_since(self.started_at)).unwrap_or_default()
    }
}

/// Where the functions run.
#[derive(Debug)]
enum Handlers {
    /// In this process.
    Here(Functions),
    /// Behind an endpoint.
    Remote(RemoteFunctions),
}

/// The state machine with this process's functions in it.
///
/// # Errors
/// When the interpreter refuses the definition.
pub fn state_machine() -> Result<StateMachine> {
    let machine = StateMachine::parse(DEFINITION, &Function::substitutions());
    Ok(machine.context("the state machine that is part of this program")?.with_name("pipeline"))
}

/// A run id of this instant: `20260105T090000Z-a1b2c3`. The suffix distinguishes runs that start in the same second.
///
/// # Errors
/// When the year of the clock does not have four digits.
pub fn new_run_id(now: Timestamp) -> Result<RunId> {
    let instant: String = format!("{now:.0}").chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let tail = Uuid::now_v7().as_u128() & 0xff_ffff;
    format!("{instant}-{tail:06x}").parse().context("cannot make a run id from the time of the clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time() {
        let id = new_run_id("2026-11-20T12:34:56.789Z".parse().unwrap()).unwrap();
        assert_eq!(id.as_str().len(), "20261120T123456Z-a1b2c3".len());
        assert!(id.as_str().starts_with("20261120T123456Z-"), "{id}");
        assert_ne!(id, new_run_id("2026-11-20T12:34:56.789Z".parse().unwrap()).unwrap());
    }

    #[test]
    fn the_embedded_state_machine_calls_the_functions_of_this_program() {
        let machine = state_machine().unwrap();
        for function in machine.functions() {
            assert!(Function::of(function).is_some(), "{function}");
        }
        assert_eq!(machine.functions().len(), Function::ALL.len());
    }

    #[test]
    fn every_result_of_the_state_machine_is_understood() {
        let definition: Value = serde_json::from_str(DEFINITION).unwrap();
        let states = definition["States"].as_object().unwrap();
        let results = states.iter().filter(|(_, state)| state["Type"] == "Succeed").map(|(name, _)| name.as_str());
        for name in results {
            assert!(EndOutcome::of_state(name).is_some(), "{name}");
        }
    }
}
