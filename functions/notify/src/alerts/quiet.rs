//! Whether an instant is in quiet hours.

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use jiff::Timestamp;
use sluice_core::alert::QuietHours;

/// Whether it is. In a time zone that this version does not know, no hour is quiet.
pub(super) fn is_in(hours: &QuietHours, now: Timestamp) -> bool {
    minute_of_day(hours.time_zone.as_str(), now).is_some_and(|minute| hours.contains(minute))
}

fn minute_of_day(zone: &str, now: Timestamp) -> Option<u16> {
    let zone: Tz = zone.parse().ok()?;
    let local = DateTime::<Utc>::from_timestamp(now.as_second(), 0)?.with_timezone(&zone);
    u16::try_from(local.hour() * 60 + local.minute()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_time_zone_in_summer_and_winter() {
        let hours: QuietHours =
            serde_json::from_str(r#"{"from": "20:00", "to": "07:00", "time_zone": "Europe/Berlin"}"#).unwrap();
        let check = |now: &str, expected: bool| assert_eq!(is_in(&hours, now.parse().unwrap()), expected, "{now}");
        // UTC+1 in winter, UTC+2 in summer.
        check("2026-01-05T18:59:59Z", false);
        check("2026-01-05T19:00:00Z", true);
        check("2026-01-05T05:59:59Z", true);
        check("2026-01-05T06:00:00Z", false);
        check("2026-07-05T17:59:59Z", false);
        check("2026-07-05T18:00:00Z", true);
        check("2026-07-05T04:59:59Z", true);
        check("2026-07-05T05:00:00Z", false);
    }
}
