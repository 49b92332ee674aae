//! A table as one caller may read it.

use std::sync::Arc;

use polars::prelude::{AllowedOptimizations, DataType, DataTypeExpr, Expr, LazyFrame, Operator, Schema, col};
use sluice_core::access::{TableAccess, Treatment};
use sluice_core::columns::StoredColumn;
use sluice_core::contract::ColumnType;
use sluice_core::pruning::{Condition, FileFacts};
use sluice_core::sql::Predicate;

use super::ServeError;
use super::mask::{MaskKey, masked, read_type};
use crate::delta::DataFile;
use crate::delta::OpenTable;
use crate::delta::schema::polars_schema;
use crate::engine::sql;
use crate::error::LakeError;

/// Name of the column with the address of a row's file, while rows are on their way.
pub(super) const FILE: &str = "__sluice_file";

/// A table at one version, in the form in which one caller reads it. What they may not read is not in its rows.
#[derive(Debug, Clone)]
pub struct Governed {
    table: Arc<OpenTable>,
    access: TableAccess,
    key: MaskKey,
}

/// A column that the caller sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleColumn {
    /// Name.
    pub name: String,
    /// Type as it is read.
    pub column_type: ColumnType,
    /// Form.
    pub treatment: Treatment,
}

impl Governed {
    /// The table in this form.
    pub fn new(table: Arc<OpenTable>, access: TableAccess, key: MaskKey) -> Self {
        Self { table, access, key }
    }

    /// The table.
    pub fn table(&self) -> &OpenTable {
        &self.table
    }

    /// Whether the caller reads the table as it is stored.
    pub fn is_whole(&self) -> bool {
        self.access.is_whole(self.table.columns())
    }

    /// Whether rows are held back.
    pub fn has_row_filter(&self) -> bool {
        self.access.rows.is_some()
    }

    /// Rows of the table, held-back ones included; `None` when a writer left them out of the log.
    pub fn rows(&self) -> Option<u64> {
        self.table.rows().ok().flatten()
    }

    /// The columns that the caller sees, in table order.
    pub fn columns(&self) -> Vec<VisibleColumn> {
        let visible = self.access.visible(self.table.columns());
        visible
            .map(|(column, treatment)| VisibleColumn {
                name: column.name.clone(),
                column_type: read_type(column, treatment),
                treatment,
            })
            .collect()
    }

    /// The columns as stored, for schemas of answers.
    pub(super) fn read_columns(&self) -> Vec<StoredColumn> {
        let stored = |column: VisibleColumn| StoredColumn { name: column.name, column_type: column.column_type };
        self.columns().into_iter().map(stored).collect()
    }

    /// The names and types of the columns that the caller sees, for the check of statements.
    pub(super) fn typed_columns(&self) -> Vec<(String, ColumnType)> {
        self.columns().into_iter().map(|column| (column.name, column.column_type)).collect()
    }

    /// The schema that the caller's statements are planned over.
    pub(super) fn schema(&self) -> Schema {
        polars_schema(&self.read_columns())
    }

    /// Whether values of this column are read as they are, so that statistics of the files are about what the caller sees.
    pub(super) fn is_clear(&self, column: &str) -> bool {
        self.table.columns().iter().any(|stored| stored.name == column) && self.access.treatment(column).is_clear()
    }

