//! Source objects: their bytes, and proof that these are those of the version planned.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{GetOptions, ObjectStore};
use sluice_core::source::SourceObject;
use sluice_core::uri::{FolderUri, ObjectUri};
use sluice_documents::DocumentStore;

use crate::error::{LakeError, SourceChange};
use crate::lake::StoreOptions;

/// Small requests to the store side by side: enough to hide its latency, few enough for its rate limits.
pub(crate) const AT_ONCE: usize = 16;
/// Bytes hashed at a time.
const HASH_BUFFER_BYTES: usize = 1 << 20;

/// Runs blocking work off the async workers.
///
/// # Errors
/// The work's own; [`LakeError::Internal`] when it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| LakeError::Internal { message: format!("a worker thread died: {error}") })?
}

pub(crate) fn local_path(uri: &url::Url) -> Result<std::path::PathBuf, LakeError> {
    uri.to_file_path().map_err(|()| LakeError::Invalid { message: format!("{uri} is no local path") })
}

pub(crate) fn object_uri(address: &url::Url) -> Result<ObjectUri, LakeError> {
    address.as_str().parse().map_err(|error| LakeError::Invalid { message: format!("{error}") })
}

/// Opens a file; `None` for a folder, a pipe and whatever else is no file: whoever opens a pipe waits for its other end.
fn regular_file(path: &FilePath) -> io::Result<Option<File>> {
    if std::fs::metadata(path)?.is_file() { File::open(path).map(Some) } else { Ok(None) }
}

pub(crate) fn hash_file(path: &FilePath) -> Result<String, LakeError> {
    let failed = |source| LakeError::Io { doing: "read", path: path.to_owned(), source };
    let file = regular_file(path).map_err(failed)?;
    let mut file = file.ok_or_else(|| failed(io::Error::new(io::ErrorKind::Unsupported, "it is no file any more")))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        match buffer.get(..read) {
            Some([]) | None => return Ok(etag_of(&hasher)),
            Some(bytes) => drop(hasher.update(bytes)),
        }
    }
}

fn etag_of(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// The bytes of one version of a source object, and the proof at the end that it was that version.
pub struct ObjectBytes {
    /// The bytes, in order.
    pub reader: Box<dyn Read + Send>,
    check: Option<HashCheck>,
}

struct HashCheck {
    object: SourceObject,
    hasher: Arc<Mutex<blake3::Hasher>>,
}

impl ObjectBytes {
    /// Opens the version of the object that the plan saw.
    ///
    /// # Errors
    /// [`LakeError::SourceChanged`] when it is gone or, on S3, another version; [`LakeError::ObjectRefused`].
    pub async fn open(object: &SourceObject, options: &StoreOptions) -> Result<Self, LakeError> {
        if object.uri.as_url().scheme() == "file" {
            Self::open_local(object)
        } else {
            Self::open_remote(object, options).await
        }
    }

    fn open_local(object: &SourceObject) -> Result<Self, LakeError> {
        let path = local_path(object.uri.as_url())?;
        let changed = |what| LakeError::SourceChanged { uri: object.uri.clone(), what };
        let file = match regular_file(&path) {
            Ok(file) => file.ok_or_else(|| changed(SourceChange::Replaced))?,
            Err(source) if is_gone(&source) => return Err(changed(SourceChange::Deleted)),
            Err(source) => return Err(LakeError::Io { doing: "read", path, source }),
        };
        let hasher = Arc::new(Mutex::new(blake3::Hasher::new()));
        let reader = Box::new(HashingReader { inner: file, hasher: hasher.clone() });
        Ok(Self { reader, check: Some(HashCheck { object: object.clone(), hasher }) })
    }

    async fn open_remote(object: &SourceObject, options: &StoreOptions) -> Result<Self, LakeError> {
        let (store, key) = remote(&object.uri, options)?;
        // The etag is checked by the store itself, for this request and for every one that resumes it.
        let get = GetOptions { if_match: Some(object.etag.clone()), ..Default::default() };
        let answer = store.get_opts(&key, get).await.map_err(|source| match source {
            object_store::Error::NotFound { .. } => {
                LakeError::SourceChanged { uri: object.uri.clone(), what: SourceChange::Deleted }
            }
            object_store::Error::Precondition { .. } => {
                LakeError::SourceChanged { uri: object.uri.clone(), what: SourceChange::Replaced }
            }
            source => LakeError::of_object(&object.uri, "read", source),
        })?;
        let reader = StreamReader {
            stream: answer.into_stream(),
            rest: Bytes::new(),
            runtime: tokio::runtime::Handle::current(),
        };
        Ok(Self { reader: Box::new(reader), check: None })
    }

    /// Splits off the check, so that the reader can be given away.
    pub fn into_parts(self) -> (Box<dyn Read + Send>, VersionCheck) {
        (self.reader, VersionCheck(self.check))
    }
}

/// Whether no file is behind a name any more: it was removed, or replaced by a link that leads nowhere.
fn is_gone(error: &io::Error) -> bool {
    /// A link that leads to itself, which has no stable kind: of Linux, and of macOS.
    const LOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(LOOP)
}

/// Reports, once all bytes were read, whether they were the planned version.
pub struct VersionCheck(Option<HashCheck>);

impl VersionCheck {
    /// Reads what is left of a local file and compares.
    ///
    /// # Errors
    /// [`LakeError::SourceChanged`] when the bytes read were another version.
    pub fn finish(self) -> Result<(), LakeError> {
        let Some(HashCheck { object, hasher }) = self.0 else { return Ok(()) };
        let seen = hasher.lock().map(|hasher| etag_of(&hasher)).unwrap_or_default();
        if seen == object.etag {
            return Ok(());
        }
        // The reader may stop before the last byte (trailing padding of a compressed file): then the whole file is hashed.
        let path = local_path(object.uri.as_url())?;
        match hash_file(&path) {
            Ok(etag) if etag == object.etag => Ok(()),
            Ok(_) => Err(LakeError::SourceChanged { uri: object.uri, what: SourceChange::Replaced }),
            Err(_) => Err(LakeError::SourceChanged { uri: object.uri, what: SourceChange::Deleted }),
        }
    }
}

pub(crate) fn remote(
    uri: &ObjectUri,
    options: &StoreOptions,
) -> Result<(Arc<dyn ObjectStore>, object_store::path::Path), LakeError> {
    let invalid = |message: String| LakeError::Invalid { message };
    let mut root = uri.as_url().clone();
    root.set_path("/");
    let root: FolderUri = root.as_str().parse().map_err(|error| invalid(format!("{error}")))?;
    let (_, key) = bucket_and_key(uri.as_url())?;
    Ok((DocumentStore::open(&root, options)?.objects().clone(), key))
}

/// Bucket and key of an address on S3; of the address of a folder, the key without its final slash.
pub(crate) fn bucket_and_key(address: &url::Url) -> Result<(&str, object_store::path::Path), LakeError> {
    let key = object_store::path::Path::from_url_path(address.path())
        .map_err(|error| LakeError::Invalid { message: format!("{address}: {error}") })?;
    Ok((address.host_str().unwrap_or_default(), key))
}

struct HashingReader {
    inner: File,
    hasher: Arc<Mutex<blake3::Hasher>>,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let (Ok(mut hasher), Some(bytes)) = (self.hasher.lock(), buffer.get(..read)) {
            hasher.update(bytes);
        }
        Ok(read)
    }
}

