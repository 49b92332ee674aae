//! The Lambda function `terminate`.

use std::process::ExitCode;

use jiff::Timestamp;
use sluice_aws::emr::Emr;
use sluice_documents::DocumentStore;
use sluice_terminate::Ports;

fn main() -> ExitCode {
    sluice_aws::serve(
        async |env| {
            let root = env.lake()?;
            let options = sluice_aws::store::store_options(env, &root).await?;
            let documents = DocumentStore::open(&root, &options)?;
            let clusters = Emr::new(&sluice_aws::sdk_config().await);
            Ok(Ports { documents, clusters })
        },
        async |ports, input| sluice_terminate::handle(ports, Timestamp::now(), input).await,
    )
}
