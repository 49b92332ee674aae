//! Checks the pages of a column chunk before they are decoded: sizes, numbers of values and checksums.
//!
//! The library reads pages without their checksums, and trusts numbers of their headers. Page headers are in
//! `parquet.thrift` of the format's specification.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use parquet::basic::Type as Physical;
use parquet::file::metadata::ColumnChunkMetaData;

use super::fault::{ParquetFault, is_of_the_system};
use super::thrift::Structure;

/// Most bytes of one page, which is unpacked as a whole. Writers make pages of about 1 MiB; a few make one page of a column
/// chunk, which DuckDB limits to 100 MB.
const MAX_PAGE_BYTES: i64 = 256 << 20;
/// Bytes asked of the file at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// A chunk that begins where its first page is. Some writers give an offset of a dictionary that they did not write.
///
/// # Errors
/// Those of the library.
pub(super) fn from_first_page(chunk: &ColumnChunkMetaData) -> Result<ColumnChunkMetaData, ParquetFault> {
    let dictionary = chunk.dictionary_page_offset().filter(|offset| (1..chunk.data_page_offset()).contains(offset));
    Ok(chunk.clone().into_builder().set_dictionary_page_offset(dictionary).build()?)
}

/// What reading values of a chunk takes.
#[derive(Default)]
pub(super) struct ValueSizes {
    /// Bytes of the largest page whose values are written as what they do not share with the value before
    /// (`DELTA_BYTE_ARRAY`), or 0. Each of its values may be as large as the page, and the library makes each a copy of
    /// its own.
    pub(super) largest_shared: usize,
    /// Bytes of a value in the page whose values are the largest on average. A value keeps its page in memory.
    pub(super) largest_average: usize,
}

/// Reads the page headers of a chunk up to the last value, and the pages that have a checksum.
///
/// `group`: number of the row group, from 1.
///
/// # Errors
/// [`ParquetFault::Page`] and [`ParquetFault::Footer`] for everything that contradicts itself.
pub(super) fn check_pages(file: &File, chunk: &ColumnChunkMetaData, group: usize) -> Result<ValueSizes, ParquetFault> {
    let column = chunk.column_path().string();
    let (start, size) = place(chunk, file.metadata()?.len())
        .ok_or_else(|| ParquetFault::footer(format!("column `{column}`, row group {group} is outside of the file")))?;
    let mut pages = BufReader::with_capacity(BUFFER_BYTES, file);
    pages.seek(SeekFrom::Start(start))?;
    let (mut left, mut values, mut dictionary, mut sizes) = (size, 0, false, ValueSizes::default());
    let least_bytes = least_value_bytes(chunk);
    while values < chunk.num_values() {
        let offset = start + (size - left);
        let fault = |problem: String| ParquetFault::Page { column: column.clone(), group, offset, problem };
        let mut limited = pages.by_ref().take(left);
        let header = match Structure::read(&mut limited) {
            Ok(header) => header,
            Err(error) if is_of_the_system(&error) => return Err(error.into()),
            Err(error) => return Err(fault(format!("its header: {error}"))),
        };
        left = limited.limit();
        let page = Page::of(&header, left, least_bytes).map_err(|problem| fault(problem.to_owned()))?;
        if page.has_codes && !dictionary {
            return Err(fault("refers to a dictionary, and no page before it has one".to_owned()));
        }
        dictionary |= page.is_dictionary;
        let largest = if page.shares_bytes { page.unpacked_bytes } else { 0 };
        sizes.largest_shared = sizes.largest_shared.max(largest);
        let average = usize::try_from(page.values).ok().and_then(|values| page.unpacked_bytes.checked_div(values));
        sizes.largest_average = sizes.largest_average.max(average.unwrap_or_default());
        values += page.values;
        match page.checksum {
            Some(expected) if checksum(&mut pages, page.packed_bytes)? != expected => {
                return Err(fault("is damaged: its checksum is another".to_owned()));
            }
            Some(_) => {}
            None => pages.seek_relative(page.packed_bytes.cast_signed())?,
        }
        left -= page.packed_bytes;
    }
    if values > chunk.num_values() {
        let announced = chunk.num_values();
        let problem =
            format!("column `{column}`, row group {group} has {announced} values, but its pages have {values}");
        return Err(ParquetFault::footer(problem));
    }
    Ok(sizes)
}

