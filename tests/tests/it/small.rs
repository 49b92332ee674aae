//! Small pipelines that a test writes itself; they replace the retail pipeline of its lab.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{Timestamp, ToSpan};
use sluice_core::error::StepError;
use sluice_core::name::{Layer, TableRef};
use sluice_core::run::{
    Changeset, PartNumber, Plan, PlanStatus, ReadPart, Receipt, RunAction, RunRef, RunRequest, Verdict,
};
use sluice_lake::{Lake, LakeError, delta, inspect, steps};
use sluice_tests::content::wait;
use sluice_tests::files;
use sluice_tests::judges::Judges;
use sluice_tests::lab::{Lab, folder_uri, retail};
use sluice_tests::sluice::Run;

/// Raw rows of the pipeline of [`orders`].
pub(crate) const BRONZE: &str = "bronze/sales/orders";
/// Its quarantined rows.
pub(crate) const QUARANTINE: &str = "quarantine/sales/orders";
/// Its clean rows.
pub(crate) const SILVER: &str = "silver/sales/orders";
/// Its aggregate.
pub(crate) const GOLD: &str = "gold/sales/totals";

/// The spec of [`orders`]. Its gate lets everything pass: most tests are about what happens to a few rows, bad ones among them.
/// Pipelines here have the name `retail`, because the harness reads the documents of that pipeline.
pub(crate) const ORDERS: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: csv }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { id: id, name: name, amount: amount, day: day }
    mode: append
    gate: { quarantined_percent_below: none }
gold:
  - table: totals
    contract: contracts/totals.yaml
    sql: SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name
";
/// Columns of `orders`, in the form that [`contract`] expects.
pub(crate) const ORDER_COLUMNS: [&str; 4] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: name, logicalType: string",
    "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true",
    "name: day, logicalType: date",
];
/// Columns of `totals`.
pub(crate) const TOTAL_COLUMNS: [&str; 3] = [
    "name: name, logicalType: string",
    "name: amount, logicalType: number, physicalType: 'DECIMAL(18,2)'",
    "name: orders, logicalType: integer, physicalType: BIGINT",
];

/// A contract with one schema object; columns are YAML without the braces, `quality` the rules of the table.
pub(crate) fn contract(table: &str, columns: &[&str], quality: &[&str]) -> String {
    let list = |indent: &str, entries: &[&str]| -> String {
        entries.iter().map(|entry| format!("{indent}- {{ {entry} }}\n")).collect()
    };
    let rules = match quality {
        [] => String::new(),
        _ => format!("    quality:\n{}", list("      ", quality)),
    };
    format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nname: {table}\nversion: 1.0.0\nstatus: active\n\
         schema:\n  - name: {table}\n    physicalType: table\n    properties:\n{}{rules}",
        list("      ", columns)
    )
}

/// A lab with these files as its pipeline: `pipeline.yaml` and the files it names.
pub(crate) fn lab(spec: &str, contracts: &[(&str, String)]) -> Lab {
    let lab = Lab::new();
    files::remove_folder(&lab.pipeline());
    fs::create_dir_all(lab.pipeline().join("contracts")).unwrap();
    fs::write(lab.pipeline().join("pipeline.yaml"), spec).unwrap();
    for (name, text) in contracts {
        fs::write(lab.pipeline().join(format!("contracts/{name}.yaml")), text).unwrap();
    }
    lab
}

/// Order lines, appended to one silver table, and their totals by name.
pub(crate) fn orders() -> Lab {
    orders_with(ORDERS)
}

/// [`orders`] with another spec.
pub(crate) fn orders_with(spec: &str) -> Lab {
    let contracts =
        [("orders", contract("orders", &ORDER_COLUMNS, &[])), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))];
    lab(spec, &contracts)
}

