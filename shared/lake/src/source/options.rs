//! How the objects of a pipeline are read.

use sluice_core::columns::folded_name;
use sluice_core::init::Written;
use sluice_core::path::RecordPath;
use sluice_core::pipeline::Pipeline;
use sluice_core::spec::{ColumnCase, FixedWidthSpec, SourceFormat};

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
    lists: ElementLists,
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
            lists: ElementLists::of(pipeline),
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

    /// Of XML, the elements that columns read by a number, such as `[0]`, or as an array: they are lists however often
    /// they occur.
    pub(super) fn lists(&self) -> &ElementLists {
        &self.lists
    }

    #[cfg(test)]
    pub(super) fn set_lists(&mut self, ways: Vec<Vec<String>>, case: ColumnCase) {
        self.lists = ElementLists { ways, case };
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

/// Of XML, the elements that are lists however often they occur.
#[derive(Debug, Clone, Default)]
pub(super) struct ElementLists {
    /// Each by the names on the way to it inside of a record.
    ways: Vec<Vec<String>>,
    /// Whether case counts in the first of these names, which is that of a column.
    case: ColumnCase,
}

impl ElementLists {
    fn of(pipeline: &Pipeline) -> Self {
        let is_xml = pipeline.source.format == SourceFormat::Xml;
        let ways = if is_xml { pipeline.element_lists() } else { Vec::new() };
        Self { ways, case: pipeline.source.column_case }
    }

    /// Whether the element to which these names lead is one of them.
    pub(super) fn has<'n>(&self, names: &(impl Iterator<Item = &'n str> + Clone)) -> bool {
        let mut names = names.clone();
        let Some(column) = names.next() else { return false };
        self.ways
            .iter()
            .filter_map(|way| way.split_first())
            .any(|(first, rest)| rest.iter().map(String::as_str).eq(names.clone()) && self.is_column(first, column))
    }

    /// Every element of every record is asked for: only names that are not ASCII make texts.
    fn is_column(&self, first: &str, column: &str) -> bool {
        match self.case {
            ColumnCase::Exact => first == column,
            ColumnCase::Ignore if first.is_ascii() && column.is_ascii() => first.eq_ignore_ascii_case(column),
            ColumnCase::Ignore => folded_name(first) == folded_name(column),
        }
    }
}
