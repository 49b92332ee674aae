//! The portable SQL subset: what Polars SQL and Spark SQL both run with the same result.
//!
//! Everything else is refused at check time with its position, never passed on to an engine to see what happens. A text
//! is parsed once, when it is checked: [`RowSql`], [`TableSql`], [`MetricSql`], [`Predicate`] and [`ProductSql`] keep the
//! tree for every engine, and documents keep the text.

mod error;
mod mentions;
mod parse;
mod portable;
mod product;
pub mod refused;
mod rewrite;
mod statement;

pub use self::error::{Position, SqlError, not_portable};
pub use self::mentions::Mentions;
pub use self::parse::select_all;
pub(crate) use self::parse::{Limits, parse_query};
pub(crate) use self::portable::check_query;
pub use self::portable::is_aggregate;
pub use self::product::{ProductSql, caller_predicate, product_engine_name};
pub(crate) use self::rewrite::unqualified;
pub use self::rewrite::{DATEDIFF_FUNCTION, round_decimals, round_decimals_range, round_function};
pub use self::statement::{MetricSql, Predicate, RowSql, SqlTable, TableSql};
