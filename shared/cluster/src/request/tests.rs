use serde_json::json;

use super::*;
use crate::settings::SettingsText;
use crate::tests::{LAKE, required, run, settings};

#[test]
fn a_cluster_is_asked_for_in_full() {
    let request = cluster_request(&settings(), &LAKE.parse().unwrap(), &run(2));
    let fleet_type = |instance_type: &str, weight_units: u32, spot_price_percent: Option<u32>| json!({"instance_type": instance_type, "weight_units": weight_units, "spot_price_percent": spot_price_percent});
    let worker_types = ["r6g.2xlarge", "r7g.2xlarge", "m6g.2xlarge", "m7g.2xlarge"];
    let core_types = worker_types.map(|name| fleet_type(name, 8, None));
    let task_types = worker_types.map(|name| fleet_type(name, 8, Some(100)));
    let primary_types = ["m6g.xlarge", "m7g.xlarge"].map(|name| fleet_type(name, 1, None));
    let how = json!({
        "timeout_minutes": 10, "timeout_action": "SWITCH_TO_ON_DEMAND", "allocation_strategy": "price-capacity-optimized",
    });
    let expected = json!({
        "name": "sluice/retail/day1/2",
        "release": "emr-7.13.0",
        "log_uri": "s3://logs/emr/",
        "applications": ["Spark"],
        "configurations": [
            {"classification": "delta-defaults", "properties": {"delta.enabled": "true"}},
            {"classification": "spark-defaults", "properties": {
                "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
                "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
                "spark.dynamicAllocation.enabled": "true",
                "spark.decommission.enabled": "true",
                "spark.storage.decommission.shuffleBlocks.enabled": "true",
            }},
            {"classification": "yarn-site", "properties": {
                "yarn.node-labels.enabled": "true",
                "yarn.node-labels.am.default-node-label-expression": "CORE",
            }},
        ],
        "service_role": "sluice-emr-service",
        "instance_profile": "sluice-emr-instance",
        "security_configuration": "sluice",
        "subnets": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "security_groups": null,
        "fleets": [
            {"role": "primary", "on_demand_units": 1, "spot_units": 0, "on_demand_strategy": "lowest-price", "spot": null,
             "types": primary_types},
            {"role": "core", "on_demand_units": 8, "spot_units": 0, "on_demand_strategy": "lowest-price", "spot": null,
             "types": core_types},
            {"role": "task", "on_demand_units": 0, "spot_units": 8, "on_demand_strategy": "lowest-price", "spot": how,
             "types": task_types},
        ],
        "scaling": {"min_units": 16, "max_units": 128, "max_core_units": 8, "max_on_demand_units": 16},
        "idle_timeout_seconds": 600,
        "step_concurrency": 1,
        "keep_alive": true,
        "termination_protected": false,
        "visible_to_all_users": true,
        "tags": {
            "for-use-with-amazon-emr-managed-policies": "true",
            "sluice:attempt": "2",
            "sluice:lake": "s3://lake/prod/",
            "sluice:pipeline": "retail",
            "sluice:run": "day1",
        },
    });
    // The session settings are Spark's part; those present must be these, and more may come.
    let mut found = serde_json::to_value(&request).unwrap();
    let properties = found.pointer_mut("/configurations/1/properties").unwrap().as_object_mut().unwrap();
    properties.retain(|key, _| expected.pointer("/configurations/1/properties").unwrap().get(key).is_some());
    assert_eq!(found, expected);
}

