//! What callers ask for, into a request of the state machine.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::Value;
use sluice_core::engine::EnginePreference;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{RunAction, RunRequest};
use sluice_core::uri::layout::LANDING;
use sluice_core::uri::{FolderUri, LakePath, ObjectUri, UriError, layout};
use sluice_executions::submission::IdempotencyKey;
use sluice_http::body::named;
use sluice_http::{Problem, ProblemCode};
use url::Url;
use utoipa::{IntoParams, ToSchema};

/// Header with the caller's own name for a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Most objects of one run.
const MAX_OBJECTS: usize = 1000;
/// Longest request as JSON. State data may have 256 KiB; an error's cause (32 KiB) and the step's own fields come on top.
const MAX_REQUEST_BYTES: usize = 192 * 1024;
/// Longest wait in seconds: within API Gateway's 29 s, with 4 s for the start and the documents.
pub(crate) const MAX_WAIT_SECONDS: u64 = 25;

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessBody {
    /// The pipeline, as deployed in the lake.
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]{0,47}$", example = "retail")]
    pipeline: PipelineName,
    /// Folder to take new files from, when it is not all of the pipeline's own: a path below `landing/`, or an address. It must be in the
    /// folder that the pipeline's spec names as `source.prefix`.
    #[serde(default)]
    #[schema(example = "retail/2026-01-05")]
    prefix: Option<String>,
    /// The only objects to take: paths below `landing/`, or addresses. Each must be in the folder of the run: that of `prefix`, or of the
    /// spec.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000, example = json!(["retail/day1.csv"]))]
    objects: Option<Vec<String>>,
    /// The engine, when it is not left to the pipeline.
    #[serde(default)]
    #[schema(value_type = Option<EngineName>)]
    engine: Option<EnginePreference>,
    /// Values for parameters of the pipeline. Pipelines cannot declare parameters yet, so every name is refused.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    parameters: Option<BTreeMap<String, Value>>,
}

/// The engine of a run.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes the type of the core, which knows no OpenAPI")]
pub(crate) enum EngineName {
    /// Whatever fits the size of the run.
    Auto,
    /// Polars.
    Lambda,
    /// Spark.
    Emr,
}

/// How long to wait for the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Seconds to wait for the end of the run.
    #[serde(default)]
    #[param(minimum = 0, maximum = 25)]
    wait: Option<u64>,
}

impl WaitQuery {
    pub(crate) fn seconds(self) -> Result<u64, Problem> {
        let wait = self.wait.unwrap_or(0);
        if wait > MAX_WAIT_SECONDS {
            return Err(refused(
                "wait",
                format!("`wait` is {wait}: wait 0 to {MAX_WAIT_SECONDS} seconds, then ask again"),
            ));
        }
        Ok(wait)
    }
}

/// The caller's own name for the request; `None` when the request has no name.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused("Idempotency-Key", "the header `Idempotency-Key` is sent twice: send it once".to_owned()));
    }
    let key = value.to_str().unwrap_or_default().parse();
    key.map(Some).map_err(|error| refused("Idempotency-Key", format!("header `Idempotency-Key`: {error}")))
}

