//! A server on this machine answers callers of this machine, and not the pages of others in their browser.
//!
//! A page can have its own name resolve to 127.0.0.1 (DNS rebinding) and then calls as if the server were its own: the name stands in
//! `Host`. Other pages can send simple requests to any address: their name stands in `Origin`.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use jiff::Timestamp;

use crate::audit::{AuditEvent, AuditLog, Operation, Outcome, operation};
use crate::problem::{Problem, ProblemCode};

/// Names of this machine that a server on its loopback address is called by.
const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// Port that addresses leave out.
const HTTP_PORT: u16 = 80;

/// The router, for requests to a server at this port of this machine and from its own pages alone. A refused call of one of the operations
/// of these APIs leaves an event as any other does; nobody is recognised, whatever token it has.
pub fn only(router: Router, port: u16, log: AuditLog, apis: &'static [&'static [Operation]]) -> Router {
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let log = log.clone();
        async move {
            let Some(what) = refusal(request.headers(), port) else { return next.run(request).await };
            write_down(&log, apis, &request, what);
            let detail = format!("{what}: this server answers requests to 127.0.0.1:{port} and localhost:{port} alone");
            Problem::new(ProblemCode::Forbidden, detail).into_response()
        }
    }))
}

fn write_down(log: &AuditLog, apis: &[&[Operation]], request: &Request, reason: &str) {
    let (method, address) = (request.method(), request.uri().path());
    let Some((path, name)) = apis.iter().find_map(|api| operation(api, method, address)) else { return };
    let mut event = AuditEvent::new(Timestamp::now(), path, name);
    (event.decision, event.reason) = (Outcome::Denied, Some(reason.to_owned()));
    // The call is refused in any case.
    if let Err(error) = log.write(&event) {
        tracing::error!(%error, "a refused access cannot be written down");
    }
}

/// What is wrong with a request.
fn refusal(headers: &HeaderMap, port: u16) -> Option<&'static str> {
    let hosts = values(headers, header::HOST);
    match hosts.as_slice() {
        [host] if is_ours(host, port) => {}
        _ => return Some("the header `Host` names another server"),
    }
    let is_foreign = |origin: &str| !origin.strip_prefix("http://").is_some_and(|host| is_ours(host, port));
    let is_foreign_page = values(headers, header::ORIGIN).into_iter().any(is_foreign);
    is_foreign_page.then_some("the header `Origin` names a page of another server")
}

/// The values of a header; one that is no text is empty, and so fits nothing.
fn values(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
}

fn is_ours(host: &str, port: u16) -> bool {
    NAMES.iter().any(|name| {
        let rest = host.get(..name.len()).filter(|begin| begin.eq_ignore_ascii_case(name)).and(host.get(name.len()..));
        match rest.map(|rest| rest.strip_prefix(':')) {
            Some(Some(given)) => given == port.to_string(),
            Some(None) => port == HTTP_PORT && host.len() == name.len(),
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::audit::AuditPath;

    const OPERATIONS: &[Operation] = &[("GET", "/", AuditPath::Rows, "rows")];

    #[tokio::test]
    async fn pages_of_other_servers_are_refused() {
        let (log, _) = kept();
        let router = Router::new().route("/", get(|| async { "here" }));
        let router = crate::guard::guarded(only(router, 8080, log, &[OPERATIONS]));
        let check = async |host: Option<&str>, origin: Option<&str>, expected: StatusCode| {
            let mut request = Request::builder().uri("/");
            if let Some(host) = host {
                request = request.header("host", host);
            }
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = router.clone().oneshot(request.body(Body::empty()).expect("request")).await.expect("answer");
            assert_eq!(answer.status(), expected, "{host:?} {origin:?}");
        };
        let (ok, forbidden) = (StatusCode::OK, StatusCode::FORBIDDEN);
        check(Some("127.0.0.1:8080"), None, ok).await;
        check(Some("LOCALHOST:8080"), None, ok).await;
        check(Some("[::1]:8080"), Some("http://localhost:8080"), ok).await;
        check(Some("127.0.0.1:8080"), Some("http://127.0.0.1:8080"), ok).await;
        check(None, None, forbidden).await;
        check(Some(""), None, forbidden).await;
        check(Some("127.0.0.1"), None, forbidden).await;
        check(Some("127.0.0.1:8081"), None, forbidden).await;
        check(Some("attacker.example:8080"), None, forbidden).await;
        check(Some("127.0.0.1.attacker.example:8080"), None, forbidden).await;
        check(Some("127.0.0.1:8080"), Some("http://attacker.example"), forbidden).await;
        check(Some("127.0.0.1:8080"), Some("http://localhost:8081"), forbidden).await;
        check(Some("127.0.0.1:8080"), Some("https://127.0.0.1:8080"), forbidden).await;
        check(Some("127.0.0.1:8080"), Some("null"), forbidden).await;
    }

    /// A log, and what it has.
    fn kept() -> (AuditLog, Arc<Mutex<Vec<AuditEvent>>>) {
        let events: Arc<Mutex<Vec<AuditEvent>>> = Arc::default();
        let kept = events.clone();
        let log = AuditLog::new(move |event| {
            kept.lock().expect("events").push(event.clone());
            Ok(())
        });
        (log, events)
    }

    #[tokio::test]
    async fn a_refused_call_of_an_operation_leaves_one_event() {
        let (log, events) = kept();
        let router = Router::new().route("/", get(|| async { "here" }));
        let router = only(router, 8080, log, &[&[], OPERATIONS]);
        for (method, uri, host, token, expected) in [
            ("GET", "/", "attacker.example", None, 1),
            ("GET", "/", "attacker.example", Some("Bearer a.b.c"), 1),
            ("PUT", "/", "attacker.example", None, 0),
            ("GET", "/nowhere", "attacker.example", None, 0),
            ("GET", "/", "127.0.0.1:8080", None, 0),
        ] {
            let mut request = Request::builder().method(method).uri(uri).header("host", host);
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let request = request.body(Body::empty()).expect("request");
            drop(router.clone().oneshot(request).await.expect("answer"));
            let events = std::mem::take(&mut *events.lock().expect("events"));
            assert_eq!(events.len(), expected, "{method} {uri} {host}: {events:?}");
            let is_denied = |event: &AuditEvent| {
                event.decision == Outcome::Denied && event.caller == "anonymous" && event.operation == "rows"
            };
            assert!(events.iter().all(is_denied), "{events:?}");
        }
    }

    #[test]
    fn the_port_of_http_may_be_left_out() {
        assert!(is_ours("localhost", HTTP_PORT) && is_ours("localhost:80", HTTP_PORT));
        assert!(!is_ours("localhost", 8080) && !is_ours("localhosts", HTTP_PORT));
    }
}
