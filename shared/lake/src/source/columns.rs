//! Names of source columns: which are usable, and which are ours.

use std::collections::{BTreeSet, HashMap, HashSet};

pub(super) use sluice_core::columns::NameFault;
use sluice_core::columns::{folded_name, is_own_of_bronze};
use sluice_core::spec::CsvSpec;

/// Most columns of one object. More is a wrong delimiter, a binary file, or JSON whose keys are data.
pub(crate) const MAX_COLUMNS: usize = 10_000;

/// Characters of a wrong name that a message shows.
const SHOWN_CHARACTERS: usize = 40;

/// The beginning of a wrong name for messages, without what a terminal would act on.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect()
}

/// What is wrong with the names of an object's columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnFault {
    /// A name is blank.
    #[error("column {position} has no name; name every column in the header")]
    Blank {
        /// Position of the column, from 1.
        position: usize,
    },
    /// Two names are the same to a reader that ignores case, as Delta's readers do.
    #[error(
        "column {position} `{name}` repeats column {first_position} `{first_name}` (spaces around and case do not count)"
    )]
    Duplicate {
        /// Position of the second, from 1.
        position: usize,
        /// Name of the second.
        name: String,
        /// Position of the first, from 1.
        first_position: usize,
        /// Name of the first.
        first_name: String,
    },
    /// A name that a silver table reads is that of two columns.
    #[error(
        "column {position} `{name}` repeats column {first_position} `{first_name}` (spaces around and case do not \
         count), and a silver table reads it; rename one at the source, or name the columns by position in \
         source.csv.names"
    )]
    Ambiguous {
        /// Position of the second, from 1.
        position: usize,
        /// Name of the second.
        name: String,
        /// Position of the first, from 1.
        first_position: usize,
        /// Name of the first.
        first_name: String,
    },
    /// The spec has another number of names.
    #[error(
        "the header has {found} column{}, and source.csv.names {named}; name each column of the file, in its order",
        if *found == 1 { "" } else { "s" }
    )]
    NameCount {
        /// Names in the spec.
        named: usize,
        /// Columns of the header.
        found: usize,
    },
    /// A name cannot be kept.
    #[error("column {position} `{name}` {fault}; rename it at the source")]
    Name {
        /// Position of the column, from 1.
        position: usize,
        /// The beginning of the name, escaped.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A name is one of ours.
    #[error("column {position} `{name}` has a name that the bronze table keeps for lineage; rename it at the source")]
    Reserved {
        /// Position of the column, from 1.
        position: usize,
        /// The name.
        name: String,
    },
    /// There are more columns than a table should have.
    #[error("there are more than {limit} columns; check the delimiter and the format")]
    TooMany {
        /// Most columns that are read.
        limit: usize,
    },
    /// The header is not UTF-8.
    #[error("the header is not UTF-8; deliver the file in UTF-8, or write its encoding into source.csv.encoding")]
    HeaderUtf8,
    /// The header holds a NUL byte.
    #[error("the header holds a NUL byte; this is no CSV text, unless it is UTF-16: then set source.csv.encoding")]
    HeaderNul,
    /// The header holds a carriage return that ends no line.
    #[error(
        "the header holds a carriage return that no line feed follows; end lines with LF or CRLF, or write \
         `record_end: \"\\r\"` under source.csv"
    )]
    HeaderCarriageReturn,
    /// A line feed follows a record end that has none.
    #[error(
        "a line feed follows the record end '{}', and would be a part of the next value; write it into \
         source.csv.record_end, too, or leave record_end out if lines end with CRLF",
        end.escape_debug()
    )]
    LineFeedBehindEnd {
        /// The record end.
        end: String,
    },
    /// The header has an escape that means nothing.
    #[error("the header has {sign}{code}, which is not a code of COPY; write {sign}{sign} where {sign} is text")]
    HeaderEscape {
        /// The escape.
        sign: char,
        /// What is behind it.
        code: char,
    },
    /// Two records of a header have different numbers of fields.
    #[error(
        "record {number} of the header has {found} field{}, and the first one {expected}; deliver as many fields in \
         each, or take the names of one record with source.csv.header_lines.take",
        if *found == 1 { "" } else { "s" }
    )]
    HeaderWidth {
        /// Number of the record, from 1.
        number: u32,
        /// Its fields.
        found: usize,
        /// Those of the first one.
        expected: usize,
    },
    /// Every second column is blank.
    #[error(
        "every second name is blank, and so is every second field of the first record: the delimiter seems to be \
         '{}'; write it into source.csv.delimiter, or, if these columns are empty, name all of them in source.csv.names",
        delimiter.escape_debug()
    )]
    DelimiterTwice {
        /// What the delimiter seems to be.
        delimiter: String,
    },
    /// The header breaks the quoting rules.
    #[error("the header has text after a closing quote; a quote inside a quoted name is written twice")]
    HeaderQuote,
}

