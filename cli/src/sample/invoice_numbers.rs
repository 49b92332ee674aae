//! Which invoice numbers a day may use.

use std::ops::Range;

use jiff::civil::{Date, date};

/// Numbers of a day of ordinary size: up to about 4,600 rows.
const ORDINARY_SLOT: u32 = 400;
/// First number of six digits.
const FIRST: u32 = 100_000;
/// How many numbers have six digits.
const CAPACITY: u32 = 900_000;
/// Fewest rows that an invoice has on average; real ones have about 20.
const ROWS_PER_NUMBER: u64 = 12;

/// Invoice numbers by date: six digits, increasing with the days, no number on two days of a call.
///
/// Every day owns a slot of numbers. A slot's place depends on the date alone, so that a later call with the same rows
/// per day continues where this one ended. Days of up to 4,600 rows have slots of 400 numbers, which repeat after
/// 2,250 days; larger days have larger slots, which repeat sooner. When even that does not fit, invoices get longer.
#[derive(Debug, Clone, Copy)]
pub struct InvoiceNumbers {
    slot: u32,
    first_slot: u32,
    start: Date,
}

impl InvoiceNumbers {
    /// The numbers of a call.
    pub fn new(start: Date, days: u32, rows_per_day: u64) -> Self {
        let needed = u32::try_from(rows_per_day / ROWS_PER_NUMBER + 16).unwrap_or(CAPACITY).min(CAPACITY);
        let mut slot = ORDINARY_SLOT;
        while slot < needed {
            slot = slot.saturating_mul(2);
        }
        let slot = slot.min(CAPACITY / days.max(1)).max(1);
        let slots = CAPACITY / slot;
        let age_days = days_between(date(2025, 1, 1), start);
        let place = u32::try_from(age_days.rem_euclid(i64::from(slots))).unwrap_or_default();
        // Near the end of the numbers, a call starts earlier instead of jumping back in the middle.
        Self { slot, first_slot: place.min(slots.saturating_sub(days)), start }
    }

    /// The numbers of one day of the call.
    pub fn of(&self, day: Date) -> Range<u32> {
        let index = u32::try_from(days_between(self.start, day)).unwrap_or_default();
        let first = FIRST + self.first_slot.saturating_add(index).saturating_mul(self.slot);
        first..first.saturating_add(self.slot).min(FIRST + CAPACITY)
    }
}

/// Days from one date to another.
pub(super) fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}
