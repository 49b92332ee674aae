//! What every answer passes on its way out.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use crate::problem::{Problem, ProblemCode};

/// Header with the id of a request, in requests, answers and logs.
pub const REQUEST_ID: &str = "x-request-id";
/// The id of a request, in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Longest id that is taken from a request.
const MAX_ID_BYTES: usize = 128;

/// The router, with its document at `/openapi.json`, and guarded.
pub fn documented(router: Router, document: utoipa::openapi::OpenApi) -> Router {
    guarded(with_document(router, document))
}

/// The router, with its document at `/openapi.json`, not guarded yet.
pub fn with_document(router: Router, document: utoipa::openapi::OpenApi) -> Router {
    let document = std::sync::Arc::new(document);
    router.route("/openapi.json", axum::routing::get(move || async move { axum::Json((*document).clone()) }))
}

/// The router, with unknown routes and methods as problems, panics as `internal`, and one log line per request.
///
/// No answer is kept by caches, unless its route says so, or taken by browsers for anything but its media type. A
/// problem that its route has written as an HTML page stays one. The line has method, route, status, time and the
/// problem's code; never a query string, a header or a body.
pub fn guarded(router: Router) -> Router {
    router
        .fallback(|| async { Problem::new(ProblemCode::NotFound, "this address does not exist: see /openapi.json") })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            Problem::new(
                ProblemCode::MethodNotAllowed,
                format!("{} does not take {method}: see /openapi.json", uri.path()),
            )
        })
        .layer(middleware::from_fn(pass))
}

async fn pass(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = id_of(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::error_span!("request", request_id = id);
    async {
        let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            Problem::new(ProblemCode::Internal, "the function panicked, which is a defect").into_response()
        });
        let mut response = completed(response, &id);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let kept = response.headers_mut().entry(CACHE_CONTROL);
        kept.or_insert_with(|| HeaderValue::from_static("private, no-store"));
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        log(&method, &path, &response, began);
        response
    }
    .instrument(span)
    .await
}

/// The id that API Gateway or the caller gave, or a new one.
fn id_of(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_id = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=+/".contains(&b))
    };
    given.filter(is_id).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// Problems get the id of their request.
fn completed(response: Response, id: &str) -> Response {
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|media_type| media_type.starts_with("text/html")) {
        return response;
    }
    let problem = Problem { request_id: Some(id.to_owned()), ..problem };
    let (parts, _) = response.into_parts();
    let mut answer = problem.into_response();
    // Headers that the route added, such as `Allow`.
    for (name, value) in &parts.headers {
        if !answer.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    if parts.status == StatusCode::METHOD_NOT_ALLOWED && answer.status() != parts.status {
        *answer.status_mut() = parts.status;
    }
    answer
}

fn log(method: &Method, path: &str, response: &Response<Body>, began: Instant) {
    let duration_seconds = began.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    match response.extensions().get::<Problem>() {
        Some(problem) if status >= 500 => tracing::error!(
            %method, path, status, duration_seconds, problem = %problem.code, detail = problem.detail, "request failed"
        ),
        Some(problem) => {
            tracing::info!(%method, path, status, duration_seconds, problem = %problem.code, "request refused");
        }
        None => tracing::info!(%method, path, status, duration_seconds, "request answered"),
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    async fn defect() -> &'static str {
        panic!("a defect")
    }

    /// A problem as its route writes it for people.
    async fn page() -> Response {
        let problem = Problem::new(ProblemCode::NotFound, "not there");
        let mut response = (problem.code.status(), axum::response::Html("<h1>not there</h1>")).into_response();
        response.extensions_mut().insert(problem);
        response
    }

    #[tokio::test]
    async fn a_problem_that_is_a_page_stays_one() {
        let router = guarded(Router::new().route("/page", axum::routing::get(page)));
        let request = Request::builder().uri("/page").body(Body::empty()).expect("request");
        let answer = router.oneshot(request).await.expect("answer");
        assert!(answer.headers().get(REQUEST_ID).is_some());
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.expect("body");
        assert_eq!(body, "<h1>not there</h1>");
    }

    #[tokio::test]
    async fn no_answer_is_kept_or_taken_for_something_else() {
        let router = Router::new()
            .route("/", axum::routing::get(|| async { "here" }))
            .route("/defect", axum::routing::get(defect))
            .route("/page", axum::routing::get(page));
        let router = documented(router, utoipa::openapi::OpenApi::default());
        let check = async |method: &str, uri: &str, status: u16| {
            let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("request");
            let answer = router.clone().oneshot(request).await.expect("answer");
            assert_eq!(answer.status().as_u16(), status, "{method} {uri}");
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header("cache-control"), Some("private, no-store"), "{method} {uri}");
            assert_eq!(header("x-content-type-options"), Some("nosniff"), "{method} {uri}");
        };
        check("GET", "/", 200).await;
        check("GET", "/openapi.json", 200).await;
        check("PUT", "/", 405).await;
        check("GET", "/nowhere", 404).await;
        check("GET", "/defect", 500).await;
        check("GET", "/page", 404).await;
    }
}
