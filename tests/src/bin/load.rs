//! `sluice-load`: many callers at once against a server on this machine, for the benchmark of the HTTP APIs.
//!
//! Reads requests from a file, one per line: `GET /path` or `POST /path {"json": true}`. Every caller takes the next line,
//! waits for the whole response, and continues until the time is up. Prints one JSON object.
//!
//! With `--tokens FILE` every caller has the next of these tokens. With `--attackers N --attack FILE` the last N callers send the requests
//! of another file; they are not in the figures of the others.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;

struct Options {
    endpoint: String,
    requests: PathBuf,
    callers: usize,
    seconds: u64,
    tokens: Option<PathBuf>,
    attackers: usize,
    attack: Option<PathBuf>,
}

struct Line {
    address: String,
    body: Option<String>,
}

/// The measurements of one caller.
#[derive(Default)]
struct Met {
    times: Vec<Duration>,
    statuses: std::collections::BTreeMap<u16, u64>,
    broken: u64,
    bytes: u64,
}

impl Met {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.broken += other.broken;
        self.bytes += other.bytes;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: sluice-load --endpoint http://127.0.0.1:PORT --requests FILE --callers N --seconds N [--tokens FILE] \
             [--attackers N --attack FILE]"
        );
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Option<Options> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1).cloned();
    let endpoint = value("--endpoint")?;
    // Only this machine may be the target.
    let host = endpoint.strip_prefix("http://")?;
    (host.starts_with("127.0.0.1:") || host.starts_with("localhost:")).then_some(())?;
    Some(Options {
        endpoint,
        requests: value("--requests")?.into(),
        callers: value("--callers")?.parse().ok()?,
        seconds: value("--seconds")?.parse().ok()?,
        tokens: value("--tokens").map(PathBuf::from),
        attackers: value("--attackers").map_or(Some(0), |text| text.parse().ok())?,
        attack: value("--attack").map(PathBuf::from),
    })
}

fn run(options: &Options) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let others_ask = requests(&options.requests, &options.endpoint)?;
    let attack = match &options.attack {
        Some(file) => requests(file, &options.endpoint)?,
        None => Requests::default(),
    };
    let tokens = options.tokens.as_ref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let tokens: Vec<&str> = tokens.lines().collect();
    let others = options.callers.checked_sub(options.attackers).ok_or("more attackers than callers")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().pool_max_idle_per_host(options.callers).build()?;
        let began = Instant::now();
        let until = began + Duration::from_secs(options.seconds);
        let call_as = |number: usize| {
            let token = tokens.iter().cycle().nth(number).map(|token| (*token).to_owned());
            let requests = if number < others { &others_ask } else { &attack };
            tokio::spawn(call(client.clone(), token, requests.clone(), until))
        };
        let mut callers: Vec<_> = (0..options.callers).map(call_as).collect();
        let attackers = callers.split_off(others);
        let mut met = Met::default();
        for caller in callers {
            met.add(caller.await?);
        }
        let mut report = reported(met, began.elapsed(), others);
        let mut attacked = Met::default();
        for caller in attackers {
            attacked.add(caller.await?);
        }
        if options.attackers > 0
            && let Some(report) = report.as_object_mut()
        {
            report.insert("attackers".to_owned(), reported(attacked, began.elapsed(), options.attackers));
        }
        Ok(report)
    })
}

/// Requests that callers take one after the other.
#[derive(Clone, Default)]
struct Requests {
    lines: Arc<Vec<Line>>,
    next: Arc<AtomicUsize>,
}

fn requests(file: &Path, endpoint: &str) -> Result<Requests, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let lines: Option<Vec<Line>> = text.lines().map(|line| read(line, endpoint)).collect();
    let lines = lines.filter(|lines| !lines.is_empty()).ok_or("a line is not a valid request, or the file is empty")?;
    Ok(Requests { lines: Arc::new(lines), next: Arc::default() })
}

fn read(line: &str, endpoint: &str) -> Option<Line> {
    let mut words = line.splitn(3, ' ');
    let (method, path, body) = (words.next()?, words.next()?, words.next());
    let is_whole =
        path.starts_with('/') && ((method == "GET" && body.is_none()) || (method == "POST" && body.is_some()));
    is_whole.then(|| Line { address: format!("{endpoint}{path}"), body: body.map(str::to_owned) })
}

async fn call(client: Client, token: Option<String>, requests: Requests, until: Instant) -> Met {
    let (mut met, Requests { lines, next }) = (Met::default(), requests);
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed).checked_rem(lines.len());
        let Some(line) = number.and_then(|number| lines.get(number)) else { return met };
        let began = Instant::now();
        let request = match &line.body {
            Some(body) => client.post(&line.address).header("content-type", "application/json").body(body.clone()),
            None => client.get(&line.address),
        };
        let request = match &token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?.len()))
        };
        match answered.await {
            Ok((status, bytes)) => {
                *met.statuses.entry(status).or_default() += 1;
                met.bytes += bytes as u64;
                met.times.push(began.elapsed());
            }
            Err(_) => met.broken += 1,
        }
    }
    met
}

fn reported(mut met: Met, time: Duration, callers: usize) -> serde_json::Value {
    met.times.sort_unstable();
    let percentile = |percent: usize| {
        let index = (met.times.len().saturating_sub(1)) * percent / 100;
        met.times.get(index).map(|time| time.as_secs_f64() * 1000.0)
    };
    json!({
        "callers": callers,
        "seconds": time.as_secs_f64(),
        "requests": met.times.len(),
        "requests_per_second": met.times.len() as f64 / time.as_secs_f64(),
        "p50_ms": percentile(50),
        "p95_ms": percentile(95),
        "p99_ms": percentile(99),
        "bytes": met.bytes,
        "statuses": met.statuses,
        "broken": met.broken,
    })
}
