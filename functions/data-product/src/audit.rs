//! One event per access: who read what, in which form, by which rule.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sluice_core::access::{AccessPath, ColumnAccess};
use sluice_core::name::{GrantName, PortName, ProductRef};

/// An access, allowed or denied. It names columns and counts rows; no value, token or address is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who; `anonymous` when nobody was recognised.
    pub caller: String,
    /// Id of the token used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// By which access path.
    #[serde(rename = "door")]
    pub access_path: AccessPath,
    /// What was asked for, such as `rows`, `query`, `changes` or `schema`.
    pub operation: &'static str,
    /// Of which product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductRef>,
    /// Of which port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortName>,
    /// Version of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Columns given out, with their form: `country`, `customer_id:hash`.
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

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Given.
    Allowed,
    /// Not given.
    Denied,
    /// Allowed, and it came to nothing: nothing was given.
    Failed,
}

/// The columns of an access as an event has them.
pub fn columns_text<'a>(columns: impl IntoIterator<Item = &'a ColumnAccess>) -> Vec<String> {
    use sluice_core::access::Treatment;
    let text = |column: &ColumnAccess| match column.treatment {
        Treatment::Hide => None,
        Treatment::Clear => Some(column.name.clone()),
        Treatment::Null => Some(format!("{}:null", column.name)),
        Treatment::Hash => Some(format!("{}:hash", column.name)),
        Treatment::Partial => Some(format!("{}:partial", column.name)),
    };
    columns.into_iter().filter_map(text).collect()
}

/// Where events go.
#[derive(Clone)]
pub struct AuditLog(Arc<dyn Fn(&AuditEvent) + Send + Sync>);

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog(…)")
    }
}

impl AuditLog {
    /// A log that this function writes.
    pub fn new(write: impl Fn(&AuditEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The log of the process: one line at level INFO with target `audit` and the event as JSON in the field `audit`.
    pub fn of_process() -> Self {
        Self::new(|event| match serde_json::to_string(event) {
            Ok(text) => tracing::info!(target: "audit", audit = text, "access"),
            Err(error) => tracing::error!(target: "audit", %error, "an access could not be written down"),
        })
    }

    /// Writes an event.
    pub(crate) fn write(&self, event: &AuditEvent) {
        (self.0)(event);
    }
}
