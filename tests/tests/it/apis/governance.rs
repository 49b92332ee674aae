//! What is written down of accesses, what measurements and lineage show, what is left after rows were erased, and who may call at all.

use std::path::Path;

use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::SILVER;
use sluice_tests::served::{Answer, Served};

use super::{HIDDEN_VALUE, PORT, Shop};

const BASE: &str = "/data-products/sales/retail";
const TABLE: &str = "/sharing/shares/sales/schemas/retail/tables/transactions";

#[test]
fn every_access_leaves_one_event_with_its_decision_and_columns() {
    let shop = Shop::new();
    let tokens: Vec<(&str, String)> =
        ["owner", "analyst", "reader", "stranger"].into_iter().map(|name| (name, shop.token(name))).collect();
    let token = |name: &str| tokens.iter().find(|(known, _)| *known == name).map(|(_, token)| token.clone());
    let check = |asked: &str, call: &dyn Fn() -> Answer, decision: &str, expected: Value| {
        let before = shop.served.audit().len();
        let answer = call();
        let events = shop.served.audit();
        let events = &events[before..];
        assert_eq!(events.len(), 1, "{asked}: {events:?}");
        assert_eq!(events[0]["decision"], decision, "{asked}: {events:?}\n{answer}");
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&events[0][field], value, "{asked}: {field} of {events:?}");
        }
    };
    let get = |name: &str, path: &str, decision: &str, expected: Value| {
        check(&format!("{name}: {path}"), &|| shop.served.get(path, token(name).as_deref()), decision, expected);
    };
    let query = |name: &str, sql: &str, decision: &str, expected: Value| {
        let body = json!({ "sql": sql });
        check(
            &format!("{name}: {sql}"),
            &|| shop.served.post("/query", token(name).as_deref(), &body),
            decision,
            expected,
        );
    };
    let rows = format!("{BASE}/rows?port=transactions");
    get("owner", &format!("{rows}&limit=2&columns=country"), "allowed", json!({ "rows": 2, "columns": ["country"] }));
    let filtered = json!({ "columns": ["country", "customer_id:hash", "quantity"] });
    get(
        "analyst",
        &format!("{rows}&columns=country&order=quantity&filter=customer_id%20IS%20NULL"),
        "allowed",
        filtered,
    );
    let lineage = json!({ "columns": ["country", "_source_file"] });
    get("analyst", &format!("{rows}&columns=country,_source_file"), "allowed", lineage);
    get("stranger", &rows, "denied", json!({ "caller": "recipient:stranger", "port": "transactions" }));
    get("stranger", &format!("{BASE}/rows"), "denied", json!({ "product": "sales/retail" }));
    get("owner", &format!("{BASE}/rows"), "failed", json!({ "reason": "invalid-request" }));
    get("owner", &format!("{rows}&filter=nothing=1"), "failed", json!({ "reason": "invalid-sql" }));
    get("owner", &format!("{rows}&limit=0"), "failed", json!({ "port": "transactions" }));
    for page in ["", "/lineage", "/schema?port=transactions", "/quality?port=transactions"] {
        get("stranger", &format!("{BASE}{page}"), "denied", json!({ "door": "catalogue" }));
        get("owner", &format!("{BASE}{page}"), "allowed", json!({ "product": "sales/retail" }));
    }
    get("owner", "/data-products", "allowed", json!({ "operation": "list" }));
    get("owner", "/data-products?limit=0", "failed", json!({}));
    get("reader", &format!("{BASE}/contract?port=transactions"), "denied", json!({ "port": "transactions" }));
    get("nobody", &rows, "denied", json!({ "caller": "anonymous", "operation": "rows", "door": "rows" }));
    get("nobody", "/runs", "denied", json!({ "caller": "anonymous", "operation": "list", "door": "runs" }));
    get("owner", "/runs", "denied", json!({ "caller": "recipient:owner", "door": "runs" }));
    query(
        "owner",
        &format!("SELECT quantity FROM {PORT} WHERE country = 'France'"),
        "allowed",
        json!({ "columns": ["quantity", "country"] }),
    );
    query(
        "owner",
        &format!("SELECT COUNT(*) AS n FROM {PORT}"),
        "allowed",
        json!({ "rows": 1, "columns": Value::Null }),
    );
    query("owner", "SELEC", "failed", json!({ "operation": "query", "reason": "invalid-sql" }));
    query("owner", &format!("SELECT nothing FROM {PORT}"), "failed", json!({ "port": "transactions" }));
    query("stranger", &format!("SELECT quantity FROM {PORT}"), "denied", json!({ "port": "transactions" }));
    let joined = format!("SELECT COUNT(*) AS n FROM sales.retail.daily_revenue AS d CROSS JOIN {PORT} AS t");
    query("stranger", &joined, "denied", json!({ "port": "daily_revenue" }));
    get("owner", "/sharing/shares", "allowed", json!({ "operation": "shares" }));
    for path in ["/sharing/shares/sales", "/sharing/shares/sales/schemas", "/sharing/shares/sales/all-tables"] {
        get("stranger", path, "denied", json!({ "door": "sharing" }));
    }
    get("owner", "/sharing/shares/sales/schemas/none/tables", "denied", json!({ "operation": "tables" }));
    get("owner", &format!("{TABLE}/metadata"), "allowed", json!({ "operation": "metadata", "version": 0 }));
    get("stranger", &format!("{TABLE}/metadata"), "denied", json!({ "operation": "metadata" }));
    get("analyst", &format!("{TABLE}/changes?startingVersion=0"), "failed", json!({ "reason": "forbidden" }));
    let shared = shop.served.post(&format!("{TABLE}/query"), token("owner").as_deref(), &json!({})).expect(200).text();
    let files = shared.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let address = files.filter_map(|line| line["file"]["url"].as_str().map(str::to_owned)).next().unwrap();
    let file = json!({
        "caller": "recipient:owner", "door": "files", "operation": "file", "product": "sales/retail", "port": "transactions",
        "version": 0,
    });
    check("a file", &|| shop.served.get(&address, None), "allowed", file);
    let forged = format!("{}000", &address[..address.len() - 3]);
    check("a forged address", &|| shop.served.get(&forged, None), "denied", json!({ "caller": "anonymous" }));
    let foreign = json!({ "caller": "anonymous", "operation": "rows", "door": "rows" });
    let with = |name: &str, value: &str| shop.served.request("GET", &rows).header(name, value);
    let host = || shop.served.send(with("host", "attacker.example"));
    check("another host", &host, "denied", foreign.clone());
    let origin = || {
        let owner = token("owner").unwrap();
        shop.served.send(with("origin", "http://attacker.example").bearer_auth(owner))
    };
    check("a page of another server", &origin, "denied", foreign);
    // What names nothing of ours is no access.
    let before = shop.served.audit().len();
    let _ = shop.served.get("/openapi.json", None).expect(200);
    let _ = shop.served.get("/nowhere", None).expect(404);
    let _ = shop.served.send(shop.served.request("PUT", "/query")).expect(405);
    assert_eq!(shop.served.audit().len(), before);
    // A statement over two ports is an access to each.
    let _ = shop.served.post("/query", token("owner").as_deref(), &json!({ "sql": joined })).expect(200);
    let events = shop.served.audit();
    let ports: Vec<&str> = events[before..].iter().filter_map(|event| event["port"].as_str()).collect();
    assert_eq!(ports, ["daily_revenue", "transactions"]);
}

