//! What only S3 itself can say: keys exactly as they are, versions, and addresses for others.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::EncodingType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use sluice_core::error::ErrorName;
use sluice_documents::{S3Answer, S3Error, S3Object, S3Objects, usage};

use crate::ATTEMPT_TIMEOUT;
use crate::fault::name_of;

/// Tries of one call: the first and 4 more, before which the SDK waits up to 1, 2, 4 and 8 s. These 15 s are within the
/// limit of the call, so that the last answer of S3 is what the caller learns: `SlowDown`, and not that time was over.
const TRIES: u32 = 5;
/// Longest time of one call with all its tries, each of at most [`ATTEMPT_TIMEOUT`]: as of a request for a document.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Keys of a page: the most that S3 gives.
const PAGE_KEYS: usize = 1000;
/// Most pages of a listing. One takes some 0.1 s: 250 s, and the function that lists is given 300 s.
const MAX_PAGES: usize = 2500;

/// S3, reached as these options of `object_store` say (see [`crate::store::store_options`]). `None` without credentials
/// and a region, as for a lake on this machine. Nothing is called yet.
///
/// The options are those of the other client, so that both have the same endpoint and act in the same name.
pub fn client(options: &BTreeMap<String, String>) -> Option<Arc<dyn S3Objects>> {
    let retry = RetryConfig::standard().with_max_attempts(TRIES);
    Some(Arc::new(S3Client { client: sdk_client(options, retry)? }))
}

fn sdk_client(options: &BTreeMap<String, String>, retry: RetryConfig) -> Option<Client> {
    let option = |name: &str| options.get(name).cloned();
    let (id, secret) = (option("aws_access_key_id")?, option("aws_secret_access_key")?);
    let credentials = Credentials::new(id, secret, option("aws_session_token"), None, "lake");
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(option("aws_region")?))
        .credentials_provider(credentials)
        .retry_config(retry)
        .timeout_config(timeouts);
    let config = match option("aws_endpoint_url") {
        // Such an endpoint has one name for all buckets.
        Some(endpoint) => config.endpoint_url(endpoint).force_path_style(true),
        None => config,
    };
    Some(Client::from_conf(config.build()))
}

#[derive(Debug)]
struct S3Client {
    client: Client,
}

impl S3Client {
    async fn listed(&self, bucket: &str, prefix: &str, most_pages: usize) -> Result<Vec<S3Object>, S3Error> {
        let (mut objects, mut token) = (Vec::new(), None);
        for _ in 0..most_pages {
            // Encoded, because XML cannot hold every character that a key can.
            let call = self.client.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
            usage::count_list();
            let page = call.set_continuation_token(token).send().await;
            let page = page.map_err(|error| fault("list", bucket, prefix, error))?;
            let is_encoded = page.encoding_type == Some(EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                objects.push(S3Object {
                    key: if is_encoded { decoded(&key) } else { key },
                    size_bytes: size(object.size),
                    etag: object.e_tag.as_deref().map(unquoted),
                    modified_at: object.last_modified.and_then(time),
                    version: None,
                });
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(objects);
            }
        }
        Err(S3Error::TooMany { address: address(bucket, prefix), most: most_pages * PAGE_KEYS })
    }

    async fn seen(&self, bucket: &str, key: &str) -> Result<Option<S3Object>, S3Error> {
        usage::count_get();
        match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => Ok(Some(S3Object {
                key: key.to_owned(),
                size_bytes: size(head.content_length),
                etag: head.e_tag.as_deref().map(unquoted),
                modified_at: head.last_modified.and_then(time),
                version: head.version_id,
            })),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => Ok(None),
            Err(error) => Err(fault("check", bucket, key, error)),
        }
    }

    async fn signed(&self, bucket: &str, key: &str, expires_in: Duration) -> Result<String, S3Error> {
        let config = PresigningConfig::expires_in(expires_in).map_err(|error| S3Error::Call {
            action: "sign an address of",
            address: address(bucket, key),
            name: ErrorName::Internal,
            source: Box::new(error),
        })?;
        let signed = self.client.get_object().bucket(bucket).key(key).presigned(config).await;
        let signed = signed.map_err(|error| fault("sign an address of", bucket, key, error))?;
        Ok(signed.uri().to_owned())
    }
}

impl S3Objects for S3Client {
    fn list<'a>(&'a self, bucket: &'a str, prefix: &'a str) -> S3Answer<'a, Vec<S3Object>> {
        Box::pin(self.listed(bucket, prefix, MAX_PAGES))
    }

    fn head<'a>(&'a self, bucket: &'a str, key: &'a str) -> S3Answer<'a, Option<S3Object>> {
        Box::pin(self.seen(bucket, key))
    }

    fn signed_url<'a>(&'a self, bucket: &'a str, key: &'a str, expires_in: Duration) -> S3Answer<'a, String> {
        Box::pin(self.signed(bucket, key, expires_in))
    }
}

fn fault<E>(action: &'static str, bucket: &str, key: &str, error: SdkError<E, HttpResponse>) -> S3Error
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    S3Error::Call { action, address: address(bucket, key), name: name_of(&error), source: Box::new(error) }
}

fn address(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// A key that was encoded for a listing, as in forms.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
}

fn time(time: DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}

#[cfg(test)]
mod tests;
