//! The container of records: a header with the schema, then blocks of records, each packed by itself and followed by a
//! marker that is the same in the whole file.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use super::fault::AvroFault;
use super::schema::Schema;

/// What a file begins with.
const MAGIC: &[u8] = b"Obj\x01";
/// Bytes of the marker behind each block.
const MARKER_BYTES: usize = 16;
/// Most bytes of the header's names and values; the schema is one of them.
const MAX_HEADER_BYTES: usize = 16 << 20;
/// How many of the largest records a block may be, as stored and unpacked: it is in memory as a whole.
const LARGEST_RECORDS: usize = 4;

const ENDS_EARLY: &str = "ends early";
const TOO_LARGE: &str = "has a size that is negative or too large (256 MiB, as stored and unpacked)";
const DAMAGED: &str = "cannot be unpacked";

/// Why no more is read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The bytes stopped coming.
    Io(io::Error),
    /// The file is at fault.
    Fault(AvroFault),
}

impl From<AvroFault> for ReadError {
    fn from(fault: AvroFault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a part of the file cannot be read.
enum Torn {
    Io(io::Error),
    /// What is wrong, after the name of the part.
    Problem(&'static str),
}

impl From<io::Error> for Torn {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Torn {
    fn within(self, fault: impl FnOnce(&'static str) -> AvroFault) -> ReadError {
        match self {
            Self::Io(error) => ReadError::Io(error),
            Self::Problem(problem) => ReadError::Fault(fault(problem)),
        }
    }

    fn in_header(self) -> ReadError {
        self.within(|problem| AvroFault::Header { problem })
    }
}

/// Reads the header of a file, whose records have at most `record_bytes`; `None` for one without a byte.
pub(super) fn open(stream: Box<dyn Read + Send>, record_bytes: usize) -> Result<Option<(Schema, Blocks)>, ReadError> {
    let mut input = Input { stream: BufReader::new(stream), offset: 0 };
    let magic = input.take(MAGIC.len()).map_err(ReadError::Io)?;
    if magic.is_empty() {
        return Ok(None);
    }
    if magic != MAGIC {
        return Err(AvroFault::NotAvro.into());
    }
    let entries = header(&mut input).map_err(Torn::in_header)?;
    let marker = input.exact(MARKER_BYTES).map_err(Torn::in_header)?;
    let codec = Codec::named(entries.get(b"avro.codec".as_slice()))?;
    let text = entries.get(b"avro.schema".as_slice()).ok_or(AvroFault::Header { problem: "has no schema" })?;
    let limit_bytes = record_bytes.saturating_mul(LARGEST_RECORDS);
    let blocks = Blocks { input, codec, marker, limit_bytes, number: 0, announced: (0, 0) };
    Ok(Some((Schema::parse(text)?, blocks)))
}

/// The names and values of a header.
fn header(input: &mut Input) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Torn> {
    let (mut entries, mut left) = (BTreeMap::new(), MAX_HEADER_BYTES);
    let mut sized = |input: &mut Input| -> Result<Vec<u8>, Torn> {
        let size = usize::try_from(input.long()?).ok().filter(|size| *size <= left);
        let size = size.ok_or(Torn::Problem("has a value of a negative size, or more than 16 MiB"))?;
        left -= size;
        input.exact(size)
    };
    loop {
        let count = input.long()?;
        if count == 0 {
            return Ok(entries);
        }
        if count < 0 {
            // The bytes of what follows, for readers that pass over it.
            input.long()?;
        }
        for _ in 0..count.unsigned_abs() {
            let name = sized(input)?;
            let value = sized(input)?;
            entries.insert(name, value);
        }
    }
}

/// A block of records.
#[derive(Debug)]
pub(super) struct Block {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Where it begins in the file.
    pub(super) begin: u64,
    /// How many records it has.
    pub(super) records: u64,
    /// Their bytes, unpacked.
    pub(super) bytes: Vec<u8>,
}

/// The blocks of a file, one after the other.
pub(super) struct Blocks {
    input: Input,
    codec: Codec,
    marker: Vec<u8>,
    limit_bytes: usize,
    /// Blocks that were begun.
    number: u64,
    /// What the last of them says of itself.
    announced: (u64, u64),
}

impl Blocks {
    /// The next block; `None` at the end of the file. The one before it has to be given up: one is in memory at a time.
    pub(super) fn next(&mut self) -> Result<Option<Block>, ReadError> {
        let begin = self.input.offset;
        let number = self.number + 1;
        match self.read_block() {
            Ok(None) => Ok(None),
            Ok(Some((records, bytes))) => Ok(Some(Block { number, begin, records, bytes })),
            Err(torn) => Err(torn.within(|problem| AvroFault::Block { number, begin, problem })),
        }
    }

    /// Bytes of the file that were read.
    pub(super) fn offset(&self) -> u64 {
        self.input.offset
    }

    /// The records and bytes that the last block says it has, whether it was read to its end or not.
    pub(super) fn announced(&self) -> (u64, u64) {
        self.announced
    }

    fn read_block(&mut self) -> Result<Option<(u64, Vec<u8>)>, Torn> {
        let Some(records) = self.input.long_or_end()? else { return Ok(None) };
        self.number += 1;
        let size = self.input.long()?;
        let records = u64::try_from(records).map_err(|_| Torn::Problem("has a negative number of records"))?;
        let size = usize::try_from(size).ok().filter(|size| *size <= self.limit_bytes);
        let size = size.ok_or(Torn::Problem(TOO_LARGE))?;
        self.announced = (records, size as u64);
        let stored = self.input.exact(size)?;
        if self.input.exact(MARKER_BYTES)? != self.marker {
            return Err(Torn::Problem("does not end with the marker of the file"));
        }
        let bytes = self.codec.unpack(stored, self.limit_bytes)?;
        // A record of nothing but nulls has no byte: such ones could be without end.
        if records > bytes.len() as u64 {
            return Err(Torn::Problem("says that it has more records than bytes"));
        }
        Ok(Some((records, bytes)))
    }
}

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

impl Codec {
    fn named(name: Option<&Vec<u8>>) -> Result<Self, AvroFault> {
        match name.map_or(b"null".as_slice(), Vec::as_slice) {
            b"null" => Ok(Self::Null),
            b"deflate" => Ok(Self::Deflate),
            b"snappy" => Ok(Self::Snappy),
            b"zstandard" => Ok(Self::Zstandard),
            other => Err(AvroFault::Codec { codec: String::from_utf8_lossy(other).chars().take(40).collect() }),
        }
    }

    fn unpack(self, stored: Vec<u8>, limit_bytes: usize) -> Result<Vec<u8>, Torn> {
        match self {
            Self::Null => Ok(stored),
            Self::Deflate => unpack(flate2::read::DeflateDecoder::new(stored.as_slice()), limit_bytes),
            Self::Snappy => unpack_snappy(&stored, limit_bytes),
            Self::Zstandard => match zstd::stream::read::Decoder::with_buffer(stored.as_slice()) {
                Ok(decoder) => unpack(decoder, limit_bytes),
                Err(_) => Err(Torn::Problem(DAMAGED)),
            },
        }
    }
}

fn unpack(content: impl Read, limit_bytes: usize) -> Result<Vec<u8>, Torn> {
    let mut bytes = Vec::new();
    let most = (limit_bytes as u64).saturating_add(1);
    content.take(most).read_to_end(&mut bytes).map_err(|_| Torn::Problem(DAMAGED))?;
    if bytes.len() > limit_bytes { Err(Torn::Problem(TOO_LARGE)) } else { Ok(bytes) }
}

/// Behind the packed bytes is the CRC-32 of those that they unpack to.
fn unpack_snappy(stored: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Torn> {
    let (packed, sum) = stored.split_last_chunk::<4>().ok_or(Torn::Problem(DAMAGED))?;
    let size = snap::raw::decompress_len(packed).map_err(|_| Torn::Problem(DAMAGED))?;
    if size > limit_bytes {
        return Err(Torn::Problem(TOO_LARGE));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| Torn::Problem(DAMAGED))?;
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    if crc.sum() != u32::from_be_bytes(*sum) {
        return Err(Torn::Problem("has another check sum than its bytes"));
    }
    Ok(bytes)
}

/// The bytes of a file.
struct Input {
    stream: BufReader<Box<dyn Read + Send>>,
    /// How many were read.
    offset: u64,
}

impl Input {
    /// The next byte; `None` at the end.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.stream.fill_buf() {
                Ok(bytes) => {
                    let byte = bytes.first().copied();
                    if byte.is_some() {
                        self.stream.consume(1);
                        self.offset += 1;
                    }
                    return Ok(byte);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// So many bytes; fewer only at the end. Memory grows with what comes and not with what is asked for.
    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }

    fn exact(&mut self, count: usize) -> Result<Vec<u8>, Torn> {
        let bytes = self.take(count)?;
        if bytes.len() == count { Ok(bytes) } else { Err(Torn::Problem(ENDS_EARLY)) }
    }

    /// A number; `None` where the file ends before it.
    fn long_or_end(&mut self) -> Result<Option<i64>, Torn> {
        let mut number = VarInt::default();
        let Some(mut byte) = self.byte()? else { return Ok(None) };
        loop {
            if let Some(number) = number.take(byte).map_err(Torn::Problem)? {
                return Ok(Some(number));
            }
            byte = self.byte()?.ok_or(Torn::Problem(ENDS_EARLY))?;
        }
    }

    fn long(&mut self) -> Result<i64, Torn> {
        self.long_or_end()?.ok_or(Torn::Problem(ENDS_EARLY))
    }
}

/// A number of variable length in the making: seven bits a byte, the lowest first, with the sign in the lowest bit.
#[derive(Debug, Default)]
pub(super) struct VarInt {
    bits: u64,
    shift: u32,
}

impl VarInt {
    /// Takes the next byte, and gives the number with its last one.
    ///
    /// # Errors
    /// What is wrong, for a number that 64 bits do not have.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<i64>, &'static str> {
        // The tenth byte has the last bit of 64, and is the last.
        if self.shift == 63 && byte > 1 {
            return Err("has a number of more than 64 bits");
        }
        self.bits |= u64::from(byte & 0x7F) << self.shift;
        self.shift += 7;
        let is_last = byte & 0x80 == 0;
        Ok(is_last.then(|| (self.bits >> 1).cast_signed() ^ -(self.bits & 1).cast_signed()))
    }
}
