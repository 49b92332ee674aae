//! Copies of tables for callers who do not read them as they are.

use std::collections::BTreeMap;

use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sluice_core::error::with_sources;
use sluice_core::uri::layout::CopyObject;
use sluice_core::uri::{LakePath, layout};
use sluice_http::{Problem, ProblemCode};
use sluice_lake::delta::OpenTable;
use sluice_lake::serve::{Answer, Question};

use super::shared::{SharedFile, access_form, fault, file_id};
use crate::rows::problem_of;
use crate::{Access, Caller, ProductsApi};

/// Most bytes of a table's files that are copied, as many as a copy may have. It is made in memory, where rows take some four times of
/// that.
const MAX_COPIED_BYTES: u64 = 256 << 20;

/// What is known of a copy. Written last: where it is, the file is whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Copied {
    /// Rows.
    rows: u64,
    /// Bytes.
    size_bytes: u64,
    /// When it was written, in milliseconds since 1970.
    written_at_ms: i64,
}

impl ProductsApi {
    /// The files of this version of the port's table, in the caller's form: its own where the caller reads every column and
    /// row as it is, else those of a copy.
    ///
    /// # Errors
    /// Those of the lake; `query-too-large` for a table that is not copied.
    pub(super) async fn shared_files(
        &self,
        (caller, access): (&Caller, &Access),
        table: &OpenTable,
    ) -> Result<Vec<SharedFile>, Problem> {
        let files = table.files_by_path().map_err(|error| fault(access, &error))?;
        if access.table.is_whole(table.columns()) {
            return files.into_iter().map(|file| SharedFile::of_table(access, file)).collect();
        }
        // Under a row filter the copy itself is judged: sizes of files would count rows that are held back.
        let size: u64 = files.iter().map(|file| file.size_bytes).sum();
        if access.table.rows.is_none() && size > MAX_COPIED_BYTES {
            let detail = format!(
                "the policy gives you a part of port `{}`, and its table is larger than the {} MiB that are copied: read its rows",
                access.port.name,
                MAX_COPIED_BYTES >> 20
            );
            return Err(Problem::new(ProblemCode::QueryTooLarge, detail));
        }
        let folder = self.copy_folder(access, table);
        let part = layout::copy_object(&folder, CopyObject::Part(0));
        let copied = match self.copied(&folder).await? {
            Some(copied) => copied,
            None => self.copy((caller, access), table, &folder, &part).await?,
        };
        Ok(vec![SharedFile {
            id: file_id(&part),
            path: part,
            size_bytes: copied.size_bytes,
            rows: Some(copied.rows),
            partition_values: BTreeMap::new(),
            stats: Some(format!(r#"{{"numRecords":{}}}"#, copied.rows)),
            modified_at_ms: copied.written_at_ms,
        }])
    }

    /// The folder of the copy for everybody who reads this version in this form. Hashes depend on the lake's secret, so it is part of the form.
    fn copy_folder(&self, access: &Access, table: &OpenTable) -> LakePath {
        let form = access_form(access, table.columns());
        let form = blake3::keyed_hash(&self.secret.mask_key(), form.as_bytes());
        layout::copy(&access.product.product, &access.port.name, table.version(), &form)
    }

    async fn copied(&self, folder: &LakePath) -> Result<Option<Copied>, Problem> {
        self.lake
            .documents()
            .read(&layout::copy_object(folder, CopyObject::List))
            .await
            .map_err(|error| uncopied(&error))
    }

    /// Makes the copy. Two callers at once make the same one; the file is put whole, so that no reader sees a half.
    async fn copy(
        &self,
        (caller, access): (&Caller, &Access),
        table: &OpenTable,
        folder: &LakePath,
        part: &LakePath,
    ) -> Result<Copied, Problem> {
        let asked = Question::Copy { table: self.form(&access.port.table, table.version(), &access.table) };
        let copy = self.questions.answer(&caller.name(), asked).await.map_err(|error| problem_of(&error, "table"))?;
        let Answer { rows, body: bytes, place: _place, .. } = copy;
        let copied = Copied { rows, size_bytes: bytes.len() as u64, written_at_ms: self.now().as_millisecond() };
        let documents = self.lake.documents();
        let key = documents.key(part).map_err(|error| uncopied(&error))?;
        documents.objects().put(&key, bytes.into()).await.map_err(|error| uncopied(&error))?;
        let marker = layout::copy_object(folder, CopyObject::List);
        documents.create_or_read(&marker, copied).await.map_err(|error| uncopied(&error))
    }
}

fn uncopied(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error_message = with_sources(error), "a copy for sharing cannot be made");
    Problem::new(ProblemCode::Unavailable, "your part of the table is not available at the moment: call again")
}
