//! This machine: version, memory, temporary files, disk.

use std::env;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use super::finding::Finding;
use crate::grid::size;

/// With less memory, the one call that reads a run may end with it: it has up to 1 GB, and the system needs some.
const ENOUGH_MEMORY: u64 = 2_000_000_000;
/// With less space, the files of a run of some size do not fit.
const ENOUGH_SPACE: u64 = 1_000_000_000;
/// With less space, hardly any run ends.
const LEAST_SPACE: u64 = 100_000_000;

/// The checks of this machine. `lake` is the folder of a lake on it.
pub(super) fn findings(lake: Option<&Path>) -> Vec<Finding> {
    let version = env!("CARGO_PKG_VERSION");
    let version = Finding::ok("version", format!("sluice {version} on {} {}", env::consts::OS, env::consts::ARCH));
    let mut findings = vec![version, memory(), temporary_files()];
    findings.extend(lake.filter(|lake| lake.is_dir()).map(|lake| disk("disk", lake, "the lake")));
    findings
}

fn memory() -> Finding {
    let cores = available_parallelism().map_or(1, usize::from);
    // Systems that have no such file are not asked.
    let Some(available) = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_memory(&text)) else {
        return Finding::skipped("memory", format!("free memory is not known on this system; {cores} cores"));
    };
    let message = format!("{} available, {cores} cores", size(available));
    if available < ENOUGH_MEMORY {
        return Finding::warning("memory", message, "end other programs, or run on a larger machine");
    }
    Finding::ok("memory", message)
}

/// Bytes that programs can still get, from the text of `/proc/meminfo`.
fn available_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn temporary_files() -> Finding {
    let folder = env::temp_dir();
    let written = tempfile::tempdir().and_then(|temporary| fs::write(temporary.path().join("probe"), b"probe"));
    match written {
        Ok(()) => disk("temporary", &folder, "temporary files"),
        Err(error) => Finding::problem(
            "temporary",
            format!("no file can be written in {}: {error}", folder.display()),
            "set TMPDIR to a folder that you may write to",
        ),
    }
}

/// Free space where a folder is.
fn disk(check: &'static str, folder: &Path, what: &str) -> Finding {
    let Some(free) = free_space(folder) else {
        return Finding::skipped(check, format!("free space in {} is not known", folder.display()));
    };
    let message = format!("{} free for {what} in {}", size(free), folder.display());
    match free {
        ..LEAST_SPACE => Finding::problem(check, message, "make room: a run needs space for what it reads and writes"),
        LEAST_SPACE..ENOUGH_SPACE => Finding::warning(check, message, "make room before larger runs"),
        _ => Finding::ok(check, message),
    }
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_that_is_available_is_read() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(available_memory(text), expected, "{text}");
        check("MemTotal:  100 kB\nMemAvailable:   2048 kB\nBuffers: 1 kB\n", Some(2_097_152));
        check("MemTotal:  100 kB\n", None);
        check("MemAvailable: many kB\n", None);
        check("MemAvailable: 18446744073709551615 kB\n", None);
        check("", None);
    }

    #[test]
    fn this_machine_has_a_finding_of_each_check() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(findings(Some(folder.path())).len(), 4);
        assert_eq!(findings(Some(&folder.path().join("gone"))).len(), 3);
        assert_eq!(findings(None).len(), 3);
    }
}
