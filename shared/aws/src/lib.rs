//! The only crate that knows the AWS SDK and the Lambda runtime.
//!
//! - [`mod@env`]: every environment variable, in one catalogue;
//! - [`store`]: how the lake on S3 is reached;
//! - `serve` (feature `lambda`): a handler as a Lambda function, with our error names and JSON logs;
//! - `sns`, `eventbridge` (features of the same names): messages to people, events to machines;
//! - `emr` (feature): clusters of the large engine;
//! - `s3` (feature): what only S3 itself can say of objects;
//! - `sfn` (feature): executions of the state machine;
//! - `secrets` (feature): the secret of data products, fetched when a function starts.

pub mod env;
pub mod store;

#[cfg(any(
    feature = "sns",
    feature = "eventbridge",
    feature = "emr",
    feature = "s3",
    feature = "secrets",
    feature = "sfn"
))]
mod code;
#[cfg(feature = "emr")]
pub mod emr;
#[cfg(all(
    test,
    any(
        feature = "sns",
        feature = "eventbridge",
        feature = "emr",
        feature = "s3",
        feature = "secrets",
        feature = "sfn"
    )
))]
mod endpoint;
#[cfg(feature = "eventbridge")]
pub mod eventbridge;
#[cfg(any(feature = "sns", feature = "eventbridge", feature = "emr", feature = "s3", feature = "sfn"))]
mod fault;
#[cfg(feature = "lambda")]
mod log;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "lambda")]
mod serve;
#[cfg(feature = "sfn")]
pub mod sfn;
#[cfg(feature = "sns")]
pub mod sns;

#[cfg(feature = "lambda")]
pub use serve::{serve, serve_with};

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Longest time of one try of one call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of one call with the SDK's own repetitions. Well below the 90 s that the state machine gives notify.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);

/// Region, credentials and endpoints as the AWS SDK finds them: environment, profile, SSO, container or instance role.
///
/// Nothing is called yet; a client made from it asks for credentials when it is first used.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts()).load().await
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(OPERATION_TIMEOUT).build()
}
