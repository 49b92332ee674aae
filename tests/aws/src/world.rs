//! State that all parts of the bed share.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};

use crate::deployment::{Deployment, Wanted};
use crate::folder::removed;
use crate::identity::Identities;
use crate::names::FUNCTIONS;
use crate::policy::Policy;
use crate::processes::Guard;

/// Addresses of the parts.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// S3.
    pub(crate) s3: String,
    /// The router: Lambda, and everything that moto emulates.
    pub(crate) aws: String,
}

/// The bed's state.
pub(crate) struct World {
    /// All valid credentials.
    pub(crate) identities: Identities,
    /// Addresses of the parts.
    pub(crate) addresses: Addresses,
    /// Folder with the functions' programs.
    pub(crate) functions: PathBuf,
    /// Folder for everything that the bed writes.
    pub(crate) data: PathBuf,
    /// Ends the bed's processes when the bed itself cannot.
    pub(crate) guard: Arc<Guard>,
    policies: HashMap<&'static str, String>,
    deployments: Mutex<BTreeMap<String, Arc<Deployment>>>,
    numbers: AtomicU64,
}

/// Folders that the bed creates below its data folder.
const FOLDERS: [&str; 3] = ["buckets", "instances", "logs"];

impl World {
    /// Reads the policies, refusing what the bed cannot evaluate, and creates the folders.
    pub(crate) fn new(
        functions: PathBuf,
        policies: &Path,
        data: PathBuf,
        addresses: Addresses,
    ) -> anyhow::Result<Self> {
        let mut read = HashMap::new();
        for function in FUNCTIONS {
            let file = policies.join(format!("{function}.json"));
            let which = || format!("policy {}", file.display());
            let text = std::fs::read_to_string(&file).with_context(which)?;
            Policy::parse(&text, "bucket").with_context(which)?;
            read.insert(function, text);
        }
        std::fs::create_dir_all(&data).with_context(|| format!("{}", data.display()))?;
        for folder in FOLDERS.map(|folder| data.join(folder)) {
            // An existing folder belongs to another bed, or a killed bed left it.
            std::fs::create_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        Ok(Self {
            identities: Identities::new(),
            addresses,
            functions,
            data,
            guard: Arc::new(Guard::start()?),
            policies: read,
            deployments: Mutex::default(),
            numbers: AtomicU64::new(1),
        })
    }

    /// A number that is unique in this bed.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// File for the output of a process. Logs stay until the bed ends, because they are needed to analyse a failure.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.data.join("logs").join(format!("{name}.log"))
    }

    /// A deployment by its name.
    pub(crate) fn deployment(&self, name: &str) -> Option<Arc<Deployment>> {
        self.locked().get(name).cloned()
    }

    /// Creates a deployment.
    pub(crate) fn create(&self, wanted: Wanted) -> anyhow::Result<Arc<Deployment>> {
        let mut deployments = self.locked();
        if deployments.contains_key(&wanted.name) {
            bail!("deployment {} already exists", wanted.name);
        }
        let made =
            Deployment::new(wanted, &self.data, &self.policies, self.identities.clone(), Arc::clone(&self.guard))?;
        let made = Arc::new(made);
        deployments.insert(made.name.clone(), Arc::clone(&made));
        Ok(made)
    }

    /// Removes a deployment; `false` when it does not exist.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<bool> {
        let Some(deployment) = self.locked().remove(name) else { return Ok(false) };
        deployment.close().await?;
        self.identities.forget(name);
        Ok(true)
    }

    /// Ends everything that was started and removes everything that was written.
    pub(crate) async fn end(&self) -> anyhow::Result<()> {
        let names: Vec<String> = self.locked().keys().cloned().collect();
        for name in names {
            self.delete(&name).await?;
        }
        self.guard.end().context("guard")?;
        for folder in FOLDERS {
            removed(&self.data.join(folder)).await?;
        }
        Ok(())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Deployment>>> {
        self.deployments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
