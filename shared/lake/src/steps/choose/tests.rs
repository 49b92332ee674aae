//! Plans of real files: what validate measures of them, and which engine it chooses.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use sluice_core::engine::{Engine, EnginePreference};
use sluice_core::run::{Plan, RunRequest};
use tempfile::TempDir;

use super::*;
use crate::lake::Lake;
use crate::steps::{process, publish, quality_check, validate};

const CONTRACT: &str = "\
apiVersion: v3.2.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
schema:
  - name: orders
    physicalType: table
    properties:
      - { name: id, logicalType: integer, physicalType: BIGINT, required: true }
      - { name: name, logicalType: string }
";
/// Limits that no run stays within.
const TINY: &str = "lambda_limits: { memory_mb: 128, duration_seconds: 1 }\n";

fn at() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().expect("time")
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    fs::write(path, bytes).expect("file");
}

/// A lake with a pipeline of this format and these lines more.
fn lake(format: &str, more: &str) -> (TempDir, Lake) {
    let folder = tempfile::Builder::new().prefix("sluice-choose-").tempdir().expect("folder");
    let spec = format!(
        "pipeline: shop\ndomain: sales\nsource: {{ prefix: landing/shop, format: {format} }}\nbronze: {{ table: orders }}\n\
         silver:\n  - table: orders\n    contract: orders.yaml\n    columns: {{ id: id, name: name }}\n    mode: append\n{more}"
    );
    write(&folder.path().join("pipelines/shop/pipeline.yaml"), spec);
    write(&folder.path().join("pipelines/shop/orders.yaml"), CONTRACT);
    let root = url::Url::from_directory_path(folder.path()).expect("folder").as_str().parse().expect("folder");
    let lake = Lake::open(&root, &BTreeMap::new()).expect("lake");
    (folder, lake)
}

fn plan(lake: &Lake, run: &str, engine: Option<EnginePreference>, action: RunAction) -> Result<Plan, LakeError> {
    let request = RunRequest {
        pipeline: "shop".parse().expect("name"),
        spec: None,
        landing: None,
        action,
        engine,
        objects: None,
    };
    wait(validate(lake, at(), run.parse().expect("id"), request))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("runtime").block_on(future)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("gzip");
    encoder.finish().expect("gzip")
}

const CSV: &str = "id,name\n1,a\n2,b\n";

#[test]
fn the_engine_is_what_size_and_wish_say_whatever_the_objects_are() {
    use EnginePreference::{Auto, Emr, Lambda};
    let check = |what: &str, format, more: &str, file: &str, bytes: &[u8], wish, expected: Engine, says: &str| {
        let (folder, lake) = lake(format, more);
        write(&folder.path().join("landing/shop").join(file), bytes);
        let EngineChoice { engine, reason } = plan(&lake, "run-1", wish, RunAction::Ingest).expect(what).engine;
        assert_eq!(engine, expected, "{what}: {reason}");
        assert!(reason.contains(says), "{what}: no {says:?} in {reason}");
    };
    let (packed, json) = (gzip(CSV), b"{\"id\":1,\"name\":\"a\"}\n".as_slice());
    let zstd = zstd::encode_all(CSV.as_bytes(), 1).expect("zstd");
    let csv = CSV.as_bytes();
    let (on_lambda, on_emr) = (Engine::Lambda, Engine::Emr);
    let (forced, forced_lambda) = (format!("{TINY}engine: emr\n"), format!("{TINY}engine: lambda\n"));
    check("small", "csv", "", "a.csv", csv, None, on_lambda, "for 16 bytes in 1 object: within the limits of 3008 MB");
    check("large", "csv", TINY, "a.csv", csv, None, on_emr, "above the limits of 128 MB and 1 s");
    check("large gzip", "csv", TINY, "a.csv.gz", &packed, None, on_emr, "above");
    check("the spec's wish", "csv", &forced, "a.csv", csv, None, on_emr, "emr was asked for");
    check("the run's wish", "csv", &forced, "a.csv", csv, Some(Lambda), on_lambda, "lambda was asked for");
    check("the run's other wish", "csv", &forced_lambda, "a.csv", csv, Some(Emr), on_emr, "emr was asked for");
    check("no wish of the run", "csv", &forced_lambda, "a.csv", csv, Some(Auto), on_emr, "above the limits");
    check("gzip without .gz", "csv", TINY, "a.csv", &packed, None, on_emr, "above");
    check("zstd without .zst, forced", "csv", "", "a.csv", &zstd, Some(Emr), on_emr, "emr was asked for");
    check("plain with .gz, forced", "csv", "", "a.csv.gz", csv, Some(Emr), on_emr, "emr was asked for");
    check("misnamed, but small", "csv", "", "a.csv", &packed, None, on_lambda, "within the limits");
    check("ndjson", "ndjson", TINY, "a.ndjson", json, None, on_emr, "above");
    check("json, forced", "json", "", "a.json", json, Some(Emr), on_emr, "emr was asked for");
    check("json, by the spec", "json", "engine: emr\n", "a.json", json, None, on_emr, "emr was asked for");
}

