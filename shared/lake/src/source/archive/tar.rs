//! The members of a tar archive, one after the other as they come: ustar, GNU and PAX.
//!
//! The stream of a member is handed to readers that own their stream, so the archive is shared with it. Names and
//! attributes are bounded before they are in memory.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_core::files::FileSelection;

use super::error::ArchiveError;
use super::fault::{ArchiveFault, FaultSlot};
use super::member::{Member, REPEATED_MEMBER, TOO_LONG_NAME, check_unpacked, is_name_too_long, is_taken};
use super::options::ArchiveLimits;

/// Bytes of a block: headers and contents fill whole ones.
pub(super) const BLOCK: usize = 512;
const LINK: &str = "is a hard link to a member that is not read before it; write the archive with `tar \
                    --hard-dereference`, or let source.archive.members take both";
/// Most bytes of the attributes of a member.
const MAX_ATTRIBUTES: u64 = 1 << 20;

/// Whether the first bytes of an object are the header of a tar archive: its check sum says so, whatever its age, or
/// its mark, where the header is damaged. An archive without members is all NULs.
pub(super) fn is_tar(first: &[u8]) -> bool {
    let Some(header) = Header::of(first) else { return false };
    // No text has NULs, which fill the name up.
    let is_marked = header.field(257, 5) == b"ustar" && first.contains(&0);
    is_marked || header.is_sound() || first.iter().all(|byte| *byte == 0)
}

/// A tar archive.
pub(super) struct TarMembers {
    stream: Arc<Mutex<TarStream>>,
    members: FileSelection,
    limits: ArchiveLimits,
    names: HashSet<String>,
    count: u64,
    first: String,
    fault: FaultSlot,
}

impl TarMembers {
    /// The archive that this stream has, unpacked; `stored`: bytes that were read of it as it is stored.
    pub(super) fn new(
        raw: Box<dyn Read + Send>,
        stored: Arc<AtomicU64>,
        members: &FileSelection,
        limits: ArchiveLimits,
    ) -> Self {
        let stream = TarStream { raw, stored, limits, left: 0, filling: 0, read_bytes: 0 };
        Self {
            stream: Arc::new(Mutex::new(stream)),
            members: members.clone(),
            limits,
            names: HashSet::new(),
            count: 0,
            first: String::new(),
            fault: FaultSlot::default(),
        }
    }

    /// How many members were met so far, and the name of the first.
    pub(super) fn all(&self) -> (u64, &str) {
        (self.count, &self.first)
    }

    /// The next member that is taken. What the reader of the last one has left of it is passed over.
    pub(super) fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        let stream = Arc::clone(&self.stream);
        let mut tar = locked(&stream);
        while let Some(head) = tar.next_head()? {
            self.count += 1;
            if self.count > self.limits.members {
                let (what, size, limit) = ("members or more", self.count, self.limits.members);
                return Err(ArchiveFault::TooLarge { what, size, limit }.into());
            }
            if self.first.is_empty() {
                self.first.clone_from(&head.name);
            }
            if !is_taken(&self.members, &head.name) {
                continue;
            }
            // The same file under another name: that is read, or nobody reads its content.
            if head.aim.as_ref().is_some_and(|aim| !self.names.contains(aim)) {
                return Err(ArchiveFault::member(&head.name, LINK).into());
            }
            if !head.is_file() {
                continue;
            }
            if let Some(problem) = head.problem() {
                return Err(ArchiveFault::member(&head.name, problem).into());
            }
            if !self.names.insert(head.name.clone()) {
                return Err(ArchiveFault::member(&head.name, REPEATED_MEMBER).into());
            }
            let content = Content { stream: Arc::clone(&self.stream), fault: self.fault.clone() };
            let (size_bytes, fault) = (tar.left, self.fault.clone());
            return Ok(Some(Member { name: head.name, size_bytes, stream: Box::new(content), fault }));
        }
        Ok(None)
    }
}

fn locked(stream: &Mutex<TarStream>) -> MutexGuard<'_, TarStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes before the content of a member.
struct Head {
    name: String,
    kind: u8,
    is_sparse: bool,
    /// What it leads to, where it is a hard link.
    aim: Option<String>,
}

