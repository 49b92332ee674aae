//! The option that sends events of OpenLineage.

use std::str::FromStr;

use clap::Args;
use sluice_core::openlineage::{Target, TargetError};

/// The option, shared by all commands that execute runs.
#[derive(Debug, Args)]
pub struct OpenLineageOption {
    /// Send OpenLineage events when a run has ended: to https://host/api/v1/lineage or file:///folder; `lake` keeps
    /// them with the run alone. SLUICE_OPENLINEAGE_KEY is the key of the server
    #[arg(id = "openlineage_target", long = "openlineage", env = "SLUICE_OPENLINEAGE", value_name = "TARGET")]
    pub setting: Option<OpenLineageSetting>,
}

/// A target as typed, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLineageSetting(Option<Box<Target>>);

impl FromStr for OpenLineageSetting {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text {
            "" | "none" => Ok(Self(None)),
            target => target.parse().map(|target| Self(Some(Box::new(target)))),
        }
    }
}

impl OpenLineageOption {
    /// The target; `None` where no events are made.
    pub fn target(&self) -> Option<&Target> {
        self.setting.as_ref()?.0.as_deref()
    }
}
