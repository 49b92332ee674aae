//! A landing folder on S3: keys exactly as they are, and which of them `object_store` can read under the same name.

use object_store::path::PathPart;
use sluice_core::files::{FileSelection, hidden_part};
use sluice_core::source::{PassedBy, PassedByReason, SourceObject};
use sluice_core::uri::FolderUri;
use sluice_documents::S3Objects;

use super::Landing;
use crate::error::LakeError;
use crate::objects::{bucket_and_key, object_uri};

/// Lists a folder on S3, as [`super::list_landing`] says.
pub(super) async fn list(
    s3: &dyn S3Objects,
    folder: &FolderUri,
    files: Option<&FileSelection>,
) -> Result<Landing, LakeError> {
    let (bucket, path) = bucket_and_key(folder.as_url())?;
    // With the slash, so that folders whose names begin alike are not listed, too.
    let prefix = if path.as_ref().is_empty() { String::new() } else { format!("{path}/") };
    let mut landing = Landing::default();
    for object in s3.list(bucket, &prefix).await? {
        let key = object.key.as_str();
        let below = key.strip_prefix(prefix.as_str()).unwrap_or(key);
        // The mark of the landing folder itself.
        if below.is_empty() {
            continue;
        }
        if let Err(reason) = judge_key(below, object.size_bytes, files) {
            let uri = match reason {
                PassedByReason::OddKey => format!("s3://{bucket}/{key}"),
                // A hidden folder counts once, however many objects it has.
                PassedByReason::Hidden => address_below(folder, hidden_part(below).unwrap_or(below)).to_string(),
                _ => address_below(folder, below).to_string(),
            };
            landing.passed_by.push(PassedBy { uri, reason });
            continue;
        }
        let etag = object.etag.ok_or_else(|| LakeError::Invalid {
            message: format!(
                "the store returns no etag for s3://{bucket}/{key}, and versions of an object cannot be distinguished \
                 without one"
            ),
        })?;
        let uri = object_uri(&address_below(folder, below))?;
        landing.objects.push(SourceObject {
            uri,
            etag,
            size_bytes: object.size_bytes,
            modified_at: object.modified_at,
        });
    }
    landing.passed_by.sort();
    landing.passed_by.dedup();
    Ok(landing)
}

/// Whether a key is a source object. A key that ends with a slash and has no content stands for a folder; with content
/// it is an object that no path leads to.
fn judge_key(below: &str, size_bytes: u64, files: Option<&FileSelection>) -> Result<(), PassedByReason> {
    let name = below.strip_suffix('/').unwrap_or(below);
    if !name.split('/').all(|part| !part.is_empty() && PathPart::parse(part).is_ok()) {
        return Err(PassedByReason::OddKey);
    }
    match files.map_or(Ok(()), |files| files.judge(name)) {
        Err(PassedByReason::Hidden) => Err(PassedByReason::Hidden),
        judged if name.len() == below.len() => judged,
        _ if size_bytes == 0 => Err(PassedByReason::FolderMarker),
        _ => Err(PassedByReason::OddKey),
    }
}

fn address_below(folder: &FolderUri, below: &str) -> url::Url {
    let mut address = folder.as_url().clone();
    if let Ok(mut segments) = address.path_segments_mut() {
        segments.pop_if_empty().extend(below.split('/'));
    }
    address
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_documents::{S3Answer, S3Object};

    use super::*;

    /// A bucket with these keys and sizes.
    #[derive(Debug)]
    struct Bucket(Vec<(&'static str, u64)>);

    impl S3Objects for Bucket {
        fn list<'a>(&'a self, bucket: &'a str, prefix: &'a str) -> S3Answer<'a, Vec<S3Object>> {
            assert_eq!(bucket, "b");
            let object = |(key, size_bytes): &(&str, u64)| S3Object {
                key: (*key).to_owned(),
                size_bytes: *size_bytes,
                etag: Some("e".to_owned()),
                modified_at: None,
                version: None,
            };
            let listed: Vec<S3Object> = self.0.iter().filter(|(key, _)| key.starts_with(prefix)).map(object).collect();
            Box::pin(async move { Ok(listed) })
        }

        fn head<'a>(&'a self, _: &'a str, _: &'a str) -> S3Answer<'a, Option<S3Object>> {
            Box::pin(async { Ok(None) })
        }

        fn signed_url<'a>(&'a self, _: &'a str, key: &'a str, _: Duration) -> S3Answer<'a, String> {
            Box::pin(async move { Ok(key.to_owned()) })
        }
    }

    #[tokio::test]
    async fn keys_that_no_path_leads_to_are_passed_by_under_their_exact_names() {
        let keys = [
            ("in day/", 0),
            ("in day//a.csv", 1),
            ("in day/../b.csv", 1),
            ("in day/./c.csv", 1),
            ("in day/_tmp/", 0),
            ("in day/_tmp/x.csv", 1),
            ("in day/a", 1),
            ("in day/a/", 0),
            ("in day/a/d%20e.csv", 1),
            ("in day/full/", 7),
            ("in day/x\u{7}.csv", 1),
            ("in days/f.csv", 1),
        ];
        let (bucket, files) = (Bucket(keys.to_vec()), FileSelection::default());
        let folder: FolderUri = "s3://b/in%20day".parse().unwrap();
        let landing = list(&bucket, &folder, Some(&files)).await.unwrap();
        let objects: Vec<&str> = landing.objects.iter().map(|object| object.uri.as_str()).collect();
        assert_eq!(objects, ["s3://b/in%20day/a", "s3://b/in%20day/a/d%2520e.csv"]);
        let found: Vec<_> =
            landing.passed_by.iter().map(|passed| (passed.uri.as_str(), passed.reason.clone())).collect();
        let expected = [
            ("s3://b/in day/../b.csv", PassedByReason::OddKey),
            ("s3://b/in day/./c.csv", PassedByReason::OddKey),
            ("s3://b/in day//a.csv", PassedByReason::OddKey),
            ("s3://b/in day/full/", PassedByReason::OddKey),
            ("s3://b/in day/x\u{7}.csv", PassedByReason::OddKey),
            ("s3://b/in%20day/_tmp/", PassedByReason::Hidden),
            ("s3://b/in%20day/a/", PassedByReason::FolderMarker),
        ];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_bucket_is_listed_as_a_whole_and_a_mark_stands_for_no_object_below_it() {
        let bucket = Bucket(vec![("/a.csv", 1), ("b.csv", 1), ("c/", 0)]);
        let landing = list(&bucket, &"s3://b/".parse().unwrap(), None).await.unwrap();
        assert_eq!(landing.objects.len(), 1, "{landing:?}");
        let about = |object: &str| landing.passed_by.iter().any(|passed| passed.is_about(&object.parse().unwrap()));
        assert!(about("s3://b//a.csv") && !about("s3://b/c/d.csv"), "{landing:?}");
    }
}
