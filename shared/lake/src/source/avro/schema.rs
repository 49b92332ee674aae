//! The schema that records were written with.
//!
//! Only what the bytes are read with counts: defaults and aliases are for schemas that differ, and each file is read with
//! its own. An annotation (`logicalType`) that is unknown, or on a type that it is not for, means nothing, as the
//! specification has it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::fault::AvroFault;
use crate::source::columns::shown as shown_name;
use crate::source::parquet::text::TimeUnit;
use crate::source::parquet::values::ValueType;

/// Most decimals of a number: those of every engine's type.
const MAX_SCALE: u64 = 38;

/// Most bytes of a name with its namespace: it is copied for each type within.
const MAX_NAME_BYTES: usize = 4096;

/// A schema, compiled for writing records as JSON.
#[derive(Debug)]
pub(super) struct Schema {
    /// The types; each names others by their index.
    nodes: Vec<Node>,
    root: usize,
}

/// A type.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean,
    /// An int or a long, and what it means.
    Number(ValueType),
    Float,
    Double,
    Text,
    /// Bytes, of this size where it is fixed.
    Bytes(Option<usize>),
    /// Bytes that mean something, of this size where it is fixed.
    Meaning(ValueType, Option<usize>),
    Duration,
    /// The symbols as JSON.
    Enum(Vec<String>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<Field>),
}

/// A field of a record.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// The name as a key of JSON, with the colon.
    pub(super) key: String,
    /// Its type.
    pub(super) node: usize,
}

impl Schema {
    /// Reads the JSON of a header.
    pub(super) fn parse(text: &[u8]) -> Result<Self, AvroFault> {
        let json: Value = serde_json::from_slice(text).map_err(|error| problem(format!("is not JSON ({error})")))?;
        let mut parser = Parser { nodes: Vec::new(), names: HashMap::new() };
        let root = parser.schema(&json, "")?;
        let schema = Self { nodes: parser.nodes, root };
        match schema.node(root) {
            Some(Node::Record(_)) => Ok(schema),
            other => Err(AvroFault::NotARecord { what: other.map_or("nothing", Node::in_words) }),
        }
    }

    pub(super) fn root(&self) -> usize {
        self.root
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }
}

impl Node {
    fn in_words(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number(_) | Self::Float | Self::Double => "a number",
            Self::Text => "a string",
            Self::Bytes(_) | Self::Meaning(..) | Self::Duration => "bytes",
            Self::Enum(_) => "an enum",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Union(_) => "a union",
            Self::Record(_) => "a record",
        }
    }
}

fn problem(problem: String) -> AvroFault {
    AvroFault::Schema { problem }
}

struct Parser {
    nodes: Vec<Node>,
    /// Types by their full name.
    names: HashMap<String, usize>,
}

