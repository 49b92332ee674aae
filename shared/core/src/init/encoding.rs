//! The encoding of a text, from its bytes.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::InitError;
use crate::spec::TextEncoding;

/// Bytes from which the dialect is found.
const TEXT_BYTES: usize = 256 << 10;

/// Bytes without a character in Windows-1252. East Asian encodings have them often, texts of the former never.
const NOT_WINDOWS_1252: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/// On what an encoding is based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Certainty {
    /// All bytes are ASCII, which almost every encoding has.
    #[default]
    Ascii,
    /// A byte order mark, which readers recognise whatever the spec says.
    Marked,
    /// The bytes.
    Found,
}

/// The beginning of a text.
pub(super) struct Text {
    /// Whole lines where the file has more.
    pub(super) text: String,
    /// Whether the file has more.
    pub(super) is_cut: bool,
    pub(super) encoding: TextEncoding,
    pub(super) certainty: Certainty,
    pub(super) evidence: String,
}

/// Decodes the beginning of a file. `is_whole`: nothing comes after `head`.
pub(super) fn decode(file: &str, head: &[u8], is_whole: bool) -> Result<Text, InitError> {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(head) {
        let evidence = format!("encoding {}: a byte order mark says so", label(encoding));
        let rest = head.get(mark_bytes..).unwrap_or_default();
        return text(file, rest, is_whole, encoding, Certainty::Marked, evidence);
    }
    if let Some(encoding) = utf16_without_mark(head) {
        let evidence = format!("encoding {}: every second byte is zero", label(encoding));
        return text(file, head, is_whole, encoding, Certainty::Found, evidence);
    }
    let Utf8Count { characters, broken } = count_utf8(head);
    if broken == 0 && characters == 0 {
        return text(file, head, is_whole, UTF_8, Certainty::Ascii, "encoding utf-8: all bytes are ASCII".to_owned());
    }
    if broken == 0 {
        let evidence = format!("encoding utf-8: all {characters} characters beyond ASCII are valid");
        return text(file, head, is_whole, UTF_8, Certainty::Found, evidence);
    }
    if characters > broken {
        let evidence = format!(
            "encoding utf-8: {characters} characters beyond ASCII are valid; {broken} are not, and their records go to \
             quarantine"
        );
        return text(file, head, is_whole, UTF_8, Certainty::Found, evidence);
    }
    let undefined = head.iter().filter(|byte| NOT_WINDOWS_1252.contains(byte)).count();
    // Of text: zeros are those of binary data.
    if undefined * 50 > broken && !head.contains(&0) {
        return Err(InitError::UnknownEncoding { file: file.to_owned(), broken, undefined });
    }
    let evidence = format!(
        "encoding windows-1252: {broken} bytes are not UTF-8 (assumed: others are possible, and --encoding names one)"
    );
    text(file, head, is_whole, WINDOWS_1252, Certainty::Found, evidence)
}

/// Decodes the beginning of a file whose encoding a person has named.
///
/// # Errors
/// [`InitError::OtherEncoding`] where the bytes do not fit it; those of [`decode`].
pub(super) fn decode_as(file: &str, head: &[u8], is_whole: bool, named: TextEncoding) -> Result<Text, InitError> {
    let encoding = named.encoding();
    let refused = |what: String| InitError::OtherEncoding { file: file.to_owned(), encoding: label(encoding), what };
    let marked = Encoding::for_bom(head);
    if let Some((marked, _)) = marked.filter(|(marked, _)| *marked != encoding) {
        return Err(refused(format!("begins with the byte order mark of {}", label(marked))));
    }
    let is_wide = encoding == UTF_16LE || encoding == UTF_16BE;
    if is_wide && !head.is_empty() && head.is_ascii() && !head.contains(&0) {
        return Err(refused("has ASCII characters of one byte each alone".to_owned()));
    }
    let rest = head.get(marked.map_or(0, |(_, mark_bytes)| mark_bytes)..).unwrap_or_default();
    let mut decoded = text(file, rest, is_whole, encoding, Certainty::Found, String::new())?;
    let beyond = decoded.text.chars().filter(|c| !c.is_ascii()).count();
    let broken = decoded.text.matches('\u{fffd}').count();
    if broken * 20 > beyond {
        return Err(refused(format!("has {broken} sequences of bytes that are not characters of it")));
    }
    let some = if broken > 0 { format!(", and {broken} sequences of bytes are not") } else { String::new() };
    let characters = beyond - broken;
    decoded.evidence = format!(
        "encoding {}: given; {characters} characters beyond ASCII at its beginning are valid{some}",
        label(encoding)
    );
    Ok(decoded)
}

fn label(encoding: &'static Encoding) -> String {
    encoding.name().to_ascii_lowercase()
}

fn text(
    file: &str,
    bytes: &[u8],
    is_whole: bool,
    encoding: &'static Encoding,
    certainty: Certainty,
    evidence: String,
) -> Result<Text, InitError> {
    let cut = bytes.get(..TEXT_BYTES).unwrap_or(bytes);
    let is_cut = cut.len() < bytes.len() || !is_whole;
    let mut text = encoding.decode_without_bom_handling(cut).0.into_owned();
    let line_end = if has_lone_returns(&text) { '\r' } else { '\n' };
    if is_cut && let Some(last) = text.rfind(line_end) {
        text.truncate(last + 1);
    }
    let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{1a}')).count();
    if text.contains('\0') || controls * 50 > text.len() {
        return Err(InitError::Unknown {
            file: file.to_owned(),
            what: "binary data",
            fix: "give CSV, NDJSON, JSON, XML, Avro, XLSX or Parquet, the texts plain or packed with gzip or zstd",
        });
    }
    // `utf-16le` and the like are labels of their own encodings.
    let encoding = TextEncoding::try_from(label(encoding)).unwrap_or_default();
    Ok(Text { text, is_cut, encoding, certainty, evidence })
}

