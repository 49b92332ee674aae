//! Who reads with a bearer token. Only hashes of tokens are kept.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::RecipientName;

/// Bytes of a token's secret part: 256 bits, so that the hash needs no salt and no slowness.
pub const SECRET_BYTES: usize = 32;
/// Hexadecimal digits of a token's id.
const ID_DIGITS: usize = 12;

/// Why a text is no token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no token of ours: take the one from the profile file, <recipient>.<id>.<secret>")]
pub struct TokenError;

/// A bearer token: `<recipient>.<id>.<secret>`. It is shown once, when it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    recipient: RecipientName,
    id: String,
    secret: String,
}

impl Token {
    /// A token of this recipient from randomness: the id is derived from the secret and does not reveal it.
    pub fn new(recipient: RecipientName, secret: &[u8; SECRET_BYTES]) -> Self {
        let secret = hex(secret);
        let id = blake3::derive_key("sluice 2026-11 token id", secret.as_bytes());
        Self { recipient, id: hex(&id).chars().take(ID_DIGITS).collect(), secret }
    }

    /// Whose it is.
    pub fn recipient(&self) -> &RecipientName {
        &self.recipient
    }

    /// Its id, which may be shown and logged.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The token as its holder sends it.
    pub fn reveal(&self) -> String {
        format!("{}.{}.{}", self.recipient, self.id, self.secret)
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        blake3::hash(self.reveal().as_bytes()).to_hex().to_string()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}.{}.…)", self.recipient, self.id)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let is_hex = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(recipient), Some(id), Some(secret), None)
                if is_hex(id, ID_DIGITS) && is_hex(secret, 2 * SECRET_BYTES) =>
            {
                let recipient = recipient.parse().map_err(|_| TokenError)?;
                Ok(Self { recipient, id: id.to_owned(), secret: secret.to_owned() })
            }
            _ => Err(TokenError),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a token: one document each, so that making two at once loses none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptToken {
    /// Whose it is; policies have them as `recipient:<name>`.
    pub recipient: RecipientName,
    /// Its id.
    pub id: String,
    /// Its hash.
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The instant from which it is void.
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Why a token is refused. For the log; callers learn only that it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not the one that is kept.
    #[error("the token is unknown")]
    Unknown,
    /// Void by time.
    #[error("the token has expired")]
    Expired,
    /// Void by decision.
    #[error("the token was revoked")]
    Revoked,
}

impl KeptToken {
    /// What is kept of this token.
    pub fn new(token: &Token, created_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            recipient: token.recipient().clone(),
            id: token.id().to_owned(),
            hash: token.hash(),
            created_at,
            expires_at,
            revoked_at: None,
        }
    }

    /// Whether this token may be used now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, token: &Token, now: Timestamp) -> Result<(), TokenRefusal> {
        // Compared as hashes, which takes the same time wherever they differ.
        let given = blake3::hash(token.reveal().as_bytes());
        let is_it = blake3::Hash::from_hex(&self.hash).is_ok_and(|hash| hash == given);
        if !is_it || self.recipient != *token.recipient() {
            return Err(TokenRefusal::Unknown);
        }
        self.check_term(now)
    }

    /// Whether the token that this is kept of is neither revoked nor expired now. It says nothing of who has the token:
    /// for sessions that began with [`Self::check`].
    ///
    /// # Errors
    /// Why not.
    pub fn check_term(&self, now: Timestamp) -> Result<(), TokenRefusal> {
        if self.revoked_at.is_some() {
            Err(TokenRefusal::Revoked)
        } else if self.expires_at <= now {
            Err(TokenRefusal::Expired)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_what_they_print_and_hide_it() {
        let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
        assert_eq!(token.reveal().parse::<Token>().as_ref(), Ok(&token));
        assert!(!format!("{token:?} {}", token.hash()).contains(&token.secret));
        for text in ["", "acme", "acme.1.2", &token.reveal()[1..], &format!("{}0", token.reveal()), "a.b.c.d"] {
            let other = text.parse::<Token>();
            assert!(other.is_err() || other.as_ref() != Ok(&token), "{text}");
        }
    }

    #[test]
    fn tokens_are_taken_until_they_expire_or_are_revoked() {
        let at = |text: &str| text.parse::<Timestamp>().expect(text);
        let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
        let kept = KeptToken::new(&token, at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let check = |name: &str, kept: KeptToken, token: &Token, now: &str, expected: Result<(), TokenRefusal>| {
            let kept = KeptToken { recipient: name.parse().expect(name), ..kept };
            assert_eq!(kept.check(token, at(now)), expected, "{name} {now}");
        };
        let revoked = KeptToken { revoked_at: Some(at("2026-01-02T00:00:00Z")), ..kept.clone() };
        let other = Token::new("acme".parse().expect("name"), &[8; SECRET_BYTES]);
        check("acme", kept.clone(), &token, "2026-01-31T23:59:59Z", Ok(()));
        check("acme", kept.clone(), &token, "2026-02-01T00:00:00Z", Err(TokenRefusal::Expired));
        check("acme", revoked, &token, "2026-01-03T00:00:00Z", Err(TokenRefusal::Revoked));
        check("acme", kept.clone(), &other, "2026-01-03T00:00:00Z", Err(TokenRefusal::Unknown));
        check("bcme", kept, &token, "2026-01-03T00:00:00Z", Err(TokenRefusal::Unknown));
    }
}
