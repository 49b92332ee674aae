//! Whether the SQL and the rules of a pipeline can be translated, found without Spark: every pipeline is checked so, whatever
//! its engine, because the translation knows all types.

use std::collections::BTreeMap;

use sluice_core::contract::{ColumnType, ConformError, TableContract};
use sluice_core::error::with_sources;
use sluice_core::name::{ColumnName, TableName, TableRef};
use sluice_core::pipeline::{GoldTable, Pipeline, SilverTable};
use sluice_core::spec::{PipelineSpec, SpecError};
use sluice_core::sql::SqlError;
use sluice_core::uri::LakePath;

use super::SparkError;
use super::audit::{self, RowRules};
use super::sql::{Relation, conform, predicate, projection, query};

/// A pipeline that is ready to run on both engines, from a spec and the texts of its contracts, by the path the spec writes.
///
/// # Errors
/// Every problem found, in the order of the spec.
pub fn resolve(spec: &PipelineSpec, contracts: &BTreeMap<LakePath, String>) -> Result<Pipeline, Vec<SpecError>> {
    let pipeline = Pipeline::resolve_untyped(spec, contracts)?;
    let refused: Vec<SpecError> = check(&pipeline)
        .into_iter()
        .map(|(table, error)| match error {
            CheckError::Sql { source } => SpecError::Sql { pipeline: spec.pipeline.clone(), table, source },
            other => SpecError::Table { pipeline: spec.pipeline.clone(), table, problem: with_sources(&other) },
        })
        .collect();
    if refused.is_empty() { Ok(pipeline) } else { Err(refused) }
}

/// Why the SQL of a table is refused.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// Its statement is not in the subset, or types in it do not go together.
    #[error("sql")]
    Sql {
        /// What is refused, with its position.
        #[from]
        source: SqlError,
    },
    /// Its `delete_when` is not a condition on the columns that its SQL reads.
    #[error("delete_when, which is about the names under columns")]
    DeleteWhen {
        /// What is refused, with its position.
        source: SqlError,
    },
    /// Its statement does not answer the contract.
    #[error(transparent)]
    Conform {
        /// The column, and the fix.
        #[from]
        source: ConformError,
    },
    /// A rule.
    #[error(transparent)]
    Contract {
        /// What is refused; of SQL with its position.
        #[from]
        source: SparkError,
    },
}

/// Every table of a pipeline whose SQL or rules are refused, with the first thing that is.
fn check(pipeline: &Pipeline) -> Vec<(TableName, CheckError)> {
    let silver = pipeline.silver.iter().map(|table| (&table.table, check_silver(table)));
    let gold = pipeline.gold.iter().map(|table| (&table.table, check_gold(table, pipeline)));
    silver.chain(gold).filter_map(|(table, result)| Some((table.table().clone(), result.err()?))).collect()
}

fn check_silver(table: &SilverTable) -> Result<(), CheckError> {
    let typed = |(name, _): &(ColumnName, String)| {
        let column = table.column(name.as_str())?;
        Some((name.to_string(), column.column_type.clone()))
    };
    let columns: Vec<(String, ColumnType)> = table.columns.iter().filter_map(typed).collect();
    if let Some(condition) = &table.delete_when {
        predicate(condition, &columns).map_err(|source| CheckError::DeleteWhen { source })?;
    }
    if let Some(sql) = &table.sql {
        let bronze = Relation { name: "bronze".to_owned(), columns };
        conform(&projection(sql, &bronze)?, &table.contract)?;
    }
    check_rules(&table.table, &table.contract)
}

fn check_gold(table: &GoldTable, pipeline: &Pipeline) -> Result<(), CheckError> {
    let inputs = table.named_inputs().filter_map(|(name, input)| {
        let columns = columns(pipeline.contract(&input)?);
        Some((name.clone(), Relation { name, columns }))
    });
    let inputs = inputs.collect();
    conform(&query(&table.sql, &inputs)?, &table.contract)?;
    check_rules(&table.table, &table.contract)
}

fn columns(contract: &TableContract) -> Vec<(String, ColumnType)> {
    contract.columns.iter().map(|column| (column.name.to_string(), column.column_type.clone())).collect()
}

/// Rules are judged by what is written of them, so that nothing is refused later that is not refused here.
fn check_rules(table: &TableRef, contract: &TableContract) -> Result<(), CheckError> {
    audit::of_contract(table, contract, RowRules::ByScript)?;
    Ok(())
}
