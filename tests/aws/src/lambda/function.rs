//! A function: its limits, its idle instances, and one call of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use super::instance::Instance;
use super::runtime::{Delivery, Outcome};
use crate::faults::CallFault;
use crate::names;
use crate::records::now_ms;

/// Lambda gives ten seconds; unoptimised programs on a busy machine get more.
const INIT: Duration = Duration::from_secs(60);
/// How often the memory of a working instance is checked.
const LOOK: Duration = Duration::from_millis(25);

/// Limits of a function.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How long a call may take.
    pub(crate) timeout_seconds: f64,
    /// How much memory its process may have.
    pub(crate) memory_mb: u64,
    /// How many calls may run at once.
    pub(crate) concurrency: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout_seconds: 60.0, memory_mb: 3008, concurrency: 1000 }
    }
}

/// A function of a deployment.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its plain name.
    pub(crate) name: &'static str,
    /// Its limits.
    pub(crate) settings: Settings,
    /// One permit for each call that may run at once.
    pub(crate) permits: Arc<Semaphore>,
    idle: Mutex<Vec<Instance>>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// The answer, or the error in Lambda's form.
    pub(crate) payload: Bytes,
    /// `None` when it answered.
    pub(crate) error_type: Option<String>,
    /// The highest memory use that was seen.
    pub(crate) peak_kib: u64,
    /// Whether it was killed for its memory.
    pub(crate) out_of_memory: bool,
    /// When the event was given to it.
    pub(crate) ready: Instant,
}

impl Function {
    /// Creates a function without instances.
    pub(crate) fn new(name: &'static str, settings: Settings) -> Self {
        let permits = Arc::new(Semaphore::new(settings.concurrency));
        Self { name, settings, permits, idle: Mutex::default() }
    }

    /// A living idle instance.
    pub(crate) fn take_idle(&self) -> Option<Instance> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(instance) = idle.pop() {
            if instance.is_alive() {
                return Some(instance);
            }
        }
        None
    }

    /// Keeps an instance for the next call.
    pub(crate) fn keep(&self, instance: Instance) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }

    /// Ends all idle instances.
    pub(crate) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }

    /// Gives an event to an instance and waits for the end of the call, whatever it is.
    pub(crate) async fn call(
        &self,
        deployment: &str,
        instance: &Instance,
        request_id: &str,
        payload: Bytes,
        fault: Option<CallFault>,
    ) -> Ended {
        let watched = Watched { instance, request_id, limit_kib: self.settings.memory_mb.saturating_mul(1024) };
        let mut ended =
            Ended { payload: Bytes::new(), error_type: None, peak_kib: 0, out_of_memory: false, ready: Instant::now() };
        let mut started = watched.started().await;
        ended.ready = Instant::now();
        // The limit is too small even to start: the instance gets no event.
        if started.is_ok() && !watched.has_memory(&mut ended) {
            started = Err(watched.out_of_memory(&mut ended).await);
        }
        if let Err(reason) = started {
            return ended.failed(reason);
        }
        let timeout = Duration::try_from_secs_f64(self.settings.timeout_seconds).unwrap_or(Duration::from_secs(900));
        let (taken, is_taken) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        let delivery = Delivery {
            request_id: request_id.to_owned(),
            arn: names::function_arn(deployment, self.name),
            deadline_ms: now_ms().saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            payload,
            taken,
            done,
        };
        if instance.events.send(delivery).await.is_err() {
            return ended.failed(watched.exit_error().await);
        }
        if fault == Some(CallFault::Exit) {
            // The process dies before it takes the event or is killed with it; both have the same effect.
            tokio::select! {
                _ = is_taken => instance.kill(),
                _ = instance.exited() => {}
            }
        }
        let found = watched.outcome(outcome, timeout, &mut ended).await;
        match found {
            Ok(Outcome::Answer(_) | Outcome::Error(_)) if fault == Some(CallFault::LoseAnswer) => {
                instance.kill();
                ended.failed(watched.exit_error().await)
            }
            Ok(Outcome::Answer(payload)) => Ended { payload, ..ended },
            Ok(Outcome::Error(payload)) => {
                let reason: Value = serde_json::from_slice(&payload).unwrap_or_default();
                let name = reason.get("errorType").and_then(Value::as_str).unwrap_or("Unknown");
                Ended { error_type: Some(name.to_owned()), payload, ..ended }
            }
            Err(reason) => ended.failed(reason),
        }
    }
}

