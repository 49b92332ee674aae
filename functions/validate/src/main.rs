//! The Lambda function `validate`.

use std::process::ExitCode;

use jiff::Timestamp;
use sluice_lake::Lake;

fn main() -> ExitCode {
    sluice_aws::serve(
        async |env| {
            let root = env.lake()?;
            let options = sluice_aws::store::store_options(env, &root).await?;
            Ok(Lake::open(&root, &options)?.with_s3(sluice_aws::s3::client(&options)))
        },
        async |lake, input| sluice_validate::handle(lake, Timestamp::now(), input).await,
    )
}
