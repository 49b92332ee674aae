//! One event per access: who asked for what, in which form they got it, by which rule.
//!
//! [`Audited`] stands around the routes of an API. It opens a [`Trail`] for each request, which handlers complete, and writes it when the
//! answer is known. So every access leaves its event however it ends: refused, failed, given up by the caller, or by a panic. Where it
//! cannot be written, nothing is answered.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use jiff::Timestamp;
use sluice_core::access::{ColumnAccess, Treatment};
pub use sluice_core::audit::{AuditEvent, AuditPath, Operation, Outcome};

use crate::callers::Callers;
use crate::problem::{Problem, ProblemCode};
use crate::shares::Admission;

/// A column as an event has it; `None` for one that is hidden.
pub fn column_text(name: &str, treatment: Treatment) -> Option<String> {
    match treatment {
        Treatment::Hide => None,
        Treatment::Clear => Some(name.to_owned()),
        Treatment::Null => Some(format!("{name}:null")),
        Treatment::Hash => Some(format!("{name}:hash")),
        Treatment::Partial => Some(format!("{name}:partial")),
    }
}

/// The columns of an access as an event has them.
pub fn columns_text<'a>(columns: impl IntoIterator<Item = &'a ColumnAccess>) -> Vec<String> {
    columns.into_iter().filter_map(|column| column_text(&column.name, column.treatment)).collect()
}

/// Where events go.
#[derive(Clone)]
pub struct AuditLog(Arc<Write>);

/// Writes an event, or says why it cannot.
type Write = dyn Fn(&AuditEvent) -> io::Result<()> + Send + Sync;

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog(…)")
    }
}

impl AuditLog {
    /// A log that this function writes. Where it fails, the access is not answered.
    pub fn new(write: impl Fn(&AuditEvent) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The log of the process: one line at level INFO with target `audit` and the event as JSON in the field `audit`.
    pub fn of_process() -> Self {
        Self::new(|event| {
            let text = serde_json::to_string(event)?;
            tracing::info!(target: "audit", audit = text, "access");
            Ok(())
        })
    }

    /// Writes an event.
    ///
    /// # Errors
    /// When it is not written, or not whole.
    pub(crate) fn write(&self, event: &AuditEvent) -> io::Result<()> {
        (self.0)(event)
    }
}

/// What is known of a request while it is answered: one access, or several where a statement reads several tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Mutex<Vec<AuditEvent>>>);

impl Trail {
    fn new(event: AuditEvent) -> Self {
        Self(Arc::new(Mutex::new(vec![event])))
    }

    /// The trail of a request.
    ///
    /// # Errors
    /// `internal` for a route that no [`Audited`] stands around: nothing is answered that is not written down.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Problem> {
        let trail = parts.extensions.get::<Self>().cloned();
        trail.ok_or_else(|| Problem::new(ProblemCode::Internal, "the route is not audited, which is a defect"))
    }

    fn events(&self) -> MutexGuard<'_, Vec<AuditEvent>> {
        // Every change is complete before the lock is released.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is known now to the newest access.
    pub fn note(&self, change: impl FnOnce(&mut AuditEvent)) {
        if let Some(newest) = self.events().last_mut() {
            change(newest);
        }
    }

    /// What is known now of every access.
    pub fn noted(&self) -> Vec<AuditEvent> {
        self.events().clone()
    }

    /// Adds what is known now to every access.
    pub fn note_all(&self, change: impl Fn(&mut AuditEvent)) {
        self.events().iter_mut().for_each(change);
    }

    /// Begins another access of the same caller in the same request.
    pub fn another(&self) {
        let mut events = self.events();
        if let Some(AuditEvent { at, caller, token_id, access_path, operation, .. }) = events.last().cloned() {
            events.push(AuditEvent { caller, token_id, ..AuditEvent::new(at, access_path, operation) });
        }
    }

    /// The newest access is denied, for this reason. Callers learn no more than that it is.
    pub fn deny(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.note(|event| (event.decision, event.reason) = (Outcome::Denied, Some(reason)));
    }

    /// The events of a request that ended like this.
    fn ended(&self, status: StatusCode, code: &str) -> Vec<AuditEvent> {
        let mut events = std::mem::take(&mut *self.events());
        if !status.is_client_error() && !status.is_server_error() {
            return events;
        }
        // Nothing was given, so a statement that one of its tables was denied for was no access to the others.
        if events.iter().any(|event| event.decision == Outcome::Denied) {
            events.retain(|event| event.decision == Outcome::Denied);
        }
        for event in events.iter_mut().filter(|event| event.decision != Outcome::Denied) {
            event.decision = Outcome::Failed;
            event.reason.get_or_insert_with(|| code.to_owned());
        }
        events
    }
}

