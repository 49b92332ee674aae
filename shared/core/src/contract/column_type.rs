//! From `logicalType` and `physicalType` to the one type that every engine stores.

use super::document::Property;
use super::error::{Refusal, refuse};
use super::model::ColumnType;
use super::nested;

/// The types of the standard, which are written as `logicalType`.
const LOGICAL_TYPES: [&str; 9] =
    ["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"];

/// The type of a column, with the limits that its declaration implies beyond the type itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub column_type: ColumnType,
    /// The `n` of `VARCHAR(n)`.
    pub max_length: Option<u64>,
    /// The least and greatest value of `logicalTypeOptions.format`, where narrower than the type.
    pub range: Option<(i128, i128)>,
}

/// What a physical type says.
struct Physical {
    column_type: ColumnType,
    max_length: Option<u64>,
}

/// Resolves a property's type.
pub(super) fn resolve(property: &Property) -> Result<Declared, Refusal> {
    if let Some("array" | "object") = property.logical_type.as_deref() {
        let column_type = nested::column_type(property)?;
        return Ok(Declared { column_type, max_length: None, range: None });
    }
    if let Some(logical @ ("map" | "vector" | "time")) = property.logical_type.as_deref() {
        refuse!("logicalType {logical} is not executed yet; a column holds a plain value, a list or an object");
    }
    if property.items.is_some() || !property.properties.is_empty() {
        refuse!("has items or properties, which belong to logicalType array and object; write one of these");
    }
    let physical = property.physical_type.as_deref().map(physical_type).transpose()?;
    let format = integer_format(property)?;
    let Some(logical) = property.logical_type.as_deref() else {
        let Some(Physical { column_type, max_length }) = physical else {
            refuse!("has no type: give it a logicalType or a physicalType");
        };
        return Ok(Declared { column_type, max_length, range: None });
    };
    let column_type = match (&physical, logical) {
        (Some(physical), _) if fits(logical, &physical.column_type) => physical.column_type.clone(),
        (Some(physical), _) => {
            let written = property.physical_type.as_deref().unwrap_or_default();
            let stored = &physical.column_type;
            refuse!("logicalType {logical} contradicts physicalType {written}, which is stored as {stored}")
        }
        (None, "string") => ColumnType::Text,
        (None, "boolean") => ColumnType::Boolean,
        (None, "date") => ColumnType::Date,
        (None, "timestamp") => ColumnType::Timestamp,
        (None, "number") => ColumnType::Double,
        (None, "integer") => match format {
            Some((low, high)) if i128::from(i32::MIN) <= low && high <= i128::from(i32::MAX) => ColumnType::Int32,
            _ => ColumnType::Int64,
        },
        (None, other) => refuse!("logicalType {other} is not executed"),
    };
    let range = match (format, value_range(&column_type)) {
        (Some((low, high)), Some((least, greatest))) if low < least || high > greatest => {
            refuse!("logicalTypeOptions.format allows numbers that {column_type} cannot hold")
        }
        (Some(format), Some(whole)) if format != whole => Some(format),
        _ => None,
    };
    Ok(Declared { column_type, max_length: physical.and_then(|physical| physical.max_length), range })
}

impl ColumnType {
    /// The type that a contract means by a name: that of a `logicalType`, in any case, or else of a `physicalType`.
    ///
    /// # Errors
    /// What is wrong with the name, and the fix.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let lower = name.trim().to_ascii_lowercase();
        let is_logical = LOGICAL_TYPES.contains(&lower.as_str());
        let property = if is_logical {
            Property { logical_type: Some(lower), ..Property::default() }
        } else {
            Property { physical_type: Some(name.to_owned()), ..Property::default() }
        };
        match resolve(&property) {
            Ok(Declared { max_length: Some(_), .. }) => {
                Err(format!("{name} has a limit that only the contract checks; write string"))
            }
            Ok(declared) => Ok(declared.column_type),
            Err(Refusal(message)) => Err(message),
        }
    }
}

/// Whether a stored type is one of a logical type.
fn fits(logical: &str, column_type: &ColumnType) -> bool {
    use ColumnType::{Boolean, Date, Decimal, Double, Int32, Int64, Text, Timestamp};
    matches!(
        (logical, column_type),
        ("string", Text)
            | ("boolean", Boolean)
            | ("date", Date)
            | ("timestamp", Timestamp)
            | ("integer", Int32 | Int64 | Decimal { scale: 0, .. })
            | ("number", Int32 | Int64 | Double | Decimal { .. })
    )
}

/// Every whole number that a type holds; `None` for types that are not whole.
fn value_range(column_type: &ColumnType) -> Option<(i128, i128)> {
    match column_type {
        ColumnType::Int32 => Some((i128::from(i32::MIN), i128::from(i32::MAX))),
        ColumnType::Int64 => Some((i128::from(i64::MIN), i128::from(i64::MAX))),
        ColumnType::Decimal { precision, scale: 0 } => {
            let greatest = 10_i128.checked_pow(u32::from(*precision))? - 1;
            Some((-greatest, greatest))
        }
        _ => None,
    }
}

