//! Writes every event of an execution to a file, with the inputs and outputs of its states.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::asl::{ExecutionEvent, Observer};

/// Writes the events, one JSON object per line.
pub struct Trace {
    state: Mutex<State>,
}

struct State {
    file: BufWriter<File>,
    /// The first error of the file. The run continues without the trace; the command reports the error at the end.
    fault: Option<io::Error>,
}

impl Trace {
    /// A trace in this file, whose old content is replaced.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create the trace file {}", path.display()))?;
        Ok(Self { state: Mutex::new(State { file: BufWriter::new(file), fault: None }) })
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// When the file could not be written, now or before.
    pub fn finish(self) -> Result<()> {
        let State { mut file, fault } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        fault.map_or_else(|| file.flush(), Err).context("cannot write the trace file")
    }
}

impl Observer for Trace {
    fn on(&self, event: &ExecutionEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { file, fault } = &mut *state;
        let line = serde_json::to_writer(&mut *file, event).map_err(io::Error::from);
        if let Err(error) = line.and_then(|()| file.write_all(b"\n")) {
            fault.get_or_insert(error);
        }
    }
}

/// Passes each event to several observers.
impl<A: Observer, B: Observer> Observer for (&A, Option<&B>) {
    fn on(&self, event: &ExecutionEvent) {
        self.0.on(event);
        if let Some(second) = self.1 {
            second.on(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::asl::StateType;

    #[test]
    fn a_trace_has_every_event_with_its_input_and_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let trace = Trace::create(&path).unwrap();
        let at = "2026-01-05T09:00:00Z".parse().unwrap();
        let name = || "Gate".to_owned();
        trace.on(&ExecutionEvent::StateEntered { name: name(), state_type: StateType::Choice, input: json!(1), at });
        trace.on(&ExecutionEvent::StateExited { name: name(), output: json!(2), at });
        trace.finish().unwrap();
        let lines: Vec<Value> =
            fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let at = "2026-01-05T09:00:00Z";
        assert_eq!(
            lines,
            [
                json!({"event": "state_entered", "name": "Gate", "state_type": "Choice", "input": 1, "at": at}),
                json!({"event": "state_exited", "name": "Gate", "output": 2, "at": at}),
            ]
        );
    }

    #[test]
    fn a_trace_file_that_cannot_be_created_is_named_in_the_error() {
        let error = Trace::create(Path::new("/proc/none/trace.jsonl")).err().unwrap();
        assert!(error.to_string().contains("/proc/none/trace.jsonl"), "{error}");
    }
}
