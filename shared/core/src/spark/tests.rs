use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::Engine;
use crate::pipeline::Pipeline;
use crate::run::ReadFrom;
use crate::run::{EngineChoice, Plan, PlanStatus, PlannedObject, PlannedTable, RunRef, RunRequest, SourceShape};
use crate::source::{Codec, SourceObject};
use crate::spec::PipelineSpec;

fn retail() -> Pipeline {
    let read = |path: &str| std::fs::read_to_string(format!("../../pipelines/retail/{path}")).expect(path);
    let spec = PipelineSpec::parse(&read("pipeline.yaml"), "pipeline.yaml").expect("spec");
    let contracts: BTreeMap<_, _> =
        spec.contract_paths().into_iter().map(|path| (path.clone(), read(path.as_str()))).collect();
    Pipeline::resolve(&spec, &contracts).expect("pipeline")
}

fn object(uri: &str) -> SourceObject {
    let modified_at = "2026-01-05T08:00:00.5Z".parse().ok();
    SourceObject { uri: uri.parse().expect(uri), etag: "e".to_owned(), size_bytes: 1, modified_at }
}

fn plan(pipeline: Pipeline, files: &[&str], columns: &[&str]) -> Plan {
    let objects: Vec<PlannedObject> = files
        .iter()
        .map(|file| PlannedObject {
            object: SourceObject { etag: format!("e-{}", file.len()), ..object(file) },
            read_from: ReadFrom::Landing,
            again: false,
            shape: Some(SourceShape {
                columns: columns.iter().map(|c| (*c).to_owned()).collect(),
                codec: Codec::Plain,
                rows: None,
            }),
        })
        .collect();
    let ids: BTreeSet<_> = objects.iter().map(|planned| planned.object.id()).collect();
    let tables = pipeline.tables().into_iter().map(|table| PlannedTable {
        sources: if table.layer() == crate::name::Layer::Gold { BTreeSet::new() } else { ids.clone() },
        superseded: BTreeSet::new(),
        read_version: None,
        columns: Vec::new(),
        table,
    });
    Plan {
        run: RunRef { pipeline: pipeline.name.clone(), run_id: "run-1".parse().expect("run"), attempt: 1 },
        request: RunRequest {
            pipeline: pipeline.name.clone(),
            spec: None,
            landing: None,
            action: RunAction::Ingest,
            engine: None,
            objects: None,
        },
        planned_at: "2026-01-05T09:00:00Z".parse().expect("time"),
        status: PlanStatus::Planned,
        engine: EngineChoice { engine: Engine::Emr, reason: "asked for".to_owned() },
        estimate: None,
        tables: tables.collect(),
        refresh: pipeline.gold.iter().map(|gold| gold.table.clone()).collect(),
        pipeline,
        objects,
        cuts: Default::default(),
        held: Vec::new(),
        held_by_run: Default::default(),
        held_columns: Default::default(),
        passed_by: Default::default(),
        earlier: Default::default(),
    }
}

const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// The script of the example pipeline, for people to read. `SLUICE_UPDATE_EXPECTED=1` writes it again.
#[test]
fn the_script_of_the_example_is_as_reviewed() {
    let files = ["s3://lake/landing/retail/2026-01-04.csv", "s3://lake/landing/retail/2026-01-05 b.csv.gz"];
    let mut plan = plan(retail(), &files, &COLUMNS);
    for planned in &mut plan.objects {
        let packed = planned.object.uri.as_str().ends_with(".gz");
        planned.shape.as_mut().expect("shape").codec = if packed { Codec::Gzip } else { Codec::Plain };
    }
    let silver = plan.pipeline.silver[0].table.clone();
    for table in &mut plan.tables {
        if table.table == silver {
            table.read_version = Some(7);
            table.columns = crate::columns::silver_columns(&plan.pipeline.silver[0]);
        }
    }
    let written = script(&"s3://lake/prod".parse().expect("lake"), plan.work()).expect("script").text;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/spark/retail.sql");
    if std::env::var_os("SLUICE_UPDATE_EXPECTED").is_some() {
        std::fs::write(path, &written).expect("write");
    }
    let expected = std::fs::read_to_string(path).expect(path);
    assert!(written == expected, "the script has changed: set SLUICE_UPDATE_EXPECTED=1 and review the difference");
}

