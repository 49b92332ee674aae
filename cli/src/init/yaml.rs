//! Texts as YAML scalars.

use sluice_core::shown::shown;

/// A text as a scalar in a block or a flow: plain where it has one meaning, otherwise in quotes.
pub(super) fn scalar(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word && !is_other_than_text(text) {
        return text.to_owned();
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Words that YAML takes for something else, in this or an older version.
fn is_other_than_text(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A list in a flow.
pub(super) fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let scalars: Vec<String> = texts.iter().map(|text| scalar(text.as_ref())).collect();
    format!("[{}]", scalars.join(", "))
}

/// A text in a comment: one line, also for editors and older parsers that know more line ends, and without what a
/// terminal would act on.
pub(super) fn comment(text: &str) -> String {
    shown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_are() {
        let check = |text: &str, written: &str| {
            assert_eq!(scalar(text), written, "{text:?}");
        };
        check("OrderID", "OrderID");
        check("no", "'no'");
        check("NULL", "'NULL'");
        check("Unit Price", "'Unit Price'");
        check("it's", "'it''s'");
        check("2024", "'2024'");
        check("1.50", "'1.50'");
        check("\\N", "'\\N'");
        check("-", "'-'");
        check("a\nb", "\"a\\nb\"");
        check("a: b # c", "'a: b # c'");
        assert_eq!(list(&["NA", ","]), "[NA, ',']");
    }

    #[test]
    fn comments_stay_on_their_line() {
        assert_eq!(comment("it's a\nb\u{2028}c"), "it's a\\nb\\u{2028}c");
    }
}
