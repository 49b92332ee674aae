use super::*;

#[test]
fn every_outcome_has_its_exit_code() {
    let check = |outcome: EndOutcome, code: u8| assert_eq!(outcome.exit().code(), code, "{outcome:?}");
    check(EndOutcome::Published, 0);
    check(EndOutcome::Skipped, 0);
    check(EndOutcome::Failed, 1);
    check(EndOutcome::Rejected, 3);
    check(EndOutcome::Interrupted, 130);
}

fn ended(outcome: EndOutcome) -> Ended {
    let rule = BrokenRule {
        rule: "silver/sales/transactions: quarantined_share".to_owned(),
        description: "share of the run's rows".to_owned(),
        observed: "35 %".to_owned(),
        expected: "< 10 %".to_owned(),
    };
    let warning = BrokenRule {
        rule: "silver/sales/transactions: price.maximum".to_owned(),
        description: "rows that break the rule".to_owned(),
        observed: "50094".to_owned(),
        expected: "= 0".to_owned(),
    };
    let table = TableEnd {
        table: "silver/sales/transactions".parse().unwrap(),
        rows_read: 3000,
        rows_added: Some(1900),
        rows_quarantined: 1050,
        rows_collapsed: 50,
        rows_deleted: 0,
        snapshot: None,
        rows: 21_900,
        version: (outcome == EndOutcome::Published).then_some(4),
    };
    let error = ReportedError { error: ErrorName::Unavailable.into(), cause: "disk is full".to_owned() };
    Ended {
        event: "finished",
        outcome,
        exit_code: outcome.exit().code(),
        pipeline: "retail".parse().unwrap(),
        run_id: "r-1".parse().unwrap(),
        duration_seconds: 1.5,
        tables: vec![table],
        broken_rules: if outcome == EndOutcome::Rejected { vec![rule] } else { Vec::new() },
        warnings: vec![warning],
        held: Vec::new(),
        waiting: BTreeMap::new(),
        changed_before: 0,
        is_replay: false,
        corrupt_records: Vec::new(),
        passed_by: 2,
        incomplete_files: 0,
        error: (outcome == EndOutcome::Failed).then_some(error),
        report_page: "file:///lake/runs/retail/r-1/report-1.html".parse().ok(),
        next: vec!["do this".to_owned()],
    }
}

#[test]
fn an_ending_names_rules_errors_and_next_steps() {
    let console = Console::new(true);
    let check = |outcome: EndOutcome, result: &[&str], advice: &[&str]| {
        let ended = ended(outcome);
        let (shown, advised) = (ended.result_text(&console), ended.advice_text(&console));
        assert!(result.iter().all(|text| shown.contains(text)), "{outcome:?}: {shown}");
        assert!(advice.iter().all(|text| advised.contains(text)), "{outcome:?}: {advised}");
    };
    check(EndOutcome::Published, &["silver/sales/transactions", "3,000", "1,900", "1,050", "21,900", "4"], &[]);
    check(EndOutcome::Published, &["warning", "transactions: price.maximum", "50094", "= 0"], &[]);
    let passed = "passed by: 2 files and folders; `sluice source list` says why";
    check(EndOutcome::Skipped, &["skipped: run r-1 in 1.50 s: nothing new"], &[passed]);
    check(
        EndOutcome::Rejected,
        &[
            "quarantined_share",
            "35 %",
            "< 10 %",
            "price.maximum",
            "50094",
            "rejected: run r-1 in 1.50 s; no table was changed",
        ],
        &["next: do this"],
    );
    check(EndOutcome::Failed, &[], &["error: Unavailable: disk is full", "next: do this"]);
    check(EndOutcome::Interrupted, &[], &["interrupted: run r-1"]);
}

#[test]
fn files_that_are_not_complete_yet_are_said_to_wait() {
    let advised =
        |incomplete_files| Ended { incomplete_files, ..ended(EndOutcome::Skipped) }.advice_text(&Console::new(true));
    assert!(!advised(0).contains("waiting:"), "{}", advised(0));
    assert!(advised(1).contains("waiting: 1 of these is a file that is too young or too small"), "{}", advised(1));
    assert!(advised(2000).contains("waiting: 2,000 of these are files"), "{}", advised(2000));
}

