//! Puts the values of leaves together again: levels and texts of the leaves of a column become one text per record.
//!
//! A value of a flat column is its text. Nested values are JSON without white space: lists as arrays, groups as objects,
//! maps as arrays of objects with `key` and `value`.

use std::ops::Range;

use polars::prelude::StringChunkedBuilder;

use super::leaf::Leaf;
use super::schema::{Content, Field};
use super::values::Json;

/// The levels contradict each other.
pub(super) struct Torn;

/// Appends the texts of so many records. `leaves` are those of the field, each with exactly these records.
///
/// # Errors
/// [`Torn`], with the number of records appended before it.
pub(super) fn append_records(
    field: &Field,
    leaves: &mut [Leaf],
    records: usize,
    texts: &mut StringChunkedBuilder,
) -> Result<(), (usize, Torn)> {
    let mut json = String::new();
    for record in 0..records {
        append_record(field, leaves, &mut json, texts).map_err(|torn| (record, torn))?;
    }
    match leaves.iter().all(|leaf| leaf.definition().is_none()) {
        true => Ok(()),
        false => Err((records, Torn)),
    }
}

fn append_record(
    field: &Field,
    leaves: &mut [Leaf],
    json: &mut String,
    texts: &mut StringChunkedBuilder,
) -> Result<(), Torn> {
    if leaves.iter().any(|leaf| leaf.repetition() != Some(0)) {
        return Err(Torn);
    }
    if !is_at_least(leaves, &field.leaves, field.present)? {
        advance(leaves, &field.leaves)?;
        texts.append_null();
    } else if let (Content::Value(_), [leaf]) = (&field.content, &mut *leaves) {
        texts.append_value(leaf.text());
        leaf.advance();
    } else {
        json.clear();
        write_json(field, leaves, json)?;
        texts.append_value(&*json);
    }
    Ok(())
}

/// Writes the current value of a field and goes on to the entry after it.
fn write_json(field: &Field, leaves: &mut [Leaf], json: &mut String) -> Result<(), Torn> {
    if !is_at_least(leaves, &field.leaves, field.present)? {
        json.push_str("null");
        return advance(leaves, &field.leaves);
    }
    match &field.content {
        Content::Value(_) => {
            let leaf = leaves.get_mut(field.leaves.start).ok_or(Torn)?;
            write_value(leaf, json);
            leaf.advance();
        }
        Content::Fields(fields) => {
            let mut before = '{';
            for (name, field) in fields {
                json.push(before);
                write_string(name, json);
                json.push(':');
                write_json(field, leaves, json)?;
                before = ',';
            }
            json.push('}');
        }
        Content::List { filled, .. } if !is_at_least(leaves, &field.leaves, *filled)? => {
            json.push_str("[]");
            advance(leaves, &field.leaves)?;
        }
        Content::List { repeated, element, .. } => {
            json.push('[');
            write_json(element, leaves, json)?;
            while goes_on(leaves, &field.leaves, *repeated)? {
                json.push(',');
                write_json(element, leaves, json)?;
            }
            json.push(']');
        }
    }
    Ok(())
}

fn write_value(leaf: &Leaf, json: &mut String) {
    let text = leaf.text();
    match leaf.json() {
        Json::Bare => json.push_str(text),
        Json::Finite if text.parse().is_ok_and(f64::is_finite) => json.push_str(text),
        Json::Finite | Json::Quoted => write_string(text, json),
    }
}

fn write_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// Whether the current entry of all these leaves has at least this definition level. They must agree.
fn is_at_least(leaves: &[Leaf], of: &Range<usize>, level: i16) -> Result<bool, Torn> {
    agreed(leaves, of, |leaf| leaf.definition().map(|definition| definition >= level).ok_or(Torn))
}

/// Whether the next entry of all these leaves belongs to the list whose elements have this repetition level.
fn goes_on(leaves: &[Leaf], of: &Range<usize>, repeated: i16) -> Result<bool, Torn> {
    agreed(leaves, of, |leaf| match leaf.repetition() {
        Some(next) if next > repeated => Err(Torn),
        next => Ok(next == Some(repeated)),
    })
}

fn agreed(leaves: &[Leaf], of: &Range<usize>, question: impl Fn(&Leaf) -> Result<bool, Torn>) -> Result<bool, Torn> {
    let mut answers = leaves.get(of.clone()).unwrap_or_default().iter().map(question);
    let first = answers.next().ok_or(Torn)??;
    for answer in answers {
        if answer? != first {
            return Err(Torn);
        }
    }
    Ok(first)
}

fn advance(leaves: &mut [Leaf], of: &Range<usize>) -> Result<(), Torn> {
    leaves.get_mut(of.clone()).ok_or(Torn)?.iter_mut().for_each(Leaf::advance);
    Ok(())
}
