//! Folders and addresses as typed on the command line.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use sluice_core::uri::{FolderUri, UriError};
use sluice_lake::{Lake, StoreOptions};
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
    /// When the working folder is gone or the name cannot be an address.
    pub fn to_uri(&self) -> Result<FolderUri> {
        let folder = match self {
            Self::Address(uri) => return Ok(uri.clone()),
            Self::Folder(folder) => folder,
        };
        let absolute = std::path::absolute(folder).with_context(|| format!("folder {}", folder.display()))?;
        // Resolves `..` and links where it can, so that one folder has one address.
        let absolute = fs::canonicalize(&absolute).unwrap_or(absolute);
        let refused =
            || Fault::new(Exit::WrongUse, format!("{} is no folder name that can be an address", absolute.display()));
        let url = Url::from_directory_path(&absolute).map_err(|()| refused())?;
        url.as_str().parse().map_err(|_| refused().into())
    }

    /// The folder on this machine, when it is on this machine.
    fn local(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.clone()),
            Self::Address(uri) if uri.is_local() => uri.as_url().to_file_path().ok(),
            Self::Address(_) => None,
        }
    }

    /// The address of a folder that must exist; whether an s3:// prefix has objects is not asked.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use when it is not there.
    pub fn existing(&self, what: &str) -> Result<FolderUri> {
        match self.local() {
            Some(folder) if !folder.is_dir() => {
                let message = format!("{what} folder {} does not exist", folder.display());
                Err(Fault::new(Exit::WrongUse, message).next("check the spelling, or make the folder").into())
            }
            _ => self.to_uri(),
        }
    }

    /// Opens the lake here, which must exist.
    ///
    /// # Errors
    /// A [`Fault`] of wrong use when there is no such folder; those of [`Lake::open`].
    pub fn open_lake(&self) -> Result<Lake> {
        Ok(Lake::open(&self.existing("lake")?, &store_options())?)
    }

    /// Opens the lake here; a folder is made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made; those of [`Lake::open`].
    pub fn open_or_make_lake(&self) -> Result<Lake> {
        if let Some(folder) = self.local() {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the lake's folder {}", folder.display()))?;
        }
        Ok(Lake::open(&self.to_uri()?, &store_options())?)
    }
}

/// Options of the object store from the environment variables that all AWS tools share.
pub fn store_options() -> StoreOptions {
    options_from(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn options_from(variable: impl Fn(&str) -> Option<String>) -> StoreOptions {
    let names: [(&str, &[&str]); 5] = [
        ("aws_access_key_id", &["AWS_ACCESS_KEY_ID"]),
        ("aws_secret_access_key", &["AWS_SECRET_ACCESS_KEY"]),
        ("aws_session_token", &["AWS_SESSION_TOKEN"]),
        ("aws_region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
        ("aws_endpoint", &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
    ];
    let mut options = BTreeMap::new();
    for (option, variables) in names {
        if let Some(value) = variables.iter().find_map(|name| variable(name)) {
            options.insert(option.to_owned(), value);
        }
    }
    // Emulators and other stores are reached without TLS and by path.
    if options.get("aws_endpoint").is_some_and(|endpoint| endpoint.starts_with("http://")) {
        options.insert("aws_allow_http".to_owned(), "true".to_owned());
    }
    options
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

    #[test]
    fn lakes_are_made_by_runs_only() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("a/lake"));
        let error = place.open_lake().unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().exit(), Exit::WrongUse);
        place.open_or_make_lake().unwrap();
        place.open_lake().unwrap();
    }

    #[test]
    fn the_environment_gives_the_store_options() {
        let options = options_from(|name| match name {
            "AWS_DEFAULT_REGION" => Some("eu-central-1".to_owned()),
            "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:5000".to_owned()),
            _ => None,
        });
        let expected =
            [("aws_allow_http", "true"), ("aws_endpoint", "http://127.0.0.1:5000"), ("aws_region", "eu-central-1")];
        assert_eq!(options, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
