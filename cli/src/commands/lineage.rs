//! `sluice lineage`.

mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use serde_json::json;
use sluice_core::error::ErrorName;
use sluice_core::lineage::{self, ColumnRef, Lineage, LineageError};
use sluice_core::name::Layer;
use sluice_core::pipeline::Pipeline;
use sluice_core::uri::layout::SPEC_FILE;

use self::tree::Section;
use crate::arguments::LineageArguments;
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::spec_files::SpecFiles;

/// Where pipelines are if no folder is named.
const PIPELINES: &str = "pipelines";

/// Shows where columns come from, or where they go to.
pub(crate) fn run(arguments: LineageArguments, console: &Console) -> Result<Exit> {
    let LineageArguments { of, downstream } = arguments;
    let (folders, name) = sorted(of)?;
    let folders = if folders.is_empty() { usual_folders()? } else { folders };
    let pipelines = folders.iter().map(|folder| pipeline_of(folder)).collect::<Result<Vec<Pipeline>>>()?;
    let whole = lineage::of(&pipelines);
    let of = name.map(|name| whole.find(&name).map_err(unknown)).transpose()?;
    if console.is_json() {
        print_json(whole, of.as_ref(), downstream, console)?;
        return Ok(Exit::Done);
    }
    let sections = tree::sections(&whole, &roots(&whole, of, downstream), downstream);
    for (place, Section { title, lines }) in sections.into_iter().enumerate() {
        if place > 0 {
            console.line("")?;
        }
        console.line(&console.paint(Tone::Strong, &title))?;
        for line in lines {
            console.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

/// The folders, and the name behind them. Files are passed over, because a pattern such as `pipelines/*` finds them, too.
fn sorted(words: Vec<String>) -> Result<(Vec<PathBuf>, Option<String>)> {
    let (mut folders, mut name): (Vec<PathBuf>, Option<String>) = (Vec::new(), None);
    for word in words {
        let path = PathBuf::from(&word);
        if path.is_dir() {
            folders.push(path);
        } else if !path.is_file()
            && let Some(first) = name.replace(word.clone())
        {
            let message = format!("neither '{first}' nor '{word}' is a folder, and one table or column can be shown");
            let next = "give the folders of pipelines, then one table or column";
            return Err(Fault::new(Exit::WrongUse, message).named(ErrorName::NotFound).next(next).into());
        }
    }
    Ok((folders, name))
}

/// This folder if it has a pipeline, otherwise those in `pipelines`.
fn usual_folders() -> Result<Vec<PathBuf>> {
    if Path::new(SPEC_FILE).is_file() {
        return Ok(vec![PathBuf::from(".")]);
    }
    let mut folders = Vec::new();
    if Path::new(PIPELINES).is_dir() {
        for entry in fs::read_dir(PIPELINES).context("cannot list pipelines")? {
            let folder = entry.context("cannot list pipelines")?.path();
            if folder.join(SPEC_FILE).is_file() {
                folders.push(folder);
            }
        }
    }
    if folders.is_empty() {
        let message = format!("no pipeline folder was given, and neither this folder nor {PIPELINES}/ has one");
        let next = "give the folder that contains pipeline.yaml, such as pipelines/retail";
        return Err(Fault::new(Exit::WrongUse, message).named(ErrorName::NotFound).next(next).into());
    }
    folders.sort_unstable();
    Ok(folders)
}

fn pipeline_of(folder: &Path) -> Result<Pipeline> {
    SpecFiles::read(folder)?.resolve().map_err(|problems| {
        let problem = problems.into_iter().next().unwrap_or_default();
        let message = format!("the pipeline in {} cannot run: {problem}", folder.display());
        let next = format!("`sluice check {}` shows every problem", folder.display());
        Fault::new(Exit::Failed, message).named(ErrorName::InvalidInput).next(next).into()
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unknown(error: LineageError) -> Error {
    let next = "`sluice lineage <PIPELINE FOLDER>` shows every table and column";
    Fault::new(Exit::WrongUse, error.to_string()).named(ErrorName::NotFound).next(next).into()
}

/// The columns to begin with: those that were named, or all at the end that the ways begin at.
fn roots(whole: &Lineage, of: Option<ColumnRef>, downstream: bool) -> Vec<ColumnRef> {
    match of {
        Some(column) => vec![column],
        None => {
            let is_root = |layer: Layer| (layer == Layer::Bronze) == downstream;
            let tables = whole.tables().into_iter().filter(|table| is_root(table.layer()));
            tables.map(|table| ColumnRef::rows(table.clone())).collect()
        }
    }
}

fn print_json(whole: Lineage, of: Option<&ColumnRef>, downstream: bool, console: &Console) -> Result<()> {
    let part = match of {
        Some(column) if downstream => whole.downstream(column),
        Some(column) => whole.upstream(column),
        None => whole,
    };
    console.json_page(&json!({
        "of": of,
        "direction": if downstream { "downstream" } else { "upstream" },
        "nodes": part.columns().collect::<Vec<_>>(),
        "edges": part.edges().collect::<Vec<_>>(),
    }))?;
    Ok(())
}
