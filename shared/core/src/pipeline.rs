//! A pipeline ready to run: its tables with their contracts and statements, in the order they are computed.

mod elements;
mod inputs;
mod mapped;
mod source;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

pub use self::elements::{ElementShape, ElementUse};
pub use self::inputs::{circle, in_order_of_reading};
pub use self::mapped::MappedNames;
pub use self::source::Source;
use crate::alert::AlertsSpec;
use crate::columns::{self, SOURCE_MODIFIED_AT, StoredColumn, is_lineage};
use crate::contract::{Column, TableContract};
use crate::engine::EnginePreference;
use crate::name::{ColumnName, DomainName, Layer, PipelineName, SourceName, TableRef};
use crate::reading::Reading;
use crate::spec::{DeletedLimit, LambdaLimits, PartsSpec, QuarantineLimit, SnapshotSpec, TextEncoding};
use crate::sql::{Predicate, RowSql, SqlError, TableSql};

/// A pipeline ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Name.
    pub name: PipelineName,
    /// Business domain of all its tables.
    pub domain: DomainName,
    /// Where files arrive and what they are; the first source where the spec has several.
    #[serde(flatten)]
    pub source: Source,
    /// The sources after the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_sources: Vec<Source>,
    /// Tables of other pipelines that gold tables read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputTable>,
    /// Clean tables; at least one.
    pub silver: Vec<SilverTable>,
    /// Aggregates, each after the ones it reads.
    pub gold: Vec<GoldTable>,
    /// So many held source objects reject a run; `None` where only all of them do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_objects_below: Option<NonZeroU64>,
    /// What runs it, unless a run asks for another.
    #[serde(default)]
    pub engine: EnginePreference,
    /// Up to where `auto` chooses lambda.
    #[serde(default)]
    pub lambda_limits: LambdaLimits,
    /// How large runs are read in parts.
    #[serde(default)]
    pub parts: PartsSpec,
    /// Who is alerted of the ends of its runs; `None` where the spec does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsSpec>,
}

/// A table of another pipeline that gold tables read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTable {
    /// The table; silver or gold.
    pub table: TableRef,
    /// The columns that SQL reads, with their types. The table may have more.
    pub contract: TableContract,
}

