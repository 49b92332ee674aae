//! From a spec to a pipeline: its contracts resolved, and its parts checked against each other.

mod feeds;
mod inputs;
mod modes;
mod options;
mod several;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::{Column, ColumnType, Contract, TableContract, TextFormat};
use crate::name::{ColumnName, Layer, SourceName, TableName, TableRef};
use crate::pipeline::{Pipeline, SilverTable, Source};
use crate::reading::Reading;
use crate::spec::{
    LambdaLimits, PartsSpec, PipelineSpec, SilverSpec, SourceFormat, SourceSpec, SpecError, WriteModeSpec,
};
use crate::sql::{Predicate, RowSql, SqlError};
use crate::uri::LakePath;

use self::several::NamedSource;

impl Pipeline {
    /// Resolves a spec with the texts of its contracts, by the path the spec writes. Types within SQL and rules are not
    /// checked: they are where both are translated, in `sluice-spark`, whose `resolve` does both.
    ///
    /// # Errors
    /// Every problem found, in the order of the spec.
    pub fn resolve_untyped(
        spec: &PipelineSpec,
        contracts: &BTreeMap<LakePath, String>,
    ) -> Result<Self, Vec<SpecError>> {
        // What is wrong with the sources as a whole would show once more in everything that reads them.
        let sources = several::sources(spec)?;
        let resolver = Resolver { spec, contracts, sources };
        let mut problems = Vec::new();
        let mut keep = |result: Result<(), SpecError>| problems.extend(result.err());
        keep(resolver.check_names());
        keep(resolver.check_limits());
        keep(resolver.check_parts());
        keep(resolver.check_alerts());
        let mut inputs = Vec::new();
        for input in &spec.inputs {
            keep(resolver.input(input).map(|resolved| inputs.push(resolved)));
        }
        keep(resolver.check_inputs());
        let mut silver = Vec::new();
        for table in &spec.silver {
            keep(resolver.silver(table).map(|resolved| silver.push(resolved)));
        }
        keep(resolver.check_source_columns(&silver));
        keep(resolver.check_spellings(&silver));
        keep(resolver.check_lists(&silver));
        let mut gold = Vec::new();
        for table in &spec.gold {
            keep(resolver.gold(table).map(|resolved| gold.push(resolved)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let gold = resolver.in_order(gold).map_err(|problem| vec![problem])?;
        let mut sources = resolver.sources.iter().map(|source| resolver.source(source));
        let Some(source) = sources.next() else { return Err(vec![several::no_source(spec)]) };
        Ok(Self {
            name: spec.pipeline.clone(),
            domain: spec.domain.clone(),
            source,
            other_sources: sources.collect(),
            inputs,
            silver,
            gold,
            held_objects_below: spec.gate.held_objects_below,
            engine: spec.engine,
            lambda_limits: spec.lambda_limits,
            parts: spec.parts,
            alerts: spec.alerts.clone(),
        })
    }
}

struct Resolver<'a> {
    spec: &'a PipelineSpec,
    contracts: &'a BTreeMap<LakePath, String>,
    /// The sources of the spec, at least one.
    sources: Vec<NamedSource<'a>>,
}

impl<'a> Resolver<'a> {
    /// A source ready to be read.
    fn source(&self, of: &NamedSource<'_>) -> Source {
        let spec = of.spec;
        Source {
            name: of.name.cloned(),
            prefix: spec.prefix.clone(),
            format: spec.format,
            column_case: spec.column_case,
            csv: spec.csv.clone().unwrap_or_default(),
            xlsx: spec.xlsx.clone(),
            fixed_width: spec.fixed_width.clone(),
            records: spec.records.clone(),
            archive: spec.archive.clone(),
            files: spec.files.clone(),
            bronze: self.table(Layer::Bronze, of.bronze),
        }
    }

    /// The source that silver tables name so.
    ///
    /// # Errors
    /// [`SpecError::Sources`] for a name that the spec does not have.
    fn source_named(&self, name: Option<&SourceName>) -> Result<&'a SourceSpec, SpecError> {
        let found = self.sources.iter().find(|source| source.name == name);
        found.map(|source| source.spec).ok_or_else(|| several::no_source(self.spec))
    }

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

    /// A part has to be read within the 900 s of a function: 25 GB of text take 500 s.
    fn check_parts(&self) -> Result<(), SpecError> {
        let PartsSpec { size_mb, at_once, ranges_from_mb } = self.spec.parts;
        let can_be = (1..=25_000).contains(&size_mb) && (1..=1_000_000).contains(&ranges_from_mb);
        if can_be && (1..=1000).contains(&at_once) {
            return Ok(());
        }
        Err(SpecError::Parts { pipeline: self.spec.pipeline.clone(), size_mb, at_once, ranges_from_mb })
    }

    fn check_alerts(&self) -> Result<(), SpecError> {
        match self.spec.alerts.as_ref().and_then(|alerts| alerts.problem()) {
            Some(problem) => Err(SpecError::Alerts { pipeline: self.spec.pipeline.clone(), problem }),
            None => Ok(()),
        }
    }

    fn problem(&self, table: &TableName, problem: impl Into<String>) -> SpecError {
        SpecError::Table { pipeline: self.spec.pipeline.clone(), table: table.clone(), problem: problem.into() }
    }

    fn check_names(&self) -> Result<(), SpecError> {
        for source in &self.sources {
            if self.spec.silver.is_empty() {
                return Err(self.problem(source.bronze, "the pipeline has no silver table; write at least one"));
            }
            if let Some(problem) = options::problem(source.spec) {
                return Err(self.problem(source.bronze, source.in_words(problem)));
            }
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

    fn silver(&self, spec: &SilverSpec) -> Result<SilverTable, SpecError> {
        let contract = self.contract(&spec.table, &spec.contract)?;
        let written = self.written_out(spec, &contract)?;
        let spec: &SilverSpec = &written;
        let sql: Option<RowSql> =
            spec.sql.as_ref().map(|sql| sql.parse::<RowSql>().map_err(self.sql_error(&spec.table))).transpose()?;
        let delete_when = self.delete_when(spec)?;
        let helpers = self.helpers(spec, &contract, sql.as_ref(), delete_when.as_ref())?;
        let mapped: Vec<&Column> = contract.columns.iter().chain(&helpers).collect();
        let columns = self.source_columns(spec, &mapped)?;
        let readings = self.readings(spec, &mapped)?;
        let unread = contract.columns.iter().find(|column| !spec.columns.contains_key(&column.name));
        if let (None, Some(unread)) = (&sql, unread) {
            let problem = format!("column `{}` is neither listed in columns nor computed by sql", unread.name);
            return Err(self.problem(&spec.table, problem));
        }
        Ok(SilverTable {
            table: self.table(Layer::Silver, &spec.table),
            source: spec.source.clone(),
            quarantine: self.table(Layer::Quarantine, &spec.table),
            mode: self.mode(spec, &contract)?,
            delete_when,
            snapshot: spec.snapshot,
            contract,
            columns,
            helpers,
            readings,
            is_of_elements: self.source_named(spec.source.as_ref())?.format == SourceFormat::Xml,
            sql,
            quarantined_percent_below: spec.gate.quarantined_percent_below,
            deleted_percent_below: spec.gate.deleted_percent_below,
        })
    }

    /// Which rows are delete events. The types of the condition are checked where SQL is translated.
    fn delete_when(&self, spec: &SilverSpec) -> Result<Option<Predicate>, SpecError> {
        let refused = |problem: &str| Err(self.problem(&spec.table, format!("delete_when{problem}")));
        let Some(text) = &spec.delete_when else { return Ok(None) };
        match spec.mode {
            WriteModeSpec::Scd2 if spec.snapshot.is_some() => {
                return refused(
                    " does not go with snapshot: a full snapshot has no events, and ends a key by leaving it out; take \
                     delete_when out, or snapshot where the deliveries are events",
                );
            }
            WriteModeSpec::Merge | WriteModeSpec::Scd2 => {}
            WriteModeSpec::Snapshot => {
                return refused(
                    " belongs to modes merge and scd2: mode snapshot takes full extracts, which have no events, and \
                     removes the keys that the newest one lacks; take it out",
                );
            }
            WriteModeSpec::Append => {
                return refused(
                    " belongs to modes merge and scd2: mode append keeps a delete event as a row like any other; take \
                     it out, and give the contract a column that says what kind of event a row is",
                );
            }
            WriteModeSpec::Replace => {
                return refused(
                    " belongs to modes merge and scd2: mode replace takes whole snapshots, in which a deleted row is \
                     missing; take it out",
                );
            }
        }
        let condition: Predicate =
            text.parse().map_err(|error: SqlError| self.problem(&spec.table, format!("delete_when: {error}")))?;
        if condition.columns().is_empty() {
            return refused(
                " names no column, so that all rows or none would be delete events; write a condition such as op = 'D'",
            );
        }
        Ok(Some(condition))
    }

    /// The columns that a table maps and its contract does not have, which are for its SQL and its `delete_when` alone.
    fn helpers(
        &self,
        spec: &SilverSpec,
        contract: &TableContract,
        sql: Option<&RowSql>,
        delete_when: Option<&Predicate>,
    ) -> Result<Vec<Column>, SpecError> {
        let mentions = sql.map(RowSql::mentions).unwrap_or_default();
        let deleting = delete_when.map(Predicate::columns).unwrap_or_default();
        let mentioned: Vec<&str> = mentions.names().chain(deleting.iter().map(String::as_str)).collect();
        let mut helpers = Vec::new();
        for (name, source) in &spec.columns {
            let refused = |problem: String| self.problem(&spec.table, format!("columns: `{name}`{problem}"));
            let declared = source.read().and_then(|read| read.column_type.as_deref());
            if contract.column(name.as_str()).is_some() {
                if declared.is_some() {
                    let problem = ": type is for helper columns, and this one has its type from contract";
                    return Err(refused(format!("{problem} {}; take it out", spec.contract)));
                }
                continue;
            }
            // Engines take no notice of case in names.
            if !mentioned.iter().any(|column| column.eq_ignore_ascii_case(name.as_str())) {
                return Err(refused(format!(
                    " is not in contract {}, and no sql of the table names it, nor delete_when; correct the name, or \
                     use it there as a helper column",
                    spec.contract
                )));
            }
            let column_type = match declared.map_or(Ok(ColumnType::Text), ColumnType::named) {
                Ok(column_type) => column_type,
                Err(problem) => return Err(refused(format!(": type: {problem}"))),
            };
            let (name, format) = (name.clone(), TextFormat::default());
            helpers.push(Column {
                name,
                column_type,
                format,
                required: false,
                description: None,
                classification: None,
            });
        }
        Ok(helpers)
    }

    /// How the mapped columns are read, where the spec says more than the contract.
    fn readings(&self, spec: &SilverSpec, mapped: &[&Column]) -> Result<BTreeMap<ColumnName, Reading>, SpecError> {
        let null_words = &self.source_named(spec.source.as_ref())?.null_words;
        let mut readings = BTreeMap::new();
        for column in mapped {
            let Some(source) = spec.columns.get(&column.name) else { continue };
            let reading = Reading::new(source, null_words, column)
                .map_err(|error| self.problem(&spec.table, format!("columns: `{}`: {error}", column.name)))?;
            if !reading.is_default() {
                readings.insert(column.name.clone(), reading);
            }
        }
        Ok(readings)
    }
}
