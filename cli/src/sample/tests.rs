use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use jiff::civil::{Date, date};

use super::day::HEADER;
use super::{FileState, InvoiceNumbers, SampleOrder, write_samples};
use crate::fault::{Exit, Fault};

const MONDAY: Date = date(2026, 1, 5);

fn order(folder: &Path, days: u32, rows_per_day: u64, dirt: &str) -> SampleOrder {
    let dirt = dirt.parse().unwrap();
    SampleOrder { folder: folder.to_owned(), start: MONDAY, days, rows_per_day, seed: 7, dirt, force: false }
}

fn made(order: &SampleOrder) -> BTreeMap<String, Vec<u8>> {
    write_samples(order).unwrap();
    read_all(&order.folder)
}

fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Records of a file by the rules of RFC 4180, without the header.
fn records(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes).unwrap().strip_prefix(HEADER).unwrap();
    text.lines().map(fields).collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// The error rules of the retail pipeline, written independently of the generator.
fn breaks_a_rule(record: &[String]) -> bool {
    let [invoice, _, description, quantity, at, price, _, country] = record else { return true };
    let digits = invoice.strip_prefix(['A', 'C']).unwrap_or(invoice);
    let plain_price = price.chars().all(|c| c.is_ascii_digit() || c == '.') && price.parse::<f64>().is_ok();
    digits.len() != 6
        || !digits.chars().all(|c| c.is_ascii_digit())
        || description.trim().is_empty()
        || quantity.parse::<i64>().map_or(true, |q| q == 0)
        || !plain_price
        || country.is_empty()
        || jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S", at).and_then(|time| time.to_datetime()).is_err()
}

fn share(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}

#[test]
fn the_same_order_gives_the_same_bytes_and_days_can_be_added_later() {
    let folder = tempfile::tempdir().unwrap();
    let at_once = made(&order(&folder.path().join("at_once"), 4, 800, "0.02"));
    let again = made(&order(&folder.path().join("again"), 4, 800, "0.02"));
    assert_eq!(at_once, again);
    let two_calls = folder.path().join("two_calls");
    made(&order(&two_calls, 3, 800, "0.02"));
    let later = SampleOrder { start: date(2026, 1, 8), ..order(&two_calls, 1, 800, "0.02") };
    assert_eq!(made(&later), at_once);
    let other = made(&SampleOrder { seed: 8, ..order(&folder.path().join("other"), 4, 800, "0.02") });
    assert!(at_once.iter().all(|(name, bytes)| other[name] != *bytes));
}

#[test]
fn exactly_the_ordered_share_of_lines_is_broken() {
    let check = |rows: u64, dirt: &str, expected: usize| {
        let folder = tempfile::tempdir().unwrap();
        let files = made(&order(folder.path(), 1, rows, dirt));
        let records = records(&files["2026-01-05.csv"]);
        assert_eq!(records.len() as u64, rows, "rows of {rows} with dirt {dirt}");
        let broken = records.iter().filter(|record| breaks_a_rule(record)).count();
        assert_eq!(broken, expected, "broken lines of {rows} with dirt {dirt}");
    };
    check(5000, "0", 0);
    check(5000, "0.01", 50);
    check(3000, "0.35", 1050);
    check(333, "0.5", 167);
    check(200, "1", 200);
    check(1, "0", 0);
}

#[test]
fn dirt_changes_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let clean = made(&order(&folder.path().join("clean"), 1, 2000, "0"));
    let dirty = made(&order(&folder.path().join("dirty"), 1, 2000, "0.05"));
    let clean: HashSet<Vec<String>> = records(&clean["2026-01-05.csv"]).into_iter().collect();
    let dirty = records(&dirty["2026-01-05.csv"]);
    let kept = dirty.iter().filter(|record| clean.contains(*record)).count();
    assert_eq!(kept, 1900, "clean lines that are those of the clean file");
}

