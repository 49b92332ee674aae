//! Large objects that are read in byte ranges: wherever they are cut, the tables are those of one call.

use std::io::Write;
use std::thread;

use serde_json::{Value, json};
use sluice_core::error::ErrorName;
use sluice_core::run::{FoundRange, PartRef, Plan, Positions, ReadFrom, ReadPart, Reading};
use sluice_lake::steps;
use sluice_tests::content::{LakeContent, assert_same, wait};
use sluice_tests::files;
use sluice_tests::lab::Lab;
use sluice_tests::parity::engines::ranges;

use super::{part, planned, read_at_once, run};
use crate::modes::{MERGE, SCD2, spec};
use crate::small::{BRONZE, ORDERS, SILVER, Steps, assert_says, land_at, orders_with, rows};

/// Texts that quotes, line ends and a byte order mark make hard to cut.
const CSV: &str = "\u{feff}id,name,amount,day\r\n\
    1,\"a\r\nb\",1,2026-01-05\r\n\
    \r\n\
    2,\"he said \"\"x\"\"\n8,fake,8,2026-01-01\n9,fake,9,2026-01-01\n\",2,2026-01-06\r\n\
    3,c,3\r\n\
    x,d,4,2026-01-07\r\n\
    5,\"a record that is longer than most of the ranges, with, delimiters, and\n\nblank\n\nlines\",5,2026-01-08\r\n\
    2,newer,7,2026-01-09\r\n\
    6,é,6,2026-01-08";
/// Blank lines before the header, one name in quotes, and a line end behind the last record.
const CSV_LATE_HEADER: &str = "\n\r\n\n\"id\",\"name\",amount,day\n1,a,1,2026-01-05\n2,b,2,2026-01-06\n\n\n";
const HEADER_ALONE: &str = "id,name,amount,day\r\n";
const NDJSON: &str = "\n{\"id\": 1, \"name\": \"a\\nb\", \"amount\": 1, \"day\": \"2026-01-05\"}\r\n\
    \n\
    oops\n\
    {\"id\": 2, \"name\": \"a name that is longer than most of the ranges\", \"amount\": 2, \"day\": null, \
    \"more\": [1, 2]}\n\
    {\"id\": \"x\", \"amount\": 3}\n\
    {\"id\": 2, \"name\": \"newer\", \"amount\": 4, \"day\": \"2026-01-06\"}\n\
    {\"id\": 4, \"late\": true, \"amount\": 4, \"day\": \"2026-01-07\"}";

fn format(spec: &str, format: &str) -> String {
    spec.replace("format: csv", &format!("format: {format}"))
}

/// Plans a run whose objects have byte positions and these parts. Validate does so for objects of more than a megabyte.
fn plan_with(steps: &Steps, parts: &[Value]) -> Plan {
    let mut plan = steps.validate().unwrap();
    for planned in plan.objects.iter_mut().filter(|planned| planned.read_from == ReadFrom::Landing) {
        planned.positions = Positions::Bytes;
    }
    plan.cuts = serde_json::from_value(parts.into()).unwrap();
    assert!(plan.is_cut_right(), "{parts:?} of {} objects", plan.objects.len());
    wait(steps.lake.documents().of(&plan.run).replace(&plan)).unwrap();
    plan
}

/// The content after one call has read the same files, with the same positions.
fn by_one_call(lab: &Lab, spec: &str) -> LakeContent {
    let whole = orders_with(spec);
    files::copy_folder(&lab.landing(), &whole.landing());
    let steps = Steps::new(&whole);
    let plan = plan_with(&steps, &[]);
    let _ = steps.finish(&plan.run);
    whole.content()
}

/// The document of a part.
fn document(steps: &Steps, plan: &Plan, number: u32, reading: Reading) -> Option<ReadPart> {
    let of = PartRef { reading, ..PartRef::first(&plan.run, part(number)) };
    wait(steps.lake.documents().of(&of).get()).unwrap()
}

