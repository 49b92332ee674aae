//! What a silver table's column is read from, and how its texts are written.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::origin::{Origin, OriginError};
use crate::path::{ColumnPath, PathError};

/// What a column of a silver table is read from: a source column, or the origin of the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnSource {
    /// Name of the source column, the path of a value inside it, or a value about the origin of the row: it is read as
    /// the contract says.
    Name(String),
    /// The same, and how its text is read.
    Read(Box<ReadSpec>),
}

impl ColumnSource {
    /// The name of the source column, the path, or the value about the origin of the row, as the spec writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Read(read) => &read.from,
        }
    }

    /// The path of the value, where the spec has a path and not the name of a column.
    ///
    /// # Errors
    /// [`PathError`] for a text that begins like a path and cannot be read as one.
    pub fn path(&self) -> Result<Option<ColumnPath>, PathError> {
        let text = self.name();
        if ColumnPath::is_meant(text) { text.parse().map(Some) } else { Ok(None) }
    }

    /// The value about the origin of the row, where the spec has one and not a source column.
    ///
    /// # Errors
    /// [`OriginError`] for a text that begins like such a value and is not one.
    pub fn origin(&self) -> Result<Option<Origin>, OriginError> {
        Origin::meant(self.name())
    }

    /// How its text is read, where the spec says so.
    pub fn read(&self) -> Option<&ReadSpec> {
        match self {
            Self::Name(_) => None,
            Self::Read(read) => Some(read),
        }
    }
}

/// What a column is read from, and how its text is read where that is not as the contract says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadSpec {
    /// Name of the source column, the path of a value inside it, such as `$.address.city`, or a value about the origin of
    /// the row: `_source_file`, `_source_file.name`, `_source_file.folder[-1]` (the folder that the file is in),
    /// `_source_file.folder.dt` (for a folder such as `dt=2026-01-05`), `_source_modified_at`, `_source_row`,
    /// `_ingested_at`, `_run_id`.
    pub from: String,
    /// Type of a helper column, which the contract does not have: `string` (the default), `integer`, `number`, `boolean`,
    /// `date`, `timestamp`, or a type such as `DECIMAL(12,2)`. The contract says it of its own columns.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub column_type: Option<String>,
    /// Texts that are null, exactly as they are written. They replace those of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_words: Option<Vec<String>>,
    /// The sign before the fraction of a decimal or a double. Default `.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// The sign between groups of three digits of a number. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// Texts before or behind a number that are passed over, such as `$` or `EUR`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Vec<String>>,
    /// What `12 %` is: `fraction` is 0.12, `number` is 12. A percent sign behind a number is not read without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Percent>,
    /// How a number says that it is below zero, other than by a minus sign before it: `parentheses` as in `(12)`, `behind`
    /// as in `12-`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<Vec<Minus>>,
    /// Texts of a boolean that are true, exactly as they are written, instead of `true` in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_words: Option<Vec<String>>,
    /// Texts of a boolean that are false, exactly as they are written, instead of `false` in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_words: Option<Vec<String>>,
    /// Patterns of a date or timestamp, such as `%d.%m.%Y`, or `epoch_seconds`, `epoch_milliseconds`,
    /// `epoch_microseconds`, `epoch_nanoseconds`, `excel_1900`, `excel_1904` (day numbers of a workbook). They are tried in
    /// turn and replace the format of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<String>>,
    /// Whether a date is also read from an instant at midnight, such as `2026-01-05 00:00:00`. With an offset from UTC, it
    /// is midnight in UTC. Other instants are unreadable in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub midnight: Option<bool>,
    /// Zone of the timestamps of the column whose text has no offset, such as `Europe/Berlin`. It replaces that of the
    /// contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// What a number with a percent sign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Percent {
    /// Its hundredth: `12 %` is 0.12.
    Fraction,
    /// The number itself: `12 %` is 12.
    Number,
}

/// How a number says that it is below zero, other than by a minus sign before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Minus {
    /// `(12)`
    Parentheses,
    /// `12-`
    Behind,
}

impl<'de> Deserialize<'de> for ColumnSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnSourceVisitor)
    }
}

/// Reads either form, so that a message about the second one names its key.
struct ColumnSourceVisitor;

