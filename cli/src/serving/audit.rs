//! The file of `sluice serve --audit`: one access on each line.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use sluice_http::audit::AuditLog;

/// Lines that are whole: after one that was not written to its end, the next begins on a line of its own.
struct Lines<W> {
    out: W,
    /// Whether the last line has no end.
    is_torn: bool,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.out.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A log of accesses, one JSON object per line. `is_torn`: whether its last line has no end.
pub(crate) fn audit_log(out: impl Write + Send + 'static, is_torn: bool) -> AuditLog {
    let lines = Mutex::new(Lines { out, is_torn });
    AuditLog::new(move |event| {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // A line that another thread did not finish is known as such.
        lines.lock().unwrap_or_else(PoisonError::into_inner).write(&line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_begins_after_the_part_of_one_that_did_not_fit() {
        let mut lines = Lines { out: Disk { written: Vec::new(), room: 10 }, is_torn: false };
        lines.write(b"first\n").unwrap();
        for _ in 0..2 {
            let full = lines.write(b"second\n").unwrap_err();
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        }
        lines.out.room = 100;
        lines.write(b"third\n").unwrap();
        lines.write(b"fourth\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&lines.out.written), "first\nseco\nthird\nfourth\n");
    }

    #[test]
    fn a_full_disk_leaves_no_part_where_nothing_was_written() {
        let mut lines = Lines { out: Disk { written: Vec::new(), room: 0 }, is_torn: false };
        assert!(lines.write(b"first\n").is_err());
        lines.out.room = 100;
        lines.write(b"second\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&lines.out.written), "second\n");
    }
}