#[test]
fn what_spark_would_read_otherwise_is_refused_by_name() {
    let check = |file: &str, codec: Codec, expected: &str| {
        let mut plan = plan(retail(), &[file], &COLUMNS);
        plan.objects[0].shape.as_mut().expect("shape").codec = codec;
        let refused = script(&"s3://lake".parse().expect("lake"), plan.work()).err().map(|error| error.to_string());
        assert!(refused.clone().unwrap_or_default().contains(expected), "{file}: {refused:?}");
        assert_eq!(refused.is_none(), expected.is_empty(), "{file}: {refused:?}");
    };
    check("s3://b/a.csv", Codec::Plain, "");
    check("s3://b/a.csv.gz", Codec::Gzip, "");
    check("s3://b/a.csv.zst", Codec::Zstd, "");
    check("s3://b/a.csv", Codec::Gzip, "'s3://b/a.csv' is not executed on Spark: Spark decides by the name");
    check("s3://b/a.csv.gz", Codec::Plain, "how a file is packed");
    check("s3://b/a.csv.bz2", Codec::Plain, "Spark unpacks it by its name");
    check("s3://b/_a.csv", Codec::Plain, "whose names begin with _ or .");
    check("s3://b/.a.csv", Codec::Plain, "whose names begin with _ or .");
    let mut unseen = plan(retail(), &["s3://b/a.csv"], &COLUMNS);
    unseen.objects[0].shape = None;
    let error = script(&"s3://lake".parse().expect("lake"), unseen.work()).expect_err("no shape");
    assert!(error.to_string().contains("its columns are not in the plan"), "{error}");
    let mut replay = plan(retail(), &[], &COLUMNS);
    replay.request.action = RunAction::Replay;
    assert!(
        script(&"s3://lake".parse().expect("lake"), replay.work())
            .expect_err("replay")
            .to_string()
            .contains("a replay")
    );
}

#[test]
fn paths_are_those_that_spark_shows() {
    let check = |uri: &str, shown: &str, glob: &str| {
        let object = object(uri);
        assert_eq!(source::spark_path(&object), shown);
        assert_eq!(source::glob(&[&object]), glob);
    };
    check("s3://b/landing/a.csv", "s3://b/landing/a.csv", "s3://b/landing/a.csv");
    check(
        "file:///l/d%C3%ADa%201+%25,%7Bx%7D.csv",
        "file:/l/día%201+%25,%7Bx%7D.csv",
        "file:///l/día 1+%\\,\\{x\\}.csv",
    );
    check("s3://b/a=b/%5Bc%5D.csv", "s3://b/a=b/%5Bc%5D.csv", "s3://b/a=b/\\[c\\].csv");
    let (a, b) = (object("s3://b/l/x/a.csv"), object("s3://b/l/y/a.csv"));
    assert_eq!(source::glob(&[&a, &b]), "s3://b/l/{x/a.csv,y/a.csv}");
}

/// Each object in the script has its time, or null where the plan does not know it; rows that an older version wrote to
/// bronze have none.
#[test]
fn rows_carry_the_time_of_their_object() {
    let mut plan = plan(retail(), &["s3://b/9.csv", "s3://b/10.csv", "s3://b/old.csv"], &COLUMNS);
    plan.objects[1].object.modified_at = None;
    plan.objects[2].read_from = ReadFrom::Bronze;
    let bronze = plan.pipeline.bronze.clone();
    for table in plan.tables.iter_mut().filter(|table| table.table == bronze) {
        table.read_version = Some(3);
        table.columns = crate::columns::bronze_columns(COLUMNS.map(str::to_owned));
        table.columns.retain(|column| column.name != crate::columns::SOURCE_MODIFIED_AT);
    }
    let script = script(&"s3://lake".parse().expect("lake"), plan.work()).expect("script").text;
    let micros = 1_767_600_000_500_000_i64;
    assert!(script.contains(&format!("'s3://b/9.csv', 'e-12', timestamp_micros({micros}L), 1, ")), "{script}");
    assert!(script.contains("'s3://b/10.csv', 'e-13', CAST(NULL AS TIMESTAMP), 1, "), "{script}");
    for selected in [", b.`_source_modified_at`", ", CAST(NULL AS TIMESTAMP) AS `_source_modified_at`"] {
        assert!(script.contains(selected), "{selected}: {script}");
    }
    let newer = "ORDER BY `invoice_ts` DESC NULLS LAST, `_source_modified_at` DESC NULLS LAST, `_source_file` DESC";
    assert!(script.contains(newer), "{script}");
}

#[test]
fn a_run_without_objects_computes_gold_from_the_tables() {
    let mut plan = plan(retail(), &[], &COLUMNS);
    let silver = plan.pipeline.silver[0].table.clone();
    for table in &mut plan.tables {
        if table.table == silver {
            table.read_version = Some(3);
            table.columns = crate::columns::silver_columns(&plan.pipeline.silver[0]);
        }
    }
    let script = script(&"s3://lake".parse().expect("lake"), plan.work()).expect("script").text;
    assert!(script.contains("delta.`s3://lake/silver/sales/transactions` VERSION AS OF 3"), "{script}");
    assert!(!script.contains("stage_bronze") && !script.contains("stage_silver"), "{script}");
    assert!(script.contains("INSERT OVERWRITE TABLE `stage_gold_daily_revenue`"), "{script}");
}
