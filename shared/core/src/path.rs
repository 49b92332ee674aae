//! Paths into nested values: where the records of a document are, and which value inside a column is read.
//!
//! | step | leads to |
//! |---|---|
//! | `$` | the document, or the record, where every path begins |
//! | `.name` | the value of this key |
//! | `['name']`, `["name"]` | the same, for a name with any characters; `\` before a quote or another `\` in it |
//! | `[0]` | this element of a list, counted from 0 |
//! | `[*]` | every element of a list; only in paths of records |
//!
//! Records of XML are named by the path of their elements from the root on: `/orders/order`, or `/orders/*` for every
//! element of the root `orders`. Namespace prefixes are not written: names are compared without them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

mod parse;
#[cfg(test)]
mod tests;

/// Longest path, in bytes.
const MAX_BYTES: usize = 1024;
/// Most steps of a path: JSON itself is read to a depth of about a hundred.
const MAX_STEPS: usize = 32;

/// Why a text is no path.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("path '{text}', character {position}: {problem}")]
pub struct PathError {
    /// The refused text.
    pub text: String,
    /// The character that cannot stand there, from 1; one more than the text has where something is missing at its end.
    pub position: usize,
    /// What is wrong with it, and the fix.
    pub problem: &'static str,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathStep {
    /// The value of this key.
    Key(String),
    /// This element of a list, from 0.
    Index(usize),
    /// Every element of a list.
    Elements,
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) if !key.is_empty() && key.chars().all(parse::is_plain) => write!(f, ".{key}"),
            Self::Key(key) => write!(f, "['{}']", key.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Elements => f.write_str("[*]"),
        }
    }
}

/// Where the records of a document are: each element of the list, or of each of the lists, that the path leads to. Its
/// last step is `[*]`. In XML: each element at a path of names, which begins with `/`.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::path::{PathStep, RecordPath};
///
/// let path: RecordPath = "$.Records[*]".parse()?;
/// assert_eq!(path.steps(), [PathStep::Key("Records".to_owned()), PathStep::Elements]);
/// let error = "$.Records".parse::<RecordPath>().expect_err("no list");
/// assert!(error.to_string().contains("must end with [*]"));
/// let path: RecordPath = "/orders/*".parse()?;
/// assert_eq!(path.steps(), [PathStep::Key("orders".to_owned()), PathStep::Elements]);
/// assert!(path.is_of_elements());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPath {
    steps: Vec<PathStep>,
    /// Whether the steps are names of elements of XML.
    is_of_elements: bool,
}

impl RecordPath {
    /// Its steps after `$`; never empty. Of a path of elements each is a name, or [`PathStep::Elements`] for `*`.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// Whether it leads to elements of XML, and not to lists of a document of JSON.
    pub fn is_of_elements(&self) -> bool {
        self.is_of_elements
    }

    /// The path of the value that the first `count` steps lead to, for messages.
    pub fn begin(&self, count: usize) -> String {
        if self.is_of_elements {
            let steps: String = self.steps.iter().take(count).map(element_step).collect();
            return if steps.is_empty() { "/".to_owned() } else { steps };
        }
        let steps: String = self.steps.iter().take(count).map(ToString::to_string).collect();
        format!("${steps}")
    }
}

impl FromStr for RecordPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Ok(Self { steps: parse::element_steps(text)?, is_of_elements: true });
        }
        let steps = parse::steps(text)?;
        if steps.last() != Some(&PathStep::Elements) {
            let problem = "a path of records must end with [*], because each element of a list is a record; to read \
                           values inside a record, write a path under silver[].columns";
            return Err(PathError::at_end(text, problem));
        }
        Ok(Self { steps, is_of_elements: false })
    }
}

/// A step of a path of elements, as it is written.
fn element_step(step: &PathStep) -> String {
    match step {
        PathStep::Key(name) => format!("/{name}"),
        PathStep::Index(_) | PathStep::Elements => "/*".to_owned(),
    }
}

impl fmt::Display for RecordPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.begin(self.steps.len()))
    }
}

/// A column of a source, and the way to a value inside it: `$.address.city` is the value of `city` in the column
/// `address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPath {
    column: String,
    steps: Vec<PathStep>,
}

impl ColumnPath {
    /// Whether the text that stands for a source column is a path and not a name.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("$.") || text.starts_with("$[")
    }

    /// The source column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The steps inside the column's value; none where the whole column is read. None of them is `[*]`.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }
}

impl FromStr for ColumnPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut steps = parse::steps(text)?.into_iter();
        let Some(PathStep::Key(column)) = steps.next() else {
            let problem = "the first step must name a column of the source, such as `$.address`";
            return Err(PathError { text: text.to_owned(), position: 2, problem });
        };
        let steps: Vec<PathStep> = steps.collect();
        if steps.contains(&PathStep::Elements) {
            let problem = "[*] is every element of a list, and a column has one value in a row; write the number of an \
                           element, such as [0]";
            return Err(PathError::at_end(text, problem));
        }
        Ok(Self { column, steps })
    }
}

impl fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", PathStep::Key(self.column.clone()))?;
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl PathError {
    /// What is missing behind the last character.
    fn at_end(text: &str, problem: &'static str) -> Self {
        Self { text: text.to_owned(), position: text.chars().count() + 1, problem }
    }
}

serde_as_text!(RecordPath, ColumnPath);

impl schemars::JsonSchema for RecordPath {
    fn schema_name() -> Cow<'static, str> {
        "RecordPath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^(\$.*\[\*\]|/.*)$",
            "maxLength": MAX_BYTES,
            "description": "path of a list in a document, each element of which is a record, such as `$.Records[*]`; \
                            of XML, path of the elements that are records, such as `/orders/order`",
        })
    }
}