/// Whether more lines end with a carriage return alone than with a line feed.
pub(super) fn has_lone_returns(text: &str) -> bool {
    let line_feeds = text.matches('\n').count();
    text.matches('\r').count() - text.matches("\r\n").count() > line_feeds
}

/// UTF-16 of a Latin script: one byte of each pair is zero.
fn utf16_without_mark(head: &[u8]) -> Option<&'static Encoding> {
    let sample = head.get(..4096).unwrap_or(head);
    let pairs = sample.len() / 2;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    if pairs >= 2 && second * 2 > pairs && first * 20 < pairs {
        return Some(UTF_16LE);
    }
    (pairs >= 2 && first * 2 > pairs && second * 20 < pairs).then_some(UTF_16BE)
}

/// Characters of more than one byte, and sequences that are not UTF-8.
struct Utf8Count {
    characters: usize,
    broken: usize,
}

fn count_utf8(bytes: &[u8]) -> Utf8Count {
    let leads = |valid: &[u8]| valid.iter().filter(|byte| **byte >= 0xC0).count();
    let mut count = Utf8Count { characters: 0, broken: 0 };
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                count.characters += leads(valid.as_bytes());
                return count;
            }
            Err(error) => {
                let (valid, after) = rest.split_at_checked(error.valid_up_to()).unwrap_or((rest, &[][..]));
                count.characters += leads(valid);
                // Without a length the bytes end within a character.
                let Some(length) = error.error_len() else {
                    count.broken += usize::from(after.len() == bytes.len());
                    return count;
                };
                count.broken += 1;
                rest = after.get(length..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_show_their_encoding() {
        let check = |bytes: &[u8], label: &str, certainty: Certainty, expected: &str| {
            let text = decode("a", bytes, true).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
            let found = (String::from(text.encoding), text.certainty, text.text.as_str());
            assert_eq!(found, (label.to_owned(), certainty, expected), "{bytes:?}");
        };
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        check(b"a,b\n", "utf-8", Certainty::Ascii, "a,b\n");
        check("größe\n".as_bytes(), "utf-8", Certainty::Found, "größe\n");
        check(b"gr\xf6\xdfe\n", "windows-1252", Certainty::Found, "größe\n");
        check(b"\xef\xbb\xbfa\n", "utf-8", Certainty::Marked, "a\n");
        check(&[b"\xff\xfe", utf16("a\tö\n").as_slice()].concat(), "utf-16le", Certainty::Marked, "a\tö\n");
        check(&utf16("a\tb\n1\t2\n"), "utf-16le", Certainty::Found, "a\tb\n1\t2\n");
        // One damaged line does not make the others windows-1252.
        let damaged = [&b"\xf6\n"[..], "ö\nö\nö\n".as_bytes()].concat();
        check(&damaged, "utf-8", Certainty::Found, "\u{fffd}\nö\nö\nö\n");
    }

    #[test]
    fn an_encoding_that_is_named_is_taken_where_the_bytes_fit_it() {
        let named = |label: &str| TextEncoding::try_from(label.to_owned()).expect("an encoding");
        let check = |bytes: &[u8], label: &str, expected: &str| {
            let text = decode_as("a", bytes, true, named(label)).unwrap_or_else(|error| panic!("{label}: {error}"));
            assert_eq!((String::from(text.encoding), text.text.as_str()), (label.to_owned(), expected));
            assert!(text.evidence.contains("given"), "{}", text.evidence);
        };
        for (label, written) in [
            ("shift_jis", "名,市\n東京,ア\n"),
            ("big5", "名,市\n台北,中\n"),
            ("gb18030", "名,市\n北京,𠀀\n"),
            ("euc-kr", "이름,시\n서울,가\n"),
            ("koi8-r", "имя,город\nАнна,Москва\n"),
            ("utf-8", "größe\n"),
        ] {
            let (bytes, ..) = named(label).encoding().encode(written);
            check(&bytes, label, written);
        }
        check("\u{feff}ö\n".as_bytes(), "utf-8", "ö\n");
        let refused = |bytes: &[u8], label: &str, says: &str| {
            let error = decode_as("a.csv", bytes, true, named(label)).err().expect(label).to_string();
            assert!(error.contains(says) && error.starts_with("a.csv"), "{label}: {error}");
        };
        refused(b"gr\xf6\xdfe\n", "utf-8", "not characters of it");
        refused("größe,名,市\n".as_bytes(), "euc-kr", "not characters of it");
        refused("\u{feff}ö\n".as_bytes(), "big5", "the byte order mark of utf-8");
        refused(b"id,name\n1,a\n", "utf-16le", "of one byte each");
    }

    #[test]
    fn bytes_of_no_usual_encoding_are_refused_with_the_option() {
        let (bytes, ..) = encoding_rs::SHIFT_JIS.encode("名前、市、\n東京、表\n");
        let error = decode("a.csv", &bytes, true).err().expect("a refusal").to_string();
        assert!(error.contains("--encoding") && error.contains("shift_jis"), "{error}");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        let bytes: Vec<u8> = (0..=255).collect();
        let error = decode("a.bin", &bytes, true).err().expect("binary");
        assert!(error.to_string().starts_with("a.bin is binary data"), "{error}");
    }

    #[test]
    fn a_text_that_goes_on_ends_with_its_last_whole_line() {
        let text = decode("a", b"a,b\n1,\xc3", false).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((text.text.as_str(), text.certainty), ("a,b\n", Certainty::Ascii));
        let text = decode("a", b"a,\"b\nc\"\r1,2\r3,", false).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text.text, "a,\"b\nc\"\r1,2\r");
    }
}
