//! The workers of `sluice serve`: processes of this program, each of which works on one question at a time.
//!
//! The engine cannot be stopped within a process, so a question has a process that can be ended: when its time is up, when its caller is
//! gone, when it takes more memory than it may, and when others wait for its place. There are as many processes as places
//! ([`super::places`]). One that answered well takes the next question.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_core::error::{ErrorName, StepError};
use sluice_core::uri::FolderUri;
use sluice_data_product::metrics::{QuestionLoad, Questions};
use sluice_lake::serve::{Answer, Answering, Answers, Held, QueryLimits, Question, ServeError};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::places::{Displaced, LONG, PLACES, Place, Places};
use super::wire::{read_answer, send_question};

/// A worker that was busy for so long is replaced: what it kept of earlier questions would be taken from the memory of later ones.
const MAX_BUSY: Duration = Duration::from_secs(60);
/// Longest wait for the end of a process that closed its pipes.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Least and most memory of one question.
const MEMORY: std::ops::RangeInclusive<u64> = (256 << 20)..=(2 << 30);
/// Addresses that a worker takes without a question: code, stacks of threads, what allocators reserve.
const ADDRESS_BYTES: u64 = 1 << 30;
/// The same for each core: stacks of the engine's threads.
const ADDRESS_BYTES_OF_CORE: u64 = 32 << 20;
/// Variables of workers: allocators reserve addresses in pieces of 1 GiB otherwise, and 64 MiB for each thread that calls C.
const VARIABLES: [(&str, &str); 2] = [("MIMALLOC_ARENA_RESERVE", "64M"), ("MALLOC_ARENA_MAX", "2")];

/// The variable with the threads of the engine.
const ENGINE_THREADS: &str = "POLARS_MAX_THREADS";

/// Threads of the engine in one worker, of which as many as there are places may be at work: each on every core, they would
/// keep the server from the cores, whatever their priority is.
fn engine_threads(cores: u64) -> u64 {
    (cores / 2).max(1)
}

/// The workers of a lake.
#[derive(Debug, Clone)]
pub(crate) struct Workers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lake: FolderUri,
    memory_bytes: u64,
    limits: QueryLimits,
    places: Places,
    idle: Mutex<Vec<Worker>>,
}

/// A process that works on one question at a time. It ends when this is dropped.
#[derive(Debug)]
struct Worker {
    process: Child,
    pipes: Pipes,
    busy: Duration,
}

#[derive(Debug)]
struct Pipes {
    questions: ChildStdin,
    answers: ChildStdout,
}

impl Pipes {
    async fn ask(&mut self, question: &[u8]) -> io::Result<Result<Answer, ServeError>> {
        send_question(&mut self.questions, question).await?;
        read_answer(&mut self.answers).await
    }
}

/// A process at its place. Dropped before it is taken back, as when its caller is gone, the process is ended, and the place is free when
/// it has ended.
struct Working(Option<(Child, Place)>);

impl Working {
    fn id(&self) -> Option<u32> {
        self.0.as_ref().and_then(|(process, _)| process.id())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // Without a runtime this process ends, and the worker with it.
        if let Some((process, place)) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(end_and_free(process, place));
        }
    }
}

impl Workers {
    /// Workers of this lake, which start with the first questions.
    pub(crate) fn new(lake: FolderUri) -> Self {
        let memory_bytes = memory_of_a_question(machine_memory());
        let (limits, places, idle) = (QueryLimits::default(), Places::new(), Mutex::default());
        Self(Arc::new(Shared { lake, memory_bytes, limits, places, idle }))
    }

    /// Memory of one question; none where it is not limited.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        cfg!(target_os = "linux").then_some(self.0.memory_bytes)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker that is idle, or a new one.
    fn worker(&self) -> Result<Worker, ServeError> {
        while let Some(mut worker) = self.idle().pop() {
            // The system may have ended it.
            if matches!(worker.process.try_wait(), Ok(None)) {
                return Ok(worker);
            }
        }
        self.start().map_err(|error| {
            let message = format!("a worker cannot be started: {error}");
            ServeError::Lake(StepError::message(ErrorName::Unavailable, message))
        })
    }

