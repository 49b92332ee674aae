//! Source objects: what lies in a landing folder, and their bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use sluice_core::source::SourceObject;
use sluice_core::uri::{FolderUri, ObjectUri};
use sluice_documents::DocumentStore;

use crate::error::LakeError;
use crate::lake::StoreOptions;

/// Bytes hashed at a time.
const HASH_BUFFER_BYTES: usize = 1 << 20;

/// All source objects below a folder, sorted by address. Names that start with `.` or `_` are passed by, at any depth:
/// they are how other tools mark unfinished files. A folder that does not exist is empty.
///
/// The etag of a local file is a hash of its content, so a copied file is the same object wherever its time stamps went.
///
/// # Errors
/// [`LakeError::Io`] or [`LakeError::Store`]; [`LakeError::Invalid`] for names that are not UTF-8 or hold control characters.
pub async fn list_sources(folder: &FolderUri, options: &StoreOptions) -> Result<Vec<SourceObject>, LakeError> {
    let mut objects = if folder.is_local() {
        let folder = folder.clone();
        blocking(move || list_local(&folder)).await?
    } else {
        list_remote(folder, options).await?
    };
    objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    Ok(objects)
}

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

fn local_path(uri: &url::Url) -> Result<std::path::PathBuf, LakeError> {
    uri.to_file_path().map_err(|()| LakeError::Invalid { message: format!("{uri} is no local path") })
}

fn hidden(segment: &[u8]) -> bool {
    matches!(segment.first(), Some(b'.' | b'_'))
}

fn list_local(folder: &FolderUri) -> Result<Vec<SourceObject>, LakeError> {
    let mut found = Vec::new();
    let mut waiting = vec![local_path(folder.as_url())?];
    while let Some(directory) = waiting.pop() {
        let failed = |source| LakeError::Io { doing: "list", path: directory.clone(), source };
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.file_name().is_none_or(|name| hidden(name.as_encoded_bytes())) {
                continue;
            }
            // Follows links, so that a landing folder may be assembled from links.
            let metadata = std::fs::metadata(&path).map_err(failed)?;
            if metadata.is_dir() {
                waiting.push(path);
            } else if metadata.is_file() {
                found.push(local_object(&path, metadata.len())?);
            }
        }
    }
    Ok(found)
}

fn local_object(path: &FilePath, size_bytes: u64) -> Result<SourceObject, LakeError> {
    // The address has all bytes of the name percent-encoded, so no name can stop the files next to it.
    let address = url::Url::from_file_path(path)
        .map_err(|()| LakeError::Invalid { message: format!("{} is no absolute path", path.display()) })?;
    Ok(SourceObject { uri: object_uri(&address)?, etag: hash_file(path)?, size_bytes })
}

fn object_uri(address: &url::Url) -> Result<ObjectUri, LakeError> {
    address.as_str().parse().map_err(|error| LakeError::Invalid { message: format!("{error}") })
}

fn hash_file(path: &FilePath) -> Result<String, LakeError> {
    let failed = |source| LakeError::Io { doing: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
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

async fn list_remote(folder: &FolderUri, options: &StoreOptions) -> Result<Vec<SourceObject>, LakeError> {
    let store = DocumentStore::open(folder, options)?;
    let prefix = object_store::path::Path::from_url_path(folder.as_url().path())
        .map_err(|error| LakeError::Invalid { message: error.to_string() })?;
    let listed: Vec<_> = store
        .objects()
        .list(Some(&prefix))
        .try_collect()
        .await
        .map_err(|source| LakeError::Store { doing: "list", location: folder.to_string(), source })?;
    let mut found = Vec::new();
    for object in listed {
        let key = object.location.as_ref();
        let below = key.strip_prefix(prefix.as_ref()).unwrap_or(key).trim_start_matches('/');
        if below.is_empty() || below.split('/').any(|segment| hidden(segment.as_bytes())) {
            continue;
        }
        let mut address = folder.as_url().clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(below.split('/'));
        }
        let etag = object.e_tag.ok_or_else(|| LakeError::Invalid {
            message: format!(
                "the store returns no etag for {key}, and versions of an object cannot be distinguished without one"
            ),
        })?;
        found.push(SourceObject {
            uri: object_uri(&address)?,
            etag: etag.trim_matches('"').to_owned(),
            size_bytes: object.size,
        });
    }
    Ok(found)
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
    /// [`LakeError::SourceChanged`] when it is gone or, on S3, another version.
    pub async fn open(object: &SourceObject, options: &StoreOptions) -> Result<Self, LakeError> {
        if object.uri.as_url().scheme() == "file" {
            Self::open_local(object)
        } else {
            Self::open_remote(object, options).await
        }
    }

    fn open_local(object: &SourceObject) -> Result<Self, LakeError> {
        let path = local_path(object.uri.as_url())?;
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LakeError::SourceChanged { uri: object.uri.clone(), what: "deleted" },
            _ => LakeError::Io { doing: "read", path, source },
        })?;
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
                LakeError::SourceChanged { uri: object.uri.clone(), what: "deleted" }
            }
            object_store::Error::Precondition { .. } => {
                LakeError::SourceChanged { uri: object.uri.clone(), what: "replaced" }
            }
            source => LakeError::Store { doing: "read", location: object.uri.to_string(), source },
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

/// Proves that an object still is the version that the plan saw, without reading it where the store knows its etag.
///
/// # Errors
/// [`LakeError::SourceChanged`] when it is gone or another version.
pub(crate) async fn verify_version(object: &SourceObject, options: &StoreOptions) -> Result<(), LakeError> {
    let changed = |what| LakeError::SourceChanged { uri: object.uri.clone(), what };
    let etag = if object.uri.as_url().scheme() == "file" {
        let path = local_path(object.uri.as_url())?;
        match blocking(move || hash_file(&path)).await {
            Ok(etag) => etag,
            Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(changed("deleted"));
            }
            Err(error) => return Err(error),
        }
    } else {
        let (store, key) = remote(&object.uri, options)?;
        match store.head(&key).await {
            Ok(head) => head.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
            Err(object_store::Error::NotFound { .. }) => return Err(changed("deleted")),
            Err(source) => {
                return Err(LakeError::Store { doing: "check", location: object.uri.to_string(), source });
            }
        }
    };
    if etag == object.etag { Ok(()) } else { Err(changed("replaced")) }
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
            Ok(_) => Err(LakeError::SourceChanged { uri: object.uri, what: "replaced" }),
            Err(_) => Err(LakeError::SourceChanged { uri: object.uri, what: "deleted" }),
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
    let key =
        object_store::path::Path::from_url_path(uri.as_url().path()).map_err(|error| invalid(error.to_string()))?;
    Ok((DocumentStore::open(&root, options)?.objects().clone(), key))
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
