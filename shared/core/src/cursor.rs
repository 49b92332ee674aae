//! Cursors: where a consumer's listing goes on, sealed so that nobody can read or write one and none fits another question.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most that a cursor's text may hold. It travels in an address, where servers cut at a few thousand bytes.
pub const MAX_CURSOR_BYTES: usize = 2048;

/// Characters of the seal that a cursor starts with: 32 bytes in hex.
const SEAL_CHARACTERS: usize = 2 * blake3::OUT_LEN;
/// Places are filled up to a multiple of so many bytes, so that the length of a cursor does not say how many digits a number in it has.
const BLOCK_BYTES: usize = 64;

/// Why a cursor is not made or not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CursorError {
    /// Not a cursor of this service, or one of another question, table or version.
    ///
    /// One refusal for all of these: which part is wrong would help only somebody who guesses.
    #[error("this cursor is not one that was given out for this question: leave it out to start again")]
    Refused,
    /// The place does not fit into a cursor.
    #[error("a cursor of {bytes} bytes is longer than {MAX_CURSOR_BYTES}: ask for a shorter place")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The place has no JSON form.
    #[error("the place of the cursor has no JSON form: {message}")]
    Unwritable {
        /// The serializer's words.
        message: String,
    },
}

/// Seals `value` as a cursor for the question `what`, which is a digest of everything that the answer depends on.
///
/// The text is hex throughout, so that it needs no escaping in an address. It is encrypted: a place in a table says how many files are
/// before it, those that only hold rows which are held back from the caller included.
///
/// # Errors
/// [`CursorError::TooLong`] above [`MAX_CURSOR_BYTES`]; [`CursorError::Unwritable`] for a value without JSON form.
pub fn seal<T: Serialize>(key: &[u8; 32], what: &str, value: &T) -> Result<String, CursorError> {
    let mut payload =
        serde_json::to_vec(value).map_err(|error| CursorError::Unwritable { message: error.to_string() })?;
    // JSON takes spaces at its end.
    payload.resize(payload.len().next_multiple_of(BLOCK_BYTES), b' ');
    let bytes = SEAL_CHARACTERS + 2 * payload.len();
    if bytes > MAX_CURSOR_BYTES {
        return Err(CursorError::TooLong { bytes });
    }
    let seal = mac(key, what, &payload);
    encrypt(key, &seal, &mut payload);
    let mut text = seal.to_hex().to_string();
    text.extend(payload.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]));
    Ok(text)
}

/// Opens a cursor that [`seal`] made with the same key for the same question.
///
/// # Errors
/// [`CursorError::Refused`] for everything else, before any of it is parsed.
pub fn open<T: DeserializeOwned>(key: &[u8; 32], what: &str, text: &str) -> Result<T, CursorError> {
    if text.len() > MAX_CURSOR_BYTES {
        return Err(CursorError::Refused);
    }
    let (seal, payload) = text.split_at_checked(SEAL_CHARACTERS).ok_or(CursorError::Refused)?;
    let seal: [u8; blake3::OUT_LEN] =
        from_hex(seal).and_then(|bytes| bytes.try_into().ok()).ok_or(CursorError::Refused)?;
    let seal = blake3::Hash::from_bytes(seal);
    let mut payload = from_hex(payload).ok_or(CursorError::Refused)?;
    encrypt(key, &seal, &mut payload);
    // The comparison of `blake3::Hash` takes the same time wherever the first difference is.
    if mac(key, what, &payload) != seal {
        return Err(CursorError::Refused);
    }
    serde_json::from_slice(&payload).map_err(|_| CursorError::Refused)
}

