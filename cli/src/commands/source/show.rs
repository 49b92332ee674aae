//! `sluice source show`: the record of a landing file that a row of a table came from.

use std::path::Path;

use anyhow::{Context, Error, Result};
use sluice_core::columns::DocumentRow;
use sluice_core::error::ErrorName;
use sluice_core::name::{PipelineName, SourceName};
use sluice_core::pipeline::Pipeline;
use sluice_core::run::{Plan, Positions, RunAction, RunRequest};
use sluice_core::uri::{FolderUri, LakePath, ObjectUri};
use sluice_lake::check::load_pipeline;
use sluice_lake::inspect::{Cell, SourceRecord, StoredBy};
use sluice_lake::{Lake, LakeError, inspect};
use url::Url;

use crate::arguments::PositionKind;
use crate::commands::named::named_wrongly;
use crate::console::{Console, Tone};
use crate::fault::{Exit, Fault};
use crate::grid::Grid;

/// What to do where the file or the position is not right.
const NEXT: &str = "take both from a row: `_source_file` and `_source_row` of `sluice table head`, source and row of \
                    `sluice quarantine show`; --by says what the position is";
/// Longest text of a corrupt record that is shown, in characters; --json has all of it.
const LONGEST_RAW: usize = 2000;

/// What is asked for.
pub(super) struct Asked {
    /// An address, a path, or a name below the landing folder.
    pub(super) file: String,
    /// The position.
    pub(super) at: u64,
    /// What the position is; `None` where the plan decides.
    pub(super) by: Option<PositionKind>,
    /// The pipeline; `None` where the lake knows one only.
    pub(super) pipeline: Option<PipelineName>,
    /// The source; `None` where the folder of the file says it.
    pub(super) source: Option<SourceName>,
}

/// The landing folder of a source, by the name of the source.
type Folder = (Option<SourceName>, FolderUri);

/// Shows a record.
pub(super) async fn run(lake: &Lake, asked: Asked, console: &Console) -> Result<Exit> {
    let Asked { file, at, by, pipeline, source } = asked;
    let (pipeline, folders) = reader_of(lake, pipeline).await?;
    let (source, uri) = located(&file, source.as_ref(), &folders)?;
    let newest = pipeline.of_source(source.as_ref()).into_owned();
    let stored = stored_as(lake, &newest, &uri, console).await?;
    let (read_as, by) = (stored.as_ref().unwrap_or(&newest), by.map(Positions::from));
    let record = match i64::try_from(at).ok().and_then(DocumentRow::of) {
        None => inspect::record(lake, read_as, &uri, at, by).await,
        Some(place) => {
            // A replay, whose plan may be newer than that of any file.
            let split_as = inspect::newest_plan(lake, &newest.name).await?;
            let split_as = split_as.map(|plan| plan.pipeline.of_bronze(&newest.source.bronze).into_owned());
            let split_as = split_as.as_ref().unwrap_or(&newest);
            inspect::record_of_document(lake, (read_as, split_as), &uri, place, by).await
        }
    };
    let record = record.map_err(wrongly)?;
    if console.is_json() {
        console.json_page(&record)?;
    } else {
        print(&record, console)?;
    }
    Ok(Exit::Done)
}

/// The pipeline as the run had it that stored the file: a spec that was changed since may cut it into other records.
/// `None` where no run has stored it, or that run cannot say it, which is said on standard error.
async fn stored_as(lake: &Lake, newest: &Pipeline, uri: &ObjectUri, console: &Console) -> Result<Option<Pipeline>> {
    let Some(StoredBy { run_id, plan }) = inspect::stored_by(lake, newest, uri).await? else { return Ok(None) };
    if plan.is_none() {
        console.note(&format!(
            "the plan of run {run_id}, which stored {uri}, is gone or cannot be read: the file is read as the newest run \
             reads files"
        ));
    }
    Ok(plan.map(|plan| plan.pipeline.of_bronze(&newest.source.bronze).into_owned()))
}

