use std::collections::{BTreeMap, BTreeSet};

use sluice_core::engine::{Engine, EngineChoice};
use sluice_core::error::ErrorName;
use sluice_core::run::{
    ChangeKind, Plan, PlanStatus, PlannedTable, ReadRun, ReadTable, RowCounts, RunAction, RunRequest, StagedFile,
    TableChange,
};
use sluice_core::spec::PipelineSpec;
use sluice_core::uri::layout;

use super::emr::Fate;
use super::{Bed, LAKE, at, bed, run, settings};
use crate::documents;
use crate::error::ClusterError;
use crate::etl::{Etl, EtlStatus, ensure, wait_seconds};
use crate::ports::{ClusterId, ClusterState, StepFailure, StepId, StepState};
use crate::request::{cluster_request, step_name};

/// A bed with the cluster `j-1` of the attempt, and the attempt's script.
async fn ready() -> Bed {
    let bed = bed();
    bed.emr.put(&cluster_request(&settings(), &LAKE.parse().unwrap(), &run(1)), at(0));
    bed.emr.set_state("j-1", ClusterState::Waiting);
    let _ = bed.documents.create_text(&layout::script(&run(1)), "SELECT 1;".to_owned()).await.unwrap();
    bed
}

impl Bed {
    async fn etl(&self, second: i64) -> Result<Etl, ClusterError> {
        self.etl_on("j-1", second).await
    }

    async fn etl_on(&self, cluster: &str, second: i64) -> Result<Etl, ClusterError> {
        let role = "arn:aws:iam::123456789012:role/etl".parse().unwrap();
        ensure(&self.documents, &self.emr, Some(&role), at(second), &run(1), &ClusterId::new(cluster)).await
    }

    fn submissions(&self) -> usize {
        self.emr.calls("add_step").len()
    }
}

/// The plan of an attempt that brings nothing to the tables.
fn plan() -> Plan {
    let read = |path: &str| std::fs::read_to_string(format!("../../pipelines/retail/{path}")).unwrap();
    let spec = PipelineSpec::parse(&read("pipeline.yaml"), "pipeline.yaml").unwrap();
    let contracts: BTreeMap<_, _> =
        spec.contract_paths().into_iter().map(|path| (path.clone(), read(path.as_str()))).collect();
    let pipeline = sluice_spark::resolve(&spec, &contracts).unwrap();
    Plan {
        run: run(1),
        request: RunRequest {
            pipeline: pipeline.name.clone(),
            spec: None,
            landing: None,
            action: RunAction::Ingest,
            engine: None,
            objects: None,
        },
        planned_at: at(0),
        status: PlanStatus::Planned,
        engine: EngineChoice { engine: Engine::Emr, reason: "this test".to_owned() },
        estimate: None,
        pipeline,
        objects: Vec::new(),
        cuts: Default::default(),
        tables: Vec::new(),
        refresh: BTreeSet::new(),
        waiting: BTreeMap::new(),
        held: Vec::new(),
        held_by_run: Default::default(),
        held_columns: BTreeSet::new(),
        other_held_columns: BTreeMap::new(),
        passed_by: Default::default(),
        earlier: Default::default(),
    }
}

/// That a plan brings one object to its silver table, and that process has read it into this file.
fn with_rows_read(mut plan: Plan, file: &str) -> (Plan, ReadRun) {
    let silver = plan.pipeline.silver[0].table.clone();
    let sources = BTreeSet::from(["76c5756152cfb570dac2303da4c0733c".parse().unwrap()]);
    let (superseded, columns) = (BTreeSet::new(), Vec::new());
    plan.tables = vec![PlannedTable { table: silver.clone(), read_version: None, sources, superseded, columns }];
    let file = StagedFile {
        path: file.to_owned(),
        size_bytes: 1,
        rows: 3,
        partition_values: BTreeMap::new(),
        stats: "{}".to_owned(),
    };
    let table = ReadTable {
        table: silver,
        accepted_files: vec![file],
        quarantine_files: Vec::new(),
        delete_files: Vec::new(),
        stored_delete_files: Vec::new(),
        source: 3,
        quarantined: 0,
        accepted: 3,
        broken_rules: BTreeMap::new(),
        audited: None,
        paths_met: BTreeMap::new(),
    };
    let bronze = TableChange {
        table: plan.pipeline.source.bronze.clone(),
        read_version: None,
        kind: ChangeKind::Append,
        columns: Vec::new(),
        partition_by: Vec::new(),
        adds: Vec::new(),
        removes: Vec::new(),
        sources: BTreeSet::new(),
        inputs: BTreeSet::new(),
        rows: RowCounts::default(),
        table_rows: 0,
        broken_rules: BTreeMap::new(),
        schema_changes: Vec::new(),
        audited: None,
    };
    let read = ReadRun {
        run: run(1),
        read_at: at(0),
        bronze,
        other_bronze: Vec::new(),
        tables: vec![table],
        missing_keys: BTreeSet::new(),
        engine: None,
    };
    (plan, read)
}

