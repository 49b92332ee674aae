//! HTTP as the parts of the bed serve it: one handler per port, and connections that a handler may cut.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) use s3s::Body;

/// What a handler answers.
pub(crate) type Answer = Response<Body>;

/// Instead of an answer: the connection is reset.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut without an answer")
    }
}

impl std::error::Error for Cut {}

/// A port of this machine that nobody else has.
pub(crate) async fn listen() -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Serves until the future is dropped, and then drops all connections.
pub(crate) async fn serve<Work>(
    listener: TcpListener,
    handler: impl Fn(Request<Incoming>) -> Work + Clone + Send + Sync + 'static,
) where
    Work: Future<Output = Result<Answer, Cut>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        // A failed accept is one of a client that has gone, or of too many open files: the next one may work.
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, handler.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection<Work>(stream: TcpStream, handler: impl Fn(Request<Incoming>) -> Work + Clone)
where
    Work: Future<Output = Result<Answer, Cut>>,
{
    // Small answers at once: a function makes hundreds of small requests.
    let socket = stream.set_nodelay(true).and_then(|()| stream.as_fd().try_clone_to_owned());
    let Ok(socket) = socket else { return };
    let service = service_fn(|request| {
        let answer = handler(request);
        let socket = &socket;
        async move { answer.await.inspect_err(|_| reset_on_close(socket)) }
    });
    // The error is a client that has gone, or a cut of ours.
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    drop(served);
}

/// Closing sends a reset: to the client as if the machine at the other end had died.
fn reset_on_close(socket: &OwnedFd) {
    // Where it does not work the client sees an end without an answer, which is the same fault with another name.
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// All of a body.
pub(crate) async fn collected<B>(body: B) -> Result<Bytes, Cut>
where
    B: hyper::body::Body,
{
    // A client that breaks off waits for no answer.
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|_| Cut)
}

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => of_type(status, "application/json", text.into()),
        Err(error) => of_type(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string().into()),
    }
}

/// An answer of bytes.
pub(crate) fn of_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// The parts of a path, decoded.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
}

/// Percent-encoded text as it was meant.
pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A parameter of a query, decoded; an empty text where it has no value.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        // In queries a plus is a space, as forms have it.
        (decoded(found) == name).then(|| decoded(&value.replace('+', " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        assert_eq!(
            segments("/2015-03-31/functions/arn%3Aaws%3Alambda/x"),
            ["2015-03-31", "functions", "arn:aws:lambda", "x"]
        );
        let query = "list-type=2&prefix=a%2Fb+c&uploads";
        assert_eq!(parameter(query, "prefix").as_deref(), Some("a/b c"));
        assert_eq!(parameter(query, "uploads").as_deref(), Some(""));
        assert_eq!(parameter(query, "list"), None);
    }
}
