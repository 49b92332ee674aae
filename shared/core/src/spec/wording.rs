//! What is wrong with a value of a YAML document, in the words of people who write one: the parser has those of people
//! who write programs.

use std::borrow::Cow;

use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter};

/// The message of an error, with its place and the lines around it.
pub(super) fn explained(error: &Error) -> String {
    error.render_with_formatter(&PlainWords)
}

struct PlainWords;

impl MessageFormatter for PlainWords {
    fn format_message<'a>(&self, error: &'a Error) -> Cow<'a, str> {
        Cow::Borrowed(match error {
            // It does not say which of both it is.
            Error::NullIntoString { .. } => {
                "a text is missing here, or is null to YAML; if such a text is meant, write it in quotes: 'NULL', \
                 'null', '~' or ''"
            }
            Error::InvalidCharNull { .. } | Error::InvalidCharNotSingleScalar { .. } => {
                "write one character in quotes, and not several, such as ';', or \"\\t\" for a tab"
            }
            Error::InvalidBooleanStrict { .. } => "write true or false",
            Error::InvalidScalar { ty, .. } => match *ty {
                "u8" => "write a whole number from 0 to 255, such as 3",
                "u16" => "write a whole number from 0 to 65535, such as 3",
                "u32" => "write a whole number from 0 to 4294967295, such as 3",
                "u64" => "write a whole number from 0 to 18446744073709551615, such as 3",
                // What has limits of its own, which a number of so many digits cannot keep.
                "i64" => "write a whole number, such as 3",
                "boolean" => "write true or false",
                _ => return DefaultMessageFormatter.format_message(error),
            },
            other => return DefaultMessageFormatter.format_message(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only errors are read")]
    struct Options {
        words: Option<Vec<String>>,
        sign: Option<char>,
        lines: Option<u32>,
        bytes: Option<u64>,
        #[serde(default)]
        folder: String,
        flag: Option<bool>,
    }

    #[test]
    fn values_of_another_kind_are_refused_with_what_to_write() {
        let check = |yaml: &str, says: &[&str]| {
            let options = serde_saphyr::options! { strict_booleans: true };
            let error = serde_saphyr::from_str_with_options::<Options>(yaml, options).expect_err(yaml);
            let message = explained(&error);
            assert!(says.iter().all(|says| message.contains(says)), "{yaml}: {message}");
            assert!(!message.contains("Option<") && !message.contains("Unicode"), "{yaml}: {message}");
        };
        for null in ["NULL", "null", "~", "Null"] {
            check(&format!("words: [NA, {null}]"), &["in quotes: 'NULL'", "line 1"]);
        }
        for empty in ["folder:", "folder: ~"] {
            check(empty, &["a text is missing here", "in quotes: 'NULL'"]);
        }
        check("sign: ';;'", &["one character", "line 1"]);
        check("sign: ''", &["one character"]);
        for lines in ["-1", "many", "1.5", "99999999999"] {
            check(&format!("lines: {lines}"), &["whole number from 0 to 4294967295", "line 1"]);
        }
        check("bytes: 18446744073709551616", &["whole number from 0 to 18446744073709551615", "line 1"]);
        for flag in ["yes", "1"] {
            check(&format!("flag: {flag}"), &["write true or false", "line 1"]);
        }
        // All else is as the parser says it.
        check("other: [", &["line"]);
    }
}
