//! A full disk: whenever the disk is full, the run fails with a clear error, no table is damaged, and the same run succeeds
//! once there is space.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::Outcome;
use sluice_lake::LakeError;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::{Run, Started};

use super::good_file;
use crate::small::{BRONZE, GOLD, SILVER, Steps, assert_says, land, orders, rows_of};

/// Why these tests may be skipped.
const NEEDS: &str = "needs the right to mount a tmpfs (root, CAP_SYS_ADMIN)";
/// Size of a disk with enough space, in kilobytes.
const ROOMY: u64 = 200_000;

/// A file system of a given size, unmounted at the end.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one below a folder; `None` if this is not permitted.
    fn mount(folder: &Path, kilobytes: u64) -> Option<Self> {
        let at = folder.join("disk");
        fs::create_dir_all(&at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"]).arg(&at);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { at })
    }

    fn resize(&self, kilobytes: u64) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,size={kilobytes}k")]).arg(&self.at);
        assert!(command.status().unwrap().success());
    }

    /// Kilobytes in use.
    fn used(&self) -> u64 {
        let output = Command::new("df").args(["--output=used", "-k"]).arg(&self.at).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().nth(1).unwrap().trim().parse().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).status();
    }
}

fn run_on(lab: &Lab, lake: &Path) -> Run {
    Run::of(lab.run_command(lake, &lab.landing()))
}

/// Runs the steps of a run until one fails.
fn steps_of_a_run(steps: &Steps) -> Result<(), (&'static str, LakeError)> {
    let plan = steps.validate().map_err(|error| ("validate", error))?;
    steps.process(&plan.run).map_err(|error| ("process", error))?;
    steps.quality_check(&plan.run).map_err(|error| ("quality check", error))?;
    steps.publish(&plan.run).map_err(|error| ("publish", error))?;
    Ok(())
}

#[test]
fn a_full_disk_at_any_moment_leaves_complete_tables_and_the_same_run_succeeds_later() {
    let name = "bad_input::full_disk::a_full_disk_at_any_moment_leaves_complete_tables_and_the_same_run_succeeds_later";
    let lab = orders();
    let Some(disk) = SmallDisk::mount(lab.folder(), ROOMY) else {
        sluice_tests::skip(name, NEEDS);
        return;
    };
    let folder = disk.at.join("lake");
    land(&lab, "day-0.csv", good_file(0));
    let _ = run_on(&lab, &folder).expect(Outcome::Published);
    let lake = sluice_tests::lab::open_lake(&folder);
    let steps = Steps::on(&lab, lake.clone());
    let (mut ids, mut stopped) = (0, BTreeMap::<&str, u32>::new());
    // Leave more and more space for the run, one page at a time, so that it stops at every point at which it writes.
    for left in (0..800).step_by(4) {
        ids += 2;
        land(&lab, format!("day-{ids}.csv"), good_file(ids));
        disk.resize(disk.used() + left);
        let outcome = steps_of_a_run(&steps);
        let silver = rows_of(&lake, SILVER, &["id"]).len() as u32;
        disk.resize(ROOMY);
        let Err((step, error)) = outcome else {
            assert_eq!(silver, ids + 2);
            break;
        };
        let reported = StepError::from(error);
        assert!(
            silver == ids || silver == ids + 2,
            "{left} KiB left: a part of the file arrived: {silver}: {reported}"
        );
        assert_eq!(reported.name, ErrorName::Unavailable, "{left} KiB left, {step}: {reported}");
        assert_says(&reported.message, &["No space left on device"], "the message");
        *stopped.entry(step).or_default() += 1;
        let _ = run_on(&lab, &folder).expect_code(0);
        for table in [BRONZE, SILVER] {
            assert_eq!(rows_of(&lake, table, &["id"]).len() as u32, ids + 2, "{table} with {left} KiB left");
        }
        let each = (ids + 2) / 2;
        let totals = rows_of(&lake, GOLD, &["name", "orders"]);
        assert_eq!(totals, [format!("ann|{each}"), format!("bob|{each}")], "with {left} KiB left");
    }
    eprintln!("steps stopped by a full disk: {stopped:?}");
    assert!(["validate", "process", "publish"].iter().all(|step| stopped.contains_key(step)), "{stopped:?}");
}

#[test]
fn a_disk_that_gets_room_in_time_is_written_by_the_retry() {
    let lab = orders();
    let Some(disk) = SmallDisk::mount(lab.folder(), ROOMY) else {
        sluice_tests::skip("bad_input::full_disk::a_disk_that_gets_room_in_time_is_written_by_the_retry", NEEDS);
        return;
    };
    let folder = disk.at.join("lake");
    land(&lab, "a.csv", good_file(0));
    let _ = run_on(&lab, &folder).expect(Outcome::Published);
    land(&lab, "b.csv", good_file(2));
    disk.resize(disk.used());
    let mut started = Started::new(lab.run_command(&folder, &lab.landing()), lab.folder(), "full");
    started.wait_for("\"retry\"");
    disk.resize(ROOMY);
    let run = started.wait().expect(Outcome::Published);
    assert!(run.stdout.contains("\"retry\"") && run.stdout.contains("No space left on device"), "{run}");
    assert_eq!(rows_of(&sluice_tests::lab::open_lake(&folder), SILVER, &["id"]), ["0", "1", "2", "3"]);
}

#[test]
fn a_full_disk_for_temporary_files_is_reported() {
    let name = "bad_input::full_disk::a_full_disk_for_temporary_files_is_reported";
    let spec = crate::small::ORDERS.replace("format: csv", "format: parquet");
    let lab = crate::small::orders_with(&spec.replace("id: id", "id: orders").replace("day: day", "day: name"));
    let Some(disk) = SmallDisk::mount(lab.folder(), 64) else {
        sluice_tests::skip(name, NEEDS);
        return;
    };
    // Parquet sources are copied to a temporary file before they are read; here the file of a gold table is the source.
    let maker = orders();
    let mut file = super::HEADER.to_owned();
    for id in 0..30_000_u64 {
        file.push_str(&format!("{id},{:x},1.00,2026-01-01\n", id.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    }
    land(&maker, "a.csv", file);
    let _ = maker.run().expect(Outcome::Published);
    let made = sluice_tests::files::all_files(&maker.lake().join(GOLD));
    let made = made.into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let bytes = fs::read(maker.lake().join(GOLD).join(made)).unwrap();
    assert!(bytes.len() > 100_000, "{} bytes fit the disk", bytes.len());
    land(&lab, "a.parquet", bytes);
    // The environment variable for temporary files applies to a whole process, so the command is run, and stopped while it retries.
    let mut command = lab.run_command(lab.lake(), &lab.landing());
    command.env("TMPDIR", &disk.at);
    let started = Started::new(command, lab.folder(), "full");
    let run = started.kill_after(std::time::Duration::from_millis(1_500)).unwrap_or_else(|run| run);
    assert_says(&run.stdout, &["\"task_failed\"", "\"Unavailable\"", "No space left on device"], "the run");
    assert_eq!(lab.tables().len(), 0);
}
