//! The functions behind a Lambda endpoint: `cargo lambda watch`, or an emulator.

use anyhow::{Context, Result};
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::functions::Function;
use crate::asl::{TaskFailure, TaskHandler};

/// Calls the functions through Lambda's Invoke API without signing requests: for endpoints on this machine.
#[derive(Debug, Clone)]
pub struct RemoteFunctions {
    client: Client,
    endpoint: Url,
}

impl RemoteFunctions {
    /// The functions at this endpoint, under the names of their crates.
    ///
    /// # Errors
    /// When the HTTP client cannot be created.
    pub fn new(endpoint: Url) -> Result<Self> {
        // No timeout here: the state machine's TimeoutSeconds cancels the call.
        let client = Client::builder().no_proxy().build().context("cannot create an HTTP client")?;
        Ok(Self { client, endpoint })
    }

    fn address(&self, function: Function) -> String {
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        format!("{endpoint}/2015-03-31/functions/{}/invocations", function.name())
    }
}

impl TaskHandler for RemoteFunctions {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskFailure> {
        let Some(function) = Function::of(function) else {
            return Err(service_failure(
                "Lambda.ResourceNotFoundException",
                format!("function {function} does not exist"),
            ));
        };
        let call = async {
            let address = self.address(function);
            let response = self.client.post(address).body(payload.to_string()).send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok((status, headers, response.text().await?))
        };
        let (status, headers, body) = call.await.map_err(|error: reqwest::Error| {
            let why = anyhow::Error::new(error);
            let message = format!("cannot call function {} at {}: {why:#}", function.name(), self.endpoint);
            service_failure("Lambda.SdkClientException", message)
        })?;
        answer_of(status, &headers, &body)
    }
}

fn service_failure(error: &str, cause: String) -> TaskFailure {
    TaskFailure { error: error.to_owned(), cause }
}

/// The answer as Step Functions understands it: an error of the function keeps its name, an error of the service
/// gets the prefix `Lambda.`.
fn answer_of(status: StatusCode, headers: &HeaderMap, body: &str) -> Result<Value, TaskFailure> {
    #[derive(Deserialize)]
    struct FunctionError {
        #[serde(rename = "errorType")]
        error_type: String,
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let function_error = || serde_json::from_str::<FunctionError>(body).ok();
    if status.is_success() && header("x-amz-function-error").is_none() {
        return serde_json::from_str(body).map_err(|error| {
            service_failure("Lambda.Unknown", format!("the answer of the function is not JSON ({error}): {body}"))
        });
    }
    // `cargo lambda watch` reports an error of the function with status 500 and without the header.
    if let Some(FunctionError { error_type }) = function_error() {
        return Err(TaskFailure { error: error_type, cause: body.to_owned() });
    }
    if status.is_success() {
        return Err(service_failure("Lambda.Unknown", body.to_owned()));
    }
    let named = header("x-amzn-errortype").map(|name| name.split(':').next().unwrap_or(name).to_owned());
    let name = named.unwrap_or_else(|| "AWSLambdaException".to_owned());
    Err(service_failure(&format!("Lambda.{name}"), format!("status {status}: {body}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_and_errors_are_read_as_step_functions_reads_them() {
        let check = |status: u16, header: Option<(&'static str, &str)>, body: &str, expected: Result<Value, &str>| {
            let headers = header.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap = headers.into_iter().collect();
            let found = answer_of(StatusCode::from_u16(status).unwrap(), &headers, body);
            assert_eq!(found.map_err(|failure| failure.error), expected.map_err(str::to_owned), "{status} {body}");
        };
        let failed = Some(("x-amz-function-error", "Unhandled"));
        check(200, None, r#"{"run":1}"#, Ok(json!({"run": 1})));
        check(200, None, "run", Err("Lambda.Unknown"));
        check(200, failed, r#"{"errorType":"CommitConflict","errorMessage":"m"}"#, Err("CommitConflict"));
        check(200, failed, r#"{"errorType":"Runtime.ExitError","errorMessage":"m"}"#, Err("Runtime.ExitError"));
        check(200, failed, "{}", Err("Lambda.Unknown"));
        check(500, None, r#"{"errorType":"NotFound","errorMessage":"m"}"#, Err("NotFound"));
        check(500, None, "oh", Err("Lambda.AWSLambdaException"));
        let throttled = Some(("x-amzn-errortype", "TooManyRequestsException:"));
        check(429, throttled, r#"{"message":"Rate Exceeded."}"#, Err("Lambda.TooManyRequestsException"));
        check(
            404,
            Some(("x-amzn-errortype", "ResourceNotFoundException")),
            "{}",
            Err("Lambda.ResourceNotFoundException"),
        );
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_answer_is_named() {
        let functions = RemoteFunctions::new("http://127.0.0.1:9/base/".parse().unwrap()).unwrap();
        assert_eq!(
            functions.address(Function::QualityCheck),
            "http://127.0.0.1:9/base/2015-03-31/functions/quality-check/invocations"
        );
        let failure = functions.invoke(Function::QualityCheck.arn(), Value::Null).await.unwrap_err();
        assert_eq!(failure.error, "Lambda.SdkClientException");
        assert!(failure.cause.contains("quality-check at http://127.0.0.1:9/base/"), "{failure}");
        let failure = functions.invoke("other", Value::Null).await.unwrap_err();
        assert_eq!(failure.error, "Lambda.ResourceNotFoundException");
    }
}
