//! Processes that cannot outlive this process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStdin, Command};

use super::{StepEnd, StepFault, StopSignal};

/// Starts the program (`"$@"`) together with a watcher that reads a pipe held by this process. When the pipe closes, because this
/// process let go of it or died, the watcher kills the process group: the program, everything it started, and itself. This needs
/// no clean-up code, so it works even when this process is killed with SIGKILL. The watcher must not hold the program's output
/// open; the program must not hold the pipe.
const WATCHER: &str = r#"
exec 3<&0 </dev/null
( trap '' TERM INT HUP; cat <&3 >/dev/null 2>&1; kill -KILL 0 ) >/dev/null 2>&1 &
exec 3<&-
"$@"
"#;
/// How many bytes at the end of standard error are searched for the reason of a failure.
const TAIL_BYTES: u64 = 64 * 1024;
/// Longest message of a failure, in characters: about what EMR keeps.
const MESSAGE_CHARS: usize = 2000;

/// A process group that ends at the latest when this is dropped.
#[derive(Debug)]
pub struct Leash {
    shell: Child,
    /// The pipe. `None` once it is released.
    pipe: Option<ChildStdin>,
}

/// How a leashed program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// By itself.
    Exited(ExitStatus),
    /// Killed by this process.
    Killed,
}

