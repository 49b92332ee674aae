//! One lake with its functions, apart from all others.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::faults::Faults;
use crate::folder::removed;
use crate::identity::Identities;
use crate::lambda::{Function, Settings};
use crate::names::{self, FUNCTIONS};
use crate::policy::Policy;
use crate::processes::{Guard, Processes};
use crate::records::{CallRecord, Records, StoreRecord};
use crate::s3::Store;

/// A deployment as it is requested.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Its name, which is its bucket too.
    pub(crate) name: String,
    #[serde(default)]
    functions: BTreeMap<String, Settings>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Upper limit for `wait_seconds` of an answer: functions request waits that suit EMR, but here clusters take seconds.
    #[serde(default)]
    longest_wait_seconds: Option<u64>,
}

/// A lake and its functions.
pub(crate) struct Deployment {
    /// Its name, which is its bucket too.
    pub(crate) name: String,
    /// The lake's objects.
    pub(crate) store: Store,
    /// What each function's role may do.
    pub(crate) policies: HashMap<&'static str, Policy>,
    /// Active faults.
    pub(crate) faults: Faults,
    /// The requests to S3.
    pub(crate) requests: Records<StoreRecord>,
    /// The calls of the functions.
    pub(crate) calls: Records<CallRecord>,
    /// The living instances.
    pub(crate) processes: Processes,
    /// Settings of all its functions.
    pub(crate) environment: BTreeMap<String, String>,
    /// Upper limit for `wait_seconds` of an answer.
    pub(crate) longest_wait_seconds: Option<u64>,
    functions: Vec<Arc<Function>>,
    s3_latency_ms: AtomicU64,
    is_closed: AtomicBool,
}

impl Deployment {
    /// Creates the bucket, the roles and the functions; starts no process yet.
    pub(crate) fn new(
        wanted: Wanted,
        data: &Path,
        policies: &HashMap<&'static str, String>,
        identities: Identities,
        guard: Arc<Guard>,
    ) -> anyhow::Result<Self> {
        let name = wanted.name;
        ensure!(names::is_deployment(&name), "'{name}' is not a valid name of a deployment");
        for (function, settings) in &wanted.functions {
            ensure!(FUNCTIONS.contains(&function.as_str()), "function {function} does not exist");
            let is_time = settings.timeout_seconds > 0.0 && settings.timeout_seconds <= 900.0;
            ensure!(is_time, "timeout of {function}: {} is not between 0 and 900 s", settings.timeout_seconds);
        }
        let read = |(function, text): (&&'static str, &String)| Ok((*function, Policy::parse(text, &name)?));
        let policies = policies.iter().map(read).collect::<anyhow::Result<_>>()?;
        let made = FUNCTIONS.map(|function| {
            let settings = wanted.functions.get(function).copied().unwrap_or_default();
            Arc::new(Function::new(function, settings))
        });
        Ok(Self {
            store: Store::new(&data.join("buckets").join(&name), &name, identities).context("bucket")?,
            name,
            policies,
            faults: Faults::default(),
            requests: Records::default(),
            calls: Records::default(),
            processes: Processes::new(guard),
            environment: wanted.environment,
            longest_wait_seconds: wanted.longest_wait_seconds,
            functions: made.into(),
            s3_latency_ms: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Root of the lake.
    pub(crate) fn lake(&self) -> String {
        format!("s3://{}", self.name)
    }

    /// One of its functions.
    pub(crate) fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.iter().find(|function| function.name == name).cloned()
    }

    /// From now on, S3 answers each request this much later. Concurrent requests wait at the same time.
    pub(crate) fn set_s3_latency(&self, milliseconds: u64) {
        self.s3_latency_ms.store(milliseconds, Ordering::SeqCst);
    }

    /// Waits for the latency of S3, if it has one.
    pub(crate) async fn s3_latency(&self) {
        let milliseconds = self.s3_latency_ms.load(Ordering::SeqCst);
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    /// Whether it is being removed.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Kills its functions and removes its objects.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        self.is_closed.store(true, Ordering::SeqCst);
        for function in &self.functions {
            function.clear();
        }
        self.processes.end().await;
        removed(self.store.root()).await
    }
}
