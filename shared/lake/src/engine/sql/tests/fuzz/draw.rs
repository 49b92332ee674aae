//! Seeded draws, and small tables of values at which engines differ.

use jiff::civil::Date;
use polars::prelude::{Column as Values, DataFrame, DataType, NamedFrom, Series, TimeUnit, TimeZone};
use serde_json::{Value, json};
use sluice_core::contract::ColumnType;

/// What goes together in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    /// With these places; 12 digits in tables.
    Decimal(u8),
    /// With two places and up to 38 digits.
    Wide,
    Double,
    Text,
    Bool,
    Day,
    Instant,
}

/// A seeded stream of draws (splitmix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED)
    }

    /// A number below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(super) fn pick_text<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

/// A column of a table: its name, its kind and its type.
pub(super) type Field = (&'static str, Kind, &'static str);

/// A table: its name here and at DuckDB, and its columns. Some names are in several tables, so that they are ambiguous
/// and can be in USING.
pub(super) struct Schema {
    pub(super) ours: &'static str,
    pub(super) theirs: &'static str,
    pub(super) fields: &'static [Field],
}

pub(super) static SCHEMAS: [Schema; 3] = [
    Schema {
        ours: "silver.t",
        theirs: "silver_t",
        fields: &[
            ("i", Kind::Int, "INT"),
            ("b", Kind::Int, "BIGINT"),
            ("d", Kind::Decimal(3), "DECIMAL(12,3)"),
            ("w", Kind::Wide, "DECIMAL(38,2)"),
            ("f", Kind::Double, "DOUBLE"),
            ("s", Kind::Text, "STRING"),
            ("c", Kind::Bool, "BOOLEAN"),
            ("dy", Kind::Day, "DATE"),
            ("ts", Kind::Instant, "TIMESTAMP"),
        ],
    },
    Schema {
        ours: "silver.u",
        theirs: "silver_u",
        fields: &[
            ("i", Kind::Int, "INT"),
            ("s", Kind::Text, "STRING"),
            ("d", Kind::Decimal(3), "DECIMAL(12,3)"),
            ("c", Kind::Bool, "BOOLEAN"),
            ("n", Kind::Int, "BIGINT"),
            ("f2", Kind::Double, "DOUBLE"),
            ("w2", Kind::Wide, "DECIMAL(38,2)"),
            ("dy2", Kind::Day, "DATE"),
            ("ts2", Kind::Instant, "TIMESTAMP"),
        ],
    },
    Schema {
        ours: "gold.v",
        theirs: "gold_v",
        fields: &[
            ("i", Kind::Int, "INT"),
            ("s", Kind::Text, "STRING"),
            ("m", Kind::Int, "INT"),
            ("z", Kind::Text, "STRING"),
        ],
    },
];

/// Texts with blanks, tabs, characters of several bytes, signs that LIKE reads, and both cases.
pub(super) const TEXTS: [&str; 19] = [
    "", " ", "a", "A", "ab", "b", " ab ", "\tab\t", "ab\n", " \t", "ä", "Ä", "日本", "e\u{301}", "a_b", "%", "0",
    "x'y", "C536365",
];
const INTS: [&str; 8] = ["-2", "-1", "0", "1", "1", "2", "3", "7"];
const INT_EDGES: [&str; 2] = ["2147483647", "-2147483648"];
const BIG_EDGES: [&str; 2] = ["9007199254740993", "-9007199254740993"];
pub(super) const DECIMALS: [&str; 8] =
    ["0.000", "1.000", "1.005", "2.555", "-1.150", "0.001", "999999999.999", "-999999999.999"];
const WIDES: [&str; 6] =
    ["0.00", "1.00", "0.01", "-2.50", "98765432109876543210.01", "12345678901234567890123456789012345.67"];
const WIDE_EDGES: [&str; 2] = ["999999999999999999999999999999999999.99", "-999999999999999999999999999999999999.99"];
const DOUBLES: [&str; 11] = ["0.0", "-0.0", "1.5", "-2.25", "0.1", "3.0", "1e300", "1e-300", "NaN", "inf", "-inf"];
pub(super) const DAYS: [&str; 7] =
    ["1970-01-01", "2011-01-02", "2011-01-02", "2011-12-31", "2024-02-29", "1900-01-01", "9999-12-31"];
/// Microseconds: the epoch, the last one before it, New Year's Eve 2010, midnight two days later, and with a fraction.
const INSTANTS: [&str; 5] = ["0", "-1", "1293839999999999", "1293926400000000", "1298980800123456"];

