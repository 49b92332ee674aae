//! Shows an execution while it runs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::run::ReportedError;

use super::Execution;
use super::activity::{Activity, progress_lines, rows_text};
use super::ending::Ended;
use crate::asl::{ExecutionEvent, ItemEnd, Observer, StateType};
use crate::console::{Console, Tone};
use crate::grid::{count, seconds};

/// Width of the column of state names.
const NAME_WIDTH: usize = 18;

/// Shows an execution: JSON lines on standard output, or states with their times on standard error, with a spinner on a terminal.
pub struct View {
    console: Console,
    spinner: Option<ProgressBar>,
    /// What the functions are reading, where they run in this process.
    activity: Option<Arc<Activity>>,
    /// Whether nothing but the line of progress is shown.
    is_quiet: bool,
    state: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    entered_at: Option<Timestamp>,
    state_type: Option<StateType>,
    /// The loop that the execution is in.
    polled: Option<Polled>,
    /// The first error of standard output. The run continues without its reader; the command reports the error at the end.
    fault: Option<io::Error>,
    /// Why a task failed, until it is shown.
    cause: Option<String>,
    /// Parts of the Map that the execution is in, or was in last.
    parts: Parts,
}

/// How many parts a Map reads: the items of our Map are parts of a run.
#[derive(Debug, Default, Clone, Copy)]
struct Parts {
    ended: usize,
    all: usize,
}

impl Parts {
    /// Such as `3 of 12 parts`.
    fn progress(self) -> String {
        format!("{} of {}", self.ended, self.total())
    }

    /// Such as `12 parts`.
    fn total(self) -> String {
        match self.all {
            1 => "1 part".to_owned(),
            all => format!("{} parts", count(all as u64)),
        }
    }
}

impl Shown {
    /// The cause that was not shown yet, to stand behind a line.
    fn cause(&mut self) -> String {
        self.cause.take().map(|cause| format!(": {cause}")).unwrap_or_default()
    }
}

/// Something that is polled until it is ready: shown once per status, not once per poll.
struct Polled {
    what: &'static str,
    entered_at: Timestamp,
    status: String,
}

/// What a polling loop of the definition waits for.
fn polled_by(state: &str) -> Option<&'static str> {
    match state {
        "StartEmr" | "ClusterStatus" | "WaitForCluster" => Some("cluster"),
        "RunEtl" | "EtlStatus" | "WaitForEtl" => Some("etl"),
        _ => None,
    }
}

/// Status and identifier in the answer of a loop's task, such as `running s-1XXX`.
fn polled_status(what: &str, output: &Value) -> Option<String> {
    let answer = output.get(what)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let id = text("cluster_id").or(text("step_id")).unwrap_or_default();
    Some(format!("{} {id}", text("status")?).trim_end().to_owned())
}

impl View {
    /// A view of an execution for this console.
    pub fn new(console: Console, execution: &Execution) -> Self {
        Self::of(console, execution, false)
    }

    /// A view that shows progress on a terminal while the execution works, and leaves nothing of it.
    pub fn quiet(console: Console, execution: &Execution) -> Self {
        Self::of(console, execution, true)
    }

    fn of(console: Console, execution: &Execution, is_quiet: bool) -> Self {
        let activity = execution.activity();
        // Where nothing can be redrawn, as with TERM=dumb, the lines are hidden with all that is printed above them.
        let spinner = console.is_live().then(|| progress_lines(activity.clone())).filter(|lines| !lines.is_hidden());
        Self { console, spinner, activity, is_quiet, state: Mutex::default() }
    }

