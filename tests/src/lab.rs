//! The workspace of a test: a lake, a landing folder, and a copy of the retail pipeline that the test may change.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::de::DeserializeOwned;
use sluice_core::document::StepDocument;
use sluice_core::name::{PipelineName, RunId};
use sluice_core::run::{Changeset, DocumentKind, Receipt, RunRef, Verdict};
use sluice_core::uri::{FolderUri, layout};
use sluice_lake::Lake;
use tempfile::TempDir;

use crate::content::{self, LakeContent};
use crate::files;
use crate::sluice::{Run, Started, binary};
use crate::wire::{self, HeldSource, PassedSource, QuarantineState, RunList, Tables};

/// The tables of the retail pipeline.
pub const BRONZE: &str = "bronze/sales/transactions";
/// Rows that broke an error rule.
pub const QUARANTINE: &str = "quarantine/sales/transactions";
/// Clean rows.
pub const SILVER: &str = "silver/sales/transactions";
/// Revenue by day and country.
pub const DAILY_REVENUE: &str = "gold/sales/daily_revenue";
/// Value of customers.
pub const CUSTOMER_RFM: &str = "gold/sales/customer_rfm";

/// A separate folder for each test, removed at the end.
pub struct Lab {
    folder: PathBuf,
    lake: PathBuf,
    /// Removes the folder; a folder that was given to the lab stays.
    _temporary: Option<TempDir>,
}

