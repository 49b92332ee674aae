//! A server of catalogues: one request for each event.
//!
//! Sent by the library that reaches S3, which every caller links already: it costs no crate, no minute of the build and
//! no MB of a binary.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use sluice_core::error::{ErrorName, StepError, with_sources};
use url::Url;

use super::Receiver;

/// Longest time of one try. Servers answer in some 10 ms, and in a second when they start.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the second and the third try, which is the last: 3 tries of 5 s and 0.6 s of waiting are
/// 15.6 s for an event that fails, within the 20 s that all events have.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];
/// Characters of an answer in a message.
const MAX_ANSWER_CHARS: usize = 300;

/// Why a text is no key of an API.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the key of the OpenLineage API must be visible ASCII characters, at least one, without spaces")]
pub struct ApiKeyError;

/// What the server knows this sender by. It is not printed.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ApiKeyError);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| ApiKeyError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// A server that takes events by POST, such as Marquez or DataHub.
#[derive(Debug)]
pub struct HttpEndpoint {
    client: HttpClient,
    url: Url,
    key: Option<ApiKey>,
}

impl HttpEndpoint {
    /// The server at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// `Internal` where no client can be made.
    pub fn new(url: Url, key: Option<ApiKey>) -> Result<Self, StepError> {
        // The address was checked: http is for this machine.
        let options = ClientOptions::new().with_timeout(TRY_TIMEOUT).with_allow_http(url.scheme() == "http");
        let client = ReqwestConnector::default().connect(&options);
        let client = client.map_err(|error| StepError::new(ErrorName::Internal, &error))?;
        Ok(Self { client, url, key })
    }

    fn request(&self, event: &str) -> Result<HttpRequest, StepError> {
        let mut request = http::Request::post(self.url.as_str()).header(CONTENT_TYPE, "application/json");
        if let Some(ApiKey(key)) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let request = request.body(HttpRequestBody::from(event.to_owned()));
        request.map_err(|error| StepError::new(ErrorName::Internal, &error))
    }

    /// One try.
    async fn post(&self, event: &str) -> Result<(), StepError> {
        let unavailable = |error: &dyn std::error::Error| {
            let message = format!("cannot send to {}: {}", self.place(), with_sources(error));
            StepError::message(ErrorName::Unavailable, message)
        };
        let answer = self.client.execute(self.request(event)?).await.map_err(|error| unavailable(&error))?;
        let status = answer.status();
        // Read to the end, so that the next event takes the same connection.
        let body = answer.into_body().bytes().await.map_err(|error| unavailable(&error))?;
        if status.is_success() {
            return Ok(());
        }
        let name = match status.as_u16() {
            429 => ErrorName::Throttled,
            408 | 500..=599 => ErrorName::Unavailable,
            401 | 403 => ErrorName::AccessDenied,
            404 => ErrorName::NotFound,
            _ => ErrorName::InvalidInput,
        };
        let words: String = String::from_utf8_lossy(&body).chars().take(MAX_ANSWER_CHARS).collect();
        Err(StepError::message(name, format!("{} answered {status}: {words}", self.place())))
    }

    /// The address without its query, which may have a key in it.
    fn place(&self) -> String {
        let mut place = self.url.clone();
        place.set_query(None);
        place.to_string()
    }

    async fn send(&self, event: &str) -> Result<(), StepError> {
        for pause in PAUSES {
            match self.post(event).await {
                Err(error) if error.name.is_retryable() => {
                    tracing::warn!(error_name = %error.name, error_message = error.message, "trying again");
                    tokio::time::sleep(pause).await;
                }
                answer => return answer,
            }
        }
        self.post(event).await
    }
}

impl Receiver for HttpEndpoint {
    fn receive<'a>(&'a self, event: &'a str) -> BoxFuture<'a, Result<(), StepError>> {
        self.send(event).boxed()
    }
}
