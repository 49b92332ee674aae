//! What Spark leaves is made here by Polars: process stages a run for the engine lambda, the files that Spark would make
//! are moved to where Spark puts them, with the folder names that it writes, and the numbers come from the changeset and
//! the verdict. Then process reads the same run for Spark. So assembling must give the changeset and the verdict that
//! process and quality-check gave for lambda.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use polars::prelude::{DataType, IntoLazy, ParquetReader, ParquetWriter, SerReader, col};
use sluice_core::document::StepDocument;
use sluice_core::engine::Engine;
use sluice_core::error::StepError;
use sluice_core::run::{AuditedRows, EngineChoice, RuleResult, RunAction, RunRequest, Verdict};
use sluice_core::uri::{FolderUri, LakePath, layout};
use tempfile::TempDir;

use super::*;
use crate::steps::{Processed, process, publish, quality_check, validate};

const SILVER: &str = "silver/sales/orders";
const GOLD: &str = "gold/sales/totals";

const CONTRACT: &str = "\
apiVersion: v3.2.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
schema:
  - name: orders
    physicalType: table
    properties:
      - { name: id, logicalType: integer, physicalType: BIGINT, required: true }
      - { name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true }
      - { name: updated, logicalType: timestamp, required: true }
      - name: country
        logicalType: string
        partitioned: true
        partitionKeyPosition: 1
        quality:
          - { id: country_known, metric: nullValues, mustBe: 0, severity: warning }
          - { id: country_share, metric: nullValues, unit: percent, mustBeLessThan: 60 }
    quality:
      - { id: row_count, metric: rowCount, mustBeGreaterThan: 0 }
      - { id: most, type: sql, query: 'SELECT MAX(amount) FROM {object}', mustBeLessThan: 1000.5 }
";
const TOTALS: &str = "\
apiVersion: v3.2.0
kind: DataContract
id: totals
name: totals
version: 1.0.0
status: active
schema:
  - name: totals
    physicalType: table
    properties:
      - { name: country, logicalType: string }
      - { name: orders, logicalType: integer, physicalType: BIGINT, required: true }
";
const FIRST: &str = "id,amount,updated,country\n1,1.50,2026-01-01T00:00:00Z,a b\n2,2.00,2026-01-01T00:00:00Z,x/y\n\
                     3,3.00,2026-01-01T00:00:00Z,\n4,4.00,2026-01-01T00:00:00Z,Grüße\n";
/// A newer row of 1, a row that lost, new rows with names that Spark escapes, two rows that break a rule.
const SECOND: &str = "id,amount,updated,country,note\n1,9.50,2026-01-02T00:00:00Z,50%\n2,7.00,2025-01-01T00:00:00Z,x/y\n\
                      5,5.00,2026-01-02T00:00:00Z,\"k=v:'[1]\"\n6,6.25,2026-01-02T00:00:00Z,\n,1.00,2026-01-02T00:00:00Z,x\n\
                      7,many,2026-01-02T00:00:00Z,x\n";

/// A run that process has staged and quality-check has judged for lambda, and process has read for Spark.
struct Fixture {
    folder: TempDir,
    lake: Lake,
    plan: Plan,
    expected: Changeset,
    verdict: Verdict,
}

fn at() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().expect("time")
}

fn folder_uri(path: &Path) -> FolderUri {
    url::Url::from_directory_path(path).expect("folder").as_str().parse().expect("folder")
}

/// The escapes of Spark 3.5 (`ExternalCatalogUtils.escapePathName`), written down here a second time on purpose.
fn as_spark_writes(value: Option<&str>) -> String {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return "__HIVE_DEFAULT_PARTITION__".to_owned() };
    let escaped = |c: char| {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c) {
            format!("%{:02X}", c as u32)
        } else {
            c.to_string()
        }
    };
    value.chars().map(escaped).collect()
}

