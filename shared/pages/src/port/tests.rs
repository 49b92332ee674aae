use proptest::prelude::*;

use super::*;

const HOSTILE: &str = "\"><script>alert('1')</script>&amp;";

fn now() -> Timestamp {
    "2026-01-05T06:00:00Z".parse().unwrap()
}

/// A table with this text wherever a text may stand, seen by a reader who may read runs.
fn facts(text: &str) -> PortFacts {
    let run = || RunPointer { run: text.to_owned(), at: now() };
    PortFacts {
        product: "sales/retail".parse().unwrap(),
        port: "orders".parse().unwrap(),
        description: Some(text.to_owned()),
        table: "silver/sales/orders".parse().unwrap(),
        pipeline: Some("retail".parse().unwrap()),
        contract: (text.to_owned(), text.to_owned()),
        columns: vec![ColumnLine {
            name: text.to_owned(),
            column_type: text.to_owned(),
            description: Some(text.to_owned()),
            class: Classification::Confidential,
            treatment: Treatment::Hash,
        }],
        has_row_filter: false,
        state: TableState::Published { version: 7, at: Some(now()), rows: Some(1_234_567) },
        versions: vec![VersionLine { version: 7, at: Some(now()), run: Some(text.to_owned()) }],
        promise: Some(AgePromise { words: text.to_owned(), is_kept: Some(false) }),
        kept: Some(KeptFacts { promised_seconds: 3600, published: vec![now()], now: now() }),
        others_promised: vec![text.to_owned()],
        newest_run: Some((run(), Outcome::Rejected)),
        audit: Some(AuditFacts {
            run: run(),
            score: Some("50".to_owned()),
            rules: vec![RuleLine {
                rule: text.to_owned(),
                description: text.to_owned(),
                passed: Some(false),
                observed: Some(text.to_owned()),
                expected: text.to_owned(),
            }],
            hidden: 1,
        }),
        past: vec![RunPoint {
            run: "r".parse().unwrap(),
            at: now(),
            source: 100,
            added: Some(99),
            quarantined: 1,
            rows: Some(9),
        }],
        ways: Ways {
            endpoint: "https://data.example.com".to_owned(),
            rows: true,
            query: true,
            sharing: true,
            files: Some("s3://lake/silver/sales/orders/".to_owned()),
        },
        downstream: vec![Dependent::Table("gold/sales/totals".parse().unwrap())],
        sample: Some(Sample { columns: vec![text.to_owned()], rows: vec![vec![Some(text.to_owned())], vec![None]] }),
        may_sample: true,
        now: now(),
    }
}

fn body(facts: &PortFacts) -> String {
    page(facts).body.into_string()
}

#[test]
fn a_page_says_what_a_reader_asks_for() {
    let body = body(&facts("text"));
    for part in [
        "The table is late.",
        "was rejected by the quality gate",
        "<a href=\"/console/runs/retail/text\">text</a>",
        "<td class=\"warn\">hashed</td>",
        "<td class=\"n\">1.00 %</td>",
        "<td class=\"bad\">broken</td>",
        "50 % of the listed rules hold.",
        "Rules about columns that do not exist for you are left out.",
        "href=\"/console/lineage?of=silver/sales/orders.text\"",
        "client.table(&quot;sales.retail.orders&quot;).to_pandas()",
        "delta_scan(&#39;s3://lake/silver/sales/orders&#39;)",
        "SELECT * FROM silver_sales_orders LIMIT 10",
        "https://data.example.com/sharing",
        "href=\"/console/lineage?of=gold/sales/totals\"",
        "<th scope=\"row\">null</th>",
    ] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
}

#[test]
fn a_reader_of_some_columns_gets_no_address_of_files() {
    let mut facts = facts("text");
    facts.ways.files = None;
    let body = body(&facts);
    assert!(!body.contains("s3://") && body.contains("delta_sharing"), "{body}");
}

#[test]
fn a_reader_without_runs_gets_neither_their_names_nor_links_to_them() {
    let mut facts = facts("text");
    let run = "hidden-run";
    facts.versions = vec![VersionLine { version: 7, at: Some(now()), run: Some(run.to_owned()) }];
    facts.audit = facts.audit.map(|audit| AuditFacts { run: RunPointer { run: run.to_owned(), at: now() }, ..audit });
    for point in &mut facts.past {
        point.run = run.parse().unwrap();
    }
    assert_eq!(body(&facts).matches(&format!(">{run}</a>")).count(), 3);
    (facts.pipeline, facts.newest_run) = (None, None);
    let body = body(&facts);
    assert!(!body.contains("/console/runs/") && !body.contains("/console/quarantine/"), "{body}");
    assert!(!body.contains(run), "{body}");
}

#[test]
fn empty_states_say_what_to_do() {
    let check = |change: fn(&mut PortFacts), expected: &str| {
        let mut facts = facts("text");
        change(&mut facts);
        let body = body(&facts);
        assert!(body.contains(expected), "{expected}: {body}");
    };
    check(|facts| facts.state = TableState::Empty, "with the first run of its pipeline");
    check(|facts| facts.audit = None, "No published run has audited");
    check(|facts| facts.downstream.clear(), "Nothing that you may see");
    check(|facts| facts.columns.clear(), "No column of this table exists for you");
    check(|facts| facts.ways = Ways::default(), "lets you find this table and not read it");
    check(|facts| facts.has_row_filter = true, "holds rows back from you");
    check(|facts| facts.sample = Some(Sample::default()), "no rows for you");
    check(|facts| facts.sample = None, "href=\"/console/products/sales/retail/orders/sample\"");
}

#[test]
fn what_may_not_be_sampled_is_not_offered() {
    let mut facts = facts("text");
    (facts.sample, facts.may_sample) = (None, false);
    assert!(!body(&facts).contains("Show ten rows"));
}

/// Whether every `<` begins an element of this program.
fn has_only_our_elements(body: &str) -> bool {
    const OURS: &[&str] = &[
        "a ", "br>", "code>", "dd>", "desc ", "div ", "div>", "dl>", "dt>", "g>", "h2 ", "h3>", "li>", "line ", "nav ",
        "p ", "p>", "path ", "pre ", "rect ", "span ", "svg ", "table>", "caption>", "tbody>", "td ", "td>", "text ",
        "th ", "thead>", "title ", "title>", "tr>", "ul>", "form ", "input ", "label ", "button>", "/",
    ];
    body.split('<').skip(1).all(|rest| OURS.iter().any(|ours| rest.starts_with(ours)))
}

#[test]
fn hostile_texts_are_escaped() {
    let body = body(&facts(HOSTILE));
    assert!(has_only_our_elements(&body) && body.contains("&lt;script&gt;"), "{body}");
    assert!(!has_only_our_elements("<p>a<script>"));
}

proptest! {
    #[test]
    fn no_text_gets_out_unescaped(text in any::<String>()) {
        let body = body(&facts(&format!("<x onload='1'>{text}")));
        prop_assert!(has_only_our_elements(&body), "{}", body);
    }
}

#[test]
fn a_page_is_bounded() {
    let mut facts = facts(&"<".repeat(600));
    facts.columns = vec![facts.columns[0].clone(); 2000];
    let rule = facts.audit.as_ref().unwrap().rules[0].clone();
    facts.audit.as_mut().unwrap().rules = vec![rule; 2000];
    facts.past = vec![facts.past[0].clone(); 2000];
    facts.sample = Some(Sample { columns: Vec::new(), rows: vec![vec![Some("<".repeat(600))]; 2000] });
    let length = body(&facts).len();
    assert!(length < 1_000_000, "{length}");
}
