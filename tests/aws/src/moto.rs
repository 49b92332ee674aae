//! moto, which emulates Step Functions, SNS and EventBridge, and the router that passes its Lambda calls to our functions.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::http::{self, Answer, Body, Cut};
use crate::lambda::{self, MARKER};
use crate::names::REGION;
use crate::processes::{self, Guard};
use crate::world::World;

/// Time for Python to import many modules on a busy machine.
const START: Duration = Duration::from_secs(80);
/// A running moto. It is killed when this is dropped.
pub(crate) struct Moto {
    process: Child,
    pid: u32,
    guard: Arc<Guard>,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Moto {
    /// Starts moto and waits until it responds. Its own calls of other services go to `router`.
    pub(crate) async fn start(program: &Path, router: u16, world: &World) -> anyhow::Result<Self> {
        // This port was free a moment ago; moto cannot take over an open socket.
        let (free, port) = http::listen().await?;
        drop(free);
        let log = OpenOptions::new().create(true).append(true).open(world.log("moto"))?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.env_clear().envs([
            ("MOTO_PORT", router.to_string().as_str()),
            // Its clients must sign, but the signature is not checked.
            ("AWS_ACCESS_KEY_ID", "moto"),
            ("AWS_SECRET_ACCESS_KEY", "moto"),
            ("AWS_DEFAULT_REGION", REGION),
            // Requests to this machine must not go through a proxy.
            ("NO_PROXY", "*"),
        ]);
        for name in ["PATH", "HOME", MARKER] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, &value);
            }
        }
        let folder = world.data.join("instances").join("moto");
        std::fs::create_dir_all(&folder)?;
        command.env("TMPDIR", OsStr::new(&folder)).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.process_group(0).kill_on_drop(true);
        let process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = process.id().context("moto has no process id")?;
        world.guard.watch(pid);
        let mut moto = Self { process, pid, guard: Arc::clone(&world.guard), port };
        let started = tokio::time::timeout(START, moto.configured()).await;
        match started.context("moto does not respond").flatten() {
            Ok(()) => Ok(moto),
            Err(error) => {
                moto.end().await;
                let log = std::fs::read_to_string(world.log("moto")).unwrap_or_default();
                bail!("{error:#}; moto said:\n{log}")
            }
        }
    }

    async fn configured(&mut self) -> anyhow::Result<()> {
        loop {
            if let Ok(answer) = exchange(self.port, request(Method::GET, "/moto-api/", Bytes::new())?).await
                && answer.status() == StatusCode::OK
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Otherwise executions end immediately without entering a state.
        let config = json!({"stepfunctions": {"execute_state_machine": true}}).to_string();
        let answer = exchange(self.port, request(Method::POST, "/moto-api/config", config.into())?).await?;
        ensure!(answer.status().is_success(), "moto refuses its configuration: {}", answer.status());
        Ok(())
    }

    /// Waits for an unexpected end.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let status = self.process.wait().await?;
        bail!("moto ended by itself: {status}")
    }

    /// Kills moto and waits for its end.
    pub(crate) async fn end(mut self) {
        processes::kill_group(self.pid);
        // It ends when killed; an error here needs no handling.
        let _ = self.process.wait().await;
        self.guard.release(self.pid);
    }
}

fn request(method: Method, path: &str, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    Ok(request.header("content-type", "application/json").body(Full::new(body))?)
}

/// Handles a request at the router: calls of functions go to our functions, everything else goes to moto.
pub(crate) async fn route(world: Arc<World>, moto: Option<u16>, request: Request<Incoming>) -> Result<Answer, Cut> {
    if let Some(name) = lambda::invoked(request.uri().path()) {
        return lambda::answer(world, name, request).await;
    }
    let (parts, body) = request.into_parts();
    let body = http::collected(body).await?;
    let Some(port) = moto else {
        let problem = json!({"message": "this bed was started without moto"});
        return Ok(http::json(StatusCode::SERVICE_UNAVAILABLE, &problem));
    };
    match exchange(port, Request::from_parts(parts, Full::new(body))).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let problem = json!({"message": format!("moto does not respond: {error:#}")});
            Ok(http::json(StatusCode::BAD_GATEWAY, &problem))
        }
    }
}

/// One request on a connection of its own.
async fn exchange(port: u16, mut request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    // The length is computed again from the body.
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        request.headers_mut().remove(name);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    let body = http::collected(body).await?;
    connection.abort();
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    Ok(Answer::from_parts(head, Body::from(body)))
}
