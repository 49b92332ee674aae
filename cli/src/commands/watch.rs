//! `sluice watch`: runs pipelines whenever something in their landing folders has changed.

mod landing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use jiff::Timestamp;
use serde_json::json;
use sluice_core::error::texts;
use sluice_core::run::RunAction;
use sluice_lake::Lake;
use tokio::sync::Notify;

use self::landing::Landing;
use super::run::request_of;
use crate::arguments::WatchArguments;
use crate::console::{Console, Tone};
use crate::execution::{Ended, Execution, View, new_run_id};
use crate::fault::{Exit, Fault};
use crate::place::Place;
use crate::spec_files::SpecFiles;

/// Longest wait before a pipeline whose runs fail is run again.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Wait before a run that may find files complete which were too young for the run before: nothing about them changes.
const UNTIL_COMPLETE: Duration = Duration::from_secs(30);

/// A pipeline that is watched.
struct Watched {
    folder: PathBuf,
    landing: Landing,
    /// What its folder had when its newest run began, and its holds when that had ended; `None` before the first run and
    /// after one that failed.
    seen: Option<blake3::Hash>,
    /// When it is run again although nothing has changed.
    again_at: Option<Instant>,
    /// Runs that have failed one after the other.
    failures: u32,
    /// Not run before.
    not_before: Option<Instant>,
}

/// How a turn over the pipelines, or the run of one, ended.
enum Turn {
    /// It ended by itself.
    Went,
    /// Somebody stopped the command while nothing worked, or after the run that did.
    Stopped,
    /// Somebody broke off a run.
    BrokenOff,
}

/// Watches until it is stopped, or until its bound is reached.
pub(crate) async fn run(arguments: WatchArguments, console: &Console) -> Result<Exit> {
    if arguments.landing.is_some() && arguments.folders.len() > 1 {
        let message = "--landing is the folder of one pipeline, and several pipelines are watched";
        let next =
            "leave --landing out, so that each reads its own prefix in the lake, or watch each by a command of its own";
        return Err(Fault::new(Exit::WrongUse, message).next(next).into());
    }
    let lake = arguments.lake.place.open_or_make_lake().await?;
    let mut watching = Watching {
        watched: watched(&arguments.folders, arguments.landing.as_ref(), &lake)?,
        lake,
        landing: arguments.landing,
        console: *console,
        runs: 0,
        most_runs: arguments.runs,
        until: arguments.stop_after.and_then(|span| Instant::now().checked_add(span.duration())),
        worst: Exit::Done,
        stop: stop_on_ctrl_c(),
    };
    watching.begin()?;
    let every = arguments.every.duration();
    loop {
        match watching.turn(every).await? {
            Turn::Went => {}
            Turn::Stopped => return Ok(Exit::Done),
            Turn::BrokenOff => return Ok(Exit::Interrupted),
        }
        let Some(wait) = watching.wait(every) else { return Ok(watching.worst) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = watching.stop.notified() => return Ok(Exit::Done),
        }
    }
}

/// Ctrl-C, from now on: one that comes while nobody waits for it is kept.
fn stop_on_ctrl_c() -> Arc<Notify> {
    let stop = Arc::new(Notify::new());
    let notified = Arc::clone(&stop);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            notified.notify_one();
        }
    });
    stop
}

/// The pipelines of these folders, every one of which has to be valid.
fn watched(folders: &[PathBuf], landing: Option<&Place>, lake: &Lake) -> Result<Vec<Watched>> {
    let mut watched = Vec::new();
    for folder in folders {
        let files = SpecFiles::read(folder)?;
        let pipeline = files.resolve().map_err(|problems| {
            let message = format!("pipeline `{}` cannot run:\n  {}", files.spec().pipeline, problems.join("\n  "));
            Fault::new(Exit::Failed, message).next(format!("`sluice check {}` has every problem", folder.display()))
        })?;
        // Wrong folders are wrong at once, and not after the first wait.
        let request = request_of(folder, landing, RunAction::Ingest)?;
        let landing = Landing::of(lake, &pipeline, request.landing.as_ref())?;
        watched.push(Watched {
            folder: folder.clone(),
            landing,
            seen: None,
            again_at: None,
            failures: 0,
            not_before: None,
        });
    }
    Ok(watched)
}

struct Watching {
    watched: Vec<Watched>,
    lake: Lake,
    landing: Option<Place>,
    console: Console,
    runs: u32,
    most_runs: Option<u32>,
    until: Option<Instant>,
    /// How the newest run ended that did not end well.
    worst: Exit,
    stop: Arc<Notify>,
}

