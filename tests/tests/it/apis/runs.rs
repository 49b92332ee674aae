//! The API of runs, over executions in the server.

use serde_json::json;
use sluice_core::run::Outcome;
use sluice_tests::files::copy_files;
use sluice_tests::lab::{Lab, SILVER, Sample};
use sluice_tests::served::Served;
use sluice_tests::sluice::Run;

#[test]
fn a_caller_starts_a_run_follows_it_and_gets_the_same_one_for_the_same_key() {
    let lab = Lab::new();
    let sample = Sample { start: "2026-01-05", days: 2, rows: 200, dirt: "0.01" };
    let files = lab.sample(&lab.folder().join("samples"), &sample);
    copy_files([&files[0]], &lab.landing());
    let _ = lab.run().expect(Outcome::Published);
    let rows_before = lab.rows(SILVER);
    let mut deploy = lab.command(["deploy"]);
    deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
    let _ = Run::of(deploy).expect_code(0);
    let landing = lab.lake().join("landing/retail");
    std::fs::create_dir_all(&landing).unwrap();
    copy_files([&files[1]], &landing);
    let served = Served::new(&lab, Some("arn:aws:iam::123456789012:user/ann"));
    let start = |key: &str, body: &serde_json::Value, wait: &str| {
        let request = served.request("POST", &format!("/process{wait}")).header("content-type", "application/json");
        served.send(request.header("idempotency-key", key).body(body.to_string()))
    };
    let body = json!({ "pipeline": "retail" });
    let ended = start("day-2", &body, "?wait=25").expect(200).json();
    assert_eq!(ended["state"], "published", "{ended}");
    let again = start("day-2", &body, "").json();
    assert_eq!(again["run_id"], ended["run_id"]);
    let other = start("day-2", &json!({ "pipeline": "retail", "engine": "lambda" }), "");
    assert_eq!(other.expect(409).problem(), "conflict");
    assert!(lab.rows(SILVER) > rows_before, "the run published nothing");
    let run = served.get(&format!("/runs/{}", ended["run_id"].as_str().unwrap()), None).expect(200).json();
    assert_eq!(run["state"], "published", "{run}");
    let listed = served.get("/runs?pipeline=retail", None).expect(200).json();
    assert_eq!(listed["runs"][0]["run_id"], ended["run_id"], "{listed}");
    let skipped = start("day-2-again", &body, "?wait=25").expect(200).json();
    assert_eq!(skipped["state"], "skipped", "{skipped}");
    assert_eq!(start("nobody", &json!({ "pipeline": "unknown" }), "").expect(404).problem(), "not-found");
}
