use std::collections::{BTreeMap, BTreeSet};

use sluice_core::engine::Engine;
use sluice_core::pipeline::{Pipeline, SilverTable, Versioned, WriteMode};
use sluice_core::run::{
    AuditedRows, EngineChoice, Plan, PlanStatus, PlannedObject, PlannedTable, Positions, ReadFrom, RunRef, RunRequest,
};
use sluice_core::source::SourceObject;
use sluice_core::spec::PipelineSpec;

use super::*;

fn retail() -> Pipeline {
    let read = |path: &str| std::fs::read_to_string(format!("../../pipelines/retail/{path}")).expect(path);
    let spec = PipelineSpec::parse(&read("pipeline.yaml"), "pipeline.yaml").expect("spec");
    let contracts: BTreeMap<_, _> =
        spec.contract_paths().into_iter().map(|path| (path.clone(), read(path.as_str()))).collect();
    resolve(&spec, &contracts).expect("pipeline")
}

fn object(uri: &str) -> SourceObject {
    let modified_at = "2026-01-05T08:00:00.5Z".parse().ok();
    SourceObject { uri: uri.parse().expect(uri), etag: "e".to_owned(), size_bytes: 1, modified_at }
}

fn plan(pipeline: Pipeline, files: &[&str]) -> Plan {
    let objects: Vec<PlannedObject> = files
        .iter()
        .map(|file| PlannedObject {
            object: object(file),
            source: None,
            read_from: ReadFrom::Landing,
            again: false,
            shape: None,
            positions: Positions::Numbers,
        })
        .collect();
    let ids: BTreeSet<_> = objects.iter().map(|planned| planned.object.id()).collect();
    let tables = pipeline.tables().into_iter().map(|table| PlannedTable {
        sources: if table.layer() == sluice_core::name::Layer::Gold { BTreeSet::new() } else { ids.clone() },
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
        waiting: BTreeMap::new(),
        pipeline,
        objects,
        cuts: Default::default(),
        held: Vec::new(),
        held_by_run: Default::default(),
        held_columns: Default::default(),
        other_held_columns: Default::default(),
        passed_by: Default::default(),
        earlier: Default::default(),
    }
}

/// A staged file with some rows.
fn file(path: &str, rows: u64) -> RowsFile {
    RowsFile { path: path.to_owned(), rows }
}

/// The script of a plan of which the same files were read for every silver table.
fn script_of(lake: &str, plan: &Plan, accepted: &[RowsFile]) -> Result<String, SparkError> {
    let of = |table: &SilverTable| TableFiles {
        table: table.table.clone(),
        accepted_files: accepted.to_vec(),
        delete_files: Vec::new(),
        stored_delete_files: Vec::new(),
        audited: None,
    };
    let read = ReadFiles { tables: plan.pipeline.silver.iter().map(of).collect() };
    script(&lake.parse().expect("lake"), plan.work(), &read).map(|script| script.text)
}

/// The plan, made when the silver table was at this version.
fn with_silver_at(mut plan: Plan, version: u64) -> Plan {
    let silver = plan.pipeline.silver[0].table.clone();
    for table in plan.tables.iter_mut().filter(|table| table.table == silver) {
        table.read_version = Some(version);
        table.columns = sluice_core::columns::silver_columns(&plan.pipeline.silver[0]);
    }
    plan
}

/// The script of the example pipeline, for people to read. `SLUICE_UPDATE_EXPECTED=1` writes it again.
#[test]
fn the_script_of_the_example_is_as_reviewed() {
    let plan = with_silver_at(plan(retail(), &["s3://lake/landing/retail/2026-01-04.csv"]), 7);
    let written = script_of("s3://lake/prod", &plan, &[file("a.parquet", 3), file("b.parquet", 2)]).expect("script");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/retail.sql");
    if std::env::var_os("SLUICE_UPDATE_EXPECTED").is_some() {
        std::fs::write(path, &written).expect("write");
    }
    let expected = std::fs::read_to_string(path).expect(path);
    assert!(written == expected, "the script has changed: set SLUICE_UPDATE_EXPECTED=1 and review the difference");
}

#[test]
fn a_replay_is_refused_by_name() {
    let mut replay = plan(retail(), &[]);
    replay.request.action = RunAction::Replay;
    let refused = script_of("s3://lake", &replay, &[]).expect_err("replay").to_string();
    assert!(refused.contains("a replay"), "{refused}");
}

#[test]
fn the_newer_row_of_a_key_wins_as_on_the_other_engine() {
    let plan = plan(retail(), &["s3://b/9.csv"]);
    let script = script_of("s3://lake", &plan, &[file("a.parquet", 3)]).expect("script");
    let newer = "ORDER BY `invoice_ts` DESC NULLS LAST, `_source_modified_at` DESC NULLS LAST, `_source_file` DESC";
    assert!(script.contains(newer), "{script}");
    let typed = "path 's3://lake/parts/retail/run-1/1/sales.transactions/a.parquet'";
    assert!(script.contains(typed), "{script}");
}

#[test]
fn rows_that_meet_no_others_are_staged_by_reading_alone() {
    let mut pipeline = retail();
    pipeline.silver[0].mode = WriteMode::Append;
    let plan = plan(pipeline, &["s3://b/9.csv"]);
    let script = script_of("s3://lake", &plan, &[file("a.parquet", 3)]).expect("script");
    assert!(script.contains("path 's3://lake/silver/sales/transactions/a.parquet'"), "{script}");
    assert!(!script.contains("INSERT OVERWRITE TABLE `stage_silver"), "{script}");
    assert!(script.contains("INSERT OVERWRITE TABLE `stage_gold_daily_revenue`"), "{script}");
}

#[test]
fn delete_events_compete_with_rows_and_are_not_staged() {
    let script = |mode: Option<WriteMode>, deletes: bool, version: Option<u64>| {
        let mut pipeline = retail();
        let silver = &mut pipeline.silver[0];
        silver.delete_when = deletes.then(|| "quantity = 0".parse().expect("condition"));
        silver.mode = mode.unwrap_or_else(|| silver.mode.clone());
        let events = silver.deletes().map(|(table, _)| table);
        let mut plan = plan(pipeline, &["s3://b/9.csv"]);
        for table in plan.tables.iter_mut().filter(|table| Some(&table.table) == events.as_ref()) {
            table.read_version = version;
        }
        let plan = with_silver_at(plan, 3);
        let files = |table: &SilverTable| TableFiles {
            table: table.table.clone(),
            accepted_files: vec![file("a.parquet", 3)],
            delete_files: if deletes { vec![file("d.parquet", 2)] } else { Vec::new() },
            stored_delete_files: Vec::new(),
            audited: None,
        };
        let read = ReadFiles { tables: plan.pipeline.silver.iter().map(files).collect() };
        script(&"s3://lake".parse().expect("lake"), plan.work(), &read).expect("script").text
    };
    assert!(!script(None, false, None).contains("_is_delete"));
    let by = match &retail().silver[0].mode {
        WriteMode::Merge(by) | WriteMode::Scd2(by) => by.clone(),
        other => panic!("{other:?}"),
    };
    let check = |mode: WriteMode, version: Option<u64>, kept: &str| {
        let script = script(Some(mode), true, version);
        let parts = [
            "path 's3://lake/deletes/sales/transactions/d.parquet'",
            "UNION ALL\nSELECT `invoice_no`",
            "FROM deletes_1;",
            "TRUE AS _is_delete FROM deletes_1 AS d",
            "LEFT SEMI JOIN keys_1 AS g ON ",
            kept,
        ];
        for part in parts {
            assert!(script.contains(part), "{part}: {script}");
        }
        let stored = "lake/deletes/sales/transactions` VERSION AS OF 5) AS d\nLEFT SEMI JOIN keys_1 AS k ON ";
        assert_eq!(script.contains(stored), version.is_some(), "{script}");
    };
    let tracked = Versioned { track: vec!["description".parse().expect("name")], ..by.clone() };
    let by_file = Versioned { latest_by: None, ..tracked.clone() };
    for version in [None, Some(5)] {
        check(WriteMode::Merge(by.clone()), version, ") WHERE _place = 1 AND NOT _is_delete\n");
        check(WriteMode::Scd2(by.clone()), version, ") WHERE NOT _is_delete;\n");
        for by in [&tracked, &by_file] {
            // An event after a delete event is a version, whatever its values.
            let after = " AND NOT _is_delete AND NOT lag(_is_delete, 1, TRUE) OVER (PARTITION BY ";
            check(WriteMode::Scd2(by.clone()), version, after);
            check(WriteMode::Scd2(by.clone()), version, ", FALSE AS _is_delete FROM (\n  SELECT *, explode(");
        }
    }
    // Without `latest_by`, the time of an event is in its lineage.
    let script = script(Some(WriteMode::Merge(by_file)), true, Some(5));
    assert!(script.contains("d.`_source_modified_at`, d.`_source_row`"), "{script}");
    assert!(script.contains("CAST(NULL AS TIMESTAMP) AS `invoice_ts`"), "{script}");
}

#[test]
fn row_rules_that_parts_have_counted_are_left_out() {
    let check = |mode: Option<WriteMode>, audited: bool, expected: bool| {
        let mut pipeline = retail();
        if let Some(mode) = mode {
            pipeline.silver[0].mode = mode;
        }
        let plan = plan(pipeline, &["s3://b/9.csv"]);
        let table = plan.pipeline.silver[0].table.clone();
        let counted = AuditedRows { rows: 3, broken: Default::default() };
        let accepted_files = vec![file("a.parquet", 3)];
        let files = TableFiles {
            table: table.clone(),
            accepted_files,
            delete_files: Vec::new(),
            stored_delete_files: Vec::new(),
            audited: audited.then_some(counted),
        };
        let read = ReadFiles { tables: vec![files] };
        let script = script(&"s3://lake".parse().expect("lake"), plan.work(), &read).expect("script").text;
        assert_eq!(script.contains("'row_rule', 'customer_id_present'"), expected, "{script}");
        let others = ["'dataset_rule' AS metric, 'primary_key' AS rule", "'row_rule', 'gross_revenue.required'"];
        assert!(others.iter().all(|line| script.contains(line)), "{script}");
        assert!(script.contains(&format!("SELECT '{table}' AS table, stack(")), "{script}");
        assert_eq!(script.matches("'staged_rows'").count(), 1 + plan.pipeline.gold.len(), "{script}");
    };
    check(Some(WriteMode::Append), false, true);
    check(Some(WriteMode::Append), true, false);
    check(Some(WriteMode::Replace), true, false);
    // Rows that are merged are other rows than those of the parts.
    check(None, true, true);
}

#[test]
fn a_table_of_which_nothing_is_known_to_be_read_is_refused_by_name() {
    let plan = plan(retail(), &["s3://b/9.csv"]);
    let refused = script(&"s3://lake".parse().expect("lake"), plan.work(), &ReadFiles { tables: Vec::new() });
    let refused = refused.expect_err("nothing read").to_string();
    assert!(refused.contains("`silver/sales/transactions`"), "{refused}");
}

#[test]
fn a_snapshot_replaces_the_table_unless_it_brings_nothing() {
    let check = |sources: bool, expected: bool| {
        let mut pipeline = retail();
        pipeline.silver[0].mode = WriteMode::Replace;
        let mut plan = with_silver_at(plan(pipeline, &["s3://b/9.csv"]), 4);
        let silver = plan.pipeline.silver[0].table.clone();
        for table in plan.tables.iter_mut().filter(|table| table.table == silver && !sources) {
            table.superseded = std::mem::take(&mut table.sources);
        }
        let files = if sources { vec![file("a.parquet", 3)] } else { Vec::new() };
        let script = script_of("s3://lake", &plan, &files).expect("script");
        assert_eq!(script.contains("VERSION AS OF 4"), expected, "{script}");
    };
    check(true, false);
    check(false, true);
}

#[test]
fn a_run_without_objects_computes_gold_from_the_tables() {
    let plan = with_silver_at(plan(retail(), &[]), 3);
    let script = script_of("s3://lake", &plan, &[]).expect("script");
    assert!(script.contains("delta.`s3://lake/silver/sales/transactions` VERSION AS OF 3"), "{script}");
    assert!(!script.contains("stage_silver"), "{script}");
    assert!(script.contains("INSERT OVERWRITE TABLE `stage_gold_daily_revenue`"), "{script}");
}