impl Fixture {
    async fn new(mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-assemble-").tempdir().expect("folder");
        let root = folder.path().to_owned();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        };
        let keys = match mode {
            "merge" | "scd2" => "keys: [id]\n    latest_by: updated\n    gate: { quarantined_percent_below: none }",
            _ => "gate: { quarantined_percent_below: none }",
        };
        let spec = format!(
            "pipeline: shop\ndomain: sales\nsource: {{ prefix: landing/shop, format: csv }}\nbronze: {{ table: orders }}\n\
             silver:\n  - table: orders\n    contract: orders.yaml\n    columns: {{ id: id, amount: amount, updated: \
             updated, country: country }}\n    mode: {mode}\n    {keys}\ngold:\n  - table: totals\n    contract: \
             totals.yaml\n    sql: SELECT country, COUNT(*) AS orders FROM silver.orders GROUP BY country\n"
        );
        write("lake/pipelines/shop/pipeline.yaml", &spec);
        write("lake/pipelines/shop/orders.yaml", CONTRACT);
        write("lake/pipelines/shop/totals.yaml", TOTALS);
        let lake = Lake::open(&folder_uri(&root.join("lake")), &BTreeMap::new()).expect("lake");
        let request = RunRequest {
            pipeline: "shop".parse().expect("name"),
            spec: None,
            landing: None,
            action: RunAction::Ingest,
            engine: None,
            objects: None,
        };
        write("lake/landing/shop/1.csv", FIRST);
        let plan = validate(&lake, at(), "run-1".parse().expect("id"), request.clone()).await.expect("plan");
        process(&lake, at(), &plan.run).await.expect("changeset");
        quality_check(&lake, at(), &plan.run).await.expect("verdict");
        publish(&lake, at(), &plan.run).await.expect("receipt");
        write("lake/landing/shop/2.csv", &SECOND.replace('\n', ",n\n").replacen("note,n", "note", 1));
        let plan = validate(&lake, at(), "run-2".parse().expect("id"), request).await.expect("plan");
        let expected = process(&lake, at(), &plan.run).await.expect("changeset").changeset().expect("combined");
        let verdict = quality_check(&lake, at(), &plan.run).await.expect("verdict");
        let engine = EngineChoice { engine: Engine::Emr, reason: "this test".to_owned() };
        let plan = Plan { engine, ..plan };
        lake.documents().of(&plan.run).replace(&plan).await.expect("plan");
        for made in [Changeset::path(&plan.run), Verdict::path(&plan.run)] {
            lake.documents().delete(&made).await.expect("deleted");
        }
        let fixture = Self { folder, lake, plan, expected, verdict };
        fixture.leave_output();
        let processed = process(&fixture.lake, at(), &fixture.plan.run).await.expect("read");
        assert!(matches!(processed, Processed::Read(_)), "{mode}: {processed:?}");
        fixture
    }

    fn path(&self, path: &LakePath) -> PathBuf {
        self.folder.path().join("lake").join(path.as_str())
    }

    fn stage(&self, table: &str) -> PathBuf {
        self.path(&layout::spark_stage(&table.parse().expect("table"), &self.plan.run))
    }

    fn metrics(&self) -> PathBuf {
        self.path(&layout::metrics(&self.plan.run))
    }

    /// Whether Spark makes the files of a table. The others are staged by process.
    fn is_combined(&self, table: &TableRef) -> bool {
        let pipeline = &self.plan.pipeline;
        let merges = |silver: &SilverTable| silver.mode.merges();
        pipeline.gold_table(table).is_some() || pipeline.silver_table(table).is_some_and(merges)
    }

    /// Files and numbers as Spark leaves them, with what else it leaves next to them.
    fn leave_output(&self) {
        let lines: Vec<String> = self.expected.tables.iter().flat_map(|change| self.lines(change)).collect();
        self.write_metrics(&lines);
        for change in self.expected.tables.iter().filter(|change| self.is_combined(&change.table)) {
            let table = change.table.to_string();
            let stage = self.stage(&table);
            fs::create_dir_all(stage.join("_temporary/0")).expect("folder");
            for name in ["_SUCCESS", ".part-0.snappy.parquet.crc", "_temporary/0/part-9.parquet"] {
                fs::write(stage.join(name), "x").expect("file");
            }
            for (number, file) in change.adds.iter().enumerate() {
                let mut to = stage.clone();
                for column in &change.partition_by {
                    to.push(format!("{column}={}", as_spark_writes(file.partition_values[column].as_deref())));
                }
                fs::create_dir_all(&to).expect("folder");
                let from = self.folder.path().join("lake").join(&table).join(&file.path);
                fs::rename(&from, to.join(format!("part-{number:05}.snappy.parquet"))).expect("moved");
            }
        }
        // A file of another attempt, and one without rows.
        let other = self.stage(SILVER).with_file_name("spark-run-2-11");
        fs::create_dir_all(&other).expect("folder");
        fs::write(other.join("part-0.parquet"), "x").expect("file");
        let staged = data_files(&self.stage(GOLD));
        let mut rows = read(&staged[0]);
        rows = rows.clear();
        write_parquet(&staged[0].with_file_name("part-00009.snappy.parquet"), rows);
    }

    fn write_metrics(&self, lines: &[String]) {
        fs::create_dir_all(self.metrics()).expect("folder");
        let (one, other) = lines.split_at(lines.len() / 2);
        for (number, lines) in [one, other].into_iter().enumerate() {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(self.metrics().join(format!("part-{number:05}-x.json")), text).expect("metrics");
        }
        fs::write(self.metrics().join("_SUCCESS"), "").expect("marker");
    }

    fn lines(&self, change: &TableChange) -> Vec<String> {
        let line = |metric: &str, rule: Option<&str>, value: &str| metric_line(&change.table, metric, rule, value);
        let number = |metric: &str, value: u64| line(metric, None, &value.to_string());
        // Of bronze and quarantine Spark knows nothing.
        if ![SILVER, GOLD].contains(&change.table.to_string().as_str()) {
            return Vec::new();
        }
        let mut lines = vec![number("staged_rows", change.rows.staged), number("table_rows", change.table_rows)];
        if change.table.to_string() == SILVER && self.is_combined(&change.table) {
            lines.push(number("replaced_rows", change.rows.replaced));
            for removed in &change.removes {
                let path = self.folder.path().join("lake").join(SILVER).join(removed);
                let address = url::Url::from_file_path(path).expect("path").to_string();
                lines.push(line("removed_file", None, &address));
            }
        }
        let judged = self.verdict.tables.iter().find(|table| table.table == change.table);
        for rule in judged.iter().flat_map(|table| &table.rules) {
            lines.extend(self.rule_line(change, rule));
        }
        lines
    }

    /// The line of a rule; the two that are no rules of the contract have none.
    fn rule_line(&self, change: &TableChange, result: &RuleResult) -> Option<String> {
        let pipeline = &self.plan.pipeline;
        let contract = match pipeline.silver_table(&change.table) {
            Some(silver) => &silver.contract,
            None => &pipeline.gold_table(&change.table)?.contract,
        };
        let is_row = contract.row_rules.iter().any(|rule| rule.id == result.rule);
        let is_dataset = contract.dataset_rules.iter().any(|rule| rule.id == result.rule);
        // Spark gives the rows; the verdict has their share.
        let value = match result.observed.strip_suffix(" %") {
            Some(percent) => {
                let rows: f64 = percent.parse::<f64>().expect("number") * change.table_rows as f64 / 100.0;
                rows.round().to_string()
            }
            None => result.observed.clone(),
        };
        let metric = if is_row { "row_rule" } else { "dataset_rule" };
        (is_row || is_dataset).then(|| metric_line(&change.table, metric, Some(&result.rule), &value))
    }

    /// The metrics with one change.
    fn edit_metrics(&self, from: &str, to: &str) {
        let mut edited = 0;
        for path in data_files(&self.metrics()) {
            let text = fs::read_to_string(&path).expect("metrics");
            edited += text.matches(from).count();
            fs::write(&path, text.replace(from, to)).expect("metrics");
        }
        assert_eq!(edited, 1, "{from} must be in the metrics once");
    }
}

