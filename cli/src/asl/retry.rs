//! Retriers and catchers: which rule handles an error, and after which wait.

use std::time::Duration;

use super::error_name::{AslErrorName, ServiceError};
use super::path::ReferencePath;

/// The longest delay that the service allows between two attempts: 366 days.
pub(super) const MAX_DELAY_SECONDS: u64 = 31_622_400;

/// A non-empty list of error names, parsed from `ErrorEquals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ErrorMatcher {
    /// `States.ALL`, alone.
    All,
    Named(Vec<AslErrorName>),
}

impl ErrorMatcher {
    /// Checks `ErrorEquals`; `is_last` is whether the rule is the last of its list.
    pub(super) fn parse(names: Vec<String>, is_last: bool) -> Result<Self, String> {
        if names.is_empty() {
            return Err("`ErrorEquals` is empty".to_owned());
        }
        let names: Vec<AslErrorName> = names.into_iter().map(AslErrorName::from).collect();
        if names.contains(&AslErrorName::Service(ServiceError::All)) {
            return match (names.len(), is_last) {
                (1, true) => Ok(Self::All),
                (1, false) => Err("`States.ALL` must be in the last rule".to_owned()),
                _ => Err("`States.ALL` must be alone in its `ErrorEquals`".to_owned()),
            };
        }
        for name in &names {
            match name {
                AslErrorName::Service(ServiceError::Runtime | ServiceError::DataLimitExceeded) => {
                    return Err(format!("`{name}` ends the execution and cannot be retried or caught"));
                }
                // No task fails with it.
                AslErrorName::Service(
                    ServiceError::NoChoiceMatched | ServiceError::ExceedToleratedFailureThreshold,
                ) => return Err(unknown(name)),
                AslErrorName::Other(text) if text.starts_with("States.") => return Err(unknown(name)),
                AslErrorName::Service(_) | AslErrorName::Other(_) => {}
            }
        }
        Ok(Self::Named(names))
    }

    pub(super) fn matches(&self, error: &AslErrorName) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => {
                let is_timeout = *error == AslErrorName::Service(ServiceError::Timeout);
                let any_but_timeout = AslErrorName::Service(ServiceError::TaskFailed);
                names.contains(error) || (!is_timeout && names.contains(&any_but_timeout))
            }
        }
    }
}

fn unknown(name: &AslErrorName) -> String {
    format!("`{name}` is not an error name of the service")
}

/// One rule of `Retry`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retrier {
    pub(super) errors: ErrorMatcher,
    pub(super) interval_seconds: u32,
    pub(super) max_attempts: u32,
    pub(super) backoff_rate: f64,
    pub(super) max_delay_seconds: u64,
    pub(super) full_jitter: bool,
}

impl Retrier {
    /// The longest wait before retry number `retry` (0 is the first): interval times rate to the power of `retry`,
    /// at most the maximum delay. Full jitter chooses a wait between zero and this.
    pub(super) fn delay(&self, retry: u32) -> Duration {
        let cap = Duration::from_secs(self.max_delay_seconds);
        let seconds = f64::from(self.interval_seconds) * self.backoff_rate.powf(f64::from(retry));
        Duration::try_from_secs_f64(seconds).map_or(cap, |delay| delay.min(cap))
    }
}

/// One rule of `Catch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Catcher {
    pub(super) errors: ErrorMatcher,
    pub(super) result_path: Placement,
    pub(super) next: String,
}

/// What `ResultPath` does with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placement {
    /// `null`: the input goes on and the result is dropped.
    Discard,
    /// The result goes to this node of the input; `$` replaces the input.
    At(ReferencePath),
}

/// Counts the attempts of one visit of a state. Each retrier has its own count.
#[derive(Debug)]
pub(super) struct RetryCounts {
    used: Vec<u32>,
}

impl RetryCounts {
    pub(super) fn new(retriers: &[Retrier]) -> Self {
        Self { used: vec![0; retriers.len()] }
    }

    /// The retrier that handles `error` with the number of its retry, or `None` when the state must catch or fail. Only
    /// the first retrier that matches counts: when it is exhausted, later ones are not tried.
    pub(super) fn next<'r>(&mut self, retriers: &'r [Retrier], error: &AslErrorName) -> Option<(&'r Retrier, u32)> {
        let (used, retrier) = self.used.iter_mut().zip(retriers).find(|(_, retrier)| retrier.errors.matches(error))?;
        let retry = *used;
        if retry >= retrier.max_attempts {
            return None;
        }
        *used += 1;
        Some((retrier, retry))
    }
}
