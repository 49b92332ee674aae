//! Texts of files and people in messages: on one line, and without what a terminal or an editor would act on.

/// The text with control characters, line separators and marks of writing direction as escapes: `\n`, `\u{1b}`,
/// `\u{202e}`. All else stays as it is, quotes and backslashes as well.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_acted_on(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_acted_on(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_nothing_else_is() {
        let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text:?}");
        check("it's \"a\\b\" größe 日本", "it's \"a\\b\" größe 日本");
        check("a\nb\tc\r", "a\\nb\\tc\\r");
        check("\u{1b}[31mred", "\\u{1b}[31mred");
        check("a\u{202e}b\u{2028}\u{85}", "a\\u{202e}b\\u{2028}\\u{85}");
    }
}
