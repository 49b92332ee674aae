//! Why Spark cannot run a plan.

use sluice_core::contract::ConformError;
use sluice_core::name::TableRef;
use sluice_core::sql::SqlError;

/// Why a plan cannot be written as Spark SQL. `sluice check` finds it before any run.
#[derive(Debug, thiserror::Error)]
pub enum SparkError {
    /// A part of the pipeline is not executed on Spark.
    #[error("{what} is not executed on Spark: {hint}")]
    NotExecuted {
        /// What it is.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// The SQL of a table.
    #[error("table `{table}`: sql")]
    Sql {
        /// The table.
        table: TableRef,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
    /// What the SQL of a table gives is not what its contract says.
    #[error("table `{table}`")]
    Conform {
        /// The table.
        table: TableRef,
        /// The column that does not fit.
        #[source]
        source: ConformError,
    },
    /// The SQL of a rule.
    #[error("rule `{rule}`: sql")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
}
