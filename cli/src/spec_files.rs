//! A pipeline folder of this machine: `pipeline.yaml` and the contracts it names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::pipeline::Pipeline;
use sluice_core::product::{Offered, RegisteredProduct, Source};
use sluice_core::spec::{MAX_DOCUMENT_BYTES, PipelineSpec};
use sluice_core::sql::Predicate;
use sluice_core::uri::layout::SPEC_FILE;
use sluice_core::uri::{FolderUri, LakePath};
use sluice_lake::check::check_predicate;

use crate::fault::{Exit, Fault};
use crate::place::Place;

/// Suffix of the documents of data products.
const PRODUCT_ENDING: &str = ".odps.yaml";
/// Suffix of their policies.
const POLICY_ENDING: &str = ".policy.yaml";

/// A pipeline folder whose spec could be read. [`SpecFiles::resolve`] checks whether it is valid.
#[derive(Debug)]
pub struct SpecFiles {
    folder: PathBuf,
    text: String,
    spec: PipelineSpec,
    contracts: BTreeMap<LakePath, String>,
    products: Vec<ProductFiles>,
}

/// The documents of one data product in the folder of a pipeline.
#[derive(Debug)]
struct ProductFiles {
    origin: String,
    text: String,
    policy_origin: String,
    policy: Option<String>,
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
                .named(ErrorName::NotFound)
                .next(format!("give the folder that contains {SPEC_FILE}, such as pipelines/retail"))
        })?;
        let spec = parsed(&text, &path)?;
        let mut contracts = BTreeMap::new();
        for contract in spec.contract_paths() {
            // `resolve` reports a missing one, together with every other problem.
            if let Some(text) = read_text(&folder.join(contract.as_str()))? {
                contracts.insert(contract.clone(), text);
            }
        }
        let products = read_products(folder)?;
        Ok(Self { folder: folder.to_owned(), text, spec, contracts, products })
    }

    /// The files that a folder would have with these texts instead of its own. The folder need not exist.
    ///
    /// # Errors
    /// A [`Fault`] `InvalidInput` when the spec cannot be read.
    pub fn with_texts(folder: &Path, text: String, contracts: BTreeMap<LakePath, String>) -> Result<Self> {
        let spec = parsed(&text, &folder.join(SPEC_FILE))?;
        let products = if folder.is_dir() { read_products(folder)? } else { Vec::new() };
        Ok(Self { folder: folder.to_owned(), text, spec, contracts, products })
    }

    /// Spec and contracts with their paths below the folder, the contracts first: a spec cannot run before its contracts exist.
    ///
    /// # Errors
    /// When the name of the spec is not a valid path: a defect.
    pub fn documents(&self) -> Result<Vec<(LakePath, &str)>> {
        let contracts = self.contracts.iter().map(|(path, text)| (path.clone(), text.as_str()));
        let spec = (SPEC_FILE.parse()?, self.text.as_str());
        Ok(contracts.chain([spec]).collect())
    }

    /// The data products, resolved over the tables of the resolved pipeline, and warnings; or every problem they have.
    ///
    /// # Errors
    /// Every problem, one message each.
    pub fn resolve_products(
        &self,
        pipeline: &Pipeline,
        now: Timestamp,
    ) -> Result<(Vec<RegisteredProduct>, Vec<String>), Vec<String>> {
        let offered = self.offered(pipeline);
        let (mut products, mut warnings, mut problems) = (Vec::<RegisteredProduct>::new(), Vec::new(), Vec::new());
        for files in &self.products {
            let source = Source { origin: &files.origin, text: &files.text };
            let policy = files.policy.as_deref().map(|text| Source { origin: &files.policy_origin, text });
            if policy.is_none() {
                warnings.push(format!(
                    "{}: the policy {} does not exist, so nobody may read the product",
                    files.origin, files.policy_origin
                ));
            }
            match RegisteredProduct::resolve(&pipeline.name, source, policy, &offered, now) {
                Ok(product) if products.iter().any(|known| known.product == product.product) => {
                    problems.push(format!("{}: product `{}` is defined twice", files.origin, product.product));
                }
                Ok(product) => {
                    problems.extend(filters_that_do_not_fit(&product, &files.policy_origin));
                    let expired =
                        product.policy.grants.iter().filter(|grant| grant.expires.is_some_and(|at| at <= now));
                    warnings.extend(
                        expired.map(|grant| format!("{}: grant `{}` has expired", files.policy_origin, grant.name)),
                    );
                    warnings.extend(values_without_parts(&product, &files.policy_origin));
                    products.push(product);
                }
                Err(refused) => problems.extend(refused.iter().map(ToString::to_string)),
            }
        }
        if problems.is_empty() { Ok((products, warnings)) } else { Err(problems) }
    }

    /// The tables that products may offer.
    fn offered(&self, pipeline: &Pipeline) -> Vec<Offered> {
        let text = |path: &LakePath| self.contracts.get(path).cloned().unwrap_or_default();
        let silver = self.spec.silver.iter().filter_map(|spec| {
            let table = pipeline.silver.iter().find(|table| table.table.table() == &spec.table)?;
            Some(Offered { table: table.table.clone(), contract: table.contract.clone(), text: text(&spec.contract) })
        });
        let gold = self.spec.gold.iter().filter_map(|spec| {
            let table = pipeline.gold.iter().find(|table| table.table.table() == &spec.table)?;
            Some(Offered { table: table.table.clone(), contract: table.contract.clone(), text: text(&spec.contract) })
        });
        silver.chain(gold).collect()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The spec.
    pub fn spec(&self) -> &PipelineSpec {
        &self.spec
    }

    /// The address of the folder.
    ///
    /// # Errors
    /// When the folder's name cannot be written as an address.
    pub fn folder_uri(&self) -> Result<FolderUri> {
        Place::Folder(self.folder.clone()).existing("pipeline")
    }

    /// The pipeline, ready to run, or every problem it has.
    ///
    /// # Errors
    /// Every problem, one message each.
    pub fn resolve(&self) -> Result<Pipeline, Vec<String>> {
        sluice_spark::resolve(&self.spec, &self.contracts)
            .map_err(|problems| problems.iter().map(|problem| with_sources(problem)).collect())
    }
}

