//! Refusals and failures, as RFC 9457 has them.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sluice_core::error::{ErrorName, with_sources};
use sluice_documents::DocumentError;
use utoipa::ToSchema;

/// Media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, by what the caller does next. Codes are public API: never changed, only added. The table in
/// `docs/errors.md` is made from this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The request is not of the documented form.
    InvalidRequest,
    /// The SQL statement or filter is refused.
    InvalidSql,
    /// The cursor or page token is not valid, or belongs to another table, version or question.
    InvalidCursor,
    /// No credentials, or ones that are unknown, expired or revoked.
    Unauthenticated,
    /// The caller is known and lacks the right.
    Forbidden,
    /// It does not exist, or the caller may not know of it.
    NotFound,
    /// The address takes other methods.
    MethodNotAllowed,
    /// No format that the caller accepts can be given.
    NotAcceptable,
    /// The body came too slowly.
    RequestTimeout,
    /// Something else already has this name or key, or the run's state forbids the change.
    Conflict,
    /// The version existed and has been cleaned up.
    VersionGone,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body's media type is not supported.
    UnsupportedMediaType,
    /// The question reads or returns more than one call may.
    QueryTooLarge,
    /// The question takes longer than one call may.
    QueryTooSlow,
    /// Too many calls at once.
    TooManyRequests,
    /// A store or service does not answer.
    Unavailable,
    /// A defect, or data that are not as they must be.
    Internal,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::InvalidSql,
        Self::InvalidCursor,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::Conflict,
        Self::VersionGone,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::QueryTooLarge,
        Self::QueryTooSlow,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code as callers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::InvalidSql => "invalid-sql",
            Self::InvalidCursor => "invalid-cursor",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
            Self::RequestTimeout => "request-timeout",
            Self::Conflict => "conflict",
            Self::VersionGone => "version-gone",
            Self::BodyTooLarge => "body-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::QueryTooLarge => "query-too-large",
            Self::QueryTooSlow => "query-too-slow",
            Self::TooManyRequests => "too-many-requests",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::InvalidSql | Self::InvalidCursor => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::VersionGone => StatusCode::GONE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::QueryTooLarge | Self::QueryTooSlow => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What has happened, in words: one phrase without a capital and a full stop.
    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "the request is not of the documented form",
            Self::InvalidSql => {
                "the SQL is refused: it is outside of the subset, or names a column or table that does not exist for you"
            }
            Self::InvalidCursor => "the cursor or page token is not valid for this question, table and version",
            Self::Unauthenticated => "no credentials, or a token that is unknown, expired or revoked",
            Self::Forbidden => "you may not do this, or the address has expired",
            Self::NotFound => "it does not exist, or you may not know of it",
            Self::MethodNotAllowed => "the address does not take this method",
            Self::NotAcceptable => "no format in `Accept` is available",
            Self::RequestTimeout => "the body did not arrive in time",
            Self::Conflict => "another request has this key, or the run is in a state that does not allow this",
            Self::VersionGone => "the version existed and has been cleaned up",
            Self::BodyTooLarge => "the body is too large",
            Self::UnsupportedMediaType => "the media type of the body is not supported",
            Self::QueryTooLarge => "the question reads or returns more than one call may",
            Self::QueryTooSlow => "the question takes longer than one call may",
            Self::TooManyRequests => "too many calls at once",
            Self::Unavailable => "a store or service does not answer",
            Self::Internal => "a defect, or data that are not as they must be",
        }
    }

    /// What the caller does next: one phrase, as [`ErrorName::next_step`].
    pub fn next_step(self) -> &'static str {
        match self {
            Self::InvalidRequest => "correct `field`; `/openapi.json` describes the form",
            Self::InvalidSql => "correct it at the position in `detail`",
            Self::InvalidCursor => "begin again with the first page",
            Self::Unauthenticated => "use a valid profile file, or call with IAM credentials",
            Self::Forbidden => {
                "ask the owner of the product, whose page has the support channels, or ask for a new address"
            }
            Self::NotFound => "check the name; `/data-products` lists what you may find",
            Self::MethodNotAllowed => "see `/openapi.json`",
            Self::NotAcceptable => "ask for a format that `detail` names",
            Self::RequestTimeout => "send it again",
            Self::Conflict => "use a new key, or read the state of the run",
            Self::VersionGone => "ask for a newer version",
            Self::BodyTooLarge => "shorten it",
            Self::UnsupportedMediaType => "send JSON with `content-type: application/json`",
            Self::QueryTooLarge | Self::QueryTooSlow => "narrow the question, or read by Delta Sharing",
            Self::TooManyRequests | Self::Unavailable => "call again after `Retry-After`",
            Self::Internal => "give the operator the request id",
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A problem, as callers get it.
///
/// `errorCode` and `message` repeat code and detail under the names that Delta Sharing has for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Problem {
    /// `urn:sluice:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code.
    pub code: ProblemCode,
    /// The kind of problem in words.
    pub title: String,
    /// HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// This very problem in words, with the name of what is wrong and the fix.
    pub detail: String,
    /// The field that is wrong, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// The code, for clients of Delta Sharing.
    pub error_code: ProblemCode,
    /// The detail, for clients of Delta Sharing.
    pub message: String,
    /// The request, as it is in the log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem. `detail` names the object and the fix, and holds nothing that the caller may not read.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind: format!("urn:sluice:problem:{code}"),
            code,
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            message: detail.clone(),
            detail,
            field: None,
            error_code: code,
            request_id: None,
        }
    }

    /// With the field that is wrong.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// A fault of the lake, for callers who may not read its message: to call again when that can help, to ask for another
    /// version when this one is gone, else `internal` with this detail.
    pub fn of_lake(name: ErrorName, lasting: impl Into<String>) -> Self {
        if name.is_retryable() {
            Self::new(name.into(), "the lake does not answer: call again")
        } else if name == ErrorName::VersionGone {
            Self::new(name.into(), "a file of this version has been cleaned up: ask for a newer version")
        } else {
            Self::new(ProblemCode::Internal, lasting)
        }
    }
}

