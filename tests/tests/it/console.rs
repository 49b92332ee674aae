//! The console over a real server: two readers of one lake, of whom each has what the other must not see.

use std::collections::BTreeSet;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::{Lab, Sample};
use sluice_tests::served::{Answer, Served};
use sluice_tests::sluice::Run;

/// In the name of a column that the analyst does not see.
const HIDDEN_COLUMN: &str = "customer_id";
/// What a browser would run, if a page did not escape it.
const TAG: &str = "%3Cscript%3Ealert(1)%3C/script%3E";

/// A read of ten rows.
const SAMPLE: &str = "/console/products/sales/retail/transactions/sample";

/// `customer_id` is confidential.
const POLICY: &str = "grants:
  - name: owners
    principals: ['recipient:owner']
    doors: [rows, query, sharing]
    clearance: restricted
  - name: analysts
    principals: ['recipient:analyst']
    doors: [rows, query]
    clearance: internal
";

/// A lake with one run, one product, and its console. `owner` may read both; `analyst` may find the product, and read
/// no run; `nobody` may see nothing.
struct Office {
    lab: Lab,
    served: Served,
}

impl Office {
    fn new() -> Self {
        let lab = Lab::new();
        std::fs::write(lab.pipeline().join("product.policy.yaml"), POLICY).unwrap();
        lab.edit_pipeline("pipeline.yaml", "'recipient:ops'", "'recipient:owner'");
        let sample = Sample { start: "2026-01-05", days: 1, rows: 200, dirt: "0.01" };
        let _ = lab.sample(&lab.landing(), &sample);
        let _ = lab.run().expect(Outcome::Published);
        let mut deploy = lab.command(["deploy"]);
        deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
        let _ = Run::of(deploy).expect_code(0);
        let served = Served::new(&lab, None);
        Self { lab, served }
    }

    fn token(&self, recipient: &str) -> String {
        let file = self.lab.folder().join(format!("{recipient}.share"));
        let mut create = self.lab.command(["share", "create", "--recipient", recipient, "--json"]);
        create.arg("--lake").arg(self.lab.lake()).args(["--endpoint", self.served.endpoint()]).arg("--out").arg(&file);
        let _ = Run::of(create).expect_code(0);
        let profile: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        profile["bearerToken"].as_str().unwrap().to_owned()
    }

