//! Places of records that a replay splits out of documents.

/// Bits that say which record of its document a row is.
const INDEX_BITS: u32 = 18;
/// Bits that say where the document is in its object.
const DOCUMENT_BITS: u32 = 34;
/// What no record has that was read from an object: neither has one so many records, nor so many bytes.
const MARK: u64 = 1 << (INDEX_BITS + DOCUMENT_BITS);

/// The place of a record in a document that quarantine had as a whole, as `_source_row` has it: made of the document's
/// own `_source_row` and of the record's number in the document. No other record of the object has it, and a record that
/// is split out once more has it again, so that it enters a table once. It is below 2^53, which every reader of JSON
/// keeps. Such records count as later than all that were read from their object, and among themselves in their order.
///
/// # Example
///
/// ```
/// use sluice_core::columns::DocumentRow;
///
/// let third = DocumentRow::new(12, 2).unwrap();
/// assert_eq!(DocumentRow::of(third.source_row()), Some(third));
/// assert_eq!((third.document(), third.index()), (12, 2));
/// assert_eq!(DocumentRow::of(12), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentRow {
    document: u64,
    index: u64,
}

impl DocumentRow {
    /// Most records of one document that have a place.
    pub const MAX_RECORDS: u64 = 1 << INDEX_BITS;
    /// The lowest `_source_row` of such a record.
    pub const LOWEST: i64 = MARK.cast_signed();

    /// The record with this index, from 0, of the document with this `_source_row`; `None` where either is too large.
    pub fn new(document: i64, index: usize) -> Option<Self> {
        let (document, index) = (u64::try_from(document).ok()?, u64::try_from(index).ok()?);
        (document < 1 << DOCUMENT_BITS && index < Self::MAX_RECORDS).then_some(Self { document, index })
    }

    /// What a `_source_row` says; `None` where it is that of a record that was read from an object.
    pub fn of(source_row: i64) -> Option<Self> {
        let place = u64::try_from(source_row).ok()?;
        let rest = place.checked_sub(MARK).filter(|rest| *rest < MARK)?;
        Some(Self { document: rest >> INDEX_BITS, index: rest % Self::MAX_RECORDS })
    }

    /// The `_source_row` of the record.
    pub fn source_row(self) -> i64 {
        (MARK | (self.document << INDEX_BITS) | self.index).cast_signed()
    }

    /// The `_source_row` of the document.
    pub fn document(self) -> u64 {
        self.document
    }

    /// Number of the record in the document, from 0.
    pub fn index(self) -> u64 {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_of_other_records_belong_to_no_document() {
        for other in [i64::MIN, -1, 0, 1, 50 << 40, MARK.cast_signed() - 1, 2 * MARK.cast_signed(), i64::MAX] {
            assert_eq!(DocumentRow::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_too_large_has_no_place() {
        let check = |document: i64, index: usize, expected: bool| {
            assert_eq!(DocumentRow::new(document, index).is_some(), expected, "{document}, {index}");
        };
        check(0, 0, true);
        check((1 << DOCUMENT_BITS) - 1, (1 << INDEX_BITS) - 1, true);
        check(1 << DOCUMENT_BITS, 0, false);
        check(1, 1 << INDEX_BITS, false);
        check(-1, 0, false);
    }

    proptest! {
        #[test]
        fn each_record_has_its_own_place_in_the_order_of_the_records(
            one in (0i64..1 << DOCUMENT_BITS, 0usize..1 << INDEX_BITS),
            other in (0i64..1 << DOCUMENT_BITS, 0usize..1 << INDEX_BITS),
        ) {
            let row = |(document, index)| DocumentRow::new(document, index).expect("a place").source_row();
            prop_assert_eq!(row(one).cmp(&row(other)), one.cmp(&other));
            prop_assert!(row(one) >= DocumentRow::LOWEST && row(one) < 1 << 53);
            let read = DocumentRow::of(row(one)).expect("a place");
            prop_assert_eq!((read.document().cast_signed(), read.index()), (one.0, one.1 as u64));
        }
    }
}
