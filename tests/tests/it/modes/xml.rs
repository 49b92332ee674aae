//! XML: elements become typed rows, as another implementation reads them.

use sluice_core::run::Outcome;
use sluice_tests::sluice::Run;

use crate::small::{BRONZE, ORDERS, Python, SILVER, assert_holds, assert_says, land, orders_with, rows};

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
