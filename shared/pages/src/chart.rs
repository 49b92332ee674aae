//! Runs of a table in time, as bars.

use jiff::Timestamp;
use sluice_core::name::RunId;

use crate::html::Html;
use crate::units::{count, instant};

/// Most runs of a picture.
pub const MAX_BARS: usize = 30;
/// Where bars begin, and how wide all of them are together, in units of the picture.
const LEFT: u64 = 90;
const WIDTH: u64 = 810;
/// Height of the longest bar, and of a row of bars with its heading.
const HEIGHT: u64 = 80;
const ROW: u64 = 120;

/// What a run did to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPoint {
    /// The run.
    pub run: RunId,
    /// When it ended.
    pub at: Timestamp,
    /// Rows that it read for the table.
    pub source: u64,
    /// Rows that it added; `None` where the table is computed again as a whole.
    pub added: Option<u64>,
    /// Rows that it put into quarantine.
    pub quarantined: u64,
    /// Rows in the table afterwards; `None` where nothing was committed.
    pub rows: Option<u64>,
}

impl RunPoint {
    /// The share of quarantined rows in hundredths of a percent.
    fn share(&self) -> u64 {
        let share = (u128::from(self.quarantined) * 10_000).checked_div(u128::from(self.source)).unwrap_or(0);
        u64::try_from(share).unwrap_or(u64::MAX).min(10_000)
    }

    /// The share of quarantined rows, such as `1.25 %`.
    pub(crate) fn share_text(&self) -> String {
        hundredths(self.share())
    }

    /// What the upper bars show: rows that were added, or else the rows of the table.
    fn size(&self) -> u64 {
        self.added.or(self.rows).unwrap_or(0)
    }
}

fn hundredths(hundredths: u64) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// Adds bars of the runs, the oldest to the left: rows above, and shares of quarantined rows below. Of more than
/// [`MAX_BARS`] runs the newest are drawn. The same numbers must be in a table of the page.
pub(crate) fn write(html: &mut Html, points: &[RunPoint]) {
    let points = points.get(points.len().saturating_sub(MAX_BARS)..).unwrap_or_default();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let is_whole = points.iter().all(|point| point.added.is_none());
    let most_rows = points.iter().map(RunPoint::size).max().unwrap_or(0).max(1);
    let most_share = points.iter().map(RunPoint::share).max().unwrap_or(0).max(1);
    html.markup("<svg role=\"img\" aria-labelledby=\"past-title past-text\" viewBox=\"0 0 900 ").number(2 * ROW + 20);
    html.markup("\"><title id=\"past-title\">Rows and quarantined rows by run</title><desc id=\"past-text\">");
    let words = format!(
        "{} runs from {} to {}; at most {} rows and {} of the rows in quarantine. The table below has every number.",
        points.len(),
        instant(first.at),
        instant(last.at),
        count(most_rows),
        hundredths(most_share)
    );
    html.text(&words).markup("</desc>\n");
    let above = if is_whole { "Rows of the table" } else { "Rows added" };
    let most = count(most_rows);
    row(html, 0, (above, most.as_str()), points, |point| (point.size(), most_rows));
    let share = hundredths(most_share);
    row(html, ROW, ("Share of quarantined rows", share.as_str()), points, |point| (point.share(), most_share));
    html.markup("<text class=\"soft\" x=\"").number(LEFT).markup("\" y=\"").number(2 * ROW + 14).markup("\">");
    html.text(&instant(first.at)).markup("</text><text class=\"soft\" text-anchor=\"end\" x=\"");
    html.number(LEFT + WIDTH).markup("\" y=\"").number(2 * ROW + 14).markup("\">");
    html.text(&instant(last.at)).markup("</text></svg>\n");
}

/// A row of bars: its heading, the words for its longest bar, and for each run how much it is of which most.
fn row(
    html: &mut Html,
    top: u64,
    (heading, most): (&'static str, &str),
    points: &[RunPoint],
    height: impl Fn(&RunPoint) -> (u64, u64),
) {
    let step = WIDTH / (points.len() as u64).max(1);
    html.markup("<text x=\"").number(LEFT).markup("\" y=\"").number(top + 16).markup("\">");
    html.markup(heading).markup("</text><text class=\"soft\" text-anchor=\"end\" x=\"").number(LEFT - 8);
    html.markup("\" y=\"").number(top + 36).markup("\">").text(most).markup("</text>");
    let foot = top + 26 + HEIGHT;
    html.markup("<line class=\"axis\" x1=\"").number(LEFT).markup("\" x2=\"").number(LEFT + WIDTH).markup("\" y1=\"");
    html.number(foot).markup("\" y2=\"").number(foot).markup("\"/>\n");
    for (place, point) in (0_u64..).zip(points) {
        let (size, of) = height(point);
        if size == 0 {
            continue;
        }
        let tall = scaled(size, of).max(1);
        html.markup(if top == 0 { "<rect class=\"bar\" x=\"" } else { "<rect class=\"refused\" x=\"" });
        html.number(LEFT + place * step + 1).markup("\" y=\"").number(foot - tall).markup("\" width=\"");
        html.number(step.saturating_sub(2).clamp(2, 40)).markup("\" height=\"").number(tall).markup("\"/>\n");
    }
}

/// A size of at most `of` as a height of at most [`HEIGHT`].
fn scaled(size: u64, of: u64) -> u64 {
    let height = u128::from(size.min(of)) * u128::from(HEIGHT) / u128::from(of.max(1));
    u64::try_from(height).unwrap_or(HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: i64, source: u64, quarantined: u64) -> RunPoint {
        let at = Timestamp::from_second(1_767_592_800 + second).unwrap();
        RunPoint {
            run: "r".parse().unwrap(),
            at,
            source,
            added: Some(source - quarantined),
            quarantined,
            rows: Some(9),
        }
    }

    #[test]
    fn shares_are_of_the_rows_read() {
        let check = |source: u64, quarantined: u64, expected: &str| {
            assert_eq!(point(0, source, quarantined).share_text(), expected);
        };
        check(0, 0, "0.00 %");
        check(1000, 1, "0.10 %");
        check(3, 1, "33.33 %");
        check(u64::MAX, u64::MAX, "100.00 %");
        check(7, 7, "100.00 %");
    }

    #[test]
    fn the_newest_runs_are_drawn_and_no_bar_leaves_the_picture() {
        let check = |runs: i64, bars: usize| {
            let points: Vec<RunPoint> = (0..runs).map(|run| point(run, 1000, 10)).collect();
            let mut html = Html::default();
            write(&mut html, &points);
            let page = html.into_string();
            assert_eq!(page.matches("<rect").count(), bars, "{runs}");
            assert!(!page.contains("height=\"81"), "{page}");
        };
        check(0, 0);
        check(1, 2);
        check(30, 60);
        check(31, 60);
    }

    #[test]
    fn heights_are_in_proportion() {
        let check = |size: u64, of: u64, expected: u64| assert_eq!(scaled(size, of), expected, "{size} of {of}");
        check(0, 10, 0);
        check(5, 10, HEIGHT / 2);
        check(10, 10, HEIGHT);
        check(u64::MAX, u64::MAX, HEIGHT);
        check(11, 10, HEIGHT);
        check(0, 0, 0);
    }
}
