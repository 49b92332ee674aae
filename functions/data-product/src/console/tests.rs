use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluice_core::recipient::{KeptToken, SECRET_BYTES, Token};
use sluice_core::uri::layout;
use sluice_http::Callers;
use sluice_http::audit::{AuditLog, Audited};
use sluice_lake::{Lake, StoreOptions};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::{ProductsApi, Settings};

const ENDPOINT: &str = "http://127.0.0.1:8080";

/// A lake with two pipelines, and the API over it. `recipient:ann` may read the runs of `retail`, `recipient:bob` those
/// of `payroll`.
struct World {
    folder: TempDir,
    lake: Lake,
    router: Router,
    audit: std::sync::Arc<Mutex<Vec<Value>>>,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect(name)).unwrap_or_default()
    }
}

impl World {
    fn new() -> Self {
        Self::with(|api| api)
    }

    fn with(change: impl FnOnce(ProductsApi) -> ProductsApi) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let root = format!("file://{}/", folder.path().display()).parse().expect("folder");
        let lake = Lake::open(&root, &StoreOptions::new()).expect("lake");
        let secret = "0123456789abcdef0123456789abcdef".parse().expect("secret");
        let settings = Settings {
            endpoint: ENDPOINT.to_owned(),
            max_answer_bytes: 1000,
            link_expiry: std::time::Duration::from_secs(60),
        };
        let audit: std::sync::Arc<Mutex<Vec<Value>>> = std::sync::Arc::default();
        let events = audit.clone();
        let log = AuditLog::new(move |event| {
            events.lock().expect("events").push(serde_json::to_value(event).expect("json"));
            Ok(())
        });
        let audited = Audited { callers: Callers::of_lake(lake.documents().clone()), log };
        let (router, document) = crate::router(change(ProductsApi::new(lake.clone(), secret, settings)), audited);
        let world = Self { folder, lake, router: sluice_http::guard::documented(router, document), audit };
        for (pipeline, reader) in [("retail", "ann"), ("payroll", "bob")] {
            let text = format!(
                "pipeline: {pipeline}\ndomain: sales\nsource: {{ prefix: landing/{pipeline}, format: csv }}\n\
                 bronze: {{ table: raw }}\nsilver: []\n\
                 runs: [{{ name: readers, principals: ['recipient:{reader}'], rights: [read] }}]\n"
            );
            world.write(&format!("pipelines/{pipeline}/pipeline.yaml"), &text);
        }
        world.report("retail", "day-1", "rejected", &json!(["silver/sales/orders: <positive>"]));
        world.report("payroll", "hidden-run", "published", &json!([]));
        world
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        std::fs::write(path, text).expect("written");
    }

    fn report(&self, pipeline: &str, run: &str, outcome: &str, broken: &Value) {
        let report = json!({
            "pipeline": pipeline, "run_id": run, "attempt": 0, "outcome": outcome, "ended_at": "2026-01-05T06:00:00Z",
            "sources": [], "rows": {}, "committed": [], "broken_rules": broken,
        });
        self.write(&format!("runs/{pipeline}/{run}/report.json"), &report.to_string());
    }

    /// A token of this recipient, which is good for some years.
    async fn token(&self, recipient: &str) -> Token {
        let digit = u8::try_from(recipient.len()).expect("a short name");
        let token = Token::new(recipient.parse().expect("name"), &[digit; SECRET_BYTES]);
        let until = "2100-01-01T00:00:00Z".parse().expect("time");
        let kept = KeptToken::new(&token, jiff::Timestamp::UNIX_EPOCH, until);
        self.lake.documents().write(&layout::token(&token), &kept).await.expect("kept");
        token
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.expect("answer").into_parts();
        let bytes = body.collect().await.expect("body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let mut request = Request::builder().uri(path).header("host", "127.0.0.1:8080");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        self.send(request.body(Body::empty()).expect("request")).await
    }

    async fn form(&self, path: &str, cookie: Option<&str>, form: &str) -> Answer {
        let mut request = Request::builder().method("POST").uri(path).header("host", "127.0.0.1:8080");
        request = request.header("origin", ENDPOINT).header("content-type", "application/x-www-form-urlencoded");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        self.send(request.body(Body::from(form.to_owned())).expect("request")).await
    }

    /// The cookie of somebody who signs in with a token.
    async fn cookie(&self, recipient: &str) -> String {
        let token = self.token(recipient).await.reveal();
        let answer = self.form("/console/sign-in", None, &format!("token={token}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/console/"), "{}", answer.text);
        answer.header("set-cookie").split(';').next().expect("a pair").to_owned()
    }

    /// The events since the last call, as `<operation> <caller> <decision>`.
    fn events(&self) -> Vec<String> {
        let events = std::mem::take(&mut *self.audit.lock().expect("events"));
        let word = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let words = |event: &Value| {
            format!("{} {} {}", word(event, "operation"), word(event, "caller"), word(event, "decision"))
        };
        events.iter().map(words).collect()
    }
}

