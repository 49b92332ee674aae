use std::collections::BTreeMap;

use sluice_core::pipeline::Pipeline;
use sluice_core::spec::PipelineSpec;

use super::*;

const SPEC: &str = "
pipeline: shop
domain: sales
source: {prefix: landing/shop, format: csv}
bronze: {table: orders}
silver:
  - {table: orders, contract: orders.yaml, columns: {city: 'C&<i>ty', amount: Amount}, mode: append}
gold:
  - {table: cities, contract: cities.yaml, sql: 'SELECT city, SUM(amount) AS amount FROM silver.orders GROUP BY city'}
";

fn lineage() -> Lineage {
    let contract = |table: &str| {
        let columns = "{name: city, logicalType: string}, {name: amount, logicalType: integer}";
        let head = format!("apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nversion: 1.0.0\nstatus: active\n");
        format!("{head}schema: [{{name: {table}, properties: [{columns}]}}]\n")
    };
    let contracts = ["orders", "cities"]
        .into_iter()
        .map(|table| (format!("{table}.yaml").parse().unwrap(), contract(table)))
        .collect::<BTreeMap<_, _>>();
    let spec = PipelineSpec::parse(SPEC, "pipeline.yaml").unwrap();
    let pipeline = Pipeline::resolve_untyped(&spec, &contracts).unwrap_or_else(|problems| panic!("{problems:?}"));
    sluice_core::lineage::of(&[pipeline])
}

fn facts(of: Option<&str>) -> LineageFacts {
    let lineage = lineage();
    LineageFacts {
        of: of.map(|name| lineage.find(name).unwrap()),
        lineage,
        unknown: None,
        sources: vec![SourceOf {
            pipeline: "shop".parse().unwrap(),
            prefix: "landing/shop".to_owned(),
            bronze: "bronze/sales/orders".parse().unwrap(),
        }],
        products: vec![ProductOf {
            product: "sales/retail".parse().unwrap(),
            port: "cities".parse().unwrap(),
            table: "gold/sales/cities".parse().unwrap(),
        }],
    }
}

fn body(facts: &LineageFacts) -> String {
    page(facts).body.into_string()
}

#[test]
fn a_page_shows_both_sides_of_what_it_is_about() {
    let check = |of: Option<&str>, parts: &[&str]| {
        let body = body(&facts(of));
        for part in parts {
            assert!(body.contains(part), "{of:?}: {part} is missing in {body}");
        }
    };
    check(
        None,
        &[
            "<text x=\"10\" y=\"20\">landing/shop</text>",
            "href=\"/console/sources/shop\"",
            "href=\"/console/products/sales/retail\"",
            "href=\"/console/lineage?of=silver/sales/orders\"",
        ],
    );
    check(
        Some("silver/sales/orders.amount"),
        &[
            "href=\"/console/lineage?of=bronze/sales/orders.Amount\"",
            "href=\"/console/lineage?of=gold/sales/cities.amount\"",
            "<td>direct aggregation</td>",
            "<td>columns amount</td>",
            "href=\"/console/products/sales/retail/cities\"",
        ],
    );
    check(Some("silver/sales/orders.city"), &["<td>decides which rows it has</td>", "<td>indirect group by</td>"]);
    check(
        Some("gold/sales/cities"),
        &["class=\"node changed\"", "Lineage of the table", "<td>offers gold/sales/cities</td>"],
    );
}

#[test]
fn names_of_source_columns_are_escaped() {
    let body = body(&facts(Some("silver/sales/orders.city")));
    assert!(!body.contains("<i>") && body.contains("C&amp;&lt;i&gt;ty"), "{body}");
    assert!(body.contains("href=\"/console/lineage?of=bronze/sales/orders.C%26%3Ci%3Ety\""), "{body}");
}

#[test]
fn what_is_not_known_is_said() {
    let mut unknown = facts(None);
    unknown.unknown = Some("no table is called '<b>'".to_owned());
    assert!(body(&unknown).contains("no table is called &#39;&lt;b&gt;&#39;"));
    let empty = body(&LineageFacts::default());
    assert!(empty.contains("No table is known to you yet") && !empty.contains("<svg"), "{empty}");
}