impl<S: Sync> FromRequestParts<S> for Trail {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

/// What stands around the routes of an API: who may call at all, where accesses are written down, and what the routes are called there.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Who is recognised.
    pub callers: Callers,
    /// Where events go.
    pub log: AuditLog,
}

impl Audited {
    /// The router with every access to one of the operations written down. Requests of other methods or for other addresses reach no
    /// operation and leave no event. An access that cannot be written down is answered with `unavailable`: what a handler did is done,
    /// and nothing of its answer is given.
    pub fn around(self, router: Router, operations: &'static [Operation]) -> Router {
        router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
            let Self { callers, log } = self.clone();
            async move {
                let found = operation(operations, request.method(), request.uri().path());
                let Some((path, name)) = found else { return next.run(request).await };
                let trail = Trail::new(AuditEvent::new(Timestamp::now(), path, name));
                request.extensions_mut().insert(trail.clone());
                request.extensions_mut().insert(callers);
                let admission = Admission::default();
                request.extensions_mut().insert(admission.clone());
                let (is_safe, status) = (request.method().is_safe(), StatusCode::INTERNAL_SERVER_ERROR);
                let ending = Ending { trail, log, is_safe, status, code: "given-up" };
                let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
                    Problem::new(ProblemCode::Internal, "the function panicked, which is a defect").into_response()
                });
                admission.until_sent(ending.answered(response))
            }
        }))
    }
}

/// Writes the events of a request: when the answer is known, or when this is dropped because the caller has left.
struct Ending {
    trail: Trail,
    log: AuditLog,
    /// Whether the request asks for nothing to be done, by its method.
    is_safe: bool,
    status: StatusCode,
    code: &'static str,
}

impl Ending {
    /// The answer, once its events are written; without them a problem.
    fn answered(mut self, response: Response) -> Response {
        self.status = response.status();
        self.code = response.extensions().get::<Problem>().map_or("refused", |problem| problem.code.as_str());
        match self.write() {
            Ok(()) => response,
            Err(_) => {
                let detail = if self.is_safe {
                    "the access cannot be written down, so it is not answered: call again"
                } else {
                    "the access cannot be written down, so it is not answered; what it asks for may be done: \
                     look before you call again"
                };
                Problem::new(ProblemCode::Unavailable, detail).into_response()
            }
        }
    }

    /// Writes the events that are not written yet.
    fn write(&self) -> io::Result<()> {
        for event in self.trail.ended(self.status, self.code) {
            self.log.write(&event).inspect_err(|error| tracing::error!(%error, "an access cannot be written down"))?;
        }
        Ok(())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Logged there. Nobody is left to be answered.
        drop(self.write());
    }
}

