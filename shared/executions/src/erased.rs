//! The port without its type: routes are documented by macros that know no generic handlers.

use std::pin::Pin;
use std::sync::Arc;

use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::RunRequest;

use crate::history::PassedState;
use crate::ports::{Execution, ExecutionFault, ExecutionPage, Executions, Redriven, Started};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ExecutionFault>> + Send + 'a>>;

/// The port with boxed futures, which an object can have.
trait Boxed: Send + Sync {
    fn admit<'a>(&'a self, pipeline: &'a PipelineName) -> Answer<'a, ()>;
    fn start<'a>(&'a self, run: &'a RunId, request: &'a RunRequest) -> Answer<'a, Started>;
    fn describe<'a>(&'a self, run: &'a RunId) -> Answer<'a, Option<Execution>>;
    fn history<'a>(&'a self, run: &'a RunId) -> Answer<'a, Option<Vec<PassedState>>>;
    fn list<'a>(&'a self, limit: usize, token: Option<&'a str>) -> Answer<'a, ExecutionPage>;
    fn redrive<'a>(&'a self, run: &'a RunId) -> Answer<'a, Redriven>;
    fn stop<'a>(&'a self, run: &'a RunId, cause: &'a str) -> Answer<'a, ()>;
}

impl<E: Executions> Boxed for E {
    fn admit<'a>(&'a self, pipeline: &'a PipelineName) -> Answer<'a, ()> {
        Box::pin(Executions::admit(self, pipeline))
    }

    fn start<'a>(&'a self, run: &'a RunId, request: &'a RunRequest) -> Answer<'a, Started> {
        Box::pin(Executions::start(self, run, request))
    }

    fn describe<'a>(&'a self, run: &'a RunId) -> Answer<'a, Option<Execution>> {
        Box::pin(Executions::describe(self, run))
    }

    fn history<'a>(&'a self, run: &'a RunId) -> Answer<'a, Option<Vec<PassedState>>> {
        Box::pin(Executions::history(self, run))
    }

    fn list<'a>(&'a self, limit: usize, token: Option<&'a str>) -> Answer<'a, ExecutionPage> {
        Box::pin(Executions::list(self, limit, token))
    }

    fn redrive<'a>(&'a self, run: &'a RunId) -> Answer<'a, Redriven> {
        Box::pin(Executions::redrive(self, run))
    }

    fn stop<'a>(&'a self, run: &'a RunId, cause: &'a str) -> Answer<'a, ()> {
        Box::pin(Executions::stop(self, run, cause))
    }
}

/// Executions of any kind. Cheap to clone.
#[derive(Clone)]
pub struct AnyExecutions(Arc<dyn Boxed>);

impl AnyExecutions {
    /// These executions, without their type.
    pub fn new(executions: impl Executions + 'static) -> Self {
        Self(Arc::new(executions))
    }
}

impl std::fmt::Debug for AnyExecutions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyExecutions")
    }
}

impl Executions for AnyExecutions {
    async fn admit(&self, pipeline: &PipelineName) -> Result<(), ExecutionFault> {
        Boxed::admit(self.0.as_ref(), pipeline).await
    }

    async fn start(&self, run: &RunId, request: &RunRequest) -> Result<Started, ExecutionFault> {
        Boxed::start(self.0.as_ref(), run, request).await
    }

    async fn describe(&self, run: &RunId) -> Result<Option<Execution>, ExecutionFault> {
        Boxed::describe(self.0.as_ref(), run).await
    }

    async fn history(&self, run: &RunId) -> Result<Option<Vec<PassedState>>, ExecutionFault> {
        Boxed::history(self.0.as_ref(), run).await
    }

    async fn list(&self, limit: usize, token: Option<&str>) -> Result<ExecutionPage, ExecutionFault> {
        Boxed::list(self.0.as_ref(), limit, token).await
    }

    async fn redrive(&self, run: &RunId) -> Result<Redriven, ExecutionFault> {
        Boxed::redrive(self.0.as_ref(), run).await
    }

    async fn stop(&self, run: &RunId, cause: &str) -> Result<(), ExecutionFault> {
        Boxed::stop(self.0.as_ref(), run, cause).await
    }
}
