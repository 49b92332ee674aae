//! What can be wrong with an archive, and how a fault inside a member gets past the reader of the member.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_core::shown::shown;
use sluice_core::source::Codec;

/// Why an archive, or a member of it, cannot be read. The archive's name is in the error around it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFault {
    /// The zip archive as a whole is compressed.
    #[error("it is a zip archive packed with {codec}; a zip archive is packed in itself, so deliver it as it is")]
    Packed {
        /// Compression recognised by its first bytes.
        codec: Codec,
    },
    /// It is a workbook.
    #[error("it is a workbook of Excel (xlsx), and no archive of files; deliver it to a source of `format: xlsx`")]
    Workbook,
    /// It is a document of an office program.
    #[error(
        "it is a package of the kind of docx, pptx or nupkg, and no archive of files; take it out of the folder, or \
         deliver the data in it as files"
    )]
    Document,
    /// The directory of a zip archive cannot be read.
    #[error("its zip directory {problem}; it is cut off or damaged, so deliver it again")]
    Directory {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A tar archive ends before its end.
    #[error("the tar archive is cut off after {size_bytes} bytes; deliver the whole archive again")]
    Cut {
        /// Bytes of it, unpacked.
        size_bytes: u64,
    },
    /// Something else stands where a member should begin.
    #[error("the tar archive is damaged at byte {at}: {problem}; deliver it again")]
    Tar {
        /// The byte, of the unpacked archive.
        at: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// It would take too much time or disk.
    #[error("it has {size} {what}, and at most {limit} are read; deliver its members in several archives")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How many they are, or were when the limit was met.
        size: u64,
        /// Most that are read.
        limit: u64,
    },
    /// A few bytes are unpacked to very many.
    #[error(
        "{stored_bytes} bytes of it are unpacked to {unpacked_bytes}, as those of a zip bomb are: at most {limit} \
         times as many are read; deliver its members as files"
    )]
    Ratio {
        /// Bytes as stored.
        stored_bytes: u64,
        /// Bytes unpacked.
        unpacked_bytes: u64,
        /// Most bytes that a byte may be unpacked to.
        limit: u64,
    },
    /// No member is taken.
    #[error(
        "none of its {count} members is one that source.archive.members takes{}; correct the patterns, or the archive",
        first_name(first)
    )]
    NothingTaken {
        /// How many it has.
        count: u64,
        /// The name of the first; empty where it has no member.
        first: String,
    },
    /// A member cannot be read.
    #[error("member '{}' {problem}", shown_name(member))]
    Member {
        /// Its name.
        member: String,
        /// What is wrong with it, and the fix.
        problem: &'static str,
    },
}

/// The beginning of a member's name for messages.
pub(super) fn shown_name(name: &str) -> String {
    const SHOWN_CHARACTERS: usize = 200;
    shown(&name.chars().take(SHOWN_CHARACTERS).collect::<String>())
}

fn first_name(first: &str) -> String {
    if first.is_empty() { String::new() } else { format!(" (the first is '{}')", shown_name(first)) }
}

impl ArchiveFault {
    pub(super) fn member(name: &str, problem: &'static str) -> Self {
        Self::Member { member: name.to_owned(), problem }
    }
}

/// The fault that the stream of a member met. Readers of formats wrap errors of their streams in several ways, and some
/// keep only the words: what it really was is kept here.
#[derive(Debug, Clone, Default)]
pub(super) struct FaultSlot(Arc<Mutex<Option<ArchiveFault>>>);

impl FaultSlot {
    /// Keeps a fault, and gives the error with which the stream ends.
    pub(super) fn fail(&self, fault: ArchiveFault) -> io::Error {
        let words = fault.to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        io::Error::other(words)
    }

    /// The first fault since it was taken last.
    pub(super) fn take(&self) -> Option<ArchiveFault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