#[test]
fn what_cannot_be_written_down_is_not_answered() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        sluice_tests::skip("apis::governance", "this system has no /dev/full");
        return;
    }
    let shop = Shop::new();
    let served = Served::audited(&shop.lab, full);
    let token = shop.token("owner");
    let rows = format!("{BASE}/rows?port=transactions");
    for path in [rows.as_str(), "/data-products", "/sharing/shares"] {
        let answer = served.get(path, Some(&token)).expect(503);
        assert_eq!(answer.problem(), "unavailable", "{path}");
        assert!(!answer.text().contains("country"), "{path}: {answer}");
    }
    assert_eq!(served.get("/runs", Some(&token)).expect(503).problem(), "unavailable");
    let _ = served.get("/openapi.json", None).expect(200);
}

#[test]
fn measurements_of_columns_that_a_caller_does_not_read_as_they_are_are_not_shown() {
    let shop = Shop::new();
    let rules = |name: &str| {
        let page = shop.served.get(&format!("{BASE}/quality?port=transactions"), Some(&shop.token(name))).expect(200);
        let audit = page.json()["audits"][0].clone();
        let rules = audit["rules"].as_array().unwrap().clone();
        let observed =
            |rule: &str| rules.iter().find(|known| known["rule"] == rule).map(|known| known["observed"].clone());
        let shown = ["row_count", "customer_id_present", "unit_price.minimum", "control_total"].map(observed);
        let outcomes: Vec<Option<bool>> = rules.iter().map(|rule| rule["passed"].as_bool()).collect();
        (shown, audit["hidden_rules"].as_u64().unwrap(), (audit["score"].clone(), outcomes))
    };
    let (shown, hidden, (score, outcomes)) = rules("owner");
    assert!(shown.iter().all(|observed| observed.as_ref().is_some_and(Value::is_string)), "{shown:?}");
    assert!(hidden == 0 && score.as_str().is_some_and(|score| score.starts_with("100")), "{hidden} {score}");
    assert!(outcomes.iter().all(|passed| *passed == Some(true)), "{outcomes:?}");
    // Customers are hashed and prices null: whether the rules hold, and no more.
    let ([rows, customers, prices, total], hidden, _) = rules("analyst");
    assert!(rows.is_some_and(|rows| rows.is_string()) && total.is_some_and(|total| total.is_string()));
    assert_eq!((customers, prices, hidden), (Some(Value::Null), Some(Value::Null), 0));
    // Rows are held back and prices hidden: no number at all, and no rule about prices.
    let ([rows, customers, prices, total], hidden, (score, outcomes)) = rules("acme");
    assert_eq!((rows, customers, prices, total), (Some(Value::Null), Some(Value::Null), None, None));
    assert!(hidden > 1, "{hidden}");
    // Rows that are held back decide as well, so no outcome and no score.
    assert_eq!(score, Value::Null);
    assert!(!outcomes.is_empty() && outcomes.iter().all(Option::is_none), "{outcomes:?}");
}

