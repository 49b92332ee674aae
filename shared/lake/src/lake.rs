//! The lake: one root, its documents and its tables' folders.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use sluice_core::name::TableRef;
use sluice_core::uri::{FolderUri, LakePath, layout};
use sluice_documents::{DocumentStore, S3Objects};

use crate::counted::count_requests;
use crate::error::LakeError;
use crate::objects::bucket_and_key;
use crate::progress::Progress;

/// Options of the object store (`aws_region`, `aws_endpoint`, …), as Polars, Delta and `object_store` all take them.
pub type StoreOptions = BTreeMap<String, String>;

/// A lake. Cheap to clone.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::name::TableRef;
/// use sluice_core::uri::FolderUri;
/// use sluice_lake::{Lake, StoreOptions, inspect};
///
/// let folder = tempfile::tempdir()?;
/// let root: FolderUri = format!("file://{}", folder.path().display()).parse()?;
/// let lake = Lake::open(&root, &StoreOptions::new())?;
///
/// let table: TableRef = "silver/sales/orders".parse()?;
/// assert_eq!(lake.local_table_folder(&table)?, Some(folder.path().join("silver/sales/orders")));
/// assert!(inspect::tables(&lake).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Lake {
    root: FolderUri,
    options: StoreOptions,
    documents: DocumentStore,
    s3: Option<Arc<dyn S3Objects>>,
    progress: Progress,
}

impl Lake {
    /// Opens the lake at this root; nothing is read or written yet.
    ///
    /// # Errors
    /// [`LakeError::Document`] when the address or the options are refused by the store; [`LakeError::Invalid`] for a
    /// percent sign in the address, which readers of Delta take for an escape.
    pub fn open(root: &FolderUri, options: &StoreOptions) -> Result<Self, LakeError> {
        if root.as_url().path().contains("%25") {
            let message = format!("lake '{root}': readers of Delta misread a name with %; choose one without");
            return Err(LakeError::Invalid { message });
        }
        count_requests();
        let documents = DocumentStore::open(root, options)?;
        Ok(Self { root: root.clone(), options: options.clone(), documents, s3: None, progress: Progress::default() })
    }

    /// The lake with the client that lists landing folders on S3 and signs addresses. Programs that do neither need no
    /// client.
    #[must_use]
    pub fn with_s3(self, s3: Option<Arc<dyn S3Objects>>) -> Self {
        Self { s3, ..self }
    }

    /// The lake whose steps count the records that they read here.
    #[must_use]
    pub fn with_progress(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Where steps count the records that they read.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The root.
    pub fn root(&self) -> &FolderUri {
        &self.root
    }

    /// Options of the object store.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The small documents below the root.
    pub fn documents(&self) -> &DocumentStore {
        &self.documents
    }

    /// The client of S3 for `address`.
    ///
    /// # Errors
    /// [`LakeError::Invalid`] without one: the lake is on this machine, or the program was not made to ask S3.
    pub(crate) fn s3(&self, address: &impl std::fmt::Display) -> Result<&dyn S3Objects, LakeError> {
        self.s3.as_deref().ok_or_else(|| LakeError::Invalid {
            message: format!(
                "{address} is on S3, and lake '{}' was opened without a client of S3: take files from a folder of this \
                 machine, or use a lake on S3",
                self.root
            ),
        })
    }

    /// An address at which anybody may read the object at `path` until `expires_in` is over; `None` without a client of
    /// S3, as on this machine. Whoever has the address has the object: it belongs in no log.
    ///
    /// # Errors
    /// [`LakeError::S3`] when the address cannot be signed.
    pub async fn signed_url(&self, path: &LakePath, expires_in: Duration) -> Result<Option<String>, LakeError> {
        let Some(s3) = &self.s3 else { return Ok(None) };
        let object = self.root.object(path);
        let (bucket, key) = bucket_and_key(object.as_url())?;
        Ok(Some(s3.signed_url(bucket, key.as_ref(), expires_in).await?))
    }

    /// The folder of a table.
    pub fn table_folder(&self, table: &TableRef) -> Result<FolderUri, LakeError> {
        self.folder(&layout::table(table))
    }

    /// A folder of the lake.
    pub(crate) fn folder(&self, path: &LakePath) -> Result<FolderUri, LakeError> {
        let object = self.root.object(path);
        object
            .as_str()
            .parse()
            .map_err(|error: sluice_core::uri::UriError| LakeError::Invalid { message: error.to_string() })
    }

    /// The folder of a table on this machine, when the lake is local.
    pub fn local_table_folder(&self, table: &TableRef) -> Result<Option<PathBuf>, LakeError> {
        self.local_folder(&layout::table(table))
    }

    /// A folder of the lake on this machine, when the lake is local.
    pub(crate) fn local_folder(&self, path: &LakePath) -> Result<Option<PathBuf>, LakeError> {
        let folder = self.folder(path)?;
        Ok(if folder.is_local() { folder.as_url().to_file_path().ok() } else { None })
    }

    /// A document, or `None` when it does not exist.
    ///
    /// # Errors
    /// [`LakeError::Document`] naming the document and the field that cannot be read.
    pub async fn read_document<T: DeserializeOwned>(&self, path: &LakePath) -> Result<Option<T>, LakeError> {
        Ok(self.documents.read(path).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lakes_whose_address_readers_understand_differently_are_refused() {
        let check = |root: &str, expected: Option<&str>| {
            let opened = Lake::open(&root.parse().expect(root), &StoreOptions::new());
            assert_eq!(opened.err().map(|error| error.to_string()).as_deref(), expected, "{root}");
        };
        check("file:///srv/lake%20one/%C3%BC/", None);
        check(
            "file:///srv/100%25/",
            Some("lake 'file:///srv/100%25/': readers of Delta misread a name with %; choose one without"),
        );
    }
}
