//! Names of source objects: taken literally, whatever is in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use sluice_core::run::Outcome;

use super::{HEADER, good_file};
use crate::small::{BRONZE, SILVER, assert_says, error_of, land, orders, rows};

/// Names, and the end of the address that stands for each.
const NAMES: [(&str, &str); 12] = [
    ("day one.csv", "/day%20one.csv"),
    ("100%.csv", "/100%25.csv"),
    ("day%20one.csv", "/day%2520one.csv"),
    ("k=v.csv", "/k=v.csv"),
    ("year=2026/month=01/part 1.csv", "/year=2026/month=01/part%201.csv"),
    ("naïve-日本-🦀.csv", "/na%C3%AFve-%E6%97%A5%E6%9C%AC-%F0%9F%A6%80.csv"),
    ("a+b&c;d,e.csv", "/a+b&c;d,e.csv"),
    ("what?#now.csv", "/what%3F%23now.csv"),
    ("[x]{y}*.csv", "/[x]%7By%7D*.csv"),
    ("it's \"quoted\".csv", "/it's%20%22quoted%22.csv"),
    ("~tilde:colon@at.csv", "/~tilde:colon@at.csv"),
    ("..hidden-not..csv", ""),
];

#[test]
fn names_are_taken_literally() {
    let lab = orders();
    for (number, (name, _)) in NAMES.iter().enumerate() {
        land(&lab, name, format!("{HEADER}{number},{number},1.00,2026-01-01\n"));
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
        assert_eq!(found.len(), expected.len(), "names with a dot or an underscore in front are passed by: {run}");
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
        let path = land(&lab, name, "id,name\n");
        let run = lab.run().expect(Outcome::Failed);
        assert_says(&error_of(&run).1, &[address, "lacks column amount, day"], name);
        let held = lab.held();
        assert_eq!(held.len(), 1, "{name}: {held:?}");
        let _ = lab.sluice(&["source", "release", &held[0].uri]).expect_code(0);
        assert_eq!(lab.held(), [], "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_name_that_no_address_can_have_is_told() {
    let lab = orders();
    land(&lab, "good.csv", good_file(0));
    for name in [&b"tab\there.csv"[..], b"back\\slash.csv", b"new\nline.csv", b"latin-\xe9.csv"] {
        let path = lab.landing().join(OsStr::from_bytes(name));
        std::fs::write(&path, good_file(2)).unwrap();
        let run = lab.run().expect(Outcome::Failed);
        let (error, message) = error_of(&run);
        assert_eq!(error, "InvalidInput", "{run}");
        assert_says(&message, &["rename"], &path.display().to_string());
        let visible = name.split(|byte| !byte.is_ascii_alphanumeric()).next().unwrap();
        assert_says(&message, &[std::str::from_utf8(visible).unwrap()], "the name");
        assert_eq!(lab.tables().len(), 0);
        std::fs::remove_file(path).unwrap();
    }
    let _ = lab.run().expect(Outcome::Published);
}
