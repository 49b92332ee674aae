//! Who may read what of a data product, and in which form.
//!
//! Each product has a [`Policy`]. It is read from the top: the first grant that names the caller, the access path and
//! the port, and has not expired, decides. Where no grant does so, the answer is no.

mod decide;
mod principal;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::decide::{ColumnAccess, Decision, TableAccess, decide};
pub use self::principal::{Principal, PrincipalError, PrincipalPattern};
pub use self::runs::{RunGrant, RunPolicy, RunPolicyError, RunRight};
use crate::name::{ColumnName, GrantName, PortName, SaltName};

/// How sensitive a column is, from the contract's `classification`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Classification {
    /// For everybody.
    Public,
    /// For everybody in the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// For those whom its owner named.
    Restricted,
}

impl Classification {
    /// Every class, the least sensitive first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Restricted];

    /// The word in contracts and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }

    /// The class of a column by its contract's word, in any case. A column without a word is internal; a word that is no
    /// class of ours is restricted, because nobody knows what it protects.
    pub fn of_contract(word: Option<&str>) -> Self {
        match word {
            None => Self::Internal,
            Some(word) => Self::ALL
                .into_iter()
                .find(|class| class.as_str().eq_ignore_ascii_case(word.trim()))
                .unwrap_or(Self::Restricted),
        }
    }
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way to read a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessPath {
    /// To find it and read about it: page, schema, contract, quality, lineage.
    Catalogue,
    /// To read its rows.
    Rows,
    /// To ask it by SQL.
    Query,
    /// To read it with clients of Delta Sharing.
    Sharing,
}

impl AccessPath {
    /// Every access path.
    pub const ALL: [Self; 4] = [Self::Catalogue, Self::Rows, Self::Query, Self::Sharing];

    /// The word in policies and audit events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Rows => "rows",
            Self::Query => "query",
            Self::Sharing => "sharing",
        }
    }
}

impl fmt::Display for AccessPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In which form a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// As it is.
    Clear,
    /// As null, in its own type.
    Null,
    /// As a keyed hash: 32 hexadecimal digits of text, the same for the same value of the same product, or of all products whose policies
    /// name the same salt.
    Hash,
    /// As six characters: `****` and the last two of a text that is long enough, else `******`. Nothing of a value that is no text.
    Partial,
    /// Not at all: for this caller the column does not exist.
    Hide,
}

impl Treatment {
    /// Whether values are read as they are.
    pub fn is_clear(self) -> bool {
        self == Self::Clear
    }
}

/// What a policy does about columns above a grant's clearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Masking {
    /// Reads as null.
    Null,
    /// Reads as a keyed hash.
    Hash,
    /// Reads as `****` and the last two characters of a long text.
    Partial,
    /// Is not there.
    Hide,
}

impl From<Masking> for Treatment {
    fn from(masking: Masking) -> Self {
        match masking {
            Masking::Null => Self::Null,
            Masking::Hash => Self::Hash,
            Masking::Partial => Self::Partial,
            Masking::Hide => Self::Hide,
        }
    }
}

/// What one group of callers may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Name of the rule, for audit events.
    pub name: GrantName,
    /// Who: `arn:aws:iam::<account>:role/<name>`, `…:user/<name>`, `recipient:<name>`, or `*` for every known caller.
    pub principals: Vec<PrincipalPattern>,
    /// By which access paths. Whoever may read may also find: `catalogue` is always among them.
    #[serde(rename = "doors")]
    pub access_paths: BTreeSet<AccessPath>,
    /// Which output ports; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<BTreeSet<PortName>>,
    /// Which columns; all when left out. Others do not exist for these callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeSet<ColumnName>>,
    /// The most sensitive class read as it is; `internal` when left out.
    #[serde(default = "default_clearance")]
    pub clearance: Classification,
    /// What happens to columns of the classes above; a class that is left out is hidden.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masking: BTreeMap<Classification, Masking>,
    /// Which rows: a predicate over the ports' columns, in the portable SQL subset; all rows when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Why the grant exists, for audit events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The instant from which the grant is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
}

fn default_clearance() -> Classification {
    Classification::Internal
}

/// The policy's JSON Schema (draft 2020-12), for editors; committed as `pipelines/policy.schema.json`.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Policy)
}

/// The policy of one product: grants, the first that fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What hashes are made with, in place of the product's name: the same value has the same hash in all products whose policies name
    /// the same salt, so that they can be joined. Left out: hashes are the product's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<SaltName>,
    /// The grants, in order.
    pub grants: Vec<Grant>,
}
