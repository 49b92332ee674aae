//! The deployed pipelines with their tables and contracts, read from the lake and kept for a moment.
//!
//! For lineage: who may know of which of them is decided where it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use sluice_core::lineage::{self, Lineage};
use sluice_core::name::PipelineName;
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::{LakePath, layout};
use sluice_documents::{DocumentError, DocumentStore};
use sluice_http::Problem;
use tokio::sync::Mutex;

/// How long pipelines are kept: a new one is in the lineage after this time.
const KEPT: Duration = Duration::from_secs(30);
/// Pipelines whose documents are read at once.
const AT_ONCE: usize = 16;

/// Pipelines by name. One whose documents cannot be used is missing.
type Pipelines = BTreeMap<PipelineName, Arc<DeployedPipeline>>;

/// All pipelines.
#[derive(Debug, Default)]
pub(crate) struct AllDeployed {
    /// The pipelines by name. One whose documents cannot be used is missing.
    pub(crate) pipelines: Pipelines,
    /// Their columns.
    pub(crate) lineage: Lineage,
}

/// A pipeline as it was deployed.
#[derive(Debug)]
pub(crate) struct DeployedPipeline {
    /// Hash of the texts that it was resolved from.
    texts: blake3::Hash,
    /// The pipeline.
    pub(crate) pipeline: Pipeline,
}

/// The deployed pipelines.
#[derive(Debug)]
pub(crate) struct Deployed {
    documents: DocumentStore,
    kept: Mutex<Option<(Instant, Arc<AllDeployed>)>>,
}

/// The texts of a pipeline.
struct Texts {
    name: PipelineName,
    spec: PipelineSpec,
    contracts: BTreeMap<LakePath, String>,
    hash: blake3::Hash,
}

impl Deployed {
    pub(crate) fn new(documents: DocumentStore) -> Self {
        Self { documents, kept: Mutex::default() }
    }

    /// All pipelines. One caller reads them, the others wait for it. What has not changed is not resolved again.
    ///
    /// # Errors
    /// Faults of the store.
    pub(crate) async fn all(&self) -> Result<Arc<AllDeployed>, Problem> {
        let mut kept = self.kept.lock().await;
        let before = match &*kept {
            Some((at, all)) if at.elapsed() < KEPT => return Ok(all.clone()),
            Some((_, all)) => all.clone(),
            None => Arc::default(),
        };
        let texts = self.read().await.map_err(|error| fault(&error))?;
        let pipelines: Pipelines = texts.into_iter().filter_map(|texts| texts.resolved(&before.pipelines)).collect();
        let resolved: Vec<Pipeline> = pipelines.values().map(|deployed| deployed.pipeline.clone()).collect();
        let all = Arc::new(AllDeployed { pipelines, lineage: lineage::of(&resolved) });
        *kept = Some((Instant::now(), all.clone()));
        Ok(all)
    }

    async fn read(&self) -> Result<Vec<Texts>, DocumentError> {
        let paths = self.documents.list(&layout::pipelines()).await?;
        let names: Vec<PipelineName> = paths.iter().filter_map(layout::pipeline_of_spec).collect();
        let documents = &self.documents;
        let texts = stream::iter(names).map(|name| async move { Texts::read(documents, name).await });
        let texts: Vec<Option<Texts>> = texts.buffered(AT_ONCE).try_collect().await?;
        Ok(texts.into_iter().flatten().collect())
    }
}

impl Texts {
    /// The texts; `None` of a pipeline that was removed since it was listed, or whose spec cannot be read.
    async fn read(documents: &DocumentStore, name: PipelineName) -> Result<Option<Self>, DocumentError> {
        let path = layout::spec(&name);
        let Some(text) = documents.read_text(&path).await? else { return Ok(None) };
        let spec = match PipelineSpec::parse(&text, path.as_str()) {
            Ok(spec) => spec,
            Err(error) => {
                tracing::warn!(%error, "a spec cannot be read, so its tables are missing in the lineage");
                return Ok(None);
            }
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(text.as_bytes());
        let mut contracts = BTreeMap::new();
        for path in spec.contract_paths() {
            if let Some(text) = documents.read_text(&layout::pipeline_document(&name, path)).await? {
                hasher.update(b"\0").update(path.as_str().as_bytes()).update(b"\0").update(text.as_bytes());
                contracts.insert(path.clone(), text);
            }
        }
        let hash = hasher.finalize();
        Ok(Some(Self { name, spec, contracts, hash }))
    }

    /// The pipeline, as it was before where the texts are the same.
    fn resolved(self, before: &Pipelines) -> Option<(PipelineName, Arc<DeployedPipeline>)> {
        let Self { name, spec, contracts, hash } = self;
        if let Some(same) = before.get(&name).filter(|known| known.texts == hash) {
            return Some((name, same.clone()));
        }
        match Pipeline::resolve_untyped(&spec, &contracts) {
            Ok(pipeline) => Some((name, Arc::new(DeployedPipeline { texts: hash, pipeline }))),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let problems = problems.join("; ");
                tracing::warn!(pipeline = %name, problems, "a pipeline is missing in the lineage");
                None
            }
        }
    }
}

/// A fault of the store: logged here with its cause, answered without it.
fn fault(error: &DocumentError) -> Problem {
    let name = error.name();
    let error_message = sluice_core::error::with_sources(error);
    tracing::error!(error_name = %name, error_message, "cannot read the deployed pipelines");
    Problem::of_lake(name, "a document of the lake cannot be used: give the operator the request id")
}