impl ProcessBody {
    /// The pipeline that is to run.
    pub(crate) fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    /// The request of this body, of the lake at `lake`. The pipeline takes files from the folders of its `sources` and from no other
    /// place. Where these are `named`, a folder to take files from would need a folder for each of them.
    pub(crate) fn into_request(
        self,
        lake: &FolderUri,
        sources: &[LakePath],
        named: bool,
    ) -> Result<RunRequest, Problem> {
        let Self { pipeline, prefix, objects, engine, parameters } = self;
        if let Some(name) = parameters.unwrap_or_default().keys().next() {
            let detail = format!("pipeline `{pipeline}` declares no parameter `{name}`: leave `parameters` out");
            return Err(refused("parameters", detail));
        }
        let home = Home { lake, sources, folders: sources.iter().map(|source| lake.folder(source)).collect() };
        if let (Some(prefix), true) = (&prefix, named) {
            let detail = format!(
                "`prefix` is '{prefix}', and pipeline `{pipeline}` has sources with names, each with a folder of its own: leave `prefix` \
                 out, and name `objects` where not all that is new is to be taken"
            );
            return Err(refused("prefix", detail));
        }
        let landing = prefix.map(|text| home.landing(&text)).transpose()?;
        let folders = landing.as_ref().map_or(home.folders.as_slice(), std::slice::from_ref);
        let objects = objects.map(|texts| home.objects(folders, &texts)).transpose()?;
        let request = RunRequest { pipeline, spec: None, landing, action: RunAction::Ingest, engine, objects };
        let size = serde_json::to_vec(&request).map(|text| text.len()).unwrap_or(usize::MAX);
        if size > MAX_REQUEST_BYTES {
            let detail = format!(
                "the request has {size} bytes, more than the {MAX_REQUEST_BYTES} a run can carry: name fewer `objects` per run"
            );
            return Err(Problem::new(ProblemCode::BodyTooLarge, detail).in_field("objects"));
        }
        Ok(request)
    }
}

/// Where the files of a pipeline are.
struct Home<'a> {
    lake: &'a FolderUri,
    /// Paths of the folders, as the spec has them.
    sources: &'a [LakePath],
    /// Their addresses.
    folders: Vec<FolderUri>,
}

impl Home<'_> {
    fn landing(&self, text: &str) -> Result<FolderUri, Problem> {
        let wrong = |error: UriError| refused("prefix", format!("`prefix`: {error}"));
        let folder: FolderUri = if text.contains("://") {
            text.parse().map_err(wrong)?
        } else {
            self.lake.folder(&layout::delivered(&text.parse().map_err(wrong)?))
        };
        self.check("prefix", text, &self.folders, folder.as_url())?;
        Ok(folder)
    }

    fn objects(&self, landing: &[FolderUri], texts: &[String]) -> Result<BTreeSet<ObjectUri>, Problem> {
        if texts.is_empty() || texts.len() > MAX_OBJECTS {
            let detail = format!(
                "`objects` has {} names: name 1 to {MAX_OBJECTS}, or leave it out to take all that is new",
                texts.len()
            );
            return Err(refused("objects", detail));
        }
        let object = |(at, text): (usize, &String)| {
            let field = format!("objects[{at}]");
            let wrong = |error: UriError| refused(&field, format!("`{field}`: {error}"));
            let uri: ObjectUri = if text.contains("://") {
                text.parse().map_err(wrong)?
            } else {
                self.lake.object(&layout::delivered(&text.parse().map_err(wrong)?))
            };
            self.check(&field, text, landing, uri.as_url())?;
            Ok(uri)
        };
        texts.iter().enumerate().map(object).collect()
    }

    /// A caller may name no other place: a run reads with the rights of its functions, and says what it read.
    fn check(&self, field: &str, text: &str, folders: &[FolderUri], address: &Url) -> Result<(), Problem> {
        if folders.iter().any(|folder| folder.contains(address)) {
            return Ok(());
        }
        let below = self.sources.first().map(LakePath::as_str).unwrap_or_default();
        let example = below.strip_prefix(LANDING).and_then(|rest| rest.strip_prefix('/')).unwrap_or(below);
        let detail = format!(
            "`{field}` is '{text}', which is not in the folder of the run: name what is in `{below}/` of the lake, such as '{example}/day1'"
        );
        Err(refused(field, detail))
    }
}

/// The run that the address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRun(pub(crate) RunId);

impl<S: Send + Sync> FromRequestParts<S> for NamedRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = segment
            .map_err(|rejection| Problem::new(ProblemCode::NotFound, format!("no run: {}", rejection.body_text())))?;
        named("run", &text).map(Self)
    }
}

fn refused(field: &str, detail: String) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, detail).in_field(field)
}
