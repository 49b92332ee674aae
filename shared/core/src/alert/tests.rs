use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::failure::FailureName;
use crate::name::ChannelName;
use crate::run::{Outcome, Report, ReportedError, ReportedWarning, RowCounts};
use crate::source::{FirstOf, HeldObject};
use crate::uri::FolderUri;

const CHANNELS: &str = r#"[
    {"name": "pager", "kind": "pagerduty", "key": "env:KEY", "default": true},
    {"name": "chat", "kind": "slack", "address": "env:URL"},
    {"name": "hook", "kind": "webhook", "address": "https://example.com/a", "key": "env:SECRET"}
]"#;

fn channels() -> AlertChannels {
    CHANNELS.parse().unwrap()
}

fn routes(json: &str) -> AlertsSpec {
    serde_json::from_str(json).unwrap()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_767_592_800 + hour * 3600).unwrap()
}

fn report(outcome: Outcome, hour: i64) -> Report {
    let error = (outcome == Outcome::Failed).then(|| ReportedError {
        error: FailureName::from("InvalidInput".to_owned()),
        cause: "line 3: 'Ann'".to_owned(),
    });
    Report {
        pipeline: Some("retail".parse().unwrap()),
        run_id: format!("r{hour}").parse().unwrap(),
        attempt: 1,
        outcome,
        ended_at: at(hour),
        sources: Vec::new(),
        held: FirstOf::default(),
        waiting: BTreeMap::new(),
        rows: BTreeMap::from([(
            "silver/sales/orders".to_owned(),
            RowCounts { source: 10, quarantined: 3, ..RowCounts::default() },
        )]),
        committed: Vec::new(),
        broken_rules: match outcome {
            Outcome::Rejected => vec!["silver/sales/orders: keys_unique".to_owned()],
            _ => Vec::new(),
        },
        warnings: Vec::new(),
        error,
    }
}

/// A book with what happened to its pipeline: ends in order, each with what was due and was then sent.
struct Story {
    book: AlertBook,
    channels: AlertChannels,
}

impl Story {
    fn with(routes: Option<AlertsSpec>) -> Self {
        let mut book = AlertBook::default();
        book.set_routes(routes);
        Self { book, channels: channels() }
    }

    fn record(&mut self, report: &Report) -> Found {
        let (lake, pipeline) = ("s3://b/lake".parse::<FolderUri>().unwrap(), "retail".parse().unwrap());
        self.book.record(&RunEnd { report, pipeline: &pipeline, lake: &lake, page: None, owner: None })
    }

    /// What is due, as `channel fact state`, in order; all of it is sent, unless the channel is `broken`.
    fn due(&mut self, now: Timestamp, is_quiet: bool, broken: &str) -> Vec<String> {
        let due = self.book.due(&self.channels, now, is_quiet);
        let mut lines = Vec::new();
        for Message { channel, alert } in due.messages {
            lines.push(format!("{} {} {}", channel.name, alert.fact.as_str(), alert.state.as_str()));
            if channel.name.as_str() != broken {
                self.book.sent(&channel.name, &alert, now);
            }
        }
        self.book.tidy(&self.channels);
        lines
    }

    fn end(&mut self, outcome: Outcome, hour: i64) -> Vec<String> {
        self.record(&report(outcome, hour));
        self.due(at(hour), false, "")
    }
}

const ALL: &str = r#"{"error": ["pager", "chat"], "warning": ["chat"], "info": ["hook"]}"#;

#[test]
fn a_failure_is_sent_once_and_resolved_by_the_next_published_run() {
    let mut story = Story::with(Some(routes(ALL)));
    assert_eq!(story.end(Outcome::Failed, 0), ["pager failed firing", "chat failed firing"]);
    assert_eq!(story.end(Outcome::Failed, 1), [""; 0]);
    assert_eq!(story.book.alerts().next().map(|alert| (alert.count, alert.since)), Some((2, at(0))));
    let published = story.end(Outcome::Published, 2);
    assert_eq!(published, ["pager failed resolved", "chat failed resolved", "hook published firing"]);
    assert_eq!(story.end(Outcome::Skipped, 3), [""; 0]);
    assert_eq!(story.book.alerts().count(), 0);
}

