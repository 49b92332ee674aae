//! Cases through two engines, with a summary.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::case::{Case, write};
use super::compare::Comparison;
use super::coverage::{Coverage, EXPECTED, features};
use super::engines::Engine;
use super::run::{Ending, Outcome, Place, Side};
use crate::files;

/// Number of differences that are shown of one case.
const SHOWN_DIFFERENCES: usize = 6;

/// Two engines, and the results of their cases.
pub struct Suite<'a> {
    left: &'a mut dyn Engine,
    right: &'a mut dyn Engine,
    /// Cases by feature.
    pub coverage: Coverage,
    totals: Totals,
    /// Cases that differ: their names and what differs.
    pub failures: Vec<(String, String)>,
    started: Instant,
}

#[derive(Debug, Default)]
struct Totals {
    cases: u64,
    runs: u64,
    published: u64,
    rejected: u64,
    failed: u64,
    skipped: u64,
    tables: u64,
    rows: u64,
    quarantined: u64,
    right_time: Duration,
}

impl<'a> Suite<'a> {
    /// A suite without cases.
    pub fn new(left: &'a mut dyn Engine, right: &'a mut dyn Engine) -> Self {
        let (coverage, failures) = (Coverage::new(), Vec::new());
        Self { left, right, coverage, totals: Totals::default(), failures, started: Instant::now() }
    }

    /// Runs a drawn case through both engines.
    pub fn case(&mut self, case: &Case) {
        let folder = tempfile::Builder::new().prefix(&format!("sluice-parity-{}-", case.seed)).tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let place = set_up(case, &folder);
        let place = &place;
        let deliveries = (0..case.deliveries.len()).map(|delivery| move || case.land(delivery, place));
        let outcomes = self.runs(&format!("case {}", case.seed), &folder, place, deliveries);
        let found = features(&case.tags, &outcomes);
        // This output helps to choose cases for a smaller set.
        eprintln!(
            "case {}: {} runs; {}",
            case.seed,
            outcomes.len(),
            found.iter().cloned().collect::<Vec<_>>().join(", ")
        );
        for feature in found {
            *self.coverage.entry(feature).or_default() += 1;
        }
    }

    /// Runs the files of the retail data through both engines, in deliveries of this many files.
    pub fn retail(&mut self, data: &[PathBuf], in_delivery: usize) {
        let folder =
            tempfile::Builder::new().prefix("sluice-parity-retail-").tempdir().expect("a temporary folder").keep();
        let place = Place {
            pipeline: "retail".parse().expect("a name"),
            spec: folder.join("pipeline"),
            landing: folder.join("landing"),
        };
        files::copy_folder(&files::repository().join("pipelines/retail"), &place.spec);
        let deliveries = data.chunks(in_delivery).map(|chunk| {
            let landing = place.landing.clone();
            move || drop(files::copy_files(chunk, &landing))
        });
        let outcomes = self.runs("retail", &folder, &place, deliveries);
        let published = outcomes.iter().filter(|outcome| outcome.ending == Ending::Published).count();
        if published != data.chunks(in_delivery).count() {
            let endings: Vec<&Ending> = outcomes.iter().map(|outcome| &outcome.ending).collect();
            self.failures.push(("retail".to_owned(), format!("not every run was published: {endings:?}")));
        }
    }

