//! The bed as a test starts it: what it announces, what it refuses, and that nothing of it is left. Without moto, and with a
//! function that dies when it starts, so that nothing else has to be built. The scenarios test S3 with real clients.

#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise, its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const FUNCTIONS: [&str; 11] = [
    "validate",
    "process",
    "start-emr",
    "run-etl",
    "terminate",
    "quality-check",
    "publish",
    "notify",
    "submit",
    "data-product",
    "authorize",
];

/// A folder with what a bed needs, for one test.
struct Parts(PathBuf);

impl Parts {
    fn new(test: &str, condition: &Value) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&folder);
        for name in ["functions", "policies", "data"] {
            std::fs::create_dir_all(folder.join(name)).expect("folder");
        }
        let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        for function in FUNCTIONS {
            std::fs::write(folder.join(format!("policies/{function}.json")), &policy).expect("policy");
            // A program that exists on every machine and fails immediately.
            std::os::unix::fs::symlink("/bin/false", folder.join("functions").join(function)).expect("function");
        }
        Self(folder)
    }

    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-bed"));
        for name in ["functions", "policies", "data"] {
            command.arg(format!("--{name}")).arg(self.0.join(name));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bed")
    }

    fn data(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.join("data")).expect("data");
        entries.map(|entry| entry.expect("entry").path()).collect()
    }
}

fn ready_line(bed: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(bed.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// One request on a connection of its own: status and body.
fn ask(address: &Value, method: &str, path: &str, body: &str) -> (u16, String) {
    let host = address.as_str().expect("address").trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("connection");
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).expect("request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("status"), body.to_owned())
}

#[test]
fn a_bed_serves_and_leaves_nothing() {
    let parts = Parts::new("serves", &json!({"StringEquals": {"s3:ResourceAccount": "${Account}"}}));
    let mut bed = parts.start();
    let at = ready_line(&mut bed);
    assert_eq!(at.pointer("/account"), Some(&json!("123456789012")));
    let (status, body) = ask(&at["control"], "POST", "/deployments", r#"{"name":"d7"}"#);
    assert_eq!(status, 201, "{body}");
    let made: Value = serde_json::from_str(&body).expect("deployment");
    assert_eq!(made["lake"], "s3://d7");

    let (status, body) = ask(&at["s3"], "GET", "/d7/a", "");
    assert!(status == 403 && body.contains("<Code>AccessDenied</Code>"), "{status} {body}");
    assert_eq!(ask(&at["s3"], "GET", "/d8/a", "").0, 404);
    let invoke =
        |function: &str| ask(&at["lambda"], "POST", &format!("/d7/2015-03-31/functions/{function}/invocations"), "{}");
    let (status, body) = invoke("validate");
    assert!(status == 200 && body.contains("Runtime.ExitError") && body.contains("exit status 1"), "{status} {body}");
    let (status, body) = invoke("elsewhere");
    assert!(status == 404 && body.contains("Function not found"), "{status} {body}");
    assert_eq!(ask(&at["aws"], "POST", "/", "").0, 503);

    let (status, body) = ask(&at["control"], "PUT", "/deployments/d7/faults", r#"[{"on":"lambda","do":"throttle"}]"#);
    assert_eq!(status, 204, "{body}");
    assert_eq!(invoke("notify").0, 429);
    let list = |what: &str| -> Value {
        let (status, body) = ask(&at["control"], "GET", &format!("/deployments/d7/{what}"), "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("json")
    };
    assert_eq!(list("faults")[0]["fired"], 1);
    assert_eq!(list("requests")[0]["status"], 403);
    assert_eq!(list("calls")[0]["error_type"], "Runtime.ExitError");
    assert_eq!(list("calls")[1]["fault"], "throttle");
    assert_eq!(ask(&at["control"], "DELETE", "/deployments/d7", "").0, 204);
    assert_eq!(ask(&at["control"], "GET", "/deployments/d7/calls", "").0, 404);

    drop(bed.stdin.take());
    assert_eq!(bed.wait().expect("end").code(), Some(0));
    assert!(parts.data().is_empty(), "{:?}", parts.data());
}

#[test]
fn requests_to_s3_wait_for_its_latency_at_the_same_time() {
    const LATENCY: Duration = Duration::from_millis(400);
    let parts = Parts::new("waits", &json!({"StringEquals": {"s3:ResourceAccount": "${Account}"}}));
    let mut bed = parts.start();
    let at = ready_line(&mut bed);
    assert_eq!(ask(&at["control"], "POST", "/deployments", r#"{"name":"d7"}"#).0, 201);
    let set = |body: &str| ask(&at["control"], "PUT", "/deployments/d7/s3-latency", body);
    assert_eq!(set(r#"{"milliseconds":400}"#), (204, String::new()));
    let (status, body) = set(r#"{"seconds":1}"#);
    assert!(status == 400 && body.contains("latency of S3"), "{status} {body}");
    let began = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| assert_eq!(ask(&at["s3"], "GET", "/d7/a", "").0, 403));
        }
    });
    let took = began.elapsed();
    assert!(took >= LATENCY && took < LATENCY * 4, "8 requests at once took {took:?}");
    assert_eq!(ask(&at["control"], "DELETE", "/deployments/d7", "").0, 204);

    drop(bed.stdin.take());
    assert_eq!(bed.wait().expect("end").code(), Some(0));
}

#[test]
fn a_policy_with_an_unsupported_element_is_refused() {
    let parts = Parts::new("refuses", &json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}));
    let mut bed = parts.start();
    let mut said = String::new();
    bed.stderr.take().expect("stderr").read_to_string(&mut said).expect("stderr");
    assert_eq!(bed.wait().expect("end").code(), Some(1));
    assert!(said.contains("validate.json") && said.contains("IpAddress"), "{said}");
    assert!(parts.data().is_empty(), "{:?}", parts.data());
}
