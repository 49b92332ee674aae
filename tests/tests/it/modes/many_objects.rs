//! A delivery of very many tiny objects: one run takes all of them, and the next one has nothing to do.

use std::fs;

use sluice_core::run::Outcome;

use crate::small::{BRONZE, ORDERS, SILVER, orders_with};

/// Objects of the delivery. `docs/benchmarks.md` says how to try more.
const OBJECTS: u64 = 20_000;

/// By the command, because a plan counts a megabyte for each object and divides so many into parts.
#[test]
fn twenty_thousand_objects_are_one_run() {
    let lab = orders_with(&format!("{ORDERS}engine: lambda\n"));
    let folder = lab.landing();
    fs::create_dir_all(&folder).unwrap();
    for number in 0..OBJECTS {
        fs::write(folder.join(format!("{number:05}.csv")), format!("id,name,amount,day\n{number},a,1,\n")).unwrap();
    }
    let run = lab.run().expect(Outcome::Published);
    assert!(lab.held().is_empty() && lab.passed_by().is_empty(), "{run}");
    for table in [BRONZE, SILVER] {
        assert_eq!(lab.rows(table), OBJECTS, "{table}");
    }
    let _ = lab.run().expect(Outcome::Skipped);
}
