//! The members of a zip archive, found by the directory at its end.
//!
//! Nothing of it is in memory but the directory. Members must not share bytes: with that, a deflated byte becomes 1032
//! at most, and the sizes in the directory bound what is read, because a member with other bytes is refused.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::vec;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use sluice_core::files::FileSelection;
use tempfile::NamedTempFile;

use super::error::ArchiveError;
use super::fault::{ArchiveFault, FaultSlot};
use super::member::{
    DAMAGED_MEMBER, Member, REPEATED_MEMBER, TOO_LONG_NAME, check_unpacked, is_name_too_long, is_taken,
};
use super::options::ArchiveLimits;
use crate::source::zip_end::ZipEnd;
use crate::source::zip_entry::ZipEntry;

/// What a zip archive begins with, also one without members, and one that is, or might have been, split.
pub(super) const BEGINNINGS: [&[u8]; 3] = [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"];

/// A zip archive, and those of its members that are still to be read.
pub(super) struct ZipMembers {
    path: PathBuf,
    /// The file at the path, where it is a copy that goes away with this.
    _copy: Option<NamedTempFile>,
    entries: vec::IntoIter<ZipEntry>,
    count: u64,
    first: String,
    fault: FaultSlot,
}

impl ZipMembers {
    /// Opens the archive that is in this file.
    pub(super) fn open(path: PathBuf, members: &FileSelection, limits: ArchiveLimits) -> Result<Self, ArchiveError> {
        Self::of(path, None, members, limits)
    }

    /// Opens the archive that comes as a stream, as a copy of it on this machine: its directory is at its end.
    pub(super) fn copied(
        stream: impl Read,
        members: &FileSelection,
        limits: ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        let mut copy = tempfile::Builder::new().prefix("sluice-").tempfile()?;
        let size = io::copy(&mut stream.take(limits.copied_bytes.saturating_add(1)), &mut copy)?;
        copy.flush()?;
        if size > limits.copied_bytes {
            let (what, limit) = ("bytes or more as a zip archive that is copied to this machine", limits.copied_bytes);
            return Err(ArchiveFault::TooLarge { what, size, limit }.into());
        }
        Self::of(copy.path().to_owned(), Some(copy), members, limits)
    }

    fn of(
        path: PathBuf,
        copy: Option<NamedTempFile>,
        members: &FileSelection,
        limits: ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        let mut file = File::open(&path)?;
        let size_bytes = file.seek(SeekFrom::End(0))?;
        let all = directory(&mut file, size_bytes, limits)?;
        if all.iter().any(|entry| entry.name == "[Content_Types].xml") {
            let is_workbook = all.iter().any(|entry| entry.name.starts_with("xl/"));
            return Err(if is_workbook { ArchiveFault::Workbook } else { ArchiveFault::Document }.into());
        }
        check_apart(&all, size_bytes)?;
        let count = all.iter().filter(|entry| !entry.is_folder()).count() as u64;
        let first = all.iter().find(|entry| !entry.is_folder()).map(|entry| entry.name.clone()).unwrap_or_default();
        let taken = |entry: &ZipEntry| entry.is_file() && is_taken(members, &entry.name);
        let entries: Vec<ZipEntry> = all.into_iter().filter(taken).collect();
        check_taken(&entries)?;
        let unpacked = entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.unpacked_bytes));
        check_unpacked(size_bytes, unpacked, limits)?;
        Ok(Self { path, _copy: copy, entries: entries.into_iter(), count, first, fault: FaultSlot::default() })
    }

    /// How many members the archive has, and the name of the first.
    pub(super) fn all(&self) -> (u64, &str) {
        (self.count, &self.first)
    }

    /// The next member that is taken.
    pub(super) fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        let stored = match entry.stored(File::open(&self.path)?) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            stored => stored?,
        };
        let stored = stored.ok_or(ArchiveFault::Directory { problem: "leads to no member" })?;
        let packed: Box<dyn Read + Send> =
            if entry.method == DEFLATED { Box::new(DeflateDecoder::new(stored)) } else { Box::new(stored) };
        let (name, size_bytes, fault) = (entry.name.clone(), entry.unpacked_bytes, self.fault.clone());
        let stream = Content { packed, entry, crc: Crc::new(), read_bytes: 0, fault: fault.clone() };
        Ok(Some(Member { name, size_bytes, stream: Box::new(stream), fault }))
    }
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why a member cannot be read.
fn problem(entry: &ZipEntry) -> Option<&'static str> {
    /// Flags of content that is encrypted.
    const ENCRYPTED: u16 = 1 | 1 << 6;
    if is_name_too_long(&entry.name) {
        return Some(TOO_LONG_NAME);
    }
    if entry.flags & ENCRYPTED != 0 {
        return Some("is encrypted; deliver the archive without a password");
    }
    match entry.method {
        STORED if entry.packed_bytes != entry.unpacked_bytes => Some(DAMAGED_MEMBER),
        STORED | DEFLATED => None,
        9 => Some("is packed with Deflate64, which is not read; pack it with deflate"),
        12 => Some("is packed with bzip2, which is not read; pack it with deflate"),
        14 => Some("is packed with LZMA, which is not read; pack it with deflate"),
        93 => Some("is packed with Zstandard inside the zip archive, which is not read; pack it with deflate"),
        95 => Some("is packed with xz, which is not read; pack it with deflate"),
        99 => Some("is encrypted; deliver the archive without a password"),
        _ => Some("is packed with a method that is not read; pack it with deflate"),
    }
}

