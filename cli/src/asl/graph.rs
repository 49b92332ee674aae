//! Checks on the whole graph: targets exist, every state is reached, every state can end.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::{Action, DefinitionError, State, StateMachine, Then};

pub(super) fn check(machine: &StateMachine) -> Result<(), DefinitionError> {
    require(machine, "`StartAt`", &machine.start_at)?;
    let mut sources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, state) in &machine.states {
        for target in targets(state) {
            require(machine, &format!("state `{name}`"), target)?;
            sources.entry(target).or_default().push(name);
        }
    }

    let reached =
        closure([machine.start_at.as_str()], |name| machine.states.get(name).map(targets).unwrap_or_default());
    let ends = machine.states.iter().filter(|(_, state)| is_terminal(state)).map(|(name, _)| name.as_str());
    let ending = closure(ends, |name| sources.get(name).cloned().unwrap_or_default());
    for name in machine.state_names() {
        if !reached.contains(name) {
            return Err(DefinitionError::Unreachable { state: name.to_owned() });
        }
        if !ending.contains(name) {
            return Err(DefinitionError::NoTerminal { state: name.to_owned() });
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
        Action::Choice { .. } => false,
    }
}

fn require(machine: &StateMachine, origin: &str, target: &str) -> Result<(), DefinitionError> {
    if machine.states.contains_key(target) {
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
