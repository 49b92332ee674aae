//! XML: elements become typed rows, as another implementation reads them.

use sluice_core::run::Outcome;
use sluice_tests::sluice::Run;

use crate::small::{
    BRONZE, ORDERS, Python, QUARANTINE, SILVER, assert_holds, assert_says, contract, lab, land, orders_with, rows,
};

const SHOWN: [&str; 5] = ["id", "name", "amount", "day", "_source_row"];
const FIRST: &str = "<?xml version='1.0'?>
<o:orders xmlns:o='urn:o'><o:order id='1'><who><name>größe</name></who><amount>1.50</amount><day>2026-01-01</day>
</o:order><o:order id='2'><who/><amount>-2.00</amount></o:order></o:orders>";

fn spec() -> String {
    let source = ORDERS.replace("format: csv", "format: xml, records: /orders/order");
    source.replace("id: id", "id: '@id'").replace("name: name", "name: '$.who.name'")
}

#[test]
fn elements_become_typed_rows() {
    let lab = orders_with(&spec());
    land(&lab, "a.xml", FIRST);
    let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><orders><order id='3'><who><name>\xF6</name></who>\
        <amount>3</amount></order></orders>";
    land(&lab, "b.xml", latin);
    let mut checks = lab.command(["check"]);
    checks.arg(lab.pipeline());
    let _ = Run::of(checks).expect_code(0);
    let run = lab.run().expect(Outcome::Published);
    let expected = ["1|größe|1.50|2026-01-01|1", "2|NULL|-2.00|NULL|2", "3|ö|3.00|NULL|1"];
    assert_eq!(rows(&lab, SILVER, &SHOWN), expected, "{run}");
    assert_eq!(rows(&lab, BRONZE, &["@id", "who"]), [r#"1|{"name":"größe"}"#, "2|", r#"3|{"name":"ö"}"#], "{run}");
    let _ = lab.run().expect(Outcome::Skipped);
}

#[test]
fn a_file_that_cannot_be_read_costs_that_file() {
    let lab = orders_with(&spec());
    land(&lab, "a.xml", FIRST);
    land(&lab, "cut.xml", &FIRST[..FIRST.len() - 20]);
    land(&lab, "bomb.xml", "<!DOCTYPE o [<!ENTITY a 'ha'>]><orders><order id='9'/></orders>");
    land(&lab, "other.xml", "<orders><item id='9'/></orders>");
    land(&lab, "csv.xml", "id,name\n9,x\n");
    let run = lab.run().expect(Outcome::Published);
    let held = [
        ("cut.xml", "not readable as XML"),
        ("bomb.xml", "definitions in brackets"),
        ("other.xml", "`/orders/order` is missing: `/orders` has item"),
        ("csv.xml", "text stands outside of the root element"),
    ];
    assert_holds(&run, &held);
    assert_eq!(rows(&lab, SILVER, &["id"]), ["1", "2"], "{run}");
}

#[test]
fn an_element_is_read_by_a_number_in_all_paths_or_in_none() {
    let check = |name: &str, day: &str, code: i32, says: &[&str]| {
        let spec = spec().replace("'$.who.name'", &format!("'{name}'")).replace("day: day", &format!("day: '{day}'"));
        let lab = orders_with(&spec);
        let mut command = lab.command(["check"]);
        command.arg(lab.pipeline()).arg("--json");
        let run = Run::of(command).expect_code(code);
        assert_says(&run.stdout, says, &format!("{name} and {day}"));
    };
    check("$.who[0].name", "$.who.born", 1, &["`name` and `day` reads `who` by a number", "in both paths"]);
    check("$.who.dates.name", "$.who.dates[0]", 1, &["`name` and `day` reads `who.dates` by a number"]);
    check("$.who[0].name", "$.who[1].born", 0, &[]);
    check("$.who.name", "$.who.born[0]", 0, &[]);
}

/// Orders whose tags, lines and the codes of these are arrays.
const ARRAYS: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: xml, records: /orders/order }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { id: '@id', tag: tag, lines: $.lines.line }
    mode: append
    gate: { quarantined_percent_below: none }
";

/// The columns of [`ARRAYS`].
const ARRAY_COLUMNS: [&str; 3] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: tag, logicalType: array, items: { logicalType: string }",
    "name: lines, logicalType: array, items: { logicalType: object, properties: [\
        { name: sku, logicalType: string }, { name: codes, logicalType: array, items: { logicalType: string } },\
        { name: box, logicalType: object, properties: [\
            { name: label, logicalType: array, items: { logicalType: string } }] }] }",
];

