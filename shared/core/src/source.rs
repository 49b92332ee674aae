//! Source objects: the files as delivered, identified by address and content.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::serde_as_text;
use crate::uri::ObjectUri;

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
}

impl SourceObject {
    /// The id of this version.
    pub fn id(&self) -> SourceId {
        SourceId::of(&self.uri, &self.etag)
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

/// Why a source object is passed by.
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
}
