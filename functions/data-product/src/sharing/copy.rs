//! Copies of tables for callers who do not read them as they are.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sluice_core::error::with_sources;
use sluice_core::uri::layout::CopyObject;
use sluice_core::uri::{LakePath, layout};
use sluice_http::{Caller, Problem, ProblemCode};
use sluice_lake::delta::{DataFile, OpenTable};
use sluice_lake::serve::{Answer, Question};

use super::shared::{Asked, SharedFile, access_form, fault, file_id};
use crate::problem::problem_of;
use crate::state::in_time;
use crate::written::FileKind;
use crate::{Access, ProductsApi};

/// How long a copy is handed out: less than the day after which copies are deleted, by as much as its addresses are good for and more.
const COPY_KEPT: SignedDuration = SignedDuration::from_hours(20);
/// Files of a table that are looked for at once.
const AT_ONCE: usize = 8;
/// Most bytes of a table's files that are copied, as many as a copy may have. It is made in memory, where rows take some four times of
/// that.
const MAX_COPIED_BYTES: u64 = 256 << 20;

/// What is known of a copy, whose file is called by the time at which it was written. Written last: where it is, the file is whole.
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
        asked: Asked,
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
        if asked != Asked::Newest {
            in_time(self.check_available(access, table, &files)).await??;
        }
        let folder = self.copy_folder(access, table, &files);
        let copied = match self.copied(&folder).await? {
            Some(copied) => copied,
            None => self.copy((caller, access), table, &folder).await?,
        };
        let part = layout::copy_object(&folder, CopyObject::Part(copied.written_at_ms));
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

    /// Whether the rows of an older version can still be read. Rows that somebody erased stay out: a copy is made of files that exist,
    /// and handed out only while all of them do.
    ///
    /// # Errors
    /// `version-gone` when a file of the version no longer exists.
    async fn check_available(&self, access: &Access, table: &OpenTable, files: &[DataFile]) -> Result<(), Problem> {
        let paths = files.iter().map(|file| SharedFile::of_table(access, file.clone()).map(|file| file.path));
        let paths: Vec<LakePath> = paths.collect::<Result<_, _>>()?;
        let documents = self.lake.documents();
        let found = stream::iter(paths).map(|path| async move { documents.exists(&path).await }).buffered(AT_ONCE);
        let found: Vec<bool> = found.try_collect().await.map_err(|error| uncopied(&error))?;
        if found.into_iter().all(|is_there| is_there) {
            return Ok(());
        }
        let (version, port) = (table.version(), &access.port.name);
        let detail = format!("files of version {version} of port `{port}` have been cleaned up: choose a newer one");
        Err(Problem::new(ProblemCode::VersionGone, detail))
    }

    /// The folder of the copy for everybody who reads these files in this form. Hashes depend on the lake's secret and the product, so the
    /// key is part of the form. The files are, because a table that was set back gives the number of a version again.
    fn copy_folder(&self, access: &Access, table: &OpenTable, files: &[DataFile]) -> LakePath {
        let form = access_form(access, table.columns());
        let mut hasher = blake3::Hasher::new_keyed(&self.mask_key(&access.product).0);
        hasher.update(form.as_bytes());
        for file in files {
            hasher.update(b"\n").update(file.path.as_bytes());
        }
        layout::copy(&access.product.product, &access.port.name, table.version(), &hasher.finalize())
    }

    /// What is known of the copy in this folder; nothing of one that is too old to be handed out.
    async fn copied(&self, folder: &LakePath) -> Result<Option<Copied>, Problem> {
        let list = layout::copy_object(folder, CopyObject::List);
        let copied: Option<Copied> = self.lake.documents().read(&list).await.map_err(|error| uncopied(&error))?;
        let oldest = self.now().checked_sub(COPY_KEPT).map_err(|error| uncopied(&error))?.as_millisecond();
        Ok(copied.filter(|copied| copied.written_at_ms > oldest))
    }

    /// Makes the copy. Two callers at once make two, of which the last that is listed is handed out; each file is put whole, so that no
    /// reader sees a half.
    async fn copy(
        &self,
        (caller, access): (&Caller, &Access),
        table: &OpenTable,
        folder: &LakePath,
    ) -> Result<Copied, Problem> {
        let asked = Question::Copy { table: self.form(access, table.version()) };
        let copy = self.ask(caller, asked).await.map_err(|error| problem_of(&error, "table"))?;
        let Answer { rows, body: bytes, place: _place, .. } = copy;
        self.count_written(FileKind::Copy, caller, bytes.len())?;
        let copied = Copied { rows, size_bytes: bytes.len() as u64, written_at_ms: self.now().as_millisecond() };
        let documents = self.lake.documents();
        let part = layout::copy_object(folder, CopyObject::Part(copied.written_at_ms));
        let key = documents.key(&part).map_err(|error| uncopied(&error))?;
        documents.objects().put(&key, bytes.into()).await.map_err(|error| uncopied(&error))?;
        let list = layout::copy_object(folder, CopyObject::List);
        documents.write(&list, &copied).await.map_err(|error| uncopied(&error))?;
        Ok(copied)
    }
}

fn uncopied(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error_message = with_sources(error), "a copy for sharing cannot be made");
    Problem::new(ProblemCode::Unavailable, "your part of the table is not available at the moment: call again")
}