/// A fault of documents, for callers: what was read or where it is may not be theirs to know, so the log has it.
pub fn document_problem(error: &DocumentError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = with_sources(error), "a document of the lake cannot be used");
    Problem::of_lake(name, "a document of the lake cannot be used: give the operator the request id")
}

impl From<ErrorName> for ProblemCode {
    fn from(name: ErrorName) -> Self {
        match name {
            ErrorName::InvalidInput | ErrorName::ContractViolation => Self::InvalidRequest,
            ErrorName::NotFound => Self::NotFound,
            ErrorName::SourceChanged | ErrorName::ObjectsHeld | ErrorName::CommitConflict => Self::Conflict,
            ErrorName::Throttled => Self::TooManyRequests,
            ErrorName::Unavailable => Self::Unavailable,
            ErrorName::VersionGone => Self::VersionGone,
            // Credentials that are refused are those of the function, not of the caller.
            ErrorName::ClusterFailed
            | ErrorName::EtlFailed
            | ErrorName::AccessDenied
            | ErrorName::TableUnreadable
            | ErrorName::Internal => Self::Internal,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    /// The answer. The problem itself rides along as an extension, so that [`crate::guard`] can complete and log it.
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.code == ProblemCode::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, ProblemCode::TooManyRequests | ProblemCode::Unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_own_names() {
        for code in ProblemCode::ALL {
            assert_eq!(serde_json::to_value(code).ok(), Some(code.as_str().into()));
        }
    }

    #[test]
    fn problems_read_what_they_print() {
        let problem = Problem::new(ProblemCode::NotFound, "no product `sales/x`").in_field("product");
        let text = serde_json::to_string(&problem).expect("json");
        assert_eq!(serde_json::from_str::<Problem>(&text).ok(), Some(problem));
    }
}
