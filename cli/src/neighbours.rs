//! The pipelines of the folders next to a pipeline's own: those that it may read from, and that may read from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sluice_core::error::ErrorName;
use sluice_core::name::TableRef;
use sluice_core::pipeline::{InputTable, Pipeline, circle, in_order_of_reading};
use sluice_core::uri::layout::SPEC_FILE;

use crate::fault::{Exit, Fault};
use crate::spec_files::SpecFiles;

/// Folders that are looked through for pipelines: more than a repository has, and read within a second.
const MAX_FOLDERS: usize = 2000;

/// A pipeline in a folder next to another.
#[derive(Debug)]
pub(crate) struct Neighbour {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What it does.
    pub(crate) pipeline: Pipeline,
}

impl AsRef<Pipeline> for Neighbour {
    fn as_ref(&self) -> &Pipeline {
        &self.pipeline
    }
}

/// The pipelines of the folders next to a pipeline's own.
#[derive(Debug)]
pub(crate) struct Neighbours {
    parent: PathBuf,
    pipelines: Vec<Neighbour>,
    /// The folders with a pipeline that cannot run, each with its first problem.
    unreadable: Vec<(PathBuf, String)>,
}

impl Neighbours {
    /// Reads the folders next to this one.
    ///
    /// # Errors
    /// When they cannot be listed, or are too many.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let listing = || format!("cannot list the folders next to {}", folder.display());
        let own = folder.canonicalize().with_context(listing)?;
        let parent = own.parent().unwrap_or(&own).to_owned();
        let mut folders = Vec::new();
        for entry in fs::read_dir(&parent).with_context(listing)? {
            let path = entry.with_context(listing)?.path();
            if path != own && path.join(SPEC_FILE).is_file() {
                folders.push(path);
            }
        }
        if folders.len() > MAX_FOLDERS {
            let message =
                format!("{} has more than {MAX_FOLDERS} pipelines; put them into several folders", parent.display());
            return Err(Fault::new(Exit::Failed, message).named(ErrorName::InvalidInput).into());
        }
        folders.sort_unstable();
        let (mut pipelines, mut unreadable) = (Vec::new(), Vec::new());
        for folder in folders {
            let resolved = SpecFiles::read(&folder)
                .map_err(|error| format!("{error:#}"))
                .and_then(|files| files.resolve().map_err(|problems| problems.into_iter().next().unwrap_or_default()));
            match resolved {
                Ok(pipeline) => pipelines.push(Neighbour { folder, pipeline }),
                Err(problem) => unreadable.push((folder, problem)),
            }
        }
        Ok(Self { parent, pipelines, unreadable })
    }

    /// All of them, each after those whose tables it reads.
    ///
    /// # Errors
    /// The first that cannot run, because nobody can say what it reads; gold tables that read each other in a circle.
    pub(crate) fn downstream(mut self) -> Result<Vec<Neighbour>> {
        if let Some((folder, problem)) = self.unreadable.first() {
            let message = format!("the pipeline in {} cannot run: {problem}", folder.display());
            let next = "correct it, or run without --with-downstream";
            return Err(Fault::new(Exit::Failed, message).named(ErrorName::InvalidInput).next(next).into());
        }
        if let Some(tables) = circle(self.pipelines.iter().map(AsRef::as_ref)) {
            return Err(Fault::new(Exit::Failed, circle_text(&tables)).named(ErrorName::InvalidInput).into());
        }
        let ordered: Vec<PathBuf> =
            in_order_of_reading(&self.pipelines).into_iter().map(|neighbour| neighbour.folder.clone()).collect();
        self.pipelines.sort_by_key(|neighbour| ordered.iter().position(|folder| *folder == neighbour.folder));
        Ok(self.pipelines)
    }

    /// Why gold of this pipeline could not be computed from the tables that these pipelines write, and what nobody can
    /// say.
    pub(crate) fn compared_with(&self, pipeline: &Pipeline) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for input in &pipeline.inputs {
            match self.writer(&input.table) {
                Some((writer, columns)) => {
                    let fault = input.fault(&columns);
                    problems.extend(fault.map(|fault| {
                        format!(
                            "inputs: {fault}; pipeline `{}` in {} writes it",
                            writer.pipeline.name,
                            writer.folder.display()
                        )
                    }));
                }
                None => warnings.push(self.unknown(input)),
            }
        }
        let all = self.pipelines.iter().map(AsRef::as_ref).chain([pipeline]);
        problems.extend(circle(all).map(|tables| circle_text(&tables)));
        (problems, warnings)
    }

    fn writer(&self, table: &TableRef) -> Option<(&Neighbour, Vec<sluice_core::columns::StoredColumn>)> {
        self.pipelines.iter().find_map(|neighbour| {
            let (_, columns) = neighbour.pipeline.published().into_iter().find(|(written, _)| written == table)?;
            Some((neighbour, columns))
        })
    }

    fn unknown(&self, input: &InputTable) -> String {
        let (table, parent) = (&input.table, self.parent.display());
        let cannot_run = match self.unreadable.first() {
            Some((folder, _)) => format!(", and the one in {} cannot run", folder.display()),
            None => String::new(),
        };
        format!(
            "inputs: no pipeline in {parent} writes {table}{cannot_run}; `--lake` compares it with the table of a lake"
        )
    }
}

fn circle_text(tables: &[TableRef]) -> String {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    format!(
        "gold tables of several pipelines read each other in a circle: {}; take one of these inputs out",
        names.join(", ")
    )
}
