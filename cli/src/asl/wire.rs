//! The JSON shape of a definition, field by field. Every struct denies unknown fields, and an optional field that is
//! `null` is an error unless the language gives `null` a meaning (the three paths and `Result`).

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// `None`: absent; `Some(None)`: `null`; `Some(Some(path))`: a path.
pub(super) type PathField = Option<Option<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct MachineWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) version: Option<String>,
    pub(super) start_at: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) timeout_seconds: Option<u64>,
    pub(super) states: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct PassWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) parameters: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(super) result: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(super) next: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) end: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct TaskWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_path: PathField,
    /// Checked before this struct is read, because it decides what `Parameters` may hold.
    #[serde(rename = "Resource")]
    pub(super) _resource: String,
    pub(super) parameters: InvokeWire,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_selector: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(super) timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(super) retry: Vec<RetrierWire>,
    #[serde(default)]
    pub(super) catch: Vec<CatcherWire>,
    #[serde(default, deserialize_with = "present")]
    pub(super) next: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) end: Option<bool>,
}

/// `Parameters` of `arn:aws:states:::lambda:invoke`. The function is a fixed name; the payload is a template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct InvokeWire {
    pub(super) function_name: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) payload: Option<Value>,
    #[serde(default, rename = "Payload.$", deserialize_with = "present")]
    pub(super) payload_path: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct RetrierWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    pub(super) error_equals: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) interval_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_attempts: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    pub(super) backoff_rate: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_delay_seconds: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(super) jitter_strategy: Option<JitterWire>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum JitterWire {
    Full,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct CatcherWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    pub(super) error_equals: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_path: PathField,
    pub(super) next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ChoiceWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
    pub(super) choices: Vec<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) default: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct WaitWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) seconds: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(super) seconds_path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) timestamp: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) timestamp_path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) next: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) end: Option<bool>,
}

/// Without `Retry` and `Catch`: a Map of ours does not fail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct MapWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) label: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) items_path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_concurrency: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_concurrency_path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) item_selector: Option<Value>,
    pub(super) item_processor: ItemProcessorWire,
    #[serde(default, deserialize_with = "present")]
    pub(super) result_selector: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(super) next: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) end: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ItemProcessorWire {
    /// Read for its only permitted value.
    #[serde(rename = "ProcessorConfig")]
    pub(super) _config: ProcessorConfigWire,
    pub(super) start_at: String,
    pub(super) states: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct ProcessorConfigWire {
    #[serde(rename = "Mode")]
    pub(super) _mode: ModeWire,
    #[serde(rename = "ExecutionType")]
    pub(super) _execution_type: ExecutionTypeWire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ModeWire {
    Distributed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ExecutionTypeWire {
    Standard,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct SucceedWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_path: PathField,
    #[serde(default, deserialize_with = "present")]
    pub(super) output_path: PathField,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct FailWire {
    #[serde(default, rename = "Comment", deserialize_with = "present")]
    pub(super) _comment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) error: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) error_path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) cause: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) cause_path: Option<String>,
}
