//! The bytes of an object on S3 as one reader, over as many requests as it takes.
//!
//! The store ends a request after 30 s, body included, and repeats nothing after that. Whoever stages what is read takes
//! longer, and reads no faster than he stages.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::runtime::Handle;

/// What one request answers.
pub(super) type Body = BoxStream<'static, object_store::Result<Bytes>>;
/// Asks for the object from a byte on.
pub(super) type Open = Box<dyn Fn(u64) -> BoxFuture<'static, object_store::Result<Body>> + Send>;

/// A blocking reader, for use on a blocking thread.
pub(super) struct StreamReader {
    stream: ResumedStream,
    rest: Bytes,
    runtime: Handle,
}

impl StreamReader {
    pub(super) fn new(stream: ResumedStream) -> Self {
        Self { stream, rest: Bytes::new(), runtime: Handle::current() }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(bytes) => self.rest = bytes.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len());
        if let Some(target) = buffer.get_mut(..length) {
            self.rest.copy_to_slice(target);
        }
        Ok(length)
    }
}

/// A stream that goes on with another request where one breaks off.
pub(super) struct ResumedStream {
    open: Open,
    body: Body,
    /// The next byte.
    at: u64,
    size_bytes: u64,
    /// Where it broke off last. One that breaks off there again is given up, so each request but the last brings a byte.
    broken_at: Option<u64>,
}

impl ResumedStream {
    /// The object of this size from the byte `at` on, of which the first request has answered `body`.
    pub(super) fn new(open: Open, body: Body, at: u64, size_bytes: u64) -> Self {
        Self { open, body, at, size_bytes, broken_at: None }
    }

    async fn next(&mut self) -> Option<object_store::Result<Bytes>> {
        loop {
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.at += bytes.len() as u64;
                    return Some(Ok(bytes));
                }
                Some(Err(error)) if self.at < self.size_bytes => {
                    if self.broken_at == Some(self.at) {
                        return Some(Err(error));
                    }
                    self.broken_at = Some(self.at);
                    match (self.open)(self.at).await {
                        Ok(body) => self.body = body,
                        Err(error) => return Some(Err(error)),
                    }
                }
                // Every byte has come: what the connection says afterwards is of no interest.
                Some(Err(_)) | None => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn broken() -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: "operation timed out".into() }
    }

    /// Reads `0123456789` from `begin` on; each request answers so many bytes, in twos, and then breaks off. The answer is
    /// what was read, or the fault, and where the requests after the first began.
    async fn read(begin: u64, answers: &[usize]) -> (Result<String, String>, Vec<u64>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(answers.to_vec()));
        let body = |at: u64, count: usize| -> Body {
            let at = usize::try_from(at).expect("small");
            let bytes = "0123456789".as_bytes().get(at..10.min(at + count)).unwrap_or_default();
            let chunks: Vec<_> = bytes.chunks(2).map(|bytes| Ok(Bytes::copy_from_slice(bytes))).collect();
            futures::stream::iter(chunks).chain(futures::stream::iter([Err(broken())])).boxed()
        };
        let next = move || left.lock().expect("lock").pop();
        let first = body(begin, next().unwrap_or_default());
        let open: Open = {
            let asked = asked.clone();
            Box::new(move |at| {
                asked.lock().expect("lock").push(at);
                let answer = next().map(|count| body(at, count)).ok_or_else(broken);
                Box::pin(async move { answer })
            })
        };
        let mut stream = ResumedStream::new(open, first, begin, 10);
        let mut text = String::new();
        let fault = loop {
            match stream.next().await {
                Some(Ok(bytes)) => text.push_str(std::str::from_utf8(&bytes).expect("text")),
                Some(Err(error)) => break Some(error.to_string()),
                None => break None,
            }
        };
        let asked = asked.lock().expect("lock").clone();
        (fault.map_or(Ok(text), Err), asked)
    }

    #[tokio::test]
    async fn a_stream_goes_on_where_a_request_breaks_off() {
        // The answers are taken from the end.
        let check = async |begin, answers: &[usize], expected: Result<&str, &str>, requests: &[u64]| {
            let (found, asked) = read(begin, answers).await;
            let expected = expected.map(str::to_owned);
            match (&found, &expected) {
                (Err(found), Err(says)) => assert!(found.contains(says), "{answers:?}: {found}"),
                _ => assert_eq!(found, expected.map_err(str::to_owned), "{answers:?}"),
            }
            assert_eq!(asked, requests, "{answers:?}");
        };
        check(0, &[10], Ok("0123456789"), &[]).await;
        check(0, &[10, 4], Ok("0123456789"), &[4]).await;
        check(3, &[10, 1, 4], Ok("3456789"), &[7, 8]).await;
        check(0, &[2, 2, 2, 2, 2], Ok("0123456789"), &[2, 4, 6, 8]).await;
        check(0, &[10, 0], Ok("0123456789"), &[0]).await;
        check(0, &[10, 0, 4], Err("timed out"), &[4]).await;
        check(0, &[4], Err("timed out"), &[4]).await;
    }
}
