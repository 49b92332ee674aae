//! Moves the clusters through time: states that pass, steps that run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;

use crate::cluster::Ending;
use crate::error::ApiError;
use crate::executor::{Leash, StepCall, StepEnd, StepExecutor, StepFault, StopSignal, failure_of};
use crate::fault::{CallFault, StepFault as PlannedFault};
use crate::step::{StepFailure, StepState};
use crate::world::{Call, Operation, World};

/// How often the states are updated: no state lasts longer than configured by more than this.
const TICK: Duration = Duration::from_millis(20);
/// How long the programs of steps have to exit when the server ends. They are killed, so only the system needs this time.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

/// What happened to a call.
pub(crate) enum Answer {
    /// The operation was done.
    Done(Value),
    /// It was refused.
    Refused(ApiError),
    /// It was done, and the response is lost.
    Lost,
}

/// The clusters of a server, and what moves them.
#[derive(Debug)]
pub(crate) struct Service {
    world: Mutex<World>,
    executor: Box<dyn StepExecutor>,
    /// The folders of steps are created here.
    folder: PathBuf,
    /// Logs are kept here, whatever the cluster's `LogUri` is.
    logs: Option<PathBuf>,
    running: Mutex<JoinSet<()>>,
}

/// A step that begins, and the faults planned for it.
struct Start {
    call: StepCall,
    stop: StopSignal,
    /// It never does its work.
    hangs: bool,
    /// Runs when the work is done.
    after: Option<Vec<String>>,
}

impl Service {
    pub(crate) fn new(world: World, executor: Box<dyn StepExecutor>, folder: PathBuf, logs: Option<PathBuf>) -> Self {
        Self { world: Mutex::new(world), executor, folder, logs, running: Mutex::default() }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one call of the API.
    pub(crate) fn call(&self, operation: Operation, request: Value) -> Answer {
        let mut world = self.world();
        let name = operation.to_string();
        let at = Timestamp::now();
        let answer = match world.faults.of_call(&name) {
            Some(CallFault::Refused(error)) => Answer::Refused(error),
            fault => match world.execute(operation, request.clone()) {
                Err(error) => Answer::Refused(error),
                Ok(_) if fault == Some(CallFault::Lost) => Answer::Lost,
                Ok(answer) => Answer::Done(answer),
            },
        };
        let outcome = match &answer {
            Answer::Done(_) => "ok",
            Answer::Lost => "lost",
            Answer::Refused(error) => error.kind(),
        };
        world.calls.push(Call { operation: name, at, request, answer: outcome.to_owned() });
        answer
    }

    /// Updates the states until the server ends.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(self: &Arc<Self>) {
        let starts = self.due_starts();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        for start in starts {
            running.spawn(Arc::clone(self).run(start));
        }
    }

    /// Moves all clusters, and the steps that begin into RUNNING.
    fn due_starts(&self) -> Vec<Start> {
        let mut world = self.world();
        let World { clusters, faults, delays, .. } = &mut *world;
        let mut starts = Vec::new();
        for cluster in clusters {
            for position in cluster.advance(*delays) {
                let logs = self.logs.clone().or_else(|| cluster.log_uri().and_then(folder_of_logs));
                let cluster_id = cluster.id.clone();
                let Some(step) = cluster.steps.get_mut(position) else { continue };
                let now = Timestamp::now();
                (step.state, step.started_at) = (StepState::Running, Some(now));
                let fault = faults.of_step();
                match &fault {
                    Some(PlannedFault::Fails(message)) => {
                        let (reason, message) = ("Unknown Error.".to_owned(), message.clone());
                        step.failure = Some(StepFailure { reason, message, log_file: None });
                        step.end(StepState::Failed, now);
                        cluster.after_failure(position, *delays);
                        continue;
                    }
                    Some(PlannedFault::Cancelled) => {
                        step.reason = Some("Cancelled by user request".to_owned());
                        step.end(StepState::Cancelled, now);
                        continue;
                    }
                    Some(PlannedFault::NeverEnds | PlannedFault::ClusterLost) | None => {}
                }
                let config = &step.config;
                starts.push(Start {
                    call: StepCall {
                        folder: self.folder.join(&cluster_id).join(&step.id),
                        logs: logs.map(|logs| logs.join(&cluster_id).join("steps").join(&step.id)),
                        cluster_id,
                        step_id: step.id.clone(),
                        name: config.name.clone(),
                        jar: config.hadoop_jar_step.jar.clone(),
                        arguments: config.hadoop_jar_step.args.clone(),
                    },
                    stop: StopSignal::new(step.stop.subscribe()),
                    hangs: fault.is_some(),
                    after: if fault.is_none() { faults.after_step() } else { None },
                });
                if fault == Some(PlannedFault::ClusterLost) {
                    cluster.terminate(Ending::user_request(), *delays);
                }
            }
        }
        starts
    }

