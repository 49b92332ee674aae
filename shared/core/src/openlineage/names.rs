//! Names of jobs and datasets, and ids of runs.
//!
//! Datasets are named as the naming rules of the standard say: what is on S3 by its bucket, `s3://<bucket>`, and its
//! key; what is on a file system by `file` and its path. For jobs of state machines the rules say nothing: their
//! namespace is the address of the lake, which no other deployment has.

use percent_encoding::percent_decode_str;
use url::Url;

use super::dataset_facets::DatasetFacets;
use super::model::Dataset;
use super::run_facets::JobName;
use crate::name::{PipelineName, RunId, TableRef};
use crate::uri::{FolderUri, layout};

/// The job of a pipeline's runs.
pub(super) fn pipeline_job(lake: &FolderUri, pipeline: &PipelineName) -> JobName {
    JobName { namespace: lake.to_string().trim_end_matches('/').to_owned(), name: pipeline.to_string() }
}

/// A job that is a part of a pipeline's runs.
pub(super) fn part_job(of: &JobName, part: &str) -> JobName {
    JobName { namespace: of.namespace.clone(), name: format!("{}.{part}", of.name) }
}

/// The part of the job that computes a table.
pub(super) fn table_part(table: &TableRef) -> String {
    table.to_string().replace('/', ".")
}

/// The dataset of a table.
pub(super) fn table_dataset(lake: &FolderUri, table: &TableRef) -> Dataset {
    dataset(lake.object(&layout::table(table)).as_url())
}

/// The dataset at an address: a table's folder, or a folder of files.
pub(super) fn dataset(address: &Url) -> Dataset {
    let path = percent_decode_str(address.path()).decode_utf8_lossy().into_owned();
    let facets = DatasetFacets::default();
    if address.scheme() == "file" {
        let path = path.trim_end_matches('/');
        let name = if path.is_empty() { "/" } else { path };
        return Dataset { namespace: "file".to_owned(), name: name.to_owned(), facets };
    }
    let namespace = format!("{}://{}", address.scheme(), address.host_str().unwrap_or_default());
    let key = path.trim_matches('/');
    // A bucket as a whole has no key.
    let name = if key.is_empty() { "/" } else { key };
    Dataset { namespace, name: name.to_owned(), facets }
}

/// The id of a job's execution in an attempt of a run: a UUID of version 8 (RFC 9562), of the hash of what it names.
/// The same attempt always has the same one, wherever its events are made.
pub(super) fn run_uuid(job: &JobName, run: &RunId, attempt: u32) -> String {
    // Names of runs have no line end, and the others are before them.
    let named = format!("{}\n{}\n{run}\n{attempt}", job.namespace, job.name);
    let mut first = [0_u8; 16];
    for (byte, hashed) in first.iter_mut().zip(blake3::hash(named.as_bytes()).as_bytes()) {
        *byte = *hashed;
    }
    let version = (u128::from_be_bytes(first) & !(0xf_u128 << 76)) | (0x8_u128 << 76);
    let number = (version & !(0x3_u128 << 62)) | (0x2_u128 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        (number >> 80) & 0xffff,
        (number >> 64) & 0xffff,
        (number >> 48) & 0xffff,
        number & 0xffff_ffff_ffff
    )
}