#[tokio::test]
async fn every_page_asks_who_reads_it_and_has_its_headers() {
    let world = World::new();
    for (method, route, ..) in sluice_core::audit::CONSOLE_OPERATIONS.iter().filter(|(method, ..)| *method == "GET") {
        let path = route.replace(['{', '}'], "");
        let answer = world.get(&path, None).await;
        let expected = if path == "/console/sign-in" { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{method} {path}");
        assert!(answer.text.contains("<label for=\"token\">Token</label>"), "{path}: {}", answer.text);
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"), "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control"), "private, no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let decision = if expected == StatusCode::OK { "allowed" } else { "denied" };
        let events = world.events();
        assert!(events.len() == 1 && events[0].ends_with(&format!(" anonymous {decision}")), "{path}: {events:?}");
    }
}

#[tokio::test]
async fn a_session_reads_what_its_reader_may_and_ends_with_its_token() {
    let world = World::new();
    let ann = world.cookie("ann").await;
    assert_eq!(world.events(), ["sign-in recipient:ann allowed"]);
    let overview = world.get("/console/", Some(&ann)).await;
    assert_eq!(overview.status, StatusCode::OK, "{}", overview.text);
    assert!(overview.text.contains("Signed in as recipient:ann") && overview.text.contains("1 rejected run waits"));
    let list = world.get("/console/runs", Some(&ann)).await.text;
    assert!(list.contains("href=\"/console/runs/retail/day-1\"") && list.contains("&lt;positive&gt;"), "{list}");
    let run = world.get("/console/runs/retail/day-1", Some(&ann)).await;
    assert_eq!((run.status, run.header("refresh")), (StatusCode::OK, ""), "{}", run.text);
    let found = world.get("/console/search?q=RETAIL", Some(&ann)).await.text;
    assert!(found.contains("href=\"/console/runs/retail\"") && found.contains("value=\"RETAIL\""), "{found}");
    assert_eq!(world.events().len(), 4);
    let path = layout::token(&world.token("ann").await);
    let mut kept: KeptToken = world.lake.documents().read(&path).await.expect("read").expect("kept");
    kept.revoked_at = Some(jiff::Timestamp::UNIX_EPOCH);
    world.lake.documents().write(&path, &kept).await.expect("revoked");
    // Tokens are kept for 5 seconds.
    let mut ended = world.get("/console/", Some(&ann)).await;
    for _ in 0..80 {
        if ended.status == StatusCode::UNAUTHORIZED {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        ended = world.get("/console/", Some(&ann)).await;
    }
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    assert!(ended.text.contains("Your session has ended"), "{}", ended.text);
}

#[tokio::test]
async fn what_may_not_be_seen_does_not_exist() {
    let world = World::new();
    let ann = world.cookie("ann").await;
    let of = |answer: Answer| {
        // Each answer has the id of its own request.
        let id = answer.header("x-request-id").to_owned();
        (answer.status, answer.text.replace(&id, "ID"))
    };
    let hidden = of(world.get("/console/runs/payroll", Some(&ann)).await);
    assert_eq!(hidden.0, StatusCode::NOT_FOUND);
    let same = async |path: &str| {
        let answer = of(world.get(path, Some(&ann)).await);
        assert_eq!(answer, hidden, "{path}");
    };
    same("/console/runs/nothing").await;
    same("/console/runs/NO%20NAME").await;
    same("/console/runs/payroll/hidden-run").await;
    same("/console/runs/payroll/nothing").await;
    same("/console/runs/nothing/nothing").await;
    for page in ["quarantine/PIPELINE", "quarantine/PIPELINE/hidden-run", "sources/PIPELINE", "access/sales/PIPELINE"] {
        let answer = async |pipeline: &str| {
            of(world.get(&format!("/console/{}", page.replace("PIPELINE", pipeline)), Some(&ann)).await)
        };
        let (status, text) = answer("payroll").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{page}");
        assert_eq!(answer("nothing").await.1.replace("nothing", "payroll"), text, "{page}");
    }
    for path in ["/console/", "/console/runs", "/console/lineage", "/console/search?q=payroll", "/console/search?q=run"]
    {
        let answer = world.get(path, Some(&ann)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let text = answer.text.replace("value=\"payroll\"", "").replace("<q>payroll</q>", "");
        assert!(!text.contains("payroll") && !text.contains("hidden-run"), "{path}: {text}");
    }
    let bob = world.cookie("bobby").await;
    assert!(world.get("/console/", Some(&bob)).await.text.contains("read the runs of no pipeline"));
}

#[tokio::test]
async fn a_wrong_token_begins_no_session() {
    let world = World::new();
    for form in ["", "token=", "token=ann.0123456789ab.00", "token=%3Cscript%3E&to=/console/runs"] {
        let answer = world.form("/console/sign-in", None, form).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{form}");
        assert!(answer.text.contains("This token is not valid") && !answer.text.contains("<script"), "{form}");
        assert_eq!(answer.header("set-cookie"), "", "{form}");
    }
    let token = world.token("ann").await.reveal();
    let foreign = Request::builder().method("POST").uri("/console/sign-in").header("host", "127.0.0.1:8080");
    let foreign = foreign.header("origin", "https://attacker.example").body(Body::from(format!("token={token}")));
    assert_eq!(world.send(foreign.expect("request")).await.status, StatusCode::FORBIDDEN);
    let to = |to: &str| format!("token={token}&to={to}");
    for (asked, expected) in [("/console/runs?state=failed", "/console/runs?state=failed"), ("//attacker", "/console/")]
    {
        let form = to(&asked.replace('?', "%3F").replace('=', "%3D"));
        assert_eq!(world.form("/console/sign-in", None, &form).await.header("location"), expected);
    }
}

#[tokio::test]
async fn signing_out_takes_the_cookie_away() {
    let world = World::new();
    let ann = world.cookie("ann").await;
    let _ = world.events();
    let answer = world.form("/console/sign-out", Some(&ann), "").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/console/sign-in"));
    assert!(answer.header("set-cookie").contains("=; Max-Age=0;"), "{}", answer.header("set-cookie"));
    assert_eq!(world.events(), ["sign-out recipient:ann allowed"]);
}

#[tokio::test]
async fn a_person_at_this_machine_signs_in_once() {
    let principal = "recipient:ann".parse().expect("principal");
    let (local, address) = LocalSignIn::new(principal, &[3; 32], jiff::Timestamp::now());
    let world = World::with(|api| api.signing_in(local));
    let answer = world.get(&address, None).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/console/"), "{}", answer.text);
    assert_eq!(world.events(), ["sign-in-page recipient:ann allowed"]);
    let cookie = answer.header("set-cookie").split(';').next().expect("a pair").to_owned();
    assert!(world.get("/console/", Some(&cookie)).await.text.contains("Signed in as recipient:ann"));
    let again = world.get(&address, None).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.text.contains("This address was used") && again.header("set-cookie").is_empty());
    assert_eq!(
        world.get("/data-products", Some(&cookie)).await.status,
        StatusCode::UNAUTHORIZED,
        "an API takes no cookie"
    );
}

#[tokio::test]
async fn a_run_that_goes_on_is_loaded_again() {
    let world = World::new();
    world.write("runs/retail/day-2/script-1.txt", "");
    let ann = world.cookie("ann").await;
    let check = async |path: &str, expected: &str| {
        let answer = world.get(path, Some(&ann)).await;
        assert_eq!((answer.status, answer.header("refresh")), (StatusCode::OK, expected), "{path}: {}", answer.text);
    };
    check("/console/runs/retail/day-2", "5").await;
    check("/console/runs/retail/day-2?live=no", "").await;
    check("/console/runs/retail/day-1", "").await;
    let wrong = world.get("/console/runs?state=nice", Some(&ann)).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text.contains("Runs have no such state") && wrong.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn what_has_nothing_of_the_lake_is_open_and_kept() {
    let world = World::new();
    for (path, media_type) in
        [("/console/style.css?1", "text/css; charset=utf-8"), ("/console/icon.svg", "image/svg+xml")]
    {
        let answer = world.get(path, None).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media_type), "{path}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{path}");
    }
    assert_eq!(world.get("/", None).await.header("location"), "/console/");
    let nowhere = world.get("/console/nowhere/at/all", None).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.text.starts_with("<!DOCTYPE html>"), "{}", nowhere.text);
    assert!(world.events().is_empty());
}

