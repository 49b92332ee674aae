//! Columns of generated tables: type, rules and values.

use serde_json::{Map, Value, json};

use super::value::{CODES, DATE_FORMATS, Flavour, Kind, TIMESTAMP_FORMATS, ZONES};
use crate::random::Random;

/// A source column and the contract column it becomes.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Name in the table.
    pub(super) name: String,
    /// Name in the source.
    pub(super) source: String,
    /// What it holds.
    pub(super) kind: Kind,
    /// Whether it has only a few values, so that rows share them.
    pub(super) narrow: bool,
    /// The property of the contract.
    pub(super) property: Map<String, Value>,
}

/// Names that sources give their columns.
const SOURCES: [&str; 10] =
    ["Id", "Order Date", "unit.price", "Größe", "name", "x-y", "a/b", "Total (EUR)", "order", "col_10"];

impl Field {
    /// A column without rules.
    pub(super) fn new(name: &str, source: &str, kind: Kind) -> Self {
        let mut property = Map::new();
        property.insert("name".to_owned(), json!(name));
        property.extend(declared(&kind));
        Self { name: name.to_owned(), source: source.to_owned(), kind, narrow: false, property }
    }

    /// A column of a drawn type with drawn rules.
    pub(super) fn drawn(index: usize, random: &mut Random) -> Self {
        let kind = drawn_kind(random);
        let source =
            if random.happens(60) { format!("Col {index}") } else { format!("{}{index}", random.pick(&SOURCES)) };
        let mut field = Self::new(&format!("c{index}"), &source, kind);
        for _ in 0..1 + random.below(3) {
            field.add_rule(random);
        }
        field
    }

    /// The same column with few values.
    #[must_use]
    pub(super) fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// Text of a value; `None` is null. `dirt` is the percentage of values that are null, odd or both.
    pub(super) fn value(&self, random: &mut Random, row: u64, dirt: usize) -> Option<String> {
        if random.happens(dirt) {
            return if random.happens(40) { None } else { Some(self.kind.odd(random)) };
        }
        if !self.narrow {
            return Some(self.kind.good(random, row));
        }
        // Few values: each is drawn from a separate stream that restarts every time.
        let mut few = Random::new(*random.pick(&[70, 71, 72, 73, 74, 75]));
        Some(self.kind.good(&mut few, row % 5))
    }

    /// Sets an option of the type.
    fn option(&mut self, key: &str, value: Value) {
        let options = self.property.entry("logicalTypeOptions").or_insert_with(|| json!({}));
        options.as_object_mut().expect("options are an object").insert(key.to_owned(), value);
    }

    fn rule(&mut self, rule: Value) {
        let rules = self.property.entry("quality").or_insert_with(|| json!([]));
        rules.as_array_mut().expect("rules are a list").push(rule);
    }

    /// Adds a rule that most good values satisfy.
    fn add_rule(&mut self, random: &mut Random) {
        match random.below(6) {
            0 => drop(self.property.insert("required".to_owned(), json!(true))),
            1 | 2 => self.add_option(random),
            3 => self.add_row_quality(random),
            4 => self.add_dataset_quality(random),
            _ => {}
        }
    }

