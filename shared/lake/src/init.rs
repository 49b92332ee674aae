//! Samples for `sluice init`: the beginning of a local file, and its first records as the reader of its format gives
//! them.

use std::path::Path;

use sluice_core::columns::{CORRUPT_REASON, CORRUPT_RECORD, SOURCE_ROW, is_own_of_bronze};
use sluice_core::init::{
    InitError, MAX_BYTES, MAX_RECORDS, SampleColumn, SampleTable, Written, digit_strings, is_drawn, recognise_as,
    recognise_sheet,
};
use sluice_core::profile::ProfileError;
use sluice_core::run::Positions;
use sluice_core::shown::shown;
use sluice_core::source::Codec;
use sluice_core::spec::{ArchiveSpec, SourceFormat, TextEncoding};

use crate::source::{
    Extent, SourceBatch, SourceError, SourceInput, SourceOptions, read_beginning, read_first_member, read_source,
    sample_sheet,
};

mod lists;
mod members;
mod nested;
mod remote;

pub use self::nested::{Spread, spread};
pub use self::remote::{copy_sample, object_at, objects_below};

/// Why a file cannot be sampled.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The file cannot be opened or read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not a file that a pipeline reads.
    #[error(transparent)]
    Unfit(#[from] InitError),
    /// Its records cannot be read.
    #[error("{file} cannot be sampled")]
    Source {
        /// The file.
        file: String,
        /// What the reader said.
        #[source]
        source: SourceError,
    },
    /// Its profile has not what was asked for.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A batch of its records has another shape than readers promise: a defect.
    #[error("{file}: its records have another shape than expected; this is a defect, please report it")]
    Shape {
        /// The file.
        file: String,
        /// What was expected.
        #[source]
        source: polars::error::PolarsError,
    },
}

