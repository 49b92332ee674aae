//! Task states: attempts with their time limits, Retry and Catch.

use serde_json::{Value, json};

use super::{Execution, Step, place};
use crate::asl::error_name::ServiceError;
use crate::asl::event::ExecutionEvent;
use crate::asl::limit::{Failure, Reach, check_size};
use crate::asl::machine::{TaskAction, Then};
use crate::asl::port::{Observer, TaskHandler, Timer};
use crate::asl::retry::RetryCounts;

impl<H: TaskHandler, T: Timer, O: Observer> Execution<'_, H, T, O> {
    /// Attempts the task until it succeeds or no retrier matches.
    pub(super) async fn task(
        &mut self,
        name: &str,
        task: &TaskAction,
        raw: &Value,
        data: &Value,
    ) -> Result<Value, Failure> {
        let mut counts = RetryCounts::new(&task.retry);
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(name, task, raw, data).await {
                Ok(output) => return Ok(output),
                Err(failure) => failure,
            };
            self.observer.on(&ExecutionEvent::TaskFailed {
                name: name.to_owned(),
                error: failure.error.to_string(),
                cause: failure.cause.clone(),
                attempt,
                at: self.timer.now(),
            });
            if failure.is_final() {
                return Err(failure);
            }
            let Some((retrier, retry)) = counts.next(&task.retry, &failure.error) else {
                return Err(failure);
            };
            let delay = retrier.delay(retry);
            let wait = if retrier.full_jitter { self.timer.jitter(delay).min(delay) } else { delay };
            self.set_retry_count(attempt);
            attempt = attempt.saturating_add(1);
            let at = self.timer.now();
            self.observer.on(&ExecutionEvent::RetryScheduled { name: name.to_owned(), attempt, wait, at });
            self.pause(wait).await?;
        }
    }

    async fn attempt(&mut self, name: &str, task: &TaskAction, raw: &Value, data: &Value) -> Result<Value, Failure> {
        let payload = task.payload.fill(data, &self.context)?;
        check_size(&format!("state/task '{name}'"), &payload)?;
        self.count_events(3)?;
        let remaining = self.remaining()?;
        let limit = remaining.map_or(task.timeout, |remaining| remaining.min(task.timeout));
        let answer = tokio::select! {
            // An answer that has arrived counts, even when the time is also up.
            biased;
            answer = self.handler.invoke(&task.function, payload) => Some(answer),
            () = self.timer.sleep(limit) => None,
        };
        let answer = match answer {
            Some(answer) => answer?,
            None if remaining.is_some_and(|remaining| remaining <= task.timeout) => {
                return Err(Failure::execution_timeout());
            }
            // The service leaves the cause of a timeout empty.
            None => return Err(Failure::task(ServiceError::Timeout, String::new())),
        };
        let result = json!({ "ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200 });
        check_size(&format!("state/task '{name}'"), &result)?;
        let result = match &task.result_selector {
            Some(selector) => selector.fill(&result, &self.context)?,
            None => result,
        };
        place(name, &task.result_path, raw.clone(), result)
    }

    pub(super) fn catch(&self, name: &str, task: &TaskAction, raw: Value, failure: Failure) -> Result<Step, Failure> {
        let catcher = task.catch.iter().find(|catcher| catcher.errors.matches(&failure.error));
        let Some(catcher) = catcher.filter(|_| !failure.is_final()) else {
            return Err(failure);
        };
        let (error, cause) = (failure.error.to_string(), failure.cause);
        let output = json!({ "Error": error, "Cause": cause });
        let output = place(name, &catcher.result_path, raw, output)
            .map_err(|failure| Failure { reach: Reach::Execution, ..failure })?;
        let (name, next, at) = (name.to_owned(), catcher.next.clone(), self.timer.now());
        self.observer.on(&ExecutionEvent::Caught { name, error, cause, next, at });
        Ok(Step { then: Then::Next(catcher.next.clone()), output })
    }
}
