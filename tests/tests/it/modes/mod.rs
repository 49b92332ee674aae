//! Write modes, partitions, source formats, changes of schemas, and every kind of rule, on small pipelines.

mod archives;
mod avro;
mod complete_files;
mod deletes;
mod dialects;
mod evolution;
mod feed_laws;
mod feeds;
mod file_values;
mod filters;
mod fixed_width;
mod formats;
mod full_snapshots;
mod inside;
mod json_texts;
mod laws;
mod limits;
mod many_objects;
mod nested;
mod parquet;
mod partitions;
mod readings;
mod replays;
mod rules;
mod snapshots;
mod workbooks;
mod writes;
mod xml;

pub(crate) use self::avro::avro_file;
pub(crate) use self::writes::{MERGE, SCD2, spec};
