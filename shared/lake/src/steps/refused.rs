//! Source objects that a run refuses: each is held, and the run is planned again without them, once for all that were
//! found.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_core::error::with_sources;
use sluice_core::pipeline::{MappedNames, Pipeline};
use sluice_core::run::{ObjectKeys, RunRef};
use sluice_core::source::{SourceId, SourceObject};
use tokio::runtime::Handle;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::runs;
use crate::source::SourceError;

/// Faults named in the message of a run. Every hold has its own.
const NAMED: usize = 5;

/// The objects that a run has refused so far.
pub(super) struct Refusals<'a> {
    lake: &'a Lake,
    run: &'a RunRef,
    now: Timestamp,
    /// The first faults, in words.
    named: Vec<String>,
    faults: usize,
    held: BTreeSet<SourceId>,
}

impl<'a> Refusals<'a> {
    pub(super) fn new(lake: &'a Lake, run: &'a RunRef, now: Timestamp) -> Self {
        Self { lake, run, now, named: Vec::new(), faults: 0, held: BTreeSet::new() }
    }

    /// Holds the objects that one fault is about. At once, so that a process that dies later has held them. `columns` are
    /// those of the rows before the fault: other objects of the run may lack them. Blocking.
    ///
    /// # Errors
    /// [`LakeError::Document`].
    pub(super) fn hold<'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o SourceObject>,
        columns: &BTreeSet<String>,
        fault: &LakeError,
    ) -> Result<(), LakeError> {
        let reason = with_sources(fault);
        for object in objects {
            let held = runs::hold_read(self.lake, self.run, object, &reason, self.now, columns.clone());
            Handle::current().block_on(held)?;
            let _ = self.held.insert(object.id());
        }
        self.faults += 1;
        if self.named.len() < NAMED {
            self.named.push(reason);
        }
        Ok(())
    }

    /// Whether this object is held by now.
    pub(super) fn has(&self, object: &SourceObject) -> bool {
        self.held.contains(&object.id())
    }

    /// Faults so far.
    pub(super) fn count(&self) -> usize {
        self.faults
    }

    /// The error of the run; `None` where nothing was refused.
    pub(super) fn error(&self) -> Option<LakeError> {
        (self.faults > 0)
            .then(|| LakeError::Refused { message: refusal_message(&self.named, self.faults, self.held.len()) })
    }
}

/// What a run says that has held objects: its first faults, how many more there are, and what becomes of the objects.
fn refusal_message(faults: &[String], all_faults: usize, held: usize) -> String {
    let named: Vec<&str> = faults.iter().take(NAMED).map(String::as_str).collect();
    let more = match all_faults.saturating_sub(named.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let objects = if held == 1 { "held".to_owned() } else { format!("{held} source objects are held") };
    let named = named.join("; ");
    format!(
        "{named}{more} ({objects}: this run and later ones leave such an object out until it is released or replaced)"
    )
}

/// The keys that the JSON objects of a run have. Any record of the run may bring a key that silver tables are mapped to,
/// so only the end of the run shows that one is missing.
pub(super) struct RunKeys<'a> {
    pipeline: &'a Pipeline,
    names: MappedNames<'a>,
    /// Columns that bronze has already, under the names that the silver tables read.
    known: BTreeSet<String>,
    /// Keys of the run, as the records have them. `None` as long as no object with a good record was read.
    found: Option<BTreeSet<String>>,
    /// Objects with the keys of each, from when a mapped key was still unknown.
    waiting: Vec<ObjectKeys>,
}

impl<'a> RunKeys<'a> {
    /// `known` are the columns that bronze has, under the names that the silver tables read.
    pub(super) fn new(pipeline: &'a Pipeline, known: BTreeSet<String>) -> Self {
        Self { pipeline, names: MappedNames::of(pipeline), known, found: None, waiting: Vec::new() }
    }

    /// Takes the keys of an object that has good records.
    pub(super) fn take(&mut self, object: &SourceObject, keys: Vec<String>) {
        self.found.get_or_insert_default().extend(keys.iter().cloned());
        if self.unknown().is_empty() {
            self.waiting.clear();
        } else {
            self.waiting.push(ObjectKeys { object: object.clone(), keys });
        }
    }

