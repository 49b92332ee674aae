//! Paths below the lake's root. One function per kind of thing, so that the layout is written in one place.
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sluice_core::name::TableRef;
//! use sluice_core::run::{DocumentKind, RunRef};
//! use sluice_core::uri::layout;
//!
//! let table: TableRef = "silver/sales/orders".parse()?;
//! assert_eq!(layout::log(&table).as_str(), "silver/sales/orders/_delta_log");
//!
//! let run = RunRef { pipeline: "retail".parse()?, run_id: "day-1".parse()?, attempt: 1 };
//! let plan = layout::attempt_document(&run, DocumentKind::Plan);
//! assert_eq!(plan.as_str(), "runs/retail/day-1/plan-1.json");
//! assert_eq!(layout::attempt_of(&plan), Some((run, DocumentKind::Plan)));
//! # Ok(())
//! # }
//! ```

use super::{LakePath, UriError};
use crate::name::{DomainName, Layer, PipelineName, PortName, ProductRef, RecipientName, RunId, TableRef};
pub use crate::origin::NULL_PARTITION;
use crate::recipient::{KeptToken, Token};
use crate::run::{ClusterMark, DocumentKind, PartRef, Reading, RunKey, RunRef};

/// Folder with one folder of delivered files per pipeline.
pub const LANDING: &str = "landing";
/// Name of the file with a pipeline's spec, in the folder of a person and in the lake.
pub const SPEC_FILE: &str = "pipeline.yaml";
/// Name of the folder with a table's log, which Delta prescribes.
pub const LOG_FOLDER: &str = "_delta_log";

/// Longest name of a folder, in bytes, on every usual file system.
pub const MAX_FOLDER_BYTES: usize = 255;

/// Folder of the domains of a layer.
pub fn layer(layer: Layer) -> LakePath {
    LakePath(layer.as_str().to_owned())
}

/// Folder of the tables of a domain in a layer.
pub fn domain(layer: Layer, domain: &DomainName) -> LakePath {
    LakePath(format!("{}/{domain}", layer.as_str()))
}

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
pub fn attempt_document(run: &RunRef, kind: DocumentKind) -> LakePath {
    LakePath(format!("runs/{}/{}/{kind}-{}.json", run.pipeline, run.run_id, run.attempt))
}

/// The attempt and the kind of the document that [`attempt_document`] puts at `path`; `None` for any other path.
pub fn attempt_of(path: &LakePath) -> Option<(RunRef, DocumentKind)> {
    let (pipeline, of_run) = path.0.strip_prefix("runs/")?.split_once('/')?;
    let (run_id, name) = of_run.split_once('/')?;
    let (kind, attempt) = name.strip_suffix(".json")?.rsplit_once('-')?;
    let kind = DocumentKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let (pipeline, run_id) = (pipeline.parse().ok()?, run_id.parse().ok()?);
    let run = RunRef { pipeline, run_id, attempt: attempt.parse().ok()? };
    (attempt_document(&run, kind) == *path).then_some((run, kind))
}

/// A document of a whole run, such as `report.json`.
pub fn run_document(run: &RunKey, kind: DocumentKind) -> LakePath {
    LakePath(format!("runs/{}/{}/{kind}.json", run.pipeline, run.run_id))
}

/// The page of a run as the attempt that ended it left it, such as `report-1.html`; attempt 0 is a run without a plan.
pub fn report_page(run: &RunRef) -> LakePath {
    LakePath(format!("runs/{}/{}/report-{}.html", run.pipeline, run.run_id, run.attempt))
}

/// What people were alerted of about a pipeline, such as `alerts/retail.json`.
pub fn alerts(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("alerts/{pipeline}.json"))
}

/// Folder of the folders of what parts of a pipeline's runs have left, by run id. All of it is of use until the run has ended:
/// a lifecycle rule takes it away after 15 days.
pub fn parts_of_runs(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("parts/{pipeline}"))
}

/// A document of one part of an attempt, such as `part-7.json`.
pub fn part_document(of: &PartRef, kind: DocumentKind) -> LakePath {
    let PartRef { run: RunRef { pipeline, run_id, attempt }, part, reading } = of;
    let again = match reading {
        Reading::First => "",
        Reading::Again => "-again",
    };
    LakePath(format!("parts/{pipeline}/{run_id}/{attempt}/{kind}-{part}{again}.json"))
}

