//! What the system says of this process, by the names that all exporters of Prometheus have. Where the system does not
//! say it, as outside of Linux, the metric has no sample.

use std::fs;

use jiff::Timestamp;

use crate::exposition::{Exposition, Family, Kind};

const RESIDENT: Family = Family {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    help: "Memory of the server; questions have processes of their own.",
    labels: &[],
};
const VIRTUAL: Family = Family {
    name: "process_virtual_memory_bytes",
    kind: Kind::Gauge,
    help: "Addresses that the server has reserved.",
    labels: &[],
};
const OPEN_FILES: Family = Family {
    name: "process_open_fds",
    kind: Kind::Gauge,
    help: "Files and connections that the server has open.",
    labels: &[],
};
const START: Family = Family {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    help: "When the server began, in seconds since 1970.",
    labels: &[],
};

/// The metrics of a process.
pub(super) const FAMILIES: [Family; 4] = [RESIDENT, VIRTUAL, OPEN_FILES, START];

pub(super) fn write(to: &mut Exposition, began_at: Timestamp) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
    let values = [(RESIDENT, bytes(&status, "VmRSS:")), (VIRTUAL, bytes(&status, "VmSize:")), (OPEN_FILES, open_files)];
    for (family, value) in values {
        to.family(&family);
        if let Some(value) = value {
            to.sample(&family, &[], &value);
        }
    }
    to.family(&START);
    to.sample(&START, &[], &began_at.as_second());
}

/// A number of bytes, which the system writes in kB.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tsluice\nVmSize:\t  204800 kB\nVmRSS:\t   51200 kB\nThreads:\t9\n";
        assert_eq!((bytes(status, "VmRSS:"), bytes(status, "VmSize:")), (Some(52_428_800), Some(209_715_200)));
        assert_eq!((bytes(status, "Threads:"), bytes("", "VmRSS:")), (None, None));
    }
}
