//! Callers, as policies and audit events name them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::name::RecipientName;
use crate::text::serde_as_text;

/// Why a text names no caller.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "'{text}' names no caller: write arn:aws:iam::<account>:role/<name>, arn:aws:iam::<account>:user/<name> or recipient:<name>"
)]
pub struct PrincipalError {
    /// The refused text, shortened to 80 characters.
    pub text: String,
}

/// Somebody who was recognised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// An IAM role or user, by its ARN. Sessions of a role are the role.
    Iam(IamArn),
    /// Who has a bearer token.
    Recipient(RecipientName),
}

/// ARN of an IAM role or user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IamArn(String);

impl IamArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IamArn {
    type Err = PrincipalError;

    /// Reads `arn:<partition>:iam::<account>:role/…` and `:user/…`, and the session of a role,
    /// `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`, as its role. The path of a role is left out, as it is in
    /// sessions, so both forms name one caller.
    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        let refused = || PrincipalError { text: text.chars().take(80).collect() };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, service, "", account, resource] = parts.as_slice() else { return Err(refused()) };
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
        let segments: Vec<&str> = resource.split('/').collect();
        let (kind, name) = match (service, segments.as_slice()) {
            ("iam", [kind @ ("role" | "user"), path @ .., name]) if path.iter().all(|segment| is_word(segment)) => {
                (*kind, *name)
            }
            ("sts", ["assumed-role", role, session]) if is_word(session) => ("role", *role),
            _ => return Err(refused()),
        };
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_partition = partition == "aws" || partition.starts_with("aws-");
        if is_account && is_partition && is_word(partition) && is_word(name) {
            Ok(Self(format!("arn:{partition}:iam::{account}:{kind}/{name}")))
        } else {
            Err(refused())
        }
    }
}

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        match text.strip_prefix("recipient:") {
            Some(name) => {
                name.parse().map(Self::Recipient).map_err(|_| PrincipalError { text: text.chars().take(80).collect() })
            }
            None => text.parse().map(Self::Iam),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iam(arn) => f.write_str(arn.as_str()),
            Self::Recipient(name) => write!(f, "recipient:{name}"),
        }
    }
}

/// Whom a grant means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// Everybody who was recognised, written `*`.
    Anybody,
    /// One caller.
    One(Principal),
}

impl PrincipalPattern {
    /// Whether it means this caller.
    pub fn matches(&self, principal: &Principal) -> bool {
        match self {
            Self::Anybody => true,
            Self::One(one) => one == principal,
        }
    }
}

impl FromStr for PrincipalPattern {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        if text == "*" { Ok(Self::Anybody) } else { text.parse().map(Self::One) }
    }
}

impl fmt::Display for PrincipalPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("*"),
            Self::One(principal) => principal.fmt(f),
        }
    }
}

serde_as_text!(Principal, PrincipalPattern);

/// JSON Schema of a text.
macro_rules! schema_of_text {
    ($($name:ident),+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string" })
            }
        }
    )+};
}
schema_of_text!(Principal, PrincipalPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_has_one_name() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Principal>().map(|p| p.to_string()).as_deref(), Ok(expected), "{text}");
            assert_eq!(expected.parse::<Principal>().map(|p| p.to_string()).as_deref(), Ok(expected));
        };
        check("arn:aws:iam::123456789012:role/analyst", "arn:aws:iam::123456789012:role/analyst");
        check("arn:aws:iam::123456789012:role/team/a/analyst", "arn:aws:iam::123456789012:role/analyst");
        check("arn:aws:sts::123456789012:assumed-role/analyst/ann@x.org", "arn:aws:iam::123456789012:role/analyst");
        check("arn:aws-cn:iam::123456789012:user/ann", "arn:aws-cn:iam::123456789012:user/ann");
        check("recipient:acme-bi", "recipient:acme-bi");
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "",
            "*",
            "acme",
            "recipient:",
            "recipient:Acme",
            "recipient:a/b",
            "arn:aws:iam::1:role/a",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:group/a",
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/a",
            "arn:aws:s3:::bucket",
            "arn:aws:iam:eu-1:123456789012:role/a",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/*",
            "arn:x:iam::123456789012:role/a",
        ] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }
}
