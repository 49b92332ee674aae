//! Payload templates: the values of `Parameters` and `ResultSelector`.

use serde_json::{Map, Value};

use super::intrinsic::Intrinsic;
use super::path::{ReferencePath, Scope};

/// JSON in which a key that ends in `.$` takes its value from a path or an intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Template {
    Literal(Value),
    Path(ReferencePath),
    Intrinsic(Intrinsic),
    Array(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// A path in a template that names no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MissingNode {
    pub(super) field: String,
    pub(super) path: ReferencePath,
}

impl Template {
    /// Parses a template. The error text names the key and the unsupported part.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        Self::parse_in(Scope::State, value)
    }

    /// Parses an object template; `what` is the field's name for the error text.
    pub(super) fn parse_object(what: &str, value: &Value) -> Result<Self, String> {
        Self::object_in(Scope::State, what, value)
    }

    /// Parses `ItemSelector` of a Map, whose paths may name the item.
    pub(super) fn parse_item_selector(value: &Value) -> Result<Self, String> {
        Self::object_in(Scope::Item, "ItemSelector", value)
    }

    /// Parses a string that is a path or a call of an intrinsic function.
    pub(super) fn parse_expression(key: &str, text: &str) -> Result<Self, String> {
        Self::expression_in(Scope::State, key, text)
    }

    fn object_in(scope: Scope, what: &str, value: &Value) -> Result<Self, String> {
        if value.is_object() {
            Self::parse_in(scope, value).map_err(|problem| format!("`{what}`: {problem}"))
        } else {
            Err(format!("`{what}` must be an object"))
        }
    }

    fn parse_in(scope: Scope, value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, item)| Self::entry(scope, map, key, item))
                .collect::<Result<Vec<_>, _>>()
                .map(Self::Object),
            Value::Array(items) => {
                items.iter().map(|item| Self::parse_in(scope, item)).collect::<Result<Vec<_>, _>>().map(Self::Array)
            }
            literal => Ok(Self::Literal(literal.clone())),
        }
    }

    fn expression_in(scope: Scope, key: &str, text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            ReferencePath::parse(text, scope).map(Self::Path).map_err(|error| format!("`{key}`: {error}"))
        } else if text.starts_with("States.") {
            Intrinsic::parse(text).map(Self::Intrinsic).map_err(|problem| format!("`{key}`: {problem}"))
        } else {
            Err(format!("`{key}`: `{text}` is neither a path nor an intrinsic function"))
        }
    }

    fn entry(scope: Scope, map: &Map<String, Value>, key: &str, item: &Value) -> Result<(String, Self), String> {
        let Some(name) = key.strip_suffix(".$") else {
            if matches!(item, Value::String(text) if text == "$" || text.starts_with("$.") || text.starts_with("$$.")) {
                // Legal in the language, but in practice always a forgotten suffix.
                return Err(format!("`{key}` holds a path as plain text: write the key as `{key}.$`"));
            }
            return Self::parse_in(scope, item).map(|template| (key.to_owned(), template));
        };
        if map.contains_key(name) {
            return Err(format!("`{name}` and `{key}` are the same field"));
        }
        match item {
            Value::String(text) => Ok((name.to_owned(), Self::expression_in(scope, key, text)?)),
            other => Err(format!("`{key}` must be a path or an intrinsic function, not {other}")),
        }
    }

    /// Fills the template from the state data and the context object.
    pub(super) fn fill(&self, data: &Value, context: &Value) -> Result<Value, MissingNode> {
        self.fill_field("$", data, context)
    }

    fn fill_field(&self, field: &str, data: &Value, context: &Value) -> Result<Value, MissingNode> {
        let missing = |path: &ReferencePath| MissingNode { field: field.to_owned(), path: path.clone() };
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => path.find(data, context).cloned().ok_or_else(|| missing(path)),
            Self::Intrinsic(call) => call.evaluate(data, context).map_err(|path| missing(&path)),
            Self::Array(items) => items
                .iter()
                .map(|item| item.fill_field(field, data, context))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            Self::Object(entries) => entries
                .iter()
                .map(|(name, entry)| Ok((name.clone(), entry.fill_field(name, data, context)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}
