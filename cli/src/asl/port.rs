//! What the interpreter needs from outside: functions to call, a clock, and an observer of its events.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::ExecutionEvent;

/// Calls the function behind a Task state.
pub trait TaskHandler: Sync {
    /// Calls `function` (the `FunctionName` of the definition, placeholders substituted) with `payload` and returns what
    /// the function answers. The future is dropped when the state's timeout passes.
    ///
    /// # Errors
    /// A [`TaskFailure`] with the error name that the function reports; `Retry` and `Catch` match on it.
    fn invoke(&self, function: &str, payload: Value) -> impl Future<Output = Result<Value, TaskFailure>> + Send;
    /// Most items of a Map that run at the same time, whatever its definition allows. A handler whose calls share one
    /// machine has a bound; without this, none.
    fn at_once(&self) -> usize {
        usize::MAX
    }
}

/// A function call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct TaskFailure {
    /// Stable error name, for example `CommitConflict`.
    pub error: String,
    /// Text for people.
    pub cause: String,
}

impl TaskFailure {
    /// The failure of a function that returned an error, in the shape that Lambda gives it: the cause is the JSON text
    /// `{"errorMessage": …, "errorType": …}`. Handlers that call functions in-process use this, so that what a function
    /// reads under `$.error.Cause` is the same here and deployed.
    #[must_use]
    pub fn of_function(error_type: &str, error_message: &str) -> Self {
        let cause = json!({ "errorMessage": error_message, "errorType": error_type }).to_string();
        Self { error: error_type.to_owned(), cause }
    }
}

/// Clock, sleep and random waits, so that tests need no real time.
pub trait Timer: Sync {
    /// Returns after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    /// The sleep of a Wait state of this length. A timer may shorten it, because the state machine polls again
    /// after the wait; timeouts and the waits of retriers are never shortened.
    fn wait(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep(duration)
    }
    /// The time now.
    fn now(&self) -> Timestamp;
    /// A wait from zero to `max`, both included.
    fn jitter(&self, max: Duration) -> Duration;
}

/// Receives every event of an execution, in order, while it runs.
pub trait Observer: Sync {
    /// Takes one event. Slow observers slow the execution.
    fn on(&self, event: &ExecutionEvent);
}

/// The real clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallTimer;

impl Timer for WallTimer {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn jitter(&self, max: Duration) -> Duration {
        // Only spreads retries, so the random keys of the hasher are random enough.
        let [chance, ..] = RandomState::new().hash_one(max).to_be_bytes();
        max.mul_f64(f64::from(chance) / f64::from(u8::MAX)).min(max)
    }
}

/// How much longer each Wait state of a [`LocalTimer`] may be than the one before. The n-th wait is at most n times this:
/// a loop of 240 polls still takes 0.2 s × 240² / 2 = 96 minutes before it gives up, and the first polls come at once.
const WAIT_GROWTH: Duration = Duration::from_millis(200);

/// The real clock for an execution in which everything runs on this machine: Wait states are short at first and grow,
/// since nothing here takes minutes to start. Each execution needs one of its own.
#[derive(Debug, Default)]
pub struct LocalTimer {
    waits: AtomicU32,
}

impl LocalTimer {
    /// How long the next wait of this length really takes.
    fn shortened(&self, duration: Duration) -> Duration {
        let waits = self.waits.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        WAIT_GROWTH.saturating_mul(waits).min(duration)
    }
}

impl Timer for LocalTimer {
    async fn sleep(&self, duration: Duration) {
        WallTimer.sleep(duration).await;
    }

    async fn wait(&self, duration: Duration) {
        self.sleep(self.shortened(duration)).await;
    }

    fn now(&self) -> Timestamp {
        WallTimer.now()
    }

    fn jitter(&self, max: Duration) -> Duration {
        WallTimer.jitter(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_waits_grow_and_are_never_longer_than_requested() {
        let timer = LocalTimer::default();
        let millis = |asked: u64| timer.shortened(Duration::from_secs(asked)).as_millis();
        assert_eq!([15, 15, 0, 15].map(millis), [200, 400, 0, 800]);
        let total: Duration = (4..240).map(|_| timer.shortened(Duration::from_secs(120))).sum();
        assert!(total > Duration::from_secs(90 * 60), "{total:?}");
        assert_eq!((240..1200).map(|_| millis(120)).max(), Some(120_000));
    }
}