impl Head {
    /// Whether it is neither a folder, a link nor a device.
    fn is_file(&self) -> bool {
        matches!(self.kind, 0 | b'0' | b'7' | b'S' | b'M') && !self.name.ends_with('/')
    }

    /// Why the member cannot be read.
    fn problem(&self) -> Option<&'static str> {
        if is_name_too_long(&self.name) {
            return Some(TOO_LONG_NAME);
        }
        if self.is_sparse || self.kind == b'S' {
            return Some("is sparse, which is not read; write the archive without --sparse");
        }
        (self.kind == b'M').then_some("goes on from another volume; deliver the archive as one file")
    }
}

/// What PAX and GNU write before a member that its header has no room for.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    /// What a link leads to.
    aim: Option<String>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Attributes {
    /// Takes those of PAX: lines of a length, a key and a value. `None` where they are no such lines.
    fn take_pax(&mut self, mut rest: &[u8]) -> Option<()> {
        while !rest.is_empty() {
            let blank = rest.iter().position(|byte| *byte == b' ')?;
            let length: usize = str::from_utf8(rest.get(..blank)?).ok()?.parse().ok()?;
            let line = rest.get(..length)?.get(blank + 1..)?.strip_suffix(b"\n")?;
            let equals = line.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (line.get(..equals)?, line.get(equals + 1..)?);
            match key {
                // Nothing takes back what was said before.
                b"path" if value.is_empty() => self.name = None,
                b"path" => self.name = Some(String::from_utf8_lossy(value).into_owned()),
                b"linkpath" => self.aim = Some(String::from_utf8_lossy(value).into_owned()),
                b"size" => self.size = Some(str::from_utf8(value).ok()?.parse().ok()?),
                key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
            rest = rest.get(length..)?;
        }
        Some(())
    }
}

/// A header block.
struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    fn of(first: &'a [u8]) -> Option<Self> {
        first.first_chunk().map(Self)
    }

    fn field(&self, at: usize, length: usize) -> &'a [u8] {
        self.0.get(at..at + length).unwrap_or_default()
    }

    /// Whether its check sum is that of its bytes, in which the sum itself counts as blanks. Old programs took bytes
    /// for numbers with a sign.
    fn is_sound(&self) -> bool {
        const AT: std::ops::Range<usize> = 148..156;
        let bytes = || self.0.iter().enumerate().map(|(at, byte)| if AT.contains(&at) { 32 } else { *byte });
        let sum: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let written = octal(self.field(148, 8)).and_then(|written| i64::try_from(written).ok());
        written.is_some_and(|written| written == sum || written == signed)
    }

    /// Bytes of the content; `None` where no number stands there.
    fn size(&self) -> Option<u64> {
        let field = self.field(124, 12);
        match field.split_first() {
            // GNU writes large ones as they are in memory, and marks them.
            Some((0x80, rest)) => {
                let (high, low) = rest.split_at_checked(3)?;
                let low = low.first_chunk().map(|low| u64::from_be_bytes(*low))?;
                high.iter().all(|byte| *byte == 0).then_some(low)
            }
            _ => octal(field),
        }
    }

    fn kind(&self) -> u8 {
        self.field(156, 1).first().copied().unwrap_or_default()
    }

    fn name(&self) -> String {
        let name = text(self.field(0, 100));
        // GNU has other things where POSIX has the folders of a long name.
        let folders = if self.field(257, 6) == b"ustar\0" { text(self.field(345, 155)) } else { String::new() };
        if folders.is_empty() { name } else { format!("{folders}/{name}") }
    }
}

/// A text up to its first NUL.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// A number in octal digits, with blanks and NULs around it; nothing is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    let digits = text.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

/// The bytes of an archive, at some place of it.
struct TarStream {
    raw: Box<dyn Read + Send>,
    stored: Arc<AtomicU64>,
    limits: ArchiveLimits,
    /// Bytes of the content of a member that are still to come.
    left: u64,
    /// Bytes behind them that fill up the last block.
    filling: u64,
    /// Bytes that came so far.
    read_bytes: u64,
}

