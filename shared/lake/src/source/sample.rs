//! A guess at the size of an object from its beginning.

use std::io::Read;

use memchr::{memchr_iter, memmem};
use sluice_core::engine::ObjectMeasure;
use sluice_core::path::{PathStep, RecordPath};
use sluice_core::source::Codec;
use sluice_core::spec::SourceFormat;

use super::avro;
use super::options::SourceOptions;

/// Most bytes that a sample is unpacked to; a few bytes of a hostile object unpack to gigabytes.
const MAX_UNPACKED_BYTES: u64 = 8 << 20;

/// What an object of `size_bytes` holds, if it goes on as it begins: `first` are its first bytes as stored.
pub(crate) fn measure(
    format: SourceFormat,
    options: &SourceOptions,
    first: &[u8],
    size_bytes: u64,
    columns: usize,
) -> ObjectMeasure {
    if format == SourceFormat::Avro {
        return avro::measure(first, size_bytes, columns);
    }
    let mut text = Vec::new();
    let mut stored = first;
    // A sample ends in the middle of something: what came out before the end is what counts.
    let _ended = match Codec::of(first) {
        Codec::Plain => first.take(MAX_UNPACKED_BYTES).read_to_end(&mut text),
        Codec::Gzip => {
            flate2::bufread::MultiGzDecoder::new(&mut stored).take(MAX_UNPACKED_BYTES).read_to_end(&mut text)
        }
        Codec::Zstd => match zstd::stream::read::Decoder::with_buffer(&mut stored) {
            Ok(decoder) => decoder.take(MAX_UNPACKED_BYTES).read_to_end(&mut text),
            Err(error) => Err(error),
        },
    };
    let read_bytes = match Codec::of(first) {
        Codec::Plain => text.len(),
        Codec::Gzip | Codec::Zstd => first.len() - stored.len(),
    };
    if text.is_empty() || read_bytes == 0 {
        return ObjectMeasure { columns: columns as u64, ..ObjectMeasure::unseen(size_bytes) };
    }
    let has_braces = format == SourceFormat::Json || options.records().is_some();
    let records = match format {
        SourceFormat::Xml => count_elements(options.records(), &text),
        _ if has_braces => memchr_iter(b'{', &text).count(),
        SourceFormat::Csv => count_ends(options.csv().spec().record_end.as_str().as_bytes(), &text),
        _ => memchr_iter(b'\n', &text).count(),
    };
    let records = records.max(1) as u64;
    let unpacked_bytes = scaled(size_bytes, text.len() as u64, read_bytes as u64);
    let rows = scaled(unpacked_bytes, records, text.len() as u64);
    ObjectMeasure { size_bytes, unpacked_bytes, rows, columns: columns as u64, ..ObjectMeasure::default() }
}

/// How many elements of the last name of the path begin in a text; where that is any name, a guess: records of eight
/// tags. Of UTF-16 the bytes of names are apart: then 0.
fn count_elements(path: Option<&RecordPath>, text: &[u8]) -> usize {
    let Some(PathStep::Key(name)) = path.and_then(|path| path.steps().last()) else {
        return memchr_iter(b'<', text).count() / 8;
    };
    let is_record = |begin: usize| {
        let tag = text.get(begin + 1..).unwrap_or_default();
        // The next `<` is an end, too: so no byte is read for two of them.
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'>' | b'/' | b'<');
        let qualified = tag.split(is_end).next().unwrap_or_default();
        qualified.rsplit(|byte| *byte == b':').next() == Some(name.as_bytes())
    };
    memchr_iter(b'<', text).filter(|begin| is_record(*begin)).count()
}

/// How many records end in a text. In UTF-16 the bytes of their end are apart: then its last one counts.
fn count_ends(end: &[u8], text: &[u8]) -> usize {
    match (memmem::find_iter(text, end).count(), end.last()) {
        (0, Some(last)) => memchr_iter(*last, text).count(),
        (count, _) => count,
    }
}

/// `whole · part / of`, without overflow.
pub(super) fn scaled(whole: u64, part: u64, of: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::source::csv::CsvOptions;

    #[test]
    fn a_sample_estimates_unpacked_size_and_rows() {
        let text: String = (0..50_000).map(|n| format!("{n:08},{:08},x\n", n * 7919 % 100_000)).collect();
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).expect("gzip");
            encoder.finish().expect("gzip")
        };
        let options = SourceOptions::default();
        let check = |what: &str, stored: &[u8]| {
            for kept in [stored.len(), 64 << 10] {
                let first = &stored[..kept.min(stored.len())];
                let measured = measure(SourceFormat::Csv, &options, first, stored.len() as u64, 3);
                let near = |number: u64, exact: usize| number.abs_diff(exact as u64) * 20 <= exact as u64;
                assert!(near(measured.unpacked_bytes, text.len()), "{what}, {kept} bytes: {measured:?}");
                assert!(near(measured.rows, 50_000), "{what}, {kept} bytes: {measured:?}");
            }
        };
        check("plain", text.as_bytes());
        check("gzip", &gzip(&text));
        check("zstd", &zstd::encode_all(text.as_bytes(), 1).expect("zstd"));
        let json = measure(SourceFormat::Json, &options, br#"[{"a":1},{"a":2}]"#, 17, 1);
        assert_eq!((json.rows, json.unpacked_bytes), (2, 17));
        let elements = |path: &str, text: &str| {
            let options = SourceOptions::of_records(Some(path.parse().expect("a path")));
            measure(SourceFormat::Xml, &options, text.as_bytes(), text.len() as u64, 1).rows
        };
        assert_eq!(elements("/r/o", "<r><p:o/><o\nid='1'>o</o><order/><o>"), 3);
        assert_eq!(elements("/r/*", &"<o><a>1</a><b>1</b><c>1</c></o>".repeat(10)), 10);
        let nothing = measure(SourceFormat::Csv, &options, b"", 0, 0);
        assert_eq!((nothing.rows, nothing.unpacked_bytes), (0, 0));
    }

    #[test]
    fn records_are_counted_by_what_ends_them() {
        let check = |spec: &str, text: &[u8], expected: u64| {
            let mut options = SourceOptions::default();
            options.set_csv(CsvOptions::reading(serde_json::from_str(spec).expect(spec), &[]));
            let measured = measure(SourceFormat::Csv, &options, text, text.len() as u64, 2);
            assert_eq!(measured.rows, expected, "{spec}");
        };
        check("{}", b"a,\"x\ry\rz\"\r\n1,2\r\n", 2);
        check(r#"{"record_end": "\r"}"#, b"a,b\r1,\"x\ny\nz\"\r3,4\r", 3);
        check(r#"{"record_end": "~\n"}"#, b"a~b,c\n\n~\n1,2~\n", 2);
        check(r#"{"encoding": "utf-16le"}"#, b"a\0\n\0b\0\n\0", 2);
        check(r#"{"encoding": "utf-16le", "record_end": "~\n"}"#, b"a\0~\0\n\0b\0~\0\n\0", 2);
    }
}
