//! A pipeline folder of this machine: `pipeline.yaml` and the contracts it names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::pipeline::{MAX_DOCUMENT_BYTES, Pipeline, SpecError};
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::{FolderUri, LakePath};

use crate::fault::{Exit, Fault};
use crate::place::Place;

const SPEC_FILE: &str = "pipeline.yaml";

/// A pipeline folder whose spec could be read. Whether it makes sense is told by [`SpecFiles::resolve`].
#[derive(Debug)]
pub struct SpecFiles {
    folder: PathBuf,
    spec: PipelineSpec,
    contracts: BTreeMap<LakePath, String>,
}

impl SpecFiles {
    /// Reads the folder.
    ///
    /// # Errors
    /// A [`Fault`]: of wrong use when there is no spec, `InvalidInput` when it cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SPEC_FILE);
        let text = read_text(&path)?.ok_or_else(|| {
            Fault::new(Exit::WrongUse, format!("{} does not exist", path.display()))
                .named("NotFound")
                .next(format!("name the folder that holds {SPEC_FILE}, such as pipelines/retail"))
        })?;
        let spec = PipelineSpec::parse(&text, &path.display().to_string()).map_err(|error| {
            Fault::new(Exit::Failed, message(&error))
                .named(ErrorName::InvalidInput.as_str())
                .next("`sluice check --schema` prints what a spec may say; editors complete it")
        })?;
        let mut contracts = BTreeMap::new();
        for contract in spec.contract_paths() {
            // One that is missing is told by `resolve`, together with everything else that is wrong.
            if let Some(text) = read_text(&folder.join(contract.as_str()))? {
                contracts.insert(contract.clone(), text);
            }
        }
        Ok(Self { folder: folder.to_owned(), spec, contracts })
    }

    /// The spec.
    pub fn spec(&self) -> &PipelineSpec {
        &self.spec
    }

    /// The address of the folder.
    ///
    /// # Errors
    /// When the folder's name cannot be an address.
    pub fn folder_uri(&self) -> Result<FolderUri> {
        Place::Folder(self.folder.clone()).existing("pipeline")
    }

    /// The pipeline, ready to run, or everything that is wrong with it.
    ///
    /// # Errors
    /// Every problem, one message each.
    pub fn resolve(&self) -> Result<Pipeline, Vec<String>> {
        Pipeline::resolve(&self.spec, &self.contracts).map_err(|problems| problems.iter().map(message).collect())
    }
}

fn message(error: &SpecError) -> String {
    StepError::new(ErrorName::InvalidInput, error).message
}

/// The text of a file; `None` where there is none. Reads no more than a spec or contract may have.
fn read_text(path: &Path) -> Result<Option<String>> {
    let doing = || format!("cannot read {}", path.display());
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Fault::new(Exit::WrongUse, format!("{} is a folder, not a file", path.display())).into());
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error).with_context(doing),
    };
    let mut bytes = Vec::new();
    file.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(doing)?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        // Cut, perhaps within a character: what reads it says that it is too large.
        return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let message = format!("{} is not UTF-8 text", path.display());
        Fault::new(Exit::Failed, message).named(ErrorName::InvalidInput.as_str()).next("save it as UTF-8").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_spec_is_wrong_use() {
        let folder = tempfile::tempdir().unwrap();
        let error = SpecFiles::read(folder.path()).unwrap_err();
        let fault = error.downcast_ref::<Fault>().unwrap();
        assert_eq!((fault.exit(), fault.name()), (Exit::WrongUse, Some("NotFound")));
    }

    #[test]
    fn an_unreadable_spec_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SPEC_FILE), "pipeline: retail\ndomain: sales\nsurprise: 1\n").unwrap();
        let error = SpecFiles::read(folder.path()).unwrap_err();
        let fault = error.downcast_ref::<Fault>().unwrap();
        assert_eq!((fault.exit(), fault.name()), (Exit::Failed, Some("InvalidInput")));
        assert!(fault.to_string().contains("surprise") && fault.to_string().contains(SPEC_FILE), "{fault}");
    }

    #[test]
    fn missing_contracts_are_all_told() {
        let folder = tempfile::tempdir().unwrap();
        let spec = "pipeline: retail\ndomain: sales\nsource: { prefix: landing/retail, format: csv }\n\
                    bronze: { table: raw }\nsilver:\n  - { table: a, contract: c/a.yaml, columns: { x: X }, mode: append }\n  \
                    - { table: b, contract: c/b.yaml, columns: { x: X }, mode: append }\n";
        fs::write(folder.path().join(SPEC_FILE), spec).unwrap();
        let problems = SpecFiles::read(folder.path()).unwrap().resolve().unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("c/a.yaml") && problems[1].contains("c/b.yaml"), "{problems:?}");
    }
}
