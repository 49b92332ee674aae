//! A server of catalogues: one request for each event.

use std::fmt;
use std::str::FromStr;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Client;
use sluice_core::error::StepError;
use url::Url;

use super::Receiver;
use crate::post::{Post, client, send};

/// Why a text is no key of an API.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the key of the OpenLineage API must be visible ASCII characters, at least one, without spaces")]
pub struct ApiKeyError;

/// What the server knows this sender by. It is not printed.
#[derive(Clone)]
pub struct ApiKey(String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A server that takes events by POST, such as Marquez or DataHub.
pub(crate) struct HttpEndpoint {
    client: Client,
    url: Url,
    key: Option<ApiKey>,
}

impl HttpEndpoint {
    /// The server at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// `Internal` where no client can be made.
    pub(crate) fn new(url: Url, key: Option<ApiKey>) -> Result<Self, StepError> {
        Ok(Self { client: client()?, url, key })
    }

    /// The address without its query, which may have a key in it.
    fn place(&self) -> String {
        let mut place = self.url.clone();
        place.set_query(None);
        place.to_string()
    }

    async fn send(&self, event: &str) -> Result<(), StepError> {
        let headers = self.key.iter().map(|ApiKey(key)| ("authorization", format!("Bearer {key}"))).collect();
        let post = Post { url: self.url.clone(), headers, body: event.to_owned() };
        send(&self.client, &self.place(), &post).await.map(drop)
    }
}

impl Receiver for HttpEndpoint {
    fn receive<'a>(&'a self, event: &'a str) -> BoxFuture<'a, Result<(), StepError>> {
        self.send(event).boxed()
    }
}
