//! Who may do what with the runs of a pipeline.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Principal, PrincipalPattern};
use crate::name::GrantName;

/// What a caller may do with the runs of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunRight {
    /// To list and follow them.
    Read,
    /// To start them.
    Start,
    /// To redrive and stop them.
    Control,
}

impl RunRight {
    /// The word in specs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Start => "start",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for RunRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Rights of one group of callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunGrant {
    /// Name of the rule, for audit events.
    pub name: GrantName,
    /// Who, as in policies of data products: `arn:aws:iam::<account>:role/<name>`, `…:user/<name>`, `recipient:<name>`, or `*` for every
    /// known caller.
    pub principals: Vec<PrincipalPattern>,
    /// Which rights: `start`, `read` and `control` (redrive and stop). Whoever has one of them may read.
    pub rights: BTreeSet<RunRight>,
    /// Why the grant exists, for audit events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The instant from which the grant is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
}

/// Why grants are refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RunPolicyError {
    /// Audit events could not say which rule decided.
    #[error("there are two grants `{0}`: audit events name the rule")]
    Repeated(GrantName),
    /// Nobody, or no right.
    #[error("grant `{0}`: `principals` and `rights` must not be empty: such a grant gives nothing")]
    Empty(GrantName),
}

/// The grants of one pipeline. Where no grant gives a right, the answer is no.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use jiff::Timestamp;
/// use sluice_core::access::{RunPolicy, RunRight};
///
/// let policy: RunPolicy = serde_json::from_str(
///     r#"[{"name": "operators", "principals": ["recipient:ops"], "rights": ["start"]}]"#,
/// )?;
/// let ops = "recipient:ops".parse()?;
/// assert!(policy.grant(&ops, RunRight::Start, Timestamp::UNIX_EPOCH).is_some());
/// assert!(policy.grant(&ops, RunRight::Read, Timestamp::UNIX_EPOCH).is_some());
/// assert!(policy.grant(&ops, RunRight::Control, Timestamp::UNIX_EPOCH).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<RunGrant>", into = "Vec<RunGrant>")]
#[schemars(with = "Vec<RunGrant>")]
pub struct RunPolicy(Vec<RunGrant>);

impl RunPolicy {
    /// Whether it gives nobody anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first grant that gives the caller this right at this time.
    pub fn grant(&self, principal: &Principal, right: RunRight, now: Timestamp) -> Option<&RunGrant> {
        let gives = |grant: &&RunGrant| {
            grant.expires.is_none_or(|expires| now < expires)
                && (right == RunRight::Read || grant.rights.contains(&right))
                && grant.principals.iter().any(|pattern| pattern.matches(principal))
        };
        self.0.iter().find(gives)
    }
}

impl TryFrom<Vec<RunGrant>> for RunPolicy {
    type Error = RunPolicyError;

    fn try_from(grants: Vec<RunGrant>) -> Result<Self, RunPolicyError> {
        let mut names = BTreeSet::new();
        for grant in &grants {
            if grant.principals.is_empty() || grant.rights.is_empty() {
                return Err(RunPolicyError::Empty(grant.name.clone()));
            }
            if !names.insert(&grant.name) {
                return Err(RunPolicyError::Repeated(grant.name.clone()));
            }
        }
        Ok(Self(grants))
    }
}

impl From<RunPolicy> for Vec<RunGrant> {
    fn from(policy: RunPolicy) -> Self {
        policy.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<RunPolicy, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_right_is_given_by_a_grant_that_names_it_and_has_not_expired() {
        let policy = policy(
            "- { name: starters, principals: ['recipient:s'], rights: [start], expires: 2026-01-01T00:00:00Z }
- { name: readers, principals: ['recipient:r', 'recipient:c'], rights: [read] }
- { name: controllers, principals: ['recipient:c'], rights: [control] }
- { name: later, principals: ['recipient:s'], rights: [control] }
",
        )
        .expect("policy");
        let check = |caller: &str, right: RunRight, now: &str, expected: Option<&str>| {
            let now = now.parse().expect(now);
            let grant = policy.grant(&caller.parse().expect(caller), right, now);
            assert_eq!(grant.map(|grant| grant.name.as_str()), expected, "{caller} {right}");
        };
        let (then, now) = ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z");
        check("recipient:s", RunRight::Start, then, Some("starters"));
        check("recipient:s", RunRight::Start, now, None);
        check("recipient:s", RunRight::Read, then, Some("starters"));
        check("recipient:s", RunRight::Read, now, Some("later"));
        check("recipient:r", RunRight::Read, now, Some("readers"));
        check("recipient:r", RunRight::Start, now, None);
        check("recipient:r", RunRight::Control, now, None);
        check("recipient:c", RunRight::Control, now, Some("controllers"));
        check("recipient:x", RunRight::Read, now, None);
    }

    #[test]
    fn grants_that_give_nothing_or_share_a_name_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = policy(text).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check(
            "- { name: a, principals: [], rights: [start] }",
            "grant `a`: `principals` and `rights` must not be empty",
        );
        check("- { name: a, principals: ['*'], rights: [] }", "must not be empty");
        check("- { name: a, principals: ['*'], rights: [stop] }", "stop");
        check("- { name: a, principals: ['x'], rights: [start] }", "'x' names no caller");
        check("- { name: a, principals: ['*'], rights: [start], surprise: 1 }", "surprise");
        let twice = "- { name: a, principals: ['*'], rights: [start] }\n".repeat(2);
        check(&twice, "there are two grants `a`");
    }
}
