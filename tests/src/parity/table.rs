//! Generated tables: their part of the spec and their contract.

use serde_json::{Value, json};

use super::computed::{self, Computed};
use super::field::{Field, drawn_timestamp};
use super::value::{DATE_FORMATS, Flavour, Kind};
use crate::random::Random;

/// How rows enter a silver table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Rows are added.
    Append,
    /// Rows replace the table.
    Replace,
    /// One row per key.
    Merge,
    /// All versions of a key.
    Scd2,
}

impl Mode {
    /// Every mode.
    pub(super) const ALL: [Self; 4] = [Self::Append, Self::Replace, Self::Merge, Self::Scd2];

    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Merge => "merge",
            Self::Scd2 => "scd2",
        }
    }

    fn is_keyed(self) -> bool {
        matches!(self, Self::Merge | Self::Scd2)
    }
}

/// A silver table.
#[derive(Debug, Clone)]
pub(super) struct Silver {
    /// Name.
    pub(super) name: String,
    /// Mapped columns.
    pub(super) fields: Vec<Field>,
    /// The select items, if it has SQL.
    select: Option<Vec<String>>,
    /// Columns that the SQL computes.
    pub(super) computed: Vec<Computed>,
    mode: Mode,
    keys: Vec<String>,
    latest_by: Option<String>,
    track: Option<Vec<String>>,
    delete_when: Option<&'static str>,
    quality: Vec<Value>,
    gate: Value,
}

/// Source columns that tables of all modes share: a sequence, keys, and times.
pub(super) fn base_fields(random: &mut Random) -> Vec<Field> {
    let text_key = Field::new("k1", "Key", Kind::Text(Flavour::Codes)).narrow();
    let second = match random.below(4) {
        0 => Field::new("k2", "Key 2", Kind::Int32).narrow(),
        1 => Field::new("k2", "Key 2", Kind::Date(None)).narrow(),
        2 => Field::new("k2", "Key 2", Kind::Decimal { precision: 9, scale: 2 }).narrow(),
        _ => Field::new("k2", "Key 2", Kind::Boolean).narrow(),
    };
    let time = match random.below(3) {
        0 => Kind::Date(random.happens(50).then(|| *random.pick(&DATE_FORMATS))),
        1 => Kind::Timestamp(None, None),
        _ => drawn_timestamp(random),
    };
    let version = match random.below(4) {
        0 => Kind::Int32,
        1 => Kind::Decimal { precision: 12, scale: 3 },
        2 => Kind::Text(Flavour::Codes),
        _ => Kind::Double,
    };
    vec![
        Field::new("id", "ID", Kind::Sequence),
        text_key,
        second,
        Field::new("at", "At", time).narrow(),
        Field::new("v", "Version", version).narrow(),
    ]
}

impl Silver {
    /// A table of this mode over some of these source columns.
    pub(super) fn drawn(name: &str, mode: Mode, fields: &[Field], random: &mut Random) -> Self {
        let base = ["id", "k1", "k2", "at", "v"];
        let mut fields: Vec<Field> =
            fields.iter().filter(|field| base.contains(&field.name.as_str()) || random.happens(85)).cloned().collect();
        let keys: Vec<String> = match (mode.is_keyed(), random.below(3)) {
            (false, _) => Vec::new(),
            (true, 0) => vec!["k2".to_owned(), "k1".to_owned()],
            (true, 1) => vec!["k2".to_owned()],
            (true, _) => vec!["k1".to_owned()],
        };
        // Without it, the time of the file decides.
        let latest_by = match (mode, random.below(3)) {
            (Mode::Merge, 0) => Some("v".to_owned()),
            (Mode::Merge, 1) => None,
            (Mode::Merge | Mode::Scd2, _) => Some("at".to_owned()),
            _ => None,
        };
        // One column of few values, so that many events change nothing.
        let track = (mode == Mode::Scd2 && random.happens(50)).then(|| vec!["v".to_owned()]);
        declare_keys(mode, &mut fields, &keys, random);
        if random.happens(35) {
            partition(&mut fields, random);
        }
        let quality = table_quality(&fields, mode, random);
        // Most tables have no limit, because most deliveries are dirtier than the default allows.
        let limit = random.happens(30).then(|| random.pick(&[json!(50), json!(35.5), json!(80)]).clone());
        let gate = limit.unwrap_or_else(|| json!("none"));
        let (select, computed) = if random.happens(60) { select(&fields, random) } else { (None, Vec::new()) };
        let (name, delete_when) = (name.to_owned(), None);
        Self { name, fields, select, computed, mode, keys, latest_by, track, delete_when, quality, gate }
    }