#[test]
fn a_replay_says_how_many_corrupt_records_stay_and_why() {
    let records = |rows: u64| CorruptRecords {
        table: "quarantine/sales/orders".parse().unwrap(),
        rows,
        reason: "line 2 (record 2) is not JSON".to_owned(),
    };
    let ended = Ended { corrupt_records: vec![records(1200)], ..ended(EndOutcome::Published) };
    let advised = ended.advice_text(&Console::new(true));
    for says in ["stays: 1,200 records stay in quarantine/sales/orders", "such as: line 2 (record 2) is not JSON;"] {
        assert!(advised.contains(says), "{advised}");
    }
    assert!(stays_text(&records(1)).starts_with("stays: 1 record stays in"));
    assert_eq!(serde_json::to_value(ended).unwrap()["corrupt_records"][0]["rows"], 1200);
}

#[test]
fn a_run_that_changed_no_table_does_not_say_that_it_published() {
    let unchanged = |is_replay: bool| {
        let ended = Ended { tables: Vec::new(), warnings: Vec::new(), is_replay, ..ended(EndOutcome::Published) };
        ended.result_text(&Console::new(true))
    };
    assert_eq!(unchanged(false), "unchanged: run r-1 in 1.50 s: no table has a new version");
    let replay = unchanged(true);
    assert!(replay.contains("no table has a new version; the rows in quarantine stay"), "{replay}");
    let before = Ended { tables: Vec::new(), changed_before: 1, ..ended(EndOutcome::Published) };
    assert!(before.result_text(&Console::new(true)).contains("published: run r-1"));
}

#[test]
fn the_last_json_line_is_the_summary() {
    let line = serde_json::to_value(ended(EndOutcome::Rejected)).unwrap();
    assert_eq!((line["event"].as_str(), line["outcome"].as_str()), (Some("finished"), Some("rejected")));
    assert_eq!((line["exit_code"].as_u64(), line.get("error")), (Some(3), None));
    assert_eq!(line["broken_rules"][0]["observed"], "35 %");
    assert_eq!(line["tables"][0]["version"], Value::Null);
}

#[test]
fn a_screen_shows_the_first_rows_and_says_how_many_more_the_run_has() {
    let check = |rows: usize, most: Option<usize>, expected: &str| {
        let rows: Vec<usize> = (1..=rows).collect();
        let text = cut(&rows, most, &"day4".parse().unwrap(), |rows| format!("{rows:?}"));
        assert_eq!(text, expected);
    };
    check(3, None, "[1, 2, 3]");
    check(3, Some(3), "[1, 2, 3]");
    check(3, Some(4), "[1, 2, 3]");
    check(3, Some(2), "[1, 2]\n 1 more: sluice runs show day4");
}

#[test]
fn rules_about_a_share_of_the_run_come_first() {
    let rule = |rule: &str, expected: &str| BrokenRule {
        rule: rule.to_owned(),
        description: String::new(),
        observed: String::new(),
        expected: expected.to_owned(),
    };
    let rules = [rule("b", "= 0"), rule("quarantined_share", "< 10 %"), rule("a", "= 0")];
    let names: Vec<String> = most_important_first(&rules).into_iter().map(|rule| rule.rule).collect();
    assert_eq!(names, ["quarantined_share", "b", "a"]);
}

#[test]
fn a_run_in_one_line_has_its_outcome_its_numbers_and_its_id() {
    let check = |outcome: EndOutcome, expected: &str| {
        assert_eq!(ended(outcome).line_text(&Console::new(true)), expected);
    };
    check(EndOutcome::Published, "published: retail: 1 table, 3,000 rows read, 1,050 quarantined, in 1.50 s (run r-1)");
    check(EndOutcome::Skipped, "skipped: retail: nothing new, in 1.50 s (run r-1)");
    check(
        EndOutcome::Rejected,
        "rejected: retail: silver/sales/transactions: quarantined_share: observed 35 %, expected < 10 %, in 1.50 s (run r-1)",
    );
    check(EndOutcome::Failed, "failed: retail: Unavailable: disk is full, in 1.50 s (run r-1)");
    check(EndOutcome::Interrupted, "interrupted: retail: the next run completes what it began, in 1.50 s (run r-1)");
}
