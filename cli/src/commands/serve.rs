//! `sluice serve`: the HTTP APIs on this machine.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sluice_aws::env::{self, Env};
use sluice_core::uri::layout;
use sluice_data_product::audit::AuditLog;
use sluice_data_product::links::LINK_EXPIRY;
use sluice_data_product::secret::Secret;
use sluice_data_product::{ProductsApi, Settings};
use sluice_http::guard;
use sluice_lake::Lake;
use sluice_submit::{Callers, RunsApi};
use tokio::net::TcpListener;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::ServeArguments;
use crate::console::Console;
use crate::fault::{Exit, Fault};
use crate::serving::executions::LocalExecutions;
use crate::serving::workers::Workers;

/// Largest response that is sent directly. The same limit as on AWS, so that callers meet it in local tests first.
const MAX_ANSWER_BYTES: usize = 4_000_000;

/// The secret of a lake on this machine, as it is stored in the lake.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSecret {
    secret: String,
}

/// Serves until Ctrl-C.
pub(crate) async fn run(arguments: ServeArguments, console: &Console) -> Result<Exit> {
    let lake = arguments.lake.place.open_lake().await?;
    let secret = secret(&lake).await?;
    let audit = match &arguments.audit {
        Some(file) => audit_file(file)?,
        None => AuditLog::of_process(),
    };
    start_log();
    let address = (Ipv4Addr::LOCALHOST, arguments.port);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let fault = Fault::new(Exit::Failed, format!("cannot listen on 127.0.0.1:{}: {error}", arguments.port));
        fault.next("choose another port with --port, or 0 for a free one")
    })?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let settings = Settings {
        endpoint: endpoint.clone(),
        local_caller: arguments.caller.clone(),
        max_answer_bytes: MAX_ANSWER_BYTES,
        link_expiry: LINK_EXPIRY,
    };
    let runs = RunsApi::new(
        lake.documents().clone(),
        LocalExecutions::new(lake.clone()),
        Callers::Local(arguments.caller.as_ref().map_or_else(|| "local".to_owned(), ToString::to_string)),
    );
    let (runs, runs_document) = sluice_submit::router(runs);
    let workers = Workers::new(lake.root().clone());
    if workers.memory_bytes().is_none() && !console.is_json() {
        console.note("this system does not limit the memory of a process: a question may take all of it");
    }
    let api = ProductsApi::new(lake, secret, audit, settings).answered_by(Arc::new(workers));
    let (products, mut document) = sluice_data_product::router(api);
    document.merge(runs_document);
    let router = products.merge(runs);
    announce(&endpoint, &arguments, console)?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    sluice_http::serve::serve(listener, guard::documented(router, document), stop).await;
    Ok(Exit::Done)
}

fn announce(endpoint: &str, arguments: &ServeArguments, console: &Console) -> Result<()> {
    if console.is_json() {
        let caller = arguments.caller.as_ref().map(ToString::to_string);
        console.json_line(&serde_json::json!({ "event": "serving", "endpoint": endpoint, "as": caller }))?;
        return Ok(());
    }
    console.line(&format!("serving {endpoint} until Ctrl-C; the API is described at {endpoint}/openapi.json"))?;
    match &arguments.caller {
        Some(caller) => console.note(&format!("calls without a token are made as {caller}")),
        None => {
            console.note("every call needs a token (`sluice share create`); or start the server with --as PRINCIPAL");
        }
    }
    Ok(())
}

/// The secret from the environment. A lake on this machine stores one itself, created by the first process that needs it.
async fn secret(lake: &Lake) -> Result<Secret> {
    let env = Env::of_process();
    if env.get(env::SECRET).is_some() {
        return env.parse(env::SECRET).map_err(|error| Fault::new(Exit::WrongUse, error.to_string()).into());
    }
    if !lake.root().is_local() {
        let message = format!("{} is not set, and a lake on S3 does not store the secret", env::SECRET.name);
        return Err(Fault::new(Exit::WrongUse, message)
            .next("set it to the secret of the deployed data-product function")
            .into());
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the operating system returned no random bytes")?;
    let secret = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = lake.settle_document(&layout::local_secret(), KeptSecret { secret }).await?;
    kept.secret.parse().context("the secret in the lake's serve/secret.json")
}

fn audit_file(path: &Path) -> Result<AuditLog> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = Mutex::new(file.with_context(|| format!("cannot write the audit file {}", path.display()))?);
    Ok(AuditLog::new(move |event| {
        let written = serde_json::to_vec(event).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
        });
        if let Err(error) = written {
            tracing::error!(%error, "cannot write an access to the audit file");
        }
    }))
}

/// Logs as the functions do: one JSON object per line on standard error, and only failures and refused callers.
pub(crate) fn start_log() {
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    let targets = Targets::new().with_default(LevelFilter::WARN).with_target("audit", LevelFilter::INFO);
    // When a process starts a second server, as tests do, the first subscriber stays.
    drop(tracing_subscriber::registry().with(json).with(targets).try_init());
}
