//! What goes wrong with documents, and what each fault is called.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{DocumentKind, RunRef};

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
/// credentials and rights are `AccessDenied`. Everything unknown is `Internal`: trying again does not help and an operator
/// has to look.
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
    let status = text.strip_prefix("Server returned non-2xx status code: ").unwrap_or_default();
    // Tokens that are no longer valid are answered with 400.
    let is_stale =
        || ["ExpiredToken", "InvalidToken"].iter().any(|code| text.contains(&format!("<Code>{code}</Code>")));
    if status.starts_with("401") || status.starts_with("403") || is_stale() {
        Some(ErrorName::AccessDenied)
    } else if status.starts_with("429") || text.contains("SlowDown") || text.contains("<Code>Throttl") {
        Some(ErrorName::Throttled)
    } else if status.starts_with('5') || status.starts_with("408") || text.contains("<Code>InternalError</Code>") {
        Some(ErrorName::Unavailable)
    } else {
        None
    }
}
