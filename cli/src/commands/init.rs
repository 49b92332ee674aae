//! `sluice init`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use sluice_core::init::{ProposedColumn, pipeline_name_of};
use sluice_core::name::PipelineName;
use sluice_core::uri::layout::SPEC_FILE;

use super::check;
use crate::arguments::InitArguments;
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::grid::{Grid, count};
use crate::init::{Finding, Names, contract_text, find, spec_text};
use crate::spec_files::SpecFiles;

/// Writes a pipeline for samples, checks it, and says what was found.
pub(crate) async fn run(arguments: InitArguments, console: &Console) -> Result<Exit> {
    let given = arguments.files.clone();
    let finding = tokio::task::spawn_blocking(move || find(&given)).await??;
    let names = Names { pipeline: name(&arguments, &finding)?, domain: arguments.domain };
    let folder = arguments.to.unwrap_or_else(|| PathBuf::from(names.pipeline.as_str()));
    let contract = format!("contracts/{}.odcs.yaml", names.pipeline);
    let documents = [
        (folder.join(contract), contract_text(&names, &finding.proposal)),
        (folder.join(SPEC_FILE), spec_text(&names, &finding.written, &finding.proposal)),
    ];
    write(&documents, arguments.force)?;
    if let Err(problems) = check::checked(&SpecFiles::read(&folder)?).await? {
        let message = format!("the pipeline in {} cannot run: {}", folder.display(), problems.join("; "));
        return Err(Fault::new(Exit::Failed, message).next("this is a defect of init; please report it").into());
    }
    let paths: Vec<PathBuf> = documents.into_iter().map(|(path, _)| path).collect();
    if console.is_json() {
        console.json_page(&json!({
            "pipeline": names.pipeline, "domain": names.domain, "folder": folder, "written": paths,
            "files": finding.files, "files_left_out": finding.left_out, "source": finding.written,
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
    let folder = arguments.files.first().filter(|path| path.is_dir());
    let named = folder.and_then(|path| path.file_name()).or_else(|| finding.files.first()?.file_name());
    let named = named.and_then(|name| name.to_str());
    let name = named.and_then(pipeline_name_of);
    name.ok_or_else(|| {
        Fault::new(Exit::WrongUse, "the name of the file does not make the name of a pipeline")
            .next("give one with --name, such as --name orders")
            .into()
    })
}

/// Writes the documents, all of them or none.
fn write(documents: &[(PathBuf, String)], force: bool) -> Result<()> {
    for (path, _) in documents {
        if path.exists() && !force {
            let message = format!("{} exists", path.display());
            let next = "write elsewhere with --to, or replace it with --force";
            return Err(Fault::new(Exit::WrongUse, message).next(next).into());
        }
    }
    for (path, text) in documents {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn report(names: &Names, folder: &Path, finding: &Finding, console: &Console) -> Result<()> {
    let Finding { files, left_out, written, proposal } = finding;
    let records = count((proposal.records + proposal.corrupt) as u64);
    let of = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
    console.line(&format!("read {records} records of {of}"))?;
    if *left_out > 0 {
        console.line(&format!("{left_out} more files were not read"))?;
    }
    for evidence in &written.evidence {
        console.line(&plain(&format!("  {evidence}")))?;
    }
    let mut grid = Grid::new(["column", "from", "type", ">null", ">distinct", ""]);
    for column in &proposal.columns {
        grid.row([
            column.name.to_string(),
            column.source.name().escape_debug().to_string(),
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
            refused.example.escape_debug(),
            refused.record,
            refused.file
        ))?;
    }
    for note in &proposal.notes {
        console.line(&plain(&format!("note: {note}")))?;
    }
    let folder = folder.display();
    console.line(&format!("{} wrote pipeline `{}` into {folder}", console.paint(Tone::Good, "ok:"), names.pipeline))?;
    let landing = files.first().and_then(|file| file.parent()).filter(|parent| !parent.as_os_str().is_empty());
    let landing = landing.map_or(".".to_owned(), |landing| landing.display().to_string());
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
    plain(&remarks.join("; "))
}

/// A text that may have parts of a file, without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