    /// Shows that the run begins.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn begin(&self, execution: &Execution) -> io::Result<()> {
        if self.is_quiet {
            return Ok(());
        }
        let (pipeline, run_id) = (&execution.request.pipeline, &execution.run_id);
        if self.console.is_json() {
            let at = Timestamp::now();
            return self
                .console
                .json_line(&json!({ "event": "started", "pipeline": pipeline, "run_id": run_id, "at": at }));
        }
        self.print(&format!("run {} of pipeline {pipeline}", self.console.paint_err(Tone::Strong, run_id.as_str())));
        Ok(())
    }

    /// Shows how the run ended.
    ///
    /// # Errors
    /// When standard output cannot be written, or could not before.
    pub fn finish(&self, ended: &Ended) -> io::Result<()> {
        self.clear();
        if self.is_quiet {
            return Ok(());
        }
        if let Some(fault) = self.shown().fault.take() {
            return Err(fault);
        }
        if self.console.is_json() {
            return self.console.json_line(ended);
        }
        let result = ended.result_text(&self.console);
        if !result.is_empty() {
            self.console.line(&result)?;
        }
        let advice = ended.advice_text(&self.console);
        if !advice.is_empty() {
            self.console.note(&advice);
        }
        Ok(())
    }

    /// Takes the lines of progress off the terminal.
    fn clear(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, line: &str) {
        match &self.spinner {
            _ if self.is_quiet => {}
            Some(spinner) => spinner.println(line),
            None => self.console.note(line),
        }
    }

    fn show(&self, event: &ExecutionEvent) {
        let console = &self.console;
        match event {
            ExecutionEvent::StateEntered { name, state_type, at, .. } => {
                let mut shown = self.shown();
                (shown.entered_at, shown.state_type) = (Some(*at), Some(*state_type));
                let what = polled_by(name);
                let goes_on = shown.polled.as_ref().is_some_and(|polled| Some(polled.what) == what);
                if !goes_on {
                    shown.polled = what.map(|what| Polled { what, entered_at: *at, status: String::new() });
                }
                if let Some(spinner) = self.spinner.as_ref().filter(|_| !goes_on) {
                    spinner.reset_elapsed();
                    spinner.set_message(name.clone());
                }
            }
            ExecutionEvent::StateExited { name, output, at } if polled_by(name).is_some() => {
                self.show_polled(name, output, *at);
            }
            ExecutionEvent::StateExited { name, at, .. } => self.show_exited(name, *at),
            ExecutionEvent::TaskFailed { name, error, cause, attempt, .. } => {
                let mark = console.paint_err(Tone::Bad, "✘");
                self.print(&format!("{mark} {name:NAME_WIDTH$} attempt {attempt}: {error}"));
                // A run that ends with it says it at its end.
                self.shown().cause = Some(words(error, cause));
            }
            ExecutionEvent::RetryScheduled { name, attempt, wait, .. } => {
                let mark = console.paint_err(Tone::Warning, "↻");
                let cause = self.shown().cause();
                self.print(&format!("{mark} {name:NAME_WIDTH$} attempt {attempt} in {}{cause}", seconds(*wait)));
            }
            ExecutionEvent::Caught { name, next, .. } => {
                let mark = console.paint_err(Tone::Warning, "↪");
                let cause = self.shown().cause();
                self.print(&format!("{mark} {name:NAME_WIDTH$} continues at {next}{cause}"));
            }
            ExecutionEvent::MapStarted { name, items, .. } => self.show_parts(name, Parts { ended: 0, all: *items }),
            ExecutionEvent::ItemEnded { name, items, .. } => {
                let ended = self.shown().parts.ended.saturating_add(1);
                self.show_parts(name, Parts { ended, all: *items });
            }
            ExecutionEvent::ExecutionSucceeded { .. } | ExecutionEvent::ExecutionFailed { .. } => {}
        }
    }
}

impl View {
    /// Shows that a state has ended, with the time that it took where it waited for something.
    fn show_exited(&self, name: &str, at: Timestamp) {
        let (entered_at, state_type, parts) = {
            let shown = self.shown();
            (shown.entered_at, shown.state_type, shown.parts)
        };
        let console = &self.console;
        let mark = console.paint_err(Tone::Good, "✔");
        let took = |since: Timestamp| seconds(Duration::try_from(at.duration_since(since)).unwrap_or_default());
        match (state_type, entered_at) {
            (Some(StateType::Task | StateType::Wait), Some(entered_at)) => {
                let read = self.read_text(at, entered_at);
                self.print(&format!("{mark} {name:NAME_WIDTH$} {:>9}{read}", took(entered_at)));
            }
            (Some(StateType::Map), Some(entered_at)) => {
                let parts = console.paint_err(Tone::Faint, &parts.total());
                let read = self.read_text(at, entered_at);
                self.print(&format!("{mark} {name:NAME_WIDTH$} {:>9}  {parts}{read}", took(entered_at)));
            }
            (Some(StateType::Choice), _) => {
                self.print(&format!("{mark} {}", console.paint_err(Tone::Faint, name)));
            }
            _ => {}
        }
    }