impl TarStream {
    /// Reads what comes next, at the end of the stream nothing.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let count = self.raw.read(buffer)?;
        self.read_bytes += count as u64;
        check_unpacked(self.stored.load(Ordering::Relaxed), self.read_bytes, self.limits)?;
        Ok(count)
    }

    /// Reads what comes next of the content of the member.
    fn fill_content(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let count = self.fill(buffer)?;
        if count == 0 {
            return Err(self.cut());
        }
        self.left -= count as u64;
        Ok(count)
    }

    fn cut(&self) -> ArchiveError {
        ArchiveFault::Cut { size_bytes: self.read_bytes }.into()
    }

    fn damaged(&self, problem: &'static str) -> ArchiveError {
        ArchiveFault::Tar { at: self.read_bytes.saturating_sub(BLOCK as u64), problem }.into()
    }

    /// The next block.
    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        let mut rest = block.as_mut_slice();
        while !rest.is_empty() {
            let count = match self.fill(rest) {
                Err(ArchiveError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            if count == 0 {
                return Err(self.cut());
            }
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        Ok(block)
    }

    /// Passes over what is left of a member.
    fn pass_over(&mut self) -> Result<(), ArchiveError> {
        self.left = self.left.saturating_add(self.filling);
        self.filling = 0;
        let mut buffer = vec![0; usize::try_from(self.left).unwrap_or(usize::MAX).min(64 << 10)];
        while self.left > 0 {
            match self.fill_content(&mut buffer) {
                Err(ArchiveError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                passed => _ = passed?,
            }
        }
        Ok(())
    }

    /// The content of an entry that says something about the next member.
    fn attributes(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > MAX_ATTRIBUTES {
            return Err(self.damaged("the attributes of a member have more than 1 MiB"));
        }
        let mut all = Vec::new();
        while (all.len() as u64) < size {
            all.extend_from_slice(&self.block()?);
        }
        all.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(all)
    }

    /// What comes before the next member; `None` at the end of the archive.
    fn next_head(&mut self) -> Result<Option<Head>, ArchiveError> {
        self.pass_over()?;
        let mut attributes = Attributes::default();
        loop {
            let block = self.block()?;
            let header = Header(&block);
            if block.iter().all(|byte| *byte == 0) {
                return self.end().map(|()| None);
            }
            let sound = if header.is_sound() { header.size() } else { None };
            let Some(size) = sound else { return Err(self.damaged("its check sum is not that of a header")) };
            match header.kind() {
                b'x' => {
                    let lines = self.attributes(size)?;
                    if attributes.take_pax(&lines).is_none() {
                        return Err(self.damaged("its attributes are not those of PAX"));
                    }
                }
                b'L' => attributes.name = Some(text(&self.attributes(size)?)),
                b'K' => attributes.aim = Some(text(&self.attributes(size)?)),
                // What is said of all members is no name or size.
                b'g' => _ = self.attributes(size)?,
                kind => {
                    // Links, devices and folders have no content, whatever their size says.
                    let size = if matches!(kind, b'1'..=b'6') { 0 } else { attributes.size.unwrap_or(size) };
                    self.left = size;
                    self.filling = size.wrapping_neg() % BLOCK as u64;
                    let Attributes { name, aim, is_sparse, .. } = attributes;
                    let name = name.unwrap_or_else(|| header.name());
                    let aim = (kind == b'1').then(|| aim.unwrap_or_else(|| text(header.field(157, 100))));
                    return Ok(Some(Head { name, kind, is_sparse, aim }));
                }
            }
        }
    }

    /// Reads to the end of the stream: what is packed is checked there, and another archive must not be lost.
    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match self.fill(&mut buffer) {
                Err(ArchiveError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            if count == 0 {
                return Ok(());
            }
            if buffer.iter().take(count).any(|byte| *byte != 0) {
                return Err(self.damaged("other bytes follow its end, such as another archive"));
            }
        }
    }
}

/// The content of the member at which the archive is.
struct Content {
    stream: Arc<Mutex<TarStream>>,
    fault: FaultSlot,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match locked(&self.stream).fill_content(buffer) {
            Ok(count) => Ok(count),
            Err(ArchiveError::Io(error)) => Err(error),
            Err(ArchiveError::Fault(fault)) => Err(self.fault.fail(fault)),
        }
    }
}
