//! Whether the SQL of a pipeline can run on Spark, found without Spark.

use std::collections::BTreeMap;

use super::{ConformError, Relation, conform, metric, predicate, projection, query};
use crate::contract::{ColumnType, Metric, RowCheck, TableContract};
use crate::name::{ColumnName, Layer, TableName, TableRef};
use crate::pipeline::{GoldTable, SilverTable};
use crate::sql::SqlError;

/// Why the SQL of a table is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckError {
    /// Its statement is not in the subset, or types in it do not go together.
    #[error("sql")]
    Sql {
        /// What is refused, with its position.
        #[from]
        source: SqlError,
    },
    /// Its statement does not answer the contract.
    #[error("{source}")]
    Conform {
        /// The column, and the fix.
        #[from]
        source: ConformError,
    },
    /// The SQL of a rule.
    #[error("rule `{rule}`: {source}")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What is refused, with its position.
        source: SqlError,
    },
}

/// Every table of a pipeline whose SQL or rules are refused, with the first thing that is.
pub fn check(silver: &[SilverTable], gold: &[GoldTable]) -> Vec<(TableName, CheckError)> {
    let key = |table: &TableRef| (table.layer(), table.table().clone());
    let of_silver = silver.iter().map(|table| (key(&table.table), &table.contract));
    let contracts = of_silver.chain(gold.iter().map(|table| (key(&table.table), &table.contract))).collect();
    let silver = silver.iter().map(|table| (&table.table, check_silver(table)));
    let gold = gold.iter().map(|table| (&table.table, check_gold(table, &contracts)));
    silver.chain(gold).filter_map(|(table, result)| Some((table.table().clone(), result.err()?))).collect()
}

fn check_silver(table: &SilverTable) -> Result<(), CheckError> {
    if let Some(sql) = &table.sql {
        let typed = |(name, _): &(ColumnName, String)| {
            let column = table.contract.column(name.as_str())?;
            Some((name.to_string(), column.column_type.clone()))
        };
        let bronze = Relation { name: "bronze".to_owned(), columns: table.columns.iter().filter_map(typed).collect() };
        conform(&projection(sql, &bronze, &[])?, &table.contract, &[])?;
    }
    check_rules(&table.contract)
}

fn check_gold(table: &GoldTable, contracts: &BTreeMap<(Layer, TableName), &TableContract>) -> Result<(), CheckError> {
    let mut inputs = BTreeMap::new();
    for input in &table.inputs {
        let key = (input.layer(), input.table().clone());
        if let Some(contract) = contracts.get(&key) {
            let name = format!("{}_{}", input.layer().as_str(), input.table());
            inputs.insert(key, Relation { name, columns: columns(contract) });
        }
    }
    conform(&query(&table.sql, &inputs)?, &table.contract, &[])?;
    check_rules(&table.contract)
}

fn columns(contract: &TableContract) -> Vec<(String, ColumnType)> {
    contract.columns.iter().map(|column| (column.name.to_string(), column.column_type.clone())).collect()
}

fn check_rules(contract: &TableContract) -> Result<(), CheckError> {
    let columns = columns(contract);
    let refused = |rule: &str| {
        let rule = rule.to_owned();
        move |source: SqlError| CheckError::Rule { rule, source }
    };
    for rule in &contract.row_rules {
        if let RowCheck::Predicate { sql } = &rule.check {
            predicate(sql, &columns).map_err(refused(&rule.id))?;
        }
    }
    let object = Relation { name: "object".to_owned(), columns };
    for rule in &contract.dataset_rules {
        if let Metric::Sql { query } = &rule.metric {
            metric(query, &object).map_err(refused(&rule.id))?;
        }
    }
    Ok(())
}
