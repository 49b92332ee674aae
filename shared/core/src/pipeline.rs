//! A pipeline ready to run: its tables with their contracts and statements, in the order they are computed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::columns::{self, StoredColumn, folded_name};
use crate::contract::TableContract;
use crate::engine::EnginePreference;
use crate::files::FileSelection;
use crate::name::{ColumnName, DomainName, PipelineName, TableRef};
use crate::path::RecordPath;
use crate::reading::Reading;
use crate::spec::{CsvSpec, LambdaLimits, PartsSpec, QuarantineLimit, SnapshotSpec, SourceFormat};
use crate::sql::{RowSql, SqlError, TableSql};
use crate::uri::LakePath;

/// A pipeline ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Name.
    pub name: PipelineName,
    /// Business domain of all its tables.
    pub domain: DomainName,
    /// Folder below the lake's root where files arrive.
    pub source_prefix: LakePath,
    /// Format of the files.
    pub source_format: SourceFormat,
    /// How CSV files are written.
    pub csv: CsvSpec,
    /// Where the records of a JSON document or an NDJSON line are; `None` where it is the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordPath>,
    /// Which files of the folder are taken.
    #[serde(default, skip_serializing_if = "FileSelection::is_default")]
    pub files: FileSelection,
    /// The raw table.
    pub bronze: TableRef,
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
}

/// A clean table ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilverTable {
    /// The table.
    pub table: TableRef,
    /// Where rows go that break an error rule.
    pub quarantine: TableRef,
    /// Types, keys and rules.
    pub contract: TableContract,
    /// Contract column and the source column it is read from, in contract order. Where a value inside the source column
    /// is read, the way to it is in `readings`.
    pub columns: Vec<(ColumnName, String)>,
    /// How the text of a contract column is read, where the spec says more than the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<ColumnName, Reading>,
    /// The projection; `None` takes the mapped columns as they are.
    pub sql: Option<RowSql>,
    /// How rows enter the table.
    pub mode: WriteMode,
    /// What is one full snapshot in a folder below the landing folder; `None` where the spec does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotSpec>,
    /// The run's quarantined share must be below this many percent.
    #[serde(deserialize_with = "QuarantineLimit::of_plan")]
    pub quarantined_percent_below: QuarantineLimit,
}

impl SilverTable {
    /// The projection: the table's own, or the mapped columns as they are.
    ///
    /// # Errors
    /// [`SqlError`] for a column whose name SQL takes for something else.
    pub fn projection(&self) -> Result<Cow<'_, RowSql>, SqlError> {
        match &self.sql {
            Some(sql) => Ok(Cow::Borrowed(sql)),
            None => RowSql::of_columns(self.columns.iter().map(|(column, _)| column.as_str())).map(Cow::Owned),
        }
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
}

impl WriteMode {
    /// Whether rows meet those of the table, and wait until all of a run are known.
    pub fn merges(&self) -> bool {
        matches!(self, Self::Merge(_) | Self::Scd2(_))
    }
}

/// Which rows have the same key, and which of them is newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// Key columns; never empty.
    pub keys: Vec<ColumnName>,
    /// Column whose greater value is newer.
    pub latest_by: ColumnName,
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

impl Pipeline {
    /// Every table the pipeline writes, in the order of publication.
    pub fn tables(&self) -> Vec<TableRef> {
        let silver = self.silver.iter().map(|t| t.table.clone());
        let quarantine = self.silver.iter().map(|t| t.quarantine.clone());
        let gold = self.gold.iter().map(|t| t.table.clone());
        std::iter::once(self.bronze.clone()).chain(quarantine).chain(silver).chain(gold).collect()
    }

    /// The tables that readers get, silver and gold, with their columns.
    pub fn published(&self) -> Vec<(TableRef, Vec<StoredColumn>)> {
        let silver = self.silver.iter().map(|t| (t.table.clone(), columns::silver_columns(t)));
        let gold = self.gold.iter().map(|t| (t.table.clone(), columns::contract_columns(&t.contract).collect()));
        silver.chain(gold).collect()
    }

    /// A column of an object that differs in case alone from a source column that a silver table reads, with that one.
    /// Such an object would be read as if it lacked the column, and stored as if it had it.
    pub fn other_case<'a>(&'a self, columns: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
        let mapped: Vec<&str> =
            self.silver.iter().flat_map(|silver| silver.columns.iter().map(|(_, source)| source.as_str())).collect();
        let folded: Vec<String> = mapped.iter().map(|source| folded_name(source)).collect();
        columns.into_iter().filter(|column| !mapped.contains(column)).find_map(|column| {
            let place = folded.iter().position(|source| *source == folded_name(column))?;
            Some((column, *mapped.get(place)?))
        })
    }

    /// Whether an object may lack this source column, which is null in its rows then: no contract requires a value in a
    /// column that is read from it, and no rows are merged by it. Rows without a key would all be one, and rows without
    /// `latest_by` older than any other.
    pub fn is_optional_source(&self, source: &str) -> bool {
        self.silver.iter().all(|silver| {
            let orders = |column: &str| match &silver.mode {
                WriteMode::Merge(by) | WriteMode::Scd2(by) => {
                    by.keys.iter().chain([&by.latest_by]).any(|name| name.as_str() == column)
                }
                WriteMode::Append | WriteMode::Replace => false,
            };
            let mut read = silver.columns.iter().filter(|(_, from)| from == source).map(|(column, _)| column.as_str());
            read.all(|column| !silver.contract.requires_value(column) && !orders(column))
        })
    }

    /// The source columns that silver tables read, each once, in the order of the spec.
    pub fn mapped_sources(&self) -> impl Iterator<Item = &String> {
        let mut met = BTreeSet::new();
        let sources = self.silver.iter().flat_map(|silver| silver.columns.iter().map(|(_, source)| source));
        sources.filter(move |source| met.insert(source.as_str()))
    }

    /// The silver table of this reference.
    pub fn silver_table(&self, table: &TableRef) -> Option<&SilverTable> {
        self.silver.iter().find(|t| &t.table == table)
    }

    /// The gold table of this reference.
    pub fn gold_table(&self, table: &TableRef) -> Option<&GoldTable> {
        self.gold.iter().find(|t| &t.table == table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::PipelineSpec;

    /// A pipeline with two silver tables, each with these columns of its contract and this map.
    fn pipeline(first: (&str, &str), second: (&str, &str)) -> Pipeline {
        let table = |name: &str, columns: &str| {
            format!("  - {{ table: {name}, contract: {name}.yaml, columns: {{ {columns} }}, mode: append }}\n")
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
            table("a", first.1),
            table("b", second.1)
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
            let pipeline = pipeline(first, second);
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
}
