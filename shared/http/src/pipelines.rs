//! The deployed pipelines, and who may do what with their runs: read from the lake and kept for a moment.
//!
//! The API of runs and the console decide by this code alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::access::{RunGrant, RunRight};
use sluice_core::name::PipelineName;
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::layout;
use sluice_documents::{DocumentError, DocumentStore};
use tokio::sync::Mutex;

use crate::callers::Caller;
use crate::problem::{Problem, ProblemCode, document_problem};

/// How long pipelines are kept. So changed rights count everywhere after this time.
const KEPT: Duration = Duration::from_secs(5);
/// Specs that are read at once: a hundred of 50 ms each are read in 0.7 s.
const AT_ONCE: usize = 8;

/// Specs of all pipelines, by name.
type Specs = Arc<BTreeMap<PipelineName, PipelineSpec>>;

/// The deployed pipelines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pipelines {
    documents: DocumentStore,
    kept: Arc<Mutex<Option<(Instant, Specs)>>>,
}

/// What a caller may do with the runs of pipelines.
#[derive(Debug)]
pub struct Rights<'a> {
    caller: &'a Caller,
    specs: Specs,
    now: Timestamp,
}

impl Pipelines {
    /// The pipelines of the lake with these documents. Nothing is read yet.
    pub fn new(documents: DocumentStore) -> Self {
        Self { documents, kept: Arc::default() }
    }

    /// What the caller may do, which may be nothing.
    ///
    /// # Errors
    /// Those of [`document_problem`].
    pub async fn rights_or_none<'a>(&self, caller: &'a Caller) -> Result<Rights<'a>, Problem> {
        Ok(Rights { caller, specs: self.specs().await?, now: Timestamp::now() })
    }

    /// What the caller may do: to read runs of one pipeline at least.
    ///
    /// # Errors
    /// `forbidden` for a caller who has no right on any pipeline, whatever they ask for.
    pub async fn rights<'a>(&self, caller: &'a Caller) -> Result<Rights<'a>, Problem> {
        let rights = self.rights_or_none(caller).await?;
        if rights.readable().next().is_some() {
            return Ok(rights);
        }
        caller.trail.deny("no grant on runs names the caller");
        let detail =
            "no pipeline gives you rights on its runs: its owner names you under `runs` in its spec and deploys it";
        Err(Problem::new(ProblemCode::Forbidden, detail))
    }

    /// All specs. One caller reads them, the others wait for it.
    async fn specs(&self) -> Result<Specs, Problem> {
        let mut kept = self.kept.lock().await;
        if let Some((at, specs)) = &*kept
            && at.elapsed() < KEPT
        {
            return Ok(specs.clone());
        }
        let specs = Arc::new(self.read().await.map_err(|error| document_problem(&error))?);
        *kept = Some((Instant::now(), specs.clone()));
        Ok(specs)
    }

    async fn read(&self) -> Result<BTreeMap<PipelineName, PipelineSpec>, DocumentError> {
        let paths = self.documents.list(&layout::pipelines()).await?;
        let names: Vec<PipelineName> = paths.iter().filter_map(layout::pipeline_of_spec).collect();
        let documents = &self.documents;
        let texts = stream::iter(names).map(|name| async move {
            let path = layout::spec(&name);
            Ok::<_, DocumentError>((name, documents.read_text(&path).await?))
        });
        let texts: Vec<(PipelineName, Option<String>)> = texts.buffered(AT_ONCE).try_collect().await?;
        let spec = |(name, text): (PipelineName, Option<String>)| {
            let path = layout::spec(&name);
            match PipelineSpec::parse(&text?, path.as_str()) {
                Ok(spec) => Some((name, spec)),
                // It costs its own pipeline the API, and no other's.
                Err(error) => {
                    tracing::warn!(%error, "a spec cannot be read, so nobody has rights on its runs");
                    None
                }
            }
        };
        Ok(texts.into_iter().filter_map(spec).collect())
    }
}

impl Rights<'_> {
    fn grant(&self, pipeline: &PipelineName, right: RunRight) -> Option<&RunGrant> {
        self.specs.get(pipeline)?.runs.grant(&self.caller.principal, right, self.now)
    }

    /// The pipelines whose runs the caller may read, by name.
    pub fn readable(&self) -> impl Iterator<Item = (&PipelineName, &PipelineSpec)> {
        self.specs.iter().filter(|(pipeline, _)| self.may_read(pipeline))
    }

    /// Whether the caller may read runs of this pipeline.
    pub fn may_read(&self, pipeline: &PipelineName) -> bool {
        self.grant(pipeline, RunRight::Read).is_some()
    }

    /// The spec of a pipeline, on whose runs the caller has this right. The rule is noted on the caller's trail.
    ///
    /// # Errors
    /// `missing` for a pipeline that does not exist or whose runs the caller may not know of, without difference;
    /// `forbidden` for one whose runs they may only read.
    pub fn check(
        &self,
        pipeline: &PipelineName,
        right: RunRight,
        missing: impl FnOnce() -> Problem,
    ) -> Result<&PipelineSpec, Problem> {
        let trail = &self.caller.trail;
        trail.note(|event| event.pipeline = Some(pipeline.clone()));
        let Some(spec) = self.specs.get(pipeline) else { return Err(missing()) };
        if let Some(grant) = self.grant(pipeline, right) {
            trail.note(|event| {
                event.rule = Some(grant.name.clone());
                event.purpose.clone_from(&grant.purpose);
            });
            return Ok(spec);
        }
        trail.deny("no grant gives the caller the right");
        if self.may_read(pipeline) {
            let detail = format!("the spec of pipeline `{pipeline}` does not give you the right `{right}` on its runs");
            return Err(Problem::new(ProblemCode::Forbidden, detail));
        }
        Err(missing())
    }
}
