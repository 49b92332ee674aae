//! How executions ended that are not in memory any more.

use std::collections::VecDeque;

use serde_json::json;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::ReportedError;
use sluice_executions::ports::Execution;

/// Most executions that are remembered: the newest that were forgotten. Each takes some hundred bytes.
const MAX_FORGOTTEN: usize = 100_000;
/// Most characters of a cause that are remembered.
const MAX_CAUSE: usize = 300;

/// How executions ended, those that were forgotten last at the end. Without what they were asked, which may be large and
/// is in their documents.
#[derive(Debug, Default)]
pub(super) struct Forgotten(VecDeque<Execution>);

impl Forgotten {
    /// Remembers how an execution ended.
    pub(super) fn add(&mut self, pipeline: &PipelineName, execution: Execution) {
        while self.0.len() >= MAX_FORGOTTEN {
            self.0.pop_front();
        }
        let error = execution.error.map(|ReportedError { error, cause }| {
            let cause = cause.chars().take(MAX_CAUSE).collect();
            ReportedError { error, cause }
        });
        self.0.push_back(Execution { input: json!({ "pipeline": pipeline }), error, ..execution });
    }

    /// How the execution of a run ended, the last time if it was redriven.
    pub(super) fn get(&self, run: &RunId) -> Option<&Execution> {
        self.0.iter().rev().find(|execution| execution.run_id == *run)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sluice_core::failure::MachineError;
    use sluice_executions::ports::ExecutionStatus;

    use super::*;

    fn stopped(number: usize, cause: &str) -> Execution {
        Execution {
            run_id: format!("run-{number}").parse().unwrap(),
            status: ExecutionStatus::Aborted,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: Some(Timestamp::UNIX_EPOCH),
            redrives: 0,
            input: json!({ "pipeline": "retail", "engine": "emr" }),
            error: Some(ReportedError { error: MachineError::Stopped.into(), cause: cause.to_owned() }),
        }
    }

    #[test]
    fn the_newest_are_remembered_and_what_is_large_is_not() {
        let mut forgotten = Forgotten::default();
        let pipeline = "retail".parse().unwrap();
        for number in 0..=MAX_FORGOTTEN {
            forgotten.add(&pipeline, stopped(number, "by ann"));
        }
        assert_eq!(forgotten.0.len(), MAX_FORGOTTEN);
        let get = |number: usize| forgotten.get(&format!("run-{number}").parse().unwrap()).cloned();
        assert_eq!(get(0), None);
        assert_eq!(get(1).unwrap().input, json!({ "pipeline": "retail" }));
        forgotten.add(&pipeline, stopped(2, &"x".repeat(2 * MAX_CAUSE)));
        let error = forgotten.get(&"run-2".parse().unwrap()).unwrap().error.clone();
        assert_eq!(error.unwrap().cause.len(), MAX_CAUSE);
    }
}
