//! A handler as a Lambda function.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_core::cost::Where;
use sluice_core::error::{ErrorName, StepError};
use sluice_documents::usage::{self, CallFacts};
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::env::{self, Env};
use crate::log;

/// Serves `handler` as a Lambda function until the environment ends.
///
/// `start` makes what the handler works with, once per environment, before the first call. When it fails, every call
/// tries it again and answers its error: a missing variable is then the named error of the step and no dead process.
///
/// Every failure leaves with one of our stable names as its `errorType`, the name that state machines match: payloads
/// that do not decode are `InvalidInput` naming the field, and panics are `Internal`. Each call logs how it ended, once.
#[expect(clippy::needless_pass_by_value, reason = "callers hand over closures written in place")]
pub fn serve<Ports, Input, Output>(
    start: impl AsyncFn(&Env) -> Result<Ports, StepError>,
    handler: impl AsyncFn(&Ports, Input) -> Result<Output, StepError>,
) -> ExitCode
where
    Input: DeserializeOwned,
    Output: Serialize,
{
    let starting = Instant::now();
    serve_with(async |env| {
        let ports = OnceCell::new();
        if let Err(error) = ports.get_or_try_init(|| start(env)).await {
            tracing::error!(error_name = %error.name, error_message = error.message, "cannot start; calls will try again");
        }
        // What the first call has waited for.
        let start_micros = AtomicU64::new(u64::try_from(starting.elapsed().as_micros()).unwrap_or(u64::MAX));
        let service = service_fn(|event: LambdaEvent<Value>| {
            let span = span_of(&event);
            let facts = facts_of(env, Timestamp::now(), Duration::from_micros(start_micros.swap(0, Ordering::Relaxed)));
            let call = async {
                let began = Instant::now();
                let work = async { handler(ports.get_or_try_init(|| start(env)).await?, decode(event.payload)?).await };
                let result = usage::measured(facts, guarded(work)).await;
                report(began, result.and_then(|output| encode(&output)))
            };
            call.instrument(span)
        });
        match Runtime::new(service).run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(error, "the Lambda runtime failed");
                ExitCode::FAILURE
            }
        }
    })
}

/// Does `work` with this process's environment, its log started, on worker threads: what every function begins with. Outside of
/// Lambda it says so and ends with code 2.
pub fn serve_with(work: impl AsyncFnOnce(&Env) -> ExitCode) -> ExitCode {
    let env = Env::of_process();
    log::init(&env);
    if env.get(env::RUNTIME_API).is_none() {
        tracing::error!(
            variable = env::RUNTIME_API.name,
            "this is an AWS Lambda function and there is no Lambda runtime here: start it with `cargo lambda watch`"
        );
        return ExitCode::from(2);
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work(&env)),
        Err(error) => {
            tracing::error!(%error, "cannot start the worker threads");
            ExitCode::FAILURE
        }
    }
}

/// What the environment says of a call, for what its documents say that it used.
fn facts_of(env: &Env, began_at: Timestamp, start: Duration) -> CallFacts {
    let text = |variable| env.get(variable).unwrap_or_default();
    CallFacts {
        function: text(env::FUNCTION_NAME).to_owned(),
        ran: Where::Lambda,
        began_at,
        // `cargo lambda watch` sets it, too.
        memory_mb: text(env::FUNCTION_MEMORY).parse().unwrap_or_default(),
        region: env.get(env::REGION).map(str::to_owned),
        start,
    }
}

/// The span whose fields are on every line that a call logs. An error span, so that no log level takes them away.
fn span_of(event: &LambdaEvent<Value>) -> tracing::Span {
    let text = |pointer: &str| event.payload.pointer(pointer).and_then(Value::as_str);
    tracing::error_span!(
        "call",
        request_id = event.context.request_id,
        run_id = text("/run/run_id").or_else(|| text("/execution_name")),
        pipeline = text("/run/pipeline"),
    )
}

fn decode<Input: DeserializeOwned>(payload: Value) -> Result<Input, StepError> {
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let message = format!("payload is wrong at `{}`: {}", error.path(), error.inner());
        StepError::message(ErrorName::InvalidInput, message)
    })
}

fn encode<Output: Serialize>(output: &Output) -> Result<Value, StepError> {
    serde_json::to_value(output).map_err(|error| StepError::new(ErrorName::Internal, &error))
}

/// The work, with a panic as an error of ours. What the handler works with is shared state of stores and clients, which
/// keep no half-done state of their own between calls; the steps themselves can be killed at any instruction.
async fn guarded<T>(work: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let message = format!("the function panicked, which is a defect: {}", panic_text(panic.as_ref()));
        Err(StepError::message(ErrorName::Internal, message))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The answer to Lambda, logged.
fn report(began: Instant, result: Result<Value, StepError>) -> Result<Value, Diagnostic> {
    let duration_seconds = began.elapsed().as_secs_f64();
    match result {
        Ok(output) => {
            tracing::info!(duration_seconds, "step succeeded");
            Ok(output)
        }
        Err(error) => {
            tracing::error!(duration_seconds, error_name = %error.name, error_message = error.message, "step failed");
            Err(Diagnostic { error_type: error.name.to_string(), error_message: error.message })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_core::run::RunRef;

    use super::*;

    #[test]
    fn undecodable_payloads_name_the_field() {
        let check = |payload: Value, expected: &str| {
            let error = decode::<RunRef>(payload).expect_err(expected);
            assert_eq!(error.name, ErrorName::InvalidInput);
            assert!(error.message.contains(expected), "{error}");
        };
        check(json!({"pipeline": "re tail", "run_id": "r", "attempt": 1}), "`pipeline`: 're tail' is no pipeline name");
        check(json!({"pipeline": "retail", "run_id": "r", "attempt": -1}), "`attempt`");
        check(json!({"pipeline": "retail", "run_id": "r"}), "missing field `attempt`");
        check(json!({"pipeline": "retail", "run_id": "r", "attempt": 1, "atempt": 1}), "atempt");
        check(json!("retail"), "`.`");
    }

    #[test]
    fn a_call_is_known_by_what_lambda_says_of_its_function() {
        let check = |variables: &[(env::Variable, &str)], expected: (&str, u64, Option<&str>)| {
            let found = facts_of(&Env::of(variables.iter().copied()), Timestamp::UNIX_EPOCH, Duration::ZERO);
            assert_eq!((found.function.as_str(), found.memory_mb, found.region.as_deref()), expected);
        };
        let memory = (env::FUNCTION_MEMORY, "3008");
        let all = [(env::FUNCTION_NAME, "sluice-dev-process"), memory, (env::REGION, "eu-central-1")];
        check(&all, ("sluice-dev-process", 3008, Some("eu-central-1")));
        check(&[], ("", 0, None));
    }

    #[tokio::test]
    async fn a_panic_becomes_internal() {
        let error = guarded::<()>(async { panic!("index {} of 3", 7) }).await.expect_err("panic");
        assert_eq!(error.name, ErrorName::Internal);
        assert!(error.message.contains("index 7 of 3"), "{error}");
        assert_eq!(guarded(async { Ok(1) }).await, Ok(1));
    }

    #[test]
    fn lambda_sees_the_stable_name() {
        for name in ErrorName::ALL {
            let answer = report(Instant::now(), Err(StepError::message(name, "why"))).expect_err("failed");
            assert_eq!((answer.error_type.as_str(), answer.error_message.as_str()), (name.as_str(), "why"));
        }
    }
}
