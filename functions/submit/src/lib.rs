//! HTTP function: the API of runs.
//!
//! Callers start runs, follow them, redrive and stop them, as far as the spec of the pipeline gives them the rights.

mod answers;
mod cursor;
mod request;
mod routes;
mod runs;

use std::sync::Arc;

use axum::Router;
use sluice_documents::DocumentStore;
use sluice_executions::erased::AnyExecutions;
use sluice_executions::ports::Executions;
use sluice_http::audit::{AuditPath, Audited, Operation};
use sluice_http::pipelines::Pipelines;
use tokio::sync::Mutex;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cursor::Cursors;

/// What events call the routes.
pub const OPERATIONS: &[Operation] = &[
    ("POST", "/process", AuditPath::Runs, "start"),
    ("GET", "/runs", AuditPath::Runs, "list"),
    ("GET", "/runs/{id}", AuditPath::Runs, "show"),
    ("DELETE", "/runs/{id}", AuditPath::Runs, "stop"),
    ("POST", "/runs/{id}/redrive", AuditPath::Runs, "redrive"),
];

/// What the function works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RunsApi {
    documents: DocumentStore,
    executions: AnyExecutions,
    pipelines: Pipelines,
    cursors: Cursors,
    /// Held while it is seen whether a run may be started, and it is: of requests at once, each counts for the next.
    starting: Arc<Mutex<()>>,
}

impl RunsApi {
    /// The API over these executions and the documents of their lake.
    pub fn new(documents: DocumentStore, executions: impl Executions + 'static) -> Self {
        let pipelines = Pipelines::new(documents.clone());
        let (executions, cursors) = (AnyExecutions::new(executions), Cursors::Open);
        Self { documents, executions, pipelines, cursors, starting: Arc::default() }
    }

    /// The API with cursors that are sealed with this key, for executions whose tokens say something of runs.
    #[must_use]
    pub fn with_sealed_cursors(self, key: [u8; 32]) -> Self {
        Self { cursors: Cursors::Sealed(key), ..self }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Sluice: runs",
    description = "Start runs of pipelines, follow them, redrive and stop them, as far as the specs of the pipelines give you the rights.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Described;

fn described() -> OpenApiRouter<RunsApi> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(routes::process))
        .routes(routes!(routes::list_runs))
        .routes(routes!(routes::show_run, routes::stop_run))
        .routes(routes!(routes::redrive_run))
}

/// The routes and what describes them. The caller puts `sluice_http::guard::documented` around them.
pub fn router(api: RunsApi, audited: Audited) -> (Router, utoipa::openapi::OpenApi) {
    let (router, openapi) = described().split_for_parts();
    (audited.around(router.with_state(api), OPERATIONS), openapi)
}

#[cfg(test)]
mod tests;
