//! How large a run may be for the function `process`, and how a large one is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::Positions;

/// Up to where a run is given to the function `process` and not to Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaLimits {
    /// Most memory that a run may be estimated to need, in MB (10⁶ bytes). Default 3008, the memory of the functions as
    /// they are deployed; set it with theirs, up to 10240.
    #[serde(default = "default_memory_mb")]
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mb: u64,
    /// Longest time that a run may be estimated to take, in seconds. Default 600: a function is stopped after 900 s, and
    /// the cores of a function are not always as fast as those measured.
    #[serde(default = "default_duration_seconds")]
    #[schemars(range(min = 1, max = 900))]
    pub duration_seconds: u64,
}

impl LambdaLimits {
    /// The memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mb.saturating_mul(1_000_000)
    }
}

impl Default for LambdaLimits {
    fn default() -> Self {
        Self { memory_mb: default_memory_mb(), duration_seconds: default_duration_seconds() }
    }
}

fn default_memory_mb() -> u64 {
    3008
}

fn default_duration_seconds() -> u64 {
    600
}

/// How a large run is read in parts. Each part is read by a call of the function `process`, which knows no other part;
/// another call, or Spark, then combines what they staged. The result does not depend on how a run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartsSpec {
    /// Text of a part, unpacked, in MB (10⁶ bytes), where the source objects can be divided so. Default 1000, which take
    /// 20 s on two cores. A run that has less is read by one call.
    #[serde(default = "default_part_mb")]
    #[schemars(range(min = 1, max = 25_000))]
    pub size_mb: u64,
    /// Most parts that are read at the same time. Default 32. An account has room for 1000 calls of functions at once
    /// where it has not asked for more.
    #[serde(default = "default_parts_at_once")]
    #[schemars(range(min = 1, max = 1000))]
    pub at_once: u32,
    /// Size in MB (10⁶ bytes) from which an object of CSV or NDJSON that is not packed may be divided into byte ranges. Default
    /// 256. `_source_row` of such an object's rows is the byte at which a record begins, not its number: whoever reads a
    /// range knows no number. Other objects are never divided.
    #[serde(default = "default_ranges_from_mb", skip_serializing_if = "is_default_ranges_from_mb")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub ranges_from_mb: u64,
}

impl PartsSpec {
    /// Text of a part in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_mb.saturating_mul(1_000_000)
    }

    /// What `_source_row` says of the records of an object whose bytes are its records, one behind the other: text that is not
    /// packed, in a format with records of their own.
    pub fn positions(&self, size_bytes: u64) -> Positions {
        let from_bytes = self.ranges_from_mb.saturating_mul(1_000_000);
        if size_bytes < from_bytes { Positions::Numbers } else { Positions::Bytes }
    }
}

impl Default for PartsSpec {
    fn default() -> Self {
        Self { size_mb: default_part_mb(), at_once: default_parts_at_once(), ranges_from_mb: default_ranges_from_mb() }
    }
}

fn default_part_mb() -> u64 {
    1000
}

fn default_parts_at_once() -> u32 {
    32
}

fn default_ranges_from_mb() -> u64 {
    256
}

/// A plan without it can be read by functions of the version that did not know it, while another is being deployed.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_ranges_from_mb(ranges_from_mb: &u64) -> bool {
    *ranges_from_mb == default_ranges_from_mb()
}
