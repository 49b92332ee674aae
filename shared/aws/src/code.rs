//! Error codes of services by what the caller does next.

use sluice_core::error::ErrorName;

/// The name of an error that a service answered, by its code and, for codes unknown here, its HTTP status.
///
/// `Internal` is left for codes that say nothing to a person who runs Sluice: a defect of ours, or an unknown fault.
pub(crate) fn classify(code: &str, status: u16) -> ErrorName {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "Throttled"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        // A million open executions, or too many redriven ones: fewer after a while.
        | "ExecutionLimitExceeded"
        | "KMSThrottling"
        | "SlowDown"
        | "KmsThrottlingException" => ErrorName::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "NotAuthorizedForDetailTypeException"
        | "NotAuthorizedForSourceException"
        | "OptInRequired"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        // The key that something is encrypted with: no right on it, or it is turned off.
        | "KMSAccessDenied"
        | "KmsAccessDeniedException"
        | "KMSDisabled"
        | "KmsInvalidStateException"
        | "KMSInvalidState" => ErrorName::AccessDenied,
        "NoSuchBucket"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException"
        | "ExecutionDoesNotExist"
        | "StateMachineDeleting"
        | "StateMachineDoesNotExist" => ErrorName::NotFound,
        // A setting, or what a caller sent, is refused as it is.
        "ValidationException" | "ValidationError" | "InvalidArn" | "InvalidExecutionInput" => ErrorName::InvalidInput,
        "InternalError"
        | "InternalFailure"
        | "InternalException"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalServiceError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => ErrorName::Unavailable,
        _ => match status {
            401 | 403 => ErrorName::AccessDenied,
            429 => ErrorName::Throttled,
            408 | 500..=599 => ErrorName::Unavailable,
            _ => ErrorName::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_named_by_what_a_person_does_next() {
        let cases = [
            ("ThrottlingException", 400, ErrorName::Throttled),
            ("ExecutionLimitExceeded", 400, ErrorName::Throttled),
            ("SlowDown", 503, ErrorName::Throttled),
            ("NoSuchBucket", 404, ErrorName::NotFound),
            ("KmsThrottlingException", 400, ErrorName::Throttled),
            ("", 429, ErrorName::Throttled),
            ("AccessDeniedException", 400, ErrorName::AccessDenied),
            ("ExpiredTokenException", 400, ErrorName::AccessDenied),
            ("ExpiredToken", 403, ErrorName::AccessDenied),
            ("InvalidSignatureException", 400, ErrorName::AccessDenied),
            ("UnrecognizedClientException", 400, ErrorName::AccessDenied),
            ("KmsAccessDeniedException", 400, ErrorName::AccessDenied),
            ("NewKindOfRefusal", 403, ErrorName::AccessDenied),
            ("StateMachineDoesNotExist", 400, ErrorName::NotFound),
            ("ResourceNotFoundException", 400, ErrorName::NotFound),
            ("ValidationException", 400, ErrorName::InvalidInput),
            ("InvalidExecutionInput", 400, ErrorName::InvalidInput),
            ("InternalServerException", 200, ErrorName::Unavailable),
            ("", 503, ErrorName::Unavailable),
            ("NewKindOfFault", 400, ErrorName::Internal),
            ("", 200, ErrorName::Internal),
        ];
        for (code, status, name) in cases {
            assert_eq!(classify(code, status), name, "{code} {status}");
        }
    }
}