#[test]
fn every_kind_of_dirt_occurs() {
    let folder = tempfile::tempdir().unwrap();
    let files = made(&order(folder.path(), 1, 3000, "0.35"));
    let records = records(&files["2026-01-05.csv"]);
    let has = |what: &str, is: &dyn Fn(&[String]) -> bool| {
        assert!(records.iter().any(|record| is(record)), "no line with {what}");
    };
    let whole = |record: &[String], field: usize, is: &dyn Fn(&str) -> bool| record.len() == 8 && is(&record[field]);
    has("too few fields", &|r| r.len() < 8);
    has("too many fields", &|r| r.len() > 8);
    has("a missing description", &|r| whole(r, 2, &str::is_empty));
    has("a quantity of zero", &|r| whole(r, 3, &|q| q == "0"));
    has("an unreadable quantity", &|r| whole(r, 3, &|q| q.contains(char::is_alphabetic)));
    has("a thousands separator in the quantity", &|r| whole(r, 3, &|q| q == "1,200"));
    has("a negative price", &|r| whole(r, 5, &|p| p.starts_with('-')));
    has("a currency in the price", &|r| whole(r, 5, &|p| p.starts_with('£')));
    has("an impossible date", &|r| whole(r, 4, &|at| at.starts_with("2026-02-30")));
    has("another date format", &|r| whole(r, 4, &|at| at.contains('/')));
    has("a bad invoice number", &|r| whole(r, 0, &|number| number.starts_with("INV-")));
}

#[test]
fn generated_data_has_the_proportions_of_the_real_shop() {
    let folder = tempfile::tempdir().unwrap();
    let files = made(&order(folder.path(), 5, 4000, "0"));
    let all: Vec<Vec<String>> = files.values().flat_map(|bytes| records(bytes)).collect();
    let of = |is: &dyn Fn(&[String]) -> bool| share(all.iter().filter(|r| is(r)).count(), all.len());
    let within =
        |what: &str, value: f64, low: f64, high: f64| assert!((low..=high).contains(&value), "{what}: {value}");
    within("share without customer", of(&|r| r[6].is_empty()), 0.18, 0.32);
    within("share of the United Kingdom", of(&|r| r[7] == "United Kingdom"), 0.85, 0.95);
    within("share of cancelled lines", of(&|r| r[0].starts_with('C')), 0.004, 0.03);
    assert!(
        all.iter().all(|r| r[0].starts_with('C') == r[3].starts_with('-')),
        "cancelled lines and negative quantities"
    );
    let different: HashSet<&Vec<String>> = all.iter().collect();
    within("share of repeated lines", 1.0 - share(different.len(), all.len()), 0.004, 0.03);
    let invoices: HashSet<&str> = all.iter().map(|r| r[0].as_str()).collect();
    within("lines per invoice", share(all.len(), invoices.len()), 10.0, 30.0);
    assert!(all.iter().any(|r| r[2].contains(',')) && all.iter().any(|r| r[2].contains('"')), "quoted descriptions");
    assert!(
        all.iter().filter(|r| !r[6].is_empty()).all(|r| r[6].len() == 7 && r[6].ends_with(".0")),
        "customer numbers"
    );
    let mut homes: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for record in all.iter().filter(|r| !r[6].is_empty()) {
        homes.entry(&record[6]).or_default().insert(&record[7]);
    }
    assert!(homes.values().all(|countries| countries.len() == 1), "a customer lives in one country");
}

#[test]
fn a_cancellation_cancels_an_earlier_sale_of_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let files = made(&order(folder.path(), 1, 4000, "0"));
    let mut sold = HashSet::new();
    let mut cancelled = 0;
    for record in records(&files["2026-01-05.csv"]) {
        let what = (record[1].clone(), record[6].clone());
        if record[0].starts_with('C') && record[1] != "D" {
            cancelled += 1;
            assert!(sold.contains(&what), "{record:?} cancels what was not sold before");
        } else {
            sold.insert(what);
        }
    }
    assert!(cancelled > 10, "{cancelled} cancelled lines");
}