/// The numbers that the `format` of an integer allows.
fn integer_format(property: &Property) -> Result<Option<(i128, i128)>, Refusal> {
    let Some(format) = property.logical_type_options.get("format") else {
        return Ok(None);
    };
    if property.logical_type.as_deref() != Some("integer") {
        return Ok(None);
    }
    Ok(Some(match format.as_str() {
        Some("i8") => (i128::from(i8::MIN), i128::from(i8::MAX)),
        Some("i16") => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Some("i32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("i64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        Some("u8") => (0, i128::from(u8::MAX)),
        Some("u16") => (0, i128::from(u16::MAX)),
        Some("u32") => (0, i128::from(u32::MAX)),
        Some("u64") => (0, i128::from(u64::MAX)),
        _ => refuse!("logicalTypeOptions.format {format} is not executed; use i8 to i64 or u8 to u64"),
    }))
}

/// Reads a physical type: a SQL type name with its arguments, case ignored.
fn physical_type(text: &str) -> Result<Physical, Refusal> {
    let (name, arguments) = split(text)?;
    let plain = |column_type| Ok(Physical { column_type, max_length: None });
    match (name.as_str(), arguments.as_slice()) {
        ("STRING" | "TEXT" | "VARCHAR" | "NVARCHAR" | "CHAR" | "CHARACTER VARYING", []) => plain(ColumnType::Text),
        ("VARCHAR" | "NVARCHAR" | "CHAR" | "CHARACTER VARYING", [length]) if *length > 0 => {
            Ok(Physical { column_type: ColumnType::Text, max_length: Some(*length) })
        }
        ("INT" | "INTEGER" | "INT4" | "INT32", []) => plain(ColumnType::Int32),
        ("BIGINT" | "LONG" | "INT64", []) => plain(ColumnType::Int64),
        ("DOUBLE" | "DOUBLE PRECISION" | "FLOAT64" | "FLOAT8", []) => plain(ColumnType::Double),
        ("BOOLEAN" | "BOOL", []) => plain(ColumnType::Boolean),
        ("DATE", []) => plain(ColumnType::Date),
        ("TIMESTAMP" | "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE", [] | [6]) => plain(ColumnType::Timestamp),
        ("DECIMAL" | "NUMERIC" | "DEC", [precision]) => plain(decimal(text, *precision, 0)?),
        ("DECIMAL" | "NUMERIC" | "DEC", [precision, scale]) => plain(decimal(text, *precision, *scale)?),
        ("DECIMAL" | "NUMERIC" | "DEC", []) => {
            refuse!("physicalType {text} means another precision in each engine: write DECIMAL(precision,scale)")
        }
        ("FLOAT" | "REAL" | "FLOAT4" | "FLOAT32", _) => {
            refuse!("physicalType {text} is not executed yet: write DOUBLE, or DECIMAL(precision,scale) for money")
        }
        ("SMALLINT" | "TINYINT" | "INT2" | "INT8" | "SHORT" | "BYTE", []) => {
            refuse!("physicalType {text} is not executed yet: write INT or BIGINT, with minimum and maximum")
        }
        ("DATETIME" | "TIMESTAMP_NTZ" | "TIMESTAMP WITHOUT TIME ZONE", _) => {
            refuse!("physicalType {text} has no time zone and is not executed yet: write TIMESTAMP, stored in UTC")
        }
        _ => refuse!("physicalType {text} is not executed yet"),
    }
}

fn decimal(text: &str, precision: u64, scale: u64) -> Result<ColumnType, Refusal> {
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => Ok(ColumnType::Decimal { precision, scale }),
        _ => refuse!("physicalType {text} is no decimal: 1 to 38 digits, at most all of them after the point"),
    }
}

