//! The zip archive of a workbook: what it is, and that it is not too large, before anything of it is in memory.
//!
//! The sizes in the directory refuse what is too large at once. They may be wrong, so the parts are unpacked once and
//! their bytes counted: what the library reads afterwards is no larger.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use flate2::read::DeflateDecoder;
use memchr::{memchr, memchr_iter, memmem};
use sluice_core::source::Codec;

use super::fault::XlsxFault;
use crate::source::zip_end::{ZipEnd, ZipEndError};
use crate::source::zip_entry::{UNREADABLE, ZipEntry};

/// Most bytes of a workbook. Tests make them small.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackageLimits {
    /// As stored.
    pub(super) stored: u64,
    /// All parts together, unpacked.
    pub(super) parts: u64,
    /// The texts that cells share, unpacked: they are kept in memory, in which they take about three times as much.
    pub(super) texts: u64,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self { stored: 1 << 30, parts: 1 << 30, texts: 256 << 20 }
    }
}

/// What a workbook has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Package {
    /// Bytes of its sheets and of the texts that cells share, unpacked.
    pub(super) cell_bytes: u64,
    /// Those of the texts.
    pub(super) text_bytes: u64,
    /// The largest number of a formula that cells share.
    pub(super) formulas: u64,
}

/// Why a file is not taken for a workbook.
#[derive(Debug)]
pub(super) enum PackageError {
    /// The file cannot be read.
    Io(io::Error),
    /// It is at fault.
    Fault(XlsxFault),
}

impl From<io::Error> for PackageError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { damaged("ends early") } else { Self::Io(error) }
    }
}

impl From<ZipEndError> for PackageError {
    fn from(error: ZipEndError) -> Self {
        match error {
            ZipEndError::Io(error) => error.into(),
            ZipEndError::Damaged(problem) => damaged(problem),
        }
    }
}

impl From<XlsxFault> for PackageError {
    fn from(fault: XlsxFault) -> Self {
        Self::Fault(fault)
    }
}

fn damaged(problem: &'static str) -> PackageError {
    PackageError::Fault(XlsxFault::Directory { problem })
}

/// Fewest bytes of a text: `<si/>`. The library takes memory for as many texts as they announce, so these must fit into
/// them.
const TEXT_BYTES: u64 = 5;
/// Most bytes from one tag to the next: the library has what is between them in memory several times.
const MAX_RUN_BYTES: u64 = 64 << 20;
/// Most bytes that styles, names and links may take in memory: the library copies them, such as the name of a font for
/// each format of cells that uses it. Those of a large real workbook are some MB.
const MAX_KEPT_BYTES: u64 = 1 << 30;
/// Memory of a tag of these at least.
const KEPT_TAG_BYTES: u64 = 512;

/// Checks that a file is a workbook of bearable size.
pub(super) fn check(file: &mut File, limits: PackageLimits) -> Result<Package, PackageError> {
    check_beginning(file)?;
    let size_bytes = file.seek(SeekFrom::End(0))?;
    check_stored(limits, size_bytes)?;
    let parts = directory(file, size_bytes)?;
    check_names(&parts)?;
    let announced = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.0.unpacked_bytes));
    refuse_above(limits.parts, announced, "parts")?;
    let texts: u64 = parts.iter().filter(|part| part.has_texts()).map(|part| part.0.unpacked_bytes).sum();
    refuse_above(limits.texts, texts, "shared texts")?;
    let (mut left, mut package) = (limits.parts, Package { cell_bytes: 0, text_bytes: 0, formulas: 0 });
    for part in &parts {
        let most = if part.has_texts() { left.min(limits.texts) } else { left };
        let Counted { bytes: counted, largest, tags, longest_run, .. } = part.count(file, most)?;
        let what = if part.has_texts() && most < left { "shared texts" } else { "parts" };
        if counted > most {
            let limit_bytes = if what == "parts" { limits.parts } else { limits.texts };
            let fault = XlsxFault::TooLarge { what, size_bytes: limit_bytes, is_least: true, limit_bytes };
            return Err(fault.into());
        }
        left -= counted;
        if part.has_cells() {
            refuse_above(MAX_RUN_BYTES, longest_run, "a text")?;
        } else if part.is_kept() {
            let kept = tags.saturating_mul(longest_run.max(KEPT_TAG_BYTES));
            refuse_above(MAX_KEPT_BYTES, kept, "styles, names and links")?;
        }
        if part.has_texts() && largest > counted / TEXT_BYTES {
            return Err(XlsxFault::SharedTexts { announced: largest }.into());
        }
        package.formulas = package.formulas.max(if part.has_texts() { 0 } else { largest });
        package.cell_bytes += if part.has_cells() { counted } else { 0 };
        package.text_bytes += if part.has_texts() { counted } else { 0 };
    }
    Ok(package)
}

