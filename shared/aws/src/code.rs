//! Error codes of services by what the caller does next.

use sluice_core::error::ErrorName;

/// The name of an error that a service answered, by its code and, for codes unknown here, its HTTP status.
pub(crate) fn classify(code: &str, status: u16) -> ErrorName {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "Throttled"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "KMSThrottling" => ErrorName::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "NotAuthorizedForDetailTypeException"
        | "NotAuthorizedForSourceException"
        | "SignatureDoesNotMatch"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException" => ErrorName::AccessDenied,
        "NotFound" | "NotFoundException" | "ResourceNotFoundException" => ErrorName::NotFound,
        "InternalError" | "InternalFailure" | "InternalException" | "ServiceUnavailable" => ErrorName::Unavailable,
        _ => match status {
            401 | 403 => ErrorName::AccessDenied,
            429 => ErrorName::Throttled,
            408 | 500..=599 => ErrorName::Unavailable,
            _ => ErrorName::Internal,
        },
    }
}