/// The value of a cell, as text; `None` for null.
fn cell(random: &mut Random, (_, kind, stored): Field) -> Option<&'static str> {
    if random.happens(18) {
        return None;
    }
    let rare = random.happens(10);
    let values: &[&str] = match kind {
        Kind::Int if rare && stored == "INT" => &INT_EDGES,
        Kind::Int if rare => &BIG_EDGES,
        Kind::Int => &INTS,
        Kind::Decimal(_) => &DECIMALS,
        Kind::Wide if rare => &WIDE_EDGES,
        Kind::Wide => &WIDES,
        Kind::Double => &DOUBLES,
        Kind::Text => &TEXTS,
        Kind::Bool => &["true", "false"],
        Kind::Day => &DAYS,
        Kind::Instant => &INSTANTS,
    };
    Some(random.pick_text(values))
}

/// The rows of a table, as texts.
pub(super) struct Table {
    pub(super) schema: &'static Schema,
    rows: Vec<Vec<Option<&'static str>>>,
}

/// One table of each schema; one in six is empty.
pub(super) fn tables(random: &mut Random) -> Vec<Table> {
    let drawn = SCHEMAS.iter().map(|schema| {
        let rows = if random.happens(16) { 0 } else { 1 + random.below(7) };
        let row = |random: &mut Random| schema.fields.iter().map(|field| cell(random, *field)).collect();
        Table { schema, rows: (0..rows).map(|_| row(random)).collect() }
    });
    drawn.collect()
}

impl Table {
    /// For DuckDB.
    pub(super) fn json(&self) -> Value {
        let columns: Vec<[&str; 2]> = self.schema.fields.iter().map(|(name, _, stored)| [*name, *stored]).collect();
        json!({ "name": self.schema.theirs, "columns": columns, "rows": self.rows })
    }

    /// For the engine.
    pub(super) fn frame(&self) -> DataFrame {
        let column = |(index, (name, kind, stored)): (usize, &Field)| -> Values {
            let texts: Vec<Option<&str>> = self.rows.iter().map(|row| row[index]).collect();
            let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
            let series = Series::new((*name).into(), &texts);
            let cast = |series: &Series, dtype: DataType| series.strict_cast(&dtype).unwrap();
            match (kind, *stored) {
                (Kind::Int, "INT") => cast(&series, DataType::Int32),
                (Kind::Int, _) => cast(&series, DataType::Int64),
                (Kind::Decimal(places), _) => cast(&series, DataType::Decimal(12, usize::from(*places))),
                (Kind::Wide, _) => cast(&series, DataType::Decimal(38, 2)),
                (Kind::Double, _) => Series::new(
                    (*name).into(),
                    texts.iter().map(|text| text.map(|text| text.parse::<f64>().unwrap())).collect::<Vec<_>>(),
                ),
                (Kind::Text, _) => series,
                (Kind::Bool, _) => Series::new(
                    (*name).into(),
                    texts.iter().map(|text| text.map(|text| text == "true")).collect::<Vec<_>>(),
                ),
                (Kind::Day, _) => {
                    let days = |text: &str| (text.parse::<Date>().unwrap() - jiff::civil::date(1970, 1, 1)).get_days();
                    let days: Vec<Option<i32>> = texts.iter().map(|text| text.map(days)).collect();
                    cast(&Series::new((*name).into(), days), DataType::Date)
                }
                (Kind::Instant, _) => cast(&cast(&series, DataType::Int64), utc),
            }
            .into()
        };
        DataFrame::new(self.rows.len(), self.schema.fields.iter().enumerate().map(column).collect()).unwrap()
    }
}

/// The columns of a table, as a contract has them.
pub(super) fn contract_columns(schema: &Schema) -> Vec<(String, ColumnType)> {
    let column = |(name, kind, stored): &Field| {
        let column_type = match kind {
            Kind::Int if *stored == "INT" => ColumnType::Int32,
            Kind::Int => ColumnType::Int64,
            Kind::Decimal(scale) => ColumnType::Decimal { precision: 12, scale: *scale },
            Kind::Wide => ColumnType::Decimal { precision: 38, scale: 2 },
            Kind::Double => ColumnType::Double,
            Kind::Text => ColumnType::Text,
            Kind::Bool => ColumnType::Boolean,
            Kind::Day => ColumnType::Date,
            Kind::Instant => ColumnType::Timestamp,
        };
        ((*name).to_owned(), column_type)
    };
    schema.fields.iter().map(column).collect()
}
