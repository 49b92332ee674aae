//! Every kind of fault of a delivered file, met at every step: the good files are published by the next run at the latest,
//! no later run is stopped, and what was wrong is listed by name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use polars::prelude::{DataFrame, NamedFrom, ParquetWriter, Series};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{Decision, PlanStatus};
use sluice_tests::lab::Lab;

use super::{HEADER, good_file, gzip};
use crate::small::{ORDERS, QUARANTINE, SILVER, Steps, TOTAL_COLUMNS, assert_says, contract, lab, land, rows};

/// When a file becomes bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Delivery,
    BeforeProcess,
    BeforeQualityCheck,
    BeforePublish,
}

/// Where a bad file, or a bad row, is named in the end.
enum Named {
    /// It is held, with this in the reason.
    Held(&'static str),
    /// So many files are held, each under its own name and with this in the reason.
    AllHeld(usize, &'static str),
    /// It is passed by, with this in the reason.
    PassedBy(&'static str),
    /// Its row is in quarantine for this rule.
    Quarantined(&'static str),
    /// Nowhere: it no longer exists, or it is good after all.
    Nowhere,
}

/// A kind of fault.
struct Fault {
    name: &'static str,
    /// Makes the file at this path bad. It is a good one before.
    make: Box<dyn Fn(&Path)>,
    named: Named,
}

fn fault(name: &'static str, named: Named, make: impl Fn(&Path) + 'static) -> Fault {
    Fault { name, make: Box::new(make), named }
}

fn content(name: &'static str, named: Named, bytes: impl Into<Vec<u8>>) -> Fault {
    let bytes = bytes.into();
    fault(name, named, move |path| fs::write(path, &bytes).unwrap())
}

fn next_to(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

/// Puts something else in the place of a file.
fn instead(name: &'static str, named: Named, make: impl Fn(&Path) + 'static) -> Fault {
    fault(name, named, move |path| {
        fs::remove_file(path).unwrap();
        make(path);
    })
}

/// Orders in a table that is partitioned by name, from files of this format, with the gate's limit as it is by default.
fn orders(format: &str) -> Lab {
    let columns = [
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        "name: name, logicalType: string, partitioned: true, partitionKeyPosition: 1",
        "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true",
        "name: day, logicalType: date",
    ];
    let contracts =
        [("orders", contract("orders", &columns, &[])), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))];
    let spec = ORDERS.replace("format: csv", &format!("format: {format}"));
    lab(&spec.replace("    gate: { quarantined_percent_below: none }\n", ""), &contracts)
}

/// One run as the state machine makes it, with the fault at its moment.
fn run(steps: &Steps, moment: Moment, make: &mut Option<impl FnOnce()>) -> Result<(), StepError> {
    let mut at = |now: Moment| {
        if now == moment
            && let Some(make) = make.take()
        {
            make();
        }
    };
    at(Moment::Delivery);
    let mut plan = steps.validate()?;
    loop {
        if plan.status == PlanStatus::Skipped {
            return Ok(());
        }
        at(Moment::BeforeProcess);
        let audited = steps.process(&plan.run).and_then(|_| {
            at(Moment::BeforeQualityCheck);
            steps.quality_check(&plan.run)
        });
        match audited.map_err(StepError::from) {
            Ok(verdict) if verdict.decision == Decision::Rejected => {
                assert!(!plan.held_by_run.is_empty(), "rejected for another reason");
                return Ok(());
            }
            Ok(_) => break,
            Err(error) if matches!(error.name, ErrorName::SourceChanged | ErrorName::ObjectsHeld) => {
                plan = steps.replan(&plan.run)?;
            }
            Err(error) => return Err(error),
        }
    }
    at(Moment::BeforePublish);
    steps.publish(&plan.run)?;
    Ok(())
}

/// Files of one format.
struct Format {
    name: &'static str,
    /// The bytes of a good file whose two orders have these numbers and the next.
    good: fn(u32) -> Vec<u8>,
}

fn check(format: &Format, moment: Moment, fault: &Fault) {
    let when = format!("{}, {}, {moment:?}", format.name, fault.name);
    let lab = orders(format.name);
    let steps = Steps::new(&lab);
    let deliver = |name: &str, first: u32| land(&lab, format!("{name}.{}", format.name), (format.good)(first));
    let _ = deliver("first", 0);
    run(&steps, Moment::Delivery, &mut None::<fn()>).unwrap_or_else(|error| panic!("{when}: {error}"));

    let _ = deliver("good", 10);
    let bad = deliver("bad", 20);
    let no_defect = |outcome: Result<(), StepError>| {
        if let Err(error) = outcome {
            assert_ne!(error.name, ErrorName::Internal, "{when}: {error}");
            assert_ne!(error.name, ErrorName::CommitConflict, "{when}: {error}");
        }
    };
    no_defect(run(&steps, moment, &mut Some(|| (fault.make)(&bad))));
    // What is met after the rows were staged is met by the next run as a new delivery.
    let _ = deliver("later", 30);
    no_defect(run(&steps, Moment::Delivery, &mut None::<fn()>));
    let ids = rows(&lab, SILVER, &["id"]);
    for id in ["0", "1", "10", "11"] {
        assert!(ids.contains(&id.to_owned()), "{when}: {id} is not published by the next run: {ids:?}");
    }
    let last = run(&steps, Moment::Delivery, &mut None::<fn()>);
    assert_eq!(last, Ok(()), "{when}: nothing stops the run after that");
    let ids = rows(&lab, SILVER, &["id"]);
    for id in ["30", "31"] {
        assert!(ids.contains(&id.to_owned()), "{when}: {id} is not published: {ids:?}");
    }
    named(&lab, fault, &when);
}

/// Checks that the fault is where people look for it.
fn named(lab: &Lab, fault: &Fault, when: &str) {
    let (held, passed) = (lab.held(), lab.passed_by());
    let reasons = |list: &[&String]| list.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join("\n");
    let held_reasons = reasons(&held.iter().map(|held| &held.reason).collect::<Vec<_>>());
    let passed_reasons = reasons(&passed.iter().map(|passed| &passed.reason).collect::<Vec<_>>());
    match fault.named {
        Named::Held(says) => {
            assert_eq!(held.len(), 1, "{when}: {held:?}");
            assert_says(&held_reasons, &[says], when);
        }
        Named::AllHeld(files, says) => {
            assert_eq!(held.len(), files, "{when}: {held:?}");
            held.iter().for_each(|held| assert_says(&held.reason, &[held.uri.as_str(), says], when));
        }
        Named::PassedBy(says) => {
            assert_eq!((held.len(), passed.len()), (0, 1), "{when}: {held:?} {passed:?}");
            assert_says(&passed_reasons, &[says], when);
        }
        Named::Quarantined(rule) => {
            let refused = rows(lab, QUARANTINE, &["_broken_rules"]);
            assert!(refused.iter().any(|broken| broken.contains(rule)), "{when}: {refused:?}");
            assert_eq!(held.len(), 0, "{when}: {held:?}");
        }
        Named::Nowhere => assert_eq!((held.len(), passed.len()), (0, 0), "{when}: {held:?} {passed:?}"),
    }
}

fn csv() -> Format {
    Format { name: "csv", good: |first| good_file(first).into_bytes() }
}

/// Kinds of faults of any file.
fn faults_of_files() -> Vec<Fault> {
    let mut faults = vec![
        content("empty", Named::Held("is empty"), ""),
        content("a picture", Named::Held("line 1"), &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..]),
        content("half a unit of UTF-16", Named::Held("UTF-16"), &b"\xff\xfei\0d\0,"[..]),
        content("cut gzip", Named::Held("ends early"), gzip(good_file(20))[..30].to_vec()),
        content("missing column", Named::Held("lacks column amount"), "id,name,day\n1,a,2026-01-01\n"),
        content(
            "mapped column in another case",
            Named::Held("`ID` where the pipeline reads `id`"),
            "ID,name,amount,day\n1,a,1,2026-01-01\n",
        ),
        content("column twice", Named::Held("`Name`"), "id,name,amount,day,Name\n1,a,1,2026-01-01,b\n"),
        content("open quote", Named::Held("never closed"), format!("{HEADER}20,\"a,1.00,2026-01-01\n")),
        fault("several bad files", Named::AllHeld(4, "never closed"), |path| {
            for (name, id) in [("bad.csv", 20), ("bad-2.csv", 21), ("bad-3.csv", 22), ("bad-4.csv", 23)] {
                fs::write(next_to(path, name), format!("{HEADER}{id},\"a,1.00,2026-01-01\n")).unwrap();
            }
        }),
        content("long partition value", Named::Quarantined("name.partition_folder"), {
            format!("{HEADER}20,{},1.00,2026-01-01\n", "x".repeat(300))
        }),
        content("partition value of umlauts", Named::Quarantined("name.partition_folder"), {
            format!("{HEADER}20,{},1.00,2026-01-01\n", "ü".repeat(60))
        }),
        content("null's folder as a value", Named::Quarantined("name.partition_folder"), {
            format!("{HEADER}20,__HIVE_DEFAULT_PARTITION__,1.00,2026-01-01\n")
        }),
        content("many unreadable values", Named::Held("3 of the 3 rows"), {
            let line = |id: u32| format!("{id},a,\"1,5\",2026-01-01\n");
            format!("{HEADER}{}{}{}", line(20), line(21), line(22))
        }),
        content("unreadable value", Named::Quarantined("amount.readable"), format!("{HEADER}20,a,one,2026-01-01\n")),
        fault("unfinished file", Named::PassedBy("`**/*.part`"), |path| {
            fs::write(next_to(path, "next.csv.part"), "id,na").unwrap();
        }),
        fault("notes", Named::PassedBy("source.files.exclude"), |path| {
            fs::write(next_to(path, "readme.md"), "# How to deliver\n").unwrap();
        }),
        fault("marker of another tool", Named::PassedBy("begins with `.` or `_`"), |path| {
            fs::write(next_to(path, "_SUCCESS"), "").unwrap();
        }),
        fault("hidden folder", Named::PassedBy("begins with `.` or `_`"), |path| {
            fs::create_dir(next_to(path, ".git")).unwrap();
            fs::write(next_to(path, ".git").join("a.csv"), "id\n").unwrap();
            fs::write(next_to(path, ".git").join("b.csv"), "id\n").unwrap();
        }),
        fault("odd name, bad content", Named::Held("is empty"), |path| {
            fs::write(next_to(path, "a\tb\n%2F..\\.csv"), "").unwrap();
        }),
        fault("unmapped column in another case", Named::Nowhere, |path| {
            let file = |extra: &str, id: u32| format!("id,name,amount,day,{extra}\n{id},a,1.00,2026-01-01,x\n");
            fs::write(next_to(path, "x1.csv"), file("Extra", 41)).unwrap();
            fs::write(next_to(path, "x2.csv"), file("EXTRA", 42)).unwrap();
        }),
        instead("vanished", Named::Nowhere, |_| {}),
        instead("folder in its place", Named::Nowhere, |path| fs::create_dir(path).unwrap()),
        instead("dangling link", Named::PassedBy("target does not exist"), |path| link("nowhere.csv", path)),
        instead("link to itself", Named::PassedBy("cannot be read"), |path| link("bad.csv", path)),
        instead("link to its own folder", Named::PassedBy("a folder that it is in itself"), |path| link(".", path)),
        instead("socket", Named::PassedBy("neither a file nor a folder"), |path| {
            drop(UnixListener::bind(path).unwrap());
        }),
        instead("pipe", Named::PassedBy("neither a file nor a folder"), |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        // The first bytes of the memory of a process belong to nobody.
        instead("file that fails when it is read", Named::PassedBy("cannot be read"), |path| {
            link("/proc/self/mem", path);
        }),
    ];
    let denied = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
    if may_read_all() {
        sluice_tests::skip("bad_input::never_stuck: permission denied", "root may read every file");
    } else {
        faults.push(fault("permission denied", Named::PassedBy("cannot be read"), denied));
    }
    faults
}

/// Whether this user may read files without the right to.
fn may_read_all() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "a").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    fs::read(&path).is_ok()
}

fn link(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

#[test]
fn a_fault_that_is_delivered_stops_no_other_file() {
    faults_of_files().iter().for_each(|fault| check(&csv(), Moment::Delivery, fault));
}

#[test]
fn a_fault_between_plan_and_process_stops_no_other_file() {
    faults_of_files().iter().for_each(|fault| check(&csv(), Moment::BeforeProcess, fault));
}

#[test]
fn a_fault_before_the_audit_stops_no_other_file() {
    faults_of_files().iter().for_each(|fault| check(&csv(), Moment::BeforeQualityCheck, fault));
}

#[test]
fn a_fault_before_publication_stops_no_other_file() {
    faults_of_files().iter().for_each(|fault| check(&csv(), Moment::BeforePublish, fault));
}

#[test]
fn faults_of_json_stop_no_other_file() {
    let good = |first: u32| {
        let line = |id: u32| format!("{{\"id\":{id},\"name\":\"ann\",\"amount\":\"1.50\",\"day\":\"2026-01-01\"}}\n");
        (line(first) + &line(first + 1)).into_bytes()
    };
    let record = "{\"id\":20,\"name\":\"a\",\"amount\":\"1\",\"day\":\"2026-01-01\"";
    let of_both = || {
        vec![
            content("empty", Named::Held("is empty"), ""),
            content(
                "mapped key in another case",
                Named::Held("`ID` where the pipeline reads `id`"),
                record.replace("id", "ID") + "}",
            ),
            content("two cases of a key in one record", Named::Quarantined("corrupt_record"), {
                format!("{record}}}\n{record},\"x\":1,\"X\":1}}\n")
            }),
            fault("two cases of a key in two records", Named::Nowhere, |path| {
                let record = |id: u32, key: &str| {
                    format!("{{\"id\":{id},\"name\":\"a\",\"amount\":\"1\",\"day\":\"2026-01-01\",\"{key}\":1}}\n")
                };
                fs::write(next_to(path, "x3.json"), record(43, "other") + &record(44, "Other")).unwrap();
            }),
            content("key of ours", Named::Quarantined("corrupt_record"), format!("{record},\"_run_id\":1}}")),
            fault("unmapped key in another case", Named::Nowhere, |path| {
                let file = |key: &str, id: u32| {
                    format!("{{\"id\":{id},\"name\":\"a\",\"amount\":\"1\",\"day\":\"2026-01-01\",\"{key}\":1}}\n")
                };
                fs::write(next_to(path, "x1.json"), file("Extra", 41)).unwrap();
                fs::write(next_to(path, "x2.json"), file("EXTRA", 42)).unwrap();
            }),
        ]
    };
    for name in ["ndjson", "json"] {
        let format = Format { name, good };
        let mut faults = of_both();
        faults.push(match name {
            "json" => content("torn", Named::Held("not JSON as expected"), &record.as_bytes()[..20]),
            _ => content("torn line", Named::Quarantined("corrupt_record"), format!("{record}}}\n{record}\n")),
        });
        for fault in &faults {
            check(&format, Moment::Delivery, fault);
            check(&format, Moment::BeforeProcess, fault);
        }
    }
    // Far behind what is read of a file before a run.
    let late: String = (0..2000).map(|id| format!("{record},\"n\":{id}}}\n")).collect();
    let late =
        content("late key in another case", Named::Held("`ID`"), late + &record.replace("\"id\"", "\"ID\"") + "}\n");
    check(&Format { name: "ndjson", good }, Moment::Delivery, &late);
}

fn parquet(series: Vec<Series>) -> Vec<u8> {
    let height = series[0].len();
    let mut frame = DataFrame::new(height, series.into_iter().map(Into::into).collect()).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

fn parquet_orders(first: u32, extra: Option<Series>) -> Vec<u8> {
    let mut series = vec![
        Series::new("id".into(), [i64::from(first), i64::from(first) + 1]),
        Series::new("name".into(), ["ann", "bob"]),
        Series::new("amount".into(), ["1.50", "2.25"]),
        Series::new("day".into(), ["2026-01-01", "2026-01-02"]),
    ];
    series.extend(extra);
    parquet(series)
}

#[test]
fn faults_of_parquet_stop_no_other_file() {
    let good = |first: u32| parquet_orders(first, None);
    let bytes = Series::new("blob".into(), [&b"\x00\xff"[..], &b"\xfe"[..]]);
    let mut damaged = parquet_orders(20, None);
    damaged[4..60].fill(0xff);
    let whole = parquet_orders(20, None);
    let faults = [
        content("empty", Named::Held("bad.parquet"), ""),
        content("text", Named::Held("not a readable Parquet file"), good_file(20)),
        content("cut", Named::Held("bad.parquet"), whole[..whole.len() - 9].to_vec()),
        content("damaged pages", Named::Held("bad.parquet"), damaged),
        content("type that is not read", Named::Held("column `blob`"), parquet_orders(20, Some(bytes))),
        content("missing column", Named::Held("lacks column name, amount, day"), {
            parquet(vec![Series::new("id".into(), [20_i64])])
        }),
    ];
    for fault in &faults {
        for moment in [Moment::Delivery, Moment::BeforeProcess, Moment::BeforeQualityCheck, Moment::BeforePublish] {
            check(&Format { name: "parquet", good }, moment, fault);
        }
    }
}
