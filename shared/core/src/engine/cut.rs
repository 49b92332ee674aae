//! Where a plan is divided into parts, by what is known of its objects.

use std::num::{NonZeroU32, NonZeroU64};

use super::PartsMeasure;
use crate::run::{ByteRange, Cut, Cuts};

/// Most parts of a plan. Their numbers pass through the state of the execution: 4 kB of the 256 kB that it may have.
pub const MAX_PARTS: usize = 1000;

/// What an object of a plan weighs, and whether it can be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divisible {
    weight: u64,
    /// Its size in bytes as stored, where its records can be read by ranges of them.
    ranges_of: Option<NonZeroU64>,
    /// Whether it is in no part with the object before it.
    begins_part: bool,
}

impl Divisible {
    /// An object that is read as a whole.
    pub fn no(weight: u64) -> Self {
        Self { weight, ranges_of: None, begins_part: false }
    }

    /// An object of this size in bytes, whose records can be read by ranges.
    pub fn into_ranges(weight: u64, size_bytes: u64) -> Self {
        Self { weight, ranges_of: NonZeroU64::new(size_bytes), begins_part: false }
    }

    /// The object, where nothing before it may be in its part: the first one of another source.
    #[must_use]
    pub fn beginning_a_part(self) -> Self {
        Self { begins_part: true, ..self }
    }
}

/// Divides objects, in their order, into parts that weigh at most `part_bytes` each. An object that weighs more is a part by
/// itself, or, where it can be divided and weighs half as much again, as many ranges of one length as it takes. Where there would be more than
/// [`MAX_PARTS`], the parts are made larger. An object that begins a part is in none with those before it; such objects,
/// of which a plan has as many as sources, divide nothing that is not divided without them. The second answer is what the
/// parts weigh; `None` where nothing is divided.
pub fn cut(objects: &[Divisible], part_bytes: u64) -> (Cuts, Option<PartsMeasure>) {
    let part_bytes = part_bytes.max(1);
    let undivided: Vec<Divisible> = objects.iter().map(|object| Divisible { begins_part: false, ..*object }).collect();
    let (cuts, measure) = cut_larger(&undivided, part_bytes);
    if cuts.is_whole() { (cuts, measure) } else { cut_larger(objects, part_bytes) }
}

/// The parts, made larger until a plan may have so many.
fn cut_larger(objects: &[Divisible], mut part_bytes: u64) -> (Cuts, Option<PartsMeasure>) {
    loop {
        if let Some((parts, largest_bytes)) = in_order(objects, part_bytes) {
            let cuts = Cuts::of(parts);
            let measure = PartsMeasure { count: cuts.count() as u64, largest_bytes };
            let measure = (!cuts.is_whole()).then_some(measure);
            return (cuts, measure);
        }
        part_bytes = part_bytes.saturating_mul(2);
    }
}

/// The parts, and what the largest weighs; `None` where there are more than a plan may have.
fn in_order(objects: &[Divisible], part_bytes: u64) -> Option<(Vec<Cut>, u64)> {
    let mut parts: Vec<Cut> = Vec::new();
    // What the last part weighs, where it may get more objects.
    let mut filled = None;
    let mut largest_bytes = 0;
    for object in objects {
        let ranges = ranges(object, part_bytes);
        if let Some((count, size_bytes)) = ranges {
            if parts.len().saturating_add(usize::try_from(count).unwrap_or(usize::MAX)) > MAX_PARTS {
                return None;
            }
            parts.extend(of_one_length(count, size_bytes));
            largest_bytes = largest_bytes.max(object.weight.div_ceil(count));
            filled = None;
            continue;
        }
        let with_it = filled.filter(|_| !object.begins_part).map(|filled: u64| filled.saturating_add(object.weight));
        let with_it = with_it.filter(|all| *all <= part_bytes);
        let weight = match (with_it, parts.last_mut()) {
            (Some(with_it), Some(Cut::Objects(count))) => {
                *count = count.saturating_add(1);
                with_it
            }
            _ => {
                parts.push(Cut::Objects(NonZeroU32::MIN));
                object.weight
            }
        };
        filled = Some(weight);
        largest_bytes = largest_bytes.max(weight);
        if parts.len() > MAX_PARTS {
            return None;
        }
    }
    Some((parts, largest_bytes))
}

/// How many ranges an object is divided into, at least two, and its size in bytes; `None` where it is not divided. Half a
/// part more is not worth it: rows that wait to be merged are then written and read once more.
fn ranges(object: &Divisible, part_bytes: u64) -> Option<(u64, u64)> {
    let size_bytes = object.ranges_of?.get();
    let is_large = object.weight > part_bytes.saturating_add(part_bytes / 2);
    let count = object.weight.div_ceil(part_bytes).min(size_bytes);
    (is_large && count > 1).then_some((count, size_bytes))
}