    /// Runs all deliveries on both lakes and returns the outcomes of the left engine. The folder is removed if nothing differs.
    fn runs<D: FnOnce()>(
        &mut self,
        name: &str,
        folder: &Path,
        place: &Place,
        deliveries: impl Iterator<Item = D>,
    ) -> Vec<Outcome> {
        fs::create_dir_all(&place.landing).expect("a folder can be made");
        // A name whose encoded address differs from the literal one.
        let lake = |side: &str| Side::new(&folder.join(side).join("lake one ü"), place);
        let (mut left, mut right) = (lake("left"), lake("right"));
        let mut comparison = Comparison::default();
        let mut outcomes = Vec::new();
        for deliver in deliveries {
            deliver();
            let outcome = left.run(self.left);
            let began = Instant::now();
            let other = right.run(self.right);
            self.totals.right_time += began.elapsed();
            comparison.outcomes(&outcome, &other);
            if let (Ending::Failed(step), []) = (&outcome.ending, comparison.differences.as_slice()) {
                // A case that fails on both sides proves nothing.
                comparison.differences.push(format!("both fail in {step}: {}", outcome.message));
            }
            comparison.lakes(&left.lake, &right.lake);
            self.count(&outcome);
            let stop = matches!(outcome.ending, Ending::Failed(_)) || !comparison.differences.is_empty();
            outcomes.push(outcome);
            if stop {
                break;
            }
        }
        self.totals.cases += 1;
        self.totals.tables += comparison.tables;
        self.totals.rows += comparison.rows;
        self.totals.quarantined += comparison.quarantined;
        match comparison.differences.as_slice() {
            [] => files::remove_folder(folder),
            differences => {
                let shown = differences[..differences.len().min(SHOWN_DIFFERENCES)].join("\n");
                let count = differences.len();
                let run = outcomes.len();
                let text = format!("{count} differences after run {run}; see {}\n{shown}", folder.display());
                eprintln!("DIFFERENT: {name}: {text}\n");
                self.failures.push((name.to_owned(), text));
            }
        }
        outcomes
    }

    fn count(&mut self, outcome: &Outcome) {
        self.totals.runs += 1;
        *match outcome.ending {
            Ending::Published => &mut self.totals.published,
            Ending::Rejected => &mut self.totals.rejected,
            Ending::Skipped => &mut self.totals.skipped,
            Ending::Failed(_) => &mut self.totals.failed,
        } += 1;
    }

    /// Features that no case covered.
    pub fn lacking(&self) -> Vec<&'static str> {
        EXPECTED.iter().copied().filter(|feature| !self.coverage.contains_key(*feature)).collect()
    }

    /// The summary for people.
    pub fn summary(&self) -> String {
        let Totals { cases, runs, published, rejected, failed, skipped, tables, rows, quarantined, right_time } =
            &self.totals;
        let seconds = self.started.elapsed().as_secs_f64();
        let mut text = format!(
            "parity: {cases} cases, {runs} runs ({published} published, {rejected} rejected, {skipped} skipped, {failed} failed)\n\
             {tables} tables compared, {rows} rows, {quarantined} of them quarantined\n\
             {} cases differ; {seconds:.0} s, of which the right engine {:.0} s\ncases by feature:\n",
            self.failures.len(),
            right_time.as_secs_f64(),
        );
        for (feature, count) in &self.coverage {
            text.push_str(&format!("  {count:>4}  {feature}\n"));
        }
        for (name, _) in &self.failures {
            text.push_str(&format!("DIFFERENT: {name}\n"));
        }
        text
    }

    /// Fails the test when a case differs.
    pub fn judge_differences(&self) {
        eprintln!("{}", self.summary());
        assert!(self.failures.is_empty(), "{} cases differ; see the messages above", self.failures.len());
    }

    /// Fails the test when a case differs or a feature is not covered.
    pub fn judge(&self) {
        self.judge_differences();
        assert_eq!(self.lacking(), Vec::<&str>::new(), "no case covered these features");
    }
}

/// Writes the pipeline of a case into a folder; its files arrive next to it.
pub fn set_up(case: &Case, folder: &Path) -> Place {
    let pipeline = "parity".parse().expect("a name");
    let place = Place { pipeline, spec: folder.join("pipeline"), landing: folder.join("landing") };
    fs::create_dir_all(&place.landing).expect("a folder can be made");
    for (path, text) in &case.pipeline {
        write(&place.spec.join(path), text.as_bytes());
    }
    place
}
