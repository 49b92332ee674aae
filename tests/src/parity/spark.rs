//! One `spark-sql` process that runs many scripts, because a process per script would spend most of its time starting.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sluice_spark::SESSION_SETTINGS;

/// A session starts in about 10 s on two busy cores; after twelve times that, it hangs.
const START_SECONDS: u64 = 120;
/// A script of a case takes seconds; one over all the retail files about two minutes.
const SCRIPT_SECONDS: u64 = 600;
/// Number of lines of Spark's messages that are shown for a failed script.
const SHOWN_LINES: usize = 60;
/// A text that the prompt and the echo of a statement cannot contain, because statements write it in two parts.
const MARK: &str = "sluice-mark-";

/// The folders of Spark and of Delta's libraries.
#[derive(Debug, Clone)]
pub struct SparkPlace {
    home: PathBuf,
    jars: Vec<PathBuf>,
}

impl SparkPlace {
    /// The place that `SLUICE_SPARK_HOME` and `SLUICE_DELTA_JARS` (a folder) name, otherwise the one that `cargo xtask
    /// spark-tools` fills, below `SLUICE_TOOLS`.
    pub fn of_environment() -> Option<Self> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let installed = named("SLUICE_TOOLS").map(|tools| tools.join("spark")).filter(|folder| folder.is_dir());
        let below = |name: &str| installed.as_ref().map(|folder| folder.join(name));
        let home = named("SLUICE_SPARK_HOME").or_else(|| below("home"))?;
        let folder = named("SLUICE_DELTA_JARS").or_else(|| below("jars"))?;
        let is_jar = |path: &PathBuf| path.extension().is_some_and(|end| end == "jar");
        let jars: Vec<PathBuf> = crate::files::entries(&folder).into_iter().filter(is_jar).collect();
        assert!(home.join("bin/spark-sql").is_file(), "{} has no bin/spark-sql", home.display());
        assert!(!jars.is_empty(), "{} has no jar", folder.display());
        Some(Self { home, jars })
    }

    /// The same; without it the test is reported as skipped.
    pub fn or_skip(test: &str) -> Option<Self> {
        let place = Self::of_environment();
        if place.is_none() {
            crate::skip(test, "needs Spark and Delta's jars: `cargo xtask spark-tools` installs them");
        }
        place
    }

    fn command(&self, folder: &Path) -> Command {
        let made = |name: &str| {
            let path = folder.join(name);
            fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            path
        };
        let (work, temporary, settings) = (made("work"), made("tmp"), made("conf"));
        let jars: Vec<String> = self.jars.iter().map(|jar| jar.display().to_string()).collect();
        let mut command = Command::new(self.home.join("bin/spark-sql"));
        command.current_dir(&work).env("HOME", &work).env("SPARK_HOME", &self.home).env("SPARK_CONF_DIR", settings);
        command.env("SPARK_LOCAL_IP", "127.0.0.1").env("SPARK_LOCAL_DIRS", &temporary);
        command.args(["--master", "local[2]", "--driver-memory", "2g", "--jars", &jars.join(",")]);
        let local = [
            ("spark.ui.enabled", "false".to_owned()),
            ("spark.driver.host", "127.0.0.1".to_owned()),
            ("spark.driver.bindAddress", "127.0.0.1".to_owned()),
            ("spark.sql.warehouse.dir", format!("file://{}", work.join("warehouse").display())),
            ("spark.databricks.delta.snapshotPartitions", "1".to_owned()),
            ("spark.sql.shuffle.partitions", "2".to_owned()),
        ];
        let session = SESSION_SETTINGS.iter().map(|(key, value)| (*key, (*value).to_owned()));
        for (key, value) in session.chain(local) {
            command.arg("--conf").arg(format!("{key}={value}"));
        }
        // Every query compiles new code: the default code cache of 48 MB is full after some scripts.
        let compiler = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m";
        let java = format!("-Djava.io.tmpdir={} {compiler}", temporary.display());
        command.args(["--driver-java-options", &java]);
        command
    }
}

/// A running `spark-sql`.
pub struct SparkSession {
    place: SparkPlace,
    folder: PathBuf,
    process: Option<Process>,
    scripts: u64,
}

struct Process {
    child: Child,
    input: ChildStdin,
    marks: Receiver<String>,
    messages: Arc<Mutex<Vec<String>>>,
}

impl SparkSession {
    /// A session with its files in this folder. It starts with the first script.
    pub fn new(place: SparkPlace, folder: &Path) -> Self {
        Self { place, folder: folder.to_owned(), process: None, scripts: 0 }
    }

