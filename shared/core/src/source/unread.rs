//! Formats of files that are no texts, known by their first bytes: those that are not read, and those that are another
//! source's.

/// A format that is not read, or not as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadFormat {
    what: &'static str,
    fix: &'static str,
}

/// Bytes with which a file of each begins, what it is, and what to do.
const UNREAD: [(&[u8], &str, &str); 9] = [
    (
        b"PK\x03\x04",
        "a zip archive or a workbook of Excel (xlsx)",
        "write `archive: {}` under source where its members are files of the source, or `format: xlsx`, in a source of \
         its own, where it is a workbook",
    ),
    (
        b"\xD0\xCF\x11\xE0",
        "a workbook of an old Excel (xls), or one with a password",
        "save it as XLSX, without a password, and write `format: xlsx`, in a source of its own",
    ),
    (b"Obj\x01", "Avro", "write `format: avro`, in a source of its own"),
    (b"ORC", "ORC", "convert it to Parquet"),
    (b"%PDF-", "a PDF", "ask for the data as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "export the table as CSV"),
    (b"BZh", "packed with bzip2", "unpack it, or pack it with gzip or zstd"),
    (b"\xFD7zXZ", "packed with xz", "unpack it, or pack it with gzip or zstd"),
    (b"7z\xBC\xAF", "a 7z archive", "unpack it"),
];
/// Where a tar archive has its name, and the name.
const TAR: (usize, &[u8]) = (257, b"ustar");

impl UnreadFormat {
    /// First bytes of a file that show all of these formats.
    pub const FIRST_BYTES: usize = TAR.0 + TAR.1.len();

    /// The format of content that starts with these bytes; `None` where it may be text or is not known.
    pub fn of(first: &[u8]) -> Option<Self> {
        // A text may begin with these letters, but has no NUL in its first lines.
        let is_letters = |begin: &[u8]| matches!(begin, b"ORC" | b"BZh");
        // What bzip2 writes behind its letters and a digit.
        let is_bzip2 = first.get(4..).is_some_and(|rest| rest.starts_with(b"1AY&SY"));
        let begins = |begin: &[u8]| first.starts_with(begin) && (!is_letters(begin) || is_bzip2 || first.contains(&0));
        if let Some((_, what, fix)) = UNREAD.into_iter().find(|(begin, ..)| begins(begin)) {
            return Some(Self { what, fix });
        }
        // It fills the name up with NULs, which no text has.
        if first.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) && first.contains(&0) {
            let fix = "write `archive: {}` under source where its members are files of the source, or unpack it";
            return Some(Self { what: "a tar archive", fix });
        }
        let is_parquet = first.starts_with(b"PAR1") && first.contains(&0);
        is_parquet.then_some(Self { what: "Parquet", fix: "write `format: parquet`, in a source of its own" })
    }

    /// Whether it is, or may be, an archive of files.
    pub fn is_archive(self) -> bool {
        self.what.contains("archive")
    }

    /// What it is, in words.
    pub fn what(self) -> &'static str {
        self.what
    }

    /// What to do about it.
    pub fn fix(self) -> &'static str {
        self.fix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes_and_texts_are_not_taken_for_them() {
        let check = |first: &[u8], expected: Option<&str>| {
            assert_eq!(UnreadFormat::of(first).map(UnreadFormat::what), expected, "{first:?}");
        };
        check(b"PK\x03\x04\x14\0", Some("a zip archive or a workbook of Excel (xlsx)"));
        check(b"\xD0\xCF\x11\xE0\xA1", Some("a workbook of an old Excel (xls), or one with a password"));
        check(b"Obj\x01", Some("Avro"));
        check(b"ORC\n\0", Some("ORC"));
        check(b"%PDF-1.7", Some("a PDF"));
        check(b"BZh91AY&SY\0", Some("packed with bzip2"));
        check(b"BZh91AY&SYx", Some("packed with bzip2"));
        check(b"PAR1\x15\x04\0", Some("Parquet"));
        let tar = [b"a.csv".as_slice(), &[0; 252], b"ustar\0"].concat();
        check(&tar, Some("a tar archive"));
        check(&tar[..UnreadFormat::FIRST_BYTES], Some("a tar archive"));
        for text in ["", "PK,name\n", "ORC,id\n1,2\n", "BZh\n1\n", "PAR1;x\n", "7z,a\n", "%PDF\n", "Object,a\n"] {
            check(text.as_bytes(), None);
        }
        check(&[b"a".repeat(257).as_slice(), b"ustar,b\n"].concat(), None);
        assert!(UNREAD.iter().all(|(begin, ..)| begin.len() <= UnreadFormat::FIRST_BYTES));
    }
}