/// Generated daily files.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Date of the first file.
    pub start: &'a str,
    /// Files.
    pub days: u32,
    /// Rows of each.
    pub rows: u32,
    /// Share of rows that break an error rule.
    pub dirt: &'a str,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// An empty lake, an empty landing folder, and the retail pipeline as it is in the repository.
    pub fn new() -> Self {
        let temporary = tempfile::Builder::new().prefix("sluice-it-").tempdir().expect("a temporary folder");
        let mut lab = Self::at(temporary.path());
        lab._temporary = Some(temporary);
        for folder in [lab.lake().to_owned(), lab.landing(), lab.scratch()] {
            std::fs::create_dir_all(&folder).expect("a folder can be made");
        }
        files::copy_folder(&files::repository().join("pipelines/retail"), &lab.pipeline());
        lab
    }

    /// The lake, the landing folder and the pipeline that this folder holds.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), lake: folder.join("lake"), _temporary: None }
    }

    /// The folder that holds everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the lake.
    pub fn lake(&self) -> &Path {
        &self.lake
    }

    /// The folder that files arrive in.
    pub fn landing(&self) -> PathBuf {
        self.folder().join("landing")
    }

    /// The copy of the pipeline.
    pub fn pipeline(&self) -> PathBuf {
        self.folder().join("pipelines/retail")
    }

    /// Folder for temporary files of the binary, so that a killed process leaves nothing elsewhere.
    fn scratch(&self) -> PathBuf {
        self.folder().join("tmp")
    }

    /// Replaces a text, which must occur exactly once, in a file of the pipeline's copy.
    pub fn edit_pipeline(&self, file: &str, from: &str, to: &str) {
        let path = self.pipeline().join(file);
        let text = std::fs::read_to_string(&path).expect("a file of the pipeline");
        assert_eq!(text.matches(from).count(), 1, "{file} must have {from:?} once");
        std::fs::write(&path, text.replace(from, to)).expect("a file of the pipeline can be written");
    }

    /// A call of `sluice` with these arguments.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.folder()).env("TMPDIR", self.scratch()).env_remove("SLUICE_LAKE");
        command
    }

    /// Runs `sluice <words> --lake <lake> --json`.
    pub fn sluice(&self, words: &[&str]) -> Run {
        let mut command = self.command(words);
        command.arg("--lake").arg(self.lake()).arg("--json");
        Run::of(command)
    }

    /// The call `sluice run <pipeline> --lake <lake> --landing <landing> --json`.
    pub fn run_command(&self, lake: &Path, landing: &Path) -> Command {
        let mut command = self.command(["run"]);
        command.arg(self.pipeline()).arg("--lake").arg(lake).arg("--landing").arg(landing).arg("--json");
        command
    }

    /// Runs the pipeline on the landing folder.
    pub fn run(&self) -> Run {
        Run::of(self.run_command(self.lake(), &self.landing()))
    }

    /// Starts the pipeline on a landing folder and does not wait for it.
    pub fn start(&self, landing: &Path, name: &str) -> Started {
        Started::new(self.run_command(self.lake(), landing), self.folder(), name)
    }

    /// The call that replays the quarantine.
    pub fn replay_command(&self, lake: &Path) -> Command {
        let mut command = self.command(["quarantine", "replay"]);
        command.arg(self.pipeline()).arg("--lake").arg(lake).arg("--json");
        command
    }

    /// Generates sample files in a folder and returns them by date. By default the dirt is below the gate's limit.
    pub fn sample(&self, folder: &Path, sample: &Sample<'_>) -> Vec<PathBuf> {
        let mut command = self.command(["sample"]);
        command.arg(folder).args(["--start", sample.start, "--dirt", sample.dirt, "--seed", "11", "--json", "--force"]);
        command.args(["--days", &sample.days.to_string(), "--rows", &sample.rows.to_string()]);
        let report: serde_json::Value = Run::of(command).expect_code(0).page();
        let made = report["files"].as_array().expect("files");
        made.iter().map(|file| PathBuf::from(file["path"].as_str().expect("a path"))).collect()
    }

    /// Tables of the lake, as the command lists them.
    pub fn tables(&self) -> Tables {
        wire::tables(self.sluice(&["table", "list"]).expect_code(0).page())
    }

    /// Rows of a table; 0 if it does not exist.
    pub fn rows(&self, table: &str) -> u64 {
        self.tables().get(table).map_or(0, |state| state.rows)
    }

    /// What is held back.
    pub fn held(&self) -> Vec<HeldSource> {
        wire::left_out(self.sluice(&["source", "list"]).expect_code(0).page(), "held")
    }

    /// What the newest run passed by.
    pub fn passed_by(&self) -> Vec<PassedSource> {
        wire::left_out(self.sluice(&["source", "list"]).expect_code(0).page(), "passed_by")
    }

    /// Runs and what is held back.
    pub fn runs(&self) -> RunList {
        self.sluice(&["runs", "list"]).expect_code(0).page()
    }

    /// The quarantine tables.
    pub fn quarantines(&self) -> Vec<QuarantineState> {
        self.sluice(&["quarantine", "list"]).expect_code(0).page()
    }

    /// The lake, opened in this process.
    pub fn open(&self) -> Lake {
        open_lake(self.lake())
    }

    /// The content of all tables.
    pub fn content(&self) -> LakeContent {
        content::lake_content(&self.open())
    }

    /// All files of the tables' logs: as long as no file is added, no table has a new version.
    pub fn log_files(&self) -> Vec<PathBuf> {
        let in_log = |path: &PathBuf| path.iter().any(|part| part == "_delta_log");
        files::all_files(self.lake()).into_iter().filter(in_log).collect()
    }

    /// The verdict of a run's attempt.
    pub fn verdict(&self, run_id: &RunId, attempt: u32) -> Verdict {
        let run = RunRef { pipeline: retail(), run_id: run_id.clone(), attempt };
        self.document(&run).unwrap_or_else(|| panic!("run {run_id} has no verdict {attempt}"))
    }

    /// The changesets of all attempts that were published, in the order of the runs.
    pub fn published_changesets(&self) -> Vec<Changeset> {
        let attempts = files::all_files(self.lake()).into_iter().filter_map(|path| {
            let (run, kind) = layout::attempt_of(&path.to_str()?.parse().ok()?)?;
            (kind == DocumentKind::Receipt && run.pipeline == retail()).then_some(run)
        });
        let changeset = |run: RunRef| {
            let _: Receipt = self.document(&run).expect("a receipt");
            self.document(&run).expect("what was published was staged")
        };
        attempts.map(changeset).collect()
    }

    fn document<T: StepDocument<Of = RunRef> + DeserializeOwned>(&self, run: &RunRef) -> Option<T> {
        content::wait(self.open().documents().of(run).get()).expect("the document can be read")
    }
}

/// Opens a local lake.
pub fn open_lake(folder: &Path) -> Lake {
    Lake::open(&folder_uri(folder), &std::collections::BTreeMap::new()).expect("a local lake opens")
}

/// The address of an existing folder.
pub fn folder_uri(folder: &Path) -> FolderUri {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let url = url::Url::from_directory_path(&folder).expect("an absolute path is an address");
    url.as_str().parse().expect("a folder's address")
}

/// The name of the retail pipeline.
pub fn retail() -> PipelineName {
    "retail".parse().expect("a name")
}
