//! A landing folder: the source objects in it, and what in it is passed by.

mod s3;

use std::io;
use std::path::{Path as FilePath, PathBuf};

use jiff::Timestamp;
use sluice_core::files::{FileSelection, hidden_part};
use sluice_core::source::{PassedBy, PassedByReason, SourceObject};
use sluice_core::uri::FolderUri;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{blocking, hash_file, local_path, object_uri};

/// What is in a landing folder.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    /// The source objects, sorted by address.
    pub(crate) objects: Vec<SourceObject>,
    /// What is no source object.
    pub(crate) passed_by: Vec<PassedBy>,
}

/// Lists a folder at any depth: the source objects that `files` takes, all of them without one. A folder that does not
/// exist is empty. What cannot be a source object is passed by, so that it cannot stop those that are.
///
/// On S3 keys are seen exactly as they are. Those that `object_store` cannot read, or only under another name, are
/// passed by: a key `a/`, which stands for a folder, and one that is no path.
///
/// The etag of a local file is a hash of its content, so a copied file is the same object wherever its time stamps
/// went.
///
/// # Errors
/// [`LakeError::Io`] and [`LakeError::S3`] when the folder itself cannot be listed; [`LakeError::Invalid`] for a store
/// that has no etags, and for a folder on S3 without a client of S3.
pub(crate) async fn list_landing(
    lake: &Lake,
    folder: &FolderUri,
    files: Option<&FileSelection>,
) -> Result<Landing, LakeError> {
    let mut landing = if folder.is_local() {
        let (folder, files) = (folder.clone(), files.cloned());
        blocking(move || LocalLanding::new(&folder, files.as_ref())?.list()).await?
    } else {
        s3::list(lake.s3(folder)?, folder, files).await?
    };
    landing.objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    Ok(landing)
}

/// A folder of this machine that waits to be listed.
struct Folder {
    path: PathBuf,
    /// Where the folders above it and it itself are, links resolved: a link to one of them has no end.
    above: Vec<PathBuf>,
}

struct LocalLanding<'a> {
    root: PathBuf,
    files: Option<&'a FileSelection>,
    landing: Landing,
}

impl<'a> LocalLanding<'a> {
    fn new(folder: &FolderUri, files: Option<&'a FileSelection>) -> Result<Self, LakeError> {
        Ok(Self { root: local_path(folder.as_url())?, files, landing: Landing::default() })
    }

    fn list(mut self) -> Result<Landing, LakeError> {
        let mut waiting = vec![Folder { path: self.root.clone(), above: Vec::new() }];
        while let Some(folder) = waiting.pop() {
            let entries = match self.entries(folder) {
                Ok(entries) => entries,
                Err((path, source)) if path == self.root && source.kind() != io::ErrorKind::NotFound => {
                    return Err(LakeError::Io { doing: "list", path, source });
                }
                Err((path, fault)) => {
                    self.refused(&path, &fault)?;
                    continue;
                }
            };
            let (folder, paths) = entries;
            for path in paths {
                if let Some(below) = self.examine(path, &folder)? {
                    waiting.push(below);
                }
            }
        }
        Ok(self.landing)
    }

    /// The paths in a folder, and the folder with its own place.
    fn entries(&self, mut folder: Folder) -> Result<(Folder, Vec<PathBuf>), (PathBuf, io::Error)> {
        let read = |folder: &Folder| -> io::Result<(PathBuf, Vec<PathBuf>)> {
            let place = std::fs::canonicalize(&folder.path)?;
            let paths = std::fs::read_dir(&folder.path)?.map(|entry| entry.map(|entry| entry.path()));
            Ok((place, paths.collect::<io::Result<_>>()?))
        };
        match read(&folder) {
            Ok((place, paths)) => {
                folder.above.push(place);
                Ok((folder, paths))
            }
            Err(fault) => Err((folder.path, fault)),
        }
    }

