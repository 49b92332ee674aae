//! What can be wrong with an XML document.

/// Why an XML document cannot be read on. The object's name and the line are in the error around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlFault {
    /// The grammar of XML is broken. Where the next record begins cannot be known then.
    #[error("it is not well-formed XML: {message}; correct it where the file is written, or deliver the file again")]
    NotWellFormed {
        /// What is wrong, in words.
        message: String,
    },
    /// The end of the text comes within an element.
    #[error("the file ends inside of its root element; it is cut off, so deliver the whole file again")]
    EndsEarly,
    /// No element at all.
    #[error("it has no element; correct source.format, or the file")]
    NoElement,
    /// More than one element on top.
    #[error("a second root element `{name}` begins here; deliver each document in a file of its own")]
    SecondRoot {
        /// Its name.
        name: String,
    },
    /// Text outside of the root.
    #[error("text stands outside of the root element; correct source.format, or the file")]
    TextOutside,
    /// A DOCTYPE that defines something.
    #[error(
        "its DOCTYPE has definitions in brackets, which are not read, because entities can unpack to any size or name \
         files; write it without them"
    )]
    Definitions,
    /// An entity that only a DTD could define.
    #[error("the entity `&{name};` is not one of lt, gt, amp, quot and apos, and no others are read; write its text")]
    Entity {
        /// Its name, shortened.
        name: String,
    },
    /// A character that XML does not have.
    #[error("the character U+{code:04X} cannot be in XML 1.0; remove it where the file is written")]
    Character {
        /// Its code point.
        code: u32,
    },
    /// Elements in elements without end.
    #[error("elements are nested more than {limit} deep; write flatter documents")]
    TooDeep {
        /// Most elements that may be open.
        limit: usize,
    },
    /// A name that no path could have.
    #[error("a name has more than {limit} bytes; write a shorter one")]
    NameTooLong {
        /// Most bytes of a name, with its prefix.
        limit: usize,
    },
    /// More attributes than an element should have.
    #[error("an element has more than {limit} attributes; write elements instead")]
    TooManyAttributes {
        /// Most attributes that an element may have.
        limit: usize,
    },
    /// Bytes that are not UTF-8.
    #[error(
        "bytes here are not UTF-8, and no declaration names another encoding; write it in the declaration of the file, \
         as `<?xml version=\"1.0\" encoding=\"...\"?>`, or deliver it in UTF-8"
    )]
    NotUtf8,
    /// Bytes that are not of the declared encoding.
    #[error("bytes here are not {encoding}, although its declaration says so; correct the declaration, or the file")]
    NotDeclared {
        /// Name of the encoding.
        encoding: &'static str,
    },
    /// An encoding that is not known.
    #[error("its declaration has the encoding '{label}', which is not known; deliver it in UTF-8")]
    UnknownEncoding {
        /// The encoding, as it is written.
        label: String,
    },
    /// The declaration and the first bytes contradict each other.
    #[error("its declaration has the encoding '{label}', and its first bytes are {found}; correct the declaration")]
    OtherEncoding {
        /// The encoding in the declaration, as it is written.
        label: String,
        /// The encoding of the bytes.
        found: &'static str,
    },
}

impl XmlFault {
    /// A broken rule of the grammar, in words.
    pub(super) fn grammar(message: impl Into<String>) -> Self {
        Self::NotWellFormed { message: message.into() }
    }
}
