//! What the pages of the console work with.

use sluice_http::pipelines::Pipelines;
use sluice_lake::Lake;

use super::recent::Recent;
use super::session::{LocalSignIn, Sessions};
use crate::secret::Secret;

/// What the pages work with.
#[derive(Debug)]
pub(crate) struct Console {
    /// Who is signed in.
    pub(super) sessions: Sessions,
    /// The pipelines, and who may read their runs.
    pub(super) pipelines: Pipelines,
    /// Runs and holds.
    pub(super) recent: Recent,
}

impl Console {
    /// The console of this lake at this endpoint. Nothing is read yet.
    pub(crate) fn new(lake: &Lake, secret: &Secret, endpoint: &str) -> Self {
        Self {
            sessions: Sessions::new(secret.session_key(), endpoint),
            pipelines: Pipelines::new(lake.documents().clone()),
            recent: Recent::new(lake.clone()),
        }
    }

    /// The pipelines, and who may read their runs.
    pub(crate) fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Runs and holds.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The console where a person of this machine signs in without a token.
    pub(crate) fn with_local(self, local: LocalSignIn) -> Self {
        Self { sessions: self.sessions.with_local(local), ..self }
    }
}
