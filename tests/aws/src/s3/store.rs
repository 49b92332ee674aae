//! One lake's objects: the store on disk, and corrections for where it differs from S3.
//!
//! The store checks `If-None-Match` before it reads the body, so two overlapping creates can both win; lists have no
//! etags and do not support `encoding-type`; reads ignore `If-Match` and `If-None-Match`; replacing an object that does not
//! exist gives 412 instead of 404; an emptied folder is still listed as a prefix. All of this is corrected here.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::validation::NameValidation;
use tokio::sync::RwLock;

use super::error::error_answer;
use super::operation::{Kind, Operation};
use super::xml;
use crate::http::{self, Answer, Body, Cut};
use crate::identity::Identities;

/// The characters that S3 does not encode in keys of a list with `encoding-type=url`.
const PLAIN_IN_KEYS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'~');

/// Objects of one lake.
pub(crate) struct Store {
    service: S3Service,
    root: PathBuf,
    /// Several keys share a lock, which only costs a little time.
    locks: Vec<RwLock<()>>,
    written: Mutex<BTreeMap<String, Written>>,
}

struct Written {
    etag: String,
    at: Instant,
}

/// Also allows the bed's deployments, whose names are shorter than AWS allows for buckets.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

impl Store {
    /// An empty bucket below `root`.
    pub(crate) fn new(root: &Path, bucket: &str, identities: Identities) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root.join(bucket))?;
        let files = s3s_fs::FileSystem::new(root).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(identities);
        service.set_validation(AnyName);
        let locks = (0..64).map(|_| RwLock::default()).collect();
        Ok(Self { service: service.build(), root: root.to_owned(), locks, written: Mutex::default() })
    }

    /// Folder of all its files.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Executes an operation. `stale` hides objects from lists that were written this recently.
    pub(crate) async fn act(
        &self,
        operation: &Operation,
        request: &Parts,
        body: Bytes,
        stale: Option<Duration>,
    ) -> Result<Answer, Cut> {
        let answer = match self.lock(operation) {
            Some(lock) if operation.is_write() => {
                let _alone = lock.write().await;
                let answer = self.call(request, body.clone()).await?;
                return self.after_write(operation, request, answer, &body).await;
            }
            Some(lock) => {
                let _shared = lock.read().await;
                self.call(request, body.clone()).await?
            }
            None => self.call(request, body.clone()).await?,
        };
        match operation.kind {
            Kind::Read => Ok(conditional(request, answer)),
            Kind::List if answer.status().is_success() => self.after_list(request, answer, stale).await,
            Kind::DeleteMany => self.after_write(operation, request, answer, &body).await,
            _ => Ok(answer),
        }
    }

    fn lock(&self, operation: &Operation) -> Option<&RwLock<()>> {
        if !operation.is_write() && operation.kind != Kind::Read {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        operation.key.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % 64).unwrap_or_default();
        self.locks.get(place)
    }

    async fn call(&self, request: &Parts, body: Bytes) -> Result<Answer, Cut> {
        let request = Request::from_parts(request.clone(), Body::from(body));
        self.service.call(request).await.map_err(|_| Cut)
    }

    async fn after_write(
        &self,
        operation: &Operation,
        request: &Parts,
        answer: Answer,
        body: &Bytes,
    ) -> Result<Answer, Cut> {
        if !answer.status().is_success() {
            let is_there = self.locked().contains_key(&operation.key);
            let is_missing = answer.status() == StatusCode::PRECONDITION_FAILED
                && request.headers.contains_key(IF_MATCH)
                && !is_there;
            return Ok(if is_missing { error_answer(StatusCode::NOT_FOUND, "NoSuchKey") } else { answer });
        }
        let (mut head, content) = answer.into_parts();
        let content = http::collected(content).await?;
        let text = String::from_utf8_lossy(&content);
        let in_header = head.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let etag = in_header.or_else(|| xml::texts(&text, "ETag").into_iter().next());
        let mut written = self.locked();
        match operation.kind {
            Kind::Delete => {
                written.remove(&operation.key);
            }
            Kind::DeleteMany => {
                for key in xml::texts(&String::from_utf8_lossy(body), "Key") {
                    written.remove(&key);
                }
            }
            // Copying a part creates no object, so the response has no etag of an object.
            _ if request.uri.query().is_some_and(|query| http::parameter(query, "partNumber").is_some()) => {}
            _ => {
                if let Some(etag) = etag {
                    written.insert(operation.key.clone(), Written { etag, at: Instant::now() });
                }
                encrypted(&request.headers, &mut head.headers);
            }
        }
        drop(written);
        Ok(Answer::from_parts(head, Body::from(content)))
    }

    async fn after_list(&self, request: &Parts, answer: Answer, stale: Option<Duration>) -> Result<Answer, Cut> {
        let (mut head, content) = answer.into_parts();
        let content = http::collected(content).await?;
        let listed = String::from_utf8_lossy(&content);
        let mut hidden = 0_usize;
        let written = self.locked();
        let listed = xml::changed(&listed, "Contents", |inner| {
            let key = xml::texts(inner, "Key").into_iter().next().unwrap_or_default();
            let known = written.get(&key);
            if known.zip(stale).is_some_and(|(known, stale)| known.at.elapsed() < stale) {
                hidden += 1;
                return None;
            }
            let etag = known.filter(|_| !inner.contains("<ETag>"));
            let etag = etag.map(|known| format!("<ETag>{}</ETag>", xml::escaped(&known.etag)));
            Some(format!("{inner}{}", etag.unwrap_or_default()))
        });
        let listed = xml::changed(&listed, "CommonPrefixes", |inner| {
            let prefix = xml::texts(inner, "Prefix").into_iter().next().unwrap_or_default();
            let is_there = written.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix));
            hidden += usize::from(!is_there);
            is_there.then(|| inner.to_owned())
        });
        drop(written);
        let mut listed = xml::changed(&listed, "KeyCount", |count| {
            Some(count.parse::<usize>().unwrap_or_default().saturating_sub(hidden).to_string())
        });
        let query = request.uri.query().unwrap_or_default();
        if http::parameter(query, "encoding-type").as_deref() == Some("url") {
            for name in ["Key", "Prefix", "StartAfter", "Delimiter"] {
                listed = xml::changed(&listed, name, |text| Some(encoded(text)));
            }
        }
        head.headers.remove(CONTENT_LENGTH);
        Ok(Answer::from_parts(head, Body::from(listed)))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some elements with children have the same names as elements with text.