/// An error of the file itself is a failure, and not wrong use.
fn wrongly(error: LakeError) -> Error {
    match error {
        LakeError::Source(_) => error.into(),
        other => named_wrongly(other, NEXT),
    }
}

/// The pipeline as its newest run had it, or as deployed where no plan can be read, and the landing folder of each of its
/// sources.
async fn reader_of(lake: &Lake, name: Option<PipelineName>) -> Result<(Pipeline, Vec<Folder>)> {
    let name = match name {
        Some(name) => name,
        None => only(&inspect::pipelines_with_runs(lake).await?)?,
    };
    if let Some(Plan { request, pipeline, .. }) = inspect::newest_ingestion(lake, &name).await?.plan {
        let folders = folders_of(lake, &pipeline, request.landing.as_ref())?;
        return Ok((pipeline, folders));
    }
    let (action, spec, landing, engine, objects) = (RunAction::Ingest, None, None, None, None);
    let request = RunRequest { pipeline: name, spec, landing, action, engine, objects };
    let deployed = load_pipeline(lake, &request).await;
    let pipeline =
        deployed.map_err(|error| named_wrongly(error, "`sluice runs list` shows pipelines that have runs"))?;
    let folders = folders_of(lake, &pipeline, None)?;
    Ok((pipeline, folders))
}

/// The landing folders of a pipeline, of a run that took files from `landing`.
fn folders_of(lake: &Lake, pipeline: &Pipeline, landing: Option<&FolderUri>) -> Result<Vec<Folder>> {
    let mut folders = Vec::new();
    for source in pipeline.sources() {
        let folder = match (landing, &source.name) {
            (None, _) => lake.root().folder(&source.prefix),
            (Some(landing), None) => landing.clone(),
            (Some(landing), Some(name)) => landing.folder(&name.as_str().parse::<LakePath>()?),
        };
        folders.push((source.name.clone(), folder));
    }
    Ok(folders)
}

/// The address of a file and the source that it is of: the one that is asked for, or the one whose folder has the file.
fn located(file: &str, source: Option<&SourceName>, folders: &[Folder]) -> Result<(Option<SourceName>, ObjectUri)> {
    let wrong = |message: String, next: String| -> Result<(Option<SourceName>, ObjectUri)> {
        Err(Fault::new(Exit::WrongUse, message).named(ErrorName::InvalidInput).next(next).into())
    };
    let names: Vec<&str> = folders.iter().filter_map(|(name, _)| name.as_ref()).map(SourceName::as_str).collect();
    let next = format!("name one of the sources with --source: {}", names.join(", "));
    let asked = folders.iter().filter(|(name, _)| source.is_none_or(|source| name.as_ref() == Some(source)));
    let asked: Vec<&Folder> = asked.collect();
    if let [(name, landing)] = asked.as_slice() {
        let uri = address(file, landing)?;
        let has_it = |folder: &&Folder| folder.1.contains(uri.as_url());
        return match (folders.iter().find(has_it), name) {
            (Some((Some(other), _)), Some(name)) if other != name => wrong(
                format!("{file} is in the landing folder of the source `{other}`, and not of `{name}`"),
                format!("write --source {other}, or leave --source out"),
            ),
            _ => Ok((name.clone(), uri)),
        };
    }
    let mut found = Vec::new();
    for (name, landing) in asked {
        let uri = address(file, landing)?;
        if landing.contains(uri.as_url()) {
            found.push((name.clone(), uri));
        }
    }
    match (found.pop(), found.is_empty(), source) {
        (Some(only), true, _) => Ok(only),
        (Some(_), false, _) => wrong(
            format!("{file} is a name that may be in the landing folder of each of the sources {}", names.join(", ")),
            format!("{next}; or give the whole address of the file"),
        ),
        (None, _, Some(source)) if names.is_empty() => wrong(
            format!("the pipeline has no source `{source}`: it has one source without a name"),
            "leave --source out".to_owned(),
        ),
        (None, _, Some(source)) => wrong(format!("the pipeline has no source `{source}`"), next),
        (None, _, None) => wrong(format!("{file} is in the landing folder of no source"), next),
    }
}

