//! Regular expressions: ECMA-262 as the contract writes them, the `regex` crate's syntax as engines run them.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use super::error::{Refusal, refuse};

/// Translates an ECMA-262 pattern to the syntax of the `regex` crate with the same meaning, or names what has none.
///
/// `\d`, `\w` and `\b` are ASCII in ECMA-262 and `.` stops at four line ends; they are written out.
pub(super) fn translate(pattern: &str) -> Result<String, Refusal> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(pattern, &mut chars, in_class, &mut out)?,
            '[' if in_class => refuse!("pattern `{pattern}`: write \\[ for a bracket inside [ ]"),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.peek() == Some(&']') {
                    refuse!("pattern `{pattern}`: the empty class [] is not executed")
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' | '-' if in_class && chars.peek() == Some(&c) => {
                refuse!("pattern `{pattern}`: write \\{c} for the character {c} inside [ ]")
            }
            '.' if !in_class => out.push_str(r"[^\n\r\u2028\u2029]"),
            '(' if !in_class && chars.peek() == Some(&'?') => {
                out.push('(');
                group(pattern, &chars)?;
            }
            other => out.push(other),
        }
    }
    match Regex::new(&out) {
        Ok(_) => Ok(out),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            refuse!("pattern `{pattern}` is not executed: {reason}")
        }
    }
}

/// Refuses the groups that ECMA-262 has and the engines do not.
fn group(pattern: &str, rest: &Peekable<Chars<'_>>) -> Result<(), Refusal> {
    let head: String = rest.clone().take(3).collect();
    let construct = match head.as_str() {
        head if head.starts_with("?=") => "lookahead (?=…)",
        head if head.starts_with("?!") => "lookahead (?!…)",
        "?<=" => "lookbehind (?<=…)",
        "?<!" => "lookbehind (?<!…)",
        _ => return Ok(()),
    };
    refuse!("pattern `{pattern}`: {construct} is not executed; use a SQL rule")
}

fn escape(pattern: &str, chars: &mut Peekable<Chars<'_>>, in_class: bool, out: &mut String) -> Result<(), Refusal> {
    let Some(c) = chars.next() else { refuse!("pattern `{pattern}` ends in a lone backslash") };
    match (c, in_class) {
        ('d', false) => out.push_str("[0-9]"),
        ('d', true) => out.push_str("0-9"),
        ('D', _) => out.push_str("[^0-9]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('b', false) => out.push_str(r"(?-u:\b)"),
        ('s' | 'S' | 't' | 'n' | 'r' | 'f' | 'v' | 'x' | 'p' | 'P', _) => out.extend(['\\', c]),
        ('u', _) if chars.peek() != Some(&'{') => out.push_str(r"\u"),
        (c, _) if c.is_ascii_digit() => refuse!("pattern `{pattern}`: the back-reference \\{c} is not executed"),
        ('/', _) => out.push('/'),
        // Escaped `<` and `>` are word boundaries to the engine and themselves to ECMA-262.
        ('<' | '>', _) => out.push(c),
        (c, _) if c.is_ascii_punctuation() => out.extend(['\\', c]),
        _ => refuse!("pattern `{pattern}`: the escape \\{c} is not executed"),
    }
    Ok(())
}

/// The regular expressions of the named formats of strings; `None` for formats that are not executed.
pub(super) fn named_format(format: &str) -> Option<&'static str> {
    match format {
        // The definition of a valid e-mail address in the HTML standard, which needs a dot in the domain here.
        "email" => Some(
            r"^[0-9A-Za-z.!#$%&'*+/=?^_`{|}~\-]+@[0-9A-Za-z]([0-9A-Za-z\-]{0,61}[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z\-]{0,61}[0-9A-Za-z])?)+$",
        ),
        "uuid" => Some("^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"),
        "ipv4" => {
            Some(r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_keep_their_ecma_meaning() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let regex = Regex::new(&translate(pattern).unwrap()).unwrap();
            assert_eq!(regex.is_match(text), expected, "{pattern} on {text:?}");
        };
        check(r"^[AC]?\d{6}$", "C536379", true);
        check(r"^[AC]?\d{6}$", "536379", true);
        check(r"^[AC]?\d{6}$", "5363790", false);
        check(r"^[AC]?\d{6}$", "536379\n", false);
        check(r"^\d$", "\u{663}", false);
        check(r"^\w+$", "é", false);
        check(r"^[\w-]+$", "a-b_1", true);
        check(r"\bcat\b", "écat", true);
        check("^a.b$", "a\rb", false);
        check("^a.b$", "aäb", true);
        check("b", "abc", true);
        check(r"^\<a\>\/$", "<a>/", true);
        check(r"^[\D]$", "1", false);
        check("^\\u0041$", "A", true);
    }

    #[test]
    fn constructs_without_an_equal_are_named() {
        let check = |pattern: &str, expected: &str| {
            let error = translate(pattern).unwrap_err().0;
            assert!(error.contains(expected) && error.contains(pattern), "{error}");
        };
        check("a(?=b)", "lookahead (?=…)");
        check("a(?!b)", "lookahead (?!…)");
        check("(?<=a)b", "lookbehind (?<=…)");
        check(r"(a)\1", r"back-reference \1");
        check("[a[b]", r"\[");
        check("[a&&b]", r"\&");
        check("[]", "empty class");
        check(r"\A", r"\A");
        check(r"\B", r"\B");
        check("a\\", "backslash");
        check("(a", "unclosed group");
        check("a{", "not executed");
    }

    #[test]
    fn named_formats_match_whole_values() {
        let check = |format: &str, text: &str, expected: bool| {
            let regex = Regex::new(named_format(format).unwrap()).unwrap();
            assert_eq!(regex.is_match(text), expected, "{format} {text}");
        };
        check("email", "a.b+c@example.org", true);
        check("email", "a@localhost", false);
        check("email", "a b@example.org", false);
        check("uuid", "53581432-6c55-4ba2-a65f-72344a91553a", true);
        check("uuid", "53581432-6c55-4ba2-a65f-72344a91553", false);
        check("ipv4", "192.168.0.255", true);
        check("ipv4", "256.1.1.1", false);
        check("ipv4", "1.1.1", false);
        check("ipv4", "1.1.1.1.", false);
    }
}
