//! Source objects: their bytes, and proof that these are those of the version planned.

mod stream;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use jiff::Timestamp;
use object_store::{GetOptions, GetRange, ObjectStore};
use sluice_core::source::SourceObject;
use sluice_core::uri::{FolderUri, ObjectUri};
use sluice_documents::DocumentStore;

use self::stream::{Open, ResumedStream, StreamReader};
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

/// Opens a file; `None` for a folder, a pipe and whatever else is no file: whoever opens a pipe waits for its other
/// end.
fn regular_file(path: &FilePath) -> io::Result<Option<File>> {
    if std::fs::metadata(path)?.is_file() { File::open(path).map(Some) } else { Ok(None) }
}

pub(crate) fn hash_file(path: &FilePath) -> Result<String, LakeError> {
    let failed = |source| LakeError::Io { doing: "read", path: path.to_owned(), source };
    let file = regular_file(path).map_err(failed)?;
    let file = file.ok_or_else(|| failed(io::Error::new(io::ErrorKind::Unsupported, "it is no file any more")))?;
    hash_open(&file).map_err(failed)
}

/// The hash of a file from where it stands.
fn hash_open(mut file: &File) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
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
    check: Option<Check>,
}

/// How the version of a local file is proved.
enum Check {
    /// By the bytes that were read: all of them.
    Hash { object: SourceObject, hasher: Arc<Mutex<blake3::Hasher>> },
    /// By its size and time, which must not change while a range of it is read.
    Stamp { object: SourceObject, file: File, opened: Stamp },
}

/// Size and time of a file.
#[derive(PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified_at: Option<SystemTime>,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { size_bytes: metadata.len(), modified_at: metadata.modified().ok() })
    }

    /// Whether the plan saw these. It has the time in microseconds, as tables store it.
    fn is_of(&self, object: &SourceObject) -> bool {
        let modified_at = self.modified_at.and_then(|time| Timestamp::try_from(time).ok());
        let micros = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
        let (found, planned) = (micros(modified_at), micros(object.modified_at));
        self.size_bytes == object.size_bytes && found.is_some() && found == planned
    }
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
            Self::open_remote(object, 0, options).await
        }
    }

    /// Opens the version of the object that the plan saw, from the byte `begin` on, to read a range of it. Where the
    /// object has no byte from there on, nothing is read and nothing proved: S3 answers such a request with an error.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn open_at(object: &SourceObject, begin: u64, options: &StoreOptions) -> Result<Self, LakeError> {
        if begin >= object.size_bytes {
            return Ok(Self { reader: Box::new(io::empty()), check: None });
        }
        if object.uri.as_url().scheme() == "file" {
            Self::open_local_at(object, begin)
        } else {
            Self::open_remote(object, begin, options).await
        }
    }

    fn open_local(object: &SourceObject) -> Result<Self, LakeError> {
        let file = open_file(object)?;
        let hasher = Arc::new(Mutex::new(blake3::Hasher::new()));
        let reader = Box::new(HashingReader { inner: file, hasher: hasher.clone() });
        Ok(Self { reader, check: Some(Check::Hash { object: object.clone(), hasher }) })
    }

    /// A range cannot be proved by a hash of its bytes, and hashing the whole file for every range would read a file of
    /// n ranges n times. Size and time are those of the plan unless somebody wrote to the file since, so the file is
    /// hashed only where they differ: a copy may have the content under another time.
    fn open_local_at(object: &SourceObject, begin: u64) -> Result<Self, LakeError> {
        let mut file = open_file(object)?;
        let path = local_path(object.uri.as_url())?;
        let failed = |source| LakeError::Io { doing: "read", path: path.clone(), source };
        let opened = Stamp::of(&file).map_err(failed)?;
        if !opened.is_of(object) && hash_open(&file).map_err(failed)? != object.etag {
            return Err(LakeError::SourceChanged { uri: object.uri.clone(), what: SourceChange::Replaced });
        }
        let _ = file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        let checked = file.try_clone().map_err(failed)?;
        let check = Check::Stamp { object: object.clone(), file: checked, opened };
        Ok(Self { reader: Box::new(file), check: Some(check) })
    }

    async fn open_remote(object: &SourceObject, begin: u64, options: &StoreOptions) -> Result<Self, LakeError> {
        let (store, key) = remote(&object.uri, options)?;
        let open = opener(store, key, object.etag.clone());
        let body = open(begin).await.map_err(|source| match source {
            object_store::Error::NotFound { .. } => {
                LakeError::SourceChanged { uri: object.uri.clone(), what: SourceChange::Deleted }
            }
            object_store::Error::Precondition { .. } => {
                LakeError::SourceChanged { uri: object.uri.clone(), what: SourceChange::Replaced }
            }
            source => LakeError::of_object(&object.uri, "read", source),
        })?;
        let stream = ResumedStream::new(open, body, begin, object.size_bytes);
        Ok(Self { reader: Box::new(StreamReader::new(stream)), check: None })
    }

    /// Splits off the check, so that the reader can be given away.
    pub fn into_parts(self) -> (Box<dyn Read + Send>, VersionCheck) {
        (self.reader, VersionCheck(self.check))
    }
}

