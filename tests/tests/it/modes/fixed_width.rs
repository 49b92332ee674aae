//! Files of fixed width.

use sluice_core::run::Outcome;

use crate::small::{ORDERS, QUARANTINE, SILVER, land, orders_with, rows};

const COLUMNS: &str = "format: fixed_width, fixed_width: { columns: [{ name: id, width: 4 }, { name: name, width: 6 }, \
                       { name: amount, width: 8 }, { name: day, start: 20, width: 10 }], skip_lines: 1, comment: '*' }";

#[test]
fn lines_become_typed_rows_and_a_line_that_is_too_long_costs_its_row() {
    let lab = orders_with(&ORDERS.replace("format: csv", COLUMNS));
    let text = "id  name    amount day\r\n\
                \u{20}  1größe     1.50 2026-01-01\r\n\
                * a note\r\n\
                \u{20}  2b        -2.00\r\n\
                \r\n\
                \u{20}  3c         3.00 2026-01-03 and more\r\n\
                \u{20}  4d         four 2026-01-04\r\n";
    land(&lab, "a.txt", text);
    let run = lab.run().expect(Outcome::Published);
    let shown = ["id", "name", "amount", "day", "_source_row"];
    assert_eq!(rows(&lab, SILVER, &shown), ["1|größe|1.50|2026-01-01|1", "2|b|-2.00|NULL|2"], "{run}");
    assert_eq!(rows(&lab, QUARANTINE, &["_source_row"]), ["3", "4"]);
    let _ = lab.run().expect(Outcome::Skipped);
}
