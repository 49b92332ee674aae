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
/// attempt of a Task is three (scheduled, started, ended).
pub(super) const HISTORY_LIMIT_EVENTS: u32 = 25_000;

/// An error on its way to Retry, to Catch, or to the end of the execution.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: AslErrorName,
    pub(super) cause: String,
    /// Ends the execution whatever Retry and Catch say.
    pub(super) is_final: bool,
}

impl Failure {
    pub(super) fn last(error: impl Into<AslErrorName>, cause: String) -> Self {
        Self { error: error.into(), cause, is_final: true }
    }

    pub(super) fn runtime(cause: String) -> Self {
        Self::last(ServiceError::Runtime, cause)
    }

    pub(super) fn task(error: impl Into<AslErrorName>, cause: String) -> Self {
        Self { error: error.into(), cause, is_final: false }
    }

    pub(super) fn execution_timeout() -> Self {
        Self::last(
            ServiceError::Timeout,
            "the execution ran longer than the `TimeoutSeconds` of its state machine".to_owned(),
        )
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
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || r##"<>{}[]?*"#%\^|~`$&,;:/"##.contains(c);
    if name.is_empty() || name.chars().count() > 80 || name.contains(forbidden) {
        let cause = format!("`{name}` is not a valid execution name: use 1 to 80 letters, digits, `-`, `_` and `.`");
        return Err(Failure::last("InvalidName".to_owned(), cause));
    }
    Ok(())
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
