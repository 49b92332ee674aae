//! Why a contract is refused.

use std::fmt;

/// One reason for a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a JSON path (`/schema/0/name`), or the part of the table (``column `amount` ``).
    pub place: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why a contract is refused. Lists print one problem per line, each with the names it is about.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The text is no YAML document, has a key twice, or is too large.
    #[error("{origin}: not a YAML document")]
    Yaml {
        /// The file.
        origin: String,
        /// The parser's words, with line and column.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// The document breaks the standard's JSON Schema.
    #[error("{}", Lines { head: origin, problems })]
    Invalid {
        /// The file.
        origin: String,
        /// What is wrong, by JSON path.
        problems: Vec<Problem>,
    },
    /// The contract is valid, but holds what is contradictory or not executed.
    #[error("{}", Lines { head: &format!("contract `{table}` ({origin})"), problems })]
    Refused {
        /// The file.
        origin: String,
        /// The schema object.
        table: String,
        /// What is refused, by column or rule.
        problems: Vec<Problem>,
    },
    /// The contract has no such schema object, or several and none was named.
    #[error("{origin}: {}", unknown_table(wanted.as_deref(), known))]
    UnknownTable {
        /// The file.
        origin: String,
        /// The name asked for, if any.
        wanted: Option<String>,
        /// The names there are.
        known: Vec<String>,
    },
    /// The embedded JSON Schema is broken: a defect of this build.
    #[error("the embedded ODCS schema does not compile: {message}")]
    EmbeddedSchema {
        /// The validator's words.
        message: String,
    },
}

impl ContractError {
    /// The single problems, where the error is a list of them.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } | Self::Refused { problems, .. } => problems,
            Self::Yaml { .. } | Self::UnknownTable { .. } | Self::EmbeddedSchema { .. } => &[],
        }
    }
}

/// Problems, each on its own line behind the same head.
struct Lines<'a> {
    head: &'a str,
    problems: &'a [Problem],
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {problem}", self.head)?;
        }
        Ok(())
    }
}

fn unknown_table(wanted: Option<&str>, known: &[String]) -> String {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    match wanted {
        Some(wanted) => format!("the contract has no schema object `{wanted}`; it has: {known}"),
        None => format!("name one schema object of the contract; it has: {known}"),
    }
}

/// A reason without its place, which the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub String);

/// Returns `Err(Refusal)` with a formatted message.
macro_rules! refuse {
    ($($argument:tt)*) => {
        return Err($crate::contract::error::Refusal(format!($($argument)*)))
    };
}
pub(super) use refuse;

/// Collects every problem of a table, so that its author sees all of them at once.
#[derive(Debug, Default)]
pub(super) struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub(super) fn note(&mut self, place: &str, message: impl Into<String>) {
        self.0.push(Problem { place: place.to_owned(), message: message.into() });
    }

    /// The value, or `None` once its refusal is noted.
    pub(super) fn take<T>(&mut self, place: &str, result: Result<T, Refusal>) -> Option<T> {
        result.map_err(|Refusal(message)| self.note(place, message)).ok()
    }
}
