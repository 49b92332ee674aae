use serde_json::json;

use super::*;

const RETAIL: &str = r#"{"pipeline": "retail"}"#;

#[tokio::test]
async fn the_same_request_of_a_key_is_one_run_and_another_is_refused() {
    let world = World::new();
    let (status, first, response) = world.send(process("", Some("k1"), RETAIL)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    let id = first["run_id"].as_str().unwrap();
    assert_eq!(response.headers()["location"], format!("/runs/{id}"));
    assert_eq!((&first["state"], &first["pipeline"]), (&json!("running"), &json!("retail")));
    let check = async |key: Option<&str>, body: &str, status: StatusCode, same: bool, starts: usize| {
        let (found, answer) = world.process("", key, body).await;
        assert_eq!(found, status, "{answer}");
        assert_eq!(answer["run_id"] == first["run_id"], same, "{answer}");
        assert_eq!(world.executions.starts(), starts, "{answer}");
    };
    check(Some("k1"), RETAIL, StatusCode::ACCEPTED, true, 1).await;
    check(Some("k1"), r#"{ "engine": null, "pipeline": "retail" }"#, StatusCode::ACCEPTED, true, 1).await;
    check(Some("k1"), r#"{"pipeline": "retail", "engine": "emr"}"#, StatusCode::CONFLICT, false, 1).await;
    check(Some("k2"), RETAIL, StatusCode::ACCEPTED, false, 2).await;
    check(None, RETAIL, StatusCode::ACCEPTED, false, 3).await;
    check(None, RETAIL, StatusCode::ACCEPTED, false, 4).await;
}

#[tokio::test]
async fn concurrent_requests_of_a_key_start_one_run() {
    let world = World::new();
    let (one, two) = tokio::join!(world.process("", Some("k"), RETAIL), world.process("", Some("k"), RETAIL));
    assert_eq!((one.0, two.0), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(one.1["run_id"], two.1["run_id"]);
    assert_eq!(world.executions.starts(), 1);
}

#[tokio::test]
async fn a_call_that_died_before_the_start_is_completed_by_the_next() {
    let world = World::new();
    world.executions.fail_next_start();
    let (status, problem, response) = world.send(process("", Some("k"), RETAIL)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(world.executions.starts(), 0);
    let (status, answer) = world.process("", Some("k"), RETAIL).await;
    assert_eq!((status, world.executions.starts()), (StatusCode::ACCEPTED, 1), "{answer}");
}

#[tokio::test]
async fn callers_do_not_share_keys() {
    let world = World::new();
    let ann = world.process("", Some("k"), RETAIL).await;
    let (_, loader, _) = world.send(of_role(process("", Some("k"), RETAIL), "loader", "one")).await;
    assert_ne!(ann.1["run_id"], loader["run_id"], "{loader}");
    assert_eq!(world.executions.starts(), 2);
}

#[tokio::test]
async fn keys_belong_to_the_role_and_not_to_its_session() {
    let world = World::new();
    let (_, first, _) = world.send(of_role(process("", Some("k"), RETAIL), "loader", "i-0123456789")).await;
    let (status, second, _) = world.send(of_role(process("", Some("k"), RETAIL), "loader", "i-9876543210")).await;
    assert_eq!((status, &second["run_id"]), (StatusCode::ACCEPTED, &first["run_id"]), "{second}");
    assert_eq!(world.executions.starts(), 1);
    // The document says which session it was.
    let path = world.folder.path().join(format!("requests/{}.json", first["run_id"].as_str().unwrap()));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(document["caller"], "arn:aws:sts::123456789012:assumed-role/loader/i-0123456789");
}

#[tokio::test]
async fn a_run_that_ends_in_time_is_returned_completely() {
    let check = async |looks: u32, query: &str, status: StatusCode, state: &str| {
        let world = World::with(FakeExecutions::ending_after(looks), ann());
        let (found, answer) = world.process(query, None, RETAIL).await;
        assert_eq!((found, &answer["state"]), (status, &json!(state)), "{answer}");
        assert_eq!(answer.get("states").is_some(), status == StatusCode::OK, "{answer}");
    };
    check(1, "?wait=2", StatusCode::OK, "published").await;
    check(100, "?wait=1", StatusCode::ACCEPTED, "running").await;
    check(1, "?wait=0", StatusCode::ACCEPTED, "running").await;
}

#[tokio::test]
async fn folders_and_objects_become_addresses_of_the_lake() {
    let world = World::new();
    let lake = format!("file://{}/", world.folder.path().display());
    let check = async |body: Value, expected: Value| {
        let (status, answer) = world.process("", None, &body.to_string()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let path = world.folder.path().join(format!("requests/{}.json", answer["run_id"].as_str().unwrap()));
        let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(document["request"], expected);
        assert_eq!(document["caller"], ANN);
    };
    check(
        json!({"pipeline": "retail", "prefix": "retail/day one", "engine": "lambda", "parameters": {}}),
        json!({"pipeline": "retail", "landing": format!("{lake}landing/retail/day%20one/"), "action": "ingest", "engine": "lambda"}),
    )
    .await;
    check(
        json!({
            "pipeline": "retail", "prefix": format!("{lake}landing/retail/in"),
            "objects": ["retail/in/b.csv", format!("{lake}landing/retail/in/a.csv")],
        }),
        json!({
            "pipeline": "retail", "landing": format!("{lake}landing/retail/in/"), "action": "ingest",
            "objects": [format!("{lake}landing/retail/in/a.csv"), format!("{lake}landing/retail/in/b.csv")],
        }),
    )
    .await;
    check(
        json!({"pipeline": "retail", "prefix": "retail", "objects": ["retail/b.csv"]}),
        json!({
            "pipeline": "retail", "landing": format!("{lake}landing/retail/"), "action": "ingest",
            "objects": [format!("{lake}landing/retail/b.csv")],
        }),
    )
    .await;
}

#[tokio::test]
async fn nothing_is_kept_of_a_request_that_there_is_no_room_for() {
    let world = World::new();
    let first = world.process("", Some("k"), RETAIL).await.1;
    world.executions.fill();
    let kept = || std::fs::read_dir(world.folder.path().join("requests")).unwrap().count();
    for key in [None, Some("other")] {
        let (status, problem, response) = world.send(process("", key, RETAIL)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (429, &json!("too-many-requests")), "{problem}");
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!((kept(), world.executions.starts()), (1, 1));
    }
    let again = world.process("", Some("k"), RETAIL).await;
    assert_eq!((again.0, &again.1["run_id"]), (StatusCode::ACCEPTED, &first["run_id"]));
}

#[tokio::test]
async fn nothing_is_kept_of_requests_at_once_that_there_is_no_room_for() {
    let world = World::new();
    world.executions.leave_room(1);
    let answers = futures::future::join_all((0..8).map(|_| world.process("", None, RETAIL))).await;
    let accepted = answers.iter().filter(|(status, _)| *status == StatusCode::ACCEPTED).count();
    let refused = answers.iter().filter(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!((accepted, refused), (1, 7), "{answers:?}");
    let kept = std::fs::read_dir(world.folder.path().join("requests")).unwrap().count();
    assert_eq!((kept, world.executions.starts()), (1, 1));
}
