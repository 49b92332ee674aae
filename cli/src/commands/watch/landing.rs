//! What is in the landing folders of a pipeline, as one number that changes with it.

use anyhow::{Context, Result};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use sluice_core::name::PipelineName;
use sluice_core::pipeline::Pipeline;
use sluice_core::uri::{FolderUri, LakePath, layout};
use sluice_documents::DocumentStore;
use sluice_lake::Lake;

use crate::fault::{Exit, Fault};

/// Most files of a folder: a listing of S3 has 1000 a request, so that this is 100 requests each time.
const MAX_FILES: usize = 100_000;

/// The landing folders of a pipeline, one of each source.
pub(super) struct Landing {
    pipeline: PipelineName,
    folders: Vec<Folder>,
}

struct Folder {
    address: String,
    prefix: Path,
    store: DocumentStore,
}

impl Landing {
    /// The folders that runs of the pipeline read: `named` is the one that the user gave.
    ///
    /// # Errors
    /// When an address cannot be opened; a [`Fault`] of wrong use for a folder that runs write into.
    pub(super) fn of(lake: &Lake, pipeline: &Pipeline, named: Option<&FolderUri>) -> Result<Self> {
        let mut folders = Vec::new();
        for source in pipeline.sources() {
            let uri: FolderUri = match (named, &source.name) {
                (Some(folder), Some(name)) => folder.folder(&name.as_str().parse::<LakePath>()?),
                (Some(folder), None) => folder.clone(),
                (None, _) => lake.root().object(&source.prefix).as_str().parse()?,
            };
            let address = uri.to_string();
            if uri.contains(lake.root().as_url()) {
                let message = format!("landing folder {address} contains the lake: every run would start the next one");
                return Err(Fault::new(Exit::WrongUse, message)
                    .next("use a folder outside, or one below the lake")
                    .into());
            }
            let prefix = Path::from_url_path(uri.as_url().path())
                .with_context(|| format!("the landing folder {address} cannot be listed"))?;
            folders.push(Folder { store: DocumentStore::open(&uri, lake.options())?, address, prefix });
        }
        Ok(Self { pipeline: pipeline.name.clone(), folders })
    }

    /// The addresses of the folders.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &String> {
        self.folders.iter().map(|folder| &folder.address)
    }

    /// Names, sizes and times of all files.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use for a folder with too many files; faults of the store.
    pub(super) async fn files(&self) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        for folder in &self.folders {
            hasher.update(folder.digest().await?.as_bytes());
        }
        Ok(hasher.finalize())
    }

    /// The files, as [`Self::files`] gave them, and what is held of them now.
    ///
    /// # Errors
    /// Faults of the store.
    pub(super) async fn with_holds(&self, lake: &Lake, files: blake3::Hash) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(files.as_bytes());
        for hold in lake.documents().list(&layout::holds(&self.pipeline)).await? {
            hasher.update(hold.to_string().as_bytes());
            hasher.update(b"\n");
        }
        Ok(hasher.finalize())
    }
}

impl Folder {
    async fn digest(&self) -> Result<blake3::Hash> {
        let listing = || format!("cannot list the landing folder {}", self.address);
        let mut listed = self.store.objects().list(Some(&self.prefix));
        let mut files = Vec::new();
        while let Some(file) = listed.try_next().await.with_context(listing)? {
            if files.len() == MAX_FILES {
                let message = format!("landing folder {} has more than {MAX_FILES} files", self.address);
                let next = "move files that are in the tables to another folder, or deploy the pipeline: its runs are \
                            then started by the events of the store";
                return Err(Fault::new(Exit::WrongUse, message).next(next).into());
            }
            files.push(format!("{}\n{}\n{}\n", file.location, file.size, file.last_modified.timestamp_micros()));
        }
        // Neither a folder of this machine nor every store lists in an order.
        files.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for file in &files {
            hasher.update(file.as_bytes());
        }
        Ok(hasher.finalize())
    }
}
