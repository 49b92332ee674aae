//! What a text looks like whose lines no usual delimiter splits.

use super::header::is_typed;
use super::split::Cell;
use super::{InitError, csv};

/// Most lines that are read.
const MAX_LINES: usize = 1000;
/// Fewest lines that show a form.
const LEAST_LINES: usize = 3;
/// Fewest characters of lines in columns of a fixed width.
const LEAST_WIDTH: usize = 12;
/// Signs that stand in no usual text.
const RARE: [char; 8] = ['~', '^', '¦', '§', '\u{1}', '\u{1c}', '\u{1e}', '\u{1f}'];
/// Signs that texts have, too, but not as often in each.
const COMMON: [char; 6] = [':', '#', '!', '*', '=', ' '];

/// The text below the comments at its beginning; `None` where it begins with none.
pub(super) fn below_comments(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        rest = if let Some(comment) = trimmed.strip_prefix("/*") {
            comment.split_once("*/")?.1
        } else if ["//", "#", "--"].iter().any(|sign| trimmed.starts_with(sign)) {
            trimmed.split_once('\n')?.1
        } else {
            return (trimmed.len() < text.trim_start().len()).then_some(trimmed);
        };
    }
}

/// Whether a text is a table below comments as programs have them, which no option of CSV passes over.
pub(super) fn has_table_below_comments(text: &str) -> bool {
    let begin = text.trim_start();
    let is_commented = begin.starts_with("//") || begin.starts_with("/*");
    let below = below_comments(text).filter(|_| is_commented);
    below.and_then(|below| csv::find(below, true)).is_some_and(|found| !found.is_one_column)
}

/// Says that a text is no list of values in one column.
///
/// # Errors
/// [`InitError::NoDelimiter`] where its lines look like objects, columns of a fixed width, or fields with another sign
/// between them.
pub(super) fn check(file: &str, text: &str) -> Result<(), InitError> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(MAX_LINES).collect();
    let refuse =
        |looks: &str, fix: String| Err(InitError::NoDelimiter { file: file.to_owned(), looks: looks.to_owned(), fix });
    let values = lines.iter().filter(|line| is_value(line)).count();
    if lines.len() >= 2 && count(&lines, |line| line.trim_start().starts_with('{')) * 2 > lines.len() {
        let fix = "remove the lines before the first `{` and those that are no JSON".to_owned();
        return refuse("JSON among other lines", fix);
    }
    if lines.len() < LEAST_LINES || values * 2 >= lines.len() {
        return Ok(());
    }
    if has_fixed_columns(&lines) {
        let fix = "write the pipeline with `format: fixed_width` and the columns by position, as \
                   docs/sources/fixed-width.md shows";
        return refuse("columns of a fixed width, with blanks between them", fix.to_owned());
    }
    if let Some(sign) = separator(&lines) {
        let shown: String = sign.escape_default().collect();
        let shown = if sign.is_ascii_control() { shown } else { sign.to_string() };
        let shown = if is_doubled(&lines, sign) { shown.repeat(2) } else { shown };
        let looks = format!("fields with `{shown}` between them, as often in each line");
        let fix = "write the pipeline with this `delimiter` in `source.csv`, or export the file with commas";
        return refuse(&looks, fix.to_owned());
    }
    Ok(())
}

fn count(lines: &[&str], is_one: impl Fn(&str) -> bool) -> usize {
    lines.iter().filter(|line| is_one(line)).count()
}

/// Whether a line is one number, date or truth value.
fn is_value(line: &str) -> bool {
    is_typed(&Cell { text: line.trim().to_owned(), is_quoted: false })
}

/// Whether most lines have values that are filled up with blanks, and all of them a blank in the same place, with
/// something on either side.
fn has_fixed_columns(lines: &[&str]) -> bool {
    let is_filled = |line: &str| line.trim().contains("  ") && line.trim().chars().count() >= LEAST_WIDTH;
    if count(lines, is_filled) * 5 < lines.len() * 4 {
        return false;
    }
    let grid: Vec<Vec<char>> = lines.iter().map(|line| line.trim_end().chars().collect()).collect();
    let shortest = grid.iter().map(Vec::len).min().unwrap_or(0);
    let is_blank = |line: &Vec<char>, place: usize| line.get(place).is_some_and(|sign| sign.is_whitespace());
    let is_gap = |place: usize| {
        let begins = grid.iter().filter(|line| line.get(place + 1).is_some_and(|sign| !sign.is_whitespace())).count();
        let has_front = grid.iter().any(|line| line.iter().take(place).any(|sign| !sign.is_whitespace()));
        has_front && begins > 0 && grid.iter().all(|line| is_blank(line, place))
    };
    (1..shortest).any(is_gap)
}

