//! The members of an archive: which of them are taken, and which are refused.

use std::io::Read;

use sluice_core::files::FileSelection;

use super::fault::{ArchiveFault, FaultSlot};
use super::options::ArchiveLimits;

/// A member of an archive that is taken.
pub(super) struct Member {
    pub(super) name: String,
    /// Its size, as the archive announces it.
    pub(super) size_bytes: u64,
    pub(super) stream: Box<dyn Read + Send>,
    /// The fault that its stream meets.
    pub(super) fault: FaultSlot,
}

/// Longest name of a member in bytes: with 10,000 of them, names take 40 MB. Systems have paths of so many bytes.
const MAX_NAME_BYTES: usize = 4096;
pub(super) const TOO_LONG_NAME: &str = "has a name of more than 4096 bytes; give it a shorter one";
pub(super) const REPEATED_MEMBER: &str =
    "comes more than once in the archive; write the archive again, with one of them";
pub(super) const DAMAGED_MEMBER: &str =
    "is damaged: its bytes are not those that its size and check sum announce; deliver the archive again";

pub(super) fn is_name_too_long(name: &str) -> bool {
    name.len() > MAX_NAME_BYTES
}

/// Whether a member is taken, by its name as patterns see it.
pub(super) fn is_taken(members: &FileSelection, name: &str) -> bool {
    let name = seen_name(name);
    !name.is_empty() && members.judge(&name).is_ok()
}

/// The name of a member as patterns see it, below the archive: `./`, a slash at the begin and `..` are no parts of it.
pub(super) fn seen_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    parts.join("/")
}

/// Refuses content that is too large for what is stored.
pub(super) fn check_unpacked(
    stored_bytes: u64,
    unpacked_bytes: u64,
    limits: ArchiveLimits,
) -> Result<(), ArchiveFault> {
    if unpacked_bytes > limits.unpacked_bytes {
        let (what, limit) = ("bytes or more, unpacked,", limits.unpacked_bytes);
        return Err(ArchiveFault::TooLarge { what, size: unpacked_bytes, limit });
    }
    let limit = limits.ratio;
    if unpacked_bytes > limits.free_bytes && unpacked_bytes > stored_bytes.saturating_mul(limit) {
        return Err(ArchiveFault::Ratio { stored_bytes, unpacked_bytes, limit });
    }
    Ok(())
}
