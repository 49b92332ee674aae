//! Samples from S3: they are copied to a folder of this machine, which goes away when they are read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sluice_core::source::SourceObject;
use sluice_core::uri::{FolderUri, ObjectUri};
use sluice_lake::Lake;
use sluice_lake::init::{copy_sample, object_at, objects_below};
use tempfile::TempDir;

use super::{Given, MAX_FILES, Sample};
use crate::fault::{Exit, Fault};
use crate::place::Place;

/// How addresses on S3 begin.
const SCHEME: &str = "s3://";

/// What was given, with copies of the objects on S3.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(super) given: Vec<Given>,
    /// Objects that were not copied.
    pub(super) left_out: usize,
    pub(super) notes: Vec<String>,
    /// Has the copies.
    folder: Option<TempDir>,
}

/// The address on S3 that a person has typed in place of a path.
pub(crate) fn address_of(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with(SCHEME))
}

/// Copies the objects on S3 among what was given, with the credentials that every AWS tool uses.
///
/// # Errors
/// A [`Fault`] of wrong use for an address that is not one, and for what does not exist; those of S3.
pub(crate) async fn fetch(given: &[PathBuf]) -> Result<Fetched> {
    let mut fetched = Fetched::default();
    let mut copied = 0;
    for path in given {
        let Some(address) = address_of(path) else {
            fetched.given.push(Given::Local(path.clone()));
            continue;
        };
        let lake = bucket_of(address).await?;
        let chosen = objects(&lake, address, &mut fetched).await?;
        for object in chosen {
            if copied >= MAX_FILES {
                fetched.left_out += 1;
                continue;
            }
            let copy = fetched.folder()?.join(copied.to_string());
            copy_sample(&lake, &object, &copy).await?;
            copied += 1;
            let shown = PathBuf::from(object.uri.hadoop_path());
            fetched.given.push(Given::Copied(Sample { path: copy, shown }));
        }
    }
    Ok(fetched)
}

impl Fetched {
    /// The folder of the copies.
    fn folder(&mut self) -> Result<&Path> {
        if self.folder.is_none() {
            let made = tempfile::Builder::new().prefix("sluice-").tempdir();
            self.folder = Some(made.context("cannot create a folder for copies of objects")?);
        }
        self.folder.as_ref().map(TempDir::path).context("the folder for copies is gone")
    }
}

/// S3, with the bucket of an address.
async fn bucket_of(address: &str) -> Result<Lake> {
    let rest = address.strip_prefix(SCHEME).unwrap_or(address);
    let bucket = rest.split_once('/').map_or(rest, |(bucket, _)| bucket);
    Place::Address(folder(&format!("{SCHEME}{bucket}/"))?).open_lake().await
}

fn folder(address: &str) -> Result<FolderUri> {
    address.parse::<FolderUri>().map_err(|error| wrong(format!("{error}"), "write it as s3://bucket/folder/"))
}

fn wrong(message: String, next: &str) -> anyhow::Error {
    Fault::new(Exit::WrongUse, message).next(next).into()
}

/// The object of an address, or the newest of the folder where it ends with a slash.
async fn objects(lake: &Lake, address: &str, fetched: &mut Fetched) -> Result<Vec<SourceObject>> {
    let is_bucket = !address.strip_prefix(SCHEME).unwrap_or(address).contains('/');
    if !address.ends_with('/') && !is_bucket {
        let next = "write it as s3://bucket/key, or with a slash at its end for all objects of a folder";
        let uri = address.parse::<ObjectUri>().map_err(|error| wrong(format!("{error}"), next))?;
        let object = object_at(lake, &uri).await?;
        return Ok(vec![object.ok_or_else(|| wrong(format!("{address} does not exist"), next))?]);
    }
    let mut found = objects_below(lake, &folder(address)?).await?;
    let all = found.len();
    if all == 0 {
        return Err(wrong(format!("{address} has no file that a pipeline would take"), "give files"));
    }
    if all > MAX_FILES {
        found.sort_by(|a, b| b.modified_at.cmp(&a.modified_at).then_with(|| a.uri.cmp(&b.uri)));
        found.truncate(MAX_FILES);
        found.sort_by(|a, b| a.uri.cmp(&b.uri));
        fetched.left_out += all - MAX_FILES;
        fetched.notes.push(format!("{address} has {all} files: the {MAX_FILES} that were modified last were read"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_on_s3_are_not_paths() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(address_of(Path::new(path)), expected, "{path}");
        check("s3://b/in/a.csv", Some("s3://b/in/a.csv"));
        check("s3://b/in/", Some("s3://b/in/"));
        check("in/a.csv", None);
        check("./s3:/a.csv", None);
    }

    #[tokio::test]
    async fn what_is_on_this_machine_is_not_copied() {
        let fetched = fetch(&[PathBuf::from("in/a.csv")]).await.unwrap();
        assert!(fetched.folder.is_none() && fetched.notes.is_empty() && fetched.left_out == 0);
        assert!(matches!(fetched.given.as_slice(), [Given::Local(path)] if path == Path::new("in/a.csv")));
    }

    #[tokio::test]
    async fn a_text_that_only_begins_like_an_address_is_wrong_use() {
        let error = fetch(&[PathBuf::from("s3:///a.csv")]).await.err().unwrap();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().exit(), Exit::WrongUse, "{error}");
    }
}
