use std::io::{Cursor, Write};

use proptest::prelude::*;
use sluice_core::error::with_sources;
use sluice_core::files::FileSelection;
use sluice_core::spec::SourceFormat;

use super::options::{ArchiveLimits, ArchiveOptions};
use crate::source::SourceError;
use crate::source::testing::{ReadTest, SMALL, Table, corrupt, good};

mod odd;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("deflate");
    encoder.finish().expect("deflate")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("gzip");
    encoder.finish().expect("gzip")
}

fn four(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a small archive").to_le_bytes()
}

fn two(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("a small number").to_le_bytes()
}

/// A zip archive of members with these flags and methods. What is of an unknown method is stored.
fn zip_of(members: &[(&str, u16, u16, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, flags, method, content) in members {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let stored = if *method == DEFLATED { deflated(content) } else { content.to_vec() };
        let common = [
            &[20, 0][..],
            &flags.to_le_bytes(),
            &method.to_le_bytes(),
            &[0, 0, 0x21, 0x58],
            &crc.sum().to_le_bytes(),
            &four(stored.len()),
            &four(content.len()),
            &two(name.len()),
            &[0, 0],
        ]
        .concat();
        let header = four(bytes.len());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &header, name.as_bytes()].concat());
        bytes.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &stored].concat());
    }
    let count = two(members.len());
    let end =
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &four(directory.len()), &four(bytes.len()), &[0, 0]].concat();
    [bytes, directory, end].concat()
}

/// A zip archive whose members are deflated and stored by turns.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let packed = members.iter().enumerate();
    let packed: Vec<_> = packed
        .map(|(index, (name, content))| (*name, 0_u16, if index % 2 == 0 { DEFLATED } else { STORED }, *content))
        .collect();
    zip_of(&packed)
}

