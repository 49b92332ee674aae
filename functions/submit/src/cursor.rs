//! Where the next page of runs begins, as callers carry it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sluice_core::name::PipelineName;
use sluice_http::{Problem, ProblemCode};

/// Longest cursor: twice the longest token of Step Functions (1024) in Base64, with the rest.
const MAX_CURSOR_BYTES: usize = 4096;

/// A place in the list of one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    pipeline: Option<PipelineName>,
    token: String,
}

impl Cursor {
    /// The text of the place at `token` in the runs of this pipeline, or of all.
    pub(crate) fn text(pipeline: Option<&PipelineName>, token: String) -> Result<String, Problem> {
        let json = serde_json::to_vec(&Self { pipeline: pipeline.cloned(), token })
            .map_err(|error| Problem::new(ProblemCode::Internal, format!("the cursor has no JSON form: {error}")))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    /// The token in a cursor of the same question.
    pub(crate) fn token(text: &str, pipeline: Option<&PipelineName>) -> Result<String, Problem> {
        let cursor = Some(text)
            .filter(|text| text.len() <= MAX_CURSOR_BYTES)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok())
            .ok_or_else(|| invalid("cursor is not valid: begin at the first page, without `cursor`"))?;
        if cursor.pipeline.as_ref() == pipeline {
            Ok(cursor.token)
        } else {
            Err(invalid("cursor belongs to the list of another `pipeline`: begin at the first page, without `cursor`"))
        }
    }
}

pub(crate) fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidCursor, detail).in_field("cursor")
}
