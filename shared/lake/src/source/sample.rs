//! A guess at the size of an object from its beginning.

use std::io::Read;

use sluice_core::engine::ObjectMeasure;
use sluice_core::source::Codec;
use sluice_core::spec::SourceFormat;

/// Most bytes that a sample is unpacked to; a few bytes of a hostile object unpack to gigabytes.
const MAX_UNPACKED_BYTES: u64 = 8 << 20;

/// What an object of `size_bytes` holds, if it goes on as it begins: `first` are its first bytes as stored.
pub(crate) fn measure(format: SourceFormat, first: &[u8], size_bytes: u64, columns: usize) -> ObjectMeasure {
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
    let count = |byte: u8| memchr::memchr_iter(byte, &text).count();
    let records = match format {
        SourceFormat::Json => count(b'{'),
        // Lines of few files end otherwise than with a line feed.
        SourceFormat::Csv => count(b'\n').max(count(b'\r')).max(count(0x1E)),
        _ => count(b'\n'),
    };
    let records = records.max(1) as u64;
    let unpacked_bytes = scaled(size_bytes, text.len() as u64, read_bytes as u64);
    let rows = scaled(unpacked_bytes, records, text.len() as u64);
    ObjectMeasure { size_bytes, unpacked_bytes, rows, columns: columns as u64, ..ObjectMeasure::default() }
}

/// `whole · part / of`, without overflow.
fn scaled(whole: u64, part: u64, of: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_sample_estimates_unpacked_size_and_rows() {
        let text: String = (0..50_000).map(|n| format!("{n:08},{:08},x\n", n * 7919 % 100_000)).collect();
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).expect("gzip");
            encoder.finish().expect("gzip")
        };
        let check = |what: &str, stored: &[u8]| {
            for kept in [stored.len(), 64 << 10] {
                let first = &stored[..kept.min(stored.len())];
                let measured = measure(SourceFormat::Csv, first, stored.len() as u64, 3);
                let near = |number: u64, exact: usize| number.abs_diff(exact as u64) * 20 <= exact as u64;
                assert!(near(measured.unpacked_bytes, text.len()), "{what}, {kept} bytes: {measured:?}");
                assert!(near(measured.rows, 50_000), "{what}, {kept} bytes: {measured:?}");
            }
        };
        check("plain", text.as_bytes());
        check("gzip", &gzip(&text));
        check("zstd", &zstd::encode_all(text.as_bytes(), 1).expect("zstd"));
        let json = measure(SourceFormat::Json, br#"[{"a":1},{"a":2}]"#, 17, 1);
        assert_eq!((json.rows, json.unpacked_bytes), (2, 17));
        let nothing = measure(SourceFormat::Csv, b"", 0, 0);
        assert_eq!((nothing.rows, nothing.unpacked_bytes), (0, 0));
    }
}
