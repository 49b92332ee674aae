//! Gzip as files have it: members one behind the other, and nothing else but NUL bytes at the end, with which tapes and
//! archives fill a block up. GNU gzip ignores them, too.

use std::io::{self, BufRead, Read};
use std::mem;

use flate2::bufread::GzDecoder;

/// What a member begins with.
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Bytes behind the last member that begin no other, and are not only NULs.
#[derive(Debug, thiserror::Error)]
#[error("these bytes are not gzip")]
pub(super) struct BytesBehind;

/// Unpacks all members of a stream. It ends with an error where other bytes than NULs follow a member: how many they
/// are does not matter, as it does to decoders that take them for the beginning of one.
pub(super) struct Members<R>(State<R>);

enum State<R> {
    /// In a member.
    Member(Box<GzDecoder<R>>),
    /// Behind one.
    Behind(R),
    /// In NUL bytes behind the last.
    Filled(R),
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
                    let next = packed.fill_buf().map(Next::of);
                    match next {
                        Ok(Next::Member) => self.0 = State::Member(Box::new(GzDecoder::new(packed))),
                        Ok(Next::Nuls(_)) => self.0 = State::Filled(packed),
                        other => {
                            self.0 = State::Behind(packed);
                            return other.and_then(Next::end);
                        }
                    }
                }
                State::Filled(mut packed) => {
                    let next = packed.fill_buf().map(Next::of);
                    let nuls = if let Ok(Next::Nuls(count)) = next { count } else { 0 };
                    packed.consume(nuls);
                    self.0 = State::Filled(packed);
                    if nuls == 0 {
                        return next.and_then(Next::end);
                    }
                }
                State::Moving => return Err(io::Error::other("the stream was left by a panic")),
            }
        }
    }
}

/// What comes next behind a member.
enum Next {
    Nothing,
    /// The beginning of another member; a buffer may hold only its first byte.
    Member,
    /// So many NUL bytes, and maybe more.
    Nuls(usize),
    Other,
}

impl Next {
    /// What the bytes of a buffer are, which is empty at the end of the stream only.
    fn of(bytes: &[u8]) -> Self {
        match bytes.iter().take_while(|byte| **byte == 0).count() {
            _ if bytes.is_empty() => Self::Nothing,
            0 if MAGIC.starts_with(bytes) || bytes.starts_with(&MAGIC) => Self::Member,
            0 => Self::Other,
            count => Self::Nuls(count),
        }
    }

    /// How the text ends where no member comes.
    fn end(self) -> io::Result<usize> {
        match self {
            Self::Nothing => Ok(0),
            Self::Member | Self::Nuls(_) | Self::Other => Err(io::Error::other(BytesBehind)),
        }
    }
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
        let member_behind_nuls = [b"\0\0".as_slice(), &gzip(b"1\n")].concat();
        let nuls_and_more = [[0_u8; 5000].as_slice(), b"x"].concat();
        for behind in [
            b"\n".as_slice(),
            b"x",
            b"x\0",
            b"\0x",
            b"0123456789 and more than the header of a member",
            &nuls_and_more,
            &member_behind_nuls,
        ] {
            for buffer_bytes in [1, 4096] {
                let error = unpacked(&[gzip(b"id\n").as_slice(), behind].concat(), buffer_bytes).expect_err("more");
                assert!(error.get_ref().is_some_and(|inner| inner.is::<BytesBehind>()), "{behind:?}: {error}");
            }
        }
    }

    #[test]
    fn nul_bytes_behind_the_last_member_fill_its_block_up() {
        for count in [1, 2, 511, 5000] {
            for buffer_bytes in [1, 7, 4096] {
                let stored = [gzip(b"id\n"), gzip(b"1\n"), vec![0; count]].concat();
                assert_eq!(unpacked(&stored, buffer_bytes).expect("text"), b"id\n1\n", "{count}, {buffer_bytes}");
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
