//! The address at which tests create deployments, request faults and read what happened.

use std::sync::Arc;

use anyhow::Context;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;
use crate::http::{self, Answer, Cut};
use crate::names::{FUNCTIONS, function_arn};
use crate::world::World;

/// How much later S3 answers, as it is set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Latency {
    milliseconds: u64,
}

/// Answers a request of a test.
pub(crate) async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let body = http::collected(body).await?;
    let segments = http::segments(parts.uri.path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answered = match (&parts.method, segments.as_slice()) {
        (&Method::POST, ["deployments"]) => create(&world, &body),
        (&Method::DELETE, ["deployments", name]) => match world.delete(name).await {
            Ok(true) => Ok(http::empty(StatusCode::NO_CONTENT)),
            Ok(false) => Ok(unknown(name)),
            Err(error) => Err(error),
        },
        (method, ["deployments", name, rest @ ..]) => match world.deployment(name) {
            Some(deployment) => about(&world, &deployment, method, rest, &body),
            None => Ok(unknown(name)),
        },
        _ => Ok(unknown(parts.uri.path())),
    };
    Ok(answered.unwrap_or_else(|error| http::json(StatusCode::BAD_REQUEST, &json!({"error": format!("{error:#}")}))))
}

fn create(world: &World, body: &[u8]) -> anyhow::Result<Answer> {
    let wanted = serde_json::from_slice(body).context("deployment")?;
    let made = world.create(wanted)?;
    let arn = |function: &'static str| (function.to_owned(), Value::String(function_arn(&made.name, function)));
    let arns: Map<String, Value> = FUNCTIONS.into_iter().map(arn).collect();
    let created = json!({
        "lake": made.lake(),
        "function_arns": arns,
        "invoke_url": format!("{}/{}", world.addresses.aws, made.name),
    });
    Ok(http::json(StatusCode::CREATED, &created))
}

fn about(
    world: &World,
    deployment: &Deployment,
    method: &Method,
    rest: &[&str],
    body: &[u8],
) -> anyhow::Result<Answer> {
    Ok(match (method, rest) {
        (&Method::GET, ["calls"]) => http::json(StatusCode::OK, &deployment.calls.all()),
        (&Method::GET, ["requests"]) => http::json(StatusCode::OK, &deployment.requests.all()),
        (&Method::GET, ["faults"]) => http::json(StatusCode::OK, &deployment.faults.fired_rules()),
        (&Method::PUT, ["faults"]) => {
            deployment.faults.replace(serde_json::from_slice(body).context("faults")?)?;
            http::empty(StatusCode::NO_CONTENT)
        }
        (&Method::PUT, ["s3-latency"]) => {
            let wanted: S3Latency = serde_json::from_slice(body).context("latency of S3")?;
            deployment.set_s3_latency(wanted.milliseconds);
            http::empty(StatusCode::NO_CONTENT)
        }
        (&Method::GET, ["credentials", function]) => {
            match FUNCTIONS.into_iter().find(|known| known == function) {
                // Not bound to a process: the holder of these credentials may do what the role may do.
                Some(function) => {
                    let made = world.identities.admit(&deployment.name, function, "test");
                    http::json(StatusCode::OK, &made)
                }
                None => unknown(function),
            }
        }
        _ => unknown(&rest.join("/")),
    })
}

fn unknown(what: &str) -> Answer {
    http::json(StatusCode::NOT_FOUND, &json!({"error": format!("{what} does not exist")}))
}
