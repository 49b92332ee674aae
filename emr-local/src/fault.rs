//! Faults that a test requests.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// A call fails with `ThrottlingException`; nothing is done.
    Throttle {
        /// Name of the operation, such as `RunJobFlow`.
        operation: String,
    },
    /// A call fails with `InternalServerException`; nothing is done.
    InternalError {
        /// Name of the operation.
        operation: String,
    },
    /// A call is done, and the connection is closed before the response.
    LostAnswer {
        /// Name of the operation.
        operation: String,
    },
    /// `RunJobFlow` fails with `ValidationException`.
    RefuseCluster {
        /// Text of the exception.
        message: String,
    },
    /// The next cluster finds no instances: `TERMINATED_WITH_ERRORS`, `INTERNAL_ERROR`.
    NoCapacity,
    /// The next cluster fails validation while it starts: `TERMINATED_WITH_ERRORS`, `VALIDATION_ERROR`.
    ClusterInvalid {
        /// Text of the reason.
        message: String,
    },
    /// A bootstrap action of the next cluster fails: `TERMINATED_WITH_ERRORS`, `BOOTSTRAP_FAILURE`.
    BootstrapFails,
    /// The next step fails without running.
    StepFails {
        /// The message in its failure details.
        message: String,
    },
    /// The next step is cancelled when it begins to run.
    StepCancelled,
    /// The next step runs until it is cancelled; its work is never done.
    StepNeverEnds,
    /// The cluster of the next step is terminated when the step begins to run.
    ClusterLost,
    /// When the next step has done its work, this command runs before the step counts as completed: it removes or
    /// damages outputs. A command that fails makes the step fail.
    AfterStep {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// A fault, how often and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How many matching events are hit.
    #[serde(default = "once")]
    pub times: u32,
    /// How many matching events pass before the first is hit.
    #[serde(default)]
    pub after: u32,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// The fault at the next matching event.
    pub fn once(kind: FaultKind) -> Self {
        Self { kind, times: 1, after: 0 }
    }

    /// The fault at this number of events.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// The fault after this number of events has passed.
    #[must_use]
    pub fn after(self, after: u32) -> Self {
        Self { after, ..self }
    }
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallFault {
    /// It is refused before anything is done.
    Refused(ApiError),
    /// It is done, and the response is lost.
    Lost,
}

/// What happens to a cluster that is being created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClusterFault {
    NoCapacity,
    Invalid(String),
    Bootstrap,
}

/// What happens to a step that begins to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepFault {
    Fails(String),
    Cancelled,
    NeverEnds,
    ClusterLost,
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.planned.clear();
    }

    pub(crate) fn planned(&self) -> &[Fault] {
        &self.planned
    }

    /// What happens to this call.
    pub(crate) fn of_call(&mut self, operation: &str) -> Option<CallFault> {
        self.take(|kind| match kind {
            FaultKind::Throttle { operation: of } if of == operation => {
                Some(CallFault::Refused(ApiError::throttling()))
            }
            FaultKind::InternalError { operation: of } if of == operation => {
                Some(CallFault::Refused(ApiError::internal()))
            }
            FaultKind::LostAnswer { operation: of } if of == operation => Some(CallFault::Lost),
            FaultKind::RefuseCluster { message } if operation == "RunJobFlow" => {
                Some(CallFault::Refused(ApiError::validation(message)))
            }
            _ => None,
        })
    }

    /// What happens to a cluster created now.
    pub(crate) fn of_cluster(&mut self) -> Option<ClusterFault> {
        self.take(|kind| match kind {
            FaultKind::NoCapacity => Some(ClusterFault::NoCapacity),
            FaultKind::ClusterInvalid { message } => Some(ClusterFault::Invalid(message.clone())),
            FaultKind::BootstrapFails => Some(ClusterFault::Bootstrap),
            _ => None,
        })
    }

    /// What happens to a step that begins now.
    pub(crate) fn of_step(&mut self) -> Option<StepFault> {
        self.take(|kind| match kind {
            FaultKind::StepFails { message } => Some(StepFault::Fails(message.clone())),
            FaultKind::StepCancelled => Some(StepFault::Cancelled),
            FaultKind::StepNeverEnds => Some(StepFault::NeverEnds),
            FaultKind::ClusterLost => Some(StepFault::ClusterLost),
            _ => None,
        })
    }

    /// What runs after the work of a step.
    pub(crate) fn after_step(&mut self) -> Option<Vec<String>> {
        self.take(|kind| match kind {
            FaultKind::AfterStep { command } => Some(command.clone()),
            _ => None,
        })
    }

    /// The first fault that matches this event and is due; all that match are counted.
    fn take<T>(&mut self, matching: impl Fn(&FaultKind) -> Option<T>) -> Option<T> {
        let mut found = None;
        for fault in &mut self.planned {
            let Some(effect) = matching(&fault.kind) else { continue };
            if fault.after > 0 {
                fault.after -= 1;
            } else if found.is_none() && fault.times > 0 {
                fault.times -= 1;
                found = Some(effect);
            }
        }
        self.planned.retain(|fault| fault.times > 0);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_after_and_as_often_as_requested() {
        let throttle = || FaultKind::Throttle { operation: "ListSteps".to_owned() };
        let check = |fault: Fault, expected: [bool; 5]| {
            let mut faults = Faults::default();
            faults.add(fault.clone());
            let hits: Vec<bool> = (0..5)
                .map(|_| {
                    assert_eq!(faults.of_call("RunJobFlow"), None);
                    assert_eq!(faults.of_step(), None);
                    faults.of_call("ListSteps").is_some()
                })
                .collect();
            assert_eq!(hits, expected, "{fault:?}");
        };
        check(Fault::once(throttle()), [true, false, false, false, false]);
        check(Fault::once(throttle()).times(3), [true, true, true, false, false]);
        check(Fault::once(throttle()).after(2), [false, false, true, false, false]);
        check(Fault::once(throttle()).after(1).times(2), [false, true, true, false, false]);
    }

    #[test]
    fn faults_are_read_as_the_control_api_writes_them() {
        let check = |text: &str, expected: Option<Fault>| {
            assert_eq!(serde_json::from_str::<Fault>(text).ok(), expected, "{text}");
        };
        let lost = FaultKind::LostAnswer { operation: "RunJobFlow".to_owned() };
        check(r#"{"kind":"lost_answer","operation":"RunJobFlow"}"#, Some(Fault::once(lost.clone())));
        check(
            r#"{"kind":"lost_answer","operation":"RunJobFlow","times":2,"after":1}"#,
            Some(Fault::once(lost).times(2).after(1)),
        );
        check(r#"{"kind":"no_capacity"}"#, Some(Fault::once(FaultKind::NoCapacity)));
        check(r#"{"kind":"lost_answer"}"#, None);
        check(r#"{"kind":"nonsense"}"#, None);
    }
}
