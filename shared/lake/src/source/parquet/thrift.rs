//! Structures in Thrift's compact protocol, as far as page headers need them: whole numbers, and structures of these.

use std::collections::BTreeMap;
use std::io::{self, Read};

/// Structures in structures that are read. A page header has three levels.
const MAX_DEPTH: usize = 16;

/// A structure: its whole numbers and its structures by field id. All other fields are left out.
#[derive(Debug, Default)]
pub(super) struct Structure {
    numbers: BTreeMap<i64, i64>,
    structures: BTreeMap<i64, Self>,
}

impl Structure {
    /// Reads one structure from its first byte to its last.
    ///
    /// # Errors
    /// Those of the reader; [`io::ErrorKind::InvalidData`] for bytes that are not a structure.
    pub(super) fn read(bytes: &mut impl Read) -> io::Result<Self> {
        read_structure(bytes, 0)
    }

    /// The whole number of a field.
    pub(super) fn number(&self, id: i64) -> Option<i64> {
        self.numbers.get(&id).copied()
    }

    /// The structure of a field.
    pub(super) fn structure(&self, id: i64) -> Option<&Self> {
        self.structures.get(&id)
    }
}

/// Codes of the types.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
    pub(super) const UUID: u8 = 13;
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn read_structure(bytes: &mut impl Read, depth: usize) -> io::Result<Structure> {
    if depth > MAX_DEPTH {
        return Err(invalid("structures are nested too deeply"));
    }
    let (mut found, mut id) = (Structure::default(), 0_i64);
    loop {
        let head = byte(bytes)?;
        if head == kind::STOP {
            return Ok(found);
        }
        id = match head >> 4 {
            0 => number(bytes)?,
            step => id.saturating_add(i64::from(step)),
        };
        match head & 0x0F {
            kind::TRUE | kind::FALSE => {}
            kind::I16..=kind::I64 => {
                found.numbers.insert(id, number(bytes)?);
            }
            kind::STRUCT => {
                found.structures.insert(id, read_structure(bytes, depth + 1)?);
            }
            other => skip(bytes, other, depth + 1)?,
        }
    }
}

/// Passes by the value of a field or an element.
fn skip(bytes: &mut impl Read, of: u8, depth: usize) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(invalid("structures are nested too deeply"));
    }
    match of {
        // Elements of these types have a byte each.
        kind::TRUE | kind::FALSE | kind::BYTE => byte(bytes).map(drop),
        kind::I16..=kind::I64 => varint(bytes).map(drop),
        kind::DOUBLE => pass(bytes, 8),
        kind::UUID => pass(bytes, 16),
        kind::BINARY => {
            let length = varint(bytes)?;
            pass(bytes, length)
        }
        kind::LIST | kind::SET => {
            let head = byte(bytes)?;
            let count = match head >> 4 {
                15 => varint(bytes)?,
                count => u64::from(count),
            };
            (0..count).try_for_each(|_| skip(bytes, head & 0x0F, depth + 1))
        }
        kind::MAP => {
            let count = varint(bytes)?;
            if count == 0 {
                return Ok(());
            }
            let types = byte(bytes)?;
            (0..count).try_for_each(|_| {
                skip(bytes, types >> 4, depth + 1)?;
                skip(bytes, types & 0x0F, depth + 1)
            })
        }
        kind::STRUCT => read_structure(bytes, depth).map(drop),
        _ => Err(invalid("a field has an unknown type")),
    }
}

fn pass(bytes: &mut impl Read, count: u64) -> io::Result<()> {
    let passed = io::copy(&mut bytes.take(count), &mut io::sink())?;
    if passed == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn byte(bytes: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    bytes.read_exact(&mut byte)?;
    let [byte] = byte;
    Ok(byte)
}

/// A zigzag number.
fn number(bytes: &mut impl Read) -> io::Result<i64> {
    let zigzag = varint(bytes)?;
    Ok((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
}

fn varint(bytes: &mut impl Read) -> io::Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7F) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(invalid("a number is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_structures_are_found_and_all_else_is_passed_by() {
        let bytes = [
            0x15, 0x03, // 1: i32 -2
            0x18, 0x02, b'a', b'b', // 2: binary
            0x11, // 3: true
            0x19, 0x21, 0x01, 0x02, // 4: list of two booleans
            0x1B, 0x01, 0x58, 0x02, 0x01, b'x', // 5: map with one entry of i32 and binary
            0x0C, 0x16, 0x16, 0x80, 0x01, 0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x00, // 11: {1: i64 64, 2: double}
            0x00, 0xFF,
        ];
        let mut rest = bytes.as_slice();
        let found = Structure::read(&mut rest).unwrap();
        assert_eq!(rest, [0xFF], "it ends where it ends");
        assert_eq!((found.number(1), found.number(2), found.number(3)), (Some(-2), None, None));
        assert_eq!(found.structure(11).and_then(|inner| inner.number(1)), Some(64));
    }

    #[test]
    fn bytes_that_are_no_structure_are_refused() {
        let check = |bytes: &[u8], expected: io::ErrorKind| {
            let mut bytes = bytes;
            assert_eq!(Structure::read(&mut bytes).unwrap_err().kind(), expected);
        };
        check(b"", io::ErrorKind::UnexpectedEof);
        check(&[0x15], io::ErrorKind::UnexpectedEof);
        check(&[0x18, 0x7F, b'a'], io::ErrorKind::UnexpectedEof);
        check(&[0x1F], io::ErrorKind::InvalidData);
        check(&[0x15, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], io::ErrorKind::InvalidData);
        check(&[0x1C; 40], io::ErrorKind::InvalidData);
    }
}
