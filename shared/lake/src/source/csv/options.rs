//! How the CSV objects of a pipeline are read.

use std::collections::BTreeSet;

use sluice_core::columns::folded_name;
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::CsvSpec;

/// How the CSV objects of a pipeline are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct CsvOptions {
    spec: CsvSpec,
    /// Names of source columns that silver tables read, as readers see them that ignore case: an object must not have
    /// two columns of such a name.
    mapped: BTreeSet<String>,
}

impl CsvOptions {
    /// Those of a pipeline.
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let mapped = pipeline.mapped_sources().map(|source| folded_name(source)).collect();
        Self { spec: pipeline.source.csv.clone(), mapped }
    }

    /// Those of objects that no silver table reads yet.
    pub(crate) fn of_spec(spec: CsvSpec) -> Self {
        Self { spec, mapped: BTreeSet::new() }
    }

    pub(crate) fn spec(&self) -> &CsvSpec {
        &self.spec
    }

    pub(super) fn mapped(&self) -> &BTreeSet<String> {
        &self.mapped
    }

    /// Options of a spec whose silver tables read these columns.
    #[cfg(test)]
    pub(crate) fn reading(spec: CsvSpec, mapped: &[&str]) -> Self {
        Self { spec, mapped: mapped.iter().map(|name| folded_name(name)).collect() }
    }
}
