//! Channels of the environment: what each is, where it is, and where its secret is. No secret is in here, only
//! references.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use url::Url;

use crate::name::ChannelName;
use crate::text::serde_as_text;

/// The addresses of PagerDuty and Opsgenie, where a channel names no other (such as those for Europe).
const PAGERDUTY: &str = "https://events.pagerduty.com";
const OPSGENIE: &str = "https://api.opsgenie.com";
/// Most channels of an environment.
const MAX_CHANNELS: usize = 50;

/// The channels of an environment, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertChannels(Vec<AlertChannel>);

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChannel {
    /// What specs call it.
    pub name: ChannelName,
    /// Whether it gets the errors and warnings of pipelines whose specs say nothing of alerts.
    pub is_default: bool,
    /// What it is.
    pub target: AlertTarget,
}

/// What a channel is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertTarget {
    /// An incoming webhook of Slack. Its address is a secret.
    Slack {
        /// Where it is.
        place: ChannelPlace,
    },
    /// A webhook of Microsoft Teams (Workflows). Its address is a secret.
    Teams {
        /// Where it is.
        place: ChannelPlace,
    },
    /// A service of PagerDuty with an integration for the Events API v2.
    PagerDuty {
        /// Where PagerDuty is.
        address: ChannelAddress,
        /// The integration key.
        key: SecretRef,
    },
    /// A team of Opsgenie, or what took its API over.
    Opsgenie {
        /// Where its API is.
        address: ChannelAddress,
        /// The API key.
        key: SecretRef,
    },
    /// A receiver of Standard Webhooks.
    Webhook {
        /// Where it is.
        place: ChannelPlace,
        /// The secret that signs, `whsec_…`.
        key: SecretRef,
    },
    /// Subscribers of an SNS topic.
    Email {
        /// ARN of the topic.
        topic: String,
    },
}

impl AlertTarget {
    /// Its kind, as the environment writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Opsgenie { .. } => "opsgenie",
            Self::Webhook { .. } => "webhook",
            Self::Email { .. } => "email",
        }
    }

    /// Whether a message opens an incident, which stays open until it is resolved. Such channels get no infos.
    pub fn opens_incidents(&self) -> bool {
        matches!(self, Self::PagerDuty { .. } | Self::Opsgenie { .. })
    }
}

/// Where a channel is: an address, or a secret that holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelPlace {
    /// The address itself.
    Address(ChannelAddress),
    /// Where the address is kept.
    Secret(SecretRef),
}

/// An address that messages may be sent to: https, or http on this machine (127.0.0.1). That of a webhook is a secret,
/// so it is printed by its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelAddress(Url);

impl fmt::Debug for ChannelAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelAddress").field(&self.0.host_str()).finish()
    }
}

/// Why a text is not a [`ChannelAddress`]. The text is not repeated: addresses of webhooks are secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the address is not https://host/path without user, password and fragment (http only for 127.0.0.1)")]
pub struct ChannelAddressError;

impl ChannelAddress {
    /// The address.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.0.host_str() == Some("127.0.0.1")
    }

    /// The address with this path after its own.
    pub fn below(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }
}

impl FromStr for ChannelAddress {
    type Err = ChannelAddressError;

    fn from_str(text: &str) -> Result<Self, ChannelAddressError> {
        let url = Url::parse(text.trim()).map_err(|_| ChannelAddressError)?;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let may_be_asked = match url.scheme() {
            "https" => url.host_str().is_some_and(|host| !host.is_empty()),
            "http" => url.host_str() == Some("127.0.0.1"),
            _ => false,
        };
        if is_bare && may_be_asked { Ok(Self(url)) } else { Err(ChannelAddressError) }
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A variable of the environment: `env:NAME`.
    Variable(String),
    /// AWS Secrets Manager: `secretsmanager:<ARN>`.
    SecretsManager(String),
}

/// Why a text is not a [`SecretRef`]. The text is not repeated: it may be the secret itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "this is not where a secret is kept: write env:NAME or secretsmanager:arn:aws:secretsmanager:…, not the secret"
)]
pub struct SecretRefError;

impl FromStr for SecretRef {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let is_variable = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Variable(name.to_owned())),
            Some(("secretsmanager", arn))
                if matches!(arn.split(':').collect::<Vec<_>>().as_slice(),
                    ["arn", _, "secretsmanager", _, _, "secret", name] if !name.is_empty()) =>
            {
                Ok(Self::SecretsManager(arn.to_owned()))
            }
            _ => Err(SecretRefError),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::SecretsManager(arn) => write!(f, "secretsmanager:{arn}"),
        }
    }
}

serde_as_text!(SecretRef);

/// Why a text is not a list of channels.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChannelsError {
    /// Not JSON, an unknown key, or a value of another type.
    #[error("is not a list of channels in JSON, at `{path}`: {message}")]
    Unreadable {
        /// Where.
        path: String,
        /// What.
        message: String,
    },
    /// Two channels have one name.
    #[error("two channels are called `{name}`: give one of them another name")]
    Twice {
        /// The name.
        name: ChannelName,
    },
    /// More than can be.
    #[error("has {count} channels: an environment has at most {MAX_CHANNELS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// What a channel says does not go together.
    #[error("channel `{name}` of kind {kind}: {problem}")]
    Channel {
        /// The channel.
        name: ChannelName,
        /// Its kind.
        kind: &'static str,
        /// What is wrong, and the fix.
        problem: String,
    },
}

