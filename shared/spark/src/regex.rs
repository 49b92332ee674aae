//! Regular expressions of contracts, in Java's dialect.
//!
//! The syntax of the `regex` crate and Java's look alike and differ in meaning (`$`, `\s`, `\b`, classes in classes). So
//! an expression is parsed and written again from its parts, with every class as plain ranges of code points.

use regex_syntax::Parser;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look};

use super::SparkError;

/// The expression for Java's `java.util.regex`, with the meaning that `find` has there.
///
/// # Errors
/// [`SparkError::NotExecuted`] for what Java cannot say.
pub(super) fn java(regex: &str) -> Result<String, SparkError> {
    let refused = |what: String| SparkError::NotExecuted {
        what: format!("pattern `{regex}`: {what}"),
        hint: "write it with classes, groups and repetitions only".to_owned(),
    };
    let parsed = Parser::new().parse(regex).map_err(|error| refused(error.to_string()))?;
    let mut out = String::new();
    write(&parsed, &mut out).map_err(|what| refused(what.to_owned()))?;
    Ok(out)
}

fn write(hir: &Hir, out: &mut String) -> Result<(), &'static str> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| "bytes that are no text")?;
            text.chars().for_each(|c| code_point(c, out));
        }
        HirKind::Class(Class::Unicode(class)) => write_class(class, out),
        HirKind::Class(Class::Bytes(class)) => {
            write_class(&class.to_unicode_class().ok_or("a class of bytes")?, out);
        }
        HirKind::Look(look) => out.push_str(&look_around(*look)?),
        HirKind::Repetition(repetition) => {
            out.push_str("(?:");
            write(&repetition.sub, out)?;
            out.push(')');
            match repetition.max {
                Some(max) => out.push_str(&format!("{{{},{max}}}", repetition.min)),
                None => out.push_str(&format!("{{{},}}", repetition.min)),
            }
        }
        HirKind::Capture(capture) => {
            out.push_str("(?:");
            write(&capture.sub, out)?;
            out.push(')');
        }
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, out))?,
        HirKind::Alternation(parts) => {
            out.push_str("(?:");
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                write(part, out)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

fn write_class(class: &ClassUnicode, out: &mut String) {
    if class.ranges().is_empty() {
        // Matches nothing.
        out.push_str("(?!)");
        return;
    }
    out.push('[');
    for range in class.ranges() {
        code_point(range.start(), out);
        if range.start() != range.end() {
            out.push('-');
            code_point(range.end(), out);
        }
    }
    out.push(']');
}

/// Letters and digits as they are, so that people can read them; the rest by number.
fn code_point(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
    }
}

fn look_around(look: Look) -> Result<String, &'static str> {
    let edge = |word: &str| format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))");
    let no_edge = |word: &str| format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))");
    Ok(match look {
        Look::Start => r"\A".to_owned(),
        Look::End => r"\z".to_owned(),
        Look::StartLF => r"(?:\A|(?<=\x{a}))".to_owned(),
        Look::EndLF => r"(?=\z|\x{a})".to_owned(),
        Look::WordAscii => edge(ASCII_WORD),
        Look::WordAsciiNegate => no_edge(ASCII_WORD),
        Look::WordUnicode => edge(&unicode_word()?),
        Look::WordUnicodeNegate => no_edge(&unicode_word()?),
        _ => return Err("this kind of boundary"),
    })
}

/// `\w` without Unicode.
const ASCII_WORD: &str = "[0-9A-Za-z_]";

/// `\w`: Java's own knows fewer letters.
fn unicode_word() -> Result<String, &'static str> {
    let word = Parser::new().parse(r"\w").map_err(|_| "words")?;
    let mut class = String::new();
    write(&word, &mut class)?;
    Ok(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_rewritten_for_spark() {
        let check = |regex: &str, expected: &str| assert_eq!(java(regex).expect(regex), expected, "{regex}");
        check("^a$", r"\Aa\z");
        check("a.b", r"a[\x{0}-\x{9}\x{b}-\x{10ffff}]b");
        check("(x|yz)+", "(?:(?:(?:x|yz))){1,}");
        check("[0-9]{6}", "(?:[0-9]){6,6}");
        check("[A-C]?", "(?:[A-C]){0,1}");
        check(r"(?-u:\b)a", "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))a");
        check("é", r"\x{e9}");
        check(r"[^a-z]", r"[\x{0}-\x{60}\x{7b}-\x{10ffff}]");
        check(r"(?-u:\B)", "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))");
        check(r"(?m)^a$", r"(?:\A|(?<=\x{a}))a(?=\z|\x{a})");
        assert!(java(r"\bé").expect("boundary").starts_with("(?:(?<=[0-9A-Z\\x{5f}a-z"));
        let error = java(r"(?mR)^a").expect_err("line ends of two kinds").to_string();
        assert!(error.contains("pattern `(?mR)^a`: this kind of boundary"), "{error}");
    }
}
