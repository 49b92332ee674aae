//! The channels for alerts in the environment of the command, for runs on this machine and for `sluice alerts`.

use futures::FutureExt;
use futures::future::BoxFuture;
use sluice_aws::env::{AwsNameError, Env, SecretArn};
use sluice_aws::secrets::secret_text;
use sluice_core::alert::{AlertChannels, SecretRef};
use sluice_core::error::{ErrorName, StepError};
use sluice_notify::alerts::{Alerts, Secrets, from_variable};

/// The channels; `None` where they are turned off or not set.
///
/// # Errors
/// `InvalidInput` when the variable is not a list of channels.
pub(crate) fn channels() -> Result<Option<AlertChannels>, StepError> {
    Ok(Env::of_process().alert_channels()?)
}

/// Sends to these channels, except e-mails: SNS is for the deployed notify.
pub(crate) fn alerts(channels: AlertChannels) -> Alerts {
    Alerts::new(channels, Box::new(CommandSecrets), None)
}

/// Secrets in variables, and in AWS Secrets Manager with the credentials that the command has in its environment.
struct CommandSecrets;

impl Secrets for CommandSecrets {
    fn text<'a>(&'a self, reference: &'a SecretRef) -> BoxFuture<'a, Result<String, StepError>> {
        async move {
            match reference {
                SecretRef::Variable(name) => from_variable(name),
                SecretRef::SecretsManager(arn) => {
                    let refused = |error: AwsNameError| StepError::new(ErrorName::InvalidInput, &error);
                    secret_text(&Env::of_process(), &arn.parse::<SecretArn>().map_err(refused)?).await
                }
            }
        }
        .boxed()
    }
}
