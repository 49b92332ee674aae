//! The executable form of a data contract: what an engine casts, checks and audits.
//!
//! [`TableContract`] is made by [`super::Contract::table`]; everything in it is executed by every engine. What a
//! contract says beyond this is either documentation (kept out of here) or refused by name.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decimal::DecimalNumber;
use crate::name::ColumnName;
use crate::sql::{MetricSql, Predicate};

/// The type of a column, as every engine must store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE 754 double. Never for money.
    Double,
    /// Exact decimal: 1 to 38 digits in all, `scale` of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// Calendar day without time zone.
    Date,
    /// Instant in UTC with microseconds.
    Timestamp,
    /// A list of values of one type.
    Array(Box<ColumnType>),
    /// Named values; never empty, names unique whatever their case.
    Object(Vec<ObjectField>),
}

/// A value inside an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectField {
    /// Its key in JSON, and its name where it is stored.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
}

impl ColumnType {
    /// Whether it is a list or an object.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }
}

impl fmt::Display for ColumnType {
    /// Prints the SQL name, as in `DECIMAL(12,3)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("STRING"),
            Self::Int32 => f.write_str("INT"),
            Self::Int64 => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Array(items) => write!(f, "ARRAY<{items}>"),
            Self::Object(fields) => {
                f.write_str("STRUCT<")?;
                for (index, ObjectField { name, column_type }) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {column_type}")?;
                }
                f.write_str(">")
            }
        }
    }
}

/// How the text of a source column is read as its type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextFormat {
    /// `strftime` pattern (chrono's dialect) for dates and timestamps, translated from the contract's JDK pattern.
    /// A pattern with `%z`, `%:z` or `%#z` reads the offset from the text; others mean `default_timezone`.
    /// `%s`, `%s%3f`, `%s%6f` and `%s%9f` are a count since 1970 in UTC: of seconds, milliseconds, microseconds and
    /// nanoseconds. `None`: ISO 8601.
    pub strftime: Option<String>,
    /// IANA zone of timestamps whose text carries none; UTC when the contract names none.
    pub default_timezone: Option<String>,
    /// Of lists and objects: how the values inside are read, by their place behind the column's name, such as `[]` and
    /// `[].price`. Every value inside has an entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, PartFormat>,
}

/// How a value inside a list or an object is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartFormat {
    /// As [`TextFormat::strftime`].
    pub strftime: Option<String>,
    /// As [`TextFormat::default_timezone`].
    pub default_timezone: Option<String>,
    /// Whether null is a broken rule, wherever the value around it is not null.
    pub required: bool,
}

/// One column of a table contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name in the table.
    pub name: ColumnName,
    /// Type in the table.
    pub column_type: ColumnType,
    /// How source text is read.
    pub format: TextFormat,
    /// Whether null is a broken rule.
    pub required: bool,
    /// The contract's description, for documentation.
    pub description: Option<String>,
    /// The contract's classification (free text such as `confidential`).
    pub classification: Option<String>,
}

/// What a broken rule leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Row rules quarantine the row; dataset rules reject the run.
    Error,
    /// Reported only.
    Warning,
}

/// A test of one row. It says what a *good* value is, except [`RowCheck::Predicate`].
///
/// Null passes every check but [`RowCheck::Required`] and [`RowCheck::NotMissing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowCheck {
    /// The source text could be read as the column's type.
    Readable,
    /// Not null.
    Required,
    /// In every value of a list or an object, what is at this place could be read as its type.
    PartReadable {
        /// The place behind the column's name, such as `[].price`.
        place: String,
    },
    /// In every value of a list or an object, what is at this place is not null.
    PartRequired {
        /// The place behind the column's name, such as `[].price`.
        place: String,
    },
    /// Not null and none of these texts.
    NotMissing {
        /// Texts that count as missing.
        values: Vec<String>,
    },
    /// The text contains a match of this regular expression (unanchored, as JSON Schema has it).
    Pattern {
        /// The expression, in the syntax of the `regex` crate.
        regex: String,
    },
    /// One of these values, as text in the column type's canonical form: decimals with exactly the digits of their
    /// scale, days as `2020-12-31`, instants as `2020-12-31T23:59:59Z`, booleans as `true` and `false`.
    OneOf {
        /// The allowed values.
        values: Vec<String>,
    },
    /// At least `bound` (more than it when exclusive). Dates and timestamps as ISO text.
    Minimum {
        /// The bound, as text that reads as the column's type.
        bound: String,
        /// Whether the bound itself is refused.
        exclusive: bool,
    },
    /// At most `bound` (less than it when exclusive).
    Maximum {
        /// The bound, as text that reads as the column's type.
        bound: String,
        /// Whether the bound itself is refused.
        exclusive: bool,
    },
    /// At least this many Unicode characters.
    MinLength {
        /// Number of characters.
        characters: u64,
    },
    /// At most this many Unicode characters.
    MaxLength {
        /// Number of characters.
        characters: u64,
    },
    /// A text that can be the name of a partition's folder: of at most this many bytes, where letters, digits, `-`, `_` and
    /// `.` of ASCII take one and every other byte three, and not the one that stands for null.
    FolderName {
        /// Most bytes of the name.
        max_bytes: u64,
    },
    /// A whole multiple of this number.
    MultipleOf {
        /// The step; above zero.
        step: DecimalNumber,
    },
    /// The row is *bad* where this SQL predicate over the table's columns is true (not where it is false or null).
    Predicate {
        /// A row-wise expression of the portable subset.
        sql: Predicate,
    },
}

