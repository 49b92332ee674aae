//! What a server counts of its requests, for `/metrics`.
//!
//! Routes are counted by their template, such as `/files/{id}`, and never by the path of a request: a path has names in
//! it that others must not see, and callers may ask for any number of paths. So the routes bound the number of series.

mod process;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use jiff::Timestamp;

use crate::exposition::{Exposition, Family, Kind};
use crate::problem::Problem;

/// Route of requests for addresses that do not exist.
const UNMATCHED: &str = "unmatched";
/// Status of requests whose callers left before the answer.
const GIVEN_UP: &str = "given-up";
/// Upper bounds of times in seconds; a question may take 25.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const REQUESTS: Family = Family {
    name: "sluice_http_requests_total",
    kind: Kind::Counter,
    help: "Requests that were answered, or given up by their callers.",
    labels: &["route", "method", "status"],
};
const SECONDS: Family = Family {
    name: "sluice_http_request_duration_seconds",
    kind: Kind::Histogram,
    help: "Time from a request to the beginning of its answer.",
    labels: &["route", "method"],
};
const SENT: Family = Family {
    name: "sluice_http_response_body_bytes_total",
    kind: Kind::Counter,
    help: "Bytes of answers that were handed to their connections, without headers.",
    labels: &["route"],
};
const PROBLEMS: Family = Family {
    name: "sluice_http_problems_total",
    kind: Kind::Counter,
    help: "Answers that are problems, by the code in docs/errors.md.",
    labels: &["code"],
};
const IN_FLIGHT: Family = Family {
    name: "sluice_http_requests_in_flight",
    kind: Kind::Gauge,
    help: "Requests that are answered now, until the last byte is handed out.",
    labels: &[],
};

/// The metrics of requests.
const REQUEST_FAMILIES: [Family; 5] = [REQUESTS, SECONDS, SENT, PROBLEMS, IN_FLIGHT];

/// Every metric that a meter writes.
pub fn families() -> Vec<Family> {
    REQUEST_FAMILIES.into_iter().chain(process::FAMILIES).collect()
}

/// Counts requests. Cheap to clone: all clones count together.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began_at: Timestamp,
    in_flight: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(String, &'static str, &'static str), u64>,
    seconds: BTreeMap<(String, &'static str), Histogram>,
    sent: BTreeMap<String, Arc<AtomicU64>>,
    problems: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Histogram {
    /// Observations of each bucket alone.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let bucket = self.buckets.iter_mut().zip(BOUNDS).find(|(_, bound)| seconds <= *bound);
        if let Some((bucket, _)) = bucket {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// How many observations are at most each bound.
    fn up_to(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let mut up_to = Vec::with_capacity(BOUNDS.len());
        for (bound, count) in BOUNDS.into_iter().zip(self.buckets) {
            sum += count;
            up_to.push((bound, sum));
        }
        up_to
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter of a process that begins now.
    pub fn new() -> Self {
        let (in_flight, counts) = (AtomicU64::new(0), Mutex::default());
        Self(Arc::new(Shared { began_at: Timestamp::now(), in_flight, counts }))
    }

    /// The router with every request counted. It stands around everything else, so that refusals and panics count.
    pub fn around(&self, router: Router) -> Router {
        let meter = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let going = meter.begin(&request);
            async move {
                let response = next.run(request).await;
                going.answered(response)
            }
        }))
    }

    fn begin(&self, request: &Request) -> Going {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
        let (method, began) = (method_label(request.method()), Instant::now());
        Going { meter: self.clone(), route, method, began, is_answered: false }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Every change is complete before the lock is released.
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was counted, and what the system says of this process.
    pub fn write(&self, to: &mut Exposition) {
        self.write_requests(to);
        process::write(to, self.0.began_at);
    }

    fn write_requests(&self, to: &mut Exposition) {
        let counts = self.counts();
        to.family(&REQUESTS);
        for ((route, method, status), count) in &counts.requests {
            to.sample(&REQUESTS, &[route, method, status], count);
        }
        to.family(&SECONDS);
        for ((route, method), histogram) in &counts.seconds {
            to.histogram(&SECONDS, &[route, method], &histogram.up_to(), histogram.count, histogram.sum);
        }
        to.family(&SENT);
        for (route, sent) in &counts.sent {
            to.sample(&SENT, &[route], &sent.load(Ordering::Relaxed));
        }
        to.family(&PROBLEMS);
        for (code, count) in &counts.problems {
            to.sample(&PROBLEMS, &[code], count);
        }
        to.family(&IN_FLIGHT);
        to.sample(&IN_FLIGHT, &[], &self.0.in_flight.load(Ordering::Relaxed));
    }
}

/// A request that is answered. One that is dropped before its answer was given up.
struct Going {
    meter: Meter,
    route: String,
    method: &'static str,
    began: Instant,
    is_answered: bool,
}

impl Going {
    /// Counts the answer, whose body counts its bytes.
    fn answered(mut self, response: Response) -> Response {
        self.is_answered = true;
        let sent = {
            let mut counts = self.meter.counts();
            let status = status_label(response.status());
            *counts.requests.entry((self.route.clone(), self.method, status)).or_default() += 1;
            let seconds = counts.seconds.entry((self.route.clone(), self.method)).or_default();
            seconds.observe(self.began.elapsed().as_secs_f64());
            if let Some(problem) = response.extensions().get::<Problem>() {
                *counts.problems.entry(problem.code.as_str()).or_default() += 1;
            }
            counts.sent.entry(self.route.clone()).or_default().clone()
        };
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, Body::new(Counted { body, sent, _going: self }))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.meter.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.is_answered {
            let key = (std::mem::take(&mut self.route), self.method, GIVEN_UP);
            *self.meter.counts().requests.entry(key).or_default() += 1;
        }
    }
}

