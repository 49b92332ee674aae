//! Reads one top-level column, record by record, through all row groups.
//!
//! A column first loads records and then writes them into a batch. Equal texts of a dictionary share their bytes when
//! they are loaded, and of other texts about as many are loaded as fill a batch. So the size of a batch is known before
//! its texts are copied, and records that a batch has no room for stay loaded for the next one.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use parquet::column::reader::get_column_reader;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use polars::prelude::{Column, IntoColumn, StringChunkedBuilder};

use super::TEXT_PLACE_BYTES;
use super::fault::ParquetFault;
use super::leaf::{Leaf, LeafFault, LeafReader};
use super::levels::longest_record;
use super::pages::{ValueSizes, check_pages, from_first_page};
use super::records::{RecordFault, RecordWriter};
use super::schema::{ColumnType, Content, Field};
use super::values::ValueType;
use crate::source::chunk::ReadLimits;

/// Records of a flat column that are loaded at a time: enough to make a call of the library cheap. At some 60 bytes an
/// entry (levels, number or place of a text, text of a number), 250 KB.
const BLOCK_RECORDS: usize = 4_096;
/// Most entries of a nested column that are loaded at a time, unless one record has more: at 60 bytes an entry, 16 MB.
const BLOCK_ENTRIES: usize = 256 << 10;
/// Most bytes of a block whose values are copies, of which each may be as large as its page: 64 for pages of 1 MiB.
const BLOCK_COPIED_BYTES: usize = 64 << 20;

/// A column from its current record on.
pub(super) struct ColumnSource<'s> {
    metadata: &'s ParquetMetaData,
    column: &'s ColumnType,
    /// Name in the frames.
    name: &'s str,
    limits: ReadLimits,
    /// What an entry of each leaf takes in addition to its value.
    entry_bytes: Vec<usize>,
    /// The current row group, from 1; 0 before the first.
    group: usize,
    /// Records of the current row group that were not loaded.
    left: usize,
    leaves: Vec<LeafReader>,
    /// Records of the current row group that are loaded at a time.
    block: usize,
    /// What is loaded and not written.
    loaded: VecDeque<Block>,
    /// Records in it.
    at_hand: usize,
    /// Records written.
    written: u64,
}

/// Records of one row group.
struct Block {
    leaves: Vec<Leaf>,
    /// Those that were not written.
    records: usize,
}

impl Block {
    fn size(&self, records: usize, entry_bytes: &[usize]) -> usize {
        let leaves = self.leaves.iter().zip(entry_bytes);
        leaves.map(|(leaf, entry_bytes)| leaf.size(records, *entry_bytes)).fold(0, usize::saturating_add)
    }
}

/// Some records of a column.
pub(super) struct ColumnTexts {
    /// Their texts, nested ones as JSON.
    pub(super) texts: Column,
    /// The records, from 0 and ascending, with a value that stands there as it is stored, and what is wrong with it.
    pub(super) problems: Vec<(usize, &'static str)>,
}

/// Records that are loaded at a time of a chunk whose longest record has `longest` entries.
fn block_records(sizes: &ValueSizes, longest: usize, chunk_bytes: usize) -> usize {
    let largest = sizes.largest_average.saturating_mul(longest);
    let most = |bytes: usize, of: usize| bytes.checked_div(of).unwrap_or(BLOCK_RECORDS);
    let most = most(BLOCK_COPIED_BYTES, sizes.largest_shared).min(most(chunk_bytes, largest));
    most.min(BLOCK_ENTRIES / longest.max(1)).clamp(1, BLOCK_RECORDS)
}

impl<'s> ColumnSource<'s> {
    pub(super) fn new(
        metadata: &'s ParquetMetaData,
        column: &'s ColumnType,
        name: &'s str,
        limits: ReadLimits,
    ) -> Self {
        Self {
            metadata,
            column,
            name,
            limits,
            entry_bytes: column.field.entry_bytes(TEXT_PLACE_BYTES),
            group: 0,
            left: 0,
            leaves: Vec::new(),
            block: 1,
            loaded: VecDeque::new(),
            at_hand: 0,
            written: 0,
        }
    }

    /// Its name in the frames.
    pub(super) fn name(&self) -> &'s str {
        self.name
    }

    /// Records that are loaded.
    pub(super) fn at_hand(&self) -> usize {
        self.at_hand
    }

    /// What so many of the loaded records take in a batch, in bytes.
    pub(super) fn size(&self, records: usize) -> usize {
        let (mut size, mut left) = (0_usize, records);
        for block in &self.loaded {
            let taken = left.min(block.records);
            size = size.saturating_add(block.size(taken, &self.entry_bytes));
            left -= taken;
        }
        size
    }

    /// Loads records until so many are at hand, or fewer if they fill a batch by themselves; `file` must not be used by
    /// another thread meanwhile.
    ///
    /// # Errors
    /// [`ParquetFault`], among others when there are not so many records.
    pub(super) fn load(&mut self, file: &Arc<File>, records: usize) -> Result<(), ParquetFault> {
        let mut size = self.size(records);
        while self.at_hand < records && size < self.limits.chunk_bytes {
            if self.left == 0 {
                self.open_next_group(file)?;
                continue;
            }
            let block = self.load_block(self.block.min(self.left).min(records - self.at_hand))?;
            size = size.saturating_add(block.size(block.records, &self.entry_bytes));
            self.at_hand += block.records;
            self.left -= block.records;
            self.loaded.push_back(block);
            if self.left == 0 {
                self.check_end()?;
            }
        }
        Ok(())
    }

