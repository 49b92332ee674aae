//! A pipeline ready to run: its spec and contracts resolved, checked against each other and put in order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::contract::{ColumnType, Contract, ContractError, TableContract};
use crate::decimal::DecimalNumber;
use crate::engine::EnginePreference;
use crate::error::with_sources;
use crate::name::{ColumnName, DomainName, Layer, PipelineName, TableName, TableRef};
use crate::spark::check_format;
use crate::spark::sql::{CheckError, check};
use crate::spec::{CsvSpec, GoldSpec, LambdaLimits, PipelineSpec, SilverSpec, SourceFormat, WriteModeSpec};
use crate::sql::{RowSql, SqlError, TableSql};
use crate::uri::LakePath;

/// Largest spec or contract accepted, in bytes: far above any real one, far below what could exhaust a Lambda.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// Why a spec cannot run. The message names the file, the table and the fix.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not YAML, an unknown key, or a value of the wrong type.
    #[error("spec {origin}: {message}")]
    Unreadable {
        /// File the spec came from.
        origin: String,
        /// What and where, with line and column.
        message: String,
    },
    /// The spec names a contract that is not there.
    #[error("spec of `{pipeline}`: contract {path} is missing; it is looked for beside the spec")]
    MissingContract {
        /// The pipeline.
        pipeline: PipelineName,
        /// Path as the spec writes it.
        path: LakePath,
    },
    /// A contract is wrong or asks for what is not executed.
    #[error("spec of `{pipeline}`: table `{table}`")]
    Contract {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table whose contract it is.
        table: TableName,
        /// What is wrong with the contract.
        #[source]
        source: Box<ContractError>,
    },
    /// A SQL text is refused.
    #[error("spec of `{pipeline}`: table `{table}`: sql")]
    Sql {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table whose SQL it is.
        table: TableName,
        /// What is refused, with its position.
        #[source]
        source: SqlError,
    },
    /// The limits are none that a function can have.
    #[error(
        "spec of `{pipeline}`: lambda_limits of {memory_mb} MB and {duration_seconds} s: a Lambda function has 128 to \
         10240 MB of memory and 1 to 900 s; to use Spark always, write `engine: emr`"
    )]
    LambdaLimits {
        /// The pipeline.
        pipeline: PipelineName,
        /// Memory as written.
        memory_mb: u64,
        /// Duration as written.
        duration_seconds: u64,
    },
    /// Parts of the spec contradict each other.
    #[error("spec of `{pipeline}`: table `{table}`: {problem}")]
    Table {
        /// The pipeline.
        pipeline: PipelineName,
        /// The table concerned.
        table: TableName,
        /// What contradicts what, and the fix.
        problem: String,
    },
}

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

impl PipelineSpec {
    /// Reads a spec. `origin` is the file name for messages.
    ///
    /// # Errors
    /// [`SpecError::Unreadable`] with line and column.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SpecError> {
        let unreadable = |message: String| SpecError::Unreadable { origin: origin.to_owned(), message };
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(unreadable(format!("is larger than {MAX_DOCUMENT_BYTES} bytes")));
        }
        serde_saphyr::from_str(text).map_err(|error| unreadable(error.to_string()))
    }

    /// The contracts it names.
    pub fn contract_paths(&self) -> BTreeSet<&LakePath> {
        self.silver.iter().map(|t| &t.contract).chain(self.gold.iter().map(|t| &t.contract)).collect()
    }
}

