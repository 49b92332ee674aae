//! Source objects that are still being written while a run reads them.
//!
//! An object that was replaced makes the run plan again, with its new content. One that changes all the time, such as a
//! log, would stop the run and all other objects with it, so after two attempts the run goes on without it.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::run::{Earlier, Plan, ReadFrom};
use sluice_core::source::{PassedByReason, SourceId, SourceObject};
use sluice_core::uri::ObjectUri;

/// What the attempts before show of objects that keep changing.
#[derive(Debug, Default)]
pub(super) struct Changing {
    /// Addresses that the attempt before passed by for this reason. The run goes on without them to its end.
    passed_by: BTreeSet<String>,
    /// Addresses that the two attempts before planned with two versions, and the newer of these.
    replaced: BTreeMap<ObjectUri, SourceId>,
}

impl Changing {
    /// Compares the plans of the last two attempts. What an attempt committed was read as a whole.
    pub(super) fn of(last: &Plan, second_last: Option<&Plan>, earlier: &Earlier) -> Self {
        let named = last.passed_by.named.iter().filter(|passed| passed.reason == PassedByReason::Changing);
        let older: BTreeMap<&ObjectUri, &SourceObject> =
            second_last.into_iter().flat_map(landed).map(|object| (&object.uri, object)).collect();
        let is_replaced =
            |object: &SourceObject| older.get(&object.uri).is_some_and(|older| !older.is_same_version(object));
        let is_committed = |object: &SourceObject| earlier.objects.iter().any(|done| done.is_same_version(object));
        let replaced = landed(last).filter(|object| is_replaced(object) && !is_committed(object));
        Self {
            passed_by: named.map(|passed| passed.uri.clone()).collect(),
            replaced: replaced.map(|object| (object.uri.clone(), object.id())).collect(),
        }
    }

    /// Whether the run goes on without this object of the landing folder. One that is as the attempt before planned it
    /// has come to rest.
    pub(super) fn has(&self, object: &SourceObject) -> bool {
        let is_other = |last: &SourceId| *last != object.id();
        self.passed_by.contains(object.uri.as_str()) || self.replaced.get(&object.uri).is_some_and(is_other)
    }
}

/// The objects that a plan reads from the landing folder.
fn landed(plan: &Plan) -> impl Iterator<Item = &SourceObject> {
    let landed = plan.objects.iter().filter(|planned| planned.read_from == ReadFrom::Landing);
    landed.map(|planned| &planned.object)
}
