//! What was read and counts for a moment. As long as it is asked for, it is read again before its time is up: read only then, it
//! has hundreds of callers wait, every few seconds.

use std::time::{Duration, Instant};

/// A value, and when it was read.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    at: Instant,
    value: T,
    is_being_renewed: bool,
}

/// A value that still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current<T> {
    /// The value.
    pub value: T,
    /// Whether whoever asked should have it read again, without waiting for it. Said once of each reading.
    pub is_due: bool,
}

impl<T: Clone> Reading<T> {
    /// A value that was as it is at this time, or later.
    pub fn new(at: Instant, value: T) -> Self {
        Self { at, value, is_being_renewed: false }
    }

    /// The value, if it counts for so long. It is due after half of that.
    pub fn current(&mut self, kept: Duration) -> Option<Current<T>> {
        let age = self.at.elapsed();
        if age >= kept {
            return None;
        }
        let is_due = age >= kept / 2 && !std::mem::replace(&mut self.is_being_renewed, true);
        Some(Current { value: self.value.clone(), is_due })
    }

    /// Takes what reading again has found, unless others have read it since.
    pub fn renew(&mut self, began: Instant, value: T) {
        if self.is_being_renewed && self.at < began {
            *self = Self::new(began, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_secs(1000);

    fn read_before(age: Duration) -> Reading<u8> {
        Reading::new(Instant::now().checked_sub(age).expect("the machine has run for so long"), 1)
    }

    #[test]
    fn a_value_counts_for_its_time_and_is_due_once_after_half_of_it() {
        let check = |age: u64, expected: &[Option<bool>]| {
            let mut reading = read_before(Duration::from_secs(age));
            for is_due in expected {
                let current = reading.current(KEPT);
                assert_eq!(current, is_due.map(|is_due| Current { value: 1, is_due }), "{age}");
            }
        };
        check(0, &[Some(false), Some(false)]);
        check(500, &[Some(true), Some(false)]);
        check(1000, &[None, None]);
    }

    #[test]
    fn a_value_is_renewed_unless_it_is_newer() {
        let mut reading = read_before(Duration::from_secs(600));
        reading.renew(Instant::now(), 2);
        assert_eq!(reading.value, 1, "nobody was to read it again");
        assert!(reading.current(KEPT).is_some_and(|current| current.is_due));
        let earlier = Instant::now().checked_sub(Duration::from_secs(700)).expect("the machine has run for so long");
        reading.renew(earlier, 3);
        assert_eq!(reading.value, 1, "it was read since");
        reading.renew(Instant::now(), 2);
        assert_eq!(reading.current(KEPT), Some(Current { value: 2, is_due: false }));
    }
}
