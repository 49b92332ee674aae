//! A stand-in for the services that alerts are sent to: it judges each request by what the service documents, and
//! answers with the service's own status and words.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::judges;

/// What a service was asked, and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The service: `slack`, `teams`, `pagerduty`, `opsgenie` or `webhook`.
    pub(crate) service: String,
    /// The rest of the path, with its query.
    pub(crate) path: String,
    /// Headers; their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as it came.
    pub(crate) text: String,
    /// Status of the answer.
    pub(crate) status: u16,
}

impl Asked {
    /// The body as JSON.
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    down: BTreeSet<String>,
}

/// The services, on one port of this machine.
pub(crate) struct Receiver {
    /// Where it is, without a final slash.
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    /// A service answers 400 to everything from now on, or as it should again.
    pub(crate) fn set_down(&self, service: &str, is_down: bool) {
        let mut state = self.state.lock().unwrap();
        if is_down {
            state.down.insert(service.to_owned());
        } else {
            state.down.remove(service);
        }
    }

    /// What was asked since the last call, by service.
    pub(crate) fn take(&self) -> BTreeMap<String, Vec<Asked>> {
        let mut by_service: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
        for asked in std::mem::take(&mut self.state.lock().unwrap().asked) {
            by_service.entry(asked.service.clone()).or_default().push(asked);
        }
        by_service
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Some((line, headers, text)) = read(&mut stream) else { return };
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (service, path) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let mut asked = Asked { service: service.to_owned(), path: path.to_owned(), headers, text, status: 400 };
    let is_down = state.lock().unwrap().down.contains(service);
    let answer = if method == "POST" && !is_down {
        let (status, answer) = judges::answer(&asked);
        asked.status = status;
        answer
    } else {
        json!("out of order").to_string()
    };
    let status = asked.status;
    // First, so that a run that has its answer has left its trace.
    state.lock().unwrap().asked.push(asked);
    let length = answer.len();
    let head = format!("HTTP/1.1 {status} Answer\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
}

/// The first line, the headers and the body of a request.
fn read(stream: &mut TcpStream) -> Option<(String, BTreeMap<String, String>, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 8192];
        let count = stream.read(&mut buffer).ok()?;
        bytes.extend_from_slice(&buffer[..count]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.lines();
            let first = lines.next()?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                return Some((first, headers, String::from_utf8_lossy(&bytes[end + 4..]).into_owned()));
            }
        }
        if count == 0 {
            return None;
        }
    }
}
