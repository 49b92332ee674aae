//! A body that keeps something until all of it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

/// The response with a body that keeps this. A server takes bytes from a body before it sends them, so each piece keeps it,
/// too.
pub(crate) fn kept_until_sent<T: Send + Sync + 'static>(response: Response, kept: T) -> Response {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(Kept { body, kept: Arc::new(kept) }))
}

struct Kept<T> {
    body: Body,
    kept: Arc<T>,
}

impl<T: Send + Sync + 'static> HttpBody for Kept<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let piece = |bytes: Bytes| Bytes::from_owner(Piece { bytes, _kept: self.kept.clone() });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Piece<T> {
    bytes: Bytes,
    _kept: Arc<T>,
}

impl<T> AsRef<[u8]> for Piece<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_a_body_keeps_is_kept_until_its_last_bytes_are_gone() {
        let token = Arc::new(());
        let response = kept_until_sent(vec![b'x'; 1000].into_response(), token.clone());
        assert_eq!(response.body().size_hint().exact(), Some(1000));
        let mut body = response.into_body();
        let bytes = body.frame().await.expect("a frame").expect("bytes").into_data().expect("bytes");
        drop(body);
        let rest = bytes.slice(999..);
        drop(bytes);
        assert_eq!(Arc::strong_count(&token), 2, "a byte waits to be sent");
        drop(rest);
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
