//! How rows enter a silver table: the mode with its keys, its order, and what is compared.

use std::collections::BTreeSet;

use super::Resolver;
use crate::contract::{ColumnType, Metric, Severity, TableContract};
use crate::engine::EnginePreference;
use crate::name::ColumnName;
use crate::pipeline::{Keyed, Versioned, WriteMode};
use crate::spec::{SilverSpec, SpecError, WriteModeSpec};

impl Resolver<'_> {
    /// The mode of a silver table.
    ///
    /// # Errors
    /// [`SpecError::Table`] for options that do not go with the mode, or with each other.
    pub(super) fn mode(&self, spec: &SilverSpec, contract: &TableContract) -> Result<WriteMode, SpecError> {
        self.check_snapshots(spec)?;
        if spec.track.is_some() && spec.mode != WriteModeSpec::Scd2 {
            let problem = "track belongs to mode scd2: the others keep no versions to compare; take it out";
            return Err(self.problem(&spec.table, problem));
        }
        match spec.mode {
            WriteModeSpec::Append | WriteModeSpec::Replace if !spec.keys.is_empty() || spec.latest_by.is_some() => {
                Err(self
                    .problem(&spec.table, "keys and latest_by belong to modes merge and scd2, and keys to snapshot"))
            }
            WriteModeSpec::Append => Ok(WriteMode::Append),
            WriteModeSpec::Replace => Ok(WriteMode::Replace),
            WriteModeSpec::Merge => {
                let versioned = self.versioned(spec, contract)?;
                self.check_primary_key(spec, contract)?;
                Ok(WriteMode::Merge(versioned))
            }
            WriteModeSpec::Snapshot => {
                let keys = self.keys(spec, contract)?;
                self.check_primary_key(spec, contract)?;
                Ok(WriteMode::Snapshot(Keyed { keys }))
            }
            WriteModeSpec::Scd2 => {
                let versioned = Versioned { track: self.track(spec, contract)?, ..self.versioned(spec, contract)? };
                self.check_valid_from(spec, contract)?;
                self.check_versions(spec, contract, &versioned)?;
                Ok(WriteMode::Scd2(versioned))
            }
        }
    }

    /// Full snapshots have an order of their own, that of their deliveries, and only lambda compares them with a table.
    fn check_snapshots(&self, spec: &SilverSpec) -> Result<(), SpecError> {
        let takes_snapshots = match spec.mode {
            WriteModeSpec::Replace | WriteModeSpec::Snapshot => true,
            WriteModeSpec::Scd2 => spec.snapshot.is_some(),
            WriteModeSpec::Append | WriteModeSpec::Merge => false,
        };
        let compares = takes_snapshots && spec.mode != WriteModeSpec::Replace;
        let problem = if spec.snapshot.is_some() && !takes_snapshots {
            "snapshot belongs to modes replace, snapshot and scd2"
        } else if compares && spec.latest_by.is_some() {
            "latest_by does not go with full snapshots: the one that was modified last is the newest; take latest_by out"
        } else if compares && self.spec.engine == EnginePreference::Emr {
            "snapshots are compared with the table by lambda, and the pipeline has `engine: emr`; write `engine: auto` or \
             `engine: lambda`, or use mode replace"
        } else if !compares && !spec.gate.deleted_percent_below.is_default() {
            "gate.deleted_percent_below is about the keys that a snapshot lacks: it belongs to mode snapshot, and to scd2 \
             with snapshot; take it out"
        } else {
            return Ok(());
        };
        Err(self.problem(&spec.table, problem))
    }

    /// The key columns.
    fn keys(&self, spec: &SilverSpec, contract: &TableContract) -> Result<Vec<ColumnName>, SpecError> {
        if spec.keys.is_empty() {
            return Err(self.problem(&spec.table, "modes merge, scd2 and snapshot need keys"));
        }
        for column in spec.keys.iter().chain(&spec.latest_by) {
            let Some(declared) = contract.column(column.as_str()) else {
                let problem = format!("`{column}` in keys or latest_by is not in contract {}", spec.contract);
                return Err(self.problem(&spec.table, problem));
            };
            if declared.column_type.is_nested() {
                let problem = format!(
                    "`{column}` in keys or latest_by is {}; lists and objects cannot be keys or an order: read a value \
                     inside into a column of its own, by a path",
                    declared.column_type
                );
                return Err(self.problem(&spec.table, problem));
            }
        }
        let distinct: BTreeSet<_> = spec.keys.iter().collect();
        if distinct.len() != spec.keys.len() {
            return Err(self.problem(&spec.table, "keys names a column twice"));
        }
        Ok(spec.keys.clone())
    }

    fn versioned(&self, spec: &SilverSpec, contract: &TableContract) -> Result<Versioned, SpecError> {
        let keys = self.keys(spec, contract)?;
        Ok(Versioned { keys, latest_by: spec.latest_by.clone(), track: Vec::new() })
    }

    /// A table with one row per key has the primary key that its contract says.
    fn check_primary_key(&self, spec: &SilverSpec, contract: &TableContract) -> Result<(), SpecError> {
        let primary: BTreeSet<_> = contract.primary_key.iter().collect();
        if !primary.is_empty() && primary != spec.keys.iter().collect() {
            let problem = format!("keys differ from the primary key of contract {}", spec.contract);
            return Err(self.problem(&spec.table, problem));
        }
        Ok(())
    }

    /// The columns that make a version when one of them changes.
    fn track(&self, spec: &SilverSpec, contract: &TableContract) -> Result<Vec<ColumnName>, SpecError> {
        let orders = |column: &ColumnName| spec.keys.contains(column) || spec.latest_by.as_ref() == Some(column);
        let Some(track) = &spec.track else {
            let columns = contract.columns.iter().map(|column| &column.name);
            return Ok(columns.filter(|column| !orders(column)).cloned().collect());
        };
        if track.is_empty() {
            let problem = "track names no column, so that nothing would make a second version; name the columns whose \
                           changes make one, or take it out for all";
            return Err(self.problem(&spec.table, problem));
        }
        let mut named = BTreeSet::new();
        for column in track {
            let problem = if contract.column(column.as_str()).is_none() {
                format!("`{column}` in track is not in contract {}; correct the name", spec.contract)
            } else if orders(column) {
                format!("`{column}` in track is in keys or latest_by, which say what a version is of; take it out")
            } else if !named.insert(column) {
                format!("track names `{column}` twice")
            } else {
                continue;
            };
            return Err(self.problem(&spec.table, problem));
        }
        Ok(track.clone())
    }

    /// A row of a history is valid from a point in time on.
    fn check_valid_from(&self, spec: &SilverSpec, contract: &TableContract) -> Result<(), SpecError> {
        let Some(latest_by) = &spec.latest_by else { return Ok(()) };
        let since = contract.column(latest_by.as_str()).map(|column| &column.column_type);
        if matches!(since, Some(ColumnType::Date | ColumnType::Timestamp)) {
            return Ok(());
        }
        let problem = format!(
            "latest_by of mode scd2 must be a date or timestamp, and `{latest_by}` is not: a row is valid from it on"
        );
        Err(self.problem(&spec.table, problem))
    }

    /// A history has a row for every version of a key, so that a rule which allows each key once rejects the first run
    /// that changes one.
    fn check_versions(
        &self,
        spec: &SilverSpec,
        contract: &TableContract,
        versioned: &Versioned,
    ) -> Result<(), SpecError> {
        for rule in &contract.dataset_rules {
            let Metric::DuplicateValues { columns } = &rule.metric else { continue };
            let of_keys = columns.iter().all(|column| versioned.keys.contains(column));
            if of_keys && rule.severity == Severity::Error && rule.bound.allows_only_zero(rule.unit) {
                let fix = match &versioned.latest_by {
                    Some(latest_by) => format!("make `{latest_by}` part of it, take the rule out, or use mode merge"),
                    None => "take the rule out, or use mode merge".to_owned(),
                };
                let problem = format!(
                    "rule `{}` of contract {} allows each value of the keys once, and mode scd2 keeps every version of \
                     them; {fix}",
                    rule.id, spec.contract
                );
                return Err(self.problem(&spec.table, problem));
            }
        }
        Ok(())
    }
}
