//! States of clusters, lists, refused requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_emr_local::{Delays, Options, ScriptedSteps};

use crate::client::{Client, QUICK, cluster, step};

fn reason(cluster: &Value) -> (&str, &str) {
    let reason = &cluster["Status"]["StateChangeReason"];
    (reason["Code"].as_str().unwrap_or_default(), reason["Message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_cluster_goes_through_the_states_of_emr() {
    let slow = Delays { starting_ms: 200, bootstrapping_ms: 200, terminating_ms: 200, ..QUICK };
    let client = Client::with(Options { delays: slow, ..Options::default() }, ScriptedSteps::completing()).await;
    let id = client.launch(json!({ "Tags": [{ "Key": "sluice:run", "Value": "r1" }] })).await;
    assert_eq!(client.until_cluster(&id, "WAITING").await, ["STARTING", "BOOTSTRAPPING", "WAITING"]);
    let ready = client.cluster(&id).await;
    assert_eq!(ready["Tags"], json!([{ "Key": "sluice:run", "Value": "r1" }]));
    assert!(
        ready["Status"]["Timeline"]["ReadyDateTime"].as_f64()
            > ready["Status"]["Timeline"]["CreationDateTime"].as_f64()
    );
    assert_eq!(client.emr.active_clusters(), 1);
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [id] })).await;
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [id] })).await;
    assert_eq!(client.until_cluster(&id, "TERMINATED").await, ["TERMINATING", "TERMINATED"]);
    assert_eq!(reason(&client.cluster(&id).await).0, "USER_REQUEST");
    assert_eq!(client.emr.active_clusters(), 0);
    // Terminating a terminated cluster is not an error.
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [id] })).await;
}

#[tokio::test]
async fn clusters_terminate_by_themselves_when_idle_or_done() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let no_idling = Delays { idle_second_ms: 3, ..QUICK };
    client.emr.set_delays(no_idling);
    let policy = json!({ "AutoTerminationPolicy": { "IdleTimeout": 60 } });
    let idle = client.launch(policy).await;
    let once = client.launch(json!({ "Instances": { "InstanceCount": 1 }, "Steps": [step(&["x"])] })).await;
    let staying = client.launch(json!({})).await;
    client.until_cluster(&once, "TERMINATED").await;
    assert_eq!(reason(&client.cluster(&once).await), ("ALL_STEPS_COMPLETED", "Steps completed"));
    let started = Instant::now();
    client.until_cluster(&idle, "TERMINATED").await;
    assert!(reason(&client.cluster(&idle).await).1.contains("idle for 60 seconds"));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(client.cluster(&staying).await["Status"]["State"], "WAITING");
}

#[tokio::test]
async fn a_working_cluster_is_not_idle() {
    let client = Client::start(ScriptedSteps::completing()).await;
    client.emr.set_delays(Delays { idle_second_ms: 5, ..QUICK });
    client.emr.add_fault(sluice_emr_local::Fault::once(sluice_emr_local::FaultKind::StepNeverEnds));
    let id = client.launch(json!({ "AutoTerminationPolicy": { "IdleTimeout": 60 }, "Steps": [step(&[])] })).await;
    client.until_cluster(&id, "RUNNING").await;
    // Twice the idle timeout of 60 × 5 ms.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(client.cluster(&id).await["Status"]["State"], "RUNNING");
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_in_pages() {
    let options = Options { delays: QUICK, page_size: 2, ..Options::default() };
    let client = Client::with(options, ScriptedSteps::completing()).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(client.launch(json!({ "Name": format!("c{number}") })).await);
    }
    for id in &ids {
        client.until_cluster(id, "WAITING").await;
    }
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [ids[1]] })).await;
    client.until_cluster(&ids[1], "TERMINATED").await;
    let names = async |request: Value| {
        let (mut names, mut request, mut pages) = (Vec::new(), request, 0);
        loop {
            let page = client.ok("ListClusters", request.clone()).await;
            let clusters = page["Clusters"].as_array().unwrap();
            names.extend(clusters.iter().map(|cluster| cluster["Name"].as_str().unwrap().to_owned()));
            pages += 1;
            match page.get("Marker") {
                Some(marker) => request["Marker"] = marker.clone(),
                None => return (names.join(" "), pages),
            }
        }
    };
    assert_eq!(names(json!({})).await, ("c4 c3 c2 c1 c0".to_owned(), 3));
    assert_eq!(names(json!({ "ClusterStates": ["WAITING"] })).await, ("c4 c3 c2 c0".to_owned(), 2));
    assert_eq!(names(json!({ "ClusterStates": ["STARTING"] })).await, (String::new(), 1));
    // Apart in time, so that a bound falls between two of them.
    for (number, id) in ids.iter().enumerate() {
        let age = json!({ "cluster_id": id, "seconds": 5000 - 1000 * number });
        assert_eq!(client.control("POST", "age", &age.to_string()).await.0, 200);
    }
    let second = client.cluster(&ids[1]).await["Status"]["Timeline"]["CreationDateTime"].as_f64().unwrap();
    assert_eq!(names(json!({ "CreatedAfter": second + 1.0 })).await.0, "c4 c3 c2");
    assert_eq!(names(json!({ "CreatedBefore": second + 1.0 })).await.0, "c1 c0");
    assert_eq!(names(json!({ "CreatedAfter": second - 1.0, "CreatedBefore": second + 1.0 })).await.0, "c1");
    let (_, kind, _) = client.refusal("ListClusters", json!({ "Marker": "nonsense" })).await;
    assert_eq!(kind, "InvalidRequestException");
}

