mod control;
mod described;
mod events;
mod fake;
mod refused;
mod submitted;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use sluice_documents::DocumentStore;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use fake::FakeExecutions;

/// A lake with the pipeline `retail`, and the API over it.
struct World {
    folder: TempDir,
    executions: FakeExecutions,
    router: Router,
}

impl World {
    fn new() -> Self {
        Self::with(FakeExecutions::default(), Callers::Local("ann".to_owned()))
    }

    fn with(executions: FakeExecutions, callers: Callers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = folder.path().join("pipelines/retail");
        std::fs::create_dir_all(&spec).unwrap();
        std::fs::write(spec.join("pipeline.yaml"), "").unwrap();
        let root = format!("file://{}", folder.path().display()).parse().unwrap();
        let documents = DocumentStore::open(&root, &std::collections::BTreeMap::new()).unwrap();
        let (router, document) = router(RunsApi::new(documents, executions.clone(), callers));
        Self { folder, executions, router: sluice_http::guard::documented(router, document) }
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

fn process(query: &str, key: Option<&str>, body: &str) -> Request<Body> {
    let mut request =
        Request::builder().method("POST").uri(format!("/process{query}")).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