/// Folder of the typed rows of an attempt that wait to be merged into a table.
pub fn typed(run: &RunRef, table: &TableRef) -> LakePath {
    let RunRef { pipeline, run_id, attempt } = run;
    LakePath(format!("parts/{pipeline}/{run_id}/{attempt}/{}.{}", table.domain(), table.table()))
}

/// A mark of one round in which an attempt of a run gets its cluster.
pub fn cluster_mark(run: &RunRef, mark: ClusterMark, round: u32) -> LakePath {
    let RunRef { pipeline, run_id, attempt } = run;
    LakePath(format!("runs/{pipeline}/{run_id}/{}-{attempt}-{round}.json", mark.as_str()))
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

/// A document of a pipeline as deployed: its spec or one of its contracts. `path` is the one in the pipeline's folder.
pub fn pipeline_document(pipeline: &PipelineName, path: &LakePath) -> LakePath {
    LakePath(format!("pipelines/{pipeline}/{path}"))
}

/// The spec of a pipeline as deployed.
pub fn spec(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("pipelines/{pipeline}/{SPEC_FILE}"))
}

/// Folder with the folders of delivered files.
pub fn landing() -> LakePath {
    LakePath(LANDING.to_owned())
}

/// A delivered file. `path` is the one below the landing folder.
pub fn delivered(path: &LakePath) -> LakePath {
    LakePath(format!("{LANDING}/{path}"))
}

/// The folder directly below the landing folder that has the object with this path in it, which names its pipeline.
pub fn landing_folder(path: &str) -> Option<&str> {
    let (folder, _) = path.strip_prefix(LANDING)?.strip_prefix('/')?.split_once('/')?;
    Some(folder)
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

/// Folder of the specs and contracts of all pipelines as deployed.
pub fn pipelines() -> LakePath {
    LakePath("pipelines".to_owned())
}

/// The pipeline whose spec [`spec`] puts at `path`; `None` for any other path.
pub fn pipeline_of_spec(path: &LakePath) -> Option<PipelineName> {
    path.0.strip_prefix("pipelines/")?.strip_suffix(SPEC_FILE)?.strip_suffix('/')?.parse().ok()
}

/// Folder of the answers that are too large for one response.
pub fn answers() -> LakePath {
    LakePath("answers".to_owned())
}

/// An answer that is too large for one response; a lifecycle rule takes it away after a day, on this machine `sluice serve`.
pub fn answer(id: impl std::fmt::Display, extension: &str) -> LakePath {
    LakePath(format!("answers/{id}.{extension}"))
}

/// The secret of the HTTP APIs on this machine.
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

/// What is kept of the token of this recipient with this id, as [`Token::id`] gives it; `None` for a text of another
/// form.
pub fn token_of(recipient: &RecipientName, id: &str) -> Option<LakePath> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_id.then(|| LakePath(format!("recipients/{recipient}/{id}.json")))
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
    below(&self::table(table), path)
}

/// A file below a folder of data files. `path` may be anything.
///
/// # Errors
/// [`UriError`] for a path that leaves the folder.
pub fn below(folder: &LakePath, path: &str) -> Result<LakePath, UriError> {
    format!("{folder}/{path}").parse()
}

/// Name below the table's folder of a data file that a run stages in the table's own layout. The run is in the name so that files that
/// were never committed can be traced to it; `id` makes it unique.
pub fn staged_name(run: &RunId, id: impl std::fmt::Display) -> String {
    format!("part-{run}-{id}.zstd.parquet")
}

/// The run that has staged a data file with this path below its table's folder, where the `id` was a UUID; `None` for a
/// file of another name.
pub fn run_of_staged(path: &str) -> Option<RunId> {
    /// Characters of a UUID.
    const UUID: usize = 36;

    let name = path.rsplit('/').next()?.strip_prefix("part-")?.strip_suffix(".zstd.parquet")?;
    let (run, _) = name.split_at_checked(name.len().checked_sub(UUID)?)?;
    run.strip_suffix('-')?.parse().ok()
}

/// Folder of a table's log.
pub fn log(table: &TableRef) -> LakePath {
    LakePath(format!("{table}/{LOG_FOLDER}"))
}

/// An entry of a table's log.
pub fn log_entry(table: &TableRef, version: u64) -> LakePath {
    LakePath(format!("{table}/{LOG_FOLDER}/{version:020}.json"))
}

/// A file of a table's log. `name` is the one that a listing of the log's folder gave.
pub fn log_file(table: &TableRef, name: &str) -> LakePath {
    LakePath(format!("{table}/{LOG_FOLDER}/{name}"))
}

