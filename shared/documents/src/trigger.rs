//! What starts a run: the shapes that the state machine's input may have.

use object_store::path::Path;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::PipelineName;
use sluice_core::run::{RunAction, RunRequest};
use sluice_core::uri::FolderUri;
use sluice_core::uri::layout::{LANDING, landing_folder};

/// The input of an execution.
///
/// EventBridge Scheduler, the API and the `sluice` command send a [`RunRequest`] as it is; S3 sends its own event,
/// through EventBridge, with a key that is not URL-encoded (unlike that of S3's notifications to queues and functions).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one of them is made per execution, and taken apart at once")]
pub enum Trigger {
    /// A request in our own shape.
    Request(RunRequest),
    /// An object arrived (EventBridge `Object Created`).
    ObjectCreated {
        /// The bucket.
        bucket: String,
        /// The object's key, as it is.
        key: String,
    },
}

/// Why an S3 event does not start a run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TriggerError {
    /// The object is not below the lake's landing folder.
    #[error(
        "object 's3://{bucket}/{key}' is not below '{lake}{LANDING}/<pipeline>/': narrow the event rule to that prefix"
    )]
    Elsewhere {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// The lake's root.
        lake: String,
    },
    /// The folder below landing is no pipeline name.
    #[error("object 's3://{bucket}/{key}': the folder below '{LANDING}/' names no pipeline")]
    NoPipeline {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Why.
        #[source]
        source: sluice_core::name::NameError,
    },
}

impl From<TriggerError> for StepError {
    fn from(error: TriggerError) -> Self {
        Self::new(ErrorName::InvalidInput, &error)
    }
}

impl Trigger {
    /// The request that this input makes of the lake at `lake`.
    ///
    /// An arrived object starts a run over everything that is new, not over that object alone: events come twice, late
    /// or not at all, and the record of what is in the tables is the tables' own.
    ///
    /// # Errors
    /// [`TriggerError`] for objects outside `landing/<pipeline>/`.
    pub fn into_request(self, lake: &FolderUri) -> Result<RunRequest, TriggerError> {
        match self {
            Self::Request(request) => Ok(request),
            Self::ObjectCreated { bucket, key } => {
                let pipeline = pipeline_of(lake, &bucket, &key)?;
                Ok(RunRequest {
                    pipeline,
                    spec: None,
                    landing: None,
                    action: RunAction::Ingest,
                    engine: None,
                    objects: None,
                })
            }
        }
    }
}

fn pipeline_of(lake: &FolderUri, bucket: &str, key: &str) -> Result<PipelineName, TriggerError> {
    let folder = || {
        let url = lake.as_url();
        if lake.is_local() || url.host_str() != Some(bucket) {
            return None;
        }
        let prefix = Path::from_url_path(url.path()).ok()?;
        let below =
            if prefix.as_ref().is_empty() { key } else { key.strip_prefix(prefix.as_ref())?.strip_prefix('/')? };
        landing_folder(below)
    };
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    match folder().map(str::parse) {
        Some(Ok(pipeline)) => Ok(pipeline),
        Some(Err(source)) => Err(TriggerError::NoPipeline { bucket, key, source }),
        None => Err(TriggerError::Elsewhere { bucket, key, lake: lake.to_string() }),
    }
}

/// The parts of the S3 event that matter here. AWS adds fields as it likes.
#[derive(Deserialize)]
struct S3Event {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: S3Detail,
}

#[derive(Deserialize)]
struct S3Detail {
    bucket: S3Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Bucket {
    name: String,
}

#[derive(Deserialize)]
struct S3Object {
    key: String,
}

impl<'de> Deserialize<'de> for Trigger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // Recognised by the field that every EventBridge event has, so that errors are about the shape that was meant.
        if value.get("detail-type").is_none() {
            return parse(value).map(Self::Request).map_err(D::Error::custom);
        }
        let event: S3Event = parse(value).map_err(D::Error::custom)?;
        if (event.source.as_str(), event.detail_type.as_str()) != ("aws.s3", "Object Created") {
            let S3Event { source, detail_type, .. } = event;
            return Err(D::Error::custom(format!(
                "event '{detail_type}' of '{source}' does not start a run: send 'Object Created' of 'aws.s3'"
            )));
        }
        Ok(Self::ObjectCreated { bucket: event.detail.bucket.name, key: event.detail.object.key })
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| format!("at `{}`: {}", error.path(), error.inner()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_name_the_pipeline() {
        let check = |lake: &str, bucket: &str, key: &str, expected: Result<&str, &str>| {
            let trigger = Trigger::ObjectCreated { bucket: bucket.to_owned(), key: key.to_owned() };
            let found = trigger.into_request(&lake.parse().expect("lake"));
            match (found, expected) {
                (Ok(request), Ok(pipeline)) => assert_eq!(request.pipeline.as_str(), pipeline),
                (Err(error), Err(text)) => {
                    let step = StepError::from(error);
                    assert!(step.message.contains(text) && step.message.contains(key), "{step}");
                }
                (found, expected) => panic!("{key}: {found:?} is not {expected:?}"),
            }
        };
        check("s3://lake", "lake", "landing/retail/2026/day 1+2%20.csv", Ok("retail"));
        check("s3://lake/a b/prod", "lake", "a b/prod/landing/retail/x.csv", Ok("retail"));
        check("s3://lake", "other", "landing/retail/x.csv", Err("is not below 's3://lake/landing/"));
        check("s3://lake/prod", "lake", "landing/retail/x.csv", Err("is not below"));
        check("s3://lake/prod", "lake", "production/landing/retail/x.csv", Err("is not below"));
        check("s3://lake", "lake", "landing/x.csv", Err("is not below"));
        check("s3://lake", "lake", "landing/../x.csv", Err("names no pipeline"));
        check("s3://lake", "lake", "landing/Retail/x.csv", Err("names no pipeline"));
        check("file:///lake", "lake", "landing/retail/x.csv", Err("is not below"));
    }

    #[test]
    fn wrong_shapes_are_named() {
        let check = |value: Value, expected: &str| {
            let error = serde_json::from_value::<Trigger>(value).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"pipeline": "retail", "laning": "s3://b/"}), "unknown field `laning`");
        check(json!({"pipeline": "../retail"}), "at `pipeline`");
        check(json!({"pipeline": "retail", "action": {"accept": {}}}), "missing field `run_id`");
        check(
            json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {}}}),
            "at `detail.bucket`",
        );
        check(
            json!({"detail-type": "Object Deleted", "source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}}),
            "'Object Deleted' of 'aws.s3' does not start a run",
        );
        check(json!("retail"), "expected struct RunRequest");
    }
}