#[test]
fn an_element_of_an_array_that_occurs_once_is_a_list_of_one_at_any_depth() {
    let lab = lab(ARRAYS, &[("orders", contract("orders", &ARRAY_COLUMNS, &[]))]);
    let line = |sku: &str, inside: &str| format!("<line><sku>{sku}</sku>{inside}</line>");
    let codes = "<codes>2</codes><codes>3</codes>";
    let orders = [
        format!("<tag>a</tag><lines>{}</lines>", line("x", "<codes>1</codes><box><label>l</label></box>")),
        format!("<tag>b</tag><tag>[1]</tag><lines>{}{}</lines>", line("y", codes), line("z", "")),
        "<tag>[2]</tag>".to_owned(),
        "<lines/>".to_owned(),
    ];
    let orders = (1..).zip(orders).map(|(id, inside)| format!("<order id='{id}'>{inside}</order>")).collect::<String>();
    land(&lab, "a.xml", format!("<orders>{orders}</orders>"));
    let run = lab.run().expect(Outcome::Published);
    let expected = [
        r#"1|["a"]|[{"sku":"x","codes":["1"],"box":{"label":["l"]}}]"#,
        r#"2|["b","[1]"]|[{"sku":"y","codes":["2","3"],"box":null},{"sku":"z","codes":null,"box":null}]"#,
        r#"3|["[2]"]|NULL"#,
        "4|NULL|NULL",
    ];
    assert_eq!(rows(&lab, SILVER, &["id", "tag", "lines"]), expected, "{run}");
    assert_eq!(lab.rows(QUARANTINE), 0, "{run}");
}

