//! A profile for people.

use anyhow::Result;
use sluice_core::init::Written;
use sluice_core::profile::{Change, ColumnProfile, Frequent, Profile};
use sluice_core::shown::shown;

use crate::console::{Console, Tone};
use crate::grid::{Grid, count};

/// Columns up to which all that is known of each is shown.
const DETAILED: usize = 6;
/// Frequent values and patterns of a column that are shown.
const SHOWN_VALUES: usize = 5;

/// Shows what was profiled.
pub(super) fn heading(profile: &Profile, written: Option<&Written>, console: &Console) -> Result<()> {
    let version = profile.table_version.map_or(String::new(), |version| format!(" version {version}"));
    let (rows, columns) = (number(profile.rows, "row"), number(profile.columns.len() as u64, "column"));
    console.line(&format!("{}{version}: {rows}, {columns}", shown(&profile.of)))?;
    if profile.corrupt > 0 {
        let corrupt = number(profile.corrupt, "more record");
        console.line(&format!("{corrupt} cannot be split into columns; the numbers below are without"))?;
    }
    // What was decided first is the format.
    if let Some(evidence) = written.and_then(|written| written.evidence.first()) {
        console.line(&shown(&format!("  {evidence}; types are guessed")))?;
    }
    Ok(())
}

/// Shows the columns: a line for each, and all that is known where these are few or were asked for.
pub(super) fn columns(profile: &Profile, are_wanted: bool, console: &Console) -> Result<()> {
    if are_wanted || profile.columns.len() <= DETAILED {
        for column in &profile.columns {
            console.line(&block(column, profile.rows, console))?;
        }
        return Ok(());
    }
    let mut grid = Grid::new(["column", "type", ">null", ">distinct", "smallest", "largest", "most frequent"]);
    for column in &profile.columns {
        grid.row([
            shown(&column.name),
            column.column_type.to_string(),
            share(column.nulls, profile.rows),
            distinct(column),
            column.least.as_deref().map_or(String::new(), shown),
            column.greatest.as_deref().map_or(String::new(), shown),
            // Where every value is another one, none is frequent.
            column.top.first().filter(|top| top.count > 1).map_or(String::new(), |top| shown(&top.value)),
        ]);
    }
    console.line(&grid.text())?;
    console.line("`--columns NAME,...` shows lengths, frequent values and patterns, `--json` all")?;
    Ok(())
}

/// Shows what has changed.
pub(super) fn changes(earlier: &Profile, changes: &[Change], console: &Console) -> Result<()> {
    let version = earlier.table_version.map_or(String::new(), |version| format!(" version {version}"));
    let against = format!("{}{version}, {}", shown(&earlier.of), number(earlier.rows, "row"));
    if changes.is_empty() {
        let good = console.paint(Tone::Good, "ok:");
        console.line(&format!("{good} nothing of note has changed since {against}"))?;
        return Ok(());
    }
    console.line(&format!("changed since {against}:"))?;
    let mut grid = Grid::new(["column", "change"]);
    for change in changes {
        grid.row([change.column.as_deref().map_or(String::new(), shown), shown(&change.text)]);
    }
    console.line(&grid.text())?;
    Ok(())
}

/// All that is known of a column.
fn block(column: &ColumnProfile, rows: u64, console: &Console) -> String {
    let mut text = format!("\n{}  {}", console.paint(Tone::Strong, &shown(&column.name)), column.column_type);
    let mut line = |name: &str, value: String| text.push_str(&format!("\n  {name:9} {value}"));
    let mut nulls = format!("{} ({})", count(column.nulls), share(column.nulls, rows));
    if column.null_words > 0 {
        nulls.push_str(&format!(", {} of them by a word", count(column.null_words)));
    }
    line("null", nulls);
    let unique = if column.is_unique(rows) { ", each once" } else { "" };
    let about = if column.distinct_is_exact { "" } else { ", right within 3 %" };
    line("distinct", format!("{}{unique}{about}", distinct(column)));
    if column.blanks > 0 {
        line("blank", count(column.blanks));
    }
    if column.not_of_type > 0 {
        line("other", format!("{} not of the type", count(column.not_of_type)));
    }
    if let (Some(least), Some(greatest)) = (&column.least, &column.greatest) {
        line("smallest", shown(least));
        line("largest", shown(greatest));
    }
    if let Some(lengths) = column.lengths {
        line("length", format!("{} to {}, mean {}", lengths.least, lengths.greatest, lengths.mean));
    }
    for (index, value) in column.top.iter().filter(|top| top.count > 1).take(SHOWN_VALUES).enumerate() {
        line(if index == 0 { "frequent" } else { "" }, counted(value, column.top_is_exact));
    }
    for (index, pattern) in column.patterns.iter().take(SHOWN_VALUES).enumerate() {
        line(if index == 0 { "patterns" } else { "" }, counted(pattern, column.patterns_are_exact));
    }
    text
}

/// A value or pattern with its count.
fn counted(frequent: &Frequent, is_exact: bool) -> String {
    let at_least = if is_exact { "" } else { "at least " };
    format!("{}  {at_least}{}×", shown(&frequent.value), count(frequent.count))
}

fn distinct(column: &ColumnProfile) -> String {
    let about = if column.distinct_is_exact { "" } else { "~" };
    format!("{about}{}", count(column.distinct))
}

/// A number of things, such as `1 row` or `1,204 rows`.
fn number(of: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(of), if of == 1 { "" } else { "s" })
}

/// A share in percent with one digit; a share that is not zero is not shown as zero.
fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if percent < 0.1 { "<0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use sluice_core::contract::ColumnType;
    use sluice_core::profile::{Profiler, Reading};

    use super::*;

    #[test]
    fn a_block_has_all_that_is_known_of_a_column() {
        let reading = ("n".to_owned(), Reading::stored(ColumnType::Int64));
        let mut profiler = Profiler::new([reading].into(), None);
        let place = profiler.column("n").unwrap();
        ["10", "9", "10", "x"].iter().for_each(|text| profiler.add(place, text));
        let _ = profiler.count(2005, 0);
        let profile = profiler.finish("a.csv", None).unwrap();
        let text = block(&profile.columns[0], profile.rows, &Console::new(true));
        let expected = [
            "",
            "n  BIGINT",
            "  null      2,001 (99.8 %)",
            "  distinct  3",
            "  other     1 not of the type",
            "  smallest  9",
            "  largest   10",
            "  length    1 to 2, mean 1.5",
            "  frequent  10  2×",
            "  patterns  99  2×",
            "            9  1×",
            "            a  1×",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn shares_are_never_rounded_to_nothing() {
        let check = |part: u64, whole: u64, expected: &str| assert_eq!(share(part, whole), expected);
        check(0, 10, "0 %");
        check(1, 3, "33.3 %");
        check(1, 100_000, "<0.1 %");
        check(0, 0, "0 %");
    }
}
