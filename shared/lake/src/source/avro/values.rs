//! Records as JSON.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::container::VarInt;
use super::schema::{Node, Schema};
use crate::source::parquet::values::{Json, ValueType, Written, utf8};

/// Most levels of a value: types may be parts of themselves.
const MAX_DEPTH: usize = 100;

const ENDS_EARLY: &str = "has bytes that end within a value";
/// No file leads to it: types come from the same schema as values.
const NOT_EXPECTED: &str = "has a value of another type than its field";

/// Why a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueFault {
    /// Its JSON is larger than a record may be.
    TooLarge,
    /// Its bytes are not of the schema; what is wrong, after "record N".
    Damaged(&'static str),
}

/// A column, and what is wrong with a value in it that has no text of its type, after "a value that".
pub(super) type ColumnProblem<'s> = (&'s str, &'static str);

impl Schema {
    /// Writes the record with which `bytes` begin as JSON, and takes it off them. Gives the first value that has no text
    /// of its type: such a record is set aside.
    pub(super) fn write<'s>(
        &'s self,
        bytes: &mut &[u8],
        json: &mut String,
        limit_bytes: usize,
    ) -> Result<Option<ColumnProblem<'s>>, ValueFault> {
        let mut writer = Writer { schema: self, rest: bytes, json: &mut *json, limit_bytes, column: "", problem: None };
        writer.value(self.root(), 0)?;
        let (rest, problem) = (writer.rest, writer.problem);
        *bytes = rest;
        // The last value may be the one that is too large.
        if json.len() > limit_bytes { Err(ValueFault::TooLarge) } else { Ok(problem) }
    }
}

struct Writer<'s, 'b, 'j> {
    schema: &'s Schema,
    rest: &'b [u8],
    json: &'j mut String,
    limit_bytes: usize,
    /// The field of the record that is written.
    column: &'s str,
    problem: Option<ColumnProblem<'s>>,
}

