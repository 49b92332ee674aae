//! One execution of the definition in the modelled world, with disturbances at chosen points.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::super::{
    ExecutionEvent, ExecutionResult, Observer, Place, StateMachine, StateType, TaskFailure, TaskHandler, Timer, redrive,
};
use super::super::support::{Answer, start_time};
use super::world::{Emr, attempt_of};

/// Longer than any execution may take.
const PAST_EVERY_DEADLINE: SignedDuration = SignedDuration::from_hours(1000);

/// Whether a disturbed call has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    No,
    Yes,
    /// After the execution has ended: the function continued although nobody waited for it any more.
    Late,
}

/// What happens at a point of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// The call returns this error.
    Error(&'static str, Effect),
    /// The call never answers: `States.Timeout`.
    Hang(Effect),
    /// An answer without any field: `States.Runtime`, which no Catch handles.
    Malformed,
    /// This call and all later ones of its function fail.
    Dead,
    /// Somebody stops the execution.
    Abort(Effect),
    /// The time of the whole execution is up.
    Overdue(Effect),
}

/// Where something can happen: a state, and the function when it is a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) state: String,
    pub(super) function: Option<String>,
}

/// How an execution ended, and what it left.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// `None`: aborted.
    pub(super) result: Option<ExecutionResult>,
    pub(super) points: Vec<Point>,
    pub(super) emr: Emr,
    late: Vec<(String, Value)>,
    /// Whether `terminate` was broken to the end.
    pub(super) has_dead_terminate: bool,
    /// The state in which it ended.
    pub(super) place: Place,
}

impl End {
    pub(super) fn has_succeeded(&self) -> bool {
        matches!(self.result, Some(ExecutionResult::Succeeded { .. }))
    }

    /// Lets the calls that nobody waited for do their work.
    pub(super) fn land_late_calls(&mut self) {
        for (function, payload) in std::mem::take(&mut self.late) {
            // Nobody receives the answer.
            let _ = call_emr(&mut self.emr, &function, &payload);
        }
    }
}

fn call_emr(emr: &mut Emr, function: &str, payload: &Value) -> Option<Result<Value, TaskFailure>> {
    match function {
        "start-emr" => Some(emr.start(payload)),
        "run-etl" => Some(emr.run_etl(payload)),
        "terminate" => Some(emr.terminate(payload)),
        _ => None,
    }
}

#[derive(Debug)]
struct Inner {
    emr: Emr,
    answers: BTreeMap<String, VecDeque<Answer>>,
    disturbances: BTreeMap<usize, Disturbance>,
    points: Vec<Point>,
    place: Place,
    /// The attempt up to which failures were reported, so that validate plans the next one after them.
    reported: u64,
    dead: BTreeSet<String>,
    late: Vec<(String, Value)>,
    now: Timestamp,
}

/// Functions, clock and observer of one execution.
#[derive(Debug)]
struct Stage {
    inner: Mutex<Inner>,
    abort: tokio::sync::watch::Sender<bool>,
}

/// Runs the definition. Functions that do not handle clusters return `answers` in order; the last one repeats.
pub(super) fn play(
    machine: &StateMachine,
    emr: Emr,
    answers: &BTreeMap<String, VecDeque<Answer>>,
    disturbances: &[(usize, Disturbance)],
) -> End {
    let first = Place { state: machine.start_at.clone(), input: request() };
    play_from(machine, emr, answers, disturbances, first, 0)
}

/// Goes on undisturbed where the execution ended, after the failure of its first attempt was reported.
pub(super) fn redriven(machine: &StateMachine, end: End, answers: &BTreeMap<String, VecDeque<Answer>>) -> End {
    play_from(machine, end.emr, answers, &[], end.place, 1)
}

fn request() -> Value {
    json!({ "pipeline": "retail" })
}

