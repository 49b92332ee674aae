//! Requests to servers of others: a POST with JSON, with a bound on tries, on time and on what is read of the answer.
//!
//! Redirects are not followed: only addresses of the environment are asked, and the GET that a client makes of a
//! redirected POST would lose the message without a word.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use sluice_core::error::{ErrorName, StepError};
use url::Url;

/// Longest time of one try.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the second and the third try, which is the last. A server may ask for more, up to
/// [`MAX_PAUSE`]: 3 tries and 2 pauses are 18 s at worst, or 25 s where it does.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const MAX_READ: usize = 4096;
/// Characters of an answer that are shown.
const MAX_SHOWN: usize = 300;
/// Shorter parts of a request are no secrets.
const MIN_SECRET: usize = 8;

/// One HTTP request, by POST with a body of JSON. Address, headers and body may have secrets in them, so it is printed
/// by its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// Where to.
    pub url: Url,
    /// Headers other than `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; 200 for a topic.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
}

/// The client for [`send`].
pub(crate) fn client() -> Result<Client, StepError> {
    let client = Client::builder().redirect(Policy::none()).timeout(TRY_TIMEOUT).user_agent("sluice");
    client.build().map_err(|error| StepError::new(ErrorName::Internal, &error))
}

/// Sends a request. What may end by itself is tried again. `to` is what messages call the server.
pub(crate) async fn send(client: &Client, to: &str, post: &Post) -> Result<Answer, StepError> {
    for pause in PAUSES {
        match once(client, to, post).await {
            Err(Refused { error, retry_after }) if error.name.is_retryable() => {
                let pause = retry_after.map_or(pause, |asked| asked.max(pause));
                if pause > MAX_PAUSE {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
            }
            result => return result.map_err(|refused| refused.error),
        }
    }
    once(client, to, post).await.map_err(|refused| refused.error)
}

/// Why a request was not taken.
struct Refused {
    error: StepError,
    /// How long the server wants to be left alone.
    retry_after: Option<Duration>,
}

async fn once(client: &Client, to: &str, post: &Post) -> Result<Answer, Refused> {
    let mut request = client.post(post.url.clone()).header("content-type", "application/json").body(post.body.clone());
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let mut response = request.send().await.map_err(|error| no_answer(to, error))?;
    let (status, retry_after) = (response.status(), retry_after(&response));
    let mut bytes = Vec::new();
    while bytes.len() < MAX_READ {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            // The status says whether the message was taken.
            Ok(None) | Err(_) => break,
        }
    }
    let body = without_secrets(&String::from_utf8_lossy(&bytes), post);
    let body: String = body.trim().chars().take(MAX_SHOWN).collect();
    if status.is_success() {
        return Ok(Answer { status: status.as_u16(), body });
    }
    Err(Refused { error: refusal(to, status, &body), retry_after })
}

/// Seconds that the server asks for.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The answer without what it repeats of the request: pages about errors quote the path, which is the secret of a
/// webhook.
fn without_secrets(answer: &str, post: &Post) -> String {
    let of_address = [post.url.path(), post.url.query().unwrap_or_default()];
    let of_headers = post.headers.iter().filter_map(|(_, value)| value.rsplit(' ').next());
    let secrets = of_address.into_iter().chain(of_headers).filter(|secret| secret.len() >= MIN_SECRET);
    secrets.fold(answer.to_owned(), |shown, secret| shown.replace(secret, "…"))
}

fn refusal(to: &str, status: StatusCode, body: &str) -> StepError {
    let (name, fix) = match status.as_u16() {
        429 => (ErrorName::Throttled, ""),
        408 | 500.. => (ErrorName::Unavailable, ""),
        401 | 403 => (ErrorName::AccessDenied, "; correct its key or address"),
        404 | 410 => (ErrorName::NotFound, "; nothing is at its address: correct it, or make a new one"),
        300..=399 => (ErrorName::InvalidInput, "; redirects are not followed: correct its address"),
        _ => (ErrorName::InvalidInput, ""),
    };
    StepError::message(name, format!("{to} answered {status}: {body}{fix}"))
}

/// No answer came. The address is left out: that of a webhook is a secret.
fn no_answer(to: &str, error: reqwest::Error) -> Refused {
    let error = StepError::new(ErrorName::Unavailable, &error.without_url());
    let message = format!("{to} did not answer: {}", error.message);
    Refused { error: StepError::message(ErrorName::Unavailable, message), retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        Post {
            url: "https://hooks.example/services/T0/sesame?key=open-sesame".parse().unwrap(),
            headers: vec![("authorization", "GenieKey hush-hush".to_owned())],
            body: "{\"routing_key\":\"R0-hush\"}".to_owned(),
        }
    }

    #[test]
    fn answers_that_quote_a_request_are_shown_without_its_secrets() {
        let answer = "POST /services/T0/sesame?key=open-sesame with GenieKey hush-hush: not found";
        assert_eq!(without_secrets(answer, &post()), "POST …?… with GenieKey …: not found");
    }

    #[test]
    fn requests_are_printed_by_their_host() {
        let printed = format!("{:?}", post());
        assert!(
            printed.contains("hooks.example") && !printed.contains("sesame") && !printed.contains("hush"),
            "{printed}"
        );
    }
}
