//! The Lambda function `submit`.

use std::process::ExitCode;

use sluice_aws::sfn::StateMachineExecutions;
use sluice_documents::DocumentStore;
use sluice_http::Callers;
use sluice_http::audit::{AuditLog, Audited};
use sluice_submit::RunsApi;

fn main() -> ExitCode {
    sluice_http::lambda::serve(async |env| {
        let root = env.lake()?;
        let options = sluice_aws::store::store_options(env, &root).await?;
        let documents = DocumentStore::open(&root, &options)?;
        let executions = StateMachineExecutions::new(&sluice_aws::sdk_config().await, env.state_machine()?);
        let audited = Audited { callers: Callers::of_gateway(), log: AuditLog::of_process() };
        let (router, document) = sluice_submit::router(RunsApi::new(documents, executions), audited);
        Ok(sluice_http::guard::documented(router, document))
    })
}
