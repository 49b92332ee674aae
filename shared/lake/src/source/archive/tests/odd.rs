//! Archives as few programs write them, and what is put together from several.

use super::{STORED, ended, entry, good, read, refused, zip, zip_of};

#[test]
fn of_two_zip_archives_in_one_file_none_is_lost_in_silence() {
    let (one, two) = (zip_of(&[("a.csv", 0, STORED, b"id\n1\n")]), zip_of(&[("a.csv", 0, STORED, b"id\n2\n")]));
    assert_eq!(read(&one).table().rows, [good(1, &[Some("1")])]);
    // As long as each other, so that the end of the second leads to the directory of the first.
    refused(&[one.as_slice(), &two].concat(), &["its zip directory", "are apart"]);
    refused(&[one.as_slice(), b"\n"].concat(), &["its zip directory is missing"]);
    refused(&[&b"PK\x07\x08"[..], &one[..one.len() - 22]].concat(), &["its zip directory is missing"]);
}

#[test]
fn a_zip_archive_may_have_a_record_of_a_large_directory_that_it_does_not_need() {
    let mut archive = zip(&[("a.csv", b"id\n1\n")]);
    let end = archive.split_off(archive.len() - 22);
    let at = archive.len();
    let directory = memchr::memmem::find(&archive, b"PK\x01\x02").expect("a directory");
    let eight = |number: usize| u64::try_from(number).expect("a small number").to_le_bytes();
    let record = [
        &b"PK\x06\x06"[..],
        &eight(44),
        &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &eight(1),
        &eight(1),
        &eight(at - directory),
        &eight(directory),
    ];
    let locator = [&b"PK\x06\x07\0\0\0\0"[..], &eight(at), &[1, 0, 0, 0]];
    let rows = [good(1, &[Some("1")])];
    let with = |end: &[u8]| [archive.as_slice(), &record.concat(), &locator.concat(), end].concat();
    assert_eq!(read(&with(&end)).table().rows, rows);
    let mut large = end;
    large[8..20].fill(0xFF);
    assert_eq!(read(&with(&large)).table().rows, rows);
}

#[test]
fn a_header_of_tar_may_be_summed_with_signs_or_have_no_mark() {
    let member = |name: &[u8], is_signed: bool| {
        let mut block = entry("", b'0', b"id\n1\n");
        block[..name.len()].copy_from_slice(name);
        block[257..265].fill(0);
        block[148..156].copy_from_slice(b"        ");
        let number = |byte: &u8| if is_signed { i64::from(byte.cast_signed()) } else { i64::from(*byte) };
        let sum: i64 = block[..512].iter().map(number).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        ended(&[block])
    };
    for archive in [member(b"a.csv", false), member(b"\xE4.csv", false), member(b"\xE4.csv", true)] {
        assert_eq!(read(&archive).table().rows, [good(1, &[Some("1")])]);
    }
}

#[test]
fn a_hard_link_is_passed_over_only_where_its_file_is_read() {
    let link = |name: &str, aim: &str| {
        let mut block = entry(name, b'1', b"");
        block[157..157 + aim.len()].copy_from_slice(aim.as_bytes());
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    };
    let member = |name: &str| entry(name, b'0', b"id\n1\n");
    let rows = [good(1, &[Some("1")])];
    assert_eq!(read(&ended(&[member("a.csv"), link("b.csv", "a.csv")])).table().rows, rows);
    assert_eq!(read(&ended(&[member("a.csv"), link(".b.csv", ".c.csv")])).table().rows, rows);
    let hidden = ended(&[member(".a.csv"), member("c.csv"), link("b.csv", ".a.csv")]);
    refused(&hidden, &["member 'b.csv' is a hard link", "--hard-dereference"]);
}
