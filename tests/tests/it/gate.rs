//! A poisoned day is rejected at the gate, held, and published once: after a release, a fix, or a person's acceptance.

use std::path::PathBuf;

use sluice_core::name::RunId;
use sluice_core::run::{Decision, Outcome};
use sluice_tests::content::{LakeContent, assert_same, lake_content};
use sluice_tests::data::record_count;
use sluice_tests::files::copy_folder;
use sluice_tests::lab::{BRONZE, Lab, SILVER, Sample, open_lake};
use sluice_tests::sluice::{Run, kill_at_event};

const ROWS: u32 = 300;
const GATE: &str = "quarantined_percent_below: 10";

fn day<'a>(start: &'a str, dirt: &'a str) -> Sample<'a> {
    Sample { start, days: 1, rows: ROWS, dirt }
}

/// A lake with two good days, whose third day was rejected.
struct Poisoned {
    lab: Lab,
    files: Vec<PathBuf>,
    run: Run,
    run_id: RunId,
}

impl Poisoned {
    fn new() -> Self {
        let lab = Lab::new();
        let mut files = lab.sample(&lab.landing(), &Sample { days: 2, ..day("2026-01-05", "0.02") });
        let _ = lab.run().expect(Outcome::Published);
        let (tables, logs) = (lab.tables(), lab.log_files());
        assert_eq!(tables.len(), 5, "{tables:?}");
        files.extend(lab.sample(&lab.landing(), &day("2026-01-07", "0.35")));
        let run = lab.run().expect(Outcome::Rejected);
        assert_eq!(lab.tables(), tables, "a rejected run changes no table");
        assert_eq!(lab.log_files(), logs, "a rejected run writes no log");
        let run_id = run.run_id();
        Self { lab, files, run, run_id }
    }

    fn poisoned_file(&self) -> &PathBuf {
        &self.files[2]
    }

    /// Delivers the next day, which is published alone.
    fn next_good_day(&mut self) {
        let before = self.lab.rows(BRONZE);
        let good = self.lab.sample(&self.lab.landing(), &day("2026-01-08", "0.02"));
        let _ = self.lab.run().expect(Outcome::Published);
        assert_eq!(self.lab.rows(BRONZE), before + record_count(&good), "only the good day");
        self.files.extend(good);
    }

    /// The content of a lake in which all files were published by one run.
    fn expected(&self) -> LakeContent {
        let open = Lab::new();
        open.edit_pipeline("pipeline.yaml", GATE, "quarantined_percent_below: 90");
        copy_folder(&self.lab.landing(), &open.landing());
        let _ = open.run().expect(Outcome::Published);
        let content = open.content();
        assert_eq!(content[BRONZE].rows.len() as u64, record_count(&self.files));
        content
    }

    fn accept(&self) -> Run {
        self.lab.sluice(&["runs", "accept", self.run_id.as_str(), "--by", "tester", "--reason", "known and wanted"])
    }

    /// Asserts that nothing is left to do and nothing is held.
    fn assert_at_rest(&self) {
        let tables = self.lab.tables();
        let _ = self.lab.run().expect(Outcome::Skipped);
        assert_eq!(self.lab.tables(), tables);
        assert_eq!(self.lab.held(), [], "nothing is held any more");
    }
}

#[test]
fn the_verdict_names_the_rules_with_observed_and_expected() {
    let poisoned = Poisoned::new();
    let verdict = poisoned.lab.verdict(&poisoned.run_id, 1);
    assert_eq!(verdict.decision, Decision::Rejected);
    let broken = verdict.broken();
    for (name, rule) in &broken {
        eprintln!("broken: {name}: {}: observed {}, expected {}", rule.description, rule.observed, rule.expected);
    }
    let name = format!("{SILVER}: quarantined_share");
    let (_, share) = broken.iter().find(|(rule, _)| *rule == name).unwrap_or_else(|| panic!("{name} is not broken"));
    let observed: f64 = share.observed.trim_end_matches(" %").parse().expect("a percentage");
    assert!((30.0..40.0).contains(&observed), "{observed}");
    assert_eq!(share.expected, "< 10 %");
    let lines = poisoned.run.lines();
    let reported = lines.last().unwrap()["broken_rules"].as_array().unwrap();
    assert_eq!(reported.len(), broken.len(), "the run reports every broken rule");
    let share = reported.iter().find(|rule| rule["rule"] == name.as_str()).unwrap();
    assert_eq!((share["expected"].as_str(), share["observed"].is_string()), (Some("< 10 %"), true));
}

#[test]
fn a_held_file_is_listed_with_the_reason_and_does_not_block_the_next_day() {
    let mut poisoned = Poisoned::new();
    let held = poisoned.lab.held();
    let file = poisoned.poisoned_file().file_name().unwrap().to_str().unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].uri.ends_with(file) && held[0].run_id == poisoned.run_id, "{held:?}");
    for part in ["quarantined_share", "observed", "expected < 10 %"] {
        assert!(held[0].reason.contains(part), "{held:?}");
    }
    let runs = poisoned.lab.runs();
    assert_eq!(runs.held, held);
    let rejected = runs.runs.iter().find(|run| run.run_id == poisoned.run_id).unwrap();
    assert_eq!(rejected.state, "rejected");
    assert!(rejected.broken_rules.iter().any(|rule| rule.ends_with("quarantined_share")), "{rejected:?}");

    let tables = poisoned.lab.tables();
    let _ = poisoned.lab.run().expect(Outcome::Skipped);
    assert_eq!(poisoned.lab.tables(), tables, "a held file is not read");
    poisoned.next_good_day();
    assert_eq!(poisoned.lab.held(), held, "still held");
}

