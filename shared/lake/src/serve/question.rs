//! A governed read as one value, which this process or another one answers.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sluice_core::access::TableAccess;
use sluice_core::name::TableRef;
use sluice_core::sql::ProductSql;

use super::encode::written;
use super::query::statement;
use super::rows::{page, whole};
use super::{Governed, MaskKey, Position, RowFormat, RowsQuestion, ServeError, Snapshots};
use crate::error::LakeError;

/// A table in the form in which one caller reads it, by name: whoever answers the question opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableForm {
    /// The table.
    pub table: TableRef,
    /// A version of it that exists.
    pub version: u64,
    /// The form.
    pub access: TableAccess,
    /// The key of column hashes.
    pub key: MaskKey,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and each is moved a few times")]
pub enum Question {
    /// A page of rows. Every row is on exactly one page of the pages that follow each other, whatever is committed meanwhile, because
    /// all are of one version.
    Page {
        /// The table.
        table: TableForm,
        /// Which rows.
        asked: RowsQuestion,
        /// How they are written.
        format: RowFormat,
    },
    /// A statement over tables.
    Statement {
        /// The statement.
        sql: ProductSql,
        /// The tables, each under the name that the statement calls it by.
        tables: Vec<(String, TableForm)>,
        /// How the rows are written.
        format: RowFormat,
    },
    /// All rows of a table that the caller may read, as Parquet.
    Copy {
        /// The table. Without a row filter whoever asks bounds its size.
        table: TableForm,
    },
}

/// The answer to a question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// How many rows it has.
    pub rows: u64,
    /// Where the next page begins; none after the last one.
    pub next: Option<Position>,
    /// Files that could hold rows of the answer, by their statistics.
    pub files_read: u64,
    /// Files of the tables.
    pub files_total: u64,
    /// The rows, as they are written.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Keeps the question's place until the body is passed on, so that no more bodies are in memory than there are places.
    #[serde(skip)]
    pub place: Held,
}

/// Something that is given back when this is dropped.
#[derive(Default)]
pub struct Held(Option<Box<dyn Any + Send + Sync>>);

impl Held {
    /// Holds this.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(held)))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Held(…)" } else { "Held" })
    }
}

/// What one question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Most rows of an answer to a statement.
    pub rows: u32,
    /// Most bytes of files that may be read, as they are stored. Not under a row filter, where they count rows that are held back.
    pub read_bytes: u64,
    /// Most bytes of an answer, as it is written.
    pub answer_bytes: u64,
    /// Most bytes of a copy.
    pub copy_bytes: u64,
    /// Longest time for the answer, waiting for a place included.
    pub time: Duration,
}

impl Default for QueryLimits {
    /// 10,000 rows, 2 GiB read, 64 MiB written (6 kB for each row) or 256 MiB copied, and 25 s: within the 29 s that API Gateway gives a
    /// function.
    fn default() -> Self {
        let (answer_bytes, copy_bytes) = (64 << 20, 256 << 20);
        Self { rows: 10_000, read_bytes: 2 << 30, answer_bytes, copy_bytes, time: Duration::from_secs(25) }
    }
}

/// An answer that is on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, ServeError>> + Send + 'a>>;

/// Who answers questions: this process ([`super::Queries`]), or processes of their own that can be ended.
pub trait Answers: std::fmt::Debug + Send + Sync {
    /// Answers a question of this caller. Whoever drops the future gives the question up.
    ///
    /// # Errors
    /// [`ServeError`]: what does not fit, limits, time, places.
    fn answer<'a>(&'a self, caller: &'a str, question: Question) -> Answering<'a>;
}

/// A question with its tables opened.
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and each is moved a few times")]
enum Opened {
    Page(Governed, RowsQuestion, RowFormat),
    Statement(ProductSql, Vec<(String, Governed)>, RowFormat),
    Copy(Governed),
}

/// Answers a question now, on a thread that may block, without a limit of time.
///
/// # Errors
/// [`ServeError`]: what does not fit, limits of rows and bytes.
pub async fn answer(tables: &Snapshots, question: Question, limits: QueryLimits) -> Result<Answer, ServeError> {
    let opened = open(tables, question).await?;
    let working =
        tokio::task::spawn_blocking(move || std::panic::catch_unwind(AssertUnwindSafe(|| compute(&opened, limits))));
    let defect = |message: &str| LakeError::Internal { message: message.to_owned() }.into();
    match working.await {
        Err(_) => Err(defect("a worker thread died")),
        Ok(Err(_)) => Err(defect("the engine panicked on a question")),
        Ok(Ok(answered)) => answered,
    }
}

async fn open(tables: &Snapshots, question: Question) -> Result<Opened, ServeError> {
    Ok(match question {
        Question::Page { table, asked, format } => Opened::Page(governed(tables, table).await?, asked, format),
        Question::Copy { table } => Opened::Copy(governed(tables, table).await?),
        Question::Statement { sql, tables: forms, format } => {
            let mut opened = Vec::new();
            for (name, form) in forms {
                opened.push((name, governed(tables, form).await?));
            }
            Opened::Statement(sql, opened, format)
        }
    })
}

async fn governed(tables: &Snapshots, form: TableForm) -> Result<Governed, ServeError> {
    Ok(Governed::new(tables.exactly(&form.table, form.version).await?, form.access, form.key))
}

fn compute(opened: &Opened, limits: QueryLimits) -> Result<Answer, ServeError> {
    let mut most = limits.answer_bytes;
    let (rows, next, files, format, table) = match opened {
        Opened::Page(table, asked, format) => {
            let page = page(table, asked)?;
            (page.rows, page.next, page.files, *format, table)
        }
        Opened::Copy(table) => {
            most = limits.copy_bytes;
            let (rows, files) = whole(table)?;
            (rows, None, files, RowFormat::Parquet, table)
        }
        Opened::Statement(sql, tables, format) => {
            let Some((_, first)) = tables.first() else {
                return Err(ServeError::DoesNotFit { message: "the statement reads no table".to_owned() });
            };
            let (rows, files) = statement(sql, tables, first.table().reference(), limits)?;
            (rows, None, files, *format, first)
        }
    };
    let body = written(&rows, format, most, table.table().reference())?;
    let (files_read, files_total) = files;
    Ok(Answer { rows: rows.height() as u64, next, files_read, files_total, body, place: Held::default() })
}
