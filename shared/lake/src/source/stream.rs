//! The bytes of an object: unpacked where they are packed, with faults that say where.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use sluice_core::source::{Codec, UnreadFormat};
use sluice_core::spec::TextEncoding;

use super::csv::FooterFault;
use super::decode::{DecodeFault, Decoded};
use super::error::SourceError;
use super::extent::{Begin, Extent};
use super::gzip::{BytesBehind, Members};

/// Where the bytes of an object come from.
pub(crate) enum SourceInput {
    /// Read once from beginning to end: every format but Parquet and XLSX.
    Stream(Box<dyn Read + Send>),
    /// A local file, which has the whole object: every format.
    File(PathBuf),
}

impl SourceInput {
    /// The bytes as they are stored, from `begin` on. A stream starts there already.
    pub(super) fn open(self, object: &str, begin: u64) -> Result<Box<dyn Read + Send>, SourceError> {
        match self {
            Self::Stream(stream) => Ok(stream),
            Self::File(path) => match open_file(&path, begin) {
                Ok(file) => Ok(Box::new(file)),
                Err(source) => Err(SourceError::Open { object: object.to_owned(), source }),
            },
        }
    }
}

fn open_file(path: &Path, begin: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    if begin > 0 {
        file.seek(SeekFrom::Start(begin))?;
    }
    Ok(file)
}

/// Text of an object.
pub(super) struct Text {
    /// What is left of it.
    pub(super) stream: Box<dyn Read + Send>,
    /// The byte of the object with which it begins.
    pub(super) begin: u64,
}

/// The text of a part of an object. Only the object's first bytes can be a byte order mark or say that it is packed: what
/// looks so elsewhere is text.
///
/// # Errors
/// Those of [`open_text`]; [`SourceError::Extent`] where records are found by bytes that are not those of the text.
pub(super) fn open_extent(
    input: SourceInput,
    object: &str,
    extent: Extent<'_>,
    encoding: TextEncoding,
) -> Result<Text, SourceError> {
    let by_numbers = extent.positions.are_numbers();
    match extent.begin {
        Begin::Object => {
            let (text, encoding) = open_decoded(input, object, encoding)?;
            if by_numbers || encoding == encoding_rs::UTF_8 { Ok(text) } else { Err(not_by_bytes(object)) }
        }
        Begin::Guessed { .. } | Begin::Proven { .. } if encoding.is_utf8() => {
            let begin = extent.stream_begin();
            Ok(Text { stream: input.open(object, begin)?, begin })
        }
        Begin::Guessed { .. } | Begin::Proven { .. } => Err(not_by_bytes(object)),
    }
}

fn not_by_bytes(object: &str) -> SourceError {
    let problem = "records of a text that is not UTF-8 are not found by bytes";
    SourceError::Extent { object: object.to_owned(), problem }
}

/// The bytes of a whole object, unpacked.
pub(super) fn open_bytes(input: SourceInput, object: &str) -> Result<Box<dyn Read + Send>, SourceError> {
    Ok(unpack(input.open(object, 0)?, object)?.1)
}

/// The text of an object: unpacked, in UTF-8, without byte order mark. A byte order mark goes before `encoding`.
pub(super) fn open_text(input: SourceInput, object: &str, encoding: TextEncoding) -> Result<Text, SourceError> {
    Ok(open_decoded(input, object, encoding)?.0)
}

