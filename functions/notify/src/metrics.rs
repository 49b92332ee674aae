//! How runs end, as metrics of CloudWatch: one line of the function's log in the Embedded Metric Format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>), from which
//! CloudWatch makes the metrics without a call of ours.

use std::io::Write;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{Outcome, Report};
use sluice_core::uri::FolderUri;

use crate::announce::{Announce, Announcement};

/// Namespace of the metrics.
pub const NAMESPACE: &str = "Sluice";
/// The metrics: of every end each has a value, so that no end is missing and sums are right. All are counts.
pub const METRICS: [&str; 6] =
    ["RunsPublished", "RunsSkipped", "RunsRejected", "RunsFailed", "TablesCommitted", "QuarantinedRows"];

/// Ends of runs that some channel of alerts was not sent.
pub const ALERTS_NOT_SENT: &str = "AlertsNotSent";
/// Ends of runs whose OpenLineage events were not made, or not sent.
pub const LINEAGE_NOT_SENT: &str = "LineageNotSent";

/// Writes the metrics of each announcement as a line of the log.
#[derive(Debug, Clone)]
pub struct MetricsLog {
    lake: FolderUri,
}

impl MetricsLog {
    /// Metrics of this lake's runs.
    pub fn new(lake: FolderUri) -> Self {
        Self { lake }
    }

    /// Counts the end of this report as one that was not sent in full. Such a metric has no value where all was sent.
    pub(crate) fn not_sent(&self, name: &str, report: &Report) {
        let pipeline = report.pipeline.as_ref().map_or("unknown", |pipeline| pipeline.as_str());
        let mut document = described(&self.lake, pipeline, report, &[name]);
        document.insert(name.to_owned(), json!(1));
        // The error is in the log in any case.
        let _ = write_line(&Value::Object(document));
    }
}

/// Whole in one write, so that no other line comes between.
fn write_line(document: &Value) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(format!("{document}\n").as_bytes())
}

/// A document of these metrics, without their values.
fn described(lake: &FolderUri, pipeline: &str, report: &Report, names: &[&str]) -> Map<String, Value> {
    let described: Vec<Value> = names.iter().map(|name| json!({ "Name": name, "Unit": "Count" })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["Lake", "Pipeline"]], "Metrics": described });
    Map::from_iter([
        ("_aws".to_owned(), json!({ "Timestamp": report.ended_at.as_millisecond(), "CloudWatchMetrics": [directive] })),
        ("Lake".to_owned(), json!(lake.to_string())),
        ("Pipeline".to_owned(), json!(pipeline)),
        ("run_id".to_owned(), json!(report.run_id.as_str())),
    ])
}

impl Announce for MetricsLog {
    fn announce<'a>(&'a self, announcement: &'a Announcement) -> BoxFuture<'a, Result<(), StepError>> {
        let written = write_line(&document(&self.lake, announcement));
        async { written.map_err(|error| StepError::new(ErrorName::Internal, &error)) }.boxed()
    }
}

/// The metrics of a run's end, with the lake's address and the pipeline's name as their dimensions.
pub fn document(lake: &FolderUri, announcement: &Announcement) -> Value {
    let report = &announcement.report;
    let is = |outcome: Outcome| u64::from(report.outcome == outcome);
    let values = [
        is(Outcome::Published),
        is(Outcome::Skipped),
        is(Outcome::Rejected),
        is(Outcome::Failed),
        report.committed.len() as u64,
        report.rows.values().map(|rows| rows.quarantined).sum(),
    ];
    let mut document = described(lake, announcement.pipeline(), report, &METRICS);
    document.extend(METRICS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))));
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use sluice_core::run::RowCounts;

    use super::*;

    #[test]
    fn every_end_has_every_metric() {
        let report = Report {
            pipeline: Some("retail".parse().unwrap()),
            run_id: "r1".parse().unwrap(),
            attempt: 1,
            outcome: Outcome::Published,
            ended_at: Timestamp::from_millisecond(1_767_592_800_000).unwrap(),
            sources: Vec::new(),
            held: Default::default(),
            waiting: Default::default(),
            rows: BTreeMap::from([
                ("a".to_owned(), RowCounts { source: 10, quarantined: 2, ..RowCounts::default() }),
                ("b".to_owned(), RowCounts { source: 5, ..RowCounts::default() }),
            ]),
            committed: Vec::new(),
            broken_rules: Vec::new(),
            warnings: Vec::new(),
            error: None,
        };
        let lake: FolderUri = "s3://bucket/lake".parse().unwrap();
        let line = document(&lake, &Announcement { report, report_uri: None, page_uri: None });
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&line["_aws"]["Timestamp"], &directive["Namespace"]),
            (&json!(1_767_592_800_000_i64), &json!("Sluice"))
        );
        assert_eq!(directive["Dimensions"], json!([["Lake", "Pipeline"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric} has no value");
        }
        let found = METRICS.map(|name| line[name].as_u64().unwrap());
        assert_eq!(found, [1, 0, 0, 0, 0, 2]);
        assert_eq!((&line["Lake"], &line["Pipeline"]), (&json!("s3://bucket/lake/"), &json!("retail")));
    }
}
