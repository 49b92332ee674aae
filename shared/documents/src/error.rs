//! What goes wrong with documents, and what each fault is called.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{DocumentKind, RunRef};

/// How the store's last answer begins. Its type is private: the text is all there is.
const STATUS: &str = "Server returned non-2xx status code: ";
/// Codes of S3 for tokens that are no longer valid, which it answers with status 400.
const STALE_TOKEN: [&str; 2] = ["ExpiredToken", "InvalidToken"];
/// Other codes of S3 with a status like 400 that are not about the object asked for: they are about credentials, the
/// request or the whole bucket, or they pass.
const NOT_OF_AN_OBJECT: [&str; 19] = [
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "CredentialsNotSupported",
    "IllegalLocationConstraintException",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "InvalidSecurity",
    "MalformedSecurityHeader",
    "MissingSecurityHeader",
    "NoSuchBucket",
    "PermanentRedirect",
    "Redirect",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "SignatureDoesNotMatch",
    "SlowDown",
    "TemporaryRedirect",
    "UnsupportedSignature",
];
/// Characters of a store's words that are kept.
const MAX_WORDS: usize = 300;

/// A document or its store failed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The root or its options do not make a store.
    #[error("lake '{root}' cannot be opened")]
    Open {
        /// Address of the root.
        root: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// An option that the store does not know.
    #[error("lake '{root}': option `{option}` is unknown: use the names of object_store, such as aws_region")]
    UnknownOption {
        /// Address of the root.
        root: String,
        /// The option.
        option: String,
    },
    /// The store refused or did not answer.
    #[error("cannot {action} '{uri}'")]
    Store {
        /// What was tried: `read`, `look for`, `write`, `delete` or `list`.
        action: &'static str,
        /// Address of the document or folder.
        uri: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// A step of an attempt was called before the step whose document it reads.
    #[error("run `{}` of `{}` has no {kind} for attempt {}; run the step before", .run.run_id, .run.pipeline, .run.attempt)]
    Missing {
        /// The attempt.
        run: RunRef,
        /// The document.
        kind: DocumentKind,
    },
    /// The document was created by somebody and deleted before it could be read.
    #[error("document '{uri}' has disappeared: somebody deletes documents of runs that are still running")]
    Vanished {
        /// Address of the document.
        uri: String,
    },
    /// The stored text is not the document expected.
    #[error("document '{uri}' is not readable at `{field}`: it was written by another version or changed by hand")]
    Decode {
        /// Address of the document.
        uri: String,
        /// Path of the field, such as `run.attempt`; `.` is the document itself.
        field: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The document has no JSON form.
    #[error("document '{uri}' has no JSON form")]
    Encode {
        /// Address of the document.
        uri: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The store listed a name that no Sluice document has.
    #[error("object '{name}' in folder '{uri}' is not a document of Sluice: remove it")]
    AlienName {
        /// Address of the folder.
        uri: String,
        /// Key as the store has it.
        name: String,
    },
}

impl DocumentError {
    /// The stable name of the fault.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Open { .. } | Self::UnknownOption { .. } | Self::Decode { .. } | Self::AlienName { .. } => {
                ErrorName::InvalidInput
            }
            Self::Store { source, .. } => classify(source),
            Self::Missing { .. } | Self::Vanished { .. } => ErrorName::NotFound,
            Self::Encode { .. } => ErrorName::Internal,
        }
    }

    /// Whether the document exists and its text is no such document. A list leaves out or names such a one: it must not
    /// keep the others from the reader.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Decode { .. })
    }
}

impl From<DocumentError> for StepError {
    fn from(error: DocumentError) -> Self {
        Self::new(error.name(), &error)
    }
}

/// The stable name of an object store's fault, by what the caller does next.
///
/// Missing objects and buckets are `NotFound`; "slow down" is `Throttled`; no answer, a broken answer and other server
/// faults are `Unavailable`; a name that the store cannot hold is `InvalidInput`. A full disk is `Unavailable`. Refused
/// credentials and rights, and keys that are disabled or deleted, are `AccessDenied`. Everything unknown is `Internal`:
/// trying again does not help and an operator has to look.
pub fn classify(error: &object_store::Error) -> ErrorName {
    match error {
        object_store::Error::NotFound { .. } => ErrorName::NotFound,
        object_store::Error::InvalidPath { .. } | object_store::Error::UnknownConfigurationKey { .. } => {
            ErrorName::InvalidInput
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorName::AccessDenied
        }
        // The store retries by itself and only then gives the last answer, in private types: the text is all there is.
        object_store::Error::Generic { source, .. } => {
            causes(source.as_ref()).find_map(classify_cause).unwrap_or(ErrorName::Internal)
        }
        _ => ErrorName::Internal,
    }
}

/// What the store answered when it refused to read one object for itself, and will again: code, status and words. On S3
/// the encryption of the object or its key is the usual reason; an answer to HEAD has no code and no words.
///
/// `None` for all other faults: of credentials and rights, which have an error type of their own, of the request or the
/// whole bucket, of an object that is missing or was replaced, and for faults that pass.
pub fn object_refusal(error: &object_store::Error) -> Option<String> {
    causes(error).find_map(|cause| refusal_words(&cause.to_string()))
}

