//! Map states and their item processors.

use super::{bounded, parse_states, placement, reference, selection, then};
use crate::asl::limit::{MAX_AT_ONCE, is_name};
use crate::asl::machine::{Action, AtOnce, MapAction, Processor, State, StateProblem};
use crate::asl::template::Template;
use crate::asl::wire::MapWire;

/// The longest label that the service accepts.
const LONGEST_LABEL: usize = 40;

pub(super) fn parse(name: &str, wire: MapWire) -> Result<State, StateProblem> {
    // The service makes up a label for a Map without one.
    let label = wire.label.as_deref().unwrap_or(name);
    if wire.label.is_some() && !is_name(label, LONGEST_LABEL) {
        let problem = format!("`Label` is `{label}`: use 1 to {LONGEST_LABEL} letters, digits, `-`, `_` and `.`");
        return Err(problem.into());
    }
    let at_once = match (wire.max_concurrency, &wire.max_concurrency_path) {
        (Some(_), Some(_)) => {
            return Err("`MaxConcurrency` and `MaxConcurrencyPath` exclude each other".to_owned().into());
        }
        (_, Some(path)) => AtOnce::At(reference("MaxConcurrencyPath", path)?),
        (most, None) => AtOnce::Fixed(bounded("MaxConcurrency", most.unwrap_or(0), 0, MAX_AT_ONCE)?),
    };
    let states = parse_states(&wire.item_processor.start_at, wire.item_processor.states)
        .map_err(|error| StateProblem::ItemProcessor(Box::new(error)))?;
    if let Some((inner, _)) = states.iter().find(|(_, state)| matches!(state.action, Action::Map(_))) {
        return Err(format!("state `{inner}` of the `ItemProcessor` is a Map, which is not supported there").into());
    }
    let map = MapAction {
        label: label.to_owned(),
        items: reference("ItemsPath", wire.items_path.as_deref().unwrap_or("$"))?,
        at_once,
        item_selector: wire.item_selector.map(|selector| Template::parse_item_selector(&selector)).transpose()?,
        processor: Processor { start_at: wire.item_processor.start_at, states },
        result_selector: wire
            .result_selector
            .map(|selector| Template::parse_object("ResultSelector", &selector))
            .transpose()?,
        result_path: placement(wire.result_path)?,
        then: then(wire.next, wire.end)?,
    };
    Ok(State {
        input: selection("InputPath", wire.input_path)?,
        output: selection("OutputPath", wire.output_path)?,
        action: Action::Map(Box::new(map)),
    })
}