impl InputTable {
    /// Why gold cannot be computed from a table with these columns; `None` where it can.
    pub fn fault(&self, columns: &[StoredColumn]) -> Option<String> {
        let table = &self.table;
        for wanted in columns::contract_columns(&self.contract) {
            let (name, wanted) = (&wanted.name, &wanted.column_type);
            match columns.iter().find(|column| &column.name == name) {
                None => {
                    return Some(format!(
                        "table `{table}` has no column `{name}`, which the contract of this pipeline's input has"
                    ));
                }
                Some(column) if &column.column_type != wanted => {
                    let has = &column.column_type;
                    return Some(format!(
                        "column `{name}` of table `{table}` is {has}, and {wanted} in the contract of this pipeline's input"
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }
}

/// A clean table ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilverTable {
    /// The table.
    pub table: TableRef,
    /// The source that it reads; `None` where the pipeline has one source without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// Where rows go that break an error rule.
    pub quarantine: TableRef,
    /// Types, keys and rules.
    pub contract: TableContract,
    /// Mapped column and the source column, or lineage column, it is read from: those of the contract in its order, then
    /// the helpers. Where a value inside the source column, or a part of the address, is read, it is in `readings`.
    pub columns: Vec<(ColumnName, String)>,
    /// Mapped columns that the contract does not have: the SQL and `delete_when` read them, and they are not stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<Column>,
    /// How the text of a mapped column is read, where the spec says more than the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<ColumnName, Reading>,
    /// Whether its source is of XML, where a list of one element may be stored as that element: a file that was read
    /// before a column was a list has it so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_elements: bool,
    /// The projection; `None` takes the mapped columns as they are.
    pub sql: Option<RowSql>,
    /// How rows enter the table.
    pub mode: WriteMode,
    /// Which source rows are delete events, in modes merge and scd2: those for which it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_when: Option<Predicate>,
    /// What is one full snapshot in a folder below the landing folder; `None` where the spec does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotSpec>,
    /// The run's quarantined share must be below this many percent.
    #[serde(deserialize_with = "QuarantineLimit::of_plan")]
    pub quarantined_percent_below: QuarantineLimit,
    /// The share of its keys that a snapshot lacks must be below this many percent.
    #[serde(default, skip_serializing_if = "DeletedLimit::is_default")]
    pub deleted_percent_below: DeletedLimit,
}

impl SilverTable {
    /// Whether what the source delivers are full snapshots: the table follows the newest, and older ones change nothing.
    pub fn takes_snapshots(&self) -> bool {
        match self.mode {
            WriteMode::Replace | WriteMode::Snapshot(_) => true,
            WriteMode::Scd2(_) => self.snapshot.is_some(),
            WriteMode::Append | WriteMode::Merge(_) => false,
        }
    }

    /// Whether snapshots are compared with its rows, key by key.
    pub fn compares_snapshots(&self) -> bool {
        self.takes_snapshots() && self.mode != WriteMode::Replace
    }

    /// The projection: the table's own, or the mapped columns as they are.
    ///
    /// # Errors
    /// [`SqlError`] for a column whose name SQL takes for something else.
    pub fn projection(&self) -> Result<Cow<'_, RowSql>, SqlError> {
        match &self.sql {
            Some(sql) => Ok(Cow::Borrowed(sql)),
            // Helpers are for `delete_when` then.
            None => {
                let columns = self.columns.iter().map(|(column, _)| column.as_str());
                let stored = columns.filter(|column| self.contract.column(column).is_some());
                RowSql::of_columns(stored).map(Cow::Owned)
            }
        }
    }

    /// The column of this name that the SQL can read: one of the contract, or a helper.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.contract.column(name).or_else(|| self.helpers.iter().find(|helper| helper.name.as_str() == name))
    }

    /// Whether no row may lack a value in this column: its contract requires one, or rows are merged by it.
    fn needs(&self, column: &str) -> bool {
        let orders = match &self.mode {
            WriteMode::Merge(by) | WriteMode::Scd2(by) => by.decides(column),
            WriteMode::Snapshot(by) => by.keys.iter().any(|name| name.as_str() == column),
            WriteMode::Append | WriteMode::Replace => false,
        };
        orders || self.contract.requires_value(column)
    }

    /// The table of its delete events, and how they are merged; `None` where no row is one.
    pub fn deletes(&self) -> Option<(TableRef, &Versioned)> {
        self.delete_when.as_ref()?;
        let table = TableRef::new(Layer::Deletes, self.table.domain().clone(), self.table.table().clone());
        Some((table, self.mode.versioned()?))
    }

    /// Whether the SQL computes a key, or what says which row is newer, from this mapped column.
    pub fn computes_deciding(&self, column: &str) -> bool {
        let (Some(sql), Some(by)) = (&self.sql, self.mode.versioned()) else { return false };
        by.keys.iter().chain(&by.latest_by).any(|deciding| sql.computes(deciding.as_str(), column))
    }

    /// Whether `delete_when` names this column. Engines take no notice of case in names.
    fn deletes_by(&self, column: &str) -> bool {
        let named = self.delete_when.as_ref().map(Predicate::columns).unwrap_or_default();
        named.iter().any(|name| name.eq_ignore_ascii_case(column))
    }

    /// Whether the SQL computes a column that no row may lack from this helper.
    fn needs_helper(&self, helper: &str) -> bool {
        let mut needed =
            self.contract.columns.iter().map(|column| column.name.as_str()).filter(|name| self.needs(name));
        self.sql.as_ref().is_some_and(|sql| needed.any(|column| sql.computes(column, helper)))
    }

    /// The mapped columns that are read from source columns, and not from the lineage of the row.
    pub fn of_source(&self) -> impl Iterator<Item = &(ColumnName, String)> {
        self.columns.iter().filter(|(_, from)| !is_lineage(from))
    }
}

/// How rows enter a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum WriteMode {
    /// Rows are added.
    Append,
    /// The rows of the newest snapshot replace the table.
    Replace,
    /// One row per key: the newest.
    Merge(Versioned),
    /// Every version of a key.
    Scd2(Versioned),
    /// One row per key, those of the newest snapshot.
    Snapshot(Keyed),
}

impl WriteMode {
    /// The key columns, of the modes that have keys.
    pub fn keys(&self) -> Option<&[ColumnName]> {
        match self {
            Self::Merge(by) | Self::Scd2(by) => Some(&by.keys),
            Self::Snapshot(by) => Some(&by.keys),
            Self::Append | Self::Replace => None,
        }
    }

