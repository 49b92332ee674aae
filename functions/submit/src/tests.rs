mod control;
mod cursors;
mod described;
mod events;
mod fake;
mod refused;
mod rights;
mod submitted;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use sluice_documents::DocumentStore;
use sluice_http::Callers;
use sluice_http::audit::{AuditLog, Audited};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use fake::FakeExecutions;

/// Who calls when nobody else is named. Has every right on the runs of `retail` and `weather`.
const ANN: &str = "arn:aws:iam::123456789012:user/ann";

/// Rights on the runs of `retail` and `weather`. The first grant is of Ann, the others of sessions of roles.
const RUNS: &str = "runs:
  - { name: operators, principals: ['arn:aws:iam::123456789012:user/ann'], rights: [start, control], purpose: operations }
  - { name: loaders, principals: ['arn:aws:iam::123456789012:role/loader'], rights: [start] }
  - { name: readers, principals: ['arn:aws:iam::123456789012:role/reader'], rights: [read] }
  - { name: former, principals: ['arn:aws:iam::123456789012:role/former'], rights: [start, control], expires: 2020-01-01T00:00:00Z }
";

/// A lake with pipelines, and the API over it.
struct World {
    folder: TempDir,
    executions: FakeExecutions,
    router: Router,
    audit: Arc<Mutex<Vec<Value>>>,
}

impl World {
    fn new() -> Self {
        Self::with(FakeExecutions::default(), ann())
    }

    fn with(executions: FakeExecutions, callers: Callers) -> Self {
        Self::changed(executions, callers, |api| api)
    }

    /// With another API over its lake.
    fn changed(executions: FakeExecutions, callers: Callers, change: impl FnOnce(RunsApi) -> RunsApi) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (pipeline, runs) in [("retail", RUNS), ("weather", RUNS), ("payroll", "")] {
            let spec = folder.path().join("pipelines").join(pipeline);
            std::fs::create_dir_all(&spec).unwrap();
            let text = format!(
                "pipeline: {pipeline}\ndomain: sales\nsource: {{ prefix: landing/{pipeline}, format: csv }}\nbronze: {{ table: raw }}\nsilver: []\n{runs}"
            );
            std::fs::write(spec.join("pipeline.yaml"), text).unwrap();
        }
        // It costs nobody but itself.
        std::fs::create_dir_all(folder.path().join("pipelines/broken")).unwrap();
        std::fs::write(folder.path().join("pipelines/broken/pipeline.yaml"), "pipeline: [").unwrap();
        let root = format!("file://{}", folder.path().display()).parse().unwrap();
        let documents = DocumentStore::open(&root, &std::collections::BTreeMap::new()).unwrap();
        let audit: Arc<Mutex<Vec<Value>>> = Arc::default();
        let events = audit.clone();
        let log = AuditLog::new(move |event| {
            events.lock().unwrap().push(serde_json::to_value(event).unwrap());
            Ok(())
        });
        let api = change(RunsApi::new(documents, executions.clone()));
        let (router, document) = router(api, Audited { callers, log });
        Self { folder, executions, router: sluice_http::guard::documented(router, document), audit }
    }

    /// The events since the last call.
    fn events(&self) -> Vec<Value> {
        std::mem::take(&mut *self.audit.lock().unwrap())
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value, Response<()>) {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("no JSON: {bytes:?}"));
        (parts.status, value, Response::from_parts(parts, ()))
    }

    async fn call(&self, method: &str, uri: &str) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        let (status, body, _) = self.send(request).await;
        (status, body)
    }

    async fn process(&self, query: &str, key: Option<&str>, body: &str) -> (StatusCode, Value) {
        let (status, body, _) = self.send(process(query, key, body)).await;
        (status, body)
    }

    fn write(&self, path: &str, document: &Value) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, document.to_string()).unwrap();
    }
}

/// Calls without credentials are Ann's.
fn ann() -> Callers {
    Callers::of_gateway().or_as(ANN.parse().ok())
}

/// The request as a session of a role that API Gateway has authenticated.
fn of_role(mut request: Request<Body>, role: &str, session: &str) -> Request<Body> {
    let arn = format!("arn:aws:sts::123456789012:assumed-role/{role}/{session}");
    request.extensions_mut().insert(sluice_http::caller::GatewayCaller { arn });
    request
}

fn process(query: &str, key: Option<&str>, body: &str) -> Request<Body> {
    let mut request =
        Request::builder().method("POST").uri(format!("/process{query}")).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
