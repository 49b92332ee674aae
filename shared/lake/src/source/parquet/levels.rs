//! Finds the longest record of a nested column before it is read: a run of equal levels takes a few bytes in the file
//! and as many entries in memory as it says.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};

use super::fault::ParquetFault;

/// The record of a column chunk with the most entries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Longest {
    /// Its entries: elements, and nulls and empty lists in their place.
    pub(super) entries: u64,
    /// Its number in the row group, from 1.
    pub(super) record: u64,
}

/// The longest record of a chunk, by the repetition levels of its pages. Levels that are cut off end the count of their
/// page: the library refuses them when it reads them.
///
/// # Errors
/// Those of the library, which unpacks the pages.
pub(super) fn longest_record(pages: &mut impl PageReader, max_repetition: i16) -> Result<Longest, ParquetFault> {
    let width = i16::BITS - max_repetition.leading_zeros();
    let mut records = Records::default();
    while let Some(page) = pages.get_next_page()? {
        match page {
            Page::DictionaryPage { .. } => {}
            Page::DataPage { buf, num_values, rep_level_encoding: Encoding::RLE, .. } => {
                if let Some(levels) = behind_length(&buf) {
                    records.walk(levels, width, u64::from(num_values));
                }
            }
            // An old encoding that nobody writes: in the worst case, they are one record.
            Page::DataPage { num_values, .. } => records.add(false, u64::from(num_values)),
            Page::DataPageV2 { buf, num_values, rep_levels_byte_len, .. } => {
                let length = usize::try_from(rep_levels_byte_len).unwrap_or(usize::MAX);
                records.walk(buf.get(..length).unwrap_or_default(), width, u64::from(num_values));
            }
        }
    }
    Ok(records.longest)
}

/// The levels at the beginning of a page of version 1, which have their length before them.
fn behind_length(page: &[u8]) -> Option<&[u8]> {
    let (length, rest) = page.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Records seen so far.
#[derive(Debug, Default)]
struct Records {
    /// Number of the current record, from 1; 0 before the first.
    record: u64,
    /// Entries of the current record.
    entries: u64,
    longest: Longest,
}

impl Records {
    /// Goes through so many levels in the hybrid of runs and packed bits.
    fn walk(&mut self, mut levels: &[u8], width: u32, mut left: u64) {
        while left > 0 {
            let Some(head) = varint(&mut levels) else { return };
            let taken = match head & 1 {
                0 => self.run(&mut levels, width, (head >> 1).min(left)),
                _ => self.packed(&mut levels, width, head >> 1, left),
            };
            let Some(taken) = taken else { return };
            left -= taken;
        }
    }

    /// A level that is repeated.
    fn run(&mut self, levels: &mut &[u8], width: u32, count: u64) -> Option<u64> {
        let (level, rest) = levels.split_at_checked(usize::try_from(width.div_ceil(8)).ok()?)?;
        *levels = rest;
        self.add(level.iter().all(|byte| *byte == 0), count);
        Some(count)
    }

    /// Groups of eight levels, the lowest bits first.
    fn packed(&mut self, levels: &mut &[u8], width: u32, groups: u64, left: u64) -> Option<u64> {
        let bytes = usize::try_from(groups.saturating_mul(u64::from(width))).ok()?.min(levels.len());
        let (packed, rest) = levels.split_at_checked(bytes)?;
        *levels = rest;
        let (mut buffer, mut bits, mut taken) = (0_u64, 0, 0);
        for byte in packed {
            buffer |= u64::from(*byte) << bits;
            bits += 8;
            while bits >= width && taken < left {
                self.add(buffer & ((1_u64 << width) - 1) == 0, 1);
                buffer >>= width;
                bits -= width;
                taken += 1;
            }
            if taken == left {
                break;
            }
        }
        Some(taken)
    }

    /// So many entries with the same level, each of which begins a record or belongs to the current one.
    fn add(&mut self, begins: bool, count: u64) {
        if count == 0 {
            return;
        }
        if begins {
            self.record = self.record.saturating_add(count);
            self.entries = 1;
        } else {
            self.entries = self.entries.saturating_add(count);
        }
        if self.entries > self.longest.entries {
            self.longest = Longest { entries: self.entries, record: self.record };
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(levels: &[u8], width: u32, count: u64, entries: u64, record: u64) {
        let mut records = Records::default();
        records.walk(levels, width, count);
        assert_eq!(records.longest, Longest { entries, record }, "{levels:?}");
    }

    #[test]
    fn the_longest_record_is_found_in_runs_and_in_packed_bits() {
        check(&[], 1, 0, 0, 0);
        // Runs: five records of one entry, then three more entries of the last.
        check(&[10, 0, 6, 1], 1, 8, 4, 5);
        // The first entry, and 2^31 that belong to the same record.
        check(&[2, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 1], 1, (1 << 31) + 1, (1 << 31) + 1, 1);
        // One group of packed bits, lowest first: 0 1 1 0 1 0 0 0.
        check(&[3, 0b0001_0110], 1, 8, 3, 1);
        // The same of two bits each: 0 2 1 0 1 0 0 0.
        check(&[3, 0b0001_1000, 0b0000_0001], 2, 8, 3, 1);
        // No more than the page has.
        check(&[3, 0b1111_1110], 1, 4, 4, 1);
        // Cut off.
        check(&[10], 1, 5, 0, 0);
        check(&[0x80], 1, 5, 0, 0);
    }
}
