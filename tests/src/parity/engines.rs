//! The engines that execute a case, behind one call: stage what a plan says.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::engine::{Divisible, EnginePreference, cut};
use sluice_core::error::{ErrorName, StepError};
use sluice_core::run::{Cuts, PartNumber, Plan, PlannedObject, Positions, ReadFrom};
use sluice_core::source::{Codec, SourceObject};
use sluice_core::spec::SourceFormat;
use sluice_lake::{Lake, steps};
use sluice_spark::{ReadFiles, script};

use super::spark::SparkSession;
use crate::content::wait;
use crate::random::Random;

/// Stages the changes of a plan; everything before and after is the same for all engines.
pub trait Engine {
    /// The engine preference of a request for this engine.
    fn preference(&self) -> EnginePreference;

    /// Stages the changes. `scratch` is a folder for the engine's own files, which help to analyse failures.
    ///
    /// # Errors
    /// That of the engine.
    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), StepError>;
}

/// A number that follows from a text alone.
fn number(text: &str) -> u64 {
    text.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// Whether a run reads texts whose records have bytes of their own.
fn has_lines(plan: &Plan) -> bool {
    match plan.pipeline.source.format {
        SourceFormat::Csv => plan.pipeline.source.csv.is_divisible(),
        SourceFormat::FixedWidth => plan.pipeline.encoding().is_utf8(),
        SourceFormat::Ndjson => true,
        SourceFormat::Json | SourceFormat::Parquet | SourceFormat::Xlsx | SourceFormat::Avro | SourceFormat::Xml => {
            false
        }
    }
}

/// Writes the plan with `_source_row` as bytes for half of its objects that may be divided, in the place of the one in
/// the lake: in files as small as those of a case, validate counts records. Which half follows from the objects, so
/// that it is the same for every engine and in every attempt.
fn with_byte_positions(lake: &Lake, plan: &Plan) -> Plan {
    let mut rewritten = plan.clone();
    for planned in &mut rewritten.objects {
        let is_new = planned.read_from == ReadFrom::Landing && planned.shape.is_some();
        if is_new && has_lines(plan) && is_chosen(&planned.object) && is_plain(&planned.object) {
            planned.positions = Positions::Bytes;
        }
    }
    if rewritten != *plan {
        wait(lake.documents().of(&plan.run).replace(&rewritten)).expect("the plan can be written");
    }
    rewritten
}

fn is_chosen(object: &SourceObject) -> bool {
    let name = object.uri.as_str().rsplit('/').next().unwrap_or_default();
    number(name).wrapping_add(object.size_bytes).is_multiple_of(2)
}

fn is_plain(object: &SourceObject) -> bool {
    let path = object.uri.as_url().to_file_path().expect("the files of a case are local");
    let mut first = Vec::new();
    // What is gone by now is nobody's text.
    let read = File::open(path).and_then(|file| file.take(8).read_to_end(&mut first));
    read.is_ok() && Codec::of(&first) == Codec::Plain
}

/// Polars, in this process.
pub struct Polars;

impl Engine for Polars {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), StepError> {
        let plan = with_byte_positions(lake, plan);
        Ok(wait(steps::process(lake, now, &plan.run)).map(drop)?)
    }
}

/// Cuts plans at random places, between objects and within them, and reads their parts in a random order: some twice,
/// and some not before process, which reads those by itself.
///
/// A plan decides by itself how it is cut, so that one case is the same alone and after others.
struct RandomParts {
    seed: u64,
    /// Parts of all plans so far.
    count: usize,
    /// Those of them that are a range of an object.
    ranges: usize,
}

impl RandomParts {
    fn new(seed: u64) -> Self {
        Self { seed, count: 0, ranges: 0 }
    }

    /// The random numbers of a plan.
    fn random(&self, plan: &Plan) -> Random {
        let of_run = number(plan.run.run_id.as_str()).wrapping_add(u64::from(plan.run.attempt));
        let sizes = plan.objects.iter().map(|planned| planned.object.size_bytes);
        Random::new(sizes.fold(self.seed ^ of_run, |sum, size| sum.wrapping_mul(31).wrapping_add(size)))
    }

    /// Writes the plan, cut somewhere else, in the place of the one in the lake, and reads parts of it.
    fn read(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, random: &mut Random) -> Plan {
        let mut weight = || u64::try_from(random.between(1, 6)).expect("above 0");
        let part_bytes = weight();
        let weights: Vec<u64> = plan.objects.iter().map(|_| weight()).collect();
        let plan = Plan { cuts: random_cuts(plan, &weights, part_bytes, random), ..plan.clone() };
        wait(lake.documents().of(&plan.run).replace(&plan)).expect("the plan can be written");
        let mut parts: Vec<PartNumber> = plan.cuts.numbers().collect();
        self.count += parts.len();
        let is_range = |part: &&PartNumber| plan.part(**part).is_some_and(|part| part.range.is_some());
        self.ranges += parts.iter().filter(is_range).count();
        random.shuffle(&mut parts);
        for part in parts {
            for _ in 0..random.below(3) {
                // As in the state machine: whatever a part meets, process meets again.
                let _ = wait(steps::read_part(lake, now, &plan.run, part));
            }
        }
        plan
    }
}

