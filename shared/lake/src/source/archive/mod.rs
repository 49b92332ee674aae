//! Objects that are archives: each member that is taken is read as a file of its own.
//!
//! Content decides, and not a name: an object of the source that is not an archive is read as it is. Nothing is written to
//! disk under the name of a member, so that no name can lead anywhere. Rows are counted on through the archive, so that
//! `_source_row` is unique in it, and lines are those of the member, which is named before them.

mod beginning;
mod error;
mod fault;
mod member;
mod options;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

use std::collections::HashSet;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polars::error::PolarsResult;
use polars::prelude::{Int64Chunked, IntoColumn, NewChunkedArray, StringChunkedBuilder};
use sluice_core::columns::{CORRUPT_REASON, SOURCE_ROW, is_own_of_bronze};
use sluice_core::run::Positions;
use sluice_core::source::Codec;
use sluice_core::spec::SourceFormat;

pub(crate) use self::beginning::{MemberBeginning, read_first_member, read_members};
pub(super) use self::beginning::{look, read_columns};
use self::error::ArchiveError;
pub(super) use self::fault::ArchiveFault;
use self::fault::{FaultSlot, shown_name};
use self::member::Member;
pub(super) use self::options::ArchiveOptions;
use self::tar::TarMembers;
use self::zip::ZipMembers;
use super::chunk::ReadLimits;
use super::error::{SinkError, SourceError};
use super::extent::Extent;
use super::stream::{SourceInput, explain, peek, unpack};
use super::{Sink, SourceBatch, SourceOptions, SourceSummary, read_with_limits};

/// An object, once it is known what it is.
pub(super) enum Opened {
    /// Not an archive.
    Plain(SourceInput),
    /// It is one.
    Archive(Archive),
}

/// An archive, and those of its members that are still to be read.
pub(super) struct Archive(Kind);

enum Kind {
    Zip(Box<ZipMembers>),
    Tar(Box<TarMembers>),
}

impl Archive {
    fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        match &mut self.0 {
            Kind::Zip(zip) => zip.next_member(),
            Kind::Tar(tar) => tar.next_member(),
        }
    }

    /// The error of an archive of which no member is taken.
    fn nothing_taken(&self, object: &str) -> SourceError {
        let (count, first) = match &self.0 {
            Kind::Zip(zip) => zip.all(),
            Kind::Tar(tar) => tar.all(),
        };
        ArchiveError::Fault(ArchiveFault::NothingTaken { count, first: first.to_owned() }).of(object)
    }
}

