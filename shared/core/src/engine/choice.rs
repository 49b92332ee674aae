//! Which engine a run is given to, and why, in words with numbers.

use super::{Engine, EngineChoice, EnginePreference, Estimate};
use crate::spec::LambdaLimits;

/// Most bytes of rows that may wait on the disk of the function, which has 10 GiB: the files that are being written need some,
/// too.
const MAX_SPILLED_BYTES: u64 = 9_000_000_000;

/// Whether a run is small enough for the function.
fn fits(limits: &LambdaLimits, estimate: &Estimate) -> bool {
    estimate.peak_memory_bytes <= limits.memory_bytes()
        && estimate.duration_seconds <= limits.duration_seconds
        && estimate.spilled_bytes <= MAX_SPILLED_BYTES
}

/// Chooses the engine of a run; a replay reads only the quarantine.
pub fn choose(
    preference: EnginePreference,
    limits: &LambdaLimits,
    estimate: &Estimate,
    is_replay: bool,
) -> EngineChoice {
    let chosen = |engine: Engine, reason: String| EngineChoice { engine, reason };
    if is_replay {
        return chosen(Engine::Lambda, "a replay reads only the quarantine, which is small: always lambda".to_owned());
    }
    let needs = in_words(estimate);
    let in_parts = match estimate.parts {
        0 => String::new(),
        parts => format!(", read in {parts} parts"),
    };
    let bounds = bounds(limits);
    match preference {
        EnginePreference::Lambda => chosen(Engine::Lambda, format!("lambda was asked for; {needs}{in_parts}")),
        EnginePreference::Emr => chosen(Engine::Emr, format!("emr was asked for; {needs}{in_parts}")),
        EnginePreference::Auto if fits(limits, estimate) => {
            chosen(Engine::Lambda, format!("{needs}{in_parts}: within {bounds}"))
        }
        EnginePreference::Auto => chosen(Engine::Emr, format!("{needs}{in_parts}: above {bounds}")),
    }
}

/// Chooses the engine that combines rows which were read in parts and counted: the estimate is one of the rows that are, and
/// not of the objects that they were expected in.
pub fn choose_combining(limits: &LambdaLimits, estimate: &Estimate) -> EngineChoice {
    let tables = match estimate.table_rows {
        0 => String::new(),
        rows => format!(" and {rows} rows of tables read again"),
    };
    let needs = format!(
        "{} rows were read in {} parts; combining them ({} of files{tables}) is estimated to take {} of memory and {} s",
        estimate.rows,
        estimate.parts,
        size(estimate.stored_bytes),
        size(estimate.peak_memory_bytes),
        estimate.duration_seconds,
    );
    let (engine, word) = if fits(limits, estimate) { (Engine::Lambda, "within") } else { (Engine::Emr, "above") };
    EngineChoice { engine, reason: format!("{needs}: {word} {}", bounds(limits)) }
}

fn bounds(limits: &LambdaLimits) -> String {
    format!("the limits of {} MB and {} s", limits.memory_mb, limits.duration_seconds)
}

/// `estimated 1.9 GB of memory and 83 s for 4.0 GB in 12 objects`, with what is read in addition to them.
fn in_words(estimate: &Estimate) -> String {
    let objects = match estimate.objects {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    };
    let mut words = format!(
        "estimated {} of memory and {} s for {} in {objects}",
        size(estimate.peak_memory_bytes),
        estimate.duration_seconds,
        size(estimate.stored_bytes),
    );
    // Packed or encoded sources are worth a word: their size says little.
    if estimate.text_bytes / 2 > estimate.stored_bytes {
        words.push_str(&format!(" ({} as text)", size(estimate.text_bytes)));
    }
    if estimate.table_rows > 0 {
        words.push_str(&format!(" and {} rows of tables read again", estimate.table_rows));
    }
    words
}

