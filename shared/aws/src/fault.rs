//! SDK errors by what the caller does next.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sluice_core::error::ErrorName;

use crate::code::classify;

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
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => ErrorName::Unavailable,
        SdkError::ServiceError(failure) => {
            classify(failure.err().code().unwrap_or_default(), failure.raw().status().as_u16())
        }
        _ => credentials_fault(error).unwrap_or(ErrorName::Internal),
    }
}

/// The name of an error that kept a request from being sent, when it was for want of credentials: calling again does not
/// find them, unless whoever has them did not answer.
fn credentials_fault(error: &(dyn Error + 'static)) -> Option<ErrorName> {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    causes.find_map(|cause| cause.downcast_ref::<CredentialsError>()).map(|missing| match missing {
        CredentialsError::ProviderTimedOut(_) => ErrorName::Unavailable,
        _ => ErrorName::AccessDenied,
    })
}
