//! What gold tables read: tables of the pipeline, and of others.

use std::collections::BTreeSet;

use super::Resolver;
use crate::name::{Layer, TableRef};
use crate::pipeline::{GoldTable, InputTable};
use crate::spec::{GoldSpec, InputSpec, SpecError};
use crate::sql::TableSql;

impl Resolver<'_> {
    /// Whether the pipeline writes this silver or gold table.
    fn is_own(&self, table: &TableRef) -> bool {
        let is_named = match table.layer() {
            Layer::Silver => self.spec.silver.iter().any(|own| &own.table == table.table()),
            Layer::Gold => self.spec.gold.iter().any(|own| &own.table == table.table()),
            Layer::Bronze | Layer::Quarantine | Layer::Deletes => false,
        };
        is_named && table.domain() == &self.spec.domain
    }

    fn has_table(&self, table: &TableRef) -> bool {
        self.is_own(table) || self.spec.inputs.iter().any(|input| &input.table == table)
    }

    pub(super) fn input(&self, spec: &InputSpec) -> Result<InputTable, SpecError> {
        let table = &spec.table;
        let refused = |problem: &str| self.problem(table.table(), format!("inputs: {table} {problem}"));
        match table.layer() {
            Layer::Silver | Layer::Gold if self.is_own(table) => {
                return Err(refused("is a table of this pipeline, which SQL reads without it; take it out"));
            }
            Layer::Silver | Layer::Gold => {}
            Layer::Bronze | Layer::Quarantine | Layer::Deletes => {
                return Err(refused("cannot be read: gold reads silver and gold tables; name one of these"));
            }
        }
        Ok(InputTable { table: table.clone(), contract: self.contract(table.table(), &spec.contract)? })
    }

    /// Each input is named once, and read.
    pub(super) fn check_inputs(&self) -> Result<(), SpecError> {
        let mut named = BTreeSet::new();
        let read: BTreeSet<TableRef> = self
            .spec
            .gold
            .iter()
            .filter_map(|gold| gold.sql.parse::<TableSql>().ok())
            .flat_map(|sql| sql.inputs().iter().map(|input| input.in_domain(&self.spec.domain)).collect::<Vec<_>>())
            .collect();
        for InputSpec { table, .. } in &self.spec.inputs {
            if !named.insert(table) {
                return Err(self.problem(table.table(), format!("inputs: {table} is named twice")));
            }
            if !read.contains(table) {
                let written = table.to_string().replace('/', ".");
                let problem =
                    format!("inputs: no gold table reads {table}; write {written} in its sql, or take it out");
                return Err(self.problem(table.table(), problem));
            }
        }
        Ok(())
    }

    pub(super) fn gold(&self, spec: &GoldSpec) -> Result<GoldTable, SpecError> {
        let contract = self.contract(&spec.table, &spec.contract)?;
        let sql: TableSql = spec.sql.parse().map_err(self.sql_error(&spec.table))?;
        let named = || sql.inputs().iter().map(|input| (input, input.in_domain(&self.spec.domain)));
        if let Some((written, _)) = named().find(|(_, input)| !self.has_table(input)) {
            let problem = format!(
                "sql reads {written}, which this pipeline does not have; list a table of another pipeline in `inputs`"
            );
            return Err(self.problem(&spec.table, problem));
        }
        let inputs: BTreeSet<TableRef> = named().map(|(_, input)| input).collect();
        if inputs.is_empty() {
            return Err(self.problem(&spec.table, "sql reads no table of the pipeline"));
        }
        Ok(GoldTable { table: self.table(Layer::Gold, &spec.table), contract, sql, inputs })
    }

    /// Gold tables, each after the ones it reads.
    pub(super) fn in_order(&self, mut waiting: Vec<GoldTable>) -> Result<Vec<GoldTable>, SpecError> {
        let mut ordered: Vec<GoldTable> = Vec::new();
        while !waiting.is_empty() {
            let ready = |table: &GoldTable| {
                let waits = |input: &TableRef| {
                    self.is_own(input)
                        && input.layer() == Layer::Gold
                        && !ordered.iter().any(|done| &done.table == input)
                };
                !table.inputs.iter().any(waits)
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
