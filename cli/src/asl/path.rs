//! Reference paths: `$.run.attempt`, `$['a b'][0]`, `$$.Execution.Name`.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use serde_json::{Map, Value};

/// A path that names exactly one node of the state data (`$`) or of the context object (`$$`).
///
/// Steps are `.name` (letters, digits, `_`), `['any name']` and `[0]`. Paths that may name several nodes (`*`, `..`,
/// slices, filters) are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReferencePath {
    root: Root,
    steps: Vec<Step>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Data,
    Context,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

/// Text that is not a supported reference path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a supported reference path: {problem}")]
pub struct PathError {
    /// The text as written.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Where a path stands, which decides what the context object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Anywhere in a state.
    State,
    /// In `ItemSelector` of a Map, where it has the item, too.
    Item,
}

/// The fields of the context object that exist locally, below `$$`.
const CONTEXT_FIELDS: [&[&str]; 8] = [
    &["Execution", "Id"],
    &["Execution", "Input"],
    &["Execution", "Name"],
    &["Execution", "StartTime"],
    &["State", "EnteredTime"],
    &["State", "Name"],
    &["State", "RetryCount"],
    &["StateMachine", "Name"],
];

/// Those that only `ItemSelector` sees.
const ITEM_FIELDS: [&[&str]; 2] = [&["Map", "Item", "Index"], &["Map", "Item", "Value"]];

impl ReferencePath {
    /// Parses a path that stands here.
    pub(super) fn parse(text: &str, scope: Scope) -> Result<Self, PathError> {
        let error = |problem: String| PathError { path: text.to_owned(), problem };
        let (root, rest) = match (text.strip_prefix("$$"), text.strip_prefix('$')) {
            (Some(rest), _) => (Root::Context, rest),
            (None, Some(rest)) => (Root::Data, rest),
            (None, None) => return Err(error("it does not begin with `$`".to_owned())),
        };
        let steps = parse_steps(rest).map_err(error)?;
        if root == Root::Context {
            check_context(&steps, scope).map_err(error)?;
        }
        Ok(Self { root, steps, text: text.to_owned() })
    }

    /// The node that this path names, or `None` when it does not exist.
    pub(super) fn find<'v>(&self, data: &'v Value, context: &'v Value) -> Option<&'v Value> {
        let root = match self.root {
            Root::Data => data,
            Root::Context => context,
        };
        self.steps.iter().try_fold(root, |node, step| match step {
            Step::Field(name) => node.get(name),
            Step::Index(index) => node.get(index),
        })
    }

    /// Whether the path may be written to: only state data may.
    pub(super) fn is_writable(&self) -> bool {
        self.root == Root::Data
    }

    /// Puts `value` at this path of `base`, creating the objects on the way. `None` when a node on the way is not an
    /// object or an array is too short.
    pub(super) fn place(&self, mut base: Value, value: Value) -> Option<Value> {
        let mut node = &mut base;
        for step in &self.steps {
            node = match step {
                Step::Field(name) => node.as_object_mut()?.entry(name).or_insert_with(|| Value::Object(Map::new())),
                Step::Index(index) => node.as_array_mut()?.get_mut(*index)?,
            };
        }
        *node = value;
        Some(base)
    }
}

impl fmt::Display for ReferencePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl FromStr for ReferencePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text, Scope::State)
    }
}

fn check_context(steps: &[Step], scope: Scope) -> Result<(), String> {
    let mut fields = CONTEXT_FIELDS.to_vec();
    if scope == Scope::Item {
        fields.extend(ITEM_FIELDS);
    }
    let known = fields.iter().any(|field| {
        steps.len() >= field.len()
            && field.iter().zip(steps).all(|(name, step)| matches!(step, Step::Field(given) if given == name))
    });
    if known {
        Ok(())
    } else {
        let names: Vec<String> = fields.iter().map(|field| format!("$$.{}", field.join("."))).collect();
        Err(format!("the context object has only {} here", names.join(", ")))
    }
}

fn parse_steps(rest: &str) -> Result<Vec<Step>, String> {
    let mut chars = rest.chars().peekable();
    let mut steps = Vec::new();
    while let Some(start) = chars.next() {
        steps.push(match start {
            '.' => Step::Field(dot_name(&mut chars)?),
            '[' => bracket(&mut chars)?,
            other => return Err(format!("unexpected `{other}`")),
        });
    }
    Ok(steps)
}

fn dot_name(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    while let Some(&c) = chars.peek() {
        if c == '.' || c == '[' {
            break;
        }
        if !(c.is_alphanumeric() || c == '_') {
            return Err(format!("`{c}` after a dot: write such a name as ['name'], and one path for one node"));
        }
        name.push(c);
        chars.next();
    }
    if name.is_empty() { Err("a name is missing after a dot".to_owned()) } else { Ok(name) }
}

fn bracket(chars: &mut Peekable<Chars<'_>>) -> Result<Step, String> {
    let step = match chars.next() {
        Some(quote @ ('\'' | '"')) => {
            let mut name = String::new();
            loop {
                match chars.next() {
                    Some(c) if c == quote => break,
                    Some('\\') => name.extend(chars.next()),
                    Some(c) => name.push(c),
                    None => return Err("a quoted name has no closing quote".to_owned()),
                }
            }
            Step::Field(name)
        }
        Some(first) if first.is_ascii_digit() => {
            let mut digits = String::from(first);
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            Step::Index(digits.parse().map_err(|_| format!("index {digits} is too large"))?)
        }
        Some(other) => {
            return Err(format!("`[{other}`: only an index or a quoted name names a single node"));
        }
        None => return Err("a bracket is not closed".to_owned()),
    };
    match chars.next() {
        Some(']') => Ok(step),
        Some(other) => Err(format!("`{other}` in brackets: only an index or a quoted name names a single node")),
        None => Err("a bracket is not closed".to_owned()),
    }
}
