//! Names and shapes of tables: odd, wide, ragged, printed.

use serde_json::Value;
use sluice_core::run::Outcome;

use super::{SILVER, check, habit, init, lab, types};
use crate::small::{assert_says, held_by, land, rows};

#[test]
fn odd_names_and_shapes_run_without_an_edit() {
    let habits = [
        habit("one column", "a.csv", "city\nBonn\nUlm\n", &["city text"], &["Bonn", "Ulm"]),
        habit("all null", "a.csv", "id,x\n1,\n2,\n", &["id int64", "x text"], &["1|NULL", "2|NULL"]),
        habit("emoji", "a.csv", "😀,😀\n1,2\n3,4\n", &["column_1 int64", "c_2 int64"], &["1|2", "3|4"]),
        habit(
            "header with a line end",
            "a.csv",
            "\"Order\nid\",n\n1,2\n3,4\n",
            &["order_id int64", "n int64"],
            &["1|2", "3|4"],
        ),
        habit(
            "semicolons and texts with commas",
            "a.csv",
            "Id;Note\r\n1;a, b, c\r\n2;d, e, f\r\n",
            &["id int64", "note text"],
            &["1|a, b, c", "2|d, e, f"],
        ),
        habit(
            "percent and currency",
            "a.csv",
            "id,share,price\n1,5%,$3.50\n2,7%,$4.00\n",
            &["id int64", "share text", "price text"],
            &["1|5%|$3.50", "2|7%|$4.00"],
        ),
        habit(
            "ragged without header",
            "a.csv",
            "1,2,3\n2\n3,4,5\n",
            &["column_1 int64", "column_2 int64", "column_3 int64"],
            &["1|2|3", "2|NULL|NULL", "3|4|5"],
        ),
        habit(
            "zeros in front, and years",
            "a.csv",
            "code,year\n007,2019\n012,2020\n",
            &["code text", "year int64"],
            &["007|2019", "012|2020"],
        ),
        habit(
            "a name like that of a value of the file, CSV",
            "a.csv",
            "id,_source_file.name\n1,x\n2,y\n",
            &["id int64", "source_file_name text"],
            &["1|x", "2|y"],
        ),
        habit(
            "a name like that of a value of the file, NDJSON",
            "a.ndjson",
            "{\"id\":1,\"_source_file.name\":{\"a\":\"x\"}}\n{\"id\":2,\"_source_file.name\":null}\n",
            &["id int64", "source_file_name_a text"],
            &["1|x", "2|NULL"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn wide_files_and_long_names_keep_every_column() {
    let lab = lab();
    let mut header: Vec<String> = (0..299).map(|column| format!("c{column}")).collect();
    header.push("n".repeat(300));
    let row: Vec<String> = (0..300).map(|column| column.to_string()).collect();
    land(&lab, "a.csv", format!("{}\n{}\n", header.join(","), row.join(",")));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found).len(), 300);
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["c0", "c298", &"n".repeat(64)]), ["0|298|299"]);
}

#[test]
fn a_record_with_more_fields_than_the_header_is_announced() {
    let lab = lab();
    let records: String = (2..30).map(|id| format!("{id},b\n")).collect();
    land(&lab, "a.csv", format!("id,name\n1,a,x\n{records}"));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "name text"]);
    assert_says(&found["proposal"]["notes"].to_string(), &["1 record of", "quarantine"], "the long record");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (28, 1));
}

#[test]
fn a_few_odd_values_go_to_quarantine_and_are_shown_before() {
    let lab = lab();
    let records: String = (1..=99).map(|id| format!("{id},{id}.50\n")).collect();
    land(&lab, "a.csv", format!("id,amount\n{records}100,n/a?\n"));
    let found: Value = init(&lab, &[]).expect_code(0).page();
    let refused = &found["proposal"]["columns"][1]["refused"];
    assert_eq!((refused["count"].as_u64(), refused["record"].as_u64()), (Some(1), Some(100)), "{found:#}");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (99, 1));
}

/// Records of a printed table, framed by `begin` and `end`.
fn printed(begin: &str, between: &str, end: &str) -> String {
    (1..=20).map(|id| format!("{begin}{id:>3} {between} name{id} {end}\n")).collect()
}

