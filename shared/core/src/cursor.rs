//! Cursors: where a consumer's listing goes on, sealed so that nobody can write one and none fits another question.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most that a cursor's text may hold. It travels in an address, where servers cut at a few thousand bytes.
pub const MAX_CURSOR_BYTES: usize = 2048;

/// Characters of the seal that a cursor starts with: 32 bytes in hex.
const SEAL_CHARACTERS: usize = 2 * blake3::OUT_LEN;

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
/// The text is hex throughout, so that it needs no escaping in an address. It is signed, not encrypted: put nothing in
/// it that its reader may not see.
///
/// # Errors
/// [`CursorError::TooLong`] above [`MAX_CURSOR_BYTES`]; [`CursorError::Unwritable`] for a value without JSON form.
pub fn seal<T: Serialize>(key: &[u8; 32], what: &str, value: &T) -> Result<String, CursorError> {
    let payload = serde_json::to_vec(value).map_err(|error| CursorError::Unwritable { message: error.to_string() })?;
    let bytes = SEAL_CHARACTERS + 2 * payload.len();
    if bytes > MAX_CURSOR_BYTES {
        return Err(CursorError::TooLong { bytes });
    }
    let mut text = mac(key, what, &payload).to_hex().to_string();
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
    let payload = from_hex(payload).ok_or(CursorError::Refused)?;
    // The comparison of `blake3::Hash` takes the same time wherever the first difference is.
    if mac(key, what, &payload) != blake3::Hash::from_bytes(seal) {
        return Err(CursorError::Refused);
    }
    serde_json::from_slice(&payload).map_err(|_| CursorError::Refused)
}

/// The length goes first, so that no byte of the question can pass for one of the payload.
fn mac(key: &[u8; 32], what: &str, payload: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"sluice cursor 1\0");
    hasher.update(&(what.len() as u64).to_le_bytes());
    hasher.update(what.as_bytes());
    hasher.update(payload);
    hasher.finalize()
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
        let payload = (MAX_CURSOR_BYTES - SEAL_CHARACTERS) / 2 - 2;
        assert_eq!(seal(&KEY, "q", &"x".repeat(payload)).map(|text| text.len()), Ok(MAX_CURSOR_BYTES));
        assert_eq!(
            seal(&KEY, "q", &"x".repeat(payload + 1)),
            Err(CursorError::TooLong { bytes: MAX_CURSOR_BYTES + 2 })
        );
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
