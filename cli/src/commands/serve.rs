//! `sluice serve` and `sluice ui`: the HTTP APIs and the console on this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_aws::env::{self, Env};
use sluice_core::access::Principal;
use sluice_core::audit::{CONSOLE_OPERATIONS, METRICS_OPERATIONS, PRODUCT_OPERATIONS};
use sluice_core::error::with_sources;
use sluice_core::uri::layout;
use sluice_data_product::expiry::expire;
use sluice_data_product::links::LINK_EXPIRY;
use sluice_data_product::metrics::Measuring;
use sluice_data_product::secret::Secret;
use sluice_data_product::{LocalSignIn, ProductsApi, Settings};
use sluice_http::audit::{AuditLog, Audited, Operation};
use sluice_http::meter::Meter;
use sluice_http::{Callers, guard, local};
use sluice_lake::Lake;
use sluice_submit::RunsApi;
use tokio::net::TcpListener;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::report::open_in_browser;
use crate::arguments::{ServeArguments, UiArguments};
use crate::console::Console;
use crate::fault::{Exit, Fault};
use crate::serving::audit::audit_log;
use crate::serving::executions::LocalExecutions;
use crate::serving::workers::Workers;

/// Largest response that is sent directly. The same limit as on AWS, so that callers meet it in local tests first.
const MAX_ANSWER_BYTES: usize = 4_000_000;

/// The operations that are served: refused calls of them are written down.
const APIS: &[&[Operation]] = &[PRODUCT_OPERATIONS, CONSOLE_OPERATIONS, METRICS_OPERATIONS, sluice_submit::OPERATIONS];

/// Time between two deletions of old answers and copies.
const EXPIRE_EVERY: Duration = Duration::from_secs(5 * 60);

/// The secret of a lake on this machine, as it is stored in the lake.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSecret {
    secret: String,
}

/// What `sluice ui` does, and `sluice serve` does not.
struct Ui {
    /// Whom the opened page signs in.
    caller: Option<Principal>,
    /// Whether a browser is started.
    opens: bool,
}

/// Serves until Ctrl-C.
pub(crate) async fn run(arguments: ServeArguments, console: &Console) -> Result<Exit> {
    serve(arguments, None, console).await
}

/// Serves until Ctrl-C, and opens the console. Calls without a token or a session are nobody's: other people of this
/// machine must not call as the one who is signed in.
pub(crate) async fn open(arguments: UiArguments, console: &Console) -> Result<Exit> {
    let UiArguments { lake, port, caller, no_open, audit } = arguments;
    let ui = Ui { caller, opens: !no_open && !console.is_json() };
    serve(ServeArguments { lake, port, caller: None, audit }, Some(ui), console).await
}

async fn serve(arguments: ServeArguments, ui: Option<Ui>, console: &Console) -> Result<Exit> {
    let lake = arguments.lake.place.open_lake().await?;
    let secret = secret(&lake).await?;
    let audit = match &arguments.audit {
        Some(file) => audit_file(file)?,
        None => AuditLog::of_process(),
    };
    start_log();
    raise_file_limit();
    let address = (Ipv4Addr::LOCALHOST, arguments.port);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let fault = Fault::new(Exit::Failed, format!("cannot listen on 127.0.0.1:{}: {error}", arguments.port));
        fault.next("choose another port with --port, or 0 for a free one")
    })?;
    let address = listener.local_addr()?;
    let endpoint = format!("http://{address}");
    let settings =
        Settings { endpoint: endpoint.clone(), max_answer_bytes: MAX_ANSWER_BYTES, link_expiry: LINK_EXPIRY };
    let callers = Callers::of_lake(lake.documents().clone()).or_as(arguments.caller.clone());
    let audited = Audited { callers, log: audit.clone() };
    let runs = RunsApi::new(lake.documents().clone(), LocalExecutions::new(lake.clone()));
    let runs = runs.with_sealed_cursors(random()?);
    let (runs, runs_document) = sluice_submit::router(runs, audited.clone());
    let workers = Arc::new(Workers::new(lake.root().clone()));
    if workers.memory_bytes().is_none() && !console.is_json() {
        console.note("this system does not limit the memory of a process: a question may take all of it");
    }
    let measuring = Measuring { meter: Meter::new(), load: workers.clone() };
    let products = ProductsApi::new(lake.clone(), secret, settings).answered_by(workers);
    let products = products.measuring(measuring.clone());
    let caller = ui.as_ref().and_then(|ui| ui.caller.clone());
    let (products, page) = match caller {
        Some(principal) => {
            let (local, page) = LocalSignIn::new(principal, &random()?, Timestamp::now());
            (products.signing_in(local), page)
        }
        None => (products, "/console/".to_owned()),
    };
    let (products, mut document) = sluice_data_product::router(products, audited);
    document.merge(runs_document);
    let router = guard::with_document(products.merge(runs), document);
    let router = measuring.meter.around(guard::guarded(local::only(router, address.port(), audit, APIS)));
    let page = format!("{endpoint}{page}");
    announce(&endpoint, &page, &arguments, console)?;
    if ui.is_some_and(|ui| ui.opens)
        && let Err(error) = open_in_browser(page.as_ref())
    {
        console.note(&error.to_string());
    }
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    tokio::select! {
        () = sluice_http::serve::serve(listener, router, stop) => {}
        () = expiring(&lake) => {}
    }
    Ok(Exit::Done)
}

