//! The secret of data products: in the environment on machines of people, in AWS Secrets Manager on AWS.
//!
//! On AWS the function has the ARN of the secret and fetches it when it starts. A value in a variable could be read by
//! whoever may read the function's configuration.
//!
//! The one request is signed and sent by the library that reaches S3, which the function links already.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpRequestBody, ReqwestConnector};
use serde_json::{Value, json};
use sluice_core::error::{ErrorName, StepError, with_sources};
use url::Url;

use crate::code::classify;
use crate::env::{self, Env, EnvError, SecretArn, Variable};
use crate::store::credentials;

/// Longest time of one try: an answer takes some 10 ms, with a new connection some 100 ms.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait before the second and the third try, which is the last.
///
/// 3 tries of at most 2 s and 0.6 s of waiting are 6.6 s. Lambda gives a function 10 s to start, and nothing else that
/// happens then calls a service: on AWS the credentials are in the environment.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];
/// What requests are signed for.
const SERVICE: &str = "secretsmanager";

/// The secret as its type: fetched from where `SLUICE_SECRET_ARN` says, or else the value of `SLUICE_SECRET`.
///
/// # Errors
/// `InvalidInput` when none or both of the variables are set, or what is found is not a secret. When it is to be
/// fetched: `AccessDenied` when rights are missing, `NotFound` for a secret that does not exist or is being deleted,
/// `Throttled`, `Unavailable`.
pub async fn secret<T: FromStr<Err: Display>>(env: &Env) -> Result<T, StepError> {
    secret_of(env, env::SECRET, env::SECRET_ARN).await
}

/// The key of the server of OpenLineage events as its type: fetched from where `SLUICE_OPENLINEAGE_KEY_ARN` says, or else
/// the value of `SLUICE_OPENLINEAGE_KEY`; `None` where neither is set.
///
/// # Errors
/// Those of [`secret`].
pub async fn openlineage_key<T: FromStr<Err: Display>>(env: &Env) -> Result<Option<T>, StepError> {
    let (value, arn) = (env::OPENLINEAGE_KEY, env::OPENLINEAGE_KEY_ARN);
    if env.get(value).is_none() && env.get(arn).is_none() {
        return Ok(None);
    }
    secret_of(env, value, arn).await.map(Some)
}

/// The secret in one of two variables: itself, or the ARN of where it is.
async fn secret_of<T: FromStr<Err: Display>>(env: &Env, value: Variable, arn_of: Variable) -> Result<T, StepError> {
    if env.get(value).is_some() {
        if env.get(arn_of).is_some() {
            return Err(invalid(format!("{} and {} are both set: keep one of them", value.name, arn_of.name)));
        }
        return Ok(env.parse(value)?);
    }
    let arn: SecretArn = env.parse(arn_of)?;
    let text = fetched(env, &arn).await.map_err(|error| with_variable(error, arn_of))?;
    text.parse().map_err(|error: T::Err| invalid(format!("secret {}: {error}", arn.as_str())))
}

/// The message of a secret that does not exist, with the variable that names it.
fn with_variable(StepError { name, message }: StepError, variable: Variable) -> StepError {
    let fix = if name == ErrorName::NotFound {
        format!(", or set {} to one that exists", variable.name)
    } else {
        String::new()
    };
    StepError { name, message: format!("{message}{fix}") }
}

/// The text of a secret in AWS Secrets Manager, without line ends after it. Takes at most 6.6 s.
///
/// # Errors
/// As [`secret`].
pub async fn secret_text(env: &Env, arn: &SecretArn) -> Result<String, StepError> {
    fetched(env, arn).await
}