    /// The cookie of somebody who signs in as a browser does.
    fn cookie(&self, recipient: &str) -> String {
        let request = self.served.request("POST", "/console/sign-in").header("origin", self.served.endpoint());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = self.served.send(request.body(format!("token={}", self.token(recipient)))).expect(303);
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    fn page(&self, path: &str, cookie: &str) -> Answer {
        self.served.send(self.served.request("GET", path).header("cookie", cookie))
    }

    /// Every page that links lead to from these, with its text: at most 200.
    fn pages(&self, first: &[&str], cookie: &str) -> Vec<(String, String)> {
        let mut waiting: Vec<String> = first.iter().map(|path| (*path).to_owned()).collect();
        let (mut known, mut pages): (BTreeSet<String>, Vec<(String, String)>) = (BTreeSet::new(), Vec::new());
        while let Some(path) = waiting.pop() {
            if pages.len() >= 200 || !known.insert(path.clone()) {
                continue;
            }
            let answer = self.page(&path, cookie);
            assert_eq!(answer.status.as_u16(), 200, "{path}: {answer}");
            let text = answer.text();
            let is_page = answer.header("content-type").is_some_and(|media_type| media_type.starts_with("text/html"));
            if is_page {
                assert_page(&path, &answer);
                let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
                let links = links.filter(|link| link.starts_with("/console"));
                waiting.extend(links.map(|link| link.split('#').next().unwrap().replace("&amp;", "&")));
            }
            pages.push((path, text));
        }
        pages
    }
}

/// What every page must have, and must not.
fn assert_page(path: &str, answer: &Answer) {
    let text = answer.text();
    assert!(text.starts_with("<!DOCTYPE html>") && text.contains("<html lang=\"en\">"), "{path}: {text}");
    assert_eq!(text.matches("<h1>").count(), 1, "{path}: {text}");
    for part in ["<script", " style=", " onclick", "http-equiv", "src=\"http", "href=\"http://", "url("] {
        assert!(!text.contains(part), "{path} has {part}: {text}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert_eq!(answer.header("cache-control"), Some("private, no-store"), "{path}");
}

#[test]
fn each_reader_sees_their_own_and_nothing_of_the_rest() {
    let office = Office::new();
    let run = std::fs::read_dir(office.lab.lake().join("runs/retail")).unwrap().next().unwrap().unwrap();
    let run = run.file_name().into_string().unwrap();
    let of_run = format!("/console/runs/retail/{run}");
    let searches: Vec<String> =
        ["retail", run.as_str(), HIDDEN_COLUMN, TAG].iter().map(|query| format!("/console/search?q={query}")).collect();
    let mut first = vec!["/console/", "/console/runs", "/console/products", "/console/lineage"];
    first.extend(searches.iter().map(String::as_str));
    first.extend([SAMPLE, "/console/lineage?of=transactions", "/console/access/sales/retail?as=recipient:owner"]);

    let owner = office.cookie("owner");
    let pages = office.pages(&first, &owner);
    let shows = |pages: &[(String, String)], word: &str| pages.iter().any(|(_, text)| text.contains(word));
    assert!(pages.iter().any(|(path, _)| *path == of_run), "no link leads to the run");
    assert!(shows(&pages, &run) && shows(&pages, HIDDEN_COLUMN) && shows(&pages, "sales/retail"));
    let quarantine_of_run = format!("/console/quarantine/retail/{run}");
    let is_linked = |path: &str| pages.iter().any(|(found, _)| found == path);
    assert!(is_linked(&quarantine_of_run) && is_linked("/console/sources/retail"), "{pages:?}");
    let owned = |path: &str| office.page(path, &owner).expect(200).text();
    assert!(owned("/console/access/sales/retail?as=recipient:analyst").contains("recipient analyst would see:"));
    let of_column = format!("/console/lineage?of=transactions.{HIDDEN_COLUMN}");
    assert!(!owned(&of_column).contains("has no column"));

    let analyst = office.cookie("analyst");
    let pages = office.pages(&first, &analyst);
    assert!(shows(&pages, "sales/retail"));
    for (path, text) in &pages {
        // The page of a search repeats what was searched for.
        let asked = |word: &str| path.ends_with(&format!("q={word}"));
        for word in [run.as_str(), HIDDEN_COLUMN].into_iter().filter(|word| !asked(word)) {
            assert!(!text.contains(word), "{path} shows {word}: {text}");
        }
        assert!(!text.contains("<script"), "{path}: {text}");
    }
    let hidden = [of_run.as_str(), "/console/runs/retail", "/console/quarantine/retail", "/console/sources/retail"];
    for path in hidden.into_iter().chain([quarantine_of_run.as_str()]) {
        assert_eq!(office.page(path, &analyst).status.as_u16(), 404, "{path}");
    }
    // A hidden column is as one that does not exist, and nobody else's rights are answered.
    assert!(office.page(&of_column, &analyst).expect(200).text().contains("has no column"));
    let access =
        |query: &str| office.page(&format!("/console/access/sales/retail{query}"), &analyst).expect(200).text();
    assert_eq!(access("?as=recipient:owner"), access(""));

    let nobody = office.cookie("nobody");
    let open = ["/console/", "/console/runs", "/console/products", "/console/lineage"];
    for (path, text) in office.pages(&open, &nobody) {
        assert!(!text.contains("retail") && !text.contains(&run), "{path}: {text}");
    }
    let of_product = |path: &str| path.starts_with("/console/products/") || path.starts_with("/console/access/");
    for (path, _) in pages.iter().filter(|(path, _)| of_product(path)) {
        assert_eq!(office.page(path, &nobody).status.as_u16(), 404, "{path}");
    }
}

#[test]
fn pages_are_for_this_machine_and_for_those_who_signed_in() {
    let office = Office::new();
    let served = &office.served;
    for path in ["/console/", "/console/runs", "/console/search?q=retail"] {
        let answer = served.get(path, None).expect(401);
        assert!(answer.text().contains("<label for=\"token\">") && !answer.text().contains("retail/"), "{answer}");
    }
    let foreign = |path: &str| served.send(served.request("GET", path).header("host", "attacker.example"));
    let _ = foreign("/console/").expect(403);
    let _ = foreign("/console/sign-in").expect(403);
    let token = office.token("owner");
    let login = served.request("POST", "/console/sign-in").header("origin", "https://attacker.example");
    let login = login.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"));
    assert_eq!(served.send(login).expect(403).header("set-cookie"), None);
    let with_token = served.get("/console/", Some(&token)).expect(200);
    assert!(with_token.text().contains("recipient:owner") && !with_token.text().contains("Sign out"), "{with_token}");
    let denied = served.audit().into_iter().filter(|event| event["door"] == "console" && event["decision"] == "denied");
    assert!(denied.count() >= 6, "{:?}", served.audit());
    assert!(!served.log().contains(&token) && !format!("{:?}", served.audit()).contains(&token));
}

#[test]
fn a_person_at_this_machine_opens_the_console_once_without_a_token() {
    let office = Office::new();
    let mut command = office.lab.command(["ui", "--port", "0", "--json", "--as", "recipient:owner"]);
    command.arg("--lake").arg(office.lab.lake());
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    let announced: Value = serde_json::from_str(&line).unwrap();
    let (endpoint, page) = (announced["endpoint"].as_str().unwrap(), announced["console"].as_str().unwrap());
    let get = |address: &str| office.served.send(office.served.request("GET", address));
    let first = get(page).expect(303);
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let _ = get(page).expect(401);
    let overview = format!("{endpoint}/console/");
    let _ = get(&overview).expect(401);
    let answer = office.served.send(office.served.request("GET", &overview).header("cookie", &cookie)).expect(200);
    assert!(answer.text().contains("Signed in as recipient:owner"), "{answer}");
    // Programs of others on this machine are nobody.
    let _ = get(&format!("{endpoint}/data-products")).expect(401);
    // The session is of that process.
    let _ = office.page("/console/", &cookie).expect(401);
    child.kill().unwrap();
    drop(child.wait());
}
