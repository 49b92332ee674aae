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
/// Characters that a partial value keeps.
const KEPT: usize = 2;
/// Values of up to so many characters keep none: two of three would be nearly all.
const ALL_HIDDEN: usize = 4;

/// The type that a column is read as.
pub fn read_type(column: &StoredColumn, treatment: Treatment) -> ColumnType {
    match treatment {
        Treatment::Hash | Treatment::Partial => ColumnType::Text,
        Treatment::Clear | Treatment::Null | Treatment::Hide => column.column_type.clone(),
    }
}

/// The expression that reads a column in this form; `None` for a column that is not there.
pub(super) fn masked(column: &StoredColumn, treatment: Treatment, key: MaskKey) -> Option<Expr> {
    let name = column.name.as_str();
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
        Treatment::Partial => Some(text(partial)),
    }
}

fn hash(value: &str, key: &MaskKey) -> String {
    blake3::keyed_hash(&key.0, value.as_bytes()).to_hex().chars().take(HASH_DIGITS).collect()
}

fn partial(value: &str, _: &MaskKey) -> String {
    let length = value.chars().count();
    let kept = if length <= ALL_HIDDEN { 0 } else { KEPT };
    let hidden = length.saturating_sub(kept);
    value.chars().enumerate().map(|(index, character)| if index < hidden { '*' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_values_keep_two_characters_of_long_texts() {
        let check = |value: &str, expected: &str| assert_eq!(partial(value, &MaskKey([0; 32])), expected);
        check("17850", "***50");
        check("1785", "****");
        check("", "");
        check("äöüßé", "***ßé");
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
