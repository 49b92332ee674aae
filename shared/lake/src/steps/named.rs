//! A run over some objects of its landing folder, named one by one.

use std::collections::BTreeMap;

use sluice_core::pipeline::Pipeline;
use sluice_core::run::RunRequest;
use sluice_core::source::{PassedBy, SourceObject};
use sluice_core::uri::{FolderUri, ObjectUri};

use crate::error::LakeError;

/// The objects that a request names; without names, all that there are.
pub(super) struct Named<'a>(Option<BTreeMap<String, &'a ObjectUri>>);

impl<'a> Named<'a> {
    /// The names of a request. They are compared decoded: people and stores encode a blank or an umlaut differently.
    pub(super) fn of(request: &'a RunRequest) -> Self {
        Self(request.objects.as_ref().map(|uris| uris.iter().map(|uri| (uri.hadoop_path(), uri)).collect()))
    }

    /// The names in the folder of a source, where the pipeline names its sources: the others are of other sources.
    pub(super) fn below(self, landing: &FolderUri, pipeline: &Pipeline) -> Self {
        if !pipeline.has_named_sources() {
            return self;
        }
        let is_below = |(path, _): &(String, &ObjectUri)| path.starts_with(&decoded(landing));
        Self(self.0.map(|names| names.into_iter().filter(is_below).collect()))
    }

    /// Refuses names of objects that are in none of the folders of a pipeline's sources.
    pub(super) fn check_folders(&self, folders: &[FolderUri]) -> Result<(), LakeError> {
        let Some(names) = &self.0 else { return Ok(()) };
        let is_elsewhere = |path: &str| !folders.iter().any(|folder| path.starts_with(&decoded(folder)));
        let Some(uri) = names.iter().find(|(path, _)| is_elsewhere(path)).map(|(_, uri)| uri) else { return Ok(()) };
        let folders: Vec<String> = folders.iter().map(|folder| format!("'{folder}'")).collect();
        Err(LakeError::NotFound {
            what: format!(
                "object '{uri}' is in no landing folder of the pipeline's sources, which are {}: deliver it to one of them",
                folders.join(", ")
            ),
        })
    }

    /// Refuses names of objects that are not in the folder: a run over fewer objects than were asked for would look as if
    /// it had taken them all.
    pub(super) fn check(
        &self,
        listed: &[SourceObject],
        passed_by: &[PassedBy],
        landing: &FolderUri,
    ) -> Result<(), LakeError> {
        let Some(names) = &self.0 else { return Ok(()) };
        let mut missing = names.clone();
        for object in listed {
            missing.remove(&object.uri.hadoop_path());
        }
        let Some(uri) = missing.values().next() else { return Ok(()) };
        if let Some(passed) = passed_by.iter().find(|passed| passed.is_about(uri)) {
            return Err(LakeError::Invalid { message: format!("object '{uri}' cannot be taken: {}", passed.reason) });
        }
        Err(LakeError::NotFound {
            what: format!(
                "object '{uri}' is not in landing folder '{landing}': deliver it first, or give its folder as `landing`"
            ),
        })
    }

    /// Whether the run takes this object.
    pub(super) fn takes(&self, object: &SourceObject) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains_key(&object.uri.hadoop_path()))
    }
}

/// The address of a folder as names are compared.
fn decoded(folder: &FolderUri) -> String {
    let url = folder.as_url();
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
    format!("{}://{}{path}", url.scheme(), url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use sluice_core::error::ErrorName;
    use sluice_core::source::PassedByReason;

    use super::*;

    fn request(objects: Option<&[&str]>) -> RunRequest {
        let mut request = serde_json::json!({ "pipeline": "retail" });
        if let Some(objects) = objects {
            request["objects"] = serde_json::json!(objects);
        }
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn named_objects_are_taken_and_no_others() {
        let listed: Vec<SourceObject> = ["s3://b/in/day%20one.csv", "s3://b/in/2.csv"]
            .map(|uri| {
                let object = serde_json::json!({ "uri": uri, "etag": "e", "size_bytes": 1 });
                serde_json::from_value(object).unwrap()
            })
            .into();
        let landing = "s3://b/in/".parse().unwrap();
        let check = |objects: Option<&[&str]>, expected: Result<usize, &str>| {
            let request = request(objects);
            let named = Named::of(&request);
            match (named.check(&listed, &[], &landing), expected) {
                (Ok(()), Ok(taken)) => {
                    assert_eq!(listed.iter().filter(|object| named.takes(object)).count(), taken, "{objects:?}");
                }
                (Err(error), Err(text)) => {
                    assert_eq!(error.name(), ErrorName::NotFound);
                    assert!(error.to_string().contains(text), "{error}");
                }
                (found, expected) => panic!("{objects:?}: {found:?} is not {expected:?}"),
            }
        };
        check(None, Ok(2));
        check(Some(&["s3://b/in/2.csv"]), Ok(1));
        check(Some(&["s3://b/in/day one.csv"]), Ok(1));
        check(Some(&["s3://b/in/2.csv", "s3://b/in/3.csv"]), Err("'s3://b/in/3.csv' is not in landing folder"));
        check(Some(&["s3://b/other/2.csv"]), Err("s3://b/other/2.csv"));
    }
    #[test]
    fn a_named_object_that_is_passed_by_is_refused_with_the_reason() {
        let passed = |uri: &str| PassedBy { uri: uri.to_owned(), reason: PassedByReason::Hidden };
        let landing = "s3://b/in/".parse().unwrap();
        for uri in ["s3://b/in/_a%20b/c.csv", "s3://b/in/_a%20b/"] {
            let request = request(Some(&["s3://b/in/_a b/c.csv"]));
            let error = Named::of(&request).check(&[], &[passed(uri)], &landing).expect_err(uri);
            assert_eq!(error.name(), ErrorName::InvalidInput);
            assert!(error.to_string().contains("begins with `.` or `_`"), "{error}");
        }
    }
}
