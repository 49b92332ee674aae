//! Filters of other readers, who leave out files by the statistics that we write, find the rows that they are about.

use sluice_core::run::Outcome;
use sluice_tests::judges::Judges;

use crate::small::{SILVER, contract, lab, land};

const SPEC: &str = "\
pipeline: retail
domain: sales
source: { prefix: landing/orders, format: csv }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    columns: { id: id, flag: flag, small: small, big: big, share: share, price: price, rate: rate, wide: wide, day: day, at: at, name: name }
    mode: append
";

/// A column of every type that a table may have.
const COLUMNS: [&str; 11] = [
    "name: id, logicalType: integer, physicalType: BIGINT, required: true",
    "name: flag, logicalType: boolean",
    "name: small, logicalType: integer, physicalType: INT",
    "name: big, logicalType: integer, physicalType: BIGINT",
    "name: share, logicalType: number",
    "name: price, logicalType: number, physicalType: 'DECIMAL(9,2)'",
    "name: rate, logicalType: number, physicalType: 'DECIMAL(28,12)'",
    "name: wide, logicalType: number, physicalType: 'DECIMAL(38,0)'",
    "name: day, logicalType: date",
    "name: at, logicalType: timestamp",
    "name: name, logicalType: string",
];

/// One file of each run, so that each is a data file with bounds of its own.
fn files() -> Vec<String> {
    let (long, last) = ("x".repeat(40), "\u{10ffff}".repeat(40));
    let nines = "9".repeat(38);
    vec![
        "1,true,1,1,0.5,1.50,1234567.123456789012,12345678901234567890,2026-01-05,2026-01-05T08:00:00.123456Z,ann\n\
         2,true,7,9,0.75,9.99,1234567.123456789013,12345678901234567891,2026-01-07,2026-01-05T08:00:00.123999Z,bob\n"
            .to_owned(),
        "3,false,-5,-9007199254740993,-1e-300,-0.01,-0.000000000001,-1,1969-12-31,1969-12-31T23:59:59.999999Z,\"\"\n"
            .to_owned(),
        format!(
            "4,false,-2147483648,-9223372036854775808,-1.7976931348623157e308,-9999999.99,-9999999999999999.999999999999,\
             -{nines},0001-01-01,0001-01-01T00:00:00Z,{long}a\n\
             5,true,2147483647,9223372036854775807,1.7976931348623157e308,9999999.99,9999999999999999.999999999999,\
             {nines},9999-12-31,9999-12-31T00:00:00Z,{long}b\n"
        ),
        "6,,,,,,,,,,\n7,,,,,,,,,,\n".to_owned(),
        format!("8,true,,3,,0.00,,0,,9999-12-31T23:59:59.999Z,é{last}\n9,,2,,0,,0.5,,2000-02-29,,z\n"),
        "10,false,3,3,3,3,3,3,2026-03-03,9999-12-31T23:59:59.999999Z,end\n".to_owned(),
    ]
}

#[test]
fn filters_of_three_readers_find_the_rows_of_every_type() {
    let Some(judges) = Judges::or_skip("filters::filters_of_three_readers_find_the_rows_of_every_type") else { return };
    let lab = lab(SPEC, &[("orders", contract("orders", &COLUMNS, &[]))]);
    for (number, records) in files().iter().enumerate() {
        land(&lab, format!("{number}.csv"), format!("id,flag,small,big,share,price,rate,wide,day,at,name\n{records}"));
        let _ = lab.run().expect(Outcome::Published);
    }
    let asked = judges.judge_filters(lab.lake(), SILVER);
    eprintln!("  {asked} conditions, each by deltalake, DuckDB and Polars");
    assert!(asked > 500, "only {asked} conditions");
}
