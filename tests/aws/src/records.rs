//! Records of the requests to S3 and to the functions, for tests to read.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

/// One request to S3.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StoreRecord {
    /// Order of arrival, from 1.
    pub(crate) n: usize,
    /// The function whose role sent it, or `operator`; `None` for unknown callers.
    pub(crate) role: Option<String>,
    /// The function's instance.
    pub(crate) instance: Option<String>,
    /// IAM's action without `s3:`.
    pub(crate) action: &'static str,
    pub(crate) method: String,
    /// The key, or the prefix of a list.
    pub(crate) key: String,
    /// `None` while the request is running, and when no response was sent.
    pub(crate) status: Option<u16>,
    /// Bytes of the object that were received or sent.
    pub(crate) bytes: u64,
    /// The requested encryption, its key, and whether with a bucket key.
    pub(crate) sse: Option<String>,
    pub(crate) sse_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    /// The fault that happened to it.
    pub(crate) fault: Option<&'static str>,
    pub(crate) at_ms: u64,
}

/// One delivery of an event to a function.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CallRecord {
    pub(crate) function: &'static str,
    pub(crate) request_id: String,
    /// `None` when no instance got the event.
    pub(crate) instance: Option<String>,
    pub(crate) payload: Value,
    /// Status of the response; `None` while the call is running.
    pub(crate) status: Option<u16>,
    pub(crate) error_type: Option<String>,
    pub(crate) answer: Value,
    /// Whether a process was started for it.
    pub(crate) cold: bool,
    pub(crate) init_ms: Option<u64>,
    pub(crate) started_at_ms: u64,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) peak_memory_mb: Option<u64>,
    pub(crate) out_of_memory: bool,
    pub(crate) fault: Option<&'static str>,
}

/// Records in order of arrival.
#[derive(Debug)]
pub(crate) struct Records<T>(Mutex<Vec<T>>);

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Records<T> {
    /// Adds the record made for the next position, and returns the position.
    pub(crate) fn add(&self, make: impl FnOnce(usize) -> T) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = all.len();
        all.push(make(place));
        place
    }

    /// Changes the record at a position.
    pub(crate) fn change(&self, place: usize, change: impl FnOnce(&mut T)) {
        if let Some(record) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            change(record);
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
