//! Parquet files of other writers: each is read as pyarrow reads it, or refused by its name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sluice_core::run::Outcome;
use sluice_tests::files::{all_files, entries, repository};
use sluice_tests::judges::{Judges, ParquetVerdict};
use sluice_tests::parity::spark::{SparkPlace, SparkSession};
use sluice_tests::skip;

use crate::small::{ORDERS, Python, QUARANTINE, SILVER, assert_says, held_by, orders_with, rows};

/// Rows with a value of every type that Spark writes.
const SPARK_ROWS: &str = "
CREATE TEMPORARY VIEW numbers AS SELECT id, IF(id % 4 = 3, NULL, (id - 5) * 1.25D) AS v FROM range(0, 12, 1, 1);
CREATE TEMPORARY VIEW rows AS SELECT CAST(id AS INT) AS i, CAST(v AS TINYINT) AS ti, CAST(v AS SMALLINT) AS si,
  CAST(v * 1e9 AS BIGINT) AS bi, CAST(v / 3 AS FLOAT) AS f, v / 3 AS d, CAST(v AS DECIMAL(4,1)) AS d4,
  CAST(v AS DECIMAL(9,2)) AS d9, CAST(v AS DECIMAL(18,3)) AS d18, CAST(v AS DECIMAL(38,5)) AS d38,
  concat('t', CAST(v AS STRING)) AS t, v > 0 AS b, date_add(DATE'2024-01-05', CAST(v AS INT)) AS day,
  DATE'9999-12-31' AS last_day, timestamp_micros(CAST(v * 1000001 AS BIGINT)) AS at,
  TIMESTAMP'9999-12-31 23:59:59.999999' AS last_at, TIMESTAMP'0001-01-01 00:00:00' AS first_at,
  CAST(timestamp_micros(CAST(v * 1000001 AS BIGINT)) AS TIMESTAMP_NTZ) AS ntz,
  array(CAST(v AS DECIMAL(9,2)), NULL) AS l, IF(id % 2 = 0, array(), array(array(CAST(v AS INT)), NULL)) AS ll,
  named_struct('a', CAST(v AS DECIMAL(9,2)), 'at', timestamp_micros(CAST(v * 1000001 AS BIGINT))) AS s,
  array(named_struct('d', DATE'2024-01-05', 'at', timestamp_micros(id))) AS ls, map('k', CAST(v AS DECIMAL(9,2))) AS m,
  array(map(CAST(id AS INT), array(timestamp_micros(id)))) AS lm
FROM numbers;
";
const ALL: &str = "SELECT * FROM rows";
/// The files that Spark writes: settings, query, and what becomes of them.
const SPARK_FILES: [(&str, &str, &str, &str); 6] = [
    ("spark", "", ALL, "right"),
    ("spark-millis", "SET spark.sql.parquet.outputTimestampType=TIMESTAMP_MILLIS;", ALL, "right"),
    ("spark-int96", "SET spark.sql.parquet.outputTimestampType=INT96;", ALL, "right"),
    (
        "spark-legacy",
        "SET spark.sql.parquet.writeLegacyFormat=true;\nSET spark.sql.parquet.outputTimestampType=INT96;",
        ALL,
        "right",
    ),
    ("spark-v2", "SET parquet.writer.version=v2;\nSET spark.sql.parquet.compression.codec=gzip;", ALL, "right"),
    ("spark-binary", "", "SELECT i, CAST(t AS BINARY) AS odd FROM rows", "refused"),
];

/// Writes the files of Spark. Without Spark, none, which is reported.
fn by_spark(test: &str, folder: &Path) -> Vec<(PathBuf, String)> {
    let Some(place) = SparkPlace::or_skip(test) else { return Vec::new() };
    let scratch = tempfile::tempdir().unwrap();
    let mut session = SparkSession::new(place, scratch.path());
    let mut files = Vec::new();
    for (name, settings, rows, verdict) in SPARK_FILES {
        let out = scratch.path().join(name);
        let text = format!(
            "{settings}\nSET spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED;\n\
             SET spark.sql.parquet.int96RebaseModeInWrite=CORRECTED;\n{SPARK_ROWS}\n\
             INSERT OVERWRITE DIRECTORY 'file://{}' USING parquet {rows};",
            out.display()
        );
        session.run(&text, &scratch.path().join(format!("{name}.sql"))).unwrap();
        let is_data = |path: &PathBuf| path.extension().is_some_and(|end| end == "parquet");
        let written: Vec<PathBuf> = entries(&out).into_iter().filter(is_data).collect();
        let [part] = written.as_slice() else { panic!("{name}: {written:?}") };
        let file = folder.join(format!("{name}.parquet"));
        fs::copy(part, &file).unwrap();
        files.push((file, verdict.to_owned()));
    }
    files
}

