//! The store of a lake: whether it can be reached, read and written, and creates an object only once.

use std::time::Duration;

use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::uri::{LakePath, layout};
use sluice_documents::{Created, DocumentError, classify};
use sluice_lake::Lake;
use uuid::Uuid;

use super::finding::Finding;
use crate::grid::seconds;

/// Folder of the object that is written as a probe.
const FOLDER: &str = "doctor";
/// From this difference on, times of runs and of files do not fit together.
const SKEW: Duration = Duration::from_secs(60);
/// From this difference on, S3 refuses signed requests.
const LARGEST_SKEW: Duration = Duration::from_secs(15 * 60);

/// The checks of the store, and whether the lake can be read. `is_read_only`: nothing may be written.
pub(super) async fn findings(lake: &Lake, is_read_only: bool) -> (Vec<Finding>, bool) {
    let mut findings = Vec::new();
    if let Some(region) = lake.options().get("aws_region") {
        let endpoint = lake.options().get("aws_endpoint_url").map(|url| format!(" at {url}")).unwrap_or_default();
        findings.push(Finding::ok("aws", format!("credentials were found; region {region}{endpoint}")));
    }
    let can_read = match can_read(lake).await {
        Ok(()) => {
            findings.push(Finding::ok("lake", format!("{} can be read", lake.root())));
            true
        }
        Err(error) => {
            let message = format!("{} cannot be read: {}", lake.root(), with_sources(&error));
            findings.push(Finding::problem("lake", message, fix(lake, classify(&error), "s3:ListBucket")));
            false
        }
    };
    if can_read && is_read_only {
        findings.push(Finding::skipped("write", "not tried, because of --read-only"));
    } else if can_read {
        findings.extend(written(lake).await);
    }
    (findings, can_read)
}

/// Lists what a lake with runs has, and any lake may lack.
async fn can_read(lake: &Lake) -> Result<(), object_store::Error> {
    let generic = |error: DocumentError| object_store::Error::Generic { store: "lake", source: error.into() };
    let key = lake.documents().key(&layout::all_runs()).map_err(generic)?;
    lake.documents().objects().list_with_delimiter(Some(&key)).await.map(drop)
}

/// Writes a probe, tries to write it again, and deletes it.
async fn written(lake: &Lake) -> Vec<Finding> {
    let Ok(path) = format!("{FOLDER}/{}.json", Uuid::now_v7()).parse::<LakePath>() else { return Vec::new() };
    let mut findings = Vec::new();
    match probed(lake, &path).await {
        Ok(found) => findings.extend(found),
        Err(error) => {
            // The first of both writes may have come through.
            let _ = lake.documents().delete(&path).await;
            remove_folder(lake);
            let message = format!("{} cannot be written: {}", lake.root(), with_sources(&error));
            let fix = fix(lake, error.name(), "s3:PutObject and s3:GetObject");
            return vec![Finding::problem("write", message, fix)];
        }
    }
    if let Err(error) = lake.documents().delete(&path).await {
        let message = format!("the probe {} cannot be deleted: {}", lake.root().object(&path), with_sources(&error));
        findings.push(Finding::warning("delete", message, fix(lake, error.name(), "s3:DeleteObject")));
    }
    remove_folder(lake);
    findings
}

async fn probed(lake: &Lake, path: &LakePath) -> Result<Vec<Finding>, DocumentError> {
    let before = Timestamp::now();
    let probe = json!({ "written_by": "sluice doctor", "at": before });
    // A name of this instant is free: what matters is whether it can be taken, and taken twice.
    let first = lake.documents().create(path, &probe).await?;
    let second = lake.documents().create(path, &probe).await?;
    let mut findings = vec![match (first, second) {
        (Created::Created, Created::AlreadyExists) => {
            Finding::ok("write", "an object can be written, and is created only once")
        }
        _ => Finding::problem(
            "write",
            "the store writes an object again that exists, so that two runs at the same time may lose a commit",
            "use a store that honours `If-None-Match: *`, as S3 does",
        ),
    }];
    if !lake.root().is_local() {
        findings.extend(clock(lake, path, before).await?);
    }
    Ok(findings)
}

/// The clock of the store against that of this machine: it has stored the probe after `before`.
async fn clock(lake: &Lake, path: &LakePath, before: Timestamp) -> Result<Option<Finding>, DocumentError> {
    let key = lake.documents().key(path)?;
    let Ok(stored) = lake.documents().objects().head(&key).await else { return Ok(None) };
    let Ok(stored_at) = Timestamp::from_microsecond(stored.last_modified.timestamp_micros()) else { return Ok(None) };
    Ok(Some(judged(stored_at.duration_since(before).unsigned_abs())))
}

fn judged(difference: Duration) -> Finding {
    let fix = "set the clock of this machine by a time server";
    let message = format!("the clocks of this machine and of the store differ by {}", seconds(difference));
    match difference {
        difference if difference >= LARGEST_SKEW => Finding::problem("clock", message, fix),
        difference if difference >= SKEW => Finding::warning("clock", message, fix),
        _ => Finding::ok("clock", "the clocks of this machine and of the store agree"),
    }
}

/// A folder of this machine keeps the folder of the probe.
fn remove_folder(lake: &Lake) {
    let folder = lake.root().is_local().then(|| lake.root().as_url().to_file_path().ok()).flatten();
    if let Some(folder) = folder {
        // Another doctor may be at work in it.
        let _ = std::fs::remove_dir(folder.join(FOLDER));
    }
}

/// What to do about a fault of the store; `action` is what a policy of AWS has to allow.
fn fix(lake: &Lake, name: ErrorName, action: &str) -> String {
    match name {
        ErrorName::Throttled | ErrorName::Unavailable => name.next_step().to_owned(),
        _ if lake.root().is_local() => "give yourself the right to the folder, with chmod or chown".to_owned(),
        _ => format!("check the name of the bucket and its region, and let your role have {action} on it"),
    }
}

#[cfg(test)]
mod tests {
    use sluice_lake::StoreOptions;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn clocks_are_judged_by_their_difference() {
        let check = |seconds: u64, state: State| {
            assert_eq!(judged(Duration::from_secs(seconds)).state(), state, "{seconds}");
        };
        check(0, State::Ok);
        check(59, State::Ok);
        check(60, State::Warning);
        check(899, State::Warning);
        check(900, State::Problem);
    }

    #[tokio::test]
    async fn a_folder_is_written_once_and_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = format!("file://{}", folder.path().display()).parse().unwrap();
        let lake = Lake::open(&root, &StoreOptions::new()).unwrap();
        let (findings, can_read) = findings(&lake, false).await;
        assert!(can_read && findings.iter().all(|finding| finding.state() == State::Ok), "{findings:?}");
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the probe is gone");
    }

    #[tokio::test]
    async fn a_lake_that_is_only_read_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = format!("file://{}", folder.path().display()).parse().unwrap();
        let lake = Lake::open(&root, &StoreOptions::new()).unwrap();
        // The folder of the probe is taken by a file: whoever writes a probe fails.
        std::fs::write(folder.path().join(FOLDER), "taken").unwrap();
        let states = async |is_read_only: bool| {
            let (findings, _) = findings(&lake, is_read_only).await;
            findings.iter().map(Finding::state).collect::<Vec<_>>()
        };
        assert_eq!(states(true).await, [State::Ok, State::Skipped]);
        assert_eq!(states(false).await, [State::Ok, State::Problem]);
    }
}
