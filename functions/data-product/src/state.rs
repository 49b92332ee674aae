//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_core::access::{Principal, TableAccess};
use sluice_core::name::TableRef;
use sluice_lake::Lake;
use sluice_lake::serve::{Answers, MaskKey, Queries, QueryLimits, Snapshots, TableForm};

use crate::audit::AuditLog;
use crate::links::Links;
use crate::registry::Registry;
use crate::secret::Secret;

/// What the handlers work with.
#[derive(Debug)]
pub struct ProductsApi {
    pub(crate) lake: Lake,
    pub(crate) secret: Secret,
    pub(crate) audit: AuditLog,
    pub(crate) registry: Registry,
    pub(crate) links: Links,
    pub(crate) snapshots: Snapshots,
    pub(crate) questions: Arc<dyn Answers>,
    pub(crate) settings: Settings,
}

/// What a deployment decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address that callers reach this API at, without a final slash, such as `http://127.0.0.1:8080`.
    pub endpoint: String,
    /// As whom callers without credentials read. For `sluice serve --as`; never on AWS.
    pub local_caller: Option<Principal>,
    /// Largest answer that is sent as it is, in bytes. Larger ones are written to the lake and handed out by address.
    pub max_answer_bytes: usize,
    /// How long addresses of files are good; [`crate::links::LINK_EXPIRY`] unless there is a reason.
    pub link_expiry: Duration,
}

/// Questions that the engine works on at once in this process. It uses all cores for each, so more would only take memory.
const QUESTIONS_AT_ONCE: usize = 8;

/// What the handlers share.
pub(crate) type App = Arc<ProductsApi>;

impl ProductsApi {
    /// The API over this lake, with questions answered in this process.
    pub fn new(lake: Lake, secret: Secret, audit: AuditLog, settings: Settings) -> Self {
        let registry = Registry::new(lake.documents().clone());
        let links = Links::new(&lake, secret.link_key(), &settings);
        let snapshots = Snapshots::new(lake.clone());
        let questions = Arc::new(Queries::new(snapshots.clone(), QUESTIONS_AT_ONCE, QueryLimits::default()));
        Self { lake, secret, audit, registry, links, snapshots, questions, settings }
    }

    /// The API with questions answered elsewhere.
    #[must_use]
    pub fn answered_by(self, questions: Arc<dyn Answers>) -> Self {
        Self { questions, ..self }
    }

    /// A table in the form in which a caller reads it.
    pub(crate) fn form(&self, table: &TableRef, version: u64, access: &TableAccess) -> TableForm {
        TableForm { table: table.clone(), version, access: access.clone(), key: self.mask_key() }
    }

    /// The key of column hashes.
    pub(crate) fn mask_key(&self) -> MaskKey {
        MaskKey(self.secret.mask_key())
    }

    /// The time that decisions are made at.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
