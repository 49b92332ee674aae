//! Puts the values of leaves together again: levels and texts of the leaves of a column become one text per record.
//!
//! A value of a flat column is its text. Nested values are JSON without white space: lists as arrays, groups as objects,
//! maps as arrays of objects with `key` and `value`.

use std::ops::Range;

use polars::prelude::StringChunkedBuilder;

use super::leaf::Leaf;
use super::schema::{Content, Field};
use super::values::Json;

/// Why a record has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// The levels contradict each other.
    Torn,
    /// It is larger than a record may be.
    TooLarge,
}

/// Writes the records of a column one after the other.
pub(super) struct RecordWriter {
    /// Most bytes of a record's text.
    most_bytes: usize,
    /// The record that is being written, where it is nested.
    json: String,
    /// What is wrong with a value of it.
    problem: Option<&'static str>,
}

impl RecordWriter {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, json: String::new(), problem: None }
    }

    /// Appends the text of the current record of a field, and goes on to the next. `leaves` are those of the field.
    /// Returns what is wrong with a value of the record that has no text of its type and stands there as it is
    /// stored.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub(super) fn append(
        &mut self,
        field: &Field,
        leaves: &mut [Leaf],
        texts: &mut StringChunkedBuilder,
    ) -> Result<Option<&'static str>, RecordFault> {
        self.problem = None;
        if leaves.iter().any(|leaf| leaf.repetition() != Some(0)) {
            return Err(RecordFault::Torn);
        }
        if !is_at_least(leaves, &field.leaves, field.present)? {
            advance(leaves, &field.leaves)?;
            texts.append_null();
        } else if let (Content::Value(_), [leaf]) = (&field.content, &mut *leaves) {
            self.problem = {
                let (text, problem) = leaf.text();
                self.check_size(text.len())?;
                texts.append_value(&*text);
                problem
            };
            leaf.advance();
        } else {
            self.json.clear();
            self.write_json(field, leaves)?;
            self.check_size(self.json.len())?;
            texts.append_value(self.json.as_str());
        }
        Ok(self.problem)
    }

    fn check_size(&self, bytes: usize) -> Result<(), RecordFault> {
        if bytes > self.most_bytes { Err(RecordFault::TooLarge) } else { Ok(()) }
    }

    /// Writes the current value of a field and goes on to the entry after it.
    fn write_json(&mut self, field: &Field, leaves: &mut [Leaf]) -> Result<(), RecordFault> {
        // Before each value, so that a record is never much larger than it may be.
        self.check_size(self.json.len())?;
        if !is_at_least(leaves, &field.leaves, field.present)? {
            self.json.push_str("null");
            return advance(leaves, &field.leaves);
        }
        match &field.content {
            Content::Value(_) => {
                let leaf = leaves.get_mut(field.leaves.start).ok_or(RecordFault::Torn)?;
                self.write_value(leaf);
                leaf.advance();
            }
            Content::Fields(fields) => {
                let mut before = '{';
                for (name, field) in fields {
                    self.json.push(before);
                    write_string(name, &mut self.json);
                    self.json.push(':');
                    self.write_json(field, leaves)?;
                    before = ',';
                }
                self.json.push('}');
            }
            Content::List { filled, .. } if !is_at_least(leaves, &field.leaves, *filled)? => {
                self.json.push_str("[]");
                advance(leaves, &field.leaves)?;
            }
            Content::List { repeated, element, .. } => {
                self.json.push('[');
                self.write_json(element, leaves)?;
                while goes_on(leaves, &field.leaves, *repeated)? {
                    self.json.push(',');
                    self.write_json(element, leaves)?;
                }
                self.json.push(']');
            }
        }
        Ok(())
    }

    fn write_value(&mut self, leaf: &Leaf) {
        let (text, problem) = leaf.text();
        self.problem = self.problem.or(problem);
        match leaf.json() {
            Json::Bare if problem.is_none() => self.json.push_str(&text),
            Json::Finite if text.parse().is_ok_and(f64::is_finite) => self.json.push_str(&text),
            Json::Bare | Json::Finite | Json::Quoted => write_string(&text, &mut self.json),
        }
    }
}

/// Writes a text as a string of JSON.
pub(super) fn write_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// Whether the current entry of all these leaves has at least this definition level. They must agree.
fn is_at_least(leaves: &[Leaf], of: &Range<usize>, level: i16) -> Result<bool, RecordFault> {
    agreed(leaves, of, |leaf| leaf.definition().map(|definition| definition >= level).ok_or(RecordFault::Torn))
}

/// Whether the next entry of all these leaves belongs to the list whose elements have this repetition level.
fn goes_on(leaves: &[Leaf], of: &Range<usize>, repeated: i16) -> Result<bool, RecordFault> {
    agreed(leaves, of, |leaf| match leaf.repetition() {
        Some(next) if next > repeated => Err(RecordFault::Torn),
        next => Ok(next == Some(repeated)),
    })
}

fn agreed(
    leaves: &[Leaf],
    of: &Range<usize>,
    question: impl Fn(&Leaf) -> Result<bool, RecordFault>,
) -> Result<bool, RecordFault> {
    let mut answers = leaves.get(of.clone()).unwrap_or_default().iter().map(question);
    let first = answers.next().ok_or(RecordFault::Torn)??;
    for answer in answers {
        if answer? != first {
            return Err(RecordFault::Torn);
        }
    }
    Ok(first)
}

fn advance(leaves: &mut [Leaf], of: &Range<usize>) -> Result<(), RecordFault> {
    leaves.get_mut(of.clone()).ok_or(RecordFault::Torn)?.iter_mut().for_each(Leaf::advance);
    Ok(())
}