/// The length goes first, so that no byte of the question can pass for one of the payload.
fn mac(key: &[u8; 32], what: &str, payload: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"sluice cursor 2\0");
    hasher.update(&(what.len() as u64).to_le_bytes());
    hasher.update(what.as_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Encrypts or decrypts a payload: the same place of the same question has the same seal, and every other one another, so that no two
/// payloads meet the same bytes.
fn encrypt(key: &[u8; 32], seal: &blake3::Hash, payload: &mut [u8]) {
    let mut stream = vec![0; payload.len()];
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"sluice cursor 2 stream\0");
    hasher.update(seal.as_bytes());
    hasher.finalize_xof().fill(&mut stream);
    for (byte, mask) in payload.iter_mut().zip(stream) {
        *byte ^= mask;
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// Lower case only: a cursor has one spelling.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_cursor_opens_for_its_own_question_and_key() {
        let sealed = seal(&KEY, "q", &("2026-01-05", 42_u64)).expect("a cursor");
        let check = |key: &[u8; 32], what: &str, text: &str, expected: bool| {
            let opened = open::<(String, u64)>(key, what, text);
            let expected = if expected { Ok(("2026-01-05".to_owned(), 42)) } else { Err(CursorError::Refused) };
            assert_eq!(opened, expected, "{what} {text}");
        };
        check(&KEY, "q", &sealed, true);
        check(&[8; 32], "q", &sealed, false);
        check(&KEY, "r", &sealed, false);
        check(&KEY, "", &sealed, false);
        check(&KEY, "q", "", false);
        check(&KEY, "q", "ü", false);
        check(&KEY, "q", &sealed[..SEAL_CHARACTERS], false);
        check(&KEY, "q", &sealed.to_uppercase(), false);
        check(&KEY, "q", &format!("{sealed}20"), false);
        check(&KEY, "q", &"a".repeat(MAX_CURSOR_BYTES + 2), false);
        check(&KEY, "q", &"ü".repeat(SEAL_CHARACTERS), false);
        assert_eq!(open::<u64>(&KEY, "q", &sealed), Err(CursorError::Refused), "another kind of place");
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let sealed = seal(&KEY, "q", &"a place").expect("a cursor");
        for at in 0..sealed.len() {
            for change in [1_u8, 2, 4, 8, 16] {
                let mut bytes = sealed.clone().into_bytes();
                bytes[at] ^= change;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert_eq!(open::<String>(&KEY, "q", &changed), Err(CursorError::Refused), "byte {at}");
            }
            assert!(open::<String>(&KEY, "q", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_cursor_has_a_longest_length() {
        let payload = (MAX_CURSOR_BYTES - SEAL_CHARACTERS) / 2 / BLOCK_BYTES * BLOCK_BYTES - 2;
        assert_eq!(seal(&KEY, "q", &"x".repeat(payload)).map(|text| text.len()), Ok(SEAL_CHARACTERS + 2 * payload + 4));
        let bytes = SEAL_CHARACTERS + 2 * (payload + 2 + BLOCK_BYTES);
        assert_eq!(seal(&KEY, "q", &"x".repeat(payload + 1)), Err(CursorError::TooLong { bytes }));
    }

    #[test]
    fn a_cursor_does_not_show_its_place() {
        let sealed = |file: u64, rows: u64| seal(&KEY, "q", &[("file", file), ("rows", rows)]).expect("a cursor");
        assert_eq!(sealed(9, 9), sealed(9, 9));
        assert_eq!(sealed(9, 9).len(), sealed(1000, u64::MAX).len());
        let (one, other) = (sealed(1, 5), sealed(2, 5));
        assert_ne!(one[..SEAL_CHARACTERS], other[..SEAL_CHARACTERS]);
        let shown = from_hex(&one[SEAL_CHARACTERS..]).expect("hex");
        assert!(!shown.windows(4).any(|bytes| bytes == b"file" || bytes == b"    "), "{shown:?}");
        let alike = one.bytes().zip(other.bytes()).skip(SEAL_CHARACTERS).filter(|(a, b)| a == b).count();
        assert!(alike < one.len() / 4, "two places share {alike} digits");
    }

    proptest! {
        #[test]
        fn cursors_round_trip(key: [u8; 32], what in ".{0,80}", place in ".{0,100}", number: u64) {
            let sealed = seal(&key, &what, &(&place, number)).expect("a cursor");
            prop_assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(open::<(String, u64)>(&key, &what, &sealed), Ok((place, number)));
        }

        #[test]
        fn no_text_panics(text in ".{0,300}") {
            prop_assert_eq!(open::<String>(&KEY, "q", &text), Err(CursorError::Refused));
        }
    }
}
