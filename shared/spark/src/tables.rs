//! Staged files and tables as they will be after the run.

use sluice_core::columns::StoredColumn;
use sluice_core::name::{ColumnName, TableRef};
use sluice_core::pipeline::Pipeline;
use sluice_core::run::RunRef;
use sluice_core::uri::{FolderUri, layout};

use super::SparkError;
use super::text::{name, names, text, type_name};

/// Columns for a `SELECT`.
pub(super) fn columns_of(columns: &[StoredColumn]) -> String {
    names(columns.iter().map(|column| column.name.as_str()))
}

/// Files of one table that no reader of the lake can see.
pub(super) struct Stage {
    /// Name of the Spark table over them.
    name: String,
    location: String,
    columns: Vec<StoredColumn>,
    partition_by: Vec<String>,
}

impl Stage {
    /// The stage of a table with these columns, partitioned by these of them.
    ///
    /// # Errors
    /// [`SparkError::NotExecuted`] for a partition column that the table does not have.
    pub(super) fn new(
        lake: &FolderUri,
        run: &RunRef,
        table: &TableRef,
        columns: Vec<StoredColumn>,
        partition_by: &[ColumnName],
    ) -> Result<Self, SparkError> {
        let partition_by: Vec<String> = partition_by.iter().map(ToString::to_string).collect();
        if let Some(unknown) = partition_by.iter().find(|column| !columns.iter().any(|known| &known.name == *column)) {
            return Err(SparkError::NotExecuted {
                what: format!("partition column `{unknown}` of table `{table}`"),
                hint: "it is no column of the contract".to_owned(),
            });
        }
        let location = lake.object(&layout::spark_stage(table, run)).hadoop_path();
        Ok(Self { name: stage_name(table), location, columns, partition_by })
    }

    /// Rows that are kept aside in a folder because they are read several times. The folder is filled again when a
    /// script is run again.
    pub(super) fn aside(table: &str, folder: &str, columns: Vec<StoredColumn>) -> Self {
        Self { location: format!("{folder}/{table}"), name: name(table), columns, partition_by: Vec::new() }
    }

    /// The statement that makes the table over the folder.
    pub(super) fn create(&self) -> String {
        let columns: Vec<String> =
            self.ordered().map(|column| format!("{} {}", name(&column.name), type_name(&column.column_type))).collect();
        let partitioned = match self.partition_by.as_slice() {
            [] => String::new(),
            columns => format!("\nPARTITIONED BY ({})", names(columns.iter().map(String::as_str))),
        };
        format!(
            "CREATE TABLE {} (\n  {}\n) USING parquet{partitioned}\nLOCATION {};\n\n",
            self.name,
            columns.join(",\n  "),
            text(&self.location)
        )
    }

    /// The statement that fills it from a query in parentheses, or a view.
    pub(super) fn insert(&self, from: &str) -> String {
        let spread = match self.partition_by.as_slice() {
            [] => String::new(),
            columns => format!("/*+ REBALANCE({}) */ ", names(columns.iter().map(String::as_str))),
        };
        let columns: Vec<&str> = self.ordered().map(|column| column.name.as_str()).collect();
        format!("INSERT OVERWRITE TABLE {} SELECT {spread}{} FROM {from};\n\n", self.name, names(columns))
    }

    /// Columns with those of the partition last, as Spark wants them.
    fn ordered(&self) -> impl Iterator<Item = &StoredColumn> {
        let in_partition = |column: &str| self.partition_by.iter().any(|partition| partition == column);
        let inside = self.columns.iter().filter(move |column| !in_partition(&column.name));
        let partitions = self
            .partition_by
            .iter()
            .filter_map(|partition| self.columns.iter().find(|column| &column.name == partition));
        inside.chain(partitions)
    }
}

/// Name of the Spark table or view over the staged files of a table.
pub(super) fn stage_view(table: &TableRef) -> String {
    format!("stage_{}_{}", table.layer().as_str(), table.table())
}

/// The same, in backticks.
pub(super) fn stage_name(table: &TableRef) -> String {
    name(&stage_view(table))
}

/// Name of the view of a table that gold reads: of the pipeline's own as it will be after the run. Tables of others are
/// numbered, because one of another domain may have the name of an own one.
pub(super) fn read_name(pipeline: &Pipeline, table: &TableRef) -> String {
    match pipeline.inputs.iter().position(|input| &input.table == table) {
        Some(number) => format!("input_{number}"),
        None => after_name(table),
    }
}

/// Name of the view of a table as it will be after the run.
pub(super) fn after_name(table: &TableRef) -> String {
    format!("after_{}_{}", table.layer().as_str(), table.table())
}
