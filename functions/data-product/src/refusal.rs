//! What every operation may answer instead, for the document of the interface.

use std::collections::BTreeMap;

use sluice_http::problem::PROBLEM_JSON;
use sluice_http::{Problem, ProblemCode};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// Problems, one response for each status.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut codes: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for code in ProblemCode::ALL {
            codes.entry(code.status().as_u16()).or_default().push(code.as_str());
        }
        let response = |(status, codes): (u16, Vec<&'static str>)| {
            let schema = Ref::from_schema_name(Problem::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(codes.join(", ")).content(PROBLEM_JSON, content).build();
            (status.to_string(), RefOr::T(response))
        };
        codes.into_iter().map(response).collect()
    }
}