    /// Takes the keys of a part of the run: those of all its records, and its objects where it lacks a mapped key.
    pub(super) fn take_part(&mut self, keys: Option<BTreeSet<String>>, lacking: Vec<ObjectKeys>) {
        let Some(keys) = keys else { return };
        self.found.get_or_insert_default().extend(keys);
        if self.unknown().is_empty() {
            self.waiting.clear();
        } else {
            lacking.into_iter().for_each(|object| self.wait(object));
        }
    }

    /// Notes an object with its keys. The ranges of an object come one after the other, and are one object.
    fn wait(&mut self, object: ObjectKeys) {
        match self.waiting.last_mut().filter(|last| last.object.is_same_version(&object.object)) {
            Some(last) => {
                let more: Vec<String> = object.keys.into_iter().filter(|key| !last.keys.contains(key)).collect();
                last.keys.extend(more);
            }
            None => self.waiting.push(object),
        }
    }

    /// The keys of a part, for [`Self::take_part`].
    pub(super) fn into_part(self) -> (Option<BTreeSet<String>>, Vec<ObjectKeys>) {
        (self.found, self.waiting)
    }

    /// The keys of the run.
    pub(super) fn found(&self) -> BTreeSet<String> {
        self.found.clone().unwrap_or_default()
    }

    /// The mapped keys that no record of the run has, as the spec has them in order. None of a run without JSON records.
    pub(super) fn missing(&self) -> Vec<String> {
        let Some(found) = &self.found else { return Vec::new() };
        let has: BTreeSet<&str> = found.iter().map(|key| self.names.mapped(key)).collect();
        self.pipeline.mapped_sources().filter(|source| !has.contains(source.as_str())).cloned().collect()
    }

    /// Those that bronze does not have either.
    fn unknown(&self) -> Vec<String> {
        self.missing().into_iter().filter(|source| !self.known.contains(source)).collect()
    }

    /// The objects of the run when a mapped key is in no record of it, nor in bronze, each with its fault.
    pub(super) fn lacking(self) -> Vec<(SourceObject, LakeError)> {
        let missing = self.unknown();
        if missing.is_empty() {
            return Vec::new();
        }
        let fault = |ObjectKeys { object, keys: columns }| {
            let uri = object.uri.to_string();
            let fault = SourceError::LacksColumns { object: uri, missing: missing.clone(), columns, delimiter: None };
            (object, LakeError::Source(fault))
        };
        self.waiting.into_iter().map(fault).collect()
    }
}

/// Ends the keys of a source: the mapped keys that no record of it has, where bronze has them. Where bronze lacks one, too,
/// the objects are held. Where one was refused already, with more faults than there were `before` the source, it may have
/// a key that the others lack: the next attempt asks again.
///
/// # Errors
/// Those of [`Refusals::hold`].
pub(super) fn hold_lacking(
    keys: RunKeys<'_>,
    before: usize,
    refusals: &mut Refusals<'_>,
) -> Result<BTreeSet<String>, LakeError> {
    if refusals.count() > before {
        return Ok(BTreeSet::new());
    }
    let (missing, found) = (keys.missing().into_iter().collect(), keys.found());
    for (object, fault) in keys.lacking() {
        refusals.hold([&object], &found, &fault)?;
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("fault {number}")).collect()
    }

    #[test]
    fn the_message_names_the_first_faults_and_counts_the_others() {
        let check = |faults: usize, held: usize, expected: &str| {
            let until = ": this run and later ones leave such an object out until it is released or replaced)";
            assert_eq!(refusal_message(&words(faults.min(NAMED)), faults, held), format!("{expected}{until}"));
        };
        check(1, 1, "fault 1 (held");
        check(1, 3, "fault 1 (3 source objects are held");
        check(2, 2, "fault 1; fault 2 (2 source objects are held");
        check(9, 9, "fault 1; fault 2; fault 3; fault 4; fault 5; and 4 more (9 source objects are held");
    }
}
