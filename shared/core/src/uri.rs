//! Where things are: the lake's root, and objects outside and inside it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::text::serde_as_text;

pub mod layout;

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
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::name::PipelineName;
/// use sluice_core::uri::{FolderUri, layout};
///
/// let lake: FolderUri = "s3://my-lake/prod".parse()?;
/// assert_eq!(lake.to_string(), "s3://my-lake/prod/");
///
/// let pipeline: PipelineName = "retail".parse()?;
/// let spec = lake.object(&layout::spec(&pipeline));
/// assert_eq!(spec.as_str(), "s3://my-lake/prod/pipelines/retail/pipeline.yaml");
///
/// assert!("https://my-lake/prod".parse::<FolderUri>().is_err());
/// # Ok(())
/// # }
/// ```
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

    /// The address of the folder at `path` below this one.
    pub fn folder(&self, path: &LakePath) -> Self {
        let ObjectUri(mut url) = self.object(path);
        let with_slash = format!("{}/", url.path());
        url.set_path(&with_slash);
        Self(url)
    }

    /// Whether an address is that of this folder or of something in it, however it is written.
    pub fn contains(&self, address: &Url) -> bool {
        let Some(rest) = address.as_str().strip_prefix(self.0.as_str()) else { return false };
        // Decoded, a segment could be `..`.
        rest.is_empty() || percent_decode_str(rest).decode_utf8_lossy().parse::<LakePath>().is_ok()
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
    pub fn hadoop_parts(&self) -> (String, String) {
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
    fn a_folder_contains_what_is_in_it_and_nothing_else() {
        let lake: FolderUri = "file:///srv/lake".parse().expect("folder");
        let landing = lake.folder(&"landing/day one".parse().expect("path"));
        assert_eq!(landing.to_string(), "file:///srv/lake/landing/day%20one/");
        let check = |address: &str, expected: bool| {
            let found = landing.contains(&Url::parse(address).expect(address));
            assert_eq!(found, expected, "{address}");
        };
        check("file:///srv/lake/landing/day%20one/", true);
        check("file:///srv/lake/landing/day one/x.csv", true);
        check("file:///srv/lake/landing/day%20one/a/b/", true);
        check("file:///srv/lake/landing/day%20ones/x.csv", false);
        check("file:///srv/lake/landing/", false);
        check("file:///etc/passwd", false);
        check("s3://srv/lake/landing/day%20one/x.csv", false);
        check("file:///srv/lake/landing/day%20one/../../serve/secret.json", false);
        check("file:///srv/lake/landing/day%20one/%2e%2e/%2e%2e/serve/secret.json", false);
        check("file:///srv/lake/landing/day%20one/..%2f..%2fserve/secret.json", false);
        check("file:///srv/lake/landing/day%20one/%2E%2E%2fx.csv", false);
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