fn etl(step: Option<&str>, status: EtlStatus) -> Etl {
    Etl { step_id: step.map(StepId::new), status }
}

fn failure() -> StepFailure {
    StepFailure {
        reason: Some("Unknown Error.".to_owned()),
        message: Some("DIVIDE_BY_ZERO".to_owned()),
        log_file: Some("s3://logs/emr/j-1/steps/s-1/stderr.gz".to_owned()),
    }
}

#[tokio::test]
async fn the_first_call_submits_and_later_calls_poll() {
    let bed = ready().await;
    assert_eq!(bed.etl(0).await.unwrap(), etl(Some("s-1"), EtlStatus::Pending));
    let check = async |state: StepState, expected: EtlStatus| {
        bed.emr.set_step("j-1", "s-1", state, StepFailure::default());
        assert_eq!(bed.etl(1000).await.unwrap(), etl(Some("s-1"), expected));
    };
    check(StepState::Pending, EtlStatus::Pending).await;
    check(StepState::Running, EtlStatus::Running).await;
    check(StepState::Completed, EtlStatus::Completed).await;
    // Also when the cluster and the attempt are over.
    bed.emr.set_state("j-1", ClusterState::Terminated);
    documents::close(&bed.documents, at(2), &run(1)).await.unwrap();
    check(StepState::Completed, EtlStatus::Completed).await;
    let [submitted] = <[String; 1]>::try_from(bed.emr.calls("add_step")).unwrap();
    assert!(submitted.starts_with("j-1 spark-sql --conf spark.sql.extensions="), "{submitted}");
    assert!(submitted.ends_with(" -f s3://lake/prod/runs/retail/day1/etl-1.sql"), "{submitted}");
}

#[tokio::test]
async fn of_many_calls_at_once_one_submits() {
    let bed = ready().await;
    let calls = tokio::join!(bed.etl(0), bed.etl(0), bed.etl(1), bed.etl(0));
    for found in [calls.0, calls.1, calls.2, calls.3] {
        assert_eq!(found.unwrap().status, EtlStatus::Pending);
    }
    assert_eq!(bed.submissions(), 1);
}

#[tokio::test]
async fn lost_answers_add_no_second_step_and_lost_requests_are_repeated_in_time() {
    let bed = ready().await;
    bed.emr.order([Fate::LostAnswer]);
    assert_eq!(bed.etl(0).await.unwrap_err().name(), ErrorName::Unavailable);
    assert_eq!(bed.etl(2).await.unwrap(), etl(Some("s-1"), EtlStatus::Pending));
    assert_eq!(bed.etl(1000).await.unwrap(), etl(Some("s-1"), EtlStatus::Pending));
    assert_eq!(bed.submissions(), 1);

    let bed = ready().await;
    bed.emr.order([Fate::LostRequest; 3]);
    for second in [0, 180, 360] {
        assert_eq!(bed.etl(second).await.unwrap_err().name(), ErrorName::Unavailable);
        assert_eq!(bed.etl(second + 179).await.unwrap(), etl(None, EtlStatus::Pending));
    }
    let error = bed.etl(540).await.unwrap_err();
    assert_eq!((error.name(), bed.submissions()), (ErrorName::EtlFailed, 3), "{error}");
}

#[tokio::test]
async fn of_two_steps_the_younger_is_cancelled_and_nothing_is_done_before_both_ended() {
    let bed = ready().await;
    let name = step_name(&run(1));
    bed.emr.put_step("j-1", &name, StepState::Running);
    bed.emr.put_step("j-1", &name, StepState::Pending);
    assert_eq!(bed.etl(0).await.unwrap(), etl(Some("s-1"), EtlStatus::Running));
    assert_eq!(bed.emr.calls("cancel_step"), ["j-1 s-2"]);
    bed.emr.set_step("j-1", "s-1", StepState::Completed, StepFailure::default());
    assert_eq!(bed.etl(1).await.unwrap(), etl(Some("s-1"), EtlStatus::Completed));
    // One that began before it could be cancelled writes the same files again.
    bed.emr.set_step("j-1", "s-2", StepState::Running, StepFailure::default());
    assert_eq!(bed.etl(2).await.unwrap(), etl(Some("s-2"), EtlStatus::Running));
    bed.emr.set_step("j-1", "s-2", StepState::Completed, StepFailure::default());
    assert_eq!(bed.etl(3).await.unwrap().status, EtlStatus::Completed);
    assert_eq!(bed.submissions(), 0);
}

