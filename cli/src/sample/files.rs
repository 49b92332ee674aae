//! The files of an order: written once, never silently replaced.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::civil::Date;
use serde::Serialize;

use super::catalogue::Catalogue;
use super::day::{Day, DayCounts};
use super::{InvoiceNumbers, SampleOrder};
use crate::fault::{Exit, Fault};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Written now.
    Written,
    /// The file already existed with the same bytes.
    Unchanged,
}

/// One file of an order.
#[derive(Debug, Clone, Serialize)]
pub struct SampleFile {
    /// Where it is.
    pub path: PathBuf,
    /// What happened to it.
    pub state: FileState,
    /// Data lines.
    pub rows: u64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Lines that break an error rule.
    pub dirt_lines: u64,
    /// Lines that repeat the line before.
    pub duplicate_lines: u64,
    /// Lines that cancel an earlier sale.
    pub cancelled_lines: u64,
}

/// All files of an order.
#[derive(Debug, Clone, Serialize)]
pub struct SampleReport {
    /// The files by date.
    pub files: Vec<SampleFile>,
    /// Data lines of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// Lines of all files that break an error rule.
    pub dirt_lines: u64,
}

/// Writes the files. Files with the same bytes stay as they are; when a file has other content, nothing is written.
///
/// # Errors
/// A [`Fault`] of wrong use when a file exists with other content and `force` is not set, or when the dates end;
/// an I/O error with the file's name.
pub fn write_samples(order: &SampleOrder) -> Result<SampleReport> {
    let maker = Maker {
        order,
        catalogue: Catalogue::new(),
        numbers: InvoiceNumbers::new(order.start, order.days, order.rows_per_day),
    };
    let dates: Vec<Date> = order.start.series(jiff::Span::new().days(1)).take(order.days as usize).collect();
    if dates.len() != order.days as usize {
        return Err(Fault::new(Exit::WrongUse, "the days reach beyond year 9999").into());
    }
    let mut same = Vec::new();
    for date in &dates {
        same.push(maker.compare(*date)?);
    }
    fs::create_dir_all(&order.folder).with_context(|| format!("cannot create folder {}", order.folder.display()))?;
    let mut files = Vec::new();
    for (date, same) in dates.iter().zip(same) {
        let path = maker.path(*date);
        let (state, counts, size_bytes) = match same {
            Some((counts, size_bytes)) => (FileState::Unchanged, counts, size_bytes),
            None => {
                let (counts, size_bytes) = maker.write(*date)?;
                (FileState::Written, counts, size_bytes)
            }
        };
        let DayCounts { rows, dirt_lines, duplicate_lines, cancelled_lines } = counts;
        files.push(SampleFile { path, state, rows, size_bytes, dirt_lines, duplicate_lines, cancelled_lines });
    }
    let sum = |of: fn(&SampleFile) -> u64| files.iter().map(of).sum();
    let (rows, size_bytes, dirt_lines) = (sum(|f| f.rows), sum(|f| f.size_bytes), sum(|f| f.dirt_lines));
    Ok(SampleReport { files, rows, size_bytes, dirt_lines })
}

struct Maker<'o> {
    order: &'o SampleOrder,
    catalogue: Catalogue,
    numbers: InvoiceNumbers,
}

impl Maker<'_> {
    fn path(&self, date: Date) -> PathBuf {
        self.order.folder.join(format!("{date}.csv"))
    }

    fn day(&self, date: Date) -> Day<'_> {
        let dirt_lines = self.order.dirt.of(self.order.rows_per_day);
        let numbers = self.numbers.of(date);
        Day::new(&self.catalogue, self.order.seed, date, numbers, self.order.rows_per_day, dirt_lines)
    }

    /// The counts and size of the file if it exists with exactly these bytes; `None` if it has to be written.
    fn compare(&self, date: Date) -> Result<Option<(DayCounts, u64)>> {
        let path = self.path(date);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut comparison = Comparison { file: BufReader::with_capacity(1 << 18, file), buffer: Vec::new(), bytes: 0 };
        let result = self.day(date).write(&mut comparison).and_then(|counts| {
            comparison.at_end()?;
            Ok((counts, comparison.bytes))
        });
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
                if self.order.force {
                    return Ok(None);
                }
                let message = format!("{} already exists with other content; nothing was written", path.display());
                Err(Fault::new(Exit::WrongUse, message)
                    .next("replace it with --force, or choose another folder")
                    .into())
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a temporary file next to it and renames that, so that a reader of the folder never sees half a file.
    fn write(&self, date: Date) -> Result<(DayCounts, u64)> {
        let path = self.path(date);
        let unfinished = self.order.folder.join(format!(".{date}.csv.part"));
        let written = self.write_to(date, &unfinished).and_then(|found| {
            fs::rename(&unfinished, &path)?;
            Ok(found)
        });
        if written.is_err() {
            // Report the write error; the unfinished file is of no use.
            drop(fs::remove_file(&unfinished));
        }
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_to(&self, date: Date, path: &Path) -> io::Result<(DayCounts, u64)> {
        let mut file = File::create(path)?;
        let counts = self.day(date).write(&mut file)?;
        let size_bytes = file.metadata()?.len();
        Ok((counts, size_bytes))
    }
}

/// A writer that compares instead of writing: `InvalidData` or `UnexpectedEof` where the file differs.
struct Comparison {
    file: BufReader<File>,
    buffer: Vec<u8>,
    bytes: u64,
}

impl Comparison {
    fn at_end(&mut self) -> io::Result<()> {
        if self.file.read(&mut [0])? == 0 { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

impl Write for Comparison {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.file.read_exact(&mut self.buffer)?;
        if self.buffer != bytes {
            return Err(ErrorKind::InvalidData.into());
        }
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