/// Ranges of one length; a byte more or less.
fn of_one_length(count: u64, size_bytes: u64) -> impl Iterator<Item = Cut> {
    let begin = move |number: u64| {
        u64::try_from(u128::from(size_bytes) * u128::from(number) / u128::from(count)).unwrap_or(size_bytes)
    };
    let range = move |number: u64| ByteRange::new(begin(number), (number + 1 < count).then(|| begin(number + 1)));
    (0..count).filter_map(range).map(Cut::Range)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::PartCut;

    fn parts(cuts: &Cuts) -> Vec<PartCut> {
        cuts.numbers().filter_map(|part| cuts.part(part)).collect()
    }

    fn whole(weights: &[u64]) -> Vec<Divisible> {
        weights.iter().copied().map(Divisible::no).collect()
    }

    #[test]
    fn small_objects_share_a_part_and_a_large_one_has_its_own() {
        let check = |weights: &[u64], expected: &[usize], largest: Option<u64>| {
            let (cuts, measure) = cut(&whole(weights), 10);
            let counts: Vec<usize> = parts(&cuts).iter().map(|part| part.objects.len()).collect();
            assert_eq!(counts, expected, "{weights:?}");
            let largest = largest.map(|largest_bytes| PartsMeasure { count: expected.len() as u64, largest_bytes });
            assert_eq!(measure, largest, "{weights:?}");
        };
        check(&[], &[], None);
        check(&[99], &[], None);
        check(&[5, 5], &[], None);
        check(&[5, 6], &[1, 1], Some(6));
        check(&[99, 1, 9, 1, 0], &[1, 2, 2], Some(99));
        check(&[1, 99, 1], &[1, 1, 1], Some(99));
        check(&[u64::MAX, u64::MAX], &[1, 1], Some(u64::MAX));
    }

    #[test]
    fn a_large_object_that_can_be_divided_is_read_in_ranges_of_one_length() {
        let check = |objects: &[Divisible], expected: &[&str], largest: Option<u64>| {
            let (cuts, measure) = cut(objects, 10);
            let text = |part: &PartCut| match part.range {
                None => format!("{:?}", part.objects),
                Some(range) => {
                    let end = range.end().map_or(String::new(), |end| end.to_string());
                    format!("{} from {} to {end}", part.objects.start, range.begin())
                }
            };
            assert_eq!(parts(&cuts).iter().map(text).collect::<Vec<_>>(), expected, "{objects:?}");
            assert_eq!(measure.map(|measure| measure.largest_bytes), largest, "{objects:?}");
        };
        let large = Divisible::into_ranges(26, 25);
        let (first, second, last) = ("0 from 0 to 8", "0 from 8 to 16", "0 from 16 to ");
        check(&[large], &[first, second, last], Some(9));
        check(&[large, Divisible::no(3), Divisible::no(4)], &[first, second, last, "1..3"], Some(9));
        check(&[Divisible::no(3), large], &["0..1", "1 from 0 to 8", "1 from 8 to 16", "1 from 16 to "], Some(9));
        check(&[Divisible::into_ranges(10, 9)], &[], None);
        let (small, other) = (Divisible::no(2), Divisible::no(2).beginning_a_part());
        check(&[small, small, other, small], &[], None);
        check(&[small, small, other, small, Divisible::no(9)], &["0..2", "2..4", "4..5"], Some(9));
        check(&[Divisible::into_ranges(15, 14)], &[], None);
        check(&[Divisible::into_ranges(15, 14), Divisible::no(1)], &["0..1", "1..2"], Some(15));
        check(&[Divisible::into_ranges(16, 14)], &["0 from 0 to 7", "0 from 7 to "], Some(8));
        check(&[Divisible::into_ranges(99, 0)], &[], None);
        check(&[Divisible::into_ranges(99, 2)], &["0 from 0 to 1", "0 from 1 to "], Some(50));
    }

    #[test]
    fn a_plan_never_has_more_parts_than_its_state_can_carry() {
        let check = |objects: &[Divisible]| {
            let (cuts, _) = cut(objects, 1);
            assert!((2..=MAX_PARTS).contains(&cuts.count()), "{} parts", cuts.count());
        };
        check(&whole(&[1; 1000]));
        check(&whole(&[1; 1001]));
        check(&whole(&vec![1000; 1_000_000]));
        check(&[Divisible::into_ranges(u64::MAX, u64::MAX)]);
        check(&[Divisible::into_ranges(100_000, 100_000); 30]);
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_part_and_no_part_with_two_objects_weighs_too_much(
            objects in proptest::collection::vec((0_u64..100, any::<bool>()), 2..60), part_bytes in 1_u64..200,
        ) {
            let of = |(weight, divisible): &(u64, bool)| {
                if *divisible { Divisible::into_ranges(*weight, *weight) } else { Divisible::no(*weight) }
            };
            let divisible: Vec<Divisible> = objects.iter().map(of).collect();
            let (cuts, measure) = cut(&divisible, part_bytes);
            let total: u64 = objects.iter().map(|(weight, _)| weight).sum();
            if cuts.is_whole() {
                prop_assert!(total <= part_bytes);
            } else {
                prop_assert_eq!(cuts.objects(), objects.len());
                let written = serde_json::to_string(&cuts).expect("json");
                prop_assert_eq!(&serde_json::from_str::<Cuts>(&written).expect("parts of a plan"), &cuts);
                let largest = measure.expect("parts").largest_bytes;
                for part in parts(&cuts) {
                    let weight: u64 = objects[part.objects.clone()].iter().map(|(weight, _)| weight).sum();
                    prop_assert!(part.objects.len() == 1 || weight <= part_bytes);
                    prop_assert!(part.range.is_some() || weight <= largest);
                }
            }
        }
    }
}