    /// Runs a script, which is kept at `path`, until it ends.
    ///
    /// # Errors
    /// Spark's messages, when a statement failed, the process ended, or the script did not end in time.
    pub fn run(&mut self, text: &str, path: &Path) -> Result<(), String> {
        self.scripts += 1;
        let number = self.scripts;
        // The mark at the end of the script is printed only if every statement succeeded; the mark after the call of
        // the script is always printed.
        let marked = format!("{text}\nSELECT concat('{MARK}', 'good-{number}');\n");
        fs::write(path, marked).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(self.place.command(&self.folder))?,
        };
        let call = format!("SOURCE {};\nSELECT concat('{MARK}', 'end-{number}');\n", path.display());
        let outcome = process.call(&call, number);
        // A session that does not respond cannot be used for the next script.
        if outcome.is_ok() || outcome.as_ref().is_err_and(|failure| failure.answers) {
            process.send(&Self::clearing(text));
            self.process = Some(process);
        } else {
            process.kill();
        }
        outcome.map_err(|failure| failure.message)
    }

    /// Statements that drop what a script leaves in its session. Outside of these tests a session ends with its script.
    fn clearing(text: &str) -> String {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let mut statements = BTreeSet::new();
        let plain = |word: &str| word.split('(').next().unwrap_or_default().to_owned();
        for words in words.windows(3) {
            match words {
                ["TEMPORARY", "VIEW", name] => {
                    statements.insert(format!("DROP VIEW IF EXISTS {};\n", plain(name)));
                }
                ["CREATE", "TABLE", name] => {
                    statements.insert(format!("DROP TABLE IF EXISTS {};\n", plain(name)));
                }
                _ => {}
            }
        }
        format!("CLEAR CACHE;\n{}RESET;\n", statements.into_iter().collect::<String>())
    }
}

impl Drop for SparkSession {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

struct Failure {
    message: String,
    answers: bool,
}

impl Process {
    fn start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("spark-sql has no pipes".to_owned());
        };
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (put, marks) = channel();
        each_line(output, move |line| {
            // The receiver is dropped when the session ends.
            line.find(MARK).is_none_or(|at| put.send(line[at + MARK.len()..].trim().to_owned()).is_ok())
        });
        let kept = Arc::clone(&messages);
        each_line(errors, move |line| {
            kept.lock().expect("nobody panics with the lock").push(line);
            true
        });
        let mut process = Self { child, input, marks, messages };
        process.send(&format!("SELECT concat('{MARK}', 'end-0');\n"));
        match process.wait_for("end-0", START_SECONDS) {
            Ok(_) => Ok(process),
            Err(failure) => {
                process.kill();
                Err(format!("spark-sql does not start: {}", failure.message))
            }
        }
    }

    fn send(&mut self, statements: &str) {
        // A process that has ended is noticed by its missing marks.
        let _ = self.input.write_all(statements.as_bytes()).and_then(|()| self.input.flush());
    }

    fn call(&mut self, statements: &str, number: u64) -> Result<(), Failure> {
        self.messages.lock().expect("nobody panics with the lock").clear();
        self.send(statements);
        let seen = self.wait_for(&format!("end-{number}"), SCRIPT_SECONDS)?;
        if seen.contains(&format!("good-{number}")) {
            return Ok(());
        }
        // Messages on the other pipe may arrive later than the mark.
        std::thread::sleep(Duration::from_millis(200));
        Err(Failure { message: self.said(), answers: true })
    }

    /// The marks up to this one.
    fn wait_for(&mut self, last: &str, wait_seconds: u64) -> Result<BTreeSet<String>, Failure> {
        let until = Instant::now() + Duration::from_secs(wait_seconds);
        let mut seen = BTreeSet::new();
        loop {
            match self.marks.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(mark) if mark == last => return Ok(seen),
                Ok(mark) => {
                    seen.insert(mark);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let message = format!("no response within {wait_seconds} s: {}", self.said());
                    return Err(Failure { message, answers: false });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure { message: format!("spark-sql ended: {}", self.said()), answers: false });
                }
            }
        }
    }

    fn said(&self) -> String {
        let messages = self.messages.lock().expect("nobody panics with the lock");
        // Stack traces are long; the error messages are before and between them.
        let noise = ["at ", "Time taken: "];
        let telling = |line: &&String| {
            !noise.iter().any(|start| line.trim_start().starts_with(start)) && !line.contains(" WARN ")
        };
        let excerpt: Vec<&str> = messages.iter().filter(telling).take(SHOWN_LINES).map(String::as_str).collect();
        excerpt.join("\n")
    }

    fn kill(mut self) {
        drop(self.input);
        // Both only fail if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes a stream line by line to `take`, on a thread of its own, until `take` returns `false`.
fn each_line(stream: impl Read + Send + 'static, mut take: impl FnMut(String) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Some(Ok(line)) = lines.next() {
            if !take(String::from_utf8_lossy(&line).into_owned()) {
                break;
            }
        }
    });
}