    /// Takes a file, passes something by, or returns a folder to be listed.
    fn examine(&mut self, path: PathBuf, folder: &Folder) -> Result<Option<Folder>, LakeError> {
        // Follows links, so that a landing folder may be assembled from links.
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(fault) => {
                self.refused(&path, &fault)?;
                return Ok(None);
            }
        };
        if metadata.is_dir() {
            return self.examine_folder(path, folder);
        }
        let judged = match self.files {
            Some(files) => files.judge(&self.name_of(&path)),
            None => Ok(()),
        };
        if let Err(reason) = judged {
            self.pass_by(&path, reason)?;
        } else if metadata.is_file() {
            match hash_file(&path) {
                Ok(etag) => {
                    let uri = object_uri(&address(&path)?)?;
                    let modified_at =
                        metadata.modified().ok().and_then(|time| in_micros(Timestamp::try_from(time).ok()?));
                    self.landing.objects.push(SourceObject { uri, etag, size_bytes: metadata.len(), modified_at });
                }
                Err(LakeError::Io { source, .. }) => self.refused(&path, &source)?,
                Err(error) => return Err(error),
            }
        } else {
            self.pass_by(&path, PassedByReason::NoFile)?;
        }
        Ok(None)
    }

    fn examine_folder(&mut self, path: PathBuf, folder: &Folder) -> Result<Option<Folder>, LakeError> {
        let hidden =
            self.files.is_some_and(|files| !files.takes_hidden()) && hidden_part(&self.name_of(&path)).is_some();
        if hidden {
            self.pass_folder_by(&path, PassedByReason::Hidden)?;
            return Ok(None);
        }
        match std::fs::canonicalize(&path) {
            Ok(place) if folder.above.contains(&place) => {
                self.pass_folder_by(&path, PassedByReason::LinkLoop)?;
                Ok(None)
            }
            // What else is wrong with it shows when it is listed.
            _ => Ok(Some(Folder { path, above: folder.above.clone() })),
        }
    }

    /// The name below the landing folder, with `/` between its parts; bytes that are not UTF-8 as U+FFFD.
    fn name_of(&self, path: &FilePath) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// Passes by what the file system refuses. What is gone by now was deleted meanwhile, and is no longer anything.
    fn refused(&mut self, path: &FilePath, fault: &io::Error) -> Result<(), LakeError> {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        match fault.kind() {
            io::ErrorKind::NotFound if !is_link => Ok(()),
            io::ErrorKind::NotFound => self.pass_by(path, PassedByReason::DanglingLink),
            _ => self.pass_by(path, PassedByReason::Unreadable { fault: fault.to_string() }),
        }
    }

    fn pass_by(&mut self, path: &FilePath, reason: PassedByReason) -> Result<(), LakeError> {
        let uri = address(path)?.to_string();
        self.landing.passed_by.push(PassedBy { uri, reason });
        Ok(())
    }

    fn pass_folder_by(&mut self, path: &FilePath, reason: PassedByReason) -> Result<(), LakeError> {
        let uri = format!("{}/", address(path)?);
        self.landing.passed_by.push(PassedBy { uri, reason });
        Ok(())
    }
}

/// The address of a path. All bytes of the name are percent-encoded, so no name can stop the files next to it.
fn address(path: &FilePath) -> Result<url::Url, LakeError> {
    url::Url::from_file_path(path)
        .map_err(|()| LakeError::Invalid { message: format!("{} is no absolute path", path.display()) })
}

