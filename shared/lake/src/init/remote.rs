//! Samples on S3: which objects they are, and their bytes as a file of this machine.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sluice_core::files::FileSelection;
use sluice_core::source::SourceObject;
use sluice_core::uri::{FolderUri, ObjectUri};
use tokio::runtime::Handle;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::landing::list_landing;
use crate::objects::{ObjectBytes, blocking, bucket_and_key};

/// Most bytes that are copied of an object that is read from its beginning: four times those of a sample, because these
/// are counted without delimiters.
const MAX_COPIED_BYTES: u64 = 256 << 20;
/// Most bytes of an object that is copied as a whole, because its reader begins at its end.
const MAX_WHOLE_BYTES: u64 = 2 << 30;

/// The objects below a folder on S3 that a pipeline would take, by address.
///
/// # Errors
/// [`LakeError::S3`] where it cannot be listed.
pub async fn objects_below(lake: &Lake, folder: &FolderUri) -> Result<Vec<SourceObject>, LakeError> {
    Ok(list_landing(lake, folder, Some(&FileSelection::default())).await?.objects)
}

/// The object at an address on S3; `None` where it does not exist.
///
/// # Errors
/// [`LakeError::S3`] where S3 does not say; [`LakeError::Invalid`] for a store without etags.
pub async fn object_at(lake: &Lake, uri: &ObjectUri) -> Result<Option<SourceObject>, LakeError> {
    let (bucket, key) = bucket_and_key(uri.as_url())?;
    let Some(found) = lake.s3(uri)?.head(bucket, key.as_ref()).await? else { return Ok(None) };
    let etag = found.etag.ok_or_else(|| LakeError::Invalid {
        message: format!("the store returns no etag for {uri}, so that its version is not known; copy it to S3"),
    })?;
    let (size_bytes, modified_at) = (found.size_bytes, found.modified_at);
    Ok(Some(SourceObject { uri: uri.clone(), etag, size_bytes, modified_at }))
}

/// Copies the part of an object that a sample reads to a file.
///
/// # Errors
/// Those of [`ObjectBytes::open`]; [`LakeError::Io`]; [`LakeError::Invalid`] for Parquet and XLSX above 2 GiB.
pub async fn copy_sample(lake: &Lake, object: &SourceObject, path: &Path) -> Result<(), LakeError> {
    let (object, options, path) = (object.clone(), lake.options().clone(), path.to_owned());
    blocking(move || {
        let (mut reader, _) = Handle::current().block_on(ObjectBytes::open(&object, &options))?.into_parts();
        let io = |source| LakeError::Io { doing: "copy source object to", path: path.clone(), source };
        let mut first = Vec::new();
        let _ = reader.by_ref().take(4).read_to_end(&mut first).map_err(io)?;
        let is_whole = first.starts_with(b"PAR1") || first.starts_with(b"PK");
        if is_whole && object.size_bytes > MAX_WHOLE_BYTES {
            let message =
                format!("{} is larger than 2 GiB, and its format is read as a whole; give a smaller one", object.uri);
            return Err(LakeError::Invalid { message });
        }
        let most = if is_whole { MAX_WHOLE_BYTES } else { MAX_COPIED_BYTES };
        let mut file = File::create(&path).map_err(io)?;
        let mut bytes = first.as_slice().chain(reader).take(most);
        let _ = std::io::copy(&mut bytes, &mut file).map_err(io)?;
        Ok(())
    })
    .await
}
