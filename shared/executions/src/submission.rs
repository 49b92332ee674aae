//! A request becomes one run, however often it is sent.
//!
//! The run id is made of the caller and the caller's key. A document under that id, which only one call can make, says
//! what was asked for; then the execution of that name is started with what the document says. So the same request again
//! finds its run, another request under the same key is refused, and a call that dies between document and start is
//! healed by the next one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_core::name::{NameError, RunId};
use sluice_core::run::RunRequest;
use sluice_core::uri::layout;
use sluice_documents::{DocumentError, DocumentStore};
use uuid::Uuid;

use crate::ports::{ExecutionFault, Executions, Started};

/// Sets these ids apart from other hashes of the same texts. Never changed: a key would find another run.
const ID_CONTEXT: &str = "sluice 2026-11 run id of caller and idempotency key";
/// Hex digits of the hash in an id: 128 bits, so that two keys never meet.
const ID_DIGITS: usize = 32;
/// Longest key.
const MAX_KEY_BYTES: usize = 255;

/// A caller's own name for a request: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to {MAX_KEY_BYTES} visible ASCII characters, such as a UUID")]
pub struct KeyError;

impl std::str::FromStr for IdempotencyKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let valid = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(text.to_owned())) } else { Err(KeyError) }
    }
}

/// The id of the run that answers this key of this caller; without a key one of its own, which sorts by time.
///
/// # Errors
/// Never in practice: the texts made here are run ids.
pub fn run_id(caller: &str, key: Option<&IdempotencyKey>) -> Result<RunId, NameError> {
    let Some(key) = key else { return format!("api-{}", Uuid::now_v7().simple()).parse() };
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    // The length first, so that no caller can take a part of another's name into its key.
    hasher.update(&(caller.len() as u64).to_le_bytes()).update(caller.as_bytes()).update(key.0.as_bytes());
    let hex: String = hasher.finalize().to_hex().chars().take(ID_DIGITS).collect();
    format!("api-{hex}").parse()
}

/// What a caller asked for; the document `requests/<run id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The run that answers it.
    pub run_id: RunId,
    /// Who asked first.
    pub caller: String,
    /// When.
    pub accepted_at: Timestamp,
    /// Digest of the request, by which another one is recognised.
    pub digest: String,
    /// The request.
    pub request: RunRequest,
}

impl Submission {
    /// A submission.
    ///
    /// # Errors
    /// When the request has no JSON form: a defect.
    pub fn new(run_id: RunId, caller: &str, now: Timestamp, request: RunRequest) -> Result<Self, SubmissionError> {
        let text = serde_json::to_vec(&request)
            .map_err(|source| SubmissionError::Encode { run_id: run_id.clone(), source })?;
        let digest = blake3::hash(&text).to_hex().to_string();
        Ok(Self { run_id, caller: caller.to_owned(), accepted_at: now, digest, request })
    }
}

/// Why a request did not become a run.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The key was used with another request.
    #[error(
        "idempotency key was used before with another request (run `{run_id}`): send the same body again, or use another key"
    )]
    OtherRequest {
        /// The run of that request.
        run_id: RunId,
    },
    /// Something that is not this API started an execution of that name.
    #[error("an execution named `{run_id}` was started with other input by somebody else: use another key")]
    OtherExecution {
        /// Its name.
        run_id: RunId,
    },
    /// The request has no JSON form.
    #[error("request of run `{run_id}` has no JSON form")]
    Encode {
        /// The run.
        run_id: RunId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The request's document cannot be written or read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The execution cannot be started.
    #[error(transparent)]
    Execution(#[from] ExecutionFault),
}

/// Makes sure that the run of a submission exists. Safe to repeat, also at the same time.
///
/// # Errors
/// [`SubmissionError`].
pub async fn submit(
    documents: &DocumentStore,
    executions: &impl Executions,
    submission: Submission,
) -> Result<(Submission, Started), SubmissionError> {
    let digest = submission.digest.clone();
    let settled = documents.create_or_read(&layout::request(&submission.run_id), submission).await?;
    let run_id = settled.run_id.clone();
    if settled.digest != digest {
        return Err(SubmissionError::OtherRequest { run_id });
    }
    match executions.start(&run_id, &settled.request).await? {
        started @ (Started::Running | Started::Ended) => Ok((settled, started)),
        Started::Conflicting => Err(SubmissionError::OtherExecution { run_id }),
    }
}

/// What was asked for under this id; `None` for runs that no caller of the API asked for.
///
/// # Errors
/// See [`DocumentError::name`].
pub async fn find(documents: &DocumentStore, run_id: &RunId) -> Result<Option<Submission>, DocumentError> {
    documents.read(&layout::request(run_id)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_caller_and_key() {
        let id = |caller: &str, key: &str| run_id(caller, Some(&key.parse().unwrap())).unwrap();
        assert_eq!(id("ann", "k1"), id("ann", "k1"));
        assert_ne!(id("ann", "k1"), id("ann", "k2"));
        assert_ne!(id("ann", "k1"), id("bob", "k1"));
        assert_ne!(id("ann", "k1"), id("an", "nk1"));
        // Never changed: callers repeat requests across deployments.
        assert_eq!(id("ann", "k1").as_str().len(), "api-".len() + ID_DIGITS);
    }

    #[test]
    fn ids_without_a_key_sort_by_time() {
        let first = run_id("ann", None).unwrap();
        let second = run_id("ann", None).unwrap();
        assert!(first < second, "{first} {second}");
    }

    #[test]
    fn keys_are_visible_ascii() {
        let check = |text: &str, valid: bool| assert_eq!(text.parse::<IdempotencyKey>().is_ok(), valid, "{text:?}");
        check("a", true);
        check("2f1c/day=5!~", true);
        check(&"k".repeat(255), true);
        check(&"k".repeat(256), false);
        check("", false);
        check("a b", false);
        check("a\n", false);
        check("schlüssel", false);
    }
}
