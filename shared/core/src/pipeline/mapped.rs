//! The source columns of a pipeline by their names, whatever the case of these.

use std::collections::{BTreeSet, HashMap};

use super::Pipeline;
use crate::columns::folded_name;
use crate::spec::ColumnCase;

/// The source columns that silver tables read, to be found by a name in any case. It is made once for many names.
#[derive(Debug, Clone)]
pub struct MappedNames<'p> {
    case: ColumnCase,
    names: BTreeSet<&'p str>,
    by_folded: HashMap<String, &'p str>,
}

impl<'p> MappedNames<'p> {
    /// The source columns that the silver tables of this pipeline read.
    pub fn of(pipeline: &'p Pipeline) -> Self {
        let names: BTreeSet<&str> = pipeline.mapped_sources().map(String::as_str).collect();
        let mut by_folded = HashMap::with_capacity(names.len());
        for &name in &names {
            by_folded.entry(folded_name(name)).or_insert(name);
        }
        Self { case: pipeline.source.column_case, names, by_folded }
    }

    /// Whether a silver table reads the source column of exactly this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The name under which silver tables read a source column; its own where they do not read it.
    pub fn mapped<'n>(&self, name: &'n str) -> &'n str
    where
        'p: 'n,
    {
        self.other_case(name).unwrap_or(name)
    }

    /// The first of these columns of an object that differs in case alone from a source column that a silver table
    /// reads, with that one; `None` where case does not count. Such an object would be read as if it lacked the column,
    /// and stored as if it had it.
    pub fn refused<'n>(&self, columns: impl IntoIterator<Item = &'n str>) -> Option<(&'n str, &'p str)> {
        match self.case {
            ColumnCase::Exact => {
                columns.into_iter().find_map(|column| self.other_case(column).map(|mapped| (column, mapped)))
            }
            ColumnCase::Ignore => None,
        }
    }

    fn other_case(&self, name: &str) -> Option<&'p str> {
        if self.has(name) {
            return None;
        }
        self.by_folded.get(&folded_name(name)).copied()
    }
}
