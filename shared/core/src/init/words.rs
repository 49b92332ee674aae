//! Words that mean nothing, true or false.

/// Words that mean null in whole files: what programs write for it.
pub(super) const NULLS_OF_FILES: [&str; 8] = ["NA", "N/A", "#N/A", "NULL", "\\N", "null", "Null", "(null)"];
/// Those of them that mean nothing else, in columns of text as well.
const CLEAR_NULLS: [&str; 5] = ["#N/A", "NULL", "\\N", "N/A", "(null)"];
/// Words that mean null where the other values of a column are numbers, dates or truth values.
const NULLS_OF_COLUMNS: [&str; 16] =
    ["-", "--", "---", "n/a", "na", "nan", "NaN", "NAN", "None", "none", "nil", "?", ".", "..", "#NV", "#VALUE!"];
/// Dates that mean null.
const NULLS_OF_DATES: [&str; 5] =
    ["0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "00/00/0000", "0000-00-00T00:00:00"];
/// Words for true and for false, in lower case.
const TRUTHS: [(&str, &str); 11] = [
    ("yes", "no"),
    ("y", "n"),
    ("t", "f"),
    ("ja", "nein"),
    ("j", "n"),
    ("oui", "non"),
    ("si", "no"),
    ("sí", "no"),
    ("wahr", "falsch"),
    ("on", "off"),
    ("vrai", "faux"),
];

/// Whether a text may mean null in a column of values that are not text.
pub(super) fn may_be_null(text: &str) -> bool {
    is_null_of_files(text) || NULLS_OF_COLUMNS.contains(&text)
}

/// Whether a text is a word that programs write for null into whole files.
pub(super) fn is_null_of_files(text: &str) -> bool {
    NULLS_OF_FILES.contains(&text)
}

/// Whether a text means null wherever it stands.
pub(super) fn is_clear_null(text: &str) -> bool {
    CLEAR_NULLS.contains(&text)
}

/// Whether a text means null among dates.
pub(super) fn is_null_date(text: &str) -> bool {
    NULLS_OF_DATES.contains(&text)
}

/// The words for true and for false that these different texts are; `None` where they are something else, or only one
/// of the two.
pub(super) fn truths(texts: &[&str], is_flag: bool) -> Option<(Vec<String>, Vec<String>)> {
    let flag = is_flag.then_some(("1", "0"));
    for (yes, no) in TRUTHS.into_iter().chain(flag) {
        let of = |word: &str| -> Vec<String> {
            texts.iter().filter(|text| text.to_lowercase() == word).map(|text| (*text).to_owned()).collect()
        };
        let (yes, no) = (of(yes), of(no));
        if !yes.is_empty() && !no.is_empty() && yes.len() + no.len() == texts.len() {
            return Some((yes, no));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_make_a_boolean() {
        let check = |texts: &[&str], is_flag: bool, expected: Option<(&[&str], &[&str])>| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let expected = expected.map(|(yes, no)| (owned(yes), owned(no)));
            assert_eq!(truths(texts, is_flag), expected, "{texts:?}");
        };
        check(&["Y", "N"], false, Some((&["Y"], &["N"])));
        check(&["J", "N"], false, Some((&["J"], &["N"])));
        check(&["ja", "Ja", "nein"], false, Some((&["ja", "Ja"], &["nein"])));
        check(&["1", "0"], true, Some((&["1"], &["0"])));
        check(&["1", "0"], false, None);
        check(&["Y"], false, None);
        check(&["Y", "N", "?"], false, None);
    }

    #[test]
    fn words_for_null_are_those_of_files_columns_and_dates() {
        assert!(may_be_null("NA") && is_null_of_files("NA") && !is_clear_null("NA"));
        assert!(may_be_null("-") && !is_null_of_files("-"));
        assert!(is_clear_null("\\N") && !may_be_null("0000-00-00") && is_null_date("0000-00-00"));
        assert!(!may_be_null("0") && !may_be_null(""));
    }
}
