//! The steps of a run. Each may be called again, at the same time or after a crash, and leaves the same result: its
//! document is written by the first who gets there, and every commit carries what it brings.

mod assemble;
mod audit;
mod changes;
mod choose;
mod named;
mod plan;
mod process;
mod publish;
mod sniff;

pub use assemble::assemble;
pub use audit::quality_check;
pub(crate) use plan::newest_plan;
pub use plan::{replan, validate};
pub use process::process;
pub use publish::publish;

use serde::de::DeserializeOwned;
use sluice_core::run::RunRef;
use sluice_core::uri::layout;

use crate::error::LakeError;
use crate::lake::Lake;

/// A document of this attempt of a run.
async fn document<T: DeserializeOwned>(lake: &Lake, run: &RunRef, kind: &str) -> Result<Option<T>, LakeError> {
    lake.read_document(&layout::attempt_document(&run.pipeline, &run.run_id, run.attempt, kind)).await
}

/// A document that an earlier step of this attempt must have written.
async fn required<T: DeserializeOwned>(lake: &Lake, run: &RunRef, kind: &str) -> Result<T, LakeError> {
    document(lake, run, kind).await?.ok_or_else(|| LakeError::NotFound {
        what: format!(
            "run `{}` of `{}` has no {kind} for attempt {}; run the step before",
            run.run_id, run.pipeline, run.attempt
        ),
    })
}