/// Which parts are read by calls of their own, before process: none, some, or all, in any order.
fn order(plan: &Plan, variant: usize) -> Vec<u32> {
    let all = 1..=u32::try_from(plan.cuts.count()).unwrap();
    match variant % 4 {
        0 => Vec::new(),
        1 => all.collect(),
        2 => all.rev().collect(),
        _ => all.rev().filter(|number| number % 3 != 1).flat_map(|number| [number, number]).collect(),
    }
}

/// One object, cut into ranges of so many bytes.
fn check(spec: &str, name: &str, text: &str, lengths: &[usize]) {
    let mut expected = None;
    for (variant, length) in lengths.iter().enumerate() {
        let lab = orders_with(spec);
        land_at(&lab, name, text, 0);
        let expected = expected.get_or_insert_with(|| by_one_call(&lab, spec));
        let steps = Steps::new(&lab);
        let plan = plan_with(&steps, &ranges((*length..text.len()).step_by(*length)));
        for number in order(&plan, variant) {
            // What a guess meets, process meets again if it is true.
            let _ = steps.read_part(&plan.run, part(number));
        }
        let _ = steps.finish(&plan.run);
        assert_same(expected, &lab.content(), &format!("{spec}{name} in ranges of {length} bytes"));
        assert!(steps.validate().unwrap().objects.is_empty(), "nothing is left");
    }
}

#[test]
fn csv_has_the_same_tables_wherever_it_is_cut() {
    check(&spec("mode: append"), "a.csv", CSV, &[1, 7, 13, 40, 41, 90, 200, 300]);
    check(&spec("mode: append"), "a.csv", CSV_LATE_HEADER, &[1, 2, 3, 4, 5, 20, 45]);
    check(&spec("mode: append"), "a.csv", HEADER_ALONE, &[1, 6, 19]);
    check(&spec("mode: append"), "a.csv", HEADER_ALONE.trim_end(), &[5, 17]);
}

#[test]
fn csv_without_a_header_and_with_comments_has_the_same_tables_wherever_it_is_cut() {
    let text = "Report, \"of\n# all,\"\n1,\"a\n# no comment\nb\",1,2026-01-05\n#,\"\n\n2,b,2,2026-01-06,\n\
        # a long, \"comment\nx,c\n3,c,3,2026-01-07\n#";
    let options =
        "header: absent, names: [id, name, amount, day], skip_lines: 1, comment: '#', trailing_delimiter: true";
    let spec = format(&spec("mode: append"), &format!("csv, csv: {{ {options} }}"));
    check(&spec, "a.csv", text, &[1, 2, 5, 13, 22, 60, 90]);
}

#[test]
fn csv_in_other_dialects_has_the_same_tables_wherever_it_is_cut() {
    let text = "id||name||amount||day~\n1||\"a~\n||b\\\"\"||1||2026-01-05~\n2||b~\n3||c||3||2026-01-07~\n4||d||4||~\n";
    let options = r#"delimiter: '||', record_end: "~\n", escape: '\'"#;
    let spec = format(&spec("mode: append"), &format!("csv, csv: {{ {options} }}"));
    check(&spec, "a.csv", text, &[1, 2, 5, 13, 22, 60, 90]);
}

#[test]
fn ndjson_has_the_same_tables_wherever_it_is_cut() {
    check(&format(&spec("mode: append"), "ndjson"), "a.ndjson", NDJSON, &[1, 5, 11, 30, 64, 100, 250, 390]);
}

#[test]
fn every_mode_has_the_same_tables_in_ranges() {
    for mode in [MERGE, SCD2, "mode: replace", "mode: replace\n    snapshot: folder"] {
        check(&spec(mode), "day/a.csv", CSV, &[9, 33, 60, 150]);
        check(&format(&spec(mode), "ndjson"), "day/a.ndjson", NDJSON, &[9, 33, 60, 150]);
    }
}