/// Refuses a file that is too large as it is stored.
pub(super) fn check_stored(limits: PackageLimits, size_bytes: u64) -> Result<(), XlsxFault> {
    refuse_above(limits.stored, size_bytes, "a file")
}

fn refuse_above(limit_bytes: u64, size_bytes: u64, what: &'static str) -> Result<(), XlsxFault> {
    if size_bytes <= limit_bytes {
        return Ok(());
    }
    Err(XlsxFault::TooLarge { what, size_bytes, is_least: false, limit_bytes })
}

/// Refuses what does not begin like a zip archive. An empty file is the caller's.
fn check_beginning(file: &mut File) -> Result<(), PackageError> {
    let mut first = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref().take(4).read_to_end(&mut first)?;
    if first.starts_with(b"PK") {
        return Ok(());
    }
    if first.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(ole_fault(file)?.into());
    }
    match Codec::of(&first) {
        Codec::Plain => Err(XlsxFault::NotZip.into()),
        codec => Err(XlsxFault::Packed { codec }.into()),
    }
}

/// What a file in the container of old workbooks is: protected ones are in one, too.
fn ole_fault(file: &mut File) -> io::Result<XlsxFault> {
    /// The directory is in the first bytes of most; of a very large one only its end would tell.
    const SOUGHT_BYTES: u64 = 64 << 20;
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bytes = Vec::new();
    file.take(SOUGHT_BYTES).read_to_end(&mut bytes)?;
    Ok(match memmem::find(&bytes, &name) {
        Some(_) => XlsxFault::Protected,
        None => XlsxFault::Other { what: "a workbook of an old Excel (.xls), or another OLE file" },
    })
}

/// Refuses archives of something else, and those in which it depends on the reader what a part is.
fn check_names(parts: &[Part]) -> Result<(), PackageError> {
    let mut names = HashSet::new();
    for part in parts {
        if !names.insert(part.0.name.as_str()) {
            return Err(damaged("has a part twice"));
        }
    }
    let what = if names.contains("xl/workbook.bin") {
        "a binary workbook (.xlsb)"
    } else if names.contains("content.xml") {
        "an OpenDocument file"
    } else if !names.contains("_rels/.rels") {
        "a zip archive without a workbook"
    } else {
        return Ok(());
    };
    Err(XlsxFault::Other { what }.into())
}

/// A part of the workbook: an entry of the directory. Its name is in lower case: the library does not distinguish more.
#[derive(Debug)]
struct Part(ZipEntry);

impl Part {
    fn of(mut entry: ZipEntry) -> Self {
        entry.name = entry.name.to_lowercase();
        Self(entry)
    }

    fn has_texts(&self) -> bool {
        self.0.name.ends_with("sharedstrings.xml")
    }

    fn has_cells(&self) -> bool {
        self.has_texts() || self.0.name.contains("/worksheets/") && !self.0.name.contains("/_rels/")
    }

    /// Whether the library reads it as a whole before it reads cells.
    fn is_kept(&self) -> bool {
        self.0.name == "_rels/.rels" || self.0.name.ends_with("styles.xml") || self.0.name.contains("workbook")
    }

