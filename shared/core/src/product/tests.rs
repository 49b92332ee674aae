//! Products and policies that are taken, and what is refused of them.

use super::*;
use crate::contract::Contract;

const CONTRACT: &str = "apiVersion: v3.2.0
kind: DataContract
id: orders
version: 1.0.0
status: active
slaProperties:
  - { property: latency, value: 4, unit: h }
schema:
  - name: orders
    properties:
      - { name: order_no, logicalType: string, classification: internal }
      - { name: customer, logicalType: string, classification: confidential }
      - { name: amount, logicalType: integer }
      - { name: paid, logicalType: integer, classification: restricted }
      - { name: on_day, logicalType: date, classification: confidential }
";
const PRODUCT: &str = "apiVersion: v1.0.0
kind: DataProduct
id: p-1
name: shop
domain: sales
version: 1.0.0
status: active
outputPorts:
  - { name: orders, version: 1.0.0, contractId: orders }
";
const POLICY: &str = "grants:
  - name: one
    principals: ['recipient:acme']
    doors: [rows]
    rows: amount > 1
";

fn resolve(product: &str, policy: Option<&str>) -> Result<RegisteredProduct, String> {
    let contract =
        Contract::parse(CONTRACT, "orders.odcs.yaml").and_then(|contract| contract.table(None)).expect("contract");
    let table = "silver/sales/orders".parse().expect("table");
    let offered = [Offered { table, contract, text: CONTRACT.to_owned() }];
    let policy = policy.map(|text| Source { origin: "shop.policy.yaml", text });
    let product = Source { origin: "shop.odps.yaml", text: product };
    let pipeline = "retail".parse().expect("name");
    RegisteredProduct::resolve(&pipeline, product, policy, &offered, jiff::Timestamp::UNIX_EPOCH)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_product_has_its_tables_promises_and_policy() {
    let product = resolve(PRODUCT, Some(POLICY)).expect("product");
    assert_eq!(product.product.to_string(), "sales/shop");
    let port = product.port(&"orders".parse().expect("name")).expect("port");
    assert_eq!(port.table.to_string(), "silver/sales/orders");
    let promised: Vec<String> = port.sla.iter().map(|level| format!("{} {}", level.property, level.value)).collect();
    assert_eq!(promised, ["latency 4"]);
    assert_eq!(product.policy.grants.len(), 1);
    let text = serde_json::to_string(&product).expect("json");
    assert_eq!(serde_json::from_str::<RegisteredProduct>(&text).ok(), Some(product));
    assert!(resolve(PRODUCT, None).expect("product").policy.grants.is_empty(), "without a policy nobody reads");
}

#[test]
fn invalid_products_are_refused_by_name() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(PRODUCT.contains(from), "{from}");
        let error = resolve(&PRODUCT.replace(from, to), Some(POLICY)).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    };
    check("kind: DataProduct", "kind: DataContract", "/kind");
    check("status: active", "status: active\nsurprise: 1", "surprise");
    check("name: shop\n", "", "`name` is missing");
    check("domain: sales", "domain: Sales Department", "'Sales Department' is no domain name");
    check("contractId: orders", "contractId: other", "no table of the pipeline has contract 'other'; there are orders");
    check("version: 1.0.0, contractId: orders", "version: 1.0.0", "contractId is missing");
    check("name: orders", "type: topic, name: orders", "only `tables` are served");
    check("name: orders", "name: Orders!", "'Orders!' is no output port name");
    check(
        "outputPorts:\n",
        "outputPorts:\n  - { name: orders, version: 2.0.0, contractId: orders }\n",
        "is listed twice",
    );
    check("id: p-1", "id: [", "shop.odps.yaml");
}

#[test]
fn invalid_policies_are_refused_by_name() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(POLICY.contains(from), "{from}");
        let error = resolve(PRODUCT, Some(&POLICY.replace(from, to))).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    };
    check("recipient:acme", "acme", "'acme' names no caller");
    check("doors: [rows]", "doors: []", "`principals` and `doors` must not be empty");
    check("doors: [rows]", "doors: [windows]", "windows");
    check("doors: [rows]", "doors: [rows]\n    ports: [other]", "no output port `other`");
    check("doors: [rows]", "doors: [rows]\n    columns: [other]", "no port of the grant has a column `other`");
    check("doors: [rows]", "doors: [rows]\n    masking: { internal: hash }", "masking of `internal` has no effect");
    check("doors: [rows]", "doors: [rows]\n    surprise: 1", "surprise");
    check(
        "doors: [rows]",
        "doors: [rows]\n    masking: { restricted: partial }",
        "masking of `restricted` is `partial`, which shows the end of texts, and the grant has none: `orders.paid`",
    );
    check(
        "doors: [rows]",
        "doors: [rows]\n    masking: { confidential: partial }\n    columns: [on_day]",
        "`orders.on_day`",
    );
    check("grants:", "salt: Not a name\ngrants:", "no salt name");
    check("amount > 1", "other > 1", "port `orders` has no column `other`");
    check("amount > 1", "SUM(amount) > 1", "aggregate SUM");
    check("amount > 1", "amount >", "rows:");
}

#[test]
fn columns_of_which_no_part_is_shown_are_named() {
    let policy = POLICY.replace("doors: [rows]", "doors: [rows]\n    masking: { confidential: partial }");
    let product = resolve(PRODUCT, Some(&policy)).expect("a class with a text among its columns");
    assert_eq!(product.without_parts(&product.policy.grants[0]), ["orders.on_day"]);
    let salted = resolve(PRODUCT, Some(&policy.replace("grants:", "salt: group\ngrants:"))).expect("salt");
    assert_eq!(salted.policy.salt.map(|salt| salt.to_string()).as_deref(), Some("group"));
}

/// The examples of the standard are for other platforms; they are read, and what is not possible here is named.
#[test]
fn official_examples_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs/odps");
    let Ok(text) = std::fs::read_to_string(folder.join("customer-data-product.odps.yaml")) else {
        eprintln!("skipped: ../shared/specs/odps is not there");
        return;
    };
    let error = resolve(&text, None).expect_err("ports of another platform");
    assert!(error.contains("no table of the pipeline has contract"), "{error}");
    assert!(error.contains("'Customer Data Product' is no data product name"), "{error}");
}
