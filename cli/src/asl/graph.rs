//! Checks on a graph, of a machine or of an item processor: targets exist, every state is reached, every state can end.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::{Action, DefinitionError, State, States, Then};

/// Checks these states, of which one begins.
pub(super) fn check(start_at: &str, states: &States) -> Result<(), DefinitionError> {
    require(states, "`StartAt`", start_at)?;
    let mut sources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, state) in states {
        for target in targets(state) {
            require(states, &format!("state `{name}`"), target)?;
            sources.entry(target).or_default().push(name);
        }
    }

    let reached = closure([start_at], |name| states.get(name).map(targets).unwrap_or_default());
    let ends = states.iter().filter(|(_, state)| is_terminal(state)).map(|(name, _)| name.as_str());
    let ending = closure(ends, |name| sources.get(name).cloned().unwrap_or_default());
    for name in states.keys() {
        if !reached.contains(name.as_str()) {
            return Err(DefinitionError::Unreachable { state: name.clone() });
        }
        if !ending.contains(name.as_str()) {
            return Err(DefinitionError::NoTerminal { state: name.clone() });
        }
    }
    Ok(())
}

/// Every state that may follow `state`.
pub(super) fn targets<'a>(state: &'a State) -> Vec<&'a str> {
    let then = |then: &'a Then| match then {
        Then::Next(next) => Some(next.as_str()),
        Then::End => None,
    };
    match &state.action {
        Action::Pass { then: next, .. } | Action::Wait { then: next, .. } => then(next).into_iter().collect(),
        Action::Task(task) => {
            then(&task.then).into_iter().chain(task.catch.iter().map(|catcher| catcher.next.as_str())).collect()
        }
        // The states of its processor follow each other alone.
        Action::Map(map) => then(&map.then).into_iter().collect(),
        Action::Choice { rules, default } => {
            rules.iter().map(|rule| rule.next.as_str()).chain(default.as_deref()).collect()
        }
        Action::Succeed | Action::Fail { .. } => Vec::new(),
    }
}

fn is_terminal(state: &State) -> bool {
    match &state.action {
        Action::Succeed | Action::Fail { .. } => true,
        Action::Pass { then, .. } | Action::Wait { then, .. } => matches!(then, Then::End),
        Action::Task(task) => matches!(task.then, Then::End),
        Action::Map(map) => matches!(map.then, Then::End),
        Action::Choice { .. } => false,
    }
}

fn require(states: &States, origin: &str, target: &str) -> Result<(), DefinitionError> {
    if states.contains_key(target) {
        Ok(())
    } else {
        Err(DefinitionError::DanglingTarget { origin: origin.to_owned(), target: target.to_owned() })
    }
}

/// Everything that `step` leads to from `start`, `start` included.
fn closure<'n>(start: impl IntoIterator<Item = &'n str>, step: impl Fn(&str) -> Vec<&'n str>) -> BTreeSet<&'n str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = start.into_iter().collect();
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(step(name));
        }
    }
    seen
}
