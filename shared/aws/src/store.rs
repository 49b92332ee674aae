//! How the lake on S3 is reached: the options that `object_store`, Polars and deltalake all take.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::uri::FolderUri;

use crate::env::{self, Env};

/// The `aws_*` options for the lake at `root`: region, endpoint, credentials and encryption. Empty for a local lake.
///
/// Credentials in the environment (so in Lambda) are passed on as they are. Others (profile, SSO, container or instance
/// role) are asked for once, here: they must outlive the caller, as a Lambda environment and a local run do.
///
/// # Errors
/// `InvalidInput` when no region or no credentials are found.
pub async fn store_options(env: &Env, root: &FolderUri) -> Result<BTreeMap<String, String>, StepError> {
    if root.is_local() {
        return Ok(BTreeMap::new());
    }
    let from_env = credentials_of(env);
    let region = env.get(env::REGION).map(str::to_owned);
    if let (Some(credentials), Some(region)) = (&from_env, &region) {
        return Ok(options(env, region, credentials));
    }
    let config = crate::sdk_config().await;
    let region = region.or_else(|| config.region().map(ToString::to_string)).ok_or_else(|| {
        StepError::message(ErrorName::InvalidInput, "no AWS region: set AWS_REGION or the region of the profile")
    })?;
    let credentials = match from_env {
        Some(credentials) => credentials,
        None => found_credentials(&config).await?,
    };
    Ok(options(env, &region, &credentials))
}

/// The credentials in the environment, or else those that the AWS SDK finds.
#[cfg(feature = "secrets")]
pub(crate) async fn credentials(env: &Env) -> Result<Credentials, StepError> {
    match credentials_of(env) {
        Some(credentials) => Ok(credentials),
        None => found_credentials(&crate::sdk_config().await).await,
    }
}

/// The credentials of a profile, SSO, container or instance role.
async fn found_credentials(config: &SdkConfig) -> Result<Credentials, StepError> {
    let missing = || {
        StepError::message(ErrorName::InvalidInput, "no AWS credentials: set AWS_PROFILE or log in with the AWS CLI")
    };
    let provider = config.credentials_provider().ok_or_else(missing)?;
    provider.provide_credentials().await.map_err(|error| {
        let step = StepError::new(ErrorName::InvalidInput, &error);
        StepError { message: format!("{}: {}", missing().message, step.message), ..step }
    })
}

fn credentials_of(env: &Env) -> Option<Credentials> {
    let token = env.get(env::SESSION_TOKEN).map(str::to_owned);
    Some(Credentials::new(env.get(env::ACCESS_KEY_ID)?, env.get(env::SECRET_ACCESS_KEY)?, token, None, "environment"))
}

fn options(env: &Env, region: &str, credentials: &Credentials) -> BTreeMap<String, String> {
    let mut options = BTreeMap::from([
        ("aws_region".to_owned(), region.to_owned()),
        ("aws_access_key_id".to_owned(), credentials.access_key_id().to_owned()),
        ("aws_secret_access_key".to_owned(), credentials.secret_access_key().to_owned()),
    ]);
    if let Some(token) = credentials.session_token() {
        options.insert("aws_session_token".to_owned(), token.to_owned());
    }
    if let Some(endpoint) = env.get(env::ENDPOINT_URL_S3).or_else(|| env.get(env::ENDPOINT_URL)) {
        options.insert("aws_endpoint_url".to_owned(), endpoint.to_owned());
        // Emulators on this machine have no certificate; AWS itself is always reached by https.
        if endpoint.starts_with("http://") {
            options.insert("aws_allow_http".to_owned(), "true".to_owned());
        }
    }
    if let Some(key) = env.get(env::KMS_KEY) {
        options.insert("aws_server_side_encryption".to_owned(), "aws:kms".to_owned());
        options.insert("aws_sse_kms_key_id".to_owned(), key.to_owned());
        // One data key for many objects: a run writes hundreds, and each call to KMS costs money and a quota.
        options.insert("aws_sse_bucket_key_enabled".to_owned(), "true".to_owned());
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Variable;

    async fn check(root: &str, variables: &[(Variable, &str)], expected: &[(&str, &str)]) {
        let env = Env::of(variables.iter().copied());
        let found = store_options(&env, &root.parse().expect("root")).await.expect("options");
        let expected: BTreeMap<_, _> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn the_environment_makes_the_options() {
        let keys = [(env::REGION, "eu-central-1"), (env::ACCESS_KEY_ID, "id"), (env::SECRET_ACCESS_KEY, "secret")];
        let basic = [("aws_region", "eu-central-1"), ("aws_access_key_id", "id"), ("aws_secret_access_key", "secret")];
        check("file:///lake", &keys, &[]).await;
        check("s3://bucket", &keys, &basic).await;
        let role = [&keys[..], &[(env::SESSION_TOKEN, "token")]].concat();
        check("s3://bucket", &role, &[&basic[..], &[("aws_session_token", "token")]].concat()).await;
        let emulator = [&keys[..], &[(env::ENDPOINT_URL, "http://127.0.0.1:5000")]].concat();
        let http = [("aws_endpoint_url", "http://127.0.0.1:5000"), ("aws_allow_http", "true")];
        check("s3://bucket", &emulator, &[&basic[..], &http].concat()).await;
        let encrypted = [&keys[..], &[(env::KMS_KEY, "arn:aws:kms:eu-central-1:123456789012:key/k")]].concat();
        let kms = [
            ("aws_server_side_encryption", "aws:kms"),
            ("aws_sse_kms_key_id", "arn:aws:kms:eu-central-1:123456789012:key/k"),
            ("aws_sse_bucket_key_enabled", "true"),
        ];
        check("s3://bucket", &encrypted, &[&basic[..], &kms].concat()).await;
        let both = [&emulator[..], &[(env::ENDPOINT_URL_S3, "https://s3.example")]].concat();
        check("s3://bucket", &both, &[&basic[..], &[("aws_endpoint_url", "https://s3.example")]].concat()).await;
    }
}
