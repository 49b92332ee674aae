//! The Lambda service: its Invoke API, and what it does between a call and a function.

mod function;
mod instance;
mod runtime;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

pub(crate) use self::function::{Function, Settings};
pub(crate) use self::instance::MARKER;

use self::function::Ended;
use self::instance::Instance;
use crate::deployment::Deployment;
use crate::faults::CallFault;
use crate::http::{self, Answer, Cut};
use crate::names;
use crate::records::{CallRecord, now_ms};
use crate::world::World;

/// Time after which the same event is delivered a second time.
const SECOND_DELIVERY: Duration = Duration::from_millis(50);

/// The function that an address invokes, as a full name; `None` when it is not an address of the Invoke API.
///
/// Below `/<deployment>` functions have their short names, as in a bed with one deployment.
pub(crate) fn invoked(path: &str) -> Option<String> {
    let segments = http::segments(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["2015-03-31", "functions", function, "invocations"] => Some(names::function_name(function)?.to_owned()),
        [deployment, "2015-03-31", "functions", function, "invocations"] => {
            let name = names::function_name(function)?;
            let is_full = names::split(name).is_some_and(|(theirs, _)| theirs == *deployment);
            Some(if is_full { name.to_owned() } else { format!("{deployment}-{name}") })
        }
        _ => None,
    }
}

/// Answers a call of the Invoke API.
pub(crate) async fn answer(world: Arc<World>, name: String, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let payload = http::collected(body).await?;
    let found = names::split(&name).and_then(|(deployment, function)| {
        let deployment = world.deployment(deployment)?;
        let function = deployment.function(function)?;
        Some((deployment, function))
    });
    let Some((deployment, function)) = found else {
        let arn = format!("arn:aws:lambda:{}:{}:function:{name}", names::REGION, names::ACCOUNT);
        let body = json!({"Type": "User", "Message": format!("Function not found: {arn}")});
        return Ok(error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &body));
    };
    let call = Call { world, deployment, function, payload };
    if is_event(&parts) {
        tokio::spawn(call.run());
        return Ok(with_request_id(http::empty(StatusCode::ACCEPTED), &Uuid::new_v4().to_string()));
    }
    // A task of its own: a caller that stops waiting does not stop the function.
    tokio::spawn(call.run()).await.map_err(|_| Cut)
}

fn is_event(request: &Parts) -> bool {
    request.headers.get("x-amz-invocation-type").is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"event"))
}

/// One call, before an instance is chosen for it.
#[derive(Clone)]
struct Call {
    world: Arc<World>,
    deployment: Arc<Deployment>,
    function: Arc<Function>,
    payload: Bytes,
}

