//! Staged files whose rows the parts of a run have counted: that they are still those files is proved by their footers,
//! and no row is read again.

use futures::{StreamExt, TryStreamExt, stream};
use sluice_core::name::TableRef;
use sluice_core::run::{AuditedRows, StagedFile, TableChange};
use sluice_core::uri::layout;

use crate::delta::Footer;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::AT_ONCE;

/// What is known of a staged file: all but its statistics, which are long.
struct Known {
    path: String,
    rows: u64,
    size_bytes: u64,
}

impl Known {
    fn of(file: &StagedFile) -> Self {
        Self { path: file.path.clone(), rows: file.rows, size_bytes: file.size_bytes }
    }
}

/// Proves that the files of a change are those that were staged, and have the rows that were counted in them.
///
/// # Errors
/// [`LakeError::Unreadable`] naming table and file where a file is gone or is another one; the store's.
pub(super) async fn prove_rows(lake: &Lake, change: &TableChange, audited: &AuditedRows) -> Result<(), LakeError> {
    let table = &change.table;
    let known: Vec<Known> = change.adds.iter().map(Known::of).collect();
    let files = known.len();
    let rows = stream::iter(known).map(|file| rows_of(lake, table, file)).buffered(AT_ONCE);
    let rows: Vec<u64> = rows.try_collect().await?;
    let (found, counted) = (rows.into_iter().fold(0, u64::saturating_add), audited.rows);
    if found == counted {
        return Ok(());
    }
    let what = format!(
        "table `{table}`: its {files} staged files have {found} rows, and {counted} were counted when they were \
         staged; run again"
    );
    Err(LakeError::Unreadable { what })
}

/// The rows of a staged file, as its footer says.
async fn rows_of(lake: &Lake, table: &TableRef, file: Known) -> Result<u64, LakeError> {
    let Known { path, rows: known_rows, size_bytes: known_bytes } = file;
    let wrong = |problem: &str| LakeError::Unreadable {
        what: format!("table `{table}`: staged file {path} {problem}; run again"),
    };
    let place = layout::table_file(table, &path).map_err(|error| wrong(&format!("has no valid path: {error}")))?;
    let documents = lake.documents();
    let footer = match Footer::read(documents.objects(), documents.key(&place)?).await {
        Ok(footer) => footer,
        Err(LakeError::Store { source: object_store::Error::NotFound { .. }, .. }) => {
            return Err(wrong("is gone since its rows were counted"));
        }
        Err(LakeError::Unreadable { what }) => {
            return Err(wrong(&format!("is not the one whose rows were counted: {what}")));
        }
        Err(error) => return Err(error),
    };
    let (rows, size_bytes) = (footer.rows(), footer.size_bytes);
    if (rows, size_bytes) == (known_rows, known_bytes) {
        return Ok(rows);
    }
    Err(wrong(&format!(
        "has {rows} rows in {size_bytes} bytes, and had {known_rows} rows in {known_bytes} bytes when they were counted"
    )))
}
