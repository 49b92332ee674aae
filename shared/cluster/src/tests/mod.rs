//! The three calls against a store in memory and an EMR in memory.

mod emr;
mod etl;
mod start;
mod terminate;

use std::sync::Arc;

use jiff::Timestamp;
use object_store::memory::InMemory;
use sluice_core::run::RunRef;
use sluice_documents::DocumentStore;

use crate::settings::{ClusterSettings, SettingsText};
use emr::FakeEmr;

pub(crate) const LAKE: &str = "s3://lake/prod/";

/// A lake, an EMR and the settings of both.
struct Bed {
    documents: DocumentStore,
    emr: FakeEmr,
    settings: ClusterSettings,
}

fn bed() -> Bed {
    let documents = DocumentStore::over(&LAKE.parse().unwrap(), Arc::new(InMemory::new())).unwrap();
    Bed { documents, emr: FakeEmr::default(), settings: settings() }
}

pub(crate) fn settings() -> ClusterSettings {
    ClusterSettings::parse(&required()).unwrap()
}

/// The least that must be set.
pub(crate) fn required() -> SettingsText<'static> {
    SettingsText {
        log_uri: Some("s3://logs/emr"),
        subnets: Some("subnet-0a1b2c3d,subnet-4e5f6a7b"),
        service_role: Some("sluice-emr-service"),
        instance_profile: Some("sluice-emr-instance"),
        security_configuration: Some("sluice"),
        ..SettingsText::default()
    }
}

pub(crate) fn run(attempt: u32) -> RunRef {
    RunRef { pipeline: "retail".parse().unwrap(), run_id: "day1".parse().unwrap(), attempt }
}

/// Seconds after a morning in January.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_592_800 + second).unwrap()
}

impl Bed {
    async fn put(&self, path: &str, document: serde_json::Value) {
        self.documents.write(&path.parse().unwrap(), &document).await.unwrap();
    }
}
