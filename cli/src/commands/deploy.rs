//! `sluice deploy`: writes a pipeline and its data products into a lake.

use anyhow::{Context, Result};
use jiff::Timestamp;
use object_store::{ObjectStoreExt, PutPayload};
use serde::Serialize;
use sluice_core::columns::StoredColumn;
use sluice_core::error::ErrorName;
use sluice_core::name::TableRef;
use sluice_core::pipeline::Pipeline;
use sluice_core::product::RegisteredProduct;
use sluice_core::uri::{LakePath, layout};
use sluice_lake::Lake;

use super::check::{Checked, checked};
use crate::arguments::DeployArguments;
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::spec_files::SpecFiles;

/// What the deployment did to a document of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    New,
    Changed,
    Unchanged,
    Removed,
}

/// A document of the lake, and what the deployment did to it.
#[derive(Debug, Serialize)]
struct Deployed {
    path: LakePath,
    change: Change,
}

/// Checks everything, then writes contracts, spec and products, in this order: a reader in between finds an older product or spec
/// with newer contracts, but never one that names a document that does not exist yet.
pub(crate) async fn run(arguments: DeployArguments, console: &Console) -> Result<Exit> {
    let files = SpecFiles::read(&arguments.folder)?;
    let Checked { pipeline, products, warnings } = checked(&files).await?.map_err(|problems| {
        let message = format!("pipeline `{}` cannot be deployed:\n  {}", files.spec().pipeline, problems.join("\n  "));
        Fault::new(Exit::Failed, message)
            .named(ErrorName::InvalidInput)
            .next("correct the problems listed above, then deploy again; `sluice check` lists them too")
    })?;
    let lake = arguments.lake.place.open_or_make_lake().await?;
    let registered = registered(&lake).await?;
    refuse_taken(&registered, &products)?;
    let mut deployed = Vec::new();
    for (path, text) in files.documents()? {
        deployed.push(put_text(&lake, layout::pipeline_document(&pipeline.name, &path), text).await?);
    }
    for product in products.iter().cloned() {
        deployed.push(register(&lake, &registered, product).await?);
    }
    let is_gone = |known: &&RegisteredProduct| {
        known.pipeline == pipeline.name && !products.iter().any(|product| product.product == known.product)
    };
    for gone in registered.iter().filter(is_gone) {
        let path = layout::product(&gone.product);
        lake.documents().delete(&path).await?;
        deployed.push(Deployed { path, change: Change::Removed });
    }
    report(&deployed, &warnings, &published(&pipeline), console)?;
    Ok(Exit::Done)
}

/// A published table, for whoever writes a catalogue.
#[derive(Debug, Serialize)]
struct Published {
    table: TableRef,
    columns: Vec<PublishedColumn>,
}

/// A column of it.
#[derive(Debug, Serialize)]
struct PublishedColumn {
    name: String,
    /// Its SQL name.
    #[serde(rename = "type")]
    column_type: String,
}

impl From<StoredColumn> for PublishedColumn {
    fn from(StoredColumn { name, column_type }: StoredColumn) -> Self {
        Self { name, column_type: column_type.to_string() }
    }
}

fn published(pipeline: &Pipeline) -> Vec<Published> {
    let tables = pipeline.published().into_iter();
    tables.map(|(table, columns)| Published { table, columns: columns.into_iter().map(Into::into).collect() }).collect()
}

/// The products that are registered, of all pipelines.
async fn registered(lake: &Lake) -> Result<Vec<RegisteredProduct>> {
    let mut products = Vec::new();
    for path in lake.documents().list(&layout::products()).await? {
        products.extend(lake.read_document::<RegisteredProduct>(&path).await?);
    }
    Ok(products)
}

/// Refuses a product name that another pipeline has registered.
fn refuse_taken(registered: &[RegisteredProduct], products: &[RegisteredProduct]) -> Result<()> {
    let taken = |product: &RegisteredProduct| {
        registered.iter().find(|known| known.product == product.product && known.pipeline != product.pipeline)
    };
    match products.iter().find_map(taken) {
        None => Ok(()),
        Some(known) => {
            let message = format!("product `{}` is already registered by pipeline `{}`", known.product, known.pipeline);
            Err(Fault::new(Exit::Failed, message)
                .named(ErrorName::InvalidInput)
                .next("choose another name in the .odps.yaml")
                .into())
        }
    }
}

async fn put_text(lake: &Lake, path: LakePath, text: &str) -> Result<Deployed> {
    let documents = lake.documents();
    let key = documents.key(&path)?;
    let there = match documents.objects().get(&key).await {
        Ok(object) => Some(object.bytes().await.with_context(|| format!("cannot read {path} of the lake"))?),
        Err(object_store::Error::NotFound { .. }) => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read {path} of the lake")),
    };
    let change = match there {
        Some(there) if there == text.as_bytes() => Change::Unchanged,
        Some(_) => Change::Changed,
        None => Change::New,
    };
    if change != Change::Unchanged {
        let written = documents.objects().put(&key, PutPayload::from(text.to_owned())).await;
        written.with_context(|| format!("cannot write {path} of the lake"))?;
    }
    Ok(Deployed { path, change })
}

async fn register(lake: &Lake, registered: &[RegisteredProduct], product: RegisteredProduct) -> Result<Deployed> {
    let path = layout::product(&product.product);
    let known = registered.iter().find(|known| known.product == product.product);
    // A deployment that changes nothing does not update the time of the deployment.
    let change = match known {
        Some(known)
            if (RegisteredProduct { deployed_at: Timestamp::UNIX_EPOCH, ..known.clone() })
                == (RegisteredProduct { deployed_at: Timestamp::UNIX_EPOCH, ..product.clone() }) =>
        {
            Change::Unchanged
        }
        Some(_) => Change::Changed,
        None => Change::New,
    };
    if change != Change::Unchanged {
        lake.documents().write(&path, &product).await?;
    }
    Ok(Deployed { path, change })
}

fn report(deployed: &[Deployed], warnings: &[String], tables: &[Published], console: &Console) -> Result<()> {
    if console.is_json() {
        console.json_page(&serde_json::json!({ "deployed": deployed, "warnings": warnings, "tables": tables }))?;
        return Ok(());
    }
    for warning in warnings {
        console.note(&format!("{} {warning}", console.paint_err(Tone::Warning, "warning:")));
    }
    for Deployed { path, change } in deployed {
        let (tone, word) = match change {
            Change::New => (Tone::Good, "new      "),
            Change::Changed => (Tone::Warning, "changed  "),
            Change::Unchanged => (Tone::Faint, "unchanged"),
            Change::Removed => (Tone::Bad, "removed  "),
        };
        console.line(&format!("{} {path}", console.paint(tone, word)))?;
    }
    Ok(())
}