    fn add_option(&mut self, random: &mut Random) {
        match &self.kind {
            Kind::Text(Flavour::Words) => match random.below(5) {
                0 => self.option("minLength", json!(2)),
                1 => self.option("maxLength", json!(12)),
                2 => self.option("pattern", json!(random.pick(&[r"^[^\d]*$", r"^.{1,14}$", r"[^\s]", r"^[\w\W]*$"]))),
                3 => drop(self.property.insert("physicalType".to_owned(), json!("VARCHAR(13)"))),
                _ => self.option("pattern", json!(r"^(?:\bx\b|..+)$")),
            },
            Kind::Text(Flavour::Codes) if random.happens(40) => {
                // All codes except the first.
                let values: Vec<Value> = CODES[1..].iter().map(|code| json!({ "value": code })).collect();
                self.property.insert("enum".to_owned(), json!(values));
            }
            Kind::Text(Flavour::Codes) => {
                self.option("pattern", json!(random.pick(&["^[A-Za-z]", r"^[A-Z]-?\d", "[-/ ]", r"^\S+$", r"\d$"])));
            }
            Kind::Text(Flavour::Email) => self.option("format", json!("email")),
            Kind::Text(Flavour::Uuid) => self.option("format", json!("uuid")),
            Kind::Text(Flavour::Ipv4) => self.option("format", json!("ipv4")),
            Kind::Int64 if random.happens(30) => self.option("format", json!(random.pick(&["i16", "i32", "i64"]))),
            Kind::Boolean => {
                self.property.insert("enum".to_owned(), json!([{ "value": true }, { "value": false }]));
            }
            Kind::Sequence => {}
            Kind::Int32 | Kind::Int64 | Kind::Double => match random.below(5) {
                0 => self.option("minimum", json!(-95)),
                1 => self.option("exclusiveMaximum", json!(97)),
                2 => self.option("maximum", json!(96)),
                3 => self.option("exclusiveMinimum", json!(-100)),
                _ if self.kind == Kind::Double => self.option("minimum", json!(-99.5)),
                _ => self.option("multipleOf", json!(1)),
            },
            Kind::Decimal { precision, scale } => {
                let (small, step) = (*precision - *scale >= 3, *scale >= 2);
                match random.below(3) {
                    0 if small => self.option("minimum", json!(-900)),
                    1 if small => self.option("exclusiveMaximum", json!(990)),
                    2 if step => self.option("multipleOf", json!(0.01)),
                    _ if *precision > *scale => self.option("exclusiveMinimum", json!(-9)),
                    _ => self.option("minimum", json!(0)),
                }
            }
            Kind::Date(_) => match random.below(2) {
                0 => self.option("minimum", json!("2024-01-05")),
                _ => self.option("exclusiveMaximum", json!("2024-04-28")),
            },
            Kind::Timestamp(..) => match random.below(2) {
                0 => self.option("exclusiveMinimum", json!("2024-01-02T00:00:00Z")),
                _ => self.option("maximum", json!("2024-04-25T22:00:00+02:00")),
            },
        }
    }

    /// A rule that is checked row by row.
    fn add_row_quality(&mut self, random: &mut Random) {
        let severity = *random.pick(&["error", "error", "warning"]);
        let rule = match (random.below(4), &self.kind) {
            (0, _) => json!({ "metric": "nullValues", "mustBe": 0, "severity": severity }),
            (1, Kind::Text(_)) => json!({
                "metric": "missingValues", "arguments": { "missingValues": ["", "n/a", "-"] },
                "mustBeLessThan": 1, "severity": severity
            }),
            (2, Kind::Text(_)) => json!({
                "metric": "invalidValues", "arguments": { "pattern": "^[^,]*$" }, "mustBe": 0, "severity": severity
            }),
            (1, Kind::Int32 | Kind::Int64 | Kind::Double | Kind::Sequence) => json!({
                "metric": "missingValues", "arguments": { "missingValues": [0, -1] }, "mustBeLessOrEqualTo": 0,
                "severity": severity
            }),
            (2, Kind::Boolean) => json!({
                "metric": "invalidValues", "arguments": { "validValues": [true] }, "mustBe": 0, "severity": "warning"
            }),
            (_, Kind::Text(_)) => json!({
                "type": "sql", "query": "SELECT COUNT(*) FROM {object} WHERE LENGTH({property}) > 11 OR {property} LIKE '%!_%'",
                "mustBe": 0, "severity": severity
            }),
            (_, Kind::Int32 | Kind::Int64 | Kind::Sequence) => json!({
                "type": "sql", "query": "SELECT COUNT(*) FROM {object} WHERE {property} % 17 = 3 AND {property} <> 3",
                "mustBe": 0, "severity": severity
            }),
            (_, Kind::Date(_)) => json!({
                "name": format!("{}: is not the last!", self.name), "type": "sql",
                "query": "SELECT COUNT(*) FROM {object} WHERE EXTRACT(DAY FROM {property}) > 29", "mustBe": 0,
                "severity": severity
            }),
            _ => json!({
                "type": "sql", "query": "SELECT COUNT(*) FROM {object} WHERE {property} IS NULL", "mustBe": 0,
                "severity": "warning"
            }),
        };
        self.rule(rule);
    }

