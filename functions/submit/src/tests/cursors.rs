use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sluice_executions::ports::ExecutionStatus as S;

use super::*;

/// A world with many runs of `payroll`, which nobody may read, before and after some of `retail`, and cursors sealed with this key.
fn sealed_with(key: [u8; 32]) -> World {
    let world = World::changed(FakeExecutions::default(), ann(), |api| api.with_sealed_cursors(key));
    for number in 0..30 {
        let pipeline = if number % 10 == 5 { "retail" } else { "payroll" };
        world.executions.put(&format!("{pipeline}-{number}"), pipeline, S::Running, 0);
    }
    world
}

/// The runs of all pages, and their cursors.
async fn pages(world: &World) -> (Vec<String>, Vec<String>) {
    let (mut runs, mut cursors) = (Vec::new(), Vec::new());
    let mut question = "/runs?limit=1".to_owned();
    for _ in 0..100 {
        let (status, page) = world.call("GET", &question).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        runs.extend(page["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        question = format!("/runs?limit=1&cursor={next}");
        cursors.push(next.to_owned());
    }
    (runs, cursors)
}

#[tokio::test]
async fn sealed_cursors_list_every_run_and_show_no_place() {
    let world = sealed_with([7; 32]);
    let (runs, cursors) = pages(&world).await;
    assert_eq!(runs, ["retail-25", "retail-15", "retail-5"]);
    assert!(!cursors.is_empty());
    for cursor in &cursors {
        assert!(!cursor.contains("payroll"), "{cursor}");
        let plain = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&plain).contains("token"), "{cursor}");
    }
}

#[tokio::test]
async fn a_sealed_cursor_belongs_to_its_caller_and_pipeline() {
    let world = sealed_with([7; 32]);
    let cursor = pages(&world).await.1.remove(0);
    let refused = async |request: Request<Body>| {
        let (status, problem, _) = world.send(request).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("invalid-cursor")), "{problem}");
    };
    let ask = |uri: String| Request::builder().uri(uri).body(Body::empty()).unwrap();
    refused(ask(format!("/runs?pipeline=retail&cursor={cursor}"))).await;
    refused(of_role(ask(format!("/runs?cursor={cursor}")), "reader", "one")).await;
    // One of another process.
    let other = pages(&sealed_with([8; 32])).await.1.remove(0);
    refused(ask(format!("/runs?cursor={other}"))).await;
    // One that is not sealed.
    refused(ask("/runs?cursor=eyJwaXBlbGluZSI6bnVsbCwidG9rZW4iOiIxIn0".to_owned())).await;
    assert_eq!(world.call("GET", &format!("/runs?cursor={cursor}")).await.0, StatusCode::OK);
}
