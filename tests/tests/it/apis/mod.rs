//! The HTTP APIs as callers meet them: `sluice serve` over a lake with markers in everything that must not be seen.

mod access;
mod attackers;
mod bad_input;
mod clients;
mod governance;
mod leaks;
mod runs;
mod two_lakes;

use std::path::Path;

use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::served::Served;
use sluice_tests::sluice::Run;

/// In the description of every row of another country than France.
const HIDDEN_ROW: &str = "HIDDENROW";
/// In every customer number.
const HIDDEN_VALUE: &str = "SECRETID";
/// In every price. Long enough not to stand in a random id by chance.
const HIDDEN_NUMBER: &str = "739154826";

/// Who may what in these tests. `unit_price` is restricted, `customer_id` confidential, `quantity` internal, `country` public.
const POLICY: &str = "grants:
  - name: owners
    principals: ['recipient:owner']
    doors: [rows, query, sharing]
    clearance: restricted
  - name: analysts
    principals: ['recipient:analyst']
    doors: [rows, query, sharing]
    masking: { confidential: hash, restricted: 'null' }
  - name: acme-france
    principals: ['recipient:acme']
    doors: [rows, query, sharing]
    ports: [transactions]
    masking: { confidential: partial }
    rows: country = 'France'
  - name: readers
    principals: ['recipient:reader']
    doors: [rows]
    columns: [country, description, quantity]
    clearance: public
  - name: attackers
    principals: ['recipient:attacker0', 'recipient:attacker1', 'recipient:attacker2', 'recipient:attacker3', 'recipient:attacker4', 'recipient:attacker5', 'recipient:attacker6', 'recipient:attacker7']
    doors: [query]
  - name: former
    principals: ['recipient:former']
    doors: [rows, query, sharing]
    expires: 2020-01-01T00:00:00Z
";

/// The port with markers.
const PORT: &str = "sales.retail.transactions";

/// A served lake with tokens.
struct Shop {
    lab: Lab,
    served: Served,
}

impl Shop {
    fn new() -> Self {
        let lab = Lab::new();
        let price = "description: Price of one piece in pounds sterling. Zero for gifts and samples; never negative.\n        classification: ";
        lab.edit_pipeline(
            "contracts/transactions.odcs.yaml",
            &format!("{price}internal"),
            &format!("{price}restricted"),
        );
        std::fs::write(lab.pipeline().join("product.policy.yaml"), POLICY).unwrap();
        std::fs::write(lab.landing().join("day.csv"), marked_rows()).unwrap();
        let _ = lab.run().expect(Outcome::Published);
        let mut deploy = lab.command(["deploy"]);
        deploy.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--json");
        let _ = Run::of(deploy).expect_code(0);
        let served = Served::new(&lab, None);
        Self { lab, served }
    }

    /// A new token of this recipient, from a profile file as a client reads it.
    fn token(&self, recipient: &str) -> String {
        let profile: Value = serde_json::from_slice(&std::fs::read(self.profile(recipient)).unwrap()).unwrap();
        profile["bearerToken"].as_str().unwrap().to_owned()
    }

    /// A new profile file of this recipient.
    fn profile(&self, recipient: &str) -> std::path::PathBuf {
        let file = self.lab.folder().join(format!("{recipient}-{}.share", count_of(self.lab.folder())));
        let mut create = self.lab.command(["share", "create", "--recipient", recipient, "--json"]);
        create.arg("--lake").arg(self.lab.lake()).args(["--endpoint", self.served.endpoint()]).arg("--out").arg(&file);
        let _ = Run::of(create).expect_code(0);
        file
    }
}

fn count_of(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Twelve lines of France, whose descriptions are numbers, and twelve of elsewhere, whose descriptions are markers.
fn marked_rows() -> String {
    let mut text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n".to_owned();
    for number in 1..=24 {
        let (description, country) =
            if number <= 12 { (number.to_string(), "France") } else { (format!("{HIDDEN_ROW}{number}"), "Spain") };
        text.push_str(&format!(
            "5363{number:02},P{number},{description},{number},2026-01-05 08:{number:02}:00,{HIDDEN_NUMBER}.{number:03},{HIDDEN_VALUE}{number},{country}\n"
        ));
    }
    text
}

/// Asserts that nothing of what is hidden stands in an answer.
fn assert_nothing_hidden(answer: &sluice_tests::served::Answer, markers: &[&str], asked: &str) {
    let text = format!("{:?}\n{}", answer.headers, answer.text());
    for marker in markers {
        assert!(!text.contains(marker), "{asked}\nshows {marker}:\n{text}");
    }
}