#[tokio::test]
async fn a_step_that_did_not_succeed_says_why() {
    let check = async |step: StepState, cluster: ClusterState, name: ErrorName, expected: &str| {
        let bed = ready().await;
        bed.etl(0).await.unwrap();
        bed.emr.set_step("j-1", "s-1", step, failure());
        bed.emr.set_state("j-1", cluster);
        bed.emr.set_reason("j-1", "INSTANCE_FAILURE: primary lost");
        let error = bed.etl(1).await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert_eq!(error.to_string(), expected);
        assert_eq!(bed.submissions(), 1);
    };
    let why = "Unknown Error.: DIVIDE_BY_ZERO (log: s3://logs/emr/j-1/steps/s-1/stderr.gz)";
    let failed = format!("step s-1 of cluster j-1 is FAILED: {why}");
    let cancelled = format!("step s-1 of cluster j-1 is CANCELLED: {why}");
    let lost = "cluster j-1 ('sluice/retail/day1/1') is TERMINATED_WITH_ERRORS: INSTANCE_FAILURE: primary lost";
    let gone = ClusterState::TerminatedWithErrors;
    check(StepState::Failed, ClusterState::Waiting, ErrorName::EtlFailed, &failed).await;
    check(StepState::Failed, gone, ErrorName::EtlFailed, &failed).await;
    check(StepState::Cancelled, ClusterState::Waiting, ErrorName::EtlFailed, &cancelled).await;
    check(StepState::Cancelled, gone, ErrorName::ClusterFailed, lost).await;
    check(StepState::Interrupted, gone, ErrorName::ClusterFailed, lost).await;
    check(StepState::Running, gone, ErrorName::ClusterFailed, lost).await;
    check(StepState::Pending, gone, ErrorName::ClusterFailed, lost).await;
}

#[tokio::test]
async fn nothing_is_submitted_where_it_does_not_belong() {
    let check = async |bed: &Bed, cluster: &str, name: ErrorName, expected: &str| {
        let error = bed.etl_on(cluster, 1).await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(bed.submissions(), 0);
    };
    let bed = ready().await;
    bed.emr.put(&cluster_request(&settings(), &"s3://lake/test/".parse().unwrap(), &run(1)), at(0));
    bed.emr.put(&cluster_request(&settings(), &LAKE.parse().unwrap(), &run(2)), at(0));
    for cluster in ["j-2", "j-3", "j-404"] {
        check(&bed, cluster, ErrorName::InvalidInput, "is not 'sluice/retail/day1/1' of lake 's3://lake/prod/'").await;
    }
    bed.emr.set_state("j-1", ClusterState::Terminating);
    check(&bed, "j-1", ErrorName::ClusterFailed, "is TERMINATING: EMR gives no reason").await;
    bed.emr.set_state("j-1", ClusterState::Waiting);
    documents::close(&bed.documents, at(0), &run(1)).await.unwrap();
    check(&bed, "j-1", ErrorName::ClusterFailed, "closed-1.json").await;

    let bed = ready().await;
    bed.documents.delete(&layout::script(&run(1))).await.unwrap();
    check(&bed, "j-1", ErrorName::NotFound, "plan 's3://lake/prod/runs/retail/day1/plan-1.json' does not exist").await;
    bed.documents.of(&run(1)).replace(&plan()).await.unwrap();
    check(&bed, "j-1", ErrorName::NotFound, "'s3://lake/prod/runs/retail/day1/read-1.json' does not exist").await;
}

#[tokio::test]
async fn the_script_is_written_from_the_plan_and_what_was_read() {
    let (bed, attempt) = (ready().await, run(1));
    let (plan, read) = with_rows_read(plan(), "typed.parquet");
    let script = layout::script(&attempt);
    bed.documents.delete(&script).await.unwrap();
    bed.documents.of(&attempt).replace(&plan).await.unwrap();
    bed.documents.of(&attempt).replace(&read).await.unwrap();
    assert_eq!(bed.etl(0).await.unwrap(), etl(Some("s-1"), EtlStatus::Pending));
    let written = bed.documents.read_text(&script).await.unwrap().unwrap();
    assert!(written.starts_with("-- Run day1 of pipeline retail, attempt 1."), "{written}");
    assert!(written.contains("parts/retail/day1/1/sales.transactions/typed.parquet"), "{written}");
}

#[test]
fn waits_double_up_to_two_minutes() {
    assert_eq!([0, 1, 2, 3, 4, 5, u32::MAX].map(wait_seconds), [10, 20, 40, 80, 120, 120, 120]);
}