/// A time as tables store it.
fn in_micros(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_microsecond(time.as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::lake::StoreOptions;

    fn lake(root: &FolderUri) -> Lake {
        Lake::open(root, &StoreOptions::new()).unwrap()
    }

    /// Names of the objects, and of what is passed by with its reason, below a folder.
    async fn list(folder: &FilePath, files: Option<&str>) -> (Vec<String>, Vec<(String, String)>) {
        let uri: FolderUri = url::Url::from_directory_path(folder).unwrap().as_str().parse().unwrap();
        let files = files.map(|files| serde_json::from_str::<FileSelection>(files).unwrap());
        let landing = list_landing(&lake(&uri), &uri, files.as_ref()).await.unwrap();
        let below = |text: &str| text.strip_prefix(uri.as_url().as_str()).unwrap().to_owned();
        let mut passed: Vec<_> = landing
            .passed_by
            .iter()
            .map(|passed| (below(&passed.uri), serde_json::to_string(&passed.reason).unwrap()))
            .collect();
        passed.sort();
        (landing.objects.iter().map(|object| below(object.uri.as_str())).collect(), passed)
    }

    fn passed(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, reason)| ((*name).to_owned(), format!("\"{reason}\""))).collect()
    }

    #[tokio::test]
    async fn files_are_found_through_links_and_links_without_end_are_passed_by() {
        let temporary = tempfile::tempdir().unwrap();
        let (landing, elsewhere) = (temporary.path().join("landing"), temporary.path().join("elsewhere"));
        for folder in [landing.join("a/b"), elsewhere.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in [landing.join("a/b/1.csv"), elsewhere.join("2.csv")] {
            fs::write(file, "x").unwrap();
        }
        symlink(&elsewhere, landing.join("linked")).unwrap();
        symlink(elsewhere.join("2.csv"), landing.join("3.csv")).unwrap();
        symlink(&landing, landing.join("a/b/up")).unwrap();
        // A circle that leads through two folders.
        symlink(landing.join("a"), elsewhere.join("back")).unwrap();
        symlink(&elsewhere, landing.join("a/out")).unwrap();
        symlink("gone", landing.join("4.csv")).unwrap();
        let (objects, passed_by) = list(&landing, Some("{}")).await;
        let expected = ["3.csv", "a/b/1.csv", "a/out/2.csv", "linked/2.csv", "linked/back/b/1.csv"];
        assert_eq!(objects, expected);
        let expected = [
            ("4.csv", "dangling_link"),
            ("a/b/up/", "link_loop"),
            ("a/out/back/", "link_loop"),
            ("linked/back/b/up/", "link_loop"),
            ("linked/back/out/", "link_loop"),
        ];
        assert_eq!(passed_by, passed(&expected));
    }

    #[tokio::test]
    async fn patterns_choose_among_the_files() {
        let temporary = tempfile::tempdir().unwrap();
        for file in ["in/1.csv", "in/_x/2.csv", "in/readme.md", "_late/3.csv", "_late/_4.csv", "out/5.csv"] {
            let path = temporary.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let check = async |files: Option<&str>, objects: &[&str], passed_names: &[&str]| {
            let (found, passed_by) = list(temporary.path(), files).await;
            let names: Vec<&str> = passed_by.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                (found.iter().map(String::as_str).collect::<Vec<_>>(), names),
                (objects.to_vec(), passed_names.to_vec())
            );
        };
        check(Some("{}"), &["in/1.csv", "out/5.csv"], &["_late/", "in/_x/", "in/readme.md"]).await;
        let some = r#"{ "include": ["in/**", "_late/*.csv"], "exclude": [] }"#;
        let left = ["_late/_4.csv", "in/_x/2.csv", "out/5.csv"];
        check(Some(some), &["_late/3.csv", "in/1.csv", "in/readme.md"], &left).await;
        let all = ["_late/3.csv", "_late/_4.csv", "in/1.csv", "in/_x/2.csv", "in/readme.md", "out/5.csv"];
        check(None, &all, &[]).await;
    }

    #[tokio::test]
    async fn objects_have_the_time_of_their_files_in_microseconds() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("1.csv");
        fs::write(&path, "x").unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_767_600_000, 123_456_789);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let uri: FolderUri = url::Url::from_directory_path(temporary.path()).unwrap().as_str().parse().unwrap();
        let landing = list_landing(&lake(&uri), &uri, None).await.unwrap();
        let times: Vec<_> = landing.objects.iter().map(|object| object.modified_at).collect();
        assert_eq!(times, ["2026-01-05T08:00:00.123456Z".parse::<Timestamp>().ok()]);
    }

    #[tokio::test]
    async fn a_folder_that_does_not_exist_is_empty_and_a_file_in_its_place_is_an_error() {
        let temporary = tempfile::tempdir().unwrap();
        assert_eq!(list(&temporary.path().join("landing"), Some("{}")).await, (Vec::new(), Vec::new()));
        fs::write(temporary.path().join("file"), "x").unwrap();
        let uri: FolderUri = format!("file://{}/file/", temporary.path().display()).parse().unwrap();
        let listed = list_landing(&lake(&uri), &uri, None).await;
        assert!(matches!(listed, Err(LakeError::Io { doing: "list", .. })), "{listed:?}");
    }

    #[tokio::test]
    async fn a_folder_on_s3_is_not_listed_for_a_lake_of_this_machine() {
        let temporary = tempfile::tempdir().unwrap();
        let root = url::Url::from_directory_path(temporary.path()).unwrap().as_str().parse().unwrap();
        let listed = list_landing(&lake(&root), &"s3://b/in".parse().unwrap(), None).await;
        let error = listed.unwrap_err().to_string();
        assert!(error.contains("s3://b/in/ is on S3"), "{error}");
    }
}
