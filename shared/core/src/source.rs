//! Source objects: the files as delivered, identified by address and content; and what in a landing folder is not taken.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::TableRef;
use crate::text::serde_as_text;
use crate::uri::ObjectUri;

mod unread;

pub use self::unread::UnreadFormat;

/// Identifier of one version of one source object: 32 hex digits of the BLAKE3 hash of its address and etag.
///
/// The same bytes at the same address give the same id; a changed object at an old address is a new object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(String);

impl SourceId {
    /// The id of the version `etag` of the object at `uri`.
    pub fn of(uri: &ObjectUri, etag: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(uri.as_str().as_bytes()).update(b"\n").update(etag.as_bytes());
        Self(hasher.finalize().to_hex().chars().take(32).collect())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`SourceId`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is no source id: 32 digits of 0-9 and a-f")]
pub struct SourceIdError {
    /// The refused text.
    pub text: String,
}

impl FromStr for SourceId {
    type Err = SourceIdError;

    fn from_str(text: &str) -> Result<Self, SourceIdError> {
        if text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SourceIdError { text: text.chars().take(80).collect() })
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(SourceId);

/// One version of one source object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceObject {
    /// Address.
    pub uri: ObjectUri,
    /// Version of the content: the store's etag; for local files a hash of the content.
    pub etag: String,
    /// Size in bytes as stored (compressed where the object is).
    pub size_bytes: u64,
    /// When it was last modified, in whole microseconds; no part of what identifies a version. `None` where it is not
    /// known, and in documents of versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
}

impl SourceObject {
    /// The id of this version.
    pub fn id(&self) -> SourceId {
        SourceId::of(&self.uri, &self.etag)
    }

    /// Whether both are the same version of one object.
    pub fn is_same_version(&self, other: &Self) -> bool {
        self.uri == other.uri && self.etag == other.etag
    }
}

/// How a source object is packed. Its first bytes decide, and not its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Not at all.
    Plain,
    /// Gzip (RFC 1952), one or more members.
    Gzip,
    /// Zstandard (RFC 8878), one or more frames; skippable frames may stand anywhere, also first.
    Zstd,
}

impl Codec {
    /// The codec of content that starts with these bytes.
    pub fn of(first: &[u8]) -> Self {
        match first {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// A source object that runs leave out until a person or a new delivery decides otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The object held.
    pub object: SourceObject,
    /// The run that held it.
    pub run_id: crate::name::RunId,
    /// When it was held.
    pub held_at: Timestamp,
    /// Why, in words: the rules broken or the fault found.
    pub reason: String,
    /// The columns of its header, or of the rows before the fault, as far as they were read: other objects of the run
    /// may lack them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
}

/// Why something in a landing folder is no source object to a run. The run goes on without it, and the next one examines
/// it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum PassedByReason {
    /// A part of its name begins with `.` or `_`.
    #[error(
        "its name or that of its folder begins with `.` or `_`, as other tools name unfinished files; to take it, write \
         the name with this sign in source.files.include"
    )]
    Hidden,
    /// No pattern takes it.
    #[error("no pattern of source.files.include matches its name")]
    NotIncluded,
    /// A pattern leaves it out.
    #[error("pattern `{pattern}` of source.files.exclude matches its name")]
    Excluded {
        /// The pattern.
        pattern: String,
    },
    /// An object on S3 that stands for a folder.
    #[error("it stands for a folder: its key ends with a slash")]
    FolderMarker,
    /// A key on S3 that is no path.
    #[error("its key has an empty part (`//`), a part `.` or `..`, or a control character: copy it to another key")]
    OddKey,
    /// A link to nothing.
    #[error("it is a link whose target does not exist: correct the link or remove it")]
    DanglingLink,
    /// A link to a folder that it is in.
    #[error("it is a link to a folder that it is in itself: remove it")]
    LinkLoop,
    /// A pipe, a socket or a device.
    #[error("it is neither a file nor a folder")]
    NoFile,
    /// The file system refuses it.
    #[error("it cannot be read ({fault}): correct its rights, or deliver it again")]
    Unreadable {
        /// What the system said.
        fault: String,
    },
    /// It was deleted while the run was planned.
    #[error("it was deleted after it was listed")]
    Gone,
    /// Attempt after attempt of the run found other content.
    #[error(
        "it changed while two attempts of the run read it, so it is still being written: a later run takes it when it \
         stays as it is"
    )]
    Changing,
    /// It was modified too short a time before the run to count as complete.
    #[error(
        "it waits, because it was modified at {modified_at:.0}, less than {complete_after_minutes} min before the run \
         (source.files.complete_after_minutes), so that it may still be written: a later run takes it"
    )]
    TooYoung {
        /// When it was modified.
        modified_at: Timestamp,
        /// Minutes for which it must have stayed as it is.
        complete_after_minutes: u32,
    },
    /// It is smaller than a complete file.
    #[error(
        "it waits, because its size is {size_bytes} B, less than the {min_bytes} B of source.files.min_bytes, so that it \
         may still be written: a later run takes it when it has grown"
    )]
    TooSmall {
        /// Its size.
        size_bytes: u64,
        /// The least size of a complete file.
        min_bytes: u64,
    },
    /// A folder that a table takes as one snapshot lacks a part.
    #[error(
        "table `{table}` takes this folder as a whole and keeps its older snapshot, because '{part}' is held, still \
         changes, is not complete yet or cannot be read: release, complete, replace or remove it"
    )]
    Incomplete {
        /// The table.
        table: TableRef,
        /// The address of a part that is held, still changes, is not complete yet or cannot be read.
        part: String,
    },
}