impl<'de> Visitor<'de> for ColumnSourceVisitor {
    type Value = ColumnSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a source column, or a mapping with its name as `from` and how its text is read")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ColumnSource, E> {
        Ok(ColumnSource::Name(name.to_owned()))
    }

    // How it was written is lost: `1_1` and `11` are one number, and so are `1.50` and `1.5`.
    fn visit_u64<E: Error>(self, name: u64) -> Result<ColumnSource, E> {
        Err(in_quotes(&name))
    }

    fn visit_i64<E: Error>(self, name: i64) -> Result<ColumnSource, E> {
        Err(in_quotes(&name))
    }

    fn visit_f64<E: Error>(self, name: f64) -> Result<ColumnSource, E> {
        Err(in_quotes(&name))
    }

    fn visit_bool<E: Error>(self, name: bool) -> Result<ColumnSource, E> {
        Err(E::custom(format!("write the name of the source column in quotes: '{name}'")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnSource, A::Error> {
        ReadSpec::deserialize(MapAccessDeserializer::new(map)).map(|read| ColumnSource::Read(Box::new(read)))
    }
}

fn in_quotes<E: Error>(name: &dyn fmt::Display) -> E {
    E::custom(format!("write the name of the source column in quotes: here it is read as the number {name}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(yaml: &str) -> Result<ColumnSource, String> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let read =
            serde_saphyr::from_str_with_options::<BTreeMap<String, ColumnSource>>(&format!("c: {yaml}\n"), options);
        read.map_err(|error| error.to_string()).map(|mut columns| columns.remove("c").expect("c"))
    }

    #[test]
    fn a_name_is_a_text_whatever_yaml_makes_of_it() {
        let check = |yaml: &str, name: &str| assert_eq!(read(yaml), Ok(ColumnSource::Name(name.to_owned())), "{yaml}");
        check("OrderID", "OrderID");
        check("Unit Price", "Unit Price");
        check("no", "no");
        check("y", "y");
        check("on", "on");
        check("'2024'", "2024");
        check("'true'", "true");
        check("'1.50'", "1.50");
        check("NA", "NA");
    }

    #[test]
    fn a_text_that_begins_like_a_path_is_one() {
        let path = |yaml: &str| read(yaml).expect(yaml).path();
        let check = |yaml: &str, expected: Option<&str>| {
            assert_eq!(path(yaml), Ok(expected.map(|path| path.parse().expect("a path"))), "{yaml}");
        };
        check("OrderID", None);
        check("$price", None);
        check("$.address.city", Some("$.address.city"));
        check("{ from: '$.tags[0]', null_words: [NA] }", Some("$.tags[0]"));
        check("\"$['$.odd']\"", Some("$['$.odd']"));
        assert!(path("$.a..b").is_err_and(|error| error.position == 5));
    }

    #[test]
    fn names_of_lineage_are_values_about_the_origin_of_a_row() {
        let origin = |yaml: &str| read(yaml).expect(yaml).origin().expect(yaml);
        let check = |yaml: &str, column: Option<&str>| {
            assert_eq!(origin(yaml).map(|origin| origin.column()), column, "{yaml}");
        };
        check("_source_row", Some("_source_row"));
        check("_source_file.folder.dt", Some("_source_file"));
        check("{ from: '_source_file.folder[-1]', type: date }", Some("_source_file"));
        check("\"$['_source_file.name']\"", None);
        check("OrderID", None);
    }

    #[test]
    fn a_mapping_says_how_the_text_is_read() {
        let read =
            read("{ from: Betrag, decimal: ',', thousands: '.', null_words: [NA, '-', 'NULL'] }").expect("a mapping");
        let words = ["NA", "-", "NULL"].map(str::to_owned).to_vec();
        let expected = ReadSpec {
            from: "Betrag".to_owned(),
            null_words: Some(words),
            decimal: Some(','),
            thousands: Some('.'),
            ..ReadSpec::default()
        };
        assert_eq!((read.name(), read.read()), ("Betrag", Some(&expected)));
        let written = serde_json::to_string(&read).expect("json");
        assert_eq!(serde_json::from_str::<ColumnSource>(&written).expect(&written), read);
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let check = |yaml: &str, says: &str| {
            let error = read(yaml).expect_err(yaml);
            assert!(error.contains(says), "{yaml}: {error}");
        };
        check("{ decimal: ',' }", "from");
        check("{ from: a, decimals: ',' }", "decimals");
        check("{ from: a, true_words: J }", "line 1");
        check("[a]", "the name of a source column");
        check("true", "in quotes: 'true'");
        check("1.50", "in quotes");
        check("2024", "in quotes");
        check("1_1", "in quotes");
        check("null", "the name of a source column");
    }
}
