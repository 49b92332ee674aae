//! Paths below the lake's root. One function per kind of thing, so that the layout is written in one place.

use super::{LakePath, UriError};
use crate::name::{PipelineName, PortName, ProductRef, RecipientName, RunId, TableRef};
use crate::recipient::{KeptToken, Token};
use crate::run::RunRef;

/// Folder of a table's files and log.
pub fn table(table: &TableRef) -> LakePath {
    LakePath(table.to_string())
}

/// Folder of the folders of runs.
pub fn all_runs() -> LakePath {
    LakePath("runs".to_owned())
}

/// Folder of all runs of a pipeline.
pub fn runs(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("runs/{pipeline}"))
}

/// Folder of one run.
pub fn run(pipeline: &PipelineName, run: &RunId) -> LakePath {
    LakePath(format!("runs/{pipeline}/{run}"))
}

/// A document of one attempt of a run, such as `plan-1.json`.
pub fn attempt_document(pipeline: &PipelineName, run: &RunId, attempt: u32, kind: &str) -> LakePath {
    LakePath(format!("runs/{pipeline}/{run}/{kind}-{attempt}.json"))
}

/// A document of a whole run, such as `report.json`.
pub fn run_document(pipeline: &PipelineName, run: &RunId, kind: &str) -> LakePath {
    LakePath(format!("runs/{pipeline}/{run}/{kind}.json"))
}

/// The Spark script of one attempt of a run.
pub fn script(run: &RunRef) -> LakePath {
    LakePath(format!("runs/{}/{}/etl-{}.sql", run.pipeline, run.run_id, run.attempt))
}

/// Folder where Spark writes what it counted in one attempt of a run, as lines of JSON.
pub fn metrics(run: &RunRef) -> LakePath {
    LakePath(format!("runs/{}/{}/metrics-{}", run.pipeline, run.run_id, run.attempt))
}

/// Folder of what Spark keeps between the statements of one attempt of a run.
pub fn scratch(run: &RunRef) -> LakePath {
    LakePath(format!("runs/{}/{}/scratch-{}", run.pipeline, run.run_id, run.attempt))
}

/// Folder below a table's own where Spark stages the files of one attempt of a run.
pub fn spark_stage(table: &TableRef, run: &RunRef) -> LakePath {
    LakePath(format!("{table}/spark-{}-{}", run.run_id, run.attempt))
}

/// Folder of a pipeline's spec and contracts as deployed.
pub fn pipeline(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("pipelines/{pipeline}"))
}

/// The spec of a pipeline as deployed.
pub fn spec(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("pipelines/{pipeline}/pipeline.yaml"))
}

/// Folder with the folders of delivered files.
pub fn landing() -> LakePath {
    LakePath("landing".to_owned())
}

/// What a caller of the API asked for, under the id of the run that answers it.
pub fn request(run: &RunId) -> LakePath {
    LakePath(format!("requests/{run}.json"))
}

/// Folder of all registered data products.
pub fn products() -> LakePath {
    LakePath("products".to_owned())
}

/// A registered data product.
pub fn product(product: &ProductRef) -> LakePath {
    LakePath(format!("products/{product}.json"))
}

/// An answer that is too large for one response; a lifecycle rule takes it away after a day.
pub fn answer(id: impl std::fmt::Display, extension: &str) -> LakePath {
    LakePath(format!("answers/{id}.{extension}"))
}

/// The secret that doors on this machine are keyed with.
pub fn local_secret() -> LakePath {
    LakePath("serve/secret.json".to_owned())
}

/// Folder of the tokens of everybody who reads with one.
pub fn recipients() -> LakePath {
    LakePath("recipients".to_owned())
}

/// Folder of the tokens of one recipient.
pub fn recipient(recipient: &RecipientName) -> LakePath {
    LakePath(format!("recipients/{recipient}"))
}

/// What is kept of a token. Ids come from [`crate::recipient::Token`], which has hexadecimal digits only.
pub fn token(token: &Token) -> LakePath {
    LakePath(format!("recipients/{}/{}.json", token.recipient(), token.id()))
}

/// Where a token that was read from the lake is.
pub fn kept_token(kept: &KeptToken) -> LakePath {
    LakePath(format!("recipients/{}/{}.json", kept.recipient, kept.id))
}

/// A data file of a table. `path` is the one in the table's log, which may be anything.
///
/// # Errors
/// [`UriError`] for a path that leaves the table's folder.
pub fn table_file(table: &TableRef, path: &str) -> Result<LakePath, UriError> {
    format!("{table}/{path}").parse()
}

/// An entry of a table's log.
pub fn log_entry(table: &TableRef, version: u64) -> LakePath {
    LakePath(format!("{table}/_delta_log/{version:020}.json"))
}

/// The file of a log that names its newest checkpoint.
pub fn last_checkpoint(table: &TableRef) -> LakePath {
    LakePath(format!("{table}/_delta_log/_last_checkpoint"))
}

/// The restoration that was begun and is not finished.
pub fn pending_restoration() -> LakePath {
    LakePath("restores/pending.json".to_owned())
}

/// A finished restoration. The id is an instant.
pub fn restoration(id: &str) -> LakePath {
    LakePath(format!("restores/{id}.json"))
}

/// Where a restoration moves a file of a table's log to. Not below a `_delta_log`: no reader may take it for a table.
pub fn moved(id: &str, table: &TableRef, path: &LakePath) -> LakePath {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    LakePath(format!("restores/{id}/{table}/{name}"))
}

/// Folder of a table's log.
pub fn log(table: &TableRef) -> LakePath {
    LakePath(format!("{table}/_delta_log"))
}

/// Folder of the copies of a port that are handed out to callers who do not read it as it is: one for each version
/// of the table and form of access, whose `digest` has hexadecimal digits.
pub fn copy(product: &ProductRef, port: &PortName, version: u64, digest: &blake3::Hash) -> LakePath {
    LakePath(format!("copies/{product}/{port}/{version}-{digest}"))
}

/// A thing in the folder of a copy: a part, or the list of the parts, which is written last.
pub fn copy_object(folder: &LakePath, name: CopyObject) -> LakePath {
    match name {
        CopyObject::Part(number) => LakePath(format!("{folder}/part-{number}.parquet")),
        CopyObject::List => LakePath(format!("{folder}/list.json")),
    }
}

/// What is in the folder of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyObject {
    /// A file of rows.
    Part(u32),
    /// The list of the parts, with which the copy is complete.
    List,
}

/// Folder of the holds of a pipeline.
pub fn holds(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("holds/{pipeline}"))
}

/// The hold on one source object.
pub fn hold(pipeline: &PipelineName, source: &crate::source::SourceId) -> LakePath {
    LakePath(format!("holds/{pipeline}/{source}.json"))
}
