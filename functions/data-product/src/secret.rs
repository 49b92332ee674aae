//! The secret that masks, cursors and addresses are keyed with.

use std::fmt;
use std::str::FromStr;

/// Shortest secret, in bytes.
const MIN_BYTES: usize = 32;

/// Why a text is no secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the secret has {0} bytes: give at least {MIN_BYTES} that nobody can guess, such as 64 random hexadecimal digits"
)]
pub struct SecretError(usize);

/// A secret. Keys for different uses are derived from it, so that none gives away another. Changing it changes every
/// hashed value, and voids open cursors and handed-out addresses.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The key of column hashes.
    pub fn mask_key(&self) -> [u8; 32] {
        blake3::derive_key("sluice 2026-11 column hashes", self.0.as_bytes())
    }

    /// The key of cursors and page tokens.
    pub fn cursor_key(&self) -> [u8; 32] {
        blake3::derive_key("sluice 2026-11 cursors", self.0.as_bytes())
    }

    /// The key of addresses of files.
    pub fn link_key(&self) -> [u8; 32] {
        blake3::derive_key("sluice 2026-11 file addresses", self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        if text.len() < MIN_BYTES { Err(SecretError(text.len())) } else { Ok(Self(text.to_owned())) }
    }
}
