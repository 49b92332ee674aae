//! Write modes, partitions, source formats, changes of schemas, and every kind of rule, on small pipelines.

mod deletes;
mod dialects;
mod evolution;
mod file_values;
mod filters;
mod formats;
mod json_texts;
mod laws;
mod limits;
mod nested;
mod parquet;
mod partitions;
mod readings;
mod replays;
mod rules;
mod snapshots;
mod writes;

pub(crate) use self::writes::{MERGE, SCD2, spec};