/// What a file is called in messages: its path in one line, without what a terminal would act on.
pub fn name_of(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// Says what a file is and how it is written, from its first 64 MiB, unpacked, or those of the first member of an
/// archive. Blocks.
///
/// # Errors
/// [`SampleError`] where it cannot be read, or a pipeline cannot read it.
pub fn recognise_file(path: &Path) -> Result<Written, SampleError> {
    recognise_file_as(path, &name_of(path), None)
}

/// Says what a file is, as [`recognise_file`], whose encoding a person may have named. `name` is that for messages.
/// Blocks.
///
/// # Errors
/// Those of [`recognise_file`]; [`SampleError::Unfit`] where it is not in this encoding.
pub fn recognise_file_as(path: &Path, name: &str, encoding: Option<TextEncoding>) -> Result<Written, SampleError> {
    let file = name.to_owned();
    let beginning = read_beginning(SourceInput::File(path.to_owned()), &file, MAX_BYTES);
    let (codec, head) = beginning.map_err(|error| match error {
        SourceError::Open { source, .. } | SourceError::Read { source, .. } => {
            SampleError::Read { file: file.clone(), source }
        }
        source => SampleError::Source { file: file.clone(), source },
    })?;
    let is_whole = head.len() < MAX_BYTES;
    let recognised = match recognise_as(&file, &head, is_whole, encoding) {
        Err(InitError::Unknown { .. }) => match recognise_member(path, &file, encoding)? {
            Some(written) => return Ok(written),
            None => recognise_as(&file, &head, is_whole, encoding),
        },
        recognised => recognised,
    };
    let mut written = recognised?;
    if written.format == SourceFormat::Xlsx && codec == Codec::Plain {
        let sample = sample_sheet(SourceInput::File(path.to_owned()), &file)
            .map_err(|source| SampleError::Source { file: file.clone(), source })?;
        written = recognise_sheet(written, &sample.rows, &sample.sheets);
    }
    if codec != Codec::Plain {
        written.evidence.push(format!("packed with {codec}: its first bytes say so"));
    }
    Ok(written)
}

/// Says how the first member of an archive is written; `None` where the file is not an archive.
fn recognise_member(path: &Path, file: &str, encoding: Option<TextEncoding>) -> Result<Option<Written>, SampleError> {
    let Some((archive, chosen)) = members::choose(path, file, encoding)? else { return Ok(None) };
    let first = read_first_member(SourceInput::File(path.to_owned()), &archive.members, file, MAX_BYTES);
    let first = first.map_err(|source| SampleError::Source { file: file.to_owned(), source })?;
    let Some((member, codec, head)) = first else { return Ok(None) };
    let named = format!("{file}, member {}", shown(&member));
    let mut written = recognise_as(&named, &head, head.len() < MAX_BYTES, encoding)?;
    if !ArchiveSpec::can_hold(written.format) {
        let (what, fix) = ("an archive of Parquet files or workbooks", "unpack it");
        return Err(InitError::Unknown { file: file.to_owned(), what, fix }.into());
    }
    written.archive = Some(archive);
    let first = if chosen.is_empty() { "its first member" } else { "the first member that is read" };
    written.evidence.push(format!("archive: the file is one; {first} is {}", shown(&member)));
    written.evidence.extend(chosen);
    if codec != Codec::Plain {
        written.evidence.push(format!("members packed with {codec}: the first bytes of the first one say so"));
    }
    Ok(Some(written))
}

/// The beginning of a file as text, or of the first member of an archive.
fn beginning(path: &Path, file: &str, written: &Written) -> Result<Vec<u8>, SampleError> {
    let input = SourceInput::File(path.to_owned());
    let head = match &written.archive {
        None => read_beginning(input, file, QUOTED_BYTES).map(|(_, head)| head),
        Some(archive) => read_first_member(input, &archive.members, file, QUOTED_BYTES)
            .map(|first| first.map(|(.., head)| head).unwrap_or_default()),
    };
    head.map_err(|source| SampleError::Source { file: file.to_owned(), source })
}

/// Bytes of JSON in which digits in quotes are sought: enough to meet each key.
const QUOTED_BYTES: usize = 8 << 20;

/// Says that enough was read.
#[derive(Debug, thiserror::Error)]
#[error("enough was read")]
struct Enough;

/// Reads the first records of a file, at most 10,000 and about 64 MiB. Blocks.
///
/// # Errors
/// [`SampleError`] where they cannot be read.
pub fn sample_file(path: &Path, written: &Written) -> Result<SampleTable, SampleError> {
    sample_file_as(path, name_of(path), written)
}

/// Reads the first records of a file as [`sample_file`] does, which messages call `file`. Blocks.
///
/// # Errors
/// Those of [`sample_file`].
pub fn sample_file_as(path: &Path, file: String, written: &Written) -> Result<SampleTable, SampleError> {
    let options = SourceOptions::of_sample(written);
    let mut table = SampleTable { file: file.clone(), ..SampleTable::default() };
    if matches!(written.format, SourceFormat::Ndjson | SourceFormat::Json) {
        // The reader gives texts, which do not show whether they are in quotes.
        table.digit_strings = digit_strings(&beginning(path, &file, written)?);
    }
    let (mut bytes, mut shape) = (0, None);
    let input = SourceInput::File(path.to_owned());
    let extent = Extent::whole(Positions::Numbers);
    let outcome = read_source(written.format, &options, input, &file, extent, &mut |batch| {
        match add(&mut table, &batch, written.format) {
            Ok(added) => bytes += added,
            Err(error) => {
                shape = Some(error);
                return Err(Box::new(Enough));
            }
        }
        let is_enough = bytes >= MAX_BYTES || table.records.len() + table.corrupt >= MAX_RECORDS;
        if is_enough { Err(Box::new(Enough)) } else { Ok(()) }
    });
    if let Some(source) = shape {
        return Err(SampleError::Shape { file, source });
    }
    match outcome {
        Ok(summary) => {
            // A header without records is no batch.
            for name in summary.columns {
                if !table.columns.iter().any(|column| column.name == name) {
                    table.columns.push(SampleColumn { name, values: vec![None; table.records.len()] });
                }
            }
            Ok(table)
        }
        Err(SourceError::Sink { source, .. }) if source.is::<Enough>() => Ok(table),
        Err(SourceError::EmptyObject { .. }) => Err(InitError::Empty { file }.into()),
        Err(source) => Err(SampleError::Source { file, source }),
    }
}

/// Adds the records of a batch, up to the most of a sample, and says how many bytes their texts have.
fn add(table: &mut SampleTable, batch: &SourceBatch, format: SourceFormat) -> polars::error::PolarsResult<usize> {
    let frame = &batch.frame;
    let (numbers, reasons) = (frame.column(SOURCE_ROW)?.i64()?, frame.column(CORRUPT_REASON)?.str()?);
    let raws = frame.column(CORRUPT_RECORD)?.str()?;
    let has_tombstones = matches!(format, SourceFormat::Ndjson | SourceFormat::Json);
    let before = table.records.len();
    let room = MAX_RECORDS.saturating_sub(before + table.corrupt);
    let mut is_kept = Vec::with_capacity(room.min(frame.height()));
    for ((number, reason), raw) in numbers.iter().zip(reasons.iter()).zip(raws.iter()).take(room) {
        is_kept.push(reason.is_none());
        match reason {
            None => table.records.push(number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()),
            Some(_) if has_tombstones && raw.is_some_and(|raw| raw.trim() == "null") => {
                table.corrupt += 1;
                table.tombstones += 1;
            }
            Some(_) if format == SourceFormat::Csv && raw.is_some_and(|raw| is_drawn(raw.trim())) => {
                table.corrupt += 1;
                table.drawn += 1;
            }
            Some(reason) => {
                table.corrupt += 1;
                table.corrupt_reason.get_or_insert_with(|| reason.to_owned());
            }
        }
    }
    let mut bytes = 0;
    for column in frame.columns() {
        let name = column.name().as_str();
        if is_own_of_bronze(name) {
            continue;
        }
        let texts = column.str()?.iter().zip(&is_kept).filter(|(_, kept)| **kept).map(|(text, _)| text);
        let texts: Vec<Option<String>> = texts.map(|text| text.map(str::to_owned)).collect();
        bytes += texts.iter().flatten().map(String::len).sum::<usize>();
        match table.columns.iter_mut().find(|column| column.name == name) {
            Some(column) => column.values.extend(texts),
            None => {
                let mut values = vec![None; before];
                values.extend(texts);
                table.columns.push(SampleColumn { name: name.to_owned(), values });
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A gzip stream of a small table, and these bytes behind it.
    fn recognised(behind: &[u8]) -> Result<Written, SampleError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"id,name\n1,ann\n2,bob\n").expect("gzip");
        std::fs::write(&path, [encoder.finish().expect("gzip").as_slice(), behind].concat()).expect("a file");
        recognise_file(&path)
    }

    #[test]
    fn bytes_behind_a_gzip_stream_are_what_they_are_to_a_run() {
        for none in [b"".as_slice(), &[0; 512]] {
            assert!(recognised(none).is_ok(), "{} NUL bytes", none.len());
        }
        for behind in [b"\n".as_slice(), b"more than the header of another member has"] {
            match recognised(behind) {
                Err(SampleError::Source { source, .. }) => {
                    assert!(matches!(source, SourceError::BytesBehind { codec: Codec::Gzip, .. }), "{source}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_does_not_exist_cannot_be_read() {
        assert!(matches!(recognise_file(Path::new("/no/such/file.csv")), Err(SampleError::Read { .. })));
    }
}