impl PassedByReason {
    /// Whether it is a file that does not count as complete yet, by `source.files`.
    pub fn is_incomplete_file(&self) -> bool {
        matches!(self, Self::TooYoung { .. } | Self::TooSmall { .. })
    }
}

/// Something in a landing folder that is no source object to a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedBy {
    /// Its address; with a final slash, a folder with all that is in it, or the mark of a folder on S3. Of a key that no
    /// address can have, the key behind the address of its bucket.
    pub uri: String,
    /// Why.
    pub reason: PassedByReason,
}

impl PassedBy {
    /// Whether it is this object, or a folder that the object is in.
    pub fn is_about(&self, object: &ObjectUri) -> bool {
        let uri = object.as_str();
        let is_key = matches!(self.reason, PassedByReason::FolderMarker | PassedByReason::OddKey);
        self.uri == uri || (!is_key && self.uri.ends_with('/') && uri.starts_with(&self.uri))
    }
}

/// A source object that a run held, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldObject {
    /// Its address.
    pub uri: ObjectUri,
    /// What is wrong with it, in words.
    pub reason: String,
}

impl From<Hold> for HeldObject {
    fn from(Hold { object, reason, .. }: Hold) -> Self {
        Self { uri: object.uri, reason }
    }
}

/// What a run passed by.
pub type PassedByList = FirstOf<PassedBy>;

/// The number of things, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstOf<T> {
    /// How many there are.
    pub count: u64,
    /// The first by address, at most [`Self::MAX_NAMED`].
    pub named: Vec<T>,
}

impl<T> FirstOf<T> {
    /// Most that are named. With some 200 bytes each, they add 200 kB to a document.
    pub const MAX_NAMED: usize = 1000;

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<T> Default for FirstOf<T> {
    fn default() -> Self {
        Self { count: 0, named: Vec::new() }
    }
}

impl<T: Ord> From<Vec<T>> for FirstOf<T> {
    fn from(mut named: Vec<T>) -> Self {
        named.sort();
        named.dedup();
        let count = named.len() as u64;
        named.truncate(Self::MAX_NAMED);
        Self { count, named }
    }
}

/// What `_source_row` says of the records of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// The number of the record, from 1.
    #[default]
    Numbers,
    /// The byte of the object at which the record begins, from 0. Whoever reads a range of the object knows it without
    /// having read what comes before.
    Bytes,
}

