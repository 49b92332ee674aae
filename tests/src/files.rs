//! Folders: copied, emptied, listed.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    // Read at run time, not at compile time, because several clones may share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("the crate is in the repository").to_owned()
}

/// Copies a folder and everything below it. The target is created; existing files stay unless they have the same name.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("cannot create {}: {error}", to.display()));
    for path in entries(from) {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target)
                .unwrap_or_else(|error| panic!("cannot copy {} to {}: {error}", path.display(), target.display()));
        }
    }
}

/// Removes a folder and everything below it, if it exists.
pub fn remove_folder(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("cannot remove {}: {error}", folder.display()),
        _ => {}
    }
}

/// Copies files into a folder under their own names and with their times, and returns the copies.
pub fn copy_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>, folder: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
    let copy = |file: &PathBuf| {
        let target = folder.join(file.file_name().expect("a file has a name"));
        let copied = fs::copy(file, &target).and_then(|_| {
            let modified = fs::metadata(file)?.modified()?;
            fs::File::options().append(true).open(&target)?.set_modified(modified)
        });
        copied.unwrap_or_else(|error| panic!("cannot copy {}: {error}", file.display()));
        target
    };
    files.into_iter().map(copy).collect()
}

/// The direct entries of a folder, sorted. A folder that does not exist counts as empty.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("cannot list {}: {error}", folder.display()),
    };
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry of a folder").path()).collect();
    paths.sort();
    paths
}

/// All files below a folder, at any depth, relative to it.
pub fn all_files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for path in entries(&next) {
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below the folder").to_owned());
            }
        }
    }
    found
}