/// A line of metrics, with its keys in the order in which scripts write them.
fn metric_line(table: &TableRef, metric: &str, rule: Option<&str>, value: &str) -> String {
    let quoted = |text: &str| serde_json::to_string(text).expect("text");
    let (table, rule) = (quoted(&table.to_string()), rule.map_or_else(|| "null".to_owned(), quoted));
    format!(r#"{{"table":{table},"metric":{},"rule":{rule},"value":{}}}"#, quoted(metric), quoted(value))
}

/// Data files below a folder, by path.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() && !path.ends_with("_temporary") {
            found.extend(data_files(&path));
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> polars::prelude::DataFrame {
    ParquetReader::new(fs::File::open(path).expect("file")).finish().expect("rows")
}

fn write_parquet(path: &Path, mut rows: polars::prelude::DataFrame) {
    ParquetWriter::new(fs::File::create(path).expect("file")).finish(&mut rows).expect("parquet");
}

/// The changes without the names of files, which are different in each run.
fn nameless(changeset: &Changeset) -> Vec<TableChange> {
    let mut tables = changeset.tables.clone();
    for change in &mut tables {
        for file in &mut change.adds {
            file.path = String::new();
        }
        change.adds.sort_by(|a, b| (&a.partition_values, &a.stats).cmp(&(&b.partition_values, &b.stats)));
    }
    tables
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("runtime")).block_on(future)
}

