//! `sluice init`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use sluice_core::init::{ProposedColumn, pipeline_name_of};
use sluice_core::name::PipelineName;
use sluice_core::shown::shown;
use sluice_core::uri::LakePath;
use sluice_core::uri::layout::SPEC_FILE;
use sluice_lake::init::name_of;

use super::check;
use crate::arguments::InitArguments;
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::grid::{Grid, count};
use crate::init::{Finding, Names, address_of, contract_text, fetch, find, spec_text};
use crate::spec_files::SpecFiles;

/// Writes a pipeline for samples, checks it, and says what was found.
pub(crate) async fn run(arguments: InitArguments, console: &Console) -> Result<Exit> {
    let (fetched, encoding) = (fetch(&arguments.files).await?, arguments.encoding);
    let finding = tokio::task::spawn_blocking(move || find(&fetched, encoding)).await??;
    let names = Names { pipeline: name(&arguments, &finding)?, domain: arguments.domain };
    let folder = arguments.to.unwrap_or_else(|| PathBuf::from(names.pipeline.as_str()));
    let contract: LakePath = format!("contracts/{}.odcs.yaml", names.pipeline).parse()?;
    let (spec, text) =
        (spec_text(&names, &finding.written, &finding.proposal), contract_text(&names, &finding.proposal));
    let documents = [(folder.join(contract.as_str()), text.clone()), (folder.join(SPEC_FILE), spec.clone())];
    refuse_existing(&documents, arguments.force)?;
    // Checked before it is written: a pipeline that cannot run leaves no folder.
    let files = SpecFiles::with_texts(&folder, spec, BTreeMap::from([(contract, text)]))?;
    if let Err(problems) = check::checked(&files).await? {
        let message = format!("the pipeline for {} cannot run: {}", name_of(&folder), problems.join("; "));
        let next = "this is a defect of init, please report it; nothing was written";
        return Err(Fault::new(Exit::Failed, message).next(next).into());
    }
    write(&documents)?;
    if console.is_json() {
        let paths: Vec<String> = documents.iter().map(|(path, _)| path.display().to_string()).collect();
        let read: Vec<String> = finding.files.iter().map(|file| file.display().to_string()).collect();
        console.json_page(&json!({
            "pipeline": names.pipeline, "domain": names.domain, "folder": folder.display().to_string(),
            "written": paths, "files": read, "files_left_out": finding.left_out, "source": finding.written,
            "proposal": finding.proposal,
        }))?;
        return Ok(Exit::Done);
    }
    report(&names, &folder, &finding, console)?;
    Ok(Exit::Done)
}

fn name(arguments: &InitArguments, finding: &Finding) -> Result<PipelineName> {
    if let Some(name) = &arguments.name {
        return Ok(name.clone());
    }
    // A folder's name says more than those of the deliveries in it.
    let is_folder = |path: &&PathBuf| match address_of(path) {
        Some(address) => address.ends_with('/'),
        None => path.is_dir(),
    };
    let folder = arguments.files.first().filter(is_folder);
    let named = folder.and_then(|path| path.file_name()).or_else(|| finding.files.first()?.file_name());
    let named = named.and_then(|name| name.to_str());
    let name = named.and_then(pipeline_name_of);
    name.ok_or_else(|| {
        Fault::new(Exit::WrongUse, "the name of the file does not make the name of a pipeline")
            .next("give one with --name, such as --name orders")
            .into()
    })
}

/// Refuses to replace documents without being asked to.
fn refuse_existing(documents: &[(PathBuf, String)], force: bool) -> Result<()> {
    match documents.iter().find(|(path, _)| path.exists() && !force) {
        None => Ok(()),
        Some((path, _)) => {
            let message = format!("{} exists", name_of(path));
            let next = "write elsewhere with --to, or replace it with --force";
            Err(Fault::new(Exit::WrongUse, message).next(next).into())
        }
    }
}