impl Pipeline {
    /// Resolves a spec with the texts of its contracts, by the path the spec writes.
    ///
    /// # Errors
    /// Every problem found, in the order of the spec.
    pub fn resolve(spec: &PipelineSpec, contracts: &BTreeMap<LakePath, String>) -> Result<Self, Vec<SpecError>> {
        let resolver = Resolver { spec, contracts };
        let mut problems = Vec::new();
        let mut keep = |result: Result<(), SpecError>| problems.extend(result.err());
        keep(resolver.check_names());
        keep(resolver.check_limits());
        keep(resolver.check_engine());
        let mut silver = Vec::new();
        for table in &spec.silver {
            keep(resolver.silver(table).map(|resolved| silver.push(resolved)));
        }
        let mut gold = Vec::new();
        for table in &spec.gold {
            keep(resolver.gold(table).map(|resolved| gold.push(resolved)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let gold = resolver.in_order(gold).map_err(|problem| vec![problem])?;
        let refused: Vec<SpecError> =
            check(&silver, &gold).into_iter().map(|(table, error)| resolver.refused(&table, error)).collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        Ok(Self {
            name: spec.pipeline.clone(),
            domain: spec.domain.clone(),
            source_prefix: spec.source.prefix.clone(),
            source_format: spec.source.format,
            csv: spec.source.csv.unwrap_or_default(),
            bronze: resolver.table(Layer::Bronze, &spec.bronze.table),
            silver,
            gold,
            engine: spec.engine,
            lambda_limits: spec.lambda_limits,
        })
    }

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

struct Resolver<'a> {
    spec: &'a PipelineSpec,
    contracts: &'a BTreeMap<LakePath, String>,
}

impl Resolver<'_> {
    fn table(&self, layer: Layer, table: &TableName) -> TableRef {
        TableRef::new(layer, self.spec.domain.clone(), table.clone())
    }

    /// What a Lambda function can have: 128 to 10 240 MB of memory, and 900 s.
    fn check_limits(&self) -> Result<(), SpecError> {
        let LambdaLimits { memory_mb, duration_seconds } = self.spec.lambda_limits;
        if (128..=10_240).contains(&memory_mb) && (1..=900).contains(&duration_seconds) {
            return Ok(());
        }
        Err(SpecError::LambdaLimits { pipeline: self.spec.pipeline.clone(), memory_mb, duration_seconds })
    }

    /// A pipeline that asks for Spark must be one that Spark can read.
    fn check_engine(&self) -> Result<(), SpecError> {
        if self.spec.engine != EnginePreference::Emr {
            return Ok(());
        }
        check_format(self.spec.source.format)
            .map_err(|error| self.problem(&self.spec.bronze.table, format!("engine: emr: {error}")))
    }

    fn problem(&self, table: &TableName, problem: impl Into<String>) -> SpecError {
        SpecError::Table { pipeline: self.spec.pipeline.clone(), table: table.clone(), problem: problem.into() }
    }

    fn check_names(&self) -> Result<(), SpecError> {
        if self.spec.silver.is_empty() {
            return Err(self.problem(&self.spec.bronze.table, "the pipeline has no silver table; write at least one"));
        }
        if self.spec.source.csv.is_some() && self.spec.source.format != SourceFormat::Csv {
            return Err(self.problem(&self.spec.bronze.table, "source.csv is given but source.format is not csv"));
        }
        if self.spec.source.csv.is_some_and(|csv| csv.delimiter == csv.quote) {
            return Err(self.problem(&self.spec.bronze.table, "source.csv: delimiter and quote are the same character"));
        }
        let silver = self.spec.silver.iter().map(|t| (Layer::Silver, &t.table));
        let gold = self.spec.gold.iter().map(|t| (Layer::Gold, &t.table));
        let mut seen = BTreeSet::new();
        for (layer, table) in silver.chain(gold) {
            if !seen.insert((layer, table)) {
                return Err(self.problem(table, format!("there are two {} tables of this name", layer.as_str())));
            }
        }
        Ok(())
    }

    fn contract(&self, table: &TableName, path: &LakePath) -> Result<TableContract, SpecError> {
        let pipeline = || self.spec.pipeline.clone();
        let text = self
            .contracts
            .get(path)
            .ok_or_else(|| SpecError::MissingContract { pipeline: pipeline(), path: path.clone() })?;
        Contract::parse(text, path.as_str()).and_then(|contract| contract.table(Some(table.as_str()))).map_err(
            |source| SpecError::Contract { pipeline: pipeline(), table: table.clone(), source: Box::new(source) },
        )
    }

    fn sql_error(&self, table: &TableName) -> impl Fn(SqlError) -> SpecError {
        let (pipeline, table) = (self.spec.pipeline.clone(), table.clone());
        move |source| SpecError::Sql { pipeline: pipeline.clone(), table: table.clone(), source }
    }

    fn refused(&self, table: &TableName, error: CheckError) -> SpecError {
        match error {
            CheckError::Sql { source } => self.sql_error(table)(source),
            other => self.problem(table, with_sources(&other)),
        }
    }

    fn silver(&self, spec: &SilverSpec) -> Result<SilverTable, SpecError> {
        let contract = self.contract(&spec.table, &spec.contract)?;
        for column in spec.columns.keys() {
            if contract.column(column.as_str()).is_none() {
                let problem = format!("columns: `{column}` is not in contract {}", spec.contract);
                return Err(self.problem(&spec.table, problem));
            }
        }
        let columns: Vec<(ColumnName, String)> = contract
            .columns
            .iter()
            .filter_map(|c| spec.columns.get(&c.name).map(|source| (c.name.clone(), source.clone())))
            .collect();
        match &spec.sql {
            Some(sql) => drop(RowSql::parse(sql).map_err(self.sql_error(&spec.table))?),
            None => {
                if let Some(unread) = contract.columns.iter().find(|c| !spec.columns.contains_key(&c.name)) {
                    let problem = format!("column `{}` is neither listed in columns nor computed by sql", unread.name);
                    return Err(self.problem(&spec.table, problem));
                }
            }
        }
        if let Some(limit) = spec.gate.quarantined_percent_below
            && !(limit.is_positive() && limit <= DecimalNumber::from(100_u64))
        {
            return Err(self.problem(&spec.table, "gate.quarantined_percent_below must be above 0 and at most 100"));
        }
        Ok(SilverTable {
            table: self.table(Layer::Silver, &spec.table),
            quarantine: self.table(Layer::Quarantine, &spec.table),
            mode: self.mode(spec, &contract)?,
            contract,
            columns,
            sql: spec.sql.clone(),
            quarantined_percent_below: spec.gate.quarantined_percent_below,
        })
    }

    fn mode(&self, spec: &SilverSpec, contract: &TableContract) -> Result<WriteMode, SpecError> {
        let versioned = || -> Result<Versioned, SpecError> {
            let latest_by = spec
                .latest_by
                .clone()
                .ok_or_else(|| self.problem(&spec.table, "modes merge and scd2 need latest_by"))?;
            if spec.keys.is_empty() {
                return Err(self.problem(&spec.table, "modes merge and scd2 need keys"));
            }
            for column in spec.keys.iter().chain([&latest_by]) {
                if contract.column(column.as_str()).is_none() {
                    let problem = format!("`{column}` in keys or latest_by is not in contract {}", spec.contract);
                    return Err(self.problem(&spec.table, problem));
                }
            }
            let distinct: BTreeSet<_> = spec.keys.iter().collect();
            if distinct.len() != spec.keys.len() {
                return Err(self.problem(&spec.table, "keys names a column twice"));
            }
            Ok(Versioned { keys: spec.keys.clone(), latest_by })
        };
        let unversioned = |mode: WriteMode| {
            if spec.keys.is_empty() && spec.latest_by.is_none() {
                Ok(mode)
            } else {
                Err(self.problem(&spec.table, "keys and latest_by belong to modes merge and scd2"))
            }
        };
        match spec.mode {
            WriteModeSpec::Append => unversioned(WriteMode::Append),
            WriteModeSpec::Replace => unversioned(WriteMode::Replace),
            WriteModeSpec::Merge => {
                let versioned = versioned()?;
                let primary: BTreeSet<_> = contract.primary_key.iter().collect();
                if !primary.is_empty() && primary != versioned.keys.iter().collect() {
                    let problem = format!("keys differ from the primary key of contract {}", spec.contract);
                    return Err(self.problem(&spec.table, problem));
                }
                Ok(WriteMode::Merge(versioned))
            }
            WriteModeSpec::Scd2 => {
                let versioned = versioned()?;
                let since = contract.column(versioned.latest_by.as_str()).map(|column| &column.column_type);
                if !matches!(since, Some(ColumnType::Date | ColumnType::Timestamp)) {
                    let problem = format!(
                        "latest_by of mode scd2 must be a date or timestamp, and `{}` is not: a row is valid from it on",
                        versioned.latest_by
                    );
                    return Err(self.problem(&spec.table, problem));
                }
                Ok(WriteMode::Scd2(versioned))
            }
        }
    }

    fn gold(&self, spec: &GoldSpec) -> Result<GoldTable, SpecError> {
        let contract = self.contract(&spec.table, &spec.contract)?;
        let sql = TableSql::parse(&spec.sql).map_err(self.sql_error(&spec.table))?;
        let mut inputs = BTreeSet::new();
        for (layer, table) in sql.inputs() {
            let known = match layer {
                Layer::Silver => self.spec.silver.iter().any(|t| &t.table == table),
                _ => self.spec.gold.iter().any(|t| &t.table == table),
            };
            if !known {
                let problem = format!("sql reads {}.{table}, which this pipeline does not have", layer.as_str());
                return Err(self.problem(&spec.table, problem));
            }
            inputs.insert(self.table(*layer, table));
        }
        if inputs.is_empty() {
            return Err(self.problem(&spec.table, "sql reads no table of the pipeline"));
        }
        Ok(GoldTable { table: self.table(Layer::Gold, &spec.table), contract, sql: spec.sql.clone(), inputs })
    }

    /// Gold tables, each after the ones it reads.
    fn in_order(&self, mut waiting: Vec<GoldTable>) -> Result<Vec<GoldTable>, SpecError> {
        let mut ordered: Vec<GoldTable> = Vec::new();
        while !waiting.is_empty() {
            let ready = |table: &GoldTable| {
                table.inputs.iter().all(|i| i.layer() != Layer::Gold || ordered.iter().any(|done| &done.table == i))
            };
            let Some(next) = waiting.iter().position(ready) else {
                let names: Vec<String> = waiting.iter().map(|t| t.table.table().to_string()).collect();
                let first = waiting.swap_remove(0);
                let problem = format!("gold tables read each other in a circle: {}", names.join(", "));
                return Err(self.problem(first.table.table(), problem));
            };
            ordered.push(waiting.remove(next));
        }
        Ok(ordered)
    }
}