/// The file of a log that names its newest checkpoint.
pub fn last_checkpoint(table: &TableRef) -> LakePath {
    LakePath(format!("{table}/{LOG_FOLDER}/_last_checkpoint"))
}

/// The restoration that was begun and is not finished.
pub fn pending_restoration() -> LakePath {
    LakePath("restores/pending.json".to_owned())
}

/// A finished restoration. The id is an instant.
pub fn restoration(id: &str) -> LakePath {
    LakePath(format!("restores/{id}.json"))
}

/// Folder of the log files that a restoration took out.
pub fn all_moved(id: &str) -> LakePath {
    LakePath(format!("restores/{id}"))
}

/// Where a restoration moves the file of this name of a table's log to. Not below a `_delta_log`: no reader may take it for a table.
pub fn moved(id: &str, table: &TableRef, name: &str) -> LakePath {
    LakePath(format!("restores/{id}/{table}/{name}"))
}

/// Folder of all copies.
pub fn copies() -> LakePath {
    LakePath("copies".to_owned())
}

/// Folder of the copies of a port that are handed out to callers who do not read it as it is: one for each version
/// of the table, its files and form of access, whose `digest` has hexadecimal digits.
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
    /// A file of rows, by the time at which it was written: a copy that is made again has another one.
    Part(i64),
    /// The list of the parts, with which the copy is complete.
    List,
}

/// Folder of what Spark logs of a run on this machine.
pub fn spark_logs(run: &RunId) -> LakePath {
    LakePath(format!("logs/spark/{run}"))
}

/// Folder of the folders of holds.
pub fn all_holds() -> LakePath {
    LakePath("holds".to_owned())
}

/// Folder of the holds of a pipeline.
pub fn holds(pipeline: &PipelineName) -> LakePath {
    LakePath(format!("holds/{pipeline}"))
}

/// The hold on one source object.
pub fn hold(pipeline: &PipelineName, source: &crate::source::SourceId) -> LakePath {
    LakePath(format!("holds/{pipeline}/{source}.json"))
}

/// The source object whose hold [`hold`] puts at `path`; `None` for any other path.
pub fn held_source(path: &LakePath) -> Option<crate::source::SourceId> {
    let (_, name) = path.0.strip_prefix("holds/")?.split_once('/')?;
    name.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_delivered_file_names_its_pipeline() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(landing_folder(path), expected, "{path}");
        check("landing/retail/2026/day 1.csv", Some("retail"));
        check("landing/retail/", Some("retail"));
        for path in ["landing/x.csv", "landings/retail/x.csv", "prod/landing/retail/x.csv", "landing", ""] {
            check(path, None);
        }
    }

    #[test]
    fn a_staged_file_names_its_run() {
        let run: RunId = "20260105T100000Z-3f-a_b".parse().expect("id");
        let name = staged_name(&run, "01932c07-209b-7a60-9c5e-0123456789ab");
        assert_eq!(run_of_staged(&name), Some(run.clone()));
        assert_eq!(run_of_staged(&format!("day=2026-01-05/{name}")), Some(run));
        for path in ["", "part-00000-0123.c000.snappy.parquet", "part-run-1.zstd.parquet", "part-é.zstd.parquet"] {
            assert_eq!(run_of_staged(path), None, "{path}");
        }
    }

    #[test]
    fn a_spec_names_its_pipeline() {
        let pipeline: PipelineName = "retail".parse().expect("name");
        assert_eq!(pipeline_of_spec(&spec(&pipeline)), Some(pipeline));
        for path in ["pipelines/retail/contracts/pipeline.yaml", "pipelines/pipeline.yaml", "pipelines/retail/x.yaml"] {
            assert_eq!(pipeline_of_spec(&path.parse().expect(path)), None, "{path}");
        }
    }

    #[test]
    fn a_hold_names_its_source_object() {
        let source: crate::source::SourceId = "0123456789abcdef".repeat(2).parse().expect("id");
        assert_eq!(held_source(&hold(&"retail".parse().expect("name"), &source)), Some(source));
        let below = "holds/retail/x/0123456789abcdef0123456789abcdef.json";
        for path in ["holds/retail/notes.json", below, "holds/retail"] {
            assert_eq!(held_source(&path.parse().expect(path)), None, "{path}");
        }
    }

    #[test]
    fn entries_of_a_log_sort_by_version() {
        let table = "silver/sales/t".parse().expect("table");
        assert_eq!(log_entry(&table, 12).as_str(), "silver/sales/t/_delta_log/00000000000000000012.json");
        assert!(log_entry(&table, 9) < log_entry(&table, 10));
    }
}
