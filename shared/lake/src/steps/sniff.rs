//! A first look at new source objects, so that a wrong file is named before any work is done.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{PlannedObject, ReadFrom, RunRef};
use sluice_core::source::SourceObject;
use sluice_core::spec::SourceFormat;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::objects::{ObjectBytes, blocking};
use crate::runs;
use crate::source::{SourceInput, delimiter_hint, read_columns};

/// Objects looked at side by side: enough to hide the store's latency, few enough for its rate limits.
const AT_ONCE: usize = 16;
/// Refused objects named in the message.
const NAMED: usize = 5;

/// Looks at the header of every object that is new to bronze. Those that cannot be read are held, so that the next run
/// passes them by, and this run fails.
///
/// # Errors
/// [`LakeError::Invalid`] naming the objects and what is wrong with each.
pub(super) async fn refuse_unreadable(
    lake: &Lake,
    now: Timestamp,
    run: &RunRef,
    pipeline: &Pipeline,
    objects: &[PlannedObject],
) -> Result<(), LakeError> {
    let new = objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing).map(|planned| &planned.object);
    let looked: Vec<Option<(SourceObject, String)>> = stream::iter(new)
        .map(|object| async move {
            let fault = look(lake, pipeline, object).await?;
            Ok::<_, LakeError>(fault.map(|fault| (object.clone(), fault)))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let refused: Vec<(SourceObject, String)> = looked.into_iter().flatten().collect();
    if refused.is_empty() {
        return Ok(());
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

/// What is wrong with an object, in words; `None` when nothing is seen.
async fn look(lake: &Lake, pipeline: &Pipeline, object: &SourceObject) -> Result<Option<String>, LakeError> {
    let (format, csv, name) = (pipeline.source_format, pipeline.csv, object.uri.to_string());
    let input = match (format, object.uri.as_url().to_file_path()) {
        (SourceFormat::Parquet, Ok(path)) => SourceInput::File(path),
        // A remote Parquet file is looked at when it is read; its footer is at the end.
        (SourceFormat::Parquet, Err(())) => return Ok(None),
        _ => match ObjectBytes::open(object, lake.options()).await {
            Ok(bytes) => SourceInput::Stream(bytes.into_parts().0),
            // Gone or replaced since it was listed: process finds the same and the run plans again.
            Err(LakeError::SourceChanged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    let columns = blocking(move || Ok(read_columns(format, csv, input, &name))).await?;
    let columns = match columns {
        Ok(columns) => columns,
        Err(error) => {
            return if error.is_refusal() {
                Ok(Some(LakeError::from(error).to_step_error().message))
            } else {
                Err(error.into())
            };
        }
    };
    // Keys of JSON objects may come later; files with a header or schema must have every mapped column.
    if matches!(format, SourceFormat::Ndjson | SourceFormat::Json) {
        return Ok(None);
    }
    let mapped = pipeline.silver.iter().flat_map(|silver| silver.columns.iter().map(|(_, source)| source));
    let missing: Vec<&str> = mapped.filter(|source| !columns.contains(source)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let hint = match delimiter_hint(&columns, csv.delimiter.byte()) {
        Some(delimiter) => format!("; its delimiter looks like {delimiter:?}: set source.csv.delimiter"),
        None => String::new(),
    };
    Ok(Some(format!(
        "object '{}' lacks column {}; it has {}{hint}",
        object.uri,
        missing.join(", "),
        columns.join(", ")
    )))
}