/// The text of a secret in AWS Secrets Manager.
async fn fetched(env: &Env, arn: &SecretArn) -> Result<String, StepError> {
    let endpoint = endpoint(env, arn)?;
    let found = credentials(env).await?;
    let credential = AwsCredential {
        key_id: found.access_key_id().to_owned(),
        secret_key: found.secret_access_key().to_owned(),
        token: found.session_token().map(str::to_owned),
    };
    // Emulators on this machine have no certificate; AWS itself is always reached by https.
    let options = ClientOptions::new().with_timeout(TRY_TIMEOUT).with_allow_http(endpoint.scheme() == "http");
    let client = ReqwestConnector::default().connect(&options).map_err(|error| cannot_ask(arn, &error))?;
    for pause in PAUSES {
        match asked(&client, request(&endpoint, arn, &credential)?, arn).await {
            Err(error) if error.name.is_retryable() => {
                tracing::warn!(error_name = %error.name, error_message = error.message, "trying again");
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    asked(&client, request(&endpoint, arn, &credential)?, arn).await
}

/// Where the secret is asked for.
fn endpoint(env: &Env, arn: &SecretArn) -> Result<Url, StepError> {
    for variable in [env::ENDPOINT_URL_SECRETS_MANAGER, env::ENDPOINT_URL] {
        if env.get(variable).is_some() {
            return given_endpoint(env, variable);
        }
    }
    let domain = if arn.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let address = format!("https://{SERVICE}.{}.{domain}/", arn.region());
    Url::parse(&address).map_err(|error| invalid(format!("{address} is not an address: {error}")))
}

/// The endpoint in a variable. Other schemes than those of HTTP would only fail when the request is sent.
fn given_endpoint(env: &Env, variable: Variable) -> Result<Url, StepError> {
    let url: Url = env.parse(variable)?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        let reason = format!("'{url}' does not begin with http:// or https://");
        Err(EnvError::Invalid { name: variable.name, reason }.into())
    }
}

/// The request for the secret, signed now.
fn request(endpoint: &Url, arn: &SecretArn, credential: &AwsCredential) -> Result<HttpRequest, StepError> {
    let body = json!({ "SecretId": arn.as_str() }).to_string();
    let mut request = http::Request::post(endpoint.as_str())
        .header(CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .body(HttpRequestBody::from(body))
        .map_err(|error| cannot_ask(arn, &error))?;
    AwsAuthorizer::new(credential, SERVICE, arn.region()).authorize(&mut request, None);
    Ok(request)
}

/// What Secrets Manager answers.
async fn asked(client: &HttpClient, request: HttpRequest, arn: &SecretArn) -> Result<String, StepError> {
    let answer = client.execute(request).await.map_err(|error| unavailable(arn, &error))?;
    let (status, body) = (answer.status(), answer.into_body());
    let body = body.bytes().await.map_err(|error| unavailable(arn, &error))?;
    // A service that is overloaded, or something before it, may answer what is not JSON.
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !status.is_success() {
        return Err(refused(arn, status.as_u16(), &answer));
    }
    match text(&answer, "SecretString") {
        // Secrets that were written from a file of a text editor or of the AWS CLI end with a line end.
        Some(secret) => Ok(secret.trim_end_matches(['\r', '\n']).to_owned()),
        None => Err(invalid(format!("secret {} is not text: store it as `SecretString`", arn.as_str()))),
    }
}

fn text<'a>(answer: &'a Value, field: &str) -> Option<&'a str> {
    answer.get(field).and_then(Value::as_str)
}

/// An answer that is not the secret, with what to do about it.
fn refused(arn: &SecretArn, status: u16, answer: &Value) -> StepError {
    // The type may have the service before it: `com.amazonaws.secretsmanager#ResourceNotFoundException`.
    let kind = text(answer, "__type").unwrap_or_default();
    let code = kind.rsplit('#').next().unwrap_or(kind);
    let words = text(answer, "message").or_else(|| text(answer, "Message")).unwrap_or("no message");
    let name = match code {
        // The key that encrypts the secret may not be used.
        "DecryptionFailure" => ErrorName::AccessDenied,
        // The secret is marked for deletion.
        "InvalidRequestException" => ErrorName::NotFound,
        "InvalidParameterException" => ErrorName::InvalidInput,
        _ => classify(code, status),
    };
    let fix = match name {
        ErrorName::AccessDenied => {
            "; allow the function's role `secretsmanager:GetSecretValue` on it, and `kms:Decrypt` on its key"
        }
        ErrorName::NotFound => "; create or restore the secret, or name one that exists",
        _ => "",
    };
    StepError::message(name, format!("cannot read secret {}: {code} (status {status}): {words}{fix}", arn.as_str()))
}

fn invalid(message: String) -> StepError {
    StepError::message(ErrorName::InvalidInput, message)
}

fn unavailable(arn: &SecretArn, error: &HttpError) -> StepError {
    let message = format!("cannot read secret {}: {}", arn.as_str(), with_sources(error));
    StepError::message(ErrorName::Unavailable, message)
}

/// No request could be made: a defect of ours, because the address was checked.
fn cannot_ask(arn: &SecretArn, error: &dyn std::error::Error) -> StepError {
    let message = format!("cannot ask for secret {}: {}", arn.as_str(), with_sources(error));
    StepError::message(ErrorName::Internal, message)
}

#[cfg(test)]
mod tests;
