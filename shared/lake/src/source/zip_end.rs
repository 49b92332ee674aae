//! Where the directory of a zip archive is: at its end, which may be of 32 or 64 bits.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use memchr::memmem;

/// Where the directory of a zip archive is.
#[derive(Debug, Clone, Copy)]
pub(super) struct ZipEnd {
    /// How many entries it has.
    pub(super) entries: u64,
    /// Its bytes.
    pub(super) size: u64,
    /// The first of them.
    pub(super) offset: u64,
    /// The first byte of the records behind the directory, where it ends.
    pub(super) behind: u64,
}

/// Why the end cannot be read.
#[derive(Debug)]
pub(super) enum ZipEndError {
    /// The file cannot be read.
    Io(io::Error),
    /// What is wrong with the directory.
    Damaged(&'static str),
}

impl From<io::Error> for ZipEndError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ZipEnd {
    /// Reads the end of an archive of this size.
    pub(super) fn find(file: &mut File, size_bytes: u64) -> Result<Self, ZipEndError> {
        /// Bytes of the end record without its comment.
        const RECORD: usize = 22;
        /// Bytes of the record that leads to a large directory.
        const LARGE_RECORD: usize = 56;
        /// Those with the longest comment, and those of the record before it that leads to a large directory.
        const LONGEST: u64 = 22 + 65_535 + 20;
        let start = size_bytes.saturating_sub(LONGEST);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.by_ref().take(LONGEST).read_to_end(&mut tail)?;
        let is_end = |at: &usize| {
            let comment = u16_at(&tail, at + 20).map(usize::from);
            comment.is_some_and(|comment| at + RECORD + comment == tail.len())
        };
        // The last one alone: the library takes that, even where something comes after its comment.
        let found = memmem::rfind(&tail, b"PK\x05\x06").filter(is_end);
        let at = found.ok_or(ZipEndError::Damaged("is missing"))?;
        let is_locator = |before: &usize| tail.get(*before..).is_some_and(|rest| rest.starts_with(b"PK\x06\x07"));
        let locator = at.checked_sub(20).filter(is_locator);
        // Some programs write the records of a large directory also where a small one does.
        let behind = start + locator.map_or(at, |before| before.saturating_sub(LARGE_RECORD)) as u64;
        let small = || {
            let (entries, size, offset) = (u16_at(&tail, at + 10)?, u32_at(&tail, at + 12)?, u32_at(&tail, at + 16)?);
            Some(Self { entries: entries.into(), size: size.into(), offset: offset.into(), behind })
        };
        let small = small().ok_or(ZipEndError::Damaged("is cut off"))?;
        let is_large = small.entries == u64::from(u16::MAX)
            || small.size == u64::from(u32::MAX)
            || small.offset == u64::from(u32::MAX);
        if !is_large {
            return Ok(small);
        }
        let Some((before, offset)) = locator.and_then(|before| Some((before, u64_at(&tail, before + 8)?))) else {
            return Ok(small);
        };
        if offset >= size_bytes {
            return Err(ZipEndError::Damaged("is not where the end of the file says"));
        }
        let mut record = [0; LARGE_RECORD];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut record)?;
        let large = || {
            let of = record.starts_with(b"PK\x06\x06").then_some(record.as_slice())?;
            // It ends where the locator begins: otherwise the library goes on to another record.
            let end = offset.checked_add(12)?.checked_add(u64_at(of, 4)?)?;
            (end == start + before as u64).then_some(())?;
            Some(Self { entries: u64_at(of, 32)?, size: u64_at(of, 40)?, offset: u64_at(of, 48)?, behind: offset })
        };
        large().ok_or(ZipEndError::Damaged("is not where the end of the file says"))
    }
}

/// The numbers of 64 bits that an entry has where those of 32 bits do not suffice; `None` where it has them twice.
pub(super) fn large_sizes(extra: &[u8]) -> Option<impl Iterator<Item = u64>> {
    let mut fields = extra_fields(extra).filter(|(id, _)| *id == 1).map(|(_, field)| field);
    let sizes = fields.next().unwrap_or_default();
    let is_clear = fields.next().is_none();
    is_clear.then(move || (0..sizes.len() / 8).filter_map(move |index| u64_at(sizes, index * 8)))
}

/// What an entry has in addition: a number for what it is, and its bytes.
pub(super) fn extra_fields(extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = extra;
    std::iter::from_fn(move || {
        let (id, length) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
        let (field, after) = rest.get(4..)?.split_at_checked(length.into())?;
        rest = after;
        Some((id, field))
    })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
