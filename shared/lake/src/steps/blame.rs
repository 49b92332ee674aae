//! Who is to blame for values that cannot be computed or stored: a source object, which is held then, or what was there
//! before the run.

use sluice_core::error::with_sources;
use sluice_core::run::PlannedObject;
use sluice_core::source::SourceObject;

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
    /// The fault of a silver table.
    pub(super) fn of_silver(error: LakeError) -> Self {
        if is_of_values(&error) { Self::OfRows(error) } else { Self::Other(error) }
    }

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
    use polars::prelude::PolarsError;
    use sluice_core::error::ErrorName;
    use sluice_core::name::TableRef;
    use sluice_core::run::ReadFrom;

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

    fn planned(name: &str, again: bool) -> PlannedObject {
        let uri = format!("s3://b/{name}").parse().expect(name);
        let object = SourceObject { uri, etag: "e".to_owned(), size_bytes: 1, modified_at: None };
        PlannedObject { object, read_from: ReadFrom::Bronze, again, shape: None }
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
