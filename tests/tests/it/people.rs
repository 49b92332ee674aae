//! The command as a person uses it: what a terminal shows, watching, the doctor, completions and manual pages.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;
use sluice_core::run::Outcome;
use sluice_tests::lab::Lab;
use sluice_tests::sluice::{Run, Started, binary};

use crate::small::{SILVER, land, orders};

const GOOD: &str = "id,name,amount,day\n1,ann,2.50,2026-01-05\n2,bob,3.00,2026-01-05\n";
const BAD: &str = "id,name,amount,day\n3,eve,much,2026-01-06\n";

/// `sluice watch <pipeline> --lake … --landing … --every 100ms <words>`.
fn watch(lab: &Lab, words: &[&str]) -> Command {
    let mut command = lab.command(["watch"]);
    command.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--landing").arg(lab.landing());
    command.args(["--every", "100ms"]).args(words);
    command
}

/// Puts a file into the landing folder at once, so that no run meets half of it.
fn arrive(lab: &Lab, name: &str, text: &str) {
    let written = lab.folder().join(name);
    fs::write(&written, text).unwrap();
    fs::rename(&written, lab.landing().join(name)).unwrap();
}

/// How the runs of a watch ended.
fn outcomes(run: &Run) -> Vec<String> {
    let ends = run.lines().into_iter().filter(|line| line["event"] == "finished");
    ends.map(|line| line["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_watch_runs_the_pipeline_when_a_file_arrives_and_only_then() {
    let lab = orders();
    land(&lab, "1.csv", GOOD);
    let mut watching = Started::new(watch(&lab, &["--runs", "2", "--json"]), lab.folder(), "watch");
    watching.wait_for("\"published\"");
    // Some turns in which nothing has arrived: they start no run.
    std::thread::sleep(Duration::from_millis(600));
    arrive(&lab, "2.csv", "id,name,amount,day\n4,tom,1.00,2026-01-06\n");
    let ended = watching.wait().expect_code(0);
    assert_eq!(outcomes(&ended), ["published", "published"], "{ended}");
    assert_eq!(lab.rows(SILVER), 3);
    assert_eq!(lab.runs().runs.len(), 2, "every run of the lake is one that had files");
}

#[test]
fn a_released_object_is_taken_again_by_the_watch() {
    let lab = orders();
    lab.edit_pipeline("pipeline.yaml", "quarantined_percent_below: none", "quarantined_percent_below: 10");
    land(&lab, "1.csv", BAD);
    let mut watching = Started::new(watch(&lab, &["--runs", "2", "--json"]), lab.folder(), "watch");
    watching.wait_for("\"rejected\"");
    lab.edit_pipeline("pipeline.yaml", "quarantined_percent_below: 10", "quarantined_percent_below: none");
    let held = lab.held();
    assert_eq!(held.len(), 1);
    let run_id = lab.runs().runs[0].run_id.to_string();
    let _ = lab.sluice(&["source", "release", "--run", &run_id]).expect_code(0);
    // The command ends as the run that was rejected, although the next one was published.
    let ended = watching.wait().expect_code(3);
    assert_eq!(outcomes(&ended), ["rejected", "published"], "{ended}");
}

#[test]
fn a_watch_ends_after_its_time_and_refuses_what_cannot_be_watched() {
    let lab = orders();
    let ended = Run::of(watch(&lab, &["--for", "500ms"])).expect_code(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains("skipped: retail: nothing new")), "{ended}");
    assert!(ended.stderr.contains("watching file://"), "{ended}");
    let mut several = watch(&lab, &["--for", "1s"]);
    several.arg(lab.pipeline());
    let refused = Run::of(several).expect_code(2);
    assert!(refused.stderr.contains("next: leave --landing out"), "{refused}");
    let mut around = lab.command(["watch", "--for", "1s"]);
    around.arg(lab.pipeline()).arg("--lake").arg(lab.lake()).arg("--landing").arg(lab.folder());
    let refused = Run::of(around).expect_code(2);
    assert!(refused.stderr.contains("contains the lake"), "{refused}");
    lab.edit_pipeline("pipeline.yaml", "contract: contracts/totals.yaml", "contract: contracts/gone.yaml");
    let refused = Run::of(watch(&lab, &["--for", "1s"])).expect_code(1);
    assert!(refused.stderr.contains("sluice check"), "{refused}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_watch_that_waits() {
    let lab = orders();
    land(&lab, "1.csv", GOOD);
    let out = lab.folder().join("watch.out");
    let mut command = watch(&lab, &["--json"]);
    command.stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(&out).unwrap().contains("\"published\"") {
        assert!(Instant::now() < until, "nothing was published within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(lab.rows(SILVER), 2);
}

/// What the doctor found: each check with its state.
fn diagnosis(run: &Run) -> Vec<(String, String)> {
    let page: Value = run.page();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = page["findings"].as_array().unwrap_or_else(|| panic!("no findings: {run}"));
    findings.iter().map(|finding| (text(finding, "check"), text(finding, "state"))).collect()
}

/// Whether the doctor has such a finding.
fn has(run: &Run, check: &str, state: &str) -> bool {
    diagnosis(run).contains(&(check.to_owned(), state.to_owned()))
}

#[test]
fn a_healthy_lake_has_no_problem_and_keeps_nothing_of_the_check() {
    let lab = orders();
    land(&lab, "1.csv", GOOD);
    let _ = lab.run().expect(Outcome::Published);
    let pipeline = lab.pipeline();
    let healthy = lab.sluice(&["doctor", pipeline.to_str().unwrap()]).expect_code(0);
    for check in ["version", "lake", "write", "runs", "unfinished", "tables", "logs", "held", "decisions", "pipeline"] {
        assert!(has(&healthy, check, "ok"), "{check}: {healthy}");
    }
    assert!(!lab.lake().join("doctor").exists(), "the probe is deleted");
    let read_only = lab.sluice(&["doctor", "--read-only"]).expect_code(0);
    assert!(has(&read_only, "write", "skipped") && has(&read_only, "tables", "ok"), "{read_only}");
    // Without a lake, the machine alone is checked.
    let alone = Run::of(lab.command(["doctor", "--json"])).expect_code(0);
    assert!(has(&alone, "lake", "skipped") && !has(&alone, "tables", "ok"), "{alone}");
    let mut shown = lab.command(["doctor", "--lake"]);
    shown.arg(lab.lake());
    let shown = Run::of(shown).expect_code(0);
    assert!(shown.stdout.contains("ok       write"), "{shown}");
    assert!(shown.stdout.lines().last().unwrap_or_default().contains("0 problems and"), "{shown}");
}

#[test]
fn the_doctor_names_what_waits_for_a_person_and_what_is_broken() {
    let lab = orders();
    lab.edit_pipeline("pipeline.yaml", "quarantined_percent_below: none", "quarantined_percent_below: 60");
    land(&lab, "1.csv", GOOD);
    let _ = lab.run().expect(Outcome::Published);
    land(&lab, "2.csv", BAD);
    let _ = lab.run().expect(Outcome::Rejected);
    let waiting = lab.sluice(&["doctor"]).expect_code(0);
    assert!(has(&waiting, "held", "warning") && has(&waiting, "decisions", "warning"), "{waiting}");

    // A table whose log is damaged, and a lake that does not exist, are problems.
    let log = lab.lake().join(SILVER).join("_delta_log/00000000000000000000.json");
    fs::write(&log, "{ not a log").unwrap();
    let broken = lab.sluice(&["doctor"]).expect_code(1);
    assert!(has(&broken, "tables", "problem"), "{broken}");
    let page: Value = broken.page();
    let fixes = page["findings"].as_array().unwrap().iter().filter(|finding| finding["state"] == "problem");
    assert!(fixes.clone().count() > 0 && fixes.clone().all(|finding| finding["fix"].is_string()), "{broken}");
    let gone = Run::of(lab.command(["doctor", "--lake", "gone", "--json"])).expect_code(1);
    assert!(has(&gone, "lake", "problem"), "{gone}");

    lab.edit_pipeline("pipeline.yaml", "contract: contracts/totals.yaml", "contract: contracts/gone.yaml");
    let mut of_pipeline = lab.command(["doctor", "--json"]);
    of_pipeline.arg(lab.pipeline());
    assert!(has(&Run::of(of_pipeline).expect_code(1), "pipeline", "problem"));
    let _ = Run::of(lab.command(["doctor", "nowhere"])).expect_code(2);
}

/// What bash offers for the last of these words.
fn completed(script: &Path, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let call = format!(
        "source {script}; COMP_WORDS=({words}); COMP_CWORD={last}; _sluice sluice '{current}' '{before}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script = script.display(),
        words = words.join(" "),
        current = words[last],
        before = words[last - 1],
    );
    let output = Command::new("bash").args(["--norc", "-c", &call]).output().expect("bash");
    assert!(output.status.success(), "{call}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let lab = Lab::new();
    let script = lab.folder().join("sluice.bash");
    fs::write(&script, Run::of(lab.command(["completions", "bash"])).expect_code(0).stdout).unwrap();
    let check = |words: &[&str], expected: &str| {
        let found = completed(&script, words);
        assert!(found.iter().any(|word| word == expected), "{words:?}: {found:?}");
    };
    check(&["sluice", "doc"], "doctor");
    check(&["sluice", "watch", "--ev"], "--every");
    check(&["sluice", "runs", "acc"], "accept");
    check(&["sluice", "table", "his"], "history");
    check(&["sluice", "completions", "fi"], "fish");
    assert!(!completed(&script, &["sluice", "serve"]).iter().any(|word| word == "serve-worker"), "it is hidden");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let page: Value = Run::of(lab.command(["completions", shell, "--json"])).expect_code(0).page();
        let script = page["script"].as_str().unwrap_or_default();
        assert!(page["shell"] == shell && script.contains("quarantine"), "{shell}: {script}");
    }
}

#[test]
fn every_command_has_a_manual_page_that_can_be_set() {
    let lab = Lab::new();
    let folder = lab.folder().join("man1");
    let mut command = lab.command(["man", "--json", "--out"]);
    command.arg(&folder);
    let page: Value = Run::of(command).expect_code(0).page();
    let files = page["files"].as_array().expect("files");
    assert!(files.len() > 20, "{files:?}");
    let groff = Command::new("groff").arg("--version").output().is_ok_and(|output| output.status.success());
    for file in files.iter().filter_map(Value::as_str) {
        let text = fs::read_to_string(file).unwrap();
        for section in [".TH", ".SH NAME", ".SH SYNOPSIS"] {
            assert!(text.contains(section), "{file} has no {section}");
        }
        if !groff {
            continue;
        }
        let set = Command::new("groff").args(["-man", "-Tutf8", "-P-cbou", file]).output().unwrap();
        assert!(set.status.success(), "{file}: {}", String::from_utf8_lossy(&set.stderr));
        assert!(String::from_utf8_lossy(&set.stdout).contains("SYNOPSIS"), "{file}");
    }
    let one = Run::of(lab.command(["man", "runs", "list"])).expect_code(0);
    assert!(one.stdout.contains("List the newest runs"), "{one}");
    let _ = Run::of(lab.command(["man", "nonsense"])).expect_code(2);
}

/// What a command shows on a terminal of this width, without what moves the cursor or colours; `None` as of
/// [`written_to`].
fn on_terminal(lab: &Lab, width: u32, words: &str) -> Option<String> {
    let escapes = Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").unwrap();
    let written = written_to("xterm", lab, width, words)?;
    Some(escapes.replace_all(&written, "").into_owned())
}

/// What a command writes to a terminal of this kind and width; `None` where this machine has no `script`, which makes
/// terminals.
fn written_to(kind: &str, lab: &Lab, width: u32, words: &str) -> Option<String> {
    let call = format!("stty cols {width} rows 40; {} {words}", binary().display());
    let mut command = Command::new("script");
    command.args(["-qec", &call, "/dev/null"]).current_dir(lab.folder()).env("TERM", kind).env_remove("COLUMNS");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
    let mut shown = Vec::new();
    child.stdout.take()?.read_to_end(&mut shown).ok()?;
    child.wait().ok()?;
    Some(String::from_utf8_lossy(&shown).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_cannot_redraw_gets_a_line_of_each_state_and_whole_tables() {
    let lab = orders();
    land(&lab, "1.csv", GOOD);
    let words = format!("run {} --lake lake --landing {}", lab.pipeline().display(), lab.landing().display());
    // Terminals of build servers often do not say how wide they are.
    let Some(shown) = written_to("dumb", &lab, 0, &words) else {
        eprintln!("not checked: this machine has no `script`");
        return;
    };
    for words in ["Validate", "Publish", " silver/sales/orders ", "published:"] {
        assert!(shown.contains(words), "no {words:?} in {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_verdict_fits_a_terminal_of_80_columns_and_keeps_its_numbers_whole() {
    let lab = Lab::new();
    let files = lab
        .sample(&lab.landing(), &sluice_tests::lab::Sample { start: "2026-01-05", days: 2, rows: 2000, dirt: "0.01" });
    assert_eq!(files.len(), 2);
    let words = format!("run {} --lake lake --landing landing", lab.pipeline().display());
    let Some(shown) = on_terminal(&lab, 80, &words) else {
        eprintln!("not checked: this machine has no `script`");
        return;
    };
    assert!(shown.contains("published:"), "{shown}");
    assert!(shown.contains("4,000 rows"), "the state that has read says how many records: {shown}");
    assert!(shown.contains("left out, to fit the width: read, version"), "{shown}");
    let rows: Vec<&str> =
        shown.split(['\r', '\n']).filter(|line| line.starts_with(" silver/sales/transactions ")).collect();
    assert!(rows.iter().any(|row| row.split_whitespace().count() == 5), "{rows:?}");
    let table = shown.split(['\r', '\n']).filter(|line| line.starts_with(' '));
    for line in table {
        assert!(line.trim_end().chars().count() <= 80, "{line:?}");
    }
    // What a pipe gets has nothing of the lines that are redrawn, and every column.
    let mut piped = lab.command(["run"]);
    piped.arg(lab.pipeline()).args(["--lake", "other", "--landing", "landing"]);
    let piped = Run::of(piped).expect_code(0);
    assert!(!piped.stderr.contains(['\r', '\u{1b}']) && !piped.stdout.contains('\u{1b}'), "{piped}");
    assert!(piped.stdout.contains("version") && !piped.stdout.contains("left out"), "{piped}");
}
