//! Contract types as Polars types, values as canonical text, and the errors of the expression half of the engine.

use polars::prelude::{DataType, Expr, Field, PolarsError, TimeUnit, TimeZone, col, lit, when};
use sluice_core::contract::{ColumnType, ConformError, ObjectField};
use sluice_core::error::ErrorName;
use sluice_core::sql::SqlError;

use super::shown;
use crate::error::{file_fault, polars_name};

/// Why the engine refuses a contract, a SQL text or the values it meets.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A SQL text is outside the portable subset.
    #[error("sql")]
    Sql {
        /// What is refused, with its position.
        #[from]
        source: SqlError,
    },
    /// A SQL text that the subset allows does not fit the tables: an unknown column, or types that do not go together.
    #[error("sql is refused by the engine; check its column names and types")]
    Query {
        /// What Polars said.
        #[from]
        source: PolarsError,
    },
    /// A predicate answers no truth value.
    #[error("'{sql}' is neither true nor false; write a condition")]
    NotBoolean {
        /// The predicate.
        sql: String,
    },
    /// A column is named that the contract does not have.
    #[error("column `{column}` is not in the contract; add it there or correct the name")]
    UnknownColumn {
        /// The column.
        column: String,
    },
    /// The SQL does not answer what the contract says.
    #[error(transparent)]
    Conform(#[from] ConformError),
    /// A `strftime` pattern has a field that is not read.
    #[error("column `{column}`: format '{format}': {field} is not executed")]
    Format {
        /// The column.
        column: String,
        /// The pattern.
        format: String,
        /// The refused field.
        field: String,
    },
    /// A rule does not fit its column.
    #[error("rule `{rule}`: {problem}")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What does not fit and the fix.
        problem: String,
    },
    /// A rule's SQL does not fit the table.
    #[error("rule `{rule}`")]
    RuleSql {
        /// The rule's id.
        rule: String,
        /// What is wrong with it.
        #[source]
        source: Box<EngineError>,
    },
    /// Values do not fit the contract's types: an overflow, a division by zero.
    #[error("{doing}: a value does not fit its type")]
    Values {
        /// What was being computed.
        doing: String,
        /// What Polars said.
        #[source]
        source: PolarsError,
    },
    /// Polars failed where it should not.
    #[error("{doing}")]
    Polars {
        /// What was being computed.
        doing: String,
        /// What Polars said.
        #[source]
        source: PolarsError,
    },
}

impl EngineError {
    /// The stable name.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Sql { .. }
            | Self::Query { .. }
            | Self::NotBoolean { .. }
            | Self::UnknownColumn { .. }
            | Self::Conform(_)
            | Self::Format { .. }
            | Self::Rule { .. } => ErrorName::InvalidInput,
            Self::RuleSql { source, .. } => source.name(),
            Self::Values { .. } => ErrorName::ContractViolation,
            Self::Polars { source, .. } => polars_name(source),
        }
    }

    /// A predicate that answers no truth value.
    pub(crate) fn not_boolean(sql: &str) -> Self {
        Self::NotBoolean { sql: sql.to_owned() }
    }

    /// A column that the contract does not have.
    pub(crate) fn unknown_column(column: &str) -> Self {
        Self::UnknownColumn { column: column.to_owned() }
    }

    /// The error of a query that failed while it ran: values out of range are the data's fault, a missing column or a
    /// wrong type the spec's, a file that does not fit its table the table's, the rest ours.
    pub(crate) fn while_running(doing: impl Into<String>) -> impl FnOnce(PolarsError) -> Self {
        let doing = doing.into();
        move |source| match innermost(&source) {
            _ if file_fault(&source).is_some() => Self::Polars { doing, source },
            PolarsError::ComputeError(_) | PolarsError::InvalidOperation(_) | PolarsError::OutOfBounds(_) => {
                Self::Values { doing, source }
            }
            PolarsError::ColumnNotFound(_)
            | PolarsError::SchemaMismatch(_)
            | PolarsError::SchemaFieldNotFound(_)
            | PolarsError::SQLInterface(_)
            | PolarsError::SQLSyntax(_) => Self::Query { source },
            _ => Self::Polars { doing, source },
        }
    }
}

/// The error below the contexts that Polars wraps around it.
fn innermost(error: &PolarsError) -> &PolarsError {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => innermost(error),
        other => other,
    }
}

/// The Polars type that stores a column type.
pub(crate) fn polars_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Text => DataType::String,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal { precision, scale } => DataType::Decimal(usize::from(*precision), usize::from(*scale)),
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        ColumnType::Array(items) => DataType::List(Box::new(polars_type(items))),
        ColumnType::Object(fields) => {
            let field = |field: &ObjectField| Field::new(field.name.as_str().into(), polars_type(&field.column_type));
            DataType::Struct(fields.iter().map(field).collect())
        }
    }
}

