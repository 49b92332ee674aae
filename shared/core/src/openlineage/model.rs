//! Events, runs, jobs and datasets, as version 2-0-2 of the core of the standard has them.

use jiff::Timestamp;
use serde::Serialize;

use super::dataset_facets::{DatasetFacets, InputFacets, OutputFacets};
use super::facet::PRODUCER;
use super::job_facets::JobFacets;
use super::run_facets::RunFacets;

/// The schema of events of runs.
const SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// What an event says of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum EventType {
    Start,
    Running,
    Complete,
    Abort,
    Fail,
}

/// One event. [`RunEvent::to_json`] is what is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEvent {
    event_type: EventType,
    event_time: Timestamp,
    run: Run,
    job: Job,
    inputs: Vec<InputDataset>,
    outputs: Vec<OutputDataset>,
    producer: &'static str,
    #[serde(rename = "schemaURL")]
    schema_url: &'static str,
}

impl RunEvent {
    /// An event without datasets.
    pub(super) fn new(event_type: EventType, event_time: Timestamp, run: Run, job: Job) -> Self {
        let (producer, schema_url) = (PRODUCER, SCHEMA_URL);
        Self { event_type, event_time, run, job, inputs: Vec::new(), outputs: Vec::new(), producer, schema_url }
    }

    /// With these datasets.
    pub(super) fn with(self, inputs: Vec<InputDataset>, outputs: Vec<OutputDataset>) -> Self {
        Self { inputs, outputs, ..self }
    }

    /// When what it says happened.
    pub fn time(&self) -> Timestamp {
        self.event_time
    }

    /// The event as one line of JSON.
    pub fn to_json(&self) -> String {
        // Every key is text and no number is infinite, so no event lacks a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The event as one line of JSON of at most `most` bytes: where the whole is longer, without the lineage of columns
    /// and the text of statements, which are what grows with a table. `None` where even that is longer.
    pub fn to_json_below(&self, most: usize) -> Option<String> {
        let whole = self.to_json();
        if whole.len() <= most {
            return Some(whole);
        }
        let mut light = self.clone();
        light.job.facets.drop_code();
        for output in &mut light.outputs {
            output.dataset.facets.drop_column_lineage();
        }
        Some(light.to_json()).filter(|text| text.len() <= most)
    }
}

/// One execution of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) run_id: String,
    pub(super) facets: RunFacets,
}

/// What is executed again and again under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Job {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) facets: JobFacets,
}

/// A table, or a folder of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Dataset {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) facets: DatasetFacets,
}

/// A dataset that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputDataset {
    #[serde(flatten)]
    pub(super) dataset: Dataset,
    pub(super) input_facets: InputFacets,
}

/// A dataset that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputDataset {
    #[serde(flatten)]
    pub(super) dataset: Dataset,
    pub(super) output_facets: OutputFacets,
}