/// `varchar ( 20 )` as `("VARCHAR", [20])`.
fn split(text: &str) -> Result<(String, Vec<u64>), Refusal> {
    let (name, rest) = text.split_once('(').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    let Some(rest) = rest else {
        return Ok((name, Vec::new()));
    };
    let arguments = rest
        .trim_end()
        .strip_suffix(')')
        .and_then(|inner| inner.split(',').map(|part| part.trim().parse::<u64>().ok()).collect::<Option<Vec<_>>>());
    match arguments {
        Some(arguments) => Ok((name, arguments)),
        None => refuse!("physicalType {text} is not executed yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(logical: Option<&str>, physical: Option<&str>, format: Option<&str>) -> Property {
        let mut property = Property {
            logical_type: logical.map(str::to_owned),
            physical_type: physical.map(str::to_owned),
            ..Property::default()
        };
        if let Some(format) = format {
            property.logical_type_options.insert("format".to_owned(), format.into());
        }
        property
    }

    #[test]
    fn types_come_from_both_declarations() {
        let check = |logical: Option<&str>, physical: Option<&str>, expected: &str| {
            let declared = resolve(&property(logical, physical, None));
            assert_eq!(
                declared.map(|d| d.column_type.to_string()),
                Ok(expected.to_owned()),
                "{logical:?} {physical:?}"
            );
        };
        check(Some("string"), None, "STRING");
        check(Some("integer"), None, "BIGINT");
        check(Some("number"), None, "DOUBLE");
        check(Some("boolean"), None, "BOOLEAN");
        check(Some("date"), None, "DATE");
        check(Some("timestamp"), None, "TIMESTAMP");
        check(None, Some("decimal ( 12 , 3 )"), "DECIMAL(12,3)");
        check(None, Some("NUMERIC(9)"), "DECIMAL(9,0)");
        check(Some("integer"), Some("DECIMAL(9,0)"), "DECIMAL(9,0)");
        check(Some("number"), Some("int"), "INT");
        check(Some("number"), Some("double  precision"), "DOUBLE");
        check(Some("timestamp"), Some("timestamp(6)"), "TIMESTAMP");
        check(Some("string"), Some("VarChar(20)"), "STRING");
    }

    #[test]
    fn a_name_alone_is_a_logical_type_or_else_a_physical_one() {
        let check = |name: &str, expected: Result<&str, &str>| match (ColumnType::named(name), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected, "{name}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{name}: {error}"),
            (found, _) => panic!("{name}: {found:?}"),
        };
        check("string", Ok("STRING"));
        check("integer", Ok("BIGINT"));
        check("Date", Ok("DATE"));
        check("number", Ok("DOUBLE"));
        check("DECIMAL(12,2)", Ok("DECIMAL(12,2)"));
        check("int", Ok("INT"));
        check("text", Ok("STRING"));
        check("VARCHAR(20)", Err("write string"));
        check("array", Err("has no items"));
        check("map", Err("not executed yet"));
        check("datum", Err("physicalType datum is not executed yet"));
        check("DECIMAL", Err("write DECIMAL(precision,scale)"));
    }

    #[test]
    fn what_is_contradictory_or_not_executed_is_refused_by_name() {
        let check = |logical: Option<&str>, physical: Option<&str>, format: Option<&str>, expected: &str| {
            let error = resolve(&property(logical, physical, format)).unwrap_err().0;
            assert!(error.contains(expected), "{error}");
        };
        check(None, None, None, "has no type");
        check(Some("date"), Some("TIMESTAMP"), None, "logicalType date contradicts physicalType TIMESTAMP");
        check(Some("integer"), Some("DECIMAL(9,2)"), None, "contradicts");
        check(Some("map"), None, None, "logicalType map is not executed yet");
        check(Some("array"), None, None, "has no items");
        check(Some("object"), None, None, "has no properties");
        check(Some("array"), Some("ARRAY<INT>"), None, "has physicalType ARRAY<INT>, too");
        check(Some("time"), Some("time"), None, "time is not executed yet");
        check(None, Some("DECIMAL(39,2)"), None, "1 to 38 digits");
        check(None, Some("DECIMAL(4,5)"), None, "1 to 38 digits");
        check(None, Some("DECIMAL"), None, "write DECIMAL(precision,scale)");
        check(None, Some("FLOAT"), None, "write DOUBLE");
        check(None, Some("VARCHAR(0)"), None, "VARCHAR(0)");
        check(None, Some("VARCHAR(x)"), None, "VARCHAR(x)");
        check(None, Some("VARCHAR(1"), None, "VARCHAR(1");
        check(None, Some("BLOB"), None, "BLOB is not executed yet");
        check(Some("integer"), None, Some("u128"), "u128");
        check(Some("integer"), None, Some("u64"), "BIGINT cannot hold");
        check(Some("integer"), Some("INT"), Some("i64"), "INT cannot hold");
    }

    #[test]
    fn integer_formats_choose_the_type_and_bound_it() {
        let check = |physical: Option<&str>, format: &str, expected: ColumnType, range: Option<(i128, i128)>| {
            let declared = resolve(&property(Some("integer"), physical, Some(format)));
            assert_eq!(declared, Ok(Declared { column_type: expected, max_length: None, range }), "{format}");
        };
        check(None, "i32", ColumnType::Int32, None);
        check(None, "i64", ColumnType::Int64, None);
        check(None, "i8", ColumnType::Int32, Some((-128, 127)));
        check(None, "u32", ColumnType::Int64, Some((0, 4_294_967_295)));
        check(Some("BIGINT"), "i16", ColumnType::Int64, Some((-32_768, 32_767)));
        let digits = ColumnType::Decimal { precision: 20, scale: 0 };
        check(Some("DECIMAL(20,0)"), "u64", digits, Some((0, 18_446_744_073_709_551_615)));
    }
}
