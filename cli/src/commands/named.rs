//! Errors about what the user named.

use anyhow::Error;
use sluice_core::error::ErrorName;
use sluice_lake::LakeError;

use crate::fault::{Exit, Fault};

/// What the user named does not exist or is not what it was taken for: wrong use, not a failure.
pub(super) fn named_wrongly(error: LakeError, next: &str) -> Error {
    match error.name() {
        name @ (ErrorName::NotFound | ErrorName::InvalidInput) if !matches!(error, LakeError::Document(_)) => {
            Fault::new(Exit::WrongUse, error.to_string()).named(name.as_str()).next(next).into()
        }
        _ => error.into(),
    }
}
