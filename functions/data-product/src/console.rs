//! The console: pages for people, under the same policies as the API.
//!
//! - `viewer`: who reads a page, and the answer to them;
//! - `session` and `sign_in`: how people sign in with a token, or on their own machine without one;
//! - `pages`: content, status and headers of an answer;
//! - `recent`: runs and holds, read and kept for a moment; `kept`: what the pages work with;
//! - `address`: names in the addresses of pages;
//! - one module for each kind of page: it loads facts, and `sluice_pages` makes the content of them.
//!
//! A page is read-only and has no script. Nothing is read, or computed, until somebody asks for a page.

mod access;
mod address;
mod kept;
mod lineage;
mod overview;
mod pages;
mod product;
mod quarantine;
pub(crate) mod recent;
mod run;
mod runs;
mod search;
mod session;
mod sign_in;
mod sources;
mod viewer;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use sluice_core::run::RunKey;

use self::address::{missing, name, product_ref};
pub(crate) use self::kept::Console;
pub use self::session::LocalSignIn;
use self::viewer::{Asked, Parameters, Viewer};
use crate::App;

/// The routes. Those of `sluice_core::audit::CONSOLE_OPERATIONS` are audited; the others have nothing of the lake.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(pages::to_overview))
        .route("/console/style.css", get(pages::style))
        .route("/console/icon.svg", get(pages::icon))
        .route("/console/{*rest}", get(no_page))
        // API Gateway may leave the slash at the end of an address out.
        .route("/console", get(overview_page))
        .route("/console/", get(overview_page))
        .route("/console/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/console/sign-out", post(sign_in::end))
        .route("/console/runs", get(runs_page))
        .route("/console/runs/{pipeline}", get(runs_of_pipeline))
        .route("/console/runs/{pipeline}/{run}", get(run_page))
        .route("/console/search", get(search_page))
        .route("/console/products", get(products_page))
        .route("/console/products/{domain}/{product}", get(product_page))
        .route("/console/products/{domain}/{product}/{port}", get(port_page))
        .route("/console/products/{domain}/{product}/{port}/sample", get(sample_page))
        .route("/console/lineage", get(lineage_page))
        .route("/console/quarantine/{pipeline}", get(quarantine_page))
        .route("/console/quarantine/{pipeline}/{run}", get(quarantine_of_run))
        .route("/console/sources/{pipeline}", get(sources_page))
        .route("/console/access/{domain}/{product}", get(access_page))
}

async fn no_page(State(api): State<App>, asked: Asked) -> Response {
    asked.problem(&api, None, missing())
}

async fn overview_page(State(api): State<App>, viewer: Viewer) -> Response {
    viewer.answer(&api, overview::page(&api, &viewer.caller).await)
}

async fn runs_page(State(api): State<App>, viewer: Viewer, Parameters(wanted): Parameters<runs::Wanted>) -> Response {
    let content = async { runs::page(&api, &viewer.caller, None, &wanted?).await };
    viewer.answer(&api, content.await)
}

async fn runs_of_pipeline(
    State(api): State<App>,
    viewer: Viewer,
    Path(pipeline): Path<String>,
    Parameters(wanted): Parameters<runs::Wanted>,
) -> Response {
    let content = async { runs::page(&api, &viewer.caller, Some(name(&pipeline)?), &wanted?).await };
    viewer.answer(&api, content.await)
}

async fn run_page(
    State(api): State<App>,
    viewer: Viewer,
    Path((pipeline, run)): Path<(String, String)>,
    Parameters(wanted): Parameters<run::Wanted>,
) -> Response {
    let found = async {
        let key = RunKey { pipeline: name(&pipeline)?, run_id: name(&run)? };
        run::page(&api, &viewer.caller, &key, &wanted?).await
    };
    match found.await {
        Ok((content, is_live)) => {
            let answer = viewer.answer(&api, Ok(content));
            if is_live { pages::again(answer) } else { answer }
        }
        Err(problem) => viewer.answer(&api, Err(problem)),
    }
}

async fn search_page(
    State(api): State<App>,
    viewer: Viewer,
    Parameters(wanted): Parameters<search::Wanted>,
) -> Response {
    match wanted {
        Ok(wanted) => {
            let content = search::page(&api, &viewer.caller, wanted.text()).await;
            viewer.searching(wanted.text()).answer(&api, content)
        }
        Err(problem) => viewer.answer(&api, Err(problem)),
    }
}

async fn products_page(State(api): State<App>, viewer: Viewer) -> Response {
    viewer.answer(&api, product::list(&api, &viewer.caller).await)
}

async fn product_page(
    State(api): State<App>,
    viewer: Viewer,
    Path((domain, product)): Path<(String, String)>,
) -> Response {
    let content = async { product::page(&api, &viewer.caller, product_ref(&domain, &product)?).await };
    viewer.answer(&api, content.await)
}

async fn port_page(
    State(api): State<App>,
    viewer: Viewer,
    Path((domain, product, port)): Path<(String, String, String)>,
) -> Response {
    let content = async { product::port(&api, &viewer.caller, product_ref(&domain, &product)?, name(&port)?).await };
    viewer.answer(&api, content.await)
}

async fn sample_page(
    State(api): State<App>,
    viewer: Viewer,
    Path((domain, product, port)): Path<(String, String, String)>,
) -> Response {
    let content = async { product::sample(&api, &viewer.caller, product_ref(&domain, &product)?, name(&port)?).await };
    viewer.answer(&api, content.await)
}

/// What a lineage is wanted of.
#[derive(Debug, Deserialize)]
struct OfLineage {
    /// A table, or a column as `<table>.<column>`.
    of: Option<String>,
}

async fn lineage_page(State(api): State<App>, viewer: Viewer, Parameters(wanted): Parameters<OfLineage>) -> Response {
    let content = async { lineage::page(&api, &viewer.caller, wanted?.of).await };
    viewer.answer(&api, content.await)
}

async fn quarantine_page(State(api): State<App>, viewer: Viewer, Path(pipeline): Path<String>) -> Response {
    let content = async { quarantine::page(&api, &viewer.caller, name(&pipeline)?).await };
    viewer.answer(&api, content.await)
}

async fn quarantine_of_run(
    State(api): State<App>,
    viewer: Viewer,
    Path((pipeline, run)): Path<(String, String)>,
) -> Response {
    let content = async { quarantine::of_run(&api, &viewer.caller, name(&pipeline)?, name(&run)?).await };
    viewer.answer(&api, content.await)
}

async fn sources_page(State(api): State<App>, viewer: Viewer, Path(pipeline): Path<String>) -> Response {
    let content = async { sources::page(&api, &viewer.caller, name(&pipeline)?).await };
    viewer.answer(&api, content.await)
}

/// Whose rights are wanted.
#[derive(Debug, Deserialize)]
struct OfAccess {
    /// A principal, as policies name it; the reader where it is left out.
    #[serde(rename = "as")]
    who: Option<String>,
}

async fn access_page(
    State(api): State<App>,
    viewer: Viewer,
    Path((domain, product)): Path<(String, String)>,
    Parameters(wanted): Parameters<OfAccess>,
) -> Response {
    let content = async { access::page(&api, &viewer.caller, product_ref(&domain, &product)?, wanted?.who).await };
    viewer.answer(&api, content.await)
}

#[cfg(test)]
mod tests;
