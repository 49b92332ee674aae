//! Values about the origin of rows, made of their lineage alone: so a row of bronze or quarantine has the same ones as when
//! its object was read.

use polars::prelude::{
    Column as PolarsColumn, DataFrame, DataType, Expr, Field, IntoColumn, PlSmallStr, PolarsResult,
    StringChunkedBuilder, col,
};
use sluice_core::columns::{LINEAGE, SOURCE_ROW};
use sluice_core::contract::{Column, ColumnType};
use sluice_core::origin::AddressPart;
use sluice_core::pipeline::SilverTable;
use sluice_core::reading::Reading;

use super::nested::text_name;
use super::types::canonical_text;

/// The columns of a silver table that are read from texts which no column of bronze has: parts of addresses, and
/// numbers of records.
pub(super) struct OriginTexts(Vec<OriginText>);

struct OriginText {
    /// The mapped column.
    name: String,
    /// The lineage column.
    source: String,
    part: Option<AddressPart>,
}

impl OriginTexts {
    /// Those of a table.
    pub(super) fn of(table: &SilverTable) -> Self {
        let by_contract = Reading::default();
        let mut texts = Vec::new();
        for (name, source) in &table.columns {
            let reading = table.readings.get(name).unwrap_or(&by_contract);
            if Self::has_text_of(source, reading) {
                let part = reading.part().cloned();
                texts.push(OriginText { name: name.to_string(), source: source.clone(), part });
            }
        }
        Self(texts)
    }

    /// Whether a column with this reading is read from such a text.
    pub(super) fn has_text_of(source: &str, reading: &Reading) -> bool {
        reading.part().is_some() || source == SOURCE_ROW
    }

    /// The rows with a column [`text_name`] for each of them.
    ///
    /// # Errors
    /// Those of Polars, for rows without lineage.
    pub(super) fn added(&self, mut rows: DataFrame) -> PolarsResult<DataFrame> {
        for OriginText { name, source, part } in &self.0 {
            let lineage = rows.column(source)?;
            let text = match part {
                Some(part) => parts(lineage, part)?,
                None => lineage.cast(&DataType::String)?,
            };
            rows.with_column(text.with_name(text_name(name).into()))?;
        }
        Ok(rows)
    }
}

/// This part of each address. Rows of one object follow each other, so most have the address of the row before.
fn parts(addresses: &PolarsColumn, part: &AddressPart) -> PolarsResult<PolarsColumn> {
    let addresses = addresses.str()?;
    let mut texts = StringChunkedBuilder::new(PlSmallStr::EMPTY, addresses.len());
    let mut before = None;
    let mut value = None;
    for address in addresses.iter() {
        if address != before {
            value = address.and_then(|address| part.of(address));
            before = address;
        }
        texts.append_option(value.as_deref());
    }
    Ok(texts.finish().into_column())
}

/// A column that is read from an instant of the lineage: the value, and the text that could not be read, which is null in
/// all rows. `None` where `source` is no such instant.
pub(super) fn time_exprs(column: &Column, source: &str) -> Option<[Expr; 2]> {
    let is_instant =
        |(name, column_type): &(&str, ColumnType)| *name == source && *column_type == ColumnType::Timestamp;
    if !LINEAGE.iter().any(is_instant) {
        return None;
    }
    let value = match column.column_type {
        ColumnType::Text => canonical_text(source, &ColumnType::Timestamp),
        // The lineage is in UTC, and so is the day.
        ColumnType::Date => col(source).dt().date(),
        _ => col(source),
    };
    Some([value, nulls_like(col(source))])
}

/// A null text in every row; a literal would be one row where its frame has none.
fn nulls_like(rows: Expr) -> Expr {
    rows.map(
        |column| Ok(PolarsColumn::full_null(column.name().clone(), column.len(), &DataType::String)),
        |_, field| Ok(Field::new(field.name().clone(), DataType::String)),
    )
}
