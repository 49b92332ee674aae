//! From ODPS document, policy and contracts to the product as it is registered.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::Value;

use super::policy::read_policy;
use super::{About, InputPort, OutputPort, RegisteredProduct, ServiceLevel, SupportChannel};
use crate::access::Policy;
use crate::contract::TableContract;
use crate::name::{PipelineName, PortName, ProductRef, TableRef};
use crate::spec::MAX_DOCUMENT_BYTES;

/// More problems than anyone reads at once.
const MAX_PROBLEMS: usize = 20;

/// Why a product or its policy is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProductError {
    /// No YAML, or not of the form.
    #[error("{origin}: {message}")]
    Unreadable {
        /// The file.
        origin: String,
        /// Line, column and reason.
        message: String,
    },
    /// Not as the standard has it.
    #[error("{origin}: {place}: {message}")]
    NotOdps {
        /// The file.
        origin: String,
        /// Where in the document.
        place: String,
        /// The schema's words.
        message: String,
    },
    /// As the standard has it, and not possible here.
    #[error("{origin}: {what}")]
    NotPossible {
        /// The file.
        origin: String,
        /// What, and the fix.
        what: String,
    },
}

/// A table that a product may offer, with its contract.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The table: of silver or gold.
    pub table: TableRef,
    /// Its contract, executable.
    pub contract: TableContract,
    /// Its contract as written.
    pub text: String,
}

/// A document next to a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name of the file, for messages.
    pub origin: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Compiled at first use.
static VALIDATOR: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/odps-json-schema-v1.0.0.json"))
        .map_err(|error| error.to_string())?;
    jsonschema::validator_for(&schema).map_err(|error| error.to_string())
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Odps {
    id: String,
    name: Option<String>,
    version: Option<String>,
    status: String,
    domain: Option<String>,
    #[serde(default)]
    description: Option<OdpsDescription>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    input_ports: Vec<OdpsInput>,
    #[serde(default)]
    output_ports: Vec<OdpsOutput>,
    #[serde(default)]
    support: Vec<OdpsSupport>,
    #[serde(default)]
    team: Option<OdpsTeam>,
}

#[derive(Deserialize, Default)]
struct OdpsDescription {
    purpose: Option<String>,
    limitations: Option<String>,
    usage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OdpsInput {
    name: String,
    version: String,
    contract_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OdpsOutput {
    name: String,
    version: String,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    contract_id: Option<String>,
}

#[derive(Deserialize)]
struct OdpsSupport {
    channel: String,
    url: String,
    description: Option<String>,
}

#[derive(Deserialize)]
struct OdpsTeam {
    name: Option<String>,
    #[serde(default)]
    members: Vec<OdpsMember>,
}

#[derive(Deserialize)]
struct OdpsMember {
    username: String,
    role: Option<String>,
}

/// The part of a contract that the executable form leaves out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promises {
    #[serde(default)]
    sla_properties: Vec<Promise>,
}

#[derive(Deserialize)]
struct Promise {
    property: String,
    value: Value,
    unit: Option<String>,
    element: Option<String>,
}

impl RegisteredProduct {
    /// The product of these documents, over the tables that its pipeline offers. Without a policy nobody reads it.
    ///
    /// # Errors
    /// Every problem found.
    pub fn resolve(
        pipeline: &PipelineName,
        product: Source<'_>,
        policy: Option<Source<'_>>,
        offered: &[Offered],
        now: Timestamp,
    ) -> Result<Self, Vec<ProductError>> {
        let document = read_odps(product)?;
        let mut problems = Vec::new();
        let mut impossible =
            |what: String| problems.push(ProductError::NotPossible { origin: product.origin.to_owned(), what });
        let mut named = |field: &str, text: &Option<String>| match text {
            Some(text) => Some(text.clone()),
            None => {
                impossible(format!("`{field}` is missing: products are found by domain and name"));
                None
            }
        };
        let (domain, name) = (named("domain", &document.domain), named("name", &document.name));
        let reference = domain.zip(name).and_then(|(domain, name)| match (domain.parse(), name.parse()) {
            (Ok(domain), Ok(name)) => Some(ProductRef::new(domain, name)),
            (domain, name) => {
                let reasons = domain.err().into_iter().chain(name.err());
                reasons.for_each(|reason| impossible(format!("`domain` and `name` are parts of addresses: {reason}")));
                None
            }
        });
        let mut ports: Vec<OutputPort> = Vec::new();
        for port in &document.output_ports {
            match output_port(port, offered) {
                Ok(port) if ports.iter().any(|known| known.name == port.name) => {
                    impossible(format!(
                        "output port `{}` is listed twice: one name is one table for consumers",
                        port.name
                    ));
                }
                Ok(port) => ports.push(port),
                Err(what) => impossible(what),
            }
        }
        if document.output_ports.is_empty() {
            impossible("there is no output port: consumers would find nothing to read".to_owned());
        }
        let policy = match policy.map(|source| read_policy(source, &ports)).transpose() {
            Ok(policy) => policy.unwrap_or_default(),
            Err(refused) => {
                problems.extend(refused);
                Policy::default()
            }
        };
        match reference {
            Some(reference) if problems.is_empty() => Ok(Self {
                product: reference,
                pipeline: pipeline.clone(),
                deployed_at: now,
                about: about(&document),
                ports,
                inputs: document
                    .input_ports
                    .into_iter()
                    .map(|OdpsInput { name, version, contract_id }| InputPort { name, version, contract_id })
                    .collect(),
                policy,
            }),
            _ => Err(problems),
        }
    }
}

fn read_odps(source: Source<'_>) -> Result<Odps, Vec<ProductError>> {
    let origin = || source.origin.to_owned();
    let unreadable = |message: String| vec![ProductError::Unreadable { origin: origin(), message }];
    if source.text.len() > MAX_DOCUMENT_BYTES {
        return Err(unreadable(format!("is larger than {MAX_DOCUMENT_BYTES} bytes")));
    }
    let document: Value = serde_saphyr::from_str(source.text).map_err(|error| unreadable(error.to_string()))?;
    let validator = VALIDATOR.as_ref().map_err(|message| unreadable(message.clone()))?;
    let problem = |error: jsonschema::ValidationError<'_>| {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { "/".to_owned() } else { place };
        ProductError::NotOdps { origin: origin(), place, message: error.to_string().chars().take(400).collect() }
    };
    let problems: Vec<ProductError> = validator.iter_errors(&document).take(MAX_PROBLEMS).map(problem).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_path_to_error::deserialize(document)
        .map_err(|error| unreadable(format!("`{}`: {}", error.path(), error.inner())))
}

