//! `sluice profile`.

mod show;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sluice_core::error::with_sources;
use sluice_core::init::Written;
use sluice_core::name::TableRef;
use sluice_core::profile::{Change, Profile, compare};
use sluice_lake::Lake;
use sluice_lake::init::{SampleError, name_of};
use sluice_lake::profile::{FileProfile, profile_file, profile_table};

use super::named::named_wrongly;
use crate::arguments::ProfileArguments;
use crate::console::Console;
use crate::fault::{Exit, Fault};
use crate::grid::count;

/// Largest earlier profile that is read: one of 10,000 columns has about 40 MB.
const MAX_PROFILE_BYTES: u64 = 256 << 20;
/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// What to do where the table or a column is not right.
const NEXT: &str = "`sluice table list` shows the tables of a lake, and `sluice table show` their columns";

/// The profile as JSON, with what is only known now.
#[derive(Serialize)]
struct Page<'p> {
    #[serde(flatten)]
    profile: &'p Profile,
    /// How a file is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'p Written>,
    /// What has changed since the earlier profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'p [Change]>,
}

/// What is profiled.
enum Subject {
    File(PathBuf),
    Table(Box<Lake>, TableRef),
}

/// Shows the profile of a file or table, or what has changed in it.
pub(crate) async fn run(arguments: ProfileArguments, console: &Console) -> Result<Exit> {
    let wanted = (!arguments.columns.is_empty()).then(|| arguments.columns.clone());
    let subject = subject(&arguments).await?;
    // An earlier profile that cannot be read is reported before the file is.
    let earlier = match &arguments.against {
        Some(against) => Some(earlier(&subject, against, wanted.as_deref()).await?),
        None => None,
    };
    let progress = Progress::new(console);
    let read = read(&subject, arguments.version, wanted.clone(), &progress).await;
    progress.end();
    let (profile, written) = read?;
    let changes = earlier.as_ref().map(|earlier| compare(earlier, &profile));
    if console.is_json() {
        let (source, changes) = (written.as_ref(), changes.as_deref());
        console.json_page(&Page { profile: &profile, source, changes })?;
        return Ok(Exit::Done);
    }
    show::heading(&profile, written.as_ref(), console)?;
    match (&earlier, &changes) {
        (Some(earlier), Some(changes)) => show::changes(earlier, changes, console)?,
        _ => show::columns(&profile, wanted.is_some(), console)?,
    }
    Ok(Exit::Done)
}

/// Reads the file or table; of a file, also how it is written.
async fn read(
    subject: &Subject,
    version: Option<u64>,
    wanted: Option<Vec<String>>,
    progress: &Progress,
) -> Result<(Profile, Option<Written>)> {
    match subject {
        Subject::File(path) => {
            let (path, shown) = (path.clone(), progress.clone());
            let work = move || profile_file(&path, wanted, &mut |records| shown.at(records));
            let FileProfile { profile, written } = tokio::task::spawn_blocking(work).await?.map_err(refused)?;
            Ok((profile, Some(written)))
        }
        Subject::Table(lake, table) => Ok((profiled(lake, table, version, wanted, progress).await?, None)),
    }
}

/// The file or table that is meant.
async fn subject(arguments: &ProfileArguments) -> Result<Subject> {
    let wrong = |message: String, next: &str| Fault::new(Exit::WrongUse, message).next(next);
    if let Ok(table) = arguments.of.parse::<TableRef>() {
        let Some(lake) = &arguments.lake else {
            let message = format!("{table} is a table, and no lake was given");
            return Err(wrong(message, "give it with --lake; write ./ before the path of a file").into());
        };
        return Ok(Subject::Table(Box::new(lake.open_lake().await?), table));
    }
    let path = PathBuf::from(&arguments.of);
    if arguments.version.is_some() {
        let message = format!("{} is a file, and files have no versions", name_of(&path));
        return Err(wrong(message, "leave --version out, or give a table").into());
    }
    if !path.is_file() {
        let what = if path.is_dir() { "is a folder" } else { "does not exist" };
        let next = "give a file of this machine, or a table such as silver/sales/orders";
        return Err(wrong(format!("{} {what}", name_of(&path)), next).into());
    }
    Ok(Subject::File(path))
}

/// The earlier profile: of a file that has it, or of a version of the table.
async fn earlier(subject: &Subject, against: &str, wanted: Option<&[String]>) -> Result<Profile> {
    let path = Path::new(against);
    if let (Subject::Table(lake, table), Ok(version), false) = (subject, against.parse::<u64>(), path.exists()) {
        return profiled(lake, table, Some(version), wanted.map(<[String]>::to_vec), &Progress::none()).await;
    }
    let name = name_of(path);
    let metadata = fs::metadata(path).map_err(|_| {
        Fault::new(Exit::WrongUse, format!("the earlier profile {name} does not exist"))
            .next("give a file that `sluice profile ... --json` wrote, or a version of the table")
    })?;
    if metadata.len() > MAX_PROFILE_BYTES {
        return Err(Fault::new(Exit::WrongUse, format!("{name} is too large for a profile")).into());
    }
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let _bytes =
        file.take(MAX_PROFILE_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {name}"))?;
    let profile = Profile::parse(&text, &name).map_err(|error| Fault::new(Exit::WrongUse, with_sources(&error)))?;
    Ok(match wanted {
        Some(wanted) => profile.of_columns(wanted),
        None => profile,
    })
}

async fn profiled(
    lake: &Lake,
    table: &TableRef,
    version: Option<u64>,
    wanted: Option<Vec<String>>,
    progress: &Progress,
) -> Result<Profile> {
    let shown = progress.clone();
    let profile = profile_table(lake, table, version, wanted, move |rows| shown.at(rows)).await;
    profile.map_err(|error| named_wrongly(error, NEXT))
}

/// A column that does not exist is wrong use; all else is a fault of the file.
fn refused(error: SampleError) -> anyhow::Error {
    match error {
        SampleError::Profile(error) => Fault::new(Exit::WrongUse, error.to_string()).into(),
        other => other.into(),
    }
}

/// Shows on a terminal how far the reading is.
#[derive(Clone)]
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new(console: &Console) -> Self {
        Self(console.is_live().then(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(TICK);
            spinner
        }))
    }

    fn none() -> Self {
        Self(None)
    }

    fn at(&self, rows: u64) {
        if let Some(spinner) = &self.0 {
            spinner.set_message(format!("{} rows", count(rows)));
        }
    }

    fn end(&self) {
        if let Some(spinner) = &self.0 {
            spinner.finish_and_clear();
        }
    }
}
