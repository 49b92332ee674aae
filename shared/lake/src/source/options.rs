//! How the objects of a pipeline are read.

use sluice_core::path::RecordPath;
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::CsvSpec;

use super::csv::CsvOptions;

/// How the objects of a pipeline are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceOptions {
    csv: CsvOptions,
    records: Option<RecordPath>,
}

impl SourceOptions {
    /// Those of a pipeline.
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        Self { csv: CsvOptions::of(pipeline), records: pipeline.records.clone() }
    }

    /// Those of objects that no silver table reads yet.
    pub(crate) fn of_sample(csv: Option<CsvSpec>, records: Option<RecordPath>) -> Self {
        Self { csv: csv.map(CsvOptions::of_spec).unwrap_or_default(), records }
    }

    pub(super) fn csv(&self) -> &CsvOptions {
        &self.csv
    }

    /// Where the records of a JSON document or an NDJSON line are; `None` where it is the record.
    pub(crate) fn records(&self) -> Option<&RecordPath> {
        self.records.as_ref()
    }

    #[cfg(test)]
    pub(super) fn set_csv(&mut self, csv: CsvOptions) {
        self.csv = csv;
    }

    #[cfg(test)]
    pub(super) fn set_records(&mut self, records: RecordPath) {
        self.records = Some(records);
    }
}
