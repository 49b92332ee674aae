//! The states that an execution has passed.

use jiff::Timestamp;
use serde::Serialize;

/// A state that was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedState {
    /// Name, as in the definition.
    pub name: String,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// When it was left; `None` while the execution is in it, or when it ended the execution.
    pub exited_at: Option<Timestamp>,
}

impl PassedState {
    fn is_open(&self, name: &str) -> bool {
        self.name == name && self.exited_at.is_none()
    }
}

/// A step of an execution from state to state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// A state was entered.
    Entered {
        /// Its name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// A state was left.
    Exited {
        /// Its name.
        name: String,
        /// When.
        at: Timestamp,
    },
}

/// The states of these transitions, in the order in which they were entered. A state that is entered again, as in a
/// loop, is listed again.
pub fn passed(transitions: impl IntoIterator<Item = Transition>) -> Vec<PassedState> {
    let mut states: Vec<PassedState> = Vec::new();
    for transition in transitions {
        take(&mut states, transition);
    }
    states
}

/// Adds one transition to the states passed so far.
pub fn take(states: &mut Vec<PassedState>, transition: Transition) {
    match transition {
        // A redrive goes on with the state that ended the execution.
        Transition::Entered { name, .. } if states.last().is_some_and(|state| state.is_open(&name)) => {}
        Transition::Entered { name, at } => states.push(PassedState { name, entered_at: at, exited_at: None }),
        Transition::Exited { name, at } => {
            if let Some(open) = states.iter_mut().rev().find(|state| state.is_open(&name)) {
                open.exited_at = Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_times_of_their_own_visits() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let entered = |name: &str, second| Transition::Entered { name: name.to_owned(), at: at(second) };
        let exited = |name: &str, second| Transition::Exited { name: name.to_owned(), at: at(second) };
        let check = |transitions: Vec<Transition>, expected: &[(&str, i64, Option<i64>)]| {
            let expected: Vec<PassedState> = expected
                .iter()
                .map(|(name, entered, exited)| PassedState {
                    name: (*name).to_owned(),
                    entered_at: at(*entered),
                    exited_at: exited.map(at),
                })
                .collect();
            assert_eq!(passed(transitions), expected);
        };
        check(vec![], &[]);
        check(vec![entered("A", 1), exited("A", 2), entered("B", 2)], &[("A", 1, Some(2)), ("B", 2, None)]);
        check(
            vec![entered("A", 1), exited("A", 2), entered("A", 3), exited("A", 5)],
            &[("A", 1, Some(2)), ("A", 3, Some(5))],
        );
        check(vec![exited("A", 2)], &[]);
        // Failed, and redriven.
        check(vec![entered("A", 1), entered("A", 5), exited("A", 6)], &[("A", 1, Some(6))]);
    }
}