    /// Adds a computed column that fails for some rows.
    pub(super) fn add_failing(&mut self, random: &mut Random) {
        let Some(text) = self.field(|kind| *kind == Kind::Text(Flavour::Codes)) else { return };
        let failing = computed::failing(text, random);
        let all: Vec<String> = self.fields.iter().map(|field| field.name.clone()).collect();
        let mut select = self.select.take().unwrap_or(all);
        select.push(format!("{} AS {}", failing.sql, failing.name));
        self.select = Some(select);
        self.computed.push(failing);
    }

    /// Makes some rows delete events, where rows are merged.
    pub(super) fn add_deletes(&mut self) {
        let some = "id IN (2, 3, 7, 9, 14, 15, 21, 26, 30, 33, 38, 44, 51, 57, 60, 66)";
        self.delete_when = self.mode.is_keyed().then_some(some);
    }

    /// The table's entry in the spec.
    pub(super) fn spec(&self) -> Value {
        let columns: serde_json::Map<String, Value> =
            self.fields.iter().map(|field| (field.name.clone(), json!(field.source))).collect();
        let mut spec = json!({
            "table": self.name,
            "contract": format!("contracts/silver_{}.yaml", self.name),
            "columns": columns,
            "mode": self.mode.name(),
        });
        if let Some(select) = &self.select {
            spec["sql"] = json!(format!("SELECT {} FROM bronze", select.join(", ")));
        }
        if self.mode.is_keyed() {
            spec["keys"] = json!(self.keys);
            spec["latest_by"] = json!(self.latest_by);
            spec["track"] = json!(self.track);
        }
        if let Some(condition) = self.delete_when {
            spec["delete_when"] = json!(condition);
        }
        if self.mode == Mode::Replace {
            spec["snapshot"] = json!("folder");
        }
        spec["gate"] = json!({ "quarantined_percent_below": self.gate });
        spec
    }

    /// The table's contract.
    pub(super) fn contract(&self) -> Value {
        let mapped = self.fields.iter().map(|field| Value::Object(field.property.clone()));
        let properties: Vec<Value> =
            mapped.chain(self.computed.iter().map(|computed| computed.property.clone())).collect();
        contract(&self.name, &properties, &self.quality)
    }

    /// A mapped column of this kind.
    pub(super) fn field(&self, fits: impl Fn(&Kind) -> bool) -> Option<&Field> {
        self.fields.iter().find(|field| fits(&field.kind))
    }
}

/// A contract with one schema object.
pub(super) fn contract(table: &str, properties: &[Value], quality: &[Value]) -> Value {
    let mut object = json!({ "name": table, "physicalType": "table", "properties": properties });
    if !quality.is_empty() {
        object["quality"] = json!(quality);
    }
    json!({
        "apiVersion": "v3.2.0", "kind": "DataContract", "id": table, "name": table, "version": "1.0.0", "status": "active",
        "schema": [object]
    })
}

