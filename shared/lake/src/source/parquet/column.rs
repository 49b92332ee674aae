//! Reads one top-level column, record by record, through all row groups.

use std::fs::File;
use std::sync::Arc;

use parquet::column::reader::get_column_reader;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use polars::prelude::{Column, IntoColumn, StringChunkedBuilder};

use super::fault::ParquetFault;
use super::leaf::{LeafFault, LeafReader};
use super::pages::{check_pages, from_first_page};
use super::records::append_records;
use super::schema::{ColumnType, Content, Field};
use super::values::ValueType;

/// A column from its current record on.
pub(super) struct ColumnSource<'s> {
    metadata: &'s ParquetMetaData,
    column: &'s ColumnType,
    /// Name in the frames.
    name: &'s str,
    /// The current row group, from 1; 0 before the first.
    group: usize,
    /// Records of the current row group that were not read.
    left: usize,
    leaves: Vec<LeafReader>,
    /// Records read.
    read: u64,
}

impl<'s> ColumnSource<'s> {
    pub(super) fn new(metadata: &'s ParquetMetaData, column: &'s ColumnType, name: &'s str) -> Self {
        Self { metadata, column, name, group: 0, left: 0, leaves: Vec::new(), read: 0 }
    }

    /// The texts of the next records; `file` must not be used by another thread meanwhile.
    ///
    /// # Errors
    /// [`ParquetFault`], among others when there are not so many records.
    pub(super) fn read(&mut self, file: &Arc<File>, records: usize) -> Result<Column, ParquetFault> {
        let mut texts = StringChunkedBuilder::new(self.name.into(), records);
        let mut wanted = records;
        while wanted > 0 {
            if self.left == 0 {
                self.open_next_group(file)?;
            }
            let part = wanted.min(self.left);
            self.read_part(part, &mut texts)?;
            wanted -= part;
            self.left -= part;
            if self.left == 0 {
                self.check_end()?;
            }
        }
        Ok(texts.finish().into_column())
    }

    fn open_next_group(&mut self, file: &Arc<File>) -> Result<(), ParquetFault> {
        let group = self.metadata.row_groups().get(self.group).ok_or_else(|| self.ends_early())?;
        self.group += 1;
        let records = usize::try_from(group.num_rows()).map_err(|_| ParquetFault::footer("negative rows"))?;
        let mut leaves = Vec::new();
        for (leaf, value_type) in (self.column.first_leaf..).zip(value_types(&self.column.field)) {
            let missing = || ParquetFault::footer(format!("row group {} lacks a column", self.group));
            let chunk = from_first_page(group.columns().get(leaf).ok_or_else(missing)?)?;
            check_pages(file, &chunk, self.group)?;
            let pages = SerializedPageReader::new(file.clone(), &chunk, records, None)?;
            let descriptor = chunk.column_descr_ptr();
            let reader = get_column_reader(descriptor.clone(), Box::new(pages));
            leaves.push(LeafReader::new(value_type, descriptor, reader));
        }
        (self.left, self.leaves) = (records, leaves);
        Ok(())
    }

    fn read_part(&mut self, records: usize, texts: &mut StringChunkedBuilder) -> Result<(), ParquetFault> {
        let leaves: Result<Vec<_>, _> = self.leaves.iter_mut().map(|leaf| leaf.read(records)).collect();
        let mut leaves = leaves.map_err(|fault| match fault {
            LeafFault::EndsEarly => self.ends_early(),
            LeafFault::Levels => self.torn(0),
            LeafFault::Value(problem) => {
                ParquetFault::Value { column: self.column.name.clone(), row: self.read + 1, problem }
            }
            LeafFault::Other(fault) => fault,
        })?;
        append_records(&self.column.field, &mut leaves, records, texts).map_err(|(record, _)| self.torn(record))?;
        self.read += records as u64;
        Ok(())
    }

    /// A row group has as many values as its footer says, and no more.
    fn check_end(&self) -> Result<(), ParquetFault> {
        let chunks = self.metadata.row_groups().get(self.group.saturating_sub(1)).map(|group| group.columns());
        let chunks = chunks.and_then(|chunks| chunks.get(self.column.first_leaf..)).unwrap_or_default();
        for (leaf, chunk) in self.leaves.iter().zip(chunks) {
            if Ok(leaf.read) != u64::try_from(chunk.num_values()) {
                let column = chunk.column_path().string();
                let (group, announced, read) = (self.group, chunk.num_values(), leaf.read);
                let problem =
                    format!("column `{column}`, row group {group} has {announced} values, but its rows have {read}");
                return Err(ParquetFault::footer(problem));
            }
        }
        Ok(())
    }

    fn ends_early(&self) -> ParquetFault {
        ParquetFault::EndsEarly { column: self.column.name.clone(), group: self.group, row: self.read + 1 }
    }

    fn torn(&self, record: usize) -> ParquetFault {
        ParquetFault::Levels { column: self.column.name.clone(), row: self.read + record as u64 + 1 }
    }
}

/// The types of the leaves of a field, in their order.
fn value_types(field: &Field) -> Vec<ValueType> {
    match &field.content {
        Content::Value(value_type) => vec![*value_type],
        Content::Fields(fields) => fields.iter().flat_map(|(_, field)| value_types(field)).collect(),
        Content::List { element, .. } => value_types(element),
    }
}
