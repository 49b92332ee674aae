//! What a product gave for its cost: what the gate stopped, and who read it.

use std::collections::BTreeSet;

use serde::Serialize;

/// Reads of a product, from audit events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reads {
    /// Accesses that were allowed.
    pub allowed: u64,
    /// Accesses that were denied.
    pub denied: u64,
    /// Rows that were given out.
    pub rows: u64,
    /// Who read it.
    pub callers: BTreeSet<String>,
}

/// What the gate stopped on the way to a product's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Value {
    /// Runs that were published.
    pub published: u64,
    /// Runs that the gate rejected: nothing of them was published.
    pub rejected: u64,
    /// Rows that were staged.
    pub rows: u64,
    /// Rows that were quarantined.
    pub quarantined: u64,
}