    fn start(&self) -> io::Result<Worker> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let address_bytes = self.0.memory_bytes + ADDRESS_BYTES + cores * ADDRESS_BYTES_OF_CORE;
        // For a worker whose server was killed; else the server ends it much earlier.
        let cpu_seconds = (MAX_BUSY + self.0.limits.time).as_secs() * cores;
        let mut command = Command::new(program()?);
        command.arg("serve-worker").arg("--lake").arg(self.0.lake.as_url().as_str());
        command.args(["--address-bytes", &address_bytes.to_string(), "--cpu-seconds", &cpu_seconds.to_string()]);
        if std::env::var_os(ENGINE_THREADS).is_none() {
            command.env(ENGINE_THREADS, engine_threads(cores).to_string());
        }
        command.envs(VARIABLES).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // A group of its own: Ctrl-C is for the server, and priorities are given to groups.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| io::Error::other("the process has no pipes"))?;
        Ok(Worker { process, pipes: Pipes { questions, answers }, busy: Duration::ZERO })
    }

    async fn answered(&self, caller: &str, question: Question) -> Result<Answer, ServeError> {
        let until = Instant::now() + self.0.limits.time;
        let question = serde_json::to_vec(&question).map_err(|error| defect(error.to_string()))?;
        let place = timeout_at(until, self.0.places.take(caller)).await;
        let (place, displaced) = place.map_err(|_| ServeError::TooBusy)??;
        let began = Instant::now();
        let Worker { process, mut pipes, busy } = self.worker()?;
        let mut working = Working(Some((process, place)));
        let (exchanged, was_long) = self.exchange(&mut pipes, &question, working.id(), displaced, until).await?;
        let Some((process, place)) = working.0.take() else { return Err(defect("a worker is gone".to_owned())) };
        let answered = match exchanged {
            Ok(answered) => answered,
            Err(error) => return Err(self.death(process, &error).await),
        };
        let busy = busy + began.elapsed();
        // After a fault nobody knows in which state the engine is.
        let is_sound = !matches!(answered, Err(ServeError::Lake(_) | ServeError::Engine { .. }));
        // The answer holds the place, and so does a process that has to end first: it may have all the memory of the place until then.
        let place = Arc::new(place);
        if is_sound && !was_long && busy < MAX_BUSY {
            self.idle().push(Worker { process, pipes, busy });
        } else {
            tokio::spawn(end_and_free(process, place.clone()));
        }
        answered.map(|answer| Answer { place: Held::new(place), ..answer })
    }

    /// Sends the question and waits for the answer, which a process that died does not give; and whether that took long.
    ///
    /// # Errors
    /// [`ServeError::TooSlow`], [`ServeError::Displaced`]: the process is still working.
    async fn exchange(
        &self,
        pipes: &mut Pipes,
        question: &[u8],
        process: Option<u32>,
        mut displaced: Displaced,
        until: Instant,
    ) -> Result<(io::Result<Result<Answer, ServeError>>, bool), ServeError> {
        let began = Instant::now();
        let asked = pipes.ask(question);
        tokio::pin!(asked);
        let mut is_long = false;
        loop {
            tokio::select! {
                exchanged = &mut asked => return Ok((exchanged, is_long)),
                () = sleep_until(until) => return Err(ServeError::TooSlow { seconds: self.0.limits.time.as_secs() }),
                () = displaced.called() => return Err(ServeError::Displaced { seconds: began.elapsed().as_secs() }),
                () = sleep_until(began + LONG), if !is_long => {
                    is_long = true;
                    put_behind_others(process);
                    self.0.places.settle();
                }
            }
        }
    }

    /// Why a process died over a question.
    async fn death(&self, mut process: Child, error: &io::Error) -> ServeError {
        let ended = timeout(END_TIMEOUT, process.wait()).await;
        let status = ended.map_err(io::Error::from).flatten();
        tracing::warn!(?status, %error, "a worker ended over a question");
        match status {
            Ok(status) => cause(status, self.0.memory_bytes),
            Err(error) => defect(format!("a worker closed its pipes and does not end: {error}")),
        }
    }
}

impl QuestionLoad for Workers {
    fn questions(&self) -> Questions {
        let (running, waiting) = self.0.places.counts();
        Questions { running: running as u64, waiting: waiting as u64 }
    }
}

impl Answers for Workers {
    fn answer<'a>(&'a self, caller: &'a str, question: Question) -> Answering<'a> {
        Box::pin(self.answered(caller, question))
    }
}

