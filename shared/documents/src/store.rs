//! The store of documents.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sluice_core::cost::CallUsage;
use sluice_core::uri::{FolderUri, LakePath};

use crate::error::DocumentError;
use crate::usage::Counted;

/// How long one request to S3 is repeated before its last answer is given. Steps end long before their own limits, and
/// the state machine repeats the step.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most repetitions of one request to S3, with 0.1 s to 15 s between them.
const MAX_RETRIES: usize = 6;

/// Whether a conditional create made the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It did not exist and does now.
    Created,
    /// Somebody made it before, or this very request was repeated after a lost answer; the document was not touched.
    AlreadyExists,
}

/// What a document was when it was read, for a write that must not undo that of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVersion(PutMode);

impl DocumentVersion {
    /// Whatever is stored: the write takes its place.
    pub fn any() -> Self {
        Self(PutMode::Overwrite)
    }
}

/// JSON documents below one root. Cheap to clone.
///
/// Documents are written whole or not at all, locally and on S3, so a reader never sees half of one. On S3, `create`
/// and `write_version` need conditional writes (`If-None-Match`, `If-Match`), which AWS has and most other stores have.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use object_store::memory::InMemory;
/// use sluice_core::uri::{FolderUri, LakePath};
/// use sluice_documents::{Created, DocumentStore};
///
/// let root: FolderUri = "s3://bucket/lake".parse()?;
/// let store = DocumentStore::over(&root, Arc::new(InMemory::new()))?;
/// let path: LakePath = "notes/day-1.json".parse()?;
///
/// assert_eq!(store.create(&path, "first").await?, Created::Created);
/// assert_eq!(store.create(&path, "second").await?, Created::AlreadyExists);
/// assert_eq!(store.read::<String>(&path).await?.as_deref(), Some("first"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DocumentStore {
    root: FolderUri,
    prefix: Path,
    objects: Arc<dyn ObjectStore>,
}

impl fmt::Debug for DocumentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentStore").field("root", &self.root.to_string()).finish_non_exhaustive()
    }
}

impl DocumentStore {
    /// Opens the store at `root`. Nothing is read or written; a local folder is made by the first write. Its requests are
    /// counted ([`crate::usage`]).
    ///
    /// `options` are the `aws_*` options of `object_store` and may be empty; they mean nothing to a local root.
    ///
    /// # Errors
    /// `InvalidInput` for unknown options, values the store refuses, and roots with empty segments.
    pub fn open(root: &FolderUri, options: &BTreeMap<String, String>) -> Result<Self, DocumentError> {
        let objects: Arc<dyn ObjectStore> =
            if root.is_local() { Arc::new(LocalFileSystem::new()) } else { Arc::new(open_s3(root, options)?) };
        Self::over(root, Arc::new(Counted::new(objects)))
    }

    /// The store at `root` on objects opened by the caller: a shared client, memory, or a decorator that injects faults.
    /// The keys in `objects` are the path of `root` and the document's path.
    ///
    /// # Errors
    /// `InvalidInput` for roots with empty segments.
    pub fn over(root: &FolderUri, objects: Arc<dyn ObjectStore>) -> Result<Self, DocumentError> {
        let prefix = Path::from_url_path(root.as_url().path())
            .map_err(|source| DocumentError::Open { root: root.to_string(), source: source.into() })?;
        Ok(Self { root: root.clone(), prefix, objects })
    }

    /// The root.
    pub fn root(&self) -> &FolderUri {
        &self.root
    }

    /// The objects below the documents.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Key of the object at `path`.
    ///
    /// # Errors
    /// `InvalidInput` for paths that no object can have.
    pub fn key(&self, path: &LakePath) -> Result<Path, DocumentError> {
        let text = if self.prefix.as_ref().is_empty() { path.to_string() } else { format!("{}/{path}", self.prefix) };
        Path::parse(text).map_err(|source| self.fault("address", path, source.into()))
    }

