//! Guesses where the first record at or after a byte begins.
//!
//! Whether that byte stands inside of quotes cannot be seen from it. So the text that follows is read in each way that
//! is possible, which gives one candidate each, and the candidate whose records look more like records is taken. The
//! ways soon agree about where records end: only what comes before that is compared. A wrong guess costs a second
//! reading, for whoever joins the ranges compares it with the end of the range before.

use memchr::memchr;

use super::dialect::Dialect;
use super::record::{Field, FieldKind, Record, RecordParser};
use crate::source::chunk::ReadLimits;

/// How much more than the first bytes are read before the best of unclear answers is taken.
const ENOUGH: usize = 16;
/// Records that two ways have to agree about before they are compared.
const AGREED: usize = 8;
/// Records of a candidate that are judged at most: bounds memory where lines are very short.
const MOST_RECORDS: usize = 20_000;
/// Good records that make it unlikely that they are lines of a quoted text.
const TRUSTED: usize = 4;
/// Faults that a quote closing in the middle of a text counts for. No program writes that on purpose.
const TORN: usize = 2;

/// What is known of the records that are sought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess {
    pub(super) dialect: Dialect,
    /// Columns of the header.
    pub(super) columns: usize,
    /// Whether a record may have fewer fields than that.
    pub(super) pad: bool,
    pub(super) limits: ReadLimits,
}

/// A way to read the bytes from an offset on.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// In a field without quotes, or between two fields.
    Outside(usize),
    /// In a quoted field.
    Inside(usize),
    /// In a comment.
    Comment,
}

/// Where the first record begins, read in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sought {
    /// Here. `torn`: the quoted field that the bytes begin in is followed by text.
    Found { begin: usize, torn: bool },
    /// Not in these bytes.
    More,
    /// Nowhere: a quote is open at the end of the object.
    Never,
}

/// A record of a candidate.
#[derive(Debug, Clone, Copy)]
struct Seen {
    start: usize,
    looks: Looks,
    /// Whether a quoted field of it has a line end.
    has_lines: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Good,
    /// As it may where records are padded: with fewer fields. So do lines of a text, so that it is no reason for trust.
    Short,
    /// As it should or may, but a field that no quote opens ends with one.
    Stray,
    /// It would be corrupt.
    Bad,
}

/// A place at which the first record may begin, and the records from there on.
#[derive(Debug)]
struct Candidate {
    begin: usize,
    torn: bool,
    records: Vec<Seen>,
}

impl Guess {
    /// The offset at which the first record after the first byte begins; the length of `bytes` where none follows.
    /// `None`: more bytes are needed, or the record is larger than it may be.
    pub(super) fn begin(&self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let must_decide = at_end || bytes.len() > self.limits.record_bytes;
        let (candidates, is_open) = self.candidates(bytes, at_end);
        let Some((first, others)) = candidates.split_first() else {
            // In no way does the object go on: its end. What is wrong with it shows where the quote was opened.
            return at_end.then_some(bytes.len());
        };
        if others.is_empty() && !is_open {
            return Some(first.begin);
        }
        let is_clear = !is_open && others.iter().all(|other| agreed(first, other) >= AGREED);
        let enough = bytes.len() >= self.limits.guess_bytes.saturating_mul(ENOUGH);
        if !(must_decide || is_clear || enough) {
            return None;
        }
        let best =
            others.iter().fold(first, |best, other| if self.prefers(best, other, at_end) { other } else { best });
        if is_open && !must_decide && best.is_mostly_bad() {
            return None;
        }
        Some(best.begin)
    }

    /// The different begins, and whether one more may follow behind these bytes.
    fn candidates(&self, bytes: &[u8], at_end: bool) -> (Vec<Candidate>, bool) {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut is_open = false;
        for start in starts(self.dialect, bytes) {
            match seek(self.dialect, bytes, start, at_end) {
                Sought::Found { begin, torn } => {
                    if let Some(same) = candidates.iter_mut().find(|other| other.begin == begin) {
                        same.torn &= torn;
                    } else {
                        candidates.push(Candidate { begin, torn, records: Vec::new() });
                    }
                }
                Sought::More => is_open = true,
                Sought::Never => {}
            }
        }
        // One begin needs no comparison.
        if is_open || candidates.len() > 1 {
            for candidate in &mut candidates {
                candidate.records = self.records(bytes, candidate.begin, at_end);
            }
        }
        (candidates, is_open)
    }

