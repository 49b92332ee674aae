//! How large a run may be for the function `process`, and how a large one is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Text of a part, unpacked, in MB (10⁶ bytes), where several source objects can be divided so. Default 1000, which
    /// take 20 s on two cores. A run that has less is read by one call; an object is not divided.
    #[serde(default = "default_part_mb")]
    #[schemars(range(min = 1, max = 25_000))]
    pub size_mb: u64,
    /// Most parts that are read at the same time. Default 32. An account has room for 1000 calls of functions at once
    /// where it has not asked for more.
    #[serde(default = "default_parts_at_once")]
    #[schemars(range(min = 1, max = 1000))]
    pub at_once: u32,
}

impl PartsSpec {
    /// Text of a part in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_mb.saturating_mul(1_000_000)
    }
}

impl Default for PartsSpec {
    fn default() -> Self {
        Self { size_mb: default_part_mb(), at_once: default_parts_at_once() }
    }
}

fn default_part_mb() -> u64 {
    1000
}

fn default_parts_at_once() -> u32 {
    32
}
