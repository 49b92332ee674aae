//! A pipeline folder from samples: which files are read, and the documents that are written.

mod documents;
mod remote;
mod yaml;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sluice_core::files::FileSelection;
use sluice_core::init::{Proposal, SampleTable, Written, agree, propose, unify_case};
use sluice_core::spec::{ColumnCase, TextEncoding};
use sluice_lake::init::{Spread, name_of, recognise_file_as, sample_file_as, spread};

pub(crate) use self::documents::{Names, contract_text, spec_text};
pub(crate) use self::remote::{Fetched, address_of, fetch};
use crate::fault::{Exit, Fault};

/// Most files that are sampled.
const MAX_FILES: usize = 20;

/// A file that may be sampled.
#[derive(Debug, Clone)]
struct Sample {
    /// Where it is on this machine.
    path: PathBuf,
    /// What people know it by: its path, or its address on S3.
    shown: PathBuf,
}

/// What a person has given.
enum Given {
    /// A file or folder of this machine.
    Local(PathBuf),
    /// An object on S3, with its copy.
    Copied(Sample),
}

/// What was found out about samples.
pub(crate) struct Finding {
    /// The files that were sampled, as people know them.
    pub(crate) files: Vec<PathBuf>,
    /// Files that were given and not sampled.
    pub(crate) left_out: usize,
    pub(crate) written: Written,
    pub(crate) proposal: Proposal,
}

/// Reads the samples. `encoding` is that of texts, where a person has named it. Blocks.
///
/// # Errors
/// A [`Fault`] of wrong use where a file does not exist; what is wrong with a file.
pub(crate) fn find(fetched: &Fetched, encoding: Option<TextEncoding>) -> Result<Finding> {
    let mut files = Vec::new();
    for given in &fetched.given {
        match given {
            Given::Local(path) => {
                let mut found = Vec::new();
                collect(path, &mut found)?;
                files.extend(found.into_iter().map(|path| Sample { shown: path.clone(), path }));
            }
            Given::Copied(sample) => files.push(sample.clone()),
        }
    }
    let repeated = files.len();
    each_once(&mut files);
    let repeated = repeated - files.len();
    let left_out = files.len().saturating_sub(MAX_FILES) + fetched.left_out;
    files.truncate(MAX_FILES);
    let mut recognised = Vec::with_capacity(files.len());
    for Sample { path, shown } in &files {
        let name = name_of(shown);
        let written = recognise_file_as(path, &name, encoding)?;
        recognised.push((name, written));
    }
    let written = agree(&recognised)?;
    let mut tables: Vec<SampleTable> = files
        .iter()
        .map(|Sample { path, shown }| sample_file_as(path, name_of(shown), &written))
        .collect::<Result<_, _>>()?;
    let spellings = unify_case(&mut tables);
    let Spread { tables, arrays, notes } = spread(tables, written.format);
    let mut proposal = propose(&tables)?;
    proposal.set_arrays(&arrays);
    if let Some(note) = spellings {
        proposal.column_case = ColumnCase::Ignore;
        proposal.notes.push(note);
    }
    proposal.notes.extend(notes);
    if repeated > 0 {
        proposal.notes.push(format!("files that were given more than once count once: {repeated} were left out"));
    }
    proposal.notes.extend(fetched.notes.iter().cloned());
    let files = files.into_iter().map(|sample| sample.shown).collect();
    Ok(Finding { files, left_out, written, proposal })
}

/// Leaves out files that were met before, also by another path or link.
fn each_once(files: &mut Vec<Sample>) {
    let mut seen = HashSet::new();
    // Each copy has a path of its own, and an object one address.
    files.retain(|Sample { path, shown }| {
        let is_copy = path != shown;
        seen.insert(if is_copy { shown.clone() } else { fs::canonicalize(path).unwrap_or_else(|_| path.clone()) })
    });
}

/// The file, or the files of the folder that a pipeline would take, sorted.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    if !path.is_dir() {
        let message = format!("{} does not exist", name_of(path));
        return Err(Fault::new(Exit::WrongUse, message)
            .next("check the spelling; an address on S3 begins with s3://")
            .into());
    }
    let (selection, before) = (FileSelection::default(), files.len());
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("folder {}", name_of(&folder)))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("folder {}", name_of(&folder)))?.path();
            if entry.is_dir() && !entry.is_symlink() {
                folders.push(entry);
            } else if entry.is_file() && is_taken(path, &entry, &selection) {
                files.push(entry);
            }
        }
    }
    if let Some(found) = files.get_mut(before..) {
        found.sort_unstable();
    }
    if files.len() == before {
        let message = format!("{} has no file that a pipeline would take", name_of(path));
        return Err(Fault::new(Exit::WrongUse, message).next("give files").into());
    }
    Ok(())
}

fn is_taken(root: &Path, file: &Path, selection: &FileSelection) -> bool {
    let name = file.strip_prefix(root).ok().and_then(Path::to_str);
    name.is_some_and(|name| selection.judge(name).is_ok())
}