/// Lets this process have as many files and connections open as the system allows it. Where that fails it has fewer.
fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

/// Deletes old answers and copies of a lake on this machine, now and every five minutes; never ends.
async fn expiring(lake: &Lake) {
    loop {
        if lake.root().is_local()
            && let Err(error) = expire(lake.documents(), Timestamp::now()).await
        {
            tracing::warn!(error = with_sources(&error), "old answers and copies cannot be deleted");
        }
        tokio::time::sleep(EXPIRE_EVERY).await;
    }
}

/// `page`: the address of the console, which may sign its browser in.
fn announce(endpoint: &str, page: &str, arguments: &ServeArguments, console: &Console) -> Result<()> {
    if console.is_json() {
        let caller = arguments.caller.as_ref().map(ToString::to_string);
        console.json_line(&serde_json::json!({
            "event": "serving", "endpoint": endpoint, "as": caller, "console": page,
        }))?;
        return Ok(());
    }
    console.line(&format!("serving {endpoint} until Ctrl-C; the API is described at {endpoint}/openapi.json"))?;
    console.line(&format!("the console is at {page}"))?;
    match &arguments.caller {
        Some(caller) => console.note(&format!("calls without a token are made as {caller}")),
        None if page.contains('?') => {
            console.note(
                "this address is good once, for 5 minutes; calls of programs need a token (`sluice share create`)",
            );
        }
        None => {
            console.note("every call needs a token (`sluice share create`); or start the server with --as PRINCIPAL");
        }
    }
    Ok(())
}

fn random() -> Result<[u8; 32]> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the operating system returned no random bytes")?;
    Ok(random)
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
            .next("set it to the secret whose ARN the deployed data-product function has in SLUICE_SECRET_ARN")
            .into());
    }
    let secret = random()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = serde_json::to_vec_pretty(&KeptSecret { secret })?;
    text.push(b'\n');
    let path = lake.root().object(&layout::local_secret()).as_url().to_file_path();
    let path =
        path.map_err(|()| anyhow::anyhow!("the address of the lake, {}, is no path of this machine", lake.root()))?;
    keep_secret(&path, &text).with_context(|| format!("cannot keep the secret {}", path.display()))?;
    let kept: Option<KeptSecret> = lake.read_document(&layout::local_secret()).await?;
    let kept = kept.context("the lake's serve/secret.json was deleted while it was read")?;
    kept.secret.parse().context("the secret in the lake's serve/secret.json")
}

/// Keeps a secret that only the owner of the file can read. The first process that needs one keeps it, whole: others take that one.
fn keep_secret(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", uuid::Uuid::now_v7().simple()));
    private(OpenOptions::new().write(true).create_new(true)).open(&draft)?.write_all(text)?;
    let kept = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match kept {
        Ok(()) => Ok(()),
        // Older versions kept it for everybody to read.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => make_private(&File::open(path)?),
        Err(error) => Err(error),
    }
}

/// The options of a file that only its owner can read and write.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Takes the rights on a file from everybody but its owner. What is no file, such as a pipe, keeps them.
fn make_private(file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn audit_file(path: &Path) -> Result<AuditLog> {
    let opened = private(OpenOptions::new().create(true).append(true)).open(path);
    let file = opened.and_then(|file| make_private(&file).map(|()| file));
    let file = file.with_context(|| format!("cannot write the audit file {}", path.display()))?;
    Ok(audit_log(file, ends_within_line(path)))
}

/// Whether a file ends within a line, as after a full disk. What is no file, such as a pipe, or cannot be read does not.
fn ends_within_line(path: &Path) -> bool {
    let last = || -> std::io::Result<Option<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if length == 0 {
            return Ok(None);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(Some(u8::from_le_bytes(last)))
    };
    path.is_file() && last().is_ok_and(|last| last.is_some_and(|byte| byte != b'\n'))
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

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_secret_is_readable_by_its_owner_only_and_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve/secret.json");
        keep_secret(&path, b"first").unwrap();
        keep_secret(&path, b"second").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("first", 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        keep_secret(&path, b"third").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("first", 0o600));
        assert_eq!(fs::read_dir(folder.path().join("serve")).unwrap().count(), 1, "no draft is left");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_server_may_open_all_files_that_the_system_allows() {
        use rustix::process::{Resource, getrlimit};
        raise_file_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn the_audit_file_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "before\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let _ = audit_file(&path).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("before\n", 0o600));
        assert!(!ends_within_line(&path));
        fs::write(&path, "whole\n{\"torn").unwrap();
        assert!(ends_within_line(&path) && !ends_within_line(folder.path()));
        let fresh = folder.path().join("fresh.jsonl");
        let _ = audit_file(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o600);
    }
}