    /// Whether rows meet those of the table, and wait until all of a run are known.
    pub fn merges(&self) -> bool {
        matches!(self, Self::Merge(_) | Self::Scd2(_) | Self::Snapshot(_))
    }

    /// By what rows are merged; `None` where they are not, or where whole snapshots are compared.
    pub fn versioned(&self) -> Option<&Versioned> {
        match self {
            Self::Merge(by) | Self::Scd2(by) => Some(by),
            Self::Append | Self::Replace | Self::Snapshot(_) => None,
        }
    }
}

/// Which rows have the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// Key columns; never empty.
    pub keys: Vec<ColumnName>,
}

/// Which rows have the same key, and which of them is newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// Key columns; never empty.
    pub keys: Vec<ColumnName>,
    /// Column whose greater value is newer; `None` where the time at which the source object was modified decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_by: Option<ColumnName>,
    /// Of a history, the columns that make a version when one of them changes. Without one, as in plans of versions that
    /// compared nothing, every event makes a version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track: Vec<ColumnName>,
}

impl Versioned {
    /// The column that says when a row was true.
    pub fn time(&self) -> &str {
        self.latest_by.as_ref().map_or(SOURCE_MODIFIED_AT, ColumnName::as_str)
    }

    /// Whether a column of the contract is one of the keys, or the one that says which row is newer. Where the time of
    /// the source object says that, it is in the lineage, which every row and every delete event has.
    pub fn decides(&self, column: &str) -> bool {
        self.keys.iter().chain(&self.latest_by).any(|name| name.as_str() == column)
    }
}

/// An aggregate ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldTable {
    /// The table.
    pub table: TableRef,
    /// Types and rules.
    pub contract: TableContract,
    /// The query.
    pub sql: TableSql,
    /// Tables it reads.
    pub inputs: BTreeSet<TableRef>,
}

impl GoldTable {
    /// The tables that its SQL names, each under the name that it has there.
    pub fn named_inputs(&self) -> impl Iterator<Item = (String, TableRef)> + '_ {
        self.sql.inputs().iter().map(|input| (input.to_string(), input.in_domain(self.table.domain())))
    }
}

impl Pipeline {
    /// Encoding of the files of its (first) source, as far as the spec says it.
    pub fn encoding(&self) -> TextEncoding {
        self.source.fixed_width.as_ref().map_or(self.source.csv.encoding, |fixed_width| fixed_width.encoding)
    }

    /// Every table the pipeline writes, in the order of publication.
    pub fn tables(&self) -> Vec<TableRef> {
        let silver = self.silver.iter().map(|t| t.table.clone());
        let quarantine = self.silver.iter().map(|t| t.quarantine.clone());
        let deletes = self.silver.iter().filter_map(SilverTable::deletes).map(|(table, _)| table);
        let gold = self.gold.iter().map(|t| t.table.clone());
        let bronze = self.sources().map(|source| source.bronze.clone());
        bronze.chain(quarantine).chain(deletes).chain(silver).chain(gold).collect()
    }

    /// The tables that readers get, silver and gold, with their columns.
    pub fn published(&self) -> Vec<(TableRef, Vec<StoredColumn>)> {
        let silver = self.silver.iter().map(|t| (t.table.clone(), columns::silver_columns(t)));
        let gold = self.gold.iter().map(|t| (t.table.clone(), columns::contract_columns(&t.contract).collect()));
        silver.chain(gold).collect()
    }