/// Writes the documents. Where one cannot be written, the files and folders that were made for them are removed.
fn write(documents: &[(PathBuf, String)]) -> Result<()> {
    let mut made = Vec::new();
    let written = documents.iter().try_for_each(|(path, text)| write_one(path, text, &mut made));
    if written.is_err() {
        for path in made.iter().rev() {
            // What is not ours, or is used, stays; the first error says what is wrong.
            drop(if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) });
        }
    }
    written
}

/// Writes a document with the folders above it, and notes in `made` what did not exist before.
fn write_one(path: &Path, text: &str, made: &mut Vec<PathBuf>) -> Result<()> {
    if let Some(folder) = path.parent() {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<PathBuf> = folder.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        made.extend(missing.into_iter().rev());
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", name_of(folder)))?;
    }
    if !path.exists() {
        made.push(path.to_owned());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", name_of(path)))
}

fn report(names: &Names, folder: &Path, finding: &Finding, console: &Console) -> Result<()> {
    let Finding { files, left_out, written, proposal } = finding;
    let records = count((proposal.records + proposal.corrupt) as u64);
    let of = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
    let what = if proposal.records + proposal.corrupt == 1 { "record" } else { "records" };
    console.line(&format!("read {records} {what} of {of}"))?;
    if *left_out > 0 {
        let more = if *left_out == 1 { "file was" } else { "files were" };
        console.line(&format!("{left_out} more {more} not read"))?;
    }
    for evidence in &written.evidence {
        console.line(&shown(&format!("  {evidence}")))?;
    }
    let mut grid = Grid::new(["column", "from", "type", ">null", ">distinct", ""]);
    for column in &proposal.columns {
        grid.row([
            column.name.to_string(),
            shown(column.source.name()),
            column.column_type.to_string(),
            count(column.nulls as u64),
            count(column.distinct as u64),
            remarks(column),
        ]);
    }
    console.line(&grid.text())?;
    for column in &proposal.columns {
        let Some(refused) = &column.refused else { continue };
        console.line(&format!(
            "{} of {} values of `{}` are not of its type, such as \"{}\" in record {} of {}; they go to quarantine",
            count(refused.count as u64),
            count(refused.of as u64),
            column.name,
            shown(&refused.example),
            refused.record,
            refused.file
        ))?;
    }
    for note in &proposal.notes {
        console.line(&shown(&format!("note: {note}")))?;
    }
    let done = console.paint(Tone::Good, "ok:");
    console.line(&format!("{done} wrote pipeline `{}` into {}", names.pipeline, name_of(folder)))?;
    let landing = files.first().and_then(|file| file.parent()).filter(|parent| !parent.as_os_str().is_empty());
    let (folder, landing) = (word(folder), landing.map_or(".".to_owned(), word));
    console.line(&format!("next: sluice check {folder}"))?;
    console.line(&format!("      sluice run {folder} --lake lake --landing {landing}"))?;
    Ok(())
}

/// What is worth knowing about a column, in a few words.
fn remarks(column: &ProposedColumn) -> String {
    let mut remarks = Vec::new();
    if column.required {
        remarks.push("key".to_owned());
    }
    if let Some(classification) = column.classification {
        remarks.push(format!("{} ({})", classification.word(), classification.meaning()));
    }
    remarks.extend(column.notes.iter().cloned());
    shown(&remarks.join("; "))
}

/// A path as a shell takes it.
fn word(path: &Path) -> String {
    let text = name_of(path);
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_printed_as_words_of_a_shell() {
        let check = |path: &str, expected: &str| assert_eq!(word(Path::new(path)), expected);
        check("a/b-1.csv", "a/b-1.csv");
        check("my files", "'my files'");
        check("it's", "'it'\\''s'");
        check("a\nb", "'a\\nb'");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (good, blocked) = (folder.path().join("a/b/c.yaml"), folder.path().join("a/b/c.yaml/d.yaml"));
        let error = write(&[(good, "x".to_owned()), (blocked, "y".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("cannot create"), "{error}");
        assert!(!folder.path().join("a").exists());
    }
}
