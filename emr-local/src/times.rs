//! How long things take here, and times as EMR writes them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long the states of a cluster last. In milliseconds, because waiting for minutes would be useless on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// STARTING.
    pub starting_ms: u64,
    /// BOOTSTRAPPING.
    pub bootstrapping_ms: u64,
    /// From the end of the state in which a step can begin to its RUNNING.
    pub step_pending_ms: u64,
    /// TERMINATING, at least: it lasts until the programs of the steps are gone.
    pub terminating_ms: u64,
    /// How long a new cluster is missing from `ListClusters`, which is not read-after-write.
    pub listing_ms: u64,
    /// How long one second of `AutoTerminationPolicy.IdleTimeout` takes here.
    pub idle_second_ms: u64,
}

impl Default for Delays {
    /// Long enough for a client that polls every 100 ms to see every state. An idle second is a second.
    fn default() -> Self {
        Self {
            starting_ms: 300,
            bootstrapping_ms: 300,
            step_pending_ms: 100,
            terminating_ms: 200,
            listing_ms: 0,
            idle_second_ms: 1000,
        }
    }
}

impl Delays {
    pub(crate) fn starting(self) -> Duration {
        Duration::from_millis(self.starting_ms)
    }

    pub(crate) fn bootstrapping(self) -> Duration {
        Duration::from_millis(self.bootstrapping_ms)
    }

    pub(crate) fn step_pending(self) -> Duration {
        Duration::from_millis(self.step_pending_ms)
    }

    pub(crate) fn terminating(self) -> Duration {
        Duration::from_millis(self.terminating_ms)
    }

    pub(crate) fn listing(self) -> Duration {
        Duration::from_millis(self.listing_ms)
    }

    /// The idle timeout of a policy, on this machine's clock.
    pub(crate) fn idle(self, seconds: u64) -> Duration {
        Duration::from_millis(self.idle_second_ms.saturating_mul(seconds))
    }
}

/// An instant as the JSON protocol writes it: seconds since 1970, with a fraction.
pub(crate) fn epoch_seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// An instant from a request, the inverse of the function that writes one.
pub(crate) fn instant(epoch_seconds: f64) -> Option<Timestamp> {
    let since = jiff::SignedDuration::try_from_secs_f64(epoch_seconds).ok()?;
    Timestamp::from_duration(since).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_being_written_and_read() {
        let at: Timestamp = "2026-11-21T15:38:00.25Z".parse().unwrap();
        assert_eq!(instant(epoch_seconds(at)), Some(at));
        assert_eq!(instant(f64::NAN), None);
        assert_eq!(instant(1e300), None);
    }

    #[test]
    fn delays_are_read_in_part_and_idle_seconds_are_scaled() {
        let delays: Delays = serde_json::from_str(r#"{"starting_ms":5,"idle_second_ms":10}"#).unwrap();
        assert_eq!((delays.starting_ms, delays.bootstrapping_ms), (5, Delays::default().bootstrapping_ms));
        assert_eq!(delays.idle(60), Duration::from_millis(600));
        assert!(serde_json::from_str::<Delays>(r#"{"startingms":5}"#).is_err());
    }
}
