//! The entries of the directory of a zip archive, and the bytes that they lead to.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};

use super::zip_end::{ZipEnd, ZipEndError, extra_fields, large_sizes, u16_at, u32_at};

/// What is wrong with a directory whose bytes are no entries.
pub(super) const UNREADABLE: &str = "has an entry that cannot be read";

/// An entry of the directory.
#[derive(Debug)]
pub(super) struct ZipEntry {
    /// With `/` between folders: some programs of Windows write its own separator.
    pub(super) name: String,
    /// Whether it has another name, which some readers take in the place of this one.
    pub(super) has_other_name: bool,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed_bytes: u64,
    pub(super) unpacked_bytes: u64,
    /// Offset of its header in the file.
    pub(super) header: u64,
    /// Kind of the file, as Unix has it; 0 where that is not known.
    pub(super) kind: u32,
}

impl ZipEntry {
    /// The entries of the directory that an end leads to. The caller bounds its size.
    pub(super) fn read_all(file: &mut File, end: ZipEnd) -> Result<Vec<Self>, ZipEndError> {
        file.seek(SeekFrom::Start(end.offset))?;
        let mut bytes = Vec::new();
        file.take(end.size).read_to_end(&mut bytes)?;
        let (mut all, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (entry, after) = Self::first(rest).ok_or(ZipEndError::Damaged(UNREADABLE))?;
            all.push(entry);
            rest = after;
        }
        Ok(all)
    }

    /// The first entry of a directory, and what comes after it.
    fn first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        /// The system whose kinds of files are known.
        const UNIX: u8 = 3;
        /// The number of a field with another name.
        const OTHER_NAME: u16 = 0x7075;
        let fixed = bytes.get(..46).filter(|fixed| fixed.starts_with(b"PK\x01\x02"))?;
        let length = |at| u16_at(fixed, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let (name, rest) = bytes.get(46..)?.split_at_checked(name)?;
        let (extra, rest) = rest.split_at_checked(extra)?;
        let (_, rest) = rest.split_at_checked(comment)?;
        let has_other_name = extra_fields(extra).any(|(id, _)| id == OTHER_NAME);
        let mut large = large_sizes(extra)?;
        let mut size = |at| match u32_at(fixed, at)? {
            u32::MAX => large.next(),
            size => Some(u64::from(size)),
        };
        let (unpacked_bytes, packed_bytes, header) = (size(24)?, size(20)?, size(42)?);
        let is_of_unix = fixed.get(5) == Some(&UNIX);
        let kind = if is_of_unix { (u32_at(fixed, 38)? >> 16) & 0o170_000 } else { 0 };
        let name = String::from_utf8_lossy(name).replace('\\', "/");
        let (flags, method, crc) = (u16_at(fixed, 8)?, u16_at(fixed, 10)?, u32_at(fixed, 16)?);
        Some((Self { name, has_other_name, flags, method, crc, packed_bytes, unpacked_bytes, header, kind }, rest))
    }

    pub(super) fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Whether it is neither a folder nor a link.
    pub(super) fn is_file(&self) -> bool {
        const FILE: u32 = 0o100_000;
        !self.is_folder() && matches!(self.kind, 0 | FILE)
    }

    /// Its content as it is stored in this file; `None` where the entry does not lead to a header.
    pub(super) fn stored<F: Read + Seek>(&self, mut file: F) -> io::Result<Option<Take<F>>> {
        let mut header = [0; 30];
        file.seek(SeekFrom::Start(self.header))?;
        file.read_exact(&mut header)?;
        let (Some(name), Some(extra)) = (u16_at(&header, 26), u16_at(&header, 28)) else { return Ok(None) };
        if !header.starts_with(b"PK\x03\x04") {
            return Ok(None);
        }
        file.seek_relative(i64::from(name) + i64::from(extra))?;
        Ok(Some(file.take(self.packed_bytes)))
    }
}
