//! A case that nobody draws: tables that are partitioned by texts which folder names cannot have as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::delivery::SourceFile;

/// No drawn case has this seed.
const SEED: u64 = u64::MAX;

const SPEC: &str = "\
pipeline: parity
domain: lab
source: { prefix: landing/parity, format: csv }
bronze: { table: raw }
silver:
  - table: visits
    contract: contracts/visits.yaml
    columns: { id: id, place: place, day: day }
    mode: append
  - table: places
    contract: contracts/places.yaml
    columns: { id: id, place: place, day: day }
    mode: replace
  - table: last
    contract: contracts/last.yaml
    columns: { id: id, place: place, day: day }
    mode: merge
    keys: [id]
    latest_by: day
gold:
  - table: of_visits
    contract: contracts/of_visits.yaml
    sql: SELECT place, day, COUNT(*) AS n, MAX(LENGTH(place)) AS size FROM silver.visits GROUP BY place, day
  - table: of_places
    contract: contracts/of_places.yaml
    sql: SELECT place, day, COUNT(*) AS n, MAX(LENGTH(place)) AS size FROM silver.places GROUP BY place, day
";

/// Texts that are encoded in names of folders, or mean something in patterns of paths.
const PLACES: [&str; 14] =
    ["Grüße", "é-1", "東京", "🚲", "50%", "%C3%9F", "x/y", "a b", "k=v:'[1]", "{a,b}", "back\\slash", "_x", ".y", ""];

fn contract(table: &str, columns: &str, rules: &str) -> (String, String) {
    let text = format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nname: {table}\nversion: 1.0.0\nstatus: active\nschema:\n  \
         - name: {table}\n    physicalType: table\n    properties:\n{columns}{rules}"
    );
    (format!("contracts/{table}.yaml"), text)
}

/// Places and days, before and after a second delivery.
pub fn odd_places() -> Case {
    let silver = "      - { name: id, logicalType: integer, physicalType: BIGINT, required: true }\n      \
                  - { name: place, logicalType: string, partitioned: true, partitionKeyPosition: 1 }\n      \
                  - { name: day, logicalType: date, required: true, partitioned: true, partitionKeyPosition: 2 }\n";
    let gold = "      - { name: place, logicalType: string }\n      - { name: day, logicalType: date }\n      \
                - { name: n, logicalType: integer, physicalType: BIGINT }\n      \
                - { name: size, logicalType: integer, physicalType: BIGINT }\n";
    let known = "    quality:\n      - { id: greetings, type: sql, query: \"SELECT COUNT(*) FROM {object} WHERE place = 'Grüße'\", \
                 mustBeGreaterThan: 0 }\n";
    let mut pipeline = BTreeMap::from([("pipeline.yaml".to_owned(), SPEC.to_owned())]);
    pipeline.extend(["visits", "places", "last"].map(|table| contract(table, silver, known)));
    pipeline.extend(["of_visits", "of_places"].map(|table| contract(table, gold, "")));
    Case { seed: SEED, pipeline, deliveries: vec![vec![file(1, 0)], vec![file(2, 3)]], tags: BTreeSet::new() }
}

/// A row of each place, and some of them once more.
fn file(day: usize, first: usize) -> SourceFile {
    let mut text = "id,place,day\n".to_owned();
    for (id, place) in PLACES.iter().chain(&PLACES[..5]).enumerate() {
        text.push_str(&format!("{},\"{place}\",2026-01-0{day}\n", first + id));
    }
    SourceFile { name: format!("day-{day}.csv"), bytes: text.into_bytes() }
}