    /// What a state has read, for the terminal alone: a line of a file says when a state has ended and no more.
    fn read_text(&self, at: Timestamp, entered_at: Timestamp) -> String {
        let read = self.activity.as_ref().map_or(0, |activity| activity.take_read());
        if read == 0 || self.spinner.is_none() {
            return String::new();
        }
        let took = Duration::try_from(at.duration_since(entered_at)).unwrap_or_default();
        let words: Vec<String> = rows_text(read, took).split_whitespace().map(str::to_owned).collect();
        format!("  {}", self.console.paint_err(Tone::Faint, &words.join(" ")))
    }

    /// Shows how far a Map is: on a terminal in the line of the spinner, otherwise once, when it begins.
    fn show_parts(&self, name: &str, parts: Parts) {
        self.shown().parts = parts;
        match &self.spinner {
            Some(spinner) => spinner.set_message(format!("{name} {}", parts.progress())),
            None if parts.ended == 0 => {
                let mark = self.console.paint_err(Tone::Faint, "…");
                self.print(&format!("{mark} {name:NAME_WIDTH$} {}", parts.total()));
            }
            None => {}
        }
    }

    /// Shows the state of a loop when its status has changed.
    fn show_polled(&self, name: &str, output: &Value, at: Timestamp) {
        let line = {
            let mut shown = self.shown();
            let is_task = shown.state_type == Some(StateType::Task);
            let Some(polled) = shown.polled.as_mut().filter(|_| is_task) else { return };
            match polled_status(polled.what, output) {
                Some(status) if status != polled.status => polled.status = status,
                _ => return,
            }
            if let Some(spinner) = &self.spinner {
                spinner.set_message(format!("{name} {}", polled.status));
            }
            let took = Duration::try_from(at.duration_since(polled.entered_at)).unwrap_or_default();
            let mark = self.console.paint_err(Tone::Good, "✔");
            let status = self.console.paint_err(Tone::Faint, &polled.status);
            format!("{mark} {name:NAME_WIDTH$} {:>9}  {status}", seconds(took))
        };
        self.print(&line);
    }
}

