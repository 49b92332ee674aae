//! What a call uses: its time, its memory, and the requests to S3 that this process makes.
//!
//! Requests are counted where stores are opened: each store is wrapped in [`Counted`], of documents and source objects here and
//! of Delta logs in `sluice-lake`. The counters are those of the process, because libraries make requests on threads of their
//! own; a call takes what was counted between its begin and its document. A function of Lambda does one call at a time. Where
//! calls overlap, as in the command with parts, nobody knows whose the requests are, and they are not reported.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sluice_core::cost::{Architecture, CallUsage, PartsUsage, Requests, Where};

mod counted;

pub use counted::Counted;

/// Requests of this process since it began.
static COUNTERS: Counters = Counters::new();
/// The measured calls of this process, under one lock: of two that begin at the same instant, none is taken for alone.
static CALLS: Mutex<Calls> = Mutex::new(Calls { running: 0, begun: 0 });

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// How many measured calls this process has.
struct Calls {
    /// Those that run now.
    running: u64,
    /// Those that have begun.
    begun: u64,
}

fn calls() -> MutexGuard<'static, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The counters of [`Requests`].
#[derive(Debug)]
struct Counters {
    s3_get: AtomicU64,
    s3_put: AtomicU64,
    s3_list: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    scanned_files: AtomicU64,
}

impl Counters {
    const fn new() -> Self {
        Self {
            s3_get: AtomicU64::new(0),
            s3_put: AtomicU64::new(0),
            s3_list: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            scanned_files: AtomicU64::new(0),
        }
    }

    fn counted(&self) -> Requests {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Requests {
            s3_get: read(&self.s3_get),
            s3_put: read(&self.s3_put),
            s3_list: read(&self.s3_list),
            read_bytes: read(&self.read_bytes),
            written_bytes: read(&self.written_bytes),
            scanned_files: read(&self.scanned_files),
            ..Requests::default()
        }
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Requests of this process since it began. Messages and events are not among them: whoever sends them knows them.
pub fn counted() -> Requests {
    COUNTERS.counted()
}

/// Counts a page of a listing that another client than a [`Counted`] store has asked for.
pub fn count_list() {
    add(&COUNTERS.s3_list, 1);
}

/// Counts a read of an object, or of its head alone, by another client than a [`Counted`] store.
pub fn count_get() {
    add(&COUNTERS.s3_get, 1);
}

/// Counts a write of an object by another client than a [`Counted`] store; also that of a file of a lake on this machine,
/// which would be one on AWS.
pub fn count_put(bytes: u64) {
    add(&COUNTERS.s3_put, 1);
    add(&COUNTERS.written_bytes, bytes);
}

/// Counts files that are given to Polars, whose requests cannot be counted.
pub fn count_scanned(files: usize) {
    add(&COUNTERS.scanned_files, u64::try_from(files).unwrap_or(u64::MAX));
}

/// What is known of a call when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// The function's name.
    pub function: String,
    /// Where it runs.
    pub ran: Where,
    /// When it begins.
    pub began_at: Timestamp,
    /// Its memory.
    pub memory_mb: u64,
    /// The region, where one is set.
    pub region: Option<String>,
    /// How long the environment took to start for this call.
    pub start: Duration,
}

/// A call that is measured.
struct Call {
    facts: CallFacts,
    began: Instant,
    before: Requests,
    /// Its number among the calls of this process.
    number: u64,
    /// Whether no other call ran when it began.
    began_alone: bool,
    parts: Mutex<PartsUsage>,
}

/// Counts a call as running until it is dropped.
struct Running {
    /// Its number among the calls of this process.
    number: u64,
    /// Whether no other call ran when it began.
    began_alone: bool,
}

impl Running {
    fn begin() -> Self {
        let mut calls = calls();
        calls.running = calls.running.saturating_add(1);
        calls.begun = calls.begun.saturating_add(1);
        Self { number: calls.begun, began_alone: calls.running == 1 }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut calls = calls();
        calls.running = calls.running.saturating_sub(1);
    }
}

/// Does the work of a call, and measures it: documents that are written in it ([`crate::RunDocuments::settle`]) say what it has
/// used until then.
pub async fn measured<T>(facts: CallFacts, work: impl Future<Output = T>) -> T {
    let running = Running::begin();
    let call = Call {
        facts,
        began: Instant::now(),
        before: counted(),
        number: running.number,
        began_alone: running.began_alone,
        parts: Mutex::default(),
    };
    CALL.scope(Arc::new(call), work).await
}

/// What the call that asks has used until now; `None` outside of a measured call, and on other tasks than its own.
pub fn so_far() -> Option<CallUsage> {
    CALL.try_with(|call| call.usage()).ok()
}

/// The same with the request that writes the document that it is for.
pub(crate) fn with_document() -> Option<CallUsage> {
    let mut usage = so_far()?;
    if let Some(requests) = &mut usage.requests {
        requests.s3_put = requests.s3_put.saturating_add(1);
    }
    Some(usage)
}

/// Notes what the calls used that read the parts of the run, which this call combines. Outside of a measured call, nothing is
/// noted.
pub fn note_parts(parts: PartsUsage) {
    // Outside of a measured call nobody asks for it.
    let _ = CALL.try_with(|call| *call.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts);
}

impl Call {
    fn usage(&self) -> CallUsage {
        let is_alone = self.began_alone && calls().begun == self.number;
        let CallFacts { function, ran, began_at, memory_mb, region, start } = self.facts.clone();
        CallUsage {
            function,
            ran,
            began_at,
            millis: millis(self.began.elapsed()),
            start_millis: millis(start),
            memory_mb,
            peak_memory_mb: peak_memory_mb(),
            architecture: if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86 },
            region,
            requests: is_alone.then(|| counted().since(&self.before)),
            parts: *self.parts.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Whole milliseconds, of which Lambda bills each that has begun.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The most memory that this process has had, in MB; `None` where the system does not say, as outside of Linux.
fn peak_memory_mb() -> Option<u64> {
    peak_of(&fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024))
}

#[cfg(test)]
mod tests;
