//! Lines that draw a table, as database shells and SAP print it: rulers between its records, and footers that count
//! them. They are no records, and where they have fewer fields than the table they must not be filled up to rows of it.

use super::header::is_typed;
use super::propose::counted;
use super::split::{Cell, Row};

/// Lines that are read to choose the sign before rulers.
const MAX_LINES: usize = 1000;
/// Fewest dashes of a ruler: `--` is a word for null.
const MIN_DASHES: usize = 3;
/// Words behind the number of a footer: `3 rows in set`, `14 rows selected.`, `2 Zeilen`.
const COUNTED: [&str; 8] = ["row", "rows", "record", "records", "zeile", "zeilen", "ligne", "lignes"];

/// The sign that begins every ruler and no other line, where the records are framed: each begins with `|`, or with a
/// space below a ruler with `+`, as psql writes it. Then no value of a later file can begin a line with that sign.
/// Below other rulers a space may as well belong to a number that is aligned to the right.
pub(super) fn comment(text: &str) -> Option<u8> {
    let mut sign: Option<u8> = None;
    let (mut framed, mut spaced, mut is_crossed) = (0_usize, 0_usize, false);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(MAX_LINES) {
        let first = line.bytes().next()?;
        match first {
            b'-' | b'+' | b'=' | b'*' if is_ruler(line) => {
                if sign.is_some_and(|sign| sign != first) {
                    return None;
                }
                sign = Some(first);
                is_crossed |= line.contains('+');
            }
            b'|' => framed += 1,
            b' ' if sign.is_some() => spaced += 1,
            b' ' => {}
            _ if is_footer(line) => {}
            // A title above the first ruler. A quote that stays open may have the ruler in its text.
            _ if sign.is_none()
                && !matches!(first, b'-' | b'+' | b'=' | b'*')
                && line.matches('"').count().is_multiple_of(2) => {}
            _ => return None,
        }
    }
    sign.filter(|_| framed + spaced > 0 && (spaced == 0 || is_crossed))
}

/// Whether a line is made of dashes and the signs between them: `+----+-----+`, `---- ----`.
fn is_ruler(line: &str) -> bool {
    let is_dash = |c: char| matches!(c, '-' | '=' | '_' | '*');
    let is_joint = |c: char| matches!(c, '+' | '|' | ',' | ';' | ':' | '\t' | ' ');
    let dashes = line.chars().filter(|c| is_dash(*c)).count();
    let has_run = ["--", "==", "__", "**"].iter().any(|run| line.contains(run));
    dashes >= MIN_DASHES && has_run && line.chars().all(|c| is_dash(c) || is_joint(c))
}

/// Whether a line counts the records above it: `(3 rows)`, `3 rows in set (0.00 sec)`.
fn is_footer(line: &str) -> bool {
    let line = line.trim();
    let inner = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(line);
    let mut words = inner.split_whitespace();
    let counts = words.next().is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
    let what = words.next().unwrap_or_default().trim_end_matches(['.', ':']).to_lowercase();
    counts && COUNTED.contains(&what.trim_end_matches("(s)"))
}

/// What a footer begins with that can be left out: one without it begins with another number in each file.
pub(super) const FOOTER_BEGIN: &str = "(";

/// The last line of a file that ends with `end`, where it counts the records, as `(3 rows)` does, and no other line of
/// the table begins so.
pub(super) fn footer<'e>(table: &str, end: &'e str) -> Option<&'e str> {
    let last = end.rsplit(['\n', '\r']).map(str::trim).find(|line| !line.is_empty())?;
    let is_only = table.lines().map(str::trim).all(|line| line == last || !line.starts_with(FOOTER_BEGIN));
    (last.starts_with(FOOTER_BEGIN) && is_footer(last) && is_only).then_some(last)
}

/// Whether the record under a header is a ruler of as many fields, as `sqlcmd` and Markdown write it: at least two
/// dashes under each name.
pub(super) fn is_under(header: &Row, row: &Row) -> bool {
    let is_part = |(name, cell): (&Cell, &Cell)| {
        let (name, dashes) = (name.text.trim(), cell.text.trim().trim_matches(':'));
        let are_dashes = dashes.len() >= 2 && dashes.bytes().all(|byte| byte == b'-' || byte == b'=');
        if name.is_empty() { dashes.is_empty() || are_dashes } else { are_dashes }
    };
    let total: usize = row.cells.iter().map(|cell| cell.text.trim().len()).sum();
    row.cells.len() == header.cells.len() && total >= MIN_DASHES && header.cells.iter().zip(&row.cells).all(is_part)
}

/// Whether a line draws a printed table, such as `+----+-----+`, or counts its records, such as `(3 rows)`.
pub fn is_drawn(line: &str) -> bool {
    is_ruler(line) || is_footer(line)
}

/// How many records are rulers, footers, or a remark at the end: one field each where the table has more.
pub(super) fn count_strays(records: &[Row], width: usize) -> usize {
    if width < 2 {
        return 0;
    }
    let drawn = records.iter().filter(|row| is_drawn_row(row)).count();
    let ends_with_remark =
        records.split_last().is_some_and(|(last, others)| !is_drawn_row(last) && is_remark(last, others));
    drawn + usize::from(ends_with_remark)
}

