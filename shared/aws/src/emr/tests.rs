use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_cluster::ports::{ClusterState, StepState};
use sluice_cluster::request::{cluster_request, step_request};
use sluice_core::run::RunRef;

use super::*;
use crate::endpoint::{Endpoint, is_judged, silent};

const OK: &str = "200 OK";

fn run() -> RunRef {
    RunRef { pipeline: "retail".parse().expect("name"), run_id: "day1".parse().expect("id"), attempt: 1 }
}

fn lake() -> sluice_core::uri::FolderUri {
    "s3://lake/prod/".parse().expect("lake")
}

fn settings_env() -> Env {
    Env::of([
        (env::EMR_LOG_URI, "s3://logs/emr/"),
        (env::EMR_SUBNETS, "subnet-0a1b2c3d,subnet-4e5f6a7b"),
        (env::EMR_SERVICE_ROLE, "sluice-emr-service"),
        (env::EMR_INSTANCE_PROFILE, "sluice-emr-instance"),
        (env::EMR_SECURITY_CONFIGURATION, "sluice"),
        (env::EMR_PRIMARY_TYPES, "m6g.xlarge"),
        (env::EMR_WORKER_TYPES, "r6g.2xlarge"),
        (env::EMR_TAGS, "team=data"),
        (env::EMR_SECURITY_GROUPS, "sg-0a1b2c3d,sg-4e5f6a7b,sg-8c9d0e1f"),
    ])
}

/// What was called and with what, of the only request to this endpoint.
fn sent(endpoint: &Endpoint) -> (String, Value) {
    let [request] = <[String; 1]>::try_from(endpoint.requests()).expect("one request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: ElasticMapReduce."));
    (target.expect("a target").to_owned(), serde_json::from_str(body).expect("JSON"))
}

fn id() -> ClusterId {
    ClusterId::new("j-1")
}

