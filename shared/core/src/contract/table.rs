//! One schema object to the executable contract of a table.

use super::Contract;
use super::columns::{self, PARTITION, PRIMARY_KEY};
use super::document::SchemaObject;
use super::error::{ContractError, Problem, Problems};
use super::model::TableContract;
use super::nested;
use super::quality;
use super::rules::{Rules, Subject};
use crate::name::ColumnName;

impl Contract {
    /// Compiles the schema object of this name, or the only one, to its executable form.
    ///
    /// # Errors
    /// [`ContractError::UnknownTable`], or [`ContractError::Refused`] with every problem of the table, not only the
    /// first.
    ///
    /// # Example
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sluice_core::contract::Contract;
    ///
    /// let yaml = "
    /// apiVersion: v3.2.0
    /// kind: DataContract
    /// id: shop-orders
    /// version: 1.0.0
    /// schema:
    ///   - name: orders
    ///     properties:
    ///       - {name: Amount, logicalType: number}
    /// ";
    /// let error = Contract::parse(yaml, "orders.odcs.yaml")?.table(None).unwrap_err();
    /// let places: Vec<&str> = error.problems().iter().map(|problem| problem.place.as_str()).collect();
    /// assert_eq!(places, ["column `Amount`"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn table(&self, name: Option<&str>) -> Result<TableContract, ContractError> {
        let found = match (name, self.objects.as_slice()) {
            (None, [_]) => Some(0),
            (None, _) => None,
            (Some(name), objects) => objects.iter().position(|object| object.name == name),
        };
        let parts = found.and_then(|index| Some((self.objects.get(index)?, self.variables.get(index)?)));
        let Some((object, variables)) = parts else {
            return Err(ContractError::UnknownTable {
                origin: self.origin.clone(),
                wanted: name.map(str::to_owned),
                known: self.table_names().map(str::to_owned).collect(),
            });
        };
        compile(self, object, variables)
    }
}

/// Compiles a schema object, or returns all of its problems.
fn compile(contract: &Contract, object: &SchemaObject, variables: &[Problem]) -> Result<TableContract, ContractError> {
    let mut problems = Problems(variables.to_vec());
    let mut rules = Rules::default();
    if let Some(logical) = object.logical_type.as_deref().filter(|logical| *logical != "object") {
        problems.note("schema", format!("logicalType {logical} is not executed: a table is an object with properties"));
    }
    if !object.relationships.is_empty() {
        problems.note("schema", "relationships are not executed yet");
    }
    let columns = columns::compile(&object.properties, &mut rules, &mut problems);
    let primary_key = columns::ordered(&object.properties, &PRIMARY_KEY, &mut problems);
    let partition_by = columns::ordered(&object.properties, &PARTITION, &mut problems);
    if !partition_by.is_empty() && partition_by.len() == object.properties.len() {
        problems.note("schema", "every column is partitioned: a table needs one column that is not");
    }
    if !primary_key.is_empty() {
        rules.add_key("primary_key", primary_key.clone());
    }
    // Rules may name any column, so a column that is refused itself must not make its rules unknown as well.
    let names: Vec<ColumnName> = object.properties.iter().filter_map(|property| property.name.parse().ok()).collect();
    for property in &object.properties {
        let Some(column) = columns.iter().find(|column| column.name.as_str() == property.name) else {
            continue;
        };
        let subject = Subject { table: &object.name, names: &names, column: Some(column) };
        quality::compile(&property.quality, &subject, &mut rules, &mut problems);
    }
    let subject = Subject { table: &object.name, names: &names, column: None };
    quality::compile(&object.quality, &subject, &mut rules, &mut problems);
    nested::check_keys(&columns, &rules, &mut problems);
    if problems.0.is_empty() {
        return Ok(TableContract {
            contract_id: contract.id.clone(),
            contract_version: contract.version.clone(),
            name: object.name.clone(),
            columns,
            primary_key,
            partition_by,
            row_rules: rules.row,
            dataset_rules: rules.dataset,
        });
    }
    let (origin, table) = (contract.origin.clone(), object.name.clone());
    Err(ContractError::Refused { origin, table, problems: problems.0 })
}