impl Leash {
    /// Starts a program. `command` gives program, arguments, folder and environment; its output goes to two files.
    ///
    /// # Errors
    /// When the files cannot be created or the shell cannot be started. A program that does not exist exits with status 127.
    pub fn start(command: &std::process::Command, stdout: &Path, stderr: &Path) -> io::Result<Self> {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", WATCHER, "leash"]).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let mut shell = Command::from(shell);
        shell.stdin(Stdio::piped()).stdout(File::create(stdout)?).stderr(File::create(stderr)?).process_group(0);
        let mut shell = shell.spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Waits for the end of the program, or kills it when it has to stop. Nothing of the group runs when this returns.
    ///
    /// # Errors
    /// When the system does not report how it ended.
    pub async fn end(mut self, stop: &mut StopSignal) -> io::Result<ProcessEnd> {
        tokio::select! {
            status = self.shell.wait() => {
                let status = status?;
                // Also ends what the program left running in its group.
                drop(self.pipe.take());
                Ok(ProcessEnd::Exited(status))
            }
            () = stop.stopped() => {
                drop(self.pipe.take());
                self.shell.wait().await?;
                Ok(ProcessEnd::Killed)
            }
        }
    }
}

/// The end of a step whose program wrote its errors into this file.
pub(crate) fn failure_of(ended: io::Result<ProcessEnd>, stderr: &Path) -> StepEnd {
    let status = match ended {
        Ok(ProcessEnd::Exited(status)) if status.success() => return StepEnd::Completed,
        Ok(ProcessEnd::Killed) => return StepEnd::Stopped,
        Ok(ProcessEnd::Exited(status)) => status.to_string(),
        Err(error) => format!("the process cannot be watched: {error}"),
    };
    let message = tail(stderr).map(|text| last_words(&text)).unwrap_or_default();
    StepEnd::Failed(StepFault {
        reason: "Unknown Error.".to_owned(),
        message: if message.is_empty() { status } else { message },
        log_file: Some(PathBuf::from(stderr)),
    })
}

/// The end of a log.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines that say what went wrong: without stack frames and log lines of warnings; the last ones that fit.
fn last_words(log: &str) -> String {
    let is_frame = |line: &str| line.starts_with("\tat ") || line.trim_start().starts_with("... ");
    let is_log = |line: &str| line.contains(" WARN ") || line.contains(" INFO ");
    let mut seen = Vec::new();
    for line in log.lines().filter(|line| !line.trim().is_empty() && !is_frame(line) && !is_log(line)) {
        // Spark repeats the error of a job once per layer that it passes.
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    let mut chars = 0;
    let fits = |line: &&&str| {
        chars += line.chars().count() + 1;
        chars <= MESSAGE_CHARS
    };
    let mut kept: Vec<&str> = seen.iter().rev().take_while(fits).copied().collect();
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use tokio::sync::watch;

    use super::*;

    fn shell(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn run(script: &str, stop_after: Option<Duration>) -> StepEnd {
        let folder = tempfile::tempdir().unwrap();
        let stderr = folder.path().join("stderr");
        let (sender, receiver) = watch::channel(false);
        let leash = Leash::start(&shell(script), &folder.path().join("stdout"), &stderr).unwrap();
        if let Some(after) = stop_after {
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                sender.send_replace(true);
            });
            return failure_of(leash.end(&mut StopSignal::new(receiver)).await, &stderr);
        }
        let end = failure_of(leash.end(&mut StopSignal::new(receiver)).await, &stderr);
        drop(sender);
        end
    }

    #[tokio::test]
    async fn a_step_ends_as_the_exit_status_of_its_program_says() {
        assert_eq!(run("exit 0", None).await, StepEnd::Completed);
        let StepEnd::Failed(fault) = run("echo one >&2; echo '\tat frame' >&2; echo two >&2; exit 3", None).await
        else {
            panic!("it failed")
        };
        assert_eq!(fault.message, "one\ntwo");
        let StepEnd::Failed(fault) = run("exit 3", None).await else { panic!("it failed") };
        assert!(fault.message.contains('3'), "{fault:?}");
        assert_eq!(run("sleep 60", Some(Duration::from_millis(100))).await, StepEnd::Stopped);
    }

    /// Whether the process exists and is not a zombie.
    fn is_alive(pid: &str) -> bool {
        let state = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
        let state = String::from_utf8(state.stdout).unwrap();
        !state.trim().is_empty() && !state.starts_with('Z')
    }

    fn pid_in(path: &Path) -> String {
        let started = Instant::now();
        loop {
            match fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => assert!(started.elapsed() < Duration::from_secs(10), "no process has written its id"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn check_gone(pid: &str, why: &str) {
        let started = Instant::now();
        while is_alive(pid) {
            assert!(started.elapsed() < Duration::from_secs(10), "{why}: process {pid} still exists");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A program with a child of its own; the child's id is written into a file.
    fn with_child(pid_file: &Path) -> std::process::Command {
        shell(&format!("sleep 600 & echo $! > '{}'; wait", pid_file.display()))
    }

    #[tokio::test]
    async fn grandchildren_end_when_the_leash_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (stdout, stderr, pid_file) =
            (folder.path().join("stdout"), folder.path().join("stderr"), folder.path().join("pid"));
        let leash = Leash::start(&with_child(&pid_file), &stdout, &stderr).unwrap();
        let pid = pid_in(&pid_file);
        assert!(is_alive(&pid));
        drop(leash);
        check_gone(&pid, "dropped");

        fs::remove_file(&pid_file).unwrap();
        let leash = Leash::start(&with_child(&pid_file), &stdout, &stderr).unwrap();
        let pid = pid_in(&pid_file);
        let (sender, receiver) = watch::channel(false);
        sender.send_replace(true);
        assert_eq!(leash.end(&mut StopSignal::new(receiver)).await.unwrap(), ProcessEnd::Killed);
        check_gone(&pid, "stopped");
    }

    #[test]
    fn a_failure_message_leaves_out_stack_frames_and_repetitions() {
        let check = |log: &str, expected: &str| assert_eq!(last_words(log), expected, "{log}");
        check(
            "26/11/21 15:35:55 WARN X: y\nboom\n\tat a.b(C.java:1)\nDriver stacktrace:\nboom\nCaused by: z\n\t... 3 more\n",
            "boom\nDriver stacktrace:\nCaused by: z",
        );
        check("", "");
        let long = "x".repeat(1500);
        check(&format!("{long}1\n{long}2\n"), &format!("{long}2"));
    }
}
