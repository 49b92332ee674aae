//! Which engine a run is given to: what it would need, and the choice.

mod choice;
mod cut;
mod estimate;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::choice::{choose, choose_combining};
pub use self::cut::{Divisible, MAX_PARTS, cut};
pub use self::estimate::{Estimate, ObjectMeasure, PartsMeasure, ROW_GROUP_ROWS, TableMeasure, Workload, estimate};
pub use crate::run::EngineChoice;

/// What executes a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Polars in the function `process`.
    Lambda,
    /// Polars reads in the function `process`; Spark combines, on a cluster of Amazon EMR that is started for the run.
    Emr,
}

impl Engine {
    /// The name that plans and state machines have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Emr => "emr",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person wants about the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnginePreference {
    /// Whatever fits the size of the run.
    #[default]
    Auto,
    /// Polars, whatever the size.
    Lambda,
    /// Spark, whatever the size.
    Emr,
}

impl EnginePreference {
    /// Every preference.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Lambda, Self::Emr];

    /// As specs and requests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Lambda => "lambda",
            Self::Emr => "emr",
        }
    }
}

impl fmt::Display for EnginePreference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no engine preference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no engine; write auto, lambda (Polars) or emr (Spark)")]
pub struct EngineError {
    /// The text.
    pub text: String,
}

impl FromStr for EnginePreference {
    type Err = EngineError;

    /// Reads the names, and those of the libraries behind them: `polars` and `spark`.
    fn from_str(text: &str) -> Result<Self, EngineError> {
        match text {
            "auto" => Ok(Self::Auto),
            "lambda" | "polars" => Ok(Self::Lambda),
            "emr" | "spark" => Ok(Self::Emr),
            _ => Err(EngineError { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_print_and_parse() {
        for each in EnginePreference::ALL {
            assert_eq!(each.to_string().parse(), Ok(each));
            assert_eq!(serde_json::to_value(each).expect("json"), each.as_str());
        }
        assert_eq!("spark".parse(), Ok(EnginePreference::Emr));
        assert_eq!("polars".parse(), Ok(EnginePreference::Lambda));
        assert!("Spark".parse::<EnginePreference>().is_err());
    }
}
