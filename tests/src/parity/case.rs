//! A case: a pipeline, its contracts, and the files that arrive for each run, all drawn from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::delivery::{Format, SourceFile, Writer, Writing};
use super::field::Field;
use super::gold;
use super::run::Place;
use super::table::{Mode, Silver, base_fields};
use crate::random::Random;

/// Maximum rows of one file: a case is about differences in meaning, not about size.
const MAX_ROWS: usize = 40;

/// A pipeline and its deliveries.
#[derive(Debug, Clone)]
pub struct Case {
    /// The seed that everything was drawn from.
    pub seed: u64,
    /// Files of the pipeline's folder, by path.
    pub pipeline: BTreeMap<String, String>,
    /// Files that arrive before each run.
    pub deliveries: Vec<Vec<SourceFile>>,
    /// Features of the sources and the queries.
    pub tags: BTreeSet<&'static str>,
}

impl Case {
    /// Draws the case of a seed.
    pub fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let mut fields = base_fields(random);
        for index in 0..2 + random.below(5) {
            fields.push(Field::drawn(index, random));
        }
        // Modes take turns, so that a few consecutive seeds cover all of them.
        let mode = Mode::ALL[usize::try_from(seed % 4).expect("below 4")];
        let mut silver = vec![Silver::drawn("facts", mode, &fields, random)];
        if random.happens(40) {
            silver.push(Silver::drawn("events", *random.pick(&Mode::ALL), &fields, random));
        }
        let gold = gold::drawn(&silver, random);
        let writing = writing(seed, random);
        let mut tags: BTreeSet<&'static str> = gold.iter().map(|table| table.tag).collect();
        if matches!(writing.format, Format::Ndjson | Format::Json) {
            // Only here, so that the other seeds have the cases that they had before.
            tags.insert("silver SQL that fails for rows");
            silver[0].add_failing(random);
        }
        if seed.is_multiple_of(3) {
            // Drawn by the seed alone, so that all else of the cases stays as it was.
            silver.iter_mut().for_each(Silver::add_deletes);
        }
        let mut pipeline = BTreeMap::new();
        let mut put = |path: String, document: &Value| {
            pipeline.insert(path, serde_json::to_string_pretty(document).expect("JSON prints"));
        };
        put("pipeline.yaml".to_owned(), &spec(writing, &silver, &gold));
        for table in &silver {
            put(format!("contracts/silver_{}.yaml", table.name), &table.contract());
        }
        for table in &gold {
            put(format!("contracts/gold_{}.yaml", table.name), &table.contract());
        }
        if silver.iter().any(|table| !table.computed.is_empty()) {
            tags.insert("silver SQL");
        }
        // Narrow fields are narrow in every table that has them.
        for field in &mut fields {
            field.narrow |= silver.iter().flat_map(|table| &table.fields).any(|of| of.name == field.name && of.narrow);
        }
        let mut writer = Writer { fields: &fields, writing, rows: 0, tags };
        let deliveries = deliveries(&mut writer, random);
        Self { seed, pipeline, deliveries, tags: writer.tags }
    }

    /// Writes the files of a delivery into the landing folder.
    pub fn land(&self, delivery: usize, place: &Place) {
        for file in &self.deliveries[delivery] {
            write(&place.landing.join(&file.name), &file.bytes);
        }
    }
}

/// Writes a file, and creates its folder.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
    fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn writing(seed: u64, random: &mut Random) -> Writing {
    let (delimiter, quote) = *random.pick(&[(',', '"'), (',', '"'), (',', '"'), (';', '"'), ('\t', '\''), ('|', '"')]);
    // Of five consecutive cases one is Parquet and one JSON; modes repeat every four, so every mode meets every format.
    let format = match seed % 10 {
        4 | 9 => Format::Parquet,
        3 => Format::Ndjson,
        8 => Format::Json,
        _ => Format::Csv,
    };
    let (dirt, torn) = (*random.pick(&[0, 3, 6, 6, 12]), *random.pick(&[0, 0, 4, 8]));
    Writing { format, delimiter, quote, dirt, torn }
}

fn spec(writing: Writing, silver: &[Silver], gold: &[gold::Gold]) -> Value {
    let mut source = json!({ "prefix": "landing/parity", "format": writing.format.name() });
    if writing.format == Format::Csv {
        source["csv"] = json!({ "delimiter": writing.delimiter, "quote": writing.quote });
    }
    json!({
        "pipeline": "parity",
        "domain": "lab",
        "source": source,
        "bronze": { "table": "raw" },
        "silver": silver.iter().map(Silver::spec).collect::<Vec<_>>(),
        "gold": gold.iter().map(gold::Gold::spec).collect::<Vec<_>>(),
    })
}

fn deliveries(writer: &mut Writer<'_>, random: &mut Random) -> Vec<Vec<SourceFile>> {
    let end = writer.writing.format.name();
    let mut deliveries: Vec<Vec<SourceFile>> = Vec::new();
    for delivery in 0..2 + random.below(2) {
        let mut files = Vec::new();
        for index in 0..1 + random.below(2) {
            let end = match end {
                "csv" if random.happens(15) => "csv.gz",
                "ndjson" if random.happens(15) => "ndjson.gz",
                "json" if random.happens(15) => "json.gz",
                end => end,
            };
            let rows = if random.happens(8) { 0 } else { 1 + random.below(MAX_ROWS) };
            let name = match random.below(8) {
                0 => format!("day {delivery}/Größe {index}+%.{end}"),
                1 => format!("2024/{delivery:02}/part-{index}.{end}"),
                _ => format!("d{delivery}-{index}.{end}"),
            };
            // A file may be delivered again under its name with other content: that is another source object.
            let again = deliveries.first().and_then(|first| first.first()).filter(|_| random.happens(15));
            let name = match again {
                Some(first) if index == 0 => {
                    writer.tags.insert("file replaced");
                    first.name.clone()
                }
                _ => name,
            };
            if name.ends_with(".gz") {
                writer.tags.insert("gzip");
            }
            files.push(writer.file(name, delivery, rows, random));
        }
        deliveries.push(files);
    }
    if random.happens(10) {
        writer.tags.insert("run without news");
        deliveries.push(Vec::new());
    }
    deliveries
}
