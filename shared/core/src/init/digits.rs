//! Digits in quotes of JSON, which writers put there because they are ids and no numbers.

use std::collections::BTreeSet;

/// Fewest digits of an id: APIs also write shorter numbers, such as prices, in quotes.
const LEAST_DIGITS: usize = 10;

/// The keys, on any level, that have a text of ten digits or more as value somewhere in a text of JSON. What is broken
/// or cut is passed over.
pub fn digit_strings(json: &[u8]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut rest = json;
    while let Some((text, behind)) = next_string(rest) {
        rest = behind;
        let Some(value) = behind.trim_ascii_start().strip_prefix(b":") else { continue };
        let value = value.trim_ascii_start();
        if value.first() != Some(&b'"') {
            continue;
        }
        let Some((digits, after)) = next_string(value) else { break };
        rest = after;
        if digits.len() >= LEAST_DIGITS && digits.iter().all(u8::is_ascii_digit) {
            keys.extend(key_of(text));
        }
    }
    keys
}

/// The first text in quotes, as it is written between them, and what follows it.
fn next_string(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let begin = json.iter().position(|byte| *byte == b'"')? + 1;
    let inner = json.get(begin..)?;
    let mut is_escaped = false;
    let end = inner.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}

/// A key without escapes; `None` where it is no text.
fn key_of(written: &[u8]) -> Option<String> {
    let written = std::str::from_utf8(written).ok()?;
    if written.contains('\\') { serde_json::from_str(&format!("\"{written}\"")).ok() } else { Some(written.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_long_digits_in_quotes_are_found() {
        let check = |json: &str, expected: &[&str]| {
            let found = digit_strings(json.as_bytes());
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{json}");
        };
        check(r#"{"id":"1234567890","n":1234567890}"#, &["id"]);
        check("{\"a\":{\"id\" : \"0123456789\"}}\n{\"b\":\"12345678901\"}", &["b", "id"]);
        check(r#"{"id":"123456789","n":"12345678901x"}"#, &[]);
        check(r#"["1234567890","1234567890"]"#, &[]);
        check(r#"{"a\"b":"1234567890","c":"x\"y\":\"1234567890"}"#, &["a\"b"]);
        check(r#"{"id":"12345"#, &[]);
        check("", &[]);
    }
}