    /// Whether an object may lack this source column, which is null in its rows then: no contract requires a value in a
    /// column that is read from it, and no rows are merged by it. Rows without a key would all be one, and rows without
    /// `latest_by` older than any other. A helper is in no contract: the columns count that the SQL computes from it. Of rows
    /// without a column of `delete_when` nobody could say which are delete events.
    pub fn is_optional_source(&self, source: &str) -> bool {
        self.silver.iter().all(|silver| {
            let mut read = silver.columns.iter().filter(|(_, from)| from == source).map(|(column, _)| column.as_str());
            read.all(|column| match silver.contract.column(column) {
                _ if silver.deletes_by(column) => false,
                Some(_) => !silver.needs(column),
                None => !silver.needs_helper(column),
            })
        })
    }

    /// The source columns that silver tables read, each once, in the order of the spec.
    pub fn mapped_sources(&self) -> impl Iterator<Item = &String> {
        let mut met = BTreeSet::new();
        let sources = self.silver.iter().flat_map(|silver| silver.of_source().map(|(_, source)| source));
        sources.filter(move |source| met.insert(source.as_str()))
    }

    /// A table whose rows only lambda combines: snapshots are compared with the files of a table, which Spark replaces as
    /// a whole.
    pub fn lambda_only(&self) -> Option<&SilverTable> {
        self.silver.iter().find(|table| table.compares_snapshots())
    }

    /// The silver table of this reference.
    pub fn silver_table(&self, table: &TableRef) -> Option<&SilverTable> {
        self.silver.iter().find(|t| &t.table == table)
    }

    /// The input of this reference.
    pub fn input(&self, table: &TableRef) -> Option<&InputTable> {
        self.inputs.iter().find(|input| &input.table == table)
    }

    /// The contract of a table that gold may read.
    pub fn contract(&self, table: &TableRef) -> Option<&TableContract> {
        let silver = self.silver_table(table).map(|silver| &silver.contract);
        let gold = || self.gold_table(table).map(|gold| &gold.contract);
        silver.or_else(gold).or_else(|| self.input(table).map(|input| &input.contract))
    }

    /// The silver table whose delete events are in this table.
    pub fn deleting_table(&self, deletes: &TableRef) -> Option<&SilverTable> {
        self.silver.iter().find(|t| t.deletes().is_some_and(|(table, _)| &table == deletes))
    }

