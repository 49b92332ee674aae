//! How a promise about the age of data was kept over the last days.

use jiff::Timestamp;

use crate::grid::{Cell, paragraph, section, table};
use crate::html::Html;
use crate::units::{between, counted, duration, instant};

/// Days that are judged.
pub const KEPT_DAYS: u64 = 90;
/// Most delays that are listed.
const MAX_LISTED: usize = 20;

/// When a table was published, and the promise about its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFacts {
    /// Greatest age that the contract promises, in seconds.
    pub promised_seconds: u64,
    /// When runs published the table, the oldest first.
    pub published: Vec<Timestamp>,
    /// The time of the page.
    pub now: Timestamp,
}

/// How a promise was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    /// Since when it is judged: [`KEPT_DAYS`] ago, or the first known publication after that.
    since: Timestamp,
    /// From when to when the data were older than promised.
    late: Vec<(Timestamp, Timestamp)>,
    /// Share of the time in which they were not, in hundredths of a percent, never rounded up.
    share: u64,
}

impl KeptFacts {
    /// How the promise was kept; `None` where no publication is known.
    fn judged(&self) -> Option<Kept> {
        let days_ago = i64::try_from(KEPT_DAYS * 86_400).ok().map(jiff::SignedDuration::from_secs)?;
        let start = self.now.checked_sub(days_ago).unwrap_or(Timestamp::MIN);
        let first = *self.published.first()?;
        let since = start.max(first);
        let promised = i64::try_from(self.promised_seconds).unwrap_or(i64::MAX);
        let promised = jiff::SignedDuration::from_secs(promised);
        let (mut late, mut late_milliseconds) = (Vec::new(), 0_u64);
        for (place, published) in self.published.iter().enumerate() {
            let until = self.published.get(place + 1).copied().unwrap_or(self.now).min(self.now);
            let due = published.checked_add(promised).unwrap_or(Timestamp::MAX).max(since);
            if due < until {
                late_milliseconds = late_milliseconds.saturating_add(between(due, until));
                late.push((due, until));
            }
        }
        let all = between(since, self.now).max(1);
        let kept = u128::from(all.saturating_sub(late_milliseconds)) * 10_000 / u128::from(all);
        Some(Kept { since, late, share: u64::try_from(kept).unwrap_or(10_000) })
    }

    /// Adds the section.
    pub(super) fn write(&self, body: &mut Html) {
        section(body, "kept", "Promise of freshness, over time");
        let promised = duration(self.promised_seconds.saturating_mul(1000));
        let Some(Kept { since, late, share }) = self.judged() else {
            paragraph(body, &format!("Data are promised within {promised}. No publication is known of the last days."));
            return;
        };
        let words = format!(
            "Data are promised within {promised}. Since {} this was so {}.{:02} % of the time, with {}.",
            instant(since),
            share / 100,
            share % 100,
            counted(late.len() as u64, "delay", "delays")
        );
        paragraph(body, &words);
        let row = |(from, to): &(Timestamp, Timestamp)| {
            let end = if *to == self.now { "not over".to_owned() } else { instant(*to) };
            vec![Cell::Text(instant(*from)), Cell::Text(end), Cell::Number(duration(between(*from, *to)))]
        };
        let rows: Vec<Vec<Cell>> = late.iter().rev().take(MAX_LISTED).map(row).collect();
        if !rows.is_empty() {
            table(body, "When data were older than promised, the newest first", &["From", "To", ">For"], &rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_767_592_800 + hour * 3600).unwrap()
    }

    fn kept(published: &[i64], promised_hours: u64, now: i64) -> KeptFacts {
        let published = published.iter().map(|hour| at(*hour)).collect();
        KeptFacts { promised_seconds: promised_hours * 3600, published, now: at(now) }
    }

    #[test]
    fn the_time_after_the_promised_age_is_late() {
        let check = |published: &[i64], now: i64, share: u64, late: &[(i64, i64)]| {
            let judged = kept(published, 24, now).judged().unwrap();
            let late: Vec<(Timestamp, Timestamp)> = late.iter().map(|(from, to)| (at(*from), at(*to))).collect();
            assert_eq!((judged.share, judged.late), (share, late), "{published:?} {now}");
        };
        check(&[0], 10, 10_000, &[]);
        check(&[0], 24, 10_000, &[]);
        check(&[0], 48, 5_000, &[(24, 48)]);
        check(&[0, 24, 48], 60, 10_000, &[]);
        check(&[0, 36, 60], 80, 8_500, &[(24, 36)]);
        check(&[0, 36], 100, 4_800, &[(24, 36), (60, 100)]);
    }

    #[test]
    fn only_the_last_days_count() {
        let days = i64::try_from(KEPT_DAYS).unwrap() * 24;
        let judged = kept(&[0], 24, 2 * days).judged().unwrap();
        assert_eq!((judged.since, judged.share), (at(days), 0));
        assert_eq!(kept(&[], 24, 1).judged(), None);
    }

    proptest! {
        #[test]
        fn no_share_is_above_all(mut hours in proptest::collection::vec(0_i64..3000, 1..30), promised in 0_u64..200) {
            hours.sort_unstable();
            let judged = kept(&hours, promised, 3000).judged().unwrap();
            prop_assert!(judged.share <= 10_000);
            prop_assert!(judged.late.iter().all(|(from, to)| from < to));
        }
    }
}
