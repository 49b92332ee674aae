//! Source objects that cannot be read at all: the run fails with the object's name and the fix, the object is held, and the
//! next good object is published.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;

use super::{HEADER, good_file, gzip, state_of};
use crate::small::{BRONZE, GOLD, QUARANTINE, SILVER, assert_says, held_by, land, orders, rows};

/// A source object that must be refused.
struct Refused {
    /// Name in the landing folder.
    name: &'static str,
    bytes: Vec<u8>,
    /// What the message must say in addition to the object's name: what is wrong, where, and what to do.
    says: &'static [&'static str],
}

fn refused(name: &'static str, bytes: impl Into<Vec<u8>>, says: &'static [&'static str]) -> Refused {
    Refused { name, bytes: bytes.into(), says }
}

/// A file of 5 MB, so that a fault at its end is found only after rows were staged.
fn large_file() -> String {
    let mut text = HEADER.to_owned();
    for id in 0..200_000 {
        text.push_str(&format!("{id},name {id},{}.25,2026-01-01\n", id % 1000));
    }
    text
}

fn cut(mut bytes: Vec<u8>, share_percent: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() * share_percent / 100);
    bytes
}

/// Delivers one bad object after the other to a lake with good rows, and a good object after each.
fn check(cases: Vec<Refused>) {
    let lab = orders();
    land(&lab, "good-000.csv", good_file(0));
    let _ = lab.run().expect(Outcome::Published);
    for (number, Refused { name, bytes, says }) in cases.into_iter().enumerate() {
        let before = state_of(&lab);
        land(&lab, name, bytes);
        // No file of the run is good.
        let run = lab.run().expect(Outcome::Rejected);
        let message = held_by(&run);
        assert_says(&message, &[name], name);
        assert_says(&message, says, name);
        assert_eq!(state_of(&lab), before, "{name}: every table is unchanged");
        let held = lab.held();
        let held = held.iter().find(|held| held.uri.ends_with(&format!("/{name}")));
        let held = held.unwrap_or_else(|| panic!("{name} is not held: {run}"));
        assert_eq!(held.run_id, run.run_id(), "{name}");
        assert_says(&held.reason, says, name);

        let first = 2 * u32::try_from(number).unwrap() + 2;
        land(&lab, format!("good-{first:03}.csv"), good_file(first));
        let _ = lab.run().expect(Outcome::Published);
        assert_eq!(
            rows(&lab, SILVER, &["id"]).len() as u32,
            first + 2,
            "after {name} only the good rows are published"
        );
        assert_eq!(rows(&lab, BRONZE, &["id"]).len() as u32, first + 2, "{name} is not in bronze");
    }
    assert!(!lab.tables().contains_key(QUARANTINE), "an object that cannot be read is held, not quarantined");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn objects_without_content_are_refused_and_held() {
    check(vec![
        refused("empty.csv", "", &["is empty", "deliver it again or remove it"]),
        refused("bom-only.csv", "\u{feff}", &["is empty"]),
        refused("blank-lines.csv", "\n\r\n\n", &["is empty"]),
        refused("empty.csv.gz", "", &["is empty"]),
        refused("empty-inside.csv.gz", gzip(""), &["is empty"]),
    ]);
}

#[test]
fn files_of_other_formats_are_called_what_they_are() {
    let good = good_file(0);
    check(vec![
        refused("sheet.csv", b"PK\x03\x04\x14\0\x06\0", &["a workbook of Excel", "`archive: {}`", "`format: xlsx`"]),
        refused("table.csv", b"PAR1\x15\x04\0\0", &["is Parquet", "`format: parquet`"]),
        refused("more.csv.gz", [gzip(&good), b"x".to_vec()].concat(), &["other bytes follow", "gzip stream"]),
    ]);
}

#[test]
fn objects_with_other_columns_are_refused_and_held() {
    check(vec![
        refused(
            "duplicate.csv",
            "id,name,amount,day,name\n1,a,1,2026-01-01,b\n",
            &["line 1", "column 5 `name` repeats column 2", "a silver table reads it", "source.csv.names"],
        ),
        refused("duplicate-case.csv", "id,name,amount,day,Name\n1,a,1,2026-01-01,b\n", &["line 1", "`Name`"]),
        refused("missing.csv", "id,name,day\n1,a,2026-01-01\n", &["lacks column amount", "it has id, name, day"]),
        refused("case.csv", "ID,name,amount,day\n1,a,1,2026-01-01\n", &["has `ID` where the pipeline reads `id`"]),
        refused("reserved.csv", "id,name,amount,day,_source_row\n", &["`_source_row`", "rename it"]),
        refused("no-header.csv", "1,a,1.00,2026-01-01\n2,b,1.00,2026-01-01\n", &["lacks column id, name, amount, day"]),
        refused(
            "semicolon.csv",
            "id;name;amount;day\n1;a;1.00;2026-01-01\n",
            &["delimiter looks like ';'", "source.csv"],
        ),
        refused("tab.csv", "id\tname\tamount\tday\n1\ta\t1.00\t2026-01-01\n", &["delimiter looks like '\\t'"]),
        refused("header-twice.csv", "\n\nid,id,name\n", &["line 3", "`id`"]),
    ]);
}

#[test]
fn objects_of_another_encoding_are_refused_and_held() {
    let utf16: Vec<u8> = good_file(1).encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(vec![
        refused("utf16-without-mark.csv", utf16.clone(), &["line 1", "NUL", "source.csv.encoding"]),
        refused(
            "utf16-half-a-pair.csv",
            [&[0xff, 0xfe][..], &utf16, &[0x00, 0xdc]].concat(),
            &["line 4 (byte ", "not UTF-16LE", "its byte order mark says"],
        ),
        refused(
            "header-latin1.csv",
            &b"id,name,amount,day,gr\xf6\xdfe\n1,a,1,2026-01-01,x\n"[..],
            &["header is not UTF-8"],
        ),
        refused("header-nul.csv", "id,na\0me,amount,day\n1,a,1,2026-01-01\n", &["line 1", "NUL"]),
        refused("picture.csv", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &["line 1"]),
    ]);
}

#[test]
fn truncated_or_damaged_objects_are_refused_and_held() {
    let large = gzip(large_file());
    let packed = zstd::encode_all(large_file().as_bytes(), 1).unwrap();
    let mut damaged = large.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let open_quote = format!("{}200001,\"never closed,1.00,2026-01-01\n", large_file());
    check(vec![
        refused("cut-early.csv.gz", gzip(good_file(9))[..12].to_vec(), &["gzip stream ends early", "again"]),
        refused("cut-half.csv.gz", cut(large.clone(), 50), &["gzip stream ends early", "deliver the whole file again"]),
        refused("cut-end.csv.gz", large[..large.len() - 4].to_vec(), &["gzip stream ends early"]),
        refused("cut-half.csv.zst", cut(packed, 50), &["ends early", "deliver the whole file again"]),
        refused("damaged.csv.gz", damaged, &["gzip stream is damaged", "deliver the file again"]),
        refused("not-gzip.csv.gz", [&large[..], b"trailing text"].concat(), &["gzip"]),
        refused("open-quote.csv", open_quote, &["line 200002", "never closed"]),
        refused("open-quote-header.csv", "id,\"name,amount,day\n1,a,1,2026-01-01\n", &["line 1", "never closed"]),
    ]);
}

#[test]
fn a_bad_object_among_good_ones_is_the_only_one_held() {
    let lab = orders();
    land(&lab, "a.csv", good_file(0));
    land(&lab, "b.csv", "");
    land(&lab, "c.csv", "id,name\n");
    land(&lab, "d.csv", good_file(2));
    let run = lab.run().expect(Outcome::Published);
    assert_says(&held_by(&run), &["b.csv", "is empty", "c.csv", "lacks column amount, day"], "both are named");
    assert_eq!(lab.held().len(), 2);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["0", "1", "2", "3"]);
    assert_eq!(rows(&lab, GOLD, &["name", "amount", "orders"]), ["ann|3.00|2", "bob|4.50|2"]);

    fix_and_release(&lab);
}

/// A file that is corrected under its old name is a new object; a file that was right all along is released.
fn fix_and_release(lab: &Lab) {
    land(lab, "b.csv", good_file(4));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(lab, SILVER, &["id"]).len(), 6, "a file that is replaced by a good one needs no release");
    let held = lab.held();
    let still = held.iter().find(|held| held.uri.ends_with("/c.csv")).expect("c.csv is held");
    let _ = lab.sluice(&["source", "release", &still.id.to_string()]).expect_code(0);
    let run = lab.run().expect(Outcome::Rejected);
    assert_says(&held_by(&run), &["c.csv", "lacks column"], "a file that is released without a fix is refused again");
}
