//! The `sluice` binary and the result of a call.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_core::name::RunId;
use sluice_core::run::Outcome;

use crate::wire::{self, StateEvent};

/// The binary: the one that `SLUICE_BIN` names, otherwise the one next to this test in cargo's target folder.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SLUICE_BIN").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "SLUICE_BIN names {}, which is not a file", named.display());
        return named;
    }
    // Tests are in `<target>/<profile>/deps`, binaries in `<target>/<profile>`.
    let test = std::env::current_exe().expect("a running test has a file");
    let profile_folder = test.ancestors().nth(2).expect("a test is in the target folder");
    let binary = profile_folder.join(format!("sluice{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "{} does not exist: run `cargo build --workspace --bins` first, or `cargo xtask test`, which does",
        binary.display()
    );
    binary
}

/// Longest wait for a text that a process prints: some hundred times what a small run takes on a busy machine.
const PRINT_LIMIT: Duration = Duration::from_secs(60);

/// A call of the binary that has ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// The command line.
    pub line: String,
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub time: Duration,
}

impl Run {
    /// Runs a command until it ends.
    pub fn of(mut command: Command) -> Self {
        let line = format!("{command:?}");
        let started = Instant::now();
        let output =
            command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        Self {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            time: started.elapsed(),
        }
    }

    /// Returns the run if it ended with this exit code; otherwise fails the test.
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Returns the run if the state machine ended with this outcome and the matching exit code; otherwise fails the test.
    #[must_use]
    pub fn expect(self, outcome: Outcome) -> Self {
        let code = match outcome {
            Outcome::Published | Outcome::Skipped => 0,
            Outcome::Failed => 1,
            Outcome::Rejected => 3,
        };
        assert_eq!((self.code, self.outcome()), (Some(code), Some(outcome)), "{self}");
        self
    }

    /// Standard output as JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"));
        self.stdout.lines().map(read).collect()
    }

    /// Standard output as one JSON value of this shape.
    pub fn page<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("another shape: {error}\n{self}"))
    }

    /// How the state machine ended.
    pub fn outcome(&self) -> Option<Outcome> {
        wire::outcome(&self.lines())
    }

    /// The run's id.
    pub fn run_id(&self) -> RunId {
        wire::run_id(&self.lines()).unwrap_or_else(|| panic!("the run printed no id\n{self}"))
    }

    /// Entries and exits of states, in order.
    pub fn events(&self) -> Vec<StateEvent> {
        self.stdout.lines().filter_map(StateEvent::of).collect()
    }

    /// How often a state was entered.
    pub fn times_entered(&self, state: &str) -> usize {
        self.events().iter().filter(|event| **event == StateEvent::Entered(state.to_owned())).count()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr, time } = self;
        write!(f, "{line}\nended with {code:?} after {time:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// A running call of the binary, with its standard output in a file.
pub struct Started {
    child: Child,
    line: String,
    stdout: PathBuf,
    stderr: PathBuf,
    began: Instant,
}

impl Started {
    /// Starts a command. Its output goes to `<name>.out` and `<name>.err` in `folder`, so that no full pipe can block it.
    pub fn new(mut command: Command, folder: &Path, name: &str) -> Self {
        let line = format!("{command:?}");
        let (stdout, stderr) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let file = |path: &Path| File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
        let began = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        Self { child, line, stdout, stderr, began }
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Run {
        let status = self.child.wait().expect("a child can be waited for");
        self.ended(status.code())
    }

    /// Waits until the process has printed this text; returns at once when the process has ended.
    pub fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PRINT_LIMIT;
        while !std::fs::read_to_string(&self.stdout).is_ok_and(|stdout| stdout.contains(text)) {
            if self.child.try_wait().expect("a child can be asked").is_some() {
                return;
            }
            assert!(Instant::now() < until, "{} has not printed {text:?} within {PRINT_LIMIT:?}", self.line);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the process with SIGKILL this long after its start. `Err` if it had already ended.
    pub fn kill_after(mut self, instant: Duration) -> Result<Run, Run> {
        std::thread::sleep(instant.saturating_sub(self.began.elapsed()));
        if let Some(status) = self.child.try_wait().expect("a child can be asked") {
            return Err(self.ended(status.code()));
        }
        self.child.kill().expect("a child can be killed");
        let status = self.child.wait().expect("a child can be waited for");
        let run = self.ended(status.code());
        // It may have ended by itself between the check and the kill.
        if status.code().is_none() { Ok(run) } else { Err(run) }
    }

    /// Kills the process with SIGKILL as soon as the condition holds. `Err` if it had already ended.
    pub fn kill_when(mut self, holds: impl Fn() -> bool) -> Result<Run, Run> {
        while !holds() {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return Err(self.ended(status.code()));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.kill_after(Duration::ZERO)
    }

    fn ended(self, code: Option<i32>) -> Run {
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).expect("the output exists")).into_owned();
        Run {
            line: self.line,
            code,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
            time: self.began.elapsed(),
        }
    }
}

/// Runs a command and kills it with SIGKILL as soon as it has printed `count` entries and exits of states.
///
/// `Err` if it ended before it was killed.
pub fn kill_at_event(mut command: Command, count: usize) -> Result<Run, Run> {
    let line = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
    let mut pipe: BufReader<ChildStdout> = BufReader::new(child.stdout.take().expect("a pipe"));
    let (mut stdout, mut seen) = (String::new(), 0);
    while seen < count {
        let from = stdout.len();
        if pipe.read_line(&mut stdout).expect("a pipe can be read") == 0 {
            break;
        }
        seen += usize::from(StateEvent::of(&stdout[from..]).is_some());
    }
    child.kill().expect("a child can be killed");
    // The output between the event and the kill shows where the kill landed.
    while pipe.read_line(&mut stdout).expect("a pipe can be read") > 0 {}
    let status = child.wait().expect("a child can be waited for");
    let run = Run { line, code: status.code(), stdout, stderr: String::new(), time: began.elapsed() };
    if status.code().is_none() { Ok(run) } else { Err(run) }
}
