//! How a plan is divided into parts: by its objects, and large objects by their bytes.

use std::num::NonZeroU32;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::PartNumber;

/// Bytes of an object as it is stored; at least one. It has the records that begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenRange")]
pub struct ByteRange {
    begin: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<u64>,
}

/// A range as documents write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRange {
    begin: u64,
    #[serde(default)]
    end: Option<u64>,
}

impl TryFrom<WrittenRange> for ByteRange {
    type Error = CutsError;

    fn try_from(WrittenRange { begin, end }: WrittenRange) -> Result<Self, CutsError> {
        Self::new(begin, end).ok_or(CutsError::Empty { begin })
    }
}

impl ByteRange {
    /// The bytes from `begin` up to `end`, which is not one of them, or to the end of the object; `None` for an empty
    /// range.
    pub fn new(begin: u64, end: Option<u64>) -> Option<Self> {
        end.is_none_or(|end| begin < end).then_some(Self { begin, end })
    }

    /// The first byte.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The first byte after it; `None` where it has the last byte of the object.
    pub fn end(&self) -> Option<u64> {
        self.end
    }
}

/// Where the records of a byte range were found. The end of one range is the begin of the next where both are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRange {
    /// The byte at which the first record begins. Of the first range of an object 0.
    pub begin: u64,
    /// The first byte after the last record; where the range has no record, the byte at which the next one begins.
    pub end: u64,
}

/// What one part of a plan has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCut {
    /// The places of its objects among those of the plan.
    pub objects: Range<usize>,
    /// Which records of its only object it has, where it does not have all of them.
    pub range: Option<ByteRange>,
}

/// How the objects of a plan are divided into parts, in the order of the plan: a part has so many objects, or a range of
/// one. Empty where the plan is not divided.
///
/// # Example
///
/// ```
/// use sluice_core::engine::{Divisible, cut};
///
/// let objects = [Divisible::no(600), Divisible::no(300), Divisible::into_ranges(1_800, 1_700), Divisible::no(5_000)];
/// let (cuts, _) = cut(&objects, 1_000);
/// let parts: Vec<_> = cuts.numbers().filter_map(|part| cuts.part(part)).collect();
/// let objects: Vec<_> = parts.iter().map(|part| part.objects.clone()).collect();
/// assert_eq!(objects, [0..2, 2..3, 2..3, 3..4]);
/// let begins: Vec<_> = parts.iter().filter_map(|part| part.range).map(|range| range.begin()).collect();
/// assert_eq!(begins, [0, 850]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Cut>", into = "Vec<Cut>")]
pub struct Cuts(Vec<Cut>);

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cut {
    /// So many objects.
    Objects(NonZeroU32),
    /// A range of one object.
    Range(ByteRange),
}

/// Parts that no plan is divided into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CutsError {
    /// A range has no byte.
    #[error("the byte range that begins at {begin} has no byte")]
    Empty {
        /// Its begin.
        begin: u64,
    },
    /// The ranges of an object do not have each of its bytes once.
    #[error("part {part} begins at byte {found} of its object, where the part before it ends at {expected}")]
    Gap {
        /// Number of the part.
        part: usize,
        /// Where it begins; 0 where it begins with another object.
        found: u64,
        /// Where it should begin.
        expected: u64,
    },
    /// The last range of an object is missing.
    #[error("no part has the end of the object whose ranges end at byte {end}")]
    Open {
        /// The end of the last range.
        end: u64,
    },
}

impl TryFrom<Vec<Cut>> for Cuts {
    type Error = CutsError;

    fn try_from(cuts: Vec<Cut>) -> Result<Self, CutsError> {
        let mut reached = 0;
        for (cut, part) in cuts.iter().zip(1..) {
            let (found, end) = match cut {
                Cut::Objects(_) => (0, None),
                Cut::Range(range) => (range.begin, range.end),
            };
            if found != reached {
                return Err(CutsError::Gap { part, found, expected: reached });
            }
            reached = end.unwrap_or(0);
        }
        if reached == 0 { Ok(Self::of(cuts)) } else { Err(CutsError::Open { end: reached }) }
    }
}

impl From<Cuts> for Vec<Cut> {
    fn from(cuts: Cuts) -> Self {
        cuts.0
    }
}

impl Cut {
    /// The objects that it has the last byte of.
    fn ended(&self) -> usize {
        match self {
            Self::Objects(count) => usize::try_from(count.get()).unwrap_or(usize::MAX),
            Self::Range(range) => usize::from(range.end.is_none()),
        }
    }
}

