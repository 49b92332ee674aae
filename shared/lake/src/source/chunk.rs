//! Cuts a stream into chunks of whole records, so that memory depends on the largest record and not on the file.

use std::io::Read;

use sluice_core::run::{FoundRange, Positions};

use super::error::{Place, SourceError};
use super::extent::{Begin, Extent};
use super::place::{Origin, Spot, count_lines};
use super::stream::{Text, explain};

/// Sizes that bound memory. Production uses [`ReadLimits::default`]; tests make them small to meet every edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadLimits {
    /// Source bytes per batch.
    pub(super) chunk_bytes: usize,
    /// Largest record.
    pub(super) record_bytes: usize,
    /// Threads that parse one chunk.
    pub(super) workers: usize,
    /// Least bytes that are worth a thread.
    pub(super) piece_bytes: usize,
    /// Bytes from which the begin of a range is guessed at first.
    pub(super) guess_bytes: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            // Large enough for a Parquet row group of good size, small enough that three of them (one being read, one
            // being parsed, one being written) and their columns stay below 300 MB.
            chunk_bytes: 32 << 20,
            // Far above any sane record (the tests have a 10 MB field), and found out before memory is in danger.
            record_bytes: 64 << 20,
            workers: std::thread::available_parallelism().map_or(1, usize::from).min(8),
            piece_bytes: 1 << 20,
            // Hundreds of records of usual size.
            guess_bytes: 64 << 10,
        }
    }
}

impl ReadLimits {
    /// For reading the beginning of an object only.
    pub(super) fn sniff() -> Self {
        Self { chunk_bytes: 64 << 10, workers: 1, ..Self::default() }
    }

    /// How many pieces a chunk of this size is divided into.
    pub(super) fn pieces(&self, size_bytes: usize) -> usize {
        self.workers.min(size_bytes / self.piece_bytes.max(1)).max(1)
    }
}

/// Where the whole records of a buffer end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Ascending ends of groups of whole records; the last one is the end of the last whole record. Never empty.
    Ends(Vec<usize>),
    /// No record ends in the buffer; more of the stream is needed.
    More,
    /// The stream has ended, but the quote at this offset is still open.
    Unclosed(usize),
}

/// Whole records, and where to divide them among threads.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Lines before this chunk, from where the reading began.
    pub(super) lines_before: u64,
    /// Bytes of the object before this chunk.
    pub(super) bytes_before: u64,
}

impl Chunk {
    /// The groups of whole records, each with the byte of the object at which it begins.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let piece = move |(start, &end): (usize, &usize)| {
            self.bytes.get(start..end).map(|bytes| (self.bytes_before + start as u64, bytes))
        };
        starts.zip(&self.ends).filter_map(piece)
    }
}

/// What comes next from a [`ChunkReader`].
#[derive(Debug)]
pub(super) enum Next {
    /// Whole records.
    Chunk(Chunk),
    /// A record that is larger than the limit.
    TooLarge(Spot),
    /// Nothing more.
    End,
}

/// Reads a stream chunk by chunk, as far as the records of an extent go.
pub(super) struct ChunkReader<'a> {
    stream: Box<dyn Read + Send>,
    object: &'a str,
    positions: Positions,
    /// Whether records end with lines, so that the number of a line says where one is.
    has_lines: bool,
    buffer: Vec<u8>,
    at_end: bool,
    /// Lines given out so far.
    lines: u64,
    /// The byte of the object at which the buffer begins.
    offset: u64,
    /// The byte at which the first record begins; where it is guessed, first the one from which it is sought.
    begin: u64,
    /// Records that begin here or later are not given out.
    end: Option<u64>,
    limits: ReadLimits,
}

impl<'a> ChunkReader<'a> {
    /// Bytes to read for a header at first, and at a time behind the end of a range: a slow stream should not have to
    /// give a whole chunk.
    const FRONT_BYTES: usize = 64 << 10;

    pub(super) fn new(text: Text, object: &'a str, extent: Extent<'_>, limits: ReadLimits) -> Self {
        let begin = match extent.begin {
            Begin::Object => 0,
            Begin::Guessed { at, .. } | Begin::Proven { at, .. } => at,
        };
        Self {
            stream: text.stream,
            object,
            positions: extent.positions,
            has_lines: true,
            buffer: Vec::new(),
            at_end: false,
            lines: 0,
            offset: text.begin,
            begin,
            end: extent.end,
            limits,
        }
    }

