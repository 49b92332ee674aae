//! Folders and addresses as typed on the command line.

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use sluice_aws::env::Env;
use sluice_core::uri::{FolderUri, UriError};
use sluice_lake::Lake;
use url::Url;

use crate::fault::{Exit, Fault};

/// A folder of this machine or an address, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder; relative ones are below the working folder.
    Folder(PathBuf),
    /// A file:// or s3:// address.
    Address(FolderUri),
}

impl FromStr for Place {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.contains("://") { Ok(Self::Address(text.parse()?)) } else { Ok(Self::Folder(PathBuf::from(text))) }
    }
}

impl Place {
    /// The address. Folders become absolute.
    ///
    /// # Errors
    /// When the working folder no longer exists or the name cannot be written as an address.
    pub fn to_uri(&self) -> Result<FolderUri> {
        let folder = match self {
            Self::Address(uri) => return Ok(uri.clone()),
            Self::Folder(folder) => folder,
        };
        let absolute = std::path::absolute(folder).with_context(|| format!("folder {}", folder.display()))?;
        // Resolves `..` and links where it can, so that one folder has one address.
        let absolute = fs::canonicalize(&absolute).unwrap_or(absolute);
        let refused = || {
            Fault::new(
                Exit::WrongUse,
                format!("{} cannot be written as an address: use a folder name in UTF-8", absolute.display()),
            )
        };
        let url = Url::from_directory_path(&absolute).map_err(|()| refused())?;
        url.as_str().parse().map_err(|_| refused().into())
    }

    /// The folder on this machine, when it is on this machine.
    pub fn local(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.clone()),
            Self::Address(uri) if uri.is_local() => uri.as_url().to_file_path().ok(),
            Self::Address(_) => None,
        }
    }

    /// The address of a folder that must exist. Whether an s3:// prefix has objects is not checked.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use when it does not exist.
    pub fn existing(&self, what: &str) -> Result<FolderUri> {
        match self.local() {
            Some(folder) if !folder.is_dir() => {
                let message = format!("{what} folder {} does not exist", folder.display());
                Err(Fault::new(Exit::WrongUse, message).next("check the spelling, or create the folder").into())
            }
            _ => self.to_uri(),
        }
    }

    /// Opens the lake here, which must exist.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use when there is no such folder, or no region or credentials for an address; those of
    /// [`Lake::open`].
    pub async fn open_lake(&self) -> Result<Lake> {
        open(&self.existing("lake")?).await
    }

    /// Opens the lake here; a folder that does not exist is created.
    ///
    /// # Errors
    /// When the folder cannot be created; those of [`Lake::open`].
    pub async fn open_or_make_lake(&self) -> Result<Lake> {
        if let Some(folder) = self.local() {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create the folder {} of the lake", folder.display()))?;
        }
        open(&self.to_uri()?).await
    }
}

/// A lake on this machine, or one on S3 with the credentials that every AWS tool uses: environment, profile, SSO, or the
/// machine's role.
async fn open(root: &FolderUri) -> Result<Lake> {
    let options = sluice_aws::store::store_options(&Env::of_process(), root).await;
    let options = options.map_err(|error| Fault::new(Exit::WrongUse, error.message).named(error.name))?;
    Ok(Lake::open(root, &options)?.with_s3(sluice_aws::s3::client(&options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_addresses() {
        let check = |text: &str, expected: &str| {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_uri().unwrap().to_string(), expected, "{text}");
        };
        check("/data/my lake", "file:///data/my%20lake/");
        check("/data/lake/", "file:///data/lake/");
        check("file:///data/lake", "file:///data/lake/");
        check("s3://bucket/prefix", "s3://bucket/prefix/");
        for text in ["http://x/y", "s3://", "file://host/x"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn lakes_are_made_by_runs_only() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("a/lake"));
        let error = place.open_lake().await.unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().exit(), Exit::WrongUse);
        place.open_or_make_lake().await.unwrap();
        place.open_lake().await.unwrap();
    }
}
