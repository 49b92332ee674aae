//! The Lambda function `data-product`.

use std::process::ExitCode;

use sluice_aws::{env, secrets};
use sluice_data_product::links::LINK_EXPIRY;
use sluice_data_product::secret::Secret;
use sluice_data_product::{ProductsApi, Settings};
use sluice_http::Callers;
use sluice_http::audit::{AuditLog, Audited};
use sluice_lake::Lake;

/// Largest answer that is sent as it is. Lambda takes 6 MB of payload, in which bytes that are no text are a third longer.
const MAX_ANSWER_BYTES: usize = 4_000_000;

fn main() -> ExitCode {
    sluice_http::lambda::serve(async |env| {
        let root = env.lake()?;
        let secret: Secret = secrets::secret(env).await?;
        let endpoint: String = env.parse(env::ENDPOINT)?;
        let options = sluice_aws::store::store_options(env, &root).await?;
        let lake = Lake::open(&root, &options)?.with_s3(sluice_aws::s3::client(&options));
        let settings = Settings { endpoint, max_answer_bytes: MAX_ANSWER_BYTES, link_expiry: LINK_EXPIRY };
        let audited = Audited { callers: Callers::of_lake(lake.documents().clone()), log: AuditLog::of_process() };
        let (router, document) = sluice_data_product::router(ProductsApi::new(lake, secret, settings), audited);
        Ok(sluice_http::guard::documented(router, document))
    })
}
