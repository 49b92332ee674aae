//! The large engine on this machine: an EMR server in this process, whose steps run the locally installed Spark.

use std::path::PathBuf;

use sluice_aws::emr::Emr;
use sluice_cluster::settings::{ClusterSettings, SettingsText};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::name::RunId;
use sluice_core::uri::{FolderUri, layout};
use sluice_emr_local::{LocalEmr, Options, SparkLimits, SparkSteps, SparkTools};
use tokio::sync::Mutex;

/// The settings that an operator chooses for clusters. The local EMR server ignores all of them.
const SETTINGS: SettingsText<'static> = SettingsText {
    release: None,
    log_uri: Some("s3://local/logs/"),
    subnets: Some("subnet-00000000"),
    service_role: Some("local"),
    instance_profile: Some("local"),
    security_configuration: Some("local"),
    primary_types: None,
    worker_types: None,
    core_units: None,
    min_units: None,
    max_units: None,
    idle_timeout_seconds: None,
    step_concurrency: None,
    tags: None,
    security_groups: None,
};

/// The EMR server of one execution, started by the first function that needs it.
#[derive(Debug)]
pub(super) struct LocalClusters {
    /// `None` for a lake that the local Spark cannot read.
    logs: Option<PathBuf>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    server: LocalEmr,
    client: Emr,
}

impl LocalClusters {
    /// The clusters of a run in this lake. Spark's logs are kept in the lake, in `logs/spark/<run id>/`.
    pub(super) fn new(lake: &FolderUri, run_id: &RunId) -> Self {
        let folder = lake.is_local().then(|| lake.as_url().to_file_path().ok()).flatten();
        let logs = folder.map(|folder| folder.join(layout::spark_logs(run_id).as_str()));
        Self { logs, running: Mutex::new(None) }
    }

    /// A client of the EMR server of this execution.
    ///
    /// # Errors
    /// `ClusterFailed` when Spark is not installed, when it cannot reach the lake, or when the server cannot start.
    pub(super) async fn emr(&self) -> Result<Emr, StepError> {
        let mut running = self.running.lock().await;
        if let Some(running) = &*running {
            return Ok(running.client.clone());
        }
        let failed = |message: String| StepError::message(ErrorName::ClusterFailed, message);
        let logs = self.logs.clone().ok_or_else(|| failed(NO_FOLDER.to_owned()))?;
        let tools = SparkTools::find().map_err(|error| failed(error.to_string()))?;
        let options = Options { logs: Some(logs), ..Options::default() };
        let server = LocalEmr::start(options, SparkSteps::new(tools, SparkLimits::default())).await;
        let server = server.map_err(|error| failed(format!("cannot start an EMR server on this machine: {error}")))?;
        let client = Emr::local(&server.endpoint());
        *running = Some(Running { server, client: client.clone() });
        Ok(client)
    }

    /// The settings of the clusters.
    ///
    /// # Errors
    /// `Internal` when our own settings are refused: a defect.
    #[expect(clippy::unused_self, reason = "the settings are those of these clusters")]
    pub(super) fn settings(&self) -> Result<ClusterSettings, StepError> {
        ClusterSettings::parse(&SETTINGS).map_err(|error| StepError::message(ErrorName::Internal, error.to_string()))
    }

    /// Ends all clusters and their programs, if any were started.
    pub(super) async fn stop(&self) {
        if let Some(Running { server, .. }) = self.running.lock().await.take() {
            server.stop().await;
        }
    }
}

/// Why the large engine cannot run locally over a lake on S3.
const NO_FOLDER: &str = "the Spark of this machine reads and writes folders only, and the lake is on S3: run with \
                         --engine lambda, or deploy the functions and let EMR do it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_local_clusters_are_accepted() {
        let lake: FolderUri = "file:///lake".parse().unwrap();
        let clusters = LocalClusters::new(&lake, &"r1".parse().unwrap());
        assert!(clusters.settings().is_ok());
        assert_eq!(clusters.logs, Some(PathBuf::from("/lake/logs/spark/r1")));
    }

    #[tokio::test]
    async fn a_lake_on_s3_is_refused_and_the_message_says_what_to_do() {
        let lake: FolderUri = "s3://bucket/lake".parse().unwrap();
        let clusters = LocalClusters::new(&lake, &"r1".parse().unwrap());
        let error = clusters.emr().await.unwrap_err();
        assert_eq!(error.name, ErrorName::ClusterFailed);
        assert!(error.message.contains("--engine lambda"), "{}", error.message);
        // Nothing was started, so nothing has to end.
        clusters.stop().await;
    }
}
