//! How `sluice serve` talks to its workers: frames of bytes over pipes, each with its length before it.
//!
//! A question is one frame of JSON. An answer is two frames: what is said of it or the reason for a refusal, as JSON, and its rows.

use std::io;

use sluice_lake::serve::{Answer, ServeError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest question: a statement of 16 kB over 8 tables with some thousand columns each.
const MAX_QUESTION_BYTES: u64 = 16 << 20;
/// Longest answer: a copy of 256 MiB, which the worker limits itself.
const MAX_ANSWER_BYTES: u64 = 512 << 20;

async fn write_frame(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_u64_le(bytes.len() as u64).await?;
    to.write_all(bytes).await
}

/// A frame; none when the other side has closed the pipe.
async fn read_frame(from: &mut (impl AsyncRead + Unpin), most: u64) -> io::Result<Option<Vec<u8>>> {
    let length = match from.read_u64_le().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(length).ok().filter(|length| *length as u64 <= most);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"))?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok(Some(bytes))
}

/// Sends a question, written as JSON.
pub(super) async fn send_question(to: &mut (impl AsyncWrite + Unpin), question: &[u8]) -> io::Result<()> {
    write_frame(to, question).await?;
    to.flush().await
}

/// The next question, as JSON; none when the server has ended.
pub(super) async fn next_question(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    read_frame(from, MAX_QUESTION_BYTES).await
}

/// Sends an answer, or the reason for a refusal.
pub(super) async fn send_answer(
    to: &mut (impl AsyncWrite + Unpin),
    answered: &Result<Answer, ServeError>,
) -> io::Result<()> {
    write_frame(to, &serde_json::to_vec(answered)?).await?;
    let body: &[u8] = answered.as_ref().map_or(&[], |answer| &answer.body);
    write_frame(to, body).await?;
    to.flush().await
}

/// The answer, or the reason for a refusal.
pub(super) async fn read_answer(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Answer, ServeError>> {
    let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let head = read_frame(from, MAX_QUESTION_BYTES).await?.ok_or_else(ended)?;
    let body = read_frame(from, MAX_ANSWER_BYTES).await?.ok_or_else(ended)?;
    let answered: Result<Answer, ServeError> = serde_json::from_slice(&head)?;
    Ok(answered.map(|answer| Answer { body, ..answer }))
}

#[cfg(test)]
mod tests {
    use sluice_core::error::{ErrorName, StepError};

    use super::*;

    fn answer(body: &[u8]) -> Answer {
        serde_json::from_value::<Answer>(
            serde_json::json!({ "rows": 2, "next": { "file": 1, "rows": 2 }, "files_read": 1, "files_total": 3 }),
        )
        .map(|answer| Answer { body: body.to_vec(), ..answer })
        .expect("an answer")
    }

    #[tokio::test]
    async fn answers_and_refusals_arrive_as_they_were_sent() {
        let check = async |sent: Result<Answer, ServeError>| {
            let mut pipe = Vec::new();
            send_answer(&mut pipe, &sent).await.expect("sent");
            let got = read_answer(&mut pipe.as_slice()).await.expect("read");
            assert_eq!(format!("{got:?}"), format!("{sent:?}"));
        };
        check(Ok(answer(b"[{\"a\":1}]"))).await;
        check(Ok(answer(b""))).await;
        let table = "silver/sales/t".parse().expect("a table");
        for refused in [
            ServeError::NoTable,
            ServeError::NoVersion { asked: 3, newest: 2 },
            ServeError::NothingThen,
            ServeError::VersionGone { version: 1 },
            ServeError::DoesNotFit { message: "ü".to_owned() },
            ServeError::NoColumn { column: "x".to_owned() },
            ServeError::Value,
            ServeError::TooLarge { what: "it".to_owned() },
            ServeError::TooSlow { seconds: 25 },
            ServeError::TooBusy,
            ServeError::Displaced { seconds: 2 },
            ServeError::Lake(StepError::message(ErrorName::Throttled, "slow down")),
            ServeError::Engine { table, words: "it failed".to_owned() },
        ] {
            check(Err(refused)).await;
        }
    }

    #[tokio::test]
    async fn a_pipe_that_ends_is_the_end() {
        let mut pipe = Vec::new();
        send_question(&mut pipe, b"{}").await.expect("sent");
        assert_eq!(next_question(&mut pipe.as_slice()).await.expect("read"), Some(b"{}".to_vec()));
        assert_eq!(next_question(&mut tokio::io::empty()).await.expect("the end"), None);
        assert!(next_question(&mut pipe.get(..9).expect("nine bytes")).await.is_err(), "a frame was cut");
        let long = u64::MAX.to_le_bytes();
        assert!(next_question(&mut long.as_slice()).await.is_err());
        let mut answered = Vec::new();
        send_answer(&mut answered, &Ok(answer(b"rows"))).await.expect("sent");
        for length in 0..answered.len() {
            assert!(read_answer(&mut answered.get(..length).expect("shorter")).await.is_err(), "{length}");
        }
    }
}