/// The text of an object in UTF-8, unpacked: in the encoding that `encoding_of` says of its first bytes, and without the
/// byte order mark, whose length it says, too.
pub(super) fn open_encoded(
    input: SourceInput,
    object: &str,
    first_bytes: usize,
    encoding_of: impl FnOnce(&[u8]) -> Result<(&'static Encoding, usize), SourceError>,
) -> Result<Box<dyn Read + Send>, SourceError> {
    let mut content = open_bytes(input, object)?;
    let first_bytes = first_bytes.max(UnreadFormat::FIRST_BYTES);
    let mut first = peek(&mut content, first_bytes as u64).map_err(|source| explain(object, source))?;
    if let Some(format) = UnreadFormat::of(&first) {
        return Err(SourceError::OtherFormat { object: object.to_owned(), format });
    }
    let (encoding, mark_bytes) = encoding_of(&first)?;
    let content = Cursor::new(first.split_off(mark_bytes)).chain(content);
    if encoding == encoding_rs::UTF_8 {
        return Ok(Box::new(content));
    }
    Ok(Box::new(Decoded::new(content, encoding, mark_bytes as u64)))
}

/// The text of an object, and what it was encoded in.
fn open_decoded(
    input: SourceInput,
    object: &str,
    encoding: TextEncoding,
) -> Result<(Text, &'static Encoding), SourceError> {
    let (_, mut content) = unpack(input.open(object, 0)?, object)?;
    let mut first = peek(&mut content, UnreadFormat::FIRST_BYTES as u64).map_err(|source| explain(object, source))?;
    if let Some(format) = UnreadFormat::of(&first) {
        return Err(SourceError::OtherFormat { object: object.to_owned(), format });
    }
    let (encoding, mark_bytes) = encoding_of(&first, encoding);
    let content = Cursor::new(first.split_off(mark_bytes)).chain(content);
    let begin = mark_bytes as u64;
    let stream: Box<dyn Read + Send> = if encoding == encoding_rs::UTF_8 {
        Box::new(content)
    } else {
        Box::new(Decoded::new(content, encoding, begin))
    };
    Ok((Text { stream, begin }, encoding))
}

/// The encoding of a text with these first bytes, and how many of them are its byte order mark.
fn encoding_of(first: &[u8], encoding: TextEncoding) -> (&'static Encoding, usize) {
    Encoding::for_bom(first).unwrap_or((encoding.encoding(), 0))
}

/// Whether the bytes of an object, which begins with these, are its text in UTF-8: neither packed nor of another
/// encoding. `encoding`: as [`open_text`] takes it.
pub(crate) fn is_plain_text(first: &[u8], encoding: TextEncoding) -> bool {
    Codec::of(first) == Codec::Plain && encoding_of(first, encoding).0 == encoding_rs::UTF_8
}

/// The beginning of an object's content, unpacked and otherwise as it is, and how it is packed.
///
/// # Errors
/// Those of opening and unpacking it.
pub(crate) fn read_beginning(
    input: SourceInput,
    object: &str,
    most_bytes: usize,
) -> Result<(Codec, Vec<u8>), SourceError> {
    let (codec, mut content) = unpack(input.open(object, 0)?, object)?;
    let beginning = peek(&mut content, most_bytes as u64).map_err(|source| explain(object, source))?;
    Ok((codec, beginning))
}

/// The bytes of a stream, unpacked where they are packed, and how they are.
pub(super) fn unpack(
    mut raw: Box<dyn Read + Send>,
    object: &str,
) -> Result<(Codec, Box<dyn Read + Send>), SourceError> {
    /// Packed bytes asked for at a time.
    const BUFFER_BYTES: usize = 256 * 1024;

    let magic = peek(&mut raw, 4).map_err(|source| explain(object, source))?;
    let codec = Codec::of(&magic);
    let stored = Cursor::new(magic).chain(raw);
    let packed = |stored| BufReader::with_capacity(BUFFER_BYTES, stored);
    let decoder: Box<dyn Read + Send> = match codec {
        Codec::Plain => return Ok((codec, Box::new(stored))),
        Codec::Gzip => Box::new(Members::new(packed(stored))),
        Codec::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed(stored));
            Box::new(decoder.map_err(|source| SourceError::Read { object: object.to_owned(), source })?)
        }
    };
    Ok((codec, Box::new(Unpacked { codec, decoder, size_bytes: 0 })))
}

/// The first bytes, fewer only at the end of the stream.
pub(super) fn peek(stream: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    stream.take(count).read_to_end(&mut first)?;
    Ok(first)
}