/// Requests of one version of an object. The store checks the etag, for each of them and for every one that it repeats.
fn opener(store: Arc<dyn ObjectStore>, key: object_store::path::Path, etag: String) -> Open {
    Box::new(move |begin| {
        let range = (begin > 0).then_some(GetRange::Offset(begin));
        let get = GetOptions { if_match: Some(etag.clone()), range, ..Default::default() };
        let (store, key) = (store.clone(), key.clone());
        Box::pin(async move { Ok(store.get_opts(&key, get).await?.into_stream()) })
    })
}

/// Opens the file of an object.
fn open_file(object: &SourceObject) -> Result<File, LakeError> {
    let path = local_path(object.uri.as_url())?;
    let changed = |what| LakeError::SourceChanged { uri: object.uri.clone(), what };
    match regular_file(&path) {
        Ok(file) => file.ok_or_else(|| changed(SourceChange::Replaced)),
        Err(source) if is_gone(&source) => Err(changed(SourceChange::Deleted)),
        Err(source) => Err(LakeError::Io { doing: "read", path, source }),
    }
}

/// Whether no file is behind a name any more: it was removed, or replaced by a link that leads nowhere.
fn is_gone(error: &io::Error) -> bool {
    /// A link that leads to itself, which has no stable kind: of Linux, and of macOS.
    const LOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(LOOP)
}

/// Reports, once all bytes were read, whether they were the planned version.
pub struct VersionCheck(Option<Check>);

impl VersionCheck {
    /// Compares what was read of a local file with what the plan saw, and hashes the file where that proves nothing.
    ///
    /// # Errors
    /// [`LakeError::SourceChanged`] when the bytes read were another version.
    pub fn finish(self) -> Result<(), LakeError> {
        match self.0 {
            None => Ok(()),
            Some(Check::Hash { object, hasher }) => {
                let seen = hasher.lock().map(|hasher| etag_of(&hasher)).unwrap_or_default();
                // The reader may stop before the last byte (trailing padding of a compressed file).
                if seen == object.etag { Ok(()) } else { check_file(object) }
            }
            Some(Check::Stamp { object, file, opened }) => {
                let is_unchanged = Stamp::of(&file).is_ok_and(|now| now == opened);
                if is_unchanged { Ok(()) } else { check_file(object) }
            }
        }
    }
}

/// Whether the whole file is the planned version.
fn check_file(object: SourceObject) -> Result<(), LakeError> {
    let path = local_path(object.uri.as_url())?;
    match hash_file(&path) {
        Ok(etag) if etag == object.etag => Ok(()),
        Ok(_) => Err(LakeError::SourceChanged { uri: object.uri, what: SourceChange::Replaced }),
        Err(_) => Err(LakeError::SourceChanged { uri: object.uri, what: SourceChange::Deleted }),
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

    /// A file of these bytes, as a plan has seen it, and the folder that it is in.
    fn local(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf, SourceObject) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, bytes).expect("file");
        let uri = url::Url::from_file_path(&path).expect("path").as_str().parse().expect("address");
        let time = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("time");
        let micros = Timestamp::try_from(time).expect("time").as_microsecond();
        let modified_at = Timestamp::from_microsecond(micros).ok();
        let etag = hash_file(&path).expect("hash");
        (folder, path, SourceObject { uri, etag, size_bytes: bytes.len() as u64, modified_at })
    }

    /// What is read from a byte on, while `meanwhile` happens between opening and the proof.
    async fn read_at(object: &SourceObject, begin: u64, meanwhile: impl FnOnce()) -> Result<String, LakeError> {
        let (mut reader, check) = ObjectBytes::open_at(object, begin, &StoreOptions::new()).await?.into_parts();
        let mut text = String::new();
        let _ = reader.read_to_string(&mut text).expect("text");
        meanwhile();
        check.finish().map(|()| text)
    }

    fn set_time(path: &FilePath, seconds: u64) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("time");
    }

    #[tokio::test]
    async fn a_file_is_read_from_a_byte_on() {
        let (_folder, _, object) = local(b"0123456789");
        for (begin, expected) in [(0, "0123456789"), (4, "456789"), (9, "9"), (10, ""), (11, "")] {
            assert_eq!(read_at(&object, begin, || ()).await.expect("read"), expected, "from {begin}");
        }
    }

    #[tokio::test]
    async fn a_range_of_another_version_is_refused_and_one_with_another_time_is_not() {
        let (_folder, path, object) = local(b"0123456789");
        set_time(&path, 1_767_600_000);
        assert_eq!(read_at(&object, 8, || ()).await.expect("the content is the same"), "89");
        let unknown = SourceObject { modified_at: None, ..object.clone() };
        assert_eq!(read_at(&unknown, 8, || ()).await.expect("the content is the same"), "89");
        let touched = read_at(&object, 8, || set_time(&path, 1_767_600_001)).await;
        assert_eq!(touched.expect("the content is the same"), "89");
        let written = read_at(&object, 8, || std::fs::write(&path, "0123456780").expect("file")).await;
        assert_eq!(written.expect_err("written while it was read").name(), ErrorName::SourceChanged);
        let another = read_at(&object, 8, || ()).await;
        assert_eq!(another.expect_err("written before").name(), ErrorName::SourceChanged);
        std::fs::remove_file(&path).expect("file");
        let gone = read_at(&object, 8, || ()).await.expect_err("it is gone");
        assert!(matches!(gone, LakeError::SourceChanged { what: SourceChange::Deleted, .. }), "{gone}");
    }
}