/// A number of bytes for people, in decimal units.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ObjectMeasure, PartsMeasure, TableMeasure, Workload, estimate};

    const GB: u64 = 1_000_000_000;

    /// `count` objects of together `stored` bytes that are `ratio` times as large unpacked.
    fn objects(stored: u64, count: u64, ratio: u64, row_bytes: u64, columns: u64) -> Workload {
        let (size_bytes, unpacked_bytes) = (stored / count, stored / count * ratio);
        let object = ObjectMeasure {
            size_bytes,
            unpacked_bytes,
            rows: unpacked_bytes / row_bytes,
            columns,
            group_rows: 0,
            held_bytes: 0,
        };
        Workload { objects: vec![object; usize::try_from(count).expect("count")], ..Workload::default() }
    }

    #[test]
    fn the_size_of_a_run_chooses_its_engine() {
        let check = |what: &str, workload: &Workload, engine: Engine, says: &[&str]| {
            let limits = LambdaLimits::default();
            let choice = choose(EnginePreference::Auto, &limits, &estimate(workload), false);
            assert_eq!(choice.engine, engine, "{what}: {}", choice.reason);
            for part in says {
                assert!(choice.reason.contains(part), "{what}: no {part:?} in {}", choice.reason);
            }
        };
        let merged = |workload: Workload, rows: u64| Workload {
            merged: vec![TableMeasure { size_bytes: rows * 20, rows }],
            ..workload
        };
        let parquet = |workload: Workload| Workload { parquet: true, ..workload };
        let small = objects(10_000_000, 1, 1, 86, 8);
        check("nothing but gold", &Workload::default(), Engine::Lambda, &["0 bytes in 0 objects"]);
        check("a day", &small, Engine::Lambda, &["10.0 MB in 1 object:", "within the limits of 3008 MB and 600 s"]);
        check("4 GB of CSV", &objects(4 * GB, 10, 1, 86, 8), Engine::Lambda, &["4.0 GB in 10 objects"]);
        check("20 GB of CSV", &objects(20 * GB, 40, 1, 86, 8), Engine::Emr, &["20.0 GB in 40 objects", "above the"]);
        check("1 GB of gzip", &objects(GB, 4, 4, 86, 8), Engine::Lambda, &["1.0 GB in 4 objects (4.0 GB as text)"]);
        check("6 GB of gzip", &objects(6 * GB, 4, 6, 86, 8), Engine::Emr, &["(36.0 GB as text)"]);
        check("wide NDJSON", &objects(2 * GB, 1, 1, 4_000, 200), Engine::Lambda, &["2.0 GB"]);
        check("40 GB of wide NDJSON", &objects(40 * GB, 9, 1, 4_000, 200), Engine::Emr, &["803 s"]);
        check("Parquet", &parquet(objects(GB, 1, 1, 60, 8)), Engine::Lambda, &["1.0 GB in 1 object"]);
        let repeating = |group_rows: u64| {
            let mut workload = parquet(objects(200_000_000, 1, 1, 6, 8));
            workload.objects.iter_mut().for_each(|object| object.group_rows = group_rows);
            workload
        };
        check(
            "3 GB of CSV as Parquet",
            &repeating(1 << 20),
            Engine::Lambda,
            &["200.0 MB in 1 object (3.1 GB as text)"],
        );
        check("the same in one row group", &repeating(33_000_000), Engine::Emr, &["above the limits of 3008 MB"]);
        check("12 GB of Parquet", &parquet(objects(12 * GB, 8, 1, 60, 8)), Engine::Emr, &["12.0 GB in 8 objects"]);
        check("a small merge", &merged(small.clone(), 1_000_000), Engine::Lambda, &["1000000 rows of tables"]);
        check("a day into 400 million rows", &merged(small, 400_000_000), Engine::Emr, &["400000000 rows of tables"]);
    }

    #[test]
    fn a_preference_wins_over_the_size_and_a_replay_over_both() {
        use EnginePreference::{Auto, Emr, Lambda};
        let check = |preference, workload: &Workload, is_replay: bool, expected: Engine, says: &str| {
            let choice = choose(preference, &LambdaLimits::default(), &estimate(workload), is_replay);
            assert_eq!(choice.engine, expected, "{preference}: {}", choice.reason);
            assert!(choice.reason.contains(says), "{preference}: no {says:?} in {}", choice.reason);
        };
        let (small, large) = (objects(GB / 100, 1, 1, 86, 8), objects(40 * GB, 40, 1, 86, 8));
        check(Lambda, &large, false, Engine::Lambda, "lambda was asked for");
        check(Emr, &small, false, Engine::Emr, "emr was asked for");
        check(Auto, &small, false, Engine::Lambda, "within");
        check(Auto, &large, false, Engine::Emr, "above the limits of 3008 MB and 600 s");
        for preference in EnginePreference::ALL {
            check(preference, &large, true, Engine::Lambda, "replay");
        }
    }

    #[test]
    fn what_was_counted_decides_about_combining() {
        let check = |rows: u64, table_rows: u64, expected: Engine, says: &[&str]| {
            let workload = Workload {
                objects: vec![ObjectMeasure::counted(rows * 30, rows, 8)],
                parquet: true,
                parts: Some(PartsMeasure { count: 40, largest_bytes: 0 }),
                rows_meet: true,
                merged: vec![TableMeasure { size_bytes: table_rows * 20, rows: table_rows }],
                ..Workload::default()
            };
            let choice = choose_combining(&LambdaLimits::default(), &estimate(&workload));
            assert_eq!(choice.engine, expected, "{}", choice.reason);
            for words in says {
                assert!(choice.reason.contains(words), "no {words:?} in {}", choice.reason);
            }
        };
        let few =
            ["1000000 rows were read in 40 parts", "(30.0 MB of files)", "within the limits of 3008 MB and 600 s"];
        check(1_000_000, 0, Engine::Lambda, &few);
        check(10_000_000, 50_000_000, Engine::Lambda, &["and 50000000 rows of tables read again"]);
        check(10_000_000, 400_000_000, Engine::Emr, &["above the limits of 3008 MB and 600 s"]);
        check(400_000_000, 0, Engine::Emr, &["(12.0 GB of files)"]);
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = LambdaLimits { memory_mb: 2000, duration_seconds: 100 };
        let check = |peak_memory_bytes: u64, duration_seconds: u64, expected: bool| {
            let estimate = Estimate { peak_memory_bytes, duration_seconds, ..estimate(&Workload::default()) };
            assert_eq!(fits(&limits, &estimate), expected, "{peak_memory_bytes} {duration_seconds}");
        };
        check(2_000_000_000, 100, true);
        check(2_000_000_001, 100, false);
        check(2_000_000_000, 101, false);
    }
}
