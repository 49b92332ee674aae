//! Laws over generated input.

use proptest::prelude::*;

use super::super::{Bound, MetricUnit};
use super::*;
use crate::decimal::DecimalNumber;

fn number(value: i64) -> DecimalNumber {
    DecimalNumber::from(value)
}

#[test]
fn bounds_hold_at_their_edges() {
    let check = |bound: Bound, text: &str, holds: [bool; 5]| {
        assert_eq!(bound.to_string(), text);
        // One below, at and one above the low end 1; at and one above the high end 3.
        let observed = [0, 1, 2, 3, 4].map(|value| bound.holds(number(value)));
        assert_eq!(observed, holds, "{bound}");
    };
    let (low, high) = (number(1), number(3));
    check(Bound::Be(low), "= 1", [false, true, false, false, false]);
    check(Bound::NotBe(low), "!= 1", [true, false, true, true, true]);
    check(Bound::GreaterThan(low), "> 1", [false, false, true, true, true]);
    check(Bound::GreaterOrEqualTo(low), ">= 1", [false, true, true, true, true]);
    check(Bound::LessThan(high), "< 3", [true, true, true, false, false]);
    check(Bound::LessOrEqualTo(high), "<= 3", [true, true, true, true, false]);
    check(Bound::Between(low, high), "between 1 and 3", [false, true, true, true, false]);
    check(Bound::NotBetween(low, high), "not between 1 and 3", [true, false, false, false, true]);
}

fn any_bound() -> impl Strategy<Value = Bound> {
    (0..8_u8, -3_i64..4, 0_i64..4).prop_map(|(kind, low, width)| {
        let (value, high) = (number(low), number(low + width));
        match kind {
            0 => Bound::Be(value),
            1 => Bound::NotBe(value),
            2 => Bound::GreaterThan(value),
            3 => Bound::GreaterOrEqualTo(value),
            4 => Bound::LessThan(value),
            5 => Bound::LessOrEqualTo(value),
            6 => Bound::Between(value, high),
            _ => Bound::NotBetween(value, high),
        }
    })
}

/// A contract that uses every part of the module, as the seed of mutations.
const SEED: &str = r"
apiVersion: v3.2.0
kind: DataContract
id: c
version: 1.0.0
schema:
  - name: t
    properties:
      - {name: id, logicalType: string, primaryKey: true, logicalTypeOptions: {pattern: '^[AC]?\d{6}$', maxLength: 9}}
      - {name: n, logicalType: integer, enum: [{value: 1}], quality: [{metric: nullValues, mustBeLessThan: 5, unit: percent}]}
      - name: at
        logicalType: timestamp
        logicalTypeOptions: {format: yyyy-MM-dd'T'HH:mm:ss.SSSXXX, minimum: '2020-01-01T00:00:00Z'}
      - name: price
        physicalType: DECIMAL(12,3)
        quality:
          - {id: r, type: sql, query: 'SELECT COUNT(*) FROM {object} WHERE {property} < 0', mustBe: 0}
    quality:
      - {metric: rowCount, mustBeBetween: [1, 10]}
";

/// Parses and, where it parses, compiles: an error is fine, a panic is not.
fn survives(yaml: &str) {
    if let Ok(contract) = Contract::parse(yaml, "f") {
        for table in contract.table_names() {
            let _ = contract.table(Some(table)).map_err(|error| error.to_string());
        }
    }
}

#[test]
fn the_seed_of_mutations_compiles() {
    let table = Contract::parse(SEED, "seed").unwrap().table(None).unwrap();
    assert_eq!((table.columns.len(), table.dataset_rules.len()), (4, 3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn opposite_operators_are_negations(value in -5_i64..5, observed in -6_i64..6, width in 0_i64..5) {
        let (value, high, observed) = (number(value), number(value + width), number(observed));
        prop_assert_ne!(Bound::Be(value).holds(observed), Bound::NotBe(value).holds(observed));
        prop_assert_ne!(Bound::GreaterThan(value).holds(observed), Bound::LessOrEqualTo(value).holds(observed));
        prop_assert_ne!(Bound::LessThan(value).holds(observed), Bound::GreaterOrEqualTo(value).holds(observed));
        prop_assert_ne!(Bound::Between(value, high).holds(observed), Bound::NotBetween(value, high).holds(observed));
    }

    #[test]
    fn only_zero_means_that_zero_holds_and_no_count_above_it(bound in any_bound()) {
        let (zero, above) = (bound.holds(DecimalNumber::ZERO), (1..10).any(|count| bound.holds(number(count))));
        prop_assert_eq!(bound.allows_only_zero(MetricUnit::Rows), zero && !above, "{}", bound);
        if bound.allows_only_zero(MetricUnit::Percent) {
            let least = DecimalNumber::percent(1, u64::MAX);
            prop_assert!(zero && !bound.holds(least), "{}", bound);
        }
    }

    #[test]
    fn bounds_survive_json(bound in any_bound()) {
        let json = serde_json::to_string(&bound).unwrap();
        prop_assert_eq!(serde_json::from_str::<Bound>(&json).unwrap(), bound);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        survives(&text);
    }

    #[test]
    fn mutated_contracts_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[\\PC\n]{0,6}"), 1..4)
    ) {
        let mut characters: Vec<char> = SEED.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(characters.len());
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, inserted.chars());
        }
        survives(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn patterns_and_formats_never_panic(text in "[\\PC]{0,20}") {
        let _ = super::super::pattern::translate(&text);
        let _ = super::super::time_format::translate(&text, &super::super::ColumnType::Timestamp);
    }
}
