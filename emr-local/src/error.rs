//! Errors as EMR puts them on the wire.

use serde_json::{Value, json};

/// An error response: its HTTP status, its `__type` and its text.
///
/// EMR's own exceptions carry the text in `Message`; those of the front end that all AWS services share (throttling,
/// validation, unknown operations) carry it in `message`. Clients read both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub(crate) struct ApiError {
    status: u16,
    kind: &'static str,
    message: String,
}

impl ApiError {
    /// The request names something that does not exist, or is not possible now.
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self { status: 400, kind: "InvalidRequestException", message: message.into() }
    }

    /// The request breaks a rule of the API.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self { status: 400, kind: "ValidationException", message: message.into() }
    }

    /// Too many requests.
    pub(crate) fn throttling() -> Self {
        Self { status: 400, kind: "ThrottlingException", message: "Rate exceeded".to_owned() }
    }

    /// A defect of the service.
    pub(crate) fn internal() -> Self {
        Self { status: 500, kind: "InternalServerException", message: "Internal service error".to_owned() }
    }

    /// The body is not valid JSON for the operation.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self { status: 400, kind: "SerializationException", message: message.into() }
    }

    /// No such operation.
    pub(crate) fn unknown_operation(target: &str) -> Self {
        Self {
            status: 400,
            kind: "UnknownOperationException",
            message: format!("the operation {target} does not exist"),
        }
    }

    /// HTTP status of the response.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The name that clients match: `__type`.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The body of the response.
    pub(crate) fn body(&self) -> Value {
        let key = match self.kind {
            "InvalidRequestException" | "InternalServerException" => "Message",
            _ => "message",
        };
        json!({ "__type": self.kind, key: self.message })
    }
}
