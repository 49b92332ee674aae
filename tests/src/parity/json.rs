//! Records as JSON: an object per line, or an array of objects.

use serde_json::Value;

use super::delivery::{Format, Record, Writer};
use crate::random::Random;

/// The text of a file.
pub(super) fn text(
    writer: &mut Writer<'_>,
    names: &[String],
    order: &[usize],
    records: &[Record],
    random: &mut Random,
) -> Vec<u8> {
    let mut written: Vec<Vec<u8>> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        // A key that no record of a run has would hold all of its files.
        let is_first = index == 0;
        let mut of = |&place: &usize| entry(&names[place], record[place].as_deref(), is_first, random);
        let entries: Vec<String> = order.iter().filter_map(&mut of).collect();
        let is_torn = !is_first && random.happens(writer.writing.torn);
        written.push(if is_torn { torn(writer, &entries, random) } else { object(&entries).into_bytes() });
    }
    let lines = written.join(&b"\n"[..]);
    match writer.writing.format {
        Format::Json => [&b"["[..], &written.join(&b",\n"[..]), b"]"].concat(),
        _ if random.happens(50) => [lines.as_slice(), b"\n"].concat(),
        _ => lines,
    }
}

/// A key with its value; `None` where the record does without.
fn entry(name: &str, value: Option<&str>, is_kept: bool, random: &mut Random) -> Option<String> {
    let value = match value {
        None if !is_kept && random.happens(50) => return None,
        None => Value::Null,
        Some(text) if random.happens(50) => scalar(text),
        Some(text) => text.into(),
    };
    Some(format!("{}: {value}", Value::from(name)))
}

/// A number or a truth value, where the text is one in JSON, too.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => text.into(),
    }
}

fn object(entries: &[String]) -> String {
    format!("{{{}}}", entries.join(", "))
}

/// A record that is not an object, or not a good one. A syntax error would refuse the whole file of an array.
fn torn(writer: &mut Writer<'_>, entries: &[String], random: &mut Random) -> Vec<u8> {
    let kinds = if writer.writing.format == Format::Ndjson { 4 } else { 2 };
    match random.below(kinds) {
        0 => {
            writer.tags.insert("torn: no object");
            b"[1, 2]".to_vec()
        }
        1 => {
            writer.tags.insert("torn: key twice");
            let twice: Vec<String> = entries.iter().chain(entries.first()).cloned().collect();
            object(&twice).into_bytes()
        }
        2 => {
            writer.tags.insert("torn: object not closed");
            format!("{{{}", entries.join(", ")).into_bytes()
        }
        _ => {
            writer.tags.insert("torn: bad UTF-8");
            b"{\"caf\xE9\": 1}".to_vec()
        }
    }
}
