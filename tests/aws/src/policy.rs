//! The parts of IAM policies that concern S3.
//!
//! An unsupported element is refused when the bed starts: with a condition that is not evaluated, a test could pass that
//! would fail on AWS. Statements without any S3 action have no effect here, so only their elements are read.

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::names::{ACCOUNT, REGION};

/// A policy with its placeholders filled.
#[derive(Debug)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug)]
struct Statement {
    is_allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Condition {
    operator: Operator,
    key: Key,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringLike,
    Bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Prefix,
    ResourceAccount,
    SecureTransport,
}

/// A request to authorise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Such as `s3:GetObject`.
    pub(crate) action: &'a str,
    /// Such as `arn:aws:s3:::bucket/key`.
    pub(crate) resource: &'a str,
    /// The prefix of a list request; other actions have none.
    pub(crate) prefix: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    #[serde(rename = "Version")]
    _version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct StatementDocument {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: OneOrMore<String>,
    resource: OneOrMore<String>,
    #[serde(default)]
    condition: Map<String, Value>,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> OneOrMore<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::More(all) => all,
            Self::One(one) => vec![one],
        }
    }
}

impl Policy {
    /// Reads a policy for a lake that is all of `bucket`.
    pub(crate) fn parse(text: &str, bucket: &str) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_str(text)?;
        let statements = match document.statement {
            Value::Array(statements) => statements,
            one => vec![one],
        };
        let statements = statements.into_iter().enumerate().map(|(index, statement)| {
            let sid = statement.get("Sid").and_then(Value::as_str);
            let label = sid.map_or_else(|| format!("number {}", index + 1), str::to_owned);
            let read = serde_json::from_value(statement).map_err(Into::into);
            read.and_then(|statement| Statement::read(statement, bucket)).with_context(|| format!("statement {label}"))
        });
        Ok(Self(statements.filter_map(Result::transpose).collect::<anyhow::Result<_>>()?))
    }

    /// Whether the policy allows it: a statement allows it and no statement denies it.
    pub(crate) fn allows(&self, wish: Wish<'_>) -> bool {
        let decides =
            |is_allow| self.0.iter().any(|statement| statement.is_allow == is_allow && statement.covers(wish));
        decides(true) && !decides(false)
    }
}

impl Statement {
    /// `None` when it says nothing about S3.
    fn read(document: StatementDocument, bucket: &str) -> anyhow::Result<Option<Self>> {
        let actions = document.action.all();
        let is_about_s3 = |action: &String| action.to_ascii_lowercase().starts_with("s3:") || action.starts_with('*');
        if !actions.iter().any(is_about_s3) {
            return Ok(None);
        }
        let filled = |text: String| filled(&text, bucket);
        let resources = document.resource.all().into_iter().map(filled).collect::<anyhow::Result<_>>()?;
        let mut conditions = Vec::new();
        for (operator, keys) in document.condition {
            let known = operator_of(&operator)?;
            let keys = keys.as_object().with_context(|| format!("{operator} has no keys"))?;
            for (key, values) in keys {
                let values = values_of(values).with_context(|| format!("values of {key}"))?;
                let values = values.into_iter().map(filled).collect::<anyhow::Result<_>>()?;
                conditions.push(Condition { operator: known, key: key_of(key)?, values });
            }
        }
        Ok(Some(Self { is_allow: matches!(document.effect, Effect::Allow), actions, resources, conditions }))
    }

    fn covers(&self, wish: Wish<'_>) -> bool {
        let action = wish.action.to_ascii_lowercase();
        self.actions.iter().any(|pattern| is_like(&pattern.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|pattern| is_like(pattern, wish.resource))
            && self.conditions.iter().all(|condition| condition.holds(wish))
    }
}

impl Condition {
    fn holds(&self, wish: Wish<'_>) -> bool {
        let value = match self.key {
            Key::Prefix => wish.prefix,
            Key::ResourceAccount => Some(ACCOUNT),
            // The bed uses plain HTTP on this machine; on AWS the functions use HTTPS, which is what the policy requires.
            Key::SecureTransport => Some("true"),
        };
        let equals = |expected: &String| value == Some(expected.as_str());
        match self.operator {
            Operator::StringEquals => self.values.iter().any(equals),
            Operator::StringNotEquals => !self.values.iter().any(equals),
            Operator::StringLike => value.is_some_and(|value| self.values.iter().any(|like| is_like(like, value))),
            Operator::Bool => {
                value.is_some_and(|value| self.values.iter().any(|other| other.eq_ignore_ascii_case(value)))
            }
        }
    }
}

fn operator_of(name: &str) -> anyhow::Result<Operator> {
    Ok(match name {
        "StringEquals" => Operator::StringEquals,
        "StringNotEquals" => Operator::StringNotEquals,
        "StringLike" => Operator::StringLike,
        "Bool" => Operator::Bool,
        _ => bail!("the bed does not support the condition operator {name}"),
    })
}

fn key_of(name: &str) -> anyhow::Result<Key> {
    // Keys are compared without regard to case, as IAM does.
    Ok(match name.to_ascii_lowercase().as_str() {
        "s3:prefix" => Key::Prefix,
        "s3:resourceaccount" | "aws:resourceaccount" => Key::ResourceAccount,
        "aws:securetransport" => Key::SecureTransport,
        _ => bail!("the bed does not support the condition key {name}"),
    })
}

fn values_of(value: &Value) -> anyhow::Result<Vec<String>> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Bool(flag) => Ok(vec![flag.to_string()]),
        Value::Array(values) => values.iter().map(values_of).collect::<anyhow::Result<Vec<_>>>().map(|v| v.concat()),
        other => bail!("{other} is neither a text nor a list of texts"),
    }
}

/// The text with its placeholders filled in. IAM's own variables look the same and are not supported.
fn filled(text: &str, bucket: &str) -> anyhow::Result<String> {
    let known = [("${LakeBucket}", bucket), ("${LakePrefix}", ""), ("${Account}", ACCOUNT), ("${Region}", REGION)];
    let filled = known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    if filled.contains("${") {
        bail!("{text} has a placeholder that the bed does not support");
    }
    Ok(filled)
}

/// Whether `text` matches `pattern`, where `*` matches any text and `?` any character.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Row by row over the pattern: whether its beginning matches each beginning of the text.
    let mut matched = vec![false; text.len() + 1];
    if let Some(first) = matched.first_mut() {
        *first = true;
    }
    for sign in pattern {
        let mut next = Vec::with_capacity(matched.len());
        for (length, before) in matched.iter().enumerate() {
            let shorter = length.checked_sub(1);
            let character = shorter.and_then(|index| text.get(index));
            next.push(match sign {
                '*' => *before || shorter.and_then(|index| next.get(index)).is_some_and(|found| *found),
                _ => {
                    let rest = shorter.and_then(|index| matched.get(index)).is_some_and(|found| *found);
                    rest && (sign == '?' || character == Some(&sign))
                }
            });
        }
        matched = next;
    }
    matched.last().is_some_and(|found| *found)
}

#[cfg(test)]
mod tests;
