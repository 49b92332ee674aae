//! A test double of the AWS services around Sluice's functions, on the loopback interface of this machine.
//!
//! Real parts: the functions' programs, each instance in a process of its own; their clients; the signatures of their
//! requests to S3 and IAM's decision about each of them; the state machine, which moto interprets.
//!
//! Emulated parts:
//! - **S3** is a folder, with S3's protocol around it. There are no versions, tags, notifications or bucket policies, no
//!   TLS and no encryption: the requested encryption is recorded. Objects `a` and `a/b` cannot both exist. Conditional
//!   writes never return 409. A key of much more than 150 characters gives an error 500, because the store uses it as a file name.
//!   It answers as fast as it can, or later by a latency that a test sets.
//! - **Lambda** starts a process per instance and keeps idle ones forever. Timeouts, memory limits, concurrency and the
//!   errors of dead processes are as in Lambda. It does not freeze idle processes, limits neither CPU nor payloads, and
//!   does not retry failed asynchronous calls. Memory is checked forty times a second, so a short peak is missed.
//! - **IAM** is each function's policy for S3, see `policy`; calls of other services are not checked.
//! - **EMR** is the program `emr-local`, one for each deployment that has clusters; the scenarios start it.
//! - **Step Functions, SNS and EventBridge** are moto's. Its Lambda calls are sent to our router.
//! - Faults happen when a test requests them, see `faults`.

mod arguments;
mod control;
mod deployment;
mod faults;
mod folder;
mod http;
mod identity;
mod lambda;
mod moto;
mod names;
mod policy;
mod processes;
mod records;
mod s3;
mod world;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::moto::Moto;
use crate::world::{Addresses, World};

fn main() -> ExitCode {
    let ended = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(run(arguments));
        // The thread that reads standard input may never return.
        runtime.shutdown_timeout(Duration::from_millis(200));
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If this fails, the error cannot be reported either.
            let _ = writeln!(std::io::stderr(), "sluice-bed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The ports of the bed.
struct Ports {
    s3: (TcpListener, u16),
    aws: (TcpListener, u16),
    control: (TcpListener, u16),
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // Before anything else, so that an early stop is noticed.
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let ports = Ports { s3: http::listen().await?, aws: http::listen().await?, control: http::listen().await? };
    let address = |port: u16| format!("http://127.0.0.1:{port}");
    let addresses = Addresses { s3: address(ports.s3.1), aws: address(ports.aws.1) };
    let made_data = !arguments.data.exists();
    let world = World::new(arguments.functions, &arguments.policies, arguments.data, addresses)?;
    let world = Arc::new(world);
    let control = address(ports.control.1);
    let mut served = JoinSet::new();
    let end = end(terminate, interrupt);
    tokio::pin!(end);
    let opened = tokio::select! {
        opened = open(&world, arguments.moto.as_deref(), ports, &control, &mut served) => opened.map(Some),
        () = &mut end => Ok(None),
    };
    let ended = match opened {
        Ok(Some(moto)) => stay(moto, end).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // No new requests are accepted while everything is removed.
    served.shutdown().await;
    let removed = world.end().await;
    if made_data {
        let _ = std::fs::remove_dir(&world.data);
    }
    ended.and(removed)
}

/// Starts everything and announces the addresses.
async fn open(
    world: &Arc<World>,
    moto: Option<&std::path::Path>,
    ports: Ports,
    control: &str,
    served: &mut JoinSet<()>,
) -> anyhow::Result<Option<Moto>> {
    let shared = Arc::clone(world);
    served.spawn(http::serve(ports.s3.0, move |request| s3::answer(Arc::clone(&shared), request)));
    let shared = Arc::clone(world);
    served.spawn(http::serve(ports.control.0, move |request| control::answer(Arc::clone(&shared), request)));
    let running = match moto {
        Some(program) => Some(Moto::start(program, ports.aws.1, world).await?),
        None => None,
    };
    let moto_port = running.as_ref().map(|moto| moto.port);
    let shared = Arc::clone(world);
    served.spawn(http::serve(ports.aws.0, move |request| moto::route(Arc::clone(&shared), moto_port, request)));
    announce(world, control)?;
    Ok(running)
}

/// Waits for the end, and ends moto. It is an error when moto ends by itself.
async fn stay(moto: Option<Moto>, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let Some(mut moto) = moto else {
        end.await;
        return Ok(());
    };
    let ended = tokio::select! {
        ended = moto.ended() => ended,
        () = end => Ok(()),
    };
    moto.end().await;
    ended
}

/// Prints one line with the addresses for the program that started the bed.
fn announce(world: &World, control: &str) -> anyhow::Result<()> {
    let Addresses { s3, aws } = &world.addresses;
    let addresses = json!({
        "s3": s3,
        "aws": aws,
        "control": control,
        "lambda": aws,
        "region": names::REGION,
        "account": names::ACCOUNT,
        "operator": world.identities.operator(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{addresses}").and_then(|()| out.flush()).context("cannot announce that the bed is ready")
}

/// Waits for a request to end the bed: the end of standard input, or a signal.
async fn end(mut terminate: tokio::signal::unix::Signal, mut interrupt: tokio::signal::unix::Signal) {
    let input = async {
        let mut input = tokio::io::stdin();
        let mut read = [0; 256];
        // An error also means that the other side has closed.
        while input.read(&mut read).await.is_ok_and(|length| length > 0) {}
    };
    tokio::select! {
        () = input => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