#[tokio::test]
async fn a_new_cluster_may_be_missing_from_lists_for_a_while() {
    let delays = Delays { listing_ms: 700, ..QUICK };
    let client = Client::with(Options { delays, ..Options::default() }, ScriptedSteps::completing()).await;
    let id = client.launch(json!({})).await;
    let listed = async || client.ok("ListClusters", json!({})).await["Clusters"].as_array().unwrap().len();
    assert_eq!((listed().await, client.cluster(&id).await["Id"].as_str()), (0, Some(id.as_str())));
    tokio::time::sleep(Duration::from_millis(750)).await;
    assert_eq!(listed().await, 1);
}

#[tokio::test]
async fn tags_can_be_added_and_removed() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let id = client.launch(json!({})).await;
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]);
    client.ok("AddTags", json!({ "ResourceId": id, "Tags": tags })).await;
    client.ok("RemoveTags", json!({ "ResourceId": id, "TagKeys": ["a"] })).await;
    assert_eq!(client.cluster(&id).await["Tags"], json!([{ "Key": "b", "Value": "2" }]));
}

#[tokio::test]
async fn wrong_requests_are_refused_as_emr_refuses_them() {
    let client = Client::start(ScriptedSteps::completing()).await;
    let id = client.launch(json!({})).await;
    let gone = client.launch(json!({})).await;
    client.ok("TerminateJobFlows", json!({ "JobFlowIds": [gone] })).await;
    let protected = json!({ "Instances": { "InstanceCount": 1, "TerminationProtected": true } });
    let protected = client.launch(protected).await;
    let check = async |operation: &str, request: Value, kind: &str, words: &str| {
        let (status, found, text) = client.refusal(operation, request.clone()).await;
        assert_eq!((status, found.as_str()), (400, kind), "{operation} {request}: {text}");
        assert!(text.contains(words), "{operation} {request}: {text}");
    };
    let (validation, invalid) = ("ValidationException", "InvalidRequestException");
    check("RunJobFlow", cluster(json!({ "Name": "" })), validation, "Name").await;
    check("RunJobFlow", cluster(json!({ "ReleaseLabel": "7.13.0" })), validation, "release label is invalid: 7.13.0")
        .await;
    check("RunJobFlow", cluster(json!({ "ServiceRole": "" })), validation, "ServiceRole").await;
    check("RunJobFlow", cluster(json!({ "Instances": {} })), validation, "instance").await;
    check("RunJobFlow", cluster(json!({ "KeepAlive": true })), validation, "KeepAlive").await;
    check("RunJobFlow", cluster(json!({ "Instances": { "Keep": true } })), validation, "Instances.Keep").await;
    check("RunJobFlow", cluster(json!({ "StepConcurrencyLevel": 257 })), validation, "StepConcurrencyLevel").await;
    check("RunJobFlow", cluster(json!({ "AutoTerminationPolicy": { "IdleTimeout": 59 } })), validation, "IdleTimeout")
        .await;
    check("RunJobFlow", cluster(json!({ "Steps": [{ "Name": "x" }] })), validation, "HadoopJarStep").await;
    check("DescribeCluster", json!({ "ClusterId": "j-0" }), invalid, "Cluster id 'j-0' is not valid.").await;
    check("DescribeStep", json!({ "ClusterId": id, "StepId": "s-0" }), invalid, "Step id 's-0' is not valid.").await;
    check("ListSteps", json!({ "ClusterId": "j-0" }), invalid, "j-0").await;
    check("TerminateJobFlows", json!({ "JobFlowIds": ["j-0"] }), validation, "does not exist").await;
    check("TerminateJobFlows", json!({ "JobFlowIds": [protected] }), validation, "termination protected").await;
    check("AddJobFlowSteps", json!({ "JobFlowId": "j-0", "Steps": [] }), validation, "does not exist").await;
    check("AddJobFlowSteps", json!({ "JobFlowId": gone, "Steps": [] }), validation, "may not be modified").await;
    let many: Vec<Value> = (0..257).map(|_| step(&[])).collect();
    check("AddJobFlowSteps", json!({ "JobFlowId": id, "Steps": many }), validation, "Maximum number of active steps")
        .await;
    check("AddTags", json!({ "ResourceId": "j-0", "Tags": [] }), invalid, "j-0").await;
    check("ModifyCluster", json!({}), "UnknownOperationException", "ModifyCluster").await;
    let broken = client.http("POST / HTTP/1.1\r\nX-Amz-Target: ElasticMapReduce.ListClusters", "{").await.unwrap();
    assert_eq!((broken.0, &broken.1["__type"]), (400, &json!("SerializationException")));
}
