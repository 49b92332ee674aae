//! Values that the SQL of a silver table cannot compute: their rows are quarantined by a rule of their own, the rest is published.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;

use crate::small::{GOLD, ORDERS, QUARANTINE, SILVER, TOTAL_COLUMNS, contract, lab, land, rows};

/// An order with a text from which the SQL computes, and the columns that are computed.
const COLUMNS: [&str; 4] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: name, logicalType: string",
    "name: amount, logicalType: number, physicalType: 'DECIMAL(6,2)', required: true",
    "name: parts, logicalType: string",
];

fn orders(sql: &str, quality: &[&str]) -> Lab {
    let spec = ORDERS
        .replace(
            "columns: { id: id, name: name, amount: amount, day: day }",
            "columns: { id: id, name: name, parts: parts }",
        )
        .replace("    mode: append", &format!("    sql: {sql}\n    mode: append"));
    let contracts =
        [("orders", contract("orders", &COLUMNS, quality)), ("totals", contract("totals", &TOTAL_COLUMNS, &[]))];
    lab(&spec, &contracts)
}

/// Nine good rows and one with these parts; what is quarantined, and how many rows silver has.
fn quarantined(sql: &str, quality: &[&str], parts: &str) -> (Vec<String>, usize) {
    let lab = orders(sql, quality);
    let good: String = (1..10).map(|id| format!("{id},ann,{id}\n")).collect();
    land(&lab, "a.csv", format!("id,name,parts\n{good}10,bob,{parts}\n"));
    let run = lab.run().expect(Outcome::Published);
    let silver = rows(&lab, SILVER, &["id"]).len();
    assert!(!rows(&lab, GOLD, &["name"]).is_empty(), "{run}");
    let is_quarantined = lab.tables().contains_key(QUARANTINE);
    let quarantined =
        if is_quarantined { rows(&lab, QUARANTINE, &["_source_row", "_broken_rules"]) } else { Vec::new() };
    (quarantined, silver)
}

#[test]
fn a_value_that_cannot_be_computed_costs_its_row() {
    let check = |amount: &str, parts: &str, reason: &str| {
        let sql = format!("SELECT id, name, parts, {amount} AS amount FROM bronze");
        let (quarantined, silver) = quarantined(&sql, &[], parts);
        assert_eq!(silver, 9, "{amount} of {parts}");
        let [row] = quarantined.as_slice() else { panic!("{amount} of {parts}: {quarantined:?}") };
        let start = "10|[{\"rule\":\"amount.computed\",\"column\":\"amount\",\"value\":\"";
        assert!(row.starts_with(start) && row.contains(reason), "{amount} of {parts}: {row}");
    };
    check("CAST(parts AS DECIMAL(6,2))", "NA", "'NA'");
    check("CAST(parts AS DECIMAL(6,2))", "1e3", "'1e3'");
    check("ROUND(CAST(parts AS DECIMAL(6,2)) / (10 - id), 2)", "5", "division by zero");
    let overflow = "CASE WHEN CAST(parts AS BIGINT) * 9223372036854775 > 0 THEN 1.00 ELSE 0.00 END";
    check(overflow, "2000", "leaves 64 bits");
    check("CAST(parts AS DECIMAL(9,2))", "99999", "does not fit DECIMAL(6,2)");
    check("CASE WHEN id > 5 THEN CAST(parts AS DECIMAL(6,2)) ELSE 0.00 END", "x", "'x'");
}

#[test]
fn a_branch_that_a_row_does_not_take_does_not_cost_it() {
    let check = |amount: &str, parts: &str| {
        let sql = format!("SELECT id, name, parts, {amount} AS amount FROM bronze");
        assert_eq!(quarantined(&sql, &[], parts), (Vec::new(), 10), "{amount} of {parts}");
    };
    check("CASE WHEN parts = 'NA' THEN 0.00 ELSE CAST(parts AS DECIMAL(6,2)) END", "NA");
    check("CASE WHEN id = 10 THEN 1.00 ELSE ROUND(CAST(parts AS DECIMAL(6,2)) / (10 - id), 2) END", "3");
    check("COALESCE(CASE WHEN id = 10 THEN 1.00 END, CAST(parts AS DECIMAL(6,2)))", "?");
}

#[test]
fn a_rule_that_cannot_be_computed_is_broken() {
    let sql = "SELECT id, name, parts, 1.00 AS amount FROM bronze";
    let rule = "id: positive_parts, type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE CAST(parts AS INT) <= 0', mustBe: 0";
    let (quarantined, silver) = quarantined(sql, &[rule], "NA");
    let broken = "10|[{\"rule\":\"positive_parts\",\"column\":null,\"value\":\"CAST: 'NA' is no INT\"}]";
    assert_eq!((quarantined, silver), (vec![broken.to_owned()], 9));
}
