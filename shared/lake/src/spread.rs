//! Columns that have a value of their own for each row.
//!
//! Polars keeps what is the same in all rows as one value with a length: a column that a file lacks, the value of a
//! partition, a constant. A literal on the left of such a column (`'m' <= column`) gives one row instead of as many as the
//! column has (polars-core 0.55, `frame/column/compare.rs`). A `SUM` of nothing else then adds one number for each batch,
//! and a `CASE` that is added to its rows fails. Spread out, a column is like all others.

use polars::prelude::{AllowedOptimizations, Column, DataFrame, Expr, IntoColumn, LazyFrame, PolarsResult};

/// The rows with every column spread out. Columns and rows that nobody asks for are still not read.
pub(crate) fn spread(rows: LazyFrame) -> LazyFrame {
    spread_with(rows, AllowedOptimizations::PREDICATE_PUSHDOWN)
}

/// As [`spread`], and no condition is evaluated before this point.
pub(crate) fn spread_behind(rows: LazyFrame) -> LazyFrame {
    spread_with(rows, AllowedOptimizations::empty())
}

fn spread_with(rows: LazyFrame, further: AllowedOptimizations) -> LazyFrame {
    let allowed = AllowedOptimizations::PROJECTION_PUSHDOWN | AllowedOptimizations::STREAMING | further;
    rows.map(spread_frame, allowed, None, Some("spread"))
}

/// The column of this expression, which has to have as many values as its frame, spread out.
pub(crate) fn spread_column(column: Expr) -> Expr {
    column.map(|column| Ok(in_rows(column)), |_, field| Ok(field.clone()))
}

fn spread_frame(rows: DataFrame) -> PolarsResult<DataFrame> {
    if rows.columns().iter().all(|column| matches!(column, Column::Series(_))) {
        return Ok(rows);
    }
    DataFrame::new(rows.height(), rows.columns().iter().cloned().map(in_rows).collect())
}

fn in_rows(column: Column) -> Column {
    match column {
        Column::Scalar(_) => column.take_materialized_series().into_column(),
        Column::Series(_) => column,
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType, IntoLazy, PlSmallStr, Scalar, col, df, lit, when};

    use super::*;
    use crate::engine::collect_streaming;

    fn rows() -> LazyFrame {
        let mut rows = df!("n" => [1, 2, 3]).unwrap();
        rows.with_column(Column::full_null(PlSmallStr::from("absent"), 3, &DataType::String)).unwrap();
        rows.with_column(Column::new_scalar("five".into(), Scalar::from(5_i32), 3)).unwrap();
        rows.lazy()
    }

    /// 1 for each row, by a literal on the left of a column that is the same in all rows.
    fn ones() -> [Expr; 2] {
        let one = |condition: Expr| when(condition).then(lit(10)).otherwise(lit(1));
        [one(lit("m").lt_eq(col("absent"))).alias("a"), one(lit(9).lt_eq(col("five"))).alias("b")]
    }

    #[test]
    fn literals_compare_with_every_row_of_spread_columns() {
        let sums = |rows: LazyFrame| rows.select(ones().map(|one| one.sum()));
        let texts = |frame: DataFrame| frame.columns().iter().map(|sum| sum.get(0).unwrap().to_string()).collect();
        let check = |found: PolarsResult<DataFrame>| {
            let found: Vec<String> = texts(found.unwrap());
            assert_eq!(found, ["3", "3"]);
        };
        check(sums(spread(rows())).collect());
        check(collect_streaming(sums(spread(rows()))));
        check(spread(rows()).with_columns(ones()).select([col("a").sum(), col("b").sum()]).collect());
        // What this module is for: without it, Polars counts one row. Then it can go.
        assert_eq!(texts(sums(rows()).collect().unwrap()), ["1", "1"]);
    }

    #[test]
    fn a_spread_expression_keeps_its_type() {
        let found = rows().select([spread_column(col("absent")), spread_column(col("five"))]).collect().unwrap();
        assert!(found.columns().iter().all(|column| matches!(column, Column::Series(_)) && column.len() == 3));
        assert_eq!(found.dtypes(), [DataType::String, DataType::Int32]);
    }

    #[test]
    fn rows_without_columns_keep_their_number() {
        let counted = spread(rows()).select([polars::prelude::len()]);
        assert_eq!(collect_streaming(counted).unwrap().column("len").unwrap().get(0).unwrap().to_string(), "3");
    }
}
