//! Names: everything that ends up in a path, a payload or a log is parsed once, here.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::serde_as_text;

/// Why a text is no name of its kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is no {kind}: {rule}")]
pub struct NameError {
    /// What the text was to be, such as `table name`.
    pub kind: &'static str,
    /// The refused text, shortened to 80 characters.
    pub text: String,
    /// What is allowed.
    pub rule: &'static str,
}

/// Defines a text newtype whose only way in is `FromStr`.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { kind: $kind, text: text.chars().take(80).collect(), rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        serde_as_text!($name);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $rule })
            }
        }
    };
}

fn is_snake(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

name_type!(
    /// Name of a pipeline, such as `retail`; also the folder of its spec and runs.
    PipelineName, "pipeline name", "1 to 48 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,47}$",
    |text| is_snake(text, 48)
);
name_type!(
    /// Name of one of several sources of a pipeline, such as `orders`; also the folder of its files below a folder that a
    /// run is asked to take them from.
    SourceName, "source name", "1 to 48 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,47}$",
    |text| is_snake(text, 48)
);
name_type!(
    /// Name of a business domain, such as `sales`; the folder above its tables.
    DomainName, "domain name", "1 to 48 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,47}$",
    |text| is_snake(text, 48)
);
name_type!(
    /// Name of a table within its layer and domain.
    TableName, "table name", "1 to 64 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,63}$",
    |text| is_snake(text, 64)
);
name_type!(
    /// Name of a column that Sluice writes: snake case, so that every engine and BI tool reads it unquoted.
    ColumnName, "column name", "1 to 64 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,63}$",
    |text| is_snake(text, 64)
);
name_type!(
    /// Name of a data product within its domain, such as `retail`; a segment of its addresses.
    ProductName, "data product name", "1 to 64 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,63}$",
    |text| is_snake(text, 64)
);
name_type!(
    /// Name of an output port of a data product: what consumers call its table.
    PortName, "output port name", "1 to 64 of a-z, 0-9 and _, starting with a letter", "^[a-z][a-z0-9_]{0,63}$",
    |text| is_snake(text, 64)
);
name_type!(
    /// Name of somebody who reads with a bearer token, such as `acme` or `acme-bi`.
    RecipientName, "recipient name", "1 to 64 of a-z, 0-9, - and _, starting with a letter", "^[a-z][a-z0-9_-]{0,63}$",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
);
name_type!(
    /// Name of a grant within its policy: the rule that audit events name.
    GrantName, "grant name", "1 to 64 of a-z, 0-9, - and _, starting with a letter", "^[a-z][a-z0-9_-]{0,63}$",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
);
name_type!(
    /// Name of what the hashes of several data products are made with, so that they can be joined.
    SaltName, "salt name", "1 to 64 of a-z, 0-9, - and _, starting with a letter", "^[a-z][a-z0-9_-]{0,63}$",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
);
name_type!(
    /// Name of a channel that alerts are sent to, such as `retail-on-call`.
    ChannelName, "channel name", "1 to 64 of a-z, 0-9, - and _, starting with a letter", "^[a-z][a-z0-9_-]{0,63}$",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
);
name_type!(
    /// Identifier of a run: the name of its state machine execution.
    ///
    /// Runs made by Sluice start with the UTC instant, so they sort by time.
    ///
    /// # Example
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sluice_core::name::RunId;
    ///
    /// let run: RunId = "20260105T100000Z-daily".parse()?;
    /// assert_eq!(run.as_str(), "20260105T100000Z-daily");
    ///
    /// let error = "../daily".parse::<RunId>().unwrap_err();
    /// assert_eq!((error.kind, error.text.as_str()), ("run id", "../daily"));
    /// assert_eq!(error.rule, "1 to 80 of A-Z, a-z, 0-9, - and _");
    /// # Ok(())
    /// # }
    /// ```
    RunId, "run id", "1 to 80 of A-Z, a-z, 0-9, - and _", "^[A-Za-z0-9_-]{1,80}$",
    |text| (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);

/// A data product: `<domain>/<product>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductRef {
    domain: DomainName,
    product: ProductName,
}

impl ProductRef {
    /// The data product of these parts.
    pub fn new(domain: DomainName, product: ProductName) -> Self {
        Self { domain, product }
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The product's own name.
    pub fn product(&self) -> &ProductName {
        &self.product
    }
}

impl fmt::Display for ProductRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.product)
    }
}