/// The operation of a request.
pub fn operation(operations: &[Operation], method: &Method, path: &str) -> Option<(AuditPath, &'static str)> {
    sluice_core::audit::operation(operations, method.as_str(), path)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::callers::Caller;

    const OPERATIONS: &[Operation] = &[
        ("GET", "/open", AuditPath::Catalogue, "open"),
        ("GET", "/known/{name}", AuditPath::Rows, "known"),
        ("POST", "/many", AuditPath::Query, "many"),
    ];

    async fn many(trail: Trail) -> Result<&'static str, Problem> {
        trail.note(|event| event.rows = Some(1));
        trail.another();
        trail.note(|event| event.rows = Some(2));
        trail.another();
        trail.deny("not yours");
        Err(Problem::new(ProblemCode::NotFound, "no such table"))
    }

    async fn open(trail: Trail, request: Request) -> Result<&'static str, Problem> {
        match request.uri().query() {
            None => Ok("open"),
            Some("two") => {
                trail.another();
                Ok("two")
            }
            Some("missing") => Err(Problem::new(ProblemCode::NotFound, "not there")),
            Some("denied") => {
                trail.deny("by rule");
                Err(Problem::new(ProblemCode::NotFound, "not there"))
            }
            Some("forbidden") => Err(Problem::new(ProblemCode::Forbidden, "no")),
            Some(_) => panic!("a defect"),
        }
    }

    /// The events of a request, as `<operation> <caller> <decision> <reason>`.
    async fn events(method: &str, uri: &str) -> Vec<String> {
        let written: Arc<Mutex<Vec<String>>> = Arc::default();
        let events = written.clone();
        let log = AuditLog::new(move |event| {
            let AuditEvent { operation, caller, decision, reason, .. } = event;
            let text = format!("{operation} {caller} {decision:?} {}", reason.as_deref().unwrap_or("-"));
            events.lock().expect("events").push(text);
            Ok(())
        });
        let router = Router::new()
            .route("/open", get(open))
            .route("/known/{name}", get(|_: Caller| async { "known" }))
            .route("/many", axum::routing::post(many))
            .route("/unlisted", get(|_: Caller| async { "unlisted" }));
        let router = Audited { callers: Callers::of_gateway(), log }.around(router, OPERATIONS);
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("request");
        drop(crate::guard::guarded(router).oneshot(request).await.expect("answer"));
        let written = written.lock().expect("events");
        written.clone()
    }

    #[tokio::test]
    async fn every_access_leaves_one_event_however_it_ends() {
        let check = async |method: &str, uri: &str, expected: &[&str]| {
            assert_eq!(events(method, uri).await, expected, "{method} {uri}");
        };
        check("GET", "/open", &["open anonymous Allowed -"]).await;
        check("HEAD", "/open", &["open anonymous Allowed -"]).await;
        check("GET", "/open?missing", &["open anonymous Failed not-found"]).await;
        check("GET", "/open?denied", &["open anonymous Denied by rule"]).await;
        check("GET", "/open?forbidden", &["open anonymous Failed forbidden"]).await;
        check("GET", "/open?panic", &["open anonymous Failed internal"]).await;
        check("GET", "/open?two", &["open anonymous Allowed -", "open anonymous Allowed -"]).await;
        check("GET", "/known/x", &["known anonymous Denied no credentials"]).await;
        check("POST", "/many", &["many anonymous Denied not yours"]).await;
        check("PUT", "/open", &[]).await;
        check("GET", "/nowhere", &[]).await;
    }

    #[tokio::test]
    async fn a_caller_who_leaves_has_an_event() {
        let written: Arc<Mutex<Vec<Outcome>>> = Arc::default();
        let events = written.clone();
        let log = AuditLog::new(move |event| {
            events.lock().expect("events").push(event.decision);
            Ok(())
        });
        let router = Router::new().route("/open", get(std::future::pending::<&str>));
        let router = Audited { callers: Callers::of_gateway(), log }.around(router, OPERATIONS);
        let answer = router.oneshot(Request::builder().uri("/open").body(Body::empty()).expect("request"));
        assert!(answer.now_or_never().is_none(), "no answer comes, and the request is dropped");
        assert_eq!(*written.lock().expect("events"), [Outcome::Failed]);
    }

    #[tokio::test]
    async fn nothing_is_answered_that_cannot_be_written_down() {
        let log = AuditLog::new(|_| Err(io::ErrorKind::StorageFull.into()));
        let router = Router::new()
            .route("/open", get(open))
            .route("/many", axum::routing::post(many))
            .route("/unlisted", get(|| async { "unlisted" }));
        let router = Audited { callers: Callers::of_gateway(), log }.around(router, OPERATIONS);
        let router = crate::guard::guarded(router);
        let check = async |uri: &str, expected: StatusCode| {
            let request = Request::builder().uri(uri).body(Body::empty()).expect("request");
            let answer = router.clone().oneshot(request).await.expect("answer");
            assert_eq!(answer.status(), expected, "{uri}");
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("body");
            assert_ne!(body, "open", "{uri}");
        };
        check("/open", StatusCode::SERVICE_UNAVAILABLE).await;
        check("/open?missing", StatusCode::SERVICE_UNAVAILABLE).await;
        check("/open?panic", StatusCode::SERVICE_UNAVAILABLE).await;
        check("/unlisted", StatusCode::OK).await;
        let detail = async |method: &str, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("request");
            let answer = router.clone().oneshot(request).await.expect("answer");
            answer.extensions().get::<Problem>().expect("a problem").detail.clone()
        };
        assert!(detail("GET", "/open").await.ends_with(": call again"), "nothing was done");
        assert!(detail("POST", "/many").await.ends_with(": look before you call again"), "something may be done");
    }

    #[tokio::test]
    async fn a_route_that_is_not_audited_answers_nobody() {
        let router = Router::new().route("/unlisted", get(|_: Caller| async { "unlisted" }));
        let request = Request::builder().uri("/unlisted").body(Body::empty()).expect("request");
        let answer = router.oneshot(request).await.expect("answer");
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
