//! A client of the API, and a server for one test.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_emr_local::{Delays, LocalEmr, Options, StepExecutor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for a state. The states last some milliseconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// States that last just long enough to be seen.
pub(crate) const QUICK: Delays = Delays {
    starting_ms: 20,
    bootstrapping_ms: 20,
    step_pending_ms: 0,
    terminating_ms: 20,
    listing_ms: 0,
    idle_second_ms: 1000,
};

/// A response: status and body. `None` when the connection was closed without one.
pub(crate) type Answer = Option<(u16, Value)>;

pub(crate) struct Client {
    pub(crate) emr: LocalEmr,
}

impl Client {
    pub(crate) async fn start(executor: impl StepExecutor) -> Self {
        Self::with(Options { delays: QUICK, ..Options::default() }, executor).await
    }

    pub(crate) async fn with(options: Options, executor: impl StepExecutor) -> Self {
        Self { emr: LocalEmr::start(options, executor).await.unwrap() }
    }

    pub(crate) async fn http(&self, head: &str, body: &str) -> Answer {
        let address = self.emr.endpoint();
        let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        let length = body.len();
        let request = format!("{head}\r\nHost: local\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, serde_json::from_str(body).unwrap()))
    }

    pub(crate) async fn call(&self, operation: &str, request: Value) -> Answer {
        let head = format!("POST / HTTP/1.1\r\nX-Amz-Target: ElasticMapReduce.{operation}");
        self.http(&head, &request.to_string()).await
    }

    /// The response body of a call that must succeed.
    pub(crate) async fn ok(&self, operation: &str, request: Value) -> Value {
        let (status, body) = self.call(operation, request).await.unwrap();
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    /// Status, name and text of a refusal.
    pub(crate) async fn refusal(&self, operation: &str, request: Value) -> (u16, String, String) {
        let (status, body) = self.call(operation, request).await.unwrap();
        let text =
            body["Message"].as_str().or(body["message"].as_str()).unwrap_or_else(|| panic!("{operation}: {body}"));
        (status, body["__type"].as_str().unwrap().to_owned(), text.to_owned())
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.http(&format!("{method} /_control/{path} HTTP/1.1"), body).await.unwrap()
    }

    /// Creates a cluster; `changes` are applied to a valid request.
    pub(crate) async fn launch(&self, changes: Value) -> String {
        let answer = self.ok("RunJobFlow", cluster(changes)).await;
        answer["JobFlowId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn cluster(&self, id: &str) -> Value {
        self.ok("DescribeCluster", json!({ "ClusterId": id })).await["Cluster"].take()
    }

    pub(crate) async fn step(&self, cluster: &str, step: &str) -> Value {
        self.ok("DescribeStep", json!({ "ClusterId": cluster, "StepId": step })).await["Step"].take()
    }

    pub(crate) async fn add_steps(&self, cluster: &str, steps: &[Value]) -> Vec<String> {
        let answer = self.ok("AddJobFlowSteps", json!({ "JobFlowId": cluster, "Steps": steps })).await;
        answer["StepIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the cluster is in this state; every state on the way is returned.
    pub(crate) async fn until_cluster(&self, id: &str, state: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        let started = Instant::now();
        loop {
            let now = self.cluster(id).await["Status"]["State"].as_str().unwrap().to_owned();
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            if now == state {
                return seen;
            }
            assert!(started.elapsed() < PATIENCE, "{id} is {seen:?}, not {state}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until the step is in this state, and returns it.
    pub(crate) async fn until_step(&self, cluster: &str, step: &str, state: &str) -> Value {
        let started = Instant::now();
        loop {
            let found = self.step(cluster, step).await;
            if found["Status"]["State"] == state {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "{step} is {found}, not {state}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The request of a cluster that stays, with these changes.
pub(crate) fn cluster(changes: Value) -> Value {
    let mut request = json!({
        "Name": "sluice/retail/r1/1",
        "ReleaseLabel": "emr-7.13.0",
        "ServiceRole": "service",
        "JobFlowRole": "instances",
        "Instances": { "InstanceFleets": [], "KeepJobFlowAliveWhenNoSteps": true },
    });
    request.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    request
}

/// A step that leaves its cluster alone when it fails.
pub(crate) fn step(arguments: &[&str]) -> Value {
    json!({
        "Name": "etl",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": { "Jar": "command-runner.jar", "Args": arguments },
    })
}
