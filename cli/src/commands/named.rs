//! Errors about what the user named.

use anyhow::Error;
use sluice_core::error::{ErrorName, with_sources};
use sluice_lake::LakeError;

use crate::fault::{Exit, Fault};

/// When the user named something that does not exist or is of another kind, the command was used wrongly; it did not fail.
pub(super) fn named_wrongly(error: LakeError, next: &str) -> Error {
    match error.name() {
        name @ (ErrorName::NotFound | ErrorName::InvalidInput | ErrorName::VersionGone)
            if !matches!(error, LakeError::Document(_)) =>
        {
            Fault::new(Exit::WrongUse, with_sources(&error)).named(name).next(next).into()
        }
        _ => error.into(),
    }
}
