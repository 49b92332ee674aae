//! Rules of a Choice state: every comparison operator of the language, and And, Or, Not.

use std::cmp::Ordering;

use jiff::Timestamp;
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::path::ReferencePath;

/// A top-level rule: where to go when the condition holds.
#[derive(Debug, Clone)]
pub(super) struct ChoiceRule {
    condition: Condition,
    pub(super) next: String,
}

#[derive(Debug, Clone)]
enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare { variable: ReferencePath, test: Test },
}

#[derive(Debug, Clone)]
enum Test {
    Text(Relation, Operand<String>),
    Number(Relation, Operand<Number>),
    Time(Relation, Operand<Timestamp>),
    Boolean(Operand<bool>),
    Matches(Regex),
    IsPresent(bool),
    Is(Kind, bool),
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

#[derive(Debug, Clone)]
enum Operand<T> {
    Fixed(T),
    Path(ReferencePath),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Null,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

impl ChoiceRule {
    /// Parses one element of `Choices`. The error text names the unknown field or operator.
    pub(super) fn parse(mut fields: Map<String, Value>) -> Result<Self, String> {
        let next = match fields.remove("Next") {
            Some(Value::String(next)) => next,
            Some(other) => return Err(format!("`Next` must be a string, not {other}")),
            None => return Err("missing field `Next`".to_owned()),
        };
        Condition::parse(fields).map(|condition| Self { condition, next })
    }

    /// Whether the rule applies; the error is the path that finds no node.
    pub(super) fn holds(&self, data: &Value, context: &Value) -> Result<bool, ReferencePath> {
        self.condition.holds(data, context)
    }
}

impl Condition {
    fn parse(mut fields: Map<String, Value>) -> Result<Self, String> {
        if let Some(comment) = fields.remove("Comment").filter(|comment| !comment.is_string()) {
            return Err(format!("`Comment` must be a string, not {comment}"));
        }
        let variable = fields.remove("Variable");
        let mut fields = fields.into_iter();
        let (Some((operator, value)), None) = (fields.next(), fields.next()) else {
            return Err("a condition has exactly one operator".to_owned());
        };
        match (operator.as_str(), variable) {
            ("And" | "Or" | "Not", Some(_)) => Err(format!("`Variable` cannot be combined with `{operator}`")),
            ("And", None) => Self::parse_list("And", value).map(Self::And),
            ("Or", None) => Self::parse_list("Or", value).map(Self::Or),
            ("Not", None) => Self::parse_nested("Not", value).map(|inner| Self::Not(Box::new(inner))),
            (_, Some(Value::String(variable))) => {
                let test = Test::parse(&operator, value)?;
                let variable = variable.parse().map_err(|error: super::PathError| format!("`Variable`: {error}"))?;
                Ok(Self::Compare { variable, test })
            }
            (_, Some(other)) => Err(format!("`Variable` must be a path, not {other}")),
            (_, None) => Test::parse(&operator, value).and(Err("missing field `Variable`".to_owned())),
        }
    }

    fn parse_list(operator: &str, value: Value) -> Result<Vec<Self>, String> {
        match value {
            Value::Array(items) if !items.is_empty() => {
                items.into_iter().map(|item| Self::parse_nested(operator, item)).collect()
            }
            other => Err(format!("`{operator}` needs a list of conditions, not {other}")),
        }
    }

    fn parse_nested(operator: &str, value: Value) -> Result<Self, String> {
        match value {
            Value::Object(fields) if fields.contains_key("Next") => {
                Err(format!("`Next` belongs to the rule, not inside `{operator}`"))
            }
            Value::Object(fields) => Self::parse(fields),
            other => Err(format!("`{operator}` needs a condition, not {other}")),
        }
    }

