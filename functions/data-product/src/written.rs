//! How much callers have written lately into a lake on this machine: answers that are too large for a response, and copies for sharing.
//!
//! They are files of the disk that the tables are on, so one caller could fill it. On S3 nothing is counted: there is no disk to fill, and
//! what a caller may ask is bounded by the usage plan of its key.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sluice_core::access::Principal;
use sluice_http::{Caller, Problem, ProblemCode};

use crate::ProductsApi;

/// How long what was written counts: longer than an answer is kept.
const COUNTED: SignedDuration = SignedDuration::from_hours(1);
/// Most bytes that one caller writes in that time: as much as sixteen of the largest answers, or four of the largest copies.
const MAX_OF_CALLER: u64 = 1 << 30;
/// Most bytes that all callers write in that time.
const MAX_OF_ALL: u64 = 8 << 30;
/// What the smallest file counts as, so that what is remembered here is bounded, too.
const SMALLEST: u64 = 256 << 10;

/// What was written, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<VecDeque<(Timestamp, Principal, u64)>>);

impl Written {
    /// Counts a file of so many bytes, unless it is too much.
    ///
    /// # Errors
    /// `too-many-requests`; then nothing is counted.
    fn count(&self, caller: &Principal, bytes: u64, now: Timestamp) -> Result<(), Problem> {
        // Every change is complete before the lock is released.
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while written.front().is_some_and(|(at, ..)| now.duration_since(*at) >= COUNTED) {
            written.pop_front();
        }
        let bytes = bytes.max(SMALLEST);
        let (mut of_caller, mut of_all) = (bytes, bytes);
        for (_, principal, bytes) in written.iter() {
            of_all = of_all.saturating_add(*bytes);
            if principal == caller {
                of_caller = of_caller.saturating_add(*bytes);
            }
        }
        let refused = |who: &str, most: u64| {
            let most = most >> 30;
            let detail = format!(
                "answers and copies of more than {most} GiB would be written for {who} in an hour: ask for less, or call again later"
            );
            Err(Problem::new(ProblemCode::TooManyRequests, detail))
        };
        if of_caller > MAX_OF_CALLER {
            return refused("you", MAX_OF_CALLER);
        }
        if of_all > MAX_OF_ALL {
            return refused("all callers", MAX_OF_ALL);
        }
        written.push_back((now, caller.clone(), bytes));
        Ok(())
    }
}

impl ProductsApi {
    /// Counts a file of so many bytes that is about to be written for a caller.
    ///
    /// # Errors
    /// `too-many-requests` when too much was written lately, for this caller or for all.
    pub(crate) fn count_written(&self, caller: &Caller, bytes: usize) -> Result<(), Problem> {
        if !self.lake.root().is_local() {
            return Ok(());
        }
        self.written.count(&caller.principal, bytes as u64, self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_caller_writes_so_much_in_an_hour_and_all_callers_so_much() {
        let written = Written::default();
        let start: Timestamp = "2026-01-05T09:00:00Z".parse().expect("time");
        let count = |caller: &str, bytes: u64, minute: i64| {
            let caller = format!("recipient:{caller}").parse().expect("caller");
            let now = start.checked_add(SignedDuration::from_mins(minute)).expect("time");
            written.count(&caller, bytes, now).map_err(|problem| problem.code)
        };
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
    fn many_small_files_are_bounded_as_well() {
        let written = Written::default();
        let caller = "recipient:acme".parse().expect("caller");
        let taken =
            (0..MAX_OF_CALLER / SMALLEST + 10).filter(|_| written.count(&caller, 1, Timestamp::UNIX_EPOCH).is_ok());
        assert_eq!(taken.count() as u64, MAX_OF_CALLER / SMALLEST);
    }
}
