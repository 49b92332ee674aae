//! How archives are read, and the most that they may have.

use std::collections::BTreeSet;

use sluice_core::columns::folded_name;
use sluice_core::files::FileSelection;
use sluice_core::pipeline::Pipeline;

use crate::source::error::SourceError;

/// Most of what an archive may have. Tests make them small.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArchiveLimits {
    /// Members: with 512 bytes or more each in a tar archive, 10,000 of them cost milliseconds.
    pub(super) members: u64,
    /// Bytes of a zip archive that is copied to this machine, as workbooks are.
    pub(super) copied_bytes: u64,
    /// Bytes unpacked, all members together. A function reads some 45 GB in its 900 s.
    pub(super) unpacked_bytes: u64,
    /// Bytes unpacked for each stored one. Exports of real tables have 5 to 50.
    pub(super) ratio: u64,
    /// Up to so many bytes the ratio does not count: a second's work.
    pub(super) free_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { members: 10_000, copied_bytes: 4 << 30, unpacked_bytes: 100 << 30, ratio: 200, free_bytes: 1 << 30 }
    }
}

/// How the archives of a source are read.
#[derive(Debug, Clone)]
pub(crate) struct ArchiveOptions {
    pub(super) members: FileSelection,
    /// The columns that each member must have, as readers that ignore case compare them, with their names.
    required: Vec<(String, String)>,
    pub(super) limits: ArchiveLimits,
}

impl ArchiveOptions {
    /// Those of a pipeline; `None` where it reads no archives.
    pub(crate) fn of(pipeline: &Pipeline) -> Option<Self> {
        let spec = pipeline.source.archive.as_ref()?;
        let mut options = Self::of_members(spec.members.clone());
        // Any record may bring a key, and the run asks for it once it has read them all.
        if !pipeline.source.format.has_documents() {
            let required = pipeline.mapped_sources().filter(|source| !pipeline.is_optional_source(source));
            options.required = required.map(|source| (folded_name(source), source.clone())).collect();
        }
        Some(options)
    }

    /// Those of samples, which no silver table reads yet.
    pub(crate) fn of_members(members: FileSelection) -> Self {
        Self { members, required: Vec::new(), limits: ArchiveLimits::default() }
    }

    #[cfg(test)]
    pub(super) fn with(members: FileSelection, required: &[&str], limits: ArchiveLimits) -> Self {
        let required = required.iter().map(|name| (folded_name(name), (*name).to_owned())).collect();
        Self { members, required, limits }
    }

    /// Refuses a member that lacks a column, which the columns of all members together do not show.
    pub(super) fn check_columns<'c>(
        &self,
        columns: impl Iterator<Item = &'c str>,
        name: &str,
    ) -> Result<(), SourceError> {
        let columns: Vec<&str> = columns.collect();
        let has: BTreeSet<String> = columns.iter().map(|column| folded_name(column)).collect();
        let lacking = self.required.iter().filter(|(folded, _)| !has.contains(folded));
        let missing: Vec<String> = lacking.map(|(_, column)| column.clone()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let columns = columns.into_iter().map(str::to_owned).collect();
        Err(SourceError::LacksColumns { object: name.to_owned(), missing, columns, delimiter: None })
    }
}