    /// The table's files, in order of their paths.
    pub(super) fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        self.table.files_by_path()
    }

    /// All rows that the caller may read.
    ///
    /// # Errors
    /// When the files cannot be scanned, or the row filter does not fit the table any more.
    pub(super) fn scan(&self) -> Result<LazyFrame, ServeError> {
        let files = self.files()?;
        self.scan_files(files.iter().map(|file| file.path.as_str()), None, false)
    }

    /// The rows of these files that the caller may read, with the address of each row's file when it is asked for. Rows that do not
    /// meet the `early` condition may be missing: see [`Governed::early`].
    pub(super) fn scan_files<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a str>,
        early: Option<Expr>,
        with_file: bool,
    ) -> Result<LazyFrame, ServeError> {
        let mut rows = self.table.scan_files_as(paths, with_file.then_some(FILE))?;
        if let Some(early) = early {
            rows = rows.filter(early);
        }
        if let Some(filter) = &self.access.rows {
            rows = rows.filter(self.row_filter(filter)?);
        }
        let visible = self.access.visible(self.table.columns());
        let mut columns: Vec<Expr> =
            visible.filter_map(|(column, treatment)| masked(column, treatment, self.key)).collect();
        if with_file {
            columns.push(col(FILE));
        }
        let rows = rows.select(columns);
        Ok(if self.has_secrets() { behind_a_barrier(rows) } else { rows })
    }

    /// What of a caller's condition may be evaluated before the masks, so that row groups can be left out: those of its parts that
    /// must all be true and look only at columns that the caller reads as they are. Nothing under a row filter, where a condition that
    /// fails on a hidden row would tell of it, and nothing without masks, where the engine finds such parts itself.
    pub(super) fn early(&self, condition: &Expr) -> Option<Expr> {
        if !self.has_masks_alone() {
            return None;
        }
        let is_clear = |part: &&Expr| {
            part.into_iter().all(|node| match node {
                Expr::Column(name) => self.is_clear(name),
                _ => true,
            })
        };
        parts(condition).into_iter().filter(is_clear).cloned().reduce(Expr::and)
    }

    /// The condition by which files are left out: the caller's own, but for its parts about columns that the caller reads in another
    /// form. Under a row filter it is the row filter and nothing of the caller's: statistics are about all rows of a file, and a
    /// condition that fails on every row that the caller sees would show whether one was read.
    fn pruning(&self, asked: Option<&Predicate>) -> Condition {
        let columns = self.table.columns();
        match (&self.access.rows, asked) {
            (Some(rows), _) => Condition::of_sql(rows, columns),
            (None, Some(asked)) => Condition::of_predicate(asked, columns).about(&|column| self.is_clear(column)),
            (None, None) => Condition::Unknown,
        }
    }

    /// Those of these files that could hold rows of the answer, by their statistics. Under a row filter one of them at least: an engine
    /// may evaluate a constant that fails on a file without rows, and on no file not.
    pub(super) fn wanted<'a>(&self, files: &'a [DataFile], asked: Option<&Predicate>) -> Vec<&'a DataFile> {
        let pruning = self.pruning(asked);
        let may_hold = |file: &&DataFile| {
            pruning.may_hold(FileFacts { stats: file.stats.as_deref(), partition_values: &file.partition_values })
        };
        let mut wanted: Vec<&DataFile> = files.iter().filter(may_hold).collect();
        if wanted.is_empty() && self.has_row_filter() {
            wanted.extend(files.first());
        }
        wanted
    }

    /// Whether values are masked and no rows held back: only then [`Governed::early`] finds anything.
    pub(super) fn has_masks_alone(&self) -> bool {
        !self.has_row_filter() && self.has_secrets()
    }

    /// Whether the caller's own conditions could meet what they may not read, if they were evaluated early.
    fn has_secrets(&self) -> bool {
        let is_masked = |(_, treatment): (&StoredColumn, Treatment)| !treatment.is_clear();
        self.has_row_filter() || self.access.visible(self.table.columns()).any(is_masked)
    }

    /// The rule's predicate. It was checked when it was deployed; a table may have changed since, and then nobody reads it.
    fn row_filter(&self, filter: &str) -> Result<Expr, ServeError> {
        let fits = filter.parse::<Predicate>().map_err(|error| error.to_string()).and_then(|predicate| {
            // Over the table as it is, which the newest contract may be ahead of.
            let there = polars_schema(self.table.columns());
            sql::predicate_over(&predicate, &there).map_err(|error| error.to_string())
        });
        fits.map_err(|reason| {
            let table = self.table.reference();
            let message =
                format!("table `{table}`: row filter of grant `{}` does not fit: {reason}", self.access.grant);
            LakeError::Internal { message }.into()
        })
    }
}

/// The parts of a condition that must all be true.
fn parts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::BinaryExpr { left, op: Operator::And, right } => [parts(left), parts(right)].concat(),
        // Predicates are cast to truth values, which they are.
        Expr::Cast { expr, dtype: DataTypeExpr::Literal(DataType::Boolean), .. } => parts(expr),
        part => vec![part],
    }
}

/// Nothing of what comes after is evaluated on rows before this point: a condition that fails on a hidden row would tell of it, and
/// so would one on a value that is masked later. Columns that nobody asks for are still not read, and rows pass in batches.
fn behind_a_barrier(rows: LazyFrame) -> LazyFrame {
    let allowed = AllowedOptimizations::PROJECTION_PUSHDOWN | AllowedOptimizations::STREAMING;
    rows.map(Ok, allowed, None, Some("governed"))
}
