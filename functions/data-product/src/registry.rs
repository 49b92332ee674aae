//! The registered products, read from the lake and kept for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_core::name::ProductRef;
use sluice_core::product::RegisteredProduct;
use sluice_core::uri::layout;
use sluice_documents::{DocumentError, DocumentStore};
use sluice_http::Problem;
use tokio::sync::Mutex;

/// How long products are kept. So a changed policy counts everywhere after this time.
const KEPT: Duration = Duration::from_secs(5);

/// All products, by domain and name.
type Products = Arc<Vec<Arc<RegisteredProduct>>>;

/// The registered products.
#[derive(Debug)]
pub(crate) struct Registry {
    documents: DocumentStore,
    products: Mutex<Option<(Instant, Products)>>,
}

impl Registry {
    pub(crate) fn new(documents: DocumentStore) -> Self {
        Self { documents, products: Mutex::default() }
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
}

/// A fault of the store: logged here with its cause, answered without it.
fn fault(error: &DocumentError) -> Problem {
    let name = error.name();
    tracing::error!(error_name = %name, error_message = sluice_core::error::with_sources(error), "cannot read the registry");
    Problem::of_lake(name, "the registry of data products cannot be read")
}