#[test]
fn lineage_is_given_to_those_who_ask_for_it_by_name_and_see_all_rows() {
    let shop = Shop::new();
    let (owner, acme) = (shop.token("owner"), shop.token("acme"));
    let lineage = |answer: &Answer| answer.text().contains("_source_file");
    let rows = format!("{BASE}/rows?port=transactions&limit=1");
    let sql = |sql: &str| json!({ "sql": sql.replace("PORT", PORT) });
    for token in [&owner, &acme] {
        assert!(!lineage(&shop.served.get(&rows, Some(token)).expect(200)));
        assert!(!lineage(&shop.served.post("/query", Some(token), &sql("SELECT * FROM PORT")).expect(200)));
        assert!(!lineage(&shop.served.get(&format!("{TABLE}/metadata"), Some(token)).expect(200)));
    }
    let by_name = format!("{rows}&columns=quantity,_source_file");
    assert!(lineage(&shop.served.get(&by_name, Some(&owner)).expect(200)));
    assert!(lineage(&shop.served.post("/query", Some(&owner), &sql("SELECT _source_file FROM PORT")).expect(200)));
    // The number of a row in its file says how many are held back before it.
    for column in ["_source_file", "_source_row", "_run_id"] {
        let path = format!("{rows}&columns=quantity,{column}");
        assert_eq!(shop.served.get(&path, Some(&acme)).expect(400).problem(), "invalid-sql");
        let statement = sql(&format!("SELECT MAX({column}) AS m FROM PORT"));
        assert_eq!(shop.served.post("/query", Some(&acme), &statement).expect(400).problem(), "invalid-sql");
    }
}

