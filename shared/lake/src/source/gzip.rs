//! Gzip as files have it: members one behind the other, and nothing else.

use std::io::{self, BufRead, Read};
use std::mem;

use flate2::bufread::GzDecoder;

/// What a member begins with.
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Bytes behind the last member that begin no other.
#[derive(Debug, thiserror::Error)]
#[error("these bytes are not gzip")]
pub(super) struct BytesBehind;

/// Unpacks all members of a stream. It ends with an error where other bytes follow a member: how many they are does not
/// matter, as it does to decoders that take them for the beginning of one.
pub(super) struct Members<R>(State<R>);

enum State<R> {
    /// In a member.
    Member(Box<GzDecoder<R>>),
    /// Behind one.
    Behind(R),
    /// Between two states.
    Moving,
}

impl<R: BufRead> Members<R> {
    /// The members of a stream that begins with one.
    pub(super) fn new(packed: R) -> Self {
        Self(State::Member(Box::new(GzDecoder::new(packed))))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match mem::replace(&mut self.0, State::Moving) {
                State::Member(mut decoder) => {
                    let read = decoder.read(buffer);
                    let is_at_end = matches!(read, Ok(0)) && !buffer.is_empty();
                    self.0 = if is_at_end { State::Behind(decoder.into_inner()) } else { State::Member(decoder) };
                    if !is_at_end {
                        return read;
                    }
                }
                State::Behind(mut packed) => {
                    let next = packed.fill_buf().map(|bytes| bytes.first().map(|_| may_be_member(bytes)));
                    match next {
                        Ok(Some(true)) => self.0 = State::Member(Box::new(GzDecoder::new(packed))),
                        other => {
                            self.0 = State::Behind(packed);
                            return match other {
                                Ok(None) => Ok(0),
                                Ok(Some(_)) => Err(io::Error::other(BytesBehind)),
                                Err(error) => Err(error),
                            };
                        }
                    }
                }
                State::Moving => return Err(io::Error::other("the stream was left by a panic")),
            }
        }
    }
}

/// Whether a member may begin with these bytes, of which a buffer may hold only the first.
fn may_be_member(bytes: &[u8]) -> bool {
    MAGIC.starts_with(bytes) || bytes.starts_with(&MAGIC)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("gzip");
        encoder.finish().expect("gzip")
    }

    fn unpacked(stored: &[u8], buffer_bytes: usize) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        Members::new(BufReader::with_capacity(buffer_bytes, stored)).read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn members_are_one_text() {
        let stored = [gzip(b"id\n"), gzip(b""), gzip(b"1\n2\n")].concat();
        for buffer_bytes in [1, 2, 7, 4096] {
            assert_eq!(unpacked(&stored, buffer_bytes).expect("text"), b"id\n1\n2\n", "{buffer_bytes}");
        }
    }

    #[test]
    fn bytes_behind_the_last_member_are_named_however_few_they_are() {
        for behind in [b"\0".as_slice(), b"\n", b"x", b"0123456789 and more than the header of a member"] {
            for buffer_bytes in [1, 4096] {
                let error = unpacked(&[gzip(b"id\n").as_slice(), behind].concat(), buffer_bytes).expect_err("more");
                assert!(error.get_ref().is_some_and(|inner| inner.is::<BytesBehind>()), "{behind:?}: {error}");
            }
        }
    }

    #[test]
    fn a_member_that_is_cut_off_ends_early() {
        let whole = [gzip(b"id\n"), gzip(b"1\n")].concat();
        let first = gzip(b"id\n").len();
        for size_bytes in (1..whole.len()).filter(|size_bytes| *size_bytes != first) {
            let error = unpacked(&whole[..size_bytes], 4096).expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{size_bytes}");
        }
    }
}