    /// The whole records from `at` on.
    fn records(&self, bytes: &[u8], mut at: usize, at_end: bool) -> Vec<Seen> {
        let mut parser = RecordParser::new(self.dialect);
        let mut records = Vec::new();
        while at < bytes.len() && records.len() < MOST_RECORDS {
            if let Some(next) = self.dialect.comment_end(bytes, at) {
                at = next;
                continue;
            }
            let record = parser.next(bytes, at);
            if !record.terminated && !at_end {
                break;
            }
            at = record.next;
            if self.columns != 1 && record.is_blank() {
                continue;
            }
            let looks = self.looks(bytes, record, &parser.fields);
            let has_lines = parser.fields.iter().any(|field| has_lines(bytes, field));
            records.push(Seen { start: record.start, looks, has_lines });
        }
        records
    }

    fn looks(&self, bytes: &[u8], record: Record, fields: &[Field]) -> Looks {
        let is_short = fields.len() < self.columns;
        let has_fields = fields.len() == self.columns || (self.pad && is_short);
        if record.text_after_quote || record.open_quote.is_some() || !has_fields {
            Looks::Bad
        } else if fields.iter().any(|field| self.is_stray(bytes, field)) {
            Looks::Stray
        } else if is_short {
            Looks::Short
        } else {
            Looks::Good
        }
    }

    /// Whether a field ends with a quote that would close it, had one opened it.
    fn is_stray(&self, bytes: &[u8], field: &Field) -> bool {
        let text = bytes.get(field.start..field.end).unwrap_or_default();
        let quotes = text.iter().rev().take_while(|byte| **byte == self.dialect.quote).count();
        field.kind == FieldKind::Plain && quotes % 2 == 1
    }

    /// Whether `second` looks more like records than `first`.
    fn prefers(&self, first: &Candidate, second: &Candidate, at_end: bool) -> bool {
        let (of_first, of_second) = common(first, second);
        let agrees = of_first < first.records.len();
        let (first_own, shared) = first.records.split_at_checked(of_first).unwrap_or_default();
        let (second_own, _) = second.records.split_at_checked(of_second).unwrap_or_default();
        let first_faults = self.faults(first.torn, first_own, shared);
        let second_faults = self.faults(second.torn, second_own, shared);
        if agrees || at_end {
            return first_faults > second_faults;
        }
        // They have not met yet, so one may have many more records than the other.
        first_faults * (second_own.len() + 1) > second_faults * (first_own.len() + 1)
    }

    /// What speaks against a candidate: faults of the records that it alone has, seen in the light of those that both
    /// have.
    fn faults(&self, torn: bool, own: &[Seen], shared: &[Seen]) -> usize {
        let count = |records: &[Seen], looks: Looks| records.iter().filter(|record| record.looks == looks).count();
        // Where many records are bad in any case, a bad one says nothing.
        let bad = if count(shared, Looks::Bad) * 4 > shared.len() { 0 } else { count(own, Looks::Bad) };
        // A quote at the end of a field closes it in most files. In some it is a sign for inches.
        let with_lines = shared.iter().filter(|record| record.has_lines).count();
        let is_inches = count(shared, Looks::Stray) > with_lines;
        let is_trusted = self.columns > 1 && count(own, Looks::Good) >= TRUSTED;
        let stray = if is_inches || is_trusted { 0 } else { count(own, Looks::Stray) };
        bad + stray + if torn { TORN } else { 0 }
    }
}

impl Candidate {
    fn is_mostly_bad(&self) -> bool {
        self.records.iter().filter(|record| record.looks == Looks::Bad).count() * 2 > self.records.len()
    }
}

/// The ways in which the bytes can be read, the more usual one first.
fn starts(dialect: Dialect, bytes: &[u8]) -> Vec<Start> {
    let mut starts = match bytes.first() {
        // It is text or closes a field; it opens one or is the second of a doubled quote; or it is the first of one.
        Some(first) if *first == dialect.quote => {
            let mut starts = vec![Start::Outside(1), Start::Inside(1)];
            if bytes.get(1) == Some(&dialect.quote) {
                starts.push(Start::Inside(2));
            }
            starts
        }
        // It is text, or begins a comment, which is a way of its own.
        Some(first) if dialect.comment == Some(*first) => vec![Start::Outside(1), Start::Inside(1)],
        Some(_) | None => vec![Start::Outside(0), Start::Inside(0)],
    };
    if dialect.comment.is_some() {
        starts.push(Start::Comment);
    }
    starts
}

