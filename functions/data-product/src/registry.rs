//! The registered products, read from the lake and kept for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_core::name::ProductRef;
use sluice_core::product::RegisteredProduct;
use sluice_core::uri::layout;
use sluice_documents::{DocumentError, DocumentStore};
use sluice_http::Problem;
use sluice_http::reading::{Current, Reading};
use tokio::sync::Mutex;

/// How long products are kept. So a changed policy counts everywhere after this time.
const KEPT: Duration = Duration::from_secs(5);

/// All products, by domain and name.
type Products = Arc<Vec<Arc<RegisteredProduct>>>;

/// The registered products.
#[derive(Debug)]
pub(crate) struct Registry {
    documents: DocumentStore,
    products: Arc<Mutex<Option<Reading<Products>>>>,
}

impl Registry {
    pub(crate) fn new(documents: DocumentStore) -> Self {
        Self { documents, products: Arc::default() }
    }

    /// All products, by domain and name. One caller reads them, the others wait for it; as long as they are asked for, they
    /// are read again before their time is up, and nobody waits.
    pub(crate) async fn products(&self) -> Result<Products, Problem> {
        let mut kept = self.products.lock().await;
        if let Some(Current { value, is_due }) = kept.as_mut().and_then(|reading| reading.current(KEPT)) {
            if is_due {
                tokio::spawn(renew(self.documents.clone(), self.products.clone()));
            }
            return Ok(value);
        }
        let products = read(&self.documents).await.map_err(|error| fault(&error))?;
        *kept = Some(Reading::new(Instant::now(), products.clone()));
        Ok(products)
    }

    /// One product.
    pub(crate) async fn product(&self, product: &ProductRef) -> Result<Option<Arc<RegisteredProduct>>, Problem> {
        Ok(self.products().await?.iter().find(|registered| &registered.product == product).cloned())
    }
}

/// Reads the products that are kept again. Where that fails, they are read when their time is up.
async fn renew(documents: DocumentStore, kept: Arc<Mutex<Option<Reading<Products>>>>) {
    let began = Instant::now();
    match read(&documents).await {
        Ok(products) => {
            if let Some(reading) = &mut *kept.lock().await {
                reading.renew(began, products);
            }
        }
        // Logged, and answered to nobody.
        Err(error) => drop(fault(&error)),
    }
}

async fn read(documents: &DocumentStore) -> Result<Products, DocumentError> {
    let mut products = Vec::new();
    for path in documents.list(&layout::products()).await? {
        // Deregistered between the list and the read.
        if let Some(product) = documents.read::<RegisteredProduct>(&path).await? {
            products.push(Arc::new(product));
        }
    }
    products.sort_by(|a, b| a.product.cmp(&b.product));
    Ok(Arc::new(products))
}

/// A fault of the store: logged here with its cause, answered without it.
fn fault(error: &DocumentError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = sluice_core::error::with_sources(error), "cannot read the registry");
    Problem::of_lake(name, "the registry of data products cannot be read")
}
