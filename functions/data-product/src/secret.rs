//! The secret that masks, cursors and addresses are keyed with.

use std::fmt;
use std::str::FromStr;

use sluice_core::name::{ProductRef, SaltName};

/// Shortest secret, in bytes.
const MIN_BYTES: usize = 32;

/// Why a text is not a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// It can be guessed.
    #[error(
        "the secret has {0} bytes: give at least {MIN_BYTES} that nobody can guess, such as 64 random hexadecimal digits"
    )]
    Short(usize),
    /// It says where the secret is, which many people know.
    #[error(
        "this is the ARN of a secret, not the secret: the function data-product reads ARNs from SLUICE_SECRET_ARN, \
         `aws secretsmanager get-secret-value` shows the secret itself"
    )]
    Arn,
}

/// A secret. Keys for different uses are derived from it, so that none gives away another. Changing it changes every
/// hashed value, and voids open cursors, handed-out addresses and sessions of the console.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The key of a product's column hashes: its own, or that of all products whose policies name this salt.
    pub fn mask_key(&self, product: &ProductRef, salt: Option<&SaltName>) -> [u8; 32] {
        let key = blake3::derive_key("sluice 2026-11 column hashes", self.0.as_bytes());
        let scope = salt.map_or_else(|| format!("product {product}"), |salt| format!("salt {salt}"));
        *blake3::keyed_hash(&key, scope.as_bytes()).as_bytes()
    }

    /// The key of cursors and page tokens.
    pub fn cursor_key(&self) -> [u8; 32] {
        blake3::derive_key("sluice 2026-11 cursors", self.0.as_bytes())
    }

    /// The key of sessions of the console.
    pub fn session_key(&self) -> [u8; 32] {
        blake3::derive_key("sluice 2026-12 console sessions", self.0.as_bytes())
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
        if text.starts_with("arn:") {
            Err(SecretError::Arn)
        } else if text.len() < MIN_BYTES {
            Err(SecretError::Short(text.len()))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_know_or_guess_is_not_a_secret() {
        let check = |text: &str, expected: Option<SecretError>| {
            assert_eq!(text.parse::<Secret>().err(), expected, "{text}");
        };
        check("hush", Some(SecretError::Short(4)));
        check("arn:aws:secretsmanager:eu-central-1:123456789012:secret:masking-a1b2c3", Some(SecretError::Arn));
        check("0123456789abcdef0123456789abcdef", None);
    }

    #[test]
    fn hashes_are_of_one_product_or_of_those_that_share_a_salt() {
        let secret: Secret = "0123456789abcdef0123456789abcdef".parse().expect("secret");
        let key = |product: &str, salt: Option<&str>| {
            let (domain, product) = product.split_once('/').expect("product");
            let product = ProductRef::new(domain.parse().expect("domain"), product.parse().expect("product"));
            secret.mask_key(&product, salt.map(|salt| salt.parse().expect("salt")).as_ref())
        };
        assert_eq!(key("hr/pay", None), key("hr/pay", None));
        assert_ne!(key("hr/pay", None), key("crm/contacts", None));
        assert_eq!(key("hr/pay", Some("people")), key("crm/contacts", Some("people")));
        assert_ne!(key("hr/pay", Some("people")), key("hr/pay", Some("others")));
        assert_ne!(key("hr/pay", Some("people")), key("hr/pay", None));
        let other: Secret = "fedcba9876543210fedcba9876543210".parse().expect("secret");
        let product = ProductRef::new("hr".parse().expect("domain"), "pay".parse().expect("product"));
        assert_ne!(secret.mask_key(&product, None), other.mask_key(&product, None));
    }
}
