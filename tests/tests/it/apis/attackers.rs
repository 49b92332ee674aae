//! Callers who take all they can get: they are stopped, and others are answered meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_tests::lab::SILVER;

use super::{PORT, Shop};

/// The table of the port with markers, by Delta Sharing.
const SHARED: &str = "/sharing/shares/sales/schemas/retail/tables/transactions";

/// Longer than a short question takes on a busy machine, and shorter than the 25 s that one may take.
const SOON: Duration = Duration::from_secs(12);
/// Places that one caller may hold.
const HALF: usize = 4;

/// A statement that the engine works on for longer than anybody waits: it counts a hundred thousand million pairs.
fn endless() -> String {
    let joins: Vec<String> = (1..8).map(|number| format!("CROSS JOIN {PORT} AS t{number}")).collect();
    format!("SELECT SUM(t0.quantity + t7.quantity) AS n FROM {PORT} AS t0 {}", joins.join(" "))
}

/// Sends a statement and does not wait for its answer.
fn sent(shop: &Shop, token: &str, sql: &str) -> TcpStream {
    let host = shop.served.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let body = json!({ "sql": sql }).to_string();
    let head = format!(
        "POST /query HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Sends a request without a body and does not wait for its answer.
fn asked(shop: &Shop, token: &str, path: &str) -> TcpStream {
    let host = shop.served.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The beginning of the answer, when it comes within this time.
fn answer(stream: &mut TcpStream, within: Duration) -> Option<String> {
    stream.set_read_timeout(Some(within)).unwrap();
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[test]
fn a_statement_that_takes_all_memory_ends_alone() {
    if !cfg!(target_os = "linux") {
        sluice_tests::skip("apis::attackers", "only Linux limits the memory of a process");
        return;
    }
    let shop = Shop::new();
    let (token, other) = (shop.token("analyst"), shop.token("owner"));
    let doubled: Vec<String> =
        (0..32).map(|step| format!("a{} AS (SELECT x || x AS x FROM a{step})", step + 1)).collect();
    let sql = format!(
        "WITH a0 AS (SELECT description AS x FROM {PORT}), {} SELECT LENGTH(x) AS n FROM a32 LIMIT 1",
        doubled.join(", ")
    );
    let answer = shop.served.post("/query", Some(&token), &json!({ "sql": sql })).expect(422);
    assert_eq!(answer.problem(), "query-too-large", "{answer}\n{}", shop.served.log());
    for caller in [&token, &other] {
        let _ = shop.served.get("/data-products/sales/retail/rows?port=transactions", Some(caller)).expect(200);
    }
}

#[test]
fn one_caller_does_not_keep_others_out() {
    let shop = Shop::new();
    let (token, other) = (shop.token("analyst"), shop.token("owner"));
    let _attacks: Vec<TcpStream> = (0..3 * HALF).map(|_| sent(&shop, &token, &endless())).collect();
    for _ in 0..5 {
        let began = Instant::now();
        let _ = shop.served.get("/data-products/sales/retail/rows?port=transactions", Some(&other)).expect(200);
        assert!(began.elapsed() < SOON, "another caller waited for {:?}", began.elapsed());
    }
}

#[test]
fn questions_whose_callers_are_gone_leave_their_places() {
    let shop = Shop::new();
    let token = shop.token("analyst");
    let attacks: Vec<TcpStream> = (0..HALF).map(|_| sent(&shop, &token, &endless())).collect();
    // It may come before the last attack does; then the next one does not.
    let count = |_| {
        let mut stream = sent(&shop, &token, &format!("SELECT COUNT(*) AS n FROM {PORT}"));
        answer(&mut stream, Duration::from_secs(2)).is_none().then_some(stream)
    };
    let mut waiting = (0..3).find_map(count).expect("the places are taken");
    drop(attacks);
    let answered = answer(&mut waiting, SOON).expect("an answer when the others are gone");
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}\n{}", shop.served.log());
}

#[test]
fn many_callers_with_endless_questions_leave_places_to_others() {
    let shop = Shop::new();
    let other = shop.token("owner");
    let tokens: Vec<String> = (0..2 * HALF).map(|number| shop.token(&format!("attacker{number}"))).collect();
    let mut attacks: Vec<TcpStream> = tokens.iter().map(|token| sent(&shop, token, &endless())).collect();
    for _ in 0..5 {
        let began = Instant::now();
        let _ = shop.served.get("/data-products/sales/retail/rows?port=transactions", Some(&other)).expect(200);
        assert!(began.elapsed() < SOON, "another caller waited for {:?}", began.elapsed());
    }
    // Whoever was ended for others can call again.
    let ended = attacks.iter_mut().filter_map(|stream| answer(stream, Duration::from_millis(1))).collect::<Vec<_>>();
    for answer in ended {
        assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after"), "{answer}");
    }
}

#[test]
fn one_caller_who_opens_a_long_log_many_times_does_not_keep_others_out() {
    let shop = Shop::new();
    let (token, other) = (shop.token("analyst"), shop.token("owner"));
    let log = shop.lab.lake().join(SILVER).join("_delta_log");
    // Opening it takes most of a second.
    let first = std::fs::read_dir(&log).unwrap().count();
    for version in first..400 {
        let entry = json!({ "commitInfo": { "timestamp": 1_767_600_000_000_u64, "operation": "OPTIMIZE" } });
        std::fs::write(log.join(format!("{version:020}.json")), entry.to_string()).unwrap();
    }
    let began = Instant::now();
    let mut attacks: Vec<TcpStream> = (0..100).map(|_| asked(&shop, &token, &format!("{SHARED}/version"))).collect();
    for _ in 0..5 {
        let began = Instant::now();
        let _ = shop.served.get("/data-products/sales/retail/rows?port=daily_revenue", Some(&other)).expect(200);
        assert!(began.elapsed() < SOON, "another caller waited for {:?}", began.elapsed());
    }
    for stream in &mut attacks {
        let answer = answer(stream, SOON).expect("an answer");
        let is_refused = answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after");
        assert!(answer.starts_with("HTTP/1.1 200") || is_refused, "{answer}\n{}", shop.served.log());
    }
    assert!(began.elapsed() < 2 * SOON, "the table was opened for each call: {:?}", began.elapsed());
}

#[test]
fn one_caller_leaves_what_is_answered_at_once_to_others() {
    let shop = Shop::new();
    let (token, other) = (shop.token("analyst"), shop.token("owner"));
    let mut attacks: Vec<TcpStream> = (0..100).map(|_| sent(&shop, &token, &endless())).collect();
    let began = Instant::now();
    let _ = shop.served.get("/data-products/sales/retail/rows?port=transactions", Some(&other)).expect(200);
    assert!(began.elapsed() < SOON, "another caller waited for {:?}", began.elapsed());
    // Eight are answered and 32 wait.
    let refused = attacks.iter_mut().filter_map(|stream| answer(stream, Duration::from_millis(20)));
    let refused = refused.filter(|answer| answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after"));
    assert!(refused.count() >= 50, "{}", shop.served.log());
}

#[test]
fn silent_connections_keep_nobody_out() {
    // More than the server has places for.
    const MANY: usize = 530;
    let shop = Shop::new();
    let token = shop.token("owner");
    let host = shop.served.endpoint().trim_start_matches("http://").to_owned();
    let silent: Vec<TcpStream> = (0..MANY).map_while(|_| TcpStream::connect(&host).ok()).collect();
    if silent.len() < MANY {
        sluice_tests::skip("apis::attackers", "this process may not have so many connections");
        return;
    }
    let began = Instant::now();
    let _ = shop.served.get("/data-products", Some(&token)).expect(200);
    assert!(began.elapsed() < Duration::from_secs(5), "a caller waited for {:?}", began.elapsed());
}
