//! The encoding of an XML document: its byte order mark, else the bytes of its first sign, else its declaration.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::fault::XmlFault;
use super::record::BLANKS;
use crate::source::columns::shown;

/// Bytes in which the declaration is sought: it has a version, an encoding and a word, some 60 bytes, and twice as many
/// in UTF-16.
pub(super) const FIRST_BYTES: usize = 1024;

/// The encoding of a document that begins with these bytes, and how many of them are its byte order mark.
///
/// # Errors
/// [`XmlFault::UnknownEncoding`] and [`XmlFault::OtherEncoding`].
pub(super) fn of(first: &[u8]) -> Result<(&'static Encoding, usize), XmlFault> {
    let by_bytes = Encoding::for_bom(first).or_else(|| without_mark(first));
    let (read_as, mark_bytes) = by_bytes.unwrap_or((UTF_8, 0));
    let rest = first.get(mark_bytes..).unwrap_or_default();
    let text = read_as.decode_without_bom_handling(rest).0;
    let Some(label) = declared(&text) else { return Ok((read_as, mark_bytes)) };
    let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) else {
        return Err(XmlFault::UnknownEncoding { label: shown(label) });
    };
    // `utf-16` is a label of one of the two, and means either.
    let is_either = label.eq_ignore_ascii_case("utf-16") && (read_as == UTF_16LE || read_as == UTF_16BE);
    // What could be read as ASCII is not UTF-16.
    let is_wide = encoding == UTF_16LE || encoding == UTF_16BE;
    if encoding == read_as || is_either {
        return Ok((read_as, mark_bytes));
    }
    if by_bytes.is_some() || is_wide {
        return Err(XmlFault::OtherEncoding { label: shown(label), found: read_as.name() });
    }
    Ok((encoding, 0))
}

/// UTF-16 without a byte order mark: a document begins with `<`.
fn without_mark(first: &[u8]) -> Option<(&'static Encoding, usize)> {
    match first {
        [b'<', 0, ..] => Some((UTF_16LE, 0)),
        [0, b'<', ..] => Some((UTF_16BE, 0)),
        _ => None,
    }
}

/// The encoding that a declaration has, as it is written.
fn declared(text: &str) -> Option<&str> {
    let (declaration, _) = text.strip_prefix("<?xml")?.split_once("?>")?;
    // Else it is another instruction, such as `<?xml-stylesheet`.
    if !declaration.starts_with(BLANKS) {
        return None;
    }
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (label, _) = rest.strip_prefix(quote)?.split_once(quote)?;
    Some(label)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{ISO_8859_2, WINDOWS_1252};

    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_bytes_and_declarations_say_the_encoding() {
        let check = |first: &[u8], expected: (&'static Encoding, usize)| {
            assert_eq!(of(first), Ok(expected), "{first:?}");
        };
        check(b"<a/>", (UTF_8, 0));
        check(b"", (UTF_8, 0));
        check(b"\xEF\xBB\xBF<a/>", (UTF_8, 3));
        check(b"<?xml version='1.0' encoding = 'iso-8859-1'?><a/>", (WINDOWS_1252, 0));
        check(b"<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a/>", (ISO_8859_2, 0));
        check(b"<?xml version=\"1.0\"?><a encoding='x'/>", (UTF_8, 0));
        check(b"<?xml-stylesheet href='a' encoding='klingon'?><a/>", (UTF_8, 0));
        let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>";
        check(&utf16(text, u16::to_le_bytes), (UTF_16LE, 0));
        check(&utf16(text, u16::to_be_bytes), (UTF_16BE, 0));
        check(&[b"\xFF\xFE".to_vec(), utf16(text, u16::to_le_bytes)].concat(), (UTF_16LE, 2));
        check(&utf16("<a/>", u16::to_be_bytes), (UTF_16BE, 0));
    }

    #[test]
    fn contradictions_are_named() {
        let check = |first: &[u8], says: &str| {
            let error = of(first).expect_err("a contradiction").to_string();
            assert!(error.contains(says), "{error}");
        };
        check(b"<?xml version='1.0' encoding='klingon'?>", "'klingon', which is not known");
        check(b"<?xml version='1.0' encoding='utf-16'?>", "'utf-16', and its first bytes are UTF-8");
        check(b"\xEF\xBB\xBF<?xml version='1.0' encoding='latin1'?>", "'latin1', and its first bytes are UTF-8");
        let text = utf16("<?xml version='1.0' encoding='utf-8'?>", u16::to_le_bytes);
        check(&text, "'utf-8', and its first bytes are UTF-16LE");
    }
}
