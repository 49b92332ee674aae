//! Steps whose work a test defines: a closure, or a command.

use std::fmt;
use std::process::Command;

use super::{Leash, StepCall, StepEnd, StepExecutor, StepFault, StepFuture, StopSignal, failure_of};

/// Steps done immediately by a closure.
pub struct ScriptedSteps {
    work: Box<dyn Fn(&StepCall) -> StepEnd + Send + Sync>,
}

impl ScriptedSteps {
    /// Steps that end as this closure returns.
    pub fn new(work: impl Fn(&StepCall) -> StepEnd + Send + Sync + 'static) -> Self {
        Self { work: Box::new(work) }
    }

    /// Steps that complete immediately and leave nothing.
    pub fn completing() -> Self {
        Self::new(|_| StepEnd::Completed)
    }
}

impl fmt::Debug for ScriptedSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedSteps").finish_non_exhaustive()
    }
}

impl StepExecutor for ScriptedSteps {
    fn run(&self, call: StepCall, _stop: StopSignal) -> StepFuture {
        let end = (self.work)(&call);
        Box::pin(async move { end })
    }
}

/// Steps done by a command: it is started with the step's arguments after its own, in the step's folder, with
/// `SLUICE_CLUSTER_ID` and `SLUICE_STEP_ID` in its environment. Exit status 0 completes the step.
#[derive(Debug, Clone)]
pub struct CommandSteps {
    command: Vec<String>,
}

impl CommandSteps {
    /// Steps done by this program with these first arguments. `None` when no program is given.
    pub fn new(command: Vec<String>) -> Option<Self> {
        (!command.is_empty()).then_some(Self { command })
    }
}

impl StepExecutor for CommandSteps {
    fn run(&self, call: StepCall, mut stop: StopSignal) -> StepFuture {
        let words = self.command.clone();
        Box::pin(async move {
            let Some((program, arguments)) = words.split_first() else { return StepEnd::Completed };
            let mut command = Command::new(program);
            command.args(arguments).args(&call.arguments).current_dir(&call.folder);
            command.env("SLUICE_CLUSTER_ID", &call.cluster_id).env("SLUICE_STEP_ID", &call.step_id);
            let (stdout, stderr) = (call.folder.join("stdout"), call.folder.join("stderr"));
            match Leash::start(&command, &stdout, &stderr) {
                Ok(leash) => failure_of(leash.end(&mut stop).await, &stderr),
                Err(error) => StepEnd::Failed(StepFault {
                    reason: "Unknown Error.".to_owned(),
                    message: format!("cannot start {program}: {error}"),
                    log_file: None,
                }),
            }
        })
    }
}