fn counts(judged: &[ParquetVerdict]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for one in judged {
        *counts.entry(one.verdict.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn files_of_every_type_and_writer_are_right_or_refused_by_name() {
    let test = "modes::parquet::files_of_every_type_and_writer_are_right_or_refused_by_name";
    let Some(judges) = Judges::or_skip(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut expected = judges.write_parquet(&folder.path().join("files"));
    expected.extend(by_spark(test, &folder.path().join("files")));
    let files: Vec<PathBuf> = expected.iter().map(|(file, _)| file.clone()).collect();
    let judged = judges.judge_parquet(&files, &folder.path().join("work"));
    eprintln!("  {} files: {:?}", judged.len(), counts(&judged));
    let wrong: Vec<_> = judged.iter().zip(&expected).filter(|(one, (_, expected))| one.verdict != *expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_files_of_parquet_testing_are_right_or_refused_by_name() {
    let test = "modes::parquet::the_files_of_parquet_testing_are_right_or_refused_by_name";
    let Some(judges) = Judges::or_skip(test) else { return };
    let all = repository().parent().map(|above| above.join("shared/data/public/parquet-testing"));
    let Some(all) = all.filter(|folder| folder.is_dir()) else {
        skip(test, "needs apache/parquet-testing in ../shared/data/public/parquet-testing");
        return;
    };
    let is_parquet = |path: &PathBuf| path.extension().is_some_and(|end| end == "parquet" || end == "encrypted");
    let files: Vec<PathBuf> = all_files(&all).into_iter().map(|path| all.join(path)).filter(is_parquet).collect();
    let folder = tempfile::tempdir().unwrap();
    let judged = judges.judge_parquet(&files, folder.path());
    let counts = counts(&judged);
    eprintln!("  {} files: {counts:?}", judged.len());
    let wrong: Vec<_> = judged.iter().filter(|one| !matches!(one.verdict.as_str(), "right" | "refused")).collect();
    // Spark wrapped this instant; it and arrow-rs read what was written. pyarrow and DuckDB do not, and do not agree either.
    let is_wrapped = |one: &ParquetVerdict| {
        one.file == "int96_from_spark.parquet" && one.detail.contains("row 6: '+290000-12-30T23:00:00.000000'")
    };
    let wrong: Vec<_> = wrong.into_iter().filter(|one| !is_wrapped(one)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Refusing everything would be no achievement.
    assert!(counts.get("right").is_some_and(|right| *right >= 40), "{counts:?}");
}

/// A file of a type without text form, and files of types that ended the run with a panic, next to a good file.
const ODD: &str = "
import decimal, numpy as np, pyarrow as pa, pyarrow.parquet as pq
table = lambda number, **odd: pa.table({
    'id': pa.array([number], pa.int64()), 'name': ['a'], 'amount': pa.array([decimal.Decimal('1.50')]),
    'day': pa.array([None], pa.date32()), **odd})
odd = {
    'binary': pa.array([b'x']), 'half': pa.array([np.float16(1.5)]), 'duration': pa.array([1], pa.duration('s')),
    'zone': pa.array([0], pa.timestamp('us', tz='+25:00')), 'uuid': pa.array([bytes(16)], pa.uuid()),
}
pq.write_table(table(0), f'{folder}/good.parquet')
for number, (name, column) in enumerate(odd.items(), 1):
    pq.write_table(table(number, odd=column), f'{folder}/{name}.parquet')
";

/// Three orders, of which the second has a note that is not UTF-8. No table reads the column.
const NOT_UTF8: &str = "
import decimal, pyarrow as pa, pyarrow.parquet as pq
offsets = pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]
note = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b'a' + bytes([255]) + b'c'))
pq.write_table(pa.table({
    'id': pa.array([1, 2, 3], pa.int64()), 'name': ['a', 'b', 'c'], 'amount': pa.array([decimal.Decimal('1.50')] * 3),
    'day': pa.array([None] * 3, pa.date32()), 'note': note}), f'{folder}/notes.parquet')
";

#[test]
fn a_value_without_text_quarantines_its_row_and_not_its_file() {
    let test = "modes::parquet::a_value_without_text_quarantines_its_row_and_not_its_file";
    let Some(python) = Python::or_skip(test) else { return };
    let lab = orders_with(&ORDERS.replace("format: csv", "format: parquet"));
    fs::create_dir_all(lab.landing()).unwrap();
    python.run(&format!("folder = {:?}\n{NOT_UTF8}", lab.landing().display().to_string()));
    let _ = lab.run().expect(Outcome::Published);
    let mut found = rows(&lab, SILVER, &["id"]);
    found.sort();
    assert_eq!(found, ["1", "3"]);
    let refused = rows(&lab, QUARANTINE, &["_source_row", "_broken_rules", "_raw"]);
    let [row] = refused.as_slice() else { panic!("{refused:?}") };
    assert_says(row, &["2", "corrupt_record", "column `note` that is not UTF-8", "\u{FFFD}"], "the row");
    assert!(lab.held().is_empty());
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_file_that_cannot_be_read_holds_itself_and_no_other() {
    let test = "modes::parquet::a_file_that_cannot_be_read_holds_itself_and_no_other";
    let Some(python) = Python::or_skip(test) else { return };
    let lab = orders_with(&ORDERS.replace("format: csv", "format: parquet"));
    fs::create_dir_all(lab.landing()).unwrap();
    python.run(&format!("folder = {:?}\n{ODD}", lab.landing().display().to_string()));
    let run = lab.run().expect(Outcome::Published);
    let message = held_by(&run);
    assert_says(
        &message,
        &["binary.parquet", "`odd` is binary", "duration.parquet", "`odd` is a duration"],
        "two types",
    );
    assert_eq!(lab.held().len(), 2, "{message}");
    let mut found = rows(&lab, SILVER, &["id"]);
    found.sort();
    assert_eq!(found, ["0", "2", "4", "5"], "good, half, zone and uuid");
    let _ = lab.run().expect(Outcome::Skipped);
}