impl Positions {
    /// Whether these are [`Self::Numbers`].
    pub fn are_numbers(&self) -> bool {
        *self == Self::Numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_how_an_object_is_packed() {
        let check = |first: &[u8], expected| assert_eq!(Codec::of(first), expected, "{first:02x?}");
        check(b"", Codec::Plain);
        check(b"id,name", Codec::Plain);
        check(b"PAR1", Codec::Plain);
        check(&[0x1F, 0x8B, 0x08], Codec::Gzip);
        check(&[0x28, 0xB5, 0x2F, 0xFD], Codec::Zstd);
        for skippable in 0x50..=0x5F {
            check(&[skippable, 0x2A, 0x4D, 0x18, 4], Codec::Zstd);
        }
        check(&[0x60, 0x2A, 0x4D, 0x18], Codec::Plain);
        check(&[0x50, 0x2A, 0x4D], Codec::Plain);
    }

    #[test]
    fn ids_differ_by_address_and_by_content() {
        let a: ObjectUri = "s3://b/a.csv".parse().expect("uri");
        let b: ObjectUri = "s3://b/b.csv".parse().expect("uri");
        let ids = [SourceId::of(&a, "1"), SourceId::of(&a, "2"), SourceId::of(&b, "1")];
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
        assert_eq!(ids[0], SourceId::of(&a, "1"));
        assert_eq!(ids[0].as_str().parse::<SourceId>().as_ref(), Ok(&ids[0]));
    }

    #[test]
    fn the_time_of_an_object_is_optional_and_no_part_of_its_identity() {
        let old = r#"{"uri":"s3://b/a.csv","etag":"1","size_bytes":7}"#;
        let without: SourceObject = serde_json::from_str(old).expect("a document of an older version");
        assert_eq!(serde_json::to_string(&without).ok().as_deref(), Some(old));
        let with = SourceObject { modified_at: "2026-01-05T09:00:00.25Z".parse().ok(), ..without.clone() };
        let text = serde_json::to_string(&with).expect("text");
        assert!(text.contains(r#""modified_at":"2026-01-05T09:00:00.25Z""#), "{text}");
        assert_eq!(serde_json::from_str::<SourceObject>(&text).ok().as_ref(), Some(&with));
        assert_eq!(with.id(), without.id());
        assert!(with.is_same_version(&without) && with != without);
    }

    #[test]
    fn what_is_passed_by_is_counted_and_the_first_are_named() {
        let passed = |n: usize| PassedBy { uri: format!("s3://b/{n:05}"), reason: PassedByReason::FolderMarker };
        let list = PassedByList::from((0..3000).rev().chain(0..3).map(passed).collect::<Vec<_>>());
        assert_eq!((list.count, list.named.len()), (3000, PassedByList::MAX_NAMED));
        assert_eq!(list.named.first(), Some(&passed(0)));
        assert!(PassedByList::default().is_empty() && !list.is_empty());
    }

    #[test]
    fn reasons_are_stored_by_name() {
        let check = |reason: PassedByReason, stored: &str| {
            assert_eq!(serde_json::to_string(&reason).ok().as_deref(), Some(stored));
            assert_eq!(serde_json::from_str::<PassedByReason>(stored).ok(), Some(reason));
        };
        check(PassedByReason::FolderMarker, r#""folder_marker""#);
        check(PassedByReason::Changing, r#""changing""#);
        let modified_at = "2026-01-05T09:00:00Z".parse().expect("a time");
        check(
            PassedByReason::TooYoung { modified_at, complete_after_minutes: 5 },
            r#"{"too_young":{"modified_at":"2026-01-05T09:00:00Z","complete_after_minutes":5}}"#,
        );
        check(
            PassedByReason::TooSmall { size_bytes: 0, min_bytes: 1 },
            r#"{"too_small":{"size_bytes":0,"min_bytes":1}}"#,
        );
        check(PassedByReason::Excluded { pattern: "*.md".to_owned() }, r#"{"excluded":{"pattern":"*.md"}}"#);
        let table = "silver/sales/orders".parse().expect("table");
        check(
            PassedByReason::Incomplete { table, part: "s3://b/day/1.csv".to_owned() },
            r#"{"incomplete":{"table":"silver/sales/orders","part":"s3://b/day/1.csv"}}"#,
        );
    }
}
