//! Copies of tables for callers who do not read them as they are.

use sluice_http::{Problem, ProblemCode};
use sluice_lake::delta::OpenTable;

use super::shared::{SharedFile, fault};
use crate::{Access, Doors};

impl Doors {
    /// The files of this version of the port's table, in the caller's form: its own where the caller reads every column and
    /// row as it is, else those of a copy.
    ///
    /// # Errors
    /// Those of the lake.
    pub(super) async fn shared_files(&self, access: &Access, table: &OpenTable) -> Result<Vec<SharedFile>, Problem> {
        if access.table.is_whole(table.columns()) {
            let files = table.logged_files().map_err(|error| fault(access, &error))?;
            return files.into_iter().map(|file| SharedFile::of_table(access, file)).collect();
        }
        let detail = format!("the policy gives you a part of port `{}`, which cannot be shared yet", access.port.name);
        Err(Problem::new(ProblemCode::Forbidden, detail))
    }
}