#[test]
fn rows_of_a_run_accepted_at_once_arrive_once() {
    let poisoned = Poisoned::new();
    let _ = poisoned.accept().expect(Outcome::Published);
    assert_same(&poisoned.expected(), &poisoned.lab.content(), "accepted at once");
    poisoned.assert_at_rest();
}

#[test]
fn rows_of_a_run_accepted_after_the_next_day_arrive_once() {
    let mut poisoned = Poisoned::new();
    poisoned.next_good_day();
    let run = poisoned.accept().expect(Outcome::Published);
    let attempts = 1 + u32::try_from(run.times_entered("Replan")).unwrap();
    eprintln!("accepted after the next day: attempt {attempts} was published");
    assert!(attempts > 1, "what was staged before the next day cannot be published unchanged: {run}");
    let verdict = poisoned.lab.verdict(&poisoned.run_id, attempts);
    let word = verdict.acceptance.expect("the acceptance is recorded in the verdict");
    assert_eq!(
        (verdict.decision, word.by.as_str(), word.reason.as_str()),
        (Decision::Accepted, "tester", "known and wanted")
    );
    assert_same(&poisoned.expected(), &poisoned.lab.content(), "accepted after the next day");
    poisoned.assert_at_rest();

    let tables = poisoned.lab.tables();
    let _ = poisoned.accept().expect(Outcome::Published);
    assert_eq!(poisoned.lab.tables(), tables, "a second acceptance changes nothing");
}

#[test]
fn a_killed_acceptance_can_be_repeated() {
    let mut poisoned = Poisoned::new();
    poisoned.next_good_day();
    let expected = poisoned.expected();
    let prepared = poisoned.lab.folder().join("prepared");
    copy_folder(poisoned.lab.lake(), &prepared);
    let lake = poisoned.lab.folder().join("killed");
    let accept = || {
        let mut command = poisoned.lab.command(["runs", "accept", poisoned.run_id.as_str()]);
        command.args(["--by", "tester", "--reason", "known and wanted", "--json", "--lake"]).arg(&lake);
        command
    };
    let mut killed = 0;
    // After a conflict the state machine has more boundaries than these; `kill` tests them.
    for boundary in (1..=24).step_by(2) {
        sluice_tests::files::remove_folder(&lake);
        copy_folder(&prepared, &lake);
        if kill_at_event(accept(), boundary).is_err() {
            break;
        }
        killed += 1;
        let _ = Run::of(accept()).expect(Outcome::Published);
        let when = format!("accepted again after a kill at boundary {boundary}");
        assert_same(&expected, &lake_content(&open_lake(&lake)), &when);
    }
    eprintln!("{killed} acceptances killed and repeated");
    assert!(killed >= 6, "only {killed} acceptances could be killed");
}

#[test]
fn a_released_file_arrives_once_when_the_gate_accepts_it() {
    let mut poisoned = Poisoned::new();
    poisoned.next_good_day();
    let tables = poisoned.lab.tables();
    let released = poisoned.lab.sluice(&["source", "release", "--run", poisoned.run_id.as_str()]);
    let _ = released.expect_code(0);
    assert_eq!(poisoned.lab.held(), []);
    let again = poisoned.lab.run().expect(Outcome::Rejected);
    assert_eq!(poisoned.lab.tables(), tables, "a file that is released without a fix is rejected again");
    assert_eq!(poisoned.lab.held()[0].run_id, again.run_id(), "and held again");

    poisoned.lab.edit_pipeline("pipeline.yaml", GATE, "quarantined_percent_below: 90");
    let id = poisoned.lab.held()[0].id.to_string();
    let _ = poisoned.lab.sluice(&["source", "release", &id]).expect_code(0);
    let _ = poisoned.lab.run().expect(Outcome::Published);
    assert_same(&poisoned.expected(), &poisoned.lab.content(), "released after the fix");
    poisoned.assert_at_rest();
}

#[test]
fn a_held_file_that_is_replaced_by_a_good_one_needs_no_release() {
    let mut poisoned = Poisoned::new();
    poisoned.next_good_day();
    let fixed = poisoned.lab.sample(&poisoned.lab.landing(), &day("2026-01-07", "0.02"));
    assert_eq!(fixed[0].file_name(), poisoned.poisoned_file().file_name());
    let _ = poisoned.lab.run().expect(Outcome::Published);
    assert_same(&poisoned.expected(), &poisoned.lab.content(), "replaced by a good file");
    let tables = poisoned.lab.tables();
    let _ = poisoned.lab.run().expect(Outcome::Skipped);
    assert_eq!(poisoned.lab.tables(), tables);
}

#[test]
fn accepting_a_run_that_was_not_rejected_is_wrong_use() {
    let mut poisoned = Poisoned::new();
    poisoned.next_good_day();
    let published = poisoned.lab.runs().runs.into_iter().find(|run| run.state == "published").unwrap();
    let tables = poisoned.lab.tables();
    let check = |words: &[&str], says: &str| {
        let run = poisoned.lab.sluice(words).expect_code(2);
        assert!(run.stdout.contains(says), "{says}: {run}");
    };
    check(&["runs", "accept", "no-such-run", "--by", "me", "--reason", "x"], "no-such-run");
    check(&["runs", "accept", published.run_id.as_str(), "--by", "me", "--reason", "x"], "passed the gate");
    check(&["runs", "accept", poisoned.run_id.as_str(), "--by", "me"], "--reason");
    check(&["runs", "accept", poisoned.run_id.as_str(), "--by", "me", "--reason", ""], "reason");
    check(&["source", "release", "no-such-file.csv"], "no-such-file.csv");
    assert_eq!(poisoned.lab.tables(), tables);
    assert_eq!(poisoned.lab.held().len(), 1, "the held file is still held");
}
