//! How the workbooks of a pipeline are read.

use std::collections::BTreeSet;

use sluice_core::columns::folded_name;
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::XlsxSpec;

/// How the workbooks of a pipeline are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct XlsxOptions {
    spec: XlsxSpec,
    /// Names of source columns that silver tables read, as readers see them that ignore case.
    mapped: BTreeSet<String>,
}

impl XlsxOptions {
    /// Those of a pipeline.
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let mapped = pipeline.mapped_sources().map(|source| folded_name(source)).collect();
        Self { spec: pipeline.source.xlsx.clone().unwrap_or_default(), mapped }
    }

    /// Those of workbooks that no silver table reads yet.
    pub(crate) fn of_spec(spec: XlsxSpec) -> Self {
        Self { spec, mapped: BTreeSet::new() }
    }

    pub(super) fn spec(&self) -> &XlsxSpec {
        &self.spec
    }

    pub(super) fn mapped(&self) -> &BTreeSet<String> {
        &self.mapped
    }

    /// Options of a spec whose silver tables read these columns.
    #[cfg(test)]
    pub(super) fn reading(spec: XlsxSpec, mapped: &[&str]) -> Self {
        Self { spec, mapped: mapped.iter().map(|name| folded_name(name)).collect() }
    }
}