/// A stream of the object store as a blocking reader, for use on a blocking thread.
struct StreamReader {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    rest: Bytes,
    runtime: tokio::runtime::Handle,
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

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use sluice_core::error::{ErrorName, with_sources};

    use super::*;

    /// Options of a store that answers every request alike, and HEAD without a body, as S3 does.
    pub(crate) fn s3_that_answers(status: &'static str, body: &'static str) -> StoreOptions {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let endpoint = format!("http://{}", listener.local_addr().expect("address"));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let body = if request.starts_with(b"HEAD") { "" } else { body };
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let options = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_allow_http", "true"),
            ("aws_access_key_id", "id"),
            ("aws_secret_access_key", "secret"),
        ];
        options.map(|(option, value)| (option.to_owned(), value.to_owned())).into()
    }

    pub(crate) fn object() -> SourceObject {
        let uri = "s3://bucket/landing/a.csv".parse().expect("address");
        SourceObject { uri, etag: "e".to_owned(), size_bytes: 1, modified_at: None }
    }

    async fn check(status: &'static str, body: &'static str, name: ErrorName, says: &[&str]) {
        let opened = ObjectBytes::open(&object(), &s3_that_answers(status, body)).await;
        let error = opened.err().expect("refused");
        let text = with_sources(&error);
        assert_eq!(error.name(), name, "{text}");
        for words in says {
            assert!(text.contains(words), "{text}");
        }
    }

    #[tokio::test]
    async fn an_object_that_the_store_refuses_is_named_with_the_reason_and_the_fix() {
        let bad = "400 Bad Request";
        let customer_key = "<Error><Code>InvalidRequest</Code><Message>stored with a key.</Message></Error>";
        let says = [
            "source object s3://bucket/landing/a.csv cannot be read",
            "InvalidRequest (400 Bad Request): stored with a key; ",
            "copy it with the bucket's own encryption",
        ];
        check(bad, customer_key, ErrorName::AccessDenied, &says).await;
        let says = ["KMS.NotFoundException", "enable its key"];
        check(bad, "<Error><Code>KMS.NotFoundException</Code></Error>", ErrorName::AccessDenied, &says).await;
        let archived = "<Error><Code>InvalidObjectState</Code></Error>";
        check("403 Forbidden", archived, ErrorName::AccessDenied, &["InvalidObjectState"]).await;
        let region = "<Error><Code>AuthorizationHeaderMalformed</Code></Error>";
        check(bad, region, ErrorName::Internal, &["read s3://bucket/landing/a.csv"]).await;
        check("412 Precondition Failed", "", ErrorName::SourceChanged, &["replaced"]).await;
    }
}
