//! Archives: members of zip and tar, as another implementation writes them, become rows of one object.

use std::fs;

use sluice_core::run::Outcome;

use crate::small::{BRONZE, ORDERS, Python, QUARANTINE, SILVER, assert_holds, land, orders_with, rows};
use crate::workbook::archive;

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];
const HEADER: &str = "id,name,amount,day\n";

fn spec() -> String {
    ORDERS.replace("format: csv", "format: csv, archive: {}")
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let parts: Vec<(String, Vec<u8>)> =
        members.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    archive(&parts)
}

#[test]
fn members_become_rows_of_one_object_and_a_bad_record_costs_its_row() {
    let lab = orders_with(&spec());
    let first = format!("{HEADER}1,a,1.50,2026-01-05\n2,b,2.00,");
    let second = "day,amount,id,name\n,3.00,3,c\n,x\n";
    land(&lab, "all.csv", zip(&[("a.csv", &first), ("__MACOSX/._a.csv", "x"), ("x/b.csv", second)]));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "_source_row"]), ["1|1", "2|2", "3|3"], "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["4"], "{run}");
    let reason = "member 'x/b.csv' line 3 (record 2) has 2 fields where the header has 4";
    assert_eq!(rows(&lab, BRONZE, &["_corrupt_reason"]).last().map(String::as_str), Some(reason), "{run}");
}

#[test]
fn members_are_typed_and_the_next_run_does_nothing() {
    let lab = orders_with(&spec());
    let first = format!("{HEADER}1,a,1.50,2026-01-05\n2,b,2.00,");
    land(&lab, "all", zip(&[("a.csv", &first), ("x/b.csv", "day,amount,id,name\n,3.00,3,c\n")]));
    land(&lab, "plain.csv", format!("{HEADER}4,d,4.00,\n"));
    let run = lab.run().expect(Outcome::Published);
    let expected = ["1|a|1.50|2026-01-05|1", "2|b|2.00|NULL|2", "3|c|3.00|NULL|3", "4|d|4.00|NULL|1"];
    assert_eq!(rows(&lab, SILVER, &SHOWN), expected, "{run}");
    assert_eq!(rows(&lab, BRONZE, &["id"]), ["1", "2", "3", "4"]);
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_bad_member_costs_its_archive_and_is_named() {
    let lab = orders_with(&spec());
    let good = format!("{HEADER}1,a,1.00,\n");
    land(&lab, "good.zip", zip(&[("a.csv", &good)]));
    land(&lab, "open.zip", zip(&[("a.csv", &good), ("b.csv", &format!("{HEADER}2,\"b,1.00,\n"))]));
    land(&lab, "lacking.zip", zip(&[("a.csv", &good), ("b.csv", "id,name\n2,b\n")]));
    land(&lab, "nothing.zip", zip(&[("README.md", "# Orders")]));
    let whole = zip(&[("a.csv", &good)]);
    land(&lab, "cut.zip", &whole[..whole.len() / 2]);
    let run = lab.run().expect(Outcome::Published);
    let held = [
        ("open.zip, member b.csv", "never closed"),
        ("lacking.zip, member b.csv", "lacks column"),
        ("nothing.zip", "none of its 1 members"),
        ("cut.zip", "its zip directory"),
    ];
    assert_holds(&run, &held);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1"], "{run}");
}

#[test]
fn without_the_option_an_archive_is_refused_with_the_option_named() {
    let lab = orders_with(ORDERS);
    land(&lab, "a.zip", zip(&[("a.csv", &format!("{HEADER}1,a,1.00,\n"))]));
    land(&lab, "b.csv", format!("{HEADER}2,b,1.00,\n"));
    let run = lab.run().expect(Outcome::Published);
    assert_holds(&run, &[("a.zip", "write `archive: {}` under source")]);
}

/// Writes each kind of archive with two orders and what else such archives have.
const ARCHIVES: &str = "
import io, tarfile, zipfile
header = b'id,name,amount,day\\n'
def members(n):
    long = 'folder' * 30 + '/' + 'x' * 120 + '.csv'
    return [('./orders/a.csv', b'\\xef\\xbb\\xbf' + header + b'%d,a,1.00,\\n' % n),
            (long, header + b'%d,b,2.00,' % (n + 1)), ('orders/none.csv', header), ('.DS_Store', b'x')]
def tar(path, mode, n, format):
    with tarfile.open(path, mode, format=format) as archive:
        folder = tarfile.TarInfo('orders')
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo('orders/link.csv')
        link.type, link.linkname = tarfile.SYMTYPE, 'a.csv'
        archive.addfile(link)
        for name, content in members(n):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1767600000.5
            archive.addfile(info, io.BytesIO(content))
def zip(path, n, packing, force):
    with zipfile.ZipFile(path, 'w', packing) as archive:
        archive.writestr('orders/', b'')
        for name, content in members(n):
            with archive.open(zipfile.ZipInfo(name) if packing == zipfile.ZIP_STORED else name, 'w',
                              force_zip64=force) as member:
                member.write(content)
class Stream(io.RawIOBase):
    def __init__(self, path): self.file = open(path, 'wb')
    def writable(self): return True
    def write(self, data): return self.file.write(data)
    def close(self): self.file.close()
tar(folder + '/01.tar', 'w', 1, tarfile.GNU_FORMAT)
tar(folder + '/02.tar.gz', 'w:gz', 3, tarfile.PAX_FORMAT)
zip(folder + '/03.zip', 5, zipfile.ZIP_DEFLATED, False)
zip(folder + '/04.zip', 7, zipfile.ZIP_STORED, True)
stream = Stream(folder + '/05.zip')
zip(stream, 9, zipfile.ZIP_DEFLATED, False)
stream.close()
";

#[test]
fn archives_of_another_implementation_are_read() {
    let test = "modes::archives::archives_of_another_implementation_are_read";
    let Some(python) = Python::or_skip(test) else { return };
    let lab = orders_with(&spec());
    fs::create_dir_all(lab.landing()).unwrap();
    python.run(&format!("folder = {:?}\n{ARCHIVES}", lab.landing().display().to_string()));
    let run = lab.run().expect(Outcome::Published);
    let expected: Vec<String> =
        (1..=10).map(|id| format!("{id}|{}", if id % 2 == 1 { "a|1.00|1" } else { "b|2.00|2" })).collect();
    let mut read = rows(&lab, SILVER, &["id", "name", "amount", "_source_row"]);
    read.sort_by_key(|row| row.split('|').next().and_then(|id| id.parse::<u32>().ok()));
    assert_eq!(read, expected, "{run}");
    assert!(!lab.tables().contains_key(QUARANTINE), "{run}");
}
