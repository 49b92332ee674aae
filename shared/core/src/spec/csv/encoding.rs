//! Encodings of text, by the labels that people know them by.

use encoding_rs::Encoding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No encoding has this label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is not the label of an encoding; usual ones are utf-8, utf-16, utf-16le, utf-16be, windows-1250, \
     windows-1251, windows-1252, iso-8859-1, iso-8859-2, iso-8859-15, shift_jis, euc-kr, big5 and gb18030",
    .label.escape_debug()
)]
pub struct UnknownEncoding {
    label: String,
}

/// The encoding of a text. Labels are those of the WHATWG Encoding Standard, so `iso-8859-1` is read as
/// `windows-1252`, which has signs where the former has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// What decodes it.
    pub fn encoding(self) -> &'static Encoding {
        self.0
    }

    /// Whether its bytes are text as they are.
    pub fn is_utf8(self) -> bool {
        self.0 == encoding_rs::UTF_8
    }
}

impl Default for TextEncoding {
    fn default() -> Self {
        Self(encoding_rs::UTF_8)
    }
}

impl TryFrom<String> for TextEncoding {
    type Error = UnknownEncoding;

    fn try_from(label: String) -> Result<Self, UnknownEncoding> {
        match Encoding::for_label_no_replacement(label.as_bytes()) {
            Some(encoding) => Ok(Self(encoding)),
            None => Err(UnknownEncoding { label }),
        }
    }
}

impl From<TextEncoding> for String {
    fn from(encoding: TextEncoding) -> Self {
        encoding.0.name().to_ascii_lowercase()
    }
}
