//! What the function is asked: by the state machine, by EventBridge, by a schedule.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_core::run::RunRef;
use sluice_documents::ended::EndedExecution;
use sluice_documents::event::is_event;

/// The input of terminate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is read per call")]
pub enum Input {
    /// `{"run": …}`: the state machine is done with the cluster of this attempt.
    Attempt(RunRef),
    /// An execution ended without its own end: EventBridge `Step Functions Execution Status Change`.
    Execution(EndedExecution),
    /// `{"sweep": true}`: a schedule has every cluster checked.
    Sweep,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRun {
    run: RunRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSweep {
    sweep: bool,
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if is_event(&value) {
            return value.try_into().map(Self::Execution).map_err(D::Error::custom);
        }
        if value.get("sweep").is_some() {
            let OfSweep { sweep } = parse(value).map_err(D::Error::custom)?;
            return if sweep {
                Ok(Self::Sweep)
            } else {
                Err(D::Error::custom("at `sweep`: write true or leave it out"))
            };
        }
        parse(value).map(|OfRun { run }| Self::Attempt(run)).map_err(D::Error::custom)
    }
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| format!("at `{}`: {}", error.path(), error.inner()))
}
