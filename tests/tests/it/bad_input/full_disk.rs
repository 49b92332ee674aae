//! A full disk: wherever it strikes, the run fails by name, no table is torn, and the same run succeeds once there is
//! room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use super::good_file;
use crate::small::{BRONZE, GOLD, SILVER, assert_says, error_of, land, orders, rows_of};

/// A file system of a given size, unmounted at the end.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one below a folder; `None` where this is not permitted.
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

#[test]
fn a_full_disk_at_any_moment_leaves_whole_tables_and_heals() {
    const ROOMY: u64 = 200_000;
    let name = "bad_input::full_disk::a_full_disk_at_any_moment_leaves_whole_tables_and_heals";
    let lab = orders();
    let Some(disk) = SmallDisk::mount(lab.folder(), ROOMY) else {
        sluice_tests::skip(name, "needs the right to mount a tmpfs (root, CAP_SYS_ADMIN)");
        return;
    };
    let lake = disk.at.join("lake");
    let (mut ids, mut failures, mut stopped_in) = (0, 0, std::collections::BTreeMap::<String, u32>::new());
    land(&lab, "day-0.csv", good_file(0));
    let _ = run_on(&lab, &lake).expect(Outcome::Published);
    // More and more room is left for the run, a page at a time: it stops at every moment at which it writes.
    for day in 1.. {
        ids += 2;
        land(&lab, &format!("day-{day}.csv"), good_file(ids));
        let left = 4 * (day - 1);
        let before = disk.used();
        disk.resize(before + left);
        let run = run_on(&lab, &lake);
        let silver = rows_of(&sluice_tests::lab::open_lake(&lake), SILVER, &["id"]).len() as u32;
        disk.resize(ROOMY);
        if run.code == Some(0) {
            let _ = run.expect(Outcome::Published);
            assert_eq!(silver, ids + 2);
            break;
        }
        failures += 1;
        let run = run.expect_code(1);
        assert!(
            silver == ids || silver == ids + 2,
            "with {left} KiB left: a part of the file arrived: {silver}: {run}"
        );
        let (error, message) = error_of(&run);
        // Once all tables are committed only the report is missing, and the error says that.
        let expected = if silver == ids { "Internal" } else { "NotificationFailed" };
        assert!(error == expected || error == "Internal", "with {left} KiB left: {run}");
        assert_says(&message, &["No space left on device"], "the message");
        let last = run.events().last().map(|event| event.state().to_owned()).unwrap_or_default();
        *stopped_in.entry(last).or_default() += 1;
        let healed = run_on(&lab, &lake).expect_code(0);
        let lake = sluice_tests::lab::open_lake(&lake);
        for table in [BRONZE, SILVER] {
            assert_eq!(rows_of(&lake, table, &["id"]).len() as u32, ids + 2, "{table} with {left} KiB left: {healed}");
        }
        let totals = rows_of(&lake, GOLD, &["name", "orders"]);
        let each = (ids + 2) / 2;
        assert_eq!(totals, [format!("ann|{each}"), format!("bob|{each}")], "with {left} KiB left");
        assert!(day < 200, "{left} KiB are not enough for a small file: {run}");
    }
    eprintln!("{failures} runs stopped by a full disk, after: {stopped_in:?}");
    assert!(failures >= 5, "the disk was full only {failures} times");
}

#[test]
fn a_full_disk_for_temporary_files_is_told() {
    let name = "bad_input::full_disk::a_full_disk_for_temporary_files_is_told";
    let spec = crate::small::ORDERS.replace("format: csv", "format: parquet");
    let lab = crate::small::orders_with(&spec.replace("id: id", "id: orders").replace("day: day", "day: name"));
    let Some(disk) = SmallDisk::mount(lab.folder(), 64) else {
        sluice_tests::skip(name, "needs the right to mount a tmpfs (root, CAP_SYS_ADMIN)");
        return;
    };
    // Parquet is copied to a temporary file before it is read: the file of a gold table serves as one.
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
    let mut command = lab.run_command(lab.lake(), &lab.landing());
    command.env("TMPDIR", &disk.at);
    let (error, message) = error_of(&Run::of(command).expect(Outcome::Failed));
    assert_eq!(error, "Internal", "{message}");
    assert_says(&message, &["No space left on device"], "the message");
    assert_eq!(lab.tables().len(), 0);
}
