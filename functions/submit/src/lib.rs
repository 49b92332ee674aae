//! HTTP function: the API of runs.
//!
//! Callers start runs, follow them, redrive and stop them. Every caller sees all runs: who may call at all is decided by
//! who stands in front of the function (API Gateway with IAM, or `sluice serve` on this machine).

mod answers;
mod caller;
mod cursor;
mod request;
mod routes;
mod runs;

pub use caller::Callers;

use axum::Router;
use sluice_documents::DocumentStore;
use sluice_executions::erased::AnyExecutions;
use sluice_executions::ports::Executions;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the function works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RunsApi {
    documents: DocumentStore,
    executions: AnyExecutions,
    callers: Callers,
}

impl RunsApi {
    /// The API over these executions and the documents of their lake.
    pub fn new(documents: DocumentStore, executions: impl Executions + 'static, callers: Callers) -> Self {
        Self { documents, executions: AnyExecutions::new(executions), callers }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Sluice: runs",
    description = "Start runs of pipelines, follow them, redrive and stop them. Every caller sees all runs.",
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
pub fn router(api: RunsApi) -> (Router, utoipa::openapi::OpenApi) {
    let (router, openapi) = described().split_for_parts();
    (router.with_state(api), openapi)
}

#[cfg(test)]
mod tests;
