//! Where the next page of runs begins, as callers carry it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sluice_core::cursor;
use sluice_core::name::PipelineName;
use sluice_http::{Caller, Problem, ProblemCode};

/// Longest open cursor: twice the longest token of Step Functions (1024) in Base64, with the rest.
const MAX_CURSOR_BYTES: usize = 4096;

/// How cursors are written.
#[derive(Clone)]
pub(crate) enum Cursors {
    /// With the token as the service gave it, which says nothing to callers. So every environment of a function reads those of the others.
    Open,
    /// Sealed with a key of this process: its tokens have names and times of runs, which may be others than the caller may read.
    Sealed([u8; 32]),
}

impl std::fmt::Debug for Cursors {
    /// Says of what kind they are, and never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Cursors::Open",
            Self::Sealed(_) => "Cursors::Sealed",
        })
    }
}

/// A place in the list of one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    pipeline: Option<PipelineName>,
    token: String,
}

impl Cursors {
    /// The text of the place at `token` in the caller's list of runs of this pipeline, or of all.
    pub(crate) fn text(
        &self,
        caller: &Caller,
        pipeline: Option<&PipelineName>,
        token: String,
    ) -> Result<String, Problem> {
        let unwritten =
            |error: String| Problem::new(ProblemCode::Internal, format!("the cursor cannot be written: {error}"));
        match self {
            Self::Open => {
                let place = serde_json::to_vec(&Place { pipeline: pipeline.cloned(), token });
                Ok(URL_SAFE_NO_PAD.encode(place.map_err(|error| unwritten(error.to_string()))?))
            }
            Self::Sealed(key) => {
                cursor::seal(key, &question(caller, pipeline), &token).map_err(|error| unwritten(error.to_string()))
            }
        }
    }

    /// The token in a cursor of the same question.
    pub(crate) fn token(
        &self,
        caller: &Caller,
        pipeline: Option<&PipelineName>,
        text: &str,
    ) -> Result<String, Problem> {
        match self {
            Self::Open => opened(text, pipeline),
            Self::Sealed(key) => cursor::open(key, &question(caller, pipeline), text).map_err(|_| {
                invalid("cursor is not valid for this list of runs: begin at the first page, without `cursor`")
            }),
        }
    }
}

fn opened(text: &str, pipeline: Option<&PipelineName>) -> Result<String, Problem> {
    let place = Some(text)
        .filter(|text| text.len() <= MAX_CURSOR_BYTES)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .and_then(|json| serde_json::from_slice::<Place>(&json).ok())
        .ok_or_else(|| invalid("cursor is not valid: begin at the first page, without `cursor`"))?;
    if place.pipeline.as_ref() == pipeline {
        Ok(place.token)
    } else {
        Err(invalid("cursor belongs to the list of another `pipeline`: begin at the first page, without `cursor`"))
    }
}

/// What a sealed cursor is good for. Names of callers and pipelines have no line ends.
fn question(caller: &Caller, pipeline: Option<&PipelineName>) -> String {
    format!("runs\n{}\n{}", caller.name(), pipeline.map(PipelineName::as_str).unwrap_or_default())
}

pub(crate) fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidCursor, detail).in_field("cursor")
}
