//! A pipeline folder from samples: which files are read, and the documents that are written.

mod documents;
mod yaml;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sluice_core::files::FileSelection;
use sluice_core::init::{Proposal, SampleTable, Written, agree, propose, unify_case};
use sluice_core::spec::ColumnCase;
use sluice_lake::init::{name_of, recognise_file, sample_file, spread};

pub(crate) use self::documents::{Names, contract_text, spec_text};
use crate::fault::{Exit, Fault};

/// Most files that are sampled.
const MAX_FILES: usize = 20;

/// What was found out about samples.
pub(crate) struct Finding {
    pub(crate) files: Vec<PathBuf>,
    /// Files that were given and not sampled.
    pub(crate) left_out: usize,
    pub(crate) written: Written,
    pub(crate) proposal: Proposal,
}

/// Reads the samples. Blocks.
///
/// # Errors
/// A [`Fault`] of wrong use where a file does not exist; what is wrong with a file.
pub(crate) fn find(given: &[PathBuf]) -> Result<Finding> {
    let mut files = Vec::new();
    for path in given {
        collect(path, &mut files)?;
    }
    let repeated = files.len();
    each_once(&mut files);
    let repeated = repeated - files.len();
    let left_out = files.len().saturating_sub(MAX_FILES);
    files.truncate(MAX_FILES);
    let mut recognised = Vec::with_capacity(files.len());
    for file in &files {
        recognised.push((name_of(file), recognise_file(file)?));
    }
    let written = agree(&recognised)?;
    let mut tables: Vec<SampleTable> =
        files.iter().map(|file| sample_file(file, &written)).collect::<Result<_, _>>()?;
    let spellings = unify_case(&mut tables);
    let (tables, notes) = spread(tables, written.format);
    let mut proposal = propose(&tables)?;
    if let Some(note) = spellings {
        proposal.column_case = ColumnCase::Ignore;
        proposal.notes.push(note);
    }
    proposal.notes.extend(notes);
    if repeated > 0 {
        proposal.notes.push(format!("files that were given more than once count once: {repeated} were left out"));
    }
    Ok(Finding { files, left_out, written, proposal })
}

/// Leaves out files that were met before, also by another path or link.
fn each_once(files: &mut Vec<PathBuf>) {
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
}

/// The file, or the files of the folder that a pipeline would take, sorted.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    if !path.is_dir() {
        let message = format!("{} does not exist", name_of(path));
        return Err(Fault::new(Exit::WrongUse, message).next("check the spelling; init reads local files").into());
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
