//! Where a plan is divided into parts, by what is known of its objects.

use std::num::NonZeroU32;

use crate::run::Cuts;

/// Most parts of a plan. Their numbers pass through the state of the execution: 4 kB of the 256 kB that it may have.
pub const MAX_PARTS: usize = 1000;

/// Divides objects, in their order, into parts that weigh at most `part_bytes` each. An object is never divided: one that
/// weighs more is a part by itself. Where there would be more than [`MAX_PARTS`], the parts are made larger.
pub fn cut(weights: &[u64], part_bytes: u64) -> Cuts {
    let mut part_bytes = part_bytes.max(1);
    loop {
        let counts = in_order(weights, part_bytes);
        if counts.len() <= MAX_PARTS {
            return Cuts::of(counts);
        }
        part_bytes = part_bytes.saturating_mul(2);
    }
}

/// The number of objects of each part.
fn in_order(weights: &[u64], part_bytes: u64) -> Vec<NonZeroU32> {
    let mut parts: Vec<NonZeroU32> = Vec::new();
    let mut filled = 0_u64;
    for weight in weights {
        let with_it = filled.saturating_add(*weight);
        match parts.last_mut() {
            Some(part) if with_it <= part_bytes => {
                *part = part.saturating_add(1);
                filled = with_it;
            }
            Some(_) | None => {
                parts.push(NonZeroU32::MIN);
                filled = *weight;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Objects of each part.
    fn counts(cuts: &Cuts) -> Vec<usize> {
        cuts.numbers().filter_map(|part| cuts.range(part)).map(|objects| objects.len()).collect()
    }

    #[test]
    fn small_objects_share_a_part_and_a_large_one_has_its_own() {
        let check =
            |weights: &[u64], expected: &[usize]| assert_eq!(counts(&cut(weights, 10)), expected, "{weights:?}");
        check(&[], &[]);
        check(&[99], &[]);
        check(&[5, 5], &[]);
        check(&[5, 6], &[1, 1]);
        check(&[99, 1, 9, 1, 0], &[1, 2, 2]);
        check(&[1, 99, 1], &[1, 1, 1]);
        check(&[u64::MAX, u64::MAX], &[1, 1]);
    }

    #[test]
    fn a_plan_never_has_more_parts_than_its_state_can_carry() {
        let check = |objects: usize, weight: u64| {
            let cuts = cut(&vec![weight; objects], 1);
            assert!((2..=MAX_PARTS).contains(&cuts.count()), "{objects} objects: {} parts", cuts.count());
        };
        check(1000, 1);
        check(1001, 1);
        check(1_000_000, 1000);
    }

    proptest! {
        #[test]
        fn every_object_is_in_a_part_and_no_part_with_two_weighs_too_much(
            weights in proptest::collection::vec(0_u64..100, 2..60), part_bytes in 1_u64..200,
        ) {
            let cuts = cut(&weights, part_bytes);
            let ranges: Vec<_> = cuts.numbers().filter_map(|part| cuts.range(part)).collect();
            if cuts.is_whole() {
                prop_assert!(weights.iter().sum::<u64>() <= part_bytes);
            } else {
                prop_assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), weights.len());
                for range in ranges {
                    let weight: u64 = weights[range.clone()].iter().sum();
                    prop_assert!(range.len() == 1 || weight <= part_bytes);
                }
            }
        }
    }
}
