//! The errors of reading an archive, before its name is known.

use std::io;

use super::fault::ArchiveFault;
use crate::source::error::SourceError;
use crate::source::stream::explain;
use crate::source::zip_end::ZipEndError;

/// Why an archive cannot be read on.
#[derive(Debug)]
pub(super) enum ArchiveError {
    /// The bytes stopped coming.
    Io(io::Error),
    /// It is at fault.
    Fault(ArchiveFault),
}

impl ArchiveError {
    /// With the name of the archive.
    pub(super) fn of(self, object: &str) -> SourceError {
        match self {
            Self::Io(error) => explain(object, error),
            Self::Fault(source) => SourceError::Archive { object: object.to_owned(), source },
        }
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArchiveFault> for ArchiveError {
    fn from(fault: ArchiveFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ZipEndError> for ArchiveError {
    fn from(error: ZipEndError) -> Self {
        match error {
            ZipEndError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Fault(ArchiveFault::Directory { problem: "ends early" })
            }
            ZipEndError::Io(error) => Self::Io(error),
            ZipEndError::Damaged(problem) => Self::Fault(ArchiveFault::Directory { problem }),
        }
    }
}
