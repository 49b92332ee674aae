//! The function handlers, called in this process the way the Lambda runtime calls them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_core::cost::Where;
use sluice_core::engine::Engine;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::RunId;
use sluice_core::run::{Plan, PlanStatus};
use sluice_documents::usage::{self, CallFacts};
use sluice_lake::Lake;
use sluice_notify::announce::Announce;
use sluice_notify::openlineage::LineageEvents;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::activity::Activity;
use super::clusters::LocalClusters;
use crate::alerting;
use crate::asl::{TaskFailure, TaskHandler};

/// A function of the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the crates in functions/")]
pub enum Function {
    Validate,
    Process,
    QualityCheck,
    Publish,
    Notify,
    StartEmr,
    RunEtl,
    Terminate,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 8] = [
        Self::Validate,
        Self::Process,
        Self::QualityCheck,
        Self::Publish,
        Self::Notify,
        Self::StartEmr,
        Self::RunEtl,
        Self::Terminate,
    ];

    /// Name of its crate and its binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Process => "process",
            Self::QualityCheck => "quality-check",
            Self::Publish => "publish",
            Self::Notify => "notify",
            Self::StartEmr => "start-emr",
            Self::RunEtl => "run-etl",
            Self::Terminate => "terminate",
        }
    }

    /// Its memory in a deployment, by which receipts say what a run on this machine would have cost.
    fn memory_mb(self) -> u64 {
        match self {
            Self::Process | Self::QualityCheck => 3008,
            Self::Validate | Self::Publish => 1024,
            Self::RunEtl => 512,
            Self::Notify | Self::StartEmr | Self::Terminate => 256,
        }
    }

    /// The name of its placeholder `${…}` in the definition.
    fn placeholder(self) -> &'static str {
        match self {
            Self::Validate => "ValidateFunctionArn",
            Self::Process => "ProcessFunctionArn",
            Self::QualityCheck => "QualityCheckFunctionArn",
            Self::Publish => "PublishFunctionArn",
            Self::Notify => "NotifyFunctionArn",
            Self::StartEmr => "StartEmrFunctionArn",
            Self::RunEtl => "RunEtlFunctionArn",
            Self::Terminate => "TerminateFunctionArn",
        }
    }

    /// What replaces its ARN in a local execution.
    pub(super) fn arn(self) -> &'static str {
        match self {
            Self::Validate => "arn:aws:lambda:local:000000000000:function:sluice-validate",
            Self::Process => "arn:aws:lambda:local:000000000000:function:sluice-process",
            Self::QualityCheck => "arn:aws:lambda:local:000000000000:function:sluice-quality-check",
            Self::Publish => "arn:aws:lambda:local:000000000000:function:sluice-publish",
            Self::Notify => "arn:aws:lambda:local:000000000000:function:sluice-notify",
            Self::StartEmr => "arn:aws:lambda:local:000000000000:function:sluice-start-emr",
            Self::RunEtl => "arn:aws:lambda:local:000000000000:function:sluice-run-etl",
            Self::Terminate => "arn:aws:lambda:local:000000000000:function:sluice-terminate",
        }
    }

    /// The function with this ARN.
    pub fn of(arn: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.arn() == arn)
    }

    /// Values for the placeholders of the definition.
    pub fn substitutions() -> BTreeMap<String, String> {
        Self::ALL.into_iter().map(|function| (function.placeholder().to_owned(), function.arn().to_owned())).collect()
    }
}

/// Most parts of a run that are read at the same time in this process.
const MAX_AT_ONCE: usize = 4;

/// The handlers over one lake, in this process.
#[derive(Debug, Clone)]
pub struct Functions {
    lake: Lake,
    /// Shared by all clones: one EMR server for the whole execution.
    clusters: Arc<LocalClusters>,
    /// Shared, too: what they read now.
    activity: Arc<Activity>,
    /// What makes events of OpenLineage, where they are wanted.
    lineage: Option<Box<LineageEvents>>,
    /// Why alerts were not sent; shared by all clones.
    alert_fault: Arc<Mutex<Option<String>>>,
}

impl Functions {
    /// Handlers over this lake.
    pub fn new(lake: Lake, run_id: &RunId) -> Self {
        let clusters = Arc::new(LocalClusters::new(lake.root(), run_id));
        Self { lake, clusters, activity: Arc::default(), lineage: None, alert_fault: Arc::default() }
    }

    /// What the functions are reading.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// With events of OpenLineage when a run has ended.
    #[must_use]
    pub fn with_lineage(self, events: LineageEvents) -> Self {
        Self { lineage: Some(Box::new(events)), ..self }
    }

    /// Ends what the functions started: clusters of this machine and their programs.
    pub async fn stop(&self) {
        self.clusters.stop().await;
    }

    /// Why events of OpenLineage were not sent.
    pub(super) fn lineage_fault(&self) -> Option<String> {
        self.lineage.as_ref().and_then(|events| events.take_fault())
    }

