//! Caller × port × class of column × access path: what each cell shows.

use std::io::Cursor;

use polars::prelude::{ParquetReader, SerReader};
use serde_json::{Value, json};

use super::{HIDDEN_NUMBER, HIDDEN_ROW, HIDDEN_VALUE, PORT, Shop};

/// A column of each class of `transactions`.
const COLUMNS: [&str; 4] = ["country", "quantity", "customer_id", "unit_price"];

#[test]
fn every_cell_of_the_matrix_shows_what_the_policy_says() {
    let shop = Shop::new();
    // Public, internal, confidential, restricted: clear, hash, partial, null, or hidden (-); or the refusal of the whole port.
    let check = |caller: &str, port: &str, path: &str, expected: &str| {
        let token = (caller != "nobody").then(|| shop.token(caller));
        let shown = match path {
            "rows" => rows(&shop, token.as_deref(), port),
            "query" => query(&shop, token.as_deref(), port),
            "sharing" => sharing(&shop, token.as_deref(), port),
            _ => catalogue(&shop, token.as_deref(), port),
        };
        assert_eq!(shown, expected, "{caller} reads {port} by {path}");
    };
    for path in ["rows", "query", "sharing", "catalogue"] {
        check("owner", "transactions", path, "clear clear clear clear");
        check("analyst", "transactions", path, "clear clear hash null");
        check("acme", "transactions", path, "clear clear partial -");
        check("former", "transactions", path, "404");
        check("stranger", "transactions", path, "404");
        check("nobody", "transactions", path, "401");
        check("acme", "daily_revenue", path, "404");
    }
    check("reader", "transactions", "rows", "clear - - -");
    check("reader", "transactions", "query", "403");
    check("reader", "transactions", "sharing", "403");
    check("reader", "transactions", "catalogue", "clear - - -");
    assert!(
        shop.served.audit().iter().any(|event| event["decision"] == "denied" && event["caller"] == "recipient:reader")
    );
    // Who tries and fails is written down, too.
    let token = shop.token("analyst");
    let by_zero = json!({ "sql": format!("SELECT 1 / (quantity - quantity) AS x FROM {PORT}") });
    let _ = shop.served.post("/query", Some(&token), &by_zero).expect(400);
    let _ = shop.served.get("/data-products/sales/retail/rows?port=transactions&version=99", Some(&token)).expect(404);
    for reason in ["invalid-sql", "not-found"] {
        assert!(
            shop.served.audit().iter().any(|event| {
                event["decision"] == "failed" && event["caller"] == "recipient:analyst" && event["reason"] == reason
            }),
            "no event of a failure by {reason}"
        );
    }
    let log = shop.served.log();
    assert!(!log.contains("X-Amz-Signature") && !log.contains(&shop.token("owner")), "a secret is in the log");
}

#[test]
fn rows_that_are_held_back_are_on_no_page_and_in_no_count() {
    let shop = Shop::new();
    let token = shop.token("acme");
    let answer =
        shop.served.post("/query", Some(&token), &json!({ "sql": format!("SELECT COUNT(*) AS n FROM {PORT}") }));
    assert_eq!(answer.expect(200).json()["rows"], json!([{ "n": 12 }]));
    // Twelve rows in pages of five, each once.
    let mut path = "/data-products/sales/retail/rows?limit=5&columns=quantity".to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = shop.served.get(&path, Some(&token)).expect(200).json();
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["quantity"].as_u64().unwrap()));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/data-products/sales/retail/rows?limit=5&columns=quantity&cursor={cursor}"),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!((pages, seen), (3, (1..=12).collect::<Vec<u64>>()));
    let page = shop.served.get("/data-products/sales/retail", Some(&token)).expect(200).json();
    assert_eq!(page["ports"][0]["table"]["rows"], Value::Null, "a count of hidden rows");
}

#[test]
fn conditions_mean_the_same_below_masks_as_without() {
    let shop = Shop::new();
    let (owner, analyst) = (shop.token("owner"), shop.token("analyst"));
    let values = |token: &str, filter: &str| {
        let path =
            "/data-products/sales/retail/rows?port=transactions&columns=quantity&order=quantity&limit=100&filter=";
        let page = shop
            .served
            .get(&format!("{path}{}", filter.replace('%', "%25").replace(' ', "%20")), Some(token))
            .expect(200)
            .json();
        let statement = format!("SELECT quantity FROM {PORT} WHERE {filter} ORDER BY quantity");
        let answer = shop.served.post("/query", Some(token), &json!({ "sql": statement })).expect(200).json();
        assert_eq!(page["rows"], answer["rows"], "{filter}");
        page["rows"].clone()
    };
    let check = |filter: &str, count: usize| {
        let seen = values(&analyst, filter);
        assert_eq!(seen.as_array().map(Vec::len), Some(count), "{filter}: {seen}");
        assert_eq!(seen, values(&owner, filter), "{filter}");
    };
    check("quantity > 3", 21);
    check("quantity > 3 AND country = 'France'", 9);
    check("quantity > 10 OR country = 'France'", 24);
    check("quantity > 3 AND customer_id IS NOT NULL", 21);
    check("NOT quantity > 3", 3);
    check("quantity BETWEEN 2 AND 5 AND quantity IN (4, 5, 6)", 2);
    // What the analyst reads as a hash is no number of a customer, below a condition on a clear column, too.
    assert_eq!(values(&analyst, "quantity > 3 AND customer_id LIKE 'SECRET%'"), json!([]));
    // And a condition on a column that reads as null is never true.
    assert_eq!(values(&analyst, "quantity > 3 AND unit_price > 0"), json!([]));
}

