//! Clients and testers that others wrote.

use std::process::Command;

use sluice_core::run::Outcome;
use sluice_tests::files::{copy_files, repository};
use sluice_tests::lab::{DAILY_REVENUE, Lab, SILVER, Sample};
use sluice_tests::served::Served;
use sluice_tests::sluice::Run;

/// The Python with the clients; without it the test is reported as skipped.
fn python(test: &str) -> Option<std::path::PathBuf> {
    match std::env::var_os("SLUICE_APIS_PYTHON") {
        Some(python) if !python.is_empty() => Some(python.into()),
        _ => {
            sluice_tests::skip(
                test,
                "needs the clients of the HTTP APIs (delta-sharing, schemathesis): `cargo xtask test` installs them",
            );
            None
        }
    }
}

/// Two runs of the example, served.
fn shop() -> (Lab, Served) {
    let lab = Lab::new();
    let sample = Sample { start: "2026-01-05", days: 3, rows: 400, dirt: "0.01" };
    for file in lab.sample(&lab.folder().join("samples"), &sample) {
        copy_files([&file], &lab.landing());
        let _ = lab.run().expect(Outcome::Published);
    }
    let policy =
        "grants:\n  - name: all\n    principals: ['*']\n    doors: [rows, query, sharing]\n    clearance: restricted\n";
    std::fs::write(lab.pipeline().join("product.policy.yaml"), policy).unwrap();
    let mut deploy = lab.command(["deploy"]);
    let _ = Run::of({
        deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
        deploy
    })
    .expect_code(0);
    let served = Served::new(&lab, Some("arn:aws:iam::123456789012:role/analyst"));
    (lab, served)
}

#[test]
fn the_public_client_of_delta_sharing_reads_what_deltalake_reads() {
    let Some(python) = python("apis::clients::the_public_client_of_delta_sharing_reads_what_deltalake_reads") else {
        return;
    };
    let (lab, served) = shop();
    let profile = lab.folder().join("acme.share");
    let mut create = lab.command(["share", "create", "--recipient", "acme"]);
    create.arg("--lake").arg(lab.lake()).args(["--endpoint", served.endpoint()]).arg("--out").arg(&profile);
    let _ = Run::of(create).expect_code(0);
    for (table, folder) in [("sales.retail.transactions", SILVER), ("sales.retail.daily_revenue", DAILY_REVENUE)] {
        let mut judge = Command::new(&python);
        judge
            .arg(repository().join("tests/judges/sharing_client.py"))
            .arg(&profile)
            .arg(table)
            .arg(lab.lake().join(folder));
        let judged = Run::of(judge).expect_code(0);
        eprintln!("  {table}: {}", judged.stdout.lines().last().unwrap_or_default());
    }
}

#[test]
fn a_tester_of_interfaces_finds_no_answer_that_is_not_described() {
    let Some(python) = python("apis::clients::a_tester_of_interfaces_finds_no_answer_that_is_not_described") else {
        return;
    };
    let (lab, served) = shop();
    std::fs::copy(repository().join("tests/judges/schemathesis.toml"), lab.folder().join("schemathesis.toml")).unwrap();
    let mut tester = Command::new(python.with_file_name("schemathesis"));
    tester.current_dir(lab.folder()).args(["run", &format!("{}/openapi.json", served.endpoint())]);
    tester.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1", "--no-color"]);
    tester.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    tester.args(["--checks", "response_headers_conformance,response_schema_conformance", "--request-timeout", "30"]);
    let judged = Run::of(tester).expect_code(0);
    let cases = judged.stdout.lines().find(|line| line.contains("generated")).unwrap_or_default();
    eprintln!("  {}", cases.trim());
    assert!(!served.log().contains("panicked"), "{}", served.log());
}
