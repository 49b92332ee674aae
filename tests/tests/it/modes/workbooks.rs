//! XLSX: sheets as a spreadsheet saves them become typed rows.

use sluice_core::run::Outcome;

use crate::small::{BRONZE, ORDERS, QUARANTINE, SILVER, assert_says, held_by, land, orders_with, rows};
use crate::workbook::{Workbook, rows_xml};

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];

fn spec(xlsx: &str) -> String {
    ORDERS.replace("format: csv", &format!("format: xlsx{xlsx}"))
}

/// The rows of an order list: a title, the header, two orders, and one whose amount is an error.
fn orders_sheet() -> Workbook {
    let text = |place: &str, text: &str| format!(r#"<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>"#);
    let rows = format!(
        r#"<row r="1">{}</row><row r="3">{}{}{}{}</row>
        <row r="4"><c r="A4"><v>1</v></c>{}<c r="C4"><v>1.5</v></c><c r="D4" s="1"><v>46023</v></c></row>
        <row r="5"><c r="A5"><v>2</v></c>{}<c r="C5"><v>-2</v></c></row>
        <row r="6"><c r="A6"><v>3</v></c>{}<c r="C6" t="e"><v>#N/A</v></c></row>"#,
        text("A1", "Orders of 2026"),
        text("A3", "id"),
        text("B3", "name"),
        text("C3", "amount"),
        text("D3", "day"),
        text("B4", "größe"),
        text("B5", "b"),
        text("B6", "c"),
    );
    Workbook::new().sheet("Orders", &rows).sheet("Notes", &rows_xml(&[&["nothing"]])).format("dd.mm.yyyy")
}

#[test]
fn typed_cells_become_typed_rows_and_an_error_costs_its_row() {
    for xlsx in [", xlsx: { skip_lines: 2 }", ", xlsx: { sheet: Orders, range: 'A3:D' }"] {
        let lab = orders_with(&spec(xlsx));
        land(&lab, "a.xlsx", orders_sheet().bytes());
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(rows(&lab, SILVER, &SHOWN), ["1|größe|1.50|2026-01-01|1", "2|b|-2.00|NULL|2"], "{xlsx}: {run}");
        assert_eq!(rows(&lab, BRONZE, &["amount", "day"]), ["#N/A|NULL", "-2|NULL", "1.5|2026-01-01"]);
        assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["3"]);
        let _ = lab.run().expect(Outcome::Skipped);
    }
}

#[test]
fn a_file_that_is_no_workbook_costs_that_file() {
    let lab = orders_with(&spec(", xlsx: { sheet: Orders, skip_lines: 2 }"));
    land(&lab, "a.xlsx", orders_sheet().bytes());
    land(&lab, "csv.xlsx", "id,name,amount,day\n1,a,1.00,\n");
    land(&lab, "other.xlsx", Workbook::new().sheet("Sheet1", &rows_xml(&[&["id"], &["1"]])).bytes());
    let lacking = rows_xml(&[&[], &[], &["id", "name"], &["1", "a"]]);
    land(&lab, "lacking.xlsx", Workbook::new().sheet("Orders", &lacking).bytes());
    let run = lab.run().expect(Outcome::Published);
    let held = held_by(&run);
    assert_says(&held, &["csv.xlsx", "is no zip archive"], "a text");
    assert_says(&held, &["other.xlsx", "sheet 'Orders' is missing; it has Sheet1"], "another sheet");
    assert_says(&held, &["lacking.xlsx", "lacks column amount"], "a required column");
    assert!(!held.contains("/a.xlsx"), "{held}");
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"], "{run}");
}