/// A body that counts the bytes that are taken from it.
struct Counted {
    body: Body,
    sent: Arc<AtomicU64>,
    _going: Going,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The method as a label: callers may send any word.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The class of a status as a label.
fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::exposition::Format;
    use crate::guard::guarded;

    fn router(meter: &Meter) -> Router {
        let router = Router::new()
            .route("/files/{id}", get(|| async { "1234567" }))
            .route("/slow", get(std::future::pending::<&str>))
            .route("/defect", get(defect));
        meter.around(guarded(router))
    }

    async fn defect() -> &'static str {
        panic!("a defect")
    }

    fn request(method: &str, path: &str) -> Request {
        Request::builder().method(method).uri(path).body(Body::empty()).expect("request")
    }

    async fn send(router: &Router, method: &str, path: &str) {
        let answer = router.clone().oneshot(request(method, path)).await.expect("answer");
        drop(answer.into_body().collect().await.expect("body"));
    }

    fn text(meter: &Meter) -> String {
        let mut text = Exposition::new(Format::Text);
        meter.write(&mut text);
        text.finished()
    }

    #[tokio::test]
    async fn requests_are_counted_by_the_template_of_their_route() {
        let meter = Meter::new();
        let router = router(&meter);
        send(&router, "GET", "/files/secret-1").await;
        send(&router, "GET", "/files/secret-2").await;
        send(&router, "DELETE", "/files/secret-2").await;
        send(&router, "BREW", "/secret-3").await;
        send(&router, "GET", "/defect").await;
        let text = text(&meter);
        for line in [
            "sluice_http_requests_total{route=\"/files/{id}\",method=\"GET\",status=\"2xx\"} 2",
            "sluice_http_requests_total{route=\"/files/{id}\",method=\"DELETE\",status=\"4xx\"} 1",
            "sluice_http_requests_total{route=\"unmatched\",method=\"other\",status=\"4xx\"} 1",
            "sluice_http_requests_total{route=\"/defect\",method=\"GET\",status=\"5xx\"} 1",
            "sluice_http_request_duration_seconds_count{route=\"/files/{id}\",method=\"GET\"} 2",
            "sluice_http_problems_total{code=\"method-not-allowed\"} 1",
            "sluice_http_problems_total{code=\"not-found\"} 1",
            "sluice_http_problems_total{code=\"internal\"} 1",
            "sluice_http_requests_in_flight 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in {text}");
        }
        assert!(!text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn bytes_are_counted_when_they_are_taken_and_requests_until_then() {
        let meter = Meter::new();
        let router = router(&meter);
        let sent = |count: u64| format!("sluice_http_response_body_bytes_total{{route=\"/files/{{id}}\"}} {count}\n");
        let answer = router.clone().oneshot(request("GET", "/files/1")).await.expect("answer");
        assert_eq!(answer.body().size_hint().exact(), Some(7), "the length of the answer is still known");
        let before = text(&meter);
        assert!(before.contains(&sent(0)) && before.contains("sluice_http_requests_in_flight 1\n"), "{before}");
        drop(answer.into_body().collect().await.expect("body"));
        let after = text(&meter);
        assert!(after.contains(&sent(7)) && after.contains("sluice_http_requests_in_flight 0\n"), "{after}");
    }

    #[tokio::test]
    async fn a_request_that_its_caller_gives_up_is_counted() {
        let meter = Meter::new();
        let router = router(&meter);
        assert!(router.oneshot(request("GET", "/slow")).now_or_never().is_none());
        let text = text(&meter);
        let line = "sluice_http_requests_total{route=\"/slow\",method=\"GET\",status=\"given-up\"} 1\n";
        assert!(text.contains(line) && text.contains("sluice_http_requests_in_flight 0\n"), "{text}");
    }

    #[test]
    fn buckets_count_what_is_at_most_their_bound() {
        let mut histogram = Histogram::default();
        for seconds in [0.005, 0.006, 31.0] {
            histogram.observe(seconds);
        }
        let up_to = histogram.up_to();
        assert_eq!(
            (up_to.first(), up_to.get(1), up_to.last()),
            (Some(&(0.005, 1)), Some(&(0.01, 2)), Some(&(30.0, 2)))
        );
        assert_eq!(histogram.count, 3);
    }
}
