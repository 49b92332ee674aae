//! Lists and objects: contract types `array` and `object`, from JSON texts to tables that other readers open.

use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;

use crate::small::{BRONZE, GOLD, ORDERS, Python, QUARANTINE, SILVER, assert_says, contract, lab, land, rows};

const ITEMS: &str = "name: items, logicalType: array, items: { logicalType: object, required: true, properties: [\
    { name: sku, logicalType: string, required: true }, \
    { name: price, logicalType: number, physicalType: 'DECIMAL(9,2)' }, \
    { name: sentOn, logicalType: date, logicalTypeOptions: { format: dd.MM.yyyy } }] }";
const CUSTOMER: &str = "name: customer, logicalType: object, properties: [\
    { name: name, logicalType: string }, { name: tags, logicalType: array, items: { logicalType: string } }]";
const ID: &str = "name: id, logicalType: integer, physicalType: BIGINT, required: true";

fn spec() -> String {
    let columns =
        ("{ id: id, name: name, amount: amount, day: day }", "{ id: id, customer: customer, items: $.order.items }");
    let spec = ORDERS.replace("format: csv", "format: ndjson").replace(columns.0, columns.1);
    let (before, _) = spec.split_once("SELECT").unwrap();
    format!("{before}SELECT id, items FROM silver.orders WHERE items IS NOT NULL\n")
}

fn orders(spec: &str) -> Lab {
    let totals = contract("totals", &[ID, ITEMS], &[]);
    lab(spec, &[("orders", contract("orders", &[ID, CUSTOMER, ITEMS], &[])), ("totals", totals)])
}

const LINES: &str = concat!(
    r#"{"id":1,"customer":{"name":"Ada","tags":["a",null],"age":7},"#,
    r#""order":{"items":[{"sku":"S1","price":2.5,"sentOn":"24.12.2025"}]}}"#,
    "\n",
    r#"{"id":2,"customer":null,"order":{"items":[]}}"#,
    "\n",
    r#"{"id":3,"customer":{"tags":[]},"order":{}}"#,
    "\n",
);
static ROWS: [&str; 3] = [
    r#"1|{"name":"Ada","tags":["a",null]}|[{"sku":"S1","price":"2.50","sentOn":"2025-12-24"}]"#,
    "2|NULL|[]",
    r#"3|{"name":null,"tags":[]}|NULL"#,
];

#[test]
fn lists_and_objects_are_stored_with_their_values() {
    let lab = orders(&spec());
    land(&lab, "a.ndjson", LINES);
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "customer", "items"]), ROWS, "{run}");
    // What the contract does not have is in bronze.
    assert_says(&rows(&lab, BRONZE, &["id", "customer"])[0], &[r#""age":7"#], "bronze");
    let gold = rows(&lab, GOLD, &["id", "items"]);
    assert_eq!(gold, [r#"1|[{"sku":"S1","price":"2.50","sentOn":"2025-12-24"}]"#, "2|[]"], "{run}");
}

#[test]
fn a_bad_value_inside_costs_its_row_and_is_named_by_its_place() {
    let lab = orders(&spec());
    let check_line = |items: &str| format!("{{\"id\":9,\"order\":{{\"items\":{items}}}}}\n");
    let bad = [
        (r#"[{"sku":"S1","price":"cheap"}]"#, "items[].price.readable"),
        (r#"[{"price":1}]"#, "items[].sku.required"),
        ("[null]", "items[].required"),
        (r#"{"sku":"S1"}"#, "items.readable"),
    ];
    let lines: String = bad.iter().map(|(items, _)| check_line(items)).collect();
    land(&lab, "a.ndjson", format!("{LINES}{lines}"));
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "customer", "items"]), ROWS, "{run}");
    let broken = rows(&lab, QUARANTINE, &["_broken_rules"]).join("\n");
    assert_eq!(lab.rows(QUARANTINE), bad.len() as u64, "{broken}");
    for (_, rule) in bad {
        assert_says(&broken, &[&format!("\"rule\":\"{rule}\"")], "quarantine");
    }
}

#[test]
fn merge_and_scd2_move_lists_along_and_compare_them_by_value() {
    for (mode, versions) in [("mode: merge\n    keys: [id]", 3), ("mode: scd2\n    keys: [id]", 4)] {
        let lab = orders(&spec().replace("mode: append", mode));
        land(&lab, "a.ndjson", LINES);
        let _ = lab.run().expect(Outcome::Published);
        // The first is the same again, the second has another list.
        let again = LINES.replace(r#""items":[]"#, r#""items":[{"sku":"S2"}]"#);
        land(&lab, "b.ndjson", again);
        let run = lab.run().expect(Outcome::Published);
        assert_eq!(lab.rows(SILVER), versions, "{mode}: {run}");
        let found = rows(&lab, SILVER, &["id", "items"]);
        assert!(found.contains(&r#"2|[{"sku":"S2","price":null,"sentOn":null}]"#.to_owned()), "{mode}: {found:?}");
    }
}

#[test]
fn other_readers_find_lists_and_structs() {
    let Some(python) = Python::or_skip("modes::inside::other_readers_find_lists_and_structs") else { return };
    let lab = orders(&spec());
    land(&lab, "a.ndjson", LINES);
    let _ = lab.run().expect(Outcome::Published);
    let table = lab.lake().join(SILVER);
    python.run(&format!(
        r#"
import datetime, decimal
from deltalake import DeltaTable
rows = DeltaTable(r"{}").to_pyarrow_table(columns=["id", "customer", "items"]).sort_by("id").to_pylist()
line = {{"sku": "S1", "price": decimal.Decimal("2.50"), "sentOn": datetime.date(2025, 12, 24)}}
assert rows == [
    {{"id": 1, "customer": {{"name": "Ada", "tags": ["a", None]}}, "items": [line]}},
    {{"id": 2, "customer": None, "items": []}},
    {{"id": 3, "customer": {{"name": None, "tags": []}}, "items": None}},
], rows
"#,
        table.display()
    ));
}

#[test]
fn what_cannot_work_is_refused_by_check() {
    let check = |from: &str, to: &str, expected: &str| {
        let changed = spec().replace(from, to);
        assert_ne!(changed, spec(), "{from}");
        let run = orders(&changed).run();
        assert_says(&run.to_string(), &[expected], to);
    };
    check("mode: append", "mode: merge\n    keys: [items]", "lists and objects cannot be keys");
    check("SELECT id, items", "SELECT DISTINCT id, items", "DISTINCT of a list or an object");
    check("items IS NOT NULL", "items = customer", "which is a list or an object");
    check("SELECT id, items FROM", "SELECT MAX(id) AS id, items FROM", "group");
}
