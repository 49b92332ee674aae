//! Prices from a dated file that a person can read and replace.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Money;

/// Largest file of prices that is read.
const MAX_BYTES: usize = 64 * 1024;

/// The prices that this version of Sluice has, with the region of each.
const BUILT_IN: [(&str, &str); 2] = [
    ("us-east-1", include_str!("../../../../prices/2026-12-01-us-east-1.yaml")),
    ("eu-central-1", include_str!("../../../../prices/2026-12-01-eu-central-1.yaml")),
];

/// What has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Time of a function on Graviton, by its memory.
    LambdaArm64GbSecond,
    /// Time of a function on Intel or AMD, by its memory.
    LambdaX86GbSecond,
    /// A call of a function.
    LambdaRequest,
    /// A read of S3.
    S3Get,
    /// A write of S3.
    S3Put,
    /// A page of a listing of S3.
    S3List,
    /// A transition between states.
    StateTransition,
    /// A message to SNS.
    SnsMessage,
    /// An event to EventBridge.
    EventbridgeEvent,
}

impl Item {
    /// Every item.
    pub const ALL: [Self; 9] = [
        Self::LambdaArm64GbSecond,
        Self::LambdaX86GbSecond,
        Self::LambdaRequest,
        Self::S3Get,
        Self::S3Put,
        Self::S3List,
        Self::StateTransition,
        Self::SnsMessage,
        Self::EventbridgeEvent,
    ];

    /// The name in the file of prices.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LambdaArm64GbSecond => "lambda_arm64_gb_second",
            Self::LambdaX86GbSecond => "lambda_x86_gb_second",
            Self::LambdaRequest => "lambda_request",
            Self::S3Get => "s3_get",
            Self::S3Put => "s3_put",
            Self::S3List => "s3_list",
            Self::StateTransition => "state_transition",
            Self::SnsMessage => "sns_message",
            Self::EventbridgeEvent => "eventbridge_event",
        }
    }

    /// Where it is in the Cost and Usage Report of AWS: `line_item_product_code`, and how `line_item_usage_type` ends. In front
    /// of it, AWS writes a code of the region, such as `EUC1-`, or nothing.
    pub fn in_usage_report(self) -> (&'static str, &'static str) {
        match self {
            Self::LambdaArm64GbSecond => ("AWSLambda", "Lambda-GB-Second-ARM"),
            Self::LambdaX86GbSecond => ("AWSLambda", "Lambda-GB-Second"),
            Self::LambdaRequest => ("AWSLambda", "Request"),
            Self::S3Get => ("AmazonS3", "Requests-Tier2"),
            Self::S3Put | Self::S3List => ("AmazonS3", "Requests-Tier1"),
            Self::StateTransition => ("AmazonStates", "StateTransition"),
            Self::SnsMessage => ("AmazonSNS", "Requests-Tier1"),
            Self::EventbridgeEvent => ("AWSEvents", "Event-64K-Chunks"),
        }
    }

    /// What one unit of it is.
    pub fn unit(self) -> &'static str {
        match self {
            Self::LambdaArm64GbSecond | Self::LambdaX86GbSecond => "GB-s",
            Self::LambdaRequest | Self::S3Get | Self::S3Put | Self::S3List => "requests",
            Self::StateTransition => "transitions",
            Self::SnsMessage => "messages",
            Self::EventbridgeEvent => "events",
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a file has no prices.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PriceError {
    /// The file is not one of prices.
    #[error("prices in {origin}: {message}. Copy a file of prices/ in Sluice's repository and change it")]
    Unreadable {
        /// The file.
        origin: String,
        /// Why, with line and column.
        message: String,
    },
    /// A price does not say where it is from.
    #[error("prices in {origin}: the price of {item} has no source: write the address of the page that it is from")]
    NoSource {
        /// The file.
        origin: String,
        /// The item.
        item: Item,
    },
}

/// The prices of a region at a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    as_of: Date,
    region: String,
    currency: String,
    listed: Listed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    as_of: Date,
    region: String,
    currency: String,
    prices: Listed,
}

/// One field for each [`Item`]: a file without one of them, or with another one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    lambda_arm64_gb_second: Price,
    lambda_x86_gb_second: Price,
    lambda_request: Price,
    s3_get: Price,
    s3_put: Price,
    s3_list: Price,
    state_transition: Price,
    sns_message: Price,
    eventbridge_event: Price,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    /// Of one unit. A text, so that no reader of YAML makes a binary number of it.
    price: Money,
    /// Where it is from.
    source: String,
}

impl Prices {
    /// Reads a file of prices; `origin` names it in messages.
    ///
    /// # Errors
    /// [`PriceError`] for a file that lacks a price, has one that is not known, or is not as the files of `prices/`.
    pub fn parse(text: &str, origin: &str) -> Result<Self, PriceError> {
        let unreadable = |message: String| PriceError::Unreadable { origin: origin.to_owned(), message };
        if text.len() > MAX_BYTES {
            return Err(unreadable(format!("is larger than {MAX_BYTES} bytes")));
        }
        let options = serde_saphyr::options! { strict_booleans: true };
        let Document { as_of, region, currency, prices } =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| unreadable(error.to_string()))?;
        let prices = Self { as_of, region, currency, listed: prices };
        match Item::ALL.into_iter().find(|item| prices.entry(*item).source.trim().is_empty()) {
            Some(item) => Err(PriceError::NoSource { origin: origin.to_owned(), item }),
            None => Ok(prices),
        }
    }

    /// The prices of a region that this version of Sluice has; `None` for other regions.
    pub fn of_region(region: &str) -> Option<Self> {
        let (region, text) = BUILT_IN.into_iter().find(|(known, _)| *known == region)?;
        Self::parse(text, region).ok()
    }

    /// The regions that this version of Sluice has prices of.
    pub fn known_regions() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter().map(|(region, _)| region)
    }

    /// When somebody looked them up.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The currency.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// The price of one unit.
    pub fn price(&self, item: Item) -> Money {
        self.entry(item).price
    }

    /// Where the price is from.
    pub fn source(&self, item: Item) -> &str {
        &self.entry(item).source
    }

    fn entry(&self, item: Item) -> &Price {
        let listed = &self.listed;
        match item {
            Item::LambdaArm64GbSecond => &listed.lambda_arm64_gb_second,
            Item::LambdaX86GbSecond => &listed.lambda_x86_gb_second,
            Item::LambdaRequest => &listed.lambda_request,
            Item::S3Get => &listed.s3_get,
            Item::S3Put => &listed.s3_put,
            Item::S3List => &listed.s3_list,
            Item::StateTransition => &listed.state_transition,
            Item::SnsMessage => &listed.sns_message,
            Item::EventbridgeEvent => &listed.eventbridge_event,
        }
    }
}
