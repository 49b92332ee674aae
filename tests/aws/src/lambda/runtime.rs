//! The Runtime API of one instance, from which the function's process gets events and to which it sends answers.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::http::{self, Answer, Cut};

/// An event for a function.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The id that both sides log.
    pub(crate) request_id: String,
    /// The ARN that was called.
    pub(crate) arn: String,
    /// When it will be killed, in milliseconds since 1970.
    pub(crate) deadline_ms: u64,
    /// The event.
    pub(crate) payload: Bytes,
    /// Notified when the function has the event.
    pub(crate) taken: oneshot::Sender<()>,
    /// Receives the outcome.
    pub(crate) done: oneshot::Sender<Outcome>,
}

/// The outcome of an event.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its answer.
    Answer(Bytes),
    /// Its error, as `{"errorType":…,"errorMessage":…}`.
    Error(Bytes),
}

/// The state behind the four routes.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    events: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init_error: Mutex<Option<Bytes>>,
    ready: watch::Sender<bool>,
}

impl RuntimeApi {
    /// A Runtime API, and the channel that delivers its events.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Sender<Delivery>) {
        let (sender, events) = mpsc::channel(1);
        let api = Self {
            events: tokio::sync::Mutex::new(events),
            current: Mutex::default(),
            init_error: Mutex::default(),
            ready: watch::Sender::new(false),
        };
        (Arc::new(api), sender)
    }

    /// Becomes true when the process requests its first event.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// The error that the process reported when it could not start.
    pub(crate) fn init_error(&self) -> Option<Bytes> {
        self.init_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Handles a request of the process.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Cut> {
        let (parts, body) = request.into_parts();
        let segments = http::segments(parts.uri.path());
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (&parts.method, segments.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                let outcome = Outcome::Answer(http::collected(body).await?);
                Ok(self.finish(id, outcome))
            }
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                let outcome = Outcome::Error(http::collected(body).await?);
                Ok(self.finish(id, outcome))
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                let reported = http::collected(body).await?;
                *self.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reported);
                Ok(accepted())
            }
            _ => Ok(http::json(StatusCode::NOT_FOUND, &json!({"errorType": "NotFound"}))),
        }
    }

    async fn next(&self) -> Result<Answer, Cut> {
        self.ready.send_replace(true);
        // No more events arrive after the instance has ended.
        let delivery = self.events.lock().await.recv().await.ok_or(Cut)?;
        let mut answer = http::of_type(StatusCode::OK, "application/json", delivery.payload);
        let headers = [
            ("lambda-runtime-aws-request-id", delivery.request_id.clone()),
            ("lambda-runtime-deadline-ms", delivery.deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", delivery.arn),
            ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
        ];
        for (name, value) in headers {
            answer.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|_| Cut)?);
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((delivery.request_id, delivery.done));
        // The receiver is dropped if the call has ended meanwhile.
        let _ = delivery.taken.send(());
        Ok(answer)
    }

    fn finish(&self, id: &str, outcome: Outcome) -> Answer {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|(request_id, _)| request_id == id) {
            Some((_, done)) => {
                let _ = done.send(outcome);
                accepted()
            }
            None => http::json(StatusCode::BAD_REQUEST, &json!({"errorType": "InvalidRequestID", "errorMessage": id})),
        }
    }
}

fn accepted() -> Answer {
    http::json(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}
