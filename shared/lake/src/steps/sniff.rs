//! A first look at new source objects, so that a wrong file is named before any work is done.

use std::io::{Cursor, Read};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Codec, PlannedObject, ReadFrom, RunRef, SourceShape};
use sluice_core::source::SourceObject;
use sluice_core::spec::SourceFormat;

use crate::delta::Footer;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{ObjectBytes, blocking, remote};
use crate::runs;
use crate::source::{SourceError, SourceInput, delimiter_hint, read_columns};

/// Objects looked at side by side: enough to hide the store's latency, few enough for its rate limits.
const AT_ONCE: usize = 16;
/// Bytes that tell how an object is packed.
const MAGIC_BYTES: u64 = 4;
/// Refused objects named in the message.
const NAMED: usize = 5;

/// Looks at the header of every object that is new to bronze and notes its shape. Those that cannot be read are held, so
/// that the next run passes them by, and this run fails.
///
/// # Errors
/// [`LakeError::Invalid`] naming the objects and what is wrong with each.
pub(super) async fn refuse_unreadable(
    lake: &Lake,
    now: Timestamp,
    run: &RunRef,
    pipeline: &Pipeline,
    objects: Vec<PlannedObject>,
) -> Result<Vec<PlannedObject>, LakeError> {
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
    let mut refused: Vec<(SourceObject, String)> = Vec::new();
    let mut seen = Vec::with_capacity(looked.len());
    for (mut planned, look) in looked {
        match look {
            Look::Refused(fault) => refused.push((planned.object, fault)),
            Look::Nothing => seen.push(planned),
            Look::Shape(shape) => {
                planned.shape = Some(shape);
                seen.push(planned);
            }
        }
    }
    if refused.is_empty() {
        return Ok(seen);
    }
    for (object, fault) in &refused {
        runs::hold(lake, run, object, fault, now).await?;
    }
    let named: Vec<&str> = refused.iter().take(NAMED).map(|(_, fault)| fault.as_str()).collect();
    let more = if refused.len() > NAMED { format!("; and {} more", refused.len() - NAMED) } else { String::new() };
    let message = format!(
        "{}{more} (held: later runs pass such an object by until it is released or replaced)",
        named.join("; ")
    );
    Err(LakeError::Invalid { message })
}

/// What a look at an object shows.
enum Look {
    /// What is wrong with it, in words.
    Refused(String),
    /// It is gone or was replaced since it was listed: whoever reads it finds the same, and the run plans again.
    Nothing,
    /// Its shape.
    Shape(SourceShape),
}

async fn look(lake: &Lake, pipeline: &Pipeline, object: &SourceObject) -> Result<Look, LakeError> {
    let read = match (pipeline.source_format, object.uri.as_url().to_file_path()) {
        (SourceFormat::Parquet, Ok(path)) => {
            let (csv, name) = (pipeline.csv, object.uri.to_string());
            let input = SourceInput::File(path);
            let columns = blocking(move || Ok(read_columns(SourceFormat::Parquet, csv, input, &name))).await?;
            columns.map(|columns| SourceShape { columns, codec: Codec::Plain })
        }
        (SourceFormat::Parquet, Err(())) => match footer_columns(lake, object).await? {
            Some(columns) => Ok(SourceShape { columns, codec: Codec::Plain }),
            None => return Ok(Look::Nothing),
        },
        _ => match ObjectBytes::open(object, lake.options()).await {
            Ok(bytes) => read_head(pipeline, object, bytes).await?,
            Err(LakeError::SourceChanged { .. }) => return Ok(Look::Nothing),
            Err(error) => return Err(error),
        },
    };
    match read {
        Ok(shape) => Ok(match missing_columns(pipeline, object, &shape.columns) {
            Some(fault) => Look::Refused(fault),
            None => Look::Shape(shape),
        }),
        Err(error) if error.is_refusal() => Ok(Look::Refused(LakeError::from(error).to_step_error().message)),
        Err(error) => Err(error.into()),
    }
}

/// The shape of an object that is read from its beginning.
async fn read_head(
    pipeline: &Pipeline,
    object: &SourceObject,
    bytes: ObjectBytes,
) -> Result<Result<SourceShape, SourceError>, LakeError> {
    let (format, csv, name) = (pipeline.source_format, pipeline.csv, object.uri.to_string());
    let (mut reader, _) = bytes.into_parts();
    blocking(move || {
        let mut first = Vec::new();
        if let Err(source) = reader.by_ref().take(MAGIC_BYTES).read_to_end(&mut first) {
            return Ok(Err(SourceError::Read { object: name, source }));
        }
        let codec = match crate::source::Codec::of(&first) {
            None => Codec::Plain,
            Some(crate::source::Codec::Gzip) => Codec::Gzip,
            Some(crate::source::Codec::Zstandard) => Codec::Zstd,
        };
        let input = SourceInput::Stream(Box::new(Cursor::new(first).chain(reader)));
        Ok(read_columns(format, csv, input, &name).map(|columns| SourceShape { columns, codec }))
    })
    .await
    .map(|read| {
        read.map(|shape| match format {
            // Later records may bring other keys: those of the first tell nothing that a reader could rely on.
            SourceFormat::Ndjson | SourceFormat::Json => SourceShape { columns: Vec::new(), ..shape },
            SourceFormat::Csv | SourceFormat::Parquet => shape,
        })
    })
}

/// The columns in the footer of a remote Parquet file; `None` where there is none to be read, which whoever reads the
/// whole file says better.
async fn footer_columns(lake: &Lake, object: &SourceObject) -> Result<Option<Vec<String>>, LakeError> {
    let (store, key) = remote(&object.uri, lake.options())?;
    match Footer::read(&store, key).await {
        Ok(footer) => Ok(Some(footer.columns().iter().map(|column| column.name.trim().to_owned()).collect())),
        Err(LakeError::Internal { .. } | LakeError::Store { source: object_store::Error::NotFound { .. }, .. }) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What an object lacks, in words. Keys of JSON objects may come later; files with a header or schema must have every
/// mapped column.
fn missing_columns(pipeline: &Pipeline, object: &SourceObject, columns: &[String]) -> Option<String> {
    if matches!(pipeline.source_format, SourceFormat::Ndjson | SourceFormat::Json) {
        return None;
    }
    let mapped = pipeline.silver.iter().flat_map(|silver| silver.columns.iter().map(|(_, source)| source));
    let missing: Vec<&str> = mapped.filter(|source| !columns.contains(source)).map(String::as_str).collect();
    if missing.is_empty() {
        return None;
    }
    let hint = match delimiter_hint(columns, pipeline.csv.delimiter.byte()) {
        Some(delimiter) => format!("; its delimiter looks like {delimiter:?}: set source.csv.delimiter"),
        None => String::new(),
    };
    Some(format!("object '{}' lacks column {}; it has {}{hint}", object.uri, missing.join(", "), columns.join(", ")))
}
