//! The Lambda function `authorize`.

use std::process::ExitCode;

use jiff::Timestamp;
use sluice_documents::DocumentStore;

fn main() -> ExitCode {
    sluice_aws::serve(
        async |env| {
            let root = env.lake()?;
            let options = sluice_aws::store::store_options(env, &root).await?;
            Ok(DocumentStore::open(&root, &options)?)
        },
        async |documents, input| {
            sluice_authorize::handle(documents, Timestamp::now(), input, sluice_authorize::write_to_log).await
        },
    )
}
