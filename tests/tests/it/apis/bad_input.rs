//! What is no request: each a problem with its code, and the server stays up.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use sluice_core::run::Outcome;
use sluice_tests::files::copy_files;
use sluice_tests::lab::{DAILY_REVENUE, Lab, SILVER, Sample};
use sluice_tests::served::Served;
use sluice_tests::sluice::Run;

use super::{PORT, Shop};

#[test]
fn every_wrong_request_is_a_problem_with_its_code() {
    let shop = Shop::new();
    let (served, token) = (&shop.served, shop.token("analyst"));
    let get = |path: &str, status: u16, code: &str| {
        let answer = served.get(path, Some(&token)).expect(status);
        assert_eq!(answer.problem(), code, "{path}");
    };
    let base = "/data-products/sales/retail";
    get("/nowhere", 404, "not-found");
    get("/data-products/sales/none", 404, "not-found");
    get("/data-products/Sales/..%2Fx", 404, "not-found");
    get("/data-products?limit=0", 400, "invalid-request");
    get("/data-products?limit=many", 400, "invalid-request");
    get("/data-products?surprise=1", 400, "invalid-request");
    get("/data-products?cursor=zz", 400, "invalid-cursor");
    get(&format!("{base}/rows"), 400, "invalid-request");
    get(&format!("{base}/rows?port=none"), 404, "not-found");
    get(&format!("{base}/rows?port=transactions&limit=0"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&limit=10001"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&limit=99999999999999999999"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&columns=,"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&filter=DROP"), 400, "invalid-sql");
    get(&format!("{base}/rows?port=transactions&filter=quantity"), 400, "invalid-sql");
    get(&format!("{base}/rows?port=transactions&version=99"), 404, "not-found");
    get(&format!("{base}/rows?port=transactions&version=-1"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&as_of=1970-01-01T00:00:00Z"), 404, "not-found");
    get(&format!("{base}/rows?port=transactions&as_of=yesterday"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&version=0&as_of=2026-01-01T00:00:00Z"), 400, "invalid-request");
    get(&format!("{base}/rows?port=transactions&format=xml"), 400, "invalid-request");
    get("/sharing/shares/none", 404, "not-found");
    get("/files/x?X-Amz-Signature=y", 403, "forbidden");

    // A cursor of another table and of another question.
    let page = served.get(&format!("{base}/rows?port=transactions&limit=1"), Some(&token)).expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    get(&format!("{base}/rows?port=daily_revenue&limit=1&cursor={cursor}"), 400, "invalid-cursor");
    get(&format!("{base}/rows?port=transactions&columns=country&cursor={cursor}"), 400, "invalid-cursor");
    let other = shop.token("owner");
    let stolen =
        served.get(&format!("{base}/rows?port=transactions&limit=1&cursor={cursor}"), Some(&other)).expect(400);
    assert_eq!(stolen.problem(), "invalid-cursor");

    let post = |body: &str, media: &str, status: u16, code: &str| {
        let request =
            served.request("POST", "/query").bearer_auth(&token).header("content-type", media).body(body.to_owned());
        let answer = served.send(request).expect(status);
        assert_eq!(answer.problem(), code, "{}", body.chars().take(80).collect::<String>());
    };
    let json = "application/json";
    post("", json, 400, "invalid-request");
    post("{", json, 400, "invalid-request");
    post("{\"sql\": 1}", json, 400, "invalid-request");
    post("{\"sql\": \"x\", \"surprise\": 1}", json, 400, "invalid-request");
    post("{\"sql\": \"x\"} {}", json, 400, "invalid-request");
    post("{\"sql\": \"x\"}", "text/plain", 415, "unsupported-media-type");
    post(&format!("{{\"sql\": \"{}\"}}", "x".repeat(300_000)), json, 413, "body-too-large");
    post("{\"sql\": \"DELETE FROM x\"}", json, 400, "invalid-sql");
    post(&json!({ "sql": format!("SELECT * FROM {PORT}"), "format": "xml" }).to_string(), json, 400, "invalid-request");
    post(&json!({ "sql": format!("SELECT {}", "(".repeat(900)) }).to_string(), json, 400, "invalid-sql");

    let put = served.send(served.request("PUT", "/query").bearer_auth(&token)).expect(405);
    assert_eq!(put.problem(), "method-not-allowed");
    let html = served
        .request("GET", &format!("{base}/rows?port=transactions"))
        .bearer_auth(&token)
        .header("accept", "text/html");
    assert_eq!(served.send(html).expect(406).problem(), "not-acceptable");
    for token in ["", "x", "analyst.000000000000.00", "../../x.1.2"] {
        assert_eq!(served.get("/data-products", Some(token)).expect(401).problem(), "unauthenticated");
    }
    let _ = served.get("/data-products", Some(&shop.token("analyst"))).expect(200);
}

#[test]
fn callers_are_refused_what_no_table_may_have_in_the_same_words() {
    let shop = Shop::new();
    let token = shop.token("owner");
    let query = |sql: &str| shop.served.post("/query", Some(&token), &json!({ "sql": sql.replace("PORT", PORT) }));
    let refused = |sql: &str, expected: &str| {
        let answer = query(sql).expect(400);
        assert_eq!(answer.problem(), "invalid-sql", "{sql}: {answer}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{sql}: {detail}");
    };
    refused(
        "SELECT quantity FROM PORT WHERE is_cancellation = 1",
        "a comparison of BOOLEAN with INT at line 1, column 72 is not in the portable SQL subset",
    );
    refused("SELECT quantity FROM PORT WHERE quantity > 'x'", " with STRING at line 1");
    refused("SELECT country || quantity AS x FROM PORT", "where a STRING belongs");
    refused("SELECT country FROM PORT ORDER BY country + 1", "arithmetic with STRING");
    let path = "/data-products/sales/retail/rows?port=transactions&filter=is_cancellation%20%3D%201";
    let answer = shop.served.get(path, Some(&token)).expect(400);
    assert_eq!(answer.problem(), "invalid-sql", "{answer}");
    assert!(answer.text().contains("a comparison of BOOLEAN with INT"), "{answer}");

    let count = |sql: &str, expected: u64| {
        let answer = query(sql).expect(200).json();
        assert_eq!(answer["rows"][0]["n"], json!(expected), "{sql}: {answer}");
    };
    count("SELECT COUNT(*) AS n FROM PORT WHERE '2026-01-05' < invoice_ts", 24);
    count("SELECT COUNT(*) AS n FROM PORT WHERE invoice_ts IN ('2026-01-05 08:01:00', '2026-01-05 08:02:00')", 2);
    let pairs = "SELECT COUNT(*) AS n FROM PORT AS a JOIN PORT AS b";
    count(&format!("{pairs} ON a.quantity = b.quantity AND b.quantity = a.quantity"), 24);
    count("SELECT country, COUNT(*) AS n FROM PORT GROUP BY country HAVING n > 1 ORDER BY n, country", 12);
}

#[test]
fn revoked_tokens_and_formats() {
    let shop = Shop::new();
    let token = shop.token("owner");
    let rows = "/data-products/sales/retail/rows?port=transactions";
    for (format, media) in [
        ("ndjson", "application/x-ndjson"),
        ("csv", "text/csv"),
        ("parquet", "application/vnd.apache.parquet"),
        ("arrow", "application/vnd.apache.arrow.stream"),
    ] {
        let by_name = shop.served.get(&format!("{rows}&format={format}"), Some(&token)).expect(200);
        assert_eq!(by_name.header("content-type"), Some(media));
        let request = shop.served.request("GET", rows).bearer_auth(&token).header("accept", media);
        let by_header = shop.served.send(request).expect(200);
        assert_eq!(by_header.body, by_name.body, "{format}");
        assert!(by_name.body.len() > 500, "{format}");
    }
    let revoke = shop.lab.sluice(&["share", "revoke", "owner"]);
    let _ = revoke.expect_code(0);
    // The server takes note within five seconds.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(shop.served.get(rows, Some(&token)).expect(401).problem(), "unauthenticated");
}

/// A caller whose body does not come gets its problem after ten seconds, and takes nobody's place meanwhile.
#[test]
fn slow_callers_are_turned_away() {
    let shop = Shop::new();
    let token = shop.token("analyst");
    let host = shop.served.endpoint().trim_start_matches("http://").to_owned();
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&host).unwrap();
            let head = format!(
                "POST /query HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let _ = shop.served.get("/data-products", Some(&token)).expect(200);
    for mut stream in slow {
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(text.starts_with("HTTP/1.1 408") && text.contains("request-timeout"), "{text}");
    }
    let _ = shop.served.get("/data-products", Some(&token)).expect(200);
}

#[test]
fn a_version_that_was_cleaned_up_is_gone() {
    let lab = Lab::new();
    // Enough commits for a checkpoint, so that the table can be read without its first entries.
    let sample = Sample { start: "2026-01-05", days: 12, rows: 100, dirt: "0.01" };
    for file in lab.sample(&lab.folder().join("samples"), &sample) {
        copy_files([&file], &lab.landing());
        let _ = lab.run().expect(Outcome::Published);
    }
    let policy =
        "grants:\n  - name: all\n    principals: ['*']\n    doors: [rows, query, sharing]\n    clearance: restricted\n";
    std::fs::write(lab.pipeline().join("product.policy.yaml"), policy).unwrap();
    let mut deploy = lab.command(["deploy"]);
    deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
    let _ = Run::of(deploy).expect_code(0);
    for version in 0..10 {
        std::fs::remove_file(lab.lake().join(DAILY_REVENUE).join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    let served = Served::new(&lab, Some("arn:aws:iam::123456789012:role/analyst"));
    let rows = "/data-products/sales/retail/rows?port=daily_revenue";
    assert_eq!(served.get(&format!("{rows}&version=0"), None).expect(410).problem(), "version-gone");
    assert_eq!(served.get(&format!("{rows}&version=99"), None).expect(404).problem(), "not-found");
    let _ = served.get(rows, None).expect(200);
    let shared = "/sharing/shares/sales/schemas/retail/tables/daily_revenue";
    assert_eq!(
        served.post(&format!("{shared}/query"), None, &json!({ "version": 0 })).expect(410).problem(),
        "version-gone"
    );
    assert_eq!(served.get(&format!("{shared}/changes?startingVersion=0"), None).expect(410).problem(), "version-gone");
}

#[test]
fn changes_reach_a_version_that_the_server_does_not_know_of_yet() {
    let shop = Shop::new();
    let token = shop.token("owner");
    let shared = "/sharing/shares/sales/schemas/retail/tables/transactions";
    let log = shop.lab.lake().join(SILVER).join("_delta_log");
    let known = shop.served.get(&format!("{shared}/version"), Some(&token)).expect(200);
    let known: u64 = known.header("delta-table-version").unwrap().parse().unwrap();
    // For two seconds, the server takes the version before this one for the newest.
    let newest = known + 1;
    let entry = json!({ "commitInfo": { "timestamp": 1_767_600_000_000_u64, "operation": "OPTIMIZE" } });
    std::fs::write(log.join(format!("{newest:020}.json")), entry.to_string()).unwrap();
    let check = |query: &str, status: u16| {
        let answer = shop.served.get(&format!("{shared}/changes?{query}"), Some(&token)).expect(status);
        if status == 200 {
            assert_eq!(answer.header("delta-table-version"), Some(newest.to_string().as_str()), "{query}");
        }
    };
    check(&format!("startingVersion={newest}&endingVersion={newest}"), 200);
    check(&format!("startingVersion={newest}"), 200);
    check(&format!("startingVersion={newest}&endingVersion={}", newest + 9), 200);
    check(&format!("startingVersion={}", newest + 1), 400);
}
