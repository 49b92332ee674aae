//! One instance of a function: the real program in a process of its own, and its Runtime API.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::function::Function;
use super::runtime::{Delivery, RuntimeApi};
use crate::deployment::Deployment;
use crate::http;
use crate::identity::Credentials;
use crate::names::REGION;
use crate::processes;
use crate::world::World;

/// Variable that a test sets and that every process inherits, so that the test can find leftovers.
pub(crate) const MARKER: &str = "SLUICE_BED_MARKER";

/// A living process of a function. When this is dropped, the process is killed and its files are removed.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Its name, unique in the bed.
    pub(crate) id: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Its Runtime API.
    pub(crate) api: Arc<RuntimeApi>,
    /// The channel that delivers events to it.
    pub(crate) events: mpsc::Sender<Delivery>,
    exit: watch::Receiver<Option<ExitStatus>>,
    server: JoinHandle<()>,
    folder: PathBuf,
}

impl Instance {
    /// Starts the program; it is ready when it requests its first event.
    pub(crate) async fn start(
        world: &World,
        deployment: &Arc<Deployment>,
        function: &Function,
        id: String,
    ) -> anyhow::Result<Self> {
        let (api, events) = RuntimeApi::new();
        let (listener, port) = http::listen().await?;
        let credentials = world.identities.admit(&deployment.name, function.name, &id);
        let folder = world.data.join("instances").join(&id);
        std::fs::create_dir_all(&folder)?;
        let program = world.functions.join(function.name);
        let mut command = Command::new(&program);
        command.env_clear().envs(environment(world, deployment, function, &credentials));
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", id.clone()),
            ("TMPDIR", folder.to_string_lossy().into_owned()),
        ]);
        let log = world.log(&format!("{}-{}", deployment.name, function.name));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.current_dir(&folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("the process has no id")?;
        deployment.processes.add(&id, pid);
        let served = Arc::clone(&api);
        let server = tokio::spawn(http::serve(listener, move |request| Arc::clone(&served).answer(request)));
        let (ended, exit) = watch::channel(None);
        tokio::spawn(watched(child, pid, Arc::clone(deployment), id.clone(), ended));
        Ok(Self { id, pid, api, events, exit, server, folder })
    }

    /// Whether its process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits for the end of its process, and describes it as Lambda does.
    pub(crate) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        match status.map(|status| (status.signal(), status.code())) {
            Some((Some(9), _)) => "Runtime exited with error: signal: killed".to_owned(),
            Some((Some(6), _)) => "Runtime exited with error: signal: aborted (core dumped)".to_owned(),
            Some((Some(signal), _)) => format!("Runtime exited with error: signal: {signal}"),
            Some((None, Some(code))) if code != 0 => format!("Runtime exited with error: exit status {code}"),
            _ => "Runtime exited without providing a reason".to_owned(),
        }
    }

    /// Kills its process.
    pub(crate) fn kill(&self) {
        if self.is_alive() {
            processes::kill_group(self.pid);
        }
    }

    /// Memory that its process uses now, in KiB; `None` when it has ended.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
        self.server.abort();
        // The process may write once more before it ends; the bed removes what is left when it ends.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for the end of a process, and sends its exit status.
async fn watched(
    mut child: Child,
    pid: u32,
    deployment: Arc<Deployment>,
    id: String,
    ended: watch::Sender<Option<ExitStatus>>,
) {
    let status = loop {
        match child.wait().await {
            Ok(status) => break status,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    deployment.processes.remove(&id);
    // Also ends what the process itself started.
    processes::kill_group(pid);
    ended.send_replace(Some(status));
}

/// The environment that Lambda gives a function, and our own settings.
fn environment(
    world: &World,
    deployment: &Deployment,
    function: &Function,
    credentials: &Credentials,
) -> Vec<(String, String)> {
    let name = format!("{}-{}", deployment.name, function.name);
    let mut all = vec![
        ("SLUICE_LAKE".to_owned(), deployment.lake()),
        ("SLUICE_TOPIC_ARN".to_owned(), "none".to_owned()),
        ("SLUICE_EVENT_BUS".to_owned(), "none".to_owned()),
    ];
    all.extend(deployment.environment.clone());
    let fixed = [
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.settings.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone().unwrap_or_default()),
        ("AWS_ENDPOINT_URL_S3", world.addresses.s3.clone()),
        ("AWS_ENDPOINT_URL", world.addresses.aws.clone()),
        ("TZ", ":UTC".to_owned()),
    ];
    all.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    let passed = ["PATH", MARKER].into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    all.extend(passed);
    all
}