#[tokio::test]
async fn a_launch_is_sent_in_full() {
    let endpoint = Endpoint::answering(OK, r#"{"JobFlowId": "j-1"}"#).await;
    let settings = settings(&settings_env()).expect("settings");
    let request = cluster_request(&settings, &lake(), &run());
    assert_eq!(Emr::new(&endpoint.config).launch(&request).await, Ok(id()));
    let (target, mut body) = sent(&endpoint);
    assert_eq!(target, "RunJobFlow");
    is_judged(&target, &body);
    // Their order has no meaning.
    let configurations = body["Configurations"].take();
    assert_eq!(configurations[0], json!({"Classification": "delta-defaults", "Properties": {"delta.enabled": "true"}}));
    assert_eq!(configurations[1]["Classification"], "spark-defaults");
    assert_eq!(configurations[1]["Properties"]["spark.dynamicAllocation.enabled"], "true");
    let yarn = json!({
        "yarn.node-labels.enabled": "true", "yarn.node-labels.am.default-node-label-expression": "CORE",
    });
    assert_eq!(configurations[2], json!({"Classification": "yarn-site", "Properties": yarn}));
    let on_demand = json!({"AllocationStrategy": "lowest-price"});
    let core = json!({
        "Name": "core", "InstanceFleetType": "CORE", "TargetOnDemandCapacity": 8, "TargetSpotCapacity": 0,
        "InstanceTypeConfigs": [{"InstanceType": "r6g.2xlarge", "WeightedCapacity": 8}],
        "LaunchSpecifications": {"OnDemandSpecification": on_demand},
    });
    let task_type =
        json!({"InstanceType": "r6g.2xlarge", "WeightedCapacity": 8, "BidPriceAsPercentageOfOnDemandPrice": 100.0});
    let task = json!({
        "Name": "task", "InstanceFleetType": "TASK", "TargetOnDemandCapacity": 0, "TargetSpotCapacity": 8,
        "InstanceTypeConfigs": [task_type],
        "LaunchSpecifications": {"OnDemandSpecification": on_demand, "SpotSpecification": {
            "TimeoutDurationMinutes": 10, "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            "AllocationStrategy": "price-capacity-optimized",
        }},
    });
    let primary = json!({
        "Name": "primary", "InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, "TargetSpotCapacity": 0,
        "InstanceTypeConfigs": [{"InstanceType": "m6g.xlarge", "WeightedCapacity": 1}],
        "LaunchSpecifications": {"OnDemandSpecification": on_demand},
    });
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let expected = json!({
        "Name": "sluice/retail/day1/1",
        "LogUri": "s3://logs/emr/",
        "ReleaseLabel": "emr-7.13.0",
        "Instances": {
            "InstanceFleets": [primary, core, task],
            "KeepJobFlowAliveWhenNoSteps": true,
            "TerminationProtected": false,
            "Ec2SubnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
            "EmrManagedMasterSecurityGroup": "sg-0a1b2c3d",
            "EmrManagedSlaveSecurityGroup": "sg-4e5f6a7b",
            "ServiceAccessSecurityGroup": "sg-8c9d0e1f",
        },
        "Applications": [{"Name": "Spark"}],
        "Configurations": null,
        "VisibleToAllUsers": true,
        "JobFlowRole": "sluice-emr-instance",
        "ServiceRole": "sluice-emr-service",
        "Tags": [
            tag("for-use-with-amazon-emr-managed-policies", "true"), tag("sluice:attempt", "1"),
            tag("sluice:lake", "s3://lake/prod/"), tag("sluice:pipeline", "retail"), tag("sluice:run", "day1"),
            tag("team", "data"),
        ],
        "SecurityConfiguration": "sluice",
        "StepConcurrencyLevel": 1,
        "ManagedScalingPolicy": {"ComputeLimits": {
            "UnitType": "InstanceFleetUnits", "MinimumCapacityUnits": 16, "MaximumCapacityUnits": 128,
            "MaximumOnDemandCapacityUnits": 16, "MaximumCoreCapacityUnits": 8,
        }},
        "AutoTerminationPolicy": {"IdleTimeout": 600},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_step_is_sent_in_full() {
    let endpoint = Endpoint::answering(OK, r#"{"StepIds": ["s-1"]}"#).await;
    let role = "arn:aws:iam::123456789012:role/etl".parse().expect("role");
    let request = step_request(&lake(), &run(), Some(&role));
    assert_eq!(Emr::new(&endpoint.config).add_step(&id(), &request).await, Ok(StepId::new("s-1")));
    let (target, body) = sent(&endpoint);
    assert_eq!(target, "AddJobFlowSteps");
    is_judged(&target, &body);
    let command = json!({"Jar": "command-runner.jar", "Args": request.arguments});
    let step = json!({"Name": "sluice-etl/day1/1", "ActionOnFailure": "CONTINUE", "HadoopJarStep": command});
    let expected =
        json!({"JobFlowId": "j-1", "Steps": [step], "ExecutionRoleArn": "arn:aws:iam::123456789012:role/etl"});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn clusters_are_listed_by_state_time_and_name() {
    let status = r#""Status": {"State": "WAITING", "Timeline": {"CreationDateTime": 1767592800.5}}"#;
    let answer: &'static str = format!(
        r#"{{"Clusters": [{{"Id": "j-1", "Name": "sluice/retail/day1/1", {status}}}, {{"Id": "j-2", "Name": "nightly", {status}}}]}}"#
    )
    .leak();
    let check = async |created_after: Option<i64>, include_ended: bool, expected: Value| {
        let endpoint = Endpoint::answering(OK, answer).await;
        let created_after = created_after.map(|second| Timestamp::from_second(second).expect("time"));
        let query = ClusterQuery { name_prefix: "sluice/".to_owned(), created_after, include_ended };
        let found = Emr::new(&endpoint.config).list(&query).await.expect("list");
        let created_at = Timestamp::from_millisecond(1_767_592_800_500).expect("time");
        let name = "sluice/retail/day1/1".to_owned();
        assert_eq!(found, [ClusterSummary { id: id(), name, state: ClusterState::Waiting, created_at }]);
        let (target, body) = sent(&endpoint);
        assert_eq!((target.as_str(), &body), ("ListClusters", &expected));
        body
    };
    let living = json!(["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]);
    check(None, false, json!({"ClusterStates": living})).await;
    check(Some(1_767_592_800), true, json!({"CreatedAfter": 1_767_592_800})).await;
    let both = json!({"CreatedAfter": 1_767_592_800, "ClusterStates": living});
    is_judged("ListClusters", &check(Some(1_767_592_800), false, both).await);
}

#[tokio::test]
async fn a_cluster_is_described_with_tags_and_reason() {
    let check = async |reason: &str, expected: Option<&str>| {
        let answer: &'static str = format!(
            r#"{{"Cluster": {{"Id": "j-1", "Name": "n", "Tags": [{{"Key": "sluice:run", "Value": "day1"}}],
                "Status": {{"State": "TERMINATED_WITH_ERRORS", "StateChangeReason": {reason}, "Timeline": {{"CreationDateTime": 0}}}}}}}}"#
        )
        .leak();
        let endpoint = Endpoint::answering(OK, answer).await;
        let cluster = Emr::new(&endpoint.config).describe(&id()).await.expect("answer").expect("cluster");
        assert_eq!(cluster.summary.state, ClusterState::TerminatedWithErrors);
        assert_eq!(cluster.tags.get("sluice:run").map(String::as_str), Some("day1"));
        assert_eq!(cluster.reason.as_deref(), expected);
        let (target, body) = sent(&endpoint);
        assert_eq!((target.as_str(), &body), ("DescribeCluster", &json!({"ClusterId": "j-1"})));
        is_judged(&target, &body);
    };
    check(r#"{"Code": "VALIDATION_ERROR", "Message": "no subnet"}"#, Some("VALIDATION_ERROR: no subnet")).await;
    check(r#"{"Code": "USER_REQUEST"}"#, Some("USER_REQUEST")).await;
    check("{}", None).await;
}

#[tokio::test]
async fn steps_say_how_they_failed() {
    let check = async |status: &str, expected: Step| {
        let answer: &'static str =
            format!(r#"{{"Steps": [{{"Id": "s-1", "Name": "sluice-etl/day1/1", "Status": {status}}}]}}"#).leak();
        let endpoint = Endpoint::answering(OK, answer).await;
        assert_eq!(Emr::new(&endpoint.config).steps(&id()).await.expect("steps"), [expected]);
        let (target, body) = sent(&endpoint);
        assert_eq!((target.as_str(), &body), ("ListSteps", &json!({"ClusterId": "j-1"})));
        is_judged(&target, &body);
    };
    let step = |state, reason: Option<&str>, message: Option<&str>, log_file: Option<&str>| Step {
        id: StepId::new("s-1"),
        name: "sluice-etl/day1/1".to_owned(),
        state,
        failure: sluice_cluster::ports::StepFailure {
            reason: reason.map(str::to_owned),
            message: message.map(str::to_owned),
            log_file: log_file.map(str::to_owned),
        },
    };
    check(r#"{"State": "COMPLETED"}"#, step(StepState::Completed, None, None, None)).await;
    check(
        r#"{"State": "FAILED", "StateChangeReason": {}, "FailureDetails": {"Reason": "Unknown Error.", "Message": "M", "LogFile": "s3://l"}}"#,
        step(StepState::Failed, Some("Unknown Error."), Some("M"), Some("s3://l")),
    )
    .await;
    check(
        r#"{"State": "CANCELLED", "StateChangeReason": {"Message": "cancelled by user"}}"#,
        step(StepState::Cancelled, Some("cancelled by user"), None, None),
    )
    .await;
}

#[tokio::test]
async fn terminations_and_cancellations_name_their_object() {
    let check = |endpoint: &Endpoint, operation: &str, parameters: Value| {
        let (target, body) = sent(endpoint);
        assert_eq!((target.as_str(), &body), (operation, &parameters));
        is_judged(&target, &body);
    };
    let endpoint = Endpoint::answering(OK, "{}").await;
    Emr::new(&endpoint.config).terminate(&id()).await.expect("terminated");
    check(&endpoint, "TerminateJobFlows", json!({"JobFlowIds": ["j-1"]}));
    let endpoint = Endpoint::answering(OK, "{}").await;
    Emr::new(&endpoint.config).cancel_step(&id(), &StepId::new("s-1")).await.expect("cancelled");
    check(&endpoint, "CancelSteps", json!({"ClusterId": "j-1", "StepIds": ["s-1"]}));
}

#[tokio::test]
async fn invalid_answers_are_reported() {
    let check = async |answer: &'static str, expected: &str| {
        let endpoint = Endpoint::answering(OK, answer).await;
        let fault = Emr::new(&endpoint.config).steps(&id()).await.expect_err(expected);
        assert!(matches!(&fault, ClusterFault::Unexpected { message, .. } if message.contains(expected)), "{fault:?}");
    };
    check(r#"{"Steps": [{}]}"#, "a step without id").await;
    check(r#"{"Steps": [{"Id": "s-1", "Name": "n"}]}"#, "step s-1 without status").await;
    check(r#"{"Steps": [{"Id": "s-1", "Name": "n", "Status": {"State": "HALTED"}}]}"#, "unknown state 'HALTED'").await;
}

/// Which fault it is, without its words.
fn kind(fault: &ClusterFault) -> &'static str {
    match fault {
        ClusterFault::Throttled { .. } => "throttled",
        ClusterFault::Unavailable { .. } => "unavailable",
        ClusterFault::Refused { .. } => "refused",
        ClusterFault::Denied { .. } => "denied",
        ClusterFault::Unexpected { .. } => "unexpected",
    }
}

#[tokio::test]
async fn faults_are_distinguished_and_launches_and_steps_are_sent_once() {
    let request = cluster_request(&settings(&settings_env()).expect("settings"), &lake(), &run());
    let step = step_request(&lake(), &run(), None);
    let check = async |status: &'static str, body: &'static str, expected: &str| {
        let endpoint = Endpoint::answering(status, body).await;
        let emr = Emr::new(&endpoint.config);
        let fault = emr.launch(&request).await.expect_err(expected);
        assert_eq!(kind(&fault), expected, "{status} {body}: {fault}");
        assert!(fault.to_string().contains("launch cluster 'sluice/retail/day1/1'"), "{fault}");
        assert_eq!(endpoint.requests().len(), 1);
        let fault = emr.add_step(&id(), &step).await.expect_err(expected);
        assert_eq!(kind(&fault), expected, "{status} {body}: {fault}");
        assert_eq!(endpoint.requests().len(), 2);
    };
    check("400 Bad Request", r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#, "throttled").await;
    check("500 Oops", r#"{"__type": "InternalServerException", "Message": "oops"}"#, "unavailable").await;
    check("503 Busy", "", "unavailable").await;
    let refused = r#"{"__type": "ValidationException", "message": "Instance profile x does not exist"}"#;
    check("400 Bad Request", refused, "refused").await;
    let refused = r#"{"__type": "InvalidRequestException", "Message": "Cluster is terminating"}"#;
    check("400 Bad Request", refused, "refused").await;
    check("400 Bad Request", r#"{"__type": "AccessDeniedException", "Message": "not authorized"}"#, "denied").await;
    check("400 Bad Request", r#"{"__type": "ExpiredTokenException", "message": "expired"}"#, "denied").await;
    check("400 Bad Request", r#"{"__type": "UnrecognizedClientException", "message": "invalid"}"#, "denied").await;
    check("400 Bad Request", r#"{"__type": "NewKindOfFault", "message": "why"}"#, "unexpected").await;
    let fault = Emr::new(&silent()).launch(&request).await.expect_err("nobody there");
    assert_eq!(kind(&fault), "unavailable", "{fault}");
}

#[tokio::test]
async fn reads_are_retried_and_an_unknown_cluster_is_not_found() {
    let endpoint = Endpoint::answering("500 Oops", r#"{"__type": "InternalServerException"}"#).await;
    let fault = Emr::new(&endpoint.config).describe(&id()).await.expect_err("a fault");
    assert_eq!((kind(&fault), endpoint.requests().len()), ("unavailable", 3));

    let unknown = r#"{"__type": "InvalidRequestException", "ErrorCode": "NoSuchCluster", "Message": "Cluster id 'j-1' is not valid."}"#;
    let endpoint = Endpoint::answering("400 Bad Request", unknown).await;
    assert_eq!(Emr::new(&endpoint.config).describe(&id()).await, Ok(None));
    let fault = Emr::new(&endpoint.config).terminate(&id()).await.expect_err("a fault");
    assert_eq!(kind(&fault), "refused");
    assert!(fault.to_string().contains("Cluster id 'j-1' is not valid."), "{fault}");
}

#[test]
fn settings_are_named_by_their_variables() {
    assert!(settings(&settings_env()).is_ok());
    let check = |variable: Variable, value: &str, expected: &str| {
        let error = settings(&Env::of([(variable, value)])).expect_err(expected);
        assert_eq!(error.name, ErrorName::InvalidInput);
        assert!(error.message.contains(expected), "{error}");
    };
    check(env::EMR_RELEASE, "emr-5.36.0", "environment variable SLUICE_EMR_RELEASE: 'emr-5.36.0' is no release");
    check(env::EMR_RELEASE, "emr-7.13.0", "environment variable SLUICE_EMR_LOG_URI: is not set");
    let arn = "arn:aws:iam::123456789012:role/etl";
    for (value, expected) in [("none", None), (arn, Some(arn))] {
        let role = step_role(&Env::of([(env::EMR_STEP_ROLE_ARN, value)])).expect("role");
        assert_eq!(role.as_ref().map(RoleArn::as_str), expected);
    }
    for env in [Env::default(), Env::of([(env::EMR_STEP_ROLE_ARN, "etl")])] {
        let error = step_role(&env).expect_err("a role");
        assert!(error.message.contains("SLUICE_EMR_STEP_ROLE_ARN"), "{error}");
    }
}

#[test]
fn every_setting_has_its_variable() {
    let text = format!("{:?}", SettingsText::default());
    let fields = text.trim_start_matches("SettingsText {").split(',').filter_map(|field| field.split_once(':'));
    let fields: Vec<&str> = fields.map(|(name, _)| name.trim()).collect();
    assert_eq!(fields.len(), 15);
    for field in fields {
        assert!(variable_of(field).is_some(), "{field}");
    }
}