/// Makes the keys the primary key, required, or nullable.
fn declare_keys(mode: Mode, fields: &mut [Field], keys: &[String], random: &mut Random) {
    let choice = random.below(4);
    for field in fields.iter_mut() {
        let place = keys.iter().position(|key| *key == field.name);
        match (place, choice) {
            (Some(place), 0) if mode == Mode::Merge => {
                field.property.insert("primaryKey".to_owned(), json!(true));
                field.property.insert("primaryKeyPosition".to_owned(), json!(place + 1));
            }
            (Some(_), 1) => drop(field.property.insert("required".to_owned(), json!(true))),
            (None, 0) if mode == Mode::Append && field.name == "id" => {
                field.property.insert("primaryKey".to_owned(), json!(true));
                field.property.insert("primaryKeyPosition".to_owned(), json!(1));
            }
            (None, 1) if field.name == "id" => drop(field.property.insert("unique".to_owned(), json!(true))),
            _ => {}
        }
    }
    if mode == Mode::Scd2 || random.happens(20) {
        for field in fields.iter_mut().filter(|field| field.name == "at") {
            field.property.insert("required".to_owned(), json!(true));
        }
    }
}

/// Makes one or two columns of few values the partition columns.
fn partition(fields: &mut [Field], random: &mut Random) {
    let possible = |kind: &Kind| {
        matches!(kind, Kind::Text(Flavour::Codes | Flavour::Words) | Kind::Date(_) | Kind::Boolean | Kind::Int32)
    };
    let mut places: Vec<usize> = (0..fields.len()).filter(|&place| possible(&fields[place].kind)).collect();
    random.shuffle(&mut places);
    for (position, &place) in places.iter().take(1 + random.below(2)).enumerate() {
        let field = &mut fields[place];
        field.narrow = true;
        field.property.insert("partitioned".to_owned(), json!(true));
        field.property.insert("partitionKeyPosition".to_owned(), json!(position + 1));
    }
}

fn table_quality(fields: &[Field], mode: Mode, random: &mut Random) -> Vec<Value> {
    let mut rules = Vec::new();
    if random.happens(40) {
        rules.push(match random.below(3) {
            0 => json!({ "metric": "rowCount", "mustBeGreaterThan": 0 }),
            1 => json!({ "metric": "rowCount", "mustBeLessThan": 90 }),
            _ => json!({ "metric": "rowCount", "mustBeBetween": [3, 60], "severity": "warning" }),
        });
    }
    if random.happens(30) {
        let properties = if random.happens(50) { json!(["k1", "k2"]) } else { json!(["id", "at"]) };
        rules.push(json!({
            "metric": "duplicateValues", "arguments": { "properties": properties }, "mustBeLessThan": 3,
            "severity": "warning", "name": "keys met again"
        }));
    }
    if random.happens(25) {
        // Dates are compared with dates and instants with instants.
        let literal = match fields.iter().find(|field| field.name == "at").map(|field| &field.kind) {
            Some(Kind::Date(_)) => "DATE '2024-04-25'",
            _ => "TIMESTAMP '2024-04-25 00:00:00'",
        };
        let query = format!("SELECT COUNT(*) FROM {{object}} WHERE at > {literal} AND k1 IS NULL");
        let rule = json!({ "type": "sql", "id": "late_and_nameless", "query": query, "mustBe": 0, "dimension": "completeness" });
        rules.push(rule);
    }
    if random.happens(25) {
        let query = match mode {
            Mode::Scd2 => "SELECT MAX(n) FROM (SELECT k1, COUNT(*) AS n FROM {object} GROUP BY k1) AS sizes",
            _ => "SELECT AVG(id) FROM {object} WHERE k1 IS NOT NULL",
        };
        rules.push(json!({ "type": "sql", "query": query, "mustBeGreaterOrEqualTo": 1, "severity": "warning" }));
    }
    rules
}

/// Select items of all columns, in any order, and the columns that they compute.
fn select(fields: &[Field], random: &mut Random) -> (Option<Vec<String>>, Vec<Computed>) {
    let mut items: Vec<String> = fields.iter().map(|field| computed::passed(field, random)).collect();
    let computed: Vec<Computed> =
        (0..1 + random.below(4)).filter_map(|index| computed::drawn(index, fields, random)).collect();
    items.extend(computed.iter().map(|computed| format!("{} AS {}", computed.sql, computed.name)));
    random.shuffle(&mut items);
    (Some(items), computed)
}