    /// The texts of the next records, which are loaded.
    ///
    /// # Errors
    /// [`ParquetFault`].
    pub(super) fn write(&mut self, records: usize) -> Result<ColumnTexts, ParquetFault> {
        let mut texts = StringChunkedBuilder::new(self.name.into(), records);
        let (mut writer, mut problems) = (RecordWriter::new(self.limits.record_bytes), Vec::new());
        for record in 0..records {
            let Some(block) = self.loaded.front_mut() else { return Err(self.ends_early()) };
            let appended = writer.append(&self.column.field, &mut block.leaves, &mut texts);
            block.records -= 1;
            let is_last = block.records == 0;
            // The levels of a block are those of its records, and no more.
            let has_more = is_last && block.leaves.iter().any(|leaf| leaf.definition().is_some());
            match appended {
                Ok(Some(problem)) => problems.push((record, problem)),
                Ok(None) => {}
                Err(RecordFault::Torn) => return Err(self.torn()),
                Err(RecordFault::TooLarge) => return Err(self.too_large(self.written + 1)),
            }
            if has_more {
                return Err(self.torn());
            }
            if is_last {
                self.loaded.pop_front();
            }
            self.at_hand -= 1;
            self.written += 1;
        }
        Ok(ColumnTexts { texts: texts.finish().into_column(), problems })
    }

    fn open_next_group(&mut self, file: &Arc<File>) -> Result<(), ParquetFault> {
        let group = self.metadata.row_groups().get(self.group).ok_or_else(|| self.ends_early())?;
        self.group += 1;
        let records = usize::try_from(group.num_rows()).map_err(|_| ParquetFault::footer("negative rows"))?;
        let (mut leaves, mut block) = (Vec::new(), BLOCK_RECORDS);
        for (leaf, value_type) in (self.column.first_leaf..).zip(value_types(&self.column.field)) {
            let missing = || ParquetFault::footer(format!("row group {} lacks a column", self.group));
            let chunk = from_first_page(group.columns().get(leaf).ok_or_else(missing)?)?;
            let sizes = check_pages(file, &chunk, self.group)?;
            let longest = self.longest_record(file, &chunk, records)?;
            block = block.min(block_records(&sizes, longest, self.limits.chunk_bytes));
            let pages = SerializedPageReader::new(file.clone(), &chunk, records, None)?;
            let descriptor = chunk.column_descr_ptr();
            let reader = get_column_reader(descriptor.clone(), Box::new(pages));
            leaves.push(LeafReader::new(value_type, descriptor, reader));
        }
        (self.left, self.leaves, self.block) = (records, leaves, block.max(1));
        Ok(())
    }

    /// Entries of the longest record of a chunk. Reading a record takes memory for all of them, so one that is too
    /// long is refused before.
    fn longest_record(
        &self,
        file: &Arc<File>,
        chunk: &ColumnChunkMetaData,
        records: usize,
    ) -> Result<usize, ParquetFault> {
        let max_repetition = chunk.column_descr().max_rep_level();
        if max_repetition == 0 {
            return Ok(1);
        }
        let mut pages = SerializedPageReader::new(file.clone(), chunk, records, None)?;
        let longest = longest_record(&mut pages, max_repetition)?;
        let entries = usize::try_from(longest.entries).unwrap_or(usize::MAX);
        if entries > self.limits.record_bytes / TEXT_PLACE_BYTES {
            return Err(self.too_large(self.written + self.at_hand as u64 + longest.record));
        }
        Ok(entries.max(1))
    }

    fn load_block(&mut self, records: usize) -> Result<Block, ParquetFault> {
        let leaves: Result<Vec<_>, _> = self.leaves.iter_mut().map(|leaf| leaf.read(records)).collect();
        let leaves = leaves.map_err(|fault| match fault {
            LeafFault::EndsEarly => self.ends_early(),
            LeafFault::Levels => self.levels_fault(self.next_record()),
            LeafFault::Value(problem) => {
                ParquetFault::Value { column: self.column.name.clone(), row: self.next_record(), problem }
            }
            LeafFault::Other(fault) => fault,
        })?;
        Ok(Block { leaves, records })
    }

    /// The next record to load, from 1.
    fn next_record(&self) -> u64 {
        self.written + self.at_hand as u64 + 1
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
        ParquetFault::EndsEarly { column: self.column.name.clone(), group: self.group, row: self.next_record() }
    }

    /// The levels of the next record to write are damaged.
    fn torn(&self) -> ParquetFault {
        self.levels_fault(self.written + 1)
    }

    fn levels_fault(&self, row: u64) -> ParquetFault {
        ParquetFault::Levels { column: self.column.name.clone(), row }
    }

    fn too_large(&self, row: u64) -> ParquetFault {
        ParquetFault::TooLarge { column: self.column.name.clone(), row, limit_bytes: self.limits.record_bytes }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_records_are_loaded_as_fill_a_batch() {
        const MIB: usize = 1 << 20;
        let check = |largest_average, largest_shared, longest, expected| {
            let sizes = ValueSizes { largest_shared, largest_average };
            let shown = format!("{largest_average} bytes, page of {largest_shared}, {longest} entries");
            assert_eq!(block_records(&sizes, longest, 32 * MIB), expected, "{shown}");
        };
        check(8, 0, 1, BLOCK_RECORDS);
        check(MIB, 0, 1, 32);
        check(100 * MIB, 0, 1, 1);
        // Each text may be as large as its page.
        check(8, MIB, 1, 64);
        // Lists.
        check(8, 0, 256, 1_024);
        check(1_024, 0, 256, 128);
        check(8, 0, 1_000_000, 1);
    }
}
