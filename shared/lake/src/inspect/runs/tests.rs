use serde_json::json;

use super::*;

fn verdict(decision: &str) -> Verdict {
    let run = json!({ "pipeline": "retail", "run_id": "r", "attempt": 1 });
    let verdict = json!({ "run": run, "audited_at": "2026-01-05T09:00:00Z", "decision": decision, "tables": [] });
    serde_json::from_value(verdict).unwrap()
}

fn report(outcome: &str) -> Report {
    let report = json!({
        "pipeline": "retail", "run_id": "r", "attempt": 1, "outcome": outcome, "ended_at": "2026-01-05T09:00:00Z",
        "sources": [], "rows": {}, "committed": [], "broken_rules": [],
    });
    serde_json::from_value(report).unwrap()
}

fn receipt() -> Receipt {
    let run = json!({ "pipeline": "retail", "run_id": "r", "attempt": 1 });
    serde_json::from_value(json!({ "run": run, "published_at": "2026-01-05T09:00:00Z", "tables": [] })).unwrap()
}

#[test]
fn the_state_of_a_run_follows_from_its_documents() {
    let check = |decision: Option<&str>, published: bool, outcome: Option<&str>, expected: RunState| {
        let (verdict, receipt, report) = (decision.map(verdict), published.then(receipt), outcome.map(report));
        let found = state(None, verdict.as_ref(), receipt.as_ref(), report.as_ref());
        assert_eq!(found, expected, "{decision:?}, published {published}, reported {outcome:?}");
    };
    check(None, false, None, RunState::Unfinished);
    check(Some("passed"), false, None, RunState::Unfinished);
    check(Some("passed"), true, None, RunState::Published);
    check(Some("passed"), true, Some("published"), RunState::Published);
    check(Some("passed"), false, Some("failed"), RunState::Failed);
    check(None, false, Some("skipped"), RunState::Skipped);
    check(Some("rejected"), false, None, RunState::Rejected);
    check(Some("rejected"), false, Some("rejected"), RunState::Rejected);
    check(Some("accepted"), false, Some("rejected"), RunState::Accepted);
    check(Some("accepted"), true, Some("published"), RunState::Accepted);
}

#[tokio::test]
async fn an_empty_lake_has_no_runs() {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let lake = Lake::open(&root, &Default::default()).unwrap();
    assert_eq!(runs(&lake, None, 10).await.unwrap(), []);
    let missing = find_run(&lake, &"r".parse().unwrap()).await;
    assert!(matches!(missing, Err(LakeError::NotFound { .. })), "{missing:?}");
}

#[tokio::test]
async fn runs_are_listed_newest_first_whatever_their_ids_and_found_by_id() {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let lake = Lake::open(&root, &Default::default()).unwrap();
    for (pipeline, run) in [("retail", "2026-0"), ("retail", "2026-3"), ("other", "2026-2"), ("other", "2026-1")] {
        let run = RunKey { pipeline: pipeline.parse().unwrap(), run_id: run.parse().unwrap() };
        lake.documents().of(&run).replace(&report("skipped")).await.unwrap();
        // Longer than the clock of any file system takes for a step.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let all = runs(&lake, None, 3).await.unwrap();
    let names: Vec<(&str, &str)> = all.iter().map(|run| (run.pipeline.as_str(), run.run_id.as_str())).collect();
    assert_eq!(names, [("other", "2026-1"), ("other", "2026-2"), ("retail", "2026-3")]);
    assert!(all.iter().all(|run| run.state == RunState::Skipped && run.attempt == 0));
    let retail = runs(&lake, Some(&"retail".parse().unwrap()), 10).await.unwrap();
    assert_eq!(retail.len(), 2);
    assert_eq!(find_run(&lake, &"2026-0".parse().unwrap()).await.unwrap().as_str(), "retail");
    let run = RunKey { pipeline: "other".parse().unwrap(), run_id: "2026-3".parse().unwrap() };
    lake.documents().of(&run).replace(&report("skipped")).await.unwrap();
    let several = find_run(&lake, &"2026-3".parse().unwrap()).await;
    assert!(matches!(several, Err(LakeError::Invalid { .. })), "{several:?}");
}

#[tokio::test]
async fn a_run_with_a_damaged_document_is_listed_as_unreadable_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let root = format!("file://{}", folder.path().display()).parse().unwrap();
    let lake = Lake::open(&root, &Default::default()).unwrap();
    for run in ["day1", "day2"] {
        let run = RunKey { pipeline: "retail".parse().unwrap(), run_id: run.parse().unwrap() };
        lake.documents().of(&run).replace(&report("skipped")).await.unwrap();
    }
    let check = async |name: &str, text: &str| {
        let path = folder.path().join("runs/retail/day2").join(name);
        let whole = std::fs::read(&path).ok();
        std::fs::write(&path, text).unwrap();
        let mut listed = runs(&lake, None, 10).await.unwrap();
        listed.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        let states: Vec<RunState> = listed.iter().map(|run| run.state).collect();
        assert_eq!(states, [RunState::Skipped, RunState::Unreadable], "{name}: {text}");
        let error = listed[1].error.as_ref().unwrap();
        assert_eq!(error.error.as_str(), "InvalidInput", "{name}: {text}");
        assert!(error.cause.contains(&format!("/runs/retail/day2/{name}")), "{}", error.cause);
        match whole {
            Some(whole) => std::fs::write(&path, whole).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    };
    for text in ["", "garbage", "{}", "\0\0\0\0"] {
        check("plan-1.json", text).await;
        check("report.json", text).await;
    }
}