/// The columns of one object, in the order in which they first came.
///
/// Names are kept without the spaces around them. Two names that differ only in case are one name to Delta's readers,
/// so a second one cannot be added.
#[derive(Debug, Default)]
pub(super) struct SourceColumns {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

impl SourceColumns {
    /// The columns of a header.
    pub(super) fn from_header<S: AsRef<str>>(header: impl IntoIterator<Item = S>) -> Result<Self, ColumnFault> {
        let mut columns = Self::default();
        for name in header {
            columns.add(name.as_ref())?;
        }
        Ok(columns)
    }

    /// The columns of a header in which columns without a name, and names that an earlier column has, get names from
    /// their position that no other column has. A name of `mapped` (in lower case) must be that of one column.
    pub(super) fn by_position(header: &[String], mapped: &BTreeSet<String>) -> Result<Self, ColumnFault> {
        let folded: Vec<String> = header.iter().map(|name| folded_name(name.trim())).collect();
        let given: HashSet<&str> = folded.iter().map(String::as_str).collect();
        let mut columns = Self::default();
        for ((name, folded), position) in header.iter().zip(&folded).zip(1..) {
            let name = name.trim();
            let first = columns.positions.get(folded).copied();
            match first {
                _ if name.is_empty() => columns.add(&free_name(&given, String::new(), position))?,
                None => columns.add(name)?,
                Some(first) if mapped.contains(folded) => {
                    return Err(ColumnFault::Ambiguous {
                        position,
                        name: name.to_owned(),
                        first_position: first + 1,
                        first_name: columns.names.get(first).cloned().unwrap_or_default(),
                    });
                }
                Some(_) => columns.add(&free_name(&given, format!("{name}_{position}"), position))?,
            };
        }
        Ok(columns)
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Adds a column behind the others and returns its index.
    pub(super) fn add(&mut self, name: &str) -> Result<usize, ColumnFault> {
        let name = name.trim();
        let index = self.names.len();
        let position = index + 1;
        if index == MAX_COLUMNS {
            return Err(ColumnFault::TooMany { limit: MAX_COLUMNS });
        }
        if name.is_empty() {
            return Err(ColumnFault::Blank { position });
        }
        if let Some(fault) = NameFault::of(name) {
            return Err(ColumnFault::Name { position, name: shown(name), fault });
        }
        let folded = folded_name(name);
        if is_own_of_bronze(&folded) {
            return Err(ColumnFault::Reserved { position, name: name.to_owned() });
        }
        if let Some(&first) = self.positions.get(&folded) {
            return Err(ColumnFault::Duplicate {
                position,
                name: name.to_owned(),
                first_position: first + 1,
                first_name: self.names.get(first).cloned().unwrap_or_default(),
            });
        }
        self.positions.insert(folded, index);
        self.names.push(name.to_owned());
        Ok(index)
    }

    /// Index of the column of this name in lower case.
    pub(super) fn index_of_folded(&self, folded: &str) -> Option<usize> {
        self.positions.get(folded).copied()
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

/// A name for the column in a position, which is not one of the `given` (in lower case): the wanted one where it can be
/// kept. It ends with the position, so no other column gets it.
fn free_name(given: &HashSet<&str>, wanted: String, position: usize) -> String {
    let can_be = !wanted.is_empty() && NameFault::of(&wanted).is_none();
    let mut name = if can_be { wanted } else { CsvSpec::generated_name(position) };
    while given.contains(folded_name(&name).as_str()) {
        name = format!("{name}_{position}");
    }
    name
}

/// The delimiter a file was probably written with, when its header came out as one column although it holds another
/// usual delimiter. Signs that stand around each of them belong to it.
pub(crate) fn delimiter_hint(columns: &[String], delimiter: &str) -> Option<String> {
    let [only] = columns else { return None };
    [",", ";", "\t", "|"]
        .into_iter()
        .filter(|candidate| *candidate != delimiter)
        .map(|candidate| (only.matches(candidate).count(), candidate))
        .filter(|(count, _)| *count > 0)
        // The first of equals: the candidates are in the order in which they are usual.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, candidate)| widened(only, candidate))
}

/// A delimiter with the sign that stands before and behind each of them, such as `~|~`, or that it is doubled with.
fn widened(header: &str, candidate: &str) -> String {
    let doubled = candidate.repeat(2);
    if header.matches(candidate).count() == 2 * header.matches(&doubled).count() {
        return doubled;
    }
    let before = header.split_once(candidate).and_then(|(before, _)| before.chars().next_back());
    if let Some(sign) = before.filter(char::is_ascii_punctuation) {
        let wide = format!("{sign}{candidate}{sign}");
        if header.matches(&wide).count() == header.matches(candidate).count() {
            return wide;
        }
    }
    candidate.to_owned()
}

#[cfg(test)]
mod tests {
    use sluice_core::columns::{CORRUPT, INGESTION_DATE, lineage_names};

    use super::*;

    #[test]
    fn a_header_gives_trimmed_names_and_blank_or_repeated_names_are_refused() {
        let long: Vec<String> = (0..=MAX_COLUMNS).map(|n| format!("c{n}")).collect();
        let check = |header: &[&str], expected: Result<&[&str], ColumnFault>| {
            let got = SourceColumns::from_header(header.iter()).map(|columns| columns.names().to_vec());
            assert_eq!(got, expected.map(|names| names.iter().map(|n| (*n).to_owned()).collect()), "{header:?}");
        };
        check(&["a", " b ", "Grüße"], Ok(&["a", "b", "Grüße"]));
        check(&["a", " "], Err(ColumnFault::Blank { position: 2 }));
        for second in ["a", "A", " a "] {
            let fault = SourceColumns::from_header(["a", second]).expect_err("duplicate");
            assert!(
                matches!(fault, ColumnFault::Duplicate { position: 2, first_position: 1, .. }),
                "{second}: {fault}"
            );
        }
        for reserved in lineage_names().into_iter().chain(CORRUPT).chain([INGESTION_DATE]) {
            check(&[reserved], Err(ColumnFault::Reserved { position: 1, name: reserved.to_owned() }));
        }
        let named = |name: &str, fault| Err(ColumnFault::Name { position: 1, name: name.to_owned(), fault });
        check(&["a\0b"], named("a\\0b", NameFault::Control { character: '\0' }));
        check(&["a\u{1b}[2J"], named("a\\u{1b}[2J", NameFault::Control { character: '\u{1b}' }));
        check(&["a\u{85}b"], named("a\\u{85}b", NameFault::Control { character: '\u{85}' }));
        check(&["two\nlines\tand a tab"], Ok(&["two\nlines\tand a tab"]));
        check(&[&"é".repeat(128)], named(&"é".repeat(40), NameFault::TooLong { bytes: 256 }));
        check(&[&"e".repeat(255)], Ok(&[&"e".repeat(255)]));
        check(&["_SOURCE_ROW"], Err(ColumnFault::Reserved { position: 1, name: "_SOURCE_ROW".to_owned() }));
        check(&["_other"], Ok(&["_other"]));
        let fault = SourceColumns::from_header(long.iter()).expect_err("too many");
        assert_eq!(fault, ColumnFault::TooMany { limit: MAX_COLUMNS });
    }

    #[test]
    fn blank_and_repeated_names_get_names_from_their_position() {
        let check = |header: &[&str], mapped: &[&str], expected: Result<&[&str], (usize, usize)>| {
            let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            let mapped = mapped.iter().map(|name| (*name).to_owned()).collect();
            match (SourceColumns::by_position(&names, &mapped), expected) {
                (Ok(columns), Ok(expected)) => assert_eq!(columns.names(), expected, "{header:?}"),
                (Err(ColumnFault::Ambiguous { position, first_position, .. }), Err(expected)) => {
                    assert_eq!((first_position, position), expected, "{header:?}");
                }
                (got, _) => panic!("{header:?}: {got:?}"),
            }
        };
        check(&["a", " b "], &["a"], Ok(&["a", "b"]));
        check(&["", "a", " "], &["a"], Ok(&["column_1", "a", "column_3"]));
        check(&["a", "a", "A", " a "], &[], Ok(&["a", "a_2", "A_3", "a_4"]));
        // No name that the header has is given to another column.
        check(&["", "column_1", "a", "a", "A_4"], &[], Ok(&["column_1_1", "column_1", "a", "a_4_4", "A_4"]));
        check(&["column_2", "", "COLUMN_2"], &[], Ok(&["column_2", "column_2_2", "COLUMN_2_3"]));
        // Those that are made can be mapped.
        check(&["a", "a", ""], &["a_2", "column_3"], Ok(&["a", "a_2", "column_3"]));
        check(&["a", "b", "a"], &["a"], Err((1, 3)));
        check(&["ID", "b", "id"], &["id"], Err((1, 3)));
        check(&["b", "b", "a"], &["a"], Ok(&["b", "b_2", "a"]));
        let long = "e".repeat(254);
        check(&[&long, &long], &[], Ok(&[&long, "column_2"]));
    }

    #[test]
    fn names_that_cannot_be_kept_are_refused_in_any_case() {
        let check = |header: &[&str], expected: ColumnFault| {
            let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(SourceColumns::by_position(&names, &BTreeSet::new()).expect_err("a fault"), expected);
        };
        check(&["a", "_source_row"], ColumnFault::Reserved { position: 2, name: "_source_row".to_owned() });
        let fault = NameFault::Control { character: '\0' };
        check(&["a\0"], ColumnFault::Name { position: 1, name: "a\\0".to_owned(), fault });
        check(&vec![""; MAX_COLUMNS + 1], ColumnFault::TooMany { limit: MAX_COLUMNS });
    }

    #[test]
    fn a_header_with_another_delimiter_is_recognised() {
        let check = |header: &[&str], delimiter: &str, expected: Option<&str>| {
            let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
            assert_eq!(delimiter_hint(&header, delimiter).as_deref(), expected, "{header:?}");
        };
        check(&["a;b;c"], ",", Some(";"));
        check(&["a\tb"], ",", Some("\t"));
        check(&["a,b"], ";", Some(","));
        check(&["a;b|c|d"], ",", Some("|"));
        check(&["a;b|c"], ",", Some(";"));
        check(&["a||b||c"], ",", Some("||"));
        check(&["a||b|c"], ",", Some("|"));
        check(&["a~|~b~|~c"], ",", Some("~|~"));
        check(&["a~|~b|c"], ",", Some("|"));
        check(&["a,b"], "||", Some(","));
        check(&["a"], ",", None);
        check(&["a;b", "c"], ",", None);
    }
}
