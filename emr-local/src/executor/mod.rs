//! What runs the steps.

mod leash;
mod script;
mod spark_sql;

use std::fmt::Debug;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::sync::watch;

pub use leash::{Leash, ProcessEnd};
pub use script::{CommandSteps, ScriptedSteps};
pub use spark_sql::{SparkLimits, SparkSteps};

pub(crate) use leash::failure_of;

/// A step that begins to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCall {
    /// Its cluster.
    pub cluster_id: String,
    /// The step.
    pub step_id: String,
    /// Its name.
    pub name: String,
    /// The jar, such as `command-runner.jar`.
    pub jar: String,
    /// Arguments of the jar.
    pub arguments: Vec<String>,
    /// A folder for this step alone; created before it runs, and removed when the server ends. Its program writes `stdout` and
    /// `stderr` here.
    pub folder: PathBuf,
    /// Where these two are copied when the step ends: below `LogUri` of the cluster, when that is a folder on this machine.
    pub logs: Option<PathBuf>,
}

/// How the work of a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// Done.
    Completed,
    /// Failed.
    Failed(StepFault),
    /// Stopped on request.
    Stopped,
}

/// Why a step failed, with the error output of its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFault {
    /// The kind of fault, as EMR writes it in `FailureDetails.Reason`.
    pub reason: String,
    /// The last error output of the program.
    pub message: String,
    /// Where its output is.
    pub log_file: Option<PathBuf>,
}

/// The signal that a step has to stop.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    pub(crate) fn new(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    /// Returns when the step has to stop: it was cancelled, or the server has ended.
    pub async fn stopped(&mut self) {
        // An error means that the server has ended.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}

/// A running step.
pub type StepFuture = Pin<Box<dyn Future<Output = StepEnd> + Send>>;

/// Runs the steps of all clusters of a server.
pub trait StepExecutor: Debug + Send + Sync + 'static {
    /// Does the work of one step. After a `stop` signal the future ends soon with [`StepEnd::Stopped`], and nothing of
    /// the step is running any more. When the future is dropped, everything of the step ends soon after.
    fn run(&self, call: StepCall, stop: StopSignal) -> StepFuture;
}