/// A stream that counts its bytes for others.
struct Counting<R> {
    raw: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens an object, which may be an archive.
///
/// # Errors
/// Those of opening and unpacking it, and of an archive that is at fault as a whole.
pub(super) fn open(input: SourceInput, options: &ArchiveOptions, object: &str) -> Result<Opened, SourceError> {
    let (members, limits) = (&options.members, options.limits);
    let is_zip = |first: &[u8]| zip::BEGINNINGS.iter().any(|begin| first.starts_with(begin));
    let path = match &input {
        SourceInput::File(path) => Some(path.clone()),
        SourceInput::Stream(_) => None,
    };
    let mut raw = input.open(object, 0)?;
    let first = peek(&mut raw, 4).map_err(|error| explain(object, error))?;
    if is_zip(&first) {
        let opened = match path {
            Some(path) => ZipMembers::open(path, members, limits),
            None => ZipMembers::copied(Cursor::new(first).chain(raw), members, limits),
        };
        let zip = opened.map_err(|error| error.of(object))?;
        return Ok(Opened::Archive(Archive(Kind::Zip(Box::new(zip)))));
    }
    let stored = Arc::new(AtomicU64::new(0));
    let raw = Counting { raw: Cursor::new(first).chain(raw), count: Arc::clone(&stored) };
    let (codec, mut content) = unpack(Box::new(raw), object)?;
    let first = peek(&mut content, tar::BLOCK as u64).map_err(|error| explain(object, error))?;
    if is_zip(&first) && codec != Codec::Plain {
        return Err(ArchiveError::Fault(ArchiveFault::Packed { codec }).of(object));
    }
    let is_tar = tar::is_tar(&first);
    let content: Box<dyn Read + Send> = Box::new(Cursor::new(first).chain(content));
    if is_tar {
        let tar = TarMembers::new(content, stored, members, limits);
        return Ok(Opened::Archive(Archive(Kind::Tar(Box::new(tar)))));
    }
    Ok(Opened::Plain(path.map_or(SourceInput::Stream(content), SourceInput::File)))
}

/// What a member is called in messages.
fn name_of(object: &str, member: &str) -> String {
    format!("{object}, member {}", shown_name(member))
}

/// What was really wrong with a member.
fn explained(error: SourceError, object: &str, member: &str, fault: &FaultSlot) -> SourceError {
    match fault.take() {
        Some(fault) => ArchiveError::Fault(fault).of(object),
        None => match error {
            SourceError::OtherFormat { format, .. } if format.is_archive() => {
                let problem = "is an archive, and archives inside an archive are not read; unpack it";
                ArchiveError::Fault(ArchiveFault::member(member, problem)).of(object)
            }
            error => error,
        },
    }
}

/// Says that a batch was refused.
#[derive(Debug, thiserror::Error)]
#[error("the member lacks a column")]
struct Lacks;

/// Reads all members that are taken, one after the other. Batches of several members may have different columns.
pub(super) fn read(
    format: SourceFormat,
    options: &SourceOptions,
    how: &ArchiveOptions,
    mut archive: Archive,
    object: &str,
    limits: ReadLimits,
    sink: Sink<'_>,
) -> Result<SourceSummary, SourceError> {
    let options = options.of_members();
    let mut all = SourceSummary { rows: 0, corrupt_rows: 0, columns: Vec::new(), found: None };
    let (mut met, mut is_any) = (HashSet::new(), false);
    while let Some(member) = archive.next_member().map_err(|error| error.of(object))? {
        is_any = true;
        let Member { name: member, stream, fault, .. } = member;
        let name = name_of(object, &member);
        let (rows_before, mut lacking) = (all.rows, None);
        let mut take = |batch: SourceBatch| -> Result<(), SinkError> {
            let names = batch.frame.get_column_names().into_iter().map(|name| name.as_str());
            if let Err(error) = how.check_columns(names.filter(|name| !is_own_of_bronze(name)), &name) {
                lacking = Some(error);
                return Err(Box::new(Lacks));
            }
            sink(moved(batch, rows_before, &member)?)
        };
        let (input, extent) = (SourceInput::Stream(stream), Extent::whole(Positions::Numbers));
        let outcome = read_with_limits(format, &options, input, &name, extent, limits, &mut take);
        if let Some(error) = lacking {
            return Err(error);
        }
        let summary = outcome.map_err(|error| explained(error, object, &member, &fault))?;
        how.check_columns(summary.columns.iter().map(String::as_str), &name)?;
        all.rows += summary.rows;
        all.corrupt_rows += summary.corrupt_rows;
        all.columns.extend(summary.columns.into_iter().filter(|column| met.insert(column.clone())));
    }
    if is_any { Ok(all) } else { Err(archive.nothing_taken(object)) }
}

/// A batch of a member as one of the archive, of which so many records come before the member.
fn moved(batch: SourceBatch, rows_before: u64, member: &str) -> PolarsResult<SourceBatch> {
    let SourceBatch { mut frame, other_names } = batch;
    if rows_before > 0 {
        let before = i64::try_from(rows_before).unwrap_or(i64::MAX);
        let numbers = frame.column(SOURCE_ROW)?.i64()?;
        let moved: Vec<i64> = numbers.iter().map(|row| row.unwrap_or_default().saturating_add(before)).collect();
        frame.with_column(Int64Chunked::from_iter_values(SOURCE_ROW.into(), moved.into_iter()).into_column())?;
    }
    let reasons = frame.column(CORRUPT_REASON)?.str()?;
    if reasons.iter().any(|reason| reason.is_some()) {
        let mut named = StringChunkedBuilder::new(CORRUPT_REASON.into(), frame.height());
        for reason in reasons.iter() {
            match reason {
                Some(reason) => named.append_value(format!("member '{}' {reason}", shown_name(member))),
                None => named.append_null(),
            }
        }
        frame.with_column(named.finish().into_column())?;
    }
    Ok(SourceBatch { frame, other_names })
}
