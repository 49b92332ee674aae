//! Text in other encodings than UTF-8, as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding};

use super::place::count_lines;

/// Bytes that are decoded at a time.
const INPUT_BYTES: usize = 64 << 10;
/// Bytes of text that are made at a time.
const TEXT_BYTES: usize = 128 << 10;

/// Bytes that are not of the encoding. A character in their place would come in silence.
#[derive(Debug, thiserror::Error)]
#[error("line {line} (byte {offset}) is not {encoding}")]
pub(super) struct DecodeFault {
    /// Name of the encoding.
    pub(super) encoding: &'static str,
    /// Whether a byte order mark stands before the text.
    pub(super) is_marked: bool,
    /// Line of the text on which they stand.
    pub(super) line: u64,
    /// The first of them, among the bytes of the unpacked object.
    pub(super) offset: u64,
}

/// A stream that decodes another one. It ends at the first bytes that are not of the encoding, with a [`DecodeFault`].
pub(super) struct Decoded<R> {
    raw: R,
    encoding: &'static Encoding,
    is_marked: bool,
    decoder: Decoder,
    /// Bytes of the stream, of which those before `decoded` are decoded.
    input: Vec<u8>,
    decoded: usize,
    raw_ended: bool,
    /// Text, of which `filled` bytes were made and `given` were given out.
    text: Vec<u8>,
    filled: usize,
    given: usize,
    is_done: bool,
    /// Bytes of the object that were decoded.
    offset: u64,
    /// Line feeds in the text that was made.
    lines: u64,
}

impl<R: Read> Decoded<R> {
    /// Decodes what comes behind the byte order mark of an object, which has so many bytes: 0 where it has none.
    pub(super) fn new(raw: R, encoding: &'static Encoding, mark_bytes: u64) -> Self {
        Self {
            raw,
            encoding,
            is_marked: mark_bytes > 0,
            decoder: encoding.new_decoder_without_bom_handling(),
            input: Vec::new(),
            decoded: 0,
            raw_ended: false,
            text: vec![0; TEXT_BYTES],
            filled: 0,
            given: 0,
            is_done: false,
            offset: mark_bytes,
            lines: 0,
        }
    }

    /// Makes more text.
    fn decode(&mut self) -> io::Result<()> {
        if self.decoded == self.input.len() && !self.raw_ended {
            self.input.clear();
            self.decoded = 0;
            let count = self.raw.by_ref().take(INPUT_BYTES as u64).read_to_end(&mut self.input)?;
            self.raw_ended = count < INPUT_BYTES;
        }
        let bytes = self.input.get(self.decoded..).unwrap_or_default();
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.text, self.raw_ended);
        self.decoded += read;
        self.offset += read as u64;
        (self.filled, self.given) = (written, 0);
        self.lines += count_lines(self.text.get(..written).unwrap_or_default());
        match result {
            DecoderResult::InputEmpty => self.is_done = self.raw_ended,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                (self.is_done, self.filled) = (true, 0);
                let offset = self.offset.saturating_sub(u64::from(length) + u64::from(after));
                let (encoding, is_marked, line) = (self.encoding.name(), self.is_marked, self.lines + 1);
                return Err(io::Error::other(DecodeFault { encoding, is_marked, line, offset }));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.filled {
            if self.is_done {
                return Ok(0);
            }
            self.decode()?;
        }
        let mut rest = self.text.get(self.given..self.filled).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::{SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1252, WINDOWS_1253};
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, DecodeFault> {
        let mut text = Vec::new();
        match Decoded::new(Cursor::new(bytes.to_vec()), encoding, 2).read_to_end(&mut text) {
            Ok(_) => Ok(String::from_utf8(text).expect("UTF-8")),
            Err(error) => Err(error.downcast::<DecodeFault>().expect("a fault of the text")),
        }
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_of_other_encodings_is_decoded() {
        let check = |encoding, bytes: &[u8], expected: &str| {
            assert_eq!(decode(encoding, bytes).expect("text"), expected, "{bytes:?}");
        };
        check(WINDOWS_1252, b"", "");
        check(WINDOWS_1252, b"gr\xF6\xDFe \x80\n", "größe €\n");
        check(SHIFT_JIS, b"\x93\xFA\x96{,\\", "日本,\\");
        for text in ["", "a", "größe,🚀\r\n", &"x🚀\n".repeat(100_000)] {
            check(UTF_16LE, &utf16(text, u16::to_le_bytes), text);
            check(UTF_16BE, &utf16(text, u16::to_be_bytes), text);
        }
    }

    #[test]
    fn bytes_that_are_not_of_the_encoding_are_found_with_their_place() {
        let check = |encoding, bytes: &[u8], line: u64, offset: u64| {
            let fault = decode(encoding, bytes).expect_err("a fault");
            assert_eq!((fault.line, fault.offset), (line, offset), "{bytes:?}");
        };
        // Two bytes of a byte order mark stand before them.
        check(UTF_16LE, b"a\0\n\0b", 2, 6);
        check(UTF_16LE, b"\n\0\x00\xD8a\0", 2, 4);
        check(UTF_16LE, b"\x00\xDC", 1, 2);
        check(UTF_16BE, b"\xD8\x00", 1, 2);
        check(SHIFT_JIS, b"ab\n\xFF", 2, 5);
        check(WINDOWS_1253, b"\n\n\xAA", 3, 4);
        let long = [utf16(&"x\n".repeat(90_000), u16::to_le_bytes), b"\x00\xDC".to_vec()].concat();
        check(UTF_16LE, &long, 90_001, 360_002);
    }

    proptest! {
        #[test]
        fn every_text_comes_back_whatever_the_reads(
            text in any::<String>(),
            step in 1usize..50,
            repeat in 1usize..2000,
        ) {
            let text = text.repeat(repeat);
            let mut reader = Decoded::new(Cursor::new(utf16(&text, u16::to_le_bytes)), UTF_16LE, 0);
            let (mut read, mut buffer) = (Vec::new(), vec![0; step * step]);
            loop {
                match reader.read(&mut buffer).expect("text") {
                    0 => break,
                    count => read.extend_from_slice(&buffer[..count]),
                }
            }
            prop_assert_eq!(String::from_utf8(read).expect("UTF-8"), text);
        }
    }
}