fn play_from(
    machine: &StateMachine,
    emr: Emr,
    answers: &BTreeMap<String, VecDeque<Answer>>,
    disturbances: &[(usize, Disturbance)],
    from: Place,
    reported: u64,
) -> End {
    let inner = Inner {
        emr,
        answers: answers.clone(),
        disturbances: disturbances.iter().copied().collect(),
        points: Vec::new(),
        place: from.clone(),
        reported,
        dead: BTreeSet::new(),
        late: Vec::new(),
        now: start_time(),
    };
    let stage = Stage { inner: Mutex::new(inner), abort: tokio::sync::watch::Sender::new(false) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = runtime.block_on(async {
        let mut aborted = stage.abort.subscribe();
        tokio::select! {
            biased;
            result = redrive(machine, "r1", request(), from, &stage, &stage, &stage) => Some(result),
            _ = aborted.wait_for(|is_aborted| *is_aborted) => None,
        }
    });
    let inner = stage.inner.into_inner().unwrap();
    let has_dead_terminate = inner.dead.contains("terminate");
    End { result, points: inner.points, emr: inner.emr, late: inner.late, has_dead_terminate, place: inner.place }
}

impl Stage {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// An aborted execution makes no further step.
    async fn stop_if_aborted(&self) {
        if *self.abort.borrow() {
            std::future::pending::<()>().await;
        }
    }
}

impl Inner {
    /// Records that the execution reached this point, and returns the disturbance planned for it.
    fn arrive(&mut self, function: Option<&str>) -> Option<Disturbance> {
        let number = self.points.len();
        self.points.push(Point { state: self.place.state.clone(), function: function.map(str::to_owned) });
        self.disturbances.get(&number).copied()
    }

    fn call(&mut self, function: &str, payload: &Value) -> Result<Value, TaskFailure> {
        if let Some(answer) = call_emr(&mut self.emr, function, payload) {
            return answer;
        }
        if payload.get("failure").is_some() && attempt_of(payload) > self.reported {
            return Err(TaskFailure::of_function("ClusterFailed", "the failure of the attempt, again"));
        }
        let queue = self.answers.get_mut(function).unwrap_or_else(|| panic!("no answer of `{function}`"));
        let answer = if queue.len() > 1 { queue.pop_front().unwrap() } else { queue.front().unwrap().clone() };
        match answer {
            Answer::Give(value) => Ok(value),
            Answer::Fail(error) => Err(TaskFailure::of_function(error, "scripted")),
            Answer::Hang => panic!("a story does not hang by itself"),
        }
    }

    fn take_effect(&mut self, effect: Effect, function: &str, payload: Value) {
        match effect {
            Effect::No => {}
            Effect::Yes => {
                // The answer is lost, whatever it was.
                let _ = self.call(function, &payload);
            }
            Effect::Late => self.late.push((function.to_owned(), payload)),
        }
    }

    /// What the caller gets; `None`: no answer.
    fn disturbed(
        &mut self,
        disturbance: Option<Disturbance>,
        function: &str,
        payload: Value,
    ) -> Option<Result<Value, TaskFailure>> {
        let failed = |error: &str| Some(Err(TaskFailure::of_function(error, "disturbed")));
        if self.dead.contains(function) {
            return failed("Internal");
        }
        match disturbance {
            None => Some(self.call(function, &payload)),
            Some(Disturbance::Error(error, effect)) => {
                self.take_effect(effect, function, payload);
                failed(error)
            }
            Some(Disturbance::Malformed) => {
                self.take_effect(Effect::Yes, function, payload);
                Some(Ok(json!({})))
            }
            Some(Disturbance::Dead) => {
                self.dead.insert(function.to_owned());
                failed("Internal")
            }
            Some(Disturbance::Hang(effect) | Disturbance::Abort(effect) | Disturbance::Overdue(effect)) => {
                self.take_effect(effect, function, payload);
                None
            }
        }
    }

    fn pass_every_deadline(&mut self) {
        self.now = self.now.checked_add(PAST_EVERY_DEADLINE).unwrap();
    }
}

impl TaskHandler for Stage {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskFailure> {
        self.stop_if_aborted().await;
        let answer = {
            let mut inner = self.inner();
            let disturbance = inner.arrive(Some(function));
            match disturbance {
                Some(Disturbance::Abort(_)) => drop(self.abort.send(true)),
                Some(Disturbance::Overdue(_)) => inner.pass_every_deadline(),
                _ => {}
            }
            inner.disturbed(disturbance, function, payload)
        };
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

impl Timer for Stage {
    async fn sleep(&self, duration: Duration) {
        self.stop_if_aborted().await;
        let mut inner = self.inner();
        inner.now = inner.now.checked_add(SignedDuration::try_from(duration).unwrap()).unwrap();
    }

    fn now(&self) -> Timestamp {
        self.inner().now
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

impl Observer for Stage {
    fn on(&self, event: &ExecutionEvent) {
        let ExecutionEvent::StateEntered { name, state_type, input, .. } = event else { return };
        let mut inner = self.inner();
        inner.place = Place { state: name.clone(), input: input.clone() };
        // A Task is a point at each of its calls.
        if *state_type == StateType::Task {
            return;
        }
        match inner.arrive(None) {
            Some(Disturbance::Abort(_)) => drop(self.abort.send(true)),
            Some(Disturbance::Overdue(_)) => inner.pass_every_deadline(),
            _ => {}
        }
    }
}