impl<'s, 'b> Writer<'s, 'b, '_> {
    fn value(&mut self, at: usize, depth: usize) -> Result<(), ValueFault> {
        // Each value has a sign at least, so that lists of nothing end, too.
        if self.json.len() > self.limit_bytes {
            return Err(ValueFault::TooLarge);
        }
        if depth > MAX_DEPTH {
            return Err(ValueFault::Damaged("has values within each other more than 100 deep"));
        }
        let schema: &'s Schema = self.schema;
        match schema.node(at).ok_or(ValueFault::Damaged(NOT_EXPECTED))? {
            Node::Null => self.json.push_str("null"),
            Node::Boolean => self.boolean()?,
            Node::Number(of) => {
                let (of, number) = (*of, self.long()?);
                self.typed(of, |text| of.write_number(number, text))?;
            }
            Node::Float => {
                let number = f32::from_le_bytes(self.chunk()?);
                self.float(number.is_finite(), format_args!("{number:?}"));
            }
            Node::Double => {
                let number = f64::from_le_bytes(self.chunk()?);
                self.float(number.is_finite(), format_args!("{number:?}"));
            }
            Node::Text => self.text()?,
            Node::Bytes(size) => {
                let bytes = self.bytes(*size)?;
                self.json.push('"');
                STANDARD.encode_string(bytes, self.json);
                self.json.push('"');
            }
            Node::Meaning(of, size) => {
                let (of, bytes) = (*of, self.bytes(*size)?);
                self.typed(of, |text| of.write_bytes(bytes, text))?;
            }
            Node::Duration => self.duration()?,
            Node::Enum(symbols) => {
                let symbol = chosen(symbols, self.long()?);
                self.json.push_str(symbol.ok_or(ValueFault::Damaged("has an enum without this symbol"))?);
            }
            Node::Union(branches) => {
                let branch = chosen(branches, self.long()?);
                self.value(*branch.ok_or(ValueFault::Damaged("has a union without this type"))?, depth + 1)?;
            }
            Node::Array(of) => self.list('[', ']', |writer| writer.value(*of, depth + 1))?,
            Node::Map(of) => self.list('{', '}', |writer| {
                writer.text()?;
                writer.json.push(':');
                writer.value(*of, depth + 1)
            })?,
            Node::Record(fields) => {
                self.json.push('{');
                for (index, field) in fields.iter().enumerate() {
                    if depth == 0 {
                        self.column = &field.name;
                    }
                    if index > 0 {
                        self.json.push(',');
                    }
                    self.json.push_str(&field.key);
                    self.value(field.node, depth + 1)?;
                }
                self.json.push('}');
            }
        }
        Ok(())
    }

    /// The entries of an array or a map: groups that say how many they have, up to an empty one.
    fn list(
        &mut self,
        begin: char,
        end: char,
        mut entry: impl FnMut(&mut Self) -> Result<(), ValueFault>,
    ) -> Result<(), ValueFault> {
        self.json.push(begin);
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                // The bytes of the group, for readers that pass over it.
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !std::mem::take(&mut is_first) {
                    self.json.push(',');
                }
                entry(self)?;
            }
        }
        self.json.push(end);
        Ok(())
    }

    fn boolean(&mut self) -> Result<(), ValueFault> {
        let [byte] = self.chunk::<1>()?;
        match byte {
            0 => self.json.push_str("false"),
            1 => self.json.push_str("true"),
            _ => return Err(ValueFault::Damaged("has a boolean that is neither 0 nor 1")),
        }
        Ok(())
    }

    fn float(&mut self, is_finite: bool, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = if is_finite { write!(self.json, "{text}") } else { write!(self.json, "\"{text}\"") };
    }

    fn text(&mut self) -> Result<(), ValueFault> {
        let (text, problem) = utf8(self.bytes(None)?);
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.json.push('"');
            self.json.push_str(&text);
            self.json.push('"');
        } else {
            self.json.push_str(&serde_json::Value::from(text).to_string());
        }
        if let Some(problem) = problem {
            self.note(problem);
        }
        Ok(())
    }

    /// A value that its type has a text for, which needs no escapes.
    fn typed(&mut self, of: ValueType, write: impl FnOnce(&mut String) -> Written) -> Result<(), ValueFault> {
        let begin = self.json.len();
        let is_raw = match write(self.json) {
            Written::Text => false,
            Written::Raw(problem) => {
                self.note(problem);
                true
            }
            Written::Damaged => return Err(ValueFault::Damaged(NOT_EXPECTED)),
        };
        if is_raw || of.json() == Json::Quoted {
            self.json.insert(begin, '"');
            self.json.push('"');
        }
        Ok(())
    }

    /// Months, days and milliseconds.
    fn duration(&mut self) -> Result<(), ValueFault> {
        let mut number = || self.chunk().map(u32::from_le_bytes);
        let (months, days, millis) = (number()?, number()?, number()?);
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let _ = write!(self.json, "\"P{months}M{days}DT{seconds}.{millis:03}S\"");
        Ok(())
    }

    fn note(&mut self, problem: &'static str) {
        let column = self.column;
        self.problem.get_or_insert((column, problem));
    }

    fn long(&mut self) -> Result<i64, ValueFault> {
        let mut number = VarInt::default();
        loop {
            let [byte] = self.chunk::<1>()?;
            if let Some(number) = number.take(byte).map_err(ValueFault::Damaged)? {
                return Ok(number);
            }
        }
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], ValueFault> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(ValueFault::Damaged(ENDS_EARLY))?;
        self.rest = rest;
        Ok(*chunk)
    }

    /// Bytes of this size, or of one that stands before them.
    fn bytes(&mut self, size: Option<usize>) -> Result<&'b [u8], ValueFault> {
        let size = match size {
            Some(size) => size,
            None => usize::try_from(self.long()?)
                .map_err(|_| ValueFault::Damaged("has bytes or a string of a negative size"))?,
        };
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or(ValueFault::Damaged(ENDS_EARLY))?;
        self.rest = rest;
        if bytes.len() > self.limit_bytes { Err(ValueFault::TooLarge) } else { Ok(bytes) }
    }
}

/// What an enum or union says by its index.
fn chosen<T>(list: &[T], index: i64) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| list.get(index))
}
