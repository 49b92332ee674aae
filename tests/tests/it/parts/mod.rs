//! Runs that are read in parts, each by a call that knows no other part.

mod audit;
mod faults;
mod for_spark;
mod keys;
mod ranges;
mod same;
mod stored;

use sluice_core::run::{Changeset, PartNumber, Plan};
use sluice_tests::content::LakeContent;
use sluice_tests::lab::Lab;

use crate::small::Steps;

/// What makes every object a part of its own.
pub(crate) const ONE_EACH: &str = "parts: { size_mb: 1 }\n";

/// A part of a run, from 1.
fn part(number: u32) -> PartNumber {
    serde_json::from_value(number.into()).unwrap()
}

/// A plan of so many parts.
fn planned(steps: &Steps, parts: usize) -> Plan {
    let plan = steps.validate().unwrap();
    assert_eq!(plan.cuts.count(), parts, "{:?}", plan.engine);
    plan
}

/// A run of so many parts, each read once before they are combined.
pub(crate) fn run(steps: &Steps, parts: usize) -> Changeset {
    let plan = planned(steps, parts);
    for part in plan.cuts.numbers() {
        let _ = steps.read_part(&plan.run, part).unwrap();
    }
    steps.finish(&plan.run)
}

/// The content after the same files were read by one call.
fn read_at_once(lab: &Lab, spec: &str) -> LakeContent {
    let whole = crate::small::orders_with(spec);
    sluice_tests::files::copy_folder(&lab.landing(), &whole.landing());
    let changeset = Steps::new(&whole).run();
    assert!(changeset.is_some(), "nothing was new");
    whole.content()
}
