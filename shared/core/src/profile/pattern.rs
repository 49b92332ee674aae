//! Patterns of texts.

/// Most characters of a pattern.
const MAX_CHARACTERS: usize = 40;
/// Longest run of one kind that is written out: `9999`, and then `9{5}`.
const WRITTEN_OUT: usize = 4;

/// The pattern of a text: `A` for a capital, `a` for a small letter, `9` for a digit, `x` for a letter without case;
/// every other character stands for itself.
pub(super) fn pattern(text: &str) -> String {
    let (mut pattern, mut length) = (String::new(), 0_usize);
    let mut kinds = text.chars().map(kind).peekable();
    while let Some(kind) = kinds.next() {
        let mut run = 1_usize;
        while kinds.next_if_eq(&kind).is_some() {
            run += 1;
        }
        let part =
            if run > WRITTEN_OUT { format!("{kind}{{{run}}}") } else { std::iter::repeat_n(kind, run).collect() };
        length += part.chars().count();
        if length > MAX_CHARACTERS {
            pattern.push('…');
            break;
        }
        pattern.push_str(&part);
    }
    pattern
}

fn kind(c: char) -> char {
    match c {
        _ if c.is_numeric() => '9',
        _ if c.is_uppercase() => 'A',
        _ if c.is_lowercase() => 'a',
        _ if c.is_alphabetic() => 'x',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_show_the_kinds_of_characters() {
        let check = |text: &str, expected: &str| assert_eq!(pattern(text), expected, "{text:?}");
        check("ABC-123", "AAA-999");
        check("20240105", "9{8}");
        check("ann@example.com", "aaa@a{7}.aaa");
        check("Größe 日本", "Aaaaa xx");
        check("", "");
        check("---------", "-{9}");
        check(&"a1".repeat(30), &format!("{}…", "a9".repeat(20)));
    }
}