/// The sign that occurs as often in each line as no text has it.
fn separator(lines: &[&str]) -> Option<char> {
    let rare = RARE.into_iter().map(|sign| (sign, 1, LEAST_LINES));
    let common = COMMON.into_iter().map(|sign| (sign, 2, LEAST_LINES + 1));
    let is_one = |(sign, least, least_lines): &(char, usize, usize)| {
        let mut counts = lines.iter().map(|line| line.trim().matches(*sign).count());
        let first = counts.next().unwrap_or(0);
        let is_even = first >= *least && lines.len() >= *least_lines && counts.all(|count| count == first);
        match sign {
            ' ' => is_even && has_numbers(lines),
            sign if RARE.contains(sign) => is_even,
            // Times and addresses of devices have such signs, in lines of one length.
            _ => is_even && has_lengths(lines),
        }
    };
    rare.chain(common).find(is_one).map(|(sign, ..)| sign)
}

/// Whether lines have different lengths.
fn has_lengths(lines: &[&str]) -> bool {
    lines.iter().zip(lines.iter().skip(1)).any(|(line, next)| line.trim().len() != next.trim().len())
}

/// Whether a sign stands in pairs alone.
fn is_doubled(lines: &[&str], sign: char) -> bool {
    let pair: String = [sign, sign].into_iter().collect();
    lines.iter().all(|line| line.contains(&pair) && !line.replace(&pair, "").contains(sign))
}

/// Whether most lines have several numbers or dates between blanks, as no sentence has.
fn has_numbers(lines: &[&str]) -> bool {
    count(lines, |line| line.split_whitespace().filter(|word| is_value(word)).count() >= 2) * 5 >= lines.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_delimiter_splits_is_called_what_it_looks_like() {
        let check = |text: &str, says: Option<&str>| {
            let refusal = check("a.txt", text).err().map(|error| error.to_string());
            let fits = match (&refusal, says) {
                (Some(refusal), Some(says)) => refusal.contains(says),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{text:?}: {refusal:?}");
        };
        check("1001 Ann     12.50\n1002 Robert   3.00\n1003 Eve    100.00\n", Some("format: fixed_width"));
        check("id~name\n1~Ann\n2~Bob\n", Some("`~`"));
        check("1::1193::5\n1::661::3\n2::5::4\n3::6::1\n", Some("`::`"));
        check("root:x:0:/\nann:x:1000:/home/ann\nbob:x:1001:/home/bob\neve:x:1002:/\n", Some("`:`"));
        check("1 2 3\n4 5 6\n7 8 9\n1 1 1\n", Some("` `"));
        check("a\u{1}b\nc\u{1}d\ne\u{1}f\n", Some("\\u{1}"));
        check("x\n{\"id\":1}\n{\"id\":2}\n", Some("JSON among other lines"));
        // Lists of values.
        check("city\nNew York\nSan Francisco\nUlm\n", None);
        check("mail\nann@example.com\nbob@example.com\neve@example.com\n", None);
        check("at\n2024-01-05 10:11:12\n2024-01-06 10:11:12\n2024-01-07 10:11:12\n", None);
        check("note\na b c\nd e f\ng h i\n", None);
        check("10:11:12\n10:11:13\n10:11:14\n10:11:15\n", None);
        check("a b c\nd e f\ng h i\nj k l\n", None);
        check("n\n1\n2\n3\n", None);
        check("url\nhttps://a.example/x\nhttps://b.example/y\nhttps://c.example/z\n", None);
        check("one\na b\n", None);
    }

    #[test]
    fn a_table_below_comments_of_a_program_is_seen() {
        let check = |text: &str, expected: bool| assert_eq!(has_table_below_comments(text), expected, "{text:?}");
        check("/*\n * made\n * by\n * x\n * on\n */\nid,name\n1,a\n2,b\n", true);
        check("// made\n// by\n// x\nid;name\n1;a\n", true);
        check("// made\nname\na\nb\n", false);
        check("id,name\n1,a\n", false);
    }

    #[test]
    fn comments_before_a_text_are_passed_over() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(below_comments(text), expected, "{text:?}");
        check("/*\n * x\n */\n\n{\"id\":1}\n", Some("{\"id\":1}\n"));
        check("// x\n# y\n[1]", Some("[1]"));
        check("{\"id\":1}", None);
        check("/* x", None);
        check("# x", None);
    }
}
