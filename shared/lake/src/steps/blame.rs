//! Who is to blame for values that cannot be computed or stored: a source object, which is held then, or what was there
//! before the run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sluice_core::error::with_sources;
use sluice_core::run::{MAX_ATTEMPTS, Plan, PlannedObject, RunRef};
use sluice_core::source::{SourceId, SourceObject};

use crate::engine::EngineError;
use crate::error::LakeError;

/// Whether the object itself is to blame, so that reading it again gives the same.
pub(super) fn is_refusal(error: &LakeError) -> bool {
    match error {
        LakeError::Source(source) => source.is_refusal(),
        LakeError::Violation { .. } => true,
        other => is_of_values(other),
    }
}

/// Whether rows have values that cannot be computed or stored.
pub(super) fn is_of_values(error: &LakeError) -> bool {
    matches!(error, LakeError::Partitions { .. } | LakeError::Engine { source: EngineError::Values { .. }, .. })
}

/// The objects that are new to a run, and not those that its snapshot takes along.
pub(super) fn own_objects(plan: &Plan) -> Vec<&SourceObject> {
    plan.objects.iter().filter(|planned| !planned.again).map(|planned| &planned.object).collect()
}

/// Whether an object is new to the run, and not one that its snapshot takes along.
pub(super) fn is_own(objects: &[PlannedObject], object: &SourceObject) -> bool {
    objects.iter().any(|planned| !planned.again && planned.object.is_same_version(object))
}

/// The fault of rows that an earlier run brought to bronze: none of the run's own objects is to blame.
pub(super) fn of_earlier_rows(object: &SourceObject, error: LakeError) -> LakeError {
    let rows = format!("rows of '{}', which an earlier run took in, fail now", object.uri);
    match error {
        LakeError::Engine { table, source } => {
            LakeError::Violation { table, message: format!("{rows}: {}", with_sources(&source)) }
        }
        LakeError::Partitions { table, message } => {
            LakeError::Violation { table, message: format!("{rows}: {message}") }
        }
        other => other,
    }
}

/// A fault that was met when all rows of the run had been read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The rows of the run are to blame: its objects are held.
    OfRows(LakeError),
    /// They are not.
    Other(LakeError),
}

impl Fault {
    /// The fault of gold. `with_rows` computes gold once more, `without` as if the run brought nothing. The rows are to
    /// blame if they fail again and what was there before does not: then the fault is as a broken rule of the gate. A
    /// statement that fails without them is the spec's fault, one that fails once is that of the engine.
    pub(super) fn of_gold(
        first: LakeError,
        with_rows: impl FnOnce() -> Result<(), LakeError>,
        without: impl FnOnce() -> Result<(), LakeError>,
    ) -> Self {
        if !is_of_values(&first) {
            return Self::Other(first);
        }
        match with_rows() {
            Ok(()) => return Self::Other(of_engine(first)),
            Err(again) if !is_of_values(&again) => return Self::Other(again),
            Err(_) => {}
        }
        match without() {
            Ok(()) => Self::OfRows(first),
            Err(alone) if is_of_values(&alone) => Self::Other(first),
            Err(other) => Self::Other(other),
        }
    }
}

/// These objects without some of them.
pub(super) fn others<'o>(objects: &[&'o SourceObject], some: &[&SourceObject]) -> Vec<&'o SourceObject> {
    let some: BTreeSet<SourceId> = some.iter().map(|object| object.id()).collect();
    objects.iter().copied().filter(|object| !some.contains(&object.id())).collect()
}

/// Computations that look for the objects to blame in one attempt: of 65,536 objects, one is found with 17, and of 1,000
/// some 20.
const MAX_PROBES: usize = 200;
/// How long they may take together, and when in a call no further one is begun. Each may take as long as the one that
/// failed, and a call has 900 seconds.
const MAX_PROBING: Duration = Duration::from_secs(120);
const LAST_PROBE: Duration = Duration::from_secs(500);

/// The search for the objects to blame, and its bounds.
#[derive(Debug)]
pub(super) struct Search {
    probes: usize,
    until: Instant,
    /// No attempt is left that could go on with the search.
    is_last: bool,
}