#[test]
fn invoice_numbers_have_six_digits_and_belong_to_one_day() {
    let check = |start: Date, days: u32, rows_per_day: u64| {
        let numbers = InvoiceNumbers::new(start, days, rows_per_day);
        let mut end = 100_000;
        for day in start.series(jiff::Span::new().days(1)).take(days as usize) {
            let range = numbers.of(day);
            assert!(
                range.start >= end && range.start < range.end && range.end <= 1_000_000,
                "{day}: {range:?} after {end}"
            );
            end = range.end;
        }
    };
    check(MONDAY, 5, 3_000);
    check(MONDAY, 2_000, 3_000);
    check(MONDAY, 2_000, 1_000_000_000);
    check(MONDAY, 4, 11_000_000);
    check(date(1999, 12, 31), 40, 50_000);
    check(date(2031, 2, 20), 30, 3_000);
    let (first, second) = (InvoiceNumbers::new(MONDAY, 5, 3_000), InvoiceNumbers::new(date(2026, 1, 10), 1, 3_000));
    assert_eq!(first.of(date(2026, 1, 9)).end, second.of(date(2026, 1, 10)).start);
}

#[test]
fn invoices_get_longer_when_numbers_are_scarce() {
    let folder = tempfile::tempdir().unwrap();
    let files = made(&SampleOrder { days: 1_999, rows_per_day: 20, ..order(folder.path(), 1, 20, "0") });
    assert_eq!(files.len(), 1_999);
    let catalogue = super::catalogue::Catalogue::new();
    let mut bytes = Vec::new();
    super::day::Day::new(&catalogue, 1, MONDAY, 200_000..200_003, 500, 0).write(&mut bytes).unwrap();
    let numbers: HashSet<String> =
        records(&bytes).into_iter().map(|r| r[0].trim_start_matches(['A', 'C']).to_owned()).collect();
    assert!(numbers.iter().all(|n| ["200000", "200001", "200002"].contains(&n.as_str())), "{numbers:?}");
}

#[test]
fn files_with_other_content_are_replaced_only_with_force() {
    let folder = tempfile::tempdir().unwrap();
    let one = order(folder.path(), 2, 100, "0");
    made(&one);
    let report = write_samples(&one).unwrap();
    assert!(report.files.iter().all(|file| file.state == FileState::Unchanged));
    assert_eq!((report.rows, report.dirt_lines), (200, 0));
    fs::remove_file(folder.path().join("2026-01-05.csv")).unwrap();
    let check = |content: &[u8]| {
        fs::write(folder.path().join("2026-01-06.csv"), content).unwrap();
        let error = write_samples(&one).unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().exit(), Exit::WrongUse);
        assert!(error.to_string().contains("2026-01-06.csv already exists with other content"), "{error}");
        assert_eq!(read_all(folder.path()).len(), 1, "nothing may be written");
    };
    check(b"");
    check(b"mine");
    check(&{
        let mut longer = Vec::new();
        let catalogue = super::catalogue::Catalogue::new();
        let numbers = InvoiceNumbers::new(MONDAY, 2, 100).of(date(2026, 1, 6));
        super::day::Day::new(&catalogue, 7, date(2026, 1, 6), numbers, 100, 0).write(&mut longer).unwrap();
        longer.push(b'\n');
        longer
    });
    let report = write_samples(&SampleOrder { force: true, ..one.clone() }).unwrap();
    assert!(report.files.iter().all(|file| file.state == FileState::Written));
    assert!(write_samples(&one).unwrap().files.iter().all(|file| file.state == FileState::Unchanged));
}

#[test]
fn shares_are_read_exactly() {
    let check = |text: &str, of_million: Option<u64>| {
        assert_eq!(text.parse::<super::Share>().ok().map(|share| share.of(1_000_000)), of_million, "{text}");
    };
    check("0", Some(0));
    check("1", Some(1_000_000));
    check("1.0", Some(1_000_000));
    check("0.01", Some(10_000));
    check("0.000001", Some(1));
    for text in ["", ".5", "1.000001", "-0.1", "5%", "1e-3", "0.0000001", "nan", "0,1", "9999999999"] {
        check(text, None);
    }
}
