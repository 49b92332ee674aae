//! What the values of a leaf column mean, and the text of each.

use std::borrow::Cow;
use std::fmt::Write as _;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit, Type as Physical};
use parquet::data_type::Int96;
use parquet::schema::types::Type;
use uuid::Uuid;

use super::text::{self, TimeUnit};

/// Most digits of a decimal: those of every engine's type.
const MAX_PRECISION: i32 = 38;

/// The name of a type without text form, and what to do about it.
pub(super) type Refusal = (String, &'static str);

/// What the values of a leaf mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Boolean,
    Integer {
        bits: u32,
        signed: bool,
    },
    Float,
    Double,
    Half,
    Decimal {
        scale: usize,
    },
    Text,
    Uuid,
    Date,
    Time(TimeUnit),
    Timestamp {
        unit: TimeUnit,
        utc: bool,
    },
    /// A timestamp of 12 bytes, as old writers have it.
    Julian,
    /// Nulls only.
    Nothing,
}

/// How a value stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Json {
    /// As its text is.
    Bare,
    /// In quotes.
    Quoted,
    /// As its text is, or in quotes if it is not finite.
    Finite,
}

impl ValueType {
    /// The type of a primitive field, or the type's name and what to do about it if it has no text form.
    pub(super) fn of(of: &Type) -> Result<Self, Refusal> {
        let physical = of.get_physical_type();
        let plain = |bits| Self::Integer { bits, signed: true };
        match (annotated(of)?, physical) {
            (Some(annotated), _) => Ok(annotated),
            (None, Physical::BOOLEAN) => Ok(Self::Boolean),
            (None, Physical::INT32) => Ok(plain(32)),
            (None, Physical::INT64) => Ok(plain(64)),
            (None, Physical::INT96) => Ok(Self::Julian),
            (None, Physical::FLOAT) => Ok(Self::Float),
            (None, Physical::DOUBLE) => Ok(Self::Double),
            (None, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => {
                Err(("binary".to_owned(), "write it as a string (annotated as UTF-8) or leave it out"))
            }
        }
    }

    /// How the values stand in JSON.
    pub(crate) fn json(self) -> Json {
        match self {
            Self::Boolean | Self::Integer { .. } | Self::Decimal { .. } | Self::Nothing => Json::Bare,
            Self::Float | Self::Double | Self::Half => Json::Finite,
            Self::Text | Self::Uuid | Self::Date | Self::Time(_) | Self::Timestamp { .. } | Self::Julian => {
                Json::Quoted
            }
        }
    }

    /// Writes a boolean.
    pub(crate) fn write_boolean(self, value: bool, text: &mut String) -> Written {
        match self {
            Self::Boolean => text.push_str(if value { "true" } else { "false" }),
            _ => return Written::Damaged,
        }
        Written::Text
    }

    /// Writes a value that is stored as a whole number.
    pub(crate) fn write_number(self, value: i64, text: &mut String) -> Written {
        match self {
            Self::Integer { bits, signed } => return write_integer(text, value, bits, signed),
            Self::Decimal { scale } => text::write_decimal(text, i128::from(value), scale),
            Self::Date => text::write_date(text, value),
            Self::Time(unit) if text::write_time(text, value, unit) => {}
            Self::Time(_) => return write_raw(text, value, "is not a time between 00:00 and 24:00"),
            Self::Timestamp { unit, utc } => text::write_timestamp(text, value, unit, utc),
            _ => return Written::Damaged,
        }
        Written::Text
    }

    /// Writes a timestamp of 96 bits.
    pub(super) fn write_int96(self, value: &Int96, text: &mut String) -> Written {
        match (self, value.data()) {
            (Self::Julian, [low, high, day]) => {
                let nanos = ((u64::from(*high) << 32) | u64::from(*low)).cast_signed();
                text::write_julian(text, day.cast_signed(), nanos);
                Written::Text
            }
            _ => Written::Damaged,
        }
    }

    /// Writes a value that is stored as bytes.
    pub(crate) fn write_bytes(self, bytes: &[u8], text: &mut String) -> Written {
        match self {
            Self::Text => {
                let (read, problem) = utf8(bytes);
                text.push_str(&read);
                problem.map_or(Written::Text, Written::Raw)
            }
            Self::Decimal { scale } => match signed(bytes) {
                Some(units) => {
                    text::write_decimal(text, units, scale);
                    Written::Text
                }
                None => write_hex(text, bytes, "is a decimal without bytes, or of more than 38 digits"),
            },
            Self::Uuid => match Uuid::from_slice(bytes) {
                Ok(uuid) => {
                    text.push_str(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
                    Written::Text
                }
                Err(_) => write_hex(text, bytes, "is not a UUID of 16 bytes"),
            },
            _ => Written::Damaged,
        }
    }
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Its text.
    Text,
    /// The stored value as digits or bytes, because it has no text of its type; what is wrong with it, after "a value
    /// that". Its record is set aside.
    Raw(&'static str),
    /// Nothing: [`NOT_EXPECTED`].
    Damaged,
}

/// The text of bytes; those that are not UTF-8 are U+FFFD, with what is wrong.
pub(crate) fn utf8(bytes: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (String::from_utf8_lossy(bytes), Some("is not UTF-8")),
    }
}

/// Only a damaged file has values of another physical type than its schema, or values in a column of nulls.
pub(super) const NOT_EXPECTED: &str = "a value has another type than its column";

/// The type that the annotation of a field says; `None` without an annotation, or with one that is not known.
fn annotated(of: &Type) -> Result<Option<ValueType>, Refusal> {
    let info = of.get_basic_info();
    let refused = |data_type: &str, fix| Err((data_type.to_owned(), fix));
    let integer = |bits, signed| Ok(Some(ValueType::Integer { bits, signed }));
    let timestamp = |unit, utc| Ok(Some(ValueType::Timestamp { unit, utc }));
    match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Ok(Some(ValueType::Text)),
        Some(LogicalType::Decimal(_)) => decimal(of),
        Some(LogicalType::Date) => Ok(Some(ValueType::Date)),
        Some(LogicalType::Time(time)) => Ok(Some(ValueType::Time(unit_of(time.unit)))),
        Some(LogicalType::Timestamp(stamp)) => timestamp(unit_of(stamp.unit), stamp.is_adjusted_to_u_t_c),
        Some(LogicalType::Integer(int)) => integer(u32::from(int.bit_width.unsigned_abs()), int.is_signed),
        Some(LogicalType::Unknown) => Ok(Some(ValueType::Nothing)),
        Some(LogicalType::Uuid) => Ok(Some(ValueType::Uuid)),
        Some(LogicalType::Float16) => Ok(Some(ValueType::Half)),
        Some(LogicalType::Bson) => refused("BSON", AS_TEXT),
        Some(LogicalType::Geometry(_)) => refused("a geometry", "write it as text (WKT)"),
        Some(LogicalType::Geography(_)) => refused("a geography", "write it as text (WKT)"),
        _ => match info.converted_type() {
            ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Ok(Some(ValueType::Text)),
            ConvertedType::DECIMAL => decimal(of),
            ConvertedType::DATE => Ok(Some(ValueType::Date)),
            ConvertedType::TIME_MILLIS => Ok(Some(ValueType::Time(TimeUnit::Milliseconds))),
            ConvertedType::TIME_MICROS => Ok(Some(ValueType::Time(TimeUnit::Microseconds))),
            // By the specification, these are instants in UTC.
            ConvertedType::TIMESTAMP_MILLIS => timestamp(TimeUnit::Milliseconds, true),
            ConvertedType::TIMESTAMP_MICROS => timestamp(TimeUnit::Microseconds, true),
            ConvertedType::UINT_8 => integer(8, false),
            ConvertedType::UINT_16 => integer(16, false),
            ConvertedType::UINT_32 => integer(32, false),
            ConvertedType::UINT_64 => integer(64, false),
            ConvertedType::INT_8 => integer(8, true),
            ConvertedType::INT_16 => integer(16, true),
            ConvertedType::INT_32 => integer(32, true),
            ConvertedType::INT_64 => integer(64, true),
            ConvertedType::INTERVAL => refused("an interval", "write it as a number, with the unit in its name"),
            ConvertedType::BSON => refused("BSON", AS_TEXT),
            _ => Ok(None),
        },
    }
}

const AS_TEXT: &str = "write it as text, such as JSON";

fn decimal(of: &Type) -> Result<Option<ValueType>, Refusal> {
    if of.get_precision() > MAX_PRECISION {
        let data_type = format!("a decimal of {} digits", of.get_precision());
        return Err((data_type, "write it with at most 38 digits, or as a string"));
    }
    let scale = usize::try_from(of.get_scale()).unwrap_or_default();
    Ok(Some(ValueType::Decimal { scale }))
}

fn unit_of(unit: ParquetUnit) -> TimeUnit {
    match unit {
        ParquetUnit::MILLIS => TimeUnit::Milliseconds,
        ParquetUnit::MICROS => TimeUnit::Microseconds,
        ParquetUnit::NANOS => TimeUnit::Nanoseconds,
    }
}

fn write_integer(text: &mut String, value: i64, bits: u32, signed: bool) -> Written {
    // Writing to a string cannot fail.
    let _ = match (bits, signed) {
        (64, true) => write!(text, "{value}"),
        (64, false) => write!(text, "{}", value.cast_unsigned()),
        (32, false) => write!(text, "{}", value & 0xFFFF_FFFF),
        _ => {
            let values = 1_i64 << bits.min(62);
            let least = if signed { -(values / 2) } else { 0 };
            if !(least..least + values).contains(&value) {
                return write_raw(text, value, "leaves the range of its column's type");
            }
            write!(text, "{value}")
        }
    };
    Written::Text
}

fn write_raw(text: &mut String, value: i64, problem: &'static str) -> Written {
    let _ = write!(text, "{value}");
    Written::Raw(problem)
}

/// Writes bytes in hexadecimal; of very many the first, so that the text of a batch stays as small as its values.
fn write_hex(text: &mut String, bytes: &[u8], problem: &'static str) -> Written {
    /// More than any decimal or UUID has.
    const SHOWN: usize = 64;
    text.push_str("0x");
    for byte in bytes.iter().take(SHOWN) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        text.push('…');
    }
    Written::Raw(problem)
}

