//! How much there is of what callers had written into a lake on this machine: answers that are too large for a
//! response, and copies for sharing.
//!
//! They are files of the disk that the tables are on, so one caller could fill it. Each counts for as long as it may be
//! there. On S3 nothing is counted: there is no disk to fill, and what a caller may ask is bounded by the usage plan of
//! its key.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sluice_core::access::Principal;
use sluice_http::{Caller, Problem, ProblemCode};

use crate::ProductsApi;
use crate::expiry::COPIES_KEPT;

/// How long an answer counts: longer than it is kept.
const ANSWER_COUNTED: SignedDuration = SignedDuration::from_hours(1);
/// What the smallest file counts as, so that what is remembered here is bounded, too.
const SMALLEST: u64 = 256 << 10;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// An answer that is too large for a response.
    Answer,
    /// A copy of a table for sharing.
    Copy,
}

impl FileKind {
    /// How long a file counts.
    fn counted(self) -> SignedDuration {
        match self {
            Self::Answer => ANSWER_COUNTED,
            Self::Copy => COPIES_KEPT,
        }
    }

    /// Most bytes of one caller that count: sixteen of the largest files of either kind.
    fn most_of_caller(self) -> u64 {
        match self {
            Self::Answer => 1 << 30,
            Self::Copy => 4 << 30,
        }
    }

    /// Most bytes of all callers that count.
    fn most_of_all(self) -> u64 {
        8 * self.most_of_caller()
    }

    /// The files, and the time in which they count, in words.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Answer => ("answers", "an hour"),
            Self::Copy => ("copies", "a day"),
        }
    }
}

/// A file that counts.
#[derive(Debug)]
struct File {
    kind: FileKind,
    until: Timestamp,
    caller: Principal,
    bytes: u64,
}

/// What was written and counts, in no order.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<Vec<File>>);

impl Written {
    /// Counts a file of so many bytes, unless it is too much.
    ///
    /// # Errors
    /// `too-many-requests`; then nothing is counted.
    fn count(&self, kind: FileKind, caller: &Principal, bytes: u64, now: Timestamp) -> Result<(), Problem> {
        // Every change is complete before the lock is released.
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|file| now < file.until);
        let bytes = bytes.max(SMALLEST);
        let (mut of_caller, mut of_all) = (bytes, bytes);
        for file in written.iter().filter(|file| file.kind == kind) {
            of_all = of_all.saturating_add(file.bytes);
            if file.caller == *caller {
                of_caller = of_caller.saturating_add(file.bytes);
            }
        }
        let refused = |who: &str, most: u64| {
            let ((files, time), most) = (kind.words(), most >> 30);
            let detail = format!(
                "{files} of more than {most} GiB would be written for {who} in {time}: ask for less, or call later"
            );
            Err(Problem::new(ProblemCode::TooManyRequests, detail))
        };
        if of_caller > kind.most_of_caller() {
            return refused("you", kind.most_of_caller());
        }
        if of_all > kind.most_of_all() {
            return refused("all callers", kind.most_of_all());
        }
        let until = now.checked_add(kind.counted()).unwrap_or(Timestamp::MAX);
        written.push(File { kind, until, caller: caller.clone(), bytes });
        Ok(())
    }
}

impl ProductsApi {
    /// Counts a file of so many bytes that is about to be written for a caller.
    ///
    /// # Errors
    /// `too-many-requests` when there is too much of what was written, for this caller or for all.
    pub(crate) fn count_written(&self, kind: FileKind, caller: &Caller, bytes: usize) -> Result<(), Problem> {
        if !self.lake.root().is_local() {
            return Ok(());
        }
        self.written.count(kind, &caller.principal, bytes as u64, self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Counts a file of this caller that is written so many minutes after the first.
    fn count(written: &Written, kind: FileKind, caller: &str, bytes: u64, minute: i64) -> Result<(), ProblemCode> {
        let caller = format!("recipient:{caller}").parse().expect("caller");
        let start: Timestamp = "2026-01-05T09:00:00Z".parse().expect("time");
        let now = start.checked_add(SignedDuration::from_mins(minute)).expect("time");
        written.count(kind, &caller, bytes, now).map_err(|problem| problem.code)
    }

    #[test]
    fn answers_of_so_many_bytes_are_written_for_a_caller_and_for_all_in_an_hour() {
        let written = Written::default();
        let count = |caller: &str, bytes, minute| count(&written, FileKind::Answer, caller, bytes, minute);
        let refused = Err(ProblemCode::TooManyRequests);
        for minute in 0..16 {
            assert_eq!(count("acme", 64 * MIB, minute), Ok(()));
        }
        assert_eq!(count("acme", 1, 16), refused);
        assert_eq!(count("bob", 1, 17), Ok(()));
        // The first counts no longer.
        assert_eq!(count("acme", 64 * MIB, 59), refused);
        assert_eq!(count("acme", 64 * MIB, 60), Ok(()));
        assert_eq!(count("acme", 64 * MIB, 60), refused);
        for number in 0..7 {
            assert_eq!(count(&format!("one{number}"), 1024 * MIB, 61), Ok(()));
        }
        // Seven GiB of these, 14 answers of acme that still count, and what bob has.
        assert_eq!(count("last", 128 * MIB, 62), refused);
        assert_eq!(count("last", 127 * MIB, 62), Ok(()));
        assert_eq!(count("last", 512 * MIB, 200), Ok(()));
    }

    #[test]
    fn copies_count_for_as_long_as_they_are_kept() {
        let written = Written::default();
        let count = |kind, caller: &str, minute| count(&written, kind, caller, 256 * MIB, minute);
        let refused = Err(ProblemCode::TooManyRequests);
        for minute in 0..16 {
            assert_eq!(count(FileKind::Copy, "acme", minute), Ok(()));
        }
        assert_eq!(count(FileKind::Copy, "acme", 23 * 60), refused);
        assert_eq!(count(FileKind::Answer, "acme", 23 * 60), Ok(()), "answers have a limit of their own");
        for number in 0..7 * 16 {
            assert_eq!(count(FileKind::Copy, &format!("one{}", number % 7), 23 * 60), Ok(()));
        }
        assert_eq!(count(FileKind::Copy, "last", 23 * 60), refused, "32 GiB of all");
        assert_eq!(count(FileKind::Copy, "acme", 24 * 60), Ok(()), "the first copy is deleted");
    }

    #[test]
    fn many_small_files_are_bounded_as_well() {
        let written = Written::default();
        let most = FileKind::Answer.most_of_caller() / SMALLEST;
        let taken = (0..most + 10).filter(|_| count(&written, FileKind::Answer, "acme", 1, 0).is_ok());
        assert_eq!(taken.count() as u64, most);
    }
}
