//! Failures, and the limits that the service sets on names, payloads and time.

use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::error_name::{AslErrorName, ServiceError};
use super::path::ReferencePath;
use super::port::TaskFailure;
use super::template::MissingNode;

/// The service's limit for a state's input, output, payload or result, in bytes of JSON text.
pub(super) const PAYLOAD_LIMIT_BYTES: usize = 256 * 1024;

/// The service's limit for the history of a standard execution. Entering and leaving a state is one event each, an
/// attempt of a Task is three (scheduled, started, ended), and a Map is four (the start and the end of the state and of
/// its run). What the items of a Map do is in histories of their own.
pub(super) const HISTORY_LIMIT_EVENTS: u32 = 25_000;

/// Most items of one Map that the service runs at the same time.
pub(super) const MAX_AT_ONCE: u64 = 10_000;

/// An error on its way to Retry, to Catch, or to the end of the execution.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: AslErrorName,
    pub(super) cause: String,
    pub(super) reach: Reach,
}

/// What a failure ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// An attempt of a state: Retry and Catch see it.
    State,
    /// The execution, whatever Retry and Catch say.
    Execution,
    /// The execution and, where it is one of a Map's item, the execution of the Map with all items: their time is up.
    Everything,
}

impl Failure {
    pub(super) fn last(error: impl Into<AslErrorName>, cause: String) -> Self {
        Self { error: error.into(), cause, reach: Reach::Execution }
    }

    pub(super) fn runtime(cause: String) -> Self {
        Self::last(ServiceError::Runtime, cause)
    }

    pub(super) fn task(error: impl Into<AslErrorName>, cause: String) -> Self {
        Self { error: error.into(), cause, reach: Reach::State }
    }

    pub(super) fn execution_timeout() -> Self {
        Self {
            error: ServiceError::Timeout.into(),
            cause: "the execution ran longer than the `TimeoutSeconds` of its state machine".to_owned(),
            reach: Reach::Everything,
        }
    }

    /// Whether Retry and Catch do not see it.
    pub(super) fn is_final(&self) -> bool {
        self.reach != Reach::State
    }
}

impl From<TaskFailure> for Failure {
    fn from(TaskFailure { error, cause }: TaskFailure) -> Self {
        Self::task(error, cause)
    }
}

impl From<MissingNode> for Failure {
    fn from(MissingNode { field, path }: MissingNode) -> Self {
        Self::runtime(format!("the path `{path}` specified for the field `{field}` could not be found in the input"))
    }
}

pub(super) fn missing(field: &str, path: &ReferencePath) -> Failure {
    MissingNode { field: field.to_owned(), path: path.clone() }.into()
}

pub(super) fn after(start: Timestamp, duration: Duration) -> Option<Timestamp> {
    SignedDuration::try_from(duration).ok().and_then(|duration| start.checked_add(duration).ok())
}

/// Time from `start` to `end`, zero when `end` is past.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or(Duration::ZERO)
}

pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if !is_name(name, 80) {
        let cause = format!("`{name}` is not a valid execution name: use 1 to 80 letters, digits, `-`, `_` and `.`");
        return Err(Failure::last("InvalidName".to_owned(), cause));
    }
    Ok(())
}

/// Whether the service takes `text` as a name of at most `longest` characters.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || r##"<>{}[]?*"#%\^|~`$&,;:/"##.contains(c);
    !text.is_empty() && text.chars().count() <= longest && !text.contains(forbidden)
}

pub(super) fn check_size(what: &str, value: &Value) -> Result<(), Failure> {
    let mut counter = ByteCounter(0);
    // Writing a JSON value into the counter cannot fail.
    let written = serde_json::to_writer(&mut counter, value);
    if written.is_err() || counter.0 > PAYLOAD_LIMIT_BYTES {
        let cause = format!(
            "the {what} has {} bytes of JSON text, more than the {PAYLOAD_LIMIT_BYTES} that are allowed",
            counter.0
        );
        return Err(Failure::last(ServiceError::DataLimitExceeded, cause));
    }
    Ok(())
}

struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