#[test]
fn places_are_bytes_of_the_object_in_rows_and_in_reasons() {
    let lab = orders_with(ORDERS);
    land_at(&lab, "a.csv", "id,name,amount,day\n1,a,1,2026-01-05\n2,b\n3,c,3,2026-01-05\n", 0);
    let steps = Steps::new(&lab);
    let plan = plan_with(&steps, &ranges([25, 37]));
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, BRONZE, &["id", "_source_row"]), ["1|19", "3|40", "NULL|36"]);
    let reasons = rows(&lab, BRONZE, &["_source_row", "_corrupt_reason"]);
    assert!(reasons.contains(&"36|byte 36 has 2 fields where the header has 4".to_owned()), "{reasons:?}");
}

/// Two texts that go on with the same bytes: what is quoted in one has records of its own in the other. Whoever reads
/// from there on alone takes both for the same, and is wrong about one.
#[test]
fn a_range_that_was_guessed_wrongly_is_read_again_from_where_it_begins() {
    let fakes = "8,fake,8,2026-01-01\n".repeat(20);
    let tail = format!("{fakes}\",1,2026-01-05\n2,\",x\",2,2026-01-06\n3,c,3,2026-01-07\n");
    let heads = ["id,name,amount,day\n1,\"0,z,0,2026-01-04\n", "id,name,amount,day\n1,0,0,2026-01-04\n"];
    for mode in ["mode: append", MERGE] {
        let mut again = 0;
        for head in heads {
            let lab = orders_with(&spec(mode));
            land_at(&lab, "a.csv", format!("{head}{tail}"), 0);
            let steps = Steps::new(&lab);
            let plan = plan_with(&steps, &ranges([head.len() + 5, head.len() + 47]));
            for number in [3, 2, 1] {
                let _ = steps.read_part(&plan.run, part(number)).unwrap();
            }
            let _ = steps.finish(&plan.run);
            again += (1..=3).filter(|number| document(&steps, &plan, *number, Reading::Again).is_some()).count();
            assert_same(&by_one_call(&lab, &spec(mode)), &lab.content(), &format!("{mode}: {head}"));
        }
        assert!(again > 0, "{mode}: no guess was wrong");
    }
}

