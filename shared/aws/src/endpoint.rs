//! An endpoint for tests of the adapters: gives requests prepared answers and keeps the requests.
#![expect(clippy::expect_used, reason = "only tests use it, behind a condition that clippy does not take for tests")]

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
#[cfg(feature = "sfn")]
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) struct Endpoint {
    pub(crate) config: SdkConfig,
    /// Its address, for clients that are not the SDK's.
    #[cfg(feature = "secrets")]
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// An endpoint that gives this answer, such as `("400 Bad Request", "{}")`.
    pub(crate) async fn answering(status: &'static str, body: &'static str) -> Self {
        Self::in_turn([(status, body)]).await
    }

    /// An endpoint that gives these answers one after another, and the last one from then on.
    pub(crate) async fn in_turn<const N: usize>(answers: [(&'static str, &'static str); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let config = config(&url);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            let (mut answers, mut answer) = (answers.into_iter(), ("500 No Answer", ""));
            while let Ok((mut stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                let (status, body) = answer;
                let mut request = Vec::new();
                while !is_whole(&request) && stream.read_buf(&mut request).await.expect("read") > 0 {}
                seen.lock().expect("lock").push(String::from_utf8(request).expect("text"));
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.expect("write");
            }
        });
        Self {
            config,
            #[cfg(feature = "secrets")]
            url,
            requests,
        }
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("lock").clone()
    }
}

/// Compares what a client sent with the request in `tests/aws/requests`, which the test bed judges by the model of the
/// service. `SLUICE_UPDATE=1` writes it.
#[cfg(any(feature = "emr", feature = "eventbridge", feature = "secrets", feature = "sfn", feature = "sns"))]
pub(crate) fn is_judged(operation: &str, parameters: &serde_json::Value) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/aws/requests");
    let path = folder.join(format!("{operation}.json"));
    if std::env::var_os("SLUICE_UPDATE").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(parameters).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("a request of the bed");
    }
    let judged = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    assert!(
        judged.as_ref() == Some(parameters),
        "{} is not what is sent: SLUICE_UPDATE=1 cargo test -p sluice-aws --all-features",
        path.display()
    );
}

/// An endpoint where nobody listens.
pub(crate) fn silent() -> SdkConfig {
    config("http://127.0.0.1:9")
}

/// A configuration that finds no credentials.
#[cfg(feature = "sfn")]
pub(crate) fn without_credentials() -> SdkConfig {
    let provider = SharedCredentialsProvider::new(NoCredentials);
    config("http://127.0.0.1:9").into_builder().credentials_provider(provider).build()
}

#[cfg(feature = "sfn")]
#[derive(Debug)]
struct NoCredentials;

#[cfg(feature = "sfn")]
impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none here")))
    }
}

fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
        .endpoint_url(endpoint)
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().expect("length"));
    body.len() >= length
}