/// Bytes that the smallest value of a chunk takes where values stand one after the other.
fn least_value_bytes(chunk: &ColumnChunkMetaData) -> i64 {
    match chunk.column_type() {
        Physical::BOOLEAN | Physical::FIXED_LEN_BYTE_ARRAY => 1,
        // A text has its length before it.
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
        Physical::INT64 | Physical::DOUBLE => 8,
        Physical::INT96 => 12,
    }
}

/// First byte and number of bytes of a chunk; `None` if it is not inside the file.
fn place(chunk: &ColumnChunkMetaData, file_bytes: u64) -> Option<(u64, u64)> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let (start, size) = (u64::try_from(start).ok()?, u64::try_from(chunk.compressed_size()).ok()?);
    (start.checked_add(size)? <= file_bytes).then_some((start, size))
}

/// What a page header says, with sizes that can be right.
struct Page {
    is_dictionary: bool,
    /// Whether its values are numbers of a dictionary.
    has_codes: bool,
    /// Whether its values are written as what they do not share with the value before.
    shares_bytes: bool,
    /// Values, with nulls; 0 for pages that are not data.
    values: i64,
    packed_bytes: u64,
    unpacked_bytes: usize,
    checksum: Option<u32>,
}

impl Page {
    fn of(header: &Structure, left: u64, least_bytes: i64) -> Result<Self, &'static str> {
        const DATA: i64 = 0;
        const DICTIONARY: i64 = 2;
        const DATA_V2: i64 = 3;
        let (Some(kind), Some(unpacked), Some(packed)) = (header.number(1), header.number(2), header.number(3)) else {
            return Err("its header lacks type or size");
        };
        if unpacked > MAX_PAGE_BYTES {
            return Err("has more than 256 MiB when unpacked; write smaller pages or row groups");
        }
        let packed_bytes = u64::try_from(packed).ok().filter(|packed| *packed <= left && unpacked >= 0);
        let packed_bytes = packed_bytes.ok_or("its header has a size that cannot be")?;
        // The library makes room for all of them before it reads the first.
        let entries = header.structure(7).and_then(|dictionary| dictionary.number(1)).unwrap_or_default();
        if kind == DICTIONARY && !(0..=unpacked / least_bytes).contains(&entries) {
            return Err("is a dictionary with more values than it has room for");
        }
        let data = match kind {
            DATA => Some((header.structure(5).ok_or("its header is incomplete")?, 2)),
            DATA_V2 => Some((header.structure(8).ok_or("its header is incomplete")?, 4)),
            _ => None,
        };
        if let (DATA_V2, Some((data, _))) = (kind, data) {
            let number = |id| data.number(id).filter(|number| *number >= 0).ok_or("its header is incomplete");
            let levels = number(5)?.saturating_add(number(6)?);
            if levels > packed.min(unpacked) || number(2)? > number(1)? {
                return Err("its header has more levels or nulls than there can be");
            }
        }
        let (values, encoding) = match data {
            Some((data, encoding)) => (data.number(1).unwrap_or(-1), data.number(encoding)),
            None => (0, None),
        };
        if values < 0 {
            return Err("its header has no number of values");
        }
        Ok(Self {
            is_dictionary: kind == DICTIONARY,
            // PLAIN_DICTIONARY and RLE_DICTIONARY.
            has_codes: matches!(encoding, Some(2 | 8)),
            // DELTA_BYTE_ARRAY.
            shares_bytes: encoding == Some(7),
            values,
            packed_bytes,
            unpacked_bytes: usize::try_from(unpacked).unwrap_or(usize::MAX),
            // A signed number holds it.
            checksum: header.number(4).and_then(|crc| u32::try_from(crc & 0xFFFF_FFFF).ok()),
        })
    }
}

