//! Polars and Spark give the same results for generated pipelines and for the retail pipeline.

use std::fs::File;

use polars::prelude::IntoLazy;
use polars::prelude::{ParquetReader, ParquetWriter, SerReader, col, lit};
use sluice_tests::data::retail_files;
use sluice_tests::files;
use sluice_tests::parity::case::Case;
use sluice_tests::parity::compare::Comparison;
use sluice_tests::parity::engines::{Engine, Polars, Spark};
use sluice_tests::parity::places::odd_places;
use sluice_tests::parity::run::{Ending, Side};
use sluice_tests::parity::spark::{SparkPlace, SparkSession};
use sluice_tests::parity::suite::{Suite, set_up};
use sluice_tests::skip;

/// Seeds whose cases together cover every feature, few enough for two minutes. The engines once differed on 9 (rules
/// without rows), 19 (infinite numbers), 100 (missing values of doubles in a rule about rows), 115 (conditions that guard
/// a cast) and 179 (the text of the smallest double). 3 is NDJSON and 18 JSON, both with SQL that fails for some rows.
const CHOSEN: [u64; 11] = [1, 3, 9, 18, 19, 86, 100, 115, 140, 179, 182];
/// Files of the retail data in the fixed set, and how many of them arrive at once.
const RETAIL_CHOSEN: (usize, usize) = (6, 3);
/// How many files of the retail data arrive at once when all of them are used.
const RETAIL_AT_ONCE: usize = 17;

/// A variable of `cargo xtask parity`; `None` when it is not set or empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Tests the generator and the comparison: with the same engine on both sides nothing differs, and every feature is covered.
#[test]
fn one_engine_agrees_with_itself() {
    let (mut left, mut right) = (Polars, Polars);
    let mut suite = Suite::new(&mut left, &mut right);
    for seed in CHOSEN {
        suite.case(&Case::drawn(seed));
    }
    suite.case(&odd_places());
    suite.judge();
}

/// A seed gives the same case on every machine and at any time, so that a difference can be reproduced.
#[test]
fn a_seed_always_draws_the_same_case() {
    for seed in CHOSEN {
        let (first, second) = (Case::drawn(seed), Case::drawn(seed));
        assert_eq!(first.pipeline, second.pipeline, "{seed}");
        let bytes = |case: &Case| -> Vec<(String, Vec<u8>)> {
            case.deliveries.iter().flatten().map(|file| (file.name.clone(), file.bytes.clone())).collect()
        };
        assert_eq!(bytes(&first), bytes(&second), "{seed}");
    }
}

/// One number of one row is changed in a table's file: the comparison shows the table, the column and both values.
#[test]
fn the_comparison_finds_a_changed_value() {
    let folder = tempfile::tempdir().unwrap();
    // Its gold table `totals` has rows after the first delivery.
    let case = Case::drawn(0);
    let place = set_up(&case, folder.path());
    let lakes = [folder.path().join("left"), folder.path().join("right")];
    let [mut left, mut right] = lakes.each_ref().map(|lake| Side::new(lake, &place));
    case.land(0, &place);
    let outcomes = [left.run(&mut Polars), right.run(&mut Polars)];
    assert!(outcomes.iter().all(|outcome| outcome.ending == Ending::Published), "{outcomes:?}");
    let compared = || {
        let mut comparison = Comparison::default();
        comparison.lakes(&left.lake, &right.lake);
        comparison.differences
    };
    assert_eq!(compared(), Vec::<String>::new());
    let table = lakes[1].join("gold/lab/totals");
    let is_data = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "parquet");
    let file = files::entries(&table).into_iter().find(is_data).unwrap();
    let rows = ParquetReader::new(File::open(&file).unwrap()).finish().unwrap();
    let mut rows = rows.lazy().with_column(col("n") + lit(1_000_000_i64)).collect().unwrap();
    ParquetWriter::new(File::create(&file).unwrap()).finish(&mut rows).unwrap();
    let differences = compared();
    assert_eq!(differences.len(), 1, "{differences:?}");
    let first = &differences[0];
    assert!(first.starts_with("gold/lab/totals") && first.contains("! n: Integer("), "{first}");
    assert!(first.contains("<>   Integer(1000"), "{first}");
}

#[test]
fn both_engines_agree_on_the_chosen_cases() {
    let Some(place) = SparkPlace::or_skip("parity::both_engines_agree_on_the_chosen_cases") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut left, mut right) = (Polars, Spark::new(SparkSession::new(place, folder.path())));
    let mut suite = Suite::new(&mut left, &mut right);
    for seed in CHOSEN {
        suite.case(&Case::drawn(seed));
    }
    suite.case(&odd_places());
    match retail_files() {
        Some(files) => suite.retail(&files[..RETAIL_CHOSEN.0], RETAIL_CHOSEN.1),
        None => skip(
            "parity::both_engines_agree_on_the_chosen_cases",
            "its retail part needs the retail data set in ../shared/data/retail",
        ),
    }
    suite.judge();
}

/// All cases, which takes a long time.
#[test]
#[ignore = "takes long: cargo xtask parity runs it"]
fn both_engines_agree_on_every_case() {
    let only = variable("SLUICE_PARITY_ONLY");
    let first = number("SLUICE_PARITY_SEED", 0);
    let seeds = match only.as_deref() {
        Some("retail") => 0..0,
        Some(seed) => {
            let seed = seed.parse().unwrap_or_else(|error| panic!("{seed}: {error}"));
            seed..seed + 1
        }
        None => first..first + number("SLUICE_PARITY_CASES", 200),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut right: Box<dyn Engine> = match variable("SLUICE_PARITY_WITHOUT_SPARK") {
        Some(_) => Box::new(Polars),
        None => {
            let place = SparkPlace::of_environment().expect("Spark: cargo xtask parity installs it");
            Box::new(Spark::new(SparkSession::new(place, folder.path())))
        }
    };
    let mut left = Polars;
    let mut suite = Suite::new(&mut left, right.as_mut());
    for seed in seeds {
        suite.case(&Case::drawn(seed));
    }
    match retail_files() {
        _ if only.as_deref().is_some_and(|only| only != "retail") => {}
        Some(files) => suite.retail(&files, RETAIL_AT_ONCE),
        None => skip(
            "parity::both_engines_agree_on_every_case",
            "its retail part needs the retail data set in ../shared/data/retail",
        ),
    }
    if only.is_some() { suite.judge_differences() } else { suite.judge() }
}