    /// Says whether records end with lines. Where they do not, places are bytes of the text.
    pub(super) fn with_lines(self, has_lines: bool) -> Self {
        Self { has_lines, ..self }
    }

    /// Where the records that were given out begin and end, where records are found by bytes.
    pub(super) fn found(&self) -> Option<FoundRange> {
        match self.positions {
            Positions::Numbers => None,
            Positions::Bytes => Some(FoundRange { begin: self.begin, end: self.offset }),
        }
    }

    /// What comes before the buffer.
    pub(super) fn origin(&self) -> Origin {
        let positions = if self.has_lines { self.positions } else { Positions::Bytes };
        Origin { positions, bytes_before: self.offset, lines_before: self.lines }
    }

    /// The next chunk. `cut` gets the buffer, whether the stream has ended, and the offset from the buffer's begin (which
    /// may be behind its end) at or after which the last record to be read ends. It returns where whole records end, and
    /// none of them behind that record.
    pub(super) fn next(&mut self, cut: impl Fn(&[u8], bool, usize) -> Cut) -> Result<Next, SourceError> {
        // The buffer begins where a record begins, so nothing before the end is left.
        let Some(to_end @ 1..) = self.bytes_to_end() else { return Ok(Next::End) };
        let mut wanted = self.limits.chunk_bytes.min(to_end.saturating_add(Self::FRONT_BYTES));
        loop {
            self.fill(wanted)?;
            if self.buffer.is_empty() {
                return Ok(Next::End);
            }
            match cut(&self.buffer, self.at_end, to_end) {
                Cut::Ends(ends) => return Ok(Next::Chunk(self.split(ends))),
                Cut::Unclosed(quote) => {
                    let place = self.origin().place(&self.buffer, quote);
                    return Err(SourceError::UnclosedQuote { object: self.object.to_owned(), place });
                }
                Cut::More if self.at_end || self.buffer.len() > self.limits.record_bytes => {
                    let line = self.has_lines.then_some(self.lines + 1);
                    return Ok(Next::TooLarge(Spot { line, offset: self.offset }));
                }
                Cut::More => wanted = self.more(to_end),
            }
        }
    }

    /// Bytes from the begin of the buffer to the end; `None` where the end is before it.
    fn bytes_to_end(&self) -> Option<usize> {
        match self.end {
            None => Some(usize::MAX),
            Some(end) => Some(usize::try_from(end.checked_sub(self.offset)?).unwrap_or(usize::MAX)),
        }
    }

    /// How large the buffer should become next. Behind the end, only the rest of one record is missing.
    fn more(&self, to_end: usize) -> usize {
        let length = self.buffer.len();
        if length < to_end {
            (length + self.limits.chunk_bytes).min(to_end.saturating_add(Self::FRONT_BYTES))
        } else {
            length + self.limits.chunk_bytes.min(length.max(Self::FRONT_BYTES))
        }
    }

    /// Takes the front (a header) off the stream: `parse` sees a growing buffer that starts the object, and gives the
    /// front and its end once it is whole.
    ///
    /// `None`: it is larger than a record may be.
    pub(super) fn take_front<T>(
        &mut self,
        parse: impl Fn(&[u8], bool) -> Result<Option<(T, usize)>, SourceError>,
    ) -> Result<Option<T>, SourceError> {
        let mut wanted = Self::FRONT_BYTES.min(self.limits.chunk_bytes);
        loop {
            self.fill(wanted)?;
            if let Some((front, end)) = parse(&self.buffer, self.at_end)? {
                self.drop_front(end);
                return Ok(Some(front));
            }
            if self.at_end || self.buffer.len() > self.limits.record_bytes {
                return Ok(None);
            }
            wanted = self.buffer.len() * 2;
        }
    }

    /// Goes on to the first record: `seek` sees a growing buffer, and gives the offset at which that record begins once
    /// it knows it. It has to decide when the stream has ended.
    ///
    /// # Errors
    /// [`SourceError::RecordTooLarge`]: no record begins within the size that a record may have.
    pub(super) fn skip_to(&mut self, seek: impl Fn(&[u8], bool) -> Option<usize>) -> Result<(), SourceError> {
        // A record of the largest size with its line end.
        let most = self.limits.record_bytes.saturating_add(2);
        let mut wanted = self.limits.guess_bytes.max(1).min(most);
        loop {
            self.fill(wanted)?;
            if let Some(begin) = seek(&self.buffer, self.at_end) {
                self.drop_front(begin);
                self.begin = self.offset;
                return Ok(());
            }
            if self.at_end || self.buffer.len() >= most {
                let (object, place) = (self.object.to_owned(), Place::Byte { offset: self.begin });
                return Err(SourceError::RecordTooLarge { object, place, limit_bytes: self.limits.record_bytes });
            }
            wanted = self.buffer.len().saturating_mul(2).min(most);
        }
    }