#[test]
fn rulers_and_footers_of_printed_tables_are_no_rows() {
    let check = |what: &str, text: String, quarantined: u64| {
        let lab = lab();
        land(&lab, "a.txt", text);
        let found: Value = init(&lab, &[]).expect_code(0).page();
        assert_eq!(types(&found), ["id int64", "name text"], "{what}: {found:#}");
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(lab.rows(SILVER), 20, "{what}: {run}");
        let waiting = if quarantined == 0 { 0 } else { lab.rows("quarantine/main/t") };
        assert_eq!(waiting, quarantined, "{what}: {run}");
        assert_eq!(lab.tables().contains_key("quarantine/main/t"), quarantined > 0, "{what}");
    };
    let psql = format!("  id | name\n-----+--------\n{}(20 rows)\n\n", printed(" ", "|", ""));
    check("psql", psql, 0);
    let ruler = "+-----+--------+\n";
    let mysql = format!("{ruler}| id  | name   |\n{ruler}{}{ruler}", printed("|", "|", "|"));
    check("mysql", mysql, 0);
    let ruler = "----------------\n";
    let sap = format!("{ruler}|id   |name    |\n{ruler}{}{ruler}", printed("|", "|", "|"));
    check("SAP list", sap, 0);
    let records: String = (1..=20).map(|id| format!("{id},name{id}\n")).collect();
    check("sqlcmd", format!("id,name\n--,----\n{records}\n(20 rows affected)\n"), 0);
    check("Oracle", format!("id,name\n{records}\n20 rows selected.\n"), 1);
    check("Markdown", format!("| id | name |\n|----|:-----|\n{}", printed("|", "|", "|")), 0);
}

#[test]
fn a_footer_below_a_few_records_stops_nothing() {
    let lab = lab();
    land(&lab, "a.txt", "  id | name\n-----+------\n   1 | a\n   2 | b\n2 rows selected.\n\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_says(&found["proposal"]["notes"].to_string(), &["draws or counts"], "the footer");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!((lab.rows(SILVER), lab.rows("quarantine/main/t")), (2, 1), "{run}");
}

#[test]
fn a_title_with_a_delimiter_is_not_the_header() {
    let lab = lab();
    land(&lab, "a.csv", "Report:;2024\nid;amount\n1;2\n3;4\n");
    let found: Value = init(&lab, &[]).expect_code(0).page();
    assert_eq!(types(&found), ["id int64", "amount int64"], "{found:#}");
    assert_eq!(found["source"]["csv"]["skip_lines"], 1, "{found:#}");
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "amount"]), ["1|2", "3|4"]);
}

#[test]
fn a_file_without_its_footer_is_held_and_no_record_is_lost() {
    let lab = lab();
    land(&lab, "a.csv", "id,n\n1,2\n3,4\n(2 rows)\n");
    let _ = init(&lab, &[]).expect_code(0);
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "b.csv", "id,n\n5,6\n7,8\n");
    let run = lab.run();
    assert_says(&held_by(&run), &["b.csv", "last_lines_begin"], "the file");
    assert_eq!(rows(&lab, SILVER, &["id", "n"]), ["1|2", "3|4"]);
}

#[test]
fn escapes_of_a_dump_are_announced() {
    let check = |text: &str, says: &str| {
        let lab = lab();
        land(&lab, "a.tsv", text);
        let found: Value = init(&lab, &[]).expect_code(0).page();
        let evidence = found["source"]["evidence"].to_string();
        for other in ["stay two characters", "escapes copy"] {
            assert_eq!(evidence.contains(other), other == says, "{text:?}: {evidence}");
        }
    };
    check("id\tnote\n1\ta\\tb\n2\tc\\\\d\n", "escapes copy");
    check("id\tnote\n1\ta b\n2\t\\N\n", "escapes copy");
    // A path has these signs, too.
    check("id\tnote\n1\ta\\tb\n2\tc\n", "stay two characters");
    check("id\tnote\n1\ta b\n2\tc\n", "neither");
}
