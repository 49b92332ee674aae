//! The undisturbed paths through the branch, each with the answers of the functions that lead there.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::super::pipeline::{planned_in_parts, planned_in_parts_on, planned_on, processed, uri, verdict};
use super::super::support::Answer;
use super::world::{ClusterStory, Emr, StepStory};

/// An undisturbed run.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) cluster: ClusterStory,
    pub(super) step: StepStory,
    pub(super) answers: BTreeMap<String, VecDeque<Answer>>,
}

impl Story {
    fn new(name: &'static str) -> Self {
        let answers = [
            ("validate", planned_on("emr", 1, "planned")),
            ("process", processed("emr")),
            ("quality-check", verdict("passed")),
            ("publish", uri("receipt")),
            ("notify", Answer::Give(Value::Null)),
        ];
        let answers = answers.map(|(function, answer)| (function.to_owned(), VecDeque::from([answer])));
        Self { name, cluster: ClusterStory::Ready, step: StepStory::Completes, answers: answers.into() }
    }

    pub(super) fn with(mut self, function: &str, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers.insert(function.to_owned(), answers.into_iter().collect());
        self
    }

    /// quality-check holds objects, and Replan returns this.
    fn replanned(name: &'static str, answer: Answer) -> Self {
        let held = [Answer::Fail("ObjectsHeld"), verdict("passed")];
        Self::new(name)
            .with("quality-check", held)
            .with("validate", [planned_on("emr", 1, "planned"), answer, Answer::Fail("CommitConflict")])
    }

    fn with_cluster(name: &'static str, cluster: ClusterStory) -> Self {
        Self { cluster, ..Self::new(name) }
    }

    fn with_step(name: &'static str, step: StepStory) -> Self {
        Self { step, ..Self::new(name) }
    }

    /// The attempt after the first one, which was read for Spark, gets this answer of process to all its calls.
    fn then_read(self, answer: Answer) -> Self {
        self.with("process", [processed("emr"), answer])
    }

    pub(super) fn emr(&self) -> Emr {
        Emr::new(self.cluster, self.step)
    }

    /// The stories that are disturbed twice as well.
    pub(super) fn main() -> Vec<Self> {
        vec![Self::new("published"), Self::with_step("endless step", StepStory::NeverEnds)]
    }

    pub(super) fn all() -> Vec<Self> {
        let odd_plan = Answer::Give(json!({ "run": { "attempt": 2 }, "plan": { "status": "odd" } }));
        // About a part, and about all of them.
        let of_parts = |engine: &str| {
            Answer::Give(json!({ "uri": "runs/retail/r1/read.json", "engine": engine, "part": 1, "rows": 10 }))
        };
        let replanned_on = |name: &'static str, engine: &str| Self::replanned(name, planned_on(engine, 2, "planned"));
        let mut all = Self::main();
        all.extend([
            Self::new("read in parts")
                .with("validate", [planned_in_parts_on("emr", 1, &[1, 2])])
                .with("process", [of_parts("emr")]),
            Self::new("held before a cluster")
                .with("process", [Answer::Fail("ObjectsHeld"), processed("emr")])
                .with("validate", [planned_on("emr", 1, "planned"), planned_on("emr", 2, "planned")]),
            replanned_on("replanned on Spark", "emr"),
            Self::replanned("replanned on Spark in parts", planned_in_parts_on("emr", 2, &[1, 2]))
                .then_read(of_parts("emr")),
            replanned_on("refused when it is read again", "emr").then_read(Answer::Fail("ContractViolation")),
            Self::new("rejected").with("quality-check", [verdict("rejected")]),
            Self::new("odd verdict").with("quality-check", [verdict("odd")]),
            Self::new("notification lost").with("notify", [Answer::Fail("Internal")]),
            Self::new("overtaken").with("publish", [Answer::Fail("CommitConflict"), uri("receipt")]).with(
                "validate",
                [planned_on("emr", 1, "planned"), planned_on("emr", 2, "planned"), Answer::Fail("CommitConflict")],
            ),
            replanned_on("replanned on Lambda", "lambda").then_read(processed("lambda")),
            Self::replanned("replanned on Lambda in parts", planned_in_parts(2, &[1, 2])).then_read(of_parts("lambda")),
            Self::replanned("replanned to nothing", planned_on("emr", 2, "skipped")),
            replanned_on("replanned to an odd engine", "odd").then_read(processed("odd")),
            Self::replanned("replanned to an odd status", odd_plan),
            Self::with_cluster("cluster never ready", ClusterStory::NeverReady),
            Self::with_cluster("odd cluster", ClusterStory::Odd),
            Self::with_cluster("dying cluster", ClusterStory::Dies),
            Self::with_step("odd step", StepStory::Odd),
            Self::with_step("failing step", StepStory::Fails),
            Self::with_step("cluster lost under the step", StepStory::LosesCluster),
        ]);
        all
    }
}
