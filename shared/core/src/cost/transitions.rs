//! How many states a run went through.

use crate::engine::Engine;
use crate::run::{Outcome, RunAction};

/// Transitions of the execution of a part: its begin, its task and its end, as AWS counts them.
const OF_A_PART: u64 = 3;

/// Transitions between the states of an execution with this end, without repetitions of tasks; with those of its parts.
///
/// AWS counts the begin of an execution as well as each state. `None` where the way is not known: for failures, more than one
/// attempt, and Spark, whose cluster is asked for until it is ready. A test compares these numbers with the definition.
pub fn transitions(
    outcome: Outcome,
    action: &RunAction,
    attempt: u32,
    engine: Option<Engine>,
    parts: u64,
) -> Option<u64> {
    if matches!(action, RunAction::Accept { .. }) || attempt > 1 {
        return None;
    }
    let states = match (outcome, engine) {
        (Outcome::Skipped, _) => 5,
        (Outcome::Published, Some(Engine::Lambda)) => 10,
        (Outcome::Rejected, Some(Engine::Lambda)) => 9,
        _ => return None,
    };
    let of_parts = if parts > 0 { 1 + parts.saturating_mul(OF_A_PART) } else { 0 };
    Some(1 + states + of_parts)
}