/// The column type that is stored as this Polars type; `None` where none is.
pub(crate) fn column_type(polars: &DataType) -> Option<ColumnType> {
    Some(match polars {
        DataType::String => ColumnType::Text,
        DataType::Int32 => ColumnType::Int32,
        DataType::Int64 => ColumnType::Int64,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal(precision, scale) => {
            ColumnType::Decimal { precision: u8::try_from(*precision).ok()?, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date => ColumnType::Date,
        DataType::Datetime(TimeUnit::Microseconds, Some(zone)) if *zone == TimeZone::UTC => ColumnType::Timestamp,
        DataType::List(items) => ColumnType::Array(Box::new(column_type(items)?)),
        DataType::Struct(fields) => {
            let field = |field: &Field| {
                let column_type = column_type(field.dtype())?;
                Some(ObjectField { name: field.name().to_string(), column_type })
            };
            ColumnType::Object(fields.iter().map(field).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// A column as text, in the form in which contracts list allowed values and quarantine shows refused ones: decimals
/// with all digits of their scale, days as `2020-12-31`, instants as `2020-12-31T23:59:59Z` with a fraction only where
/// there is one. Null stays null.
pub(crate) fn canonical_text(column: &str, column_type: &ColumnType) -> Expr {
    let value = col(column);
    match column_type {
        ColumnType::Text => value,
        ColumnType::Boolean => when(value.clone().is_null())
            .then(lit(polars::prelude::NULL).cast(DataType::String))
            .when(value)
            .then(lit("true"))
            .otherwise(lit("false")),
        ColumnType::Date => value.dt().to_string("%Y-%m-%d"),
        ColumnType::Timestamp => {
            value.dt().to_string("%Y-%m-%dT%H:%M:%S%.6f").str().strip_chars_end(lit("0")).str().strip_suffix(lit("."))
                + lit("Z")
        }
        ColumnType::Int32 | ColumnType::Int64 | ColumnType::Double | ColumnType::Decimal { .. } => {
            value.cast(DataType::String)
        }
        ColumnType::Array(_) | ColumnType::Object(_) => shown::json_expr(column),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataFrame, IntoLazy, NamedFrom, Series};

    use super::*;
    use crate::engine::cast::testing::{column, read};

    const PLAIN: [ColumnType; 8] = [
        ColumnType::Text,
        ColumnType::Int32,
        ColumnType::Int64,
        ColumnType::Double,
        ColumnType::Decimal { precision: 12, scale: 3 },
        ColumnType::Boolean,
        ColumnType::Date,
        ColumnType::Timestamp,
    ];

    #[test]
    fn types_go_there_and_back() {
        let fields = PLAIN.into_iter().enumerate();
        let fields =
            fields.map(|(index, column_type)| ObjectField { name: format!("f{index}"), column_type }).collect();
        let list = ColumnType::Array(Box::new(ColumnType::Object(fields)));
        for each in PLAIN.into_iter().chain([list]) {
            assert_eq!(column_type(&polars_type(&each)), Some(each));
        }
        assert_eq!(column_type(&DataType::Datetime(TimeUnit::Microseconds, None)), None);
    }

    #[test]
    fn canonical_text_is_what_the_contract_writes() {
        let check = |column_type: ColumnType, text: &str, expected: &str| {
            let column = column(column_type);
            let typed = read(&column, &[Some(text), None]).0;
            let frame = DataFrame::new(2, vec![typed.with_name("v".into()).into()]).unwrap().lazy();
            let out = frame.select([canonical_text("v", &column.column_type).alias("v")]).collect().unwrap();
            assert_eq!(
                *out.column("v").unwrap().as_materialized_series(),
                Series::new("v".into(), [Some(expected), None])
            );
        };
        check(ColumnType::Text, " a ", " a ");
        check(ColumnType::Int32, "+07", "7");
        check(ColumnType::Int64, "-9223372036854775808", "-9223372036854775808");
        check(ColumnType::Decimal { precision: 5, scale: 2 }, "-999", "-999.00");
        check(ColumnType::Decimal { precision: 5, scale: 2 }, ".5", "0.50");
        check(ColumnType::Decimal { precision: 5, scale: 0 }, "12", "12");
        check(ColumnType::Double, "1e20", "1e+20");
        check(ColumnType::Double, "-15e299", "-1.5e+300");
        check(ColumnType::Double, "1e15", "1000000000000000.0");
        check(ColumnType::Double, "0.00001", "0.00001");
        check(ColumnType::Double, "1.5e-7", "1.5e-7");
        check(ColumnType::Boolean, "TRUE", "true");
        check(ColumnType::Boolean, "false", "false");
        check(ColumnType::Date, "2020-02-29", "2020-02-29");
        check(ColumnType::Timestamp, "2020-01-01", "2020-01-01T00:00:00Z");
        check(ColumnType::Timestamp, "2020-01-01T10:20:30.50", "2020-01-01T10:20:30.5Z");
        check(ColumnType::Timestamp, "2020-01-01T10:20:30.000001", "2020-01-01T10:20:30.000001Z");
    }
}
