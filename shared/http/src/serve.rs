//! A router on a local address.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

/// Longest time in which a request's headers must have come.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time in which a caller must have taken something of an answer. The system keeps some MB for each connection, so one who reads
/// at all takes some in far less.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time that a connection is open, whatever its caller does: a file of 10 GB passes at 3 MB/s.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Most connections at once; more wait for one of these to end. Half of the 1024 files that a process may have open where nothing else is
/// configured, so that connections leave room for the files of tables.
const MAX_CONNECTIONS: usize = 512;
/// Longest pause after the listener failed, as it does when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on connections of `listener` until `stop` ends; then the listener closes at once and open connections
/// end with the process.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let places = std::sync::Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let router = router.clone();
            tokio::spawn(async move {
                let connection = connection(stream, router, WRITE_TIMEOUT);
                if tokio::time::timeout(CONNECTION_TIMEOUT, connection).await.is_err() {
                    tracing::warn!("a connection was open for too long and was closed");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
}

/// Answers the requests of one connection until it ends.
async fn connection(stream: TcpStream, router: Router, write_timeout: Duration) {
    let stream = Taken { stream: TokioIo::new(stream), timeout: write_timeout, stalled: None };
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(stream, TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke");
    }
}

/// A connection that ends when its caller takes nothing of the answer for too long.
struct Taken {
    stream: TokioIo<TcpStream>,
    timeout: Duration,
    /// Until when something must be taken, while nothing is.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Taken {
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Taken {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Write for Taken {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Larger than what the system keeps for a connection.
    const LARGE: usize = 64 << 20;
    /// Longer than any test waits for what comes.
    const LONG: Duration = Duration::from_secs(30);

    async fn served(write_timeout: Duration) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listener");
        let address = listener.local_addr().expect("address");
        let router = Router::new().route("/", axum::routing::get(|| async { vec![b'x'; LARGE] }));
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("connection");
            connection(stream, router, write_timeout).await;
        });
        let mut caller = TcpStream::connect(address).await.expect("connection");
        caller.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("request");
        (caller, serving)
    }

    #[tokio::test]
    async fn a_caller_who_takes_nothing_of_an_answer_loses_the_connection() {
        let (caller, serving) = served(Duration::from_millis(200)).await;
        tokio::time::timeout(LONG, serving).await.expect("the connection ends").expect("no panic");
        drop(caller);
    }

    #[tokio::test]
    async fn a_caller_who_reads_gets_all() {
        let (mut caller, serving) = served(LONG).await;
        let mut answer = Vec::new();
        tokio::time::timeout(LONG, caller.read_to_end(&mut answer)).await.expect("in time").expect("an answer");
        assert!(answer.len() > LARGE, "{} bytes", answer.len());
        serving.await.expect("no panic");
    }
}
