use sluice_core::contract::Contract;
use sluice_core::product::{Offered, Source};

use super::*;

const CONTRACT: &str = "apiVersion: v3.2.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - { name: country, logicalType: string, classification: internal }
      - { name: email, logicalType: string, classification: confidential }
      - { name: salary, logicalType: integer, classification: restricted }
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
  - name: owners
    principals: ['arn:aws:iam::123456789012:role/sales-data']
    doors: [rows, query, sharing]
    clearance: restricted
  - name: analysts
    principals: ['arn:aws:iam::123456789012:role/analyst', 'recipient:bi']
    doors: [rows, query]
    masking: { confidential: hash }
    rows: salary > 1
    purpose: <reports>
    expires: 2030-01-01T00:00:00Z
";

fn facts(reader: &str, sees_all: bool, asked: Option<&str>) -> AccessFacts {
    let contract = Contract::parse(CONTRACT, "c").and_then(|contract| contract.table(None)).unwrap();
    let offered = [Offered { table: "silver/sales/orders".parse().unwrap(), contract, text: CONTRACT.to_owned() }];
    let product = Source { origin: "shop.odps.yaml", text: PRODUCT };
    let policy = Some(Source { origin: "shop.policy.yaml", text: POLICY });
    let pipeline = "retail".parse().unwrap();
    let product = RegisteredProduct::resolve(&pipeline, product, policy, &offered, Timestamp::UNIX_EPOCH)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    AccessFacts {
        product,
        reader: reader.parse().unwrap(),
        sees_all,
        asked: asked.map(str::to_owned),
        now: "2026-01-05T06:00:00Z".parse().unwrap(),
    }
}

fn body(facts: &AccessFacts) -> String {
    page(facts).body.into_string()
}

#[test]
fn a_reader_sees_their_own_rights_alone() {
    let body = body(&facts("recipient:bi", false, Some("arn:aws:iam::123456789012:role/sales-data")));
    assert!(body.contains("<th scope=\"row\">email</th><td>confidential</td><td class=\"warn\">hashed</td>"), "{body}");
    assert!(body.contains("some rows; a condition holds the others back, under grant analysts"), "{body}");
    for hidden in ["salary", "owners", "sales-data", "<form"] {
        assert!(!body.contains(hidden), "{hidden} is in {body}");
    }
}

#[test]
fn who_may_control_runs_sees_every_grant_in_words() {
    let body = body(&facts("recipient:nobody", true, None));
    for part in [
        "Nothing: no grant",
        "owners: role sales-data of account 123456789012 may find, read rows, ask by SQL, read by Delta Sharing of \
         every table; all columns as they are.",
        "analysts: role analyst of account 123456789012, recipient bi may find, read rows, ask by SQL of every table; \
         columns of orders: country as they are; email hashed; salary hidden; only rows where salary &gt; 1; for \
         &lt;reports&gt;; until 2030-01-01 00:00:00 UTC.",
        "<th scope=\"row\">email</th><td>confidential</td><td>as it is</td><td class=\"warn\">hashed</td>",
        "<th scope=\"row\">salary</th><td>restricted</td><td>as it is</td><td class=\"bad\">hidden</td>",
    ] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
}

#[test]
fn what_somebody_would_see_is_what_the_policy_gives_them() {
    let check = |asked: &str, expected: &str| {
        let body = body(&facts("recipient:nobody", true, Some(asked)));
        assert!(body.contains(expected), "{asked}: {expected} is missing in {body}");
    };
    check("recipient:bi", "recipient bi would see:");
    check("recipient:bi", "rows where salary &gt; 1, under grant analysts, for &lt;reports&gt;.");
    check("recipient:other", "<p>recipient other would see:</p>\n<p>Nothing: no grant");
    check("<script>", "&#39;&lt;script&gt;&#39; names no caller");
}
