//! Who calls.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use sluice_core::name::RunId;
use sluice_http::body::named;
use sluice_http::{Credentials, Problem, ProblemCode};

use crate::RunsApi;

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// Whoever reaches this machine, under one name.
    Local(String),
    /// IAM callers whom API Gateway has authenticated, and nobody else.
    Gateway,
}

/// A caller who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal(pub(crate) String);

impl FromRequestParts<RunsApi> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &RunsApi) -> Result<Self, Problem> {
        match (&api.callers, Credentials::of(parts)) {
            (Callers::Local(name), _) => Ok(Self(name.clone())),
            (Callers::Gateway, Credentials::Gateway(caller)) => Ok(Self(caller.arn)),
            (Callers::Gateway, Credentials::None | Credentials::Bearer(_)) => {
                let detail = "sign the request for AWS IAM (SigV4, service `execute-api`)";
                Err(Problem::new(ProblemCode::Unauthenticated, detail))
            }
        }
    }
}

/// The run that the address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRun(pub(crate) RunId);

impl FromRequestParts<RunsApi> for NamedRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &RunsApi) -> Result<Self, Problem> {
        let segment = Path::<String>::from_request_parts(parts, api).await;
        let Path(text) = segment
            .map_err(|rejection| Problem::new(ProblemCode::NotFound, format!("no run: {}", rejection.body_text())))?;
        named("run", &text).map(Self)
    }
}