    fn drop_front(&mut self, end: usize) {
        let end = end.min(self.buffer.len());
        self.lines += count_lines(self.buffer.get(..end).unwrap_or_default());
        self.offset += end as u64;
        self.buffer.drain(..end);
    }

    fn fill(&mut self, wanted: usize) -> Result<(), SourceError> {
        if self.at_end || self.buffer.len() >= wanted {
            return Ok(());
        }
        let missing = wanted - self.buffer.len();
        let stream = self.stream.as_mut();
        let count = stream.take(missing as u64).read_to_end(&mut self.buffer).map_err(|e| explain(self.object, e))?;
        self.at_end = count < missing;
        Ok(())
    }

    fn split(&mut self, ends: Vec<usize>) -> Chunk {
        let end = ends.last().copied().unwrap_or_default().min(self.buffer.len());
        let (lines_before, bytes_before) = (self.lines, self.offset);
        self.offset += end as u64;
        let rest = self.buffer.get(end..).unwrap_or_default();
        let is_last = self.bytes_to_end().is_none_or(|left| left == 0) || (self.at_end && rest.is_empty());
        let mut next = Vec::new();
        if !is_last {
            next.reserve_exact(self.limits.chunk_bytes.max(rest.len()));
            next.extend_from_slice(rest);
        }
        let mut bytes = std::mem::replace(&mut self.buffer, next);
        bytes.truncate(end);
        self.lines += count_lines(&bytes);
        Chunk { bytes, ends, lines_before, bytes_before }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const WHOLE: Extent<'static> = Extent { positions: Positions::Bytes, begin: Begin::Object, end: None };

    fn text(stream: impl Read + Send + 'static) -> Text {
        Text { stream: Box::new(stream), begin: 0 }
    }

    fn lines_cut(bytes: &[u8], at_end: bool, _end: usize) -> Cut {
        match memchr::memrchr(b'\n', bytes) {
            _ if at_end => Cut::Ends(vec![bytes.len()]),
            Some(end) => Cut::Ends(vec![end + 1]),
            None => Cut::More,
        }
    }

    #[test]
    fn chunks_join_to_the_stream_whatever_their_size() {
        let all = b"one\ntwo\n\nfour is a longer line\nfive";
        for chunk_bytes in 1..40 {
            let limits = ReadLimits { chunk_bytes, record_bytes: 30, workers: 1, piece_bytes: 1, guess_bytes: 1 };
            let mut reader = ChunkReader::new(text(Cursor::new(all.to_vec())), "x", WHOLE, limits);
            let mut joined = Vec::new();
            while let Next::Chunk(chunk) = reader.next(lines_cut).expect("chunk") {
                assert_eq!(chunk.lines_before, count_lines(&joined), "{chunk_bytes}");
                assert_eq!(chunk.bytes_before, joined.len() as u64, "{chunk_bytes}");
                joined.extend(chunk.pieces().flat_map(|(_, bytes)| bytes));
            }
            assert_eq!(joined, all, "{chunk_bytes}");
            let found = FoundRange { begin: 0, end: all.len() as u64 };
            assert_eq!(reader.found(), Some(found), "{chunk_bytes}");
        }
    }

    #[test]
    fn a_record_above_the_limit_is_found_with_bounded_memory() {
        let limits = ReadLimits { chunk_bytes: 16, record_bytes: 64, workers: 1, piece_bytes: 1, guess_bytes: 1 };
        let stream = Cursor::new(b"ab\ncd\n".to_vec()).chain(std::io::repeat(b'x'));
        let mut reader = ChunkReader::new(text(stream), "x", WHOLE, limits);
        assert!(matches!(reader.next(lines_cut).expect("first"), Next::Chunk(_)));
        let next = reader.next(lines_cut).expect("second");
        assert!(matches!(next, Next::TooLarge(Spot { line: Some(3), offset: 6 })), "{next:?}");
        assert!(reader.buffer.len() <= 64 + 16);
    }
}
