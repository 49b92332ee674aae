//! Checks the beginning of new source objects, so that a wrong file is named before any work is done.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::engine::ObjectMeasure;
use sluice_core::error::{ErrorName, with_sources};
use sluice_core::pipeline::{MappedNames, Pipeline};
use sluice_core::run::{PlannedObject, Positions, ReadFrom, RunRef, SourceShape};
use sluice_core::source::{HeldObject, PassedBy, PassedByReason, SourceObject};
use sluice_core::spec::SourceFormat;
use sluice_documents::object_refusal;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ranges::positions;
use super::stages::mapped_columns;
use crate::delta::Footer;
use crate::engine::scratch_copy;
use crate::error::{LakeError, SourceChange};
use crate::lake::Lake;
use crate::objects::{AT_ONCE, ObjectBytes, blocking, remote};
use crate::runs;
use crate::source::{
    SourceError, SourceInput, SourceOptions, check_workbook_size, delimiter_hint, is_plain_text, look_at_beginning,
    look_at_workbook, parquet_columns, read_columns,
};

/// Bytes of an object that are examined: enough for some hundred rows, few enough for thousands of objects.
const SAMPLE_BYTES: u64 = 64 << 10;
/// Characters of a store's refusal that are kept: it may answer a whole page.
const MAX_FAULT_CHARS: usize = 800;

/// The objects that can be read, and in the same order what is in them, as far as their beginning shows.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) objects: Vec<PlannedObject>,
    pub(super) measures: Vec<ObjectMeasure>,
    /// Those that are not taken: nothing is at their address, or they may not be read.
    pub(super) passed_by: Vec<PassedBy>,
    /// Those that are at fault: they are held now.
    pub(super) refused: Vec<SourceObject>,
    /// Why.
    pub(super) held: Vec<HeldObject>,
    /// The mapped columns that these have.
    pub(super) held_columns: BTreeSet<String>,
    /// Why the first object may not be read, of those that may not be read.
    pub(super) denied: Option<LakeError>,
}

