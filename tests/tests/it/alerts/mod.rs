//! Alerts of runs on this machine, sent to a stand-in that is as strict as the services.

mod judges;
mod receiver;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::Run;

use self::judges::KEY;
use self::receiver::{Asked, Receiver};
use crate::small::{ORDERS, land, orders_with};

/// A value of a cell that no message may show.
const SECRET: &str = "sesame-4711";
const SERVICES: [&str; 5] = ["opsgenie", "pagerduty", "slack", "teams", "webhook"];

/// The pipeline of orders with a limit of quarantined rows, and alerts as given.
fn lab(alerts: &str) -> Lab {
    let gated = ORDERS.replace("quarantined_percent_below: none", "quarantined_percent_below: 10");
    assert_ne!(gated, ORDERS);
    orders_with(&format!("{gated}{alerts}"))
}

const TO_ALL: &str = "\
alerts:
  owner: Order team
  error: [slack, teams, pagerduty, opsgenie, webhook]
  warning: [slack]
";

/// Gives a command the channels, all at the receiver.
fn with_channels(mut command: Command, receiver: &Receiver) -> Command {
    let address = &receiver.address;
    let channels = json!([
        { "name": "slack", "kind": "slack", "address": "env:IT_SLACK_ADDRESS" },
        { "name": "teams", "kind": "teams", "address": format!("{address}/teams/a") },
        { "name": "pagerduty", "kind": "pagerduty", "address": format!("{address}/pagerduty"), "key": "env:IT_KEY" },
        { "name": "opsgenie", "kind": "opsgenie", "address": format!("{address}/opsgenie"), "key": "env:IT_KEY" },
        { "name": "webhook", "kind": "webhook", "address": format!("{address}/webhook/a"), "key": "env:IT_SECRET" },
    ]);
    command.env("SLUICE_ALERT_CHANNELS", channels.to_string());
    command.env("IT_SLACK_ADDRESS", format!("{address}/slack/a")).env("IT_KEY", KEY);
    command.env("IT_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    command
}

fn run(lab: &Lab, receiver: &Receiver) -> Run {
    Run::of(with_channels(lab.run_command(lab.lake(), &lab.landing()), receiver))
}

/// A file most rows of which have an amount that is no number, or one with good rows alone.
fn deliver(lab: &Lab, number: u32, is_good: bool) {
    let amount = if is_good { "2.50" } else { SECRET };
    let rows: String = (0..5).map(|row| format!("{number}{row},ann,{amount},2026-01-05\n")).collect();
    land(lab, format!("{number}.csv"), format!("id,name,amount,day\n{rows}"));
}

/// The one request that each service got, which it took.
fn one_each(receiver: &Receiver) -> BTreeMap<String, Asked> {
    let asked = receiver.take();
    assert_eq!(asked.keys().collect::<Vec<_>>(), SERVICES, "{asked:?}");
    let mut each = BTreeMap::new();
    for (service, requests) in asked {
        let [request] = <[Asked; 1]>::try_from(requests).unwrap_or_else(|all| panic!("{service} got {all:?}"));
        assert!((200..300).contains(&request.status), "{service} refused {request:?}");
        assert!(!request.text.contains(SECRET), "{service} got the value of a cell: {request:?}");
        each.insert(service, request);
    }
    each
}

#[test]
fn a_rejected_run_is_one_message_everywhere_and_a_published_one_resolves_it() {
    let (lab, receiver) = (lab(TO_ALL), Receiver::start());
    deliver(&lab, 1, false);
    let rejected = run(&lab, &receiver).expect(Outcome::Rejected);
    let begun = one_each(&receiver);
    for (service, request) in &begun {
        for word in ["rejected by the quality gate", "Order team", "silver/sales/orders", "sluice runs accept"] {
            assert!(request.text.contains(word), "{service}: no {word:?} in {}", request.text);
        }
        assert!(request.text.contains(rejected.run_id().as_str()), "{service}: {}", request.text);
    }
    let details = begun["pagerduty"].body()["payload"]["custom_details"].clone();
    assert_eq!((&details["Rows read"], &details["Rows quarantined"]), (&json!("5"), &json!("5")), "{details}");

    deliver(&lab, 2, false);
    let _ = run(&lab, &receiver).expect(Outcome::Rejected);
    assert!(receiver.take().is_empty(), "the same fact pages nobody twice");
    let book = fs::read_to_string(lab.lake().join("alerts/retail.json")).unwrap();
    let book: Value = serde_json::from_str(&book).unwrap();
    assert_eq!(book["alerts"][0]["alert"]["count"], 2, "{book}");

    deliver(&lab, 3, true);
    let _ = run(&lab, &receiver).expect(Outcome::Published);
    let ended = one_each(&receiver);
    let keys = |service: &str, key: &str| (begun[service].body()[key].clone(), ended[service].body()[key].clone());
    let (first, last) = keys("pagerduty", "dedup_key");
    assert_eq!((first, ended["pagerduty"].body()["event_action"].as_str()), (last, Some("resolve")));
    let alias = begun["opsgenie"].body()["alias"].as_str().unwrap().to_owned();
    assert_eq!(ended["opsgenie"].path, format!("v2/alerts/{alias}/close?identifierType=alias"));
    assert_eq!(keys("webhook", "type"), (json!("sluice.alert.firing"), json!("sluice.alert.resolved")),);
    assert!(ended["slack"].text.contains("well again"), "{}", ended["slack"].text);

    deliver(&lab, 4, true);
    let _ = run(&lab, &receiver).expect(Outcome::Published);
    assert!(receiver.take().is_empty());
}

#[test]
fn a_channel_that_refuses_keeps_no_other_back_and_gets_its_message_later() {
    let (lab, receiver) = (lab(TO_ALL), Receiver::start());
    receiver.set_down("pagerduty", true);
    deliver(&lab, 1, false);
    let rejected = run(&lab, &receiver).expect(Outcome::Rejected);
    let warning = "warning: an alert was not sent: channel `pagerduty` of kind pagerduty answered 400";
    assert!(rejected.stderr.contains(warning), "a pager that is down fails no run: {rejected}");
    let asked = receiver.take();
    for service in ["opsgenie", "slack", "teams", "webhook"] {
        assert_eq!(asked[service].len(), 1, "{service}: {asked:?}");
    }
    receiver.set_down("pagerduty", false);
    deliver(&lab, 2, false);
    let _ = run(&lab, &receiver).expect(Outcome::Rejected);
    let asked = receiver.take();
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["pagerduty"], "{asked:?}");
    assert_eq!(asked["pagerduty"][0].body()["event_action"], "trigger");
}

