//! The decision, with its reason.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccessPath, Classification, Grant, Policy, Principal, Treatment};
use crate::columns::{StoredColumn, is_provenance};
use crate::contract::TableContract;
use crate::name::{GrantName, PortName};

/// What a caller may do with one output port by one access path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Denied {
        /// Why, for the audit event; callers learn no more than "no".
        reason: &'static str,
    },
    /// Read it in this form.
    Granted(TableAccess),
}

/// The form in which a caller reads a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableAccess {
    /// The rule that decided.
    pub grant: GrantName,
    /// Why the grant exists.
    pub purpose: Option<String>,
    /// The contract's columns, in its order.
    pub columns: Vec<ColumnAccess>,
    /// How columns of ours are read, whose names begin with `_` and which no contract has.
    pub own_columns: Treatment,
    /// How lineage columns are read when they are asked for by name.
    pub lineage: Treatment,
    /// The lineage columns that are asked for by name; the others are not given.
    asked_lineage: BTreeSet<String>,
    /// Which rows, as a predicate of the portable SQL subset over the columns as they are stored.
    pub rows: Option<String>,
}

/// The form in which a caller reads a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnAccess {
    /// The column.
    pub name: String,
    /// Its class.
    pub classification: Classification,
    /// Its form.
    pub treatment: Treatment,
}

impl TableAccess {
    /// The same access with these of the lineage columns asked for; other names change nothing.
    #[must_use]
    pub fn asking<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.asked_lineage.extend(names.into_iter().filter(|name| is_provenance(name)).map(str::to_owned));
        self
    }

    /// How this column is read. Columns that are neither in the contract nor ours are hidden: an older version of the table
    /// may have one that the contract protected while it was there.
    pub fn treatment(&self, column: &str) -> Treatment {
        match self.columns.iter().find(|access| access.name == column) {
            Some(access) => access.treatment,
            None if is_provenance(column) && self.asked_lineage.contains(column) => self.lineage,
            None if is_provenance(column) => Treatment::Hide,
            None if column.starts_with('_') => self.own_columns,
            None => Treatment::Hide,
        }
    }

    /// The columns that exist for the caller, with their form, in table order.
    pub fn visible<'a>(&'a self, columns: &'a [StoredColumn]) -> impl Iterator<Item = (&'a StoredColumn, Treatment)> {
        columns.iter().map(|column| (column, self.treatment(&column.name))).filter(|(_, t)| *t != Treatment::Hide)
    }

    /// Whether the caller may read every column and row as it is, so that the table's own files may be handed out: lineage columns, which
    /// the files hold, included.
    pub fn is_whole(&self, columns: &[StoredColumn]) -> bool {
        let is_clear = |column: &StoredColumn| {
            let treatment = if is_provenance(&column.name) { self.lineage } else { self.treatment(&column.name) };
            treatment.is_clear()
        };
        self.rows.is_none() && columns.iter().all(is_clear)
    }
}

/// Decides. `now` is the time of the request; `contract` the one of the port.
pub fn decide(
    policy: &Policy,
    principal: &Principal,
    path: AccessPath,
    port: &PortName,
    contract: &TableContract,
    now: Timestamp,
) -> Decision {
    let names = |grant: &&Grant| {
        grant.principals.iter().any(|pattern| pattern.matches(principal))
            && grant.ports.as_ref().is_none_or(|ports| ports.contains(port))
    };
    let mut named = policy.grants.iter().filter(names).peekable();
    if named.peek().is_none() {
        return Decision::Denied { reason: "no grant names the caller and the port" };
    }
    let mut current = named.filter(|grant| grant.expires.is_none_or(|expires| now < expires)).peekable();
    if current.peek().is_none() {
        return Decision::Denied { reason: "the grant has expired" };
    }
    // Whoever may read by any access path may find what it reads, so the catalogue is open by every grant.
    match current.find(|grant| path == AccessPath::Catalogue || grant.access_paths.contains(&path)) {
        Some(grant) => Decision::Granted(access(grant, contract)),
        None => Decision::Denied { reason: "no grant names the access path" },
    }
}

fn access(grant: &Grant, contract: &TableContract) -> TableAccess {
    let columns = contract.columns.iter().map(|column| {
        let classification = Classification::of_contract(column.classification.as_deref());
        let listed = grant.columns.as_ref().is_none_or(|columns| columns.contains(&column.name));
        let treatment = if listed { treatment(grant, classification) } else { Treatment::Hide };
        ColumnAccess { name: column.name.to_string(), classification, treatment }
    });
    let own_columns =
        if grant.columns.is_none() { treatment(grant, Classification::Internal) } else { Treatment::Hide };
    // Numbers and files of the rows that are read would tell of those that are not.
    let lineage = if grant.rows.is_none() { own_columns } else { Treatment::Hide };
    TableAccess {
        grant: grant.name.clone(),
        purpose: grant.purpose.clone(),
        columns: columns.collect(),
        own_columns,
        lineage,
        asked_lineage: BTreeSet::new(),
        rows: grant.rows.clone(),
    }
}

fn treatment(grant: &Grant, classification: Classification) -> Treatment {
    if classification <= grant.clearance {
        Treatment::Clear
    } else {
        grant.masking.get(&classification).map_or(Treatment::Hide, |masking| (*masking).into())
    }
}
