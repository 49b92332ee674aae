//! The control API: what a test can ask of the server in addition to EMR's own API. The documentation of the crate describes it.

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::service::Service;
use crate::times::Delays;

/// A response of the control API.
pub(crate) struct ControlAnswer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl ControlAnswer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    fn wrong(status: u16, message: impl Into<String>) -> Self {
        Self { status, body: json!({ "error": message.into() }) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Age {
    cluster_id: String,
    seconds: u32,
}

/// Handles a request below `/_control/`.
pub(crate) fn answer(service: &Service, method: &Method, path: &str, body: &[u8]) -> ControlAnswer {
    let mut world = service.world();
    match (method.as_str(), path) {
        ("GET", "calls") => ControlAnswer::ok(json!({ "calls": world.calls })),
        ("DELETE", "calls") => {
            world.calls.clear();
            ControlAnswer::ok(json!({}))
        }
        ("GET", "faults") => ControlAnswer::ok(json!({ "faults": world.faults.planned() })),
        ("POST", "faults") => read::<Fault>(body, |fault| {
            world.faults.add(fault);
            ControlAnswer::ok(json!({}))
        }),
        ("DELETE", "faults") => {
            world.faults.clear();
            ControlAnswer::ok(json!({}))
        }
        ("GET", "clusters") => ControlAnswer::ok(world.describe()),
        ("POST", "age") => read::<Age>(body, |Age { cluster_id, seconds }| match world.cluster_mut(&cluster_id) {
            Err(error) => ControlAnswer::wrong(404, error.to_string()),
            Ok(cluster) => {
                cluster.created_at -= jiff::SignedDuration::from_secs(i64::from(seconds));
                ControlAnswer::ok(json!({}))
            }
        }),
        ("GET", "delays") => ControlAnswer::ok(json!(world.delays)),
        ("POST", "delays") => read::<Delays>(body, |delays| {
            world.delays = delays;
            ControlAnswer::ok(json!({}))
        }),
        _ => ControlAnswer::wrong(404, format!("{method} /_control/{path} does not exist")),
    }
}

fn read<T: DeserializeOwned>(body: &[u8], then: impl FnOnce(T) -> ControlAnswer) -> ControlAnswer {
    match serde_json::from_slice(body) {
        Ok(request) => then(request),
        Err(error) => ControlAnswer::wrong(400, error.to_string()),
    }
}