/// A server without questions.
#[derive(Debug)]
struct Quiet;

impl crate::metrics::QuestionLoad for Quiet {
    fn questions(&self) -> crate::metrics::Questions {
        crate::metrics::Questions { running: 3, waiting: 0 }
    }
}

#[tokio::test]
async fn a_scrape_has_the_pipelines_of_its_caller_and_no_others() {
    let load = std::sync::Arc::new(Quiet);
    let measuring = crate::metrics::Measuring { meter: sluice_http::meter::Meter::new(), load };
    let world = World::with(|api| api.measuring(measuring));
    world.write("holds/payroll/0123456789abcdef0123456789abcdef.json", "{}");
    let scrape = async |recipient: &str| {
        let token = world.token(recipient).await.reveal();
        let request = Request::builder().uri("/metrics").header("authorization", format!("Bearer {token}"));
        world.send(request.body(Body::empty()).expect("request")).await
    };
    let check = |answer: &Answer, own: &str, hidden: &str| {
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let line = format!("sluice_pipeline_held_objects{{pipeline=\"{own}\"}}");
        assert!(answer.text.contains(&line) && !answer.text.contains(hidden), "{}", answer.text);
        assert!(answer.text.contains("\nsluice_questions_running 3\n"), "{}", answer.text);
    };
    let ann = scrape("ann").await;
    check(&ann, "retail", "payroll");
    assert!(ann.text.contains("sluice_pipeline_runs_waiting{pipeline=\"retail\"} 1\n"), "{}", ann.text);
    let bob = scrape("bob").await;
    check(&bob, "payroll", "retail");
    assert!(bob.text.contains("sluice_pipeline_held_objects{pipeline=\"payroll\"} 1\n"), "{}", bob.text);
    assert_eq!(scrape("nobody").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/metrics", None).await.status, StatusCode::UNAUTHORIZED);
    let expected = ["recipient:ann allowed", "recipient:bob allowed", "recipient:nobody denied", "anonymous denied"];
    assert_eq!(world.events(), expected.map(|event| format!("metrics {event}")));
}

#[tokio::test]
async fn a_function_measures_nothing() {
    assert_eq!(World::new().get("/metrics", None).await.status, StatusCode::NOT_FOUND);
}