fn refusal(answer: &sluice_tests::served::Answer) -> Option<String> {
    (answer.status.as_u16() >= 400).then(|| {
        let _ = answer.problem();
        answer.status.as_u16().to_string()
    })
}

fn rows(shop: &Shop, token: Option<&str>, port: &str) -> String {
    let answer = shop.served.get(&format!("/data-products/sales/retail/rows?port={port}"), token);
    refusal(&answer).unwrap_or_else(|| forms(answer.json()["rows"].as_array().unwrap()))
}

fn query(shop: &Shop, token: Option<&str>, port: &str) -> String {
    let answer = shop.served.post("/query", token, &json!({ "sql": format!("SELECT * FROM sales.retail.{port}") }));
    refusal(&answer).unwrap_or_else(|| forms(answer.json()["rows"].as_array().unwrap()))
}

fn sharing(shop: &Shop, token: Option<&str>, port: &str) -> String {
    let base = format!("/sharing/shares/sales/schemas/retail/tables/{port}/query");
    let answer = shop.served.post(&base, token, &json!({}));
    if let Some(refused) = refusal(&answer) {
        return refused;
    }
    let mut rows = Vec::new();
    for line in answer.text().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(url) = line["file"]["url"].as_str() else { continue };
        let file = shop.served.get(url, None).expect(200).body;
        let frame = ParquetReader::new(Cursor::new(file)).finish().unwrap();
        for row in 0..frame.height() {
            let value = |name: &str| frame.column(name).ok().map(|column| column.get(row).unwrap().to_string());
            let cells = COLUMNS.iter().filter_map(|name| Some(((*name).to_owned(), cell(&value(name)?))));
            rows.push(Value::Object(cells.collect()));
        }
    }
    forms(&rows)
}

fn cell(text: &str) -> Value {
    if text == "null" { Value::Null } else { Value::String(text.trim_matches('"').to_owned()) }
}

fn catalogue(shop: &Shop, token: Option<&str>, port: &str) -> String {
    let answer = shop.served.get(&format!("/data-products/sales/retail/schema?port={port}"), token);
    refusal(&answer).unwrap_or_else(|| {
        let schema = answer.json();
        let of = |name: &str| {
            let columns = schema["columns"].as_array().unwrap();
            let found = columns.iter().find(|column| column["name"] == name);
            found.map_or("-".to_owned(), |column| column["treatment"].as_str().unwrap().to_owned())
        };
        COLUMNS.map(of).join(" ")
    })
}

/// The forms in which the columns stand in rows.
fn forms(rows: &[Value]) -> String {
    assert!(!rows.is_empty(), "no rows to compare");
    let form = |name: &str| {
        let values: Vec<&Value> = rows.iter().filter_map(|row| row.get(name)).collect();
        let texts: Vec<String> =
            values.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect();
        let all = |holds: &dyn Fn(&str) -> bool| texts.iter().all(|text| holds(text));
        let clear: &dyn Fn(&str) -> bool = match name {
            "country" => &|text| text == "France" || text == "Spain",
            "quantity" => &|text| text.parse::<u32>().is_ok(),
            "customer_id" => &|text| text.contains(HIDDEN_VALUE),
            _ => &|text| text.contains(HIDDEN_NUMBER),
        };
        if values.is_empty() {
            "-"
        } else if values.iter().all(|value| value.is_null()) {
            "null"
        } else if all(clear) {
            "clear"
        } else if all(&|text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())) {
            "hash"
        } else if all(&|text| text.starts_with("****")) {
            "partial"
        } else {
            panic!("{name} stands in no known form: {texts:?}")
        }
    };
    COLUMNS.map(form).join(" ")
}

#[test]
fn hidden_rows_are_in_no_copy_for_sharing() {
    let shop = Shop::new();
    let token = shop.token("acme");
    let shared = "/sharing/shares/sales/schemas/retail/tables/transactions/query";
    let answer = shop.served.post(shared, Some(&token), &json!({})).expect(200);
    for line in answer.text().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(url) = line["file"]["url"].as_str() else { continue };
        assert!(!url.contains("silver"), "the table's own file is handed out");
        let file = shop.served.get(url, None).expect(200);
        super::assert_nothing_hidden(&file, &[HIDDEN_ROW, HIDDEN_VALUE, HIDDEN_NUMBER], "the copy");
        // The address is good for this file alone, and only whole.
        let mut other = url.to_owned();
        other.truncate(url.len() - 1);
        assert_eq!(shop.served.get(&other, None).problem(), "forbidden");
    }
    let changes = "/sharing/shares/sales/schemas/retail/tables/transactions/changes?startingVersion=0";
    assert_eq!(shop.served.get(changes, Some(&token)).problem(), "forbidden");
}
