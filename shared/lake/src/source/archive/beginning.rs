//! What the beginnings of the members of an archive show: columns, sizes, and how the first of them is written.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use sluice_core::engine::ObjectMeasure;
use sluice_core::files::FileSelection;
use sluice_core::source::Codec;
use sluice_core::spec::SourceFormat;

use super::fault::ArchiveFault;
use super::member::seen_name;
use super::{Archive, ArchiveOptions, Member, Opened, explained, name_of, open};
use crate::source::error::SourceError;
use crate::source::sample::measure;
use crate::source::stream::{SourceInput, explain, peek, read_beginning};
use crate::source::{SourceOptions, columns_of};

/// The names of the columns of an object, and what is in it. Those of an archive are the columns of all its members, of
/// which only the beginning is read. `first` are the first bytes of the object as it is stored.
pub(in crate::source) fn look(
    format: SourceFormat,
    options: &SourceOptions,
    how: &ArchiveOptions,
    input: SourceInput,
    (object, first, size_bytes): (&str, &[u8], u64),
) -> Result<(Vec<String>, ObjectMeasure), SourceError> {
    let inner = options.of_members();
    match open(input, how, object)? {
        Opened::Plain(input) => {
            let columns = columns_of(format, &inner, input, object)?;
            let measured = measure(format, &inner, first, size_bytes, columns.len());
            Ok((columns, measured))
        }
        Opened::Archive(archive) => {
            let Seen { columns, first, unpacked_bytes } = see(format, &inner, how, archive, object)?;
            let measured = measure(format, &inner, &first, unpacked_bytes, columns.len());
            Ok((columns, ObjectMeasure { size_bytes, ..measured }))
        }
    }
}

/// What the beginnings of the members of an archive show.
struct Seen {
    columns: Vec<String>,
    /// The first bytes of the first member.
    first: Vec<u8>,
    /// Bytes of all that are taken.
    unpacked_bytes: u64,
}

fn see(
    format: SourceFormat,
    options: &SourceOptions,
    how: &ArchiveOptions,
    mut archive: Archive,
    object: &str,
) -> Result<Seen, SourceError> {
    /// Bytes of the first member that are examined.
    const SAMPLE_BYTES: u64 = 64 << 10;
    let mut seen = Seen { columns: Vec::new(), first: Vec::new(), unpacked_bytes: 0 };
    let (mut met, mut is_any) = (HashSet::new(), false);
    while let Some(member) = archive.next_member().map_err(|error| error.of(object))? {
        let Member { name: member, size_bytes, mut stream, fault } = member;
        let name = name_of(object, &member);
        seen.unpacked_bytes = seen.unpacked_bytes.saturating_add(size_bytes);
        if is_any && format.has_documents() {
            // Their records bring their keys when they are read.
            continue;
        }
        let head = if is_any {
            Vec::new()
        } else {
            let head = peek(&mut stream, SAMPLE_BYTES);
            head.map_err(|error| explained(explain(&name, error), object, &member, &fault))?
        };
        if !is_any {
            seen.first.clone_from(&head);
        }
        is_any = true;
        let input = SourceInput::Stream(Box::new(Cursor::new(head).chain(stream)));
        let columns = columns_of(format, options, input, &name);
        let columns = columns.map_err(|error| explained(error, object, &member, &fault))?;
        how.check_columns(columns.iter().map(String::as_str), &name)?;
        seen.columns.extend(columns.into_iter().filter(|column| met.insert(column.clone())));
    }
    if is_any { Ok(seen) } else { Err(archive.nothing_taken(object)) }
}

/// The names of the columns of an object that may be an archive.
pub(in crate::source) fn read_columns(
    format: SourceFormat,
    options: &SourceOptions,
    how: &ArchiveOptions,
    input: SourceInput,
    object: &str,
) -> Result<Vec<String>, SourceError> {
    let inner = options.of_members();
    match open(input, how, object)? {
        Opened::Plain(input) => columns_of(format, &inner, input, object),
        Opened::Archive(archive) => see(format, &inner, how, archive, object).map(|seen| seen.columns),
    }
}

/// The beginning of the content of the first member that is taken of a file, and its name; `None` where the file is no
/// archive, or one whose directory cannot be read.
///
/// # Errors
/// Those of [`open`], and an archive without such a member.
pub(crate) fn read_first_member(
    input: SourceInput,
    members: &FileSelection,
    object: &str,
    most_bytes: usize,
) -> Result<Option<(String, Codec, Vec<u8>)>, SourceError> {
    let how = ArchiveOptions::of_members(members.clone());
    let opened = match open(input, &how, object) {
        Err(SourceError::Archive { source: ArchiveFault::Directory { .. } | ArchiveFault::Workbook, .. }) => {
            return Ok(None);
        }
        opened => opened?,
    };
    let Opened::Archive(mut archive) = opened else { return Ok(None) };
    let Some(member) = archive.next_member().map_err(|error| error.of(object))? else {
        return Err(archive.nothing_taken(object));
    };
    let name = name_of(object, &member.name);
    let beginning = read_beginning(SourceInput::Stream(member.stream), &name, most_bytes);
    let (codec, bytes) = beginning.map_err(|error| explained(error, object, &member.name, &member.fault))?;
    Ok(Some((member.name, codec, bytes)))
}

/// The beginning of the content of a member.
#[derive(Debug)]
pub(crate) struct MemberBeginning {
    /// Its name, as patterns see it.
    pub(crate) name: String,
    /// Its size, as the archive announces it.
    pub(crate) size_bytes: u64,
    /// The beginning, unpacked; empty where it cannot be read.
    pub(crate) head: Vec<u8>,
}

/// Most members whose beginnings are read.
const MOST_MEMBERS: usize = 200;
/// Bytes of all members before one, behind which no more are read: those of a tar archive have to be passed over.
const MOST_PASSED_BYTES: u64 = 1 << 30;

/// The beginnings of the first members that are taken of a file, 200 at most; `None` where the file is no archive, or
/// one whose directory cannot be read.
///
/// # Errors
/// As [`read_first_member`]; what is wrong behind the first member ends the list.
pub(crate) fn read_members(
    input: SourceInput,
    members: &FileSelection,
    object: &str,
    most_bytes: usize,
) -> Result<Option<Vec<MemberBeginning>>, SourceError> {
    let how = ArchiveOptions::of_members(members.clone());
    let opened = match open(input, &how, object) {
        Err(SourceError::Archive { source: ArchiveFault::Directory { .. } | ArchiveFault::Workbook, .. }) => {
            return Ok(None);
        }
        opened => opened?,
    };
    let Opened::Archive(mut archive) = opened else { return Ok(None) };
    let (mut beginnings, mut passed_bytes) = (Vec::new(), 0_u64);
    while beginnings.len() < MOST_MEMBERS && passed_bytes < MOST_PASSED_BYTES {
        let member = match archive.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) if beginnings.is_empty() => return Err(error.of(object)),
            Err(_) => break,
        };
        let Member { name, size_bytes, stream, .. } = member;
        let read = read_beginning(SourceInput::Stream(stream), &name_of(object, &name), most_bytes);
        let head = read.map(|(_, head)| head).unwrap_or_default();
        passed_bytes = passed_bytes.saturating_add(size_bytes);
        beginnings.push(MemberBeginning { name: seen_name(&name), size_bytes, head });
    }
    if beginnings.is_empty() { Err(archive.nothing_taken(object)) } else { Ok(Some(beginnings)) }
}