    /// Why alerts were not sent.
    pub(super) fn alert_fault(&self) -> Option<String> {
        self.alert_fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn call(&self, function: &str, payload: Value) -> Result<Value, StepError> {
        let unknown = || StepError::message(ErrorName::NotFound, format!("function {function} does not exist"));
        let function = Function::of(function).ok_or_else(unknown)?;
        let facts = CallFacts {
            function: function.name().to_owned(),
            ran: Where::Local,
            began_at: Timestamp::now(),
            memory_mb: function.memory_mb(),
            region: None,
            start: Duration::ZERO,
        };
        usage::measured(facts, self.answer(function, payload)).await
    }

    async fn answer(&self, function: Function, payload: Value) -> Result<Value, StepError> {
        let (lake, now) = (&self.lake, Timestamp::now());
        match function {
            Function::Validate => {
                let output = sluice_validate::handle(lake, now, decode(payload)?).await?;
                if (output.plan.status, output.plan.engine) == (PlanStatus::Planned, Engine::Emr) {
                    let plan: Plan = lake.documents().of(&output.run).require().await?;
                    // What no Spark can combine afterwards is not read first, unless it may turn out to be less.
                    if !plan.chooses_after_reading() {
                        self.clusters.emr().await?;
                    }
                }
                answer(output)
            }
            Function::Process => {
                let input: sluice_process::Input = decode(payload)?;
                let working = self.activity.begin(input.part);
                answer(sluice_process::handle(&lake.clone().with_progress(working.progress()), now, input).await?)
            }
            Function::QualityCheck => answer(sluice_quality_check::handle(lake, now, decode(payload)?).await?),
            Function::Publish => answer(sluice_publish::handle(lake, now, decode(payload)?).await?),
            Function::Notify => {
                // This command shows the result itself; of notify, only what it leaves in the lake is needed, and what
                // others are to be sent.
                let lineage = self.lineage.clone().map(|events| events as Box<dyn Announce>);
                let announcers = lineage.into_iter().collect();
                let alerts = alerting::channels()?.map(alerting::alerts);
                let ports = sluice_notify::Ports { documents: lake.documents().clone(), announcers, alerts };
                let notified = sluice_notify::handle(&ports, now, decode(payload)?).await;
                let fault = ports.alerts.and_then(|alerts| alerts.take_fault());
                *self.alert_fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
                answer(notified?)
            }
            Function::StartEmr => {
                let (documents, clusters) = (lake.documents().clone(), self.clusters.emr().await?);
                let ports = sluice_start_emr::Ports { documents, clusters, settings: self.clusters.settings()? };
                answer(sluice_start_emr::handle(&ports, now, decode(payload)?).await?)
            }
            Function::RunEtl => {
                let (documents, clusters) = (lake.documents().clone(), self.clusters.emr().await?);
                let ports = sluice_run_etl::Ports { documents, clusters, step_role: None };
                answer(sluice_run_etl::handle(&ports, now, decode(payload)?).await?)
            }
            Function::Terminate => {
                let (documents, clusters) = (lake.documents().clone(), self.clusters.emr().await?);
                let ports = sluice_terminate::Ports { documents, clusters };
                answer(sluice_terminate::handle(&ports, now, decode(payload)?).await?)
            }
        }
    }
}

impl TaskHandler for Functions {
    /// Runs the handler on a thread of its own: it computes for a long time between awaits, which must not block the
    /// clock, the view or Ctrl-C. When this future is dropped, the handler ends at its next await.
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskFailure> {
        let (functions, function) = (self.clone(), function.to_owned());
        let runtime = Handle::current();
        let (still_wanted, dropped) = oneshot::channel::<()>();
        let called = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    result = functions.call(&function, payload) => result,
                    _ = dropped => Err(StepError::message(ErrorName::Internal, "the call was cancelled")),
                }
            })
        });
        let result = match called.await {
            Ok(result) => result,
            Err(panicked) => Err(StepError::message(ErrorName::Internal, format!("the function panicked: {panicked}"))),
        };
        drop(still_wanted);
        result.map_err(|StepError { name, message }| TaskFailure::of_function(name.as_str(), &message))
    }

    /// Every call reads, types and writes on several threads, and has up to 1 GB in memory. One call for two cores
    /// keeps all of them busy; four calls are 4 GB, which a laptop of 16 GB has left.
    fn at_once(&self) -> usize {
        let cores = available_parallelism().map_or(1, usize::from);
        (cores / 2).clamp(1, MAX_AT_ONCE)
    }
}

fn decode<T: DeserializeOwned>(payload: Value) -> Result<T, StepError> {
    serde_json::from_value(payload)
        .map_err(|error| StepError::message(ErrorName::InvalidInput, format!("payload: {error}")))
}

fn answer(output: impl Serialize) -> Result<Value, StepError> {
    serde_json::to_value(output).map_err(|error| StepError::message(ErrorName::Internal, format!("answer: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_count_with_the_memory_that_a_deployment_gives() {
        for function in Function::ALL {
            let path = format!("{}/../functions/{}/Cargo.toml", env!("CARGO_MANIFEST_DIR"), function.name());
            let text = std::fs::read_to_string(&path).unwrap();
            let line = format!("memory = {}", function.memory_mb());
            assert!(text.lines().any(|found| found == line), "{path} does not say {line}");
        }
    }
}