    /// Writes the document if `path` is free. The first writer wins.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn create<T: Serialize + ?Sized>(&self, path: &LakePath, document: &T) -> Result<Created, DocumentError> {
        created(self.put(path, document, PutMode::Create).await)
    }

    /// Writes a text that is no JSON, such as a script, if there is nothing at `path`. The first writer wins.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn create_text(&self, path: &LakePath, text: String) -> Result<Created, DocumentError> {
        created(self.put_text(path, text.into_bytes(), PutMode::Create).await)
    }

    /// Writes a text that is no JSON and may be written again, such as a page, if `path` does not hold this very text.
    /// Returns whether it was written. A page on S3 is stored as one that browsers show.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn keep_text(&self, path: &LakePath, text: &str) -> Result<bool, DocumentError> {
        if self.create_text(path, text.to_owned()).await? == Created::Created {
            return Ok(true);
        }
        if self.read_text(path).await?.as_deref() == Some(text) {
            return Ok(false);
        }
        self.put_text(path, text.as_bytes().to_vec(), PutMode::Overwrite).await?;
        Ok(true)
    }

    /// Writes the document if `path` is free, and returns the one that `path` holds then: this one or the earlier.
    ///
    /// # Errors
    /// As `create` and `read`; `NotFound` when the earlier document is deleted in between.
    pub async fn create_or_read<T>(&self, path: &LakePath, document: T) -> Result<T, DocumentError>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.create(path, &document).await? {
            Created::Created => Ok(document),
            Created::AlreadyExists => {
                self.read(path).await?.ok_or_else(|| DocumentError::Vanished { uri: self.uri(path) })
            }
        }
    }

    /// Writes the document, in place of one that may be there.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn write<T: Serialize + ?Sized>(&self, path: &LakePath, document: &T) -> Result<(), DocumentError> {
        self.put(path, document, PutMode::Overwrite).await
    }

    /// Reads the document at `path`; `None` when it does not exist.
    ///
    /// # Errors
    /// `InvalidInput` naming address and field when the text is not a `T`; else see [`DocumentError::name`].
    pub async fn read<T: DeserializeOwned>(&self, path: &LakePath) -> Result<Option<T>, DocumentError> {
        let Some(text) = self.read_bytes(path).await? else { return Ok(None) };
        self.decode(path, &text).map(Some)
    }

    /// Writes the document if what `path` holds is still what was read ([`Self::read_version`]), and returns whether it
    /// was written. Files of this machine have no versions: one that was there is replaced whatever it holds now.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn write_version<T: Serialize + ?Sized>(
        &self,
        path: &LakePath,
        document: &T,
        version: &DocumentVersion,
    ) -> Result<bool, DocumentError> {
        let DocumentVersion(mode) = version.clone();
        Ok(created(self.put(path, document, mode).await)? == Created::Created)
    }

    /// Reads the document at `path`, `None` when it does not exist, with its version.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_version<T: DeserializeOwned>(
        &self,
        path: &LakePath,
    ) -> Result<(Option<T>, DocumentVersion), DocumentError> {
        let object = match self.objects.get(&self.key(path)?).await {
            Ok(object) => object,
            Err(source) if is_absent(&source) => return Ok((None, DocumentVersion(PutMode::Create))),
            Err(source) => return Err(self.fault("read", path, source)),
        };
        let (e_tag, version) = (object.meta.e_tag.clone(), object.meta.version.clone());
        let mode = if self.root.is_local() || e_tag.is_none() {
            PutMode::Overwrite
        } else {
            PutMode::Update(UpdateVersion { e_tag, version })
        };
        let text = object.bytes().await.map_err(|source| self.fault("read", path, source))?;
        Ok((Some(self.decode(path, &text)?), DocumentVersion(mode)))
    }

    /// Reads the document at `path`, with what the call that wrote it says that it used, in one request.
    ///
    /// # Errors
    /// As [`Self::read`]. What was used is `None` where the document does not say it in words of this version.
    pub async fn read_with_usage<T: DeserializeOwned>(
        &self,
        path: &LakePath,
    ) -> Result<Option<(T, Option<CallUsage>)>, DocumentError> {
        /// The rest of the document is another type's.
        #[derive(Deserialize)]
        struct Excerpt {
            #[serde(default)]
            usage: Option<CallUsage>,
        }

        let Some(text) = self.read_bytes(path).await? else { return Ok(None) };
        let usage = serde_json::from_slice::<Excerpt>(&text).ok().and_then(|excerpt| excerpt.usage);
        Ok(Some((self.decode(path, &text)?, usage)))
    }

    fn decode<T: DeserializeOwned>(&self, path: &LakePath, text: &[u8]) -> Result<T, DocumentError> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let decode = |field: String, source| DocumentError::Decode { uri: self.uri(path), field, source };
        let document = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| decode(error.path().to_string(), error.into_inner()))?;
        json.end().map_err(|source| decode(".".to_owned(), source))?;
        Ok(document)
    }

    /// Reads a text that is no JSON, such as a spec; `None` when it does not exist. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn read_text(&self, path: &LakePath) -> Result<Option<String>, DocumentError> {
        let bytes = self.read_bytes(path).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn read_bytes(&self, path: &LakePath) -> Result<Option<Vec<u8>>, DocumentError> {
        match self.objects.get(&self.key(path)?).await {
            Ok(object) => {
                let bytes = object.bytes().await.map_err(|source| self.fault("read", path, source))?;
                Ok(Some(bytes.into()))
            }
            Err(source) if is_absent(&source) => Ok(None),
            Err(source) => Err(self.fault("read", path, source)),
        }
    }

    /// Whether there is a document at `path`, without reading it.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn exists(&self, path: &LakePath) -> Result<bool, DocumentError> {
        match self.objects.head(&self.key(path)?).await {
            Ok(_) => Ok(true),
            Err(source) if is_absent(&source) => Ok(false),
            Err(source) => Err(self.fault("look for", path, source)),
        }
    }

    /// Deletes the document at `path`. Deleting what is not there is no error.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn delete(&self, path: &LakePath) -> Result<(), DocumentError> {
        match self.objects.delete(&self.key(path)?).await {
            Ok(()) => Ok(()),
            Err(source) if is_absent(&source) => Ok(()),
            Err(source) => Err(self.fault("delete", path, source)),
        }
    }

    /// Paths of all documents below `folder`, at any depth, sorted. A folder that is not there is empty.
    ///
    /// # Errors
    /// `InvalidInput` for an object whose name no document can have; else see [`DocumentError::name`].
    pub async fn list(&self, folder: &LakePath) -> Result<Vec<LakePath>, DocumentError> {
        let prefix = self.key(folder)?;
        let objects: Vec<_> = self
            .objects
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|source| self.fault("list", folder, source))?;
        let mut paths = objects
            .iter()
            .map(|object| {
                self.path(&object.location).ok_or_else(|| DocumentError::AlienName {
                    uri: self.uri(folder),
                    name: object.location.to_string(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        Ok(paths)
    }

    /// Path of the object with this key; `None` for a key that no document has.
    pub(crate) fn path(&self, key: &Path) -> Option<LakePath> {
        let key = key.as_ref();
        let path = if self.prefix.as_ref().is_empty() {
            key
        } else {
            key.strip_prefix(self.prefix.as_ref())?.strip_prefix('/')?
        };
        path.parse().ok()
    }

    async fn put<T: Serialize + ?Sized>(
        &self,
        path: &LakePath,
        document: &T,
        mode: PutMode,
    ) -> Result<(), DocumentError> {
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|source| DocumentError::Encode { uri: self.uri(path), source })?;
        text.push(b'\n');
        self.put_text(path, text, mode).await
    }

    async fn put_text(&self, path: &LakePath, text: Vec<u8>, mode: PutMode) -> Result<(), DocumentError> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.objects
            .put_opts(&self.key(path)?, text.into(), options)
            .await
            .map(drop)
            .map_err(|source| self.fault("write", path, source))
    }

    fn uri(&self, path: &LakePath) -> String {
        self.root.object(path).to_string()
    }

    pub(crate) fn fault(&self, action: &'static str, path: &LakePath, source: object_store::Error) -> DocumentError {
        DocumentError::Store { action, uri: self.uri(path), source }
    }
}

/// What became of a conditional write.
fn created(written: Result<(), DocumentError>) -> Result<Created, DocumentError> {
    match written {
        Ok(()) => Ok(Created::Created),
        Err(DocumentError::Store {
            source: object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
            ..
        }) => Ok(Created::AlreadyExists),
        Err(error) => Err(error),
    }
}

/// Whether the object is missing. A missing bucket is another thing: a mistyped lake must not look like an empty one.
fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { source, .. } if !source.to_string().contains("NoSuchBucket"))
}

fn open_s3(root: &FolderUri, options: &BTreeMap<String, String>) -> Result<object_store::aws::AmazonS3, DocumentError> {
    let bucket = root.as_url().host_str().unwrap_or_default();
    let retry = RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    // Options of the caller are added to these.
    let client = ClientOptions::new().with_content_type_for_suffix("html", "text/html; charset=utf-8");
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry).with_client_options(client);
    for (option, value) in options {
        let key: AmazonS3ConfigKey = option
            .parse()
            .map_err(|_| DocumentError::UnknownOption { root: root.to_string(), option: option.clone() })?;
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|source| DocumentError::Open { root: root.to_string(), source })
}

#[cfg(test)]
mod tests;
