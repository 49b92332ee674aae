//! What answers leave behind in a lake on this machine. On S3, lifecycle rules take it away.

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStoreExt;
use sluice_core::uri::{LakePath, layout};
use sluice_documents::{DocumentError, DocumentStore};

/// How long answers are kept: twice as long as their addresses are good for.
const ANSWERS_KEPT: SignedDuration = SignedDuration::from_mins(30);
/// How long copies are kept: longer than they are handed out.
pub(crate) const COPIES_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Why old answers and copies stay. The next call tries again.
#[derive(Debug, thiserror::Error)]
pub enum ExpiryError {
    /// The address of the folder.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The store.
    #[error("cannot delete old objects in {folder}")]
    Store {
        /// Where.
        folder: LakePath,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// Deletes the answers and copies of this lake that are too old at `now`, and returns how many objects they were.
///
/// # Errors
/// [`ExpiryError`]; what was found before it is deleted.
pub async fn expire(documents: &DocumentStore, now: Timestamp) -> Result<u64, ExpiryError> {
    let answers = expire_in(documents, layout::answers(), now, ANSWERS_KEPT).await?;
    Ok(answers + expire_in(documents, layout::copies(), now, COPIES_KEPT).await?)
}

async fn expire_in(
    documents: &DocumentStore,
    folder: LakePath,
    now: Timestamp,
    kept: SignedDuration,
) -> Result<u64, ExpiryError> {
    let prefix = documents.key(&folder)?;
    let oldest = now.as_millisecond() - i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let mut found = documents
        .objects()
        .list(Some(&prefix))
        .try_filter(|object| std::future::ready(object.last_modified.timestamp_millis() < oldest));
    let mut deleted = 0;
    while let Some(object) = found.next().await {
        let result = match object {
            Ok(object) => documents.objects().delete(&object.location).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => deleted += 1,
            // Another server was faster.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(ExpiryError::Store { folder, source }),
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn answers_and_copies_are_deleted_when_they_are_too_old() {
        let folder = tempfile::tempdir().expect("folder");
        let root = format!("file://{}/", folder.path().display()).parse().expect("folder");
        let documents = DocumentStore::open(&root, &BTreeMap::new()).expect("store");
        let now = Timestamp::now();
        assert_eq!(expire(&documents, now).await.expect("an empty lake"), 0);
        for path in ["answers/a.json", "copies/hr/pay/people/3-abc/list.json", "silver/hr/people/part.parquet"] {
            documents.write(&path.parse().expect(path), "x").await.expect("written");
        }
        let check = async |minutes: i64, expected: u64, left: &[&str]| {
            let later = now.checked_add(SignedDuration::from_mins(minutes)).expect("time");
            assert_eq!(expire(&documents, later).await.expect("expired"), expected, "after {minutes} min");
            for path in ["answers/a.json", "copies/hr/pay/people/3-abc/list.json", "silver/hr/people/part.parquet"] {
                assert_eq!(folder.path().join(path).exists(), left.contains(&path), "{path} after {minutes} min");
            }
        };
        let (copy, table) = ("copies/hr/pay/people/3-abc/list.json", "silver/hr/people/part.parquet");
        check(0, 0, &["answers/a.json", copy, table]).await;
        check(29, 0, &["answers/a.json", copy, table]).await;
        check(31, 1, &[copy, table]).await;
        check(23 * 60, 0, &[copy, table]).await;
        check(25 * 60, 1, &[table]).await;
    }

    #[test]
    fn answers_are_kept_for_longer_than_their_addresses_are_good() {
        assert_eq!(ANSWERS_KEPT.as_secs().unsigned_abs(), 2 * crate::links::LINK_EXPIRY.as_secs());
    }
}