/// A channel as the environment writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: ChannelName,
    kind: Kind,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    key: Option<SecretRef>,
    #[serde(default)]
    topic: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Slack,
    Teams,
    PagerDuty,
    Opsgenie,
    Webhook,
    Email,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Webhook => "webhook",
            Self::Email => "email",
        }
    }

    /// Which of `address`, `key` and `topic` it has.
    fn takes(self) -> [bool; 3] {
        match self {
            Self::Slack | Self::Teams => [true, false, false],
            Self::PagerDuty | Self::Opsgenie | Self::Webhook => [true, true, false],
            Self::Email => [false, false, true],
        }
    }
}

impl AlertChannels {
    /// All of them, in the order of the environment.
    pub fn iter(&self) -> impl Iterator<Item = &AlertChannel> {
        self.0.iter()
    }

    /// The channel of this name.
    pub fn get(&self, name: &ChannelName) -> Option<&AlertChannel> {
        self.0.iter().find(|channel| &channel.name == name)
    }

    /// Their names, for messages.
    pub fn names(&self) -> String {
        self.0.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl FromStr for AlertChannels {
    type Err = ChannelsError;

    fn from_str(text: &str) -> Result<Self, ChannelsError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let unreadable = |path: String, message: String| ChannelsError::Unreadable { path, message };
        let written: Vec<Written> = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| unreadable(error.path().to_string(), error.inner().to_string()))?;
        json.end().map_err(|error| unreadable(".".to_owned(), error.to_string()))?;
        if written.len() > MAX_CHANNELS {
            return Err(ChannelsError::TooMany { count: written.len() });
        }
        let mut channels: Vec<AlertChannel> = Vec::new();
        for one in written {
            if channels.iter().any(|channel| channel.name == one.name) {
                return Err(ChannelsError::Twice { name: one.name });
            }
            channels.push(one.checked()?);
        }
        Ok(Self(channels))
    }
}

impl Written {
    fn checked(self) -> Result<AlertChannel, ChannelsError> {
        let Self { name, kind, default, address, key, topic } = self;
        let refused = |problem: String| ChannelsError::Channel { name: name.clone(), kind: kind.as_str(), problem };
        let given = [address.is_some(), key.is_some(), topic.is_some()];
        let mut places = ["address", "key", "topic"].into_iter().zip(kind.takes()).zip(given);
        if let Some(((place, _), _)) = places.find(|((_, takes), given)| *given && !*takes) {
            return Err(refused(format!("has no `{place}`: take it out")));
        }
        let needed = |place: &str| refused(format!("needs `{place}`"));
        let target = match kind {
            Kind::Slack | Kind::Teams => {
                let place = place_of(&address.ok_or_else(|| needed("address"))?).map_err(refused)?;
                if matches!(&place, ChannelPlace::Address(address) if !address.is_local()) {
                    let problem = "whoever knows the address can write to the channel: keep it as a secret, and write \
                                   `address` as env:NAME or secretsmanager:<ARN>";
                    return Err(refused(problem.to_owned()));
                }
                if kind == Kind::Slack { AlertTarget::Slack { place } } else { AlertTarget::Teams { place } }
            }
            Kind::Webhook => {
                let place = place_of(&address.ok_or_else(|| needed("address"))?).map_err(refused)?;
                AlertTarget::Webhook { place, key: key.ok_or_else(|| needed("key"))? }
            }
            Kind::PagerDuty => {
                let address = address_of(address.as_deref().unwrap_or(PAGERDUTY)).map_err(refused)?;
                AlertTarget::PagerDuty { address, key: key.ok_or_else(|| needed("key"))? }
            }
            Kind::Opsgenie => {
                let address = address_of(address.as_deref().unwrap_or(OPSGENIE)).map_err(refused)?;
                AlertTarget::Opsgenie { address, key: key.ok_or_else(|| needed("key"))? }
            }
            Kind::Email => {
                let topic = topic.ok_or_else(|| needed("topic"))?;
                let parts: Vec<&str> = topic.split(':').collect();
                if !matches!(parts.as_slice(), ["arn", _, "sns", _, _, name] if !name.is_empty()) {
                    return Err(refused(format!("topic '{topic}' is not the ARN of an SNS topic")));
                }
                AlertTarget::Email { topic }
            }
        };
        Ok(AlertChannel { name, is_default: default, target })
    }
}

fn address_of(text: &str) -> Result<ChannelAddress, String> {
    text.parse().map_err(|error: ChannelAddressError| error.to_string())
}

/// A reference to a secret, or an address.
fn place_of(text: &str) -> Result<ChannelPlace, String> {
    if let Ok(secret) = text.parse::<SecretRef>() {
        return Ok(ChannelPlace::Secret(secret));
    }
    address_of(text).map(ChannelPlace::Address)
}
