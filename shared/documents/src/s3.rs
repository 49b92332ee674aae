//! The port to what only S3 itself can say: keys exactly as they are, versions, and addresses for others.
//!
//! A path of `object_store` is not a key: it has no empty part, no `.` or `..`, and no slash at its end. Two keys can
//! become one path, and a listing with a key that is no path fails. So whoever lists what others delivered asks S3.
//! Reading in bulk and documents stay with `object_store`, so that functions that only read link one client.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use sluice_core::error::ErrorName;

/// What a call will answer.
pub type S3Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, S3Error>> + Send + 'a>>;

/// An object, as a listing or a head shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The key, exactly as S3 has it.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Version of the content, without quotes.
    pub etag: Option<String>,
    /// When it was written.
    pub modified_at: Option<Timestamp>,
    /// Id of this version, in a bucket that keeps versions. Listings do not have it.
    pub version: Option<String>,
}

/// Calls of S3. Each can be made again.
pub trait S3Objects: fmt::Debug + Send + Sync {
    /// Every object whose key begins with `prefix`, in the order of the keys.
    fn list<'a>(&'a self, bucket: &'a str, prefix: &'a str) -> S3Answer<'a, Vec<S3Object>>;

    /// The object with this key, without its content; `None` when it does not exist.
    fn head<'a>(&'a self, bucket: &'a str, key: &'a str) -> S3Answer<'a, Option<S3Object>>;

    /// An address at which anybody may read the object until `expires_in` is over. No call is made, so the object need
    /// not exist. Whoever has the address has the object: it belongs in no log.
    fn signed_url<'a>(&'a self, bucket: &'a str, key: &'a str, expires_in: Duration) -> S3Answer<'a, String>;
}

/// A call of S3 failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// S3 refused, or did not answer.
    #[error("cannot {action} '{address}'")]
    Call {
        /// What was tried, such as `list`.
        action: &'static str,
        /// Bucket and key, or prefix, as they are.
        address: String,
        /// The stable name of the fault.
        name: ErrorName,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is more than one listing takes.
    #[error("'{address}' has more than {most} objects: move old ones to another folder, or divide the folder")]
    TooMany {
        /// Bucket and prefix.
        address: String,
        /// How many a listing takes.
        most: usize,
    },
}

impl S3Error {
    /// The stable name of the fault.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Call { name, .. } => *name,
            Self::TooMany { .. } => ErrorName::InvalidInput,
        }
    }
}