fn encoded(text: &str) -> String {
    if text.contains('<') {
        return text.to_owned();
    }
    percent_encoding::utf8_percent_encode(&xml::unescaped(text), PLAIN_IN_KEYS).to_string()
}

/// The response to a read after its conditions are applied.
fn conditional(request: &Parts, answer: Answer) -> Answer {
    if !answer.status().is_success() {
        return answer;
    }
    let etag = answer.headers().get(ETAG).cloned();
    let names = |condition: &HeaderValue| {
        let listed = condition.to_str().unwrap_or_default().split(',').map(|one| one.trim().trim_matches('"'));
        let etag = etag.as_ref().and_then(|etag| etag.to_str().ok()).unwrap_or_default().trim_matches('"');
        listed.into_iter().any(|one| one == "*" || one == etag)
    };
    if request.headers.get(IF_MATCH).is_some_and(|condition| !names(condition)) {
        return error_answer(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    if request.headers.get(IF_NONE_MATCH).is_some_and(names) {
        let is_read = request.method == Method::GET || request.method == Method::HEAD;
        let mut unchanged =
            http::empty(if is_read { StatusCode::NOT_MODIFIED } else { StatusCode::PRECONDITION_FAILED });
        if let Some(etag) = etag {
            unchanged.headers_mut().insert(ETAG, etag);
        }
        return unchanged;
    }
    answer
}

/// Adds the headers with which S3 says how it encrypted.
fn encrypted(asked: &HeaderMap, echoed: &mut HeaderMap) {
    for name in [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
    ] {
        if let Some(value) = asked.get(name) {
            echoed.insert(name, value.clone());
        }
    }
}
