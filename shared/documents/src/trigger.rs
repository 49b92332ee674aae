//! What starts a run: the shapes that the state machine's input may have.

use object_store::path::Path;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::PipelineName;
use sluice_core::run::{RunAction, RunRequest};
use sluice_core::uri::FolderUri;
use sluice_core::uri::layout::{LANDING, landing_folder};

use crate::event::{EventError, EventKind, detail_of, field, is_event};

/// The input of an execution.
///
/// EventBridge Scheduler, the API and the `sluice` command send a [`RunRequest`] as it is; EventBridge Pipes sends it as an
/// array of one element; S3 sends its own event, through EventBridge, with a key that is not URL-encoded (unlike that of
/// S3's notifications to queues and functions).
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

/// The parts of the event's detail that matter here. AWS adds fields as it likes.
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

const OBJECT_CREATED: EventKind = EventKind { service: "aws.s3", detail_type: "Object Created", effect: "start" };

/// Why an input does not say which run to start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InputError {
    /// A field of the request, or the event, is wrong.
    #[error(transparent)]
    Event(#[from] EventError),
    /// An array that is not a batch of one.
    #[error("an array of {records} inputs: an execution is one run, so set the batch size of the pipe to 1")]
    Batch {
        /// Number of its elements.
        records: usize,
    },
}

impl TryFrom<Value> for Trigger {
    type Error = InputError;

    fn try_from(input: Value) -> Result<Self, InputError> {
        let input = match input {
            // EventBridge Pipes sends an array to Step Functions, also for a batch of one.
            Value::Array(records) => match <[Value; 1]>::try_from(records) {
                Ok([record]) => record,
                Err(records) => return Err(InputError::Batch { records: records.len() }),
            },
            single => single,
        };
        // Recognised by the field that every event has, so that errors are about the shape that was meant.
        if !is_event(&input) {
            return Ok(Self::Request(field(input, "")?));
        }
        let S3Detail { bucket, object } = detail_of(input, OBJECT_CREATED)?;
        Ok(Self::ObjectCreated { bucket: bucket.name, key: object.key })
    }
}

impl<'de> Deserialize<'de> for Trigger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// The pipeline that an input of an execution names, even when the rest of the input cannot be read.
pub fn named_pipeline(input: &Value) -> Option<PipelineName> {
    let request = match input.as_array() {
        Some(records) => records.first().filter(|_| records.len() == 1)?,
        None => input,
    };
    request.get("pipeline")?.as_str()?.parse().ok()
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

    /// Inputs as AWS documents them, each of which starts a run of `retail`.
    #[test]
    fn every_source_starts_a_run() {
        let check = |input: Value| {
            let trigger: Trigger = serde_json::from_value(input.clone()).expect("a trigger");
            let request = trigger.into_request(&"s3://lake/prod".parse().expect("lake")).expect("a request");
            assert_eq!(request.pipeline.as_str(), "retail", "{input}");
        };
        // EventBridge Scheduler: the `Input` of StartExecution.
        check(json!({"pipeline": "retail"}));
        // EventBridge Pipes from SQS to Step Functions with an input template: an array, whatever the batch size.
        check(json!([{"pipeline": "retail"}]));
        // S3 through EventBridge.
        let event = json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "111122223333", "time": "2026-01-05T06:00:00Z", "region": "eu-central-1",
            "resources": ["arn:aws:s3:::lake"],
            "detail": {
                "version": "0", "bucket": {"name": "lake"},
                "object": {
                    "key": "prod/landing/retail/2026-01-05.csv", "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184",
                    "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "617f08299329d189",
                },
                "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "source-ip-address": "1.2.3.4",
                "reason": "PutObject",
            },
        });
        check(event.clone());
        check(json!([event]));
    }

    #[test]
    fn the_pipeline_of_a_refused_input_is_found() {
        let check = |input: Value, expected: Option<&str>| {
            assert_eq!(named_pipeline(&input).as_ref().map(|name| name.as_str()), expected, "{input}");
        };
        check(json!({"pipeline": "retail", "landing": 7}), Some("retail"));
        check(json!([{"pipeline": "retail", "landing": 7}]), Some("retail"));
        check(json!([{"pipeline": "retail"}, {"pipeline": "retail"}]), None);
        check(json!({"pipeline": "../retail"}), None);
        check(json!("retail"), None);
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
        let event = |detail_type: &str, detail: Value| {
            let time = "2026-01-05T06:00:00Z";
            json!({"detail-type": detail_type, "source": "aws.s3", "time": time, "resources": [], "detail": detail})
        };
        check(event("Object Created", json!({"bucket": {}})), "at `detail.bucket`");
        check(event("Object Deleted", json!({})), "'Object Deleted' of 'aws.s3' does not start a run");
        check(json!("retail"), "expected struct RunRequest");
        check(json!([]), "an array of 0 inputs");
        check(json!([{"pipeline": "retail"}, {"pipeline": "retail"}]), "an array of 2 inputs");
        check(json!([[{"pipeline": "retail"}]]), "at `[0]`");
    }
}