fn seek(dialect: Dialect, bytes: &[u8], start: Start, at_end: bool) -> Sought {
    let unknown = if at_end { Sought::Never } else { Sought::More };
    // The last byte of the bytes may be the first half of a doubled quote.
    let after_field = |from: usize| match dialect.closing_quote(bytes, from) {
        Some((close, _)) if close + 1 < bytes.len() || at_end => Some(close + 1),
        _ => None,
    };
    let (mut outside, torn) = match start {
        Start::Comment => {
            return match memchr(b'\n', bytes) {
                Some(line_feed) => Sought::Found { begin: line_feed + 1, torn: false },
                None if at_end => Sought::Found { begin: bytes.len(), torn: false },
                None => Sought::More,
            };
        }
        Start::Outside(at) => (at, false),
        Start::Inside(at) => match after_field(at) {
            Some(after) => (after, !ends_field(dialect, bytes, after)),
            None => return unknown,
        },
    };
    loop {
        let open = dialect.opening_quote(bytes, outside);
        let rest = bytes.get(outside..open.unwrap_or(bytes.len())).unwrap_or_default();
        if let Some(line_feed) = memchr(b'\n', rest) {
            return Sought::Found { begin: outside + line_feed + 1, torn };
        }
        let Some(open) = open else {
            return if at_end { Sought::Found { begin: bytes.len(), torn } } else { Sought::More };
        };
        match after_field(open + 1) {
            Some(after) => outside = after,
            None => return unknown,
        }
    }
}

/// Whether a closing quote may stand before the offset `at`.
fn ends_field(dialect: Dialect, bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'\r') => matches!(bytes.get(at + 1), Some(b'\n') | None),
        Some(&byte) => byte == dialect.delimiter || byte == b'\n',
        None => true,
    }
}

fn has_lines(bytes: &[u8], field: &Field) -> bool {
    field.kind != FieldKind::Plain
        && bytes.get(field.start..field.end).is_some_and(|text| memchr(b'\n', text).is_some())
}

/// How many records each of two candidates has before the first that both have.
fn common(first: &Candidate, second: &Candidate) -> (usize, usize) {
    let (mut of_first, mut of_second) = (0, 0);
    while let (Some(one), Some(other)) = (first.records.get(of_first), second.records.get(of_second)) {
        match one.start.cmp(&other.start) {
            std::cmp::Ordering::Equal => return (of_first, of_second),
            std::cmp::Ordering::Less => of_first += 1,
            std::cmp::Ordering::Greater => of_second += 1,
        }
    }
    (first.records.len(), second.records.len())
}

