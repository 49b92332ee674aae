//! `sluice serve`, called as a client does.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::lab::Lab;

/// How long a connection waits for another request.
const IDLE: std::time::Duration = std::time::Duration::from_secs(2);

/// A server of a lab's lake on a free port; it ends when this value is dropped.
pub struct Served {
    child: Child,
    endpoint: String,
    audit: PathBuf,
    log: PathBuf,
    runtime: Runtime,
    client: Client,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {self}"))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns the response if it has this status; otherwise fails the test.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// The code of the problem in the response, which must be a problem.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self}");
        assert!(problem["request_id"].as_str().or(problem["requestId"].as_str()).is_some(), "{self}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, self.text())
    }
}

impl Served {
    /// Serves the lake of this lab; calls without a token are made as `caller`, when one is given.
    pub fn new(lab: &Lab, caller: Option<&str>) -> Self {
        Self::with(lab, |command| {
            if let Some(caller) = caller {
                command.args(["--as", caller]);
            }
        })
    }

    /// Serves the lake of this lab by a command that is changed before it starts.
    pub fn with(lab: &Lab, change: impl FnOnce(&mut Command)) -> Self {
        Self::written(lab, &lab.folder().join("audit.jsonl"), &lab.folder().join("serve.log"), change)
    }

    /// Serves the lake of this lab once more, with another file of accesses.
    pub fn audited(lab: &Lab, audit: &Path) -> Self {
        Self::written(lab, audit, &lab.folder().join("serve-audited.log"), |_| {})
    }

    fn written(lab: &Lab, audit: &Path, log: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let (audit, log) = (audit.to_owned(), log.to_owned());
        let mut command = lab.command(["serve", "--port", "0", "--json"]);
        command.arg("--lake").arg(lab.lake()).arg("--audit").arg(&audit);
        change(&mut command);
        Self::of(command, audit, log)
    }

    /// The process of the server.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn of(mut command: Command, audit: PathBuf, log: PathBuf) -> Self {
        let errors = File::create(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let announced: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server printed no address: {error}: {line}{}", read(&log)));
        let endpoint = announced["endpoint"].as_str().expect("an address").to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // The server closes connections that are idle for ten seconds, which a sleeping client would not notice.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(IDLE);
        let client = client.build().expect("a client");
        Self { child, endpoint, audit, log, runtime, client }
    }

    /// The address of the server.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A request for a path, or for a full address of this server.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.endpoint) };
        self.client.request(Method::from_bytes(method.as_bytes()).expect("a method"), address)
    }

    /// Sends a request.
    pub fn send(&self, request: RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = request.send().await.expect("an answer");
            let status = response.status();
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            Answer { status, headers, body: response.bytes().await.expect("a body").to_vec() }
        })
    }

    /// GET, with or without a token.
    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let request = self.request("GET", path);
        self.send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// POST of JSON, with or without a token.
    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json").body(body.to_string());
        self.send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// Every access so far.
    pub fn audit(&self) -> Vec<Value> {
        read(&self.audit).lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// The log of the server.
    pub fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