impl Watching {
    /// Says what is watched.
    fn begin(&self) -> Result<()> {
        let folders: Vec<&String> = self.watched.iter().flat_map(|watched| watched.landing.addresses()).collect();
        if self.console.is_json() {
            self.console.json_line(&json!({ "event": "watching", "folders": folders, "at": Timestamp::now() }))?;
        } else {
            for folder in folders {
                self.console.note(&format!("watching {folder}"));
            }
            self.console.note("Ctrl-C ends it");
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.most_runs.is_some_and(|most| self.runs >= most) || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// How long to wait until the next turn; `None` when it is over.
    fn wait(&self, every: Duration) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        let left = self.until.map_or(every, |until| until.saturating_duration_since(Instant::now()));
        Some(every.min(left))
    }

    /// Looks into each folder once, and runs the pipelines whose folders have changed.
    async fn turn(&mut self, every: Duration) -> Result<Turn> {
        for index in 0..self.watched.len() {
            if self.is_over() {
                break;
            }
            match self.look(index, every).await? {
                Turn::Went => {}
                ended => return Ok(ended),
            }
        }
        Ok(Turn::Went)
    }

    async fn look(&mut self, index: usize, every: Duration) -> Result<Turn> {
        let Some(watched) = self.watched.get(index) else { return Ok(Turn::Went) };
        if watched.not_before.is_some_and(|at| Instant::now() < at) {
            return Ok(Turn::Went);
        }
        let listed = tokio::select! {
            listed = watched.landing.files() => listed,
            () = self.stop.notified() => return Ok(Turn::Stopped),
        };
        let ran = match listed {
            Ok(files) => {
                let is_due = watched.again_at.is_some_and(|at| Instant::now() >= at);
                let is_seen = match &watched.seen {
                    _ if is_due => false,
                    None => false,
                    // A hold that somebody has released brings work, too.
                    Some(seen) => watched.landing.with_holds(&self.lake, files).await.is_ok_and(|now| now == *seen),
                };
                if is_seen {
                    return Ok(Turn::Went);
                }
                self.execute(index).await.map(|(ended, turn)| (ended, turn, files))
            }
            // A wrong use, such as a folder with too many files, does not become right by waiting.
            Err(error) if error.downcast_ref::<Fault>().is_some() => return Err(error),
            Err(error) => Err(error),
        };
        self.runs = self.runs.saturating_add(1);
        match ran {
            Ok((ended, turn, files)) => {
                self.note_end(index, &ended, files, every).await;
                self.show(&ended)?;
                Ok(turn)
            }
            Err(error) => {
                self.worst = Exit::Failed;
                self.back_off(index, every);
                self.show_error(&error)?;
                Ok(Turn::Went)
            }
        }
    }

    /// Runs a pipeline. The first Ctrl-C lets the run end, the second breaks it off: it is as safe as a run that was killed.
    async fn execute(&self, index: usize) -> Result<(Ended, Turn)> {
        let Some(watched) = self.watched.get(index) else { return Err(Error::msg("a pipeline is no longer watched")) };
        // The folder is read again each time: a corrected spec counts from its next run on.
        let request = request_of(&watched.folder, self.landing.as_ref(), RunAction::Ingest)?;
        let execution = Execution::new(&self.lake, request, &new_run_id(Timestamp::now())?)?;
        let view = View::quiet(self.console, &execution);
        let mut run = Box::pin(execution.run(&view, None));
        tokio::select! {
            ended = &mut run => return Ok((ended?, Turn::Went)),
            () = self.stop.notified() => {}
        }
        self.console.note("stopping after this run; Ctrl-C again breaks it off");
        tokio::select! {
            ended = &mut run => Ok((ended?, Turn::Stopped)),
            () = self.stop.notified() => {
                // Its calls end when it is dropped; what they started ends after them.
                drop(run);
                execution.stop().await;
                Ok((Ended::interrupted(&execution), Turn::BrokenOff))
            }
        }
    }

    /// Remembers what a run has seen, or when it is repeated.
    async fn note_end(&mut self, index: usize, ended: &Ended, files: blake3::Hash, every: Duration) {
        if ended.exit() != Exit::Done {
            self.worst = ended.exit();
        }
        if ended.exit() == Exit::Failed {
            self.back_off(index, every);
            return;
        }
        let Some(watched) = self.watched.get_mut(index) else { return };
        // The holds are those after the run, which may have held a file; the files are those before it.
        watched.seen = watched.landing.with_holds(&self.lake, files).await.ok();
        let again_at = Instant::now().checked_add(UNTIL_COMPLETE.max(every));
        watched.again_at = again_at.filter(|_| ended.waits_for_files());
        (watched.failures, watched.not_before) = (0, None);
    }

    fn back_off(&mut self, index: usize, every: Duration) {
        let Some(watched) = self.watched.get_mut(index) else { return };
        watched.seen = None;
        watched.failures = watched.failures.saturating_add(1);
        watched.not_before = Instant::now().checked_add(backed_off(every, watched.failures));
    }

    /// One line for a run; the rest is in the lake.
    fn show(&self, ended: &Ended) -> Result<()> {
        if self.console.is_json() {
            return Ok(self.console.json_line(ended)?);
        }
        let line = format!("{:.0} {}", Timestamp::now(), ended.line_text(&self.console));
        Ok(self.console.line(&line)?)
    }

    fn show_error(&self, error: &Error) -> Result<()> {
        let message = texts(&**error).join(": ");
        if self.console.is_json() {
            let line = json!({ "event": "failed", "error": message, "at": Timestamp::now() });
            return Ok(self.console.json_line(&line)?);
        }
        let title = self.console.paint(Tone::Bad, "failed:");
        Ok(self.console.line(&format!("{:.0} {title} {message}", Timestamp::now()))?)
    }
}

/// The wait after this many failures: twice as long after each, up to five minutes or the time between two turns.
fn backed_off(every: Duration, failures: u32) -> Duration {
    let doubled = every.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    doubled.min(LONGEST_WAIT.max(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_after_failures_double_up_to_a_bound() {
        let check = |every: u64, failures: u32, expected: u64| {
            assert_eq!(backed_off(Duration::from_secs(every), failures), Duration::from_secs(expected));
        };
        check(5, 1, 10);
        check(5, 3, 40);
        check(5, 7, 300);
        check(5, u32::MAX, 300);
        check(3_600, 1, 3_600);
    }
}