#[test]
fn what_spark_left_becomes_what_process_stages() {
    let check = |mode: &str, removes: bool| {
        wait(async {
            let fixture = Fixture::new(mode).await;
            let silver = fixture.expected.tables.iter().find(|c| c.table.to_string() == SILVER).expect("silver");
            assert_eq!(!silver.removes.is_empty(), removes, "{mode}: the case must be what it says");
            let verdict = quality_check(&fixture.lake, at(), &fixture.plan.run).await.expect(mode);
            let changeset: Changeset = fixture.lake.documents().of(&fixture.plan.run).require().await.expect(mode);
            assert_eq!(nameless(&changeset), nameless(&fixture.expected), "{mode}");
            assert_eq!(verdict, fixture.verdict, "{mode}");
            let receipt = publish(&fixture.lake, at(), &fixture.plan.run).await.expect(mode);
            assert_eq!(receipt.tables.len(), changeset.tables.len(), "{mode}");
        });
    };
    check("append", false);
    check("replace", true);
    check("merge", true);
    check("scd2", true);
}

#[test]
fn row_rules_that_parts_have_counted_are_not_counted_by_spark() {
    let check = |spoil: fn(&mut AuditedRows), passes: bool| {
        wait(async {
            let fixture = Fixture::new("append").await;
            let documents = fixture.lake.documents().of(&fixture.plan.run);
            let mut read: ReadRun = documents.require().await.expect("read");
            assert_eq!(read.tables[0].audited, None, "one call has read the run");
            let contract = &fixture.plan.pipeline.silver[0].contract;
            let judged = fixture.verdict.tables.iter().find(|table| table.table.to_string() == SILVER).expect("silver");
            let of_rows = |result: &&RuleResult| contract.row_rules.iter().any(|rule| rule.id == result.rule);
            let broken = judged.rules.iter().filter(of_rows);
            let broken = broken.map(|result| (result.rule.clone(), result.observed.parse().expect("rows"))).collect();
            let rows = read.tables[0].accepted_files.iter().map(|file| file.rows).sum();
            let mut audited = AuditedRows { rows, broken };
            assert!(audited.broken["country_known"] > 0, "{audited:?}");
            spoil(&mut audited);
            read.tables[0].audited = Some(audited);
            documents.replace(&read).await.expect("read");
            let is_kept = |line: &String| !line.contains(SILVER) || !line.contains("row_rule");
            let lines = fixture.expected.tables.iter().flat_map(|change| fixture.lines(change));
            fixture.write_metrics(&lines.filter(is_kept).collect::<Vec<_>>());
            let verdict = quality_check(&fixture.lake, at(), &fixture.plan.run).await;
            assert_eq!(verdict.is_ok_and(|verdict| verdict == fixture.verdict), passes);
        });
    };
    check(|_| {}, true);
    check(|audited| audited.rows += 1, false);
    check(|audited| audited.broken.retain(|rule, _| rule != "country_known"), false);
    check(|audited| audited.broken.values_mut().for_each(|rows| *rows = 0), false);
}

#[test]
fn calls_again_and_at_once_give_one_changeset() {
    wait(async {
        let fixture = Fixture::new("merge").await;
        let call = || quality_check(&fixture.lake, at(), &fixture.plan.run);
        let (one, other) = tokio::join!(call(), call());
        let (one, other) = (one.expect("verdict"), other.expect("verdict"));
        let documents = fixture.lake.documents().of(&fixture.plan.run);
        let first: Changeset = documents.require().await.expect("there");
        let again = call().await.expect("verdict");
        let second: Changeset = documents.require().await.expect("there");
        assert_eq!((&one, &other, &first), (&again, &again, &second));
        assert_eq!(assemble(&fixture.lake, at(), &fixture.plan).await.expect("changeset"), first);
    });
}

