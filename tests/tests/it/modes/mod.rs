//! Write modes, partitions, source formats, changes of schemas, and every kind of rule, on small pipelines.

mod evolution;
mod formats;
mod laws;
mod parquet;
mod partitions;
mod rules;
mod writes;