/// A decoder that says in its errors how far it came.
struct Unpacked {
    codec: Codec,
    decoder: Box<dyn Read + Send>,
    size_bytes: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Ok(count) => {
                self.size_bytes += count as u64;
                Ok(count)
            }
            Err(source) if source.kind() == io::ErrorKind::Interrupted => Err(source),
            Err(source) => {
                Err(io::Error::other(UnpackFault { codec: self.codec, size_bytes: self.size_bytes, source }))
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{codec} stream fails after {size_bytes} bytes")]
struct UnpackFault {
    codec: Codec,
    size_bytes: u64,
    source: io::Error,
}

/// The error of a stream that [`open_text`] gave, with the object's name.
pub(super) fn explain(object: &str, error: io::Error) -> SourceError {
    let object = object.to_owned();
    match error.downcast::<UnpackFault>() {
        Ok(UnpackFault { codec, size_bytes, source }) => match source.kind() {
            _ if source.get_ref().is_some_and(|inner| inner.is::<BytesBehind>()) => {
                SourceError::BytesBehind { object, codec, size_bytes }
            }
            io::ErrorKind::UnexpectedEof => SourceError::EndsEarly { object, codec, size_bytes },
            // The decoders report damage as one of these; anything else is the stream below them.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                SourceError::Damaged { object, codec, size_bytes, source }
            }
            _ => SourceError::Read { object, source },
        },
        Err(source) => match source.downcast::<DecodeFault>() {
            Ok(DecodeFault { encoding, is_marked, line, offset }) => {
                SourceError::NotEncoded { object, encoding, is_marked, line, offset }
            }
            Err(source) => match source.downcast::<FooterFault>() {
                Ok(fault) => fault.of(object),
                Err(source) => SourceError::Read { object, source },
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("gzip");
        encoder.finish().expect("gzip")
    }

    fn zstandard(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).expect("zstd")
    }

    /// A frame of Zstandard that holds no content, as pzstd writes them.
    fn skippable(magic: u8, ignored: &[u8]) -> Vec<u8> {
        let length = u32::try_from(ignored.len()).expect("short").to_le_bytes();
        [[magic, 0x2A, 0x4D, 0x18].as_slice(), length.as_slice(), ignored].concat()
    }

    fn read(stored: &[u8]) -> Result<Vec<u8>, SourceError> {
        read_in("utf-8", stored)
    }

    fn read_in(encoding: &str, stored: &[u8]) -> Result<Vec<u8>, SourceError> {
        let encoding = TextEncoding::try_from(encoding.to_owned()).expect("an encoding");
        let input = SourceInput::Stream(Box::new(Cursor::new(stored.to_vec())));
        let mut text = Vec::new();
        open_text(input, "x.csv.gz", encoding)?
            .stream
            .read_to_end(&mut text)
            .map_err(|error| explain("x.csv.gz", error))?;
        Ok(text)
    }

    #[test]
    fn content_decides_about_compression() {
        let check = |stored: &[u8], expected: &[u8]| assert_eq!(read(stored).expect("text"), expected);
        check(b"plain", b"plain");
        check(b"", b"");
        check(b"\x1f", b"\x1f");
        check(b"\xEF\xBB\xBFa", b"a");
        check(b"\xEF\xBB", b"\xEF\xBB");
        check(&gzip(b""), b"");
        check(&gzip(b"\xEF\xBB\xBFa,b\n"), b"a,b\n");
        check(&[gzip(b"a,b\n"), gzip(b"1,2\n")].concat(), b"a,b\n1,2\n");
        check(&zstandard(b"a,b\n"), b"a,b\n");
        check(&[zstandard(b"a,b\n"), zstandard(b"1,2\n")].concat(), b"a,b\n1,2\n");
        let (one, two) = (zstandard(b"a,b\n"), zstandard(b"1,2\n"));
        let all = [skippable(0x50, b"size"), skippable(0x5F, b""), one, skippable(0x55, &[7; 70_000]), two];
        check(&[all.concat(), skippable(0x50, b"end")].concat(), b"a,b\n1,2\n");
        check(&skippable(0x50, b"nothing else"), b"");
        check(&[gzip(b"a,b\n"), gzip(b""), gzip(b"1,2\n")].concat(), b"a,b\n1,2\n");
        check(&[gzip(b"a,b\n"), vec![0; 512]].concat(), b"a,b\n");
    }

    #[test]
    fn cut_streams_are_named() {
        let text: Vec<u8> =
            (0..40_000u32).flat_map(|n| format!("{},", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        let check = |stored: Vec<u8>, codec: &str| {
            for kept in [4, 9, stored.len() / 2 + 5, stored.len() - 1] {
                let message = read(&stored[..kept]).map_or_else(|error| error.to_string(), |_| "no error".to_owned());
                let start = format!("object 'x.csv.gz': {codec} stream ends early after ");
                assert!(message.starts_with(&start), "{kept} bytes: {message}");
            }
        };
        check(gzip(&text), "gzip");
        check(zstandard(&text), "zstd");
        check([gzip(&text), gzip(&text)].concat(), "gzip");
        check([skippable(0x50, &[0; 12]), zstandard(&text)].concat(), "zstd");
    }

    #[test]
    fn damaged_streams_are_named() {
        let mut flipped = gzip(&[b'a'; 1000]);
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
        let error = read(&flipped).expect_err("damaged");
        assert!(matches!(error, SourceError::Damaged { codec: Codec::Gzip, .. }), "{error:?}");
        for behind in [b"x".as_slice(), b"rubbish that is no gzip member"] {
            let error = read(&[gzip(b"abc").as_slice(), behind].concat()).expect_err("more");
            let expected = "object 'x.csv.gz': other bytes follow the end of its gzip stream, behind 3 bytes of content; \
                            deliver it without them, or all of it packed once";
            assert_eq!(error.to_string(), expected);
        }
        let rubbish = b"rubbish that is no frame";
        let behind = |frames: Vec<Vec<u8>>| [frames.concat(), rubbish.to_vec()].concat();
        let frames = [
            behind(vec![zstandard(b"a")]),
            behind(vec![zstandard(b"a"), skippable(0x50, b"x")]),
            behind(vec![skippable(0x50, b"x")]),
        ];
        for stored in frames {
            let error = read(&stored).expect_err("damaged");
            assert!(matches!(error, SourceError::Damaged { codec: Codec::Zstd, .. }), "{error:?}");
        }
        for (stored, codec) in [(zstandard(b"a"), "zstd"), (gzip(b"a"), "gzip")] {
            for count in 1..=rubbish.len() {
                let stored = [stored.as_slice(), &rubbish[..count]].concat();
                let error = read(&stored).expect_err("something behind the stream");
                assert!(error.is_refusal() && error.to_string().contains(codec), "{count} bytes: {error}");
            }
        }
    }

    #[test]
    fn a_file_of_a_format_that_is_not_read_is_called_what_it_is() {
        let check = |stored: &[u8], what: &str, fix: &str| {
            for stored in [stored.to_vec(), gzip(stored), zstandard(stored)] {
                let error = read(&stored).expect_err(what);
                assert!(error.is_refusal());
                assert_eq!(error.to_string(), format!("object 'x.csv.gz' is {what}, which is not read here: {fix}"));
            }
        };
        let zip = b"PK\x03\x04\x14\0\x06\0\x08\0xl/workbook.xml";
        let fix = "write `archive: {}` under source where its members are files of the source, or `format: xlsx`, in a \
                   source of its own, where it is a workbook";
        check(zip, "a zip archive or a workbook of Excel (xlsx)", fix);
        check(b"Obj\x01\x04", "Avro", "write `format: avro`, in a source of its own");
        check(b"PAR1\x15\x04\x15\0", "Parquet", "write `format: parquet`, in a source of its own");
    }

    #[test]
    fn a_byte_order_mark_goes_before_the_encoding() {
        let check = |encoding: &str, stored: &[u8], expected: &str| {
            assert_eq!(read_in(encoding, stored).expect("text"), expected.as_bytes(), "{encoding}: {stored:?}");
            assert_eq!(read_in(encoding, &gzip(stored)).expect("text"), expected.as_bytes(), "{encoding}: packed");
        };
        check("utf-8", b"\xFF\xFEa\0,\0", "a,");
        check("utf-8", b"\xFE\xFF\0a\0,", "a,");
        check("utf-16be", b"\xFF\xFEa\0", "a");
        check("utf-16", b"a\0", "a");
        check("utf-16be", b"\0a", "a");
        check("windows-1252", b"\xEF\xBB\xBF\xC3\xA9", "é");
        check("windows-1252", b"\xE9", "é");
    }

    #[test]
    fn bytes_that_are_not_of_the_encoding_are_refused_with_what_says_that_they_are() {
        let check = |encoding: &str, stored: &[u8], expected: &str| {
            let error = read_in(encoding, stored).expect_err("half of a pair");
            assert_eq!(error.to_string(), format!("object 'x.csv.gz' line 2 {expected}"));
            assert!(error.is_refusal());
        };
        let marked = "(byte 6): these bytes are not UTF-16LE, although its byte order mark says so; deliver the whole \
                      file again, or in UTF-8";
        check("utf-8", b"\xFF\xFEa\0\n\0\x00\xDC", marked);
        check("windows-1253", b"\xFF\xFEa\0\n\0\x00\xDC", marked);
        let named = "(byte 2): these bytes are not windows-1253, although `encoding` in the spec says so; write the \
                     encoding that it has there, or deliver it in UTF-8";
        check("windows-1253", b"a\n\xAA", named);
    }

    #[test]
    fn only_plain_utf_8_has_the_bytes_of_its_text() {
        let check = |first: &[u8], encoding: &str, expected: bool| {
            let encoding = TextEncoding::try_from(encoding.to_owned()).expect("an encoding");
            assert_eq!(is_plain_text(first, encoding), expected, "{first:?}");
        };
        check(b"id,name", "utf-8", true);
        check(b"\xEF\xBB\xBFid", "utf-8", true);
        check(b"id,name", "windows-1252", false);
        check(b"\xFF\xFEi\0", "utf-8", false);
        check(b"\xFE\xFF\0i", "utf-8", false);
        check(&gzip(b"id"), "utf-8", false);
        check(b"", "utf-8", true);
    }
}
