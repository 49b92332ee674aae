//! Columns that are read in another form than they are stored.

use std::fmt;

use polars::prelude::{Column, DataType, Expr, Field, IntoColumn, LiteralValue, PolarsResult, StringChunked, col, lit};
use serde::{Deserialize, Serialize};
use sluice_core::access::Treatment;
use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;

use crate::delta::schema::polars_schema;

/// The key of column hashes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskKey(pub [u8; 32]);

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(…)")
    }
}

/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 32;
/// What stands for the hidden characters of a partial value: always as many, so that nobody learns how long the value is.
const HIDDEN: &str = "****";
/// Characters that a partial value keeps.
const KEPT: usize = 2;
/// A partial value that keeps none, as long as the others.
const ALL_HIDDEN: &str = "******";
/// Texts of fewer characters keep none: the ends of short words, as of `male` and `female`, are nearly all there is to know.
const SHORTEST: usize = 8;

/// The type that a column is read as.
pub fn read_type(column: &StoredColumn, treatment: Treatment) -> ColumnType {
    match treatment {
        Treatment::Hash | Treatment::Partial if !column.column_type.is_nested() => ColumnType::Text,
        // Lists and objects are hidden as a whole.
        _ => column.column_type.clone(),
    }
}

/// The expression that reads a column in this form; `None` for a column that is not there.
pub(super) fn masked(column: &StoredColumn, treatment: Treatment, key: MaskKey) -> Option<Expr> {
    let name = column.name.as_str();
    let is_hidden = column.column_type.is_nested() && matches!(treatment, Treatment::Hash | Treatment::Partial);
    let treatment = if is_hidden { Treatment::Null } else { treatment };
    let text = |change: fn(&str, &MaskKey) -> String| {
        let mask = move |values: Column| -> PolarsResult<Column> {
            let texts = values.cast(&DataType::String)?;
            let masked: StringChunked =
                texts.str()?.iter().map(|value| value.map(|value| change(value, &key))).collect();
            let mut masked = masked.into_column();
            masked.rename(values.name().clone());
            Ok(masked)
        };
        col(name).map(mask, |_, field| Ok(Field::new(field.name().clone(), DataType::String)))
    };
    match treatment {
        Treatment::Hide => None,
        Treatment::Clear => Some(col(name)),
        Treatment::Null => {
            let dtype = polars_schema(std::slice::from_ref(column)).get(name).cloned().unwrap_or(DataType::Null);
            Some(lit(LiteralValue::untyped_null()).cast(dtype).alias(name))
        }
        Treatment::Hash => Some(text(hash)),
        Treatment::Partial if column.column_type == ColumnType::Text => Some(text(partial)),
        // The end of a truth value, a day or a number is most of it.
        Treatment::Partial => Some(text(|_, _| ALL_HIDDEN.to_owned())),
    }
}

fn hash(value: &str, key: &MaskKey) -> String {
    blake3::keyed_hash(&key.0, value.as_bytes()).to_hex().chars().take(HASH_DIGITS).collect()
}

fn partial(value: &str, _: &MaskKey) -> String {
    let length = value.chars().count();
    if length < SHORTEST {
        return ALL_HIDDEN.to_owned();
    }
    HIDDEN.chars().chain(value.chars().skip(length.saturating_sub(KEPT))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_values_keep_two_characters_of_long_texts_and_have_one_length() {
        let check = |value: &str, expected: &str| assert_eq!(partial(value, &MaskKey([0; 32])), expected);
        check("SECRETID17850", "****50");
        check("17850678", "****78");
        check("äöüßéäöüßé", "****ßé");
        for short in ["", "no", "true", "false", "female", "1785067"] {
            check(short, "******");
        }
    }

    #[test]
    fn nothing_is_shown_of_values_that_are_no_text() {
        use polars::prelude::{IntoLazy, df};
        let frame = df!("flag" => [Some(true), Some(false), None], "day" => [Some(20_000), Some(1), None]).unwrap();
        let stored = |name: &str, column_type| StoredColumn { name: name.to_owned(), column_type };
        let masks = [stored("flag", ColumnType::Boolean), stored("day", ColumnType::Int32)]
            .map(|column| masked(&column, Treatment::Partial, MaskKey([0; 32])).unwrap());
        let shown = frame.lazy().select(masks).collect().unwrap();
        for column in ["flag", "day"] {
            let values: Vec<Option<&str>> = shown.column(column).unwrap().str().unwrap().iter().collect();
            assert_eq!(values, [Some("******"), Some("******"), None], "{column}");
        }
    }

    #[test]
    fn lists_are_hidden_as_a_whole_and_keep_their_type() {
        use polars::prelude::{IntoLazy, NamedFrom, Series, df};
        let list = ColumnType::Array(Box::new(ColumnType::Text));
        let column = StoredColumn { name: "tags".to_owned(), column_type: list.clone() };
        let frame = df!("tags" => [Series::new("".into(), ["secret"])]).unwrap();
        for treatment in [Treatment::Hash, Treatment::Partial, Treatment::Null] {
            let mask = masked(&column, treatment, MaskKey([0; 32])).unwrap();
            let shown = frame.clone().lazy().with_column(mask).collect().unwrap();
            let shown = shown.column("tags").unwrap();
            assert_eq!((shown.null_count(), shown.len()), (1, 1), "{treatment:?}");
            assert_eq!(read_type(&column, treatment), list, "{treatment:?}");
        }
    }

    #[test]
    fn hashes_depend_on_value_and_key() {
        let (one, other) = (MaskKey([1; 32]), MaskKey([2; 32]));
        assert_eq!(hash("17850", &one), hash("17850", &one));
        assert_eq!(hash("17850", &one).len(), HASH_DIGITS);
        assert_ne!(hash("17850", &one), hash("17851", &one));
        assert_ne!(hash("17850", &one), hash("17850", &other));
    }
}
