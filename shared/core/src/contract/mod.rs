//! Data contracts: an [ODCS] document in, the executable form of one table out.
//!
//! [`Contract::parse`] accepts exactly what the official JSON Schema accepts, apiVersion v3.0 to v3.2.
//! [`Contract::table`] compiles one schema object to a [`TableContract`] that every engine executes in full. What a
//! contract says falls in three groups, and nothing is ever skipped in silence:
//!
//! - **Executed**: `logicalType`, `physicalType`, `logicalTypeOptions`, `required`, `unique`, `primaryKey`,
//!   `partitioned`, `enum` and `quality` rules of type `library` and `sql`.
//! - **Documentation**, kept out of the executable form: descriptions, tags, business names, examples, transform notes,
//!   `quality` of type `text`, `method`, `businessImpact`, and the sections about people, servers, prices and SLAs.
//! - **Refused by name**: everything else, such as maps, relationships, `custom` rules, schedules or `${VAR}`.
//!
//! A `quality` rule becomes a row rule when it tolerates no violating row and can be answered row by row, so that its
//! rows go to quarantine; every other rule measures the whole table and decides the run.
//!
//! # Ids of rules
//! A quality rule is called by its own `id`, or else its `name`, in lower case with `_` for everything but letters and
//! digits. All other rules are called `<column>.readable`, `.computed`, `.required`, `.minimum`, `.exclusive_minimum`, `.maximum`,
//! `.exclusive_maximum`, `.multiple_of`, `.min_length`, `.max_length`, `.pattern`, `.format`, `.format_minimum`,
//! `.format_maximum`, `.enum`, `.unique`, `.null_values`, `.missing_values`, `.invalid_values`, `.duplicate_values`,
//! `.sql`, of values inside lists and objects `<column>[].<field>.readable` and `.required`, and, for the whole table,
//! `primary_key`, `row_count`, `duplicate_values` and `sql`. A second rule of the same id gets the suffix `_2`.
//!
//! [ODCS]: https://bitol-io.github.io/open-data-contract-standard/

mod bound;
mod column_type;
mod columns;
mod concern;
mod conform;
mod document;
mod error;
mod literal;
mod model;
mod nested;
mod options;
mod pattern;
mod quality;
mod quality_sql;
mod rules;
mod schema;
mod strftime;
mod table;
mod time_format;
mod variables;

#[cfg(test)]
mod tests;

pub use concern::Concern;
pub use conform::ConformError;
pub use error::{ContractError, Problem};
pub use model::{
    Bound, Column, ColumnType, DatasetRule, Metric, MetricUnit, ObjectField, PartFormat, RowCheck, RowRule, Severity,
    TableContract, TextFormat,
};

use document::{ContractDocument, SchemaObject};
pub use strftime::MONTHS;
pub(crate) use strftime::strftime_of;
pub(crate) use time_format::is_zone;

/// A valid contract document.
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
///       - {name: order_id, logicalType: string}
/// ";
/// let contract = Contract::parse(yaml, "orders.odcs.yaml")?;
/// assert_eq!((contract.id(), contract.version()), ("shop-orders", "1.0.0"));
/// assert_eq!(contract.table_names().collect::<Vec<_>>(), ["orders"]);
///
/// let misspelt = yaml.replace("logicalType", "logicaltype");
/// assert!(Contract::parse(&misspelt, "orders.odcs.yaml").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Contract {
    origin: String,
    id: String,
    version: String,
    objects: Vec<SchemaObject>,
    /// For each object, in the order of `objects`: its `${VAR}` references in places that are executed.
    variables: Vec<Vec<Problem>>,
}

impl Contract {
    /// Parses a contract; `origin` is the file name that messages show.
    ///
    /// Duplicate keys are refused; only `true` and `false` are booleans, so that the country `NO` stays a text.
    ///
    /// # Errors
    /// [`ContractError`]: no YAML, not valid by the official JSON Schema (with the JSON path of each problem), or an
    /// apiVersion before v3.
    pub fn parse(yaml: &str, origin: &str) -> Result<Self, ContractError> {
        let value = schema::read_yaml(yaml, origin)?;
        schema::validate(&value, origin)?;
        let variables = variables::in_objects(&value);
        let document: ContractDocument = serde_path_to_error::deserialize(value).map_err(|error| {
            let place = format!("/{}", error.path().to_string().replace(['.', '['], "/").replace(']', ""));
            let problems = vec![Problem { place, message: error.into_inner().to_string() }];
            ContractError::Invalid { origin: origin.to_owned(), problems }
        })?;
        if !document.api_version.starts_with("v3.") {
            let message = format!("'{}' is not executed: write the contract in v3.2.0", document.api_version);
            let problems = vec![Problem { place: "/apiVersion".to_owned(), message }];
            return Err(ContractError::Invalid { origin: origin.to_owned(), problems });
        }
        let ContractDocument { id, version, schema: objects, .. } = document;
        Ok(Self { origin: origin.to_owned(), id, version, objects, variables })
    }

    /// The contract's `id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The contract's `version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The names of its schema objects, in the document's order.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(|object| object.name.as_str())
    }
}
