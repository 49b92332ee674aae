//! HTTP function: the API for data consumers.
//!
//! - `catalogue`: what there is, and what is said of it;
//! - `rows`: rows of a port, and SQL over several;
//! - `sharing`: Delta Sharing;
//! - `console`: pages for people;
//! - `metrics`: what a server measures, for Prometheus.
//!
//! Every handler that is about a port asks `ProductsApi::authorize` first. Every access leaves one event (`sluice_http::audit`).

mod answer;
mod authorize;
mod catalogue;
mod console;
mod deployed;
pub mod expiry;
pub mod links;
pub mod metrics;
mod problem;
mod refusal;
mod registry;
mod rows;
pub mod secret;
mod sharing;
mod state;
mod written;

use std::sync::Arc;

use axum::Router;
use sluice_core::audit::{CONSOLE_OPERATIONS, METRICS_OPERATIONS, PRODUCT_OPERATIONS};
use sluice_http::audit::Audited;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use crate::authorize::Access;
pub use crate::console::LocalSignIn;
pub(crate) use crate::state::App;
pub use crate::state::{ProductsApi, Settings};

/// What the document of the interface begins with.
#[derive(OpenApi)]
#[openapi(
    components(schemas(sluice_http::Problem)),
    info(
        title = "Sluice data products",
        description = "Data products: what there is, what is said of it, its rows, SQL over it, and Delta Sharing.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    )
)]
struct Document;

/// The routes with their document.
fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(catalogue::routes())
        .merge(rows::routes())
        .merge(sharing::routes())
        .merge(links::routes())
}

/// The document of the interface: OpenAPI 3.1, made from the routes and types.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().into_openapi()
}

/// The API, the console and, where something is measured, `/metrics` as a router, with the document of the API; neither
/// guarded nor served with it yet (see `sluice_http::guard`).
pub fn router(api: ProductsApi, audited: Audited) -> (Router, utoipa::openapi::OpenApi) {
    let (router, document) = documented().split_for_parts();
    let api = Arc::new(api);
    let mut more = audited.clone().around(console::routes().with_state(api.clone()), CONSOLE_OPERATIONS);
    if api.measuring.is_some() {
        more = more.merge(audited.clone().around(metrics::routes().with_state(api.clone()), METRICS_OPERATIONS));
    }
    (audited.around(router.with_state(api), PRODUCT_OPERATIONS).merge(more), document)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed document of the interface is the one of the code; `SLUICE_UPDATE=1` writes it again.
    #[test]
    fn the_committed_document_is_that_of_the_code() {
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let text = format!("{}\n", serde_json::to_string_pretty(&openapi()).expect("json"));
        if std::env::var_os("SLUICE_UPDATE").is_some() {
            std::fs::write(committed, &text).expect("the document can be written");
        }
        let there = std::fs::read_to_string(committed).unwrap_or_default();
        assert!(there == text, "openapi.json is stale: SLUICE_UPDATE=1 cargo test -p sluice-data-product");
    }

    #[test]
    fn every_route_is_audited() {
        let document = serde_json::to_value(openapi()).expect("json");
        let routes = document["paths"].as_object().expect("paths");
        let mut audited = 0;
        for (path, methods) in routes {
            for method in methods.as_object().expect(path).keys() {
                let method = method.to_uppercase().parse().expect("method");
                let given = path.replace(['{', '}'], "");
                assert!(
                    sluice_http::audit::operation(PRODUCT_OPERATIONS, &method, &given).is_some(),
                    "{method} {path}"
                );
                audited += 1;
            }
        }
        assert_eq!(audited, PRODUCT_OPERATIONS.len());
    }

    /// Pages of the console are in no document, so that its source names them.
    #[test]
    fn every_page_is_audited() {
        /// What has nothing of the lake.
        const OPEN: [&str; 4] = ["/", "/console/style.css", "/console/icon.svg", "/console/{*rest}"];
        let source = include_str!("console.rs");
        let mut routes = Vec::new();
        for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
            let (path, handlers) = line.split_once("\", ").expect(line);
            let methods = ["get", "post"].into_iter().filter(|method| handlers.contains(&format!("{method}(")));
            routes.extend(methods.map(|method| (method.to_uppercase(), path)));
        }
        routes.retain(|(_, path)| !OPEN.contains(path));
        for (method, path) in &routes {
            let listed = CONSOLE_OPERATIONS.iter().any(|(known, route, ..)| known == method && route == path);
            assert!(listed, "{method} {path}");
        }
        assert_eq!(routes.len(), CONSOLE_OPERATIONS.len());
    }

    /// The sample events are requests of API Gateway (payload format 2.0) for routes that there are.
    #[test]
    fn sample_events_are_requests_of_this_api() {
        let document = serde_json::to_value(openapi()).expect("json");
        let check = |text: &str, path: &str| {
            let event: serde_json::Value = serde_json::from_str(text).expect(path);
            let method = event["requestContext"]["http"]["method"].as_str().expect(path).to_lowercase();
            assert!(document["paths"][path].get(&method).is_some(), "{method} {path}");
            let arn = event["requestContext"]["authorizer"]["iam"]["userArn"].as_str().expect(path);
            assert!(arn.parse::<sluice_core::access::Principal>().is_ok(), "{arn}");
        };
        check(include_str!("../../../events/data-product-rows.json"), "/data-products/{domain}/{product}/rows");
        check(include_str!("../../../events/data-product-query.json"), "/query");
    }
}
