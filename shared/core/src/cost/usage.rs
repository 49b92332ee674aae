//! What the calls of a run used, as they measured it themselves.

use std::fmt;
use std::ops::Add;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Requests by the kinds that are priced, and bytes. Deletes are free and are not counted. A request that the client of the store
/// repeats by itself is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Objects read, whole, in part or their heads alone.
    pub s3_get: u64,
    /// Objects written, with each step of an upload in parts, and copied.
    pub s3_put: u64,
    /// Pages of listings.
    pub s3_list: u64,
    /// Messages to SNS.
    pub sns: u64,
    /// Events to EventBridge.
    pub events: u64,
    /// Bytes that were asked for and given.
    pub read_bytes: u64,
    /// Bytes sent to be stored.
    pub written_bytes: u64,
    /// Parquet files that Polars was given to read. It reads them with a client of its own, whose requests nobody can count:
    /// they are estimated from this number.
    pub scanned_files: u64,
}

/// Requests that Polars is taken to make for a Parquet file on S3: its size, its footer (polars-stream 0.55,
/// `metadata_utils.rs`), and its columns. Small files take one less, large ones more.
const REQUESTS_PER_SCANNED_FILE: u64 = 3;

impl Requests {
    /// The requests of Polars, as far as they can be foreseen.
    pub fn estimated_s3_get(&self) -> u64 {
        self.scanned_files.saturating_mul(REQUESTS_PER_SCANNED_FILE)
    }

    /// What was counted since `before` of the same counters.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            s3_get: self.s3_get.saturating_sub(before.s3_get),
            s3_put: self.s3_put.saturating_sub(before.s3_put),
            s3_list: self.s3_list.saturating_sub(before.s3_list),
            sns: self.sns.saturating_sub(before.sns),
            events: self.events.saturating_sub(before.events),
            read_bytes: self.read_bytes.saturating_sub(before.read_bytes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            scanned_files: self.scanned_files.saturating_sub(before.scanned_files),
        }
    }
}

impl Add for Requests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            s3_get: self.s3_get.saturating_add(other.s3_get),
            s3_put: self.s3_put.saturating_add(other.s3_put),
            s3_list: self.s3_list.saturating_add(other.s3_list),
            sns: self.sns.saturating_add(other.sns),
            events: self.events.saturating_add(other.events),
            read_bytes: self.read_bytes.saturating_add(other.read_bytes),
            written_bytes: self.written_bytes.saturating_add(other.written_bytes),
            scanned_files: self.scanned_files.saturating_add(other.scanned_files),
        }
    }
}

/// Where a call ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// On AWS Lambda, which bills it.
    Lambda,
    /// In the command on a machine of one's own, which nobody bills.
    Local,
}

/// The processor of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Graviton.
    Arm64,
    /// Intel or AMD.
    X86,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86",
        })
    }
}

/// What one call of a function used until it wrote its document, which is the last thing that a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUsage {
    /// The function's name, as Lambda has it; that of its crate on a machine of one's own.
    pub function: String,
    /// Where it ran.
    #[serde(rename = "where")]
    pub ran: Where,
    /// When the call began.
    pub began_at: Timestamp,
    /// Milliseconds from then until the document was written.
    pub millis: u64,
    /// Milliseconds that the environment of the function took to start for this call; 0 where it had started before.
    #[serde(default)]
    pub start_millis: u64,
    /// Memory of the function; on a machine of one's own, that of a deployment.
    pub memory_mb: u64,
    /// Most memory that its process has had until now, in this call or an earlier one; `None` where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_mb: Option<u64>,
    /// The processor.
    pub architecture: Architecture,
    /// The region, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What was requested; `None` where other calls of the same process requested things at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// The parts of the run that were read by calls of their own.
    #[serde(default, skip_serializing_if = "PartsUsage::is_empty")]
    pub parts: PartsUsage,
}

impl CallUsage {
    /// Whether both are of one call: a step with two documents writes its usage into each.
    pub fn is_same_call(&self, other: &Self) -> bool {
        (&self.function, self.began_at) == (&other.function, other.began_at)
    }

    /// Milliseconds that Lambda bills, as far as the function can measure: its own start and its work.
    pub fn billed_millis(&self) -> u64 {
        self.millis.saturating_add(self.start_millis)
    }

    /// What is billed for time: milliseconds by megabytes.
    pub fn mb_millis(&self) -> u64 {
        self.billed_millis().saturating_mul(self.memory_mb)
    }
}

/// What the calls that read the parts of a run used, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartsUsage {
    /// Calls that left what they used.
    pub calls: u64,
    /// Parts of which nothing is known.
    pub not_known: u64,
    /// Milliseconds by megabytes of these calls.
    pub mb_millis: u64,
    /// The most memory that one had.
    pub peak_memory_mb: u64,
    /// What they requested.
    pub requests: Requests,
    /// Calls whose requests are not known.
    pub requests_not_known: u64,
}

impl PartsUsage {
    /// Whether the run has no such parts.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With one more part, which left this.
    #[must_use]
    pub fn and(mut self, part: Option<&CallUsage>) -> Self {
        let Some(part) = part else {
            self.not_known = self.not_known.saturating_add(1);
            return self;
        };
        self.calls = self.calls.saturating_add(1);
        self.mb_millis = self.mb_millis.saturating_add(part.mb_millis());
        self.peak_memory_mb = self.peak_memory_mb.max(part.peak_memory_mb.unwrap_or_default());
        match &part.requests {
            Some(requests) => self.requests = self.requests + *requests,
            None => self.requests_not_known = self.requests_not_known.saturating_add(1),
        }
        self
    }
}

/// What a run used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunUsage {
    /// Calls that left what they used, in the order of the steps.
    pub calls: Vec<CallUsage>,
    /// Transitions between the states of the run, with those of its parts, without repetitions; `None` where its way through
    /// the state machine cannot be derived from its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transitions: Option<u64>,
    /// What else the run used that is not known, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<String>,
}

impl RunUsage {
    /// Adds what a call used, in place of what an earlier document of the same call says.
    pub fn add(&mut self, call: CallUsage) {
        match self.calls.iter_mut().find(|known| known.is_same_call(&call)) {
            Some(known) => *known = call,
            None => self.calls.push(call),
        }
    }

    /// Whether every call that is known ran on Lambda, and one did.
    pub fn is_on_lambda(&self) -> bool {
        !self.calls.is_empty() && self.calls.iter().all(|call| call.ran == Where::Lambda)
    }
}
