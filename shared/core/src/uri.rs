//! Where things are: the lake's root, objects outside and inside it, and the layout below the root.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::name::{PipelineName, RunId, TableRef};

/// Why a text is no location.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UriError {
    /// Not a URL, or of a scheme that Sluice does not read.
    #[error("'{text}' is no object address: write file:///path or s3://bucket/key")]
    NotAnAddress {
        /// The refused text.
        text: String,
    },
    /// A path that leaves its root, or has empty or dot segments.
    #[error("path '{text}' leaves its folder or has an empty segment: write it relative, without '.', '..' or '//'")]
    UnsafePath {
        /// The refused text.
        text: String,
    },
}

/// The address of a folder or bucket prefix: `file:///…/` or `s3://bucket/…/`, always with a final slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderUri(Url);

impl FolderUri {
    /// The address as a URL; its path ends in a slash.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether the folder is on this machine's file system.
    pub fn is_local(&self) -> bool {
        self.0.scheme() == "file"
    }

    /// The address of the object at `path` below this folder. The path is taken literally: `%` and spaces are encoded.
    pub fn object(&self, path: &LakePath) -> ObjectUri {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.as_str().split('/'));
        }
        ObjectUri(url)
    }
}

impl FromStr for FolderUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let mut url = parse_url(text)?;
        if !url.path().ends_with('/') {
            let with_slash = format!("{}/", url.path());
            url.set_path(&with_slash);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for FolderUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The address of one object, percent-encoded: `s3://bucket/key` or `file:///path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectUri(Url);

impl ObjectUri {
    /// The address as a URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The last segment as stored in the address (percent-encoded).
    pub fn file_name(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// The text of the address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme and bucket, and the path as it is: Hadoop, and so Spark, takes addresses literally.
    pub(crate) fn hadoop_parts(&self) -> (String, String) {
        let root = format!("{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default());
        (root, percent_decode_str(self.0.path()).decode_utf8_lossy().into_owned())
    }

    /// The address as Hadoop takes it, with its path not encoded: `s3://bucket/a b.csv` or `file:///a b.csv`.
    pub fn hadoop_path(&self) -> String {
        let (root, path) = self.hadoop_parts();
        root + &path
    }
}

impl FromStr for ObjectUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let url = parse_url(text)?;
        if url.path().ends_with('/') {
            return Err(UriError::NotAnAddress { text: text.to_owned() });
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

fn parse_url(text: &str) -> Result<Url, UriError> {
    let refused = || UriError::NotAnAddress { text: text.to_owned() };
    let url = Url::parse(text).map_err(|_| refused())?;
    let known = match url.scheme() {
        "file" => url.host_str().is_none_or(str::is_empty),
        "s3" => url.host_str().is_some_and(|bucket| !bucket.is_empty()),
        _ => false,
    };
    if known && url.query().is_none() && url.fragment().is_none() { Ok(url) } else { Err(refused()) }
}

/// A path below a root: one or more segments, none of them empty, `.` or `..`, no control characters or backslashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LakePath(String);

impl LakePath {
    /// The path, without a leading or trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LakePath {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let safe = trimmed.split('/').all(|segment| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && !segment.chars().any(|c| c.is_control() || c == '\\')
        });
        if safe { Ok(Self(trimmed.to_owned())) } else { Err(UriError::UnsafePath { text: text.to_owned() }) }
    }
}

impl fmt::Display for LakePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Serde through `FromStr` and `Display`.
macro_rules! serde_as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
serde_as_text!(FolderUri, ObjectUri, LakePath);

impl schemars::JsonSchema for LakePath {
    fn schema_name() -> Cow<'static, str> {
        "LakePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "relative path without '.', '..', empty segments or backslashes",
        })
    }
}

/// Paths below the lake's root. One function per kind of thing, so that the layout is written in one place.
pub mod layout {
    use super::{LakePath, PipelineName, RunId, TableRef, UriError};
    use crate::name::{PortName, ProductRef, RecipientName};
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_climb() {
        for text in ["", "/", "/a", "a//b", "..", "a/../b", "./a", "a/.", "a\\b", "a\nb"] {
            assert!(text.parse::<LakePath>().is_err(), "{text:?}");
        }
        for text in ["a", "a/b c/%41=ü.csv", "landing/retail/"] {
            assert!(text.parse::<LakePath>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn object_names_are_taken_literally() {
        let check = |name: &str, expected: &str| {
            let root: FolderUri = "s3://lake/landing".parse().expect("folder");
            let object = root.object(&name.parse().expect("path"));
            assert_eq!(object.as_str(), expected);
            assert_eq!(object.as_str().parse::<ObjectUri>().as_ref(), Ok(&object));
        };
        check("day one.csv", "s3://lake/landing/day%20one.csv");
        check("a%20b.csv", "s3://lake/landing/a%2520b.csv");
        check("a=b/ü.csv", "s3://lake/landing/a=b/%C3%BC.csv");
    }

    #[test]
    fn hadoop_takes_paths_as_they_are() {
        let check = |uri: &str, expected: &str| {
            assert_eq!(uri.parse::<ObjectUri>().expect(uri).hadoop_path(), expected);
        };
        check("s3://b/k/a.csv", "s3://b/k/a.csv");
        check("s3://b/day%20one/%C3%BC.csv", "s3://b/day one/ü.csv");
        check("s3://b/a%2520b.csv", "s3://b/a%20b.csv");
        check("file:///srv/a%25.sql", "file:///srv/a%.sql");
    }

    #[test]
    fn only_known_schemes_are_addresses() {
        for text in ["http://x/y", "s3:///x", "file://host/x", "x.csv", "s3://b/k?x=1", "s3://b/k#f"] {
            assert!(text.parse::<ObjectUri>().is_err(), "{text}");
        }
    }
}