impl Ended {
    fn failed(self, reason: Failure) -> Self {
        let body = json!({"errorType": reason.error_type, "errorMessage": reason.message});
        Self { payload: body.to_string().into(), error_type: Some(reason.error_type), ..self }
    }

    /// The result of an instance that could not be started.
    pub(crate) fn without_instance(error: &anyhow::Error) -> Self {
        let reason = Failure { error_type: "Runtime.InvalidEntrypoint".to_owned(), message: format!("{error:#}") };
        let ready = Instant::now();
        Self { payload: Bytes::new(), error_type: None, peak_kib: 0, out_of_memory: false, ready }.failed(reason)
    }
}

/// An error that the Lambda service itself reports.
struct Failure {
    error_type: String,
    message: String,
}

/// An instance while it has an event.
struct Watched<'a> {
    instance: &'a Instance,
    request_id: &'a str,
    limit_kib: u64,
}

impl Watched<'_> {
    /// Waits until the process asks for an event.
    async fn started(&self) -> Result<(), Failure> {
        let mut ready = self.instance.api.ready();
        tokio::select! {
            _ = ready.wait_for(|is_ready| *is_ready) => Ok(()),
            reason = self.instance.exited() => Err(self.init_failure().unwrap_or_else(|| self.failure("Runtime.ExitError", &reason))),
            () = sleep(INIT) => {
                self.instance.kill();
                Err(self.failure("Sandbox.Timedout", &format!("Task timed out after {:.2} seconds", INIT.as_secs_f64())))
            }
        }
    }

    /// Waits for the outcome, the process's end, the deadline or too much memory.
    async fn outcome(
        &self,
        mut outcome: oneshot::Receiver<Outcome>,
        timeout: Duration,
        ended: &mut Ended,
    ) -> Result<Outcome, Failure> {
        let deadline = sleep(timeout);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                biased;
                found = &mut outcome => match found {
                    // A call may end before its memory was ever checked.
                    Ok(outcome) if self.has_memory(ended) => return Ok(outcome),
                    Ok(_) => return Err(self.out_of_memory(ended).await),
                    Err(_) => return Err(self.exit_error().await),
                },
                reason = self.instance.exited() => return Err(self.failure("Runtime.ExitError", &reason)),
                () = &mut deadline => {
                    self.instance.kill();
                    let reason = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
                    return Err(self.failure("Sandbox.Timedout", &reason));
                }
                () = sleep(LOOK) => if !self.has_memory(ended) {
                    return Err(self.out_of_memory(ended).await);
                }
            }
        }
    }

    /// Checks the memory of the process.
    fn has_memory(&self, ended: &mut Ended) -> bool {
        let kib = self.instance.resident_kib().unwrap_or(0);
        ended.peak_kib = ended.peak_kib.max(kib);
        kib <= self.limit_kib
    }

    async fn out_of_memory(&self, ended: &mut Ended) -> Failure {
        ended.out_of_memory = true;
        self.instance.kill();
        self.exit_error().await
    }

    async fn exit_error(&self) -> Failure {
        let reason = self.instance.exited().await;
        self.failure("Runtime.ExitError", &reason)
    }

    fn init_failure(&self) -> Option<Failure> {
        let reason: Value = serde_json::from_slice(&self.instance.api.init_error()?).ok()?;
        let text = |name: &str| reason.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Failure { error_type: text("errorType"), message: text("errorMessage") })
    }

    fn failure(&self, error_type: &str, reason: &str) -> Failure {
        let message = format!("RequestId: {} Error: {reason}", self.request_id);
        Failure { error_type: error_type.to_owned(), message }
    }
}
