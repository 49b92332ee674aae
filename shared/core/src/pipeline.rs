//! A pipeline ready to run: its tables with their contracts and statements, in the order they are computed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::contract::TableContract;
use crate::decimal::DecimalNumber;
use crate::engine::EnginePreference;
use crate::name::{ColumnName, DomainName, PipelineName, TableRef};
use crate::spec::{CsvSpec, LambdaLimits, SourceFormat};
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
    /// The raw table.
    pub bronze: TableRef,
    /// Clean tables; at least one.
    pub silver: Vec<SilverTable>,
    /// Aggregates, each after the ones it reads.
    pub gold: Vec<GoldTable>,
    /// What runs it, unless a run asks for another.
    #[serde(default)]
    pub engine: EnginePreference,
    /// Up to where `auto` chooses lambda.
    #[serde(default)]
    pub lambda_limits: LambdaLimits,
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
    /// Contract column and the source column it is read from, in contract order.
    pub columns: Vec<(ColumnName, String)>,
    /// The projection, checked; `None` takes the mapped columns as they are.
    pub sql: Option<String>,
    /// How rows enter the table.
    pub mode: WriteMode,
    /// The run's quarantined share must be below this many percent.
    pub quarantined_percent_below: Option<DecimalNumber>,
}

/// How rows enter a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum WriteMode {
    /// Rows are added.
    Append,
    /// The run's rows replace the table.
    Replace,
    /// One row per key: the newest.
    Merge(Versioned),
    /// Every version of a key.
    Scd2(Versioned),
}

/// What tells rows of one thing, and which of them is newer.
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
    /// The query, checked.
    pub sql: String,
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

    /// The silver table of this reference.
    pub fn silver_table(&self, table: &TableRef) -> Option<&SilverTable> {
        self.silver.iter().find(|t| &t.table == table)
    }

    /// The gold table of this reference.
    pub fn gold_table(&self, table: &TableRef) -> Option<&GoldTable> {
        self.gold.iter().find(|t| &t.table == table)
    }
}
