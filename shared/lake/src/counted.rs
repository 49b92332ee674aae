//! Delta logs are read and written through stores whose requests are counted, as documents are.

use std::sync::{Arc, Once};

use deltalake::logstore::{ObjectStoreFactory, ObjectStoreRef, StorageConfig, object_store_factories};
use deltalake::{DeltaResult, Path};
use sluice_documents::usage::Counted;
use url::Url;

/// Where lakes are. The first has its stores on this machine, which get the requests that S3 would get.
const SCHEMES: [&str; 3] = ["file://", "s3://", "s3a://"];

/// Makes the stores of another factory, and counts their requests.
struct CountedFactory(Arc<dyn ObjectStoreFactory>);

impl ObjectStoreFactory for CountedFactory {
    fn parse_url_opts(&self, url: &Url, config: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let (store, path) = self.0.parse_url_opts(url, config)?;
        Ok((Arc::new(Counted::new(store)), path))
    }
}

/// From now on, the requests of tables that are opened are counted. Called again, it does nothing.
pub(crate) fn count_requests() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let factories = object_store_factories();
        for scheme in SCHEMES {
            let Ok(scheme) = Url::parse(scheme) else { continue };
            // The registry is locked while an entry is borrowed.
            let known = factories.get(&scheme).map(|factory| Arc::clone(factory.value()));
            if let Some(known) = known {
                factories.insert(scheme, Arc::new(CountedFactory(known)));
            }
        }
    });
}