/// The only pipeline.
fn only(pipelines: &[PipelineName]) -> Result<PipelineName> {
    let wrong = |message: String, next: &str| Fault::new(Exit::WrongUse, message).next(next);
    match pipelines {
        [pipeline] => Ok(pipeline.clone()),
        [] => {
            let message = "the lake has no run, so no pipeline is known that reads the file".to_owned();
            Err(wrong(message, "name a deployed pipeline with --pipeline").into())
        }
        several => {
            let names: Vec<&str> = several.iter().map(PipelineName::as_str).collect();
            let message = format!("the lake has runs of several pipelines: {}", names.join(", "));
            Err(wrong(message, "name the one that read the file with --pipeline").into())
        }
    }
}

/// The address of a file: as given, of a file on this machine, or below the landing folder.
fn address(file: &str, landing: &FolderUri) -> Result<ObjectUri> {
    let wrong = |message: String| Fault::new(Exit::WrongUse, message).named(ErrorName::InvalidInput).next(NEXT);
    if file.contains("://") {
        return file.parse::<ObjectUri>().map_err(|error| wrong(error.to_string()).into());
    }
    let path = Path::new(file);
    if !path.is_absolute() && !path.is_file() {
        return match file.parse::<LakePath>() {
            Ok(below) => Ok(landing.object(&below)),
            Err(_) => Err(wrong(format!("{file} does not exist, and cannot be a name below {landing}")).into()),
        };
    }
    let absolute = std::path::absolute(path).with_context(|| format!("file {file}"))?;
    let refused = || wrong(format!("{file} cannot be written as an address: use a file name in UTF-8"));
    let url = Url::from_file_path(&absolute).map_err(|()| refused())?;
    url.as_str().parse::<ObjectUri>().map_err(|_| refused().into())
}

/// Prints the record: what it is, then its columns, or its text and what is wrong with it.
fn print(record: &SourceRecord, console: &Console) -> Result<()> {
    let SourceRecord { uri, position, .. } = record;
    let what = match record.positions {
        Positions::Numbers => format!("record {position} of {uri}"),
        Positions::Bytes => format!("record at byte {position} of {uri}"),
    };
    console.line(&console.paint(Tone::Strong, &what))?;
    if record.raw.is_some() || record.reason.is_some() {
        let reason = record.reason.as_deref().unwrap_or("it cannot be split into columns");
        console.line(&format!("{} {reason}", console.paint(Tone::Bad, "corrupt:")))?;
        console.line(&shown(record.raw.as_deref().unwrap_or_default()))?;
        return Ok(());
    }
    let mut grid = Grid::new(["column", "value"]);
    for (name, cell) in &record.values {
        let value = if *cell == Cell::Null { "NULL".to_owned() } else { cell.to_string() };
        grid.row([name.clone(), value]);
    }
    console.line(&if record.values.is_empty() { "no columns".to_owned() } else { grid.text() })?;
    Ok(())
}