/// Whatever ends a run, an error too: its lines of progress go.
impl Drop for View {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for View {
    fn on(&self, event: &ExecutionEvent) {
        if self.is_quiet && self.console.is_json() {
            return;
        }
        if !self.console.is_json() {
            self.show(event);
            return;
        }
        if let Some(line) = json_event(event)
            && let Err(fault) = self.console.json_line(&line)
        {
            self.shown().fault.get_or_insert(fault);
        }
    }
}

/// The cause in the function's own words.
fn words(error: &str, cause: &str) -> String {
    ReportedError { error: error.to_owned().into(), cause: cause.to_owned() }.unwrapped().cause
}

/// The event as the line that `--json` prints; [`Ended`] reports the end of an execution.
fn json_event(event: &ExecutionEvent) -> Option<Value> {
    Some(match event {
        ExecutionEvent::StateEntered { name, state_type, at, .. } => {
            json!({ "event": "state_entered", "state": name, "type": state_type, "at": at })
        }
        ExecutionEvent::StateExited { name, at, .. } => json!({ "event": "state_exited", "state": name, "at": at }),
        ExecutionEvent::TaskFailed { name, error, cause, attempt, at } => {
            let cause = words(error, cause);
            json!({ "event": "task_failed", "state": name, "error": error, "cause": cause, "attempt": attempt, "at": at })
        }
        ExecutionEvent::RetryScheduled { name, attempt, wait, at } => json!({
            "event": "retry", "state": name, "attempt": attempt, "wait_seconds": wait.as_secs_f64(), "at": at,
        }),
        ExecutionEvent::Caught { name, error, cause, next, at } => {
            let cause = words(error, cause);
            json!({ "event": "caught", "state": name, "error": error, "cause": cause, "next": next, "at": at })
        }
        ExecutionEvent::MapStarted { name, items, at } => {
            json!({ "event": "map_started", "state": name, "items": items, "at": at })
        }
        ExecutionEvent::ItemEnded { name, index, items, end, at } => {
            let error = match end {
                ItemEnd::Output(_) => None,
                ItemEnd::Error(error) => Some(error),
            };
            json!({ "event": "item_ended", "state": name, "index": index, "items": items, "error": error, "at": at })
        }
        ExecutionEvent::ExecutionSucceeded { .. } | ExecutionEvent::ExecutionFailed { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polling_loop_is_shown_once_per_status() {
        let check = |state: &str, output: Value, expected: Option<&str>| {
            let found = polled_by(state).and_then(|what| polled_status(what, &output));
            assert_eq!(found.as_deref(), expected, "{state} {output}");
        };
        let cluster = json!({ "cluster": { "status": "starting", "cluster_id": "j-1", "poll": 3 } });
        check("StartEmr", cluster, Some("starting j-1"));
        check("StartEmr", json!({ "cluster": { "status": "starting", "cluster_id": null } }), Some("starting"));
        check("RunEtl", json!({ "etl": { "status": "running", "step_id": "s-1" } }), Some("running s-1"));
        check("RunEtl", json!({ "etl": {} }), None);
        check("Process", json!({ "cluster": { "status": "ready" } }), None);
    }

    #[test]
    fn events_become_json_lines_without_inputs_and_outputs() {
        let at: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        let check =
            |event: ExecutionEvent, expected: Option<Value>| assert_eq!(json_event(&event), expected, "{event:?}");
        let name = || "Process".to_owned();
        check(
            ExecutionEvent::StateEntered { name: name(), state_type: StateType::Task, input: Value::Null, at },
            Some(json!({ "event": "state_entered", "state": "Process", "type": "Task", "at": "2026-01-05T09:00:00Z" })),
        );
        check(
            ExecutionEvent::StateExited { name: name(), output: json!({ "secret": 1 }), at },
            Some(json!({ "event": "state_exited", "state": "Process", "at": "2026-01-05T09:00:00Z" })),
        );
        check(
            ExecutionEvent::RetryScheduled { name: name(), attempt: 2, wait: Duration::from_millis(1500), at },
            Some(json!({
                "event": "retry", "state": "Process", "attempt": 2, "wait_seconds": 1.5, "at": "2026-01-05T09:00:00Z",
            })),
        );
        check(
            ExecutionEvent::MapStarted { name: "Read".to_owned(), items: 12, at },
            Some(json!({ "event": "map_started", "state": "Read", "items": 12, "at": "2026-01-05T09:00:00Z" })),
        );
        let item = |end: ItemEnd| ExecutionEvent::ItemEnded { name: "Read".to_owned(), index: 2, items: 12, end, at };
        let line = |error: Value| {
            json!({
                "event": "item_ended", "state": "Read", "index": 2, "items": 12, "error": error,
                "at": "2026-01-05T09:00:00Z",
            })
        };
        check(item(ItemEnd::Output(json!({ "secret": 1 }))), Some(line(Value::Null)));
        check(item(ItemEnd::Error("States.Runtime".to_owned())), Some(line(json!("States.Runtime"))));
        check(ExecutionEvent::ExecutionSucceeded { output: Value::Null, at }, None);
    }

    #[test]
    fn parts_are_counted() {
        let check = |ended: usize, all: usize, progress: &str| {
            assert_eq!(Parts { ended, all }.progress(), progress);
        };
        check(0, 1, "0 of 1 part");
        check(3, 12, "3 of 12 parts");
        check(999, 1000, "999 of 1,000 parts");
    }
}