#[test]
fn what_was_read_before_a_column_was_an_array_is_a_list_of_one_too() {
    let lines = "tag: tag, lines: $.lines.line }";
    let ids = contract("orders", &ARRAY_COLUMNS[..1], &[]);
    let both = contract("arrays", &ARRAY_COLUMNS, &[]);
    let before = ARRAYS.replace(&format!("id: '@id', {lines}"), "id: '@id' }");
    let lab = lab(&before, &[("orders", ids), ("arrays", both)]);
    let order = |id: u32| {
        format!("<orders><order id='{id}'><tag>a</tag><lines><line><sku>x</sku></line></lines></order></orders>")
    };
    land(&lab, "a.xml", order(1));
    let _ = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, BRONZE, &["@id", "tag"]), ["1|a"]);
    let table = ARRAYS.replace("table: orders\n    contract", "table: arrays\n    contract");
    let table = table.replace("contracts/orders.yaml", "contracts/arrays.yaml");
    std::fs::write(lab.pipeline().join("pipeline.yaml"), table).unwrap();
    land(&lab, "b.xml", order(2));
    let run = lab.run().expect(Outcome::Published);
    let expected = [1, 2].map(|id| format!(r#"{id}|["a"]|[{{"sku":"x","codes":null,"box":null}}]"#));
    assert_eq!(rows(&lab, "silver/sales/arrays", &["id", "tag", "lines"]), expected, "{run}");
}

#[test]
fn a_value_of_json_is_no_list_of_one() {
    let spec = ARRAYS.replace("format: xml, records: /orders/order", "format: ndjson").replace("'@id'", "id");
    let lab = lab(&spec, &[("orders", contract("orders", &ARRAY_COLUMNS, &[]))]);
    land(&lab, "a.json", "{\"id\":1,\"tag\":\"a\"}\n{\"id\":2,\"tag\":[\"a\"],\"lines\":{}}\n");
    let run = lab.run().expect(Outcome::Published);
    assert_eq!(rows(&lab, SILVER, &["id", "tag"]), [r#"2|["a"]"#], "{run}");
    assert_eq!(lab.rows(QUARANTINE), 1, "{run}");
}

#[test]
fn an_element_is_an_array_for_all_columns_or_for_none() {
    let check = |more: &str, column: &str, code: i32, says: &[&str]| {
        let spec = ARRAYS.replace("lines: $.lines.line }", &format!("lines: $.lines.line, {more} }}"));
        let columns = [&ARRAY_COLUMNS[..], &[column]].concat();
        let lab = lab(&spec, &[("orders", contract("orders", &columns, &[]))]);
        let mut command = lab.command(["check"]);
        command.arg(lab.pipeline()).arg("--json");
        let run = Run::of(command).expect_code(code);
        assert_says(&run.stdout, says, more);
    };
    let first = "name: first, logicalType: string";
    check("first: '$.lines.line[0].sku'", first, 0, &[]);
    check("first: '$.tag[0]'", first, 0, &[]);
    check("first: $.lines.line.sku", first, 1, &["`lines` and `first` reads `lines.line`", "or as an array"]);
    check("first: tag", "name: first, logicalType: integer", 1, &["`tag` and `first` reads `tag`"]);
    check("first: tag", first, 0, &[]);
    let lists = "name: first, logicalType: array, items: { logicalType: array, items: { logicalType: string } }";
    check("first: other", lists, 1, &["`first` reads `other` as a list of lists"]);
    let of_number = "name: first, logicalType: array, items: { logicalType: string }";
    check("first: '$.other[0]'", of_number, 1, &["`first` reads `other` as a list of lists"]);
}

/// Writes files with ElementTree into `folder`, in several encodings, and a CSV file with what it reads from each.
const ELEMENT_TREE: &str = "
import csv, xml.etree.ElementTree as E
names = ['ann', 'b <c> & \"d\"', 'größe', ' two\\nlines\\t', 'x]]>y', '€ & ü']
root = E.Element('{urn:o}orders')
for number, name in enumerate(names, 1):
    order = E.SubElement(root, '{urn:o}order', id=str(number), note=name)
    E.SubElement(E.SubElement(order, 'who'), 'name').text = name
    E.SubElement(order, 'amount').text = '%d.50' % number
    E.SubElement(order, 'day').text = '2026-01-0%d' % number
for encoding in ['utf-8', 'utf-16', 'iso-8859-15', 'us-ascii']:
    path = f'{folder}/{encoding}.xml'
    E.ElementTree(root).write(path, encoding=encoding, xml_declaration=True)
    for order in E.parse(path).getroot():
        name = order.find('who/name').text
        assert name == order.get('note') == names[int(order.get('id')) - 1], (encoding, name)
";

#[test]
fn files_of_element_tree_have_the_texts_that_it_reads() {
    let Some(python) = Python::or_skip("modes::xml::files_of_element_tree_have_the_texts_that_it_reads") else {
        return;
    };
    let lab = orders_with(&spec());
    python.run(&format!("folder = {:?}\n{ELEMENT_TREE}", lab.landing().display().to_string()));
    let run = lab.run().expect(Outcome::Published);
    let names = ["ann", "b <c> & \"d\"", "größe", " two\nlines\t", "x]]>y", "€ & ü"];
    let found = rows(&lab, BRONZE, &["@id", "@note"]);
    assert_eq!(found.len(), 4 * names.len(), "{run}");
    for (index, name) in names.iter().enumerate() {
        let row = format!("{}|{name}", index + 1);
        assert_eq!(found.iter().filter(|found| **found == row).count(), 4, "{row}: {found:?}");
    }
    let amounts = rows(&lab, SILVER, &["id", "amount"]);
    assert_eq!(amounts.iter().filter(|row| *row == "2|2.50").count(), 4, "{amounts:?}");
}