#[test]
fn output_that_is_not_what_was_asked_for_is_refused_by_name() {
    let check = |what: &str, spoil: &dyn Fn(&Fixture), name: &str, says: &[&str]| {
        wait(async {
            let fixture = Fixture::new("merge").await;
            spoil(&fixture);
            let error = quality_check(&fixture.lake, at(), &fixture.plan.run).await.expect_err(what);
            let error = StepError::from(error);
            assert_eq!(error.name.as_str(), name, "{what}: {error}");
            for part in says {
                assert!(error.message.contains(part), "{what}: no {part:?} in {error}");
            }
            // A changeset alone publishes nothing.
            assert!(!fixture.path(&Verdict::path(&fixture.plan.run)).exists(), "{what}: a verdict was left");
        });
    };
    let remove = |path: PathBuf| fs::remove_file(path).expect("removed");
    let first_of = |fixture: &Fixture, table: &str| data_files(&fixture.stage(table)).remove(0);
    check(
        "no metrics",
        &|f| fs::remove_dir_all(f.metrics()).expect("removed"),
        "EtlFailed",
        &["runs/shop/run-2/metrics-1", "run again", "lambda"],
    );
    check("no marker", &|f| remove(f.metrics().join("_SUCCESS")), "EtlFailed", &["_SUCCESS"]);
    let silver_staged = r#""table":"silver/sales/orders","metric":"staged_rows""#;
    check(
        "another table's numbers",
        &|f| f.edit_metrics(silver_staged, &silver_staged.replace("silver/sales/orders", "gold/sales/totals")),
        "EtlFailed",
        &["`silver/sales/orders`", "StagedRows"],
    );
    check(
        "no number of a rule",
        &|f| f.edit_metrics(r#""rule":"row_count""#, r#""rule":"other""#),
        "EtlFailed",
        &["`row_count`", "`silver/sales/orders`"],
    );
    check("no JSON", &|f| fs::write(f.metrics().join("part-00007.json"), "x").expect("file"), "EtlFailed", &["line"]);
    check(
        "another number of staged rows",
        &|f| {
            f.edit_metrics(
                r#""table":"silver/sales/orders","metric":"staged_rows","rule":null,"value":"4""#,
                r#""table":"silver/sales/orders","metric":"staged_rows","rule":null,"value":"3""#,
            );
        },
        "EtlFailed",
        &["`silver/sales/orders`", "counted 3", "hold 4"],
    );
    check(
        "a file of no table",
        &|f| f.edit_metrics("country=a%2520b", "country=elsewhere"),
        "EtlFailed",
        &["`silver/sales/orders` has no file", "country=elsewhere"],
    );
    let copy = |fixture: &Fixture| {
        let file = first_of(fixture, SILVER);
        fs::copy(&file, file.with_file_name("part-00077.snappy.parquet")).expect("copied");
    };
    check("a file too many", &copy, "EtlFailed", &["`silver/sales/orders`", "counted 4", "hold 5"]);
    let drop_column = |fixture: &Fixture| {
        let file = first_of(fixture, SILVER);
        write_parquet(&file, read(&file).drop("amount").expect("dropped"));
    };
    check("a column too few", &drop_column, "EtlFailed", &["part-0000", "`amount`", "DECIMAL(10,2)", "no such column"]);
    let retype = |fixture: &Fixture| {
        let file = first_of(fixture, SILVER);
        let rows = read(&file).lazy().with_column(col("amount").cast(DataType::Float64)).collect().expect("cast");
        write_parquet(&file, rows);
    };
    check("another type", &retype, "EtlFailed", &["part-0000", "`amount`", "expected DECIMAL(10,2)", "found DOUBLE"]);
    let no_parquet = |fixture: &Fixture| fs::write(first_of(fixture, GOLD), "not parquet").expect("written");
    check("no Parquet", &no_parquet, "EtlFailed", &["`gold/sales/totals`", "part-00000", "footer"]);
    let move_up = |fixture: &Fixture| {
        fs::rename(first_of(fixture, SILVER), fixture.stage(SILVER).join("part-3.parquet")).expect("moved");
    };
    check("no partition folder", &move_up, "EtlFailed", &["part-3.parquet", "country=…"]);
    let document = |fixture: &Fixture| fixture.path(&ReadRun::path(&fixture.plan.run));
    let says = &["run `run-2` of `shop` has no read for attempt 1"];
    check("nothing that was read", &|f| remove(document(f)), "NotFound", says);
}

/// Process has read them, and Spark reads what process left.
#[test]
fn objects_that_change_after_they_were_read_change_nothing() {
    let check = |change: fn(&Path)| {
        wait(async {
            let fixture = Fixture::new("merge").await;
            change(&fixture.folder.path().join("lake/landing/shop/2.csv"));
            let verdict = quality_check(&fixture.lake, at(), &fixture.plan.run).await.expect("verdict");
            assert_eq!(verdict, fixture.verdict);
        });
    };
    check(|object| fs::write(object, "id\n").expect("file"));
    check(|object| fs::remove_file(object).expect("removed"));
}
