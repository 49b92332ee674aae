//! Names of the files in a table's log.

use std::collections::BTreeMap;

/// A file of a table's log that belongs to a version. `_last_checkpoint`, which names the newest checkpoint, belongs to none: readers find
/// the checkpoints without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    /// The version that an entry makes, or that a checkpoint sums up.
    pub(crate) version: u64,
    /// What it is.
    pub(crate) kind: LogFileKind,
    /// Its name in the log's folder.
    pub(crate) name: String,
}

/// What a file of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFileKind {
    /// The entry that makes the version: `<version>.json`.
    Commit,
    /// A checkpoint in one file: `<version>.checkpoint.parquet`, or with a UUID before the ending.
    Checkpoint,
    /// One of several files of a checkpoint: `<version>.checkpoint.<part>.<of>.parquet`.
    CheckpointPart {
        /// How many files the checkpoint has.
        of: u64,
    },
    /// Something else of the version, such as a checksum.
    Other,
}

impl LogFile {
    /// The file of this name; `None` when the name has no version.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (version, ending) = name.split_once('.')?;
        let version = number(version, 20)?;
        let kind = match *ending.split('.').collect::<Vec<_>>().as_slice() {
            ["json"] => LogFileKind::Commit,
            ["checkpoint", "parquet"] | ["checkpoint", _, "parquet"] => LogFileKind::Checkpoint,
            ["checkpoint", part, of, "parquet"] => match (number(part, 10), number(of, 10)) {
                (Some(part), Some(of)) if (1..=of).contains(&part) => LogFileKind::CheckpointPart { of },
                _ => LogFileKind::Other,
            },
            _ => LogFileKind::Other,
        };
        Some(Self { version, kind, name: name.to_owned() })
    }

    /// Whether it is the entry of a version.
    pub(crate) fn is_commit(&self) -> bool {
        self.kind == LogFileKind::Commit
    }
}

/// The files of the newest complete checkpoint at or before `version`; empty when no checkpoint exists. `files` are sorted by version.
pub(crate) fn newest_checkpoint(files: &[LogFile], version: u64) -> Vec<&LogFile> {
    let of_each_version = files.chunk_by(|a, b| a.version == b.version);
    let early = of_each_version.filter(|files| files.first().is_some_and(|file| file.version <= version));
    early.map(checkpoint_of).rfind(|checkpoint| !checkpoint.is_empty()).unwrap_or_default()
}

/// The files of the complete checkpoint among the files of one version.
fn checkpoint_of(files: &[LogFile]) -> Vec<&LogFile> {
    if let Some(whole) = files.iter().find(|file| file.kind == LogFileKind::Checkpoint) {
        return vec![whole];
    }
    // Two writers may have cut it into different numbers of parts.
    let mut parts: BTreeMap<u64, Vec<&LogFile>> = BTreeMap::new();
    for file in files {
        if let LogFileKind::CheckpointPart { of } = file.kind {
            parts.entry(of).or_default().push(file);
        }
    }
    parts.into_iter().find(|(of, parts)| parts.len() as u64 == *of).map(|(_, parts)| parts).unwrap_or_default()
}

fn number(text: &str, digits: usize) -> Option<u64> {
    if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_of_a_log_is() {
        let check = |name: &str, expected: Option<(u64, LogFileKind)>| {
            let found = LogFile::parse(name);
            assert_eq!(found.as_ref().map(|file| (file.version, file.kind)), expected, "{name}");
            assert!(found.is_none_or(|file| file.name == name), "{name}");
        };
        let part = |of| LogFileKind::CheckpointPart { of };
        check("00000000000000000012.json", Some((12, LogFileKind::Commit)));
        check("00000000000000000010.checkpoint.parquet", Some((10, LogFileKind::Checkpoint)));
        check("00000000000000000010.checkpoint.0000000001.0000000003.parquet", Some((10, part(3))));
        check(
            "00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet",
            Some((10, LogFileKind::Checkpoint)),
        );
        check("00000000000000000012.crc", Some((12, LogFileKind::Other)));
        check("00000000000000000012.00000000000000000014.compacted.json", Some((12, LogFileKind::Other)));
        check("00000000000000000010.checkpoint.0000000004.0000000003.parquet", Some((10, LogFileKind::Other)));
        for name in ["_last_checkpoint", "12.json", "_commit_7.json.tmp", "0000000000000000001x.json", ".json", ""] {
            check(name, None);
        }
    }

    #[test]
    fn a_checkpoint_that_lacks_a_part_is_ignored() {
        let files: Vec<LogFile> = [
            "00000000000000000003.checkpoint.parquet",
            "00000000000000000005.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000005.checkpoint.0000000002.0000000002.parquet",
            "00000000000000000005.json",
            "00000000000000000008.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000009.json",
        ]
        .iter()
        .filter_map(|name| LogFile::parse(name))
        .collect();
        let check = |version: u64, expected: &[u64]| {
            let found: Vec<u64> = newest_checkpoint(&files, version).iter().map(|file| file.version).collect();
            assert_eq!(found, expected, "{version}");
        };
        check(2, &[]);
        check(4, &[3]);
        check(5, &[5, 5]);
        check(9, &[5, 5]);
    }
}