    fn holds(&self, data: &Value, context: &Value) -> Result<bool, ReferencePath> {
        match self {
            Self::And(conditions) => {
                for condition in conditions {
                    if !condition.holds(data, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(conditions) => {
                for condition in conditions {
                    if condition.holds(data, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(condition) => condition.holds(data, context).map(|holds| !holds),
            Self::Compare { variable, test: Test::IsPresent(expected) } => {
                Ok(variable.find(data, context).is_some() == *expected)
            }
            Self::Compare { variable, test } => {
                let value = variable.find(data, context).ok_or_else(|| variable.clone())?;
                test.holds(value, data, context)
            }
        }
    }
}

impl Test {
    fn parse(operator: &str, value: Value) -> Result<Self, String> {
        let kind = match operator {
            "IsPresent" => return fixed(operator, value).map(Self::IsPresent),
            "StringMatches" => return pattern(&fixed::<String>(operator, value)?).map(Self::Matches),
            "IsNull" => Some(Kind::Null),
            "IsNumeric" => Some(Kind::Numeric),
            "IsString" => Some(Kind::String),
            "IsBoolean" => Some(Kind::Boolean),
            "IsTimestamp" => Some(Kind::Timestamp),
            _ => None,
        };
        if let Some(kind) = kind {
            return fixed(operator, value).map(|expected| Self::Is(kind, expected));
        }
        let (base, is_path) = operator.strip_suffix("Path").map_or((operator, false), |base| (base, true));
        let relation = |name| relation(name).ok_or_else(|| format!("unknown comparison operator `{operator}`"));
        if let Some(name) = base.strip_prefix("String") {
            Ok(Self::Text(relation(name)?, operand(operator, value, is_path, Ok)?))
        } else if let Some(name) = base.strip_prefix("Numeric") {
            Ok(Self::Number(relation(name)?, operand(operator, value, is_path, Ok)?))
        } else if let Some(name) = base.strip_prefix("Timestamp") {
            let parse = |text: String| {
                parse_timestamp(&text)
                    .ok_or_else(|| format!("`{operator}`: `{text}` is not an RFC 3339 time with T and Z"))
            };
            Ok(Self::Time(relation(name)?, operand(operator, value, is_path, parse)?))
        } else if base == "BooleanEquals" {
            Ok(Self::Boolean(operand(operator, value, is_path, Ok)?))
        } else {
            Err(format!("unknown comparison operator `{operator}`"))
        }
    }

    /// A value whose type is not the operator's compares as false.
    fn holds(&self, value: &Value, data: &Value, context: &Value) -> Result<bool, ReferencePath> {
        Ok(match self {
            Self::Text(relation, operand) => {
                let other = operand.resolve(data, context, |value| value.as_str().map(str::to_owned))?;
                value.as_str().zip(other).is_some_and(|(value, other)| relation.fits(value.cmp(other.as_str())))
            }
            Self::Number(relation, operand) => {
                let other = operand.resolve(data, context, |value| value.as_number().cloned())?;
                value
                    .as_number()
                    .zip(other)
                    .and_then(|(value, other)| compare_numbers(value, &other))
                    .is_some_and(|ordering| relation.fits(ordering))
            }
            Self::Time(relation, operand) => {
                let other = operand.resolve(data, context, time_of)?;
                time_of(value).zip(other).is_some_and(|(value, other)| relation.fits(value.cmp(&other)))
            }
            Self::Boolean(operand) => {
                let other = operand.resolve(data, context, Value::as_bool)?;
                value.as_bool().zip(other).is_some_and(|(value, other)| value == other)
            }
            Self::Matches(pattern) => value.as_str().is_some_and(|text| pattern.is_match(text)),
            Self::IsPresent(expected) => *expected,
            Self::Is(kind, expected) => kind.includes(value) == *expected,
        })
    }
}

impl<T: Clone> Operand<T> {
    fn resolve(
        &self,
        data: &Value,
        context: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ReferencePath> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Path(path) => path.find(data, context).map(read).ok_or_else(|| path.clone()),
        }
    }
}

impl Relation {
    fn fits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

impl Kind {
    fn includes(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Numeric => value.is_number(),
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => time_of(value).is_some(),
        }
    }
}

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        "Equals" => Relation::Equals,
        "LessThan" => Relation::LessThan,
        "LessThanEquals" => Relation::LessThanEquals,
        "GreaterThan" => Relation::GreaterThan,
        "GreaterThanEquals" => Relation::GreaterThanEquals,
        _ => return None,
    })
}

fn fixed<T: DeserializeOwned>(operator: &str, value: Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{operator}`: {error}"))
}

fn operand<T, W: DeserializeOwned>(
    operator: &str,
    value: Value,
    is_path: bool,
    parse: impl Fn(W) -> Result<T, String>,
) -> Result<Operand<T>, String> {
    if is_path {
        let path: String = fixed(operator, value)?;
        path.parse().map(Operand::Path).map_err(|error: super::PathError| format!("`{operator}`: {error}"))
    } else {
        fixed(operator, value).and_then(parse).map(Operand::Fixed)
    }
}

/// `*` matches any characters; `\*` and `\\` are a star and a backslash.
fn pattern(text: &str) -> Result<Regex, String> {
    let mut regex = String::from("(?s)^");
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '\\')) => regex.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4]))),
                _ => {
                    return Err(format!("`StringMatches`: in `{text}` a backslash may only escape * or \\"));
                }
            },
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    Regex::new(&regex).map_err(|error| format!("`StringMatches`: {error}"))
}

fn time_of(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(parse_timestamp)
}

/// An RFC 3339 time with upper-case `T`, and upper-case `Z` or an offset, as the language requires.
pub(super) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let has_time = bytes.get(10) == Some(&b'T') && bytes.get(13) == Some(&b':') && bytes.get(16) == Some(&b':');
    let has_zone =
        text.ends_with('Z') || matches!(bytes.len().checked_sub(6).and_then(|at| bytes.get(at)), Some(b'+' | b'-'));
    if has_time && has_zone { text.parse().ok() } else { None }
}

fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
