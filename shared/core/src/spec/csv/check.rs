//! What contradicts itself in a dialect.

use super::{CsvHeader, CsvSpec, EscapeCodes, HeaderLines, MAX_SKIPPED_LINES};

/// Most records of a header.
const MAX_HEADER_LINES: u32 = 10;

/// What is wrong with the signs, with the fix.
pub(super) fn signs(spec: &CsvSpec) -> Option<String> {
    let delimiter = spec.delimiter.as_str();
    let quote = spec.quote.sign().map(char::from);
    let comment = spec.comment.map(char::from);
    if let Some(quote) = quote.filter(|quote| delimiter.contains(*quote)) {
        return Some(if is_sign(delimiter, quote) {
            "delimiter and quote are the same character".to_owned()
        } else {
            format!("delimiter is '{}', and {quote} is the quote; choose another quote, or none", shown(delimiter))
        });
    }
    if let Some(comment) = comment {
        if delimiter.starts_with(comment) {
            return Some(if is_sign(delimiter, comment) {
                "comment and delimiter are the same character; choose two different ones".to_owned()
            } else {
                format!(
                    "delimiter is '{}', and begins with the comment {comment}; choose another comment",
                    shown(delimiter)
                )
            });
        }
        if quote == Some(comment) {
            return Some("comment and quote are the same character; choose two different ones".to_owned());
        }
    }
    let sign = |option: &'static str, sign: Option<char>| (option, sign.map(String::from).unwrap_or_default());
    let signs = [
        ("delimiter", delimiter.to_owned()),
        sign("quote", quote),
        sign("comment", comment),
        sign("escape", spec.escape.map(char::from)),
        ("record_end", spec.record_end.as_str().to_owned()),
    ];
    for (option, text) in signs {
        if text.contains(char::is_alphanumeric) {
            let text = shown(&text);
            return Some(format!("{option} is '{text}', and values have letters and digits; choose a sign"));
        }
    }
    escape(spec).or_else(|| record_end(spec))
}

fn escape(spec: &CsvSpec) -> Option<String> {
    let escape = char::from(spec.escape_sign()?);
    let quote = spec.quote.sign().map(char::from);
    if quote == Some(escape) {
        let why = "a quote inside of a quoted field is written twice without it, too";
        return Some(format!("escape and quote are the same character; leave escape out: {why}"));
    }
    // Behind an escape, these are signs of their own.
    let is_code = spec.escapes == EscapeCodes::Copy && escape != '\\';
    if is_code {
        return Some(format!("escapes is copy, and escape is '{escape}', where COPY has \\; leave escape out"));
    }
    let others = [
        ("delimiter", spec.delimiter.as_str().contains(escape)),
        ("comment", spec.comment.map(char::from) == Some(escape)),
        ("record_end", spec.record_end.as_str().contains(escape)),
    ];
    let (option, _) = others.into_iter().find(|(_, has_it)| *has_it)?;
    Some(format!("escape is '{escape}', which {option} has, too; choose two different signs"))
}

fn record_end(spec: &CsvSpec) -> Option<String> {
    let (end, delimiter) = (spec.record_end.as_str(), spec.delimiter.as_str());
    if end.starts_with(delimiter) && end.len() > delimiter.len() {
        return Some(format!(
            "record_end is '{}', which begins with the delimiter; write the rest of it, and trailing_delimiter: true",
            shown(end)
        ));
    }
    if end.contains(delimiter) || delimiter.contains(end) {
        let (end, delimiter) = (shown(end), shown(delimiter));
        return Some(format!("record_end is '{end}' and delimiter is '{delimiter}': one has the other in it"));
    }
    let others = [("quote", spec.quote.sign()), ("comment", spec.comment)];
    let is_in = |sign: &super::AsciiChar| end.contains(char::from(*sign));
    let (option, sign) = others.into_iter().find_map(|(option, sign)| Some((option, sign.filter(is_in)?)))?;
    let (end, sign) = (shown(end), char::from(sign));
    Some(format!("record_end is '{end}', and {sign} is the {option}; choose two different signs"))
}

/// What is wrong with the lines around the records, with the fix.
pub(super) fn lines(spec: &CsvSpec) -> Option<String> {
    for (option, lines) in [("skip_lines", spec.skip_lines), ("skip_last_lines", spec.skip_last_lines)] {
        if lines > MAX_SKIPPED_LINES {
            return Some(format!("{option} is {lines}, and at most {MAX_SKIPPED_LINES} lines are skipped"));
        }
    }
    match &spec.last_lines_begin {
        Some(_) if spec.skip_last_lines == 0 => {
            Some("last_lines_begin says how the lines of skip_last_lines begin; write skip_last_lines, too".to_owned())
        }
        Some(text) if text.trim() != text || text.is_empty() => {
            Some("last_lines_begin is empty, or has spaces around it; write the first word of the line".to_owned())
        }
        Some(text) if spec.quote.sign().is_some_and(|quote| text.starts_with(char::from(quote))) => {
            Some("last_lines_begin begins with the quote, which does not count there; leave it out".to_owned())
        }
        Some(text) if text.contains(char::is_control) || text.contains(spec.record_end.as_str()) => {
            let text = shown(text);
            Some(format!("last_lines_begin is '{text}', and a line end or control character cannot be in it"))
        }
        Some(_) | None => None,
    }
}

/// What is wrong with a header of several records, with the fix.
pub(super) fn header_lines(spec: &CsvSpec) -> Option<String> {
    let HeaderLines { count, join, take } = spec.header_lines.as_ref()?;
    if spec.header == CsvHeader::Absent {
        return Some("header_lines is given, but header is absent; leave one of them out".to_owned());
    }
    if !(2..=MAX_HEADER_LINES).contains(count) {
        return Some(format!(
            "header_lines.count is {count}; write 2 to {MAX_HEADER_LINES}, or leave header_lines out"
        ));
    }
    if let Some(take) = take.filter(|take| !(1..=*count).contains(take)) {
        return Some(format!("header_lines.take is {take}, and the header has the records 1 to {count}"));
    }
    if join.as_deref().is_some_and(|join| join.contains(char::is_control)) {
        return Some("header_lines.join has a control character; write a sign such as '_'".to_owned());
    }
    match (join, take, &spec.names) {
        (None, None, None) => Some(
            "header_lines says neither join (a text between the names of all its records) nor take (the number of the \
             record that has the names); write one of them"
                .to_owned(),
        ),
        (Some(_), Some(_), _) => Some("header_lines has both join and take; write one of them".to_owned()),
        (None, None, Some(_)) | (Some(_), None, None) | (None, Some(_), None) => None,
        (_, _, Some(_)) => {
            Some("`names` replaces the names of the header; leave header_lines.join and take out".to_owned())
        }
    }
}

/// Whether a text is this one character.
fn is_sign(text: &str, sign: char) -> bool {
    text.chars().eq([sign])
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}
