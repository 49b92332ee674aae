//! Pipelines and data products: in the folders that were given, and as deployed in the lake.

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use sluice_core::error::with_sources;
use sluice_core::name::PipelineName;
use sluice_core::product::RegisteredProduct;
use sluice_core::uri::layout;
use sluice_lake::{Lake, LakeError, check};

use super::counted;
use super::finding::Finding;
use crate::commands::check::{Checked, checked};
use crate::fault::{Exit, Fault};
use crate::spec_files::SpecFiles;

/// Deployed pipelines and products that are read, of each kind.
const MAX_DEPLOYED: usize = 200;

/// The checks of pipeline folders: those of `sluice check`.
///
/// # Errors
/// A [`Fault`] of wrong use for a folder without a pipeline.
pub(super) async fn of_folders(folders: &[PathBuf]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in folders {
        let files = match SpecFiles::read(folder) {
            Ok(files) => files,
            Err(error) if is_wrong_use(&error) => return Err(error),
            Err(error) => {
                findings.push(Finding::of_error("pipeline", &error));
                continue;
            }
        };
        let (name, place) = (&files.spec().pipeline, folder.display());
        match checked(&files).await? {
            Ok(Checked { warnings, .. }) => {
                findings.push(Finding::ok("pipeline", format!("`{name}` in {place} can run")));
                findings.extend(warnings.into_iter().map(|warning| {
                    Finding::warning(
                        "pipeline",
                        warning,
                        format!("correct it in {place}, then `sluice deploy {place}`"),
                    )
                }));
            }
            Err(problems) => findings.extend(problems.into_iter().map(|problem| {
                Finding::problem(
                    "pipeline",
                    problem,
                    format!("correct it in {place}; `sluice check {place}` checks again"),
                )
            })),
        }
    }
    Ok(findings)
}

fn is_wrong_use(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Fault>().is_some_and(|fault| fault.exit() == Exit::WrongUse)
}

/// The checks of what is deployed: whether this version still takes it, and whether grants have expired.
///
/// # Errors
/// Faults of the store when pipelines and products are listed.
pub(super) async fn deployed(lake: &Lake, now: Timestamp) -> Result<Vec<Finding>, LakeError> {
    let paths = lake.documents().list(&layout::pipelines()).await?;
    let names: Vec<PipelineName> = paths.iter().filter_map(layout::pipeline_of_spec).collect();
    let mut findings = Vec::new();
    for name in names.iter().take(MAX_DEPLOYED) {
        if let Err(error) = still_checks(lake, name).await {
            let message = format!("the deployed pipeline `{name}` cannot run: {}", with_sources(&error));
            findings.push(Finding::problem("deployed", message, "correct its folder, then `sluice deploy` it again"));
        }
    }
    if findings.is_empty() {
        let number = names.len().min(MAX_DEPLOYED);
        let pipelines = counted(number, "deployed pipeline");
        findings.push(Finding::ok("deployed", format!("{pipelines} can run{}", bound(names.len()))));
    }
    findings.extend(grants(lake, now).await?);
    Ok(findings)
}

/// What was not read of so many.
fn bound(number: usize) -> String {
    match number.checked_sub(MAX_DEPLOYED) {
        Some(more @ 1..) => format!("; {more} more were not read"),
        _ => String::new(),
    }
}

async fn still_checks(lake: &Lake, name: &PipelineName) -> Result<(), LakeError> {
    let pipeline = check::load_folder(&lake.root().folder(&layout::pipeline(name)), lake.options()).await?;
    let planned = tokio::task::spawn_blocking(move || check::check_pipeline(&pipeline)).await;
    planned.unwrap_or_else(|error| Err(LakeError::Internal { message: format!("the check panicked: {error}") }))
}

/// Grants of registered products that are void by now.
async fn grants(lake: &Lake, now: Timestamp) -> Result<Vec<Finding>, LakeError> {
    let paths = lake.documents().list(&layout::products()).await?;
    let mut findings = Vec::new();
    for path in paths.iter().take(MAX_DEPLOYED) {
        match lake.documents().read::<RegisteredProduct>(path).await {
            Ok(product) => findings.extend(product.iter().flat_map(|product| expired(product, now))),
            Err(error) => {
                let fix = "deploy its pipeline again with this version: `sluice deploy PIPELINE`";
                findings.push(Finding::problem("products", with_sources(&error), fix));
            }
        }
    }
    if findings.is_empty() {
        let number = paths.len().min(MAX_DEPLOYED);
        findings.push(Finding::ok(
            "products",
            format!("{}, no grant has expired{}", counted(number, "data product"), bound(paths.len())),
        ));
    }
    Ok(findings)
}

fn expired(product: &RegisteredProduct, now: Timestamp) -> impl Iterator<Item = Finding> + '_ {
    let expired = product.policy.grants.iter().filter(move |grant| grant.expires.is_some_and(|at| at <= now));
    expired.map(move |grant| {
        let message = format!(
            "product `{}`: grant `{}` has expired: its callers read nothing by it",
            product.product, grant.name
        );
        Finding::warning(
            "products",
            message,
            "renew it in the policy, or take it out, then `sluice deploy` the pipeline",
        )
    })
}