#[test]
fn erased_rows_are_in_no_copy() {
    let shop = Shop::new();
    let token = shop.token("analyst");
    let of_first = |expected: u16| {
        shop.served.post(&format!("{TABLE}/query"), Some(&token), &json!({ "version": 0 })).expect(expected)
    };
    assert!(of_first(200).text().contains("/files/"));
    // Every row comes again with another description, and the files of the first version are cleaned up.
    std::fs::write(shop.lab.landing().join("day2.csv"), super::marked_rows().replace("2026-01-05", "2026-01-06"))
        .unwrap();
    let _ = shop.lab.run().expect(Outcome::Published);
    assert!(of_first(200).text().contains("/files/"), "the first version can still be read");
    let folder = shop.lab.lake().join(SILVER);
    let log = std::fs::read_to_string(folder.join("_delta_log/00000000000000000000.json")).unwrap();
    let actions = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut erased = 0;
    for path in actions.filter_map(|action| action["add"]["path"].as_str().map(str::to_owned)) {
        std::fs::remove_file(folder.join(path)).unwrap();
        erased += 1;
    }
    assert!(erased > 0);
    assert_eq!(of_first(410).problem(), "version-gone");
    let newest = shop.served.post(&format!("{TABLE}/query"), Some(&token), &json!({})).expect(200);
    assert!(newest.text().contains("/files/") && !newest.text().contains(HIDDEN_VALUE));
}

#[test]
fn pages_of_other_servers_get_no_answer_and_secrets_are_for_their_owner() {
    let shop = Shop::new();
    let token = shop.token("owner");
    let port = shop.served.endpoint().rsplit(':').next().unwrap().to_owned();
    let ask = |name: &str, value: &str| {
        shop.served.send(shop.served.request("GET", "/data-products").bearer_auth(&token).header(name, value))
    };
    for (name, value) in [("host", "attacker.example"), ("origin", "http://attacker.example"), ("origin", "null")] {
        assert_eq!(ask(name, value).expect(403).problem(), "forbidden", "{name}: {value}");
    }
    let own = ask("origin", &format!("http://localhost:{port}")).expect(200);
    assert_eq!(own.header("cache-control"), Some("private, no-store"));
    assert_eq!(own.header("x-content-type-options"), Some("nosniff"));
    #[cfg(unix)]
    for file in [shop.lab.lake().join("serve/secret.json"), shop.lab.folder().join("audit.jsonl")] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn runs_need_a_caller_with_a_right() {
    let shop = Shop::new();
    let (analyst, revoked) = (shop.token("analyst"), shop.token("former"));
    let _ = shop.lab.sluice(&["share", "revoke", "former"]).expect_code(0);
    let start = json!({ "pipeline": "retail" });
    for (token, status) in
        [(None, 401), (Some("nonsense"), 401), (Some(revoked.as_str()), 401), (Some(analyst.as_str()), 403)]
    {
        let send = |method: &str, path: &str| {
            let request = shop.served.request(method, path);
            shop.served.send(match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            })
        };
        for (method, path) in
            [("GET", "/runs"), ("GET", "/runs/none"), ("DELETE", "/runs/none"), ("POST", "/runs/none/redrive")]
        {
            let _ = send(method, path).expect(status);
        }
        let _ = shop.served.post("/process", token, &start).expect(status);
    }
    let operator = shop.token("ops");
    let private = shop.lab.folder().join("private");
    std::fs::create_dir_all(&private).unwrap();
    std::fs::write(private.join("key.txt"), "a-key-that-is-nobodys-business\n").unwrap();
    let elsewhere = json!({ "pipeline": "retail", "prefix": format!("file://{}/", private.display()) });
    assert_eq!(
        shop.served.post("/process?wait=15", Some(&operator), &elsewhere).expect(400).problem(),
        "invalid-request"
    );
    let landing = shop.lab.lake().join("landing/retail");
    std::fs::create_dir_all(&landing).unwrap();
    std::fs::write(landing.join("wrong.csv"), "a-key-that-is-nobodys-business,x\n1,2\n").unwrap();
    let ended = shop.served.post("/process?wait=25", Some(&operator), &start).expect(200);
    assert!(!ended.text().contains("nobodys-business"), "{ended}");
}
