//! One HTTP request for one message, with a bound on tries and time.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use sluice_core::alert::AlertChannel;
use sluice_core::error::{ErrorName, StepError};

use super::render::Post;

/// Longest time of one try.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the second and the third try, which is the last. A channel may ask for more, up to
/// [`MAX_PAUSE`]: 3 tries and 2 pauses are 25 s at worst.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read, and characters that are shown.
const MAX_ANSWER: usize = 300;

/// What a channel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; 200 for a topic.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
}

impl Answer {
    pub(super) fn of_topic() -> Self {
        Self { status: 200, body: "published to the topic".to_owned() }
    }
}

/// A client that follows no redirect: only addresses of the environment are asked.
pub(super) fn client() -> Result<Client, StepError> {
    let client = Client::builder().redirect(Policy::none()).timeout(TRY_TIMEOUT).user_agent("sluice");
    client.build().map_err(|error| StepError::new(ErrorName::Internal, &error))
}

/// Sends a message. What may end by itself is tried again.
pub(super) async fn post(client: &Client, channel: &AlertChannel, post: &Post) -> Result<Answer, StepError> {
    for pause in PAUSES {
        match once(client, channel, post).await {
            Err(Refused { error, retry_after }) if error.name.is_retryable() => {
                let pause = retry_after.unwrap_or(pause);
                if pause > MAX_PAUSE {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
            }
            result => return result.map_err(|refused| refused.error),
        }
    }
    once(client, channel, post).await.map_err(|refused| refused.error)
}

/// Why a message was not taken.
struct Refused {
    error: StepError,
    /// How long the channel wants to be left alone.
    retry_after: Option<Duration>,
}

async fn once(client: &Client, channel: &AlertChannel, post: &Post) -> Result<Answer, Refused> {
    let mut request = client.post(post.url.clone()).header("content-type", "application/json").body(post.body.clone());
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let mut response = request.send().await.map_err(|error| no_answer(channel, error))?;
    let (status, retry_after) = (response.status(), retry_after(&response));
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            // The status says whether the message was taken.
            Ok(None) | Err(_) => break,
        }
    }
    let body: String = String::from_utf8_lossy(&bytes).trim().chars().take(MAX_ANSWER).collect();
    if status.is_success() {
        return Ok(Answer { status: status.as_u16(), body });
    }
    Err(Refused { error: refusal(channel, status, &body), retry_after })
}

/// Seconds that the channel asks for.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn refusal(channel: &AlertChannel, status: StatusCode, body: &str) -> StepError {
    let (name, fix) = match status.as_u16() {
        429 => (ErrorName::Throttled, ""),
        408 | 500.. => (ErrorName::Unavailable, ""),
        401 | 403 => (ErrorName::AccessDenied, "; correct its key or address"),
        404 | 410 => (ErrorName::NotFound, "; its address does not exist any more: make a new one"),
        300..400 => (ErrorName::InvalidInput, "; redirects are not followed: correct its address"),
        _ => (ErrorName::InvalidInput, ""),
    };
    let (channel, kind) = (&channel.name, channel.target.kind());
    StepError::message(name, format!("channel `{channel}` of kind {kind} answered {status}: {body}{fix}"))
}

/// No answer came. The address is left out: that of a webhook is a secret.
fn no_answer(channel: &AlertChannel, error: reqwest::Error) -> Refused {
    let error = StepError::new(ErrorName::Unavailable, &error.without_url());
    let (channel, kind) = (&channel.name, channel.target.kind());
    let message = format!("channel `{channel}` of kind {kind} did not answer: {}", error.message);
    Refused { error: StepError::message(ErrorName::Unavailable, message), retry_after: None }
}
