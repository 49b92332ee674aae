//! What the functions of this process are reading at the moment, for a person who waits for it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sluice_core::run::PartNumber;
use sluice_lake::Progress;

use crate::grid::{count, seconds};

/// How often the lines are drawn, and the spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// Before this much time, a rate says more about the start than about the work.
const RATE_AFTER: Duration = Duration::from_millis(300);

/// The calls that read records now, each with its count.
#[derive(Debug, Default)]
pub struct Activity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the order in which they began.
    working: BTreeMap<u64, Work>,
    begun: u64,
    /// Records that calls which have ended had read, until somebody takes the number.
    read: u64,
}

/// A call that reads records.
#[derive(Debug, Clone)]
struct Work {
    /// The part of a run; of a run that is read by one call, `None`.
    part: Option<PartNumber>,
    began: Instant,
    progress: Progress,
}

/// A call that reads records, until this is dropped.
#[derive(Debug)]
pub(super) struct Working {
    activity: Arc<Activity>,
    id: u64,
    progress: Progress,
}

impl Working {
    /// Where the call counts its records.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.working.remove(&self.id);
        state.read = state.read.saturating_add(self.progress.rows());
    }
}

impl Activity {
    /// Begins a call that reads a part, or a whole run.
    pub(super) fn begin(self: &Arc<Self>, part: Option<PartNumber>) -> Working {
        let progress = Progress::default();
        let mut state = self.state();
        state.begun = state.begun.saturating_add(1);
        let id = state.begun;
        state.working.insert(id, Work { part, began: Instant::now(), progress: progress.clone() });
        drop(state);
        Working { activity: Arc::clone(self), id, progress }
    }

    /// Records that calls have read which have ended since this was last asked.
    pub(super) fn take_read(&self) -> u64 {
        std::mem::take(&mut self.state().read)
    }

    /// What is being read, to stand behind the name of a state: a line of its own for each part.
    pub(super) fn text(&self) -> String {
        let working: Vec<Work> = self.state().working.values().cloned().collect();
        working.iter().map(|work| work_text(work.part, work.progress.rows(), work.began.elapsed())).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work_text(part: Option<PartNumber>, rows: u64, elapsed: Duration) -> String {
    match part {
        Some(part) => {
            let part = format!("part {part}");
            format!("\n    {part:10} {} {:>9}", rows_text(rows, elapsed), seconds(elapsed))
        }
        None if rows > 0 => format!(" {}", rows_text(rows, elapsed)),
        None => String::new(),
    }
}

/// A number of records with its rate, such as `1,200,000 rows  400,000 rows/s`.
pub(super) fn rows_text(rows: u64, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = if elapsed < RATE_AFTER { String::new() } else { count(rows.saturating_mul(1000) / millis) + " rows/s" };
    format!("{:>13} rows {rate:>18}", count(rows))
}

/// The lines of progress: the state with its time, and below it what is being read, redrawn in place. The steady tick
/// bounds how often that is.
pub(super) fn progress_lines(activity: Option<Arc<Activity>>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed}{reading}") {
        let reading = move |_: &ProgressState, out: &mut dyn Write| {
            // A text in memory takes everything.
            let _ = out.write_str(&activity.as_ref().map(|activity| activity.text()).unwrap_or_default());
        };
        spinner.set_style(style.with_key("reading", reading));
    }
    spinner.enable_steady_tick(TICK);
    spinner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_wait_until_they_say_something() {
        let check = |rows: u64, millis: u64, expected: &str| {
            let text = rows_text(rows, Duration::from_millis(millis));
            assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        };
        check(0, 0, "0 rows");
        check(5_000, 100, "5,000 rows");
        check(1_200_000, 3_000, "1,200,000 rows 400,000 rows/s");
        check(u64::MAX, 1_000, "18,446,744,073,709,551,615 rows 18,446,744,073,709,551 rows/s");
    }

    #[test]
    fn parts_have_lines_of_their_own_until_they_end() {
        let activity = Arc::new(Activity::default());
        let whole = activity.begin(None);
        assert_eq!(activity.text(), "", "nothing is read yet");
        drop(whole);
        let parts: [PartNumber; 2] = ["1", "2"].map(|part| serde_json::from_str(part).unwrap());
        let working = parts.map(|part| activity.begin(Some(part)));
        let text = activity.text();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.iter().zip(["part 1", "part 2"]).all(|(line, name)| line.starts_with(name)), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        drop(working);
        assert_eq!((activity.text().as_str(), activity.take_read()), ("", 0));
    }
}