/// CRC-32 of the next bytes, as gzip has it.
fn checksum(bytes: &mut impl Read, count: u64) -> std::io::Result<u32> {
    let (mut crc, mut left, mut buffer) = (Crc::new(), count, vec![0; BUFFER_BYTES]);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        bytes.read_exact(part)?;
        crc.update(part);
        left -= wanted as u64;
    }
    Ok(crc.sum())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};

    use super::*;

    /// Numbers of a page header: type, sizes, checksum, number of values, encoding.
    struct Header {
        kind: u8,
        unpacked: u8,
        packed: u8,
        crc: Option<u32>,
        values: u8,
        encoding: u8,
    }

    const GOOD: Header = Header { kind: 0, unpacked: 4, packed: 4, crc: None, values: 4, encoding: 0 };

    /// A header in Thrift's compact protocol; numbers are below 64.
    fn bytes_of(header: &Header) -> Vec<u8> {
        let zigzag = |number: u8| number * 2;
        let mut bytes = vec![0x15, zigzag(header.kind), 0x15, zigzag(header.unpacked), 0x15, zigzag(header.packed)];
        if let Some(crc) = header.crc {
            bytes.push(0x15);
            let signed = i64::from(crc.cast_signed());
            let mut zigzag = ((signed << 1) ^ (signed >> 63)).cast_unsigned();
            while zigzag >= 0x80 {
                bytes.push(u8::try_from(zigzag & 0x7F).unwrap() | 0x80);
                zigzag >>= 7;
            }
            bytes.push(u8::try_from(zigzag).unwrap());
        }
        // Field 5, a structure with the number of values, the encoding and the encodings of the levels.
        let skipped = if header.crc.is_some() { 0x1C } else { 0x2C };
        bytes.extend([skipped, 0x15, zigzag(header.values), 0x15, zigzag(header.encoding), 0x15, 6, 0x15, 6, 0, 0]);
        bytes
    }

    fn check(pages: &[(Header, &[u8])], values: i64, expected: Option<&str>) {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> =
            pages.iter().flat_map(|(header, page)| [bytes_of(header), page.to_vec()].concat()).collect();
        file.write_all(b"PAR1").unwrap();
        file.write_all(&bytes).unwrap();
        let leaf = Type::primitive_type_builder("x", Physical::INT32).build().unwrap();
        let column = ColumnDescriptor::new(Arc::new(leaf), 0, 0, ColumnPath::from("x"));
        let chunk = ColumnChunkMetaData::builder(Arc::new(column))
            .set_data_page_offset(4)
            .set_total_compressed_size(i64::try_from(bytes.len()).unwrap())
            .set_num_values(values)
            .build()
            .unwrap();
        let found = check_pages(&file, &chunk, 1).err().map(|fault| fault.to_string());
        match (&found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}, not {expected}"),
            _ => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn pages_that_contradict_themselves_are_refused() {
        let mut crc = Crc::new();
        crc.update(b"page");
        let crc = Some(crc.sum());
        check(&[(GOOD, b"page")], 4, None);
        check(&[(Header { crc, ..GOOD }, b"page"), (GOOD, b"more")], 8, None);
        check(&[(GOOD, b"more"), (Header { crc, ..GOOD }, b"pace")], 8, Some("is damaged: its checksum is another"));
        check(&[(Header { crc: Some(0), ..GOOD }, b"page")], 4, Some("its checksum is another"));
        check(&[(GOOD, b"page")], 3, Some("has 3 values, but its pages have 4"));
        check(&[(GOOD, b"page")], 5, Some("its header: "));
        check(&[(Header { packed: 5, ..GOOD }, b"page")], 4, Some("has a size that cannot be"));
        check(&[(Header { encoding: 8, ..GOOD }, b"page")], 4, Some("refers to a dictionary"));
        check(&[(Header { kind: 3, ..GOOD }, b"page")], 4, Some("its header is incomplete"));
        check(&[(Header { kind: 2, values: 1, ..GOOD }, b"dict"), (Header { encoding: 2, ..GOOD }, b"page")], 4, None);
    }
}
