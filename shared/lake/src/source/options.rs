//! How the objects of a pipeline are read.

use std::collections::BTreeSet;

use sluice_core::init::Written;
use sluice_core::path::{PathStep, RecordPath};
use sluice_core::pipeline::Pipeline;
use sluice_core::reading::Reading;
use sluice_core::spec::{FixedWidthSpec, SourceFormat};

use super::archive::ArchiveOptions;
use super::csv::CsvOptions;
use super::xlsx::XlsxOptions;

/// How the objects of a pipeline are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceOptions {
    csv: CsvOptions,
    xlsx: XlsxOptions,
    fixed_width: Option<FixedWidthSpec>,
    records: Option<RecordPath>,
    /// Of XML, the elements that are lists however often they occur.
    lists: Vec<Vec<String>>,
    archive: Option<ArchiveOptions>,
}

impl SourceOptions {
    /// Those of a pipeline.
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        Self {
            csv: CsvOptions::of(pipeline),
            xlsx: XlsxOptions::of(pipeline),
            fixed_width: pipeline.source.fixed_width.clone(),
            records: pipeline.source.records.clone(),
            lists: if pipeline.source.format == SourceFormat::Xml { indexed(pipeline) } else { Vec::new() },
            archive: ArchiveOptions::of(pipeline),
        }
    }

    /// Those of samples, which no silver table reads yet.
    pub(crate) fn of_sample(written: &Written) -> Self {
        Self {
            csv: written.csv.clone().map(CsvOptions::of_spec).unwrap_or_default(),
            xlsx: written.xlsx.clone().map(XlsxOptions::of_spec).unwrap_or_default(),
            records: written.records.clone(),
            archive: written.archive.as_ref().map(|spec| ArchiveOptions::of_members(spec.members.clone())),
            ..Self::default()
        }
    }

    pub(super) fn csv(&self) -> &CsvOptions {
        &self.csv
    }

    pub(super) fn xlsx(&self) -> &XlsxOptions {
        &self.xlsx
    }

    /// The columns of lines of fixed width; `None` for other formats.
    pub(super) fn fixed_width(&self) -> Option<&FixedWidthSpec> {
        self.fixed_width.as_ref()
    }

    /// Bytes of what ends a record of CSV; of other formats that are divided, a line feed does.
    #[cfg(test)]
    pub(super) fn record_end_bytes(&self) -> u64 {
        self.csv.spec().record_end.as_str().len() as u64
    }

    /// Where the records of a JSON document or an NDJSON line are; `None` where it is the record.
    pub(crate) fn records(&self) -> Option<&RecordPath> {
        self.records.as_ref()
    }

    /// Of XML, the elements that columns read by a number, such as `[0]`, each by the names on the way to it inside of
    /// a record: they are lists however often they occur.
    pub(super) fn lists(&self) -> &[Vec<String>] {
        &self.lists
    }

    #[cfg(test)]
    pub(super) fn set_lists(&mut self, lists: Vec<Vec<String>>) {
        self.lists = lists;
    }

    /// How objects are read that are archives; `None` where they are refused.
    pub(super) fn archive(&self) -> Option<&ArchiveOptions> {
        self.archive.as_ref()
    }

    /// Those of the members of an archive, which are no archives.
    pub(super) fn of_members(&self) -> Self {
        Self { archive: None, ..self.clone() }
    }

    /// The defaults, with this path to the records.
    #[cfg(test)]
    pub(crate) fn of_records(records: Option<RecordPath>) -> Self {
        Self { records, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn set_csv(&mut self, csv: CsvOptions) {
        self.csv = csv;
    }

    #[cfg(test)]
    pub(super) fn set_fixed_width(&mut self, spec: FixedWidthSpec) {
        self.fixed_width = Some(spec);
    }

    #[cfg(test)]
    pub(super) fn set_archive(&mut self, archive: ArchiveOptions) {
        self.archive = Some(archive);
    }

    #[cfg(test)]
    pub(super) fn set_records(&mut self, records: RecordPath) {
        self.records = Some(records);
    }
}

/// The ways to the values that columns read by a number.
fn indexed(pipeline: &Pipeline) -> Vec<Vec<String>> {
    let mut lists = BTreeSet::new();
    for table in &pipeline.silver {
        for (name, source) in &table.columns {
            let Some(path) = table.readings.get(name).and_then(Reading::path) else { continue };
            let mut names = vec![source.clone()];
            for step in path.steps() {
                match step {
                    PathStep::Key(key) => names.push(key.clone()),
                    PathStep::Index(_) | PathStep::Elements => {
                        let _ = lists.insert(names.clone());
                    }
                }
            }
        }
    }
    lists.into_iter().collect()
}
