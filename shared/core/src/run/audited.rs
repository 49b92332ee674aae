//! Row rules as whoever staged the rows has counted them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was counted in staged files, read back from storage: their rows, and those of them that break a row rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedRows {
    /// Rows found in the files.
    pub rows: u64,
    /// For each row rule that is counted, by id, the rows that break it; 0 where no row does.
    pub broken: BTreeMap<String, u64>,
}

impl AuditedRows {
    /// What was counted in these files and in others. `None` where other rules were counted in the others: then nobody
    /// knows how many of all rows break a rule.
    pub fn and(mut self, other: &Self) -> Option<Self> {
        if !self.broken.keys().eq(other.broken.keys()) {
            return None;
        }
        self.rows = self.rows.saturating_add(other.rows);
        for (broken, more) in self.broken.values_mut().zip(other.broken.values()) {
            *broken = broken.saturating_add(*more);
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audited(rows: u64, broken: &[(&str, u64)]) -> AuditedRows {
        AuditedRows { rows, broken: broken.iter().map(|(rule, rows)| ((*rule).to_owned(), *rows)).collect() }
    }

    #[test]
    fn only_counts_of_the_same_rules_are_added() {
        let check = |other: &AuditedRows, expected: Option<AuditedRows>| {
            assert_eq!(audited(3, &[("a", 1), ("b", 0)]).and(other), expected, "{other:?}");
        };
        check(&audited(4, &[("a", 0), ("b", 2)]), Some(audited(7, &[("a", 1), ("b", 2)])));
        check(&audited(0, &[("a", 0), ("b", 0)]), Some(audited(3, &[("a", 1), ("b", 0)])));
        check(&audited(0, &[]), None);
        check(&audited(4, &[("a", 0)]), None);
        check(&audited(4, &[("a", 0), ("c", 2)]), None);
        check(&audited(u64::MAX, &[("a", u64::MAX), ("b", 0)]), Some(audited(u64::MAX, &[("a", u64::MAX), ("b", 0)])));
    }
}
