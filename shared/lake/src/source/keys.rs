//! The keys of JSON records as columns.
//!
//! Keys that differ in case alone are one column, as they are to readers of Delta, whichever records they come from: it
//! has the name that came first. A record with two such keys, or with a key that no table can have as a column, cannot
//! be a row; the others of its object can.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use sluice_core::columns::{folded_name, is_own_of_bronze};

use super::columns::{ColumnFault, MAX_COLUMNS, NameFault, SourceColumns, shown};
use super::corrupt::FaultReason;

/// Most keys whose columns are remembered as they are written. The columns of others are found by their case.
const MAX_REMEMBERED: usize = 4 * MAX_COLUMNS;

/// The columns of an object whose records have keys.
#[derive(Debug, Default)]
pub(super) struct KeyColumns {
    columns: SourceColumns,
    /// The column of each key, as it is written.
    known: HashMap<String, usize>,
    /// Keys that are not the names of their columns, since they were taken last.
    other_names: Vec<String>,
}

impl KeyColumns {
    /// What keeps a record with these keys from being a row. Nothing is kept of it.
    pub(super) fn fault<V>(&self, entries: &[(Cow<'_, str>, V)]) -> Option<FaultReason> {
        if entries.len() > MAX_COLUMNS {
            return Some(FaultReason::KeyCount { found: entries.len(), limit: MAX_COLUMNS });
        }
        let mut known = HashSet::with_capacity(entries.len());
        let mut new = HashSet::new();
        for (position, (key, _)) in entries.iter().enumerate() {
            let name = key.trim();
            let is_first = match self.known.get(name) {
                Some(index) => known.insert(*index),
                None => match name_fault(key) {
                    Some(fault) => return Some(fault),
                    None => {
                        let folded = folded_name(name);
                        match self.columns.index_of_folded(&folded) {
                            Some(index) => known.insert(index),
                            None => new.insert(folded),
                        }
                    }
                },
            };
            if !is_first {
                return Some(repeated(entries.iter().take(position).map(|(key, _)| key.trim()), key));
            }
        }
        None
    }

    /// Index of the column of a key without fault, which is added where it is new.
    ///
    /// # Errors
    /// [`ColumnFault::TooMany`].
    pub(super) fn take(&mut self, key: &str) -> Result<usize, ColumnFault> {
        let name = key.trim();
        if let Some(index) = self.known.get(name) {
            return Ok(*index);
        }
        let index = match self.columns.index_of_folded(&folded_name(name)) {
            Some(index) => {
                self.other_names.push(name.to_owned());
                index
            }
            None => self.columns.add(name)?,
        };
        if self.known.len() < MAX_REMEMBERED {
            self.known.insert(name.to_owned(), index);
        }
        Ok(index)
    }

    pub(super) fn names(&self) -> &[String] {
        self.columns.names()
    }

    /// The keys met since the last call that are not the names of their columns.
    pub(super) fn take_other_names(&mut self) -> Vec<String> {
        std::mem::take(&mut self.other_names)
    }
}

/// Why no table can have a column of this key.
fn name_fault(key: &str) -> Option<FaultReason> {
    let name = key.trim();
    if name.is_empty() {
        return Some(FaultReason::Key { key: key.to_owned() });
    }
    if let Some(fault) = NameFault::of(name) {
        return Some(FaultReason::KeyName { key: shown(name), fault });
    }
    is_own_of_bronze(&folded_name(name)).then(|| FaultReason::ReservedKey { key: shown(name) })
}

/// What is wrong with a key that one of these has before it.
fn repeated<'k>(mut before: impl Iterator<Item = &'k str>, key: &str) -> FaultReason {
    let (name, folded) = (key.trim(), folded_name(key.trim()));
    match before.find(|before| folded_name(before) == folded) {
        Some(first) if first != name => FaultReason::KeyCase { first: shown(first), second: shown(name) },
        _ => FaultReason::Key { key: key.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries<'k>(keys: &[&'k str]) -> Vec<(Cow<'k, str>, ())> {
        keys.iter().map(|key| (Cow::Borrowed(*key), ())).collect()
    }

    /// Takes the keys of records one after the other; the reasons of those that cannot be rows.
    fn taken(records: &[&[&str]]) -> (KeyColumns, Vec<String>) {
        let (mut columns, mut reasons) = (KeyColumns::default(), Vec::new());
        for record in records {
            match columns.fault(&entries(record)) {
                Some(reason) => reasons.push(reason.to_string()),
                None => {
                    for key in *record {
                        let _ = columns.take(key).expect("few columns");
                    }
                }
            }
        }
        (columns, reasons)
    }

    #[test]
    fn keys_that_differ_in_case_are_one_column_with_the_first_name() {
        let records: [&[&str]; 5] = [&["id", "Extra"], &["id", " extra "], &["ID", "EXTRA"], &["Größe"], &["GRÖßE"]];
        let (mut columns, reasons) = taken(&records);
        assert_eq!(columns.names(), ["id", "Extra", "Größe"]);
        assert_eq!(reasons, Vec::<String>::new());
        assert_eq!(columns.take_other_names(), ["extra", "ID", "EXTRA", "GRÖßE"]);
        assert_eq!(columns.take_other_names(), Vec::<String>::new());
        assert_eq!(columns.take("extra").ok(), Some(1));
        assert_eq!(columns.take_other_names(), Vec::<String>::new(), "a spelling is reported once");
    }

    #[test]
    fn a_record_with_a_key_twice_leaves_no_column() {
        let check = |before: &[&str], record: &[&str], expected: &str| {
            let (columns, reasons) = taken(&[before, record]);
            assert_eq!(columns.names(), before, "{record:?}");
            assert_eq!(reasons, [expected], "{record:?}");
        };
        let in_two_cases = "has the keys 'a' and 'A', which are one column, because case does not count in its name; \
                            write one of them at the source";
        check(&[], &["a", "A"], in_two_cases);
        check(&["a"], &["a", "A"], in_two_cases);
        check(&["A"], &["new", "a", "A"], in_two_cases);
        check(&["b"], &["a", "b", "a"], "has the key 'a' more than once, or blank");
        check(&["a"], &["a", " a"], "has the key ' a' more than once, or blank");
        check(&[], &[" "], "has the key ' ' more than once, or blank");
    }

    #[test]
    fn a_record_with_a_name_that_is_kept_for_lineage_is_no_row() {
        for key in ["_run_id", "_SOURCE_ROW", " _source_file", "_corrupt_record", "_ingestion_date"] {
            let (columns, reasons) = taken(&[&["a"], &["b", key]]);
            assert_eq!(columns.names(), ["a"], "{key}");
            let name = key.trim();
            let expected =
                format!("has the key '{name}', a name that bronze keeps for lineage; rename it at the source");
            assert_eq!(reasons, [expected]);
        }
    }

    #[test]
    fn a_record_with_more_keys_than_a_table_has_columns_is_no_row() {
        let keys: Vec<String> = (0..=MAX_COLUMNS).map(|number| format!("k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (mut columns, reasons) = taken(&[&["a"], &keys, &keys[..MAX_COLUMNS - 1]]);
        assert_eq!(columns.names().len(), MAX_COLUMNS);
        assert_eq!(reasons, ["has 10001 keys, and a table has at most 10000 columns; check whether its keys are data"]);
        assert_eq!(columns.take("one more"), Err(ColumnFault::TooMany { limit: MAX_COLUMNS }));
    }
}