    /// A rule about the table as a whole. Few rules of severity error are broken, so that most runs are published.
    fn add_dataset_quality(&mut self, random: &mut Random) {
        let severity = *random.pick(&["error", "warning", "info"]);
        let rule = match (random.below(5), &self.kind) {
            (0, _) => json!({ "metric": "nullValues", "unit": "percent", "mustBeLessThan": 60, "severity": severity }),
            (1, Kind::Text(_)) => json!({
                "metric": "missingValues", "arguments": { "missingValues": ["", "x", "A-1"] }, "unit": "percent",
                "mustBeLessOrEqualTo": 70, "severity": severity
            }),
            (2, Kind::Text(_)) => json!({
                "metric": "invalidValues", "arguments": { "pattern": "[A-Za-z]", "validValues": ["A-1", "A-2", "x", "straße"] },
                "mustBeGreaterOrEqualTo": 0, "severity": severity
            }),
            (3, kind) if *kind != Kind::Double => {
                json!({ "metric": "duplicateValues", "mustNotBe": 4, "severity": "warning" })
            }
            (_, Kind::Int32 | Kind::Decimal { precision: 0..=12, .. }) => json!({
                "type": "sql", "query": "SELECT SUM({property}) FROM {object}", "mustBeGreaterThan": -100_000,
                "severity": severity
            }),
            (_, Kind::Boolean) => json!({
                "type": "sql", "query": "SELECT COUNT(CASE WHEN {property} THEN 1 END) FROM {object}",
                "mustNotBeBetween": [7, 8], "severity": "warning"
            }),
            _ => json!({
                "type": "sql", "query": "SELECT COUNT(DISTINCT {property}) FROM {object}", "mustBeBetween": [0, 500],
                "severity": severity
            }),
        };
        self.rule(rule);
    }
}

/// Type and format, as a contract declares them.
fn declared(kind: &Kind) -> Map<String, Value> {
    let declared = match kind {
        Kind::Text(_) => json!({ "logicalType": "string" }),
        Kind::Sequence => json!({ "logicalType": "integer", "physicalType": "BIGINT" }),
        Kind::Int32 => json!({ "logicalType": "integer", "physicalType": "INT" }),
        Kind::Int64 => json!({ "logicalType": "integer" }),
        Kind::Double => json!({ "logicalType": "number" }),
        Kind::Decimal { precision, scale } => {
            json!({ "logicalType": "number", "physicalType": format!("DECIMAL({precision},{scale})") })
        }
        Kind::Boolean => json!({ "logicalType": "boolean" }),
        Kind::Date(None) => json!({ "logicalType": "date" }),
        Kind::Date(Some(format)) => json!({ "logicalType": "date", "logicalTypeOptions": { "format": format.jdk } }),
        Kind::Timestamp(format, zone) => {
            let mut options = Map::new();
            options.extend(format.map(|format| ("format".to_owned(), json!(format.jdk))));
            options.extend(zone.map(|zone| ("defaultTimezone".to_owned(), json!(zone))));
            match options.is_empty() {
                true => json!({ "logicalType": "timestamp" }),
                false => json!({ "logicalType": "timestamp", "logicalTypeOptions": options }),
            }
        }
    };
    declared.as_object().expect("an object").clone()
}

fn drawn_kind(random: &mut Random) -> Kind {
    match random.below(14) {
        0 | 1 => Kind::Text(Flavour::Words),
        2 => Kind::Text(Flavour::Codes),
        3 => Kind::Text(*random.pick(&[Flavour::Email, Flavour::Uuid, Flavour::Ipv4])),
        4 | 5 => Kind::Int32,
        6 => Kind::Int64,
        7 => Kind::Double,
        8 => {
            let (precision, scale) = *random.pick(&[(12, 3), (5, 2), (9, 0), (10, 4)]);
            Kind::Decimal { precision, scale }
        }
        9 => {
            let (precision, scale) = *random.pick(&[(38, 10), (38, 38), (38, 0), (18, 6), (19, 2), (1, 0)]);
            Kind::Decimal { precision, scale }
        }
        10 => Kind::Boolean,
        11 => Kind::Date(random.happens(60).then(|| *random.pick(&DATE_FORMATS))),
        _ => drawn_timestamp(random),
    }
}

/// An instant of a drawn format and zone.
pub(super) fn drawn_timestamp(random: &mut Random) -> Kind {
    let format = random.happens(60).then(|| *random.pick(&TIMESTAMP_FORMATS));
    // A format with an offset does not need a zone.
    let has_offset = format.is_some_and(|format| format.jdk.ends_with(['X', 'Z']));
    let zone = (!has_offset && random.happens(60)).then(|| *random.pick(&ZONES));
    Kind::Timestamp(format, zone)
}
