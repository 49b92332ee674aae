//! What can be wrong with an Avro file.

/// Why an Avro file cannot be read. The object's name is in the error around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AvroFault {
    /// It is something else.
    #[error("it does not begin as object container files of Avro do; correct source.format, or the file")]
    NotAvro,
    /// The header cannot be read.
    #[error("its header {problem}; it is cut off or damaged, so deliver it again")]
    Header {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its blocks are packed in a way that is not read.
    #[error(
        "its blocks are packed with '{}', which is not read; write it with deflate, snappy or zstandard, or unpacked",
        codec.escape_debug()
    )]
    Codec {
        /// The name in its header.
        codec: String,
    },
    /// Its schema contradicts the specification.
    #[error("its schema {problem}; correct it where the file is written")]
    Schema {
        /// What is wrong with it.
        problem: String,
    },
    /// Its values are no records.
    #[error("its schema is {what} and no record, so its values have no columns; write records")]
    NotARecord {
        /// What its values are, in words.
        what: &'static str,
    },
    /// A block cannot be read. What comes after it would begin at an unknown place.
    #[error("block {number}, which begins at byte {begin}, {problem}; deliver the file again")]
    Block {
        /// Its number, from 1.
        number: u64,
        /// Where it begins.
        begin: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bytes of a record are not of the schema.
    #[error("block {number}, which begins at byte {begin}: its record {record} {problem}; deliver the file again")]
    Record {
        /// Number of the block, from 1.
        number: u64,
        /// Where the block begins.
        begin: u64,
        /// Number of the record in the block, from 1.
        record: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}