/// Ends a process and waits until it has.
async fn end(mut process: Child) {
    if let Err(error) = process.kill().await {
        tracing::warn!(%error, "a worker cannot be ended");
    }
}

/// Ends a process, and gives its place back when it has ended.
async fn end_and_free<P>(process: Child, place: P) {
    end(process).await;
    drop(place);
}

/// Lets a process continue only when no other has anything to do. It cannot be undone.
fn put_behind_others(process: Option<u32>) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, setpriority_pgrp};
        /// The least of all.
        const PRIORITY: i32 = 19;
        let group = process.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Its group, which is its own, and so all of its threads: by its id only the first thread would be meant.
        if let Some(Err(error)) = group.map(|group| setpriority_pgrp(Some(group), PRIORITY)) {
            tracing::warn!(%error, "a long question cannot be put behind others");
        }
    }
    #[cfg(not(unix))]
    let _ = process;
}

/// What the end of a process says of its question.
fn cause(status: ExitStatus, memory_bytes: u64) -> ServeError {
    // Numbers of Linux and macOS alike.
    const ABORT: i32 = 6;
    const KILL: i32 = 9;
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    match signal {
        // It aborts when it gets no memory, and the system kills when it has no more.
        Some(ABORT | KILL) => {
            let megabytes = memory_bytes >> 20;
            let what =
                format!("the question takes more than the {megabytes} MiB of memory that one may take: narrow it");
            ServeError::TooLarge { what }
        }
        _ => defect(format!("a worker ended with {status}; its own lines in the log say why")),
    }
}

fn defect(message: String) -> ServeError {
    ServeError::Lake(StepError::message(ErrorName::Internal, message))
}

/// This program. On Linux by a name that stays when the file is replaced.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// Memory of this machine, or of the container that this process is in; none where it cannot be found out.
fn machine_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"))?;
    let total = kilobytes.trim().parse::<u64>().ok()?.checked_mul(1024)?;
    // `max` where the container has no limit.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    Some(container.and_then(|text| text.trim().parse().ok()).map_or(total, |limit: u64| limit.min(total)))
}

/// Its share of half the memory, so that all places together leave the other half to the server, to files in the cache and to others.
fn memory_of_a_question(machine: Option<u64>) -> u64 {
    let share = machine.map_or(*MEMORY.start(), |machine| machine / 2 / PLACES as u64);
    share.clamp(*MEMORY.start(), *MEMORY.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_gets_half_of_the_cores_and_at_least_one() {
        assert_eq!([1, 2, 3, 8, 64].map(engine_threads), [1, 1, 1, 4, 32]);
    }

    #[test]
    fn questions_share_half_of_the_memory() {
        let check = |machine: Option<u64>, megabytes: u64| {
            assert_eq!(memory_of_a_question(machine) >> 20, megabytes, "{machine:?}");
        };
        check(None, 256);
        check(Some(1 << 30), 256);
        check(Some(16 << 30), 1024);
        check(Some(1 << 40), 2048);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_place_is_free_when_its_process_has_ended() {
        let process = Command::new("sleep").arg("60").kill_on_drop(true).spawn().expect("a process");
        let id = process.id().expect("an id");
        let places = Places::new();
        let mut taken = Vec::new();
        while let Ok(Ok((place, _))) = timeout(Duration::ZERO, places.take("caller")).await {
            taken.push(place);
        }
        assert_eq!(places.counts(), (taken.len(), 0), "those that gave up do not wait");
        let place = taken.pop().expect("a place");
        // Nothing else runs in this runtime until it is waited for.
        tokio::spawn(end_and_free(process, place));
        let next = timeout(END_TIMEOUT, places.take("caller")).await;
        assert!(matches!(next, Ok(Ok(_))), "the place is free after the process");
        let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw).expect("an id");
        assert!(rustix::process::test_kill_process(id).is_err(), "the process has ended");
    }

    #[cfg(unix)]
    #[test]
    fn the_end_of_a_process_says_what_its_question_did() {
        use std::os::unix::process::ExitStatusExt;
        let check = |status: i32, expected: &str| {
            let cause = cause(ExitStatus::from_raw(status), 512 << 20);
            assert!(format!("{cause:?}").contains(expected), "{status}: {cause:?}");
        };
        check(6, "512 MiB of memory");
        check(9, "512 MiB of memory");
        check(11, "Internal");
        check(1 << 8, "exit status: 1");
    }
}
