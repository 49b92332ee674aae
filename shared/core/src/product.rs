//! Data products: what consumers find, read about and read.

mod parse;
mod policy;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::{Grant, Masking, Policy};
use crate::contract::{ColumnType, TableContract};
use crate::name::{PipelineName, PortName, ProductRef, TableRef};

pub use self::parse::{Offered, ProductError, Source};

/// A data product as it was deployed: everything that the HTTP API needs to know of it, in one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredProduct {
    /// Its name and domain.
    pub product: ProductRef,
    /// The pipeline that makes its tables.
    pub pipeline: PipelineName,
    /// When it was deployed.
    pub deployed_at: Timestamp,
    /// The ODPS document: what is said of it.
    pub about: About,
    /// Its tables, in the order of the document.
    pub ports: Vec<OutputPort>,
    /// What it is made from.
    pub inputs: Vec<InputPort>,
    /// Who may read what.
    pub policy: Policy,
}

impl RegisteredProduct {
    /// The port of this name.
    pub fn port(&self, name: &PortName) -> Option<&OutputPort> {
        self.ports.iter().find(|port| &port.name == name)
    }

    /// The columns that a grant masks as `partial` and that are no text, as `<port>.<column>`: nothing of their values is shown.
    pub fn without_parts(&self, grant: &Grant) -> Vec<String> {
        let partial = grant.masking.iter().filter(|(_, masking)| **masking == Masking::Partial);
        let columns = partial.flat_map(|(class, _)| policy::masked_columns(grant, &self.ports, *class));
        let others = columns.filter(|(_, column)| column.column_type != ColumnType::Text);
        others.map(|(port, column)| format!("{port}.{}", column.name)).collect()
    }
}

/// What a product's document says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The document's `id`.
    pub id: String,
    /// The product's version.
    pub version: String,
    /// `proposed`, `draft`, `active`, `deprecated` or `retired`.
    pub status: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What it is not for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limitations: Option<String>,
    /// How to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Name of the team that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who owns it: members of the team with the role `owner`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Where help is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub support: Vec<SupportChannel>,
}

/// Where help is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupportChannel {
    /// What it is called.
    pub channel: String,
    /// Its address.
    pub url: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a product is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputPort {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Id of its contract.
    pub contract_id: String,
}

/// A table that consumers read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputPort {
    /// Name, the table's name for consumers.
    pub name: PortName,
    /// Version of the port.
    pub version: String,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The table: of silver or gold.
    pub table: TableRef,
    /// Its contract, executable.
    pub contract: TableContract,
    /// Its contract as it was deployed, YAML.
    pub contract_text: String,
    /// What its owner promises, from the contract's `slaProperties`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sla: Vec<ServiceLevel>,
}

/// A promise of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// What is promised, such as `latency`, `frequency` or `retention`.
    pub property: String,
    /// How much, as the contract writes it.
    pub value: String,
    /// Unit of the value, such as `d`, `h` or `m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The column it is measured by, when one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
}

impl ServiceLevel {
    /// The oldest that the newest commit of the table may be by this promise; `None` for a promise of something else,
    /// or without a number and a unit of time.
    ///
    /// # Example
    ///
    /// ```
    /// use jiff::SignedDuration;
    /// use sluice_core::product::ServiceLevel;
    ///
    /// let promise = |property: &str| ServiceLevel {
    ///     property: property.to_owned(),
    ///     value: "1.5".to_owned(),
    ///     unit: Some("d".to_owned()),
    ///     element: None,
    /// };
    /// assert_eq!(promise("latency").oldest(), Some(SignedDuration::from_hours(36)));
    /// assert_eq!(promise("retention").oldest(), None);
    /// ```
    pub fn oldest(&self) -> Option<SignedDuration> {
        let is_age = ["latency", "freshness", "frequency"].contains(&self.property.as_str());
        let unit = match self.unit.as_deref()?.to_ascii_lowercase().as_str() {
            "s" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return None,
        };
        let value = self.value.parse::<f64>().ok().filter(|_| is_age)?;
        SignedDuration::try_from_secs_f64(value * unit).ok()
    }
}
