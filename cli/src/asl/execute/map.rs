//! Map states in mode DISTRIBUTED: each item is an execution of its own, with its own history and context object.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{EVENTS_OF_EXECUTION, Execution, Step, context, place};
use crate::asl::error_name::ServiceError;
use crate::asl::event::{ExecutionEvent, ItemEnd};
use crate::asl::limit::{Failure, MAX_AT_ONCE, Reach, check_size, missing};
use crate::asl::machine::{AtOnce, MapAction, State, Then};
use crate::asl::port::{Observer, TaskHandler, Timer};

/// `MapStateStarted`, `MapRunStarted`, and the two events that end them.
const EVENTS_OF_MAP: u32 = 4;

/// What the service says where an item failed and no failure is tolerated.
const INTOLERABLE: &str = "The specified tolerated failure threshold was exceeded";

impl<H: TaskHandler, T: Timer, O: Observer> Execution<'_, H, T, O> {
    /// The step of a Map state. It fails with its first item that fails, and stops the others. No item of our own Map
    /// fails: each of its errors is caught.
    pub(super) async fn map(
        &mut self,
        name: &str,
        state: &State,
        map: &MapAction,
        raw: Value,
    ) -> Result<Step, Failure> {
        self.count_events(EVENTS_OF_MAP)?;
        let data = self.select("InputPath", &state.input, &raw)?;
        let node = map.items.find(&data, &self.context).ok_or_else(|| missing("ItemsPath", &map.items))?;
        let Value::Array(items) = node else {
            return Err(Failure::runtime(format!("`ItemsPath`: `{}` of `{name}` is not an array", map.items)));
        };
        let at_once = self.at_once(map, &data)?;
        let started = ExecutionEvent::MapStarted { name: name.to_owned(), items: items.len(), at: self.timer.now() };
        self.observer.on(&started);
        let outputs = Value::Array(self.outputs(name, map, &data, items, at_once).await?);
        let result = match &map.result_selector {
            Some(selector) => selector.fill(&outputs, &self.context)?,
            None => outputs,
        };
        let result = place(name, &map.result_path, raw, result)?;
        let output = self.select("OutputPath", &state.output, &result)?;
        Ok(Step { then: map.then.clone(), output })
    }

    /// How many items run at the same time.
    fn at_once(&self, map: &MapAction, data: &Value) -> Result<usize, Failure> {
        let most = match &map.at_once {
            AtOnce::Fixed(most) => *most,
            AtOnce::At(path) => {
                let value = path.find(data, &self.context).ok_or_else(|| missing("MaxConcurrencyPath", path))?;
                value.as_u64().ok_or_else(|| {
                    let cause = format!("`MaxConcurrencyPath`: `{path}` is {value}, not a whole number from 0");
                    Failure::runtime(cause)
                })?
            }
        };
        let most = if most == 0 { MAX_AT_ONCE } else { most.min(MAX_AT_ONCE) };
        Ok(usize::try_from(most).unwrap_or(usize::MAX).min(self.handler.at_once()).max(1))
    }

    /// Runs all items; their outputs, in the order of the items.
    async fn outputs(
        &self,
        name: &str,
        map: &MapAction,
        data: &Value,
        items: &[Value],
        at_once: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut outputs = vec![Value::Null; items.len()];
        let mut waiting = items.iter().enumerate();
        // What is dropped is stopped.
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < at_once
                && let Some((index, item)) = waiting.next()
            {
                let input = self.item_input(map, data, index, item)?;
                running.push(self.item(map, &input).ended(&map.processor.start_at, index, input));
            }
            let Some((index, ended)) = running.next().await else { return Ok(outputs) };
            let end = match &ended {
                Ok(output) => ItemEnd::Output(output.clone()),
                Err(failure) => ItemEnd::Error(failure.error.to_string()),
            };
            let (name, at) = (name.to_owned(), self.timer.now());
            self.observer.on(&ExecutionEvent::ItemEnded { name, index, items: items.len(), end, at });
            match (ended, outputs.get_mut(index)) {
                (Ok(output), Some(slot)) => *slot = output,
                (Ok(_), None) => {}
                (Err(failure), _) if failure.reach == Reach::Everything => return Err(failure),
                (Err(_), _) => {
                    return Err(Failure::task(ServiceError::ExceedToleratedFailureThreshold, INTOLERABLE.to_owned()));
                }
            }
        }
    }

    fn item_input(&self, map: &MapAction, data: &Value, index: usize, item: &Value) -> Result<Value, Failure> {
        let Some(selector) = &map.item_selector else { return Ok(item.clone()) };
        let mut context = self.context.clone();
        if let Some(fields) = context.as_object_mut() {
            fields.insert("Map".to_owned(), json!({ "Item": { "Index": index, "Value": item } }));
        }
        selector.fill(data, &context).map_err(Failure::from)
    }

    /// The execution of an item. Its time ends with that of this execution.
    fn item<'c>(&'c self, map: &'c MapAction, input: &Value) -> Execution<'c, H, T, O> {
        let machine = format!("{}/{}", self.machine, map.label);
        Execution {
            machine: self.machine,
            states: &map.processor.states,
            handler: self.handler,
            timer: self.timer,
            observer: self.observer,
            deadline: self.deadline,
            history_events: EVENTS_OF_EXECUTION,
            context: context(&machine, &Uuid::now_v7().to_string(), input, self.timer.now()),
            is_item: true,
        }
    }

    /// Runs the execution of an item to its end.
    async fn ended(mut self, start_at: &str, index: usize, mut input: Value) -> (usize, Result<Value, Failure>) {
        let mut current = start_at.to_owned();
        if let Err(failure) = check_size("execution input", &input) {
            return (index, Err(failure));
        }
        loop {
            let step = match self.begin(&current, &input) {
                Ok(state) => self.step(&current, state, input).await,
                Err(failure) => Err(failure),
            };
            match step.and_then(|step| self.end(&current, step)) {
                Ok(Step { then: Then::Next(next), output }) => (current, input) = (next, output),
                Ok(Step { then: Then::End, output }) => return (index, Ok(output)),
                Err(failure) => return (index, Err(failure)),
            }
        }
    }
}