#[test]
fn documents_of_ranges_say_where_their_records_are() {
    let lab = orders_with(ORDERS);
    let text = "id,name,amount,day\n1,a,1,2026-01-05\n2,b,2,2026-01-05\n3,c,3,2026-01-05\n";
    land_at(&lab, "a.csv", text, 0);
    let steps = Steps::new(&lab);
    let plan = plan_with(&steps, &ranges([20, 36, 40, 41]));
    let found: Vec<FoundRange> =
        (1..=5).map(|number| steps.read_part(&plan.run, part(number)).unwrap().found.unwrap()).collect();
    let at = |begin, end| FoundRange { begin, end };
    assert_eq!(found, [at(0, 36), at(36, 36), at(36, 53), at(53, 53), at(53, 70)]);
    let counts = |number| document(&steps, &plan, number, Reading::First).unwrap().rows();
    assert_eq!((1..=5).map(counts).collect::<Vec<_>>(), [1, 0, 1, 0, 1]);
    let _ = steps.finish(&plan.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2", "3"]);
}

#[test]
fn calls_at_the_same_time_make_one_result() {
    let lab = orders_with(&spec(MERGE));
    land_at(&lab, "a.csv", CSV, 0);
    let steps = Steps::new(&lab);
    let plan = plan_with(&steps, &ranges([50, 90, 100, 130, 220]));
    let (lake, run, now) = (&steps.lake, &plan.run, plan.planned_at);
    let both: Vec<_> = thread::scope(|scope| {
        for part in plan.cuts.numbers() {
            scope.spawn(move || drop(wait(steps::read_part(lake, now, run, part))));
        }
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| wait(steps::process(lake, now, run)).unwrap())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(both[0], both[1]);
    let _ = steps.finish(run);
    assert_same(&by_one_call(&lab, &spec(MERGE)), &lab.content(), "at the same time");
}

#[test]
fn whole_objects_and_ranges_of_others_are_one_run() {
    let lab = orders_with(ORDERS);
    for (name, text) in [("0.csv", "id,name,amount,day\n7,a,1,2026-01-05\n"), ("1.csv", CSV), ("2.csv", HEADER_ALONE)] {
        land_at(&lab, name, text, 0);
    }
    land_at(&lab, "3.csv", CSV_LATE_HEADER, 0);
    let steps = Steps::new(&lab);
    let parts = [vec![json!(1)], ranges([60, 61, 200]), vec![json!(1)], ranges([30])].concat();
    let plan = plan_with(&steps, &parts);
    for number in [7, 5, 3] {
        let _ = steps.read_part(&plan.run, part(number));
    }
    let _ = steps.finish(&plan.run);
    assert_same(&by_one_call(&lab, ORDERS), &lab.content(), "between whole objects");
}

/// The second of three objects is at fault, in one of its ranges. No range whose begin is a guess blames it, and
/// process holds it once.
fn check_fault(spec: &str, texts: [&str; 3], cut: &[usize], says: &str) {
    for first_reads in [true, false] {
        let lab = orders_with(spec);
        for (number, text) in texts.iter().enumerate() {
            land_at(&lab, format!("{number}.txt"), text, 0);
        }
        let steps = Steps::new(&lab);
        let plan = plan_with(&steps, &[vec![json!(1)], ranges(cut.iter().copied()), vec![json!(1)]].concat());
        // All but the first range of the object, which is no guess.
        for number in [1].into_iter().chain(3..=u32::try_from(plan.cuts.count()).unwrap()).filter(|_| first_reads) {
            if let Err(error) = steps.read_part(&plan.run, part(number)) {
                assert_ne!(error.name(), ErrorName::ObjectsHeld, "part {number}: {error}");
            }
        }
        assert!(lab.held().is_empty(), "{says}: a guess holds nothing");
        let error = steps.process(&plan.run).unwrap_err();
        assert_eq!(error.name(), ErrorName::ObjectsHeld, "{error}");
        assert_says(&error.to_string(), &["1.txt", says, "(held: "], "one object is held");
        assert_eq!(lab.held().len(), 1, "{says}");
        let next = steps.replan(&plan.run).unwrap();
        let _ = steps.finish(&next.run);
        assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "5"], "{says}, first_reads: {first_reads}");
    }
}

#[test]
fn an_object_at_fault_is_held_once_and_the_others_are_published() {
    let csv = |lines: &str| format!("id,name,amount,day\n{lines}");
    let (first, last) = (csv("1,a,1,2026-01-05\n"), csv("5,a,1,2026-01-05\n"));
    let unclosed = csv("2,a,1,2026-01-05\n3,a,1,2026-01-05\n4,\"never closed,1,2026-01-05\n9,a,1,2026-01-05\n");
    check_fault(ORDERS, [&first, &unclosed, &last], &[30, 60, 80], "never closed");
    check_fault(ORDERS, [&first, &unclosed, &last], &[80], "never closed");
    let json = |id: u32, key: &str, more: &str| {
        format!("{{\"id\": {id}, \"{key}\": \"a\", \"amount\": 1, \"day\": null{more}}}\n")
    };
    let ndjson = format(ORDERS, "ndjson");
    let (first, last) = (json(1, "name", ""), json(5, "name", ""));
    let other_case = [json(2, "name", ""), json(3, "name", ""), json(4, "NAME", "")].concat();
    check_fault(&ndjson, [&first, &other_case, &last], &[20, 70, 120], "`NAME`");
}

