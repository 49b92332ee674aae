//! `sluice-load`: many callers at once against a server on this machine, for the benchmark of the HTTP APIs.
//!
//! Reads requests from a file, one per line: `GET /path` or `POST /path {"json": true}`. Every caller takes the next line,
//! waits for the whole response, and continues until the time is up. Prints one JSON object.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

use std::path::PathBuf;
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

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: sluice-load --endpoint http://127.0.0.1:PORT --requests FILE --callers N --seconds N");
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
    })
}

fn run(options: &Options) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(&options.requests)?;
    let lines: Option<Vec<Line>> = text.lines().map(|line| read(line, &options.endpoint)).collect();
    let lines =
        Arc::new(lines.filter(|lines| !lines.is_empty()).ok_or("a line is not a valid request, or the file is empty")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().pool_max_idle_per_host(options.callers).build()?;
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let until = began + Duration::from_secs(options.seconds);
        let callers =
            (0..options.callers).map(|_| tokio::spawn(call(client.clone(), lines.clone(), next.clone(), until)));
        let callers: Vec<_> = callers.collect();
        let mut all = Met::default();
        for caller in callers {
            let met = caller.await?;
            all.times.extend(met.times);
            all.broken += met.broken;
            all.bytes += met.bytes;
            for (status, count) in met.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
        }
        Ok(report(all, began.elapsed(), options.callers))
    })
}

fn read(line: &str, endpoint: &str) -> Option<Line> {
    let mut words = line.splitn(3, ' ');
    let (method, path, body) = (words.next()?, words.next()?, words.next());
    let is_whole =
        path.starts_with('/') && ((method == "GET" && body.is_none()) || (method == "POST" && body.is_some()));
    is_whole.then(|| Line { address: format!("{endpoint}{path}"), body: body.map(str::to_owned) })
}

async fn call(client: Client, lines: Arc<Vec<Line>>, next: Arc<AtomicUsize>, until: Instant) -> Met {
    let mut met = Met::default();
    while Instant::now() < until {
        let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed) % lines.len()) else { return met };
        let began = Instant::now();
        let request = match &line.body {
            Some(body) => client.post(&line.address).header("content-type", "application/json").body(body.clone()),
            None => client.get(&line.address),
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

fn report(mut met: Met, time: Duration, callers: usize) -> serde_json::Value {
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
