//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_core::product::RegisteredProduct;
use sluice_http::{Caller, Problem};
use sluice_lake::Lake;
use sluice_lake::serve::{Answer, Answers, MaskKey, Queries, QueryLimits, Question, ServeError, Snapshots, TableForm};

use crate::Access;
use crate::console::{Console, LocalSignIn};
use crate::deployed::Deployed;
use crate::links::Links;
use crate::metrics::Measuring;
use crate::problem::problem_of;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::written::Written;

/// What the handlers work with.
#[derive(Debug)]
pub struct ProductsApi {
    pub(crate) lake: Lake,
    pub(crate) secret: Secret,
    pub(crate) registry: Registry,
    pub(crate) links: Links,
    pub(crate) snapshots: Snapshots,
    pub(crate) questions: Arc<dyn Answers>,
    pub(crate) settings: Settings,
    pub(crate) written: Written,
    pub(crate) console: Console,
    pub(crate) deployed: Deployed,
    pub(crate) measuring: Option<Measuring>,
}

/// What a deployment decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address that callers reach this API at, without a final slash, such as `http://127.0.0.1:8080`.
    pub endpoint: String,
    /// Largest answer that is sent as it is, in bytes. Larger ones are written to the lake and handed out by address.
    pub max_answer_bytes: usize,
    /// How long addresses of files are good; [`crate::links::LINK_EXPIRY`] unless there is a reason.
    pub link_expiry: Duration,
}

/// Questions that the engine works on at once in this process. It uses all cores for each, so more would only take memory.
const QUESTIONS_AT_ONCE: usize = 8;

/// What is read of a table outside of questions, within the time that a question may take.
///
/// # Errors
/// `query-too-slow`.
pub(crate) async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, Problem> {
    within(QueryLimits::default().time, reading).await
}

async fn within<T>(time: Duration, reading: impl Future<Output = T>) -> Result<T, Problem> {
    let read = tokio::time::timeout(time, reading).await;
    read.map_err(|_| problem_of(&ServeError::TooSlow { seconds: time.as_secs() }, "version"))
}

/// What the handlers share.
pub(crate) type App = Arc<ProductsApi>;

impl ProductsApi {
    /// The API over this lake, with questions answered in this process.
    pub fn new(lake: Lake, secret: Secret, settings: Settings) -> Self {
        let registry = Registry::new(lake.documents().clone());
        let links = Links::new(&lake, secret.link_key(), &settings);
        let snapshots = Snapshots::new(lake.clone());
        let deployed = Deployed::new(lake.documents().clone());
        let questions = Arc::new(Queries::new(snapshots.clone(), QUESTIONS_AT_ONCE, QueryLimits::default()));
        let console = Console::new(&lake, &secret, &settings.endpoint);
        let written = Written::default();
        Self {
            lake,
            secret,
            registry,
            links,
            snapshots,
            questions,
            settings,
            written,
            console,
            deployed,
            measuring: None,
        }
    }

    /// The API with questions answered elsewhere.
    #[must_use]
    pub fn answered_by(self, questions: Arc<dyn Answers>) -> Self {
        Self { questions, ..self }
    }

    /// The API whose console a person of this machine signs in to without a token.
    #[must_use]
    pub fn signing_in(self, local: LocalSignIn) -> Self {
        Self { console: self.console.with_local(local), ..self }
    }

    /// The API with `/metrics`, for a server that runs on: a function lives too short for counts of its own.
    #[must_use]
    pub fn measuring(self, measuring: Measuring) -> Self {
        Self { measuring: Some(measuring), ..self }
    }

    /// A port's table in the form in which a caller reads it.
    pub(crate) fn form(&self, access: &Access, version: u64) -> TableForm {
        let (table, form, key) = (access.port.table.clone(), access.table.clone(), self.mask_key(&access.product));
        TableForm { table, version, access: form, key }
    }

    /// Asks a question in the caller's name: all sessions and tokens of one principal share its places.
    ///
    /// # Errors
    /// Those of the question.
    pub(crate) async fn ask(&self, caller: &Caller, asked: Question) -> Result<Answer, ServeError> {
        self.questions.answer(&caller.principal.to_string(), asked).await
    }

    /// The key of a product's column hashes.
    pub(crate) fn mask_key(&self, product: &RegisteredProduct) -> MaskKey {
        MaskKey(self.secret.mask_key(&product.product, product.policy.salt.as_ref()))
    }

    /// The time that decisions are made at.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use sluice_http::ProblemCode;

    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up() {
        let time = Duration::from_millis(20);
        assert_eq!(within(time, async { 1 }).await.ok(), Some(1));
        let slow = within(time, std::future::pending::<()>()).await;
        assert_eq!(slow.map_err(|problem| problem.code), Err(ProblemCode::QueryTooSlow));
    }
}