fn about(document: &Odps) -> About {
    let description = document.description.as_ref();
    let team = document.team.as_ref();
    let is_owner = |member: &&OdpsMember| member.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("owner"));
    About {
        id: document.id.clone(),
        version: document.version.clone().unwrap_or_default(),
        status: document.status.clone(),
        purpose: description.and_then(|d| d.purpose.clone()),
        limitations: description.and_then(|d| d.limitations.clone()),
        usage: description.and_then(|d| d.usage.clone()),
        tags: document.tags.clone(),
        team: team.and_then(|team| team.name.clone()),
        owners: team
            .map_or(&[][..], |team| &team.members)
            .iter()
            .filter(is_owner)
            .map(|m| m.username.clone())
            .collect(),
        support: document
            .support
            .iter()
            .map(|OdpsSupport { channel, url, description }| SupportChannel {
                channel: channel.clone(),
                url: url.clone(),
                description: description.clone(),
            })
            .collect(),
    }
}

fn output_port(port: &OdpsOutput, offered: &[Offered]) -> Result<OutputPort, String> {
    let name: PortName = port.name.parse().map_err(|error| format!("output port: {error}"))?;
    if port.kind.as_deref().is_some_and(|kind| kind != "tables") {
        return Err(format!(
            "output port `{name}`: type is '{}', and only `tables` are served",
            port.kind.as_deref().unwrap_or_default()
        ));
    }
    let Some(id) = &port.contract_id else {
        return Err(format!("output port `{name}`: contractId is missing: it says which table the port is"));
    };
    let found: Vec<&Offered> = offered.iter().filter(|offered| &offered.contract.contract_id == id).collect();
    match found.as_slice() {
        [one] => Ok(OutputPort {
            name,
            version: port.version.clone(),
            description: port.description.clone(),
            table: one.table.clone(),
            contract: one.contract.clone(),
            contract_text: one.text.clone(),
            sla: promises(&one.text),
        }),
        [] => {
            let known: BTreeSet<&str> = offered.iter().map(|offered| offered.contract.contract_id.as_str()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            Err(format!(
                "output port `{name}`: no table of the pipeline has contract '{id}'; there are {}",
                known.join(", ")
            ))
        }
        _ => Err(format!(
            "output port `{name}`: several tables have contract '{id}': give each table a contract of its own"
        )),
    }
}

/// The promises of a contract, which has been read before and so can be read.
fn promises(text: &str) -> Vec<ServiceLevel> {
    let promised = serde_saphyr::from_str::<Promises>(text).map(|promises| promises.sla_properties).unwrap_or_default();
    let level = |promise: Promise| ServiceLevel {
        property: promise.property,
        value: promise.value.as_str().map_or_else(|| promise.value.to_string(), str::to_owned),
        unit: promise.unit,
        element: promise.element,
    };
    promised.into_iter().map(level).collect()
}