#[test]
fn a_key_in_several_cases_is_one_column_wherever_the_object_is_cut() {
    let record = |id: &str, name: &str, extra: &str| {
        format!("{{\"id\": {id}, \"{name}\": \"a\", \"amount\": 1, \"day\": null, \"{extra}\": {id}}}\n")
    };
    let unmapped = [record("1", "name", "extra"), record("2", "name", "Extra"), record("\"x\"", "name", "EXTRA")];
    let mapped = [record("1", "Name", "extra"), record("2", "name", "extra"), record("\"x\"", "NAME", "Extra")];
    for (case, records) in [("exact", &unmapped), ("ignore", &unmapped), ("ignore", &mapped)] {
        let text = records.concat();
        let mut expected = None;
        for cut in [vec![20], vec![records[0].len()], vec![records[0].len() + 5, records[0].len() + 90]] {
            for variant in 0..4 {
                let spec = format(ORDERS, &format!("ndjson, column_case: {case}"));
                let lab = orders_with(&spec);
                land_at(&lab, "a.ndjson", &text, 0);
                let expected = expected.get_or_insert_with(|| by_one_call(&lab, &spec));
                let steps = Steps::new(&lab);
                let plan = plan_with(&steps, &ranges(cut.iter().copied()));
                for number in order(&plan, variant) {
                    let _ = steps.read_part(&plan.run, part(number)).unwrap();
                }
                let _ = steps.finish(&plan.run);
                assert_eq!(rows(&lab, SILVER, &["id", "name"]), ["1|a", "2|a"], "{case}: {text} cut at {cut:?}");
                assert_same(expected, &lab.content(), &format!("{case}: {text} cut at {cut:?}"));
            }
        }
    }
}

#[test]
fn a_key_that_no_range_has_holds_the_object_once() {
    let spec = format(ORDERS, "ndjson");
    let lab = orders_with(&spec);
    let text = "{\"id\": 1, \"amount\": 2}\n{\"id\": 2, \"name\": \"b\", \"extra\": 3}\n{\"id\": 3}\n";
    land_at(&lab, "0.ndjson", text, 0);
    let steps = Steps::new(&lab);
    let plan = plan_with(&steps, &ranges([10, 30, 60]));
    for number in [3, 1, 2] {
        let _ = steps.read_part(&plan.run, part(number)).unwrap();
    }
    let error = steps.process(&plan.run).unwrap_err();
    assert_eq!(error.name(), ErrorName::ObjectsHeld);
    let says = ["0.ndjson' lacks column day; it has id, amount, name, extra (held: "];
    assert_says(&error.to_string(), &says, "one object with the keys of all its ranges");
    assert_eq!(lab.held().len(), 1);
}

#[test]
fn an_optional_column_that_another_object_has_is_null_in_every_range() {
    let older = "id,amount,day\n1,1,2026-01-05\n2,2,2026-01-05\nx,3,2026-01-05\n4,4,2026-01-06\n";
    for (variant, begins) in [vec![20], vec![5, 30, 40], vec![14, 29, 44]].into_iter().enumerate() {
        let lab = orders_with(ORDERS);
        land_at(&lab, "a.csv", older, 0);
        land_at(&lab, "b.csv", "id,name,amount,day\n9,b,9,2026-01-05\n", 0);
        let steps = Steps::new(&lab);
        let plan = plan_with(&steps, &[ranges(begins.clone()), ranges([])].concat());
        for number in order(&plan, variant) {
            let _ = steps.read_part(&plan.run, part(number)).unwrap();
        }
        let _ = steps.finish(&plan.run);
        let of_older: Vec<String> = rows(&lab, SILVER, &["name", "amount", "_source_file"])
            .into_iter()
            .filter(|row| row.ends_with("/a.csv"))
            .collect();
        assert!(of_older.len() == 3 && of_older.iter().all(|row| row.starts_with("NULL|")), "{of_older:?}");
        assert_same(&by_one_call(&lab, ORDERS), &lab.content(), &format!("{begins:?}"));
    }
}

