//! Events of EventBridge: the envelope that all of them have, and the detail that the reader expects in it.

// EventBridge was called CloudWatch Events; the envelope is the same.
use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Which event a reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventKind {
    /// The service that sends it.
    pub(crate) service: &'static str,
    /// Its `detail-type`.
    pub(crate) detail_type: &'static str,
    /// What it does to a run, for messages.
    pub(crate) effect: &'static str,
}

/// Why an event was not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    /// A field is missing or wrong.
    #[error("at `{path}`: {message}")]
    Field {
        /// Path of the field.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// It is another event than the reader takes.
    #[error("event '{found}' of '{found_service}' does not {effect} a run: send '{expected}' of '{expected_service}'")]
    OtherEvent {
        /// Its `detail-type`.
        found: String,
        /// Its `source`.
        found_service: String,
        /// What the reader does to a run.
        effect: &'static str,
        /// The `detail-type` that the reader takes.
        expected: &'static str,
        /// The `source` that the reader takes.
        expected_service: &'static str,
    },
    /// It says that an execution runs, or succeeded.
    #[error("at `detail.status`: '{status}' is not an end without success: send FAILED, TIMED_OUT or ABORTED")]
    NotAnEnd {
        /// The status.
        status: String,
    },
}

/// Whether a payload is an event of EventBridge. All of them have this field, and no payload of ours does.
pub fn is_event(payload: &Value) -> bool {
    payload.get("detail-type").is_some()
}

/// The detail of an event of this kind.
pub(crate) fn detail_of<T: DeserializeOwned>(event: Value, kind: EventKind) -> Result<T, EventError> {
    let CloudWatchEvent::<Value> { source, detail_type, detail, .. } = field(event, "")?;
    if (source.as_deref(), detail_type.as_deref()) != (Some(kind.service), Some(kind.detail_type)) {
        return Err(EventError::OtherEvent {
            found: detail_type.unwrap_or_default(),
            found_service: source.unwrap_or_default(),
            effect: kind.effect,
            expected: kind.detail_type,
            expected_service: kind.service,
        });
    }
    field(detail.unwrap_or_default(), "detail")
}

/// Reads the value that is at `parent`; errors name the whole path.
pub(crate) fn field<T: DeserializeOwned>(value: Value, parent: &str) -> Result<T, EventError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let own = error.path().to_string();
        let path = match (parent, own.as_str()) {
            ("", own) => own.to_owned(),
            (parent, ".") => parent.to_owned(),
            (parent, own) => format!("{parent}.{own}"),
        };
        EventError::Field { path, message: error.into_inner().to_string() }
    })
}