/// A header block of tar, and the content behind it.
fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    let size = format!("{:011o}", content.len());
    block[124..135].copy_from_slice(size.as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend_from_slice(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

fn ended(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = members.iter().map(|(name, content)| entry(name, b'0', content)).collect();
    ended(&entries)
}

fn selection(include: &str) -> FileSelection {
    serde_json::from_value(serde_json::json!({ "include": [include] })).expect(include)
}

fn options() -> ArchiveOptions {
    ArchiveOptions::of_members(FileSelection::default())
}

fn read_as(format: SourceFormat, bytes: &[u8]) -> ReadTest {
    ReadTest::new(format, bytes).archive(options())
}

fn read(bytes: &[u8]) -> ReadTest {
    read_as(SourceFormat::Csv, bytes)
}

/// Every archive of these members reads alike, with small and with production limits.
fn table_of(members: &[(&str, &[u8])]) -> Table {
    let table = read(&zip(members)).table();
    let packed = gzip(&tar(members));
    let zstd = zstd::encode_all(tar(members).as_slice(), 1).expect("zstd");
    for archive in [zip(members), tar(members), packed, zstd] {
        assert_eq!(read(&archive).table(), table, "{members:?}");
        assert_eq!(read(&archive).limits(SMALL).table(), table, "{members:?}");
        assert_eq!(read(&archive).columns(), table.columns, "{members:?}");
    }
    table
}

fn words(error: &SourceError) -> String {
    assert!(error.is_refusal(), "{error:?}");
    with_sources(error)
}

fn refused(archive: &[u8], says: &[&str]) {
    let error = words(&read(archive).error());
    for part in says.iter().chain(&["object 'data"]) {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn members_are_read_as_files_one_after_the_other() {
    let rows = [good(1, &[Some("1"), Some("a")]), good(2, &[Some("2"), Some("b")]), good(3, &[Some("3"), Some("c")])];
    let check = |members: &[(&str, &[u8])]| {
        let table = table_of(members);
        assert_eq!((table.columns, table.rows.as_slice()), (vec!["id".to_owned(), "name".to_owned()], &rows[..]));
    };
    check(&[("all.csv", b"id,name\n1,a\n2,b\n3,c\n")]);
    check(&[("x/a.csv", b"id,name\n1,a\n2,b"), ("x/b.csv", b"id,name\n3,c\n")]);
    check(&[("a.csv", b"id,name\n1,a\n"), ("b.csv", b"\xEF\xBB\xBFid,name\r\n2,b\r\n"), ("c.csv", b"id,name\n3,c")]);
    check(&[("a.csv", b"id,name\n1,a\n"), ("none.csv", b"id,name\n"), ("b.csv", b"id,name\n2,b\n3,c\n")]);
    check(&[("a.csv.gz", &gzip(b"id,name\n1,a\n2,b\n")), ("b.csv", b"id,name\n3,c\n")]);
    let others: [(&str, &[u8]); 6] = [
        ("__MACOSX/._a.csv", b"\0\0"),
        (".DS_Store", b"\0"),
        ("._a.csv", b"\0"),
        ("README.md", b"# Orders"),
        ("../../a.csv", b"id,name\n1,a\n2,b\n"),
        ("/b.csv", b"id,name\n3,c\n"),
    ];
    check(&others);
}

#[test]
fn headers_may_differ_and_a_row_has_the_columns_of_its_member() {
    let table = table_of(&[("a.csv", b"id,name\n1,a\n"), ("b.csv", b"name,day,id\nb,x,2\n")]);
    assert_eq!(table.columns, ["id", "name", "day"]);
    let expected = [good(1, &[Some("1"), Some("a"), None]), good(2, &[Some("2"), Some("b"), Some("x")])];
    assert_eq!(table.rows, expected);
}

#[test]
fn a_bad_record_is_numbered_in_the_archive_and_placed_in_its_member() {
    let table = table_of(&[("a.csv", b"id,name\n1,a\n2,b\n"), ("b.csv", b"id,name\n3,c\n4\n")]);
    assert_eq!(table.rows.last(), Some(&corrupt(4, 2, "4")));
    assert_eq!(table.reasons, ["member 'b.csv' line 3 (record 2) has 1 field where the header has 2"]);
}

#[test]
fn other_formats_and_objects_that_are_no_archives_are_read_as_they_are() {
    let rows = [good(1, &[Some("1")]), good(2, &[Some("2")])];
    let check = |format: SourceFormat, bytes: &[u8]| {
        assert_eq!(read_as(format, bytes).table().rows, rows, "{format:?}");
    };
    for (format, one, both) in [
        (SourceFormat::Ndjson, [b"{\"a\":1}\n".as_slice(), b"{\"a\":2}"], b"{\"a\":1}\n{\"a\":2}".as_slice()),
        (SourceFormat::Json, [b"[{\"a\":1}]".as_slice(), b"{\"a\":2}"], b"[{\"a\":1},{\"a\":2}]".as_slice()),
        (SourceFormat::Csv, [b"a\n1\n".as_slice(), b"a\n2\n"], b"a\n1\n2\n".as_slice()),
    ] {
        check(format, both);
        check(format, &gzip(both));
        check(format, &zip(&[("1", one[0]), ("2", one[1])]));
        check(format, &tar(&[("1", one[0]), ("2", one[1])]));
    }
}

#[test]
fn long_names_of_gnu_and_pax_are_names_and_links_and_folders_are_passed_over() {
    let long = format!("{}/orders.csv", "folder".repeat(40));
    let pax = |pairs: &[(&str, &str)]| -> Vec<u8> {
        let line = |key: &str, value: &str| {
            let bare = key.len() + value.len() + 3;
            let length = (bare..).find(|length| bare + length.to_string().len() == *length).expect("a length");
            format!("{length} {key}={value}\n")
        };
        entry("pax", b'x', pairs.iter().map(|(key, value)| line(key, value)).collect::<String>().as_bytes())
    };
    let content = b"id\n1\n";
    let gnu = entry("././@LongLink", b'L', format!("{long}\0").as_bytes());
    let others = [entry("x/", b'5', b""), entry("x.csv", b'2', b""), entry("y.csv", b'1', b"")];
    for name in [gnu, pax(&[("mtime", "1.5"), ("path", &long)])] {
        let archive = ended(&[others.concat(), name, entry("short", b'0', content)]);
        let by_name = ArchiveOptions::of_members(selection("*/orders.csv"));
        let table = ReadTest::new(SourceFormat::Csv, &archive).archive(by_name).table();
        assert_eq!(table.rows, [good(1, &[Some("1")])]);
    }
    let taken_back = ended(&[pax(&[("path", "")]), entry("x/orders.csv", b'0', content)]);
    assert_eq!(read(&taken_back).table().rows, [good(1, &[Some("1")])]);
    for size in ["-1", "99999999999999999999"] {
        refused(&ended(&[pax(&[("size", size)]), entry("a.csv", b'0', content)]), &["those of PAX"]);
    }
    refused(&ended(&[pax(&[("size", "18446744073709551615")]), entry(".a.csv", b'0', content)]), &["cut off"]);
    let sparse = ended(&[pax(&[("GNU.sparse.major", "1")]), entry("a.csv", b'0', content)]);
    refused(&sparse, &["member 'a.csv' is sparse"]);
    refused(&ended(&[entry("a.csv", b'S', content)]), &["member 'a.csv' is sparse"]);
    refused(&ended(&[entry("pax", b'x', b"nothing of this kind"), entry("a.csv", b'0', content)]), &["those of PAX"]);
}

#[test]
fn an_archive_that_is_cut_or_damaged_is_refused() {
    let members: [(&str, &[u8]); 2] = [("a.csv", b"id\n1\n2\n"), ("b.csv", b"id\n3\n")];
    let whole = zip(&members);
    for kept in [40, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..kept], &["its zip directory"]);
    }
    let whole = tar(&members);
    for kept in [600, 1024, 1536, 2048] {
        refused(&whole[..kept], &["cut off"]);
    }
    let mut flipped = zip_of(&[("a.csv", 0, STORED, b"id\n1\n2\n")]);
    flipped[30 + "a.csv".len() + 3] ^= 1;
    refused(&flipped, &["member 'a.csv' is damaged"]);
    let mut header = whole.clone();
    header[1024] ^= 1;
    refused(&header, &["damaged at byte 1024", "check sum"]);
    refused(&[whole.as_slice(), &tar(&members)].concat(), &["other bytes follow its end"]);
    let mut header = whole;
    header[0] ^= 1;
    refused(&header, &["damaged at byte 0", "check sum"]);
}

#[test]
fn members_that_cannot_be_read_are_named_with_the_fix() {
    let content: &[u8] = b"id\n1\n";
    refused(&zip_of(&[("a.csv", ENCRYPTED, STORED, content)]), &["member 'a.csv' is encrypted", "password"]);
    refused(&zip_of(&[("a.csv", 0, 12, content)]), &["member 'a.csv' is packed with bzip2"]);
    refused(&zip_of(&[("a.csv", 0, 77, content)]), &["with a method that is not read"]);
    let inner = zip(&[("x.csv", content)]);
    for archive in [zip(&[("a.zip", &inner)]), tar(&[("a.zip", &inner)]), tar(&[("a.tar", &tar(&[("b", content)]))])] {
        refused(&archive, &["member 'a.", "archives inside an archive are not read"]);
    }
    for archive in [zip(&[("a.csv", content), ("./a.csv", content)]), tar(&[("a.csv", content)])] {
        assert_eq!(read(&archive).table().columns, ["id"], "two names");
    }
    for archive in [zip(&[("a.csv", content), ("a.csv", content)]), tar(&[("a.csv", content), ("a.csv", content)])] {
        refused(&archive, &["member 'a.csv' comes more than once"]);
    }
    refused(&zip(&[("a.csv", content), ("b.csv", b"id\n\"1\n")]), &["data, member b.csv", "never closed"]);
    refused(&tar(&[("a.csv", content), ("b.csv", b"")]), &["data, member b.csv' is empty"]);
    refused(&zip(&[("[Content_Types].xml", b"<a/>"), ("xl/workbook.xml", b"<a/>")]), &["format: xlsx"]);
    refused(&zip(&[("[Content_Types].xml", b"<a/>"), ("word/document.xml", b"<a/>")]), &["of the kind of docx"]);
    refused(&gzip(&zip(&[("a.csv", content)])), &["packed with gzip"]);
    refused(&zip(&[]), &["none of its 0 members"]);
    refused(&[0; 10_240], &["none of its 0 members"]);
    refused(&tar(&[("README.md", b"x"), ("b.tmp", b"x")]), &["none of its 2 members", "the first is 'README.md'"]);
}

#[test]
fn a_member_that_lacks_a_column_which_rows_need_is_named() {
    let archive = zip(&[("a.csv", b"id,name\n1,a\n"), ("b.csv", b"name\nb\n"), ("c.csv", b"ID,name\n")]);
    let limits = ArchiveLimits::default();
    let by = |required: &[&str]| {
        ReadTest::new(SourceFormat::Csv, &archive).archive(ArchiveOptions::with(
            FileSelection::default(),
            required,
            limits,
        ))
    };
    assert_eq!(by(&["name"]).table().rows.len(), 2);
    let error = words(&by(&["id"]).error());
    assert_eq!(error, "object 'data, member b.csv' lacks column id; it has name");
    let stream = by(&["id"]).columns_from(Box::new(Cursor::new(archive.clone())));
    assert_eq!(words(&stream.expect_err("a column is missing")), error);
}

#[test]
fn what_would_take_too_much_is_refused() {
    let limits = ArchiveLimits { members: 2, copied_bytes: 4000, unpacked_bytes: 9000, ratio: 10, free_bytes: 3000 };
    let check = |archive: &[u8], says: &str| {
        let options = ArchiveOptions::with(FileSelection::default(), &[], limits);
        let read = ReadTest::new(SourceFormat::Csv, archive).archive(options).run();
        match says {
            "" => assert!(read.is_ok(), "{read:?}"),
            says => {
                let error = words(&read.expect_err(says));
                assert!(error.contains(says), "no {says:?} in: {error}");
            }
        }
    };
    let zeros = |count: usize| [b"id\n".as_slice(), &b"0\n".repeat(count)].concat();
    let few: [(&str, &[u8]); 2] = [("a", b"id\n1\n"), ("b", b"id\n2\n")];
    check(&zip(&few), "");
    check(&tar(&few), "");
    let three = [few[0], few[1], ("c", b"id\n3\n".as_slice())];
    check(&zip(&three), "3 members");
    check(&tar(&three), "3 members");
    check(&zip_of(&[("a", 0, DEFLATED, &zeros(2000))]), "zip bomb");
    check(&gzip(&tar(&[("a", &zeros(2000))])), "zip bomb");
    check(&zip_of(&[("a", 0, DEFLATED, &zeros(5000))]), "at most 9000 are read");
    check(&tar(&[("a", &zeros(5000))]), "at most 9000 are read");
    check(&zip_of(&[("a", 0, STORED, &zeros(2500))]), "at most 4000 are read");
    // A member with more than it announces, and two that are the same bytes.
    let mut lying = zip_of(&[("a", 0, DEFLATED, &zeros(1000))]);
    let at = memchr::memmem::find(&lying, b"PK\x01\x02").expect("a directory") + 24;
    lying[at..at + 4].copy_from_slice(&four(100));
    check(&lying, "member 'a' is damaged");
    let mut shared = zip_of(&[("a", 0, DEFLATED, &zeros(9)), ("b", 0, DEFLATED, &zeros(9))]);
    let second = memchr::memmem::rfind(&shared, b"PK\x01\x02").expect("a directory") + 42;
    shared[second..second + 4].copy_from_slice(&four(0));
    check(&shared, "members that share bytes");
}

proptest! {
    #[test]
    fn a_table_that_is_split_into_members_reads_as_the_whole_one(
        members in prop::collection::vec(prop::collection::vec("[a-z\" ]{0,6}", 0..8), 1..6),
        is_ended in any::<bool>(),
    ) {
        let line = |number: usize, text: &str| format!("{number},\"{}\"\n", text.replace('"', "\"\""));
        let mut number = 0;
        let (mut whole, mut parts) = ("id,name\n".to_owned(), Vec::new());
        for texts in &members {
            let mut part = "id,name\n".to_owned();
            for text in texts {
                number += 1;
                part.push_str(&line(number, text));
                whole.push_str(&line(number, text));
            }
            if !is_ended {
                part.truncate(part.trim_end_matches('\n').len());
            }
            parts.push(part.into_bytes());
        }
        let names: Vec<String> = (0..parts.len()).map(|index| format!("{index}.csv")).collect();
        let named: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(parts.iter().map(Vec::as_slice)).collect();
        let expected = ReadTest::new(SourceFormat::Csv, whole.as_bytes()).table();
        let table = table_of(&named);
        prop_assert_eq!(table.rows, expected.rows);
        prop_assert_eq!(table.summary, expected.summary);
    }

    #[test]
    fn rubbish_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let members: [(&str, &[u8]); 2] = [("a", b"id\n1\n"), ("b", b"id\n2\n")];
        for mut archive in [zip(&members), tar(&members)] {
            for (at, byte) in &flips {
                let at = at.index(archive.len());
                archive[at] = *byte;
            }
            let _ = read(&archive).run();
        }
    }
}