/// How many records both candidates have.
fn agreed(first: &Candidate, second: &Candidate) -> usize {
    first.records.len() - common(first, second).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(columns: usize) -> Guess {
        guess_in(Dialect::COMMA, columns)
    }

    fn guess_in(dialect: Dialect, columns: usize) -> Guess {
        let limits = ReadLimits { guess_bytes: 16, record_bytes: 1 << 20, ..ReadLimits::default() };
        Guess { dialect, columns, pad: false, limits }
    }

    fn padding(columns: usize) -> Guess {
        Guess { pad: true, ..guess(columns) }
    }

    /// `|` stands before the byte that the guess begins with, `^` where the record begins that it must find.
    fn check(columns: usize, text: &str) {
        check_in(Dialect::COMMA, columns, text);
    }

    fn check_in(dialect: Dialect, columns: usize, text: &str) {
        check_with(guess_in(dialect, columns), text);
    }

    fn check_with(guess: Guess, text: &str) {
        let plain = text.replace('^', "");
        let (before, after) = plain.split_once('|').expect("a begin");
        let expected = text.replace('|', "").find('^').expect("a record") - before.len();
        assert_eq!(guess.begin(after.as_bytes(), true), Some(expected), "{text}");
    }

    #[test]
    fn without_quotes_a_record_begins_after_the_next_line_feed() {
        check(2, "1,|2\n^3,4\n5,6\n");
        check(2, "1,2|\n^3,4\n5,6\n");
        check(2, "1,2\r|\n^3,4\r\n5,6\r\n");
        check(2, "1,2\n|3,4\n^5,6\n");
        check(2, "1,2\n3,|4\n^");
        check(2, "1,2\n3,|4^");
        check(2, "1,2|\n^\n3,4\n");
    }

    #[test]
    fn a_line_end_in_quotes_ends_no_record() {
        check(3, "1,\"a|b\nc\",x\n^2,d,y\n");
        check(3, "1,|\"ab\nc\",x\n^2,d,y\n");
        check(3, "1|,\"ab\nc\",x\n^2,d,y\n");
        check(3, "1,\"ab\nc|\",x\n^2,\"d\n\",y\n");
        check(3, "1,\"ab\nc\"|,x\n^2,\"d\n\",y\n");
        check(3, "1,\"say \"|\"hi\"\"\nc\",x\n^2,d,y\n");
        check(3, "1,\"say |\"\"hi\"\"\nc\",x\n^2,d,y\n");
        check(3, "1,\"a|b\n1,2,3\n4,5,6\n7,8,9\n\",x\n^2,d,y\n");
        // The field is the first of its record: what follows the line end has the right number of fields, too.
        check(3, "\"a|b\nc\",1,x\n^d,2,y\n");
        check(1, "\"a|b\nc\"\n^d\ne\n");
        check(1, "a|b\n^\"c\nd\"\ne\n");
    }

    #[test]
    fn quotes_in_the_middle_of_a_field_are_text() {
        check(2, "1,12|\" CANDLE\n^2,b\n3,c\n");
        check(2, "1,|12\" CANDLE\n^2,9\" PLATE\n3,c\n");
        check(2, "|1,12\"\n^2,b\n3,9\"\n4,8\"\n");
    }

    #[test]
    fn quotes_in_comments_open_and_close_nothing() {
        let dialect = Dialect { comment: Some(b'#'), ..Dialect::COMMA };
        let check = |text: &str| check_in(dialect, 2, text);
        check("1,|2\n^# \",\"\n3,4\n5,6\n");
        check("# not, \"cl|osed,\"\n^1,2\n3,4\n5,6\n");
        check("|# \"a\",\"\n^1,2\n3,4\n5,6\n");
        check("1,2|\n^#,\"\n3,4\n#,\"\n5,6\n");
        check("1,a|#b\n^2,c\n");
    }

    #[test]
    fn files_with_many_corrupt_records_are_cut_at_line_ends() {
        check(3, "1,|2\n^3,4\n5,\"6\"\n7,8\n9,10\n11,12\n");
    }

    #[test]
    fn short_records_are_no_fault_where_they_are_padded() {
        // Inside of quotes, the first record would be the one with `6`.
        let others = "7,8,9\n".repeat(9);
        check_with(padding(3), &format!("1,a|\n^2\n3\n4\n5,\"q,y\"\n6,b,c\n{others}"));
        // Without a quote, the other way to read them never ends.
        let short = "1\n2\n".repeat(100);
        assert_eq!(padding(2).begin(&short.as_bytes()[..300], false), Some(2));
        assert_eq!(guess(2).begin(&short.as_bytes()[..300], false), None);
        // Lines of a text are short, too.
        check_with(padding(3), &format!("1,\"a|b\nc\nd\ne\nf\ng\",x\n^2,d,y\n{others}"));
        // More fields than columns are a fault in any case.
        check_with(padding(2), "1,\"a|b\n1,2,3\n4,5,6\n7,8,9\ng\"\n^2,d\n3\n");
    }

    #[test]
    fn more_bytes_are_asked_for_until_the_answer_is_clear() {
        let long = format!("a\n{}\",x\n1,2\n", "text\n".repeat(100));
        let ask = |length: usize| guess(2).begin(&long.as_bytes()[..length], false);
        // The text may be records that are all corrupt, as long as no quote shows what it is.
        assert_eq!(ask(16), None);
        assert_eq!(ask(400), None);
        assert_eq!(ask(long.len()), Some(long.len() - 4));
        // Nothing but line feeds speaks for records of one column.
        assert_eq!(guess(1).begin(&long.as_bytes()[..64], false), None);
        assert_eq!(guess(1).begin(&long.as_bytes()[..300], false), Some(2));
    }

    #[test]
    fn a_quote_that_no_way_closes_leads_to_the_end_of_the_object() {
        assert_eq!(guess(2).begin(b"1,\"2\n", true), Some(5));
        assert_eq!(guess(2).begin(b"", true), Some(0));
    }
}