#[test]
fn a_replay_stays_on_lambda_and_says_why() {
    let (folder, lake) = lake("csv", "engine: emr\n");
    write(&folder.path().join("landing/shop/a.csv"), "id,name\n1,a\nx,b\n");
    let first = plan(&lake, "run-1", Some(EnginePreference::Lambda), RunAction::Ingest).expect("plan");
    wait(async {
        process(&lake, at(), &first.run).await.expect("changeset");
        quality_check(&lake, at(), &first.run).await.expect("verdict");
        publish(&lake, at(), &first.run).await.expect("receipt");
    });
    let replay = plan(&lake, "run-2", None, RunAction::Replay).expect("plan");
    assert_eq!(replay.engine.engine, Engine::Lambda);
    assert!(replay.engine.reason.contains("replay"), "{}", replay.engine.reason);
    let nothing = plan(&lake, "run-3", None, RunAction::Ingest).expect("plan");
    assert_eq!((nothing.status, nothing.engine.engine), (PlanStatus::Skipped, Engine::Lambda));
}

#[test]
fn shapes_and_estimates_are_in_the_plan() {
    let check = |format, file: &str, bytes: &[u8], columns: &[&str], rows: u64| {
        let (folder, lake) = lake(format, "");
        write(&folder.path().join("landing/shop").join(file), bytes);
        let plan = plan(&lake, "run-1", None, RunAction::Ingest).expect(file);
        let shape = plan.objects[0].shape.as_ref().expect(file);
        assert_eq!(shape.columns, columns, "{file}");
        let estimate = plan.estimate.expect(file);
        assert_eq!((estimate.objects, estimate.stored_bytes), (1, bytes.len() as u64), "{file}");
        assert!(estimate.rows.abs_diff(rows) <= rows / 10, "{file}: {estimate:?}");
    };
    let lines: String = (0..50_000).map(|n| format!("{n:05},name {n:05}\n")).collect();
    let csv = format!("id,name\n{lines}");
    let ndjson: String = (100..600).map(|n| format!("{{\"id\":{n},\"name\":\"{n}\"}}\n")).collect();
    check("csv", "a.csv", csv.as_bytes(), &["id", "name"], 50_000);
    check("csv", "a.csv.gz", &gzip(&csv), &["id", "name"], 50_000);
    check("csv", "a", &zstd::encode_all(csv.as_bytes(), 1).expect("zstd"), &["id", "name"], 50_000);
    check("ndjson", "a.ndjson", ndjson.as_bytes(), &[], 500);
    let mut rows = polars::df!("id" => ["1", "2"], "name" => ["a", "b"]).expect("rows");
    let mut parquet = Vec::new();
    polars::prelude::ParquetWriter::new(&mut parquet).finish(&mut rows).expect("parquet");
    check("parquet", "a.parquet", &parquet, &["id", "name"], 2);
}

#[test]
fn large_texts_that_are_not_packed_have_bytes_for_places_and_are_cut_within() {
    let check = |format: &str, file: &str, bytes: &[u8], from_mb: u64, expected: Positions| {
        let more = format!("parts: {{ size_mb: 1, ranges_from_mb: {from_mb} }}\n");
        let (folder, lake) = lake(format, &more);
        write(&folder.path().join("landing/shop").join(file), bytes);
        let plan = plan(&lake, "run-1", None, RunAction::Ingest).expect(file);
        assert_eq!(plan.objects[0].positions, expected, "{file} from {from_mb} MB");
        assert_eq!(plan.cuts.is_whole(), expected == Positions::Numbers, "{file} from {from_mb} MB: {:?}", plan.cuts);
        assert_eq!(plan.estimate.expect(file).parts, plan.cuts.count() as u64);
    };
    let name = "n".repeat(300);
    let lines: String = (0..4_000).map(|n| format!("{n},{name}\n")).collect();
    let csv = format!("id,name\n{lines}").into_bytes();
    let ndjson: String = (0..4_000).map(|n| format!("{{\"id\":{n},\"name\":\"{name}\"}}\n")).collect();
    let json = format!("[{}]", ndjson.trim_end().replace('\n', ",")).into_bytes();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(&csv).expect("gzip");
    let packed = packed.finish().expect("gzip");
    assert!([&csv, &json, &packed].iter().all(|bytes| bytes.len() > 1_000_000));
    check("csv", "a.csv", &csv, 1, Positions::Bytes);
    check("csv", "a.csv", &csv, 2, Positions::Numbers);
    check("csv", "a.csv", &packed, 1, Positions::Numbers);
    // What is decoded has other bytes than the object.
    check("csv, csv: { encoding: iso-8859-1 }", "a.csv", &csv, 1, Positions::Numbers);
    let text = String::from_utf8(csv.clone()).expect("text");
    let utf16: Vec<u8> = format!("\u{FEFF}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    check("csv", "a.csv", &utf16, 1, Positions::Numbers);
    check("csv, csv: { comment: '#', skip_lines: 0 }", "a.csv", &csv, 1, Positions::Bytes);
    check("ndjson", "a.ndjson", ndjson.as_bytes(), 1, Positions::Bytes);
    check("json", "a.json", &json, 1, Positions::Numbers);
}