/// A test of a row, with what is done about a row that breaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRule {
    /// Stable name within the table, such as `unit_price.minimum`.
    pub id: String,
    /// The column tested; none for predicates over several columns.
    pub column: Option<ColumnName>,
    /// The test.
    pub check: RowCheck,
    /// What a broken rule leads to.
    pub severity: Severity,
    /// Quality dimension named by the contract.
    pub dimension: Option<String>,
    /// The contract's words for it.
    pub description: Option<String>,
}

/// Something counted or computed over the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Rows in the table once the run is published.
    RowCount,
    /// Rows whose value is null.
    NullValues {
        /// The column counted.
        column: ColumnName,
    },
    /// Rows whose value is null or one of these texts.
    MissingValues {
        /// The column counted.
        column: ColumnName,
        /// Texts that count as missing.
        values: Vec<String>,
    },
    /// Rows whose value is not null and breaks at least one of the conditions.
    InvalidValues {
        /// The column counted.
        column: ColumnName,
        /// Allowed values, when given.
        valid_values: Option<Vec<String>>,
        /// Regular expression, when given.
        regex: Option<String>,
    },
    /// Rows whose key other rows have, too; a key with a null in it is no key.
    DuplicateValues {
        /// The columns of the key.
        columns: Vec<ColumnName>,
    },
    /// The one number that this SQL query answers.
    Sql {
        /// One SELECT of the portable subset with one column and one row, over the table named `object`.
        query: MetricSql,
    },
}

/// Unit of the observed number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnit {
    /// A number of rows (or keys), or the plain number of a SQL metric.
    #[default]
    Rows,
    /// Share of the rows checked, 0 to 100. An empty table has 0 percent.
    Percent,
}

/// What the observed number must satisfy: exactly one operator of the standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `mustBe`
    Be(DecimalNumber),
    /// `mustNotBe`
    NotBe(DecimalNumber),
    /// `mustBeGreaterThan`
    GreaterThan(DecimalNumber),
    /// `mustBeGreaterOrEqualTo`
    GreaterOrEqualTo(DecimalNumber),
    /// `mustBeLessThan`
    LessThan(DecimalNumber),
    /// `mustBeLessOrEqualTo`
    LessOrEqualTo(DecimalNumber),
    /// `mustBeBetween`, both ends included (see ARCHITECTURE.md, Decisions).
    Between(DecimalNumber, DecimalNumber),
    /// `mustNotBeBetween`, both ends refused.
    NotBetween(DecimalNumber, DecimalNumber),
}

/// A test of a whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRule {
    /// Stable name within the table, such as `row_count` or `invoice_no.null_values`.
    pub id: String,
    /// What is measured.
    pub metric: Metric,
    /// Unit of the measured number.
    pub unit: MetricUnit,
    /// What it must satisfy.
    pub bound: Bound,
    /// What a broken rule leads to.
    pub severity: Severity,
    /// Quality dimension named by the contract.
    pub dimension: Option<String>,
    /// The contract's words for it.
    pub description: Option<String>,
}

/// The executable contract of one table.
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
///       - {name: order_id, logicalType: string, required: true}
///       - {name: amount, logicalType: number, physicalType: 'DECIMAL(12,2)', logicalTypeOptions: {minimum: 0}}
/// ";
/// let orders = Contract::parse(yaml, "orders.odcs.yaml")?.table(Some("orders"))?;
/// let amount = orders.column("amount").map(|column| column.column_type.to_string());
/// assert_eq!(amount.as_deref(), Some("DECIMAL(12,2)"));
/// let rules: Vec<&str> = orders.row_rules.iter().map(|rule| rule.id.as_str()).collect();
/// assert_eq!(rules, ["order_id.required", "amount.readable", "amount.minimum"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContract {
    /// The contract's `id`.
    pub contract_id: String,
    /// The contract's `version`.
    pub contract_version: String,
    /// Name of the schema object.
    pub name: String,
    /// Columns in the contract's order; never empty, names unique.
    pub columns: Vec<Column>,
    /// Columns of the primary key in key order; may be empty. They are also required and checked for duplicates.
    pub primary_key: Vec<ColumnName>,
    /// Partition columns in order; may be empty.
    pub partition_by: Vec<ColumnName>,
    /// Rules on rows.
    pub row_rules: Vec<RowRule>,
    /// Rules on the table.
    pub dataset_rules: Vec<DatasetRule>,
}

impl TableContract {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// Whether every row needs a value in this column: it is required, or null breaks an error rule of it.
    pub fn requires_value(&self, name: &str) -> bool {
        let is_required = self.column(name).is_some_and(|column| column.required);
        is_required || self.row_rules.iter().any(|rule| refuses_null(rule, name))
    }
}

fn refuses_null(rule: &RowRule, column: &str) -> bool {
    let is_of_column = rule.column.as_ref().is_some_and(|of| of.as_str() == column);
    let is_about_null = matches!(rule.check, RowCheck::Required | RowCheck::NotMissing { .. });
    is_of_column && is_about_null && rule.severity == Severity::Error
}