/// Writes a file to the landing folder, at any depth.
pub(crate) fn land(lab: &Lab, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = lab.landing().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// [`land`], with the second at which the file was modified last, as if it had been delivered then.
pub(crate) fn land_at(lab: &Lab, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>, second: u64) {
    let path = land(lab, name, bytes);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_767_600_000 + second);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Rows of a table in these columns, as `value|value`, sorted. A missing value is `NULL`.
pub(crate) fn rows(lab: &Lab, table: &str, columns: &[&str]) -> Vec<String> {
    rows_of(&lab.open(), table, columns)
}

/// [`rows`] of an open lake.
pub(crate) fn rows_of(lake: &Lake, table: &str, columns: &[&str]) -> Vec<String> {
    let table: TableRef = table.parse().unwrap();
    let head = wait(inspect::head(lake, &table, None, u32::MAX)).unwrap_or_else(|error| panic!("{table}: {error}"));
    let places: Vec<usize> = columns
        .iter()
        .map(|column| {
            let place = head.columns.iter().position(|name| name == column);
            place.unwrap_or_else(|| panic!("{table} has no column {column}: {:?}", head.columns))
        })
        .collect();
    let text = |cell: &inspect::Cell| if *cell == inspect::Cell::Null { "NULL".to_owned() } else { cell.to_string() };
    let line = |row: &Vec<inspect::Cell>| places.iter().map(|&place| text(&row[place])).collect::<Vec<_>>().join("|");
    let mut lines: Vec<String> = head.rows.iter().map(line).collect();
    lines.sort_unstable();
    lines
}

/// Error name and message of a failed run.
pub(crate) fn error_of(run: &Run) -> (String, String) {
    let last = run.lines().pop().unwrap_or_else(|| panic!("no output: {run}"));
    let text = |key: &str| last["error"][key].as_str().unwrap_or_else(|| panic!("no error.{key}: {run}")).to_owned();
    (text("Error"), text("Cause"))
}

/// What is wrong with the files that a run holds, each with its address.
pub(crate) fn held_by(run: &Run) -> String {
    let last = run.lines().pop().unwrap_or_else(|| panic!("no output: {run}"));
    let held = last["held"].as_array().unwrap_or_else(|| panic!("no held: {run}"));
    let text =
        |held: &serde_json::Value| format!("{}: {}", held["uri"].as_str().unwrap(), held["reason"].as_str().unwrap());
    held.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Asserts that a message has all these parts.
pub(crate) fn assert_says(message: &str, parts: &[&str], when: &str) {
    for part in parts {
        assert!(message.contains(part), "{when}: no {part:?} in: {message}");
    }
}

/// Asserts that a run holds these files and no others, each for a reason that has this text.
pub(crate) fn assert_holds(run: &Run, files: &[(&str, &str)]) {
    let held = held_by(run);
    for (file, reason) in files {
        let is_this = |line: &str| line.contains(file) && line.contains(reason);
        assert!(held.lines().any(is_this), "{file}: no {reason:?} in: {held}");
    }
    let last = run.lines().pop().unwrap();
    assert_eq!(last["held"].as_array().map(Vec::len), Some(files.len()), "{held}");
}

/// The steps of runs on a lab, called in this process, with a clock that advances by one minute per run.
pub(crate) struct Steps {
    /// The lake.
    pub(crate) lake: Lake,
    request: RunRequest,
    runs: Cell<i64>,
}

impl Steps {
    /// Steps that read the lab's landing folder.
    pub(crate) fn new(lab: &Lab) -> Self {
        Self::on(lab, lab.open())
    }

    /// The same on another lake.
    pub(crate) fn on(lab: &Lab, lake: Lake) -> Self {
        let request = RunRequest {
            pipeline: retail(),
            spec: Some(folder_uri(&lab.pipeline())),
            landing: Some(folder_uri(&lab.landing())),
            action: RunAction::Ingest,
            engine: None,
            objects: None,
        };
        Self { lake, request, runs: Cell::new(0) }
    }

    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        start + self.runs.get().minutes()
    }

    /// Plans a new run.
    pub(crate) fn validate(&self) -> Result<Plan, LakeError> {
        self.runs.set(self.runs.get() + 1);
        let run_id = format!("run-{:04}", self.runs.get()).parse().unwrap();
        wait(steps::validate(&self.lake, self.now(), run_id, self.request.clone()))
    }

    /// Plans the next attempt.
    pub(crate) fn replan(&self, run: &RunRef) -> Result<Plan, LakeError> {
        wait(steps::replan(&self.lake, self.now(), run))
    }

    /// Reads a part.
    pub(crate) fn read_part(&self, run: &RunRef, part: PartNumber) -> Result<ReadPart, LakeError> {
        wait(steps::read_part(&self.lake, self.now(), run, part))
    }

    /// Runs process, on the engine lambda.
    pub(crate) fn process(&self, run: &RunRef) -> Result<Changeset, LakeError> {
        let processed = wait(steps::process(&self.lake, self.now(), run))?;
        Ok(processed.changeset().unwrap_or_else(|| panic!("run `{}` was planned for Spark", run.run_id)))
    }

    /// Runs quality-check.
    pub(crate) fn quality_check(&self, run: &RunRef) -> Result<Verdict, LakeError> {
        wait(steps::quality_check(&self.lake, self.now(), run))
    }

    /// Runs publish.
    pub(crate) fn publish(&self, run: &RunRef) -> Result<Receipt, LakeError> {
        wait(steps::publish(&self.lake, self.now(), run))
    }

    /// A whole run that passes the gate; `None` when nothing is new.
    pub(crate) fn run(&self) -> Option<Changeset> {
        let plan = self.validate().unwrap_or_else(|error| panic!("validate: {}", StepError::from(error)));
        if plan.status == PlanStatus::Skipped {
            return None;
        }
        Some(self.finish(&plan.run))
    }

    /// Runs the steps up to the commit of bronze, as if the run had died then.
    pub(crate) fn die_after_bronze(&self) {
        self.die_after(&[Layer::Bronze]);
    }

    /// Runs the steps up to the commits of these layers, as if the run had died then.
    pub(crate) fn die_after(&self, layers: &[Layer]) {
        let plan = self.validate().unwrap();
        let changeset = self.process(&plan.run).unwrap();
        let _ = self.quality_check(&plan.run).unwrap();
        let now = "2026-01-06T00:00:00Z".parse().unwrap();
        for change in changeset.tables.iter().filter(|change| layers.contains(&change.table.layer())) {
            let _ = wait(delta::commit(&self.lake, &plan.run, change, &[], now)).unwrap();
        }
    }

    /// The rest of a planned run.
    pub(crate) fn finish(&self, run: &RunRef) -> Changeset {
        let failed_in =
            |step: &'static str| move |error: LakeError| -> ! { panic!("{step}: {}", StepError::from(error)) };
        let changeset = self.process(run).unwrap_or_else(|error| failed_in("process")(error));
        let verdict = self.quality_check(run).unwrap_or_else(|error| failed_in("quality check")(error));
        assert!(verdict.broken().is_empty(), "rejected: {:?}", verdict.broken());
        let _ = self.publish(run).unwrap_or_else(|error| failed_in("publish")(error));
        changeset
    }
}

/// A Python interpreter with the packages of the judges, to write files that Sluice cannot write.
pub(crate) struct Python(PathBuf);

impl Python {
    /// The interpreter of this machine; without it the test is reported as skipped.
    pub(crate) fn or_skip(test: &str) -> Option<Self> {
        Judges::or_skip(test)?;
        std::env::var_os("SLUICE_PYTHON").map(|python| Self(python.into()))
    }

    /// Runs a program and skips the shutdown of the interpreter, during which threads of its libraries may abort under load.
    pub(crate) fn run(&self, text: &str) {
        let text = format!("{text}\nimport os\nos._exit(0)\n");
        let output = Command::new(&self.0).args(["-c", &text]).output().unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