#[test]
fn check_refuses_alerts_that_would_reach_nobody() {
    let receiver = Receiver::start();
    let check = |alerts: &str, expected: &str| {
        let lab = lab(alerts);
        let mut command = with_channels(lab.command(["check"]), &receiver);
        command.arg(lab.pipeline());
        let checked = Run::of(command).expect_code(1);
        assert!(format!("{checked}").contains(expected), "no {expected:?}: {checked}");
    };
    check(
        "alerts: { error: [slak] }\n",
        "alerts.error names channel `slak`, which SLUICE_ALERT_CHANNELS does not have",
    );
    check("alerts: { critical: [slack] }\n", "critical");
    check("alerts: { owner: Order team }\n", "alerts names no channel");
    let zone = "alerts: { warning: [slack], quiet_hours: { from: '20:00', to: '07:00', time_zone: Mars } }\n";
    check(zone, "'Mars' is not an IANA time zone");
    let nothing = "alerts: { error: [slack], quiet_hours: { from: '20:00', to: '07:00', time_zone: UTC } }\n";
    check(nothing, "change nothing");
}

#[test]
fn every_channel_can_be_tried() {
    let (lab, receiver) = (lab(""), Receiver::start());
    for service in SERVICES {
        let tried = Run::of(with_channels(lab.command(["alerts", "test", service]), &receiver)).expect_code(0);
        assert!(tried.stdout.starts_with(&format!("channel `{service}` answered 20")), "{tried}");
        let asked = receiver.take().remove(service).unwrap_or_default();
        let opens_incidents = matches!(service, "opsgenie" | "pagerduty");
        assert_eq!(asked.len(), if opens_incidents { 2 } else { 1 }, "{asked:?}");
        assert!(asked.iter().all(|request| (200..300).contains(&request.status)), "{asked:?}");
    }
    receiver.set_down("slack", true);
    let refused = Run::of(with_channels(lab.command(["alerts", "test", "slack"]), &receiver)).expect_code(1);
    assert!(refused.stderr.contains("answered 400"), "{refused}");
    let _ = Run::of(with_channels(lab.command(["alerts", "test", "nobody"]), &receiver)).expect_code(2);
    let _ = Run::of(lab.command(["alerts", "test", "slack"])).expect_code(2);
    let wrong = lab.command(["alerts", "list"]).env("SLUICE_ALERT_CHANNELS", "[]x").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    deliver(&lab, 1, true);
    let mut run = lab.run_command(lab.lake(), &lab.landing());
    run.env("SLUICE_ALERT_CHANNELS", "[]x");
    let _ = Run::of(run).expect_code(2);
    assert!(!lab.lake().join("silver").exists(), "refused before anything runs");
}

#[test]
fn without_channels_runs_alert_nobody_and_leave_no_book() {
    let lab = lab(TO_ALL);
    deliver(&lab, 1, false);
    let _ = lab.run().expect(Outcome::Rejected);
    assert!(!lab.lake().join("alerts").exists());
}