    /// The gold table of this reference.
    pub fn gold_table(&self, table: &TableRef) -> Option<&GoldTable> {
        self.gold.iter().find(|t| &t.table == table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ColumnCase, PipelineSpec};

    const APPEND: &str = "mode: append";

    /// A pipeline with two silver tables, each with these columns of its contract and this map; `how` are the mode and
    /// the SQL of the first.
    fn pipeline(first: (&str, &str), second: (&str, &str), how: &str) -> Pipeline {
        let table = |name: &str, columns: &str, how: &str| {
            format!("  - {{ table: {name}, contract: {name}.yaml, columns: {{ {columns} }}, {how} }}\n")
        };
        let contract = |name: &str, columns: &str| {
            format!(
                "apiVersion: v3.2.0\nkind: DataContract\nid: {name}\nversion: 1.0.0\nstatus: active\nschema:\n  \
                 - name: {name}\n    properties: [{columns}]\n"
            )
        };
        let spec = format!(
            "pipeline: p\ndomain: d\nsource: {{ prefix: landing/p, format: csv }}\nbronze: {{ table: t }}\n\
             silver:\n{}{}",
            table("a", first.1, how),
            table("b", second.1, APPEND)
        );
        let contracts = BTreeMap::from([
            ("a.yaml".parse().unwrap(), contract("a", first.0)),
            ("b.yaml".parse().unwrap(), contract("b", second.0)),
        ]);
        let spec = PipelineSpec::parse(&spec, "pipeline.yaml").unwrap();
        Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn a_source_column_is_optional_where_no_contract_requires_a_column_that_is_read_from_it() {
        let check = |first: (&str, &str), second: (&str, &str), optional: bool| {
            let pipeline = pipeline(first, second, APPEND);
            assert_eq!(pipeline.is_optional_source("S"), optional, "{first:?} {second:?}");
            assert!(pipeline.mapped_sources().any(|source| source == "S"), "{first:?} {second:?}");
        };
        let x = "{name: x, logicalType: string}";
        let required = "{name: x, logicalType: string, required: true}";
        let key = "{name: x, logicalType: string, primaryKey: true, primaryKeyPosition: 1}";
        let rule = |severity: &str| {
            let rule = format!("{{metric: nullValues, mustBe: 0, severity: {severity}}}");
            format!("{{name: x, logicalType: string, quality: [{rule}]}}")
        };
        let optional = (x, "x: S");
        check(optional, optional, true);
        check(optional, (required, "x: Other"), true);
        check((required, "x: S"), optional, false);
        check(optional, (required, "x: S"), false);
        check(optional, (key, "x: S"), false);
        check((rule("error").as_str(), "x: S"), optional, false);
        check((rule("warning").as_str(), "x: S"), optional, true);
        let both = format!("{x}, {{name: y, logicalType: string, required: true}}");
        check((both.as_str(), "x: S, y: S"), optional, false);
        check((both.as_str(), "x: S, y: Other"), optional, true);
    }

    #[test]
    fn a_source_column_of_a_helper_is_optional_where_no_column_that_must_have_a_value_is_computed_from_it() {
        let check = |columns: &str, map: &str, how: &str, optional: bool| {
            let pipeline = pipeline((columns, map), ("{name: x, logicalType: string}", "x: Other"), how);
            assert_eq!(pipeline.is_optional_source("S"), optional, "{columns} {map} {how}");
        };
        let x = "{name: x, logicalType: string}";
        let required = "{name: x, logicalType: string, required: true}";
        let append = |sql: &str| format!("mode: append, sql: '{sql}'");
        check(x, "h: S", &append("SELECT h AS x FROM bronze"), true);
        check(required, "h: S", &append("SELECT h AS x FROM bronze"), false);
        check(required, "h: S", &append("SELECT TRIM(UPPER(H)) AS X FROM bronze"), false);
        check(required, "x: Other, h: S", &append("SELECT COALESCE(x, h) AS x FROM bronze"), false);
        let both = "{name: x, logicalType: string}, {name: y, logicalType: date, required: true}";
        check(both, "y: Other, h: S", &append("SELECT h AS x, y FROM bronze"), true);
        check(both, "g: Other, h: S", &append("SELECT h AS x, CAST(g AS DATE) AS y FROM bronze"), true);
        check(both, "y: Other, h: S", &append("SELECT *, h AS x FROM bronze"), true);
        let merged = "{name: x, logicalType: string}, {name: y, logicalType: date}, {name: z, logicalType: string}";
        let merge = |sql: &str| format!("mode: merge, keys: [x], latest_by: y, sql: '{sql}'");
        check(merged, "y: Y, z: Z, h: S", &merge("SELECT h AS x, y, z FROM bronze"), false);
        check(merged, "x: X, z: Z, h: S", &merge("SELECT x, CAST(h AS DATE) AS y, z FROM bronze"), false);
        check(merged, "x: X, y: Y, h: S", &merge("SELECT x, y, h AS z FROM bronze"), true);
        let deleting = |condition: &str| format!("{}, delete_when: {condition}", merge("SELECT x, y, z FROM bronze"));
        check(merged, "x: X, y: Y, z: Z, h: S", &deleting("\"H = 'D'\""), false);
        check(merged, "x: X, y: Y, z: S", &deleting("\"z = 'D'\""), false);
        check(merged, "x: X, y: Y, z: S, h: H", &deleting("\"h = 'D'\""), true);
    }

    #[test]
    fn names_are_found_in_any_case() {
        let x = ("{name: x, logicalType: string}", "x: Name");
        let mut pipeline = pipeline(x, ("{name: x, logicalType: string}", "x: id"), APPEND);
        let names = MappedNames::of(&pipeline);
        let found = ["Name", "NAME", "Id", "other"].map(|name| names.mapped(name));
        assert_eq!(found, ["Name", "Name", "id", "other"]);
        assert_eq!((names.has("Name"), names.has("name")), (true, false));
        assert_eq!(names.refused(["other", "id", "NAME"]), Some(("NAME", "Name")));
        pipeline.source.column_case = ColumnCase::Ignore;
        assert_eq!(MappedNames::of(&pipeline).refused(["NAME"]), None);
    }
}