fn refusal_words(text: &str) -> Option<String> {
    let (status, body) = text.strip_prefix(STATUS)?.split_once(": ")?;
    let number: u16 = status.get(..3)?.parse().ok()?;
    if !(400..500).contains(&number) || [401, 403, 404, 408, 409, 412, 416, 429].contains(&number) {
        return None;
    }
    let code = element(body, "Code").unwrap_or_default();
    if STALE_TOKEN.contains(&code) || NOT_OF_AN_OBJECT.contains(&code) || code.contains("Throttl") {
        return None;
    }
    let mut words = if code.is_empty() { status.to_owned() } else { format!("{code} ({status})") };
    if let Some(message) = element(body, "Message").filter(|message| !message.is_empty()) {
        words.push_str(": ");
        words.extend(message.trim_end_matches('.').chars().take(MAX_WORDS));
    }
    Some(words)
}

/// The text of the first element with this name in an answer of S3.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

fn classify_cause(cause: &(dyn Error + 'static)) -> Option<ErrorName> {
    if let Some(http) = cause.downcast_ref::<HttpError>() {
        return match http.kind() {
            HttpErrorKind::Connect
            | HttpErrorKind::Request
            | HttpErrorKind::Timeout
            | HttpErrorKind::Interrupted
            | HttpErrorKind::Decode => Some(ErrorName::Unavailable),
            _ => None,
        };
    }
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        return match io.kind() {
            io::ErrorKind::NotFound => Some(ErrorName::NotFound),
            io::ErrorKind::InvalidFilename => Some(ErrorName::InvalidInput),
            io::ErrorKind::PermissionDenied => Some(ErrorName::AccessDenied),
            // A full disk is not the caller's fault, and the same call succeeds once there is room.
            io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded => Some(ErrorName::Unavailable),
            _ => None,
        };
    }
    let text = cause.to_string();
    if !text.starts_with("Server returned") {
        return None;
    }
    let status = text.strip_prefix(STATUS).unwrap_or_default();
    let code = element(&text, "Code").unwrap_or_default();
    if status.starts_with("401") || status.starts_with("403") || STALE_TOKEN.contains(&code) {
        Some(ErrorName::AccessDenied)
    } else if status.starts_with("429") || text.contains("SlowDown") || code.contains("Throttl") {
        Some(ErrorName::Throttled)
    } else if status.starts_with('5') || status.starts_with("408") || text.contains("<Code>InternalError</Code>") {
        Some(ErrorName::Unavailable)
    } else if text.contains("<Code>KMS.") {
        // The key is disabled, deleted or not found.
        Some(ErrorName::AccessDenied)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fault of a store, with the text of its last answer as the only cause.
    fn answered(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    fn with_code(status: &str, code: &str, message: &str) -> object_store::Error {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        answered(&format!("{STATUS}{status}: {body}"))
    }

    #[test]
    fn what_a_store_refuses_to_read_is_refused_in_its_words() {
        let check = |error: object_store::Error, name: ErrorName, expected: Option<&str>| {
            assert_eq!(classify(&error), name, "{error}");
            assert_eq!(object_refusal(&error).as_deref(), expected, "{error}");
        };
        let bad = "400 Bad Request";
        let customer_key = "The object was stored using a form of Server Side Encryption.";
        check(
            with_code(bad, "InvalidRequest", customer_key),
            ErrorName::Internal,
            Some("InvalidRequest (400 Bad Request): The object was stored using a form of Server Side Encryption"),
        );
        for code in ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"] {
            let expected = format!("{code} (400 Bad Request): key k");
            check(with_code(bad, code, "key k"), ErrorName::AccessDenied, Some(&expected));
        }
        check(answered(&format!("{STATUS}{bad}: ")), ErrorName::Internal, Some(bad));
        let refused = "405 Method Not Allowed";
        check(answered(&format!("{STATUS}{refused}: ")), ErrorName::Internal, Some(refused));

        check(with_code(bad, "ExpiredToken", ""), ErrorName::AccessDenied, None);
        check(with_code(bad, "InvalidToken", ""), ErrorName::AccessDenied, None);
        check(with_code(bad, "AuthorizationHeaderMalformed", "the region is wrong"), ErrorName::Internal, None);
        check(with_code(bad, "KMS.ThrottlingException", ""), ErrorName::Throttled, None);
        check(with_code("403 Forbidden", "InvalidAccessKeyId", ""), ErrorName::AccessDenied, None);
        check(with_code("429 Too Many Requests", "SlowDown", ""), ErrorName::Throttled, None);
        check(with_code("408 Request Timeout", "RequestTimeout", ""), ErrorName::Unavailable, None);
        check(with_code("416 Range Not Satisfiable", "InvalidRange", ""), ErrorName::Internal, None);
        check(with_code("500 Internal Server Error", "InternalError", ""), ErrorName::Unavailable, None);
        check(answered("Received redirect without LOCATION"), ErrorName::Internal, None);
        let source = format!("{STATUS}404 Not Found: ").into();
        let missing = object_store::Error::NotFound { path: "a".to_owned(), source };
        check(missing, ErrorName::NotFound, None);
    }
}