/// Reads the header of every object that is new to bronze and notes its shape. Objects that cannot be read, or lack a
/// mapped column that they must have, are held, and this run and those after it go on without them. Those that may not
/// be read are passed by; where the run has no other object, it is the rights of the run that are wrong. `pipeline` is
/// that of the source of all objects, and `known` are the mapped columns that bronze has, or an object that the run has
/// held before.
///
/// # Errors
/// Those of the store.
pub(super) async fn refuse_unreadable(
    lake: &Lake,
    now: Timestamp,
    run: &RunRef,
    pipeline: &Pipeline,
    known: BTreeSet<String>,
    objects: Vec<PlannedObject>,
) -> Result<Looked, LakeError> {
    let looked: Vec<(PlannedObject, Look)> = stream::iter(objects)
        .map(|planned| async move {
            let look = match planned.read_from {
                ReadFrom::Landing => look(lake, pipeline, &planned.object).await?,
                ReadFrom::Bronze => Look::Nothing,
            };
            Ok::<_, LakeError>((planned, look))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let known = with_headers(pipeline, known, &looked);
    let mut seen = Looked::default();
    for (mut planned, look) in looked {
        let unseen = ObjectMeasure::unseen(planned.object.size_bytes);
        let measure = match look.or_refused(pipeline, &planned.object, &known)? {
            Look::Refused { reason, columns } => {
                runs::hold_read(lake, run, &planned.object, &reason, now, columns.clone()).await?;
                seen.held_columns.extend(columns);
                seen.held.push(HeldObject { uri: planned.object.uri.clone(), reason });
                seen.refused.push(planned.object);
                continue;
            }
            Look::Gone => {
                let uri = planned.object.uri.to_string();
                seen.passed_by.push(PassedBy { uri, reason: PassedByReason::Gone });
                continue;
            }
            Look::Denied(error) => {
                let fault = with_sources(&error).chars().take(MAX_FAULT_CHARS).collect();
                let uri = planned.object.uri.to_string();
                seen.passed_by.push(PassedBy { uri, reason: PassedByReason::Unreadable { fault } });
                seen.denied.get_or_insert(error);
                continue;
            }
            Look::Nothing => unseen,
            Look::Shape(shape, measure, positions) => {
                planned.shape = Some(shape);
                planned.positions = positions;
                measure
            }
        };
        seen.objects.push(planned);
        seen.measures.push(measure);
    }
    Ok(seen)
}

/// What the beginning of an object shows.
enum Look {
    /// It is at fault.
    Refused {
        /// What is wrong with it, in words.
        reason: String,
        /// The mapped columns of its header, as far as that can be read.
        columns: BTreeSet<String>,
    },
    /// Nothing is at its address.
    Gone,
    /// It may not be read: on S3 it has rights, an encryption or a key of its own, or is in an archive.
    Denied(LakeError),
    /// It was replaced since it was listed, or has a fault behind its first record: whoever reads it finds the same.
    Nothing,
    /// Its shape, what is in it, and what the places of its records are called.
    Shape(SourceShape, ObjectMeasure, Positions),
}

impl Look {
    /// Refuses an object whose header lacks a mapped column that it must have.
    ///
    /// # Errors
    /// Those of [`refusal`].
    fn or_refused(
        self,
        pipeline: &Pipeline,
        object: &SourceObject,
        known: &BTreeSet<String>,
    ) -> Result<Self, LakeError> {
        let Self::Shape(shape, ..) = &self else { return Ok(self) };
        let fault = match pipeline.source.format {
            // Any record of the run may bring a key, so process asks once it has read them all.
            SourceFormat::Ndjson | SourceFormat::Json | SourceFormat::Avro | SourceFormat::Xml => return Ok(self),
            SourceFormat::Csv | SourceFormat::Parquet | SourceFormat::Xlsx | SourceFormat::FixedWidth => {
                check_mapped(pipeline, object, &shape.columns, known).err()
            }
        };
        match fault {
            None => Ok(self),
            Some(fault) => refusal(fault, mapped_columns(&MappedNames::of(pipeline), &shape.columns)),
        }
    }
}

/// The mapped columns that are known, with those that the headers and footers of the run have.
fn with_headers(
    pipeline: &Pipeline,
    mut known: BTreeSet<String>,
    looked: &[(PlannedObject, Look)],
) -> BTreeSet<String> {
    let mut met: BTreeSet<&String> = BTreeSet::new();
    for (_, look) in looked {
        if let Look::Shape(shape, ..) = look {
            met.extend(&shape.columns);
        }
    }
    known.extend(mapped_columns(&MappedNames::of(pipeline), met));
    known
}

async fn look(lake: &Lake, pipeline: &Pipeline, object: &SourceObject) -> Result<Look, LakeError> {
    match examine(lake, pipeline, object).await {
        Err(error) if error.name() == ErrorName::AccessDenied => Ok(Look::Denied(error)),
        looked => looked,
    }
}

async fn examine(lake: &Lake, pipeline: &Pipeline, object: &SourceObject) -> Result<Look, LakeError> {
    let read = match (pipeline.source.format, object.uri.as_url().to_file_path()) {
        (SourceFormat::Parquet, Ok(path)) => {
            let (options, name) = (SourceOptions::of(pipeline), object.uri.to_string());
            let input = SourceInput::File(path);
            blocking(move || Ok(read_columns(SourceFormat::Parquet, &options, input, &name))).await?
        }
        // Only the footer of a remote file is read; what else it has is read below.
        (SourceFormat::Parquet, Err(())) => Ok(Vec::new()),
        (SourceFormat::Xlsx, path) => return examine_workbook(lake, pipeline, object, path.ok()).await,
        _ => {
            // An archive may be copied to this machine. Nobody waits for small ones, which most objects are.
            let is_large = object.size_bytes > SMALL_COPY_BYTES;
            let _one = if pipeline.source.archive.is_some() && is_large { Some(one_copy().await?) } else { None };
            match ObjectBytes::open(object, lake.options()).await {
                Ok(bytes) => {
                    let looked = read_head(pipeline, object, bytes).await?;
                    return looked.or_else(|error| refusal(error, BTreeSet::new()));
                }
                Err(LakeError::SourceChanged { what: SourceChange::Deleted, .. }) => return Ok(Look::Gone),
                Err(LakeError::SourceChanged { what: SourceChange::Replaced, .. }) => return Ok(Look::Nothing),
                Err(error) => return Err(error),
            }
        }
    };
    match read {
        Err(SourceError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Look::Gone),
        Ok(columns) => look_at_footer(lake, object, columns).await,
        Err(error) => refusal(error, BTreeSet::new()),
    }
}

/// Bytes of an object up to which it may be an archive that is copied next to others: 256 MiB, when 16 are examined.
const SMALL_COPY_BYTES: u64 = 16 << 20;

/// Workbooks and large archives that are examined at a time: each has its copy on this machine, and a workbook its
/// shared texts in memory.
static COPIES: Semaphore = Semaphore::const_new(1);

/// Waits until no other of them is examined.
async fn one_copy() -> Result<SemaphorePermit<'static>, LakeError> {
    let one = COPIES.acquire().await;
    one.map_err(|error| LakeError::Internal { message: format!("no copy of an object can be read: {error}") })
}

/// The shape of a workbook, which is at this path, or is copied to this machine: its directory is at its end, and what
/// its cells have in common may be anywhere.
async fn examine_workbook(
    lake: &Lake,
    pipeline: &Pipeline,
    object: &SourceObject,
    path: Option<PathBuf>,
) -> Result<Look, LakeError> {
    let (options, name) = (SourceOptions::of(pipeline), object.uri.to_string());
    if let Err(error) = check_workbook_size(&name, object.size_bytes) {
        return refusal(error, BTreeSet::new());
    }
    let _one = one_copy().await?;
    let looked = match path {
        Some(path) => blocking(move || Ok(look_at_workbook(&options, SourceInput::File(path), &name))).await?,
        None => {
            let bytes = match ObjectBytes::open(object, lake.options()).await {
                Ok(bytes) => bytes,
                Err(LakeError::SourceChanged { what: SourceChange::Deleted, .. }) => return Ok(Look::Gone),
                Err(LakeError::SourceChanged { what: SourceChange::Replaced, .. }) => return Ok(Look::Nothing),
                Err(error) => return Err(error),
            };
            let (mut reader, _) = bytes.into_parts();
            blocking(move || {
                let (path, _scratch) = scratch_copy(&mut reader)?;
                Ok(look_at_workbook(&options, SourceInput::File(path), &name))
            })
            .await?
        }
    };
    match looked {
        Err(SourceError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Look::Gone),
        Err(error) => refusal(error, BTreeSet::new()),
        Ok((columns, measured)) => Ok(Look::Shape(SourceShape { columns }, measured, Positions::Numbers)),
    }
}

/// What is wrong with an object that has these mapped columns, if the object is to blame.
fn refusal(error: SourceError, columns: BTreeSet<String>) -> Result<Look, LakeError> {
    if !error.is_refusal() {
        return Err(error.into());
    }
    Ok(Look::Refused { reason: with_sources(&LakeError::from(error)), columns })
}

/// The shape of an object that is read from its beginning.
async fn read_head(
    pipeline: &Pipeline,
    object: &SourceObject,
    bytes: ObjectBytes,
) -> Result<Result<Look, SourceError>, LakeError> {
    let (format, options, name) = (pipeline.source.format, SourceOptions::of(pipeline), object.uri.to_string());
    let encoding = pipeline.encoding();
    let size_bytes = object.size_bytes;
    let (mut reader, _) = bytes.into_parts();
    let read = blocking(move || {
        let mut first = Vec::new();
        if let Err(source) = reader.by_ref().take(SAMPLE_BYTES).read_to_end(&mut first) {
            return Ok(Err(SourceError::Read { object: name, source }));
        }
        let input = SourceInput::Stream(Box::new(Cursor::new(first.clone()).chain(reader)));
        let looked = look_at_beginning(format, &options, input, (name.as_str(), first.as_slice(), size_bytes));
        Ok(looked.map(|(columns, measured)| (SourceShape { columns }, measured, is_plain_text(&first, encoding))))
    })
    .await?;
    // Other objects may lack the keys of the records before the fault: process reads them, and then holds the object.
    if format.has_documents() && read.as_ref().is_err_and(SourceError::is_behind_a_record) {
        return Ok(Ok(Look::Nothing));
    }
    Ok(read.map(|(shape, measured, is_plain)| {
        // The bytes of an object that is packed or decoded are not those of its records.
        let positions = if is_plain { positions(pipeline, size_bytes) } else { Positions::Numbers };
        let shape = match format {
            // Later records may bring other keys: those of the first are nothing that a reader could rely on.
            SourceFormat::Ndjson | SourceFormat::Json | SourceFormat::Avro | SourceFormat::Xml => {
                SourceShape { columns: Vec::new() }
            }
            SourceFormat::Csv | SourceFormat::Parquet | SourceFormat::Xlsx | SourceFormat::FixedWidth => shape,
        };
        Look::Shape(shape, measured, positions)
    }))
}

/// The shape of a Parquet file, from its footer; `columns` are those already known. Where the store has no footer to
/// read, nothing is said: whoever reads the whole file says better what is wrong.
async fn look_at_footer(lake: &Lake, object: &SourceObject, mut columns: Vec<String>) -> Result<Look, LakeError> {
    let footer = match remote(&object.uri, lake.options()) {
        Ok((store, key)) => Footer::read(&store, key).await,
        Err(error) => Err(error),
    };
    let footer = match footer {
        Ok(footer) => footer,
        // The file was read already, under a name that only a file system has: its size is all that is left to go by.
        Err(_) if !columns.is_empty() => {
            let measured = ObjectMeasure::unseen(object.size_bytes);
            return Ok(Look::Shape(SourceShape { columns }, measured, Positions::Numbers));
        }
        Err(LakeError::Store { source: object_store::Error::NotFound { .. }, .. }) => return Ok(Look::Gone),
        Err(LakeError::Unreadable { .. }) => return Ok(Look::Nothing),
        Err(error) => return Err(footer_fault(lake, object, error).await),
    };
    if columns.is_empty() {
        columns = match parquet_columns(footer.metadata(), object.uri.as_str()) {
            Ok(columns) => columns,
            Err(error) => return refusal(error, BTreeSet::new()),
        };
    }
    let measured = ObjectMeasure {
        size_bytes: object.size_bytes,
        unpacked_bytes: footer.unpacked_bytes(),
        rows: footer.rows(),
        columns: columns.len() as u64,
        group_rows: footer.group_rows(),
        held_bytes: 0,
    };
    Ok(Look::Shape(SourceShape { columns }, measured, Positions::Numbers))
}

/// The fault of a footer. Where the store refuses the object, the object is asked for once more from its beginning: an
/// answer of S3 to HEAD has no code and no words.
async fn footer_fault(lake: &Lake, object: &SourceObject, error: LakeError) -> LakeError {
    let (doing, source) = match error {
        LakeError::Store { doing, source, .. } if object_refusal(&source).is_some() => (doing, source),
        error => return error,
    };
    match ObjectBytes::open(object, lake.options()).await {
        Err(said @ (LakeError::ObjectRefused { .. } | LakeError::Store { .. })) => said,
        Ok(_) | Err(_) => LakeError::of_object(&object.uri, doing, source),
    }
}

/// Whether an object with a header or footer has every column of silver tables that it must have: those that a contract
/// requires, and those that nobody else has, because a header that is wrong must not become a table of nulls. `known`
/// are the mapped columns that bronze or any object of the run has.
///
/// # Errors
/// [`SourceError::OtherCase`], and [`SourceError::LacksColumns`] with the columns that it has.
fn check_mapped(
    pipeline: &Pipeline,
    object: &SourceObject,
    columns: &[String],
    known: &BTreeSet<String>,
) -> Result<(), SourceError> {
    let names = MappedNames::of(pipeline);
    if let Some((column, mapped)) = names.refused(columns.iter().map(String::as_str)) {
        let (object, column, mapped) = (object.uri.to_string(), column.to_owned(), mapped.to_owned());
        return Err(SourceError::OtherCase { object, column, mapped });
    }
    let has: BTreeSet<&str> = columns.iter().map(|column| names.mapped(column)).collect();
    let is_missing = |source: &&String| !has.contains(source.as_str());
    let mut missing: Vec<String> = pipeline.mapped_sources().filter(is_missing).cloned().collect();
    // A header without any of them is that of another file, or cut in the wrong places.
    let has_one = pipeline.mapped_sources().any(|source| has.contains(source.as_str()));
    if has_one && missing.iter().all(|source| pipeline.is_optional_source(source)) {
        missing.retain(|source| !known.contains(source));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let delimiter = match pipeline.source.format {
        SourceFormat::Csv => delimiter_hint(columns, pipeline.source.csv.delimiter.as_str()),
        SourceFormat::Ndjson
        | SourceFormat::Json
        | SourceFormat::Parquet
        | SourceFormat::Xlsx
        | SourceFormat::FixedWidth
        | SourceFormat::Avro
        | SourceFormat::Xml => None,
    };
    Err(SourceError::LacksColumns { object: object.uri.to_string(), missing, columns: columns.to_vec(), delimiter })
}

#[cfg(test)]
mod tests;
