//! Numbers with signs around them, which are read where a person says what the signs mean.

use super::numbers::{SIGNS, number};

/// Signs of currencies.
const CURRENCIES: [char; 4] = ['$', '€', '£', '¥'];

/// Says where most texts are numbers with a sign around them that only an option takes off, and names the option.
pub(super) fn note(texts: &[&str]) -> Option<String> {
    let signed: Vec<&str> = texts.iter().copied().filter(|text| is_signed(text)).collect();
    if signed.is_empty() || signed.len() * 5 < texts.len() * 4 {
        return None;
    }
    let has = |sign: char| signed.iter().any(|text| text.contains(sign));
    let (mut found, mut options) = (Vec::new(), Vec::new());
    let currencies: Vec<String> =
        CURRENCIES.into_iter().filter(|sign| has(*sign)).map(|sign| format!("\"{sign}\"")).collect();
    if !currencies.is_empty() {
        found.push("a currency sign");
        options.push(format!("`currency: [{}]`", currencies.join(", ")));
    }
    if has('%') {
        found.push("a percent sign");
        options.push("`percent: number` or `percent: fraction`".to_owned());
    }
    if has('‰') {
        found.push("a per mille sign, which no option takes off");
    }
    if signed.iter().any(|text| text.ends_with('-')) {
        found.push("a minus behind");
        options.push("`minus: [behind]`".to_owned());
    }
    if has('(') {
        found.push("parentheses");
        options.push("`minus: [parentheses]`".to_owned());
    }
    let fix = if options.is_empty() {
        String::new()
    } else {
        let options = options.join(" and ");
        format!(" until you decide: make it a number in the contract, and write {options} for its column")
    };
    Some(format!("numbers with {}; text{fix}", found.join(" and ")))
}

/// Whether a text is a number only without the signs around it.
fn is_signed(text: &str) -> bool {
    let is_number = |text: &str| SIGNS.iter().any(|signs| number(text, *signs).is_some());
    let plain = text.trim_matches(|c: char| c.is_whitespace() || CURRENCIES.contains(&c) || "%‰()-".contains(c));
    plain.len() < text.len() && is_number(plain) && !is_number(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_around_numbers_name_the_option_that_takes_them_off() {
        let check = |texts: &[&str], says: Option<&str>| {
            let note = note(texts);
            let fits = match (&note, says) {
                (Some(note), Some(says)) => note.contains(says),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{texts:?}: {note:?}");
        };
        check(&["$1.50", "$2"], Some("`currency: [\"$\"]`"));
        check(&["5%", "7 %"], Some("`percent: number`"));
        check(&["1.234,50-", "2,00-"], Some("`minus: [behind]`"));
        check(&["(12)", "(3)"], Some("`minus: [parentheses]`"));
        check(&["3‰"], Some("per mille"));
        // Numbers as they are, among words.
        check(&["-999.", "-5", "trace"], None);
        check(&["-999.", "-999."], None);
        check(&["a", "b"], None);
        check(&[], None);
    }
}
