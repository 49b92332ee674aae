//! Lists of elements that were read as one column.

use polars::prelude::{
    DataType, IntoSeries, ListBuilderTrait, ListPrimitiveChunkedBuilder, PolarsResult, Series, UInt32Type,
};

use super::VALUE;

/// Lists of these lengths, whose elements follow each other in `items`.
pub(super) fn lists(lengths: &[Option<usize>], items: &Series) -> PolarsResult<Series> {
    let longest = lengths.iter().flatten().max().copied().unwrap_or_default();
    let places = vec![0_u32; longest];
    let mut builder =
        ListPrimitiveChunkedBuilder::<UInt32Type>::new(VALUE.into(), lengths.len(), items.len(), DataType::UInt32);
    for length in lengths {
        match length {
            Some(length) => builder.append_slice(places.get(..*length).unwrap_or_default()),
            None => builder.append_null(),
        }
    }
    Ok(builder.finish().apply_to_inner(&|_| Ok(items.clone()))?.into_series())
}