#[test]
fn an_object_that_is_replaced_between_two_ranges_is_planned_again() {
    let text = |id: u32| format!("id,name,amount,day\n1,a,1,2026-01-05\n{id},b,2,2026-01-05\n");
    let lab = orders_with(ORDERS);
    land_at(&lab, "a.csv", text(2), 0);
    let steps = Steps::new(&lab);
    let plan = plan_with(&steps, &ranges([30]));
    let _ = steps.read_part(&plan.run, part(1)).unwrap();
    land_at(&lab, "a.csv", text(3), 1);
    assert_eq!(steps.read_part(&plan.run, part(2)).unwrap_err().name(), ErrorName::SourceChanged);
    assert_eq!(document(&steps, &plan, 2, Reading::First), None);
    assert_eq!(steps.process(&plan.run).unwrap_err().name(), ErrorName::SourceChanged);
    let next = steps.replan(&plan.run).unwrap();
    let _ = steps.finish(&next.run);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "3"]);
}

#[test]
fn rows_that_only_bronze_has_are_the_same_in_ranges() {
    for mode in ["mode: append", MERGE, SCD2] {
        for (variant, begins) in [vec![3], vec![1, 2, 3, 4, 5, 6], vec![2, 100], vec![100]].into_iter().enumerate() {
            let lab = orders_with(&spec(mode));
            land_at(&lab, "a.csv", CSV, 0);
            land_at(&lab, "b.csv", CSV_LATE_HEADER, 0);
            let steps = Steps::new(&lab);
            steps.die_after_bronze();
            let parts = [ranges(begins.clone()), ranges([2])].concat();
            let plan = plan_with(&steps, &parts);
            assert!(plan.objects.iter().all(|planned| planned.read_from == ReadFrom::Bronze));
            for number in order(&plan, variant) {
                assert_eq!(steps.read_part(&plan.run, part(number)).unwrap().found, None);
            }
            let _ = steps.finish(&plan.run);
            assert_same(&read_at_once(&lab, &spec(mode)), &lab.content(), &format!("{mode}: {begins:?}"));
        }
    }
}

/// Lines of more than a megabyte, with quoted line ends.
fn large() -> String {
    let name = "n".repeat(200);
    let line = |id: u32| format!("{id},\"{name}\n{id},x,1,2026-01-01\n\",{id}.5,2026-01-05\n");
    format!("id,name,amount,day\n{}", (0..6_000).map(line).collect::<String>())
}

#[test]
fn validate_cuts_a_large_text_into_ranges() {
    let of = |more: &str| format!("{ORDERS}parts: {{ ranges_from_mb: 1{more} }}\n");
    let lab = orders_with(&of(", size_mb: 1"));
    let text = large();
    land_at(&lab, "a.csv", &text, 0);
    let steps = Steps::new(&lab);
    // A megabyte more than its text, for opening it.
    let parts = (text.len() + 1_000_000).div_ceil(1_000_000);
    let changeset = run(&steps, parts);
    assert_eq!(changeset.tables[0].rows.staged, 6_000);
    assert_same(&read_at_once(&lab, &of("")), &lab.content(), "cut by validate");
    let places = rows(&lab, BRONZE, &["_source_row"]);
    assert!(places.contains(&"19".to_owned()) && !places.contains(&"1".to_owned()), "places are bytes");
}

#[test]
fn packed_text_is_read_as_a_whole_and_has_numbers() {
    let lab = orders_with(&format!("{ORDERS}parts: {{ size_mb: 1, ranges_from_mb: 1 }}\n"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(large().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() > 1_000_000);
    land_at(&lab, "a.csv", packed, 0);
    let steps = Steps::new(&lab);
    let plan = planned(&steps, 0);
    assert_eq!(plan.objects[0].positions, Positions::Numbers);
    let _ = steps.finish(&plan.run);
    assert!(rows(&lab, BRONZE, &["_source_row"]).contains(&"6000".to_owned()));
}

#[test]
fn sizes_that_no_range_can_have_are_refused() {
    for wrong in ["0", "1000001"] {
        let lab = orders_with(&format!("{ORDERS}parts: {{ ranges_from_mb: {wrong} }}\n"));
        let error = Steps::new(&lab).validate().unwrap_err();
        assert_eq!(error.name(), ErrorName::InvalidInput, "{error}");
        assert_says(&error.to_string(), &[&format!("ranges from {wrong} MB")], "a size out of bounds");
    }
}
