//! Content, status and headers of the answers of the console.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use sluice_http::{Problem, ProblemCode};
use sluice_pages::{CONSOLE_ICON, CONSOLE_STYLE, Content, Frame, Reader, console_page, problem_page};

use crate::App;

/// What every page says of itself to browsers. A page is a page of its own server in no frame: it loads the style sheet
/// and pictures of its own server, sends forms there, and runs no script.
///
/// The referrer policy is `same-origin`, because with `no-referrer` browsers send forms with `Origin: null`, which
/// looks like a form of another server. Other servers learn nothing either way.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// How long browsers keep what has its version in its address.
const KEPT: &str = "public, max-age=31536000, immutable";
/// Seconds after which the page of a run that goes on is loaded again.
const AGAIN: &str = "5";
/// Digits of the version of the style sheet.
const VERSION_DIGITS: usize = 16;

/// The version of the style sheet.
pub(super) static STYLE_VERSION: LazyLock<String> =
    LazyLock::new(|| blake3::hash(CONSOLE_STYLE.as_bytes()).to_hex().chars().take(VERSION_DIGITS).collect());

/// The part of the address of this API between the host and the paths of its routes: empty, or such as `/live`.
pub(super) fn base(endpoint: &str) -> &str {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    host.find('/').and_then(|at| host.get(at..)).unwrap_or_default().trim_end_matches('/')
}

/// An address below the console, as the header `Location` has it.
pub(super) fn redirect(api: &App, path: &str) -> Response {
    let location = format!("{}{path}", base(&api.settings.endpoint));
    match HeaderValue::from_str(&location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => Problem::new(ProblemCode::InvalidRequest, "the address to go on with is not valid").into_response(),
    }
}

/// The overview, from the address of the server alone.
pub(super) async fn to_overview(State(api): State<App>) -> Response {
    redirect(&api, "/console/")
}

/// The style sheet, whose address has its version.
pub(super) async fn style() -> Response {
    kept("text/css; charset=utf-8", CONSOLE_STYLE)
}

/// The picture of the console.
pub(super) async fn icon() -> Response {
    kept("image/svg+xml", CONSOLE_ICON)
}

fn kept(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, KEPT)], text).into_response()
}

/// The answer, which browsers ask for again after some seconds.
pub(super) fn again(mut answer: Response) -> Response {
    if answer.status().is_success() {
        answer.headers_mut().insert(header::REFRESH, HeaderValue::from_static(AGAIN));
    }
    answer
}

/// A page.
pub(super) fn page(status: StatusCode, frame: &Frame<'_>, content: &Content) -> Response {
    let mut response = (status, Html(console_page(frame, content))).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that says what went wrong. The problem rides along, so that the log and the audit event have its code.
pub(super) fn problem(frame: &Frame<'_>, request: &str, problem: Problem) -> Response {
    let next = match problem.code {
        ProblemCode::NotFound => "check the address, search for the name, or go to the overview",
        ProblemCode::InvalidRequest | ProblemCode::InvalidCursor => "begin at the overview again",
        ProblemCode::TooManyRequests | ProblemCode::Unavailable => "load the page again in some seconds",
        other => other.next_step(),
    };
    let content = problem_page(&problem.title, &problem.detail, next, request);
    with_problem(page(problem.code.status(), frame, &content), problem)
}

/// The response with the problem that it is about.
pub(super) fn with_problem(mut response: Response, problem: Problem) -> Response {
    if matches!(problem.code, ProblemCode::TooManyRequests | ProblemCode::Unavailable) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN));
    }
    response.extensions_mut().insert(problem);
    response
}

/// The frame of a page.
pub(super) fn frame<'a>(api: &'a App, here: &'a str, reader: Option<Reader<'a>>, query: &'a str) -> Frame<'a> {
    Frame { base: base(&api.settings.endpoint), here, style: STYLE_VERSION.as_str(), reader, query }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_below_the_path_of_the_endpoint() {
        let check = |endpoint: &str, expected: &str| assert_eq!(base(endpoint), expected, "{endpoint}");
        check("http://127.0.0.1:8080", "");
        check("https://data.example.com/", "");
        check("https://abc.execute-api.eu-central-1.amazonaws.com/live", "/live");
        check("https://example.com/a/b/", "/a/b");
    }
}
