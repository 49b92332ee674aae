//! Bodies that arrive slowly or incompletely.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};

use crate::http::{self, Answer, Body, Cut};

/// Number of pieces of a slow body.
const PIECES: u32 = 8;

/// Receives the first half of a body.
pub(crate) async fn half_received(mut body: Incoming) {
    // A chunked body has no known length; then the first piece counts as half.
    let half = body.size_hint().exact().map_or(1, |length| length / 2);
    let mut received = 0;
    while received < half {
        match body.frame().await {
            Some(Ok(frame)) => {
                received += frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            }
            _ => return,
        }
    }
}

/// The same response, its body in pieces over this time.
pub(crate) async fn dribbled(answer: Answer, over: Duration) -> Result<Answer, Cut> {
    let (head, content) = answer.into_parts();
    let content = http::collected(content).await?;
    let size = content.len().div_ceil(usize::try_from(PIECES).unwrap_or(1)).max(1);
    let pieces = stream::unfold(content, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(over / PIECES).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, std::io::Error>(Frame::data(piece)), rest))
    });
    Ok(Answer::from_parts(head, Body::http_body_unsync(StreamBody::new(pieces))))
}

/// The same response, its body cut off halfway.
pub(crate) async fn truncated(answer: Answer) -> Result<Answer, Cut> {
    let (head, content) = answer.into_parts();
    let mut content = http::collected(content).await?;
    content.truncate(content.len() / 2);
    let pieces = stream::unfold(Some(content), |rest: Option<Bytes>| async move {
        match rest {
            Some(half) => Some((Ok(Frame::data(half)), None)),
            None => {
                // Half of the body is sent before the connection is cut.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(std::io::Error::other(Cut)), None))
            }
        }
    });
    Ok(Answer::from_parts(head, Body::http_body_unsync(StreamBody::new(pieces))))
}
