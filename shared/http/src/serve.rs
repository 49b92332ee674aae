//! A router on a local address.

mod connections;
mod taken;

use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use self::connections::{Busy, Connections, Place};
use self::taken::{LeastRate, Taken};
use crate::kept::kept_until_sent;
use crate::shares::Admitted;

/// Longest time in which a request's headers must have come.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// What a caller must take of an answer, while some of it waits.
const LEAST_RATE: LeastRate = LeastRate { bytes: 64 << 10, time: Duration::from_secs(20) };
/// What the system keeps of an answer for a connection; Linux takes twice of it. Linux says that there is room when a
/// third is free, so a caller is seen to take steps of some 85 KiB. Of a buffer that the system chooses, which may have
/// 4 MB, the steps are as long as 1.3 MB, and callers who read at ten times the least rate would be cut off.
const SEND_BUFFER: usize = 128 << 10;
/// Longest time that a connection is open, whatever its caller does: a file of 10 GB passes at 3 MB/s.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Most connections at once. Half of the 1024 files that a process may have open where nothing else is configured, so
/// that connections leave room for the files of tables.
const MAX_CONNECTIONS: usize = 512;
/// Longest pause after the listener failed, as it does when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on connections of `listener` until `stop` ends; then the listener closes at once and open connections
/// end with the process.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    tokio::select! {
        () = accepting(listener, router, MAX_CONNECTIONS) => {}
        () = stop => {}
    }
}

/// Accepts connections for ever, of which at most so many are open.
async fn accepting(listener: TcpListener, router: Router, most: usize) {
    let connections = Connections::new(most);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (place, closed) = connections.place().await;
        let connection = connection(stream, router.clone(), place, LEAST_RATE);
        tokio::spawn(async move {
            tokio::select! {
                () = connection => {}
                _ = closed => tracing::debug!("an idle connection was closed for another"),
                () = tokio::time::sleep(CONNECTION_TIMEOUT) => {
                    tracing::warn!("a connection was open for too long and was closed");
                }
            }
        });
    }
}

/// Answers the requests of one connection until it ends.
async fn connection(stream: TcpStream, router: Router, place: Place, rate: LeastRate) {
    if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER) {
        tracing::debug!(%error, "the send buffer of a connection stays as the system has it");
    }
    let answers = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        // The head of a request is complete.
        let busy = place.busy();
        let answering = answers.call(request);
        async move { answering.await.map(|response| until_sent(response, busy)) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(Taken::new(stream, rate), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke");
    }
}

/// The response. One that counts somewhere keeps its connection busy until it is sent. Of others, such as refusals and
/// descriptions, one caller may have any number: their connections can be closed for new ones.
fn until_sent(response: Response, busy: Busy) -> Response {
    if response.extensions().get::<Admitted>().is_some() { kept_until_sent(response, busy) } else { response }
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Larger than what the system keeps for a connection.
    const LARGE: usize = 64 << 20;
    /// Longer than any test waits for what comes.
    const LONG: Duration = Duration::from_secs(30);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    async fn served(rate: LeastRate) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listener");
        let address = listener.local_addr().expect("address");
        let router = Router::new().route("/", axum::routing::get(|| async { vec![b'x'; LARGE] }));
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("connection");
            let (place, _) = Connections::new(1).place().await;
            connection(stream, router, place, rate).await;
        });
        let mut caller = TcpStream::connect(address).await.expect("connection");
        caller.write_all(REQUEST).await.expect("request");
        (caller, serving)
    }

    #[tokio::test]
    async fn a_caller_who_takes_nothing_of_an_answer_loses_the_connection() {
        let rate = LeastRate { bytes: 1, time: Duration::from_millis(200) };
        let (caller, serving) = served(rate).await;
        tokio::time::timeout(LONG, serving).await.expect("the connection ends").expect("no panic");
        drop(caller);
    }

    #[tokio::test]
    async fn a_caller_who_takes_less_than_the_least_rate_loses_the_connection() {
        // Nobody who pauses takes the whole answer in this time.
        let (mut caller, serving) = served(LeastRate { bytes: LARGE, time: Duration::from_millis(200) }).await;
        let (mut taken, mut step) = (0, vec![0; 1 << 20]);
        while let Ok(bytes @ 1..) = caller.read(&mut step).await {
            taken += bytes;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(taken < LARGE, "{taken} bytes");
        tokio::time::timeout(LONG, serving).await.expect("the connection ends").expect("no panic");
    }

    /// Seven times as fast as a third of what the system keeps in the time that is given for it.
    #[tokio::test]
    async fn a_caller_who_reads_slowly_and_steadily_keeps_the_connection() {
        let (mut caller, serving) = served(LeastRate { bytes: 64 << 10, time: Duration::from_secs(2) }).await;
        let mut step = vec![0; 16 << 10];
        for _ in 0..80 {
            caller.read_exact(&mut step).await.expect("more of the answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!serving.is_finished(), "the connection was ended");
        serving.abort();
    }

    #[tokio::test]
    async fn a_caller_who_reads_gets_all() {
        let rate = LeastRate { bytes: 1, time: LONG };
        let (mut caller, serving) = served(rate).await;
        let mut answer = Vec::new();
        tokio::time::timeout(LONG, caller.read_to_end(&mut answer)).await.expect("in time").expect("an answer");
        assert!(answer.len() > LARGE, "{} bytes", answer.len());
        serving.await.expect("no panic");
    }

    #[tokio::test]
    async fn only_answers_that_count_keep_their_connections() {
        let check = async |path: &str, is_kept: bool| {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listener");
            let address = listener.local_addr().expect("address");
            let large = || async { vec![b'x'; LARGE] };
            let counted = || async { (Extension(Admitted), vec![b'x'; LARGE]) };
            let router = Router::new()
                .route("/", axum::routing::get(|| async { "here" }))
                .route("/large", axum::routing::get(large))
                .route("/counted", axum::routing::get(counted));
            let serving = tokio::spawn(accepting(listener, router, 1));
            let mut slow = TcpStream::connect(address).await.expect("connection");
            slow.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("request");
            slow.read_exact(&mut [0]).await.expect("the answer begins");
            let mut next = TcpStream::connect(address).await.expect("connection");
            next.write_all(REQUEST).await.expect("request");
            let time = if is_kept { Duration::from_millis(300) } else { LONG };
            let answer = tokio::time::timeout(time, next.read_exact(&mut [0])).await;
            assert_eq!(answer.is_ok_and(|read| read.is_ok()), !is_kept, "{path}");
            serving.abort();
        };
        check("/large", false).await;
        check("/counted", true).await;
    }

    #[tokio::test]
    async fn silent_connections_keep_nobody_out() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listener");
        let address = listener.local_addr().expect("address");
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let serving = tokio::spawn(accepting(listener, router, 2));
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(TcpStream::connect(address).await.expect("connection"));
        }
        let mut caller = TcpStream::connect(address).await.expect("connection");
        caller.write_all(REQUEST).await.expect("request");
        let mut answer = String::new();
        let read = tokio::time::timeout(HEADER_TIMEOUT / 2, caller.read_to_string(&mut answer)).await;
        let _ = read.expect("an answer before a silent connection ends by itself").expect("text");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        serving.abort();
    }
}