impl Parser {
    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// `namespace` is that of the types around it.
    fn schema(&mut self, json: &Value, namespace: &str) -> Result<usize, AvroFault> {
        match json {
            Value::String(name) => self.named(name, &Map::new(), namespace),
            Value::Array(branches) => {
                let branches: Result<Vec<usize>, _> =
                    branches.iter().map(|branch| self.schema(branch, namespace)).collect();
                Ok(self.add(Node::Union(branches?)))
            }
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => self.named(name, object, namespace),
                Some(of) => self.schema(of, namespace),
                None => Err(problem(format!("has an object without a type: {}", shown(json)))),
            },
            _ => Err(problem(format!("has {} where a type is expected", shown(json)))),
        }
    }

    /// A type by its name, with what else is said of it.
    fn named(&mut self, name: &str, object: &Map<String, Value>, namespace: &str) -> Result<usize, AvroFault> {
        let logical = object.get("logicalType").and_then(Value::as_str).unwrap_or_default();
        let node = match name {
            "null" => Node::Null,
            "boolean" => Node::Boolean,
            "int" => Node::Number(int_type(logical)),
            "long" => Node::Number(long_type(logical)),
            "float" => Node::Float,
            "double" => Node::Double,
            "string" => Node::Text,
            "bytes" if logical == "decimal" => Node::Meaning(decimal(object)?, None),
            "bytes" => Node::Bytes(None),
            "array" => {
                let items = object.get("items").ok_or_else(|| problem("has an array without items".to_owned()))?;
                Node::Array(self.schema(items, namespace)?)
            }
            "map" => {
                let values = object.get("values").ok_or_else(|| problem("has a map without values".to_owned()))?;
                Node::Map(self.schema(values, namespace)?)
            }
            "fixed" | "enum" | "record" | "error" => return self.define(name, object, namespace),
            _ => return self.reference(name, namespace),
        };
        Ok(self.add(node))
    }

    /// A type that was defined before, or that this is a part of.
    fn reference(&self, name: &str, namespace: &str) -> Result<usize, AvroFault> {
        let within = if name.contains('.') { None } else { self.names.get(&full_name(name, namespace)) };
        match within.or_else(|| self.names.get(name)) {
            Some(node) => Ok(*node),
            None => Err(problem(format!("has the type `{}`, which it does not define", shown_name(name)))),
        }
    }

    /// A type that has a name.
    fn define(&mut self, kind: &str, object: &Map<String, Value>, namespace: &str) -> Result<usize, AvroFault> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let Some(name) = text("name") else { return Err(problem(format!("has a type `{kind}` without a name"))) };
        let full = match text("namespace") {
            Some(namespace) if !name.contains('.') => full_name(name, namespace),
            _ if name.contains('.') => name.to_owned(),
            _ => full_name(name, namespace),
        };
        if full.len() > MAX_NAME_BYTES {
            let name = shown_name(&full);
            return Err(problem(format!("has the type `{name}…`, whose name has more than {MAX_NAME_BYTES} bytes")));
        }
        // Before its parts, which may be of this type themselves.
        let at = self.add(Node::Null);
        if self.names.insert(full.clone(), at).is_some() {
            return Err(problem(format!("defines the type `{}` twice", shown_name(&full))));
        }
        let node = match kind {
            "fixed" => fixed(&full, object)?,
            "enum" => Node::Enum(symbols(&full, object)?),
            _ => {
                let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
                Node::Record(self.fields(&full, object, namespace)?)
            }
        };
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
        Ok(at)
    }

    fn fields(&mut self, name: &str, object: &Map<String, Value>, namespace: &str) -> Result<Vec<Field>, AvroFault> {
        let Some(list) = object.get("fields").and_then(Value::as_array) else {
            return Err(problem(format!("has the record `{}` without fields", shown_name(name))));
        };
        let mut fields = Vec::with_capacity(list.len());
        for field in list {
            let (Some(field_name), Some(of)) = (field.get("name").and_then(Value::as_str), field.get("type")) else {
                let name = shown_name(name);
                return Err(problem(format!("has the record `{name}` with a field that has no name or no type")));
            };
            let node = self.schema(of, namespace)?;
            let key = format!("{}:", Value::from(field_name));
            fields.push(Field { name: field_name.to_owned(), key, node });
        }
        Ok(fields)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn int_type(logical: &str) -> ValueType {
    match logical {
        "date" => ValueType::Date,
        "time-millis" => ValueType::Time(TimeUnit::Milliseconds),
        _ => ValueType::Integer { bits: 32, signed: true },
    }
}

fn long_type(logical: &str) -> ValueType {
    let timestamp = |unit, utc| ValueType::Timestamp { unit, utc };
    match logical {
        "time-micros" => ValueType::Time(TimeUnit::Microseconds),
        "timestamp-millis" => timestamp(TimeUnit::Milliseconds, true),
        "timestamp-micros" => timestamp(TimeUnit::Microseconds, true),
        "timestamp-nanos" => timestamp(TimeUnit::Nanoseconds, true),
        "local-timestamp-millis" => timestamp(TimeUnit::Milliseconds, false),
        "local-timestamp-micros" => timestamp(TimeUnit::Microseconds, false),
        "local-timestamp-nanos" => timestamp(TimeUnit::Nanoseconds, false),
        _ => ValueType::Integer { bits: 64, signed: true },
    }
}

fn decimal(object: &Map<String, Value>) -> Result<ValueType, AvroFault> {
    let scale = match object.get("scale") {
        None => Some(0),
        Some(scale) => scale.as_u64().filter(|scale| *scale <= MAX_SCALE),
    };
    match scale.and_then(|scale| usize::try_from(scale).ok()) {
        Some(scale) => Ok(ValueType::Decimal { scale }),
        None => {
            let scale = object.get("scale").map(shown).unwrap_or_default();
            Err(problem(format!("has a decimal with the scale {scale}, and decimals have 0 to {MAX_SCALE} decimals")))
        }
    }
}

fn fixed(name: &str, object: &Map<String, Value>) -> Result<Node, AvroFault> {
    let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let Some(size) = size else {
        return Err(problem(format!("has the fixed `{}` without a size", shown_name(name))));
    };
    Ok(match (object.get("logicalType").and_then(Value::as_str), size) {
        (Some("decimal"), _) => Node::Meaning(decimal(object)?, Some(size)),
        (Some("uuid"), 16) => Node::Meaning(ValueType::Uuid, Some(size)),
        (Some("duration"), 12) => Node::Duration,
        _ => Node::Bytes(Some(size)),
    })
}

fn symbols(name: &str, object: &Map<String, Value>) -> Result<Vec<String>, AvroFault> {
    let symbols = object.get("symbols").and_then(Value::as_array);
    let texts = symbols.and_then(|symbols| symbols.iter().map(as_json_string).collect());
    texts.ok_or_else(|| problem(format!("has the enum `{}` without a list of symbols", shown_name(name))))
}

fn as_json_string(value: &Value) -> Option<String> {
    value.is_string().then(|| value.to_string())
}

/// The beginning of a part of the schema, for messages.
fn shown(json: &Value) -> String {
    json.to_string().chars().take(60).flat_map(char::escape_debug).collect()
}
