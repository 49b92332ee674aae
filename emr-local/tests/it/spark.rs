//! Steps that really run Spark. Skipped, with a line that says so, when Spark is not installed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_emr_local::{SparkLimits, SparkSteps, SparkTools};

use crate::client::{Client, step};

/// Longest time of one small script: some 10 s on a free machine, six times that on a busy one, doubled for safety.
const SCRIPT_TIME: Duration = Duration::from_secs(120);

/// The steps, or a line in the file of skipped tests.
fn spark(test: &str) -> Option<SparkSteps> {
    match SparkTools::find() {
        Ok(tools) => Some(SparkSteps::new(tools, SparkLimits { memory_mb: 1024, ..SparkLimits::default() })),
        Err(missing) => {
            let line = format!("{test}: {missing}\n");
            if let Some(file) = std::env::var_os("SLUICE_SKIPS") {
                OpenOptions::new().append(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
            }
            eprint!("skipped: {line}");
            None
        }
    }
}

async fn end_of(client: &Client, cluster: &str, step: &str) -> serde_json::Value {
    let started = Instant::now();
    loop {
        let found = client.step(cluster, step).await;
        match found["Status"]["State"].as_str().unwrap() {
            "COMPLETED" | "FAILED" | "CANCELLED" => return found,
            _ => assert!(started.elapsed() < SCRIPT_TIME, "{found}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn spark_sql_runs_scripts_and_reports_their_errors() {
    let Some(executor) = spark("spark_sql_runs_scripts_and_reports_their_errors") else { return };
    let lake = tempfile::Builder::new().prefix("lake with space").tempdir().unwrap();
    let client = Client::start(executor).await;
    let logs = format!("file://{}", lake.path().join("logs").display()).replace(' ', "%20");
    let id = client.launch(json!({ "LogUri": logs, "StepConcurrencyLevel": 2 })).await;
    let script = |name: &str, text: &str| {
        let path = lake.path().join(name);
        fs::write(&path, text).unwrap();
        // As Hadoop addresses it: literally.
        format!("file://{}", path.display())
    };
    let table = lake.path().join("table");
    // Delta through the catalogue of the step's own options, at a version; text that is not ASCII.
    let good = script(
        "good.sql",
        &format!(
            "CREATE TABLE delta.`{0}` USING delta AS SELECT 1 AS a;\nINSERT INTO delta.`{0}` VALUES (2);\n\
             SELECT 'Zürich', count(*) FROM delta.`{0}` VERSION AS OF 0;\n",
            table.display()
        ),
    );
    let bad = script("bad.sql", "SELECT 1;\nSELECT * FROM nowhere;\nSELECT 'not reached';\n");
    let delta = [
        "--conf",
        "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
        "--conf",
        "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
    ];
    let arguments = |script: &str| step(&[&["spark-sql"], &delta[..], &["--master", "yarn", "-f", script]].concat());
    let steps = client.add_steps(&id, &[arguments(&good), arguments(&bad)]).await;
    let kept = |step: &str, name: &str| {
        fs::read_to_string(lake.path().join("logs").join(&id).join("steps").join(step).join(name)).unwrap()
    };
    let ended = end_of(&client, &id, &steps[0]).await;
    assert_eq!(ended["Status"]["State"], "COMPLETED", "{ended}");
    assert_eq!(kept(&steps[0], "stdout"), "Zürich\t1\n");
    let ended = end_of(&client, &id, &steps[1]).await;
    assert_eq!(ended["Status"]["State"], "FAILED", "{ended}");
    let message = ended["Status"]["FailureDetails"]["Message"].as_str().unwrap();
    assert!(message.contains("TABLE_OR_VIEW_NOT_FOUND") && message.contains("nowhere"), "{message}");
    assert!(!kept(&steps[1], "stdout").contains("not reached"));

    // Cancelled while it runs: the Java process ends.
    let endless = script("endless.sql", "SELECT count(*) FROM range(1000000000000000) WHERE hash(id) = 5;\n");
    let steps = client.add_steps(&id, &[arguments(&endless)]).await;
    client.until_step(&id, &steps[0], "RUNNING").await;
    let path = lake.path().join("endless.sql");
    let java = || {
        let processes = std::process::Command::new("ps").args(["-e", "-o", "args="]).output().unwrap();
        let text = String::from_utf8_lossy(&processes.stdout).into_owned();
        text.lines().filter(|line| line.contains("java ") && line.contains(path.to_str().unwrap())).count()
    };
    let started = Instant::now();
    while java() == 0 {
        assert!(started.elapsed() < SCRIPT_TIME, "no Java process");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.emr.stop().await;
    let started = Instant::now();
    while java() > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "the Java process still exists");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