impl Call {
    async fn run(self) -> Answer {
        let fault = self.deployment.faults.of_call(self.function.name);
        match fault {
            Some(CallFault::Throttle) => return self.throttled(fault),
            Some(CallFault::ServiceException) => {
                self.refused(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", fault);
                let body = json!({"Type": "Service", "Message": "The service encountered an internal error."});
                return error(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", &body);
            }
            Some(CallFault::Delay { milliseconds }) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            _ => {}
        }
        let Some(permit) = self.permit() else { return self.throttled(fault) };
        let request_id = Uuid::new_v4().to_string();
        let ended = if fault == Some(CallFault::Duplicate) {
            self.delivered_twice(&request_id, permit, fault).await
        } else {
            self.delivered(&request_id, permit, fault).await
        };
        let payload = hurried(&ended.payload, self.deployment.longest_wait_seconds);
        let mut answer = http::of_type(StatusCode::OK, "application/json", payload);
        let headers = answer.headers_mut();
        if ended.error_type.is_some() {
            headers.insert(HeaderName::from_static("x-amz-function-error"), HeaderValue::from_static("Unhandled"));
        }
        headers.insert(HeaderName::from_static("x-amz-executed-version"), HeaderValue::from_static("$LATEST"));
        with_request_id(answer, &request_id)
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.function.permits).try_acquire_owned().ok()
    }

    /// Gives the same event to two instances; the first answer counts, and the other one keeps working.
    async fn delivered_twice(&self, id: &str, permit: OwnedSemaphorePermit, fault: Option<CallFault>) -> Ended {
        let (first, second) = (self.clone(), self.clone());
        let (first_id, second_id) = (id.to_owned(), id.to_owned());
        let first = tokio::spawn(async move { first.delivered(&first_id, permit, fault).await });
        let second = tokio::spawn(async move {
            tokio::time::sleep(SECOND_DELIVERY).await;
            match second.permit() {
                Some(permit) => second.delivered(&second_id, permit, fault).await,
                None => std::future::pending().await,
            }
        });
        let ended = tokio::select! {
            ended = first => ended,
            ended = second => ended,
        };
        ended.unwrap_or_else(|error| Ended::without_instance(&error.into()))
    }

    /// Delivers an event once and records it. The permit is released afterwards.
    async fn delivered(&self, request_id: &str, permit: OwnedSemaphorePermit, fault: Option<CallFault>) -> Ended {
        let began = Instant::now();
        let place = self.deployment.calls.add(|_| self.record(request_id, fault));
        let idle = self.function.take_idle();
        let is_cold = idle.is_none();
        let instance = match idle {
            Some(instance) => Ok(instance),
            None => self.start().await,
        };
        let ended = match &instance {
            Ok(instance) => {
                self.deployment.calls.change(place, |record| {
                    record.instance = Some(instance.id.clone());
                    record.cold = is_cold;
                });
                let payload = self.payload.clone();
                self.function.call(&self.deployment.name, instance, request_id, payload, fault).await
            }
            Err(error) => Ended::without_instance(error),
        };
        self.deployment.calls.change(place, |record| {
            record.status = Some(StatusCode::OK.as_u16());
            record.error_type.clone_from(&ended.error_type);
            record.answer = value_of(&ended.payload);
            record.init_ms = is_cold.then(|| millis(ended.ready.duration_since(began)));
            record.duration_ms = Some(millis(ended.ready.elapsed()));
            record.peak_memory_mb = Some(ended.peak_kib / 1024);
            record.out_of_memory = ended.out_of_memory;
        });
        // An instance whose function failed is used again, as on AWS; a dead one, or one of a removed deployment, is not.
        if let Ok(instance) = instance
            && instance.is_alive()
            && !is_killed(ended.error_type.as_deref())
            && !self.deployment.is_closed()
        {
            self.function.keep(instance);
        }
        drop(permit);
        ended
    }

    async fn start(&self) -> anyhow::Result<Instance> {
        let name = format!("{}-{}-{}", self.deployment.name, self.function.name, self.world.number());
        let instance = Instance::start(&self.world, &self.deployment, &self.function, name).await?;
        // Closing may have listed the processes just before this one started.
        anyhow::ensure!(!self.deployment.is_closed(), "the deployment has been removed");
        Ok(instance)
    }

    fn throttled(&self, fault: Option<CallFault>) -> Answer {
        self.refused(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", fault);
        let body = json!({
            "Type": "User",
            "message": "Rate Exceeded.",
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        });
        error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", &body)
    }

    fn refused(&self, status: StatusCode, error_type: &str, fault: Option<CallFault>) {
        self.deployment.calls.add(|_| CallRecord {
            status: Some(status.as_u16()),
            error_type: Some(error_type.to_owned()),
            ..self.record(&Uuid::new_v4().to_string(), fault)
        });
    }

    fn record(&self, request_id: &str, fault: Option<CallFault>) -> CallRecord {
        CallRecord {
            function: self.function.name,
            request_id: request_id.to_owned(),
            instance: None,
            payload: value_of(&self.payload),
            status: None,
            error_type: None,
            answer: Value::Null,
            cold: false,
            init_ms: None,
            started_at_ms: now_ms(),
            duration_ms: None,
            peak_memory_mb: None,
            out_of_memory: false,
            fault: fault.map(CallFault::name),
        }
    }
}

/// The answer with its wait shortened. The log of calls has the wait that the function requested.
fn hurried(payload: &Bytes, longest_wait_seconds: Option<u64>) -> Bytes {
    let shortened = || {
        let longest = longest_wait_seconds?;
        let mut answer: Value = serde_json::from_slice(payload).ok()?;
        let wait = answer.get_mut("wait_seconds").filter(|wait| wait.as_u64().is_some_and(|wait| wait > longest))?;
        *wait = longest.into();
        serde_json::to_vec(&answer).ok()
    };
    shortened().map_or_else(|| payload.clone(), Into::into)
}

/// After these errors the process is dead, or about to be.
fn is_killed(error_type: Option<&str>) -> bool {
    matches!(error_type, Some("Sandbox.Timedout" | "Runtime.ExitError"))
}

fn value_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn error(status: StatusCode, error_type: &'static str, body: &Value) -> Answer {
    let mut answer = http::json(status, body);
    answer.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(error_type));
    with_request_id(answer, &Uuid::new_v4().to_string())
}

/// Every response has one; Step Functions reads it even if the call failed.
fn with_request_id(mut answer: Answer, id: &str) -> Answer {
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wait_of_an_answer_is_shortened() {
        let check = |answer: &'static str, longest: Option<u64>, expected: &str| {
            assert_eq!(hurried(&Bytes::from_static(answer.as_bytes()), longest), expected, "{answer}");
        };
        check(r#"{"poll":1,"wait_seconds":15}"#, Some(1), r#"{"poll":1,"wait_seconds":1}"#);
        check(r#"{"poll":1, "wait_seconds":0}"#, Some(1), r#"{"poll":1, "wait_seconds":0}"#);
        check(r#"{"wait_seconds": 15}"#, None, r#"{"wait_seconds": 15}"#);
        check(r#"{"uri": "a"}"#, Some(1), r#"{"uri": "a"}"#);
        check("null", Some(1), "null");
    }

    #[test]
    fn an_invoke_address_gives_the_full_name_of_the_function() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(invoked(path).as_deref(), expected, "{path}");
        check("/2015-03-31/functions/d7-validate/invocations", Some("d7-validate"));
        check(
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Ad7-validate/invocations",
            Some("d7-validate"),
        );
        check("/d7/2015-03-31/functions/quality-check/invocations", Some("d7-quality-check"));
        check("/d7/2015-03-31/functions/d7-validate/invocations", Some("d7-validate"));
        check("/d7/2015-03-31/functions/d8-validate/invocations", Some("d7-d8-validate"));
        check("/2015-03-31/functions/d7-validate", None);
        check("/", None);
    }
}
