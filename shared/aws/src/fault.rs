//! SDK errors by what the caller does next.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_core::error::ErrorName;

/// The SDK's error as ours: `doing` says what failed, such as `publish to topic arn:…`.
#[cfg(any(feature = "sns", feature = "eventbridge"))]
pub(crate) fn step_error<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> sluice_core::error::StepError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let step = sluice_core::error::StepError::new(name_of(error), error);
    sluice_core::error::StepError { message: format!("cannot {doing}: {}", step.message), ..step }
}

/// The name of the SDK's error.
pub(crate) fn name_of<E>(error: &SdkError<E, HttpResponse>) -> ErrorName
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => ErrorName::Unavailable,
        // Missing credentials end up here too, and calling again does not find them.
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => ErrorName::Unavailable,
        SdkError::ServiceError(failure) => {
            classify(failure.err().code().unwrap_or_default(), failure.raw().status().as_u16())
        }
        _ => ErrorName::Internal,
    }
}

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
        | "KMSThrottling"
        | "SlowDown" => ErrorName::Throttled,
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
        "NoSuchBucket" | "NotFound" | "NotFoundException" | "ResourceNotFoundException" => ErrorName::NotFound,
        "InternalError" | "InternalFailure" | "InternalException" | "ServiceUnavailable" => ErrorName::Unavailable,
        _ => match status {
            401 | 403 => ErrorName::AccessDenied,
            429 => ErrorName::Throttled,
            408 | 500..=599 => ErrorName::Unavailable,
            _ => ErrorName::Internal,
        },
    }
}