impl Search {
    /// The search of an attempt, in a call that began then.
    pub(super) fn new(call_began: Instant, run: &RunRef) -> Self {
        let until = (Instant::now() + MAX_PROBING).min(call_began + LAST_PROBE);
        // The one after it has to publish what is good.
        Self { probes: 0, until, is_last: run.attempt + 1 >= MAX_ATTEMPTS }
    }

    fn may_go_on(&mut self) -> bool {
        self.probes += 1;
        self.probes <= MAX_PROBES && Instant::now() <= self.until
    }

    /// The objects that are to blame for a fault that all of them together have, so that the others do not have it. `fails`
    /// says whether some of them have it, which an empty list has not. The objects are taken in their order, and each with
    /// which the fault begins is to blame: of two that only have it together, the later one. Where the search ends before
    /// all are found, the next attempt goes on with it; where it ends before one is found, those among which it is are to
    /// blame; and in the last attempt, all that are not known to be good.
    ///
    /// # Errors
    /// Those of `fails`.
    pub(super) fn blamed<'o>(
        &mut self,
        objects: &[&'o SourceObject],
        mut fails: impl FnMut(&[&'o SourceObject]) -> Result<bool, LakeError>,
    ) -> Result<Vec<&'o SourceObject>, LakeError> {
        let (mut blamed, mut good, mut rest) = (Vec::new(), Vec::<&SourceObject>::new(), objects);
        // `good` does not fail, and `good` with `rest` does.
        loop {
            let (mut passes, mut first_failing) = (0, rest.len());
            while passes + 1 < first_failing {
                if !self.may_go_on() {
                    let unsettled = match (self.is_last, blamed.is_empty()) {
                        (true, _) => rest.len(),
                        (false, true) => first_failing,
                        (false, false) => passes,
                    };
                    blamed.extend(rest.iter().take(unsettled).skip(passes));
                    return Ok(blamed);
                }
                let middle = passes + (first_failing - passes) / 2;
                let some: Vec<&SourceObject> = good.iter().chain(rest.iter().take(middle)).copied().collect();
                *(if fails(&some)? { &mut first_failing } else { &mut passes }) = middle;
            }
            let (before, from) = rest.split_at(passes);
            let Some((found, after)) = from.split_first() else { return Ok(blamed) };
            good.extend_from_slice(before);
            blamed.push(*found);
            rest = after;
            if !rest.is_empty() && !self.may_go_on() {
                blamed.extend(rest.iter().filter(|_| self.is_last));
                return Ok(blamed);
            }
            if rest.is_empty() || !fails(&[&good, rest].concat())? {
                return Ok(blamed);
            }
        }
    }
}

/// A fault that only looked like one of values.
fn of_engine(error: LakeError) -> LakeError {
    match error {
        LakeError::Engine { table, source: EngineError::Values { doing, source } } => {
            LakeError::Engine { table, source: EngineError::Polars { doing, source } }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use polars::prelude::PolarsError;
    use sluice_core::error::ErrorName;
    use sluice_core::name::TableRef;
    use sluice_core::run::{Positions, ReadFrom};

    use super::*;

    fn table() -> TableRef {
        "gold/sales/totals".parse().expect("table")
    }

    fn values() -> LakeError {
        let source = PolarsError::ComputeError("division by zero".into());
        LakeError::Engine { table: table(), source: EngineError::Values { doing: "the statement".to_owned(), source } }
    }

    fn internal() -> LakeError {
        LakeError::Internal { message: "no disk".to_owned() }
    }

    #[test]
    fn rows_are_to_blame_for_gold_only_if_they_fail_twice_and_nothing_fails_without_them() {
        let check = |first: LakeError,
                     again: Result<(), LakeError>,
                     alone: Result<(), LakeError>,
                     expected: (bool, ErrorName)| {
            let when = format!("{first:?} {again:?} {alone:?}");
            let found = match Fault::of_gold(first, || again, || alone) {
                Fault::OfRows(error) => (true, error.name()),
                Fault::Other(error) => (false, error.name()),
            };
            assert_eq!(found, expected, "{when}");
        };
        let value_fault = ErrorName::ContractViolation;
        check(values(), Err(values()), Ok(()), (true, value_fault));
        check(values(), Err(values()), Err(values()), (false, value_fault));
        check(values(), Err(values()), Err(internal()), (false, ErrorName::Internal));
        check(values(), Ok(()), Ok(()), (false, ErrorName::Internal));
        check(values(), Err(internal()), Ok(()), (false, ErrorName::Internal));
        check(internal(), Err(values()), Ok(()), (false, ErrorName::Internal));
    }

    /// Looks in this attempt for the objects whose number is in `bad`; of a `pair`, only both together have the fault.
    fn blamed(all: usize, bad: &[usize], pair: bool, attempt: u32) -> (Vec<usize>, usize) {
        let names: Vec<String> = (0..all).map(|number| format!("{number}")).collect();
        let objects: Vec<SourceObject> = names.iter().map(|name| planned(name, false).object).collect();
        let numbers: BTreeMap<String, usize> =
            objects.iter().enumerate().map(|(number, object)| (object.uri.to_string(), number)).collect();
        let number = |object: &SourceObject| numbers[object.uri.as_str()];
        let bad: BTreeSet<usize> = bad.iter().copied().collect();
        let mut probes = 0;
        let run = RunRef { pipeline: "p".parse().unwrap(), run_id: "r".parse().unwrap(), attempt };
        let own: Vec<&SourceObject> = objects.iter().collect();
        let found = Search::new(Instant::now(), &run).blamed(&own, |some| {
            probes += 1;
            let count = some.iter().filter(|object| bad.contains(&number(object))).count();
            Ok(if pair { count == bad.len() } else { count > 0 })
        });
        let mut found: Vec<usize> = found.unwrap().into_iter().map(number).collect();
        found.sort_unstable();
        (found, probes)
    }

    #[test]
    fn the_objects_to_blame_are_found_within_a_bound() {
        let check = |all: usize, bad: &[usize], most_probes: usize| {
            let (found, probes) = blamed(all, bad, false, 1);
            assert_eq!(found, bad, "{bad:?} of {all}");
            assert!(probes <= most_probes, "{bad:?} of {all}: {probes} probes");
        };
        check(1, &[0], 0);
        check(2, &[0], 2);
        check(2, &[1], 1);
        check(9, &[4], 5);
        check(1000, &[777], 11);
        check(65_536, &[65_535], 17);
        check(8, &[0, 3, 7], 11);
        check(4, &[0, 1, 2, 3], 7);
    }

    #[test]
    fn a_search_that_ends_early_blames_what_it_has_found_and_in_the_last_attempt_all_that_may_be_bad() {
        let bad: Vec<usize> = (100..600).collect();
        let (found, probes) = blamed(1000, &bad, false, 1);
        assert!(found.len() > 10 && found.iter().all(|number| bad.contains(number)), "{found:?}");
        assert!(probes <= MAX_PROBES, "{probes}");
        let (found, _) = blamed(1000, &bad, false, MAX_ATTEMPTS - 1);
        assert_eq!(found, (100..1000).collect::<Vec<_>>(), "the first hundred are published");
    }

    #[test]
    fn of_objects_that_fail_together_only_the_later_one_is_to_blame() {
        assert_eq!(blamed(4, &[0, 1], true, 1).0, [1]);
        assert_eq!(blamed(4, &[0, 3], true, 1).0, [3]);
    }

    fn planned(name: &str, again: bool) -> PlannedObject {
        let uri = format!("s3://b/{name}").parse().expect(name);
        let object = SourceObject { uri, etag: "e".to_owned(), size_bytes: 1, modified_at: None };
        let (source, read_from, positions) = (None, ReadFrom::Bronze, Positions::Numbers);
        PlannedObject { object, source, read_from, again, shape: None, positions }
    }

    #[test]
    fn a_fault_of_rows_of_an_earlier_run_names_their_object_and_holds_none() {
        let objects = [planned("early.csv", true), planned("new.csv", false)];
        assert!(is_own(&objects, &objects[1].object));
        assert!(!is_own(&objects, &objects[0].object));
        let partitions = LakeError::Partitions { table: table(), message: "too long".to_owned() };
        for (error, says) in [(values(), "division by zero"), (partitions, "too long")] {
            let named = of_earlier_rows(&objects[0].object, error);
            assert_eq!(named.name(), ErrorName::ContractViolation);
            assert!(!is_of_values(&named), "nothing is held for it: {named}");
            let text = named.to_string();
            assert!(text.contains("'s3://b/early.csv'") && text.contains(says), "{text}");
        }
    }
}