impl FromStr for ProductRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (domain, product) = text.split_once('/').ok_or_else(|| NameError {
            kind: "data product",
            text: text.chars().take(80).collect(),
            rule: "<domain>/<product>",
        })?;
        Ok(Self { domain: domain.parse()?, product: product.parse()? })
    }
}

serde_as_text!(ProductRef);

/// A layer of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Source records as delivered, as text.
    Bronze,
    /// Rows that broke an error rule, with the rules they broke.
    Quarantine,
    /// The delete events of silver tables.
    Deletes,
    /// Clean, typed, deduplicated rows.
    Silver,
    /// Business aggregates.
    Gold,
}

impl Layer {
    /// Every layer, in the order of publication.
    pub const ALL: [Self; 5] = [Self::Bronze, Self::Quarantine, Self::Deletes, Self::Silver, Self::Gold];

    /// The folder name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Quarantine => "quarantine",
            Self::Deletes => "deletes",
            Self::Gold => "gold",
        }
    }
}

/// A table of the lake: `<layer>/<domain>/<table>`, which is also its folder.
///
/// Ordered by layer in the order of publication, then by name.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::name::{Layer, TableRef};
///
/// let table: TableRef = "silver/sales/orders".parse()?;
/// assert_eq!(table.layer(), Layer::Silver);
/// assert_eq!((table.domain().as_str(), table.table().as_str()), ("sales", "orders"));
/// assert_eq!(table.to_string(), "silver/sales/orders");
///
/// assert!("silver/../orders".parse::<TableRef>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableRef {
    layer: Layer,
    domain: DomainName,
    table: TableName,
}

impl TableRef {
    /// The table of these parts.
    pub fn new(layer: Layer, domain: DomainName, table: TableName) -> Self {
        Self { layer, domain, table }
    }

    /// The layer.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The table's own name.
    pub fn table(&self) -> &TableName {
        &self.table
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.layer.as_str(), self.domain, self.table)
    }
}

impl FromStr for TableRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError {
            kind: "table",
            text: text.chars().take(80).collect(),
            rule: "<layer>/<domain>/<table> with layer bronze, quarantine, deletes, silver or gold",
        };
        let mut parts = text.split('/');
        let (Some(layer), Some(domain), Some(table), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let layer = Layer::ALL.into_iter().find(|l| l.as_str() == layer).ok_or_else(refused)?;
        Ok(Self { layer, domain: domain.parse()?, table: table.parse()? })
    }
}

serde_as_text!(TableRef);

impl JsonSchema for TableRef {
    fn schema_name() -> Cow<'static, str> {
        "TableRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(bronze|quarantine|deletes|silver|gold)/[a-z][a-z0-9_]{0,47}/[a-z][a-z0-9_]{0,63}$",
            "description": "<layer>/<domain>/<table>",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_or_break_paths_are_refused() {
        for text in ["", "..", "../x", "a/b", "a b", "Ä", "a.b", "1a", "_a", "A", "a%2fb", "a\0", &"a".repeat(65)] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
        for text in ["", "..", "a/b", "a.b", "a b", &"a".repeat(81)] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn table_refs_print_what_they_parse() {
        for text in ["bronze/sales/transactions", "gold/sales/daily_revenue"] {
            assert_eq!(text.parse::<TableRef>().map(|t| t.to_string()).as_deref(), Ok(text));
        }
        for text in ["silver/sales", "iron/sales/t", "silver/sales/t/u", "silver/../t"] {
            assert!(text.parse::<TableRef>().is_err(), "{text}");
        }
    }
}