    /// How many bytes it really has, or `most` and one more. One that cannot be unpacked has those before the fault: it
    /// may be a picture, which nobody reads.
    fn count(&self, file: &mut File, most: u64) -> Result<Counted, PackageError> {
        let is_deflated = self.0.method != 0;
        if !is_deflated && !self.has_cells() && !self.is_kept() {
            return Ok(Counted { bytes: self.0.packed_bytes.min(most.saturating_add(1)), ..Counted::default() });
        }
        let Some(stored) = self.0.stored(file)? else { return Err(damaged("leads to no part")) };
        let content: Box<dyn Read + '_> =
            if is_deflated { Box::new(DeflateDecoder::new(stored)) } else { Box::new(stored) };
        let attribute: Option<&[u8]> = match (self.has_texts(), self.has_cells()) {
            (true, _) => Some(b"uniqueCount"),
            (false, true) => Some(b"si"),
            (false, false) => None,
        };
        Ok(count(&mut content.take(most.saturating_add(1)), attribute))
    }
}

/// What a part has.
#[derive(Default)]
struct Counted {
    bytes: u64,
    /// The largest number in the attribute that was sought.
    largest: u64,
    /// Its `<`.
    tags: u64,
    /// Most bytes from one of them to the next.
    longest_run: u64,
    /// Those since the last one.
    run: u64,
}

impl Counted {
    fn add(&mut self, bytes: &[u8]) {
        let mut begin = 0;
        for at in memchr_iter(b'<', bytes) {
            self.longest_run = self.longest_run.max(self.run + (at - begin) as u64);
            (self.run, begin) = (0, at);
            self.tags += 1;
        }
        self.run += (bytes.len() - begin) as u64;
        self.longest_run = self.longest_run.max(self.run);
        self.bytes += bytes.len() as u64;
    }
}

/// Bytes of a stream up to its end or a fault, and the largest number that an attribute of its XML has.
fn count(content: &mut impl Read, attribute: Option<&[u8]>) -> Counted {
    let (mut buffer, mut window) = (vec![0; 64 << 10], Vec::new());
    let mut counted = Counted::default();
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => return counted,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return counted,
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        counted.add(bytes);
        let Some(attribute) = attribute else { continue };
        // The library reads UTF-16, too, in which NULs are between ASCII characters.
        match memchr(0, bytes) {
            None => window.extend_from_slice(bytes),
            Some(_) => window.extend(bytes.iter().filter(|byte| **byte != 0)),
        }
        for found in memmem::find_iter(&window, attribute) {
            let value = window.get(found + attribute.len()..).unwrap_or_default();
            counted.largest = counted.largest.max(number_of(value).unwrap_or_default());
        }
        window.drain(..window.len().saturating_sub(CARRIED_BYTES));
    }
}

/// Bytes that an attribute with its number has at most; a buffer may end within them.
const CARRIED_BYTES: usize = 64;

/// The number of an attribute, whose name was before these bytes.
fn number_of(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start().strip_prefix(b"=")?;
    let digits = value.iter().take(CARRIED_BYTES).skip_while(|byte| !byte.is_ascii_digit());
    let number = digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0'))));
    Some(number)
}

/// The entries of the archive's directory.
fn directory(file: &mut File, size_bytes: u64) -> Result<Vec<Part>, PackageError> {
    /// Largest directory: some 100,000 parts.
    const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
    let end = ZipEnd::find(file, size_bytes)?;
    if end.size > MAX_DIRECTORY_BYTES || end.offset.saturating_add(end.size) > size_bytes {
        return Err(damaged("is not where the end of the file says"));
    }
    let entries = ZipEntry::read_all(file, end)?;
    for entry in &entries {
        // The library takes the other name: no spreadsheet writes it.
        if entry.has_other_name {
            return Err(damaged(UNREADABLE));
        }
        if entry.header >= size_bytes {
            return Err(damaged("leads to no part"));
        }
    }
    if entries.len() as u64 != end.entries {
        return Err(damaged("has another number of parts than it says"));
    }
    Ok(entries.into_iter().map(Part::of).collect())
}