/// The beginning of a text, with its lines, and without what a terminal would act on.
fn shown(raw: &str) -> String {
    let kept = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c };
    let mut text: String = raw.chars().take(LONGEST_RAW).map(kept).collect();
    if let Some(more @ 1..) = raw.chars().count().checked_sub(LONGEST_RAW) {
        text.push_str(&format!("…\n({more} more characters; --json has all of them)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_an_address_a_path_or_a_name_below_the_landing_folder() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here day.csv");
        std::fs::write(&here, "a\n").unwrap();
        let here_uri = Url::from_file_path(&here).unwrap().to_string();
        let landing: FolderUri = "s3://bucket/landing/retail".parse().unwrap();
        let check = |file: &str, expected: Option<&str>| {
            let address = address(file, &landing);
            assert_eq!(address.ok().as_ref().map(ObjectUri::as_str), expected, "{file}");
        };
        check("s3://other/a.csv", Some("s3://other/a.csv"));
        check("a b.csv", Some("s3://bucket/landing/retail/a%20b.csv"));
        check("2026/a.csv", Some("s3://bucket/landing/retail/2026/a.csv"));
        check(here.to_str().unwrap(), Some(&here_uri));
        check("/no/such/file.csv", Some("file:///no/such/file.csv"));
        check("../a.csv", None);
        check("https://bucket/a.csv", None);
        check("s3://bucket/folder/", None);
    }

    #[test]
    fn a_file_is_of_the_source_whose_folder_has_it_or_that_is_asked_for() {
        let name = |text: &str| text.parse::<SourceName>().unwrap();
        let folder = |source: &str| {
            let landing: FolderUri = format!("s3://bucket/landing/shop/{source}").parse().unwrap();
            (Some(name(source)), landing)
        };
        let several = [folder("orders"), folder("products")];
        let check = |file: &str, source: Option<&str>, expected: Result<(&str, &str), &str>| {
            let asked = source.map(name);
            match (located(file, asked.as_ref(), &several), expected) {
                (Ok((source, uri)), Ok((of, address))) => {
                    assert_eq!((source.map(|name| name.to_string()).as_deref(), uri.as_str()), (Some(of), address));
                }
                (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{file}: {error}"),
                (found, expected) => panic!("{file}: {found:?} is not {expected:?}"),
            }
        };
        let day = "s3://bucket/landing/shop/products/day.json";
        check(day, None, Ok(("products", day)));
        check("day.json", Some("products"), Ok(("products", day)));
        check("s3://other/a.csv", Some("orders"), Ok(("orders", "s3://other/a.csv")));
        let says = "day.json is a name that may be in the landing folder of each of the sources orders, products";
        check("day.json", None, Err(says));
        let other = "is in the landing folder of the source `products`, and not of `orders`";
        check(day, Some("orders"), Err(other));
        check("s3://other/a.csv", None, Err("in the landing folder of no source"));
        check("day.json", Some("prices"), Err("no source `prices`"));
        let one = [(None, "s3://bucket/landing/shop".parse::<FolderUri>().unwrap())];
        assert_eq!(located("a.csv", None, &one).unwrap().1.as_str(), "s3://bucket/landing/shop/a.csv");
        let error = located("a.csv", Some(&name("orders")), &one).unwrap_err();
        assert!(error.to_string().contains("one source without a name"), "{error}");
    }

    #[test]
    fn the_pipeline_may_be_left_out_where_one_only_has_runs() {
        let name = |text: &str| text.parse::<PipelineName>().unwrap();
        assert_eq!(only(&[name("retail")]).unwrap(), name("retail"));
        let says = |error: Error| {
            let fault = error.downcast::<Fault>().unwrap();
            (fault.exit(), format!("{fault}: {}", fault.next_step().unwrap_or_default()))
        };
        let (exit, text) = says(only(&[name("orders"), name("retail")]).unwrap_err());
        assert!(exit == Exit::WrongUse && text.contains("orders, retail") && text.contains("--pipeline"), "{text}");
        let (exit, text) = says(only(&[]).unwrap_err());
        assert!(exit == Exit::WrongUse && text.contains("--pipeline"), "{text}");
    }

    #[test]
    fn long_texts_are_cut_and_control_characters_stay_out_of_terminals() {
        assert_eq!(shown("a\u{1b}[2Jb\nc"), "a [2Jb\nc");
        let long = shown(&"x".repeat(LONGEST_RAW + 7));
        assert!(long.ends_with("…\n(7 more characters; --json has all of them)"), "{long}");
        assert_eq!(shown(&"x".repeat(LONGEST_RAW)), "x".repeat(LONGEST_RAW));
    }
}
