//! Names of errors: what `Retry` and `Catch` match. Parsed once, from the definition and from what a task answers.

use std::fmt;

/// A name of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AslErrorName {
    /// One that the service gives or that means several errors.
    Service(ServiceError),
    /// Any other: of a function, of Lambda, of a Fail state.
    Other(String),
}

/// The names of the service, all of which begin with `States.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceError {
    /// Matches everything but [`Self::Runtime`] and [`Self::DataLimitExceeded`].
    All,
    /// Matches everything that a task fails with but [`Self::Timeout`].
    TaskFailed,
    Timeout,
    HeartbeatTimeout,
    Permissions,
    ResultPathMatchFailure,
    ParameterPathFailure,
    IntrinsicFailure,
    NoChoiceMatched,
    /// An item of a Map failed.
    ExceedToleratedFailureThreshold,
    /// Ends the execution whatever Retry and Catch say.
    Runtime,
    /// Ends the execution whatever Retry and Catch say.
    DataLimitExceeded,
}

impl ServiceError {
    const ALL: [Self; 12] = [
        Self::All,
        Self::TaskFailed,
        Self::Timeout,
        Self::HeartbeatTimeout,
        Self::Permissions,
        Self::ResultPathMatchFailure,
        Self::ParameterPathFailure,
        Self::IntrinsicFailure,
        Self::NoChoiceMatched,
        Self::ExceedToleratedFailureThreshold,
        Self::Runtime,
        Self::DataLimitExceeded,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::All => "States.ALL",
            Self::TaskFailed => "States.TaskFailed",
            Self::Timeout => "States.Timeout",
            Self::HeartbeatTimeout => "States.HeartbeatTimeout",
            Self::Permissions => "States.Permissions",
            Self::ResultPathMatchFailure => "States.ResultPathMatchFailure",
            Self::ParameterPathFailure => "States.ParameterPathFailure",
            Self::IntrinsicFailure => "States.IntrinsicFailure",
            Self::NoChoiceMatched => "States.NoChoiceMatched",
            Self::ExceedToleratedFailureThreshold => "States.ExceedToleratedFailureThreshold",
            Self::Runtime => "States.Runtime",
            Self::DataLimitExceeded => "States.DataLimitExceeded",
        }
    }
}

impl From<String> for AslErrorName {
    fn from(text: String) -> Self {
        let known = ServiceError::ALL.into_iter().find(|error| error.as_str() == text);
        known.map_or(Self::Other(text), Self::Service)
    }
}

impl From<ServiceError> for AslErrorName {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl fmt::Display for AslErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service(error) => error.as_str(),
            Self::Other(text) => text,
        })
    }
}
