//! Texts of other libraries' errors, without what is meant for the developers of those libraries.
//!
//! The kernel of Delta prints a backtrace behind its words when `RUST_BACKTRACE` is set, Polars when
//! `POLARS_BACKTRACE_IN_ERR` is. Polars also names environment variables that make it print more.

/// How the first frame of a backtrace begins, as the standard library prints it.
const FIRST_FRAME: &str = "   0: ";
/// How the lines of a frame begin after its first one: the place in a file, and functions that were inlined.
const INSIDE_FRAME: &str = "      ";
/// How the hint about an environment variable of Polars begins. It ends with its parenthesis.
const HINT: &str = "(set POLARS_";

/// The text without backtraces and hints; any other text as it is.
pub(super) fn cleaned(text: &str) -> String {
    without_hints(&without_backtraces(text))
}

fn without_backtraces(text: &str) -> String {
    if !text.lines().any(|line| line.starts_with(FIRST_FRAME)) {
        return text.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.starts_with(FIRST_FRAME) {
            is_inside = true;
            while kept.last().is_some_and(|before| is_heading(before)) {
                kept.pop();
            }
        } else {
            is_inside = is_inside && is_of_frame(line);
        }
        if !is_inside {
            kept.push(line);
        }
    }
    kept.join("\n").trim_end().to_owned()
}

/// Whether a line directly before a backtrace belongs to it: `stack backtrace:`, or an empty line.
fn is_heading(line: &str) -> bool {
    let line = line.trim_end();
    line.is_empty() || line.ends_with("backtrace:")
}

/// Whether a line in a backtrace goes on with it: the first line of a frame has its number.
fn is_of_frame(line: &str) -> bool {
    let number = line.trim_start().split_once(": ").map_or("", |(number, _)| number);
    let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    line.starts_with(INSIDE_FRAME) || is_numbered
}

fn without_hints(text: &str) -> String {
    let Some((before, hint)) = text.split_once(HINT) else { return text.to_owned() };
    let mut open = 1_usize;
    let end = hint.find(|character: char| {
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        open == 0
    });
    let behind = end.and_then(|end| hint.get(end + 1..)).unwrap_or_default();
    format!("{}{}", before.trim_end(), without_hints(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backtraces_are_left_out() {
        let check = |text: &str, expected: &str| assert_eq!(cleaned(text), expected, "{text}");
        let short = "   0: delta_kernel::error::Error::with_backtrace\n             at /src/error.rs:482:25\n      \
                     inlined::function\n  10: core::ops::function\n 100: main\n";
        let full = "   0:     0x55d0c0ffee - std::backtrace::Backtrace::create\n                               at \
                    /rustc/library/std/src/backtrace.rs:331:13\n   1:     0x55d0c0ffef - main\n";
        for frames in [short, full] {
            check(&format!("Kernel error: no JSON\n{frames}"), "Kernel error: no JSON");
            check(&format!("no JSON\n\nRust backtrace:\n{frames}"), "no JSON");
            check(&format!("no JSON\nstack backtrace:\n{frames}"), "no JSON");
            check(&format!("no JSON\n{frames}: at the end"), "no JSON\n: at the end");
        }
        check(&std::backtrace::Backtrace::force_capture().to_string(), "");
    }

    #[test]
    fn hints_about_settings_of_libraries_are_left_out() {
        let check = |text: &str, expected: &str| assert_eq!(cleaned(text), expected, "{text}");
        check("no file: ...a/b.parquet (set POLARS_VERBOSE=1 to see full path)", "no file: ...a/b.parquet");
        check("{\"a\" ...(set POLARS_VERBOSE=1 to see full response (12 more characters)): b", "{\"a\" ...: b");
        check("a (set POLARS_X=1), b (set POLARS_Y=1)", "a, b");
        check("a (set POLARS_VERBOSE", "a");
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "a\n  1: b\n\n", "line 0: a\n      b", "contracts/a.yaml:\n- 0: x ", "f(x) (set a)"] {
            assert_eq!(cleaned(text), text);
        }
    }
}
