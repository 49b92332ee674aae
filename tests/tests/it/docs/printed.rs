//! What a command prints, compared with what a page shows.

use regex::Regex;

/// Stands for a part of a line, or as a line for any number of lines, that a page does not show.
const ANYTHING: &str = "…";

/// The cells of a line: two or more spaces are between them, so that a text may have one.
pub(super) fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Whether lines are those that a page shows.
pub(super) fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if *line == ANYTHING => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_fits(line, first) && fits(rest, others))
        }
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let parts: Vec<String> = shown.split(ANYTHING).map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).expect("an escaped text").is_match(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_from_a_page_are_found() {
        let check = |shown: &[&str], printed: &[&str], expected: bool| {
            assert_eq!(fits(shown, printed), expected, "{shown:?} and {printed:?}");
        };
        check(&["a", "b"], &["a", "b"], true);
        check(&["a", "b"], &["a"], false);
        check(&["a"], &["a", "b"], false);
        check(&["…", "b"], &["a", "x", "b"], true);
        check(&["a", "…"], &["a"], true);
        check(&["…", "b"], &["b", "c"], false);
        check(&["in … s (a+b)"], &["in 0.5 s (a+b)"], true);
        check(&["in … s"], &["in 0.5 s more"], false);
    }

    #[test]
    fn a_cell_may_have_a_space() {
        assert_eq!(cells(" 1  a b     c"), ["1", "a b", "c"]);
    }
}