#[test]
fn what_goes_on_for_a_day_is_sent_again() {
    let mut story = Story::with(Some(routes(r#"{"error": ["chat"]}"#)));
    assert_eq!(story.end(Outcome::Rejected, 0), ["chat rejected firing"]);
    assert_eq!(story.end(Outcome::Rejected, 23), [""; 0]);
    assert_eq!(story.end(Outcome::Rejected, 24), ["chat rejected firing"]);
    assert_eq!(story.end(Outcome::Rejected, 25), [""; 0]);
}

#[test]
fn a_rejected_run_ends_a_failure_and_a_skipped_one_does_not_end_a_rejection() {
    let mut story = Story::with(Some(routes(r#"{"error": ["chat"]}"#)));
    story.end(Outcome::Failed, 0);
    assert_eq!(story.end(Outcome::Rejected, 1), ["chat failed resolved", "chat rejected firing"]);
    assert_eq!(story.end(Outcome::Skipped, 2), [""; 0]);
    assert_eq!(story.end(Outcome::Published, 3), ["chat rejected resolved"]);
}

#[test]
fn a_repeated_end_sends_what_failed_and_a_late_one_nothing() {
    let mut story = Story::with(Some(routes(ALL)));
    let failed = report(Outcome::Failed, 1);
    assert_eq!(story.record(&failed), Found::News);
    assert_eq!(story.due(at(1), false, "pager"), ["pager failed firing", "chat failed firing"]);
    assert_eq!(story.record(&failed), Found::Repeated);
    assert_eq!(story.due(at(1), false, ""), ["pager failed firing"]);
    assert_eq!(story.record(&report(Outcome::Published, 0)), Found::Late);
    assert_eq!(story.due(at(1), false, ""), [""; 0]);
}

#[test]
fn quiet_hours_withhold_all_but_errors_until_they_end() {
    let mut story = Story::with(Some(routes(ALL)));
    let mut warned = report(Outcome::Published, 0);
    let expected = "= 0".to_owned();
    warned.warnings = vec![ReportedWarning { rule: "t: a".to_owned(), observed: "5000".to_owned(), expected }];
    story.record(&warned);
    assert_eq!(story.book.due(&story.channels, at(0), true).withheld, 2);
    assert_eq!(story.due(at(0), true, ""), [""; 0]);
    story.record(&report(Outcome::Failed, 1));
    assert_eq!(story.due(at(1), true, ""), ["pager failed firing", "chat failed firing"]);
    // The warning is still so, and the info is old news.
    assert_eq!(story.due(at(8), false, ""), ["chat warnings firing"]);
    story.record(&report(Outcome::Published, 9));
    assert_eq!(story.due(at(9), true, ""), ["pager failed resolved", "chat failed resolved"]);
    assert_eq!(story.due(at(10), false, ""), ["chat warnings resolved", "hook published firing"]);
}

#[test]
fn what_began_and_ended_in_quiet_hours_is_not_sent() {
    let mut story = Story::with(Some(routes(r#"{"warning": ["chat"]}"#)));
    let mut held = report(Outcome::Published, 0);
    let (uri, reason) = ("s3://b/lake/landing/a.csv".parse().unwrap(), "line 1: 'Ann'".to_owned());
    held.held = vec![HeldObject { uri, reason }].into();
    story.record(&held);
    assert_eq!(story.due(at(0), true, ""), [""; 0]);
    story.record(&report(Outcome::Published, 1));
    assert_eq!(story.due(at(9), false, ""), [""; 0]);
}

#[test]
fn pipelines_that_say_nothing_alert_the_default_channels_of_errors_and_warnings() {
    let mut story = Story::with(None);
    assert_eq!(story.end(Outcome::Failed, 0), ["pager failed firing"]);
    assert_eq!(story.end(Outcome::Published, 1), ["pager failed resolved"]);
}

#[test]
fn channels_that_open_incidents_get_no_infos_and_unknown_channels_are_named() {
    let mut story = Story::with(Some(routes(r#"{"error": ["gone"], "info": ["pager"]}"#)));
    story.record(&report(Outcome::Published, 0));
    let due = story.book.due(&story.channels, at(0), false);
    assert!(due.messages.is_empty(), "{:?}", due.messages);
    assert_eq!(due.unknown.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["gone"]);
}

#[test]
fn a_channel_that_is_gone_does_not_keep_an_alert() {
    let mut story = Story::with(Some(routes(r#"{"error": ["chat"]}"#)));
    story.end(Outcome::Failed, 0);
    story.channels = "[]".parse().unwrap();
    assert_eq!(story.end(Outcome::Published, 1), [""; 0]);
    assert!(story.book.alerts().all(|alert| alert.severity == AlertSeverity::Info));
}

#[test]
fn books_are_read_as_they_are_written() {
    let mut story = Story::with(Some(routes(ALL)));
    story.end(Outcome::Failed, 0);
    let text = serde_json::to_string(&story.book).unwrap();
    assert_eq!(serde_json::from_str::<AlertBook>(&text).unwrap(), story.book);
    assert_eq!(serde_json::from_str::<AlertBook>("{}").unwrap(), AlertBook::default());
}

#[test]
fn no_alert_quotes_a_row() {
    let lake: FolderUri = "s3://b/lake".parse().unwrap();
    let pipeline = "retail".parse().unwrap();
    let mut published = report(Outcome::Published, 0);
    let (uri, reason) = ("s3://b/lake/landing/a.csv".parse().unwrap(), "line 1: 'Ann'".to_owned());
    published.held = vec![HeldObject { uri, reason }].into();
    let (rule, observed, expected) = ("t: a".to_owned(), "'Ann'".to_owned(), "< 9".to_owned());
    published.warnings = vec![ReportedWarning { rule, observed, expected }];
    published.waiting = BTreeMap::from([("gold/sales/g".parse().unwrap(), "'Ann'".to_owned())]);
    let failed = report(Outcome::Failed, 0);
    for report in [&published, &failed] {
        let end = RunEnd { report, pipeline: &pipeline, lake: &lake, page: None, owner: None };
        let text = serde_json::to_string(&end.alerts()).unwrap();
        assert!(!text.contains("Ann"), "{text}");
    }
    let end = RunEnd { report: &published, pipeline: &pipeline, lake: &lake, page: None, owner: None };
    let facts: Vec<AlertFact> = end.alerts().iter().map(|alert| alert.fact).collect();
    assert_eq!(facts, [AlertFact::Waiting, AlertFact::Held, AlertFact::Warnings, AlertFact::Published]);
}

#[test]
fn a_row_that_reaches_several_tables_counts_once() {
    let (lake, pipeline) = ("s3://b/lake".parse::<FolderUri>().unwrap(), "retail".parse().unwrap());
    let mut rejected = report(Outcome::Rejected, 0);
    let counts = |source, quarantined| RowCounts { source, quarantined, ..RowCounts::default() };
    rejected.rows = BTreeMap::from([
        ("bronze/sales/orders".to_owned(), counts(10, 0)),
        ("quarantine/sales/orders".to_owned(), counts(3, 0)),
        ("silver/sales/orders".to_owned(), counts(10, 3)),
    ]);
    let end = RunEnd { report: &rejected, pipeline: &pipeline, lake: &lake, page: None, owner: Some("Team") };
    let alert = end.alerts().remove(0);
    let numbers: Vec<(&str, &str)> =
        alert.numbers.iter().map(|number| (number.label.as_str(), number.value.as_str())).collect();
    assert_eq!(numbers, [("Rows read", "10"), ("Rows quarantined", "3"), ("Broken rules", "1")]);
    assert_eq!(alert.first_broken_rule.as_deref(), Some("silver/sales/orders: keys_unique"));
    assert_eq!(alert.owner.as_deref(), Some("Team"));
}

#[test]
fn lakes_pipelines_and_errors_have_keys_of_their_own() {
    let key = |lake: &str, pipeline: &str, error: &str| {
        let mut report = report(Outcome::Failed, 0);
        report.error = Some(ReportedError { error: FailureName::from(error.to_owned()), cause: String::new() });
        let (lake, pipeline) = (lake.parse().unwrap(), pipeline.parse().unwrap());
        let end = RunEnd { report: &report, pipeline: &pipeline, lake: &lake, page: None, owner: None };
        end.alerts().remove(0).key
    };
    let first = key("s3://a", "retail", "InvalidInput");
    assert_eq!(key("s3://a", "retail", "InvalidInput"), first);
    assert!(first.ends_with(":retail:failed:InvalidInput"), "{first}");
    let others = [key("s3://b", "retail", "InvalidInput"), key("s3://a", "other", "InvalidInput")];
    assert!(!others.contains(&first) && key("s3://a", "retail", "Internal") != first);
    assert!(key("s3://a", "retail", "<!channel> \n").ends_with(":failed:channel"));
}

#[test]
fn a_stopped_run_is_a_warning() {
    let mut stopped = report(Outcome::Failed, 0);
    stopped.error = Some(ReportedError { error: FailureName::from("Stopped".to_owned()), cause: String::new() });
    let mut story = Story::with(Some(routes(ALL)));
    story.record(&stopped);
    assert_eq!(story.due(at(0), false, ""), ["chat failed firing"]);
}

#[test]
fn channels_that_cannot_be_are_refused_with_the_fix() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<AlertChannels>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("{}", "at `.`");
    check(r#"[{"name": "a", "kind": "pager"}]"#, "at `[0].kind`");
    check(r#"[{"name": "A", "kind": "slack"}]"#, "at `[0].name`");
    check(r#"[{"name": "a", "kind": "slack", "url": 1}]"#, "unknown field `url`");
    check(r#"[{"name": "a", "kind": "slack"}]"#, "channel `a` of kind slack: needs `address`");
    check(r#"[{"name": "a", "kind": "slack", "address": "https://hooks.slack.com/x"}]"#, "keep it as a secret");
    check(r#"[{"name": "a", "kind": "slack", "address": "env:A", "key": "env:B"}]"#, "has no `key`");
    check(r#"[{"name": "a", "kind": "pagerduty", "key": "R0UT1NG"}]"#, "write env:NAME or secretsmanager:");
    check(r#"[{"name": "a", "kind": "pagerduty"}]"#, "needs `key`");
    check(r#"[{"name": "a", "kind": "webhook", "address": "http://example.com", "key": "env:B"}]"#, "is not https://");
    check(r#"[{"name": "a", "kind": "email", "topic": "ops@example.com"}]"#, "is not the ARN of an SNS topic");
    let twice =
        r#"[{"name": "a", "kind": "slack", "address": "env:A"}, {"name": "a", "kind": "teams", "address": "env:A"}]"#;
    check(twice, "two channels are called `a`");
}

#[test]
fn only_https_and_this_machine_are_addresses() {
    let check = |text: &str, expected: bool| assert_eq!(text.parse::<ChannelAddress>().is_ok(), expected, "{text}");
    check("https://example.com/a?b=c", true);
    check("http://127.0.0.1:9000/a", true);
    for bad in ["http://example.com", "http://localhost", "http://127.0.0.1.example.com", "file:///a", "a"] {
        check(bad, false);
    }
    check("https://user:word@example.com", false);
    check("https://example.com/#part", false);
    let printed = format!("{:?}", "https://hooks.example/sesame?key=sesame".parse::<ChannelAddress>().unwrap());
    assert!(printed.contains("hooks.example") && !printed.contains("sesame"), "{printed}");
}

#[test]
fn a_message_that_a_book_of_another_end_lacks_is_added_and_resolved() {
    let mut story = Story::with(Some(routes(r#"{"error": ["chat"]}"#)));
    let (lake, pipeline) = ("s3://b/lake".parse::<FolderUri>().unwrap(), "retail".parse().unwrap());
    let failed = report(Outcome::Failed, 0);
    let end = RunEnd { report: &failed, pipeline: &pipeline, lake: &lake, page: None, owner: None };
    let alert = end.alerts().remove(0);
    assert_eq!(story.end(Outcome::Published, 1), [""; 0]);
    story.book.sent(&"chat".parse().unwrap(), &alert, at(1));
    assert_eq!(story.due(at(1), false, ""), [""; 0]);
    assert_eq!(story.end(Outcome::Published, 2), ["chat failed resolved"]);
}

#[test]
fn specs_that_alert_nobody_are_refused() {
    let check = |json: &str, expected: &str| {
        let problem = routes(json).problem().unwrap_or_default();
        assert!(problem.contains(expected), "{problem}");
    };
    check("{}", "names no channel");
    check(r#"{"error": ["a", "a"]}"#, "alerts.error names channel `a` twice");
    check(r#"{"error": ["a"], "owner": ""}"#, "alerts.owner is not one line");
    let quiet = |lists: &str, from: &str, to: &str| {
        format!(r#"{{{lists}, "quiet_hours": {{"from": "{from}", "to": "{to}", "time_zone": "UTC"}}}}"#)
    };
    check(&quiet(r#""warning": ["a"]"#, "07:00", "07:00"), "begin and end at 07:00");
    check(&quiet(r#""error": ["a"]"#, "20:00", "07:00"), "change nothing");
    assert_eq!(routes(&quiet(r#""warning": ["a"]"#, "20:00", "07:00")).problem(), None);
    let wrong = r#"{"error": ["a"], "quiet_hours": {"from": "7:00", "to": "08:00", "time_zone": "UTC"}}"#;
    assert!(serde_json::from_str::<AlertsSpec>(wrong).unwrap_err().to_string().contains("'7:00' is not a time"));
    let zone = r#"{"error": ["a"], "quiet_hours": {"from": "07:00", "to": "08:00", "time_zone": "Mars"}}"#;
    assert!(serde_json::from_str::<AlertsSpec>(zone).unwrap_err().to_string().contains("'Mars' is not an IANA"));
}

proptest! {
    #[test]
    fn quiet_hours_and_the_rest_of_the_day_are_a_day(from in 0_u16..1440, to in 0_u16..1440) {
        prop_assume!(from != to);
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60).parse::<ClockTime>().unwrap();
        let hours = |from, to| QuietHours { from, to, time_zone: "UTC".parse().unwrap() };
        let (quiet, rest) = (hours(clock(from), clock(to)), hours(clock(to), clock(from)));
        for minute in 0..1440 {
            prop_assert_ne!(quiet.contains(minute), rest.contains(minute));
        }
    }

    #[test]
    fn no_channel_gets_the_same_state_twice_in_a_day(outcomes in proptest::collection::vec(0_usize..4, 1..20)) {
        let kinds = [Outcome::Published, Outcome::Skipped, Outcome::Rejected, Outcome::Failed];
        let mut story = Story::with(Some(routes(r#"{"error": ["chat"]}"#)));
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        for (hour, kind) in outcomes.iter().enumerate() {
            for line in story.end(kinds[*kind], i64::try_from(hour).unwrap()) {
                let (fact, state) = line.rsplit_once(' ').unwrap();
                let before = last.insert(fact.to_owned(), state.to_owned());
                prop_assert_ne!(before.as_deref(), Some(state));
                prop_assert!(before.is_some() || state == "firing");
            }
        }
    }
}