fn is_drawn_row(row: &Row) -> bool {
    matches!(row.cells.as_slice(), [only] if is_drawn(&only.text))
}

/// Whether a last record is a text alone, where the others have numbers or dates in its place.
fn is_remark(last: &Row, others: &[Row]) -> bool {
    let [only] = last.cells.as_slice() else { return false };
    let typed = others.iter().filter(|row| row.cells.first().is_some_and(is_typed)).count();
    !only.text.trim().is_empty() && !is_typed(only) && typed > 0 && typed * 5 >= others.len() * 4
}

/// Says what becomes of such records.
pub(super) fn evidence(records: &[Row], width: usize, strays: usize) -> Option<String> {
    let shown =
        |row: Option<&Row>| row.and_then(|row| row.cells.first()).map_or(String::new(), |cell| cell.text.clone());
    if strays > 0 {
        let first = shown(records.iter().find(|row| is_drawn_row(row)).or(records.last()));
        let first: String = first.trim().chars().take(40).collect();
        let (draw, go) = if strays == 1 { ("draws or counts", "goes") } else { ("draw or count", "go") };
        return Some(format!(
            "ragged quarantine: {} {draw} the table, such as `{first}`, and {go} to quarantine",
            counted(strays, "line")
        ));
    }
    let last = records.last().filter(|last| width == 1 && is_drawn_row(last))?;
    Some(format!(
        "the last line, `{}`, counts the others, and is a row of the table; remove it",
        shown(Some(last)).trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::split::{Marks, rows};
    use super::*;

    #[test]
    fn rulers_of_framed_records_begin_with_a_sign_of_their_own() {
        let check = |text: &str, expected: Option<char>| {
            assert_eq!(comment(text).map(char::from), expected, "{text:?}");
        };
        check(" id | name \n----+------\n  1 | a\n(1 row)\n\n", Some('-'));
        check("+----+---+\n| id | n |\n+----+---+\n|  1 | 2 |\n+----+---+\n1 row in set (0.00 sec)\n", Some('+'));
        check("List of 2024\n\n-------\n|a |b |\n-------\n|1 |2 |\n-------\n", Some('-'));
        // A record may begin with the sign.
        check("id,n\n-----\n1,2\n-5,2\n", None);
        check(" a | b\n---+---\n-5 | 2\n", None);
        check("id,note\n1,\"Title\n-----\n| x\"\n", None);
        check("n,m\n  1,2\n-----\n 10,2\n", None);
        check("| a | b |\n|---|---|\n| 1 | 2 |\n", None);
        check("id,n\n1,2\n", None);
        check("----\n", None);
    }

    #[test]
    fn rulers_footers_and_remarks_are_no_records() {
        let check = |text: &str, expected: usize| {
            let rows = rows(text, Marks { delimiter: b',', quote: b'"', comment: None, escape: None });
            assert_eq!(count_strays(&rows, 2), expected, "{text:?}");
        };
        check("1,2\n-----\n3,4\n(2 rows)\n", 2);
        check("1,2\n3,4\n2 rows selected.\n", 1);
        check("1,2\n3,4\n(2 row(s) affected)\n", 1);
        check("1,2\n3,4\nTotal of today\n", 1);
        check("1,2\n3\n4,5\n", 0);
        check("a,2\nb\n", 0);
        check("1,2\n3,4\n-\n", 1);
        check("1,2\n(x)\n3,4\n", 0);
    }

    #[test]
    fn a_last_line_that_counts_the_others_is_found() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(footer(text, text), expected, "{text:?}");
        check("id\n1\n(1 row)\n\n", Some("(1 row)"));
        check("id\r1\r\r (2 rows affected)\r", Some("(2 rows affected)"));
        check("id\n1\n(2 row(s) affected)", Some("(2 row(s) affected)"));
        check("id\n1\n2 rows selected.\n", None);
        check("id\n(1)\n(1 row)\n", None);
        check("id\n1\n(x)\n", None);
        check("id\n(1 row)\n2\n", None);
        check("\n", None);
    }

    #[test]
    fn a_ruler_may_have_the_fields_of_the_header() {
        let check = |text: &str, delimiter: u8, expected: bool| {
            let rows = rows(text, Marks { delimiter, quote: b'"', comment: None, escape: None });
            let (Some(header), Some(ruler)) = (rows.first(), rows.get(1)) else { panic!("two records") };
            assert_eq!(is_under(header, ruler), expected, "{text:?}");
        };
        check("id,name\n--,----\n1,a\n", b',', true);
        check("| a | b |\n|---|:--:|\n| 1 | 2 |\n", b'|', true);
        check("id,name\n-,-\n1,a\n", b',', false);
        check("id,name\n1,a\n", b',', false);
        check("id,name\n--,\n1,a\n", b',', false);
    }
}
