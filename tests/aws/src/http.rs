//! The HTTP server of the bed's parts: one handler per port; a handler may cut the connection.

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

/// The response of a handler.
pub(crate) type Answer = Response<Body>;

/// Instead of a response, the connection is reset.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut without an answer")
    }
}

impl std::error::Error for Cut {}

/// A free port of this machine.
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
        // Accept fails when a client has left or too many files are open: the next one may work.
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
    // Send small responses immediately: a function makes hundreds of small requests.
    let socket = stream.set_nodelay(true).and_then(|()| stream.as_fd().try_clone_to_owned());
    let Ok(socket) = socket else { return };
    let service = service_fn(|request| {
        let answer = handler(request);
        let socket = &socket;
        async move { answer.await.inspect_err(|_| reset_on_close(socket)) }
    });
    // The client has left, or the bed cut the connection on purpose.
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    drop(served);
}

/// Makes closing send a reset, which looks to the client as if the other machine had died.
fn reset_on_close(socket: &OwnedFd) {
    // If this fails, the client sees the connection end without a response, which is an equivalent fault.
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// Reads a whole body.
pub(crate) async fn collected<B>(body: B) -> Result<Bytes, Cut>
where
    B: hyper::body::Body,
{
    // A client that disconnects does not wait for a response.
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|_| Cut)
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => of_type(status, "application/json", text.into()),
        Err(error) => of_type(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string().into()),
    }
}

/// A response with these bytes.
pub(crate) fn of_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// The parts of a path, decoded.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
}

/// Decodes percent-encoded text.
pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A parameter of a query, decoded; an empty text if it has no value.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        // In queries a plus is a space, as in forms.
        (decoded(found) == name).then(|| decoded(&value.replace('+', " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_query_parameters_are_decoded() {
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