/// Parts of a plan: ranges of some of its objects, and between them as many whole objects as `part_bytes` take.
fn random_cuts(plan: &Plan, weights: &[u64], part_bytes: u64, random: &mut Random) -> Cuts {
    let (mut parts, mut whole) = (Vec::new(), Vec::new());
    for (planned, weight) in plan.objects.iter().zip(weights) {
        let ranges = random_ranges(plan, planned, random);
        if ranges.is_empty() {
            whole.push(Divisible::no(*weight));
        } else {
            parts.extend(parts_of(&std::mem::take(&mut whole), part_bytes));
            parts.extend(ranges);
        }
    }
    parts.extend(parts_of(&whole, part_bytes));
    serde_json::from_value(Value::Array(parts)).expect("they have each byte once")
}

/// The parts that whole objects are divided into, as a plan writes them.
fn parts_of(objects: &[Divisible], part_bytes: u64) -> Vec<Value> {
    let (cuts, _) = cut(objects, part_bytes);
    match serde_json::to_value(&cuts).expect("parts can be written") {
        Value::Array(parts) if !parts.is_empty() => parts,
        _ if objects.is_empty() => Vec::new(),
        _ => vec![json!(objects.len())],
    }
}

/// Ranges of an object, as a plan writes them; none where it cannot be divided, or is not. Some have one byte.
fn random_ranges(plan: &Plan, planned: &PlannedObject, random: &mut Random) -> Vec<Value> {
    let size = usize::try_from(planned.object.size_bytes).expect("a file of a case is small");
    let size = match planned.read_from {
        ReadFrom::Landing if planned.positions == Positions::Bytes => size,
        // The places of its rows are numbers or bytes: nobody knows any more.
        ReadFrom::Bronze if has_lines(plan) => *random.pick(&[40, size]),
        ReadFrom::Landing | ReadFrom::Bronze => 0,
    };
    if size < 2 || !random.happens(60) {
        return Vec::new();
    }
    let mut begins = BTreeSet::new();
    for _ in 0..1 + random.below(4) {
        let begin = 1 + random.below(size - 1);
        begins.insert(begin);
        begins.extend((begin + 1..size).take(if random.happens(20) { 3 } else { 0 }));
    }
    ranges(begins)
}

/// Ranges of an object that begin at these bytes, and the one before them, as a plan writes them.
pub fn ranges(begins: impl IntoIterator<Item = usize>) -> Vec<Value> {
    let mut ranges = Vec::new();
    let mut begin = 0;
    for end in begins {
        ranges.push(json!({ "begin": begin, "end": end }));
        begin = end;
    }
    ranges.push(json!({ "begin": begin }));
    ranges
}

/// Polars in this process, with every plan in parts.
pub struct PolarsInParts(RandomParts);

impl PolarsInParts {
    /// The engine with the random numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(RandomParts::new(seed))
    }

    /// Parts of all plans so far.
    pub fn parts(&self) -> usize {
        self.0.count
    }

    /// Those of them that are a range of an object.
    pub fn ranges(&self) -> usize {
        self.0.ranges
    }
}

impl Engine for PolarsInParts {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Lambda
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, _: &Path) -> Result<(), StepError> {
        let plan = with_byte_positions(lake, plan);
        let mut random = self.0.random(&plan);
        let plan = self.0.read(lake, now, &plan, &mut random);
        Ok(wait(steps::process(lake, now, &plan.run)).map(drop)?)
    }
}

/// Polars reads in this process, half of the plans in parts, and Spark combines, in a session that many runs share.
pub struct Spark {
    session: SparkSession,
    parts: RandomParts,
}

impl Spark {
    /// The engine with this session.
    pub fn new(session: SparkSession) -> Self {
        Self { session, parts: RandomParts::new(29) }
    }
}

impl Engine for Spark {
    fn preference(&self) -> EnginePreference {
        EnginePreference::Emr
    }

    fn stage(&mut self, lake: &Lake, now: Timestamp, plan: &Plan, scratch: &Path) -> Result<(), StepError> {
        let failed = |message: String| StepError::message(ErrorName::EtlFailed, message);
        let plan = &with_byte_positions(lake, plan);
        let mut random = self.parts.random(plan);
        if random.happens(50) {
            let _ = self.parts.read(lake, now, plan, &mut random);
        }
        if wait(steps::process(lake, now, &plan.run))?.changeset().is_some() {
            return Err(failed("process has combined a run of Spark".to_owned()));
        }
        let read: ReadFiles =
            wait(lake.documents().of(&plan.run).require()).map_err(|error| failed(error.to_string()))?;
        let script = script(lake.root(), plan.work(), &read).map_err(|error| failed(format!("no script: {error}")))?;
        self.session.run(&script.text, &scratch.join(format!("{}.sql", plan.run.run_id))).map_err(failed)
    }
}