#[test]
fn every_setting_is_in_the_request() {
    let settings = ClusterSettings::parse(&SettingsText {
        release: Some("emr-7.9.0"),
        primary_types: Some("m7g.large"),
        worker_types: Some("r7g.4xlarge"),
        core_units: Some("32"),
        min_units: Some("48"),
        max_units: Some("480"),
        idle_timeout_seconds: Some("60"),
        step_concurrency: Some("3"),
        tags: Some("team=data"),
        security_groups: Some("sg-0a1b2c3d,sg-4e5f6a7b,sg-8c9d0e1f"),
        ..required()
    });
    let request = cluster_request(&settings.unwrap(), &LAKE.parse().unwrap(), &run(1));
    assert_eq!(
        (request.release.as_str(), request.idle_timeout_seconds, request.step_concurrency),
        ("emr-7.9.0", 60, 3)
    );
    let fleets: Vec<_> = request
        .fleets
        .iter()
        .map(|fleet| (fleet.on_demand_units, fleet.spot_units, fleet.types[0].instance_type.as_str()))
        .collect();
    assert_eq!(fleets, [(1, 0, "m7g.large"), (32, 0, "r7g.4xlarge"), (0, 16, "r7g.4xlarge")]);
    let weights: Vec<u32> = request.fleets.iter().map(|fleet| fleet.types[0].weight_units).collect();
    assert_eq!(weights, [1, 16, 16]);
    let scaling = Scaling { min_units: 48, max_units: 480, max_core_units: 32, max_on_demand_units: 48 };
    assert_eq!(request.scaling, scaling);
    assert_eq!(request.tags["team"], "data");
    assert_eq!(request.security_groups.unwrap().core, "sg-4e5f6a7b");
}

#[test]
fn a_step_runs_the_script_as_the_role() {
    let role = "arn:aws:iam::123456789012:role/etl".parse().unwrap();
    let check = |lake: &str, expected: &str| {
        let request = step_request(&lake.parse().unwrap(), &run(3), Some(&role));
        assert_eq!((request.name.as_str(), request.jar), ("sluice-etl/day1/3", "command-runner.jar"));
        assert_eq!(request.action_on_failure, "CONTINUE");
        assert_eq!(request.role.as_deref(), Some("arn:aws:iam::123456789012:role/etl"));
        let [program, settings @ .., flag, script] = request.arguments.as_slice() else { panic!("{request:?}") };
        assert_eq!((program.as_str(), flag.as_str(), script.as_str()), ("spark-sql", "-f", expected));
        let given: Vec<(String, String)> = settings
            .chunks(2)
            .map(|pair| {
                assert_eq!(pair[0], "--conf");
                let (key, value) = pair[1].split_once('=').unwrap();
                (key.to_owned(), value.to_owned())
            })
            .collect();
        let expected: Vec<_> = SESSION_SETTINGS.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(given, expected);
    };
    check("s3://lake/prod/", "s3://lake/prod/runs/retail/day1/etl-3.sql");
    check("s3://lake/a%20b/", "s3://lake/a b/runs/retail/day1/etl-3.sql");
    check("file:///srv/lake/", "file:///srv/lake/runs/retail/day1/etl-3.sql");
    assert_eq!(step_request(&LAKE.parse().unwrap(), &run(1), None).role, None);
}

#[test]
fn names_say_which_attempt() {
    for attempt in [1, 8] {
        assert_eq!(attempt_of_name(&cluster_name(&run(attempt))), Some(run(attempt)));
    }
    for name in [
        "",
        "sluice/",
        "sluice/retail/day1",
        "sluice/retail/day1/x",
        "sluice/retail/day1/1/2",
        "other/retail/day1/1",
        "sluice/Re tail/day1/1",
    ] {
        assert_eq!(attempt_of_name(name), None, "{name}");
    }
    let longest =
        RunRef { pipeline: "p".repeat(48).parse().unwrap(), run_id: "r".repeat(80).parse().unwrap(), attempt: 8 };
    assert!(cluster_name(&longest).len() <= 146);
}

#[test]
fn tags_hold_any_lake() {
    let check = |lake: &str, expected: &str| {
        let tags = identity_tags(&lake.parse().unwrap(), &run(1));
        assert_eq!(tags["sluice:lake"], expected);
    };
    check("s3://lake", "s3://lake/");
    check("s3://lake/a%20b&c", "s3://lake/a_20b_c/");
    check(&format!("s3://lake/{}", "x".repeat(300)), &format!("{}/", "x".repeat(255)));
}
