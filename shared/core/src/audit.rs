//! What is written down of an access: who asked for what, in which form they got it, by which rule.
//!
//! The functions of the APIs write the events (`sluice_http::audit`), and so does the authorizer before Delta Sharing,
//! of the calls that reach no API.

use jiff::Timestamp;
use serde::Serialize;

use crate::access::AccessPath;
use crate::name::{GrantName, PipelineName, PortName, ProductRef, RunId};

/// The part of an API that an access is made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditPath {
    /// What is said of data products.
    Catalogue,
    /// Rows of a port.
    Rows,
    /// SQL.
    Query,
    /// Delta Sharing.
    Sharing,
    /// Files by address.
    Files,
    /// Runs of pipelines.
    Runs,
    /// Pages of the console.
    Console,
}

impl From<AccessPath> for AuditPath {
    fn from(path: AccessPath) -> Self {
        match path {
            AccessPath::Catalogue => Self::Catalogue,
            AccessPath::Rows => Self::Rows,
            AccessPath::Query => Self::Query,
            AccessPath::Sharing => Self::Sharing,
        }
    }
}

/// An access, allowed or not. It names columns and counts rows; no value, token or address is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEvent {
    /// When the request came.
    pub at: Timestamp,
    /// Who; `anonymous` when nobody was recognised.
    pub caller: String,
    /// Id of the token used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// By which access path.
    #[serde(rename = "door")]
    pub access_path: AuditPath,
    /// What was asked for, such as `rows`, `query`, `changes` or `start`.
    pub operation: &'static str,
    /// Of which product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductRef>,
    /// Of which port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortName>,
    /// Of which pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineName>,
    /// Of which run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Version of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Columns that were read or described, with their form: `country`, `customer_id:hash`. Those of conditions and orders are among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Whether rows were held back by the rule.
    pub row_filter: bool,
    /// Rows given out; of files handed out by address, the rows in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Files of the table that were read or handed out, and how many it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<(u64, u64)>,
    /// What was decided.
    pub decision: Outcome,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<GrantName>,
    /// Why the rule exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Why it was denied, or the code of the problem that it failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl AuditEvent {
    /// An access of which no more is known yet.
    pub fn new(at: Timestamp, access_path: AuditPath, operation: &'static str) -> Self {
        Self {
            at,
            caller: "anonymous".to_owned(),
            token_id: None,
            access_path,
            operation,
            product: None,
            port: None,
            pipeline: None,
            run: None,
            version: None,
            columns: Vec::new(),
            row_filter: false,
            rows: None,
            files: None,
            decision: Outcome::Allowed,
            rule: None,
            purpose: None,
            reason: None,
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Given.
    Allowed,
    /// Not given.
    Denied,
    /// Not denied, and it came to nothing: nothing was given.
    Failed,
}

/// An operation of an API: method, route, and what its events say of it.
pub type Operation = (&'static str, &'static str, AuditPath, &'static str);

/// The operations of the API of data products.
pub const PRODUCT_OPERATIONS: &[Operation] = &[
    ("GET", "/data-products", AuditPath::Catalogue, "list"),
    ("GET", "/data-products/{domain}/{product}", AuditPath::Catalogue, "manifest"),
    ("GET", "/data-products/{domain}/{product}/schema", AuditPath::Catalogue, "schema"),
    ("GET", "/data-products/{domain}/{product}/contract", AuditPath::Catalogue, "contract"),
    ("GET", "/data-products/{domain}/{product}/quality", AuditPath::Catalogue, "quality"),
    ("GET", "/data-products/{domain}/{product}/lineage", AuditPath::Catalogue, "lineage"),
    ("GET", "/data-products/{domain}/{product}/rows", AuditPath::Rows, "rows"),
    ("POST", "/query", AuditPath::Query, "query"),
    ("GET", "/sharing/shares", AuditPath::Sharing, "shares"),
    ("GET", "/sharing/shares/{share}", AuditPath::Sharing, "share"),
    ("GET", "/sharing/shares/{share}/schemas", AuditPath::Sharing, "schemas"),
    ("GET", "/sharing/shares/{share}/all-tables", AuditPath::Sharing, "all-tables"),
    ("GET", "/sharing/shares/{share}/schemas/{schema}/tables", AuditPath::Sharing, "tables"),
    ("GET", "/sharing/shares/{share}/schemas/{schema}/tables/{table}/version", AuditPath::Sharing, "version"),
    ("GET", "/sharing/shares/{share}/schemas/{schema}/tables/{table}/metadata", AuditPath::Sharing, "metadata"),
    ("POST", "/sharing/shares/{share}/schemas/{schema}/tables/{table}/query", AuditPath::Sharing, "query"),
    ("GET", "/sharing/shares/{share}/schemas/{schema}/tables/{table}/changes", AuditPath::Sharing, "changes"),
    ("GET", "/files/{id}", AuditPath::Files, "file"),
];

/// The pages of the console, which the API of data products serves.
pub const CONSOLE_OPERATIONS: &[Operation] = &[
    ("GET", "/console", AuditPath::Console, "overview"),
    ("GET", "/console/", AuditPath::Console, "overview"),
    ("GET", "/console/sign-in", AuditPath::Console, "sign-in-page"),
    ("POST", "/console/sign-in", AuditPath::Console, "sign-in"),
    ("POST", "/console/sign-out", AuditPath::Console, "sign-out"),
    ("GET", "/console/runs", AuditPath::Console, "runs"),
    ("GET", "/console/runs/{pipeline}", AuditPath::Console, "runs-of-pipeline"),
    ("GET", "/console/runs/{pipeline}/{run}", AuditPath::Console, "run"),
    ("GET", "/console/search", AuditPath::Console, "search"),
    ("GET", "/console/products", AuditPath::Console, "products"),
    ("GET", "/console/products/{domain}/{product}", AuditPath::Console, "product"),
    ("GET", "/console/products/{domain}/{product}/{port}", AuditPath::Console, "port"),
    // A sample is a read of rows.
    ("GET", "/console/products/{domain}/{product}/{port}/sample", AuditPath::Rows, "rows"),
    ("GET", "/console/lineage", AuditPath::Console, "lineage"),
    ("GET", "/console/quarantine/{pipeline}", AuditPath::Console, "quarantine"),
    ("GET", "/console/quarantine/{pipeline}/{run}", AuditPath::Console, "quarantine-of-run"),
    ("GET", "/console/sources/{pipeline}", AuditPath::Console, "sources"),
    ("GET", "/console/access/{domain}/{product}", AuditPath::Console, "access"),
];

/// What a server measures. `sluice serve` has it, and no function.
pub const METRICS_OPERATIONS: &[Operation] = &[("GET", "/metrics", AuditPath::Runs, "metrics")];

/// The operation of a request, by its method and its path.
pub fn operation(operations: &[Operation], method: &str, path: &str) -> Option<(AuditPath, &'static str)> {
    // Routes of GET answer HEAD as well.
    let method = if method == "HEAD" { "GET" } else { method };
    let found = operations.iter().find(|(known, route, ..)| method == *known && is_of(route, path));
    found.map(|(.., access_path, name)| (*access_path, *name))
}

/// Whether a path is of a route, whose parameters are segments in braces.
fn is_of(route: &str, path: &str) -> bool {
    let mut given = path.split('/');
    let fits = |segment: &str| {
        given.next().is_some_and(|given| given == segment || (segment.starts_with('{') && !given.is_empty()))
    };
    route.split('/').all(fits) && given.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_called_by_their_operation() {
        let check = |method: &str, path: &str, expected: Option<&str>| {
            let found = operation(PRODUCT_OPERATIONS, method, path).map(|(_, name)| name);
            assert_eq!(found, expected, "{method} {path}");
        };
        check("GET", "/sharing/shares", Some("shares"));
        check("HEAD", "/sharing/shares", Some("shares"));
        check("GET", "/sharing/shares/sales", Some("share"));
        check("POST", "/sharing/shares/sales/schemas/retail/tables/orders/query", Some("query"));
        check("GET", "/sharing/shares/sales/schemas/retail/tables/orders/query", None);
        check("GET", "/sharing/shares/", None);
        check("GET", "/sharing", None);
    }

    #[test]
    fn pages_of_the_console_are_called_by_their_operation() {
        let check = |method: &str, path: &str, expected: Option<&str>| {
            let found = operation(CONSOLE_OPERATIONS, method, path).map(|(_, name)| name);
            assert_eq!(found, expected, "{method} {path}");
        };
        check("GET", "/console/", Some("overview"));
        check("POST", "/console/sign-in", Some("sign-in"));
        check("GET", "/console/runs/retail/day-1", Some("run"));
        check("POST", "/console/runs/retail/day-1", None);
        check("GET", "/console/products/sales/orders", Some("product"));
        check("GET", "/console", Some("overview"));
        check("GET", "/console/nowhere/at/all", None);
    }

    #[test]
    fn nothing_is_known_of_an_access_at_first() {
        let event = AuditEvent::new(Timestamp::UNIX_EPOCH, AuditPath::Sharing, "shares");
        let expected = serde_json::json!({
            "at": "1970-01-01T00:00:00Z", "caller": "anonymous", "door": "sharing", "operation": "shares",
            "row_filter": false, "decision": "allowed",
        });
        assert_eq!(serde_json::to_value(event).expect("JSON"), expected);
    }
}