impl Cuts {
    /// These parts, whose ranges have each byte of their objects once. A single part divides nothing.
    pub(crate) fn of(parts: Vec<Cut>) -> Self {
        if parts.len() < 2 { Self::default() } else { Self(parts) }
    }

    /// Whether the plan is read by one call.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// How many parts there are; 0 where the plan is not divided.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many objects the parts have together.
    pub fn objects(&self) -> usize {
        self.0.iter().map(Cut::ended).sum()
    }

    /// The numbers of the parts.
    pub fn numbers(&self) -> impl Iterator<Item = PartNumber> + use<> {
        std::iter::successors(Some(PartNumber::FIRST), |part| Some(part.next())).take(self.0.len())
    }

    /// What a part has; `None` where no part has this number.
    pub fn part(&self, part: PartNumber) -> Option<PartCut> {
        let cut = self.0.get(part.index())?;
        let start: usize = self.0.iter().take(part.index()).map(Cut::ended).sum();
        Some(match cut {
            Cut::Objects(_) => PartCut { objects: start..start + cut.ended(), range: None },
            Cut::Range(range) => PartCut { objects: start..start + 1, range: Some(*range) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin and end of a range.
    type Bytes = Option<(u64, Option<u64>)>;

    fn read(text: &str) -> Result<Cuts, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_object_is_in_one_part_or_in_ranges_and_no_other_part_exists() {
        let check = |written: &str, expected: &[(Range<usize>, Bytes)]| {
            let cuts = read(written).expect(written);
            let parts: Vec<PartCut> = cuts.numbers().map(|part| cuts.part(part).expect("a part")).collect();
            let range = |(begin, end): (u64, Option<u64>)| ByteRange::new(begin, end).expect("a range");
            let part = |(objects, bytes): &(Range<usize>, Bytes)| PartCut {
                objects: objects.clone(),
                range: bytes.map(range),
            };
            assert_eq!(parts, expected.iter().map(part).collect::<Vec<_>>(), "{written}");
            assert_eq!((cuts.count(), cuts.is_whole()), (expected.len(), expected.is_empty()));
            assert_eq!(cuts.objects(), expected.last().map_or(0, |(objects, _)| objects.end), "{written}");
            let next = cuts.numbers().last().map_or(PartNumber::FIRST, PartNumber::next);
            assert_eq!(cuts.part(next), None);
            let whole = cuts.is_whole();
            assert!(
                whole || serde_json::to_string(&cuts).expect("json") == written,
                "{written} is written as it is read"
            );
        };
        check("[]", &[]);
        check("[7]", &[]);
        check("[2,1,3]", &[(0..2, None), (2..3, None), (3..6, None)]);
        check(r#"[{"begin":0,"end":5},{"begin":5}]"#, &[(0..1, Some((0, Some(5)))), (0..1, Some((5, None)))]);
        let both = r#"[2,{"begin":0,"end":5},{"begin":5,"end":9},{"begin":9},1]"#;
        let ranges = [(2..3, Some((0, Some(5)))), (2..3, Some((5, Some(9)))), (2..3, Some((9, None)))];
        check(both, &[&[(0..2, None)][..], &ranges, &[(3..4, None)]].concat());
    }

    #[test]
    fn parts_that_lack_or_repeat_a_byte_are_no_parts() {
        let check = |written: &str, says: &str| {
            let refused = read(written).expect_err(written);
            assert!(refused.contains(says), "{written}: {refused}");
        };
        check(r#"[{"begin":0,"end":5},{"begin":6}]"#, "part 2 begins at byte 6 of its object");
        check(r#"[{"begin":0,"end":5},{"begin":4}]"#, "where the part before it ends at 5");
        check(r#"[{"begin":3},1]"#, "part 1 begins at byte 3");
        check(
            r#"[{"begin":0,"end":5},1]"#,
            "part 2 begins at byte 0 of its object, where the part before it ends at 5",
        );
        check(r#"[1,{"begin":0,"end":5}]"#, "no part has the end of the object whose ranges end at byte 5");
        // The words of these are those of the JSON reader, which tries one form of a part after the other.
        for written in [r#"[0,1]"#, r#"[{"begin":5,"end":5},1]"#, r#"[{"begin":0,"to":5},1]"#, r#"[-1,1]"#] {
            check(written, "");
        }
    }
}
