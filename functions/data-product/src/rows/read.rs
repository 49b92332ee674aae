//! `GET /data-products/{domain}/{product}/rows`: a page of rows of one port.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_core::access::Door;
use sluice_core::name::{PortName, ProductRef};
use sluice_http::body::named;
use sluice_http::{Credentials, Problem, ProblemCode, Query};
use utoipa::IntoParams;

use crate::answer::Format;
use crate::{Access, App, Caller};

/// What is asked of the rows.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The output port; may be left out where the product has one that you may read.
    #[param(max_length = 64, pattern = "^[a-z][a-z0-9_]{0,63}$")]
    port: Option<String>,
    /// Columns, separated by commas; all that you may read when left out.
    #[param(max_length = 4096, example = "country,net_revenue")]
    columns: Option<String>,
    /// Only rows for which this predicate of the portable SQL subset is true.
    #[param(max_length = 8192, example = "country = 'France' AND net_revenue > 100")]
    filter: Option<String>,
    /// Columns to order by, separated by commas, `-` for descending.
    #[param(max_length = 1024, example = "-net_revenue,country")]
    order: Option<String>,
    /// Most rows of the page: 1 to 10,000.
    #[param(minimum = 1, maximum = 10000, default = 100)]
    limit: Option<u32>,
    /// The page after the one that gave this cursor; the other parameters must be the same.
    #[param(max_length = 2048)]
    cursor: Option<String>,
    /// The table as it was at this version.
    version: Option<u64>,
    /// The table as it was at this instant, RFC 3339.
    #[param(format = DateTime)]
    as_of: Option<String>,
    /// Format of the answer; goes before `Accept`.
    #[param(inline)]
    format: Option<Format>,
}
