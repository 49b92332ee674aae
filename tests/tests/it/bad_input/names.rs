//! Names of source objects: used literally, whatever characters they contain.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use sluice_core::run::Outcome;

use super::HEADER;
use crate::small::{BRONZE, SILVER, assert_says, held_by, land, orders, rows};

/// Names, and the end of the address for each.
const NAMES: [(&[u8], &str); 17] = [
    (b"day one.csv", "/day%20one.csv"),
    (b"100%.csv", "/100%25.csv"),
    (b"day%20one.csv", "/day%2520one.csv"),
    (b"k=v.csv", "/k=v.csv"),
    (b"year=2026/month=01/part 1.csv", "/year=2026/month=01/part%201.csv"),
    ("naïve-日本-🦀.csv".as_bytes(), "/na%C3%AFve-%E6%97%A5%E6%9C%AC-%F0%9F%A6%80.csv"),
    (b"a+b&c;d,e.csv", "/a+b&c;d,e.csv"),
    (b"what?#now.csv", "/what%3F%23now.csv"),
    (b"[x]{y}*.csv", "/[x]%7By%7D*.csv"),
    (b"it's \"quoted\".csv", "/it's%20%22quoted%22.csv"),
    (b"~tilde:colon@at.csv", "/~tilde:colon@at.csv"),
    (b"..hidden-not..csv", ""),
    // A file name on disk may contain bytes that are not UTF-8 and characters that a safe path must not have.
    (b"tab\there.csv", "/tab%09here.csv"),
    (b"new\nline.csv", "/new%0Aline.csv"),
    (b"back\\slash.csv", "/back%5Cslash.csv"),
    (b"latin-\xe9.csv", "/latin-%E9.csv"),
    (b"bell\x07.csv", "/bell%07.csv"),
];

#[test]
fn names_are_taken_literally() {
    let lab = orders();
    for (number, (name, _)) in NAMES.iter().enumerate() {
        land(&lab, OsStr::from_bytes(name), format!("{HEADER}{number},{number},1.00,2026-01-01\n"));
    }
    let run = lab.run().expect(Outcome::Published);
    for table in [BRONZE, SILVER] {
        let found = rows(&lab, table, &["name", "_source_file"]);
        let mut expected: Vec<(usize, &str)> = NAMES
            .iter()
            .enumerate()
            .filter(|(_, (_, address))| !address.is_empty())
            .map(|(n, (_, a))| (n, *a))
            .collect();
        expected.sort_by_key(|(number, _)| format!("{number}|"));
        assert_eq!(found.len(), expected.len(), "names that start with a dot or an underscore are skipped: {run}");
        for (row, (number, address)) in found.iter().zip(expected) {
            assert!(row.starts_with(&format!("{number}|file:///")) && row.ends_with(address), "{table}: {row}");
        }
    }
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_bad_object_of_any_name_is_held_and_released_by_its_address() {
    let lab = orders();
    for (name, address) in NAMES.iter().filter(|(_, address)| !address.is_empty()) {
        let path = land(&lab, OsStr::from_bytes(name), "id,name\n");
        let run = lab.run().expect(Outcome::Rejected);
        assert_says(&held_by(&run), &[address, "lacks column amount, day"], address);
        let held = lab.held();
        assert_eq!(held.len(), 1, "{address}: {held:?}");
        let _ = lab.sluice(&["source", "release", &held[0].uri]).expect_code(0);
        assert_eq!(lab.held(), [], "{address}");
        std::fs::remove_file(path).unwrap();
    }
}