/// What `partial` shows nothing of, although a grant asks for it.
fn values_without_parts<'a>(product: &'a RegisteredProduct, origin: &'a str) -> impl Iterator<Item = String> + 'a {
    product.policy.grants.iter().filter_map(move |grant| {
        let columns = product.without_parts(grant).join(", ");
        (!columns.is_empty()).then(|| {
            format!(
                "{origin}: grant `{}`: `partial` shows the end of texts only, and nothing of {columns}: write `hash`, `null` or `hide`",
                grant.name
            )
        })
    })
}

/// The row filters whose types do not match, as found by the engine.
fn filters_that_do_not_fit(product: &RegisteredProduct, origin: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for grant in &product.policy.grants {
        let Some(rows) = &grant.rows else { continue };
        let covered =
            product.ports.iter().filter(|port| grant.ports.as_ref().is_none_or(|ports| ports.contains(&port.name)));
        for port in covered {
            let fits = rows
                .parse::<Predicate>()
                .map_err(|error| error.to_string())
                .and_then(|predicate| check_predicate(&predicate, &port.contract).map_err(|error| error.to_string()));
            if let Err(reason) = fits {
                problems.push(format!(
                    "{origin}: grant `{}`: the row filter does not match port `{}`: {reason}",
                    grant.name, port.name
                ));
            }
        }
    }
    problems
}

/// Every `<name>.odps.yaml` of the folder with its `<name>.policy.yaml`, by name.
fn read_products(folder: &Path) -> Result<Vec<ProductFiles>> {
    let doing = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(doing)? {
        let name = entry.with_context(doing)?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(PRODUCT_ENDING)).map(str::to_owned));
    }
    names.sort_unstable();
    let mut products = Vec::new();
    for name in names {
        let (origin, policy_origin) = (format!("{name}{PRODUCT_ENDING}"), format!("{name}{POLICY_ENDING}"));
        // The file was deleted after the folder was listed.
        let Some(text) = read_text(&folder.join(&origin))? else { continue };
        let policy = read_text(&folder.join(&policy_origin))?;
        products.push(ProductFiles { origin, text, policy_origin, policy });
    }
    Ok(products)
}

/// The spec in a text, which is or will be at `path`.
fn parsed(text: &str, path: &Path) -> Result<PipelineSpec> {
    let spec = PipelineSpec::parse(text, &path.display().to_string()).map_err(|error| {
        Fault::new(Exit::Failed, with_sources(&error))
            .named(ErrorName::InvalidInput)
            .next("`sluice check --schema` prints the schema of a spec, which editors use for completion")
    })?;
    Ok(spec)
}

/// The text of a file; `None` when it does not exist. Reads at most the size that a spec or contract may have.
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
        // The text was cut, perhaps inside a character. The parser reports that it is too large.
        return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let message = format!("{} is not UTF-8 text", path.display());
        Fault::new(Exit::Failed, message).named(ErrorName::InvalidInput).next("save it as UTF-8").into()
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
        assert_eq!((fault.exit(), fault.name()), (Exit::WrongUse, Some(ErrorName::NotFound)));
    }

    #[test]
    fn an_unreadable_spec_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SPEC_FILE), "pipeline: retail\ndomain: sales\nsurprise: 1\n").unwrap();
        let error = SpecFiles::read(folder.path()).unwrap_err();
        let fault = error.downcast_ref::<Fault>().unwrap();
        assert_eq!((fault.exit(), fault.name()), (Exit::Failed, Some(ErrorName::InvalidInput)));
        assert!(fault.to_string().contains("surprise") && fault.to_string().contains(SPEC_FILE), "{fault}");
    }

    #[test]
    fn all_missing_contracts_are_reported_together() {
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