/// The number that bytes are in two's complement, the highest first; `None` without bytes and beyond 128 bits.
fn signed(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first()? & 0x80 != 0;
    let sign: u8 = if negative { 0xFF } else { 0 };
    let (more, last) = bytes.split_at(bytes.len().saturating_sub(16));
    let fits = more.iter().all(|byte| *byte == sign) && (more.is_empty() || (last.first()? & 0x80 != 0) == negative);
    let mut number = [sign; 16];
    number.iter_mut().rev().zip(last.iter().rev()).for_each(|(to, from)| *to = *from);
    fits.then_some(i128::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_numbers_in_twos_complement() {
        let check = |bytes: &[u8], expected: Option<i128>| assert_eq!(signed(bytes), expected, "{bytes:?}");
        check(&[], None);
        check(&[0x96], Some(-106));
        check(&[0x00, 0x96], Some(150));
        check(&[0xFF, 0xFF, 0x6A], Some(-150));
        check(&[0x7F; 16], Some(i128::from_be_bytes([0x7F; 16])));
        check(&[0; 20], Some(0));
        check(&[0xFF; 20], Some(-1));
        let mut wide = [0; 17];
        wide[1] = 0x80;
        check(&wide, None);
        wide[0] = 1;
        check(&wide, None);
    }

    #[test]
    fn whole_numbers_keep_the_range_of_their_type() {
        let check = |value, bits, signed, expected: &str, is_text: bool| {
            let mut text = String::new();
            let written = write_integer(&mut text, value, bits, signed);
            assert_eq!((text.as_str(), written == Written::Text), (expected, is_text), "{value} in {bits} bits");
        };
        check(-1, 64, true, "-1", true);
        check(-1, 64, false, "18446744073709551615", true);
        check(-1, 32, false, "4294967295", true);
        check(-128, 8, true, "-128", true);
        check(128, 8, true, "128", false);
        check(255, 8, false, "255", true);
        check(-1, 16, false, "-1", false);
        check(i64::from(i32::MIN), 32, true, "-2147483648", true);
    }

    #[test]
    fn bytes_without_text_are_written_as_they_are() {
        let check = |of: ValueType, bytes: &[u8], expected: &str, is_text: bool| {
            let mut text = String::new();
            let written = of.write_bytes(bytes, &mut text);
            assert_eq!((text.as_str(), written == Written::Text), (expected, is_text), "{bytes:?}");
        };
        check(ValueType::Text, "é".as_bytes(), "é", true);
        check(ValueType::Text, &[b'a', 0xFF], "a\u{FFFD}", false);
        check(ValueType::Decimal { scale: 1 }, &[0x96, 0x0F], "-2712.1", true);
        check(ValueType::Decimal { scale: 1 }, &[], "0x", false);
        check(ValueType::Uuid, &[1, 0xAB], "0x01ab", false);
        check(ValueType::Uuid, &[7; 100], &format!("0x{}…", "07".repeat(64)), false);
    }
}
