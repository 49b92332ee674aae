//! The registered products, read from the lake and kept for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_core::name::{ProductRef, RecipientName};
use sluice_core::product::RegisteredProduct;
use sluice_core::recipient::Recipient;
use sluice_core::uri::layout;
use sluice_documents::{DocumentError, DocumentStore};
use sluice_http::problem::code_of;
use sluice_http::{Problem, ProblemCode};
use tokio::sync::Mutex;

/// How long products and recipients are kept. So a changed policy or a revoked token counts everywhere after this time.
const KEPT: Duration = Duration::from_secs(5);
/// Most recipients that are kept; beyond, all are read anew.
const MAX_RECIPIENTS: usize = 1024;

/// Products and recipients.
#[derive(Debug)]
pub(crate) struct Registry {
    documents: DocumentStore,
    products: Mutex<Option<(Instant, Arc<Vec<Arc<RegisteredProduct>>>)>>,
    recipients: Mutex<std::collections::HashMap<RecipientName, (Instant, Option<Arc<Recipient>>)>>,
}

impl Registry {
    pub(crate) fn new(documents: DocumentStore) -> Self {
        Self { documents, products: Mutex::default(), recipients: Mutex::default() }
    }

    /// All products, by domain and name. One caller reads them, the others wait for it.
    pub(crate) async fn products(&self) -> Result<Arc<Vec<Arc<RegisteredProduct>>>, Problem> {
        let mut kept = self.products.lock().await;
        if let Some((at, products)) = &*kept
            && at.elapsed() < KEPT
        {
            return Ok(products.clone());
        }
        let mut products = Vec::new();
        for path in self.documents.list(&layout::products()).await.map_err(|error| fault(&error))? {
            // Deregistered between the list and the read.
            if let Some(product) =
                self.documents.read::<RegisteredProduct>(&path).await.map_err(|error| fault(&error))?
            {
                products.push(Arc::new(product));
            }
        }
        products.sort_by(|a, b| a.product.cmp(&b.product));
        let products = Arc::new(products);
        *kept = Some((Instant::now(), products.clone()));
        Ok(products)
    }

    /// One product.
    pub(crate) async fn product(&self, product: &ProductRef) -> Result<Option<Arc<RegisteredProduct>>, Problem> {
        Ok(self.products().await?.iter().find(|registered| &registered.product == product).cloned())
    }

    /// A recipient.
    pub(crate) async fn recipient(&self, name: &RecipientName) -> Result<Option<Arc<Recipient>>, Problem> {
        let mut kept = self.recipients.lock().await;
        if let Some((at, recipient)) = kept.get(name)
            && at.elapsed() < KEPT
        {
            return Ok(recipient.clone());
        }
        let read = self.documents.read::<Recipient>(&layout::recipient(name)).await.map_err(|error| fault(&error))?;
        let recipient = read.map(Arc::new);
        if kept.len() >= MAX_RECIPIENTS {
            kept.clear();
        }
        kept.insert(name.clone(), (Instant::now(), recipient.clone()));
        Ok(recipient)
    }
}

/// A fault of the store: logged with its cause here, told without it.
fn fault(error: &DocumentError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = sluice_core::error::with_sources(error), "cannot read the registry");
    match code_of(name) {
        code @ (ProblemCode::TooManyRequests | ProblemCode::Unavailable) => {
            Problem::new(code, "the lake does not answer: call again")
        }
        _ => Problem::new(ProblemCode::Internal, "the registry of data products cannot be read"),
    }
}
