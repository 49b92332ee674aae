//! Cuts a stream into chunks of whole records, so that memory depends on the largest record and not on the file.

use std::io::Read;

use super::error::SourceError;
use super::stream::explain;

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
    /// Lines of the object before this chunk.
    pub(super) lines_before: u64,
}

impl Chunk {
    /// The groups of whole records.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, &end)| self.bytes.get(start..end))
    }
}

/// What comes next from a [`ChunkReader`].
#[derive(Debug)]
pub(super) enum Next {
    /// Whole records.
    Chunk(Chunk),
    /// A record that is larger than the limit.
    TooLarge {
        /// Line, from 1, on which it starts.
        line: u64,
    },
    /// Nothing more.
    End,
}

/// Reads a stream chunk by chunk.
pub(super) struct ChunkReader<'a> {
    stream: Box<dyn Read + Send>,
    object: &'a str,
    buffer: Vec<u8>,
    at_end: bool,
    /// Lines given out so far.
    lines: u64,
    limits: ReadLimits,
}

impl<'a> ChunkReader<'a> {
    /// Bytes to read for a header at first: a slow stream should not have to give a whole chunk.
    const FRONT_BYTES: usize = 64 << 10;

    pub(super) fn new(stream: Box<dyn Read + Send>, object: &'a str, limits: ReadLimits) -> Self {
        Self { stream, object, buffer: Vec::new(), at_end: false, lines: 0, limits }
    }

    /// The next chunk. `cut` gets the buffer and whether the stream has ended, and returns where whole records end.
    pub(super) fn next(&mut self, cut: impl Fn(&[u8], bool) -> Cut) -> Result<Next, SourceError> {
        let mut wanted = self.limits.chunk_bytes;
        loop {
            self.fill(wanted)?;
            if self.buffer.is_empty() {
                return Ok(Next::End);
            }
            match cut(&self.buffer, self.at_end) {
                Cut::Ends(ends) => return Ok(Next::Chunk(self.split(ends))),
                Cut::Unclosed(quote) => {
                    let line = self.lines + count_lines(self.buffer.get(..quote).unwrap_or_default()) + 1;
                    return Err(SourceError::UnclosedQuote { object: self.object.to_owned(), line });
                }
                Cut::More if self.at_end || self.buffer.len() > self.limits.record_bytes => {
                    return Ok(Next::TooLarge { line: self.lines + 1 });
                }
                Cut::More => wanted = self.buffer.len() + self.limits.chunk_bytes,
            }
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
                let end = end.min(self.buffer.len());
                self.lines += count_lines(self.buffer.get(..end).unwrap_or_default());
                self.buffer.drain(..end);
                return Ok(Some(front));
            }
            if self.at_end || self.buffer.len() > self.limits.record_bytes {
                return Ok(None);
            }
            wanted = self.buffer.len() * 2;
        }
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
        let rest = self.buffer.get(end..).unwrap_or_default();
        let mut next = Vec::new();
        if !(self.at_end && rest.is_empty()) {
            next.reserve_exact(self.limits.chunk_bytes.max(rest.len()));
            next.extend_from_slice(rest);
        }
        let mut bytes = std::mem::replace(&mut self.buffer, next);
        bytes.truncate(end);
        let lines_before = self.lines;
        self.lines += count_lines(&bytes);
        Chunk { bytes, ends, lines_before }
    }
}

/// Line feeds in `bytes`.
pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines_cut(bytes: &[u8], at_end: bool) -> Cut {
        match memchr::memrchr(b'\n', bytes) {
            _ if at_end => Cut::Ends(vec![bytes.len()]),
            Some(end) => Cut::Ends(vec![end + 1]),
            None => Cut::More,
        }
    }

    #[test]
    fn chunks_join_to_the_stream_whatever_their_size() {
        let text = b"one\ntwo\n\nfour is a longer line\nfive";
        for chunk_bytes in 1..40 {
            let limits = ReadLimits { chunk_bytes, record_bytes: 30, workers: 1, piece_bytes: 1 };
            let mut reader = ChunkReader::new(Box::new(Cursor::new(text.to_vec())), "x", limits);
            let mut joined = Vec::new();
            while let Next::Chunk(chunk) = reader.next(lines_cut).expect("chunk") {
                assert_eq!(chunk.lines_before, count_lines(&joined), "{chunk_bytes}");
                joined.extend(chunk.pieces().flatten());
            }
            assert_eq!(joined, text, "{chunk_bytes}");
        }
    }

    #[test]
    fn a_record_above_the_limit_is_found_with_bounded_memory() {
        let limits = ReadLimits { chunk_bytes: 16, record_bytes: 64, workers: 1, piece_bytes: 1 };
        let stream = Cursor::new(b"ab\ncd\n".to_vec()).chain(std::io::repeat(b'x'));
        let mut reader = ChunkReader::new(Box::new(stream), "x", limits);
        assert!(matches!(reader.next(lines_cut).expect("first"), Next::Chunk(_)));
        assert!(matches!(reader.next(lines_cut).expect("second"), Next::TooLarge { line: 3 }));
        assert!(reader.buffer.len() <= 64 + 16);
    }
}