/// The entries of the archive's directory.
fn directory(file: &mut File, size_bytes: u64, limits: ArchiveLimits) -> Result<Vec<ZipEntry>, ArchiveError> {
    /// Largest directory: 10,000 entries with 1600 bytes each, of which a name has 100 as a rule.
    const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
    let damaged = |problem| ArchiveError::Fault(ArchiveFault::Directory { problem });
    let end = ZipEnd::find(file, size_bytes)?;
    let ZipEnd { entries, size, offset, behind } = end;
    if entries > limits.members {
        let (what, limit) = ("members", limits.members);
        return Err(ArchiveFault::TooLarge { what, size: entries, limit }.into());
    }
    if offset.saturating_add(size) > size_bytes {
        return Err(damaged("is not where the end of the file says"));
    }
    // Of two archives one behind the other, the end of the second could lead to the directory of the first.
    if offset.saturating_add(size) != behind {
        return Err(damaged("and the end of the file are apart: bytes were put before or into the archive"));
    }
    if size > MAX_DIRECTORY_BYTES {
        let (what, limit) = ("bytes of a directory", MAX_DIRECTORY_BYTES);
        return Err(ArchiveFault::TooLarge { what, size, limit }.into());
    }
    let all = ZipEntry::read_all(file, end)?;
    if all.len() as u64 != entries {
        return Err(damaged("has another number of members than it says"));
    }
    Ok(all)
}

/// Refuses members that cannot be read, and those of one name: nobody could say which of them is meant.
fn check_taken(entries: &[ZipEntry]) -> Result<(), ArchiveFault> {
    let mut names = HashSet::new();
    for entry in entries {
        if !names.insert(entry.name.as_str()) {
            return Err(ArchiveFault::member(&entry.name, REPEATED_MEMBER));
        }
        if let Some(problem) = problem(entry) {
            return Err(ArchiveFault::member(&entry.name, problem));
        }
    }
    Ok(())
}

/// Refuses entries that share bytes: with them, a small archive could have any number of large members.
fn check_apart(entries: &[ZipEntry], size_bytes: u64) -> Result<(), ArchiveError> {
    /// Bytes of a member's header without its name.
    const HEADER: u64 = 30;
    let mut places: Vec<(u64, u64)> = entries.iter().map(|entry| (entry.header, entry.packed_bytes)).collect();
    places.sort_unstable();
    let mut free = 0;
    for (begin, packed) in places {
        if begin < free {
            return Err(ArchiveFault::Directory { problem: "has members that share bytes" }.into());
        }
        free = begin.saturating_add(HEADER).saturating_add(packed);
        if free > size_bytes {
            return Err(ArchiveFault::Directory { problem: "leads to no member" }.into());
        }
    }
    Ok(())
}

/// The content of a member, which is what the directory says, or ends with an error.
struct Content {
    packed: Box<dyn Read + Send>,
    entry: ZipEntry,
    crc: Crc,
    read_bytes: u64,
    fault: FaultSlot,
}

impl Content {
    fn damaged(&self) -> io::Error {
        self.fault.fail(ArchiveFault::member(&self.entry.name, DAMAGED_MEMBER))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.packed.read(buffer) {
            Ok(count) => count,
            // The decoder reports damage as one of these; anything else is the file below it.
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    return Err(self.damaged());
                }
                _ => return Err(error),
            },
        };
        self.crc.update(buffer.get(..count).unwrap_or_default());
        self.read_bytes += count as u64;
        let is_at_end = count == 0 && !buffer.is_empty();
        let is_whole = self.read_bytes == self.entry.unpacked_bytes && self.crc.sum() == self.entry.crc;
        if self.read_bytes > self.entry.unpacked_bytes || (is_at_end && !is_whole) {
            return Err(self.damaged());
        }
        Ok(count)
    }
}
