//! A gold table in Spark SQL: computed from the tables as they will be after the run, in place of all its files.

use std::collections::BTreeMap;

use sluice_core::columns::contract_columns;
use sluice_core::name::TableRef;
use sluice_core::pipeline::GoldTable;
use sluice_core::run::PlannedWork;
use sluice_core::uri::FolderUri;

use super::SparkError;
use super::sql::{self, Relation};
use super::tables::{Stage, after_name, read_name, stage_name};
use super::text::name;

/// The statements of one gold table.
pub(super) struct Gold<'a> {
    /// The lake's root.
    pub(super) lake: &'a FolderUri,
    /// The plan's work.
    pub(super) plan: PlannedWork<'a>,
    /// The table.
    pub(super) gold: &'a GoldTable,
}

impl Gold<'_> {
    /// Everything up to the staged files, and the view of the table after the run.
    ///
    /// # Errors
    /// [`SparkError::Sql`] when the SQL is not executed, or its columns are not the contract's.
    pub(super) fn statements(&self) -> Result<String, SparkError> {
        let gold = self.gold;
        let failed = |source| SparkError::Sql { table: gold.table.clone(), source };
        let inputs: BTreeMap<String, Relation> =
            gold.named_inputs().map(|(name, input)| (name, self.relation(&input))).collect();
        let query = sql::query(&gold.sql, &inputs).map_err(failed)?;
        let conformed = sql::conform(&query, &gold.contract)
            .map_err(|source| SparkError::Conform { table: gold.table.clone(), source })?;
        let columns = contract_columns(&gold.contract).collect();
        let stage = Stage::new(self.lake, self.plan.run, &gold.table, columns, &gold.contract.partition_by)?;
        Ok(format!(
            "{}{}CREATE OR REPLACE TEMPORARY VIEW {} AS\nSELECT * FROM {};\n",
            stage.create(),
            stage.insert(&format!("(\n{conformed}\n)")),
            name(&after_name(&gold.table)),
            stage_name(&gold.table)
        ))
    }

    /// An input with the columns that SQL may use: of a silver table those of its contract.
    fn relation(&self, input: &TableRef) -> Relation {
        let columns = self
            .plan
            .pipeline
            .contract(input)
            .iter()
            .flat_map(|contract| &contract.columns)
            .map(|column| (column.name.to_string(), column.column_type.clone()))
            .collect();
        Relation { name: read_name(self.plan.pipeline, input), columns }
    }
}
