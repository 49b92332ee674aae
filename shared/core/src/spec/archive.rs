//! Archives that are delivered as one object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SourceFormat, SourceSpec};
use crate::files::FileSelection;

/// How objects that are archives (zip and tar, by their content) are opened: each member that is taken is read as a
/// file of its own, in the order of the archive. Objects that are no archives are read as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSpec {
    /// Which members are read, by their names in the archive. Default: all but hidden ones and notes, as for `files`.
    #[serde(default, skip_serializing_if = "FileSelection::is_default")]
    pub members: FileSelection,
}

impl ArchiveSpec {
    /// Whether members can be files of this format: those of others are read from their end, and packed in themselves.
    pub fn can_hold(format: SourceFormat) -> bool {
        !format.is_read_from_file()
    }

    /// What is wrong with reading archives of a source, with the fix.
    pub(crate) fn problem(source: &SourceSpec) -> Option<String> {
        let archive = source.archive.as_ref()?;
        if Self::can_hold(source.format) {
            return archive.members.can_wait().then(|| {
                "source.archive.members has complete_after_minutes or min_bytes, and members of an archive do not \
                 wait; write these options under source.files, where they count for the archive"
                    .to_owned()
            });
        }
        let format = source.format.as_str();
        Some(format!(
            "source.archive is given, and members of format {format} are not read, because {format} is read from the \
             end of a file and packed in itself; take source.archive out, and deliver the files one by one"
        ))
    }
}
