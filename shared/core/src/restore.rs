//! To which versions the tables of a damaged lake can be set back together.
//!
//! A run commits to several tables, and its invariants are about all of them: a silver table whose ledger has an object proves that the
//! object's refused rows are in quarantine; a gold table names the version of each input. So a run's commits are kept all or none: when
//! one is lost, the tables go back to what they were before the run. Nothing that was delivered is lost by that, because ledgers go back
//! with the tables, and the next run takes from the landing folder what they lack.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{RunId, TableRef};

/// A version of a table, as far as it decides what can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// The version.
    pub version: u64,
    /// When it was committed; unknown when its log entry cannot be read.
    pub committed_at: Option<Timestamp>,
    /// The run that made it; unknown for other writers and for entries that cannot be read.
    pub run: Option<RunId>,
    /// Versions of the tables that it was computed from.
    pub inputs: BTreeMap<TableRef, u64>,
    /// Whether its log entry, all entries before it and all its files exist.
    pub is_whole: bool,
}

/// A table and its versions, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableHistory {
    /// The table.
    pub table: TableRef,
    /// Its versions.
    pub versions: Vec<VersionRecord>,
}

impl TableHistory {
    /// The newest version that is whole and at most `bound`.
    fn newest_whole(&self, bound: Option<u64>) -> Option<u64> {
        let bound = bound?;
        let whole = self.versions.iter().rev().find(|record| record.is_whole && record.version <= bound);
        whole.map(|record| record.version)
    }

    fn newest(&self) -> Option<u64> {
        self.versions.last().map(|record| record.version)
    }
}

/// Whether an attempt that committed to the tables `there` has lost a commit, by what it staged, in the order of its commits: a commit to a
/// table comes after those to all tables before it. What is missing at the end was not made, or is made again by the next run.
pub fn is_torn(staged: &[TableRef], there: &BTreeSet<TableRef>) -> bool {
    let last = staged.iter().rposition(|table| there.contains(table));
    staged.iter().take(last.unwrap_or_default()).any(|table| !there.contains(table))
}

/// What becomes of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBack {
    /// The table.
    pub table: TableRef,
    /// Its newest version before.
    pub from: u64,
    /// The version that it is set back to; `None` when no version can be kept, and the next run makes the table from
    /// scratch.
    pub to: Option<u64>,
    /// When that version was committed.
    pub to_committed_at: Option<Timestamp>,
}

/// The versions that these tables can be set back to together: for each table the newest such that every run is kept whole or not at all,
/// and no table was computed from a version that is gone. Versions after `at` are not kept, and neither are the runs that are `torn`: known to
/// have committed to a table that shows no trace of it. Tables that keep their newest version are
/// in the answer, too.
pub fn consistent_point(tables: &[TableHistory], torn: &BTreeSet<RunId>, at: Option<Timestamp>) -> Vec<SetBack> {
    let is_late =
        |record: &VersionRecord| at.is_some_and(|at| record.committed_at.is_none_or(|committed| committed > at));
    let mut kept: BTreeMap<&TableRef, Option<u64>> = tables
        .iter()
        .map(|history| {
            let early = history.versions.iter().take_while(|record| !is_late(record)).last();
            (&history.table, history.newest_whole(early.map(|record| record.version)))
        })
        .collect();
    // Each round sets some table back further, so there are at most as many rounds as versions.
    loop {
        let is_kept = |table: &TableRef, version: u64| {
            kept.get(table).is_some_and(|kept| kept.is_some_and(|newest| version <= newest))
        };
        let lost: BTreeSet<&RunId> = tables
            .iter()
            .flat_map(|history| history.versions.iter().map(move |record| (&history.table, record)))
            .filter(|(table, record)| !is_kept(table, record.version))
            .filter_map(|(_, record)| record.run.as_ref())
            .chain(torn)
            .collect();
        let is_broken = |record: &VersionRecord| {
            record.run.as_ref().is_some_and(|run| lost.contains(run))
                || record.inputs.iter().any(|(input, version)| !is_kept(input, *version))
        };
        let settled: BTreeMap<&TableRef, Option<u64>> = tables
            .iter()
            .map(|history| {
                let mut sound = history
                    .versions
                    .iter()
                    .take_while(|record| is_kept(&history.table, record.version) && !is_broken(record));
                let bound = sound.by_ref().last().map(|record| record.version);
                (&history.table, history.newest_whole(bound))
            })
            .collect();
        if settled == kept {
            break;
        }
        kept = settled;
    }
    let set_back = |history: &TableHistory| {
        let to = kept.get(&history.table).copied().flatten();
        let found = history.versions.iter().find(|record| Some(record.version) == to);
        Some(SetBack {
            table: history.table.clone(),
            from: history.newest()?,
            to,
            to_committed_at: found.and_then(|record| record.committed_at),
        })
    };
    tables.iter().filter_map(set_back).collect()
}

#[cfg(test)]
mod tests;