    async fn run(self: Arc<Self>, start: Start) {
        let Start { call, mut stop, hangs, after } = start;
        let end = match fs::create_dir_all(&call.folder) {
            Err(error) => fault(format!("cannot create {}: {error}", call.folder.display())),
            Ok(()) if hangs => {
                stop.stopped().await;
                StepEnd::Stopped
            }
            Ok(()) => match (self.executor.run(call.clone(), stop.clone()).await, after) {
                (StepEnd::Completed, Some(command)) => run_after(&command, &call, &mut stop).await,
                (end, _) => end,
            },
        };
        self.finish(&call, end);
    }

    fn finish(&self, call: &StepCall, end: StepEnd) {
        let end = with_kept_logs(call, end);
        let mut world = self.world();
        let (now, delays) = (Timestamp::now(), world.delays);
        let Ok(cluster) = world.cluster_mut(&call.cluster_id) else { return };
        let Some(position) = cluster.steps.iter().position(|step| step.id == call.step_id) else { return };
        let Some(step) = cluster.steps.get_mut(position) else { return };
        match end {
            StepEnd::Completed => step.end(StepState::Completed, now),
            StepEnd::Stopped => step.end(StepState::Cancelled, now),
            // A killed program fails, but the step was stopped on request.
            StepEnd::Failed(_) if step.state == StepState::CancelPending => step.end(StepState::Cancelled, now),
            StepEnd::Failed(StepFault { reason, message, log_file }) => {
                let log_file = log_file.map(|path| path.display().to_string());
                step.failure = Some(StepFailure { reason, message, log_file });
                step.end(StepState::Failed, now);
                cluster.after_failure(position, delays);
            }
        }
    }

    /// Stops all steps and waits until their programs are gone.
    pub(crate) async fn stop(&self) {
        {
            let mut world = self.world();
            let World { clusters, delays, .. } = &mut *world;
            for cluster in clusters {
                cluster.terminate(Ending::user_request(), *delays);
            }
        }
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while running.join_next().await.is_some() {} };
        // A task that does not end in time is dropped, which drops its leash.
        drop(tokio::time::timeout(SHUTDOWN_WAIT, all).await);
    }

    /// Drops all running steps.
    pub(crate) fn abandon(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

fn fault(message: String) -> StepEnd {
    StepEnd::Failed(StepFault { reason: "Unknown Error.".to_owned(), message, log_file: None })
}

async fn run_after(command: &[String], call: &StepCall, stop: &mut StopSignal) -> StepEnd {
    let Some((program, arguments)) = command.split_first() else { return StepEnd::Completed };
    let mut process = Command::new(program);
    process.args(arguments).current_dir(&call.folder);
    process.env("SLUICE_CLUSTER_ID", &call.cluster_id).env("SLUICE_STEP_ID", &call.step_id);
    let stderr = call.folder.join("after-stderr");
    match Leash::start(&process, &call.folder.join("after-stdout"), &stderr) {
        Ok(leash) => failure_of(leash.end(stop).await, &stderr),
        Err(error) => fault(format!("cannot start {program}: {error}")),
    }
}

/// The folder of `LogUri`, if it is on this machine.
fn folder_of_logs(uri: &str) -> Option<PathBuf> {
    Url::parse(uri).ok().filter(|uri| uri.scheme() == "file")?.to_file_path().ok()
}

/// Copies the logs of a step to where its cluster keeps logs; the failure of a step names the copy.
fn with_kept_logs(call: &StepCall, end: StepEnd) -> StepEnd {
    let Some(logs) = &call.logs else { return end };
    let copy = |name: &str| -> Option<PathBuf> {
        let (from, to) = (call.folder.join(name), logs.join(name));
        if !Path::new(&from).is_file() {
            return None;
        }
        fs::create_dir_all(logs).and_then(|()| fs::copy(&from, &to)).ok().map(|_| to)
    };
    let _ = copy("stdout");
    let kept = copy("stderr");
    match end {
        StepEnd::Failed(fault) => {
            let log_file = kept.or(fault.log_file);
            StepEnd::Failed(StepFault { log_file, ..fault })
        }
        end => end,
    }
}
